# A backend that has limits of its own: headers of the names of ours don't reach
# the partner next to ours, on whatever answer they come.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;

our $Theirs = 'RateLimit\S*: "theirs|(?i)X-RateLimit-(?:Limit|Remaining|Reset): [5-6]\r';

repeat_each(1);
plan('no_plan');

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(partners => '{"id":"atlas","rate":"1000r/h","key":"atlas-key"}');
    $block->set_value(more_headers => "X-API-Key: atlas-key\n" . ($block->more_headers // ''));
    $block->set_value(http_config => <<'END');
wassiit_zone zone=api:1m file=partners.jsonl;
proxy_cache_path cache keys_zone=cache:1m;
server {
    listen 127.0.0.1:$TEST_NGINX_PORT_2;
    location / {
        add_header RateLimit '"theirs";r=5;t=9' always;
        add_header RateLimit-Policy '"theirs";q=5;w=9' always;
        add_header X-RateLimit-Limit 5 always;
        add_header X-RateLimit-Remaining 5 always;
        add_header X-RateLimit-Reset 5 always;
        add_header x-ratelimit-remaining 6 always;
        add_header X-RATELIMIT-RESET 6 always;
        add_header X-RateLimit-Used 7 always;
        add_header Retry-After 8 always;
        if ($arg_status = 404) { return 404; }
        if ($arg_status = 429) { return 429 theirs; }
        if ($arg_status = 503) { return 503 theirs; }
        if ($arg_status = 304) { return 304; }
        if ($arg_status = 204) { return 204; }
        root html;
    }
}
END
    $block->set_value(user_files => ">>> page\n0123456789\n");
    $block->set_value(config => <<'END') unless defined $block->config;
location /page { wassiit_access api; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2; }
END
});

no_long_string();
no_shuffle();
run_tests();

__DATA__

=== TEST 1: a page
--- request
GET /page
--- error_code: 200
--- response_headers
RateLimit: "default";r=999;t=3600
RateLimit-Policy: "default";q=1000;w=3600
X-RateLimit-Limit: 1000
X-RateLimit-Remaining: 999
X-RateLimit-Reset: 3600
--- raw_response_headers_unlike: theirs|(?i)X-RateLimit-(?:Limit|Remaining|Reset): [5-6]\r

=== TEST 2: what has another name stays
--- request
GET /page
--- response_headers
X-RateLimit-Used: 7
Retry-After: 8

=== TEST 3: HEAD
--- request
HEAD /page
--- error_code: 200
--- response_headers
X-RateLimit-Limit: 1000
X-RateLimit-Remaining: 999
--- raw_response_headers_unlike: theirs|(?i)X-RateLimit-(?:Limit|Remaining|Reset): [5-6]\r

=== TEST 4: a part of a page
--- request
GET /page
--- more_headers
Range: bytes=1-2
--- error_code: 206
--- response_body chomp
12
--- response_headers
X-RateLimit-Limit: 1000
X-RateLimit-Remaining: 999
--- raw_response_headers_unlike: theirs|(?i)X-RateLimit-(?:Limit|Remaining|Reset): [5-6]\r

=== TEST 5: an error of the backend's
--- request
GET /page?status=503
--- error_code: 503
--- response_body chomp
theirs
--- response_headers
X-RateLimit-Limit: 1000
X-RateLimit-Remaining: 999
Retry-After: 8
--- raw_response_headers_unlike eval: $::Theirs

=== TEST 6: a 429 of the backend's
--- request
GET /page?status=429
--- error_code: 429
--- response_headers
X-RateLimit-Limit: 1000
X-RateLimit-Remaining: 999
Retry-After: 8
--- raw_response_headers_unlike eval: $::Theirs

=== TEST 7: an error of the backend's that becomes a page of ours
--- config
location /page {
    wassiit_access api;
    proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
    proxy_intercept_errors on;
    error_page 404 = @problem;
}
location @problem { wassiit_problem; }
--- request
GET /page?status=404
--- error_code: 404
--- response_headers
X-RateLimit-Limit: 1000
X-RateLimit-Remaining: 999
--- raw_response_headers_unlike: theirs|(?i)X-RateLimit-(?:Limit|Remaining|Reset): [5-6]\r

=== TEST 8: no content
--- request
GET /page?status=204
--- error_code: 204
--- response_headers
X-RateLimit-Limit: 1000
X-RateLimit-Remaining: 999
--- raw_response_headers_unlike: theirs|(?i)X-RateLimit-(?:Limit|Remaining|Reset): [5-6]\r

=== TEST 9: from a cache, the first time and the next
--- config
location /page {
    wassiit_access api;
    proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
    proxy_cache cache;
    proxy_cache_valid 200 1m;
    add_header X-Cache $upstream_cache_status;
}
--- request eval
["GET /page", "GET /page", "HEAD /page"]
--- more_headers
--- response_headers eval
["X-Cache: MISS
X-RateLimit-Limit: 1000
X-RateLimit-Remaining: 999",
"X-Cache: HIT
X-RateLimit-Limit: 1000
X-RateLimit-Remaining: 998",
"X-Cache: HIT
X-RateLimit-Limit: 1000
X-RateLimit-Remaining: 997"]
--- raw_response_headers_unlike eval
[("theirs|(?i)X-RateLimit-(?:Limit|Remaining|Reset): [5-6]\\r") x 3]

=== TEST 10: not modified
--- config
location /page {
    wassiit_access api;
    proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
    proxy_cache cache;
    proxy_cache_valid 200 1m;
}
--- request eval
["GET /page", "GET /page"]
--- more_headers
If-None-Match: *
--- error_code eval
[304, 304]
--- response_headers eval
["X-RateLimit-Remaining: 999", "X-RateLimit-Remaining: 998"]
--- raw_response_headers_unlike eval
[("theirs|(?i)X-RateLimit-(?:Limit|Remaining|Reset): [5-6]\\r") x 2]

=== TEST 11: where ours aren't shown, theirs are
--- config
location /page {
    wassiit_access api;
    wassiit_limit_headers off;
    proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
}
--- request
GET /page
--- response_headers
RateLimit: "theirs";r=5;t=9
X-RateLimit-Limit: 5

=== TEST 12: where nothing is counted, theirs are
--- config
location /page {
    wassiit_access api;
    wassiit_limit off;
    proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
}
--- request
GET /page
--- response_headers
RateLimit: "theirs";r=5;t=9
X-RateLimit-Limit: 5

=== TEST 13: what the operator adds stays
--- config
location /page {
    wassiit_access api;
    proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
    add_header RateLimit-Policy '"burst";q=5;w=1';
}
--- request
GET /page
--- raw_response_headers_like: RateLimit-Policy: "burst";q=5;w=1\r\n
--- raw_response_headers_unlike: theirs
