# What a refused partner gets to read, in both forms, by every way to ask.
# (t/reply_pages.t has what nobody changes, t/problem.t nginx's own errors,
# t/reply_connections.t what becomes of the connection.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Answer;
use Compress::Zlib ();
use Test::Nginx::Socket;

my $json = JSON::PP->new->canonical;
my $partners = join "\n", map { $json->encode($_) }
    partner('fine', 'fine-key', rate => '1000r/d'),
    partner('none', 'none-key', scopes => []),
    partner('paused', 'paused-key', enabled => JSON::PP::false()),
    partner('spent', 'spent-key', rate => '1r/d'),
    { id => 'old', keys => [ { id => 'k1', sha256 => key_sha256('expired-key'),
                               expires => '2020-01-01T00:00:00Z' } ] };

our $Gzip = <<'END';
location /gzip/ {
    gzip on;
    gzip_min_length 1;
    gzip_types application/json application/problem+json;
}
END

our $Charset = <<'END';
location /charset/ {
    charset utf-8;
    charset_types application/json application/problem+json;
}
END

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(partners => $partners);
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
END
    my $form = defined $block->in_envelope ? 'envelope' : 'problem';
    my $more = $block->config // '';

    $block->set_value(config => <<"END");
        wassiit_access api;
        wassiit_errors $form;
        add_header X-Instance \$request_id always;
        location /scope { wassiit_scope calls.initiate audio.send; }
        location /through/ {
            error_page 400 401 403 429 \@problem;
            location /through/scope { wassiit_scope calls.initiate audio.send; }
        }
        location \@problem { wassiit_problem; }
        $more
END
    $block->set_value(more_headers => 'X-API-Key: ' . $block->key) if defined $block->key;
    _refusals($block, $form, split ' ', $block->refusal) if defined $block->refusal;
});

# One refusal by every way to ask, behind the one request that "spent" has.

sub _refusals {
    my ($block, $form, $status, $code) = @_;
    my $uri = $code eq 'insufficient_scope' ? '/scope' : '/x';
    my $headers = $block->more_headers // '';
    my ($one, $large) = map { sprintf "%x\r\n%s\r\n0\r\n\r\n", length, $_ } 'x', 'x' x 200_000;
    my @ways = (
        "GET $uri", "GET $uri HTTP/1.0", "GET /through$uri", "DELETE $uri", "POST $uri\nx",
        "POST $uri\n" . 'x' x 200_000,
        map({ [ "POST $uri\n$_", 'Transfer-Encoding: chunked' ] } $one, $large, "0\r\n\r\n"),
        [ "POST $uri", 'Content-Length: 0' ],
    );

    $block->set_value(request => [ 'GET /index.html', map { ref $_ ? $_->[0] : $_ } @ways ]);
    $block->set_value(more_headers => [
        'X-API-Key: spent-key',
        map { ref $_ ? "$headers\n$_->[1]" =~ s/\A\n+//r : $headers } @ways ]);
    $block->set_value(error_code => [ 200, ($status) x @ways ]);
    $block->set_value($form => [ undef, ("$status $code") x @ways ]);
}

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: no key
--- refusal: 401 missing_key


=== TEST 2: a key of nobody
--- refusal: 401 invalid_key
--- key: nobody-knows


=== TEST 3: an expired key
--- refusal: 401 expired_key
--- key: expired-key


=== TEST 4: a disabled partner
--- refusal: 403 partner_disabled
--- key: paused-key


=== TEST 5: a missing scope
--- refusal: 403 insufficient_scope
--- key: none-key


=== TEST 6: a window that is used up
--- refusal: 429 rate_limited
--- key: spent-key


=== TEST 7: a header twice
--- refusal: 400 duplicate_header
--- more_headers
X-API-Key: fine-key
x-api-key: fine-key


=== TEST 8: no key, in the envelope
--- in_envelope
--- refusal: 401 missing_key


=== TEST 9: a key of nobody, in the envelope
--- in_envelope
--- refusal: 401 invalid_key
--- key: nobody-knows


=== TEST 10: an expired key, in the envelope
--- in_envelope
--- refusal: 401 expired_key
--- key: expired-key


=== TEST 11: a disabled partner, in the envelope
--- in_envelope
--- refusal: 403 partner_disabled
--- key: paused-key


=== TEST 12: a missing scope, in the envelope
--- in_envelope
--- refusal: 403 insufficient_scope
--- key: none-key


=== TEST 13: a window that is used up, in the envelope
--- in_envelope
--- refusal: 429 rate_limited
--- key: spent-key


=== TEST 14: a header twice, in the envelope
--- in_envelope
--- refusal: 400 duplicate_header
--- more_headers
X-API-Key: fine-key
x-api-key: fine-key


=== TEST 15: gzip, which nginx never does to a 401
--- config eval: $::Gzip
--- request: GET /gzip/x
--- more_headers
X-API-Key: paused-key
Accept-Encoding: gzip
--- error_code: 403
--- response_headers
Content-Encoding: gzip
--- response_body_filters eval: [ sub { Compress::Zlib::memGunzip($_[0]) } ]
--- response_body_like: ^\{.*"partner_disabled".*\}$


=== TEST 16: charset
--- config eval: $::Charset
--- request: GET /charset/
--- error_code: 401
--- response_body_like: "missing_key".*\}$


=== TEST 17: no padding for old browsers
--- request: GET /x
--- more_headers
User-Agent: Mozilla/4.0 (compatible; MSIE 6.0)
--- error_code: 401
--- response_body_like: ^\{[^{}]*\}$


=== TEST 18: gzip, which nginx never does to a 401, in the envelope
--- in_envelope
--- config eval: $::Gzip
--- request: GET /gzip/x
--- more_headers
X-API-Key: paused-key
Accept-Encoding: gzip
--- error_code: 403
--- response_headers
Content-Encoding: gzip
--- response_body_filters eval: [ sub { Compress::Zlib::memGunzip($_[0]) } ]
--- response_body_like: ^\{.*"partner_disabled".*\}$


=== TEST 19: charset, in the envelope
--- in_envelope
--- config eval: $::Charset
--- request: GET /charset/
--- error_code: 401
--- response_body_like: "missing_key".*\}$


=== TEST 20: no padding for old browsers, in the envelope
--- in_envelope
--- request: GET /x
--- more_headers
User-Agent: Mozilla/4.0 (compatible; MSIE 6.0)
--- error_code: 401
--- response_body_like: ^\{[^{}]*\{[^{}]*\}\}$
