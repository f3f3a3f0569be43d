# wassiit_webhook_verify and wassiit_webhook_sign: what each lets through, what
# each refuses and how it says so. How bodies come and where they lie is
# t/body.t's.

use strict;
use warnings;

use lib 't/lib';
use H2;
use Wassiit;
use Wassiit::Backend;
use Wassiit::Clock;
use Digest::SHA qw(hmac_sha256_hex);
use Encode qw(encode_utf8);
use Test::More;

my ($new, $old) = ("the new one\t", " the old one, which ends in a blank ");
my $long = 'l' x 200;
my $hush = "h\xfcsh \x{1f512}";

my $backend = Wassiit::Backend->new;
my $to = 'http://127.0.0.1:' . $backend->port;

my $now = time;
my $clock = Wassiit::Clock->new($now);

my $server = Wassiit::Server->start(
    files => {
        'hook.secret' => "\xef\xbb\xbf$new\n$old\r\n$long",
        'upstream.secret' => "c2VjcmV0\n",
        'out.secret' => "first\nsecond\n",
        'partners.jsonl' => [
            partner('atlas', 'key of atlas', webhook_secret => $hush),
            partner('poor', 'key of poor'), partner('one', 'key of one', rate => '1r/d'),
            partner('off', 'key of off', enabled => JSON::PP::false(), webhook_secret => 'x'),
            partner('both', 'key of both', webhook_secret => 'x', hmac_secret => 'c2VjcmV0'),
            partner('turns', 'key of turns', webhook_secret => 'former',
                    next_webhook_secret => { value => 'next one', expires => '2036-01-01T00:00:00Z' }),
            partner('turned', 'key of turned', webhook_secret => 'former',
                    next_webhook_secret => { value => 'next one', expires => '2026-01-01T00:00:00Z' }),
        ],
    },
    conf => <<"END" =~ s/BACKEND/$to/gr);
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    log_format all '\$request_uri \$wassiit_partner \$wassiit_decision \$wassiit_webhook_signature \$wassiit_webhook_signature_next';
    access_log logs/access.log all;
    underscores_in_headers on;
    error_page 502 \@problem;

    server {
        listen %%PORT%%;
        listen %%PORT_2%% http2;

        location \@problem { wassiit_problem; }

        location /verify { wassiit_webhook_verify secret_file=hook.secret; try_files /none \@ok; }
        location /other { wassiit_webhook_verify secret_file=hook.secret header=X-Hub_Sig; try_files /none \@ok; }
        location /envelope { wassiit_errors envelope; wassiit_webhook_verify secret_file=hook.secret; try_files /none \@ok; }
        location /access {
            wassiit_access api;
            wassiit_webhook_verify secret_file=hook.secret;
            try_files /none \@ok;
            location /access/off { wassiit_webhook_verify off; try_files /none \@ok; }
        }
        location /satisfy {
            satisfy any; allow all;
            wassiit_access api;
            wassiit_webhook_verify secret_file=hook.secret;
            try_files /none \@ok;
        }
        location /page { wassiit_webhook_verify secret_file=hook.secret; error_page 401 /own.html; }
        location = /own.html { return 200 "of our own\\n"; }

        # one verdict, whatever way the request goes on
        location /through { wassiit_webhook_verify secret_file=hook.secret; try_files /none /then; }
        location /then { wassiit_webhook_verify secret_file=hook.secret; wassiit_webhook_sign secret_file=out.secret; proxy_pass BACKEND; }
        location /twice { wassiit_webhook_verify secret_file=hook.secret; try_files /none \@second; }
        location \@second { wassiit_webhook_verify secret_file=out.secret header=X-Second; try_files /none \@ok; }

        location \@ok { return 200 "ok\\n"; }

        location /sign { wassiit_webhook_sign secret_file=out.secret; proxy_pass BACKEND; }
        location /named { wassiit_webhook_sign secret_file=out.secret header=X-Sum; proxy_pass BACKEND; }
        location ~ ^/to/(?<who>.*)\$ { wassiit_webhook_sign zone=api partner=\$who; proxy_pass BACKEND; }
        location ~ ^/sum/(?<who>.*)\$ { wassiit_webhook_sign zone=api partner=\$who header=X-Sum; proxy_pass BACKEND; }
        location /value { proxy_set_header X-Value \$wassiit_webhook_signature; wassiit_webhook_sign secret_file=out.secret; proxy_pass BACKEND; }
        location ~ ^/next/(?<who>.*)\$ {
            wassiit_webhook_sign zone=api partner=\$who;
            proxy_pass_request_headers off;
            proxy_set_header X-Value "\$wassiit_webhook_signature|\$wassiit_webhook_signature_next";
            proxy_pass BACKEND;
        }
        location /hmac {
            wassiit_upstream_hmac key=K secret_file=upstream.secret;
            wassiit_webhook_sign secret_file=out.secret;
            proxy_pass BACKEND;
        }
        location /fastcgi { wassiit_webhook_sign secret_file=out.secret; fastcgi_pass 127.0.0.1:${\ $backend->port }; }
        location /fastcgi/turns { wassiit_webhook_sign zone=api partner=turns; fastcgi_pass 127.0.0.1:${\ $backend->port }; }
        location /plain { proxy_pass BACKEND; }

        # what is signed for one place doesn't go to another
        location /leads { wassiit_webhook_sign secret_file=out.secret; proxy_intercept_errors on; proxy_pass BACKEND; error_page 503 = /plain; }
        location /again { wassiit_webhook_sign secret_file=out.secret; proxy_intercept_errors on; proxy_pass BACKEND; error_page 503 = /to/atlas; }
        location /mirrored { mirror /sign; wassiit_webhook_sign zone=api partner=atlas; proxy_pass BACKEND; }
        location /turns { wassiit_webhook_sign zone=api partner=turns; proxy_intercept_errors on; proxy_pass BACKEND; error_page 503 = /plain; }
        location /to-plain-too { mirror /plain; wassiit_webhook_sign zone=api partner=turns; proxy_pass BACKEND; }
        location /to-plain { mirror /plain; wassiit_webhook_sign zone=api partner=atlas; proxy_pass BACKEND; }
    }

    server {
        listen %%PORT_3%%;
        wassiit_webhook_sign zone=api partner=\$arg_to;
        proxy_intercept_errors on;
        location /a { error_page 503 = /b?to=both; proxy_pass BACKEND; }
        location /turns { error_page 503 = /b?to=turns; proxy_pass BACKEND; }
        location /none { error_page 503 = /b?to=nobody; proxy_pass BACKEND; }
        location /b { proxy_pass BACKEND; }
    }
}
END

