#!/usr/bin/env bash
# Draws the pictures of the documentation ("make pictures"): the request's way, and
# the console of a demo that has served some requests. t/bench/publish draws the
# bench's.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd -P)
setup=$top/conf/setup out=$top/conf/doc
export DEMO_PORT=${DEMO_PORT:-8480} DEMO_ADMIN_PORT=${DEMO_ADMIN_PORT:-8481}
export DEMO_HOOK_PORT=${DEMO_HOOK_PORT:-8482}

if [ -e "$top/build/run/logs/nginx.pid" ]; then
    echo 'pictures: a demo is running: "make stop" first' >&2
    exit 1
fi

"$setup/request.pl" > "$out/request.svg"

trap '"$setup/demo.sh" stop > /dev/null' EXIT
"$setup/demo.sh" start > /dev/null
key=$(< "$top/build/run/key") url=http://127.0.0.1:$DEMO_PORT/api/partner/v1

# What a console shows: requests that go on, some of them refused. A demo partner has
# 100 a minute.
requests() {
    local n=0
    while :; do
        n=$((n + 1))
        curl -s -o /dev/null -H "X-API-Key: $key" -H 'Content-Type: application/json' \
            -d '{"to": "+212600000000", "text": "Hello"}' "$url/messages"
        [ $((n % 9)) != 0 ] || curl -s -o /dev/null "$url/conversations"
        sleep 0.3
    done
}
requests &
load=$!
trap 'kill $load; "$setup/demo.sh" stop > /dev/null' EXIT

node "$setup/console.mjs" "$top/build/browser" "http://127.0.0.1:$DEMO_ADMIN_PORT" \
    "$(< "$top/build/run/operator")" "$out/console.png"
