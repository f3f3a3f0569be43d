# Other gateways' limits.

# A rate, or why there is none: $count requests in $seconds.
def rate($count; $seconds):
    {"1": "s", "60": "m", "3600": "h", "86400": "d"}["\($seconds)"] as $unit
    | if $unit and ($count | type) == "number" and ($count | floor) == $count
         and $count >= 1 and $count <= 1000000
      then {rate: "\($count)r/\($unit)"}
      else {text: "the limit of \($count) in \($seconds) seconds: here it is 1 to 1000000 in 1, 60, 3600 or 86400 seconds"}
      end;

# Of a draft's .limits, each a rate or a text, the first rate counts.
def with_rate:
    [.limits[].rate // empty] as $rates
    | .where as $where
    | .rate = $rates[0]
    | .notes += [(.limits[].text // empty | {where: $where, left: true, text: .}),
                 ($rates[1:][] | {where: $where, left: true,
                     text: "the limit \(.) beside \($rates[0]): a partner has one"})]
    | del(.limits);