sub signed {
    my ($secret, $body, %more) = @_;
    return ($more{header} // 'X-WASSIIT-Signature', hmac_sha256_hex($body, $secret));
}

sub post {
    my ($uri, $body, @headers) = @_;
    return http($server->port, method => 'POST', uri => $uri, body => $body, headers => \@headers);
}

sub refused {
    my ($r, $status, $code, $name) = @_;
    is($r->status, $status, "$name: status");
    is(eval { $r->json->{code} }, $code, "$name: $code");
    return $r;
}

# The same through nginx to the test itself: what was sent on, what came back.

sub sent_on {
    my ($uri, $body, @headers) = @_;
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(method => 'POST', uri => $uri, body => $body,
                                         headers => \@headers, close => 1));
    my $bytes = $backend->receive('http');
    $client->response(close => 1);
    return $bytes;
}

sub values_of {
    my ($bytes, $name) = @_;
    my ($head) = $bytes =~ /\A(.*?)\r\n\r\n/s;
    return [ $head =~ /^\Q$name\E: *(.*?)\r?$/mig ];
}


# ---- verify: which signatures are right

for my $row ([ 'the new secret', $new ], [ 'the old, blanks and all', $old ], [ 'a long one', $long ]) {
    is(post('/verify', 'hello', signed($row->[1], 'hello'))->body, "ok\n", $row->[0]);
}

my ($header, $right) = signed($new, 'hello');

is(post('/verify', 'hello', lc $header => uc $right)->status, 200, 'upper-case hex, lower-case name');
is(post('/verify', 'hello', $header => ucfirst $right =~ s/([a-f])$/\U$1/r)->status, 200, 'mixed case');
is(post('/other', 'hello', 'x-hub_sig' => $right)->status, 200, 'another header');
is(http($server->port, uri => '/verify', headers => [ signed($new, '') ])->status, 200, 'a GET, which has no body');
is(http($server->port, uri => '/verify')->status, 401, 'a GET without a signature');

