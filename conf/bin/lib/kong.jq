# Kong's declarative configuration as JSON, to drafts: as decK dumps it, with what
# a consumer has below it; as "kong config db_export" and the admin API's /config
# have it, each kind in a list of its own. $file is the file.

include "limit";

def refers_to($consumer):
    (if type == "object" then .id // .username else . end)
    | . != null and IN($consumer.id, $consumer.username);

# What belongs to a consumer of the kind $kind, wherever it stands.
def of($all; $consumer; $kind):
    $consumer[$kind][]?, ($all[$kind][]? | select(.consumer | refers_to($consumer)));

def limits:
    .config as $config
    | if .service or .route then
          {text: "the plugin \(.name) of one service or route"}
      elif .name == "rate-limiting" then
          {second: 1, minute: 60, hour: 3600, day: 86400, month: 2592000, year: 31536000}
          | to_entries[] | select($config[.key] != null)
          | rate($config[.key]; .value)
      elif .name == "rate-limiting-advanced" then
          range($config.limit | length) | rate($config.limit[.]; $config.window_size[.])
      else
          {text: "the plugin \(.name)"}
      end;

def known: IN("id", "username", "custom_id", "keyauth_credentials", "acls", "groups",
              "plugins", "tags", "created_at", "updated_at");

input
| if type == "object" and (.config | type) == "string" then .config | fromjson else . end
| if type == "object" and (has("consumers") or has("_format_version")) then .
  else error("there are no consumers in it") end
| . as $all
| (.plugins[]? | select(.enabled != false and .consumer == null
                        and (.name | startswith("rate-limiting")))
   | {notes: [{where: $file, text: "the plugin \(.name) of all: say it as the rate of wassiit_zone"}]}),
  (.consumers // [] | to_entries[] | .key as $n | .value
   | . as $consumer
   | (.username // .custom_id // .id) as $name
   | "\($file): consumers[\($n)] \"\($name)\"" as $where
   | [of($all; $consumer; "keyauth_credentials")] as $keys
   | {where: $where, name: $name,
      keys: [$keys[] | {where: $where, key: .key}],
      groups: [of($all; $consumer; "acls") | .group],
      limits: [of($all; $consumer; "plugins") | select(.enabled != false) | limits],
      notes: [((if .username and .custom_id and .username != .custom_id
                then "custom_id \(.custom_id)" else empty end),
               (.groups[]? | "what the consumer group \(if type == "object" then .name else . end) limits"),
               (keys[] | select(known | not))
               | {where: $where, left: true, text: .}),
              ($keys[] | select(.ttl)
               | {where: $where, text: "a key's ttl of \(.ttl) s: here it has no end, give it \"expires\""})]}
   | with_rate)
