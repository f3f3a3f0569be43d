#!/usr/bin/env bash
# The version of the module, which stands in src/ngx_http_wassiit.h:
#   version.sh          1.0.0
#   version.sh notes    what CHANGES.md says of it, for a tag's message
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
version=$(sed -n 's/^#define NGX_HTTP_WASSIIT_VERSION *"\(.*\)"$/\1/p' \
    "$top/src/ngx_http_wassiit.h")

case ${1:-} in
    '') echo "$version" ;;
    notes) awk -v heading="## $version" '
               /^## / { inside = $0 == heading; next }
               inside && (said || NF) { print; said = 1 }' "$top/CHANGES.md" ;;
    *) echo "version.sh: no such word: $1 (notes)" >&2; exit 1 ;;
esac
