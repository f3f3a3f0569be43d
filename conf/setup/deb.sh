#!/usr/bin/env bash
# Builds the Debian package, each in a chroot of its own with the nginx of that
# suite; an nginx of this machine is neither touched nor needed:
#   deb.sh [SUITE ...]    bookworm, trixie, unstable: all three if none is named;
#                         build/deb/SUITE/*.deb
#   deb.sh plain SUITE    makes the chroot without what building takes, and
#                         prints its folder: t/deb.t installs in copies of it
#   deb.sh changelog SUITE
#                         prints the package's changelog
#   deb.sh clean          removes the chroots
# Chroots stay below build/chroot and are brought up to date by each run. What
# apt needs to know (mirror, proxy, certificates) is as on this machine. All that
# is mounted is so in a namespace that ends with the command that runs there.
set -euo pipefail
. "$(dirname "$0")/apt.sh"

suites='bookworm trixie unstable'
package=libnginx-mod-http-wassiit
chroots=$top/build/chroot
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Runs a command in the chroot $1, which has its own /proc and processes.
# Device files count there even if the file system of this folder says nodev.
inside() {
    local root=$1
    shift
    unshare --mount --pid --fork --kill-child sh -c '
        root=$1; shift
        mount --bind "$root" "$root" && mount -o remount,bind,dev,suid,exec "$root" &&
            mount -t proc proc "$root/proc" && exec "$@"' sh "$root" \
        chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        ${http_proxy:+http_proxy="$http_proxy"} \
        ${https_proxy:+https_proxy="$https_proxy"} "$@"
}

# The same, with what it says in the log.
quietly() {
    "$@" > "$log" 2>&1 || die "$*: $(grep -m 1 '^E:\|error:' "$log" ||
        tail -n 1 "$log") (see $log)"
}

# What is mounted there, by whomever, isn't ours to delete.
remove() {
    ! grep -qF " $1" /proc/self/mountinfo || die "something is mounted in $1"
    rm -rf --one-file-system "$1"
}

# Lines of sources.list for the suite $1, from this machine's mirrors.
sources() {
    local security
    security=$(debian_mirror Debian-Security)
    if [ "$1" = unstable ]; then
        echo "deb [check-valid-until=no] $mirror unstable main"
        return
    fi
    echo "deb $mirror $1 main"
    echo "deb $mirror $1-updates main"
    [ -z "$security" ] || echo "deb $security $1-security main"
}

