#!/usr/bin/env bash
# Makes what is read, from the specifications in conf/openapi:
#   docs.sh run       build/docs, for partners, with what is in conf/docs; and
#                     build/docs-admin, for operators' programs
#   docs.sh test      and build/openapi: what t/openapi.t and t/admin_openapi.t
#                     hold the specifications against the front door with
set -euo pipefail
. "$(dirname "$0")/npm.sh"

# Has $1 of conf/docs make the folder $2: beside, as a front door may be serving
# the one in place.
docs() {
    local to=$top/build/$2

    rm -rf "$to.new"
    mkdir -p "$to.new"
    node "$top/conf/docs/$1" "$to.new" || die "build/$2 can not be made"
    chmod -R a+rX "$to.new"
    rm -rf "$to"
    mv "$to.new" "$to"
}

case ${1:-run} in
    run | test) ;;
    *) die "no such set: $1 (run, test)" ;;
esac

packages conf/setup/vendor vendor
docs build.mjs docs
docs admin.mjs docs-admin
[ "${1:-run}" = run ] || packages t/openapi openapi
