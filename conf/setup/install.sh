#!/usr/bin/env bash
# Installs what is missing, by Debian's package names:
#   install.sh run      what building and running the module takes
#   install.sh console  and what putting the console together takes
#   install.sh cluster  and what "make cluster" takes besides that
#   install.sh deb      and what building the Debian packages takes: no nginx
#   install.sh test     and what "make test" takes besides
#   install.sh strength and what "make strength" takes besides that
# What the machine has stays as it is: before anything is installed, apt is asked
# what it would do, and if that removes a package, or replaces one that serves,
# such as nginx, nothing is installed. Nothing is started, now or at the next boot.
# Needs root or sudo only if something is missing.
set -euo pipefail
. "$(dirname "$0")/apt.sh"
. "$(dirname "$0")/progress.sh"

run='nginx-dev libjansson-dev libssl-dev gcc make libc6-dev curl openssl'
console='npm'
deb='npm debootstrap lintian'
cluster=redis-server
! command -v valkey-server > /dev/null || cluster=
test='procps iproute2 util-linux logrotate valgrind clang libclang-rt-dev llvm
      cppcheck clang-tidy universal-ctags wrk libtest-nginx-perl php-cli php-curl
      nodejs node-busboy python3 python3-werkzeug tzdata libngtcp2-dev
      libngtcp2-crypto-gnutls-dev libgnutls28-dev chromium redis-server jq shellcheck
      groff-base'
strength='spin qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross git'

case ${1:-run} in
    run) wanted=$run ;;
    console) wanted="$run $console" ;;
    cluster) wanted="$run $console $cluster" ;;
    deb) wanted=$deb ;;
    test) wanted="$run $console $test" ;;
    strength) wanted="$run $console $test $strength" ;;
    *) die "no such set: $1 (run, console, cluster, deb, test, strength)" ;;
esac

type apt-get dpkg-query > /dev/null 2>&1 ||
    die "no apt-get is here, as Debian has it: conf/doc/operating.md, \"Installing\", has the way by hand"

# Names of the packages among $wanted that are not installed, nor provided by one
# that is, as npm is by another maker's nodejs.
missing() {
    comm -23 <(printf '%s\n' $wanted | sort) \
        <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}, ${Provides}\n' |
              sed -n 's/^ii *//p' | sed 's/, */\n/g' | sed 's/ (.*//' | sort)
}

packages=$(missing | xargs)
[ -n "$packages" ] || exit 0

root=
if [ "$(id -u)" != 0 ]; then
    root=sudo
    command -v sudo > /dev/null ||
        die "neither root nor sudo is here to install: $packages"
fi

log=$(mktemp)
policy=/usr/sbin/policy-rc.d
program=/usr/sbin/nginx
apt=(-q -y --no-install-recommends -o DPkg::Lock::Timeout=300)
ours=
cleanup() {
    [ -z "${before+set}" ] || disable_new || true
    rm -rf "$log" ${download:+"$download"}
    [ -z "$ours" ] || $root rm -f $policy
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# What a program says goes into the log, too, of which an error is told.
as_root() {
    $root env DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@" 2>&1 | tee "$log" ||
        die "${failed:-$*}: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"
}

# What is started at boot: a line a service, be it by systemd or by init.
enabled() {
    { find /etc/systemd/system/*.wants /etc/rc[2-5].d -type l \
        \( -name '*.service' -o -name 'S[0-9][0-9]*' \) 2> /dev/null || true; } |
        sed 's|.*/||; s|^S[0-9][0-9]\([^.]*\)$|\1.service|' | sort -u
}

# What wasn't started at boot before stays so.
disable_new() {
    local service
    for service in $(comm -13 <(echo "$before") <(enabled)); do
        # the helper listens to packages only
        $root env DPKG_MAINTSCRIPT_PACKAGE=nginx deb-systemd-helper disable \
            "$service" > "$log" 2>&1 || true
        $root update-rc.d "${service%.service}" disable >> "$log" 2>&1 || true
        echo "$service starts neither now nor at boot; to have it so: systemctl enable --now $service"
    done
}

# What apt would do to packages that are installed, a line each: name, version,
# and the version that would take its place, if any would. What is new isn't there.
replaced() {
    sed -n 's/^Inst \([^ ]*\) \[\([^]]*\)\] (\([^ ]*\) .*/\1 \2 \3/p
            s/^Remv \([^ ]*\) \[\([^]]*\)\].*/\1 \2/p' "$log"
}

# Whether requests may depend on a package: nginx, its modules, any service.
serves() {
    [[ $1 == @(nginx|libnginx-mod)* ]] ||
        dpkg-query -L "$1" 2> /dev/null | grep -E > /dev/null \
            '^(/usr)?/lib/systemd/system/[^/]+\.service$|^/etc/init\.d/.'
}

# Ends, if to install the packages would change what the machine has.
look_first() {
    local name old new harm='' other=''

    LC_ALL=C apt-get -s "${apt[@]}" install "$@" > "$log" 2>&1 ||
        stop "apt finds no way to install $packages:" \
            "$(sed -n '/unmet dependencies:/,/^E:/ { //d; p }' "$log" | grep . ||
               grep '^E: ' "$log" || tail -n 1 "$log")"

    while read -r name old new; do
        if [ -z "$new" ]; then
            harm+="  $name $old would be removed"$'\n'
        elif serves "$name" || dpkg --compare-versions "$new" lt "$old"; then
            harm+="  $name $old would become $new"$'\n'
        else
            other+=" $name"
        fi
    done < <(replaced)

    # one that no package has brought
    if [ -e "$program" ] && grep -q '^Inst nginx (' "$log"; then
        harm+="  $program, which no package has brought, would be replaced"$'\n'
    fi

    [ -z "$harm" ] ||
        stop "to install $packages would change what this machine has:" "${harm%$'\n'}"
    [ -z "$other" ] || echo "apt brings up to date, as the packages need it:$other"
}

stop() {
    die "$1
$2
Nothing was installed. To build in a chroot, which leaves the machine as it is:
    make deb
Or make the change yourself, and then try again."
}

install() {
    local of
    of=$(grep -c '^Inst ' "$log") || true
    before=$(enabled)
    as_root apt-get "${apt[@]}" --no-remove install "$@" | sed -u -n '
        s/^Get:[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .*/+downloaded \1/p
        s/^Setting up \([^ ]*\) .*/+set_up \1/p' | progress "$of"
}

echo "installing $packages"
failed="can't install $packages"
as_root apt-get -q update > /dev/null

# For the tests Valkey comes with Redis where the system has it: Debian has from 13
# on.
case "${1:-run} $packages " in
    test*" redis-server "*)
        [ -z "$(apt-cache madison valkey-server)" ] ||
            packages="$packages valkey-server" ;;
esac

# Test::Nginx may be in unstable alone.
from_suite=
for package in $packages; do
    if [ $package != libtest-nginx-perl ] ||
       [ -n "$(apt-cache madison $package)" ]; then
        from_suite="$from_suite $package"
        continue
    fi

    download=$(mktemp -d)
    (cd "$download" && private_apt apt-get download $package) > "$log" 2>&1 ||
        die "can't download $package: $(tail -n 1 "$log")"
    chmod 755 "$download"
    from_suite="$from_suite $(echo "$download"/*.deb)"
done
look_first $from_suite

# While the file is there, Debian's packages start and restart no service.
# One that the machine has already is left to say what it says.
if [ ! -e $policy ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | $root tee $policy > /dev/null
    $root chmod 755 $policy
fi

install $from_suite

packages=$(missing | xargs)
[ -z "$packages" ] || die "still missing: $packages"
