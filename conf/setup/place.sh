#!/usr/bin/env bash
# "make install": puts what is built where an nginx on this machine finds it. It
# changes no configuration, and neither starts nor reloads anything. From the
# environment, all of which may be missing:
#   NGINX        the program that the module is for; else the one in the path
#   MODULE       the module; else build/ngx_http_wassiit_module.so
#   modulesdir   where it goes; else where that nginx looks, by "nginx -V"
#   prefix       /usr/local: bin, share/wassiit, share/man, share/doc/wassiit
#   DESTDIR      goes before each path, for a package
set -euo pipefail
umask 022

top=$(cd "$(dirname "$0")/../.." && pwd)
name=ngx_http_wassiit_module.so
module=${MODULE:-$top/build/$name}
prefix=${prefix:-/usr/local}
version=$("$top/conf/setup/version.sh")

die() {
    echo "make install: $*" >&2
    exit 1
}

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

# Puts files of mode $1 into the folder $2: beside, then in place, as a program
# that runs may have one mapped.
put() {
    local mode=$1 to=${DESTDIR:-}$2 file
    shift 2
    mkdir -p "$to" 2> /dev/null && [ -w "$to" ] ||
        die "may not write to $to: run as root, or set DESTDIR, prefix or modulesdir"
    for file in "$@"; do
        [ -f "$file" ] || continue
        install -m "$mode" "$file" "$to/.${file##*/}.new"
        mv -f "$to/.${file##*/}.new" "$to/${file##*/}"
    done
}

# A folder and what is in it, if it was made.
put_tree() {
    local file
    [ -d "$1" ] || return 0
    (cd "$1" && find . -type f) | while read -r file; do
        put 644 "$2/$(dirname "$file")" "$1/$file"
    done
}

share=$prefix/share doc=$prefix/share/doc/wassiit
put 644 "$modulesdir" "$module"
[ "${module##*/}" = $name ] ||
    mv -f "${DESTDIR:-}$modulesdir/${module##*/}" "${DESTDIR:-}$modulesdir/$name"

put 755 "$prefix/bin" "$top/conf/bin/wassiit"
put_tree "$top/conf/bin/lib" "$share/wassiit"
echo "$version" > "${DESTDIR:-}$share/wassiit/version"
put 644 "$share/man/man1" "$top/conf/bin/wassiit.1"
put 644 "$share/bash-completion/completions" "$top/conf/bin/wassiit.bash"
mv -f "${DESTDIR:-}$share/bash-completion/completions/wassiit"{.bash,}

for made in console docs docs-admin; do
    put_tree "$top/build/$made" "$share/wassiit/$made"
done
put 644 "$doc" "$top"/{README.md,CHANGES.md,LICENSE}
put 644 "$doc/examples" "$top"/conf/*.conf "$top/conf/logrotate"
put_tree "$top/conf/monitoring" "$doc/examples/monitoring"
put_tree "$top/conf/cluster" "$doc/examples/cluster"
put_tree "$top/conf/doc" "$doc/conf/doc"

cat << END
ngx_http_wassiit_module $version is in ${DESTDIR:-}$modulesdir.
It is loaded by a line at the top of nginx.conf, before "events":

    load_module $modulesdir/$name;

An example is $doc/examples/nginx.conf. Then: nginx -t, and
a reload; or a restart, if nginx runs with another version of it already.
END
