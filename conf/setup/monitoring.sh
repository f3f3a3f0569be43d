#!/usr/bin/env bash
# Brings what conf/monitoring is tested by, under build/monitoring; nothing is
# installed, and no service starts:
#   prometheus, promtool    the distribution's, out of its package; since Debian 13
#                           promtool has one of its own
#   grafana/                Grafana's types and TypeScript, as t/lib/dashboard
#                           pins them
set -euo pipefail
. "$(dirname "$0")/apt.sh"

dir=$top/build/monitoring
pins=$top/t/lib/dashboard

download() {
    local package
    for package in prometheus promtool; do
        [ -e root/usr/bin/$package ] ||
            { apt-get -q download $package > log 2>&1 && dpkg -x ${package}_*.deb root; } ||
            return 1
    done
}

if [ ! -e "$dir/promtool" ]; then
    rm -rf "$dir.part"
    mkdir -p "$dir.part" "$dir"
    cd "$dir.part"
    # The package's lists may be missing, or older than the mirror.
    download || { [ "$(id -u)" != 0 ] || apt-get -q update > log 2>&1; download; } ||
        die "can't download prometheus: $(tail -n 1 log)"
    mv root/usr/bin/prometheus root/usr/bin/promtool "$dir"
    cd "$top"
    rm -rf "$dir.part"
fi

if ! cmp -s "$pins/package-lock.json" "$dir/grafana/package-lock.json"; then
    rm -rf "$dir/grafana.part" "$dir/grafana"
    mkdir "$dir/grafana.part"
    cp "$pins"/package*.json "$dir/grafana.part"
    npm --prefix "$dir/grafana.part" ci --ignore-scripts --no-audit --no-fund \
        > "$dir/log" 2>&1 || die "npm failed: $(grep -m 1 ERR "$dir/log" || tail -n 1 "$dir/log")"
    mv "$dir/grafana.part" "$dir/grafana"
fi
