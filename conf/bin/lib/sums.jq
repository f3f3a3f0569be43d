# The partners, and behind them the sums of all their keys, in order. $there are the
# sums of those who are in the partners' file $file.

input as $all | [inputs] as $sums
| (reduce ($there[0] | to_entries[]) as $partner ({};
       reduce $partner.value[] as $sum (.; .[$sum] = $partner.key))) as $owner
| reduce $all.partners[] as $partner ($all + {partners: [], at: 0};
    .at as $at
    | [$partner.keys | to_entries[] | .value + {sha256: $sums[$at + .key]}] as $keys
    | .at += ($keys | length)
    | .notes += [$keys[] | select(.sha256 == "-")
        | {where, lost: true, text: "a key that begins with wst_, and whose last six characters aren't its checksum, is never let in"}]
    | .notes += [$keys[] | select($owner[.sha256])
        | {where, lost: true, text: "the same key as that of \($owner[.sha256]) in \($file)"}]
    | [$keys[] | select(.sha256 != "-" and ($owner[.sha256] | not)) | del(.where)] as $keys
    | .partners += [$partner | if $keys == [] then del(.keys) else .keys = $keys end])
