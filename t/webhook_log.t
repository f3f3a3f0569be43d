# wassiit_webhook_verify and wassiit_webhook_sign: what logs tell of a webhook, and
# never tell of its secrets.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(hmac_sha256_hex);
use Encode qw(encode_utf8);
use Wassiit;
use Wassiit::Answer;
use Wassiit::Backend;
use Test::Nginx::Socket;

our $Backend = Wassiit::Backend->echo;

our ($New, $Old) = ("the new one\t", " the old one, which ends in a blank ");
our $Long = 'l' x 200;
our $Hush = encode_utf8("h\xfcsh \x{1f512}");
our $Secrets = join '|', map { quotemeta s/^\s+|\s+$//gr }
               map { my $secret = $_; $secret } $New, $Old, $Long, $Hush, 'next one';

sub sign { my ($secret, $body) = @_; return hmac_sha256_hex($body // 'hello', $secret) }
sub by { return 'X-WASSIIT-Signature: ' . sign(@_) . "\n" }

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(request => 'POST ' . $block->to =~ s/\s+\z//r . "\nhello");
    $block->set_value(no_access_log => qr/$Secrets/);
    $block->set_value(no_error_log => qr/$Secrets/);
    $block->set_value(files => { 'hook.secret' => "\xef\xbb\xbf$New\n$Old\r\n$Long",
                                 'out.secret' => "first\nsecond\n" });
    $block->set_value(partners => join "\n", map { JSON::PP->new->utf8->encode($_) } (
        partner('atlas', 'key of atlas', webhook_secret => "h\xfcsh \x{1f512}"),
        partner('poor', 'key of poor'), partner('one', 'key of one', rate => '1r/d'),
        partner('turns', 'key of turns', webhook_secret => 'former',
                next_webhook_secret => { value => 'next one',
                                         expires => '2120-01-01T00:00:00Z' })));
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
        log_format all '$request_uri $wassiit_partner $wassiit_decision '
                       '$wassiit_webhook_signature $wassiit_webhook_signature_next';
END
    $block->set_value(config => <<'END');
        access_log logs/access.log all;
        error_page 502 @problem;
        location @problem { wassiit_problem; }

        location /verify { wassiit_webhook_verify secret_file=hook.secret; try_files /none @ok; }
        location /access {
            wassiit_access api;
            wassiit_webhook_verify secret_file=hook.secret;
            try_files /none @ok;
        }
        location @ok { return 200 "ok\n"; }

        location /sign {
            wassiit_webhook_sign secret_file=out.secret;
            proxy_pass http://$TEST_NGINX_BACKEND;
        }
        location ~ ^/to/(?<who>.*)$ {
            wassiit_webhook_sign zone=api partner=$who;
            proxy_pass http://$TEST_NGINX_BACKEND;
        }
END
});

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: a decision without a partner, by a secret with a blank at its end
--- to: /verify
--- more_headers eval: ::by($::New)
--- logged eval: qr{^/verify - allowed - -$}


=== TEST 2: by a secret with blanks at both ends
--- to: /verify
--- more_headers eval: ::by($::Old)
--- logged eval: qr{^/verify - allowed - -$}


=== TEST 3: by a long secret
--- to: /verify
--- more_headers eval: ::by($::Long)
--- logged eval: qr{^/verify - allowed - -$}


=== TEST 4: a refusal, and no signature
--- to: /verify
--- more_headers eval: ::by('none of these')
--- error_code: 401
--- logged eval: qr{^/verify - invalid_signature - -$}


=== TEST 5: a partner
--- to: /access
--- more_headers eval: "X-API-Key: key of atlas\n" . ::by($::New)
--- logged eval: qr{^/access atlas allowed - -$}


=== TEST 6: a partner with a wrong signature
--- to: /access
--- more_headers eval: "X-API-Key: key of one\nX-WASSIIT-Signature: " . '0' x 64
--- error_code: 401
--- logged eval: qr{^/access one invalid_signature - -$}


=== TEST 7: what was signed
--- to: /sign
--- logged eval: qr{^/sign - - ${\ ::sign('first')} -$}


=== TEST 8: what was signed by a partner's secret
--- to: /to/atlas
--- logged eval: qr{^/to/atlas - - ${\ ::sign($::Hush)} -$}


=== TEST 9: both signatures of a partner that has two secrets
--- to: /to/turns
--- logged eval: qr{^/to/turns - - ${\ ::sign('former')} ${\ ::sign('next one')}$}


=== TEST 10: nothing signed, for a partner without a secret
--- to: /to/poor
--- problem: 502 bad_gateway
--- logged eval: qr{^/to/poor - - - -$}
