#!/usr/bin/env bash
# Installs what is missing, by Debian's package names:
#   install.sh run      what building and running the module takes
#   install.sh console  and what putting the console together takes
#   install.sh cluster  and what "make cluster" takes besides that
#   install.sh test     and what "make test" takes besides
# Nothing is started: an nginx that the packages bring stays down, one that
# runs already stays up. Needs root or sudo only if something is missing.
set -euo pipefail
. "$(dirname "$0")/apt.sh"

run='nginx-dev libjansson-dev libssl-dev gcc make libc6-dev curl openssl'
console='npm'
cluster=redis-server
! command -v valkey-server > /dev/null || cluster=
test='procps iproute2 util-linux logrotate valgrind clang libclang-rt-dev llvm
      cppcheck clang-tidy universal-ctags wrk libtest-nginx-perl php-cli php-curl
      nodejs node-busboy python3 python3-werkzeug tzdata libngtcp2-dev
      libngtcp2-crypto-gnutls-dev libgnutls28-dev chromium redis-server'

case ${1:-run} in
    run) wanted=$run ;;
    console) wanted="$run $console" ;;
    cluster) wanted="$run $console $cluster" ;;
    test) wanted="$run $console $test" ;;
    *) die "no such set: $1 (run, console, cluster, test)" ;;
esac

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
ours=
cleanup() {
    rm -rf "$log" ${download:+"$download"}
    [ -z "$ours" ] || $root rm -f $policy
}
trap cleanup EXIT
trap 'exit 1' INT TERM

as_root() {
    $root env DEBIAN_FRONTEND=noninteractive "$@" > "$log" 2>&1 ||
        die "${failed:-$*}: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"
}

install() {
    as_root apt-get -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 install "$@"
}

echo "installing $packages"
failed="can't install $packages"
as_root apt-get -q update

# While the file is there, Debian's packages start and restart no service.
# One that the machine has already is left to say what it says.
if [ ! -e $policy ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | $root tee $policy > /dev/null
    $root chmod 755 $policy
fi

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
install $from_suite

packages=$(missing | xargs)
[ -z "$packages" ] || die "still missing: $packages"
