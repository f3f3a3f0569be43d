#!/usr/bin/env bash
# "make install": puts what is built where an nginx on this machine finds it, and
# writes down what it put; with the word "uninstall", "make uninstall": removes that.
# It changes no configuration, and neither starts nor reloads anything. From the
# environment, all of which may be missing:
#   NGINX        the program that the module is for; else the one in the path
#   MODULE       the module; else build/ngx_http_wassiit_module.so
#   modulesdir   where it goes; else where that nginx looks, by "nginx -V"
#   prefix       /usr/local: bin, share/wassiit, share/man, share/doc/wassiit
#   DESTDIR      goes before each path, for a package
# To uninstall it takes prefix and DESTDIR alone.
set -euo pipefail
umask 022

top=$(cd "$(dirname "$0")/../.." && pwd)
name=ngx_http_wassiit_module.so
module=${MODULE:-$top/build/$name}
prefix=${prefix:-/usr/local}
prefix=${prefix%/}
version=$("$top/conf/setup/version.sh")

share=$prefix/share doc=$prefix/share/doc/wassiit
listed=$share/wassiit/installed
action=${1:-install}
root=${DESTDIR:-}
lf='
'

die() {
    echo "make $action: $*" >&2
    exit 1
}

# Which of the files "$@" are a package's, a line each: "PACKAGE FILE". Those of
# DESTDIR are nobody's yet.
owned() {
    if [ -n "$root" ] || ! command -v dpkg-query > /dev/null; then
        return
    fi
    { LC_ALL=C dpkg-query -S "$@" 2> /dev/null || true; } |
        sed -n '/^diversion by /d; s/^\([^:, ]*\).*: \//\1 \//p'
}

# A line of the list is the SHA-256 of a file as it was put, or "folder", and its
# path. Whatever isn't as it was put stays.
uninstall() {
    local sum path folders=() files=() theirs

    [ -f "$root$listed" ] ||
        die "$root$listed is missing, the list of what was put: was prefix or DESTDIR another? If there was no list yet, 'make install' again writes it"
    while read -r sum path; do
        case $sum in
            folder) folders+=("$path") ;;
            *) files+=("$path") ;;
        esac
    done < "$root$listed"
    for path in "$listed" "${files[@]}"; do
        [ -w "$root${path%/*}" ] || [ ! -e "$root$path" ] ||
            die "may not write to $root${path%/*}: run as root"
    done
    theirs=$(owned "${files[@]}")

    while read -r sum path; do
        [ -f "$root$path" ] || continue
        if [[ $lf$theirs$lf == *" $path$lf"* ]]; then
            echo "$path is a package's: it stays"
        elif [ "$(sha256sum < "$root$path")" != "$sum  -" ]; then
            echo "$root$path was changed: it stays"
        else
            rm -f "$root$path"
            [ "${path##*/}" != $name ] || echo "$root$path is removed"
        fi
    done < <(grep -v '^folder ' "$root$listed")
    rm -f "$root$listed"

    if [ ${#folders[@]} != 0 ]; then
        printf '%s\n' "${folders[@]}" | sort -r | while read -r path; do
            rmdir "$root$path" 2> /dev/null || true
        done
    fi
    cat << 'END'
Partners' files and configurations stay. An nginx that still has the module's
load_module or directives in its own takes no reload and doesn't start.
END
}

case $action in
    install) ;;
    uninstall)
        uninstall
        exit ;;
    *) die 'it is install, or uninstall' ;;
esac

[ -f "$module" ] || die "$module is missing: 'make build' makes it for Debian's nginx; for another one name yours by MODULE="

nginx=${NGINX:-$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx || true)}
# nginx takes a variable of this name for the sockets that it inherits
unset NGINX

# The value of an option that nginx was configured with.
configured() {
    "$nginx" -V 2>&1 | tr ' ' '\n' | sed -n "s/^--$1=//p" | tail -n 1
}

# Whether that nginx takes the module, in a folder of its own.
fits() {
    local dir error
    dir=$(mktemp -d)
    printf 'load_module "%s";\npid "%s/pid";\nevents { }\n' \
        "$(readlink -f "$module")" "$dir" > "$dir/nginx.conf"
    error=$("$nginx" -t -p "$dir/" -c nginx.conf -e "$dir/log" 2>&1) || {
        rm -rf "$dir"
        die "$nginx does not load $module: $(grep -m 1 -F '[emerg]' <<< "$error" || echo "$error")"
    }
    rm -rf "$dir"
}

if [ -n "$nginx" ]; then
    command -v "$nginx" > /dev/null || die "no such program: NGINX=$nginx"
    fits
