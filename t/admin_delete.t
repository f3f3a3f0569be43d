# DELETE partners/ID: a partner goes, with its keys, secrets and window.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

admin_blocks(partners => [ '{"id":"atlas","key":"atlas-key","rate":"5r/d"}' ]);
run_tests();

__DATA__

=== TEST 1: its key is unknown from the next request on
--- steps
atlas-key GET / => 200
ops DELETE partners/atlas => 204 ~ ^$
atlas-key GET / => 401 invalid_key
ops GET partners => 200 =


=== TEST 2: whatever is asked of it, it is not there
--- steps
ops DELETE partners/atlas => 204
ops GET partners/atlas => 404 not_found
ops DELETE partners/atlas => 404 not_found
ops PATCH partners/atlas {} => 404 not_found
ops POST partners/atlas/keys => 404 not_found
ops POST partners/atlas/keys/rotate => 404 not_found
ops DELETE partners/atlas/keys/k1 => 404 not_found
ops POST partners/atlas/hmac_secret => 404 not_found
ops POST partners/atlas/webhook_secret => 404 not_found


=== TEST 3: a body says nothing
--- steps
ops DELETE partners/atlas what a body => 204
atlas-key GET / => 401 invalid_key


=== TEST 4: one who was made a moment ago
--- steps
ops POST partners {"id":"rif"} => 201
{key} GET / => 200
ops DELETE partners/rif => 204
{key} GET / => 401 invalid_key
ops GET partners => 200 = atlas
atlas-key GET / => 200


=== TEST 5: another of that id has a key, a window and secrets of its own
--- steps
ops POST partners/atlas/hmac_secret => 201
ops POST partners/atlas/webhook_secret => 201
ops GET partners/atlas => 200 ~ "has_hmac_secret":true
    ~ "has_webhook_secret":true
atlas-key GET / => 200
ops DELETE partners/atlas => 204
ops POST partners {"id":"atlas","rate":"5r/d"} => 201 ~ "has_hmac_secret":false
    ~ "has_webhook_secret":false
atlas-key GET / => 401 invalid_key
{key} GET / => 200
    X-RateLimit-Remaining: 4
