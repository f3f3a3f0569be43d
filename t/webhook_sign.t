# wassiit_webhook_sign: what goes to a partner bears the signature of its body,
# ours alone, or doesn't go. Mirrors, what a redirect refuses and reloads are
# t/webhook.t's, logs t/webhook_log.t's.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(hmac_sha256_hex);
use Encode qw(encode_utf8);
use Wassiit;
use Wassiit::Backend;
use Test::Nginx::Socket;

our $Backend = Wassiit::Backend->echo;

our $Hush = "h\xfcsh \x{1f512}";
our $Header = 'X-WASSIIT-Signature';
our @Bodies = ('', 'x', "\0\xff\r\n", encode_utf8("\x{e9}\x{1f600}"), 'long' x 30_000);
our $To = 'proxy_pass http://$TEST_NGINX_BACKEND';
our $Sign = 'wassiit_webhook_sign secret_file=out.secret';
our $Verify = 'wassiit_webhook_verify secret_file=hook.secret';

our %Next = (value => 'next one', expires => '2120-01-01T00:00:00Z');
our @Partners = (
    partner('atlas', 'key of atlas', webhook_secret => $Hush), partner('poor', 'key of poor'),
    partner('off', 'key of off', enabled => JSON::PP::false(), webhook_secret => 'x'),
    partner('both', 'key of both', webhook_secret => 'x', hmac_secret => 'c2VjcmV0'),
    partner('turns', 'key of turns', webhook_secret => 'former', next_webhook_secret => { %Next }),
    partner('turned', 'key of turned', webhook_secret => 'former',
            next_webhook_secret => { %Next, expires => '2020-01-01T00:00:00Z' }),
);

