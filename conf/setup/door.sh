# What demo.sh and cluster.sh stand on: keys, partners, and prefixes of
# conf/nginx.conf that run. Sourced; $top is the tree.

# Workers run as another user than root: what is made here is theirs to read,
# whatever the caller's umask says. What is not says so itself.
umask 022

# The pid of the program that runs from a prefix by its pid file, or nothing.
running() {
    local pid
    pid=$(cat "$1/${2:-logs/nginx.pid}" 2> /dev/null) && [ -n "$pid" ] || return
    [ "$(readlink "/proc/$pid/cwd")" = "$1" ] || return
    grep -qa "^${3:-nginx: master}" "/proc/$pid/cmdline" 2> /dev/null || return
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

# Whether a process has ended. One that its parent hasn't waited for is still
# listed, and for good where process 1 waits for nobody, as in some containers.
ended() {
    local state
    state=$(sed -n 's/^State:[[:blank:]]*//p' "/proc/$1/status" 2> /dev/null) || true
    [[ $state == '' || $state == [ZX]* ]]
}

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

sha256() {
    local hash
    hash=$(printf %s "$1" | openssl dgst -sha256 -r)
    echo "${hash%% *}"
}

# A line of a partners' file: id, key, and the other fields.
partner() {
    echo "{\"id\":\"$1\",\"keys\":[{\"id\":\"k1\",\"sha256\":\"$(sha256 "$2")\"}]$3}"
}

# The demo partner, and the contract between the front door and the sandbox's
# wap.cm: a key and a secret each, made once in the folder $1. Below its conf:
# what nginx reads.
make_partners() {
    local scopes='"messages.send","audio.send","files.send","calls.initiate","conversations.read","webhooks.manage"'

    [ ! -s "$1/key" ] || [ ! -s "$1/operator" ] || return 0
    (
        umask 077
        mkdir -p "$1/conf/state"
        make_key > "$1/key"
        make_secret > "$1/secret"
        make_key > "$1/contract"
        make_secret > "$1/conf/wapcm.secret"
        make_secret > "$1/conf/webhook.secret"
        partner demo "$(< "$1/key")" \
            ",\"hmac_secret\":\"$(< "$1/secret")\",\"name\":\"Demo\",\"scopes\":[$scopes],\"webhook_secret\":\"$(< "$1/conf/webhook.secret")\"" \
            > "$1/conf/state/partners.jsonl"
        partner front-door "$(< "$1/contract")" \
            ",\"hmac_secret\":\"$(< "$1/conf/wapcm.secret")\"" \
            > "$1/conf/wapcm.jsonl"
        make_key > "$1/operator"
        partner operator "$(< "$1/operator")" \
            ',"scopes":["partners.manage"]' > "$1/conf/operators.jsonl"
    )
}

# A prefix $1 of conf/nginx.conf; what "make" put together for it is $2.
make_door() {
    mkdir -p "$1"/{conf/state,logs,modules,temp}
    ln -sf "$top/build/ngx_http_wassiit_module.so" "$1/modules/"
    cp "$top"/conf/*.* "$1/conf/"
    chmod a+rx "$top/build" "$1" "$1"/conf
    for made in console docs docs-admin; do
        ln -sfn "$2/$made" "$1/$made"
    done
}

# Its ports, and the contract's key. "t": what has become another port is that.
set_door() {
    sed -i "s/127\.0\.0\.1:8080/127.0.0.1:$2/; t
            s/127\.0\.0\.1:8081/127.0.0.1:$3/; t
            s/127\.0\.0\.1:8082/127.0.0.1:$4/; t
            s/CONTRACT_KEY/$5/" \
        "$1/conf/nginx.conf"
}

# Starts nginx within a prefix, which it knows as ".", so that every path in the
# configuration, unix sockets too, is short and may be reached however deep or
# private the clone lies.
nginx_in() {
    local program error
    program=$(PATH=$PATH:/usr/sbin command -v nginx) || die 'nginx is missing'
    error=$(cd "$1" && "$program" -p . -c conf/nginx.conf -e logs/error.log 2>&1) ||
        die "$(grep -m 1 -F '[emerg]' <<< "$error" || echo "$error")"
}

# Ends what runs from a prefix, if anything does.
end() {
    local pid
    pid=$(running "$@") || return 0
    kill -QUIT "$pid" || die "pid $pid belongs to another user"
    if ! wait_for ended "$pid"; then
        kill -TERM "$pid"
        wait_for ended "$pid" || die "pid $pid does not end"
    fi
    echo "stopped, pid $pid"
}
