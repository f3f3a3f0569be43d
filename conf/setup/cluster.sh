#!/usr/bin/env bash
# Three front doors that share limits and partners by a Redis or a Valkey, with
# one sandbox behind them, all below build/cluster:
#   cluster.sh start     makes what they need and a partner whose key is made
#                        then and there, starts them, prints requests to paste
#   cluster.sh stop      ends them, by their pid files
# All listen on 127.0.0.1: the front doors at CLUSTER_PORTS, "8181 8182 8183" if
# not set; their admin endpoints at CLUSTER_ADMIN_PORTS, "8191 8192 8193"; Redis
# at CLUSTER_REDIS_PORT, 8184. Events go to what listens at CLUSTER_HOOK_PORT,
# 8082. CLUSTER_REDIS is the server's program: redis-server, or valkey-server
# where there is none.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd -P)
. "$top/conf/setup/door.sh"
prefix=$top/build/cluster
read -r -a ports <<< "${CLUSTER_PORTS:-8181 8182 8183}"
read -r -a admins <<< "${CLUSTER_ADMIN_PORTS:-8191 8192 8193}"
redis=${CLUSTER_REDIS_PORT:-8184}
hook=${CLUSTER_HOOK_PORT:-8082}
doors='1 2 3'

die() {
    echo "make ${command:-cluster}: $*" >&2
    exit 1
}

answers() { taken "$1"; }

# A front door answers a moment before it takes part, and takes no changes till then.
takes_part() {
    curl -s "http://127.0.0.1:$1/metrics" |
        grep '^wassiit_cluster_state{.*state="active"} 1$' > /dev/null
}

wait_for_all() {
    local k
    for k in $doors; do
        wait_for takes_part "${admins[k - 1]}" ||
            die "a front door does not reach Redis, see build/cluster/door-$k/logs/error.log"
    done
}

redis_program() {
    local program
    for program in ${CLUSTER_REDIS:-redis-server valkey-server}; do
        command -v "$program" && return
    done
    die "no ${CLUSTER_REDIS:-redis-server nor valkey-server} is here"
}

running_redis() { running "$prefix/redis" redis.pid '[^ ]*\(redis\|valkey\)-server'; }

make_redis() {
    local program more=
    program=$(redis_program)
    mkdir -p "$prefix/redis"

    # WAITAOF came with Redis 7.2; Valkey has had it from the first
    [[ $("$program" --version) == *v=7.[01].* ]] || more=' +waitaof'
    (
        umask 077
        sed "s/^port .*/port $redis/" "$top/conf/cluster/redis.conf" \
            > "$prefix/redis/redis.conf"
        sed "s/#PASSWORD_SHA256/#$(sha256 "$(< "$prefix/redis.secret")")/
             /^user wassiit /s/\$/$more/" \
            "$top/conf/cluster/users.acl" > "$prefix/redis/users.acl"
    )
}

start_redis() {
    (cd "$prefix/redis" && "$(redis_program)" redis.conf > /dev/null) ||
        die "Redis does not start, see build/cluster/redis/redis.log"
    wait_for answers "$redis" || die "Redis does not answer, see build/cluster/redis/redis.log"
}

