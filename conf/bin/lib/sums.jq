# The partners, and behind them the sums of all their keys, in order.

input as $all | [inputs] as $sums
| reduce $all.partners[] as $partner ($all + {partners: [], at: 0};
    .at as $at
    | [$partner.keys | to_entries[] | .value + {sha256: $sums[$at + .key]}] as $keys
    | .at += ($keys | length)
    | .notes += [$keys[] | select(.sha256 == "-")
        | {where, lost: true, text: "a key that begins with wst_, and whose last six characters aren't its checksum, is never let in"}]
    | [$keys[] | select(.sha256 != "-") | del(.where)] as $keys
    | .partners += [$partner | if $keys == [] then del(.keys) else .keys = $keys end])
