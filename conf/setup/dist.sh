#!/usr/bin/env bash
# "make dist": build/ngx_http_wassiit_module-VERSION.tar.xz, of what is committed,
# with its SHA-256 beside it. The same commit makes the same bytes. It builds where
# there is no git.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
name=ngx_http_wassiit_module-$("$top/conf/setup/version.sh")

die() {
    echo "make dist: $*" >&2
    exit 1
}

cd "$top"
[ "$(git rev-parse --show-toplevel 2> /dev/null)" = "$(pwd -P)" ] ||
    die 'this is no clone: a release is made from the repository'
changed=$(git status --porcelain --untracked-files=no)
[ -z "$changed" ] || die "not committed:
$changed"

mkdir -p build
git -c tar.umask=0022 archive --format=tar --prefix="$name/" HEAD |
    xz --threads=1 -9 > "build/$name.new"
mv "build/$name.new" "build/$name.tar.xz"
(cd build && sha256sum "$name.tar.xz" > "$name.tar.xz.sha256")

echo "build/$name.tar.xz, SHA-256 $(cut -d ' ' -f 1 "build/$name.tar.xz.sha256")"
echo "A tag for it: conf/setup/version.sh notes | git tag -a v${name##*-} -F -"
