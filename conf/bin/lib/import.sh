# wassiit import. What is read of another gateway is first a draft for each client:
# "where" it stands, its "name", "keys" ({where, key}), "groups", "rate", and
# "notes" ({where, text, lost}) of what can't be carried over.

# The sums of keys, a line each; "-" for one of our form whose checksum is wrong,
# as nginx refuses that before it looks.
sums() {
    local line
    while IFS= read -r line; do
        case $line in
            *[!_0-9A-Za-z]*) ;;
            wst_??????????????????????????????????????)
                if [ "$(printf %s "$line" | head -c 36 | checksum)" != \
                     "$(printf %s "$line" | tail -c 6)" ]; then
                    echo -
                    continue
                fi ;;
        esac
        printf %s "$line" | digest
    done
}

# jq couldn't make anything of the file.
unreadable() {
    [ "$opt_from" = map ] ||
        ! head -c 65536 "$dir/export" | grep -q '^[A-Za-z_]*:' ||
        die "$arg1 is YAML, and JSON is read: deck gateway dump --format json, or yq -o json $arg1"
    die "$arg1: $(sed -n 's/^jq: error (at [^)]*)[^:]*: //p; s/^\(jq: \)*parse error/not JSON/p' "$dir/said" | head -n 1): is it an export of $opt_from?"
}

drafts() {
    case $opt_from in
        map)
            awk -v us="$us" -v sq="'" -v variable="${opt_variable-}" \
                -f "$lib/map.awk" "$dir/export" |
                jq -cRn --arg file "$arg1" --arg us "$us" -f "$lib/map.jq" ;;
        *) jq -cn -L "$lib" --arg file "$arg1" -f "$lib/$opt_from.jq" "$dir/export" ;;
    esac
}

# Who is in the partners' file that comes in, and the sums of the keys of each.
who_is_there() {
    jq -cRn '
        reduce (inputs | ltrimstr("\ufeff") | fromjson? | objects | select(.id | type == "string")) as $partner ({};
            if $partner.deleted == true then del(.[$partner.id])
            else .[$partner.id] = [$partner.keys[]?.sha256? | strings | ascii_downcase] end)'
}

command_import() {
    local all groups
    parse 'from= scopes= group= variable= file=' "$@"
    words 1 1 FILE
    case ${opt_from-} in
        map | kong | apisix) ;;
        '') usage 'from what? --from map, kong or apisix' ;;
        *) usage "--from $opt_from: there are map, kong and apisix" ;;
    esac
    need jq openssl gzip
    need_dir
    groups=$(printf %s "${opt_group-}" | jq -cRn '
        [inputs | split("=") | {key: .[0], value: [.[1:] | join("=") | splits("[, ]+") | select(. != "")]}]
        | from_entries')

    # in this folder, which is ours alone, and nowhere else are keys on a disk
    if [ "$arg1" = - ]; then
        cat > "$dir/export" || exit 1
    else
        [ -f "$arg1" ] || no_file "$arg1"
        cat < "$arg1" > "$dir/export" || exit 1
    fi

    if [ -n "${opt_file-}" ]; then
        lock_file -s "$opt_file"
        cat <&8 > "$dir/partners.jsonl" || exit 1
        exec 8<&-
    else
        : > "$dir/partners.jsonl"
    fi
    who_is_there < "$dir/partners.jsonl" > "$dir/there" || exit 1

    all=$(drafts 2> "$dir/said") || unreadable
    all=$(printf '%s\n' "$all" | jq -cn --argjson groups "$groups" \
        --argjson scopes "$(as_list "${opt_scopes-}")" \
        --slurpfile there "$dir/there" --arg file "${opt_file-}" -f "$lib/partners.jq") || exit 1
    all=$({
        printf '%s\n' "$all"
        printf '%s\n' "$all" | jq -r '.partners[].keys[].sha256' | sums | jq -R .
    } | jq -cn --slurpfile there "$dir/there" --arg file "${opt_file-}" -f "$lib/sums.jq") || exit 1

    printf '%s\n' "$all" | jq -r '
        (.notes | sort_by((.where | capture(":(?<line>[0-9]+)$").line | tonumber)? // 0)[]
         | "\(.where): \(if .lost or .left then "not carried over: " else "" end)\(.text)"),
        ([.partners[] | select(.keys == null) | .id]
         | if . == [] then empty else "without a key: " + join(" ") end),
        ([.partners[] | select(.scopes == null)] | length
         | if . == 0 then empty else "without a scope: \(.), --scopes NAME,... gives them some" end)' >&2
    printf '%s\n' "$all" | jq -c '.partners[]'
    printf '%s\n' "$all" | jq -e 'all(.notes[]; .lost | not)' > /dev/null
}