for my $row ([ 'another secret', (signed('another', 'hello'))[1] ],
             [ 'another body', (signed($new, 'hellO'))[1] ],
             [ 'a secret without its blank', (signed($old =~ s/ \z//r, 'hello'))[1] ],
             [ 'an empty secret', (signed('', 'hello'))[1] ],
             [ 'two secrets as one', (signed("$new\n$old", 'hello'))[1] ],
             [ '63 digits', substr $right, 1 ], [ '65 digits', "0$right" ],
             [ 'with a prefix', "sha256=$right" ], [ 'two in one', "$right,$right" ],
             [ 'a blank within', substr($right, 0, 32) . ' ' . substr $right, 32 ],
             [ 'no hex', 'g' . substr $right, 1 ],
             [ 'base64', Digest::SHA::hmac_sha256_base64('hello', $new) ],
             [ 'zeros', '0' x 64 ])
{
    my ($name, $signature) = @$row;
    refused(post('/verify', 'hello', $header => $signature), 401, 'invalid_signature', $name);
}

for my $at (0 .. 63) {
    my $wrong = $right;
    substr($wrong, $at, 1) =~ tr/0-9a-f/1-9a-f0/;
    is(post('/verify', 'hello', $header => $wrong)->status, 401, "digit $at is wrong");
}


# ---- verify: what a refusal says

my $r = refused(post('/verify', 'hello'), 401, 'missing_signature', 'no signature');
like($r->json->{detail}, qr/hex HMAC-SHA256.*X-WASSIIT-Signature/, 'it says what to send');
is($r->header('WWW-Authenticate'), 'HMAC-SHA256 header="X-WASSIIT-Signature"', 'and by what scheme');
$r = refused(post('/verify', 'hello', $header => ''), 401, 'missing_signature', 'an empty one');
$r = refused(post('/verify', 'hello', $header => $right, $header => $right), 400, 'duplicate_header', 'twice the same');
like($r->json->{detail}, qr/X-WASSIIT-Signature stands twice/, 'it names the header');
is($r->header('WWW-Authenticate'), undef, 'a 400 asks for nothing');
refused(post('/verify', 'hello', 'X_WASSIIT_Signature' => $right), 401, 'missing_signature', 'underscores are another name');
$r = refused(post('/other', 'hello', $header => $right), 401, 'missing_signature', 'another header is asked for');
like($r->json->{detail}, qr/in X-Hub_Sig\./, 'which it names');
my $envelope = post('/envelope', 'hello')->json;
my $data = delete $envelope->{data};
is_deeply($envelope, { success => JSON::PP::false(), status => 401, message => 'missing_signature' }, 'envelope');
like($data->{detail}, qr/X-WASSIIT-Signature/, 'which names the header');
is(post('/page', 'hello')->body, "of our own\n", "the operator's error_page wins");

# What can't be right isn't read: no "100 Continue" invites the body.

for my $row ([ 'no signature' ], [ 'one that can be none', $header => 'x' ], [ 'two', $header => $right, $header => $right ]) {
    my ($name, @headers) = @$row;
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(method => 'POST', uri => '/verify', headers => [
        @headers, Expect => '100-continue', 'Content-Length' => 100000 ]));
    my $r = $client->response;
    is_deeply([ $r->status == 200, $r->interim ], [ '' ], "$name: refused before the body is asked for");
    $client->close;
}

# The connection lives on, after a body that was read and after one that wasn't.

{
    my $client = Wassiit::Client->new($server->port);
    for my $row ([ 401, 'wrong', $header => '0' x 64 ], [ 401, 'none' ], [ 200, 'right', signed($new, 'right') ],
                 [ 400, 'two', $header => $right, $header => $right ])
    {
        my ($status, $body, @headers) = @$row;
        is($client->request(method => 'POST', uri => '/verify', body => $body, headers => \@headers)->status,
           $status, "one connection: $body");
    }
}


# ---- verify, and access: the key comes first

refused(post('/access', 'hello', $header => $right), 401, 'missing_key', 'no key');
refused(post('/access', 'hello', 'X-API-Key' => 'key of atlas'), 401, 'missing_signature', 'a key, no signature');
is(post('/access', 'hello', 'X-API-Key' => 'key of atlas', $header => $right)->status, 200, 'both');
is(post('/access/off', 'hello', 'X-API-Key' => 'key of atlas')->status, 200, 'off, within a location that verifies');
refused(post('/access', 'hello', 'X-API-Key' => 'key of one', $header => '0' x 64), 401, 'invalid_signature',
        'a wrong signature');
refused(post('/access', 'hello', 'X-API-Key' => 'key of one', $header => $right), 429, 'rate_limited',
        'has used up what a request uses');
refused(post('/satisfy', 'hello'), 401, 'missing_signature', '"satisfy any" is of who may, not of what is signed');
is(post('/satisfy', 'hello', $header => $right)->status, 200, '"satisfy any", signed');
refused(post('/twice', 'hello', $header => $right), 401, 'missing_signature', 'a second location asks for its own');
is(post('/twice', 'hello', $header => $right, signed('second', 'hello', header => 'X-Second'))->status, 200,
   'and has it from the same body');
refused(post('/twice', 'hello', $header => $right, signed('third', 'hello', header => 'X-Second')), 401,
        'invalid_signature', 'or not');


# ---- sign

for my $row ([ '' ], [ 'x' ], [ "\0\xff\r\n" ], [ encode_utf8("\x{e9}\x{1f600}") ], [ 'long' x 30_000 ]) {
    my ($body) = @$row;
    my $name = 'a body of ' . length($body) . ' bytes';
    my $bytes = sent_on('/sign', $body);
    is_deeply(values_of($bytes, $header), [ hmac_sha256_hex($body, 'first') ], "$name: signed with the first secret");
    is($bytes =~ s/\A.*?\r\n\r\n//sr, $body, "$name: and untouched");
    is_deeply(values_of(sent_on('/to/atlas', $body), $header), [ hmac_sha256_hex($body, encode_utf8($hush)) ],
              "$name: with the partner's");
}

my $bytes = sent_on('/sign', 'hello', $header => 'mine', lc $header => $right, 'X_WASSIIT_Signature' => 'x');
is_deeply(values_of($bytes, $header), [ hmac_sha256_hex('hello', 'first') ], "the client's is replaced");
unlike($bytes, qr/mine|\Q$right\E|x_wassiit/i, 'however it was written');
is_deeply(values_of(sent_on('/named', 'hello', $header => 'kept', 'x-sum' => 'mine'), $_->[0]), [ $_->[1] ], "header=X-Sum: $_->[0]")
    for [ 'X-Sum', hmac_sha256_hex('hello', 'first') ], [ $header, 'kept' ];
is_deeply(values_of(sent_on('/value', 'hello'), 'X-Value'), [ hmac_sha256_hex('hello', 'first') ], 'the variable');
is_deeply(values_of(sent_on('/to/off', 'hello'), $header), [ hmac_sha256_hex('hello', 'x') ], 'a partner that is switched off');
is_deeply(values_of(sent_on('/to/both', 'hello'), $header), [ hmac_sha256_hex('hello', 'x') ], 'a partner of two secrets');
is_deeply(values_of(sent_on('/plain', 'hello', $header => 'mine'), $header), ['mine'], 'elsewhere nothing is touched');

# two signatures, until the next secret takes over

my ($by_former, $by_next) = map { hmac_sha256_hex('hello', $_) } 'former', 'next one';

sub both_of { return [ map { @{ values_of($_[0], $_[1] . $_) } } '', '-Next' ] }

is_deeply(both_of(sent_on('/to/turns', 'hello'), $header), [ $by_former, $by_next ], 'the former in the header, the next in -Next');
is_deeply(both_of(sent_on('/to/turned', 'hello'), $header), [$by_next], 'the next one alone, as its time has come');
is_deeply(both_of(sent_on('/sum/turns', 'hello'), 'X-Sum'), [ $by_former, $by_next ], 'by another name');
is_deeply(values_of(sent_on("/next/$$_[0]", 'hello'), 'X-Value'), [ $$_[1] ], "the variables, of $$_[0]")
    for [ 'turns', "$by_former|$by_next" ], [ 'turned', "$by_next|" ], [ 'both', hmac_sha256_hex('hello', 'x') . '|' ];

{
    my $body = 'long' x 30_000;
    is_deeply(both_of(sent_on('/to/turns', $body), $header), [ map { hmac_sha256_hex($body, $_) } 'former', 'next one' ],
              'a body of many pieces');
}

# the client's own -Next doesn't travel on, whether there is one of ours or not

for my $row ([ '/to/turns', $by_former, $by_next ], [ '/to/turned', $by_next ], [ '/sign', hmac_sha256_hex('hello', 'first') ]) {
    my ($uri, @ours) = @$row;
    my $bytes = sent_on($uri, 'hello', map { $_ => 'mine' } "$header-Next", lc "$header-next", uc "$header-next",
                        'X_WASSIIT_Signature_Next', 'X-WASSIIT-Signature_NEXT', $header);
    is_deeply(both_of($bytes, $header), \@ours, "$uri: ours alone");
    unlike($bytes, qr/mine/, "$uri: however the client's was written");
}
is_deeply(both_of(sent_on('/plain', 'hello', "$header-Next" => 'mine'), $header), ['mine'], 'elsewhere it is nothing');

# nothing goes out unsigned

for my $row ([ 'nobody', qr/no partner "nobody" in zone "api"/ ], [ 'poor', qr/partner "poor" of zone "api" has no webhook_secret/ ],
             [ '', qr/the partner's id is empty/ ], [ 'A%22b', qr/the partner's id is malformed/ ], [ 'a' x 65, qr/malformed/ ])
{
    my ($who, $log) = @$row;
    $clock->set(++$now);    # the error log takes 10 lines a second
    $r = refused(post("/to/$who", 'hello'), 502, 'bad_gateway', "partner '$who'");
    ok($server->wait_log($log), "partner '$who': the log says why");
}

# other protocols: the client's own may come as the same parameter

{
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(method => 'POST', uri => '/fastcgi', body => 'hello', close => 1,
                                         headers => [ 'X_WASSIIT-Signature' => 'mine', 'X_WASSIIT_SIGNATURE' => 'mine' ]));
    my $bytes = $backend->receive('fastcgi');
    $client->response(close => 1);
    my @names = $bytes =~ /HTTP_X_WASSIIT_SIGNATURE/g;
    is(@names, 1, 'FastCGI: one parameter');
    like($bytes, qr/HTTP_X_WASSIIT_SIGNATURE${\ hmac_sha256_hex('hello', 'first') }/, 'FastCGI: ours');
}

for my $row ([ '/fastcgi' ], [ '/fastcgi/turns', $by_next ]) {
    my ($uri, @ours) = @$row;
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(method => 'POST', uri => $uri, body => 'hello', close => 1,
        headers => [ map { $_ => 'mine' } 'X_WASSIIT-Signature_Next', 'X_WASSIIT_SIGNATURE_NEXT', 'X-Wassiit-Signature-Next' ]));
    my $bytes = $backend->receive('fastcgi');
    $client->response(close => 1);
    is_deeply([ $bytes =~ /HTTP_X_WASSIIT_SIGNATURE_NEXT(.{0,64})/g ], \@ours, "FastCGI, $uri: no -Next but ours");
}


# ---- redirects and subrequests

my %answer = (answer => "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");

for my $row ([ '/leads', [] ], [ '/again', [ hmac_sha256_hex('hello', encode_utf8($hush)) ] ]) {
    my ($uri, $then) = @$row;
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(method => 'POST', uri => $uri, body => 'hello', close => 1, headers => [ $header => 'mine' ]));
    my $bytes = $backend->receive('http', %answer);
    is_deeply(values_of($bytes, $header), [ hmac_sha256_hex('hello', 'first') ], "$uri: signed");
    $bytes = $backend->receive('http');
    is_deeply(values_of($bytes, $header), $then, "$uri: after a redirect");
    $client->response(close => 1);
}

