# wassiit_problem: nginx's own errors in the form of the module's, which is that of
# the location that failed.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Answer;
use IO::Socket::INET;
use Test::Nginx::Socket;

# One that takes connections and says nothing; nobody listens at PORT_3.
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8) or die "listen: $!";
$ENV{TEST_NGINX_SILENT_PORT} = $silent->sockport;

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(partners => '{"id":"fine","rate":"1000r/d","key":"fine-key"}');
    $block->set_value(user_files => ">>> own/on.html\nown page\n");
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
        large_client_header_buffers 2 1k;
END
    $block->set_value(config => <<'END') unless defined $block->config;
        add_header X-Instance $request_id always;
        error_page 400 404 405 413 414 415 494 500 502 503 504 @problem;
        location @problem { wassiit_problem; }
        location = /problem { wassiit_problem; }
        location = /guarded { wassiit_access api; wassiit_problem; }
        location = /envelope { wassiit_errors envelope; wassiit_problem; }
        location / { client_max_body_size 10; }
        location /413 { return 413; }
        location /415 { return 415; }
        location /500 { return 500; }
        location /503 { return 503; }
        location /502 { proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_3; }
        location /504 {
            proxy_pass http://127.0.0.1:$TEST_NGINX_SILENT_PORT;
            proxy_read_timeout 100ms;
        }
        location /enveloped/ {
            wassiit_errors envelope;
            client_max_body_size 10;
            location /enveloped/404 { return 404; }
            location /enveloped/405 { if ($request_method = GET) { return 405; } }
            location ~ /enveloped/5(0)2 { proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_3; }
            location /enveloped/led {
                error_page 502 = @problem;
                proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_3;
            }
            location /enveloped/not { wassiit_errors problem; return 404; }
            location /enveloped/in/ { }
        }
        location ^~ /first/ { wassiit_errors envelope; location /first/in/ { } }
        location ~ \.regex$ { return 404; }
        location /led {
            error_page 502 = @problem;
            proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_3;
        }
        location /led/silent {
            error_page 504 = @problem;
            proxy_pass http://127.0.0.1:$TEST_NGINX_SILENT_PORT;
            proxy_read_timeout 100ms;
        }
        location /led/here { error_page 403 = @problem; return 403; }
END
});

log_level('info');
no_long_string();
no_root_location();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: a file that isn't there, by GET and HEAD
--- request eval: [ 'GET /nothing', 'HEAD /nothing' ]
--- error_code eval: [ 404, 404 ]
--- problem eval: [ '404 not_found', undef ]
--- response_body_like eval: [ '', '\A\z' ]


=== TEST 2: a 415, by GET and HEAD
--- request eval: [ 'GET /415', 'HEAD /415' ]
--- error_code eval: [ 415, 415 ]
--- problem eval: [ '415 unsupported_media_type', undef ]
--- response_body_like eval: [ '', '\A\z' ]


=== TEST 3: a 500, by GET and HEAD
--- request eval: [ 'GET /500', 'HEAD /500' ]
--- error_code eval: [ 500, 500 ]
--- problem eval: [ '500 internal_error', undef ]
--- response_body_like eval: [ '', '\A\z' ]


=== TEST 4: a backend that is gone, by GET and HEAD
--- request eval: [ 'GET /502', 'HEAD /502' ]
--- error_code eval: [ 502, 502 ]
--- problem eval: [ '502 bad_gateway', undef ]
--- response_body_like eval: [ '', '\A\z' ]


=== TEST 5: a 503, by GET and HEAD
--- request eval: [ 'GET /503', 'HEAD /503' ]
--- error_code eval: [ 503, 503 ]
--- problem eval: [ '503 unavailable', undef ]
--- response_body_like eval: [ '', '\A\z' ]


=== TEST 6: a backend that says nothing, by GET and HEAD
--- request eval: [ 'GET /504', 'HEAD /504' ]
--- error_code eval: [ 504, 504 ]
--- problem eval: [ '504 gateway_timeout', undef ]
--- response_body_like eval: [ '', '\A\z' ]


=== TEST 7: a location itself, asked for, by GET and HEAD
--- request eval: [ 'GET /problem', 'HEAD /problem' ]
--- error_code eval: [ 404, 404 ]
--- problem eval: [ '404 not_found', undef ]
--- response_body_like eval: [ '', '\A\z' ]


=== TEST 8: a location itself, with access, by GET and HEAD
--- request eval: [ 'GET /guarded', 'HEAD /guarded' ]
--- error_code eval: [ 404, 404 ]
--- problem eval: [ '404 not_found', undef ]
--- response_body_like eval: [ '', '\A\z' ]


