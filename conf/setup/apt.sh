# Sourced by install.sh and source.sh: what comes from Debian, but not from the
# suite that this machine follows, by way of an apt state of our own under
# build/apt. The machine's own sources, lists and cache stay as they are; apt
# checks Debian's signature all the same.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# A line a suite of the machine's own Debian sources: mirror and suite.
debian_sources() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' \
        'Created-By: Packages' 'Origin: Debian' | sort -u
}

private_apt() {
    local state=$top/build/apt
    local apt=("$1" -q -o Dir::Etc::SourceList="$state/sources.list"
        -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$state"
        -o Dir::Cache="$state/cache" -o APT::Sandbox::User=
        -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false)

    [ -e "$state/ready" ] || make_private_apt "$state" "${apt[@]}"
    shift
    "${apt[@]}" "$@"
}

# The mirror that this machine has Debian from, or what $1 labels of it.
debian_mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
        'Origin: Debian' "Label: ${1:-Debian}" | sed -n 1p
}

# The packages of unstable, the sources of this machine's suites and of trixie.
make_private_apt() {
    local state=$1 mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    shift

    mirror=$(debian_mirror)
    [ -n "$mirror" ] ||
        die "apt knows no Debian mirror: run 'apt-get update' as root first"

    rm -rf "$state"
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    [ -e $keyring ] && keyring="[signed-by=$keyring]" || keyring=
    {
        echo "deb $keyring $mirror unstable main"
        echo "deb-src $keyring $mirror trixie main"
        debian_sources | sed "s|.*|deb-src $keyring & main|"
    } > "$state/sources.list"
    "$@" update > "$state/log" 2>&1 ||
        die "apt-get update failed: $(grep '^[EW]:' "$state/log" | head -n 1)"
    touch "$state/ready"
}
