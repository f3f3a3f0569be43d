# What is no refusal's form: the operator's pages win, and the backend's errors and
# nginx's own stay as they are.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Answer;
use Test::Nginx::Socket;

my $json = JSON::PP->new->canonical;
my $partners = join "\n", map { $json->encode($_) }
    partner('fine', 'fine-key', rate => '1000r/d'),
    partner('none', 'none-key', scopes => []);

our $Replaced = <<'END';
location /replaced/ {
    proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2/;
    proxy_intercept_errors on;
    error_page 401 403 429 @problem;
}
END

add_block_preprocessor(sub {
    my ($block) = @_;
    my $more = $block->config;

    $block->set_value(partners => $partners);
    $block->set_value(user_files => ">>> own/on.html\nown page\n>>> own/off.html\nown page\n");
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
        server {
            listen 127.0.0.1:$TEST_NGINX_PORT_2;
            default_type text/x-own;
            add_header X-Own $uri always;
            location /401 {
                add_header X-Own $uri always;
                add_header WWW-Authenticate 'Own realm="own"' always;
                return 401 'own 401';
            }
            location /403 { return 403 'own 403'; }
            location /429 {
                add_header X-Own $uri always;
                add_header Retry-After 77 always;
                return 429 'own 429';
            }
            location /200 { return 200 'own 200'; }
        }
END
    $block->set_value(config => <<"END");
        wassiit_access api;
        location \@problem { wassiit_problem; }
        $more
END
    $block->set_value(more_headers => 'X-API-Key: ' . $block->key) if defined $block->key;
});

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: an error_page that is a file wins, its access on or off
--- config
location /to/on { error_page 401 /own/on.html; }
location /to/off { error_page 401 /own/off.html; }
location /own/on.html { }
location /own/off.html { wassiit_access off; }
--- request eval: [ 'GET /to/on', 'GET /to/off' ]
--- error_code eval: [ 401, 401 ]
--- response_body eval: [ ("own page\n") x 2 ]
--- response_headers eval: [ ('WWW-Authenticate: ApiKey realm="api"') x 2 ]


=== TEST 2: an error_page that is a named location wins
--- config
location /to/on { error_page 401 @on; }
location /to/off { error_page 401 @off; }
location @on { rewrite ^ /200 break; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2; }
location @off {
    wassiit_access off;
    rewrite ^ /200 break;
    proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
}
--- request eval: [ 'GET /to/on', 'GET /to/off' ]
--- error_code eval: [ 401, 401 ]
--- response_body eval: [ ('own 200') x 2 ]
--- response_headers eval: [ ('WWW-Authenticate: ApiKey realm="api"') x 2 ]


=== TEST 3: an error_page =200 wins, without a challenge
--- config
location /to/on { error_page 401 =200 @on; }
location /to/off { error_page 401 =200 @off; }
location @on { rewrite ^ /200 break; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2; }
location @off {
    wassiit_access off;
    rewrite ^ /200 break;
    proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
}
--- request eval: [ 'GET /to/on', 'GET /to/off' ]
--- error_code eval: [ 200, 200 ]
--- response_body eval: [ ('own 200') x 2 ]
--- response_headers eval: [ ('! WWW-Authenticate') x 2 ]


=== TEST 4: an error_page that is a backend wins, without a challenge
--- config
location /to/on { error_page 401 = /backend/200; }
location /to/off { error_page 401 = /open/200; }
location /backend/ { proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2/; }
location /open/ { wassiit_access off; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2/; }
--- request eval: [ 'GET /to/on', 'GET /to/off' ]
--- error_code eval: [ 200, 200 ]
--- response_body eval: [ ('own 200') x 2 ]
--- response_headers eval: [ ('! WWW-Authenticate') x 2 ]


