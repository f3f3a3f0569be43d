#!/usr/bin/env bash
# Everything that can be said of the sources without running them: style,
# warnings of gcc and clang, gcc's analyzer, clang-tidy, cppcheck. Any finding
# is fatal. nginx's own headers are read as the system's, so that they are not
# what is looked at. What t/bench has must compile, as nobody runs it here.
#   check.sh            all of it
#   check.sh FILE.c     one source's compilers and analyzers
set -euo pipefail
cd "$(dirname "$0")/../.."
. conf/setup/progress.sh

headers=$(conf/setup/headers.sh /usr/share/nginx/src core event os http)
read -r -d '' -a flags <<< "-I src $headers -isystem build/deb" || true
warnings=(-Wall -Wextra -Wpointer-arith -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wvla -Wundef -Wformat=2
    -Wno-unused-parameter -Werror)

# clang-tidy's checks, less those that nginx's own style meets all the time.
tidy=clang-analyzer-*,bugprone-*,cert-*
for check in bugprone-easily-swappable-parameters \
    bugprone-assignment-in-if-condition \
    bugprone-reserved-identifier cert-dcl37-c cert-dcl51-cpp \
    bugprone-narrowing-conversions \
    bugprone-implicit-widening-of-multiplication-result \
    bugprone-branch-clone bugprone-sizeof-expression \
    bugprone-macro-parentheses \
    bugprone-multi-level-implicit-pointer-conversion \
    bugprone-inc-dec-in-conditions \
    clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling
do
    tidy=$tidy,-$check
done

if [ $# = 1 ]; then
    gcc -O2 "${flags[@]}" "${warnings[@]}" -fanalyzer -c -o /dev/null "$1"
    clang -fsyntax-only "${flags[@]}" "${warnings[@]}" "$1"
    clang-tidy --quiet --checks="-*,$tidy" --warnings-as-errors='*' "$1" -- \
        "${flags[@]}" 2> /dev/null
    echo "+checked $1"
    exit
fi

# What has been looked at, a line each.
all() {
    perl t/lib/style.pl
    echo '+checked style'

    for script in .ci/run conf/setup/*.sh t/lib/*.sh; do
        bash -n "$script"
    done
    dash -n conf/bin/wassiit
    shellcheck conf/bin/wassiit conf/bin/lib/*.sh conf/bin/wassiit.bash
    for bench in t/bench/*.c; do
        gcc -O2 -fsyntax-only "${flags[@]}" -I t/unit "${warnings[@]}" "$bench"
    done

    # which is not to go through as many paths as there are
    cppcheck --quiet --error-exitcode=1 --inline-suppr -I src \
        --suppress=normalCheckLevelMaxBranches -DNGINX_VERSION='""' \
        --enable=warning,portability,performance ./*.c src
    echo '+checked by cppcheck'

    printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 1 "$0"
}

sources=(./*.c src/*.c)
all | progress $((${#sources[@]} + 2))
echo 'check: nothing found'
