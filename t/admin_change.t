# PATCH partners/ID: a change is in force for the next request.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

admin_blocks(partners => [
    '{"id":"atlas","key":"atlas-key","rate":"10r/h","scopes":["messages.send"],"name":"Before"}' ]);
run_tests();

__DATA__

=== TEST 1: scopes are taken and given
--- steps
atlas-key GET /send => 200
ops PATCH partners/atlas {"scopes":[]} => 200 ~ "scopes":\[\]
atlas-key GET /send => 403 insufficient_scope
ops PATCH partners/atlas {"scopes":["messages.send","messages.send"]} => 200
    ~ "scopes":\["messages.send"\]
atlas-key GET /send => 200
    X-RateLimit-Remaining: 8


=== TEST 2: a rate, the window keeps what was used
--- steps
atlas-key GET / => 200
atlas-key GET / => 200
ops PATCH partners/atlas {"rate":"20r/h"} => 200 ~ "rate":"20r/h"
    ~ "window":\{"limit":20,"seconds":3600,"used":2,"remaining":18,
atlas-key GET / => 200
    X-RateLimit-Limit: 20
    X-RateLimit-Remaining: 17


=== TEST 3: a rate below what was used, and up again
--- steps
atlas-key GET / => 200
atlas-key GET / => 200
ops PATCH partners/atlas {"rate":"2r/h"} => 200 ~ "remaining":0,
atlas-key GET / => 429 rate_limited
ops PATCH partners/atlas {"rate":"100r/h"} => 200
atlas-key GET / => 200


=== TEST 4: switched off and on
--- steps
ops PATCH partners/atlas {"enabled":false} => 200 ~ "enabled":false
atlas-key GET / => 403 partner_disabled
ops PATCH partners/atlas {"enabled":true} => 200 ~ "enabled":true
atlas-key GET / => 200


=== TEST 5: a name
--- steps
atlas-key GET / => 200
    X-Name: Before
ops PATCH partners/atlas {"name":"After"} => 200 ~ "name":"After"
atlas-key GET / => 200
    X-Name: After


=== TEST 6: a rate of its own is taken away: the zone has one
--- steps
ops PATCH partners/atlas {"rate":null} => 200 ~ "rate":"100r/m"
atlas-key GET / => 200
    X-RateLimit-Limit: 100
- GET /file => 200 ~ \n\{(?![^\n]*"rate")[^\n]*\}\n\z


=== TEST 7: so is its name, for requests and in the file, too
--- steps
ops PATCH partners/atlas {"name":null} => 200 ~ "name":null
ops GET partners/atlas => 200 ~ "name":null
atlas-key GET / => 200
    X-Name:
- GET /file => 200 ~ \n\{(?![^\n]*"name")[^\n]*\}\n\z


=== TEST 8: scopes and enabled can't be null
--- steps
ops PATCH partners/atlas {"scopes":null} => 400 invalid_payload @ #/scopes
ops PATCH partners/atlas {"enabled":null} => 400 invalid_payload @ #/enabled
atlas-key GET /send => 200


=== TEST 9: nor a new one's name or rate
--- steps
ops POST partners {"id":"new","name":null} => 400 invalid_payload @ #/name
ops POST partners {"id":"new","rate":null} => 400 invalid_payload @ #/rate
ops GET partners/new => 404 not_found


=== TEST 10: what changes nothing costs no line of the file
--- steps
ops PATCH partners/atlas {} => 200 ~ "name":"Before"
ops PATCH partners/atlas {"name":"Before"} => 200
ops PATCH partners/atlas {"rate":"10r/h"} => 200
- GET /file => 200 ~ \A[^\n]+\n\z


=== TEST 11: all at once, and the key is kept
--- steps
ops PATCH partners/atlas {"name":"B","rate":"5r/d","enabled":false,"scopes":["files.send"]} => 200
    ~ ^\{"id":"atlas","name":"B","enabled":false,"scopes":\["files.send"\],"rate":"5r/d",
    ~ "keys":\[\{"id":"k1",[^{}]*\}\],
ops PATCH partners/atlas {"enabled":true} => 200
atlas-key GET / => 200
    X-RateLimit-Limit: 5


=== TEST 12: it is answered with what GET tells
--- steps
ops PATCH partners/atlas {"scopes":["files.send","audio.send"],"rate":"20r/h"} => 200
    ~ ^\{"id":"atlas","name":"Before","enabled":true,"scopes":\["audio.send","files.send"\],"rate"
    ~ "rate":"20r/h","keys":\[\{"id":"k1","created":null,"expires":null,"last_used":null\}\],
    ~ "window":\{"limit":20,"seconds":3600,"used":0,"remaining":20,
    Content-Type: application/json
ops GET partners/atlas => 200
    ~ ^\{"id":"atlas","name":"Before","enabled":true,"scopes":\["audio.send","files.send"\],"rate"
    ~ "rate":"20r/h","keys":\[\{"id":"k1","created":null,"expires":null,"last_used":null\}\],
    ~ "window":\{"limit":20,"seconds":3600,"used":0,"remaining":20,
    ETag: {etag1}


=== TEST 13: no such partner
--- steps
ops PATCH partners/none {} => 404 not_found
    ~ "detail":"There is no partner none\."


=== TEST 14: other conditions than If-Match are of answers that may be kept
--- steps
ops PATCH partners/atlas {"name":"A"} => 200 ~ "name":"A"
    > If-None-Match: *
ops PATCH partners/atlas {"name":"B"} => 200 ~ "name":"B"
    > If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT
