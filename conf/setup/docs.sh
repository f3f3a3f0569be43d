#!/usr/bin/env bash
# Makes what partners read, from the specification in conf/openapi:
#   docs.sh run       build/docs, with what is in conf/docs
#   docs.sh test      and build/openapi: what t/openapi.t holds the
#                     specification against the front door with
set -euo pipefail
. "$(dirname "$0")/npm.sh"

# The folder is made beside, as a front door may be serving the one in place.
docs() {
    rm -rf "$top/build/docs.new"
    mkdir -p "$top/build/docs.new"
    node "$top/conf/docs/build.mjs" "$top/build/docs.new" ||
        die 'the docs can not be made'
    rm -rf "$top/build/docs"
    mv "$top/build/docs.new" "$top/build/docs"
}

case ${1:-run} in
    run | test) ;;
    *) die "no such set: $1 (run, test)" ;;
esac

packages conf/setup/vendor vendor
docs
[ "${1:-run}" = run ] || packages t/openapi openapi
