#!/usr/bin/env bash
# Runs a fuzz harness, build/fuzz/NAME:
#   fuzz.sh replay NAME         over the inputs in t/fuzz/corpus/NAME, as TAP
#   fuzz.sh run NAME SECONDS    over new inputs; those that reach new code stay
#                               in build/fuzz/corpus, a finding in build/fuzz
set -euo pipefail
cd "$(dirname "$0")/../.."

name=$2
corpus=t/fuzz/corpus/$name
options=(-timeout=20 -rss_limit_mb=1024 "-artifact_prefix=build/fuzz/$name-")

# Not a harness of libFuzzer.
if [ "$name" = readers ]; then
    [ "$1" = replay ] && exec t/fuzz/readers/run || exec t/fuzz/readers/run "$3"
fi

case $1 in
    replay)
        inputs=$(find "$corpus" -type f | wc -l)
        if [ "$inputs" != 0 ] &&
           output=$("build/fuzz/$name" "${options[@]}" \
                        "$corpus"/* 2>&1 < /dev/null)
        then
            echo "ok 1 - $name: $inputs inputs"
        else
            echo "not ok 1 - $name: $inputs inputs"
            printf '%s\n' "${output:-}" | tail -n 60 | sed 's/^/# /'
        fi
        echo 1..1 ;;
    run)
        found=build/fuzz/corpus/$name
        mkdir -p "$found"
        dictionary=t/fuzz/dictionary/$name
        [ ! -e "$dictionary" ] || options+=("-dict=$dictionary")
        exec "build/fuzz/$name" "${options[@]}" -max_total_time="$3" \
            -print_final_stats=1 "$found" "$corpus" ;;
    *)
        echo "no such mode: $1 (replay, run)" >&2
        exit 1 ;;
esac