# The partner may be another after a redirect, or none.

{
    my $client = Wassiit::Client->new($server->port(3));
    $client->send($client->request_bytes(method => 'POST', uri => '/a?to=atlas', body => 'hello'));
    my $bytes = $backend->receive('http', %answer);
    is_deeply(values_of($bytes, $header), [ hmac_sha256_hex('hello', encode_utf8($hush)) ], 'signed for the one');
    $bytes = $backend->receive('http');
    is_deeply(values_of($bytes, $header), [ hmac_sha256_hex('hello', 'x') ], 'then for the other');
    is($client->response->status, 200, 'and answered');

    $client->send($client->request_bytes(method => 'POST', uri => '/none?to=atlas', body => 'hello'));
    $backend->receive('http', %answer);
    is($client->response->status, 502, 'then for nobody: not at all');
}

# Nor does a -Next reach another partner, or a place that isn't signed for.

{
    my $client = Wassiit::Client->new($server->port(3));
    for my $row ([ '/a?to=turns', [ $by_former, $by_next ], [ hmac_sha256_hex('hello', 'x') ] ],
                 [ '/turns?to=both', [ hmac_sha256_hex('hello', 'x') ], [ $by_former, $by_next ] ],
                 [ '/turns?to=turns', [ $by_former, $by_next ], [ $by_former, $by_next ] ])
    {
        my ($uri, @each) = @$row;
        $client->send($client->request_bytes(method => 'POST', uri => $uri, body => 'hello', headers => [ "$header-Next" => 'mine' ]));
        is_deeply(both_of($backend->receive('http', %answer), $header), $each[0], "$uri: signed for the one");
        is_deeply(both_of($backend->receive('http'), $header), $each[1], "$uri: then for the other");
        is($client->response->status, 200, "$uri: and answered");
    }
}

