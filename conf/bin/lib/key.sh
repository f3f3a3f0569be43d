# Keys, and wassiit key.

# The checksum of the text that comes in: six digits in base 62 of its CRC-32,
# which is among the last eight bytes of what gzip makes.
checksum() {
    gzip -c | tail -c 8 | head -c 4 | od -A n -t u1 | awk '
        {
            digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
            n = $1 + 256 * ($2 + 256 * ($3 + 256 * $4))
            for (i = 0; i < 6; i++) {
                sum = substr(digits, n % 62 + 1, 1) sum
                n = int(n / 62)
            }
            print sum
        }'
}

digest() {
    local sum
    sum=$(openssl dgst -sha256 -r) || return
    echo "${sum%% *}"
}

make_key() {
    local text=''
    while [ ${#text} -lt 32 ]; do
        text=$text$(openssl rand -base64 48 | tr -dc 0-9A-Za-z)
        [ -n "$text" ] || die "openssl has made no random bytes"
    done
    text=wst_$(printf %s "$text" | head -c 32)
    echo "$text$(printf %s "$text" | checksum)"
}

is_rate() {
    local n=${1%r/[smhd]}
    [ "$n" != "$1" ] || return 1
    case $n in
        '' | 0* | *[!0-9]*) return 1 ;;
    esac
    [ ${#n} -le 7 ] && [ "$n" -le 1000000 ]
}

# Says what nginx may not take of the scopes "$@". What wassiit_scopes declares
# besides is known if the settings have it.
look_at_scopes() {
    local name declared
    declared=$(printf %s " ${WASSIIT_SCOPES:-${conf_scopes-}} " | tr ',\n' '  ')
    for name; do
        case $name in
            *[!A-Za-z0-9._:-]*) usage "\"$name\": a scope is of a-z A-Z 0-9 . _ : -" ;;
            messages.send | audio.send | files.send | calls.initiate | \
                conversations.read | webhooks.manage) continue ;;
        esac
        case $declared in
            *" $name "*) ;;
            *) say "$name isn't one of the module's own: is it spelt right? If so, wassiit_scopes has to declare it" ;;
        esac
    done
}

command_key() {
    local key sum id
    parse 'id= partner= scopes= rate=' "$@"
    words 0 0
    [ -n "${opt_partner-}" ] || [ -z "${opt_scopes-}${opt_rate-}" ] ||
        usage '--scopes and --rate are for --partner'
    [ -z "${opt_partner-}" ] || need_id "$opt_partner"
    [ -z "${opt_id-}" ] || need_id "$opt_id"
    [ -z "${opt_rate-}" ] || is_rate "$opt_rate" ||
        usage "\"$opt_rate\": a rate is 1 to 1000000 and r/s, r/m, r/h or r/d, as 100r/m"
    settings
    set -f
    # shellcheck disable=SC2046
    look_at_scopes $(printf %s "${opt_scopes-}" | tr ',' ' ')
    set +f
    need openssl jq gzip

    key=$(make_key)
    sum=$(printf %s "$key" | digest) || die "openssl can't make a SHA-256"
    id=${opt_id:-k$(printf %s "$sum" | head -c 8)}

    echo "$key"
    jq -cn --arg id "$id" --arg sum "$sum" --arg partner "${opt_partner-}" \
        --arg rate "${opt_rate-}" --argjson scopes "$(as_list "${opt_scopes-}")" '
        {id: $id, sha256: $sum}
        | if $partner == "" then . else
            {id: $partner}
            + (if $scopes == [] then {} else {scopes: $scopes} end)
            + (if $rate == "" then {} else {rate: $rate} end)
            + {keys: [.]}
          end'
}
