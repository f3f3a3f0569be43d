# wassiit_webhook_verify: which signatures of a body are right, and what others
# are told. How bodies come is t/body.t's; connections and reloads are
# t/webhook.t's, logs t/webhook_log.t's.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(hmac_sha256_base64 hmac_sha256_hex);
use Wassiit;
use Test::Nginx::Socket;

our ($New, $Old) = ("the new one\t", " the old one, which ends in a blank ");
our $Long = 'l' x 200;
our $Header = 'X-WASSIIT-Signature';
our $Zone = "wassiit_zone zone=api:1m file=partners.jsonl;\n";

sub sign { my ($secret, $body) = @_; return hmac_sha256_hex($body // 'hello', $secret) }

our $Right = sign($New);

# "signatures" are sent with the body "hello", each with a request; "told" is
# the status and the code of a refusal, else all are let in.

for my $block (blocks()) {
    my ($status, $code) = split ' ', $block->told // '200';

    if (my $signatures = $block->signatures) {
        die $block->name . ": $signatures" unless ref $signatures;
        $block->set_value(request => [ map { "POST /t\nhello" } @$signatures ]);
        $block->set_value(more_headers => [ map { "$Header: $_\n" } @$signatures ]);
    }
    $block->set_value(request => "POST /t\nhello") unless defined $block->request;

    my $n = ref $block->request ? @{ $block->request } : 0;
    my $each = sub { $block->set_value($_[0] => $n ? [ ($_[1]) x $n ] : $_[1]) };

    $each->(error_code => $status) unless defined $block->error_code;
    if ($code) {
        $each->(response_body_like => qr/"code":"$code"/) unless defined $block->response_body_like;
        my $asks = $code eq 'missing_key' ? 'ApiKey realm="api"' : 'HMAC-SHA256 header="\S+"\r\n';
        $each->($status == 401
            ? (raw_response_headers_like => qr/^WWW-Authenticate: $asks/m)
            : (raw_response_headers_unlike => qr/^WWW-Authenticate:/m));
    } elsif (!defined $block->error_code || $block->error_code eq 200) {
        $each->(response_body => "ok\n") unless defined $block->response_body;
    }
}

add_block_preprocessor(sub {
    my ($block) = @_;
    my $verify = 'wassiit_webhook_verify secret_file=hook.secret';

    $block->set_value(files => { 'hook.secret' => "\xef\xbb\xbf$New\n$Old\r\n$Long",
                                 'out.secret' => "first\nsecond\n" });
    $block->set_value(http_config => "underscores_in_headers on;\n" . ($block->http_config // ''));
    my $config = $block->config // 'location /t { VERIFY; try_files /none @ok; }';
    $block->set_value(config => $config =~ s/VERIFY/$verify/gr
                                . "\nlocation \@ok { return 200 \"ok\\n\"; }\n");
});

log_level('info');
no_long_string();
no_shuffle();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: each secret of the file, blanks and all
--- signatures eval: [ map { ::sign($_) } $::New, $::Old, $::Long ]


=== TEST 2: upper-case hex, lower-case name
--- more_headers eval: lc($::Header) . ': ' . uc $::Right


=== TEST 3: mixed case
--- signatures eval: [ ucfirst $::Right =~ s/([a-f])$/\U$1/r ]


=== TEST 4: in another header
--- config
location /t { VERIFY header=X-Hub_Sig; try_files /none @ok; }
--- more_headers eval: "x-hub_sig: $::Right"


=== TEST 5: a GET, which has no body
--- request
GET /t
--- more_headers eval: "$::Header: " . ::sign($::New, '')


=== TEST 6: a GET without a signature
--- request
GET /t
--- told: 401 missing_signature


=== TEST 7: of another secret
--- signatures eval
[ map { ::sign($_) } 'another', $::Old =~ s/ \z//r, '', "$::New\n$::Old" ]
--- told: 401 invalid_signature


=== TEST 8: of another body
--- signatures eval: [ ::sign($::New, 'hellO') ]
--- told: 401 invalid_signature


=== TEST 9: more than a signature, or less
--- signatures eval
[ substr($::Right, 1), "0$::Right", "sha256=$::Right", "$::Right,$::Right",
  substr($::Right, 0, 32) . ' ' . substr $::Right, 32 ]
--- told: 401 invalid_signature
--- response_body_like eval
[ (qr/"code":"invalid_signature".*: 64 digits, without sha256= before them\./) x 5 ]


=== TEST 10: what is no hex
--- signatures eval
[ 'g' . substr($::Right, 1), Digest::SHA::hmac_sha256_base64('hello', $::New) ]
--- told: 401 invalid_signature


=== TEST 11: zeros
--- signatures eval: [ '0' x 64 ]
--- told: 401 invalid_signature


=== TEST 12: each digit counts
--- signatures eval
[ map { my $wrong = $::Right; substr($wrong, $_, 1) =~ tr/0-9a-f/1-9a-f0/; $wrong } 0 .. 63 ]
--- told: 401 invalid_signature


=== TEST 13: no signature: what to send, and by what scheme
--- told: 401 missing_signature
--- response_body_like: "code":"missing_signature".*hex HMAC-SHA256.*X-WASSIIT-Signature
--- response_headers
WWW-Authenticate: HMAC-SHA256 header="X-WASSIIT-Signature"


=== TEST 14: an empty one
--- signatures eval: [ '' ]
--- told: 401 missing_signature


=== TEST 15: twice the same
--- more_headers eval: "$::Header: $::Right\n$::Header: $::Right"
--- told: 400 duplicate_header
--- response_body_like: "code":"duplicate_header".*X-WASSIIT-Signature stands twice


=== TEST 16: underscores are another name
--- more_headers eval: "X_WASSIIT_Signature: $::Right"
--- told: 401 missing_signature


=== TEST 17: another header is asked for, and named
--- config
location /t { VERIFY header=X-Hub_Sig; try_files /none @ok; }
--- more_headers eval: "$::Header: $::Right"
--- told: 401 missing_signature
--- response_body_like: "code":"missing_signature".*in X-Hub_Sig\.


=== TEST 18: the envelope
--- config
location /t { wassiit_errors envelope; VERIFY; try_files /none @ok; }
--- error_code: 401
--- response_body_like eval
qr/\A\{"success":false,"status":401,"message":"missing_signature",
   "data":\{"detail":"[^"]*X-WASSIIT-Signature/x


=== TEST 19: the operator's error_page wins
--- config
location /t { VERIFY; error_page 401 /own.html; }
location = /own.html { return 200 "of our own\n"; }
--- error_code: 401
--- response_body
of our own


=== TEST 20: the key comes first
--- http_config eval: $::Zone
--- partners
{"id":"atlas","key":"key of atlas"}
--- config
location /t { wassiit_access api; VERIFY; try_files /none @ok; }
--- more_headers eval: "$::Header: $::Right"
--- told: 401 missing_key


=== TEST 21: a key, and no signature
--- http_config eval: $::Zone
--- partners
{"id":"atlas","key":"key of atlas"}
--- config
location /t { wassiit_access api; VERIFY; try_files /none @ok; }
--- more_headers
X-API-Key: key of atlas
--- told: 401 missing_signature


=== TEST 22: both
--- http_config eval: $::Zone
--- partners
{"id":"atlas","key":"key of atlas"}
--- config
location /t { wassiit_access api; VERIFY; try_files /none @ok; }
--- more_headers eval: "X-API-Key: key of atlas\n$::Header: $::Right"


=== TEST 23: off, within a location that verifies
--- http_config eval: $::Zone
--- partners
{"id":"atlas","key":"key of atlas"}
--- config
location /t {
    wassiit_access api;
    VERIFY;
    location /t/off { wassiit_webhook_verify off; try_files /none @ok; }
}
--- request eval: "POST /t/off\nhello"
--- more_headers
X-API-Key: key of atlas


=== TEST 24: a wrong signature uses up what a request uses
--- http_config eval: $::Zone
--- partners
{"id":"one","rate":"1r/d","key":"key of one"}
--- config
location /t { wassiit_access api; VERIFY; try_files /none @ok; }
--- request eval: [ ("POST /t\nhello") x 2 ]
--- more_headers eval
[ map { "X-API-Key: key of one\n$::Header: $_" } '0' x 64, $::Right ]
--- error_code eval: [ 401, 429 ]
--- response_body_like eval: [ '"invalid_signature"', '"rate_limited"' ]


=== TEST 25: "satisfy any" is of who may, not of what is signed
--- http_config eval: $::Zone
--- partners
{"id":"one","key":"key of one"}
--- config
location /t { satisfy any; allow all; wassiit_access api; VERIFY; try_files /none @ok; }
--- told: 401 missing_signature


=== TEST 26: "satisfy any", signed
--- http_config eval: $::Zone
--- partners
{"id":"one","key":"key of one"}
--- config
location /t { satisfy any; allow all; wassiit_access api; VERIFY; try_files /none @ok; }
--- signatures eval: [ $::Right ]


=== TEST 27: a second location asks for its own
--- config
location /t { VERIFY; try_files /none @second; }
location @second {
    wassiit_webhook_verify secret_file=out.secret header=X-Second;
    try_files /none @ok;
}
--- signatures eval: [ $::Right ]
--- told: 401 missing_signature


=== TEST 28: and has it from the same body
--- config
location /t { VERIFY; try_files /none @second; }
location @second {
    wassiit_webhook_verify secret_file=out.secret header=X-Second;
    try_files /none @ok;
}
--- more_headers eval: "$::Header: $::Right\nX-Second: " . ::sign('second')


=== TEST 29: or not
--- config
location /t { VERIFY; try_files /none @second; }
location @second {
    wassiit_webhook_verify secret_file=out.secret header=X-Second;
    try_files /none @ok;
}
--- more_headers eval: "$::Header: $::Right\nX-Second: " . ::sign('third')
--- told: 401 invalid_signature
