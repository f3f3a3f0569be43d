# Who is let in: keys, their forms and times, the header that carries them,
# and where wassiit_access holds.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;

our $Key = make_key('access');
our $Forged = substr($Key, 0, 41) . (substr($Key, 41) eq '0' ? '1' : '0');
our $Odd = substr($Key, 0, 10) . '-' . substr($Key, 11);
our @Eight = map { "many-key-$_" } 1 .. 8;

# A partner for each case: blocks say no more than what they send.

sub keys_of {
    my ($id, $keys, %key) = @_;
    my $partner = partner($id, $keys);
    $_ = { %$_, %key } for @{ $partner->{keys} };
    return $partner;
}

our @Partners = (
    partner('atlas', 'atlas-key'),
    partner('ours', [$Key, $Forged, $Odd]),
    partner('off', 'disabled-key', enabled => JSON::PP::false()),
    keys_of('old', 'expired-key', expires => '2020-01-01T00:00:00Z'),
    keys_of('now', 'current-key', created => '2020-01-01T00:00:00Z',
            expires => '2120-01-01T00:00:00Z'),
    keys_of('new', 'future-key', created => '2120-01-01T00:00:00Z'),
    partner('many', \@Eight),
    partner('sizes', [map { 'x' x $_ } 7, 8, 256, 257]),
    partner('bytes', ["byte\x80-key", "byte\x7f-key", "tab\t-key", '~ ! " \\ key']),
);

