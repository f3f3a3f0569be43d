#!/usr/bin/env bash
# Fetches nginx's source, as its authors released it, from Debian and prints
# the folder that it lies in:
#   source.sh           the version of the installed package
#   source.sh SUITE     that of another Debian suite (trixie: 1.26)
# Once fetched, it stays in build/src until "make clean".
set -euo pipefail
. "$(dirname "$0")/apt.sh"

version=$(dpkg-query -W -f '${source:Version}' nginx 2> /dev/null) ||
    die 'nginx is not installed: run conf/setup/install.sh first'
name=${1:-$version}
dir=$top/build/src/$name

if [ ! -e "$dir/configure" ]; then
    rm -rf "$dir" "$dir.part"
    mkdir -p "$dir.part"
    cd "$dir.part"
    package=nginx=$name
    [ $# = 0 ] || package=nginx/$name
    private_apt apt-get source --tar-only --download-only "$package" \
        > log 2>&1 || die "no source of nginx $name: $(tail -n 1 log)"
    tar xf ./*.orig.tar.* --strip-components 1
    mv "$dir.part" "$dir"
fi

echo "$dir"
