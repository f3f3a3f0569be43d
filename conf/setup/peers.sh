#!/usr/bin/env bash
# Unpacks what "make bench" compares the module with, njs, Lua and HAProxy of the
# distribution, under build/peers, and prints that folder. Nothing is installed:
# the machine's nginx and its services stay as they are.
set -euo pipefail
. "$(dirname "$0")/apt.sh"

wanted='haproxy libnginx-mod-http-js libnginx-mod-http-lua'
out=$top/build/peers

# What isn't installed here of these and of all that they need.
names=$(apt-get -s --no-install-recommends install $wanted 2> /dev/null |
    sed -n 's/^Inst \([^ ]*\).*/\1/p' | sort)
installed=$(dpkg-query -W -f '${Package} ${Version}\n' $wanted nginx 2> /dev/null || true)
[ -n "$names$installed" ] || die "apt knows none of: $wanted"

# A peer that is installed is fetched all the same, so that all lie in one place.
names=$(printf '%s\n' $wanted $names | sort -u)
state="$names $installed"

if [ "$(cat "$out/ready" 2> /dev/null)" != "$state" ]; then
    rm -rf "$out"
    mkdir -p "$out/packages"
    (cd "$out/packages" && apt-get -q download $names) > "$out/log" 2>&1 ||
        die "can't download: $(grep -m 1 '^E:' "$out/log" || tail -n 1 "$out/log")"
    for package in "$out"/packages/*.deb; do
        dpkg -x "$package" "$out"
        dpkg-deb -W --showformat='${Package} ${Version}\n' "$package"
    done | grep -E "^($(echo $wanted | tr ' ' '|')) " > "$out/versions"
    rm -r "$out/packages"
    printf '%s' "$state" > "$out/ready"
fi
echo "$out"
