# conf/nginx.conf, as an operator finds it: automations, which partners sign and
# wap.cm answers, in the envelope.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Wassiit::DoorBlocks;
use Test::Nginx::Socket;

my $door = open_door();
our $Key = $door->{keys}{all};

# Headers of a partner that signs by some secret, at some time.

sub signed {
    my ($who, $secret, $off) = @_;
    my $time = time + ($off // 0);
    return "X-API-Timestamp: $time\nX-API-Signature: "
        . signature($door->{secrets}{$secret}, $door->{keys}{$who}, $time);
}

our $Answer = JSON::PP->new->utf8->encode($Documented);
our $Tested = JSON::PP->new->utf8->encode(
    { %$Documented, data => { %{ $Documented->{data} }, cost => 0 } });
our ($Otp) = payload('/automation/');

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: any partner that signs, for an OTP
--- ask: POST /automation/ all
--- json eval: $::Answer


=== TEST 2: a test is the documented answer but for its cost, and is limited
--- ask: POST /automation/?test=1 none
--- json eval: $::Tested
--- response_headers
X-RateLimit-Remaining: 99


=== TEST 3: one reference
--- ask: GET /automation/WAP250929112004.X84803 none
--- response_body_like: "reference":"WAP250929112004\.X84803"


=== TEST 4: wap.cm's own error passes
--- ask: GET /automation/a/b none
--- error_code: 404
--- response_body_like: "message":"not_found"


=== TEST 5: no key
--- ask: POST /automation/
--- envelope: 401 missing_key


=== TEST 6: a key of nobody
--- ask: POST /automation/
--- more_headers
X-API-Key: of nobody
--- envelope: 401 invalid_key


=== TEST 7: no signature
--- ask: POST /automation/ none unsigned
--- envelope: 401 missing_signature


=== TEST 8: an old signature
--- ask: POST /automation/ none unsigned
--- more_headers eval: main::signed('none', 'none', -400)
--- envelope: 401 stale_timestamp


=== TEST 9: another partner's secret
--- ask: POST /automation/ none unsigned
--- more_headers eval: main::signed('none', 'all')
--- envelope: 401 invalid_signature


=== TEST 10: a partner without a secret
--- ask: POST /automation/ only-calls.initiate
--- envelope: 401 missing_signature


=== TEST 11: a wrong method
--- ask: GET /automation/ none
--- envelope: 405 method_not_allowed
--- response_headers
Allow: POST


=== TEST 12: a wrong method of a reference
--- ask: DELETE /automation/x none
--- envelope: 405 method_not_allowed
--- response_headers
Allow: GET, HEAD


=== TEST 13: without the slash it is the same
--- ask: POST /automation all
--- json eval: $::Answer


=== TEST 14: without the slash, a test
--- ask: POST /automation?test=1 all
--- json eval: $::Tested


=== TEST 15: without the slash, a wrong method
--- ask: GET /automation none
--- envelope: 405 method_not_allowed
--- response_headers
Allow: POST


=== TEST 16: without the slash, no key
--- ask: POST /automation
--- envelope: 401 missing_key


=== TEST 17: without the slash, no signature
--- ask: POST /automation none unsigned
--- envelope: 401 missing_signature


=== TEST 18: without the slash, another partner's secret
--- ask: POST /automation?x=y none unsigned
--- more_headers eval: main::signed('none', 'all')
--- envelope: 401 invalid_signature


=== TEST 19: more than a body may have
--- ask: POST /automation/ all
--- body eval: 'x' x 65537
--- envelope: 413 too_large


=== TEST 20: without the slash, more than a body may have
--- ask: POST /automation all
--- body eval: 'x' x 65537
--- envelope: 413 too_large


=== TEST 21: a country that is none
--- ask: POST /automation/ all
--- body eval: $::Otp =~ s/CM/XX/r
--- envelope: 400 invalid_payload
--- pointers: #/country


=== TEST 22: a body that is in chunks, and has none
--- raw_request eval
"POST /automation/ HTTP/1.1\r\nHost: a\r\nX-API-Key: $::Key\r\n"
    . main::signed('all', 'all') =~ s/\n/\r\n/r . "\r\nContent-Type: application/json\r\n"
    . "Transfer-Encoding: chunked\r\n\r\nzz\r\n"
--- envelope: 400 bad_request
--- response_headers
Connection: close


=== TEST 23: a reference, and a body that is in chunks, and has none
--- raw_request eval
"GET /automation/x HTTP/1.1\r\nHost: a\r\nX-API-Key: $::Key\r\n"
    . main::signed('all', 'all') =~ s/\n/\r\n/r . "\r\nContent-Type: application/json\r\n"
    . "Transfer-Encoding: chunked\r\n\r\nzz\r\n"
--- envelope: 400 bad_request
--- response_headers
Connection: close


=== TEST 24: what wap.cm answers passes, whatever its status
--- sandbox
server {
    listen unix:wapcm.sock;
    location / {
        if ($arg_answer = 200) { return 200 "its own 200"; }
        if ($arg_answer = 400) { return 400 "its own 400"; }
        if ($arg_answer = 404) { return 404 "its own 404"; }
        if ($arg_answer = 429) { return 429 "its own 429"; }
        return 500 "its own 500";
    }
}
--- ask eval: [ map { "POST /automation/?answer=$_ all" } 200, 400, 404, 429, 500 ]
--- error_code eval: [ 200, 400, 404, 429, 500 ]
--- response_body eval: [ map { "its own $_" } 200, 400, 404, 429, 500 ]
