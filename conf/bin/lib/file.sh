# The partners' file: wassiit check, backup and restore.

# Ends here, as the file $1 can't be come to: is it there?
no_file() {
    ! is_closed "$1" || die "$1 can't be read: are you its owner, or root?"
    die "$1: no such file"
}

# Whether a folder on the way to the file $1 lets us not through.
is_closed() {
    case $(stat -L -c '' -- "$1" 2>&1) in
        *': Permission denied') ;;
        *) return 1 ;;
    esac
}

# Opens it as descriptor 8, and locks it, as the module does: "-s" against who
# changes it, "-x" against everyone. It may be made anew until it is locked.
lock_file() {
    local tries=0
    need flock
    while [ $tries -lt 8 ]; do
        [ -f "$2" ] || no_file "$2"
        [ -r "$2" ] || die "$2 can't be read: are you its owner, or root?"
        exec 8< "$2"
        flock "$1" -w 5 8 ||
            die "$2 is locked by another program: \"lslocks\" tells by which one"
        # shellcheck disable=SC3013
        [ ! /dev/fd/8 -ef "$2" ] || return 0
        exec 8<&-
        tries=$((tries + 1))
    done
    die "$2 is replaced again and again"
}

find_nginx() {
    nginx=${opt_nginx:-${WASSIIT_NGINX:-${conf_nginx-}}}
    if [ -z "$nginx" ]; then
        nginx=$(PATH=$PATH:/usr/sbin:/usr/local/sbin:/usr/local/nginx/sbin
            command -v nginx) ||
            die "nginx, which checks the file, isn't here: name it by --nginx PATH, or check where it is"
    fi
    [ -x "$nginx" ] || die "$nginx: no such program"
}

# The module beside the program, or in the tree, as an absolute path.
find_module() {
    local built path
    built=$("$nginx" -V 2>&1 | tr ' ' '\n')
    path=$(printf '%s\n' "$built" | sed -n 's/^--modules-path=//p')
    [ -n "$path" ] ||
        path=$(printf '%s\n' "$built" | sed -n 's/^--prefix=\(.*\)/\1\/modules/p')
    for module in ${tree:+"$tree/build"} "${path:-/usr/local/nginx/modules}"; do
        module=$module/ngx_http_wassiit_module.so
        [ ! -f "$module" ] || return 0
    done
    die "$nginx has no ngx_http_wassiit_module, and there is no $module: name it by --module PATH"
}

absolute() {
    case $1 in
        /*) echo "$1" ;;
        *) echo "$PWD/$1" ;;
    esac
}

# A text in quotes, as nginx reads it.
quoted() {
    printf '"'
    printf %s "$1" | sed 's/[\\"]/\\&/g'
    printf '"'
}

# Has nginx test a configuration with $dir/partners.jsonl alone, in a zone of
# the size $1; what it says is in $dir/said.
ask_nginx() {
    {
        [ -z "$module" ] || echo "load_module $(quoted "$(absolute "$module")");"
        echo "pid $(quoted "$dir/pid");"
        echo 'events { } http { access_log off;'
        for name in client_body proxy fastcgi uwsgi scgi; do
            echo "${name}_temp_path $(quoted "$dir/$name");"
        done
        [ -z "$scopes" ] || echo "wassiit_scopes $scopes;"
        echo "wassiit_zone zone=check:$1 $(quoted "file=$dir/partners.jsonl");"
        echo '}'
    } > "$dir/nginx.conf"

    (
        unset NGINX
        "$nginx" -t -p "$dir/" -c "$dir/nginx.conf" -e stderr > "$dir/said" 2>&1
    )
}

# What nginx says of our copy, as of the file $1: what follows "[$2]", without
# what it says of our configuration.
said() {
    FILE=$dir/partners.jsonl NAME=$1 LEVEL="[$2] " awk '
        {
            if (!(n = index($0, ENVIRON["LEVEL"])))
                next
            text = substr($0, n + length(ENVIRON["LEVEL"]))
            sub(/^[0-9]+#[0-9]+: /, "", text)
            sub(/(, "wassiit_zone")? in [^ ]*\/nginx\.conf:[0-9]+$/, "", text)
            while (n = index(text, ENVIRON["FILE"]))
                text = substr(text, 1, n - 1) ENVIRON["NAME"] \
                       substr(text, n + length(ENVIRON["FILE"]))
            print text
        }' "$dir/said"
}

# Checks $dir/partners.jsonl, and says what is wrong as of the file $1. nginx
# itself stops at the first fault: the line that has it is then made a blank one
# of our copy. With a line fewer, two others may come to have one key.
check_copy() {
    local faults=0 size=1m larger fault line text unknown=

    find_nginx
    module=${opt_module:-${WASSIIT_MODULE:-${conf_module-}}}
    [ -z "$module" ] || [ -f "$module" ] || die "$module: no such file"
    scopes=$(printf %s "${opt_scopes:-${WASSIIT_SCOPES:-${conf_scopes-}}}" | tr ',\n' '  ')
    case $scopes in
        *[!A-Za-z0-9._:\ -]*) usage "\"$scopes\": scopes are of a-z A-Z 0-9 . _ : -" ;;
    esac

    while ! ask_nginx "$size"; do
        fault=$(said "$1" emerg | head -n 1)
        text=${fault#"$1":}
        line=${text%%:*}

        case $fault in
            'unknown directive "wassiit_'*)
                # it may be a part of the program, or not
                [ -z "$module" ] || die "$module is no ngx_http_wassiit_module"
                find_module
                continue ;;
            *' is too small for the '*' would do')
                larger=${fault##*zone=check:}
                larger=${larger%% *}
                [ "$larger" != "$size" ] || die "nginx can't check $1: $fault"
                size=$larger
                continue ;;
        esac
        case $line in
            "$text" | '' | *[!0-9]*)
                [ -n "$fault" ] || fault=$(tail -n 1 "$dir/said")
                die "nginx can't check $1: ${fault:-$nginx has said nothing}" ;;
        esac
        case $text in
            *' has the same key, on line '*)
                [ $faults -gt 0 ] || echo "$fault"
                faults=$((faults + 1))
                break ;;
        esac

        faults=$((faults + 1))
        echo "$fault"
        case $text in
            *': unknown scope "'*)
                text=${text##*: unknown scope \"}
                text=${text%%\"*}
                case " $unknown $text" in
                    *" $text "* | *[!A-Za-z0-9._:\ -]*) ;;
                    *) unknown="$unknown $text" ;;
                esac ;;
        esac
        if [ $faults -eq 20 ]; then
            echo "$1: there may be more; these come first"
            break
        fi
        sed "${line}s/.*//" "$dir/partners.jsonl" > "$dir/next" &&
            mv "$dir/next" "$dir/partners.jsonl" ||
            die "no room in $dir"
    done

    [ -z "$unknown" ] || say "does wassiit_scopes declare${unknown}? Then" \
        "--scopes $(printf %s "$scopes$unknown" | sed 's/^ *//; s/  */,/g')"
    said "$1" warn | sed 's/^/warning: /'
    [ $faults -eq 0 ]
}

