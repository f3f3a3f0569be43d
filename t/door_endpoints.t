# conf/nginx.conf, as an operator finds it: every endpoint with its scope, its
# methods and its answer, to the sandbox's backend.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::DoorBlocks;
use Test::Nginx::Socket;

add_block_preprocessor(sub {
    my ($block) = @_;
    my $endpoint = $block->endpoint // return;
    my ($scope, $status, $methods, $wrong, $members)
        = map { chomp(my $text = $block->$_ // ''); $text }
          qw(scope status methods wrong members_of);
    chomp $endpoint;

    # With the scope; without it; without a key; by another method, with a key and
    # without, which costs nothing; and again, by HEAD where
    # it was GET.
    $block->set_value(ask => [ "$endpoint only-$scope", "$endpoint but-$scope", $endpoint,
                               map({ $endpoint =~ s{\A\S+}{$wrong}r . $_ } " only-$scope", ''),
                               $endpoint =~ s{\AGET}{HEAD}r . " only-$scope" ]);
    $block->set_value(error_code => [ $status, 403, 401, 405, 405, $status ]);
    $block->set_value(problem => [ undef, '403 insufficient_scope', '401 missing_key',
                                   ('405 method_not_allowed') x 2, undef ]);
    $block->set_value(response_body_like => [
        '', qr{"required_scopes":\["\Q$scope\E"\]}, ('') x 3, $endpoint =~ /\AGET/ ? '\A\z' : '' ]);
    $block->set_value(members => [ $members || undef ]);
    $block->set_value(response_headers => [
        "X-RateLimit-Limit: 100\nX-RateLimit-Remaining: 99", '', '',
        ("Allow: $methods") x 2, "X-RateLimit-Limit: 100\nX-RateLimit-Remaining: 98" ]);
});

open_door();
log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: a message
--- endpoint: POST /api/partner/v1/messages
--- scope: messages.send
--- status: 202
--- members_of: created_at id status type
--- methods: POST
--- wrong: GET


=== TEST 2: an audio
--- endpoint: POST /api/partner/v1/messages/audio
--- scope: audio.send
--- status: 202
--- members_of: created_at id status type
--- methods: POST
--- wrong: GET


=== TEST 3: a document
--- endpoint: POST /api/partner/v1/messages/document
--- scope: files.send
--- status: 202
--- members_of: created_at id status type
--- methods: POST
--- wrong: PUT


=== TEST 4: a message's delivery
--- endpoint: GET /api/partner/v1/messages/msg_1
--- scope: messages.send
--- status: 200
--- members_of: id status updated_at
--- methods: GET, HEAD
--- wrong: DELETE


=== TEST 5: a call
--- endpoint: POST /api/partner/v1/calls
--- scope: calls.initiate
--- status: 202
--- members_of: created_at id status type
--- methods: POST
--- wrong: GET


=== TEST 6: conversations
--- endpoint: GET /api/partner/v1/conversations
--- scope: conversations.read
--- status: 200
--- members_of: data next
--- methods: GET, HEAD
--- wrong: POST


=== TEST 7: a conversation
--- endpoint: GET /api/partner/v1/conversations/conv_1
--- scope: conversations.read
--- status: 200
--- members_of: contact id messages next
--- methods: GET, HEAD
--- wrong: DELETE


=== TEST 8: webhooks
--- endpoint: GET /api/partner/v1/webhooks
--- scope: webhooks.manage
--- status: 200
--- members_of: data next
--- methods: GET, HEAD, POST
--- wrong: DELETE


=== TEST 9: a new webhook
--- endpoint: POST /api/partner/v1/webhooks
--- scope: webhooks.manage
--- status: 201
--- members_of: active events id url
--- methods: GET, HEAD, POST
--- wrong: PATCH


=== TEST 10: a webhook
--- endpoint: GET /api/partner/v1/webhooks/hook_1
--- scope: webhooks.manage
--- status: 200
--- members_of: active events id url
--- methods: GET, HEAD, PUT, PATCH, DELETE
--- wrong: POST


=== TEST 11: a webhook, made anew
--- endpoint: PUT /api/partner/v1/webhooks/hook_1
--- scope: webhooks.manage
--- status: 200
--- members_of: active events id url
--- methods: GET, HEAD, PUT, PATCH, DELETE
--- wrong: POST


=== TEST 12: a webhook, changed
--- endpoint: PATCH /api/partner/v1/webhooks/hook_1
--- scope: webhooks.manage
--- status: 200
--- members_of: active events id url
--- methods: GET, HEAD, PUT, PATCH, DELETE
--- wrong: POST


=== TEST 13: a webhook, taken away
--- endpoint: DELETE /api/partner/v1/webhooks/hook_1
--- scope: webhooks.manage
--- status: 204
--- methods: GET, HEAD, PUT, PATCH, DELETE
--- wrong: POST


=== TEST 14: the method is what the request line says
--- ask: PUT /api/partner/v1/messages all
--- more_headers
X-HTTP-Method: POST
--- problem: 405 method_not_allowed


=== TEST 15: TRACE
--- ask: TRACE /api/partner/v1/webhooks
--- problem: 405 method_not_allowed


=== TEST 16: the guide's own call gets an id and a status
--- ask: POST /api/partner/v1/messages only-messages.send
--- body: {"to": "+212600000000", "text": "Hello from WASSIIT!"}
--- error_code: 202
--- response_body_like eval: qr/"id":"msg_\w+".*"status":"queued"/


=== TEST 17: a delivery is asked for by its id
--- ask: GET /api/partner/v1/messages/msg_read_1 all
--- response_body_like: "id":"msg_read_1"


=== TEST 18: another spelling is another path
--- ask: GET /api/partner/v1/webhooks/..%2fmessages/1 only-webhooks.manage
--- problem: 403 insufficient_scope


=== TEST 19: the limit is one for both backends
--- ask eval
[ map { "$_ once" } ('POST /api/partner/v1/messages') x 2, 'POST /automation/' ]
--- error_code eval: [ 202, 429, 429 ]
--- problem eval: [ undef, '429 rate_limited', undef ]
--- envelope eval: [ (undef) x 2, '429 rate_limited' ]
--- raw_response_headers_like eval
[ '', ('(?m)^Retry-After: 3(?:600|59\d)\r$') x 2 ]