sub sign { my ($secret, $body) = @_; return hmac_sha256_hex($body // 'hello', $secret) }

# What the backend has to have seen: a path with its signatures, and "hello".

sub line { my ($secret, $name) = @_; return ($name // $Header) . ': ' . sign($secret) . "\n" }
sub seen { my ($path, @lines) = @_; return join '', "$path\n", @lines, "hello\n" }

our ($First, $Hushed, $Turn) = (line('first'), line(encode_utf8($Hush)),
                                line('former') . line('next one', "$Header-Next"));

# Of each request that the backend got: its path, what may be a signature in its
# header, and its body.

sub signatures {
    my ($seen) = @_;
    my $text = '';

    while ($seen =~ s/\A[A-Z]+ (\S+) HTTP.*?\r\n(.*?\r\n)\r\n//s) {
        my ($what, $head) = ($1, $2);
        my $body = $head =~ /^Content-Length: (\d+)/mi ? substr $seen, 0, $1, '' : '';
        my @lines = grep { /sign|sum|value|mine/i } split /\r\n/, $head;
        $text .= join '', map { "$_\n" } $what, @lines, $body;
    }

    return $text . $seen;
}

# The same of a FastCGI request: the parameters.

sub parameters {
    my ($seen) = @_;
    return join '', map { "$_\n" } $seen =~ /HTTP_X_WASSIIT_SIGNATURE(?:_NEXT)?[0-9a-f]{0,64}/g;
}

# "to" is the path of a request with the body "hello".

for my $block (blocks()) {
    if (defined(my $to = $block->to)) {
        chomp $to;
        $block->set_value(request => "POST $to\nhello");
    }
    $block->set_value(response_body_filters => \&signatures)
        unless defined $block->response_body_filters || defined $block->refused;
}

add_block_preprocessor(sub {
    my ($block) = @_;
    my $json = JSON::PP->new->utf8->canonical;

    $block->set_value(partners => join "\n", map { $json->encode($_) } @Partners);
    $block->set_value(files => { 'out.secret' => "first\nsecond\n", 'hook.secret' => 'in' });
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
        underscores_in_headers on;
END
    $block->set_value(config => ($block->config // '') . <<"END");
        error_page 502 \@problem;
        location \@problem { wassiit_problem; }
        location /sign { $Sign; $To; }
        location ~ ^/to/(?<who>.*)\$ { wassiit_webhook_sign zone=api partner=\$who; $To; }
        location /plain { $To; }
END
});

log_level('info');
no_long_string();
no_shuffle();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: the first secret of a file
--- request eval: [ map { "POST /sign\n$_" } @::Bodies ]
--- more_headers eval: [ map { 'Content-Length: ' . length($_) . "\n" } @::Bodies ]
--- response_body eval
[ map { "/sign\n$::Header: " . ::sign('first', $_) . "\n$_\n" } @::Bodies ]


=== TEST 2: the partner's secret
--- request eval: [ map { "POST /to/atlas\n$_" } @::Bodies ]
--- more_headers eval: [ map { 'Content-Length: ' . length($_) . "\n" } @::Bodies ]
--- response_body eval
[ map { "/to/atlas\n$::Header: " . ::sign(Encode::encode_utf8($::Hush), $_) . "\n$_\n" }
      @::Bodies ]


=== TEST 3: the client's is replaced, however it was written
--- to: /sign
--- more_headers eval
"$::Header: mine\n" . lc($::Header) . ": mine\nX_WASSIIT_Signature: mine"
--- response_body eval: ::seen('/sign', $::First)


=== TEST 4: in another header; one of the usual name is the client's own
--- config eval: "location /named { $::Sign header=X-Sum; $::To; }"
--- to: /named
--- more_headers eval: "$::Header: kept\nx-sum: mine"
--- response_body eval
::seen('/named', "$::Header: kept\n", ::line('first', 'X-Sum'))


=== TEST 5: the variable
--- config eval
"location /value { proxy_set_header X-Value \$wassiit_webhook_signature; $::Sign; $::To; }"
--- to: /value
--- response_body_like eval: qr/^X-Value: @{[ ::sign('first') ]}\n/m


=== TEST 6: a partner that is switched off
--- to: /to/off
--- response_body eval: ::seen('/to/off', ::line('x'))


=== TEST 7: a partner of two sorts of secrets
--- to: /to/both
--- response_body eval: ::seen('/to/both', ::line('x'))


=== TEST 8: elsewhere nothing is touched
--- to: /plain
--- more_headers eval: "$::Header: mine\n$::Header-Next: mine"
--- response_body eval: ::seen('/plain', "$::Header: mine\n", "$::Header-Next: mine\n")


=== TEST 9: the former secret in the header, the next in -Next
--- to: /to/turns
--- response_body eval: ::seen('/to/turns', $::Turn)


=== TEST 10: the next one alone, as its time has come
--- to: /to/turned
--- response_body eval: ::seen('/to/turned', ::line('next one'))


=== TEST 11: both by another name
--- config eval
"location ~ ^/sum/(?<who>.*)\$ {
     wassiit_webhook_sign zone=api partner=\$who header=X-Sum; $::To;
 }"
--- to: /sum/turns
--- response_body eval
::seen('/sum/turns', ::line('former', 'X-Sum'), ::line('next one', 'X-Sum-Next'))


=== TEST 12: both of a body of many pieces
--- request eval: [ "POST /to/turns\n$::Bodies[4]" ]
--- response_body eval
[ "/to/turns\n$::Header: " . ::sign('former', $::Bodies[4]) . "\n$::Header-Next: "
  . ::sign('next one', $::Bodies[4]) . "\n$::Bodies[4]\n" ]


=== TEST 13: the variables of both
--- config eval
"location ~ ^/next/(?<who>.*)\$ {
     wassiit_webhook_sign zone=api partner=\$who;
     proxy_pass_request_headers off;
     proxy_set_header X-Value \"\$wassiit_webhook_signature|\$wassiit_webhook_signature_next\";
     $::To;
 }"
--- request eval: [ map { "POST /next/$_\nhello" } 'turns', 'turned', 'both' ]
--- response_body_like eval
[ map { qr/^X-Value: $_\n/m } ::sign('former') . '\|' . ::sign('next one'),
      ::sign('next one') . '\|', ::sign('x') . '\|' ]


=== TEST 14: the client's -Next doesn't travel on, whether there is one of ours or not
--- request eval: [ map { "POST $_\nhello" } '/to/turns', '/to/turned', '/sign' ]
--- more_headers eval
CORE::join '', map { "$_: mine\n" } "$::Header-Next", lc "$::Header-next", uc "$::Header-next",
    'X_WASSIIT_Signature_Next', 'X-WASSIIT-Signature_NEXT', $::Header
--- response_body eval
[ ::seen('/to/turns', $::Turn), ::seen('/to/turned', ::line('next one')),
  ::seen('/sign', $::First) ]


=== TEST 15: to nobody
--- to: /to/nobody
--- refused: 502 bad_gateway
--- error_log: no partner "nobody" in zone "api"


=== TEST 16: to a partner without a secret
--- to: /to/poor
--- refused: 502 bad_gateway
--- error_log: partner "poor" of zone "api" has no webhook_secret


=== TEST 17: to an empty id
--- to: /to/
--- refused: 502 bad_gateway
--- error_log: the partner's id is empty


=== TEST 18: to an id that is none
--- to: /to/A%22b
--- refused: 502 bad_gateway
--- error_log: the partner's id is malformed


=== TEST 19: to an id of 65 bytes
--- to eval: '/to/' . 'a' x 65
--- refused: 502 bad_gateway
--- error_log: malformed


=== TEST 20: FastCGI: one parameter, ours
--- config eval: "location /fastcgi { $::Sign; fastcgi_pass \$TEST_NGINX_BACKEND; }"
--- to: /fastcgi
--- more_headers
X_WASSIIT-Signature: mine
X_WASSIIT_SIGNATURE: mine
--- response_body_filters eval: \&::parameters
--- response_body eval: 'HTTP_X_WASSIIT_SIGNATURE' . ::sign('first') . "\n"


=== TEST 21: FastCGI: no -Next but ours
--- config eval
"location /fastcgi { $::Sign; fastcgi_pass \$TEST_NGINX_BACKEND; }
 location /fastcgi/turns {
     wassiit_webhook_sign zone=api partner=turns; fastcgi_pass \$TEST_NGINX_BACKEND;
 }"
--- request eval: [ map { "POST /fastcgi$_\nhello" } '', '/turns' ]
--- more_headers
X_WASSIIT-Signature_Next: mine
X_WASSIIT_SIGNATURE_NEXT: mine
X-Wassiit-Signature-Next: mine
--- response_body_filters eval: \&::parameters
--- response_body_like eval
my ($first, $former, $next) = map { ::sign($_) } 'first', 'former', 'next one';
[ qr/\AHTTP_X_WASSIIT_SIGNATURE$first\n\z/,
  qr/\AHTTP_X_WASSIIT_SIGNATURE$former\nHTTP_X_WASSIIT_SIGNATURE_NEXT$next\n\z/ ]


=== TEST 22: what was signed for one place doesn't go to another
--- config eval
"proxy_intercept_errors on;
 location /leads { $::Sign; error_page 503 = /plain; $::To/busy; }"
--- to: /leads
--- more_headers eval: "$::Header: mine"
--- response_body eval: ::seen('/busy', $::First) . ::seen('/plain')


=== TEST 23: which has a signature of its own
--- config eval
"proxy_intercept_errors on;
 location /again { $::Sign; error_page 503 = /to/atlas; $::To/busy; }"
--- to: /again
--- more_headers eval: "$::Header: mine"
--- response_body eval: ::seen('/busy', $::First) . ::seen('/to/atlas', $::Hushed)


=== TEST 24: nor does a -Next
--- config eval
"proxy_intercept_errors on;
 location /turns {
     wassiit_webhook_sign zone=api partner=turns;
     error_page 503 = /plain; $::To/busy;
 }"
--- to: /turns
--- response_body eval: ::seen('/busy', $::Turn) . ::seen('/plain')


=== TEST 25: the partner may be another after a redirect
--- config eval
"wassiit_webhook_sign zone=api partner=\$arg_to;
 proxy_intercept_errors on;
 location /a { error_page 503 = /b?to=both; $::To/busy; }
 location /turns { error_page 503 = /b?to=turns; $::To/busy; }
 location /b { $::To; }"
--- request eval
[ map { "POST $_\nhello" } '/a?to=atlas', '/a?to=turns', '/turns?to=both', '/turns?to=turns' ]
--- more_headers eval: "$::Header-Next: mine\n"
--- response_body eval
[ ::seen('/busy?to=atlas', $::Hushed) . ::seen('/b?to=both', ::line('x')),
  ::seen('/busy?to=turns', $::Turn) . ::seen('/b?to=both', ::line('x')),
  ::seen('/busy?to=both', ::line('x')) . ::seen('/b?to=turns', $::Turn),
  ::seen('/busy?to=turns', $::Turn) . ::seen('/b?to=turns', $::Turn) ]


=== TEST 26: verified once, then signed by another location
--- config eval
"location /through { $::Verify; try_files /none /then; }
 location /then { $::Verify; $::Sign; $::To; }"
--- to: /through
--- more_headers eval: "$::Header: " . ::sign('in')
--- response_body eval: ::seen('/then', $::First)


=== TEST 27: not verified, not signed
--- config eval
"location /through { $::Verify; try_files /none /then; }
 location /then { $::Verify; $::Sign; $::To; }"
--- to: /through
--- more_headers eval: "$::Header: " . '0' x 64
--- error_code: 401
--- response_body_like: "code":"invalid_signature"