command_check() {
    parse 'scopes= nginx= module=' "$@"
    words 0 1
    if [ "$args" -gt 0 ]; then
        settings
    else
        need_file 'as FILE'
        arg1=$file
    fi
    need_dir

    if [ "$arg1" = - ]; then
        cat > "$dir/partners.jsonl" || exit 1
    elif [ -f "$arg1" ]; then
        lock_file -s "$arg1"
        cat <&8 > "$dir/partners.jsonl" || exit 1
        exec 8<&-
        chmod --reference="$arg1" "$dir/partners.jsonl"
    else
        [ -e "$arg1" ] || no_file "$arg1"
        [ ! -d "$arg1" ] || die "$arg1 is a folder"
        cat < "$arg1" > "$dir/partners.jsonl" || exit 1
    fi

    check_copy "$arg1" >&2 || exit 1
    echo "$arg1: nginx would take it"
}

# Takes from the end of $dir/partners.jsonl what a power cut leaves of a line,
# as a load does: cut short, or with zero bytes.
whole_lines() {
    local last
    [ -s "$dir/partners.jsonl" ] || return 0
    [ "$(tail -c 1 "$dir/partners.jsonl" | od -A n -t u1 | tr -d ' ')" != 10 ] ||
        [ "$(tail -n 1 "$dir/partners.jsonl" | tr -dc '\000' | wc -c)" -ne 0 ] ||
        return 0

    last=$(tail -n 1 "$dir/partners.jsonl" | tr '\000' '\n' | head -n 1)
    sed '$d' "$dir/partners.jsonl" > "$dir/next"
    if printf %s "$last" | jq -r type 2> /dev/null | grep -qx object; then
        printf '%s\n' "$last" >> "$dir/next"
    else
        say "$file ends in the middle of a line, which is left out"
    fi
    mv "$dir/next" "$dir/partners.jsonl"
}

