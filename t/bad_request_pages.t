# What nginx's own 400 leaves as it is: a page that the operator has for 400 wins, and
# a backend's 400 and the module's own are what they were.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Answer;
use Test::Nginx::Socket;

our $Host = "Host: localhost\r\n";
our $Bad = "HTTP/1.1\r\n${Host}X-API-Key: atlas-key\r\n"
    . "Transfer-Encoding: chunked\r\n\r\nzz\r\n";

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(partners => '{"id":"atlas","rate":"1000r/s","key":"atlas-key",'
        . '"scopes":["webhooks.manage"]}');
    $block->set_value(user_files => ">>> own.html\nown page");
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
        log_format asked '"$request" $request_method $status $wassiit_decision';
        large_client_header_buffers 2 1k;
        map '' $nowhere { default ''; }
        server {
            listen 127.0.0.1:$TEST_NGINX_PORT_2;
            access_log off;
            location / { default_type text/html; return 200 'backend'; }
            location /400 { default_type text/html; return 400 'own 400'; }
            location /own { default_type text/html; return 200 'own page'; }
        }
END
    my $config = $block->config // <<'END';
        access_log logs/access.log asked;
        error_page 404 @problem;
        wassiit_access api;

        location /text { wassiit_access off; return 400 'my own'; }
        location /message { wassiit_payload message; proxy_pass http://backend; }
        location /proxy/ { proxy_pass http://backend; }
        location /passed/ { proxy_pass http://backend/; }
        location /intercepted/ { proxy_intercept_errors on; proxy_pass http://backend/; }
        location /admin/ { wassiit_scope webhooks.manage; wassiit_admin api; }
        location @problem { wassiit_access off; wassiit_problem; }
        location = /none { error_page 404 =200 /empty; wassiit_access off; return 400; }
        location = /empty { return 204; }
        location = /variable {
            error_page 404 $nowhere/envelope;
            wassiit_access off;
            return 400;
        }

        location = /envelope { wassiit_access off; wassiit_errors envelope; wassiit_problem; }

        # a page of one's own for 400, in each way
        location = /own/file { error_page 400 /own.html; proxy_pass http://backend; }
        location = /own/return { error_page 400 /said; proxy_pass http://backend; }
        location = /own/named { error_page 400 @said; proxy_pass http://backend; }
        location = /own/backend { error_page 400 /page; proxy_pass http://backend; }
        location = /own/other { error_page 400 =200 /said; proxy_pass http://backend; }
        location = /own/becomes { error_page 404 =400 /said; wassiit_access off; return 404; }
        location = /own/away { error_page 400 https://other.example/; proxy_pass http://backend; }
        location = /own/problem { error_page 400 @problem; proxy_pass http://backend; }
        location = /own.html { wassiit_access off; root html; }
        location = /said { wassiit_access off; default_type text/html; return 200 'own page'; }
        location @said { wassiit_access off; default_type text/html; return 200 'own page'; }
        location = /page { wassiit_access off; proxy_pass http://backend/own; }
END
    $block->set_value(config => $config
        =~ s{http://backend\b}{http://127.0.0.1:\$TEST_NGINX_PORT_2}gr);
});

log_level('info');
no_long_string();
no_root_location();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: a text is no page
--- request: GET /text
--- error_code: 400
--- response_body chomp
my own


=== TEST 2: the backend's own, as it comes
--- request: GET /passed/400
--- more_headers
X-API-Key: atlas-key
--- error_code: 400
--- response_body chomp
own 400
--- response_headers
Content-Type: text/html


=== TEST 3: the backend's own, intercepted
--- request: GET /intercepted/400
--- more_headers
X-API-Key: atlas-key
--- error_code: 400
--- response_body chomp
own 400
--- response_headers
Content-Type: text/html


=== TEST 4: the admin endpoint's own says why
--- request: GET /admin/partners?limit=0
--- more_headers
X-API-Key: atlas-key
--- error_code: 400
--- response_body_like: "code":"bad_request".*"detail":"[^"]*limit


=== TEST 5: a payload's refusal, and an answer behind it: the connection stays open
--- pipelined_requests eval: [ ("POST /message\n{}") x 2, 'GET /proxy/' ]
--- more_headers
X-API-Key: atlas-key
Content-Type: application/json
--- problem eval: [ ('400 invalid_payload') x 2, undef ]
--- response_body_like eval: [ '', '', '^backend$' ]
--- access_log
"POST /message HTTP/1.1" POST 400 invalid_payload


=== TEST 6: a header twice, and an answer behind it: the connection stays open
--- pipelined_requests eval: [ ('GET /proxy/') x 3 ]
--- more_headers eval
[ ("X-API-Key: atlas-key\nX-API-Key: atlas-key") x 2, 'X-API-Key: atlas-key' ]
--- problem eval: [ ('400 duplicate_header') x 2, undef ]
--- response_body_like eval: [ '', '', '^backend$' ]


=== TEST 7: error_page 400 to a file wins
--- raw_request eval: "POST /own/file $::Bad"
--- error_code: 400
--- response_body chomp
own page


=== TEST 8: error_page 400 to a path wins
--- raw_request eval: "POST /own/return $::Bad"
--- error_code: 400
--- response_body chomp
own page


=== TEST 9: error_page 400 to a named location wins
--- raw_request eval: "POST /own/named $::Bad"
--- error_code: 400
--- response_body chomp
own page


=== TEST 10: error_page 400 to a backend wins
--- raw_request eval: "POST /own/backend $::Bad"
--- error_code: 400
--- response_body chomp
own page


=== TEST 11: error_page 400 =200 wins
--- raw_request eval: "POST /own/other $::Bad"
--- error_code: 200
--- response_body chomp
own page


=== TEST 12: error_page 404 =400 wins
--- raw_request eval: "GET /own/becomes HTTP/1.0\r\n\r\n"
--- error_code: 400
--- response_body chomp
own page


=== TEST 13: error_page 400 to another site wins
--- raw_request eval: "POST /own/away $::Bad"
--- error_code: 302
--- response_headers
Location: https://other.example/


=== TEST 14: error_page 400 to wassiit_problem
--- raw_request eval: "POST /own/problem $::Bad"
--- problem: 400 bad_request
--- response_headers
Connection: close


=== TEST 15: a wassiit_problem that answers nothing: nginx's page stays
--- raw_request eval: "GET /none HTTP/1.1\r\n$::Host\r\n"
--- error_code: 400
--- response_headers
Content-Type: text/html
--- response_body_like: ^<html>\r\n<head><title>400 Bad Request</title>


=== TEST 16: a wassiit_problem whose place a variable names: nginx's page stays
--- raw_request eval: "GET /variable HTTP/1.1\r\n$::Host\r\n"
--- error_code: 400
--- response_headers
Content-Type: text/html
--- response_body_like: ^<html>\r\n<head><title>400 Bad Request</title>


=== TEST 17: no wassiit_problem: nginx's page stays
--- config
wassiit_access api;
error_page 404 /x;
location = /x { return 204; }
location = /return { wassiit_access off; return 400; }
--- raw_request eval: "GET /return HTTP/1.1\r\n$::Host\r\n"
--- error_code: 400
--- response_headers
Content-Type: text/html
--- response_body_like: ^<html>\r\n<head><title>400 Bad Request</title>


=== TEST 18: no wassiit_problem, and no path: nginx's page stays
--- config
wassiit_access api;
error_page 404 /x;
location = /x { return 204; }
location = /return { wassiit_access off; return 400; }
--- raw_request eval: "GET HTTP/1.1\r\n$::Host\r\n"
--- error_code: 400
--- response_body_like: <title>400


=== TEST 19: bad_request, led by name to a named location before there is a path
--- config
error_page 400 414 505 @problem;
location / { return 204; }
location @problem { wassiit_errors envelope; wassiit_problem; }
--- raw_request eval: "GET\x01 / HTTP/1.1\r\n$::Host\r\n"
--- envelope: 400 bad_request
--- response_body_like: \A\{.*\}\z


=== TEST 20: uri_too_long, led by name to a named location before there is a path
--- config
error_page 400 414 505 @problem;
location / { return 204; }
location @problem { wassiit_errors envelope; wassiit_problem; }
--- raw_request eval: "GET /" . "x" x 3000 . " HTTP/1.1\r\n\r\n"
--- envelope: 414 uri_too_long
--- response_body_like: \A\{.*\}\z


=== TEST 21: http_version_not_supported, led by name to a named location before there is a path
--- config
error_page 400 414 505 @problem;
location / { return 204; }
location @problem { wassiit_errors envelope; wassiit_problem; }
--- raw_request eval: "GET / HTTP/3.0\r\n\r\n"
--- envelope: 505 http_version_not_supported
--- response_body_like: \A\{.*\}\z
