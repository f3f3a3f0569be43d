#!/usr/bin/env bash
# Puts the operators' console together, below build/:
#   console.sh run      build/console: conf/console and the two libraries that
#                       it stands on, from npm
#   console.sh test     and build/browser: what t/console.t drives a browser with
# npm takes the versions that the lock files name, and nothing whose digest isn't
# theirs. Nothing is fetched again while a lock file stays as it is.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# The packages of the folder $1's lock file, in build/$2/node_modules.
packages() {
    local from=$top/$1 to=$top/build/$2

    if cmp -s "$from/package-lock.json" "$to/installed"; then
        return
    fi

    command -v npm > /dev/null || die 'npm is missing'
    echo "fetching the packages of $1/package.json"
    rm -rf "$to"
    mkdir -p "$to"
    cp "$from/package.json" "$from/package-lock.json" "$to/"
    (cd "$to" && npm ci --ignore-scripts --no-audit --no-fund) \
        > "$to/log" 2>&1 ||
        die "npm ci failed: $(grep -i -m 3 '^npm err' "$to/log" | tr '\n' ' ')"
    cp "$from/package-lock.json" "$to/installed"
}

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
[ "${1:-run}" = run ] || packages t/console browser
