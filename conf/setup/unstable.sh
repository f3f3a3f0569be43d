#!/usr/bin/env bash
# Unpacks the nginx of Debian unstable, with its own C library and all else that
# it needs, under build/unstable; nothing is installed. Prints the folder of its
# headers, which build.sh takes as NGINX_SRC. build/unstable/nginx runs it.
set -euo pipefail
. "$(dirname "$0")/apt.sh"

packages='nginx nginx-dev libc6 libcrypt1 libjansson4 libpcre2-8-0 libssl3t64
          libzstd1 zlib1g'
dir=$top/build/unstable

if [ ! -e "$dir/nginx" ]; then
    rm -rf "$dir" "$dir.part"
    mkdir -p "$dir.part/root"
    cd "$dir.part"
    (private_apt apt-get download $(printf '%s/unstable ' $packages)) \
        > log 2>&1 || die "can't download nginx of unstable: $(tail -n 1 log)"
    for package in *.deb; do
        dpkg -x "$package" root
    done
    rm ./*.deb

    loader=$(find root -type f -name 'ld-linux*.so.*' -print -quit)
    libc=$(find root -name libc.so.6 -print -quit)
    [ -n "$loader" ] && [ -n "$libc" ] ||
        die "libc6 of unstable isn't made as it was: see build/unstable.part"
    cat > nginx.new << END
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")
# a binary upgrade runs it again by its own name
exec "\$here/$loader" --library-path "\$here/$(dirname "$libc")" \\
    --argv0 "\$here/nginx" "\$here/root/usr/sbin/nginx" "\$@"
END
    chmod 755 nginx.new
    ln -s root/usr/share/nginx/src unstable
    mv nginx.new nginx
    cd ..
    mv unstable.part unstable
fi

echo "$dir/unstable"
