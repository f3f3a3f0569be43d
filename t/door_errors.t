# conf/nginx.conf, as an operator finds it: nginx's own errors in the form of the
# module's, and the most that each path takes. (t/door_bad_request.t has what is no
# request.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Wassiit::DoorBlocks;
use Test::Nginx::Socket;

our $Api = '/api/partner/v1';
our $Key = open_door()->{keys}{all};

# A header alone, of a body that doesn't come, or comes with it.

sub sized {
    my ($path, $size, $body) = @_;
    return "POST $path HTTP/1.1\r\nHost: h\r\nX-API-Key: $Key\r\nConnection: close\r\n"
        . "Content-Length: $size\r\n\r\n" . ($body // '');
}

# nginx goes on to wait for a body, 5 s: not here.
our $Hasty = sub { s/reset_timedout_connection \Kon;/off; lingering_timeout 100ms;/ or die };

add_block_preprocessor(sub {
    my ($block) = @_;

    # the most that a path takes, as a 413 tells it
    $block->set_value(response_body_like =>
        qr/"detail":"A body of this path may have at most $1 bytes\."/)
        if ($block->most // '') =~ /(\d+)/;
});

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: no such path, with a key and without
--- ask eval
[ 'GET /nothing', map { "GET $_ all" }
  qw(/ /index.html /api/partner/v2/messages /automations /problem /@problem) ]
--- problem eval: [ ('404 not_found') x 7 ]


=== TEST 2: paths that are almost one
--- ask eval
[ map { "GET $_ all" } map({ "$::Api$_" } '', '/', '/message', '/messagesx',
  '/conversationsx', '/webhooksx', '/calls/1'), '/docs%0a', '/docs/en%0a' ]
--- problem eval: [ ('404 not_found') x 9 ]


=== TEST 3: a list with a slash behind it, by any method
--- ask eval
[ map { my $list = $_; map { "$_ $::Api/$list/ all" } qw(GET POST DELETE) }
  qw(messages conversations webhooks) ]
--- problem eval: [ ('404 not_found') x 9 ]


=== TEST 4: a backend's own error passes
--- ask: GET /api/partner/v1/messages/a/b all
--- error_code: 404
--- response_body chomp
{"error":"not_found"}


=== TEST 5: 64k are accepted
--- ask: POST /api/partner/v1/messages all
--- body eval: (main::payload('/messages', 65536))[0]
--- error_code: 202


=== TEST 6: a message of a byte more than it may have
--- raw_request eval: main::sized("$::Api/messages", 65537)
--- conf eval: $::Hasty
--- problem: 413 too_large
--- most: 65536


=== TEST 7: an audio of a byte more than it may have
--- raw_request eval: main::sized("$::Api/messages/audio", 16777217)
--- conf eval: $::Hasty
--- problem: 413 too_large
--- most: 16777216


=== TEST 8: a document of a byte more than it may have
--- raw_request eval: main::sized("$::Api/messages/document", 104857601)
--- conf eval: $::Hasty
--- problem: 413 too_large
--- most: 104857600


=== TEST 9: any path below messages of a byte more than it may have
--- raw_request eval: main::sized("$::Api/messages/x", 65537)
--- conf eval: $::Hasty
--- problem: 413 too_large
--- most: 65536


=== TEST 10: a message of 65537 that came with the header
--- raw_request eval: main::sized("$::Api/messages", 65537, 'x' x 65537)
--- problem: 413 too_large
--- most: 65536


=== TEST 11: a message of 70000 that came with the header
--- raw_request eval: main::sized("$::Api/messages", 70000, 'x' x 70000)
--- problem: 413 too_large
--- most: 65536


=== TEST 12: a message of 100000 that came with the header
--- raw_request eval: main::sized("$::Api/messages", 100000, 'x' x 100000)
--- problem: 413 too_large
--- most: 65536


=== TEST 13: audio of 1m is accepted
--- ask: POST /api/partner/v1/messages/audio all
--- body eval: (main::payload('/messages/audio', 2**20))[0]
--- error_code: 202


=== TEST 14: document of 1m is accepted
--- ask: POST /api/partner/v1/messages/document all
--- body eval: (main::payload('/messages/document', 2**20))[0]
--- error_code: 202


=== TEST 15: messages: more than 64k in chunks
--- raw_request eval
"POST $::Api/messages HTTP/1.1\r\nHost: h\r\nX-API-Key: $::Key\r\nConnection: close\r\n"
    . "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    . sprintf("%x\r\n%s\r\n0\r\n\r\n", 70000, 'x' x 70000)
--- problem: 413 too_large
--- most: 65536


=== TEST 16: webhooks: more than 64k in chunks
--- raw_request eval
"POST $::Api/webhooks HTTP/1.1\r\nHost: h\r\nX-API-Key: $::Key\r\nConnection: close\r\n"
    . "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    . sprintf("%x\r\n%s\r\n0\r\n\r\n", 70000, 'x' x 70000)
--- problem: 413 too_large
--- most: 65536


=== TEST 17: a long path
--- ask eval: "GET $::Api/messages/" . 'x' x 9000 . ' all'
--- problem: 414 uri_too_long


=== TEST 18: a key of 9000 bytes
--- ask: GET /api/partner/v1/messages/1
--- more_headers eval: 'X-API-Key: ' . 'x' x 9000
--- problem: 400 bad_request


=== TEST 19: a key of 8000 bytes
--- ask: GET /api/partner/v1/messages/1
--- more_headers eval: 'X-API-Key: ' . 'x' x 8000
--- problem: 401 invalid_key


=== TEST 20: two keys
--- ask: GET /api/partner/v1/messages/1 all
--- more_headers eval: "X-API-Key: $::Key"
--- problem: 400 duplicate_header


=== TEST 21: two keys: the connection stays open
--- pipelined_requests eval: [ ("GET $::Api/messages/1") x 2 ]
--- more_headers eval: "X-API-Key: $::Key\nX-API-Key: $::Key"
--- problem eval: [ ('400 duplicate_header') x 2 ]


=== TEST 22: messages: a payload that breaks the rules is told why, and counted
--- ask eval: [ ("POST $::Api/messages hourly") x 2 ]
--- body: {"to": "0600", "text": ""}
--- problem eval: [ ('400 invalid_payload') x 2 ]
--- pointers eval: [ ('#/to #/text') x 2 ]
--- limit eval: [ map { "1000 3600 $_" } 999, 998 ]


=== TEST 23: calls: a payload that breaks the rules is told why, and counted
--- ask eval: [ ("POST $::Api/calls hourly") x 2 ]
--- body: {"to": "+212600000000"}
--- problem eval: [ ('400 invalid_payload') x 2 ]
--- pointers eval: [ ('#/type') x 2 ]
--- limit eval: [ map { "1000 3600 $_" } 999, 998 ]


=== TEST 24: messages/audio: a payload that breaks the rules is told why, and counted
--- ask eval: [ ("POST $::Api/messages/audio hourly") x 2 ]
--- body: --edge--
--- problem eval: [ ('400 invalid_payload') x 2 ]
--- pointers eval: [ ('#/to #/file') x 2 ]
--- limit eval: [ map { "1000 3600 $_" } 999, 998 ]


=== TEST 25: messages/document: a payload that breaks the rules is told why, and counted
--- ask eval: [ ("POST $::Api/messages/document hourly") x 2 ]
--- body: --edge
--- problem eval: [ ('400 invalid_payload') x 2 ]
--- pointers eval: [ ('#') x 2 ]
--- limit eval: [ map { "1000 3600 $_" } 999, 998 ]


=== TEST 26: no messaging backend
--- sandbox: none
--- ask: POST /api/partner/v1/messages all
--- allow_log: \[crit\].* connect\(\) to unix:
--- problem: 502 bad_gateway
--- response_headers
! Allow


=== TEST 27: no wap.cm
--- sandbox: none
--- ask: POST /automation/ all
--- allow_log: \[crit\].* connect\(\) to unix:
--- envelope: 502 bad_gateway
