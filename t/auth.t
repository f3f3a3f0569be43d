# wassiit_auth hmac: a partner signs its key and the time. The clock stands, see
# t/lib/clock.c; when it goes on and reloads are t/auth_time.t's.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64 decode_base64);
use Wassiit;
use Wassiit::Clock;
use Test::Nginx::Socket;

our $Now = 1_800_000_000;
our $Clock = Wassiit::Clock->new($Now);

our %Secret = (
    atlas => "\x00\x01 a secret of any bytes \xff", url => "\xfb\xff\xbf\xfb\xff",
    rif => 'another', off => 'off', old => 'old', long => 'l' x 200, poor => 'poor', one => 'one',
);
our %Text = map { ($_ => encode_base64($Secret{$_}, '')) } keys %Secret;
$Text{url} = $Text{url} =~ tr{+/}{-_}r =~ s/=+\z//r;

sub signs { return partner($_[0], "key of $_[0]", hmac_secret => $Text{$_[0]}, @_[1 .. $#_]) }

our @Partners = (
    signs('atlas'), signs('rif'), signs('url'), signs('long'), signs('poor', scopes => []),
    signs('off', enabled => JSON::PP::false()), signs('one', rate => '1r/d'), signs('old'),
    partner('none', 'key of none'),
);
$_->{id} eq 'old' and $_->{keys}[0]{expires} = '2020-01-01T00:00:00Z' for @Partners;

sub sign {
    my ($secret, $key, $time) = @_;
    return encode_base64(hmac_sha256($key . $time, $secret), '');
}

# The headers of a partner's request, as it should be unless told otherwise;
# undef leaves one out.

sub signed {
    my ($id, %with) = @_;
    my $key = exists $with{key} ? $with{key} : "key of $id";
    my $time = exists $with{time} ? $with{time} : $Now;
    my $signature = exists $with{signature} ? $with{signature}
                    : sign($with{secret} // $Secret{$id}, $key // '', $time);
    my %h = ('X-API-Key' => $key, 'X-API-Timestamp' => $time, 'X-API-Signature' => $signature);

    return join '', map { defined $h{$_} ? "$_: $h{$_}\n" : () } sort keys %h;
}

our $Good = sign($Secret{atlas}, 'key of atlas', $Now);
our $Mac = decode_base64($Good);

# Whoever has another signature than that.
sub with_signatures { return [ map { signed('atlas', signature => $_) } @_ ] }
sub at { return [ map { signed('atlas', time => $Now + $_) } @_ ] }

sub changed {
    my ($i) = @_;
    my $other = $Good;
    substr($other, $i, 1) = substr($Good, $i, 1) eq 'A' ? 'B' : 'A';
    return $other;
}

# Each of "headers" is a request: "partner" lists who is let in, or is the one;
# "told" is the status and code of all.

for my $block (blocks()) {
    my $headers = $block->headers // next;
    my @headers = ref $headers ? @$headers : $headers;
    my @partners = ref $block->partner ? @{ $block->partner }
                                       : ($block->partner // '') =~ s/\n//r;
    my ($status, $code) = split ' ', $block->told // '200';
    my $n = @headers;

    $block->set_value(request => [ ('GET /t') x $n ]);
    $block->set_value(more_headers => \@headers);
    $block->set_value(error_code => [ ($status) x $n ]);
    if ($status == 200) {
        $block->set_value(response_body => [ map { ($partners[$_] // $partners[0]) . ' allowed' }
                                                 0 .. $n - 1 ]);
        next;
    }
    my $detail = ($block->detail // '') =~ s{\n}{}r;
    $block->set_value(response_body_like => [ (qr/"(?:code|message)":"$code".*$detail/) x $n ]);
    $block->set_value($status == 401
        ? (raw_response_headers_like => [ (qr/^WWW-Authenticate: ApiKey realm="api"\r\n/m) x $n ])
        : (raw_response_headers_unlike => [ (qr/^WWW-Authenticate:/m) x $n ]));
}

add_block_preprocessor(sub {
    my ($block) = @_;
    my $json = JSON::PP->new->canonical;

    $block->set_value(partners => join "\n", map { $json->encode($_) } @Partners);
    $block->set_value(http_config => 'wassiit_zone zone=api:1m file=partners.jsonl;');
    $block->set_value(config => "wassiit_access api;\n"
        . ($block->config // 'location /t { wassiit_auth hmac; try_files /none @ok; }')
        . "\nlocation \@ok { return 200 \"\$wassiit_partner \$wassiit_decision\"; }\n");
});

log_level('info');
no_long_string();
no_shuffle();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: who signs is let in, by secrets of any bytes
--- headers eval: [ map { ::signed($_) } 'atlas', 'rif', 'url', 'long' ]
--- partner eval: [ 'atlas', 'rif', 'url', 'long' ]


=== TEST 2: without the padding
--- headers eval: ::with_signatures($::Good =~ s/=//r)
--- partner: atlas


=== TEST 3: a signature that openssl made
--- headers eval
my $hex = unpack 'H*', $::Secret{atlas};
::with_signatures(scalar qx{printf %s "key of atlas$::Now" | openssl dgst -sha256 -mac HMAC \\
    -macopt hexkey:$hex -binary | base64 -w 0})
--- partner: atlas


=== TEST 4: of another secret, another key, another time
--- headers eval
::with_signatures(::sign('other', 'key of atlas', $::Now),
                  ::sign($::Secret{atlas}, 'key of rif', $::Now),
                  ::sign($::Secret{atlas}, 'key of atlas', $::Now - 1),
                  ::sign($::Text{atlas}, 'key of atlas', $::Now),
                  ::sign($::Secret{atlas}, $::Now, 'key of atlas'),
                  ::sign($::Secret{atlas}, 'key of atlas', ''))
--- told: 401 invalid_signature
--- no_error_log: about "


=== TEST 5: in hex, half of it, all but a byte, a byte more
--- headers eval
::with_signatures(unpack('H*', $::Mac), map { MIME::Base64::encode_base64($_, '') }
                  unpack('H*', $::Mac), substr($::Mac, 0, 16), substr($::Mac, 0, 31), "$::Mac\0")
--- told: 401 invalid_signature


=== TEST 6: what is no base64
--- headers eval
::with_signatures("$::Good=", $::Good =~ s/\A(.{9})/$1 /r, "$::Good,", '=', "$::Good, $::Good")
--- told: 401 invalid_signature


=== TEST 7: 8000 bytes
--- config
large_client_header_buffers 4 32k;
location /t { wassiit_auth hmac; try_files /none @ok; }
--- headers eval: ::with_signatures('A' x 8000)
--- told: 401 invalid_signature


=== TEST 8: each character counts
--- headers eval: ::with_signatures(map { ::changed($_) } 0 .. length($::Good) - 2)
--- told: 401 invalid_signature


=== TEST 9: no signature, an empty one, a blank one
--- headers eval: ::with_signatures(undef, '', '  ')
--- told: 401 missing_signature


=== TEST 10: no time, with a signature or without
--- headers eval
[ ::signed('atlas', time => undef, signature => $::Good), "X-API-Key: key of atlas\n" ]
--- told: 401 missing_signature


=== TEST 11: under another name
--- headers eval
[ ::signed('atlas', signature => undef) . "X_API_Signature: $::Good\n" ]
--- told: 401 missing_signature


=== TEST 12: within 300 s
--- headers eval: ::at(-300, -1, 0, 1, 300)
--- partner: atlas


=== TEST 13: not within 300 s: the server tells its own time
--- headers eval: ::at(-301, 301, -1_000_000, 1_000_000)
--- told: 401 stale_timestamp
--- detail: \b1800000000\b


=== TEST 14: within 10 s
--- config
location /t { wassiit_auth hmac skew=10s; try_files /none @ok; }
--- headers eval: ::at(-10, -1, 0, 1, 10)
--- partner: atlas


=== TEST 15: not within 10 s
--- config
location /t { wassiit_auth hmac skew=10s; try_files /none @ok; }
--- headers eval: ::at(-11, 11, -1_000_000, 1_000_000)
--- told: 401 stale_timestamp
--- detail: \b1800000000\b


=== TEST 16: within no time
--- config
location /t { wassiit_auth hmac skew=0; try_files /none @ok; }
--- headers eval: ::at(0)
--- partner: atlas


=== TEST 17: not at the same time
--- config
location /t { wassiit_auth hmac skew=0; try_files /none @ok; }
--- headers eval: ::at(-1, 1, -1_000_000, 1_000_000)
--- told: 401 stale_timestamp
--- detail: \b1800000000\b


=== TEST 18: within an hour
--- config
location /t { wassiit_auth hmac skew=1h; try_files /none @ok; }
--- headers eval: ::at(-3600, -1, 0, 1, 3600)
--- partner: atlas


=== TEST 19: not within an hour
--- config
location /t { wassiit_auth hmac skew=1h; try_files /none @ok; }
--- headers eval: ::at(-3601, 3601, -1_000_000, 1_000_000)
--- told: 401 stale_timestamp
--- detail: \b1800000000\b


=== TEST 20: what is no number of seconds
--- headers eval
my $now = $::Now;
[ map { ::signed('atlas', time => $_) } "+$now", "-$now", "$now.0", "$now.", sprintf('0x%x', $now),
      sprintf('%x', $now), '1.8e9', "18000 00000", "$now;", "$now,$now", "\"$now\"", 'now',
      '2027-01-15T08:00:00Z', "$now\xc2\xa0", "\xef\xbc\x91", '' ]
--- told: 401 stale_timestamp


=== TEST 21: numbers of any size
--- headers eval
[ map { ::signed('atlas', time => $_) } '9' x 20, '0' x 10 . $::Now, '18446744073709551616',
      '1.84467440737096e+19', '9223372036854775807', '9223372036854775808', '0' ]
--- told: 401 stale_timestamp


=== TEST 22: the key comes first: none
--- headers eval: [ ::signed('atlas', key => undef) ]
--- told: 401 missing_key


=== TEST 23: an unknown one, signed by another's secret, by none, or not
--- headers eval
[ ::signed('atlas', key => 'key of nobody'), "X-API-Key: key of nobody\n",
  ::signed('atlas', key => 'key of nobody', secret => '') ]
--- told: 401 invalid_key


=== TEST 24: an expired one, also with a wrong signature
--- headers eval: [ ::signed('old'), ::signed('old', secret => 'x') ]
--- told: 401 expired_key


=== TEST 25: who is switched off
--- headers eval: [ ::signed('off') ]
--- told: 403 partner_disabled


=== TEST 26: and signs wrongly
--- headers eval: [ ::signed('off', secret => 'x') ]
--- told: 401 invalid_signature


=== TEST 27: no scope
--- config
location /t { wassiit_auth hmac; wassiit_scope files.send; try_files /none @ok; }
--- headers eval: [ ::signed('poor') ]
--- told: 403 insufficient_scope


=== TEST 28: no scope and a wrong signature
--- config
location /t { wassiit_auth hmac; wassiit_scope files.send; try_files /none @ok; }
--- headers eval: [ ::signed('poor', secret => 'x') ]
--- told: 401 invalid_signature


=== TEST 29: who has no secret
--- headers eval: [ ::signed('none', secret => '') ]
--- told: 401 invalid_signature
--- error_log eval
qr/\[warn\].* invalid_signature, partner "none", key "k1", zone "api", about "hmac_secret"/


=== TEST 30: what isn't signed rightly costs nothing
--- request eval: [ ('GET /t') x 7 ]
--- more_headers eval
my $wrong = ::signed('one', secret => 'x');
[ ($wrong) x 3, ::signed('one', time => 1), (::signed('one')) x 2, $wrong ]
--- error_code eval: [ (401) x 4, 200, 429, 401 ]
--- response_body_like eval
[ ('"invalid_signature"') x 3, '"stale_timestamp"', '\Aone allowed\z', '"rate_limited"',
  '"invalid_signature"' ]


=== TEST 31: each header once
--- request eval: [ ('GET /t') x 3 ]
--- more_headers eval
my $signed = ::signed('atlas');
[ map { my ($value) = $signed =~ /^$_: (.*)$/m; $signed . lc($_) . ": $value\n" }
      'X-API-Key', 'X-API-Timestamp', 'X-API-Signature' ]
--- error_code eval: [ (400) x 3 ]
--- response_body_like eval
[ map { qr/"duplicate_header".*\b$_\b/i } 'X-API-Key', 'X-API-Timestamp', 'X-API-Signature' ]


=== TEST 32: a key alone does elsewhere, whatever stands beside it
--- config
location /t { wassiit_auth key; try_files /none @ok; }
--- headers eval: [ "X-API-Key: key of none\n", ::signed('atlas', secret => 'x') ]
--- partner eval: [ 'none', 'atlas' ]


=== TEST 33: where access is off, nothing is asked for
--- config
wassiit_auth hmac;
location /t { wassiit_access off; try_files /none @ok; }
--- request
GET /t
--- response_body_like: \A


=== TEST 34: led to where less time is given
--- config
location /t { wassiit_auth hmac skew=1h; try_files /none /ten; }
location /ten { wassiit_auth hmac skew=10s; try_files /none @ok; }
--- headers eval: ::at(-10)
--- partner: atlas


=== TEST 35: too late for it
--- config
location /t { wassiit_auth hmac skew=1h; try_files /none /ten; }
location /ten { wassiit_auth hmac skew=10s; try_files /none @ok; }
--- headers eval: ::at(-11)
--- told: 401 stale_timestamp


=== TEST 36: led from where a key does
--- config
location /t { wassiit_auth key; try_files /none /then; }
location /then { wassiit_auth hmac; try_files /none @ok; }
--- headers eval: [ "X-API-Key: key of atlas\n" ]
--- told: 401 missing_signature


=== TEST 37: the signature is not lost on the way
--- config
location /t { wassiit_auth key; try_files /none /then; }
location /then { wassiit_auth hmac; try_files /none @ok; }
--- headers eval: [ ::signed('atlas') ]
--- partner: atlas


=== TEST 38: credentials that are not hidden
--- config
location /t {
    wassiit_auth hmac;
    wassiit_hide_credentials off;
    add_header X-Left $http_x_api_signature;
    try_files /none @ok;
}
--- headers eval: [ ::signed('atlas') ]
--- partner: atlas


=== TEST 39: the envelope says why
--- config
location /t { wassiit_auth hmac; wassiit_errors envelope; try_files /none @ok; }
--- headers eval: [ ::signed('atlas', secret => 'x') ]
--- told: 401 invalid_signature
--- detail: "data":\{"detail":"[^"]*signature


=== TEST 40: and, to one who sends milliseconds, what time it is
--- config
location /t { wassiit_auth hmac; wassiit_errors envelope; try_files /none @ok; }
--- headers eval: [ ::signed('atlas', time => $::Now * 1000) ]
--- told: 401 stale_timestamp
--- detail: "data":\{"detail":"[^"]*\b1800000000\b
