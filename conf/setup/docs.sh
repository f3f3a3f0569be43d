#!/usr/bin/env bash
# Makes what partners read, build/docs, from the specification in conf/openapi
# and what is in conf/docs.
set -euo pipefail
. "$(dirname "$0")/npm.sh"

packages conf/setup/vendor vendor

# The folder is made beside, as a front door may be serving the one in place.
rm -rf "$top/build/docs.new"
mkdir -p "$top/build/docs.new"
node "$top/conf/docs/build.mjs" "$top/build/docs.new" ||
    die 'the docs can not be made'
rm -rf "$top/build/docs"
mv "$top/build/docs.new" "$top/build/docs"
