#!/usr/bin/env bash
# Runs one suite for prove ("prove --exec t/lib/suite.sh VARIANT:FILE ..."):
#   deb:t/x.t         on the distribution's nginx
#   asan:t/x.t        on the nginx with ASan and UBSan, module linked in
#   next:t/x.t        on a newer nginx (make matrix)
#   unstable:t/x.t    on the newest nginx of Debian (make matrix)
#   user:t/x.t        as deb, by a user without rights, from a copy of the tree
#   valkey:t/x.t      as deb, with a Valkey instead of a Redis where there is one
#   unit:x            a program of t/unit; unit-asan:x the same with ASan and UBSan
#   fuzz:x            the harness t/fuzz/x.c goes through its corpus
# A suite that hangs is ended after 15 minutes, or SUITE_SECONDS.
set -euo pipefail
cd "$(dirname "$0")/../.."

variant=${1%%:*} file=${1#*:}
module=ngx_http_wassiit_module.so
limit=(timeout --foreground --kill-after=30 "${SUITE_SECONDS:-900}")

# A suite that calls make gets the same from it, whether make has started it or not.
unset MAKELEVEL MAKEFLAGS MFLAGS

export TEST_VARIANT=$variant
export TEST_NGINX_BINARY=/usr/sbin/nginx
export TEST_NGINX_LOAD_MODULES=$PWD/build/$module

case $variant in
    unit | unit-asan)
        exec "${limit[@]}" "build/$variant/$file" ;;
    fuzz)
        exec "${limit[@]}" t/lib/fuzz.sh replay "$file" ;;
    deb) ;;
    valkey)
        TEST_REDIS=$(command -v valkey-server) || {
            echo "1..0 # SKIP no valkey-server is here"
            exit
        }
        export TEST_REDIS ;;
    asan)
        # A worker has its own leaks named, and suppressed, and may have no
        # rights where the clone lies.
        copy=$(mktemp -d)
        trap 'rm -rf "$copy"' EXIT
        trap 'exit 1' INT TERM
        chmod 755 "$copy"
        cp build/asan/nginx "$copy"
        export TEST_NGINX_BINARY=$copy/nginx TEST_NGINX_LOAD_MODULES=
        "${limit[@]}" perl "$file"
        exit ;;
    next)
        export TEST_NGINX_BINARY=$PWD/build/full-trixie/nginx
        export TEST_NGINX_LOAD_MODULES=$PWD/build/full-trixie/$module ;;
    unstable)
        export TEST_NGINX_BINARY=$PWD/build/unstable/nginx
        export TEST_NGINX_LOAD_MODULES=$PWD/build/deb-unstable/$module ;;
    user)
        # Who isn't root already is a user without rights.
        [ "$(id -u)" = 0 ] || exec "${limit[@]}" perl "$file"

        copy=$(mktemp -d)
        trap 'rm -rf "$copy"' EXIT
        trap 'exit 1' INT TERM
        tar -c --exclude=./build --exclude=./.git . | tar -x -C "$copy"
        mkdir "$copy/build"
        cp build/$module "$copy/build"
        chown -R nobody: "$copy"
        export TEST_NGINX_LOAD_MODULES=$copy/build/$module HOME=$copy
        cd "$copy"
        "${limit[@]}" setpriv --reuid=nobody --regid="$(id -g nobody)" \
            --clear-groups perl "$file"
        exit ;;
    *)
        echo "Bail out! no such variant: $variant"
        exit 1 ;;
esac

exec "${limit[@]}" perl "$file"
