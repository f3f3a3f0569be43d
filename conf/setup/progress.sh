# Sourced: says how far a step is that takes minutes.

# Reads what a program says. Of its lines, "+DONE NAME" counts one of $1 that
# are to be done, and is said as "DONE 3 of 120: NAME"; others are passed on. A
# terminal shows the last one, a log has one in five seconds, and the very last.
progress() {
    local of=$1 line verb name said=-5
    local -A count

    while IFS= read -r line; do
        if [[ $line != +* ]]; then
            printf '%s\n' "$line"
            continue
        fi
        read -r verb name <<< "${line#+}"
        count[$verb]=$((${count[$verb]:-0} + 1))
        line="${verb//_/ } ${count[$verb]} of $of: $name"

        if [ -t 1 ]; then
            printf '\r\033[K%s' "${line:0:${COLUMNS:-80}}"
        elif ((SECONDS - said >= 5 || count[$verb] == of)); then
            printf '%s\n' "$line"
            said=$SECONDS
        fi
    done
    [ ! -t 1 ] || printf '\r\033[K'
}