# A front door: the demo's, with the others' partners, and the sandbox's sockets
# elsewhere.
make_one() {
    local door=$prefix/door-$1
    make_door "$door" ../..
    mkdir -p "$door/conf/cluster"
    sed -i "s/^\( *\)# \(include cluster\/door\.conf;\)/\1\2/
            /^ *include sandbox\.conf;/d" "$door/conf/nginx.conf"
    sed "s/127\.0\.0\.1:8184/127.0.0.1:$redis/; s/node=door-1/node=door-$1/" \
        "$top/conf/cluster/door.conf" > "$door/conf/cluster/door.conf"
    set_door "$door" "${ports[$1 - 1]}" "${admins[$1 - 1]}" "$hook" \
        "$(< "$prefix/contract")"

    # each has a copy of its own, which it changes from then on
    [ -s "$door/conf/state/partners.jsonl" ] ||
        cp -p "$prefix/conf/state/partners.jsonl" "$door/conf/state/"
    cp -p "$prefix"/conf/*.{jsonl,secret} "$prefix/redis.secret" "$door/conf/"

    rm -f "$door"/*.sock
    for name in messaging wapcm receiver; do
        ln -s "../backend/$name.sock" "$door/$name.sock"
    done
}

make_backend() {
    make_door "$prefix/backend" ../..
    cp "$top/conf/cluster/backend.conf" "$prefix/backend/conf/nginx.conf"
    cp -p "$prefix"/conf/*.{jsonl,secret} "$prefix/backend/conf/"

    # events leave by the first front door
    rm -f "$prefix/backend"/*.sock
    ln -s ../door-1/egress.sock "$prefix/backend/egress.sock"
}

# What runs already says where it listens.
find_ports() {
    local k conf
    redis=$(sed -n 's/^port //p' "$prefix/redis/redis.conf")
    for k in $doors; do
        conf=$prefix/door-$k/conf/nginx.conf
        { read -r "ports[k - 1]"; read -r "admins[k - 1]"; } < <(
            sed -n 's/.*listen 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$conf")
    done
}

# Starts what has ended of what runs, with what it had.
mend() {
    local part
    running_redis > /dev/null || start_redis
    for part in backend door-{1,2,3}; do
        running "$prefix/$part" > /dev/null || {
            # who was killed has left its sockets
            find "$prefix/$part" -maxdepth 1 -type s -delete
            nginx_in "$prefix/$part"
        }
    done
}

start() {
    local k
    if { running "$prefix/door-1" || running "$prefix/door-2" ||
         running "$prefix/door-3"; } > /dev/null; then
        find_ports
        mend
        wait_for_all
        echo "already running from build/cluster, at 127.0.0.1:${ports[0]}, ${ports[1]} and ${ports[2]}"
        show
        return
    fi

    stop > /dev/null
    for k in "${ports[@]}" "${admins[@]}" "$redis"; do
        ! taken "$k" || die "port $k is taken: end what listens there, or set CLUSTER_PORTS, CLUSTER_ADMIN_PORTS or CLUSTER_REDIS_PORT"
    done

    mkdir -p "$prefix"
    make_partners "$prefix"
    [ -s "$prefix/redis.secret" ] || (umask 077 && make_key > "$prefix/redis.secret")
    make_redis
    start_redis

    make_backend
    nginx_in "$prefix/backend"
    for k in $doors; do
        make_one "$k"
        nginx_in "$prefix/door-$k"
        wait_for answers "${ports[k - 1]}" ||
            die "nginx does not answer, see build/cluster/door-$k/logs/error.log"
        chown --reference="$prefix/door-$k/conf/state/partners.jsonl" \
            "$prefix/door-$k/conf/state"
    done
    wait_for_all

    echo "running from build/cluster, at 127.0.0.1:${ports[0]}, ${ports[1]} and ${ports[2]}"
    show
}

show() {
    local key operator k path=api/partner/v1
    key=$(cat "$prefix/key") || die 'build/cluster/key belongs to another user'
    operator=$(cat "$prefix/operator")
    for k in $doors; do
        local "url$k=http://127.0.0.1:${ports[k - 1]}/$path" \
              "admin$k=http://127.0.0.1:${admins[k - 1]}"
    done
    cat << END

The demo partner's key is $key (build/cluster/key), the
operator's $operator (build/cluster/operator). The consoles are at
$admin1/console/, $admin2/console/ and $admin3/console/.
Try:

# a request at the first front door, and one at the second: of 100 a minute
# X-RateLimit-Remaining is what it has left and what nobody has yet
curl -i $url1/conversations -H "X-API-Key: $key"
curl -i $url2/conversations -H "X-API-Key: $key"

# a partner more, made at the first front door; the second one knows its key
curl -s -o "$prefix/clinique" -X POST $admin1/admin/partners -H "X-API-Key: $operator" -H "Content-Type: application/json" -d '{"id": "clinique-demo", "scopes": ["conversations.read"]}'
curl -i $url2/conversations -H "X-API-Key: \$(sed 's/.*"key":"\([^"]*\)".*/\1/' "$prefix/clinique")"

# that key is revoked at the first: 204, and is dead at the second: 401
curl -i -X DELETE $admin1/admin/partners/clinique-demo/keys/\$(sed 's/.*"keys":\[{"id":"\([^"]*\)".*/\1/' "$prefix/clinique") -H "X-API-Key: $operator"
curl -i $url2/conversations -H "X-API-Key: \$(sed 's/.*"key":"\([^"]*\)".*/\1/' "$prefix/clinique")"

# the partner is deleted at the third
curl -i -X DELETE $admin3/admin/partners/clinique-demo -H "X-API-Key: $operator"

# Redis stands still: requests go on, and none waits; changes wait for it, 503
kill -STOP \$(cat "$prefix/redis/redis.pid")
curl -i $url3/conversations -H "X-API-Key: $key"
curl -i -X PATCH $admin2/admin/partners/demo -H "X-API-Key: $operator" -H "Content-Type: application/json" -d '{"name": "Demo"}'

# and goes on
kill -CONT \$(cat "$prefix/redis/redis.pid")

# 50 at each of the three, in turn: 100 a minute pass in all, and 429 comes then
for i in \$(seq 50); do for url in $url1 $url2 $url3; do curl -s -o /dev/null -w '%{http_code} ' \$url/conversations -H "X-API-Key: $key"; done; done; echo

# how the front doors see each other
curl -i $admin1/status -H "X-API-Key: $operator"

"make cluster" starts what has ended of it, "make stop" ends it.
END
}

stop() {
    local k pid
    for k in $doors; do
        end "$prefix/door-$k"
    done
    end "$prefix/backend"
    if pid=$(running_redis); then
        # by TERM it writes what it has, and goes; stopped, it would not hear it
        kill -TERM "$pid" || die "pid $pid belongs to another user"
        kill -CONT "$pid"
        wait_for ended "$pid" || die "pid $pid does not end"
        echo "stopped, pid $pid"
    fi
}

command=${1:-start}
case $command in
    start) command=cluster; start ;;
    stop) stop ;;
    *) die "no such command: $command (start, stop)" ;;
esac
