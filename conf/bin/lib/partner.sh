# The admin endpoint: wassiit partner.

# Where it is, in $base and $socket, and the operator's key, in $key, which is
# from $from.
need_endpoint() {
    local mode
    need curl jq
    settings

    base=${opt_url:-${WASSIIT_URL:-${conf_url:-http://127.0.0.1:8081/admin}}}
    base=${base%/}
    socket=
    case $base in
        unix:/*:/*)
            socket=${base#unix:}
            base=http://localhost${socket#*:}
            socket=${socket%%:*} ;;
        http://* | https://*) ;;
        *) usage "\"$base\" is no address of the endpoint: http://HOST:PORT/admin, or unix:PATH:/admin" ;;
    esac
    cacert=${opt_cacert:-${conf_cacert-}}

    key=${WASSIIT_KEY-}
    unset WASSIIT_KEY
    from=${opt_key_file:-${WASSIIT_KEY_FILE-}}
    if [ -n "$from" ] || [ -z "$key" ]; then
        from=${from:-${conf_key_file-}}
        [ -n "$from" ] ||
            usage "the operator's key: put it into a file of mode 0600 and name that by --key-file, WASSIIT_KEY_FILE, or \"key_file\" in /etc/wassiit"
        [ -f "$from" ] || no_file "$from"
        [ -r "$from" ] || die "$from can't be read: are you its owner?"
        mode=$(stat -L -c %a -- "$from")
        case $mode in
            *00 | 0) ;;
            *) die "$from can be read by others (mode $mode), and it is a key: chmod 600 $from" ;;
        esac
        IFS= read -r key < "$from" || [ -n "$key" ] || die "$from is empty"
        key=${key%"$cr"}
    fi
    case $key in
        '' | *[!\ -~]*) die "the operator's key${from:+ in $from} has characters that no key has" ;;
    esac
    from=${from:-WASSIIT_KEY}
}

# Asks: method, path, body, If-Match. Sets method, status, etag and body; ends with 3
# if there is no answer.
ask() {
    local answer head code
    method=$1

    answer=$(
        {
            printf 'url = %s\nrequest = %s\n' "$(quoted "$base/$2")" "$1"
            printf 'header = %s\n' "$(quoted "X-API-Key: $key")"
            [ -z "${3-}" ] || printf 'header = %s\ndata-raw = %s\n' \
                '"Content-Type: application/json"' "$(quoted "$3")"
            [ -z "${4-}" ] || printf 'header = %s\n' "$(quoted "If-Match: $4")"
            [ -z "$socket" ] || printf 'unix-socket = %s\n' "$(quoted "$socket")"
            [ -z "$cacert" ] || printf 'cacert = %s\n' "$(quoted "$cacert")"
        } | curl -q -sS -i --http1.1 --noproxy '*' --connect-timeout 10 \
            --max-time 60 --config -
        printf '\n%s' "$?"
    )
    code=${answer##*"$lf"}
    answer=${answer%"$lf"*}

    case $code in
        0) ;;
        6 | 7)
            die "nothing was asked of ${socket:-$base}: is nginx there? Another address: --url, or \"url\" in /etc/wassiit" ;;
        3 | 35 | 51 | 58 | 60 | 77)
            die "nothing was asked of ${socket:-$base}" ;;
        *)
            [ "$1" != GET ] || die "no answer of ${socket:-$base}"
            say "no answer of ${socket:-$base}: it may be done, or not. Look before you try again: wassiit partner show ${arg1:-ID}"
            exit 3 ;;
    esac

    while :; do
        head=${answer%%"$cr$lf$cr$lf"*}
        answer=${answer#*"$cr$lf$cr$lf"}
        status=${head#HTTP/* }
        status=${status%%[!0-9]*}
        case $status in
            1??) ;;
            *) break ;;
        esac
    done
    body=$answer
    etag=$(printf '%s\n' "$head" | tr -d '\r' |
        sed -n 's/^[Ee][Tt][Aa][Gg]: *//p' | head -n 1)
}

# Asks, and ends here if it is refused.
done_by() {
    ask "$@"
    case $status in
        2??)
            [ -z "$body" ] || printf %s "$body" | jq -e 'type == "object"' > /dev/null 2>&1 ||
                strange
            pending ;;
        *) refused ;;
    esac
}

# Whoever answers there, it isn't the endpoint.
strange() { die "${socket:-$base} answers $status, and not as the admin endpoint does: is that its address?"; }

# In a cluster: who hasn't made it yet?
pending() {
    local nodes
    [ "$status" = 202 ] || return 0
    nodes=$(printf %s "$body" | jq -r '.pending | join(" ")')
    say "done here, and not yet at: $nodes"
}

# The endpoint's own words are for a program; of an operator's key they are what a
# partner is told of its own.
refused() {
    local sentence
    [ -z "${opt_json-}" ] || printf '%s\n' "$body"
    sentence=$(printf %s "$body" | jq -r --arg status "$status" --arg from "$from" '
        (.data // .) as $more
        | (.code // .message | strings) as $code
        | (if $code == "invalid_key" then
               "the key in \($from) is no operator\u0027s: is its SHA-256 in operators.jsonl, and was nginx reloaded?"
           else $more.detail | strings end)
          + " (\($status) \($code), request \($more.instance))",
          ($more.errors[]? | "  \(.pointer | ltrimstr("#/") | ltrimstr("#")): \(.detail)")
        ' 2> /dev/null)
    [ -n "$sentence" ] || strange
    [ "$status" != 412 ] ||
        sentence="$sentence${lf}wassiit: look at what it is now, then try again: wassiit partner show $arg1"
    case $method$status in
        GET*) ;;
        *5??)
            case $sentence in
                *'Nothing was changed'*) ;;
                *)
                    say "$sentence"
                    exit 3 ;;
            esac ;;
    esac
    die "$sentence"
}

# What is shown once: the field $1.
show_once() {
    if [ -n "${opt_json-}" ]; then
        printf '%s\n' "$body"
        return
    fi
    printf %s "$body" | jq -r --arg field "$1" '.[$field]'
    printf %s "$body" | jq -r '.former_expires // empty
        | "the former go on until \(.)"' | sed 's/^/wassiit: /' >&2
    say 'it is shown this once'
}

show_partner() {
    if [ -n "${opt_json-}" ]; then
        printf '%s\n' "$body"
        return
    fi
    printf %s "$body" | jq -r --arg etag "$etag" '
        def never: . // "never";
        def secret($has; $former): if $has | not then "no"
            elif $former then "yes, and the former one until \($former)"
            else "yes" end;
        "id              \(.id)",
        "name            \(.name // "none")",
        "enabled         \(if .enabled then "yes" else "no" end)",
        "scopes          \(if .scopes == [] then "none" else .scopes | join(" ") end)",
        "rate            \(.rate)" + (.window // null
            | if . then ": \(.used) used, \(.remaining) left" else "" end),
        (.keys[]? | "key             \(.id): made \(.created // "at a time unknown"), "
            + "expires \(.expires | never), last used \(.last_used | never)"),
        "hmac secret     \(secret(.has_hmac_secret; .former_hmac_secret_expires))",
        "webhook secret  \(secret(.has_webhook_secret; .former_webhook_secret_expires))",
        (.counts // {} | to_entries | map(select(.value > 0) | "\(.key) \(.value)")
            | "requests        \(if . == [] then "none" else join(", ") end)"),
        (.last_refusal // empty | "last refused    \(.time): \(.code)"
            + (if .about then " (\(.about))" else "" end)
            + ", \(.count) in a row, request \(.instance)"),
        "etag            \($etag)"'
}

list_partners() {
    local after='' pages='' arguments=''
    [ -z "${opt_query-}" ] ||
        arguments="&q=$(jq -rn --arg text "$opt_query" '$text | @uri')"
    [ -z "${opt_state-}" ] ||
        arguments="$arguments&state=$(jq -rn --arg text "$opt_state" '$text | @uri')"

    while :; do
        done_by GET "partners?limit=1000$arguments${after:+&after=$after}"
        pages=$pages$lf$body
        after=$(printf %s "$body" | jq -r '.next // empty')
        [ -n "$after" ] || break
    done

    pages=$(printf %s "$pages" | jq -cs '{partners: map(.partners) | add, next: null}')
    if [ -n "${opt_json-}" ]; then
        printf '%s\n' "$pages"
        return
    fi
    if printf %s "$pages" | jq -e '.partners == []' > /dev/null; then
        case ${opt_query-}${opt_state-} in
            '') say 'no partners' ;;
            *) say 'no such partners' ;;
        esac
        return
    fi
    printf %s "$pages" | jq -r '.partners[]
        | [.id, (if .enabled then "enabled" else "disabled" end), .rate,
           "used " + (.last_used // "never"),
           (if .scopes == [] then "-" else .scopes | join(",") end), .name // ""]
        | join("\t")' | awk -F '\t' '
        {
            line[NR] = $0
            for (i = 1; i < NF; i++)
                if (length($i) > width[i])
                    width[i] = length($i)
        }
        END {
            for (n = 1; n <= NR; n++) {
                fields = split(line[n], field, "\t")
                text = ""
                for (i = 1; i < fields; i++)
                    text = text sprintf("%-" width[i] "s  ", field[i])
                text = text field[fields]
                sub(/ +$/, "", text)
                print text
            }
        }'
}

# The fields of "add" and "set", as JSON.
fields() {
    jq -cn --arg name "${opt_name-}" --arg rate "${opt_rate-}" \
        --argjson scopes "$(as_list "${opt_scopes-}")" \
        --arg given "${opt_name+ name}${opt_rate+ rate}${opt_scopes+ scopes}" \
        --arg null "${opt_no_name+ name}${opt_no_rate+ rate}" '
        [{name: $name, rate: $rate, scopes: $scopes} | to_entries[]
         | .key as $key
         | select($given | split(" ") | index($key))]
        + [$null | split(" ")[] | select(. != "") | {key: ., value: null}]
        | from_entries'
}

set_partner() {
    local wanted tries=0
    wanted=$(fields)
    if [ -z "${opt_add_scope-}${opt_drop_scope-}" ]; then
        [ "$wanted" != '{}' ] || usage 'what is to be set? --name, --scopes, --rate, --add-scope or --drop-scope'
        done_by PATCH "partners/$1" "$wanted" "${opt_if_match-}"
        show_partner
        return
    fi

    # from the scopes that it has: if somebody changes it meanwhile, once more
    [ -z "${opt_scopes+yes}" ] || usage '--scopes says all of them: not beside --add-scope or --drop-scope'
    while :; do
        done_by GET "partners/$1"
        ask PATCH "partners/$1" "$(printf %s "$body" | jq -c --argjson wanted "$wanted" \
            --argjson more "$(as_list "${opt_add_scope-}")" \
            --argjson fewer "$(as_list "${opt_drop_scope-}")" '
            $wanted + {scopes: (.scopes + ($more - .scopes) - $fewer)}')" \
            "${opt_if_match-$etag}"
        tries=$((tries + 1))
        [ "$status" = 412 ] && [ -z "${opt_if_match-}" ] && [ $tries -lt 5 ] || break
    done
    case $status in
        2??) pending; show_partner ;;
        *) refused ;;
    esac
}