fi
if [ -z "${modulesdir:-}" ]; then
    [ -n "$nginx" ] || die 'no nginx is here: name it by NGINX=, or its folder of modules by modulesdir='
    modulesdir=$(configured modules-path)
    if [ -z "$modulesdir" ]; then
        modulesdir=$(configured prefix)
        modulesdir=${modulesdir:-/usr/local/nginx}/modules
    fi
fi

# What goes where: the modes, the files here, the paths there.
modes=() from=() to=()

add() {
    [ -f "$2" ] || return 0
    modes+=("$1") from+=("$2") to+=("$3")
}

# Files of mode $1 into the folder $2.
put() {
    local mode=$1 folder=$2 file
    shift 2
    for file in "$@"; do
        add "$mode" "$file" "$folder/${file##*/}"
    done
}

# A folder and what is in it, if it was made.
put_tree() {
    local file
    [ -d "$1" ] || return 0
    while read -r file; do
        add 644 "$1/$file" "$2/$file"
    done < <(cd "$1" && find . -type f -printf '%P\n' | sort)
}

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
echo "$version" > "$made/version"

modulesdir=${modulesdir%/}
add 644 "$module" "$modulesdir/$name"
put 755 "$prefix/bin" "$top/conf/bin/wassiit"
put_tree "$top/conf/bin/lib" "$share/wassiit"
put 644 "$share/wassiit" "$made/version"
put 644 "$share/man/man1" "$top/conf/bin/wassiit.1"
add 644 "$top/conf/bin/wassiit.bash" "$share/bash-completion/completions/wassiit"
for tree in console docs docs-admin; do
    put_tree "$top/build/$tree" "$share/wassiit/$tree"
done
put 644 "$doc" "$top"/{README.md,CHANGES.md,LICENSE}
put 644 "$doc/examples" "$top"/conf/*.conf "$top/conf/logrotate"
put_tree "$top/conf/monitoring" "$doc/examples/monitoring"
put 644 "$doc/examples/cluster" "$top"/conf/cluster/*.{conf,lua,acl}
put_tree "$top/conf/doc" "$doc/conf/doc"
# what these link to
put 644 "$doc/conf/cluster" "$top/conf/cluster/PROOF.md"
put 644 "$doc/t/bench" "$top/t/bench/COSTS.md"

theirs=$(owned "${to[@]}" "$(realpath -m "$modulesdir")/$name")
theirs=${theirs%%"$lf"*}
[ -z "$theirs" ] ||
    die "${theirs%% *} has ${theirs#* }: \"make deb\" and \"apt install\", or \"apt purge\" it first"

mapfile -t folders < <(printf '%s\n' "${listed%/*}" "${to[@]%/*}" | sort -u)
for folder in "${folders[@]}"; do
    there=$root$folder
    while [ ! -e "$there" ]; do
        there=$(dirname "$there")
    done
    if [ ! -d "$there" ] || [ ! -w "$there" ]; then
        die "may not write to $root$folder: run as root, or set DESTDIR, prefix or modulesdir"
    fi
done

# A folder that isn't there yet is to go again with what is in it.
need_folder() {
    if [ ! -d "$root$1" ]; then
        need_folder "$(dirname "$1")"
        mkdir "$root$1"
        echo "folder $1" >> "$made/folders"
    fi
}

: > "$made/folders"
[ -z "$root" ] || mkdir -p "$root"
for folder in "${folders[@]}"; do
    need_folder "$folder"
done

# Puts the file $2 with mode $1 at $3: beside, then in place, as a program that runs
# may have it mapped.
place() {
    local new
    new=$root${3%/*}/.${3##*/}.new
    install -m "$1" "$2" "$new"
    mv -f "$new" "$root$3"
}

# The list goes first, so that what is put by halves can be removed. What an install
# before this one put, and this one doesn't, stays on it.
for i in "${!to[@]}"; do
    sum=$(sha256sum < "${from[$i]}")
    echo "${sum%% *} ${to[$i]}"
done > "$made/files"
cat "$root$listed" > "$made/before" 2> /dev/null || true
awk '{ path = $0; sub(/^[^ ]* /, "", path) } !there[path]++' \
    "$made/files" "$made/folders" "$made/before" > "$made/list"
place 644 "$made/list" "$listed"
for i in "${!to[@]}"; do
    place "${modes[$i]}" "${from[$i]}" "${to[$i]}"
done

again="make uninstall${root:+ DESTDIR=$root}"
[ "$prefix" = /usr/local ] || again="$again prefix=${prefix:-/}"
cat << END
ngx_http_wassiit_module $version is in $root$modulesdir.
It is loaded by a line at the top of nginx.conf, before "events":

    load_module $modulesdir/$name;

An example is $doc/examples/nginx.conf. Then: nginx -t, and
a reload; or a restart, if nginx runs with another version of it already.
To remove it: $again
END
