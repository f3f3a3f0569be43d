# Drafts to partners, whose keys are yet to become their SHA-256, and to all that
# is to be said. $scopes are those of everyone, $groups those of a group's members,
# $there those who are in the partners' file $file already.

# An id of what may be any name.
def slug:
    ascii_downcase
    | if test("^[a-z0-9._-]{1,64}$") then .
      else
        gsub("[\u00c0-\u00c5\u00e0-\u00e5]"; "a") | gsub("[\u00c7\u00e7]"; "c")
        | gsub("[\u00c8-\u00cb\u00e8-\u00eb]"; "e") | gsub("[\u00cc-\u00cf\u00ec-\u00ef]"; "i")
        | gsub("[\u00d1\u00f1]"; "n") | gsub("[\u00d2-\u00d6\u00f2-\u00f6]"; "o")
        | gsub("[\u00d9-\u00dc\u00f9-\u00fc]"; "u") | gsub("[\u0152\u0153]"; "oe")
        | gsub("[^a-z0-9._-]+"; "-") | gsub("--+"; "-") | sub("^-"; "")
        | .[0:64] | sub("-$"; "")
      end
    | if IN("", ".", "..") then "partner" else . end;

# The id, or with the first number behind it that makes it a free one.
def free($taken):
    . as $id
    | first($id, (range(2; 1000000) | "-\(.)" | $id[0:64 - length] + .)
            | select($taken[.] | not));

def is_name:
    utf8bytelength <= 128
    and all(explode[]; . >= 32 and (. < 127 or . > 159) and (IN(8232, 8233) | not)
                       and (. < 8234 or . > 8238) and (. < 8294 or . > 8297));

# Why a key can't be one here, or nothing; $seen: whose each is.
def fault($seen):
    if type != "string" or . == "" then "there is no key"
    elif test("^(\\$\\{|\\{vault:|\\$(secret|env|ENV):)") then "the key is only named there: write itself in its place"
    elif test("^[ -~]{8,256}$") | not then "a key has 8 to 256 printable characters"
    elif test("^ | $") then "a key that begins or ends with a blank can't be sent"
    elif $seen[.] then "the same key as that of \($seen[.]), whose it is here"
    else empty end;

def note($where; $text): .notes += [{where: $where, text: $text}];

def add_key($id; $key):
    .seen as $seen
    | (.partners[-1].keys | length) as $n
    | [$key.key | fault($seen)] as $faults
    | if $faults != [] then
          .notes += [{where: $key.where, text: $faults[0], lost: true}]
      elif $n == 8 then
          .notes += [{where: $key.where, text: "\($id) has 8 keys, and no more can be", lost: true}]
      else
          .seen[$key.key] = $id
          | .partners[-1].keys += [{id: "k\($n + 1)", sha256: $key.key, where: $key.where}]
      end;

def add_partner($draft; $wanted; $id):
    (reduce ($scopes[], ($draft.groups[]? | $groups[.][]?)) as $scope
           ([]; . - [$scope] + [$scope])) as $held
    | .partners += [{id: $id}
        + (if $draft.name != $id and ($draft.name | is_name) then {name: $draft.name} else {} end)
        + (if $held == [] then {} else {scopes: $held} end)
        + (if $draft.rate then {rate: $draft.rate} else {} end)
        + {keys: []}]
    | if $id == $wanted then . else
          note($draft.where; "there is one with the id \($wanted) already: this one is \($id)") end
    | reduce ($draft.groups[]? | select($groups[.] | not)) as $group (.;
          note($draft.where; "the group \($group): --group \($group)=NAME,... says which scopes it has"))
    | reduce $draft.keys[] as $key (.; add_key($id; $key));

# A second line of one id would take the place of the first, its keys too.
def add_new($draft):
    .taken as $taken
    | ($draft.name | slug) as $wanted
    | ($wanted | free($taken)) as $id
    | .taken[$id] = true
    | if $there[0][$id] then
          .notes += [{where: $draft.where, text: "\($id) is in \($file) already", lost: true}]
      else add_partner($draft; $wanted; $id) end;

reduce inputs as $draft ({partners: [], notes: [], taken: {}, seen: {}};
    .notes += $draft.notes
    | if $draft.name == null then . else add_new($draft) end)