# What is there to say of a change whose answer has no more.
changed() {
    if [ -n "${opt_json-}" ]; then
        [ -z "$body" ] || printf '%s\n' "$body"
    else
        echo "$1"
    fi
}

command_partner() {
    local verb=${1-} grace
    case $verb in
        '') usage 'partner: what is to be done?' ;;
        -*) parse '' "$@"; usage 'partner: what is to be done?' ;;
    esac
    shift
    set -- 'url= key-file= cacert= if-match= json' "$@"
    local common=$1
    shift

    case $verb in
        list) parse "$common query= state=" "$@"; words 0 0 ;;
        show | disable | enable | delete | key)
            parse "$common" "$@"; words 1 1 ID ;;
        add) parse "$common name= scopes= rate=" "$@"; words 1 1 ID ;;
        set)
            parse "$common name= no-name scopes= add-scope= drop-scope= rate= no-rate" "$@"
            words 1 1 ID ;;
        rotate | hmac-secret | webhook-secret)
            parse "$common grace=" "$@"; words 1 1 ID ;;
        revoke) parse "$common" "$@"; words 2 2 'ID or KEYID' ;;
        *) usage "partner: there is no \"$verb\"" ;;
    esac
    [ "$verb" = list ] || need_id "$arg1"
    [ -z "$arg2" ] || need_id "$arg2" ", KEYID: wassiit partner show $arg1"
    case $verb:${opt_if_match+yes} in
        list:yes | show:yes | add:yes) usage "--if-match is for changes of a partner that is there" ;;
    esac
    need_endpoint
    grace=
    [ -z "${opt_grace+yes}" ] || grace=$(jq -cn --arg grace "$opt_grace" '{grace: $grace}')

    case $verb in
        list) list_partners ;;
        show) done_by GET "partners/$arg1"; show_partner ;;
        add)
            done_by POST partners "$(fields | jq -c --arg id "$arg1" '{id: $id} + .')"
            show_once key ;;
        set) set_partner "$arg1" ;;
        disable | enable)
            done_by PATCH "partners/$arg1" \
                "{\"enabled\":$([ "$verb" = enable ] && echo true || echo false)}" \
                "${opt_if_match-}"
            changed "$arg1 is ${verb}d" ;;
        delete)
            done_by DELETE "partners/$arg1" '' "${opt_if_match-}"
            changed "$arg1 is deleted" ;;
        key)
            done_by POST "partners/$arg1/keys" '' "${opt_if_match-}"
            show_once key ;;
        rotate)
            done_by POST "partners/$arg1/keys/rotate" "$grace" "${opt_if_match-}"
            show_once key ;;
        revoke)
            done_by DELETE "partners/$arg1/keys/$arg2" '' "${opt_if_match-}"
            changed "key $arg2 of $arg1 is revoked" ;;
        hmac-secret)
            done_by POST "partners/$arg1/hmac_secret" "$grace" "${opt_if_match-}"
            show_once hmac_secret ;;
        webhook-secret)
            done_by POST "partners/$arg1/webhook_secret" "$grace" "${opt_if_match-}"
            show_once webhook_secret ;;
    esac
}
