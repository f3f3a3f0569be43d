#!/usr/bin/env bash
# Puts the operators' console together, below build/:
#   console.sh run      build/console: conf/console and the two libraries that
#                       it stands on, from npm
#   console.sh test     and build/browser: what tests drive a browser with
set -euo pipefail
. "$(dirname "$0")/npm.sh"

# The folder is made beside, as a front door may be serving the one in place.
console() {
    local new=$top/build/console.new npm=$top/build/vendor/node_modules

    rm -rf "$new"
    mkdir -p "$new"
    cp -R "$top/conf/console/." "$new/"
    mkdir "$new/vendor"
    cp "$npm/htm/preact/standalone.module.js" "$new/vendor/preact.js"
    cp "$npm/htm/LICENSE" "$new/vendor/htm.LICENSE"
    cp "$npm/uplot/dist/uPlot.esm.js" "$new/vendor/uplot.js"
    cp "$npm/uplot/dist/uPlot.min.css" "$new/vendor/uplot.css"
    cp "$npm/uplot/LICENSE" "$new/vendor/uplot.LICENSE"
    chmod -R a+rX "$new"

    rm -rf "$top/build/console"
    mv "$new" "$top/build/console"

    # for a node that doesn't tell modules by what is in them
    echo '{"type": "module"}' > "$top/build/package.json"
}

case ${1:-run} in
    run | test) ;;
    *) die "no such set: $1 (run, test)" ;;
esac

packages conf/setup/vendor vendor
console
[ "${1:-run}" = run ] || packages t/browser browser