add_block_preprocessor(sub {
    my ($block) = @_;
    my $json = JSON::PP->new->canonical;

    $block->set_value(partners => join "\n", map { $json->encode($_) } @Partners)
        unless defined $block->partners;
    $block->set_value(http_config => <<'END' . ($block->http_config // ''));
        wassiit_zone zone=api:1m file=partners.jsonl;
        large_client_header_buffers 4 32k;
END
    $block->set_value(config => <<'END') unless defined $block->config;
        location /t {
            wassiit_access api;
            try_files /none @ok;
        }
        location @ok {
            return 200 "$wassiit_partner $wassiit_key_id\n";
        }
END
    $block->set_value(request => 'GET /t') unless defined $block->request;
});

log_level('info');
no_long_string();
no_shuffle();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: a known key is let in
--- more_headers
X-API-Key: atlas-key
--- response_body
atlas k1


=== TEST 2: without a key
--- refused: 401 missing_key


=== TEST 3: an empty key
--- more_headers
X-API-Key:
--- refused: 401 missing_key


=== TEST 4: a key of blanks is an empty one
--- more_headers eval: "X-API-Key:    \n"
--- refused: 401 missing_key


=== TEST 5: an unknown key
--- more_headers
X-API-Key: atlas-kez
--- refused: 401 invalid_key


=== TEST 6: a known key with something behind it
--- more_headers
X-API-Key: atlas-key,atlas-key
--- refused: 401 invalid_key


=== TEST 7: keys are case-sensitive
--- more_headers
X-API-Key: ATLAS-KEY
--- refused: 401 invalid_key


=== TEST 8: an expired key
--- more_headers
X-API-Key: expired-key
--- refused: 401 expired_key


=== TEST 9: a key within its times
--- more_headers
X-API-Key: current-key
--- response_body
now k1


=== TEST 10: a key before its creation
--- more_headers
X-API-Key: future-key
--- refused: 401 invalid_key


=== TEST 11: a disabled partner
--- more_headers
X-API-Key: disabled-key
--- refused: 403 partner_disabled


=== TEST 12: each of eight keys works
--- request eval: [ map { 'GET /t' } @main::Eight ]
--- more_headers eval: [ map { "X-API-Key: $_" } @main::Eight ]
--- error_code eval: [ map { 200 } @main::Eight ]
--- response_body eval: [ map { "many k$_\n" } 1 .. 8 ]


=== TEST 13: keys of 7, 8, 256 and 257 bytes, all in the file
--- request eval: [ map { 'GET /t' } 1 .. 4 ]
--- more_headers eval: [ map { 'X-API-Key: ' . 'x' x $_ } 7, 8, 256, 257 ]
--- error_code eval: [ 401, 200, 200, 401 ]
--- response_body_like eval
[ '"invalid_key"', '^sizes k2$', '^sizes k3$', '"invalid_key"' ]


=== TEST 14: a key of 8 KB, and one that doesn't fit a buffer
--- request eval: [ map { 'GET /t' } 1 .. 2 ]
--- more_headers eval: [ map { 'X-API-Key: ' . 'x' x $_ } 8192, 40000 ]
--- error_code eval: [ 401, 400 ]
--- response_body_like eval: [ '"invalid_key"', 'Header Or Cookie Too Large' ]


=== TEST 15: a key of other bytes than printable ASCII, though in the file
--- request eval: [ map { 'GET /t' } 1 .. 4 ]
--- more_headers eval
[ "X-API-Key: byte\x80-key", "X-API-Key: byte\x7f-key",
  "X-API-Key: tab\t-key", 'X-API-Key: ~ ! " \\ key' ]
--- error_code eval: [ 401, 401, 401, 200 ]
--- response_body_like eval: [ ('"invalid_key"') x 3, '^bytes k4$' ]


=== TEST 16: a key of our form
--- more_headers eval: "X-API-Key: $main::Key"
--- response_body
ours k1


=== TEST 17: a wrong checksum is refused, though the digest is in the file
--- more_headers eval: "X-API-Key: $main::Forged"
--- refused: 401 invalid_key


=== TEST 18: what begins as ours but isn't of base62 has no checksum
--- more_headers eval: "X-API-Key: $main::Odd"
--- response_body
ours k3


=== TEST 19: the header's name in any case
--- request eval: [ map { 'GET /t' } 1 .. 3 ]
--- more_headers eval: [ map { "$_: atlas-key" } qw(x-api-key X-API-KEY x-ApI-kEy) ]
--- response_body eval: [ map { "atlas k1\n" } 1 .. 3 ]
--- error_code eval: [ 200, 200, 200 ]


=== TEST 20: X_API_Key isn't the key, underscores or not
--- http_config
underscores_in_headers on;
--- more_headers
X_API_Key: atlas-key
X-API_Key: atlas-key
--- refused: 401 missing_key


=== TEST 21: X_API_Key beside the key is no second one
--- http_config
underscores_in_headers on;
--- more_headers
X_API_Key: other
X-API-Key: atlas-key
X-API_Key: other
--- response_body
atlas k1


=== TEST 22: names that only look alike
--- more_headers
X-API-Keys: atlas-key
X-API-Ke: atlas-key
XX-API-Key: atlas-key
API-Key: atlas-key
Authorization: atlas-key
--- refused: 401 missing_key


=== TEST 23: a header twice is named
--- request eval: [ map { 'GET /t' } 1 .. 3 ]
--- more_headers eval
[ map { "$_: atlas-key\nAccept: */*\n" . lc($_) . ": atlas-key\nX-API-Key: atlas-key" }
      qw(X-API-Key X-API-Timestamp X-API-Signature) ]
--- error_code eval: [ 400, 400, 400 ]
--- response_body_like eval
[ map { qr/"code":"duplicate_header".*"detail":"[^"]*\b$_\b[^"]*"/i }
      qw(X-API-Key X-API-Timestamp X-API-Signature) ]


=== TEST 24: a header twice is refused before any key is looked at
--- more_headers
X-API-Key: nobody-knows
X-API-Key:
--- refused: 400 duplicate_header


=== TEST 25: one of each is no duplicate
--- more_headers
X-API-Timestamp: 1
X-API-Key: atlas-key
X-API-Signature: 2
--- response_body
atlas k1


=== TEST 26: a header twice, the second in another part of nginx's list
--- more_headers eval
"X-API-Key: atlas-key\n" . "X-Other: 1\n" x 45 . "x-api-key: a"
--- refused: 400 duplicate_header


=== TEST 27: the realm is the zone's name
--- http_config
wassiit_zone zone=other:1m file=../html/other.jsonl;
--- user_files
>>> other.jsonl
{"id":"other"}
--- config
location /api { wassiit_access api; }
location /other { wassiit_access other; }
--- request eval: [ 'GET /api', 'GET /other' ]
--- error_code eval: [ 401, 401 ]
--- raw_response_headers_like eval
[ map { qr/^WWW-Authenticate: ApiKey realm="$_"\r$/m } 'api', 'other' ]


=== TEST 28: http, server and location inherit, "off" lifts it
--- http_config
wassiit_access api;
--- config
location /in { location /in/deeper { } }
location /out { wassiit_access off; location /out/in { wassiit_access api; } }
--- request eval: [ map { "GET $_" } qw(/ /in /in/deeper /out /out/x /out/in) ]
--- error_code eval: [ 401, 401, 401, 404, 404, 401 ]
--- response_body_like eval: [ ('missing_key') x 3, '404', '404', 'missing_key' ]


=== TEST 29: a server's access holds for its locations, not for another server
--- http_config
server {
    listen 127.0.0.1:$TEST_NGINX_PORT_2;
    location / { return 204; }
}
--- config
wassiit_access api;
location /t { }
location /elsewhere { wassiit_access off; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2; }
--- request eval: [ 'GET /t', 'GET /elsewhere' ]
--- error_code eval: [ 401, 204 ]
--- response_body_like eval: [ 'missing_key', '^$' ]


=== TEST 30: "if" and limit_except keep what the location says
--- config
location /t {
    wassiit_access api;
    if ($arg_x) { set $y 1; }
    limit_except GET { allow all; }
}
--- request eval: [ 'GET /t?x=1', "POST /t\nx" ]
--- error_code eval: [ 401, 401 ]
--- response_body_like eval: [ 'missing_key', 'missing_key' ]
