# What GET /apisix/admin/consumers of APISIX answers, to drafts: of version 3, of
# version 2, of one consumer alone; behind it in the file there may be what GET
# /apisix/admin/consumers/NAME/credentials answers. $file is the file.

include "limit";

def items:
    if type != "object" then empty
    elif .list then .list[]
    elif .node.nodes then .node.nodes[]
    elif .node then .node
    elif .value then .
    elif .username then {value: .}
    else empty end;

def owner: (.key // "") | capture("/consumers/(?<name>[^/]+)/credentials/").name // null;

def known: IN("username", "plugins", "create_time", "update_time", "desc", "group_id",
              "labels", "id");

[inputs | items | {of: ((try owner catch null) // null), value: .value}]
| if . == [] then error("there are no consumers in it") else . end
| [.[] | select(.of)] as $credentials
| [.[] | select(.of | not) | .value] as $consumers
| ($credentials[] | select(.of | IN($consumers[].username) | not)
   | {notes: [{where: $file, text: "a credential of \(.of), who isn\u0027t in it", lost: true}]}),
  ($consumers[]
   | .username as $name
   | "\($file): consumer \"\($name)\"" as $where
   | [.plugins // {}, ($credentials[] | select(.of == $name) | .value.plugins // {})] as $plugins
   | {where: $where, name: $name,
      keys: [$plugins[]["key-auth"] | values | {where: $where, key: .key}],
      groups: [.group_id // empty],
      limits: [$plugins[]["limit-count"] | values | rate(.count; .time_window)],
      notes: [(keys[] | select(known | not)),
              ($plugins[] | keys[] | select(IN("key-auth", "limit-count") | not) | "the plugin \(.)")
              | {where: $where, left: true, text: .}]}
   | with_rate)