=== TEST 9: a location's own form, by GET and HEAD
--- request eval: [ 'GET /envelope', 'HEAD /envelope' ]
--- error_code eval: [ 404, 404 ]
--- envelope eval: [ '404 not_found', undef ]
--- response_body_like eval: [ '', '\A\z' ]


=== TEST 10: by HTTP/1.0
--- request: GET /nothing HTTP/1.0
--- problem: 404 not_found


=== TEST 11: POST to a file
--- request
POST /own/on.html
x
--- problem: 405 method_not_allowed


=== TEST 12: a body that is too large: the largest is told
--- request eval: "POST /x\n" . 'x' x 11
--- problem: 413 too_large
--- response_body_like: \bmay have at most 10 bytes\b


=== TEST 13: a body that is far too large
--- request eval: "POST /x\n" . 'x' x 10_000_000
--- problem: 413 too_large


=== TEST 14: a 413 that is none: no size is told
--- request eval: "POST /413\n" . 'x' x 10
--- problem: 413 too_large
--- response_body_unlike: at most


=== TEST 15: a path that is too long
--- request eval: 'GET /' . 'x' x 3000
--- problem: 414 uri_too_long


=== TEST 16: a header that is too large
--- request: GET /x
--- more_headers eval: 'X-Big: ' . 'x' x 3000
--- problem: 400 bad_request


=== TEST 17: the form of the location that failed
--- request: GET /enveloped/x
--- envelope: 404 not_found


=== TEST 18: the form of the location that failed: return made it
--- request: GET /enveloped/404
--- envelope: 404 not_found


=== TEST 19: the form of the location that failed: "if" made it
--- request: GET /enveloped/405
--- envelope: 405 method_not_allowed


=== TEST 20: the form of the location that failed: a backend that is gone, by a regular expression
--- request: GET /enveloped/502
--- envelope: 502 bad_gateway


=== TEST 21: the form of the location that failed: a backend is gone, by "error_page 502 = @problem"
--- request: GET /enveloped/led
--- envelope: 502 bad_gateway


=== TEST 22: the form of the location that failed: a body that is too large
--- request eval: "POST /enveloped/x\n" . 'x' x 11
--- envelope: 413 too_large


=== TEST 23: as nginx finds a location, a regular expression within the location of another form
--- request: GET /enveloped/in/x.regex
--- problem: 404 not_found


=== TEST 24: as nginx finds a location, a regular expression in another form's location
--- request: GET /enveloped/x.regex
--- problem: 404 not_found


=== TEST 25: as nginx finds a location, a regular expression anywhere
--- request: GET /x.regex
--- problem: 404 not_found


=== TEST 26: as nginx finds a location, a regular expression behind "^~"
--- request: GET /first/in/x.regex
--- envelope: 404 not_found


=== TEST 27: one within that has another form
--- request: GET /enveloped/not
--- problem: 404 not_found


=== TEST 28: "error_page 502 = @problem" is a 502
--- request: GET /led
--- problem: 502 bad_gateway


=== TEST 29: "error_page 504 = @problem" is a 504
--- request: GET /led/silent
--- problem: 504 gateway_timeout


=== TEST 30: "error_page 403 = @problem" without a backend: nobody knows
--- request: GET /led/here
--- problem: 404 not_found


=== TEST 31: a server without locations
--- config
error_page 404 @problem;
location @problem { wassiit_problem; }
--- request: GET /x
--- problem: 404 not_found


=== TEST 32: 502 of a partner, in the envelope, with its limit
--- config
wassiit_access api;
wassiit_errors envelope;
location @problem { wassiit_problem; }
location /gone/ { error_page 502 @problem; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_3; }
location /static/ { alias html/own/; error_page 404 405 @problem; }
--- request: GET /gone/
--- more_headers
X-API-Key: fine-key
--- envelope: 502 bad_gateway
--- response_headers
X-RateLimit-Limit: 1000


=== TEST 33: 404 of a partner, in the envelope, with its limit
--- config
wassiit_access api;
wassiit_errors envelope;
location @problem { wassiit_problem; }
location /gone/ { error_page 502 @problem; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_3; }
location /static/ { alias html/own/; error_page 404 405 @problem; }
--- request: GET /static/x
--- more_headers
X-API-Key: fine-key
--- envelope: 404 not_found
--- response_headers
X-RateLimit-Limit: 1000


=== TEST 34: 405 of a partner, in the envelope, with its limit
--- config
wassiit_access api;
wassiit_errors envelope;
location @problem { wassiit_problem; }
location /gone/ { error_page 502 @problem; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_3; }
location /static/ { alias html/own/; error_page 404 405 @problem; }
--- request: POST /static/on.html
--- more_headers
X-API-Key: fine-key
--- envelope: 405 method_not_allowed
--- response_headers
X-RateLimit-Limit: 1000
