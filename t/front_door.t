#!/usr/bin/env perl
# conf/nginx.conf and conf/sandbox.conf, as an operator finds them: every
# endpoint with its scope and methods, nginx's own errors, what a backend sees.

use strict;
use warnings;

use IO::Socket::UNIX;
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use POSIX ();

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

my @scopes = qw(messages.send audio.send files.send calls.initiate
                conversations.read webhooks.manage);
my $api = '/api/partner/v1';
my @backends;

my %secret = map { $_ => encode_base64("secret of $_", '') } qw(all none once);

END { my $exit = $?; stop_backend($_) for @backends; $? = $exit }


my %key = map { $_ => make_key("front door $_") }
          qw(all hourly none once disabled), map { ("only-$_", "but-$_") } @scopes;

my @partners = (
    partner('all', $key{all}, rate => '1000r/s', hmac_secret => $secret{all}),
    partner('hourly', $key{hourly}, rate => '1000r/h'),
    partner('none', $key{none}, scopes => [], hmac_secret => $secret{none}),
    partner('once', $key{once}, rate => '1r/h', hmac_secret => $secret{once}),
    map({ my $scope = $_;
          (partner("only-$scope", $key{"only-$scope"}, scopes => [$scope]),
           partner("but-$scope", $key{"but-$scope"},
                   scopes => [ grep { $_ ne $scope } @scopes ])) } @scopes),
);

