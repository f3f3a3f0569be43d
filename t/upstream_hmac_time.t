# wassiit_upstream_hmac while the time goes on: slow bodies, retries, connections
# that are kept, subrequests, reloads; what nginx -t says. What one request brings
# upstream is t/upstream_hmac.t's, and what the log tells of it t/upstream_hmac_log.t's.
# The clock is the test's own, see t/lib/clock.c; the backend too.

use strict;
use warnings;

use lib 't/lib';
use H2;
use Wassiit;
use Wassiit::Backend;
use Wassiit::Clock;
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64);
use POSIX qw(mkfifo);
use Test::More;

use constant NOW => 1_800_000_000;

my $clock = Wassiit::Clock->new(NOW);
my ($backend, $second) = map { Wassiit::Backend->new } 1 .. 2;
my ($port, $port2) = map { $_->port } $backend, $second;

my $secret = "a secret \xff\xfe of ours";
my $other = 'l' x 100;
my $text = encode_base64($secret, '');

my $server = Wassiit::Server->start(
    allow_log => qr/no live upstreams|upstream prematurely closed|while connecting to upstream/,
    files => {
        'ours' => "$text\n", 'other' => encode_base64($other, ''),
    },
    conf => <<'END' =~ s/%%BACKEND%%/127.0.0.1:$port/gr =~ s/%%SECOND%%/127.0.0.1:$port2/gr);
