# What map.awk prints, to drafts. $file is the file, $us what parts the fields.

def where: "\($file):\(.[1])";

[inputs | split($us)]
| [.[] | select(.[0] == "pair")] as $pairs
| [$pairs[] | select(.[3] | IN("", "0") | not)] as $let_in
| (.[] | select(.[0] != "pair")
   | {notes: [{where: where, text: .[2], lost: (.[0] == "lost")}]}),
  ($pairs[] | select(.[3] | IN("", "0"))
   | {notes: [{where: where, text: "a key that nobody is let in by (\"\(.[3])\"): left out"}]}),
  (if any($let_in[]; .[2] | test("[A-Za-z]"))
   then {notes: [{where: $file, text: "a map takes keys in capitals or not: here each has to be sent as it is written"}]}
   else empty end),

  # several keys of a client are those of one partner
  (reduce $let_in[] as $pair ({names: [], drafts: {}};
       ($pair | where) as $where
       | ($pair[3] | test("^(1|on|yes|true)$")) as $nameless
       | (if $nameless then "client-\($pair[1])" else $pair[3] end) as $name
       | if .drafts[$name] then . else
             .names += [$name] | .drafts[$name] = {where: $where, name: $name, notes: []}
         end
       | .drafts[$name].keys += [{where: $where, key: $pair[2]}]
       | if $nameless then
             .drafts[$name].notes += [{where: $where,
                 text: "its client is \"\($pair[3])\", which names nobody: it is \($name)"}]
         else . end)
   | .drafts[.names[]])
