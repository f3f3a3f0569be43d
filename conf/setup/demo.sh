#!/usr/bin/env bash
# The front door with sandbox backends, from a prefix of its own, build/run:
#   demo.sh start     makes the prefix and a partner whose key is made then and
#                     there, starts nginx, prints requests to paste
#   demo.sh stop      ends it, by its pid file
# DEMO_PORT is the port on 127.0.0.1, 8080 if not set; the admin endpoint's is
# DEMO_ADMIN_PORT, 8081; events go to what listens at DEMO_HOOK_PORT, 8082.
# nginx runs within the prefix and knows it as ".", so that every path in the
# configuration, unix sockets too, is short and may be reached however deep or
# private the clone lies.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd -P)
prefix=$top/build/run
port=${DEMO_PORT:-8080}
admin=${DEMO_ADMIN_PORT:-8081}
hook=${DEMO_HOOK_PORT:-8082}
while [ "$hook" = "$port" ] || [ "$hook" = "$admin" ]; do hook=$((hook + 1)); done

die() {
    echo "make ${command:-run}: $*" >&2
    exit 1
}

# The pid of the nginx that runs from our prefix, or nothing.
running() {
    local pid
    pid=$(cat "$prefix/logs/nginx.pid" 2> /dev/null) && [ -n "$pid" ] || return
    [ "$(readlink "/proc/$pid/cwd")" = "$prefix" ] || return
    grep -qa '^nginx: master' "/proc/$pid/cmdline" 2> /dev/null || return
    echo "$pid"
}

# Waits until a command succeeds, for 10 seconds.
wait_for() {
    local i
    for i in {1..200}; do
        ! "$@" || return 0
        sleep 0.05
    done
    return 1
}

taken() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }
answers() { taken "$port"; }

# A number in base 62, six digits.
base62() {
    local digits=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz
    local n=$1 out=
    while [ ${#out} -lt 6 ]; do
        out=${digits:n % 62:1}$out
        n=$((n / 62))
    done
    echo "$out"
}

# wst_, 32 random characters, 6 of the CRC-32 of what precedes; the CRC-32 is
# among the last eight bytes of what gzip makes.
make_key() {
    local text=
    while [ ${#text} -lt 32 ]; do
        text=$text$(openssl rand -base64 48 | tr -dc 0-9A-Za-z)
    done
    text=wst_${text:0:32}
    echo "$text$(base62 "$(printf %s "$text" | gzip -c | tail -c 8 | head -c 4 |
        od -A n -t u4 --endian=little)")"
}

# Of printable bytes, so that a shell can hand on what it has decoded.
make_secret() { openssl rand -hex 16 | tr -d '\n' | openssl base64; }

# A line of a partners' file: id, key, and the other fields.
partner() {
    local hash
    hash=$(printf %s "$2" | openssl dgst -sha256 -r)
    echo "{\"id\":\"$1\",\"keys\":[{\"id\":\"k1\",\"sha256\":\"${hash%% *}\"}]$3}"
}

# The demo partner, and the contract between the front door and the sandbox's
# wap.cm: a key and a secret each, made once.
make_prefix() {
    local scopes='"messages.send","audio.send","files.send","calls.initiate","conversations.read","webhooks.manage"'
    mkdir -p "$prefix"/{conf/state,logs,modules,temp}
    ln -sf "$top/build/ngx_http_wassiit_module.so" "$prefix/modules/"
    cp "$top"/conf/*.* "$prefix/conf/"
    ln -sfn ../console "$prefix/console"
    ln -sfn ../docs "$prefix/docs"
    ln -sfn ../docs-admin "$prefix/docs-admin"

    if [ ! -s "$prefix/key" ] || [ ! -s "$prefix/operator" ]; then
        (
            umask 077
            make_key > "$prefix/key"
            make_secret > "$prefix/secret"
            make_key > "$prefix/contract"
            make_secret > "$prefix/conf/wapcm.secret"
            make_secret > "$prefix/conf/webhook.secret"
            partner demo "$(< "$prefix/key")" \
                ",\"hmac_secret\":\"$(< "$prefix/secret")\",\"name\":\"Demo\",\"scopes\":[$scopes],\"webhook_secret\":\"$(< "$prefix/conf/webhook.secret")\"" \
                > "$prefix/conf/state/partners.jsonl"
            partner front-door "$(< "$prefix/contract")" \
                ",\"hmac_secret\":\"$(< "$prefix/conf/wapcm.secret")\"" \
                > "$prefix/conf/wapcm.jsonl"
            make_key > "$prefix/operator"
            partner operator "$(< "$prefix/operator")" \
                ',"scopes":["partners.manage"]' > "$prefix/conf/operators.jsonl"
        )
    fi

    # "t": what has become another port is that.
    sed -i "s/127\.0\.0\.1:8080/127.0.0.1:$port/; t
            s/127\.0\.0\.1:8081/127.0.0.1:$admin/; t
            s/127\.0\.0\.1:8082/127.0.0.1:$hook/; t
            s/CONTRACT_KEY/$(< "$prefix/contract")/" \
        "$prefix/conf/nginx.conf"
}

start() {
    local pid error
    if pid=$(running); then
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
    make_prefix
    rm -f "$prefix"/*.sock
    cd "$prefix"
    error=$(nginx_here 2>&1) ||
        die "$(grep -m 1 -F '[emerg]' <<< "$error" || echo "$error")"
    wait_for answers || die "nginx does not answer, see build/run/logs/error.log"
    # the file is the workers' now; they make it anew beside itself
    chown --reference=conf/state/partners.jsonl conf/state
    echo "running from build/run, pid $(cat logs/nginx.pid), at 127.0.0.1:$port"
    show
}

nginx_here() {
    local program
    program=$(PATH=$PATH:/usr/sbin command -v nginx) || die 'nginx is missing'
    "$program" -p . -c conf/nginx.conf -e logs/error.log "$@"
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

stop() {
    local pid
    pid=$(running) || return 0
    kill -QUIT "$pid" || die "pid $pid belongs to another user"
    if ! wait_for test ! -e "/proc/$pid"; then
        kill -TERM "$pid"
        wait_for test ! -e "/proc/$pid" || die "pid $pid does not end"
    fi
    echo "stopped, pid $pid"
}

command=${1:-start}
case $command in
    start) command=run; start ;;
    stop) stop ;;
    *) die "no such command: $command (start, stop)" ;;
esac