http {
    underscores_in_headers on;
    client_body_timeout 20s;
    log_format signed '$uri $wassiit_hmac_key $wassiit_hmac_timestamp $wassiit_hmac_signature';
    access_log logs/access.log signed;
    upstream kept { server %%BACKEND%%; keepalive 1; }
    upstream two { server %%BACKEND%% max_fails=0; server %%SECOND%% backup; }
    upstream twice { server %%BACKEND%% max_fails=0; server %%BACKEND%% max_fails=0; }

    server {
        listen %%PORT%%;
        listen %%PORT_2%% http2;
        wassiit_upstream_hmac key=our-key secret_file=ours;

        location / { proxy_pass http://%%BACKEND%%; }
        location /off { wassiit_upstream_hmac off; proxy_pass http://%%BACKEND%%; }
        location /other { wassiit_upstream_hmac secret_file=other key=another; proxy_pass http://%%BACKEND%%; }
        location /kept { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://kept; }
        location /two { proxy_next_upstream error; proxy_pass http://two; }
        location /unbuffered { proxy_http_version 1.1; proxy_request_buffering off; lingering_close off; proxy_pass http://%%BACKEND%%; }
        location /early { set $early $wassiit_hmac_timestamp; proxy_set_header X-Early $early; proxy_pass http://%%BACKEND%%; }
        location /grpc { grpc_pass grpc://%%PORT_3%%; }

        location /retries { proxy_next_upstream error; error_page 502 = @again; proxy_pass http://twice; }
        location @again { proxy_pass http://%%BACKEND%%; }
        location /mirrors/ { mirror /off/mirrored; alias html/; }
        location /asks { wassiit_upstream_hmac off; auth_request /other; try_files /none /index.html; }
        location = /index.html { wassiit_upstream_hmac off; root html; }
    }
    server {
        listen %%PORT_3%% http2;
        add_header X-Seen "$http_x_api_key|$http_x_api_timestamp|$http_x_api_signature|$http_x_other";
        location / { return 204; }
    }
}
END

my $NAMES = qr/x[-_]api[-_](?:key|timestamp|signature)/i;

sub signature {
    my ($key, $time, $by) = @_;
    return encode_base64(hmac_sha256($key . $time, $by), '');
}

sub expected {
    my ($time, $key, $by) = @_;
    $key //= 'our-key';
    return [ 'X-API-Key', $key, 'X-API-Timestamp', $time,
             'X-API-Signature', signature($key, $time, $by // $secret) ];
}

# What a client may try: in any case, with any number, with underscores.

my @theirs = ('x-api-KEY' => 'THEIRS1', 'X-API-Key' => 'THEIRS2', 'X-API-TIMESTAMP' => 'THEIRS3',
              'x-api-timestamp' => 'THEIRS4', 'X-Api-Signature' => 'THEIRS5', 'X_API_Key' => 'THEIRS6',
              'x_api_signature' => 'THEIRS7', 'X-API_TIMESTAMP' => 'THEIRS8', 'X-Other' => 'stays');

sub ask {
    my ($uri, %with) = @_;
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(uri => $uri, close => 1, headers => \@theirs, %with));
    return $client;
}

sub is_signed {
    my ($seen, $expected, $name) = @_;
    is_deeply([ $seen =~ /^($NAMES): (.*)\r$/mg ], $expected, $name) or diag($seen);
    unlike($seen, qr/THEIRS/, "$name: nothing of the client's");
}

sub passes {
    my ($uri, $expected, $name, %with) = @_;
    my $client = ask($uri, %with);
    my $seen = $backend->receive('http');
    is($client->response->status, 200, "$name: the answer");
    is_signed($seen, $expected, $name);
    return $seen;
}

subtest 'HTTP/2, and connections that are kept' => sub {
    my $mine = join '|', 'our-key', NOW, signature('our-key', NOW, $secret), 'stays';
    is(curl('--http2-prior-knowledge', (map { -H => $_ } 'X-API-Key: THEIRS', 'x_api_key: THEIRS', 'x-other: stays'),
            'http://127.0.0.1:' . $server->port(2) . '/grpc')->header('X-Seen'), $mine, 'HTTP/2 on both sides');

    my $client = Wassiit::Client->new($server->port);
    for my $i (1 .. 3) {
        $clock->set(NOW + $i);
        $client->send($client->request_bytes(uri => '/kept', headers => \@theirs));
        is_signed($backend->receive('http', keep => $i < 3), expected(NOW + $i), "keepalive, request $i");
        $client->response;
    }
    $clock->set(NOW);
};

# Half of a request, a while, the other half.

sub slowly {
    my ($uri, $wait, %more) = @_;
    my $client = Wassiit::Client->new($server->port);
    my $bytes = $client->request_bytes(uri => $uri, method => 'POST', close => 1, headers => \@theirs,
                                       body => 'x' x 20000, %more);
    $client->send(substr $bytes, 0, 10000);
    $wait->();
    $client->send(substr $bytes, 10000);
    return $client;
}

subtest 'as late as possible' => sub {
    # the first half has been read when another request is answered
    my $wait = sub {
        passes('/', expected(NOW), 'meanwhile');
        $clock->set(NOW + 100);
    };

    my $client = slowly('/', $wait);
    is_signed($backend->receive('http'), expected(NOW + 100), 'behind a slow body');
    is($client->response->status, 200, 'which is answered');
    $clock->set(NOW);

    $client = slowly('/', $wait, chunked => 1);
    is_signed($backend->receive('http'), expected(NOW + 100), 'behind slow chunks');
    is($client->response->status, 200, 'which are answered');
    $clock->set(NOW);

    my $h2 = H2->new($server->port(2));
    my $stream = $h2->request(method => 'POST', path => '/', body => 0, headers => [ 'x-api-key' => 'THEIRS' ]);
    $h2->data($stream, 'x' x 10000);
    $wait->();
    $h2->data($stream, 'x' x 10000, 1);
    is_signed($backend->receive('http'), expected(NOW + 100), 'behind a slow body over HTTP/2');
    $h2->until_closed($stream);
    is($h2->status($stream), 200, 'which is answered');
    $clock->set(NOW);

    $client = slowly('/early', $wait);
    my $seen = $backend->receive('http');
    is_signed($seen, expected(NOW), 'once a variable has told it, it stays');
    like($seen, qr/^X-Early: @{[NOW]}\r$/m, 'as it was told');
    $client->response;
    $clock->set(NOW);

    # where the body is passed on as it comes, the headers go before it
    my $bytes = $client->request_bytes(uri => '/unbuffered', method => 'POST', close => 1,
                                       headers => \@theirs, body => 'x' x 20000);
    $client = Wassiit::Client->new($server->port);
    $client->send(substr $bytes, 0, 10000);
    $backend->start;
    $clock->set(NOW + 100);
    $client->send(substr $bytes, 10000);
    is_signed($backend->receive('http'), expected(NOW), 'not buffered');
    $client->response;
    ok(wait_for { $server->access_log =~ m{^/unbuffered our-key @{[NOW]} }m }, 'and the log tells what was sent');
    $clock->set(NOW);
};

subtest 'one signature a request' => sub {
    my $client = ask('/two');
    my $first = $backend->receive('http', answer => '');
    $clock->set(NOW + 5);
    my $retried = $second->receive('http');
    is($client->response->status, 200, 'the second server answers');
    is_signed($first, expected(NOW), 'the first');
    is_signed($retried, expected(NOW), 'the same at the second');
    $clock->set(NOW);
};

subtest 'nowhere else' => sub {
    my $client = ask('/retries');
    is_signed($backend->receive('http', answer => ''), expected(NOW), 'the first place');
    $clock->set(NOW + 60);
    is_signed($backend->receive('http', answer => ''), expected(NOW), 'tried again');
    is_signed($backend->receive('http'), expected(NOW + 60), 'error_page to the same secret: a fresh one');
    $client->response;
    $clock->set(NOW);

    $client = ask('/mirrors/index.html');
    my $seen = $backend->receive('http');
    unlike($seen, qr/our-key|\Q@{[ signature('our-key', NOW, $secret) ]}\E/, 'a mirror: not signed for another place');
    like($seen, qr/^X-Other: stays\r$/m, 'a mirror: the others stay');
    $client->response;

    $client = ask('/asks');
    is_signed($backend->receive('http'), expected(NOW, 'another', $other), 'a subrequest signs for itself');
    is($client->response->body, "it works\n", 'and its parent does not');
};

subtest 'a reload' => sub {
    $server->write('ours', 'bmV3');
    is($server->reload, '', 'a new secret');
    passes('/', expected(NOW, 'our-key', 'new'), 'is the one that signs');

    for my $row ([ '', qr/secret file "\S+ours" is empty/ ], [ "\n", qr/secret file "\S+ours" is empty/ ],
                 [ "bmV3\nbmV3\n", qr/secret file "\S+ours" has 2 lines/ ],
                 [ "bmV3\n\n", qr/secret file "\S+ours" has 2 lines/ ],
                 map { [ $_, qr/secret file "\S+ours" is not one line of base64/ ] }
                     'no base64!', ' bmV3', 'A', 'bmV3=')
    {
        $server->write('ours', $row->[0]);
        like($server->reload, $row->[1], 'refused: ' . ($row->[0] =~ s/\n/\\n/gr));
    }
    passes('/', expected(NOW, 'our-key', 'new'), 'what was stays');

    for my $form ("bmV3\r\n", "bmV3\n", 'bmV3') {
        $server->write('ours', $form);
        is($server->reload, '', 'accepted: ' . ($form =~ s/\r/\\r/r =~ s/\n/\\n/r));
    }
    $server->write('ours', '-_-_-w');
    is($server->reload, '', 'URL-safe, without padding');
    passes('/', expected(NOW, 'our-key', "\xfb\xff\xbf\xfb"), 'signs');
};

subtest 'the configuration' => sub {
    my %files = (good => "bmV3\n");
    my $pipe = test_dir() . '/pipe';
    mkfifo($pipe, 0600) or die $!;

    for my $row ([ 'key=a secret_file=none', qr/open\(\) "\S+none" failed/ ],
                 [ 'key=a secret_file=.', qr/file "\S+" (?:failed|is not a regular file)|Is a directory/ ],
                 [ "key=a secret_file=$pipe", qr/file "\S+" is not a regular file/ ],
                 [ 'key=a', qr/must have the parameter "secret_file"/ ],
                 [ 'secret_file=good', qr/must have the parameter "key"/ ],
                 [ 'key= secret_file=good', qr/invalid parameter "key="/ ],
                 [ 'key=a secret_file=', qr/invalid parameter "secret_file="/ ],
                 [ 'key=a secret=good', qr/invalid parameter "secret=good"/ ],
                 [ 'key=a key=b', qr/duplicate parameter "key=b"/ ],
                 [ 'on', qr/invalid parameter "on"/ ],
                 (map { [ "key=$_->[0] secret_file=good", qr/the key of "wassiit_upstream_hmac" can't have variables: "\$$_->[1]" would be sent as it stands/ ] }
                  [ '$host', 'host' ], [ '$$host', 'host' ], [ 'a$b${Host}c', 'Host' ], [ '$HTTP_x', 'HTTP_x' ], [ 'x$arg_', 'arg_' ],
                  [ '$cookie_key-1', 'cookie_key' ], [ '$upstream_http_x', 'upstream_http_x' ],
                  [ '$wassiit_partner', 'wassiit_partner' ]),
                 [ "key=\xc3\xa9 secret_file=good", qr/character that no header can hold/ ],
                 [ 'off; wassiit_upstream_hmac off', qr/is duplicate/ ])
    {
        my ($exit, $message) = nginx_test("http {\n server {\n wassiit_upstream_hmac $row->[0];\n }\n}\n",
                                          files => \%files);
        ok($exit != 0 && $message =~ $row->[1], "wassiit_upstream_hmac $row->[0]") or diag($message);
    }

    my (undef, $set) = nginx_test("http {\n server {\n set \$ours x;\n wassiit_upstream_hmac key=\$ours secret_file=good;\n }\n}\n",
                                 files => \%files);
    like($set, qr/can't have variables: "\$ours"/, 'a variable of the operator\'s own');

    my (undef, $message) = nginx_test(
        "http {\n server {\n wassiit_upstream_hmac key=a secret_file=good;\n }\n}\n", files => \%files);
    like($message, qr/\[warn\].*file "\S+good" can be read by everyone/, 'a secret that everyone can read');
};

my $logs = $server->error_log;
unlike($logs, qr/\Q$text\E|\Q$secret\E|bmV3/, 'no secret in the log');

$server->stop;
done_testing;
