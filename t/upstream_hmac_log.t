# The variables of wassiit_upstream_hmac in a log: what was sent, where something was
# signed, and else nothing.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64);
use Wassiit;
use Wassiit::Answer;
use Wassiit::Backend;
use Wassiit::Clock;
use Test::Nginx::Socket;

our $Now = 1_800_000_000;
our $Clock = Wassiit::Clock->new($Now);
our $Backend = Wassiit::Backend->echo;

my $secret = "a secret \xff\xfe of ours";
my $text = encode_base64($secret, '');
our $Signed = "our-key $Now " . encode_base64(hmac_sha256("our-key$Now", $secret), '');

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(partners => '{"id":"us","key":"our-key"}');
    $block->set_value(files => { 'ours.secret' => "$text\n" });
    $block->set_value(no_access_log => qr/\Q$text\E|\Q$secret\E/);
    $block->set_value(no_error_log => qr/\Q$text\E|\Q$secret\E/);
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
        log_format signed '$uri $wassiit_hmac_key $wassiit_hmac_timestamp $wassiit_hmac_signature';
END
    $block->set_value(config => <<'END');
        access_log logs/access.log signed;
        wassiit_upstream_hmac key=our-key secret_file=ours.secret;
        location /signed { proxy_pass http://$TEST_NGINX_BACKEND; }
        location /off { wassiit_upstream_hmac off; proxy_pass http://$TEST_NGINX_BACKEND; }
        location /guarded { wassiit_access api; proxy_pass http://$TEST_NGINX_BACKEND; }
        location /answers { return 204; }
END
});

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: what was signed
--- request: GET /signed
--- response_body_like eval: qr/^X-API-Signature: \Q${\ ($::Signed =~ s{.* }{}r)}\E\r$/m
--- logged eval: qr/^\/signed \Q$::Signed\E$/


=== TEST 2: nothing, where it is off
--- request: GET /off
--- logged eval: qr/^\/off - - -$/


=== TEST 3: nothing, where a request is refused
--- request: GET /guarded
--- error_code: 401
--- logged eval: qr/^\/guarded - - -$/


=== TEST 4: nothing, where nginx answers
--- request: GET /answers
--- error_code: 204
--- logged eval: qr/^\/answers - - -$/