# The partners' file, as $file, links having been followed. If nobody names it, it
# is where Debian's package has it: of /usr/bin, in /var/lib. $1: how a word names it.
need_file() {
    local real
    settings
    file=${opt_file:-${WASSIIT_FILE:-${conf_file-}}}
    if [ -z "$file" ]; then
        file=${here%/*/*}/var/lib/wassiit/partners.jsonl
        [ -f "$file" ] || is_closed "$file" || file=
    fi
    [ -n "$file" ] ||
        usage "the partners' file: name it ${1:-by --file}, by WASSIIT_FILE, or by \"file\" in /etc/wassiit"
    ! is_closed "$file" || no_file "$file"
    real=$(readlink -f -- "$file") || die "$file: no such folder"
    file=$real
}

stamp() { date -u +%Y%m%dT%H%M%SZ; }

# Waits until what was made in a folder is on the disk.
sync_all() { sync "$@" || die "$1 is not on the disk yet: sync failed"; }

# Makes a new file in the folder $1, whose name is $new and descriptor 9. Others may
# write in that folder, too, so that it is made by nobody but us.
make_new() {
    need openssl
    [ -w "$1" ] || die "no file can be made in $1: are you its owner, or root?"
    new=$1/.wassiit.$(openssl rand -hex 8)
    set -C
    { command exec 9> "$new"; } 2>| "$dir/said" || {
        new=
        die "no file can be made in $1: $(why)"
    }
    set +C
}

# What a program has said last, without its name.
why() { sed -n '$s/.*: //p' "$dir/said"; }

# Writes the file $1 to the new one, until it is on the disk.
fill_new() { { cat "$1" >&9 && sync /proc/self/fd/9; } 2> "$dir/said"; }

# Copies $dir/partners.jsonl to $1, which isn't there yet: whole, or not at all.
make_copy() {
    make_new "${1%/*}"
    fill_new "$dir/partners.jsonl" && mv -nT "$new" "$1" 2> "$dir/said" ||
        die "$1 can't be made: $(why)"
    [ ! -e "$new" ] || die "$1 exists already: name another, or move it away"
    new=
    exec 9>&-
}

command_backup() {
    local to folder
    parse 'file=' "$@"
    words 1 1 'where to, DIR or FILE,'
    need jq
    need_file
    need_dir

    to=$arg1
    case $to in
        /*) ;;
        *) to=./$to ;;
    esac
    [ ! -d "$to" ] || to=${to%/}/partners-$(stamp).jsonl
    folder=${to%/*}
    [ -d "$folder" ] || die "$folder: no such folder"
    lock_file -s "$file"
    cat <&8 > "$dir/partners.jsonl" || die "$file can't be copied to $dir"
    exec 8<&-
    whole_lines
    [ ! -e "$to" ] || die "$to exists already: name another, or move it away"

    make_copy "$to"
    sync_all "$folder"
    echo "$to"
}

# How many partners are in the file $1; zero bytes are what a power cut leaves.
count_partners() { tr -d '\000' < "$1" | who_is_there | jq length; }

# The owner and the mode of the new file are set by its descriptor.
command_restore() {
    local from folder former='' before=0 now
    parse 'file= scopes= nginx= module= empty' "$@"
    words 1 1 'what to restore, BACKUP,'
    from=$arg1
    need jq
    need_file
    need_dir
    [ -f "$from" ] || no_file "$from"
    [ -r "$from" ] || die "$from can't be read: are you its owner, or root?"
    folder=${file%/*}

    cat "$from" > "$dir/backup" || exit 1
    cp "$dir/backup" "$dir/partners.jsonl" || exit 1
    check_copy "$from" >&2 || die "$file is left as it is"
    now=$(count_partners "$dir/backup")

    if [ -e "$file" ]; then
        lock_file -x "$file"
        former=$file.$(stamp)
        cat <&8 > "$dir/partners.jsonl" || exit 1
    else
        : > "$dir/partners.jsonl"
    fi
    if jq -R 'fromjson? | select(type == "object" and has("rev"))' "$dir/partners.jsonl" |
       grep -q .; then
        die "a cluster shares these partners (their lines have \"rev\"), and the lines that Redis has are newer than those of $from: it would undo this. Change them by the admin endpoint, at any node"
    fi
    if [ "$now" -eq 0 ] && [ -z "${opt_empty-}" ]; then
        before=$(count_partners "$dir/partners.jsonl")
        [ "$before" -eq 0 ] ||
            die "$from has no partners, and $file has $before: --empty if that is meant"
    fi

    [ -z "$former" ] || make_copy "$former"
    vain=$former
    make_new "$folder"
    if [ -n "$former" ]; then
        chown --reference="$file" /proc/self/fd/9 &&
            chmod --reference="$file" /proc/self/fd/9
    fi 2> "$dir/said" && fill_new "$dir/backup" && mv -fT "$new" "$file" 2> "$dir/said" ||
        die "$file is left as it is: $(why)"
    new= vain=
    exec 9>&- 8<&-
    sync_all "$folder"
    # nobody waits for this any more
    before=$(count_partners "$dir/partners.jsonl")

    echo "$file is as $from says, from the next reload on: nginx -t && nginx -s reload"
    echo "$before partner$([ "$before" -eq 1 ] || echo s) before, $now now"
    [ -z "$former" ] || echo "what was there is in $former"
}