{
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(method => 'POST', uri => '/turns', body => 'hello', close => 1));
    is_deeply(both_of($backend->receive('http', %answer), $header), [ $by_former, $by_next ], '/turns: signed');
    is_deeply(both_of($backend->receive('http'), $header), [], '/turns: not where a redirect leads');
    $client->response(close => 1);
}

{
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(method => 'POST', uri => '/to-plain-too', body => 'hello', close => 1));
    my %seen = map { my $bytes = $backend->receive('http'); ($bytes =~ m{\APOST (\S+)} => both_of($bytes, $header)) } 1 .. 2;
    $client->response(close => 1);
    is_deeply(\%seen, { '/to-plain-too' => [ $by_former, $by_next ], '/plain' => [] }, 'a mirror gets neither');
}

for my $row ([ '/mirrored', hmac_sha256_hex('hello', 'first') ], [ '/to-plain' ]) {
    my ($uri, @mirror) = @$row;
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(method => 'POST', uri => $uri, body => 'hello', close => 1));
    my %seen;
    for (1 .. 2) {
        my $bytes = $backend->receive('http');
        my ($path) = $bytes =~ m{\APOST (\S+)};
        $seen{$path} = values_of($bytes, $header);
        is($bytes =~ s/\A.*?\r\n\r\n//sr, 'hello', "$uri: body at $path");
    }
    $client->response(close => 1);
    is_deeply(delete $seen{$uri}, [ hmac_sha256_hex('hello', encode_utf8($hush)) ], "$uri: its own signature");
    is_deeply([ values %seen ], [ [@mirror] ], "$uri: the mirror's");
}

is_deeply(values_of(sent_on('/through', 'hello', $header => $right), $header), [ hmac_sha256_hex('hello', 'first') ],
          'verified once, then signed by another location');
refused(post('/through', 'hello', $header => '0' x 64), 401, 'invalid_signature', 'not verified, not signed');


# ---- what the log tells

ok(wait_for { $server->access_log =~ m{^/to/poor }m }, 'requests are logged');
like($server->access_log, qr{^/to/turns - - $by_former $by_next$}m, 'both signatures');
like($server->access_log, qr{^/verify - invalid_signature - -$}m, 'a decision, no signature');
like($server->access_log, qr{^/verify - allowed - -$}m, 'a decision without a partner');
like($server->access_log, qr{^/access atlas allowed - -$}m, 'a partner');
like($server->access_log, qr{^/access one invalid_signature - -$}m, 'a partner with a wrong signature');
like($server->access_log, qr{^/sign - - ${\ hmac_sha256_hex('x', 'first') } -$}m, 'what was signed');
for my $secret ($new, $old, $long, encode_utf8($hush), 'next one') {
    my $text = $secret =~ s/^\s+|\s+$//gr;
    unlike($server->error_log . $server->access_log, qr/\Q$text\E/, 'no secret in a log');
}


# ---- a reload changes secrets

$server->write('hook.secret', "newer\n");
$server->write('out.secret', "newest\n");
$server->partners(partner('atlas', 'key of atlas', webhook_secret => 'changed'), partner('poor', 'key of poor', webhook_secret => 'rich'));
is($server->reload, '', 'reload');
is(post('/verify', 'hello', signed('newer', 'hello'))->status, 200, 'the new secret');
is(post('/verify', 'hello', signed($new, 'hello'))->status, 401, 'not the former');
is_deeply(values_of(sent_on('/sign', 'hello'), $header), [ hmac_sha256_hex('hello', 'newest') ], 'signed with the new one');
is_deeply(values_of(sent_on('/to/atlas', 'hello'), $header), [ hmac_sha256_hex('hello', 'changed') ], "a partner's changed");
is_deeply(values_of(sent_on('/to/poor', 'hello'), $header), [ hmac_sha256_hex('hello', 'rich') ], 'a partner has got one');
$server->partners(partner('atlas', 'key of atlas'), partner('both', 'k', hmac_secret => 'c2VjcmV0'));
is($server->reload, '', 'reload');
refused(post('/to/atlas', 'hello'), 502, 'bad_gateway', 'a partner has lost its secret');
refused(post('/to/both', 'hello'), 502, 'bad_gateway', 'a secret for requests is none for webhooks');
refused(post('/to/poor', 'hello'), 502, 'bad_gateway', 'a partner is gone');

$server->stop;
done_testing;
