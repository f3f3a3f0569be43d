#!/usr/bin/env perl
# conf/cors.conf, uncommented in conf/nginx.conf as it says: what a browser asks
# before a partner's tool may send, and what that tool may read.

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

my $api = '/api/partner/v1';
my $origin = 'https://tools.partner.example';
my $secret = encode_base64('a secret', '');
my %key = map { $_ => make_key("cors $_") } qw(all none once);
my @partners = (
    partner('all', $key{all}, rate => '1000r/s', hmac_secret => $secret),
    partner('none', $key{none}, scopes => []),
    partner('once', $key{once}, rate => '1r/h', hmac_secret => $secret),
);

my $shipped = door_text('nginx.conf');
my $conf = $shipped;
is($conf =~ s/^( *)# (include cors(?:_headers)?\.conf;)$/$1$2/mg, 3, 'three lines to uncomment');

# A backend with an opinion of its own: it isn't asked.
my $sandbox = door_text('sandbox.conf');
$sandbox =~ s/(listen unix:messaging\.sock;)/$1
    add_header Access-Control-Allow-Origin * always;
    add_header Access-Control-Allow-Credentials true always;
    add_header Access-Control-Expose-Headers X-Other always;/ or die 'no messaging backend';

my $s;

sub start {
    my ($name, $conf, %with) = @_;
    return start_door($name, conf => $conf, partners => \@partners,
                      files => { map { $_ => door_text($_) } qw(cors.conf cors_headers.conf) }, %with);
}

sub ask {
    my ($method, $uri, %more) = @_;
    my $key = delete $more{key};
    my $from = exists $more{origin} ? delete $more{origin} : $origin;
    my @headers = (@{ delete $more{headers} // [] }, defined $from ? (Origin => $from) : ());

    if ($key) {
        push @headers, 'X-API-Key' => $key, 'X-API-Timestamp' => time,
            'X-API-Signature' => signature($secret, $key, time);
    }
    push @headers, 'Content-Type' => delete $more{type} // 'application/json' if defined $more{body};
    return http($s->port, method => $method, uri => $uri, headers => \@headers, %more);
}

# What a browser asks before a page of $origin may send that.

sub preflight {
    my ($method, $uri, %more) = @_;
    return ask(OPTIONS => $uri, headers => [ 'Access-Control-Request-Method' => $method,
        'Access-Control-Request-Headers' => 'content-type,x-api-key,x-api-signature,x-api-timestamp' ], %more);
}

sub cors_of { my ($r) = @_; return [ map { [ $_, $r->headers($_) ] } grep { /^access-control-/i } $r->names ] }

sub words { return { map { lc, 1 } split /\s*,\s*/, $_[0] // '' } }

# A page of $origin may read it, with all of its headers that we document.

sub is_readable {
    my ($r, $name) = @_;
    my $exposed = words($r->header('Access-Control-Expose-Headers'));
    my @safe = qw(cache-control content-length content-type server date connection vary);
    my %known = map { $_ => 1 } @safe, keys %$exposed;

    is_deeply([ $r->headers('Access-Control-Allow-Origin') ], [$origin], "$name: to be read by that origin");
    is_deeply([ grep { !$known{$_} && !/^access-control-/ } map { lc } $r->names ], [], "$name: with all headers");
    is_deeply([ $r->headers('Vary') ], ['Origin'], "$name: Vary");
    is_deeply([ $r->headers('Access-Control-Allow-Credentials') ], [], "$name: no credentials");
}

my $hello = '{"to":"+212600000000","text":"Hello"}';
my $otp = '{"reference":1,"country":"CM","recipient":"670000000","scheduled":"2025-09-29T12:40:14.590Z"}';
my @hello = (key => $key{all}, body => $hello);


# ---- as shipped

$s = start('shipped', $shipped);
is(preflight(POST => "$api/messages")->status, 405, 'as shipped: no preflight');
for my $r (preflight(POST => "$api/messages"), ask(POST => "$api/messages", @hello), ask(GET => '/'),
           ask(POST => '/automation/'))
{
    is_deeply(cors_of($r), [], 'as shipped: no word of it, ' . $r->status);
    is_deeply([ $r->headers('Vary') ], [], 'as shipped: the same to all');
}
$s->stop;


# ---- what a browser asks beforehand

$s = start('main', $conf, sandbox => door_moved($sandbox, 'main'));

for my $row ([ "$api/messages", 'POST' ], [ "$api/messages/audio", 'POST' ], [ "$api/messages/msg_1", 'GET, HEAD' ],
             [ "$api/calls", 'POST' ], [ "$api/conversations", 'GET, HEAD' ], [ "$api/webhooks", 'GET, HEAD, POST' ],
             [ "$api/webhooks/hook_1", 'GET, HEAD, PUT, PATCH, DELETE' ], [ '/automation/', 'POST' ],
             [ '/automation/WAP_read', 'GET, HEAD' ], [ '/automation', undef ], [ '/nothing', undef ])
{
    my ($uri, $methods) = @$row;
    my $r = preflight(($methods // 'POST') =~ /(\w+)\z/, $uri);

    is($r->status . $r->body, 204, "before $uri: allowed without a key");
    is_deeply([ $r->headers('Access-Control-Allow-Origin') ], [$origin], "before $uri: that origin");
    is($r->header('Access-Control-Allow-Methods'), $methods, "before $uri: the methods");
    is_deeply(words($r->header('Access-Control-Allow-Headers')),
              { map { $_ => 1 } qw(x-api-key x-api-timestamp x-api-signature content-type) },
              "before $uri: the headers");
    cmp_ok($r->header('Access-Control-Max-Age'), '>=', 60, "before $uri: once for a while");
    is_deeply([ map { $r->headers($_) } qw(Vary Access-Control-Allow-Credentials RateLimit) ], ['Origin'],
              "before $uri: nothing was counted");
}

is(ask(OPTIONS => "$api/messages")->status, 405, 'OPTIONS that asks for nothing is a wrong method');
is(preflight(POST => "$api/messages", origin => 'http://localhost:5173')->status, 204, "a developer's own machine");


# ---- what a tool may read

for my $row (
    [ 'a message', 202, POST => "$api/messages", @hello ],
    [ 'a list', 200, GET => "$api/conversations", key => $key{all} ],
    [ 'an automation', 200, POST => '/automation/', key => $key{all}, body => $otp ],
    [ 'without the slash', 200, POST => '/automation', key => $key{all}, body => $otp ],
    [ 'no key', 401, GET => "$api/conversations" ],
    [ 'no key, automation', 401, POST => '/automation/', body => $otp ],
    [ 'a missing scope', 403, GET => "$api/conversations", key => $key{none} ],
    [ 'a wrong number', 400, POST => "$api/messages", key => $key{all}, body => '{"to":"0600"}' ],
    [ 'a wrong country', 400, POST => '/automation/', key => $key{all}, body => $otp =~ s/CM/XX/r ],
    [ 'a wrong type', 415, POST => "$api/messages", @hello, type => 'text/plain' ],
    [ 'too long a body', 413, POST => "$api/messages", @hello, body => ' ' x 70000, chunked => 1 ],
    [ 'a wrong method', 405, DELETE => "$api/messages", key => $key{all} ],
    [ 'a wrong method, automation', 405, GET => '/automation/', key => $key{all} ],
    [ 'no such path', 404, GET => '/nothing', key => $key{all} ],
    [ "a backend's 404", 404, GET => "$api/messages/a/b", key => $key{all} ],
    [ 'a dead backend', 502, GET => "$api/messages/msg_down", key => $key{all} ],
    [ 'a dead backend, automation', 502, GET => '/automation/WAP_down', key => $key{all} ],
    [ 'one in an hour', 200, GET => "$api/conversations", key => $key{once} ],
    [ 'no second one', 429, GET => "$api/conversations", key => $key{once} ],
    [ 'no second one, automation', 429, POST => '/automation/', key => $key{once}, body => $otp ])
{
    my ($name, $status, @request) = @$row;
    my $r = ask(@request);
    is($r->status, $status, "$name: status");
    is_readable($r, $name);
}

# Another origin is as none.

for my $other (undef, 'https://other.example', 'null', "$origin.example", "x$origin", 'http://tools.partner.example',
               "$origin:8443", 'http://localhost.example', 'http://localhost:', 'http://127.0.0.1:1.example',
               'https://localhost', "$origin, $origin")
{
    my $name = $other // 'no origin';
    my $r = preflight(POST => "$api/messages", origin => $other);
    is($r->status, 405, "$name: no preflight");
    is_deeply(cors_of($r), [], "$name: no word of it");

    for my $r (ask(POST => "$api/messages", @hello, origin => $other), ask(GET => '/', origin => $other)) {
        is_deeply([ cors_of($r), $r->headers('Vary') ], [ [], 'Origin' ], "$name: nothing to read, " . $r->status);
    }
}

my $r = do {
    my $client = Wassiit::Client->new($s->port);
    $client->send("GET $api/messages/1 HTTP/1.1\r\nHost: a\r\nOrigin: $origin\r\nTransfer-Encoding: zip\r\n\r\n");
    $client->response;
};
is($r->status, 501, 'what is refused at once');
is(ask(GET => "$api/messages/1", headers => [ 'X-API-Key' => 'x' x 9000 ])->status, 400, 'too long a header');
unlike($s->error_log, qr/uninitialized/, 'the log is clean');
$s->stop;


# ---- it costs nothing of a limit, not even of an address's

is($conf =~ s/rate=500r\/s;/rate=1r\/m;/, 1, 'one a minute');
is($conf =~ s/burst=500 nodelay;/nodelay;/, 1, 'and none beyond');
$s = start('limits', $conf);
is(preflight(POST => "$api/messages")->status, 204, "asked beforehand, $_") for 1 .. 5;
is(ask(POST => "$api/messages", @hello)->status, 202, 'and then sent');
$r = ask(POST => "$api/messages", @hello);
is($r->status, 429, 'once');
is_readable($r, 'too many from this address');
$s->stop;

done_testing;
