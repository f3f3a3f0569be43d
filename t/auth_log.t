# wassiit_auth hmac: what logs tell of who signs, and never tell of secrets and
# signatures.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64);
use Wassiit;
use Wassiit::Answer;
use Wassiit::Clock;
use Test::Nginx::Socket;

our $Now = 1_800_000_000;
our $Clock = Wassiit::Clock->new($Now);

my %secret = (atlas => "\x00\x01 a secret of any bytes \xff", url => "\xfb\xff\xbf\xfb\xff",
              long => 'l' x 200);
my %text = map { ($_ => encode_base64($secret{$_}, '')) } keys %secret;
$text{url} = $text{url} =~ tr{+/}{-_}r =~ s/=+\z//r;

sub sign {
    my ($secret, $id) = @_;
    return encode_base64(hmac_sha256("key of $id$Now", $secret), '');
}

# "who" signs, by another secret if "by" has one.

add_block_preprocessor(sub {
    my ($block) = @_;
    my ($who) = $block->who =~ /(\w+)/;
    my ($by) = ($block->by // '') =~ /(\w+)/;
    my $signature = sign($by // $secret{$who}, $who);
    my $held = join '|', map { quotemeta } $signature, values %secret, values %text;

    $block->set_value(request => 'GET /t');
    $block->set_value(more_headers => "X-API-Key: key of $who\nX-API-Timestamp: $Now\n"
                                      . "X-API-Signature: $signature");
    $block->set_value(no_access_log => qr/$held/);
    $block->set_value(no_error_log => qr/$held/);
    $block->set_value(partners => join "\n", map { JSON::PP->new->utf8->encode(
        partner($_, "key of $_", hmac_secret => $text{$_})) } sort keys %text);
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
        log_format all '$request $wassiit_partner $wassiit_decision';
END
    $block->set_value(config => <<'END');
        access_log logs/access.log all;
        wassiit_access api;
        location /t { wassiit_auth hmac; try_files /none @ok; }
        location @ok { return 200 "ok"; }
END
});

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: who was let in
--- who: atlas
--- logged eval: qr/ atlas allowed$/


=== TEST 2: who was let in by a secret in the other alphabet
--- who: url
--- logged eval: qr/ url allowed$/


=== TEST 3: who was let in by a long secret
--- who: long
--- logged eval: qr/ long allowed$/


=== TEST 4: who was refused, and why
--- who: atlas
--- by: another
--- problem: 401 invalid_signature
--- error_log: wassiit: invalid_signature, partner "atlas"
--- logged eval: qr/ atlas invalid_signature$/