=== TEST 5: an error_page to another site
--- config
location /to/away { error_page 401 https://example.org/; }
--- request: GET /to/away
--- error_code: 302
--- response_body_like: 302 Found


=== TEST 6: an error_page to a backend whose own answer is 429
--- config
location /to { error_page 401 = /open/429; }
location /open/ { wassiit_access off; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2/; }
--- request: GET /to
--- error_code: 429
--- response_body chomp
own 429
--- response_headers
Retry-After: 77


=== TEST 7: an error_page to a backend whose own answer is 401
--- config
location /to { error_page 401 403 = /open/401; wassiit_scope calls.initiate; }
location /open/ { wassiit_access off; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2/; }
--- request: GET /to
--- key: none-key
--- error_code: 401
--- response_body chomp
own 401
--- response_headers
WWW-Authenticate: Own realm="own"


=== TEST 8: the backend's own 401
--- config
location /backend/ { proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2/; }
--- request: GET /backend/401
--- key: fine-key
--- error_code: 401
--- response_body chomp
own 401
--- response_headers
Content-Type: text/x-own
X-Own: /401
WWW-Authenticate: Own realm="own"
! Retry-After


=== TEST 9: the backend's own 403
--- config
location /backend/ { proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2/; }
--- request: GET /backend/403
--- key: fine-key
--- error_code: 403
--- response_body chomp
own 403
--- response_headers
Content-Type: text/x-own
X-Own: /403
! WWW-Authenticate
! Retry-After


=== TEST 10: the backend's own 429
--- config
location /backend/ { proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2/; }
--- request: GET /backend/429
--- key: fine-key
--- error_code: 429
--- response_body chomp
own 429
--- response_headers
Content-Type: text/x-own
X-Own: /429
! WWW-Authenticate
Retry-After: 77


=== TEST 11: the backend's own 401, intercepted with no page for it
--- config
location /backend/ { proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2/; proxy_intercept_errors on; }
--- request: GET /backend/401
--- key: fine-key
--- error_code: 401
--- response_body chomp
own 401
--- response_headers
Content-Type: text/x-own
X-Own: /401
WWW-Authenticate: Own realm="own"
! Retry-After


=== TEST 12: the backend's own 403, intercepted with no page for it
--- config
location /backend/ { proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2/; proxy_intercept_errors on; }
--- request: GET /backend/403
--- key: fine-key
--- error_code: 403
--- response_body chomp
own 403
--- response_headers
Content-Type: text/x-own
X-Own: /403
! WWW-Authenticate
! Retry-After


=== TEST 13: the backend's own 429, intercepted with no page for it
--- config
location /backend/ { proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2/; proxy_intercept_errors on; }
--- request: GET /backend/429
--- key: fine-key
--- error_code: 429
--- response_body chomp
own 429
--- response_headers
Content-Type: text/x-own
X-Own: /429
! WWW-Authenticate
Retry-After: 77


=== TEST 14: the backend's 401 isn't taken for ours by wassiit_problem
--- config eval: $::Replaced
--- request: GET /replaced/401
--- key: fine-key
--- error_code: 401
--- response_body_like: "code":"unauthorized"


=== TEST 15: the backend's 403 isn't taken for ours by wassiit_problem
--- config eval: $::Replaced
--- request: GET /replaced/403
--- key: fine-key
--- error_code: 403
--- response_body_like: "code":"forbidden"


=== TEST 16: the backend's 429 isn't taken for ours by wassiit_problem
--- config eval: $::Replaced
--- request: GET /replaced/429
--- key: fine-key
--- error_code: 429
--- response_body_like: "code":"too_many_requests"


=== TEST 17: nginx's own 404
--- config
location /plain/ { location /plain/denied { deny all; } }
--- request: GET /plain/
--- key: fine-key
--- error_code: 404
--- response_headers
Content-Type: text/html
--- response_body_like: <h1>404


=== TEST 18: nginx's own 403
--- config
location /plain/ { location /plain/denied { deny all; } }
--- request: GET /plain/denied
--- key: fine-key
--- error_code: 403
--- response_headers
Content-Type: text/html
--- response_body_like: <h1>403
