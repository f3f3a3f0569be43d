# conf/nginx.conf, as an operator finds it: what is no request gets an error in the
# form of the module's, at both servers, and the connection ends.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::DoorBlocks;
use Test::Nginx::Socket;

our $Api = '/api/partner/v1';
our $Key = open_door()->{keys}{all};

# nginx goes on to wait for a body, 5 s: not here.
our $Hasty = sub { s/reset_timedout_connection \Kon;/off; lingering_timeout 100ms;/ or die };

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: an unknown coding
--- raw_request eval: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: zip\r\n\r\n"
--- problem: 501 not_implemented


=== TEST 2: a version of the future
--- raw_request eval: "GET / HTTP/3.0\r\nHost: a\r\n\r\n"
--- problem: 505 http_version_not_supported


=== TEST 3: no Host
--- raw_request eval: "GET / HTTP/1.1\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 4: a Host that is none
--- raw_request eval: "GET /automation/ HTTP/1.1\r\nHost: a/b\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 5: a bad line
--- raw_request eval: "GET / HTTP/1.1\r\nHost: a\r\nX-A: \0\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 6: a large line, and the log has its method
--- raw_request eval
"POST $::Api/calls HTTP/1.1\r\nHost: a\r\nX-A: " . 'x' x 9000 . "\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close
--- logged eval: qr{"POST $::Api/calls" 400 \d+ partner=- }


=== TEST 7: no request
--- raw_request eval: "nonsense\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 8: no method
--- raw_request eval: "\x01 / HTTP/1.1\r\nHost: a\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 9: two Hosts
--- raw_request eval: "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 10: a path that is none
--- raw_request eval: "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 11: a length, and chunks
--- raw_request eval
"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
--- conf eval: $::Hasty
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 12: an unknown coding, at the admin server
--- server: admin
--- raw_request eval: "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: zip\r\n\r\n"
--- problem: 501 not_implemented


=== TEST 13: a version of the future, at the admin server
--- server: admin
--- raw_request eval: "GET / HTTP/3.0\r\nHost: a\r\n\r\n"
--- problem: 505 http_version_not_supported


=== TEST 14: no Host, at the admin server
--- server: admin
--- raw_request eval: "GET / HTTP/1.1\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 15: a Host that is none, at the admin server
--- server: admin
--- raw_request eval: "GET /automation/ HTTP/1.1\r\nHost: a/b\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 16: a bad line, at the admin server
--- server: admin
--- raw_request eval: "GET / HTTP/1.1\r\nHost: a\r\nX-A: \0\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 17: a large line, and the log has its method, at the admin server
--- server: admin
--- raw_request eval
"POST $::Api/calls HTTP/1.1\r\nHost: a\r\nX-A: " . 'x' x 9000 . "\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 18: no request, at the admin server
--- server: admin
--- raw_request eval: "nonsense\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 19: no method, at the admin server
--- server: admin
--- raw_request eval: "\x01 / HTTP/1.1\r\nHost: a\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 20: two Hosts, at the admin server
--- server: admin
--- raw_request eval: "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 21: a path that is none, at the admin server
--- server: admin
--- raw_request eval: "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 22: a length, and chunks, at the admin server
--- server: admin
--- raw_request eval
"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
--- conf eval: $::Hasty
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 23: messages: a body in chunks that has none
--- raw_request eval
"POST $::Api/messages HTTP/1.1\r\nHost: a\r\nX-API-Key: $::Key\r\nTransfer-Encoding: chunked\r\n"
    . "Content-Type: application/json\r\n\r\nzz\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 24: webhooks: a body in chunks that has none
--- raw_request eval
"POST $::Api/webhooks HTTP/1.1\r\nHost: a\r\nX-API-Key: $::Key\r\nTransfer-Encoding: chunked\r\n"
    . "Content-Type: application/json\r\n\r\nzz\r\n"
--- problem: 400 bad_request
--- response_headers
Connection: close
