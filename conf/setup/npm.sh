# Sourced by the scripts beside it: packages from npm, below build/. npm takes
# the versions that a lock file names, and nothing whose digest isn't there.
# Nothing is fetched again while the lock file stays as it is.

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
