# nginx's own 400: where error_page leads any error to wassiit_problem, it has
# that form, in place. (t/bad_request_pages.t has what wins, t/bad_request_http2.t
# HTTP/2, HTTP/3, and HTTP to a port of HTTPS.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Answer;
use Test::Nginx::Socket;

our $Host = "Host: localhost\r\n";
our $Key = "X-API-Key: atlas-key\r\n";
our $Bad = "HTTP/1.1\r\n$Host${Key}Transfer-Encoding: chunked\r\n\r\nzz\r\n";

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(partners => '{"id":"atlas","rate":"1000r/s","key":"atlas-key"}');
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
        log_format asked '"$request" $request_method $status $wassiit_decision';
        large_client_header_buffers 2 1k;
        server {
            listen 127.0.0.1:$TEST_NGINX_PORT_2;
            access_log off;
            location / { default_type text/html; return 200 'backend'; }
        }
END
    $block->set_value(config => <<'END'
        access_log logs/access.log asked;
        add_header X-Instance $request_id always;
        error_page 404 @problem;
        wassiit_access api;

        location /return { wassiit_access off; return 400; }
        location /message { wassiit_payload message; proxy_pass http://backend; }
        location /proxy/ { proxy_pass http://backend; }
        location /streamed {
            proxy_request_buffering off;
            proxy_http_version 1.1;
            proxy_pass http://backend;
        }
        location /envelope/ {
            wassiit_errors envelope;
            location /envelope/return { wassiit_access off; return 400; }
            location /envelope/proxy { proxy_pass http://backend; }
        }
        location = /rewritten { wassiit_access off; rewrite ^ /envelope/proxy last; }
        location = /tried { wassiit_access off; try_files /none /envelope/return; }
        location = /at { error_page 429 @envelope; wassiit_access off; return 400; }
        location = /path { error_page 429 /envelope-page; wassiit_access off; return 400; }
        location = /led { error_page 404 /return; wassiit_access off; return 404; }
        location = /first { error_page 401 @second; proxy_pass http://backend; }
        location @second { wassiit_errors envelope; wassiit_access off; return 400; }
        location @problem { wassiit_access off; wassiit_problem; }
        location @envelope { wassiit_access off; wassiit_errors envelope; wassiit_problem; }
        location = /envelope-page {
            internal;
            wassiit_access off;
            wassiit_errors envelope;
            wassiit_problem;
        }
END
        =~ s{http://backend\b}{http://127.0.0.1:\$TEST_NGINX_PORT_2}gr);
    $block->set_value(response_headers => 'Connection: close')
        if grep { defined $block->$_ && $block->$_ =~ /400 bad_request/ } qw(problem envelope);
});

log_level('info');
no_long_string();
no_root_location();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: a byte in the method
--- raw_request eval: "GET\x01 / HTTP/1.1\r\n$::Host\r\n"
--- problem: 400 bad_request


=== TEST 2: no path
--- raw_request eval: "GET HTTP/1.1\r\n$::Host\r\n"
--- problem: 400 bad_request


=== TEST 3: a path above the root
--- raw_request eval: "GET /../.. HTTP/1.1\r\n$::Host\r\n"
--- problem: 400 bad_request


=== TEST 4: a NUL in the path
--- raw_request eval: "GET /\0 HTTP/1.1\r\n$::Host\r\n"
--- problem: 400 bad_request


=== TEST 5: TLS
--- raw_request eval: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\0" x 40
--- problem: 400 bad_request


=== TEST 6: no host
--- raw_request eval: "GET / HTTP/1.1\r\n\r\n"
--- problem: 400 bad_request
--- response_body_unlike: <


=== TEST 7: two hosts
--- raw_request eval: "GET / HTTP/1.1\r\n$::Host$::Host\r\n"
--- problem: 400 bad_request


=== TEST 8: no host that can be
--- raw_request eval: "GET /envelope/return HTTP/1.1\r\nHost: a/b\r\n\r\n"
--- problem: 400 bad_request


=== TEST 9: a NUL in a field
--- raw_request eval: "GET / HTTP/1.1\r\n$::Host" . "X-A: a\0b\r\n\r\n"
--- problem: 400 bad_request


=== TEST 10: a field that is too large
--- raw_request eval: "GET / HTTP/1.1\r\n$::Host" . "X-A: " . "x" x 3000 . "\r\n\r\n"
--- problem: 400 bad_request


=== TEST 11: a length that is none
--- raw_request eval: "POST / HTTP/1.1\r\n$::Host" . "Content-Length: x\r\n\r\n"
--- problem: 400 bad_request


=== TEST 12: a bad chunk
--- raw_request eval: "POST /proxy/ $::Bad"
--- problem: 400 bad_request
--- limit: 1000 1 999


=== TEST 13: a bad chunk where bodies are looked at
--- raw_request eval
"POST /message " . $::Bad =~ s{\r\n\r\n}{\r\nContent-Type: application/json\r\n\r\n}r
--- problem: 400 bad_request


=== TEST 14: a bad chunk that is passed on as it comes
--- raw_request eval: "POST /streamed $::Bad"
--- problem: 400 bad_request


=== TEST 15: return
--- raw_request eval: "GET /return HTTP/1.1\r\n$::Host\r\n"
--- problem: 400 bad_request
--- response_body_unlike: HTTPS


=== TEST 16: return after an error
--- raw_request eval: "GET /led HTTP/1.1\r\n$::Host\r\n"
--- problem: 400 bad_request


=== TEST 17: HTTP/1.0
--- raw_request eval: "GET /return HTTP/1.0\r\n\r\n"
--- problem: 400 bad_request


=== TEST 18: HTTP/0.9: the body alone
--- raw_request eval: "GET /return\r\n"
--- http09
--- response_body_like: ^\{"type":.*"status":400,"code":"bad_request",.*\}$


=== TEST 19: HEAD: the headers, and no body
--- raw_request eval: "HEAD /return HTTP/1.1\r\n$::Host\r\n"
--- error_code: 400
--- response_headers
Content-Type: application/problem+json
Connection: close
--- raw_response_headers_like: (?m)^Content-Length: [1-9]\d\d\r$
--- response_body eval: ''


=== TEST 20: in the envelope: a bad chunk
--- raw_request eval: "POST /envelope/proxy $::Bad"
--- envelope: 400 bad_request
--- logged: "POST /envelope/proxy HTTP/1.1" POST 400 allowed


=== TEST 21: in the envelope: a bad chunk, rewritten
--- raw_request eval: "POST /rewritten $::Bad"
--- envelope: 400 bad_request


=== TEST 22: in the envelope: return
--- raw_request eval: "GET /envelope/return HTTP/1.1\r\n$::Host\r\n"
--- envelope: 400 bad_request


=== TEST 23: in the envelope: return behind try_files
--- raw_request eval: "GET /tried HTTP/1.1\r\n$::Host\r\n"
--- envelope: 400 bad_request


=== TEST 24: in the envelope: another wassiit_problem
--- raw_request eval: "GET /at HTTP/1.1\r\n$::Host\r\n"
--- envelope: 400 bad_request


=== TEST 25: in the envelope: one with a path
--- raw_request eval: "GET /path HTTP/1.1\r\n$::Host\r\n"
--- envelope: 400 bad_request


=== TEST 26: in the envelope: return where a refusal was led
--- raw_request eval: "GET /first HTTP/1.1\r\n$::Host\r\n"
--- envelope: 400 bad_request


=== TEST 27: what was no request is logged as it was sent
--- raw_request eval: "GET / HTTP/1.1\r\n\r\n"
--- problem: 400 bad_request
--- logged eval: qr{^"GET / HTTP/1\.1" GET 400 -$}
