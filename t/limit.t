# The window as partners meet it: what is counted, what is told, what isn't
# counted. (t/unit/window holds the arithmetic, t/limit_time.t what takes a while.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Answer;
use Test::Nginx::Socket;

add_block_preprocessor(sub {
    my ($block) = @_;
    my $rate = $block->rate // '4r/m';
    chomp $rate;

    $block->set_value(partners => '{"id":"atlas","rate":"' . $rate . '","key":"atlas-key",'
        . '"scopes":["messages.send"]}') unless defined $block->partners;
    $block->set_value(http_config => <<'END') unless defined $block->http_config;
        wassiit_zone zone=api:1m file=partners.jsonl rate=4r/m;
        log_format decision '$wassiit_partner $wassiit_decision';
END
    $block->set_value(config => <<'END') unless defined $block->config;
        wassiit_access api;
        access_log logs/access.log decision;
        error_page 404 =200 @ok;

        location @ok { wassiit_access off; return 200 "ok"; }
        location / { }
        location /exempt/ { wassiit_limit off; }
        location /dry/ { wassiit_limit dry_run; }
        location /quiet/ { wassiit_limit_headers off; }
        location /scope/ { wassiit_scope audio.send; }
        location /denied/ { deny all; }
        location /unauth/ { auth_request /verdict/401; }
        location /failed/ { auth_request /verdict/500; }
        location /verdict/401 { internal; return 401; }
        location /verdict/500 { internal; return 500; }
END
    $block->set_value(request => 'GET /') unless defined $block->request
                                                 || defined $block->pipelined_requests;
    $block->set_value(more_headers => 'X-API-Key: atlas-key')
        unless defined $block->more_headers;
});

our $Pair = JSON::PP->new->encode(partner('pair', ['pair-one', 'pair-two'], rate => '3r/h'));

check_accum_error_log();
log_level('info');
no_long_string();
no_root_location();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: 3r/m, counted down, and a fourth that is refused
--- rate: 3r/m
--- request eval: [ ('GET /') x 4 ]
--- error_code eval: [ 200, 200, 200, 429 ]
--- limit eval: [ map { "3 60 $_" } 2, 1, 0, 0 ]
--- problem eval: [ (undef) x 3, '429 rate_limited' ]


=== TEST 2: 3r/h, counted down, and a fourth that is refused
--- rate: 3r/h
--- request eval: [ ('GET /') x 4 ]
--- error_code eval: [ 200, 200, 200, 429 ]
--- limit eval: [ map { "3 3600 $_" } 2, 1, 0, 0 ]
--- problem eval: [ (undef) x 3, '429 rate_limited' ]


=== TEST 3: 3r/d, counted down, and a fourth that is refused
--- rate: 3r/d
--- request eval: [ ('GET /') x 4 ]
--- error_code eval: [ 200, 200, 200, 429 ]
--- limit eval: [ map { "3 86400 $_" } 2, 1, 0, 0 ]
--- problem eval: [ (undef) x 3, '429 rate_limited' ]


=== TEST 4: the first of 3r/s
--- rate: 3r/s
--- limit: 3 1 2


=== TEST 5: the first of a window learns of all of it
--- rate: 1r/d
--- response_headers
RateLimit-Policy: "default";q=1;w=86400
RateLimit: "default";r=0;t=86400
X-RateLimit-Limit: 1
X-RateLimit-Remaining: 0
X-RateLimit-Reset: 86400


=== TEST 6: a limit of 1
--- rate: 1r/d
--- request eval: [ ('GET /') x 2 ]
--- error_code eval: [ 200, 429 ]
--- limit eval: [ ('1 86400 0') x 2 ]


=== TEST 7: a limit of 1000000 a second
--- rate: 1000000r/s
--- limit: 1000000 1 999999


=== TEST 8: a limit of 1000000 a day
--- rate: 1000000r/d
--- limit: 1000000 86400 999999


=== TEST 9: a partner without a rate has the zone's
--- partners
{"id":"atlas","key":"atlas-key"}
--- limit: 4 60 3


=== TEST 10: a zone without a rate has 100r/m
--- partners
{"id":"atlas","key":"atlas-key"}
--- http_config
wassiit_zone zone=api:1m file=partners.jsonl;
wassiit_zone zone=other:1m file=../html/other.jsonl rate=7r/m;
--- user_files
>>> other.jsonl
--- config
location / { wassiit_access api; empty_gif; }
--- suppress_stderr
--- limit: 100 60 99


=== TEST 11: a scope that is missing isn't counted
--- request eval: [ ('GET /scope/') x 4, 'GET /' ]
--- error_code eval: [ (403) x 4, 200 ]
--- limit eval: [ ('none') x 4, '4 60 3' ]


=== TEST 12: a header twice isn't counted
--- request eval: [ ('GET /') x 5 ]
--- more_headers eval
[ ("X-API-Key: atlas-key\nX-API-Key: atlas-key") x 4, "X-API-Key: atlas-key" ]
--- error_code eval: [ (400) x 4, 200 ]
--- limit eval: [ ('none') x 4, '4 60 3' ]


=== TEST 13: what "deny" refuses isn't counted
--- request eval: [ ('GET /denied/') x 4, 'GET /' ]
--- error_code eval: [ (403) x 4, 200 ]
--- limit eval: [ ('none') x 4, '4 60 3' ]


