#!/usr/bin/env bash
# The front door with sandbox backends, from a prefix of its own, build/run:
#   demo.sh start     makes the prefix and a partner whose key is made then and
#                     there, starts nginx, prints requests to paste
#   demo.sh stop      ends it, by its pid file
# DEMO_PORT is the port on 127.0.0.1, 8080 if not set; the admin endpoint's is
# DEMO_ADMIN_PORT, 8081; events go to what listens at DEMO_HOOK_PORT, 8082.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd -P)
. "$top/conf/setup/door.sh"
prefix=$top/build/run
port=${DEMO_PORT:-8080}
admin=${DEMO_ADMIN_PORT:-8081}
hook=${DEMO_HOOK_PORT:-8082}
while [ "$hook" = "$port" ] || [ "$hook" = "$admin" ]; do hook=$((hook + 1)); done

die() {
    echo "make ${command:-run}: $*" >&2
    exit 1
}

answers() { taken "$port"; }

start() {
    local pid
    if pid=$(running "$prefix"); then
        { read -r port; read -r admin; } < <(
            sed -n 's/.*listen 127\.0\.0\.1:\([0-9]*\).*/\1/p' \
                "$prefix/conf/nginx.conf")
        hook=$(sed -n 's/.*server 127\.0\.0\.1:\([0-9]*\) max_fails=0;/\1/p' \
            "$prefix/conf/nginx.conf")
        echo "already running from build/run, pid $pid, at 127.0.0.1:$port"
        show
        return
    fi

    ! taken "$port" || die "port $port is taken: end what listens there, or set DEMO_PORT"
    ! taken "$admin" || die "port $admin is taken: end what listens there, or set DEMO_ADMIN_PORT"
    make_door "$prefix" ..
    make_partners "$prefix"
    set_door "$prefix" "$port" "$admin" "$hook" "$(< "$prefix/contract")"
    rm -f "$prefix"/*.sock
    nginx_in "$prefix"
    wait_for answers || die "nginx does not answer, see build/run/logs/error.log"
    # the file is the workers' now; they make it anew beside itself
    chown --reference="$prefix/conf/state/partners.jsonl" "$prefix/conf/state"
    echo "running from build/run, pid $(cat "$prefix/logs/nginx.pid"), at 127.0.0.1:$port"
    show
}

show() {
    local key hex operator front=http://127.0.0.1:$port url=http://127.0.0.1:$port/api/partner/v1
    key=$(cat "$prefix/key") || die 'build/run/key belongs to another user'
    operator=$(cat "$prefix/operator")
    hex=$(openssl base64 -d -A < "$prefix/secret" | od -A n -v -t x1 | tr -d ' \n')
    cat << END

The docs are at $front/docs/, the specification at $front/openapi.yaml.
The demo partner's key is $key (kept in build/run/key),
its secret for wap.cm $(< "$prefix/secret") (build/run/secret).
Try:

# a message: accepted
curl -i -X POST $url/messages -H "X-API-Key: $key" -H "Content-Type: application/json" -d '{"to": "+212600000000", "text": "Hello from WASSIIT!"}'

# its delivery
curl -i $url/messages/msg_1 -H "X-API-Key: $key"

# a call
curl -i -X POST $url/calls -H "X-API-Key: $key" -H "Content-Type: application/json" -d '{"to": "+212600000000", "type": "voice"}'

# conversations
curl -i $url/conversations -H "X-API-Key: $key"

# an OTP by wap.cm, signed with the secret, which is written in hex here
ts=\$(date +%s); curl -i "$front/automation/?test=1" -H "X-API-Key: $key" -H "X-API-Timestamp: \$ts" -H "X-API-Signature: \$(printf %s "$key\$ts" | openssl dgst -sha256 -mac HMAC -macopt hexkey:$hex -binary | base64)" -H "Content-Type: application/json" -d '{"reference": 1, "country": "CM", "recipient": "670000000", "scheduled": "2025-09-29T12:40:14.590Z", "variables": {"otp": "123456"}}'

# a message to a number that is none: 400, with what is wrong
curl -i -X POST $url/messages -H "X-API-Key: $key" -H "Content-Type: application/json" -d '{"to": "0600000000", "text": ""}'

# a number whose messages fail, and one whose backend is down: 502; more of them
# are in the docs
curl -i -X POST $url/messages -H "X-API-Key: $key" -H "Content-Type: application/json" -d '{"to": "+212600000003", "text": "Hello"}'
curl -i $url/messages/msg_failed -H "X-API-Key: $key"
curl -i -X POST $url/messages -H "X-API-Key: $key" -H "Content-Type: application/json" -d '{"to": "+212600000004", "text": "Hello"}'

# a document
curl -i $url/messages/document -H "X-API-Key: $key" -F to=+212600000000 -F "file=@$top/README.md"

# the events of messages: signed with the secret in build/run/conf/webhook.secret
# they go to what you start at http://127.0.0.1:$hook/hook; while nothing listens
# there, our receiver verifies them and writes them down
tail -n 3 "$prefix/logs/events.log"

# an event as the backend pushes it
(cd "$prefix" && curl -i --unix-socket egress.sock http://egress/sandbox/demo -H "Content-Type: application/json" -d '{"event": "message.status", "id": "msg_1", "status": "delivered"}')

# no key: 401
curl -i $url/conversations

# more than 100 within a minute: 429
for i in \$(seq 101); do curl -s -o /dev/null -w '%{http_code} ' $url/conversations -H "X-API-Key: $key"; done; echo

The operators' console is at http://127.0.0.1:$admin/console/, the admin endpoint at
http://127.0.0.1:$admin/admin/. The operator's key for both is
$operator (build/run/operator).

# the partners, and one of them with its keys and what is used of its limit
curl -i http://127.0.0.1:$admin/admin/partners -H "X-API-Key: $operator"
curl -i http://127.0.0.1:$admin/admin/partners/demo -H "X-API-Key: $operator"

# what becomes of requests; for Prometheus from this machine, without a key
curl -i http://127.0.0.1:$admin/status -H "X-API-Key: $operator"
curl -i http://127.0.0.1:$admin/metrics

# what the admin endpoint and status take and answer, as OpenAPI
curl -i http://127.0.0.1:$admin/openapi.yaml

# a partner more: its key is shown this once
curl -i -X POST http://127.0.0.1:$admin/admin/partners -H "X-API-Key: $operator" -H "Content-Type: application/json" -d '{"id": "clinique-demo", "scopes": ["messages.send"], "rate": "100r/m"}'

"make stop" ends it.
END
}

command=${1:-start}
case $command in
    start) command=run; start ;;
    stop) end "$prefix" ;;
    *) die "no such command: $command (start, stop)" ;;
esac