sub start { return start_door($_[0], partners => \@partners, @_[1 .. $#_]) }


# ---- a backend that tells what it was sent

sub start_backend {
    my ($path) = @_;
    my $listen = IO::Socket::UNIX->new(Local => $path, Listen => 16)
        or die "$path: $!";
    chmod 0666, $path or die "$path: $!";

    my $pid = fork // die "fork: $!";
    return push @backends, $pid if $pid;

    while (my $client = $listen->accept) {
        my $got = '';
        1 while $got !~ /\r\n\r\n/ && sysread $client, $got, 65536, length $got;
        my ($head, $body) = split /\r\n\r\n/, $got, 2;
        my $length = $head =~ /^content-length: *(\d+)/mi ? $1 : 0;
        1 while length $body < $length
                && sysread $client, $body, 65536, length $body;

        my $json = encode_json({ head => $head, body => $body });
        my $status = $head =~ /[?]answer=(\d+)/ ? $1 : 200;
        syswrite $client, "HTTP/1.1 $status OK\r\nContent-Length: "
            . length($json) . "\r\nConnection: close\r\n\r\n$json";
        close $client;
    }
    POSIX::_exit(0);
}

sub stop_backend { kill 'TERM', $_[0]; waitpid $_[0], 0 }


# ---- answers

sub is_problem {
    my ($r, $status, $code, $name) = @_;
    my $got = eval { $r->json } // {};

    is($r->status, $status, "$name: status");
    is($r->header('Content-Type'), 'application/problem+json', "$name: type");
    is_deeply([ @$got{qw(status code)} ], [ $status, $code ], "$name: code");
    is($got->{instance}, $r->header('X-Request-ID'), "$name: instance");
}

sub is_envelope {
    my ($r, $status, $code, $name) = @_;

    is($r->status, $status, "$name: status");
    is($r->header('Content-Type'), 'application/json', "$name: type");
    my $got = eval { $r->json } // {};
    my $data = delete $got->{data} // {};
    is_deeply($got, { success => JSON::PP::false, status => $status, message => $code },
              "$name: envelope");
    isnt($data->{detail} // '', '', "$name: detail");
    is($data->{instance}, $r->header('X-Request-ID'), "$name: instance");
}

my $s = start('main');

# What each path takes, of a size if that matters: bytes and their type.

my $otp = '{"reference": 1, "country": "CM", "recipient": "670000000",'
    . ' "scheduled": "2025-09-29T12:40:14.590Z", "variables": {"otp": "123456"}}';

sub payload {
    my ($path, $size) = @_;

    return ($otp, 'application/json') if $path =~ m{^/automation\b};
    return ('{"to": "+212600000000", "type": "voice"}', 'application/json') if $path =~ m{/calls};
    return ('{"to": "+212600000000", "text": "Hello from WASSIIT!"}' . ' ' x (($size // 54) - 54),
            'application/json') if $path !~ m{/messages/(audio|document)};

    return (join("\r\n", '--edge', 'Content-Disposition: form-data; name="to"', '', '+212600000000',
                 '--edge', 'Content-Disposition: form-data; name="file"; filename="a.mp3"', '',
                 'x' x ($size // 9), '--edge--', ''), 'multipart/form-data; boundary=edge');
}

# Who has a secret signs what goes to wap.cm.

sub ask {
    my ($method, $uri, $who, %more) = @_;
    my @headers = @{ delete $more{headers} // [] };

    if (defined $who) {
        unshift @headers, 'X-API-Key' => $key{$who};
        unshift @headers, 'X-API-Timestamp' => time,
            'X-API-Signature' => signature($secret{$who}, $key{$who}, time)
            if $uri =~ m{^/automation\b} && $secret{$who} && !$more{unsigned};
        delete $more{unsigned};
    }

    if ($method =~ /^P/) {
        my ($body, $type) = payload($uri, delete $more{size});
        unshift @headers, 'Content-Type' => $type;
        $more{body} //= $body;
    }

    return http($s->port, method => $method, uri => $uri, headers => \@headers, %more);
}


# ---- every endpoint: right scope, missing scope, no key, wrong method

# method, path, scope, status, members of the answer, methods, a wrong one
my @item = ('GET, HEAD, PUT, PATCH, DELETE', 'POST');
my @endpoints = (
    [ 'POST', "$api/messages", 'messages.send', 202,
      'created_at id status type', 'POST', 'GET' ],
    [ 'POST', "$api/messages/audio", 'audio.send', 202,
      'created_at id status type', 'POST', 'GET' ],
    [ 'POST', "$api/messages/document", 'files.send', 202,
      'created_at id status type', 'POST', 'PUT' ],
    [ 'GET', "$api/messages/msg_1", 'messages.send', 200,
      'id status updated_at', 'GET, HEAD', 'DELETE' ],
    [ 'POST', "$api/calls", 'calls.initiate', 202,
      'created_at id status type', 'POST', 'GET' ],
    [ 'GET', "$api/conversations", 'conversations.read', 200,
      'data next', 'GET, HEAD', 'POST' ],
    [ 'GET', "$api/conversations/conv_1", 'conversations.read', 200,
      'contact id messages next', 'GET, HEAD', 'DELETE' ],
    [ 'GET', "$api/webhooks", 'webhooks.manage', 200,
      'data next', 'GET, HEAD, POST', 'DELETE' ],
    [ 'POST', "$api/webhooks", 'webhooks.manage', 201,
      'active events id url', 'GET, HEAD, POST', 'PATCH' ],
    map({ [ $_, "$api/webhooks/hook_1", 'webhooks.manage', 200,
            'active events id url', @item ] } qw(GET PUT PATCH)),
    [ 'DELETE', "$api/webhooks/hook_1", 'webhooks.manage', 204, undef, @item ],
);

for (@endpoints) {
    my ($method, $path, $scope, $status, $members, $methods, $wrong) = @$_;
    my $name = "$method $path";

    my $r = ask($method, $path, "only-$scope");
    is($r->status, $status, "$name: with $scope");
    is(join(' ', sort keys %{ $r->json }), $members, "$name: the answer")
        if defined $members;
    is($r->header('X-RateLimit-Limit'), 100, "$name: limited");
    my $left = $r->header('X-RateLimit-Remaining');

    $r = ask($method, $path, "but-$scope");
    is_problem($r, 403, 'insufficient_scope', "$name: without $scope");
    is_deeply($r->json->{required_scopes}, [$scope], "$name: says which");

    $r = ask($method, $path);
    is_problem($r, 401, 'missing_key', "$name: no key");
    is($r->header('WWW-Authenticate'), 'ApiKey realm="partners"',
       "$name: says how");

    $r = ask($wrong, $path, "only-$scope");
    is_problem($r, 405, 'method_not_allowed', "$name: $wrong");
    is_deeply([ $r->headers('Allow') ], [$methods], "$name: Allow");
    is_problem(ask($wrong, $path), 405, 'method_not_allowed',
               "$name: $wrong, no key");

    is(ask($method, $path, "only-$scope")->header('X-RateLimit-Remaining'),
       $left - 1, "$name: a wrong method costs nothing");

    next unless $method eq 'GET';
    $r = ask('HEAD', $path, "only-$scope");
    is($r->status . $r->body, 200, "HEAD $path: no body");
}

is(ask('PUT', "$api/messages", 'all', headers => ['X-HTTP-Method' => 'POST'])
   ->status, 405, 'the method is what the request line says');
is_problem(ask('TRACE', "$api/webhooks"), 405, 'method_not_allowed', 'TRACE');


# ---- the guide's own call

my $guide = sub {
    curl('-X', 'POST', "http://127.0.0.1:" . $s->port . "$api/messages",
         '-H', "X-API-Key: $key{'only-messages.send'}",
         '-H', 'Content-Type: application/json',
         '-d', '{"to": "+212600000000", "text": "Hello from WASSIIT!"}');
};
my $r = $guide->();
is($r->status, 202, "the guide's call is accepted");
like($r->json->{id}, qr/\Amsg_\w+\z/, 'it gets an id');
is($r->json->{status}, 'queued', 'and a status');
is(ask('GET', "$api/messages/" . $r->json->{id}, 'all')->json->{id},
   $r->json->{id}, 'by which its delivery can be asked for');


# ---- wap.cm

$r = ask('POST', '/automation/?test=1', 'none');
is($r->status, 200, 'automation: any partner that signs');
my $tested = { %$Documented, data => { %{ $Documented->{data} }, cost => 0 } };
is_deeply($r->json, $tested, 'automation: a test, the documented answer but for its cost');
is($r->header('X-RateLimit-Remaining'), 99, 'automation: limited');

$r = ask('GET', '/automation/WAP250929112004.X84803', 'none');
is($r->json->{data}{reference}, 'WAP250929112004.X84803',
   'automation: one reference');
is(ask('GET', '/automation/a/b', 'none')->json->{message}, 'not_found',
   "automation: wap.cm's own error passes");

is_envelope(ask('POST', '/automation/'), 401, 'missing_key', 'automation');
is_envelope(ask('POST', '/automation/', 'none', unsigned => 1), 401,
            'missing_signature', 'automation');
is_envelope(ask('POST', '/automation/', 'none', unsigned => 1, headers => [
                'X-API-Timestamp' => time - 400,
                'X-API-Signature' => signature($secret{none}, $key{none}, time - 400) ]),
            401, 'stale_timestamp', 'automation');
is_envelope(ask('POST', '/automation/', 'none', unsigned => 1, headers => [
                'X-API-Timestamp' => time,
                'X-API-Signature' => signature($secret{all}, $key{none}, time) ]),
            401, 'invalid_signature', 'automation');
is_envelope(ask('POST', '/automation/', 'only-calls.initiate'), 401,
            'missing_signature', 'automation, a partner without a secret');
is_envelope(ask('POST', '/automation/', undef,
                headers => ['X-API-Key' => 'of nobody']),
            401, 'invalid_key', 'automation');

$r = ask('GET', '/automation/', 'none');
is_envelope($r, 405, 'method_not_allowed', 'automation');
is($r->header('Allow'), 'POST', 'automation: Allow');
$r = ask('DELETE', '/automation/x', 'none');
is_envelope($r, 405, 'method_not_allowed', 'automation, a reference');
is($r->header('Allow'), 'GET, HEAD', 'automation, a reference: Allow');

# without the slash it is the same
for my $query ('', '?test=1') {
    $r = ask('POST', "/automation$query", 'all');
    is($r->status, 200, "/automation$query");
    is_deeply($r->json, $query ? $tested : $Documented, "/automation$query: the documented answer");
}
$r = ask('GET', '/automation', 'none');
is_envelope($r, 405, 'method_not_allowed', '/automation');
is($r->header('Allow'), 'POST', '/automation: Allow');
is_envelope(ask('POST', '/automation'), 401, 'missing_key', '/automation');
is_envelope(ask('POST', '/automation', 'none', unsigned => 1), 401,
            'missing_signature', '/automation');
is_envelope(ask('POST', '/automation?x=y', 'none', unsigned => 1, headers => [
                'X-API-Timestamp' => time,
                'X-API-Signature' => signature($secret{all}, $key{none}, time) ]),
            401, 'invalid_signature', '/automation');


# ---- the limit is one for both backends

is(ask('POST', "$api/messages", 'once')->status, 202, 'one in an hour');
$r = ask('POST', "$api/messages", 'once');
is_problem($r, 429, 'rate_limited', 'no second one');
like($r->header('Retry-After'), qr/\A3(?:600|59\d)\z/, 'Retry-After');
is_envelope(ask('POST', '/automation/', 'once'), 429, 'rate_limited',
            'nor at the other backend');


# ---- nginx's own errors

for my $path ('/', '/index.html', '/api/partner/v1', "$api/", "$api/message",
              "$api/messagesx", "$api/conversationsx", "$api/webhooksx",
              "$api/calls/1", '/api/partner/v2/messages', '/automations',
              '/problem', '/@problem', '/docs%0a', '/docs/en%0a')
{
    is_problem(ask('GET', $path, 'all'), 404, 'not_found', $path);
}
is_problem(ask('GET', '/nothing'), 404, 'not_found', 'no key, no path');

for my $list ('messages', 'conversations', 'webhooks') {
    is_problem(ask($_, "$api/$list/", 'all'), 404, 'not_found',
               "$_ $list/") for 'GET', 'POST', 'DELETE';
}

$r = ask('GET', "$api/messages/a/b", 'all');
is($r->status . $r->body, '404{"error":"not_found"}',
   "a backend's own error passes");

sub sized {
    my ($path, $size, $who, $body) = @_;
    my $client = Wassiit::Client->new($s->port);

    $client->send("POST $path HTTP/1.1\r\nHost: h\r\n"
        . "X-API-Key: $key{$who}\r\nContent-Length: $size\r\n\r\n"
        . ($body // ''));
    my $r = $client->response;      # nginx goes on to wait for the body
    $client->close;
    return $r;
}

is(ask('POST', "$api/messages", 'all', size => 65536)->status, 202,
   '64k are accepted');
for ([ 'messages', 65536 ], [ 'messages/audio', 16 * 2**20 ],
     [ 'messages/document', 100 * 2**20 ], [ 'messages/x', 65536 ])
{
    my ($path, $size) = @$_;
    $r = sized("$api/$path", $size + 1, 'all');
    is_problem($r, 413, 'too_large', "$path, $size + 1");
    is($r->json->{detail}, "A body of this path may have at most $size bytes.",
       "$path: the most that it takes");
}
for my $size (65537, 70000, 100_000) {
    is(sized("$api/messages", $size, 'all', 'x' x $size)->json->{detail},
       'A body of this path may have at most 65536 bytes.',
       "messages, $size that came with the header: the most that it takes");
}
is_envelope(sized($_, 65537, 'all'), 413, 'too_large', $_)
    for '/automation/', '/automation';
is(ask('POST', "$api/messages/$_", 'all', size => 2**20)->status, 202,
   "$_ of 1m is accepted") for qw(audio document);

for my $path ('messages', 'webhooks') {
    $r = ask('POST', "$api/$path", 'all', body => 'x' x 70000, chunked => 1);
    is_problem($r, 413, 'too_large', "$path: more than 64k in chunks");
    is($r->json->{detail}, 'A body of this path may have at most 65536 bytes.',
       "$path: more than 64k in chunks: the most that it takes");
}
is_problem(ask('GET', "$api/messages/" . 'x' x 9000, 'all'), 414,
           'uri_too_long', 'a long path');
is_problem(ask('GET', "$api/messages/1", undef,
               headers => ['X-API-Key' => 'x' x 9000]),
           400, 'bad_request', 'a key of 9000 bytes');
is_problem(ask('GET', "$api/messages/1", undef,
               headers => ['X-API-Key' => 'x' x 8000]),
           401, 'invalid_key', 'a key of 8000 bytes');

for my $case ([ 501, 'not_implemented', 'a coding', "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: zip\r\n\r\n" ],
              [ 505, 'http_version_not_supported', 'a version', "GET / HTTP/3.0\r\nHost: a\r\n\r\n" ])
{
    my ($status, $code, $name, $bytes) = @$case;
    for my $port ($s->port, $s->port(2)) {
        my $client = Wassiit::Client->new($port);
        $client->send($bytes);
        my $r = $client->response;
        is($r->status . ' ' . $r->header('Content-Type'), "$status application/problem+json", "$name: status, type");
        is(eval { $r->json->{code} }, $code, "$name: code");
    }
}

# What is no HTTP, at either server, and a body that isn't, in the form of its
# path; the connection ends, and the log has what was sent.

my $signed = sub {
    my $time = time;
    return "Host: a\r\nX-API-Key: $key{all}\r\nX-API-Timestamp: $time\r\nX-API-Signature: "
        . signature($secret{all}, $key{all}, $time) . "\r\nTransfer-Encoding: chunked\r\n"
        . "Content-Type: application/json\r\n\r\nzz\r\n";
};

for my $case ([ 'no Host', "GET / HTTP/1.1\r\n\r\n" ],
              [ 'a Host that is none', "GET /automation/ HTTP/1.1\r\nHost: a/b\r\n\r\n" ],
              [ 'a bad line', "GET / HTTP/1.1\r\nHost: a\r\nX-A: \0\r\n\r\n" ],
              [ 'a large line', "POST $api/calls HTTP/1.1\r\nHost: a\r\nX-A: " . 'x' x 9000 . "\r\n\r\n" ],
              [ 'no request', "nonsense\r\n\r\n" ],
              [ 'no method', "\x01 / HTTP/1.1\r\nHost: a\r\n\r\n" ],
              [ 'two Hosts', "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" ],
              [ 'a path that is none', "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n" ],
              [ 'two lengths', "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                               . "Transfer-Encoding: chunked\r\n\r\n" ])
{
    my ($name, $bytes) = @$case;
    for my $port ($s->port, $s->port(2)) {
        my $client = Wassiit::Client->new($port);
        $client->send($bytes);
        my $r = $client->response;
        is($r->status . ' ' . $r->header('Content-Type'), '400 application/problem+json', "$name: status, type");
        is(eval { $r->json->{code} }, 'bad_request', "$name: code");
        ok($client->is_closed, "$name: closed");
        is($r->header('X-Request-ID'), $r->json->{instance}, "$name: its id") if $port == $s->port;
    }
}
like($s->access_log, qr{"POST $api/calls" 400 \d+ partner=- }, 'a large line: the log has the method');

for my $path ("$api/messages", "$api/webhooks", '/automation/', '/automation', '/automation/x') {
    my $client = Wassiit::Client->new($s->port);
    my $method = $path =~ m{/x\z} ? 'GET' : 'POST';
    $client->send("$method $path HTTP/1.1\r\n" . $signed->());
    ($path =~ /automation/ ? \&is_envelope : \&is_problem)->($client->response, 400, 'bad_request', "$path: no chunk");
    ok($client->is_closed, "$path: closed");
}

$r = ask('GET', "$api/messages/1", 'all',
         headers => ['X-API-Key' => $key{none}]);
is($r->status, 400, 'two keys');
is($r->json->{code}, 'duplicate_header', 'two keys: code');

{
    my $client = Wassiit::Client->new($s->port);
    for (1, 2) {
        $client->send("GET $api/messages/1 HTTP/1.1\r\nHost: a\r\nX-API-Key: $key{all}\r\nX-API-Key: $key{all}\r\n\r\n");
        is($client->response->json->{code}, 'duplicate_header', 'two keys: the connection stays open');
    }
}

# What stands behind a body that isn't read to its end is no request.

for my $path ('/automation/', "$api/messages", "$api/messages/audio") {
    my $post = "POST $path HTTP/1.1\r\nHost: a\r\nX-API-Key: $key{all}\r\n";
    my $type = "Content-Type: multipart/form-data; boundary=edge\r\n";
    my $next = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    my $part = "--edge\r\nnonsense\r\n\r\n";

    for my $row ([ 'two keys, and no chunk', "X-API-Key: $key{all}\r\nTransfer-Encoding: chunked\r\n\r\n$next" ],
                 $path =~ /audio/
                 ? ([ 'half a form', "${type}Content-Length: 9000\r\n\r\n$part$next" ],
                    [ 'half a form in chunks', "${type}Transfer-Encoding: chunked\r\n\r\n"
                                               . sprintf("%x\r\n%s\r\n", length $part, $part) . $next ]) : ())
    {
        my ($name, $bytes) = @$row;
        my $client = Wassiit::Client->new($s->port);
        $client->send($post . $bytes);
        is($client->response->status, 400, "$path: $name");
        ok($client->is_closed && $client->{buffer} eq '', "$path: $name: what follows is not answered");
    }
}


# ---- payloads that break the rules: refused, told why, and counted

$r = ask('POST', "$api/messages", 'hourly');
my $left = $r->header('X-RateLimit-Remaining');

for my $row ([ "$api/messages", '{"to": "0600", "text": ""}', '#/to #/text' ],
             [ "$api/calls", '{"to": "+212600000000"}', '#/type' ],
             [ "$api/messages/audio", "--edge--", '#/to #/file' ],
             [ "$api/messages/document", "--edge", '#' ])
{
    my ($path, $body, $pointers) = @$row;
    $r = ask('POST', $path, 'hourly', body => $body);
    is_problem($r, 400, 'invalid_payload', $path);
    is(join(' ', map { $_->{pointer} } @{ $r->json->{errors} }), $pointers, "$path: what is wrong");
    cmp_ok($r->header('X-RateLimit-Remaining'), '<', $left, "$path: counted");
    $left = $r->header('X-RateLimit-Remaining');
}

$r = ask('POST', '/automation/', 'all', body => $otp =~ s/CM/XX/r);
is($r->status, 400, 'automation: a country that is none');
is($r->json->{message}, 'invalid_payload', 'automation: code');
is_deeply([ map { $_->{pointer} } @{ $r->json->{data}{errors} } ], ['#/country'],
          'automation: what is wrong');


# ---- logs

my $log = $s->access_log;
like($log, qr{^127\.0\.0\.1\ \[\S+\]\ "POST\ $api/messages"\ 202\ \d+
              \ partner=only-messages\.send\ key=k1\ decision=allowed
              \ left=\d+/100\ id=[0-9a-f]{32}\ time=\S+
              \ upstream=unix:\S+/202/\S+$}mx,
     'who, what and what became of it');
like($log, qr/ 401 \d+ partner=- key=- decision=missing_key left=-/,
     'a refusal');
like($log, qr/"POST \/automation\/" 200/, 'no query');
like($log, qr/ 400 \d+ partner=all key=k1 decision=invalid_payload left=\d/, 'a broken payload');
for my $who (sort keys %key) {
    unlike($log . $s->error_log, qr/\Q$key{$who}\E/, "not the key of $who");
}


# ---- the sandbox itself

my $socket = test_dir() . '/main-messaging.sock';
$r = http($socket, uri => "$api/calls");
is($r->status . $r->body, '405{"error":"method_not_allowed"}',
   'sandbox: a wrong method');
is(http($socket, uri => '/x')->body, '{"error":"not_found"}',
   'sandbox: an unknown path');
$socket = test_dir() . '/main-wapcm.sock';
$r = http($socket, uri => '/automation/');
is($r->json->{message}, 'method_not_allowed', 'sandbox: wap.cm');

# The sandbox's wap.cm takes nobody's word for it.

my @contract = @Contract{qw(key secret)};

for my $row ([ 'the contract', 200, @contract, 0 ],
             [ 'a partner', '401 invalid_key', $key{all}, $secret{all}, 0 ],
             [ 'another secret', '401 invalid_signature', $Contract{key}, $secret{all}, 0 ],
             [ 'an old signature', '401 stale_timestamp', @contract, -400 ])
{
    my ($name, $expected, $key, $with, $off) = @$row;
    my $time = time + $off;
    $r = http($socket, method => 'POST', uri => '/automation/', body => '{}', headers => [
        'X-API-Key' => $key, 'X-API-Timestamp' => $time,
        'X-API-Signature' => signature($with, $key, $time) ]);
    is($r->status == 200 ? 200 : $r->status . ' ' . $r->json->{message}, $expected, "sandbox: $name");
}

$s->stop;


# ---- what a backend sees

{
    my $dir = test_dir();
    start_backend("$dir/seen-messaging.sock");
    start_backend("$dir/seen-wapcm.sock");

    $s = start('seen', sandbox => '');
    my @claims = ('X-Wassiit-Partner' => 'boss', 'x-wassiit-partner' => 'big',
                  'X_Wassiit_Partner' => 'boss', 'X-Request-ID' => 'mine',
                  'X-Forwarded-For' => '10.9.8.7', 'X_API_Key' => 'other');
    my @signs = ('X-API-Timestamp' => '1', 'x-api-SIGNATURE' => 'c2ln');

    my $seen = sub {
        my ($r) = @_;
        is($r->status, 200, 'the backend is asked');
        my ($line, @head) = split /\r\n/, $r->json->{head};
        my %head;
        /\A(.*?): *(.*)\z/ && push @{ $head{lc $1} }, $2 for @head;
        return ($line, \%head, $r->json->{body});
    };

    my $odd = "\n{ \"text\":\"\xc3\xa9\\u0000\\/\" , \"x\":[1e0],\t\"to\":\"+2126\\u0030\\u00300000\"}\r\n ";
    my $r = ask('POST', "$api/messages?a=b%20c", 'all', headers => [ @claims, @signs ],
                body => $odd);
    my ($line, $head, $body) = $seen->($r);

    is($line, "POST $api/messages?a=b%20c HTTP/1.1", 'path and query');
    is_deeply($head->{'x-wassiit-partner'}, ['all'], 'the partner, by us');
    is_deeply($head->{'x-request-id'}, [ $r->header('X-Request-ID') ],
              "the request's id, by us");
    is_deeply($head->{'x-forwarded-for'}, ['127.0.0.1'], 'the address, by us');
    is_deeply([ grep { /api.key|timestamp|signature|_/ } keys %$head ], [],
              'no credentials');
    unlike($r->json->{head}, qr/\Q$key{all}\E/, 'nor the key anywhere else');
    is($body, $odd, 'the body, untouched');

    ($line) = $seen->(ask('GET', "$api/webhooks/..%2fmessages/1",
                          'only-messages.send'));
    is($line, "GET $api/messages/1 HTTP/1.1",
       'the path by which the scope was chosen');
    is_problem(ask('GET', "$api/webhooks/..%2fmessages/1",
                   'only-webhooks.manage'), 403, 'insufficient_scope',
               'another spelling is another path');

    ($line, $head) = $seen->(ask('POST', '/automation/?test=1&b=%2f', 'all',
                                 headers => \@claims));
    is($line, 'POST /automation/?test=1&b=%2f HTTP/1.1',
       'wap.cm: path and query');
    is_deeply([ grep { /wassiit|forwarded|_/ } keys %$head ], [], 'wap.cm: no partner');
    my ($time) = @{ $head->{'x-api-timestamp'} };
    ok(abs($time - time) <= 5, 'wap.cm: our time');
    is_deeply([ @$head{qw(x-api-key x-api-signature)} ],
              [ [$Contract{key}], [ signature(@Contract{qw(secret key)}, $time) ] ],
              'wap.cm: our key and signature, and no others');

    # what it answers, whatever its code

    for my $status (200, 400, 404, 429, 500) {
        $r = ask('POST', "/automation/?answer=$status", 'all');
        is($r->status, $status, "wap.cm: $status passes");
        is($r->json->{head} =~ /answer=$status/, 1, "wap.cm: $status, its own body");
    }

    stop_backend($_) for splice @backends;
    $s->stop;
}


# ---- backends that are down

$s = start('down', sandbox => '',
           allow_log => qr/\[crit\].* connect\(\) to unix:/);
$r = ask('POST', "$api/messages", 'all');
is_problem($r, 502, 'bad_gateway', 'no messaging backend');
is($r->header('Allow'), undef, 'no messaging backend: no Allow');
is_envelope(ask('POST', '/automation/', 'all'), 502, 'bad_gateway',
            'no wap.cm');
$s->stop;


# ---- operators: who may look, who may change, and the log of changes

{
    my %operator = map { $_ => make_key("operator $_") } qw(reads manages both neither);
    my %held = (reads => ['partners.read'], manages => ['partners.manage'], neither => [],
                both => [ 'partners.read', 'partners.manage', 'messages.send' ]);
    $s = start('operators', files => { 'operators.jsonl' => [
        map { partner($_, $operator{$_}, scopes => $held{$_}) } sort keys %operator ] });

    my $admin = sub {
        my ($who, $method, $path, $body) = @_;
        return http($s->port(2), method => $method, uri => "/admin/partners$path",
                    headers => [ defined $who ? ('X-API-Key' => $operator{$who}) : () ],
                    defined $body ? (body => encode_json($body)) : ());
    };
    my $wants = sub { join ' ', @{ $_[0]->json->{required_scopes} // [] } };

    for my $who (qw(reads manages both)) {
        is($admin->($who, $_->[0], $_->[1])->status, 200, "who $who: $_->[0] $_->[1]")
            for [ GET => '' ], [ GET => '/all' ], [ HEAD => '' ], [ HEAD => '/all' ],
                [ GET => '?q=all' ];
    }
    is($wants->($admin->('neither', GET => $_)), 'partners.read', "who holds neither: GET $_")
        for '', '/all', '/nobody';
    is($admin->('neither', HEAD => '')->status, 403, 'HEAD, too');

    my @changes = ([ POST => '', { id => 'new' } ], [ PATCH => '/new', { name => 'New' } ],
                   [ POST => '/new/keys' ], [ POST => '/new/keys/rotate' ],
                   [ POST => '/new/hmac_secret' ], [ POST => '/new/webhook_secret' ],
                   [ DELETE => '/new/keys/none' ], [ DELETE => '/new' ]);
    my @lines;
    my $log = sub {
        open my $in, '<:raw', $s->dir . '/logs/audit.log' or return;
        return <$in>;
    };

    # A worker writes its line when it has answered, and another one may be faster.
    my $line = sub {
        push @lines, [@_];
        wait_for { @lines <= (my @seen = $log->()) };
    };

    for my $who (qw(reads neither manages both)) {
        for my $change (@changes) {
            my ($method, $path, $body) = @$change;
            my $r = $admin->($who, $method, $path, $body);
            my $may = $who =~ /manages|both/;

            is($r->status == 403 ? $wants->($r) : 'may', $may ? 'may' : 'partners.manage',
               "who $who: $method $path");
            $line->($who, $r->status, !$may || $path =~ /none/ ? 'refused' : 'done');
        }
    }
    is($admin->(undef, DELETE => '/all')->status, 401, 'without a key');
    $line->('', 401, 'refused');
    is($admin->('reads', PUT => '/all')->status, 403, 'another method is no way to look');
    is($admin->('reads', GET => '/all')->json->{id}, 'all', 'all is there');

    my @seen = map { decode_json($_) } $log->();
    is_deeply([ map { [ @$_{qw(operator status result)} ] } @seen ], \@lines,
              'who asked, and what came of it');
    is(join(' ', map { $_->{operation} } @seen[ 0 .. 7 ]), 'partner_create partner_patch key_create '
       . 'key_rotate hmac_secret webhook_secret key_revoke partner_delete', 'what it was');
    is($seen[6]{key_id}, 'none', 'of which key');
    like($seen[18]{key_id}, qr/\Ak[0-9a-f]{8}\z/, 'also of one that was made');
    is(join(' ', sort keys %{ $seen[0] }), 'change key_id operation operator operator_key_id '
       . 'partner remote_addr request_id result status time', 'all that it has');
    is($seen[0]{operator_key_id}, 'k1', 'by which key');
    is_deeply([ map { $_->{change} } @seen[ 16 .. 23 ] ],
              [ '{"id":"new"}', '{"name":"New"}', '', ('{"grace":"24h"}') x 3, '', '' ],
              'what was asked for');
    is($s->access_log =~ s/"(?:GET|HEAD|PUT) .*\n//gr =~ tr/\n//, @lines,
       'the access log has them, too');
    $s->stop;
}


# ---- the console: what anyone may ask for, and error.log has no line of

{
    my $dir = test_dir() . '/small-console';
    my %file = ('index.html' => 'the page', 'pages/one.js' => 'a script');

    for ($dir, "$dir/pages") { mkdir $_ or die "$_: $!"; chmod 0755, $_ }

    for (sort keys %file) {
        open my $out, '>', "$dir/$_" or die "$_: $!";
        print {$out} $file{$_};
        close $out;
        chmod 0644, "$dir/$_";
    }

    my $conf = door_text('nginx.conf') =~ s/\balias console\//alias $dir\//r;
    $s = start('console', conf => $conf =~ s/^error_log \S+\K notice/ info/mr);

    for my $row ([ '/console/', 'index.html', 'text/html' ],
                 [ '/console/index.html', 'index.html', 'text/html' ],
                 [ '/console/pages/one.js?x=1', 'pages/one.js', 'text/javascript' ])
    {
        my ($uri, $name, $type) = @$row;
        $r = http($s->port(2), uri => $uri);
        is_deeply([ $r->status, $r->body, $r->header('Content-Type') ],
                  [ 200, $file{$name}, $type ], "console: $uri");
    }

    my $log = $s->error_log;

    for my $uri (qw(nothing.js pages pages/ pages/nothing/ nothing/ index.html/ pages//
                    x%0a2026/11/29%2009:00:00%20[emerg]%201%231:%20forged %0a %7f pages/%0d/
                    pages%0a/ caf%c3%a9.js %1b[2J),
                 'a' x 300, 'a/' x 1000)
    {
        $r = http($s->port(2), uri => "/console/$uri");
        is_deeply([ $r->status, $r->header('Content-Type'), eval { $r->json->{code} } ],
                  [ 404, 'application/problem+json', 'not_found' ], 'console: ' . substr $uri, 0, 20);
        is($r->header('X-Content-Type-Options'), 'nosniff', '... with the headers of its pages');
    }
    is(http($s->port(2), uri => '/console/', method => 'POST')->status, 405, 'console: POST');

    is(join('', grep { !/client .* closed keepalive connection/ }
                split /^/, substr $s->error_log, length $log),
       '', 'console: error.log has no line of it');
    $s->stop;
}


# ---- the TLS block, uncommented as it says

SKIP: {
    my $dir = test_dir();
    skip 'no openssl command', 3
        if system("openssl req -x509 -newkey rsa:2048 -nodes -days 2"
                  . " -subj /CN=localhost -keyout $dir/cert.key"
                  . " -out $dir/cert.pem > /dev/null 2>&1");
    my ($cert, $private) = map {
        open my $in, '<', "$dir/cert.$_" or die "cert.$_: $!";
        local $/;
        scalar <$in>;
    } qw(pem key);

    my $conf = door_text('nginx.conf');
    my $lines = ($conf =~ s/^(\s*)# ((?:listen|ssl_\w+) .*;)$/$1$2/mg);
    is($lines, 8, 'TLS: all of the block');
    $conf =~ s/^\s*listen \[::\]:443.*//m;
    $conf =~ s/^\s*listen 127\.0\.0\.1:8080 .*//m;
    $conf =~ s/^(\s*)listen 443 ssl/$1listen %%PORT%% ssl/m;

    $s = start('tls', conf => $conf,
               files => { 'cert.pem' => $cert, 'cert.key' => $private });
    $r = curl('--insecure', '--http2', '-X', 'POST',
              'https://127.0.0.1:' . $s->port . "$api/messages",
              '-H', "X-API-Key: $key{all}", '-H', 'Content-Type: application/json',
              '-d', (payload("$api/messages"))[0]);
    is($r->status, 202, 'TLS: accepted');
    is($r->version, 2, 'TLS: HTTP/2');
    $s->stop;
}



# ---- TLS to wap.cm, switched on as the comment says

for my $name ('wapcm.example', 'other.example') {
    my $dir = test_dir();
    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$name"
           . " -addext subjectAltName=DNS:$name -keyout $dir/wapcm.key"
           . " -out $dir/wapcm.pem > /dev/null 2>&1") == 0
        or die 'openssl';
    my %file = map {
        open my $in, '<', "$dir/wapcm.$_" or die "wapcm.$_: $!";
        local $/;
        ("wapcm.$_" => scalar <$in>);
    } qw(pem key);

    my $conf = door_text('nginx.conf');
    my ($door, $egress) = split /^(?= *# ---- webhooks: )/m, $conf;
    is($door =~ s/^(\s*)# (proxy_ssl_\w+ .*;)$/$1$2/mg, 6, 'TLS to wap.cm: all of it');
    $conf = $door . $egress;
    is($conf =~ s{http://wapcm/}{https://wapcm/}g, 2, 'both proxy_pass');
    $conf =~ s{/etc/ssl/certs/ca-certificates\.crt}{wapcm.pem};

    my $sandbox = door_text('sandbox.conf');
    $sandbox =~ s/(listen unix:wapcm\.sock);/$1 ssl; ssl_certificate wapcm.pem; ssl_certificate_key wapcm.key;/;

    $s = start("to-$name", conf => $conf, files => \%file,
               sandbox => door_moved($sandbox, "to-$name"),
               allow_log => qr/upstream SSL certificate does not match/);
    $r = ask('POST', '/automation/', 'all');

    if ($name eq 'wapcm.example') {
        is_deeply($r->json, $Documented, 'TLS to wap.cm: accepted');
    } else {
        is_envelope($r, 502, 'bad_gateway', "TLS to wap.cm: not to $name");
        ok($s->wait_log(qr/certificate does not match "wapcm\.example"/), 'the log says why');
    }
    $s->stop;
}

done_testing;