# The chroot of the suite $1 as a new machine would be, up to date.
plain() {
    local root=$chroots/$1

    if [ ! -e "$root/etc/apt/apt.conf.d/90machine" ]; then
        remove "$root"
        mkdir -p "$root"
        quietly unshare --mount sh -c '
            root=$1; shift
            mount --bind "$root" "$root" &&
                mount -o remount,bind,dev,suid,exec "$root" && exec "$@"' sh "$root" \
            debootstrap --variant=minbase ${keyring:+--keyring="$keyring"} \
            "$1" "$root" "$mirror"
        sources "$1" > "$root/etc/apt/sources.list"
        rm -f "$root"/etc/apt/sources.list.d/*
        cp /etc/resolv.conf /etc/hosts "$root/etc/"
        mkdir -p "$root/etc/ssl/certs"
        ! grep -q https: "$root/etc/apt/sources.list" ||
            cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
        apt-config dump |
            grep -iE '^Acquire::(http|https|Check-Valid-Until|Check-Date)\b.*"' \
            > "$root/etc/apt/apt.conf.d/90machine" || true
    fi
    quietly inside "$root" apt-get -q update
    quietly inside "$root" apt-get -q -y dist-upgrade
}

# Of it, the one that packages are built in. No service may start there, as it
# would on the ports of this machine.
builder() {
    local root=$chroots/$1.build

    if [ ! -e "$root/usr/sbin/policy-rc.d" ]; then
        remove "$root"
        cp -a "$chroots/$1" "$root"
        printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
        chmod 755 "$root/usr/sbin/policy-rc.d"
    fi
    quietly inside "$root" apt-get -q update
    quietly inside "$root" apt-get -q -y dist-upgrade
    quietly inside "$root" apt-get -q -y --no-install-recommends install dpkg-dev
}

# What is in the tree, without what was made in it, save for the console and the
# docs, which npm takes part in; and the packaging in its place.
sources_to() {
    local name
    remove "$1"
    mkdir -p "$1/build"
    (cd "$top" && if [ -e .git ] && command -v git > /dev/null; then
        git -c safe.directory="$top" ls-files -z -co --exclude-standard
    else
        find . \( -path ./build -o -path ./.git \) -prune -o -type f -print0
    fi | tar -c --no-recursion --null -T - --ignore-failed-read) 2>> "$log" |
        tar -x --no-same-owner -C "$1"
    for name in console docs docs-admin; do
        [ -e "$top/build/$name" ] || die "build/$name is missing: make console docs"
        cp -R "$top/build/$name" "$1/build/"
    done
    cp -R "$1/conf/debian" "$1/debian"
}

# The changelog, whose first line is the package's version: that of the module,
# and what it was built for.
changelog() {
    local version suffix maintainer date
    version=$("$top/conf/setup/version.sh")
    case $1 in
        bookworm) suffix='~deb12u1' ;;
        trixie) suffix='~deb13u1' ;;
        *) suffix= ;;
    esac
    maintainer=$(sed -n 's/^Maintainer: //p' "$top/conf/debian/control")
    date=$(git -c safe.directory="$top" -C "$top" log -1 --format=%ct 2> /dev/null ||
        stat -c %Y "$top/CHANGES.md")
    cat << END
$package ($version-1$suffix) $1; urgency=medium

  * Version $version: what is new stands in changelog.gz.

 -- $maintainer  $(LC_ALL=C date -u -R -d "@$date")
END
}

# The package of the suite $1.
build() {
    local root=$chroots/$1.build out=$top/build/deb/$1

    rm -f "$root/build/"*.*
    sources_to "$root/build/tree"
    changelog "$1" > "$root/build/tree/debian/changelog"
    quietly inside "$root" sh -c 'cd /build/tree &&
        apt-get -q -y --no-install-recommends build-dep .'
    quietly inside "$root" sh -c "cd /build/tree &&
        DEB_BUILD_OPTIONS='noautodbgsym parallel=$(nproc)' dpkg-buildpackage -b -uc -us"
    mkdir -p "$out"
    rm -f "$out"/*
    cp "$root"/build/*.deb "$out/"
}

check() {
    lintian --allow-root --fail-on error --suppress-tags bad-distribution-in-changes-file \
        "$top/build/deb/$1"/*.deb ||
        die "lintian doesn't take the package of $1"
}

steps=0 step=0
progress() {
    step=$((step + 1))
    echo "$step of $steps: $1"
}

if [ "${1:-}" = changelog ]; then
    changelog "$2"
    exit
fi

if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || die 'a chroot takes root, and sudo is not here'
    exec sudo --preserve-env=http_proxy,https_proxy "$0" "$@"
fi

[ -e $keyring ] || keyring=
mirror=$(debian_mirror)
mkdir -p "$top/build/deb" "$chroots"

# One run at a time for each suite.
take() {
    log=$top/build/deb/$1.log
    exec 9> "$chroots/$1.lock"
    flock 9
}

case ${1:-} in
    clean)
        for root in "$chroots"/*/; do
            [ ! -d "$root" ] || remove "${root%/}"
        done
        exit ;;
    plain)
        take "$2"
        plain "$2"
        echo "$chroots/$2"
        exit ;;
esac

[ $# != 0 ] || set -- $suites
for suite; do
    [[ " $suites " == *" $suite "* ]] || die "no such suite: $suite ($suites)"
done
for tool in debootstrap lintian; do
    command -v $tool > /dev/null || die "$tool is missing: conf/setup/install.sh deb"
done
[ -n "$mirror" ] || die "apt knows no Debian mirror: run 'apt-get update' as root first"

steps=$((4 * $#))
for suite; do
    take "$suite"
    progress "$suite: a system to build in"
    plain "$suite"
    progress "$suite: the tools"
    builder "$suite"
    progress "$suite: the package"
    build "$suite"
    progress "$suite: lintian"
    check "$suite"
done
[ -z "${SUDO_UID:-}" ] || chown -R "$SUDO_UID:$SUDO_GID" "$top/build/deb"
ls "$top"/build/deb/*/*.deb
