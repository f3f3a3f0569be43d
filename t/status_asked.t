# Who may look at wassiit_status, and what may be asked of it.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;
use Wassiit::Watched;

our $Top = 'The argument top must be a number from 0 to what wassiit_status allows\.';
our $Id = "The argument partner must be a partner's id: 1 to 64 of a-z 0-9 \\. _ -\\.";
our $Hex = 'has a % without two hex digits after it\.';
our $Many = join '&', map { "partner=p$_" } 1 .. 21;

sub refused {
    my ($uri, $detail) = @_;
    return qq(ops GET $uri => 400 bad_request ~ "detail":"$detail"\n    Cache-Control: no-store\n);
}

watched_blocks();
run_tests();

__DATA__

=== TEST 1: who has no key sees nothing, nor Prometheus
--- steps
- GET /status => 401 missing_key
    Cache-Control: no-store
- GET /guarded => 401 missing_key
    Cache-Control: no-store


=== TEST 2: nor a partner
--- steps
atlas-key GET /status => 401 invalid_key
    ! "zone"


=== TEST 3: unless nginx lets it in
--- steps
- GET /metrics => 200 ~ ^wassiit_build_info
    Content-Type: text/plain; version=0.0.4; charset=utf-8
    Cache-Control: no-store


=== TEST 4: limit_except, and beside it
--- steps
ops POST /methods {} => 403
ops GET /methods => 200 ~ "zone":\{"name":"api"


=== TEST 5: HEAD
--- steps
ops GET /metrics => 200
ops HEAD /metrics => 200 ~ ^$
    Content-Type: text/plain; version=0.0.4; charset=utf-8
    Cache-Control: no-store


=== TEST 6: no other method
--- steps
ops POST /status {} => 405 method_not_allowed
    Allow: GET, HEAD


=== TEST 7: another zone has its own board
--- steps
- GET /ops => 401 missing_key
- GET /ops => 401 missing_key
ops GET /ops => 200 ~ "zone":\{"name":"ops"
    ~ "missing_key":2,
ops GET /status => 200 ~ "missing_key":0,


=== TEST 8: arguments that there are not
--- steps eval
main::refused('/status?x=1', 'There is no argument x: top and partner are\.')
. main::refused('/metrics?format=json', 'There is no argument format: top and partner are\.')


=== TEST 9: top is a number, once, of what the directive allows
--- steps eval
main::refused('/status?top=101', $main::Top) . main::refused('/few?top=3', $main::Top)
. main::refused('/status?top=1&top=2', 'The argument top stands twice\.')


=== TEST 10: partners are ids, twenty at most
--- steps eval
main::refused('/status?partner=A', $main::Id)
. main::refused("/status?$main::Many", 'The argument partner may be given 20 times\.')


=== TEST 11: one may stand twice
--- steps
ops GET /status?partner=off&partner=off => 200 ~ "active":\[\{"id":"off",[^{}]*\}\]


=== TEST 12: a percent sign has two hex digits after it
--- steps eval
main::refused('/status?partner=atlas%', "The argument partner $main::Hex")
. main::refused('/status?partner=off&partner=a%2', "The argument partner $main::Hex")
. main::refused('/metrics?top=5%', "The argument top $main::Hex")
. main::refused('/metrics?top=%zz', "The argument top $main::Hex")


=== TEST 13: decoded, an id is looked at
--- steps
ops GET /status?partner=%6f%66F => 400 bad_request
ops GET /status?partner=%6f%66f => 200 ~ "active":\[\{"id":"off",[^{}]*\}\]


=== TEST 14: Prometheus has those that are named alone, without the zone
--- steps
paused-key GET / => 403 partner_disabled
ops GET /metrics?partner=off => 200
    ~ ^wassiit_partner_requests_total\{zone="api",partner="off",outcome="allowed"\} 0$
    ~ ^wassiit_partner_requests_total\{zone="api",partner="off",outcome="limited"\} 0$
    ~ ^wassiit_partner_requests_total\{zone="api",partner="off",outcome="refused"\} 1$
    ~ ^wassiit_partner_limit_used_ratio\{zone="api",partner="off"\} 0\.000000$
    ! ^(?!#|wassiit_partner_requests_total|wassiit_partner_limit_used_ratio)
    ! partner="(?!off")


=== TEST 15: and how many partners are shown, and what of a limit is used
--- steps
busy-key GET / => 200
paused-key GET / => 403 partner_disabled
- GET /metrics => 200 ~ ^wassiit_partners_exported\{zone="api"\} 2$
    ~ ^wassiit_partner_limit_used_ratio\{zone="api",partner="busy"\} 0\.500000$


=== TEST 16: of one that is shown, the first stays so
--- steps eval
"busy-key GET / => 200\nops GET /guarded => 200 ~ partner=\"busy\"\n"
. "atlas-key GET / => 200\n" x 30
. "ops GET /guarded => 200 ~ used_ratio\\{zone=\"api\",partner=\"busy\"\n"
. "    ! used_ratio\\{zone=\"api\",partner=\"atlas\"\n"


=== TEST 17: preconditions are of no concern
--- steps
ops GET /status => 200
    > If-Match: "x"
ops GET /status => 200
    > If-None-Match: *
ops GET /status => 200
    > If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT
ops GET /metrics => 200
    > If-Match: "x"
ops GET /metrics => 200
    > If-None-Match: *
ops GET /metrics => 200
    > If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT
