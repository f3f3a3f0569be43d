# wassiit_webhook_verify and wassiit_webhook_sign on connections that live on, in
# mirrors and after a reload. What one request gets, what is sent on of it and what
# is logged: t/webhook_verify.t, t/webhook_sign.t, t/webhook_log.t. How bodies come
# and where they lie is t/body.t's.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Backend;
use Digest::SHA qw(hmac_sha256_hex);
use Encode qw(encode_utf8);
use Test::More;

my $new = "the new one\t";
my $hush = "h\xfcsh \x{1f512}";

my $backend = Wassiit::Backend->new;
my $to = 'http://127.0.0.1:' . $backend->port;

my $server = Wassiit::Server->start(
    files => {
        'hook.secret' => "\xef\xbb\xbf$new\n",
        'out.secret' => "first\nsecond\n",
        'partners.jsonl' => [
            partner('atlas', 'key of atlas', webhook_secret => $hush),
            partner('poor', 'key of poor'),
            partner('both', 'key of both', webhook_secret => 'x', hmac_secret => 'c2VjcmV0'),
            partner('turns', 'key of turns', webhook_secret => 'former',
                    next_webhook_secret => { value => 'next one', expires => '2120-01-01T00:00:00Z' }),
        ],
    },
    conf => <<"END" =~ s/BACKEND/$to/gr);
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    error_page 502 \@problem;

    server {
        listen %%PORT%%;

        location \@problem { wassiit_problem; }

        location /verify { wassiit_webhook_verify secret_file=hook.secret; try_files /none \@ok; }
        location \@ok { return 200 "ok\\n"; }

        location /sign { wassiit_webhook_sign secret_file=out.secret; proxy_pass BACKEND; }
        location ~ ^/to/(?<who>.*)\$ { wassiit_webhook_sign zone=api partner=\$who; proxy_pass BACKEND; }
        location /plain { proxy_pass BACKEND; }

        location /mirrored { mirror /sign; wassiit_webhook_sign zone=api partner=atlas; proxy_pass BACKEND; }
        location /to-plain-too { mirror /plain; wassiit_webhook_sign zone=api partner=turns; proxy_pass BACKEND; }
        location /to-plain { mirror /plain; wassiit_webhook_sign zone=api partner=atlas; proxy_pass BACKEND; }
    }

    server {
        listen %%PORT_2%%;
        wassiit_webhook_sign zone=api partner=\$arg_to;
        proxy_intercept_errors on;
        location /a { error_page 503 = /b?to=both; proxy_pass BACKEND; }
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

sub both_of { return [ map { @{ values_of($_[0], $_[1] . $_) } } '', '-Next' ] }

my ($header, $right) = signed($new, 'hello');
my ($by_former, $by_next) = map { hmac_sha256_hex('hello', $_) } 'former', 'next one';

# What can't be right isn't read: no "100 Continue" invites the body.

for my $row ([ 'no signature' ], [ 'one that can be none', $header => 'x' ],
             [ 'two', $header => $right, $header => $right ]) {
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


# ---- redirects and subrequests

my %answer = (answer => "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");

# The partner may be another after a redirect, or none.

{
    my $client = Wassiit::Client->new($server->port(2));
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


# ---- a reload changes secrets

$server->write('hook.secret', "newer\n");
$server->write('out.secret', "newest\n");
$server->partners(partner('atlas', 'key of atlas', webhook_secret => 'changed'),
                  partner('poor', 'key of poor', webhook_secret => 'rich'));
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

for my $secret ($new, encode_utf8($hush), 'next one') {
    my $text = $secret =~ s/^\s+|\s+$//gr;
    unlike($server->error_log . $server->access_log, qr/\Q$text\E/, 'no secret in a log');
}

done_testing;
