#!/usr/bin/env bash
# Builds the module:
#   build.sh [deb]    for the distribution's nginx, by its package nginx-dev:
#                     build/ngx_http_wassiit_module.so
#   build.sh clang    the same by clang, to see that it compiles: build/clang
#   build.sh full     a whole nginx and the module beside it: build/full
#   build.sh debug    a whole nginx, module linked in, not optimized: build/debug
#   build.sh asan     the same with ASan and UBSan: build/asan
# nginx itself sets -Wall -W -Werror, so that a warning is an error in each.
# NGINX_SRC names the folder of another nginx's source; what is built from it
# goes to build/VARIANT-NAME, where NAME is that folder's. A second call compiles
# what has changed, and nothing if nothing has.
set -euo pipefail
. "$(dirname "$0")/apt.sh"
. "$(dirname "$0")/progress.sh"

variant=${1:-deb}
module=ngx_http_wassiit_module
source=${NGINX_SRC:-}
out=$top/build/$variant${source:+-$(basename "$source")}
headers=/usr/share/nginx/src

cc=gcc link=dynamic what=modules ldflags=
case $variant in
    deb) cflags="$(dpkg-buildflags --get CFLAGS) $(dpkg-buildflags --get CPPFLAGS)"
         ldflags=$(dpkg-buildflags --get LDFLAGS) ;;
    clang) cc=clang cflags='-O2 -g' ;;
    full) what=all cflags='-O2 -g' ;;
    debug) what=all link=static cflags='-O0 -g3' ;;
    asan) what=all link=static cc=clang
          cflags='-O1 -g -fno-omit-frame-pointer -DNGX_DEBUG_PALLOC=1
                  -fsanitize=address,undefined -fno-sanitize=function'
          ldflags=-fsanitize=address,undefined ;;
    *) die "no such variant: $variant (deb clang full debug asan)" ;;
esac

if [ -z "$source" ]; then
    if [ $what = all ]; then
        source=$("$top/conf/setup/source.sh")
    else
        source=$headers
    fi
fi
[ -x "$source/configure" ] ||
    die "$source has no nginx: run conf/setup/install.sh first"

# The options of configure: a distribution's own where they are known, else
# those that the suites need.
if [ -e "$source/conf_flags" ]; then
    . "$source/conf_flags"
else
    NGX_CONF_FLAGS=(--with-compat --with-debug --with-threads --with-pcre-jit
        --with-http_ssl_module --with-http_v2_module --with-http_realip_module
        --with-http_auth_request_module --with-http_sub_module
        --with-http_addition_module --with-http_stub_status_module
        --error-log-path=stderr --pid-path=logs/nginx.pid)
    # HTTP/3, from 1.25 on.
    [ ! -d "$source/src/http/v3" ] || NGX_CONF_FLAGS+=(--with-http_v3_module)
fi
if [ $link = dynamic ]; then
    add=--add-dynamic-module=$top
else
    add=--add-module=$top
fi
command=(./configure --builddir="$out" --with-cc=$cc "${NGX_CONF_FLAGS[@]}"
    --with-cc-opt="$(echo $cflags) -fPIC" --with-ld-opt="$ldflags -fPIC" "$add")

# Configure again when the command, the list of files, the script that is in the
# module, or nginx has changed.
# (All headers lie in one place, so that make needs no more than their names.)
mkdir -p "$out" 2> /dev/null && [ -w "$out" ] ||
    die "may not write to $out: run as the user that it belongs to"
exec 9> "$out/lock"
flock 9
{
    printf '%s\n' "$source" "${command[@]}"
    cat "$top/config" "$top/conf/cluster/ledger.lua" "$source/src/core/nginx.h"
    dpkg-query -W -f '${Version}\n' nginx 2> /dev/null || true
} > "$out/wanted"

if ! cmp -s "$out/wanted" "$out/configured"; then
    echo "build/${out##*/}: configuring"
    rm -rf "$out/Makefile" "$out/configured" "$out/addon" "$out/before"
    mkdir "$out/before"
    cp -p "$out"/ngx_auto_*.h "$out/before" 2> /dev/null || true
    (cd "$source" && "${command[@]}") > "$out/log" 2>&1 || {
        grep -m 1 'error:' "$out/log" >&2 || tail -n 5 "$out/log" >&2
        die "configure failed, see $out/log"
    }
    # What came out the same must not make nginx compile anew.
    for header in "$out"/ngx_auto_*.h; do
        before=$out/before/$(basename "$header")
        ! cmp -s "$header" "$before" || touch -r "$before" "$header"
    done
    cp "$out/wanted" "$out/configured"
fi

goals=($what)
[ "$what" = modules ] || goals=(binary $([ $link = static ] || echo modules))
# nginx's makefile has as many jobs as it likes, whatever make has called this
unset MAKEFLAGS MFLAGS
command=(make --no-print-directory -f "$out/Makefile" -C "$source" "${goals[@]}")
object='^[[:blank:]]*-o .*/\(.*\.o\)\( \\\)*$'
of=$("${command[@]}" -n | grep -c "$object") || true
"${command[@]}" -j "$(nproc)" |
    sed -u -n "s|$object|+build/${out##*/} \1|p" | progress "$of"

# Not in place: an nginx that runs has the file mapped.
if [ "$variant" = deb ] && [ "$source" = $headers ] && ! cmp -s "$out/$module.so" "$top/build/$module.so"
then
    cp "$out/$module.so" "$top/build/$module.new"
    mv "$top/build/$module.new" "$top/build/$module.so"
fi