=== TEST 14: what auth_request refuses isn't counted
--- request eval: [ ('GET /unauth/') x 4, 'GET /' ]
--- error_code eval: [ (401) x 4, 200 ]
--- limit eval: [ ('none') x 4, '4 60 3' ]


=== TEST 15: what auth_request fails at isn't counted
--- request eval: [ ('GET /failed/') x 4, 'GET /' ]
--- error_code eval: [ (500) x 4, 200 ]
--- limit eval: [ ('none') x 4, '4 60 3' ]


=== TEST 16: a disabled partner isn't told of a limit
--- partners
{"id":"atlas","enabled":false,"key":"atlas-key"}
--- error_code: 403
--- limit: none


=== TEST 17: a 429 isn't counted as admitted
--- rate: 2r/h
--- request eval: [ ('GET /') x 8 ]
--- error_code eval: [ 200, 200, (429) x 6 ]
--- limit eval: [ '2 3600 1', ('2 3600 0') x 7 ]


=== TEST 18: two keys, one window
--- partners eval: $::Pair
--- request eval: [ ('GET /') x 4 ]
--- more_headers eval: [ map { "X-API-Key: pair-$_" } qw(one two one two) ]
--- error_code eval: [ 200, 200, 200, 429 ]
--- limit eval: [ map { "3 3600 $_" } 2, 1, 0, 0 ]


=== TEST 19: off: never refused, nothing is told or counted, for other locations too
--- request eval: [ ('GET /exempt/') x 6, 'GET /' ]
--- error_code eval: [ (200) x 7 ]
--- limit eval: [ ('none') x 6, '4 60 3' ]


=== TEST 20: limited in one location, exempt in another
--- request eval: [ ('GET /') x 5, 'GET /exempt/' ]
--- error_code eval: [ (200) x 4, 429, 200 ]
--- limit eval: [ map({ "4 60 $_" } 3, 2, 1, 0, 0), 'none' ]


=== TEST 21: dry_run: never refused, counted and told
--- request eval: [ ('GET /dry/') x 6 ]
--- error_code eval: [ (200) x 6 ]
--- limit eval: [ map { "4 60 $_" } 3, 2, 1, 0, 0, 0 ]
--- raw_response_headers_unlike eval: [ ('(?i)Retry-After') x 6 ]


=== TEST 22: dry_run: what was counted counts elsewhere
--- request eval: [ ('GET /dry/') x 6, 'GET /' ]
--- error_code eval: [ (200) x 6, 429 ]


=== TEST 23: dry_run: logged with partner and key
--- rate: 1r/h
--- pipelined_requests eval: [ ('GET /dry/') x 2 ]
--- error_code eval: [ 200, 200 ]
--- error_log eval: qr/\[warn\] .*rate_limited_dry_run, partner "atlas", key "k1"/


=== TEST 24: dry_run: $wassiit_decision
--- rate: 1r/h
--- pipelined_requests eval: [ 'GET /dry/', 'GET /dry/', 'GET /' ]
--- error_code eval: [ 200, 200, 429 ]
--- access_log
atlas allowed
atlas rate_limited_dry_run
atlas rate_limited


=== TEST 25: wassiit_limit_headers off: counted, not told, Retry-After stays
--- request eval: [ ('GET /quiet/') x 5 ]
--- error_code eval: [ (200) x 4, 429 ]
--- limit eval: [ ('none') x 5 ]
--- response_headers_like eval: [ ('') x 4, 'Retry-After: [1-9]\d?' ]


=== TEST 26: both directives in a server; a location changes both back, one at a time
--- config
wassiit_access api;
wassiit_limit off;
wassiit_limit_headers off;
location / { empty_gif; }
location /on/ {
    wassiit_limit on;
    empty_gif;
    location /on/told/ { wassiit_limit_headers on; empty_gif; }
}
--- request eval: [ 'GET /', 'GET /on/', 'GET /on/told/' ]
--- error_code eval: [ (200) x 3 ]
--- limit eval: [ 'none', 'none', '4 60 2' ]


=== TEST 27: HEAD of a file
--- user_files
>>> file
0123456789
--- config
wassiit_access api;
root html;
--- request: HEAD /file
--- limit: 4 60 3


=== TEST 28: a 304
--- user_files
>>> file
0123456789
--- config
wassiit_access api;
root html;
--- request: GET /file
--- more_headers
X-API-Key: atlas-key
If-None-Match: *
--- error_code: 304
--- limit: 4 60 3


=== TEST 29: a 412
--- user_files
>>> file
0123456789
--- config
wassiit_access api;
root html;
--- request: GET /file
--- more_headers
X-API-Key: atlas-key
If-Match: "none"
--- error_code: 412
--- limit: 4 60 3


=== TEST 30: a 416
--- user_files
>>> file
0123456789
--- config
wassiit_access api;
root html;
--- request: GET /file
--- more_headers
X-API-Key: atlas-key
Range: bytes=100-
--- error_code: 416
--- limit: 4 60 3


=== TEST 31: a 206
--- user_files
>>> file
0123456789
--- config
wassiit_access api;
root html;
--- request: GET /file
--- more_headers
X-API-Key: atlas-key
Range: bytes=1-2
--- error_code: 206
--- limit: 4 60 3
