# POST partners: a partner is made, and its first key.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

our $Longest = 'a.b_c-9' . 'z' x 57;
our $Name = 'n' x 128;
our ($Many, $Most) = map { join ',', ('"files.send"') x $_ } 5000, 5038;

admin_blocks();
run_tests();

__DATA__

=== TEST 1: with all fields
--- steps
ops POST partners {"id":"rif","name":"d'\u00c9t\u00e9 \"\\","rate":"7r/h","scopes":[]} => 201
    Location: /admin/partners/rif
    Content-Type: application/json
    ~ ^\{"id":"rif","name":"d'\\u00C9t\\u00E9 \\"\\\\","enabled":true,"scopes":\[\],"rate":"7r/h",
    ~ "key":"wst_[0-9A-Za-z]{38}"\}$


=== TEST 2: scopes are told in the order of their declaration
--- steps
ops POST partners {"id":"rif","scopes":["files.send","messages.send"]} => 201
    ~ "scopes":\["messages.send","files.send"\]


=== TEST 3: GET tells the same, but no key
--- steps
ops POST partners {"id":"rif","name":"Rif","scopes":["files.send"],"rate":"7r/h"} => 201
    ~ ^\{"id":"rif","name":"Rif","enabled":true,"scopes":\["files.send"\],"rate":"7r/h",
    ~ "keys":\[\{"id":"\w+","created":"{now}","expires":null,"last_used":null\}\],
ops GET partners/rif => 200
    ~ ^\{"id":"rif","name":"Rif","enabled":true,"scopes":\["files.send"\],"rate":"7r/h",
    ~ "keys":\[\{"id":"{id}","created":"{now}","expires":null,"last_used":null\}\],
    ! "key":


=== TEST 4: its digest stands in the file, the key does not
--- steps
ops POST partners {"id":"rif"} => 201
- GET /file => 200 ~ "sha256":"{sha256}"
    ! {key}


=== TEST 5: it works at once, at its rate, and may do what it may
--- steps
ops POST partners {"id":"rif","rate":"7r/h","scopes":["messages.send"]} => 201
{key} GET / => 200 ~ ^rif$
    X-Key: {id}
    X-RateLimit-Limit: 7
{key} GET /send => 200 ~ ^rif$


=== TEST 6: with an id alone: no name, no scopes, the zone's rate
--- steps
ops POST partners {"id":"rif"} => 201
    ~ ^\{"id":"rif","name":null,"enabled":true,"scopes":\[\],"rate":"100r/m",
{key} GET /send => 403 insufficient_scope
{key} GET / => 200


=== TEST 7: each has a key of its own
--- steps
ops POST partners {"id":"rif"} => 201
ops POST partners {"id":"atlas"} => 201
{key1} GET / => 200 ~ ^rif$
{key2} GET / => 200 ~ ^atlas$


=== TEST 8: the longest id and name
--- steps eval
qq(ops POST partners {"id":"$main::Longest","name":"$main::Name","rate":"1000000r/d"} => 201
{key} GET / => 200 ~ ^$main::Longest\$
)


=== TEST 9: an id that is taken changes nothing, nor for its owner
--- partners
{"id":"rif","key":"key-of-rif"}
--- steps
ops POST partners {"id":"rif"} => 409 conflict
    ~ "detail":"There is a partner rif already\."
- GET /file => 200 ~ \A[^\n]+\n\z
key-of-rif GET / => 200


=== TEST 10: an id that was taken a moment ago
--- steps
ops POST partners {"id":"rif"} => 201
ops POST partners {"id":"rif"} => 409 conflict
- GET /file => 200 ~ \A[^\n]+\n\z
{key} GET / => 200


=== TEST 11: a scope five thousand times is one
--- steps eval
qq(ops POST partners {"id":"many","scopes":[$main::Many]} => 201 ~ "scopes":\\["files.send"\\]
)


=== TEST 12: as often as the body holds
--- steps eval
qq(ops POST partners {"id":"most","scopes":[$main::Most]} => 201 ~ "scopes":\\["files.send"\\]
)


=== TEST 13: the log tells who did it
--- request
POST /admin/partners
{"id":"rif"}
--- more_headers eval: "X-API-Key: $Wassiit::Steps::KEYS{ops}"
--- error_code: 201
--- error_log eval
qr/\[notice\].*partner "rif" was created.*by "ops"/
