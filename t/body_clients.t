# Bodies that come bit by bit, or by HTTP/2, wherever they lie, against a right and a
# wrong signature; slow clients, many, and clients that break off. (t/body.t has what
# is sent at once.)

use strict;
use warnings;

use lib 't/lib';
use H2;
use Wassiit;
use Wassiit::Backend;
use Digest::SHA qw(hmac_sha256_hex);
use Test::More;

my $backend = Wassiit::Backend->new;
my $header = 'X-WASSIIT-Signature';

# Where a body lies: what the location says, and how long the body is.

my %place = (
    none => [ '', 0 ],
    'with the header' => [ '', 300 ],
    'in memory' => [ 'client_body_buffer_size 256k;', 100_000 ],
    'in one buffer' => [ 'client_body_buffer_size 256k; client_body_in_single_buffer on;', 100_000 ],
    'in a file' => [ 'client_body_buffer_size 4k;', 100_001 ],
    'in small pieces' => [ 'client_body_buffer_size 16;', 5000 ],
    'in a file only' => [ 'client_body_in_file_only on;', 3000 ],
    'in memory, for several turns' => [ 'client_body_buffer_size 8m;', 2_500_000 ],
    'in a file, for several turns' => [ 'client_body_buffer_size 1m;', 2_500_000 ],
    'in a clean file' => [ 'client_body_in_file_only clean;', 100_000 ],
);

my %uri;
my $locations = '';
for my $place (sort keys %place) {
    $uri{$place} = '/' . ($place =~ tr/ ,/-/dr);
    for my $kind ('', '-form') {
        my $payload = $kind ? 'wassiit_payload document;' : '';
        $locations .= "location $uri{$place}$kind { $place{$place}[0] $payload"
            . ' wassiit_webhook_verify secret_file=in.secret; wassiit_webhook_sign secret_file=out.secret header=X-Out;'
            . ' proxy_pass http://127.0.0.1:' . $backend->port . "; }\n";
    }
}

my $server = Wassiit::Server->start(
    files => { 'in.secret' => "in\n", 'out.secret' => "out\n" },
    conf => <<"END");
worker_processes 1;
http {
    client_max_body_size 0;
    http2_body_preread_size 64k;
    server {
        listen %%PORT%%;
        listen %%PORT_2%% http2;
        $locations
        location /slow {
            client_body_buffer_size 1k;
            wassiit_webhook_verify secret_file=in.secret;
            wassiit_payload document;
            try_files /none \@ok;
        }
        location /memory {
            client_body_buffer_size 1m;
            wassiit_webhook_verify secret_file=in.secret;
            try_files /none \@ok;
        }
        location /impatient { client_body_timeout 1s; wassiit_webhook_verify secret_file=in.secret; try_files /none \@ok; }
        # forty wait for the last, however slow the machine is
        location /json { client_body_buffer_size 1m; client_body_timeout 10m; wassiit_payload message; try_files /none \@ok; }
        location /early { wassiit_payload document; try_files /none \@ok; }

        # a body that is read here is looked at there
        location /reads { proxy_pass http://127.0.0.1:${\ $backend->port }; error_page 502 = /json; error_page 413 /led; client_max_body_size 1k; proxy_intercept_errors on; }

        # what fails on its way is led on, but never upstream
        location /led {
            client_body_buffer_size 1m;
            wassiit_webhook_sign secret_file=out.secret;
            error_page 400 413 = \@led;
            proxy_pass http://127.0.0.1:${\ $backend->port };
        }
        location \@led {
            wassiit_webhook_sign secret_file=out.secret;
            proxy_pass http://127.0.0.1:${\ $backend->port };
        }
        location \@ok { return 200 "ok"; }
    }
}
END

my $worker = wait_for { ($server->worker_pids)[0] };

sub memory_of {
    open my $in, '<', "/proc/$worker/smaps_rollup" or return 0;
    my ($kb) = (join '', <$in>) =~ /^Private_Dirty: +(\d+) kB/m;
    return $kb;
}

sub descriptors { my @fds = glob "/proc/$worker/fd/*"; return scalar @fds }
sub temporary { my @files = grep { -f } glob($server->dir . '/temp/client_body/*'); return scalar @files }

http($server->port, uri => '/');
my $descriptors = wait_for { descriptors() };       # of a worker that does nothing

sub form {
    my ($size) = @_;
    return join "\r\n", '--edge', 'Content-Disposition: form-data; name="to"', '', '+212600000000', '--edge',
        'Content-Disposition: form-data; name="file"; filename="x"', '', "\r\n--edg" x ($size / 7) . 'x' x ($size % 7),
        '--edge--', '';
}

sub bytes_of { my ($n) = @_; srand 7; return join '', map { chr int rand 256 } 1 .. $n }

my @signed = ('Content-Type' => 'multipart/form-data; boundary=edge');


# ---- how a body comes: the answer's status, and what the backend saw of it

sub by_http {
    my ($send) = @_;
    return sub {
        my ($uri, $body, $right, @headers) = @_;
        my $client = Wassiit::Client->new($server->port);
        $send->($client, { method => 'POST', uri => $uri, headers => \@headers }, $body);
        my $seen = $right ? $backend->receive('http') : undef;
        my $status = $client->response->status;
        $client->close;
        return ($status, $seen);
    };
}

sub by_h2 {
    my ($length) = @_;
    return sub {
        my ($uri, $body, $right, @headers) = @_;
        my $h2 = H2->new($server->port(2));
        my @lower = map { $_ % 2 ? $headers[$_] : lc $headers[$_] } 0 .. $#headers;
        my $id = $h2->request(method => 'POST', path => $uri, body => 0, headers => [
            @lower, $length ? ('content-length' => length $body) : () ]);
        $h2->data($id, $body, 1);
        my $seen = $right ? $backend->receive('http') : undef;
        $h2->until_closed($id);
        return ($h2->status($id), $seen);
    };
}

my %form = (
    'chunked, a few bytes each' => by_http(sub {
        my ($c, $r, $body) = @_;
        my $head = $c->request_bytes(%$r, headers => [ @{ $r->{headers} }, 'Transfer-Encoding' => 'chunked' ]);
        my ($n, $out) = (0, '');
        while (length $body) {
            my $piece = substr $body, 0, 1 + $n++ % 13 + length($body) / 1000, '';
            $out .= sprintf "%x;a=b\r\n%s\r\n", length $piece, $piece;
        }
        $c->send("$head${out}0\r\nX-Trailer: x\r\n\r\n");
    }),
    'behind the header' => by_http(sub {
        my ($c, $r, $body) = @_;
        $c->send($c->request_bytes(%$r, headers => [ @{ $r->{headers} }, 'Content-Length' => length $body ]));
        $c->send($_) for unpack '(a99)*', substr $body, 0, 9900, '';
        $c->send($body);
    }),
    'after 100 Continue' => by_http(sub {
        my ($c, $r, $body) = @_;
        $c->send($c->request_bytes(%$r, headers => [ @{ $r->{headers} }, Expect => '100-continue', 'Content-Length' => length $body ]));
        if (length $body) {
            wait_for { $c->{buffer} =~ /\r\n\r\n/ || !$c->_fill(Wassiit::_now() + 20) };
            like($c->{buffer}, qr/\AHTTP\S+ 100 /, '100 Continue comes');
        }
        $c->send($body);
    }),
    'HTTP/2 with length' => by_h2(1),
    'HTTP/2 without' => by_h2(0),
);

for my $place (sort keys %place) {
    for my $kind ($place{$place}[1] ? ('', '-form') : '') {
        my $body = $kind ? form($place{$place}[1]) : bytes_of($place{$place}[1]);
        my @signature = map { hmac_sha256_hex($body, $_) } qw(wrong in);
        my $out = hmac_sha256_hex($body, 'out');

        for my $form (sort keys %form) {
            for my $right (1, 0) {
                my $name = "$place$kind, $form, " . ($right ? 'right' : 'wrong');
                my ($status, $seen) = $form{$form}->("$uri{$place}$kind", $body, $right, @signed,
                                                    $header => $signature[$right]);

                is($status, $right ? 200 : 401, $name);
                next if !$right;

                my ($head, $rest) = $seen =~ /\A(.*?)\r\n\r\n(.*)\z/s;
                my ($length) = $head =~ /^Content-Length: (\d+)/mi;
                ok($rest eq $body && ($length // 0) == length $body, "$name: the backend gets the same");
                is(join(',', $head =~ /^X-Out: (\w+)/mig), $out, "$name: signed");
            }
        }
    }
}


# ---- what ends in the middle

{
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(method => 'POST', uri => '/impatient', headers => [
        $header => '0' x 64, 'Content-Length' => 100 ]) . 'half');
    ok($client->is_closed, 'who says no more is hung up on');
}

# HTTP/2 without a length: that there is no body may be told at the end alone.

for my $method ('GET', 'POST') {
    my $h2 = H2->new($server->port(2));
    my $id = $h2->request(method => $method, path => '/json', body => 0);
    $h2->data($id, '', 1);
    $h2->until_closed($id);
    is($h2->status($id), $method eq 'GET' ? 200 : 415, "HTTP/2, $method, an end and nothing before");
}

# A body that another location has read, and found that there is none.

{
    my $h2 = H2->new($server->port(2));
    my $id = $h2->request(method => 'GET', path => '/reads', body => 0);
    $h2->data($id, '', 1);
    $backend->receive('http', answer => "HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n");
    $h2->until_closed($id);
    is($h2->status($id), 200, 'a GET without a body, by way of another location');
}

# A 415 that comes in the middle of a body doesn't leave the rest for a request.

{
    my $client = Wassiit::Client->new($server->port);
    my $rest = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    $client->send("GET /json HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        . sprintf "%x\r\nx", 1 + length $rest);
    is($client->response->status, 415, 'no type, and a body after all');
    $client->send($rest);
    ok($client->is_closed && $client->{buffer} eq '', 'its rest is no request');
}

# What stands behind a body that was refused half-way isn't lost in silence.

{
    my $client = Wassiit::Client->new($server->port);
    my $chunk = sub { sprintf "%x\r\n%s\r\n", length $_[0], $_[0] };
    $client->send($client->request_bytes(method => 'POST', uri => '/early', headers => [ @signed, 'Transfer-Encoding' => 'chunked' ])
        . $chunk->("--edge\r\nContent-Disposition: form-data; name=\"to\"\r\n"));
    $client->send($chunk->("nonsense\r\n\r\n") . "0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    my $r = $client->response;
    is($r->status, 400, 'refused half-way');
    is($r->header('Connection'), 'close', 'and says that nothing more is read');
    ok($client->is_closed, 'and closes');
}


# ---- slow clients: a byte at a time, 200 at once

# Bodies that wait in the kernel while the worker does: it finds all of them at
# once, more than one turn of it can take.

for my $uri ('/memory', '/slow') {
    my $body = form(100_000);
    my @clients = map { Wassiit::Client->new($server->port) } 1 .. 60;
    my @h2 = map { H2->new($server->port(2)) } 1 .. 10;
    http($server->port, uri => '/');                # they are accepted
    kill 'STOP', $worker;

    for my $n (0 .. $#clients) {
        my $right = $n % 3 ? 'in' : 'wrong';
        $clients[$n]->send($clients[$n]->request_bytes(method => 'POST', uri => $uri, body => $body, chunked => $n % 2,
                                                       headers => [ @signed, $header => hmac_sha256_hex($body, $right) ]));
    }
    my @ids = map {
        my $id = $_->request(method => 'POST', path => $uri, body => 0, headers => [
            'content-type' => $signed[1], lc $header => hmac_sha256_hex($body, 'in') ]);
        $_->data($id, substr($body, 0, 60_000), 0);
        $id;
    } @h2;

    kill 'CONT', $worker;
    my $got = join ' ', map { $_->response->status } @clients;
    is($got, join(' ', map { $_ % 3 ? 200 : 401 } 0 .. $#clients), "$uri: 60 at once, each its own verdict");

    for my $n (0 .. $#h2) {
        $h2[$n]->data($ids[$n], substr($body, 60_000), 1);
        $h2[$n]->until_closed($ids[$n]);
    }
    is(join(' ', map { $h2[$_]->status($ids[$_]) } 0 .. $#h2), join(' ', (200) x @h2), "$uri: 10 by HTTP/2");

    # and some go away while they wait
    @clients = map { Wassiit::Client->new($server->port) } 1 .. 60;
    http($server->port, uri => '/');
    kill 'STOP', $worker;
    for my $n (0 .. $#clients) {
        my $bytes = $clients[$n]->request_bytes(method => 'POST', uri => $uri, body => $body, headers => [ @signed, $header => '0' x 64 ]);
        $clients[$n]->send($n % 2 ? $bytes : substr $bytes, 0, -1000);
    }
    $clients[2 * $_]->close for 0 .. 29;
    kill 'CONT', $worker;
    is(join(' ', map { $clients[2 * $_ + 1]->response->status } 0 .. 29), join(' ', (401) x 30),
       "$uri: those that stay get their answer");
}

# They wait, and what comes then is no chunk: 400, and nothing goes anywhere.

{
    my ($body, @heavy) = (form(100_000), map { Wassiit::Client->new($server->port) } 1 .. 30);
    my @clients = map { Wassiit::Client->new($server->port) } 1 .. 40;
    http($server->port, uri => '/');
    kill 'STOP', $worker;
    $_->send($_->request_bytes(method => 'POST', uri => '/memory', body => $body,
                               headers => [ $header => hmac_sha256_hex($body, 'in') ])) for @heavy;
    $_->send($_->request_bytes(method => 'POST', uri => '/led', headers => [ 'Transfer-Encoding' => 'chunked' ])
        . sprintf("%x\r\n", 100_000) . 'x' x 100_000 . "\r\nzz\r\n") for @clients;
    kill 'CONT', $worker;
    is(join(' ', map { $_->response->status } @clients), join(' ', (400) x 40), 'no chunk behind what waits: 400');
    is(join(' ', map { $_->response->status } @heavy), join(' ', (200) x 30), 'those before get theirs');
    ok(!IO::Select->new($backend->{socket})->can_read(0.1), 'the backend is asked for nothing');
}

# To parse JSON takes its time, too.

{
    my $json = '{"to":"+212600000000","text":"x","more":[' . '{},' x 21_000 . '1]}';
    my @clients = map { Wassiit::Client->new($server->port) } 1 .. 40;
    http($server->port, uri => '/');
    kill 'STOP', $worker;
    $_->send($_->request_bytes(method => 'POST', uri => '/json', body => $json, headers => [ 'Content-Type' => 'application/json' ]))
        for @clients;
    kill 'CONT', $worker;
    is(join(' ', map { $_->response->status } @clients), join(' ', (200) x 40), '40 at once of what is slow to parse');
}

sub slowly {
    my ($clients, $uri, $body, $until) = @_;
    my $head = "POST $uri HTTP/1.1\r\nHost: h\r\n" . join('', map { $_ % 2 ? "$signed[$_]\r\n" : "$signed[$_]: " } 0 .. $#signed)
        . "$header: " . hmac_sha256_hex($body, 'in') . "\r\nContent-Length: " . length($body) . "\r\n\r\n";
    my @clients = map { Wassiit::Client->new($server->port) } 1 .. $clients;
    $_->send($head) for @clients;
    for my $at (0 .. ($until // length $body) - 1) {
        $_->send(substr $body, $at, 1) for @clients;
    }
    return @clients;
}

my $body = form(200);
wait_for { descriptors() <= $descriptors };
my $expected = temporary();
my ($memory, $still) = (0, 0);

# malloc() takes more for itself now and then; what leaks would do so in each
# round.

for my $round (1 .. 12) {
    my @clients = slowly(200, '/slow', $body);
    is(scalar(grep { $_->response->status == 200 } @clients), 200, "200 slow clients, round $round: all answered");
    $_->close for @clients;
    ok(wait_for { descriptors() <= $descriptors }, "round $round: and none left");

    my $now = memory_of();
    $still = $now <= $memory + 8 ? $still + 1 : 0;
    $memory = $now;
    last if $still == 2;
}

# (ASan keeps for a while what was freed, and tells of leaks itself.)
is($still, 2, 'slow clients leave no memory behind') if $ENV{TEST_NGINX_LOAD_MODULES};


# ---- clients that break off, at each of 50 places, in memory and in a file

for my $uri ('/slow', '/memory') {
    for my $way ('length', 'chunks', 'HTTP/2') {
        my $body = form(4000);
        my @at = map { int length($body) * $_ / 50 } 0 .. 49;

        for my $at (@at) {
            if ($way eq 'HTTP/2') {
                my $h2 = H2->new($server->port(2));
                my $id = $h2->request(method => 'POST', path => $uri, body => 0, headers => [
                    'content-type' => $signed[1], lc $header => hmac_sha256_hex($body, 'in') ]);
                $h2->data($id, substr($body, 0, $at), 0) if $at;
                next;       # the connection goes with it
            }
            my $client = Wassiit::Client->new($server->port);
            my @headers = (@signed, $header => hmac_sha256_hex($body, 'in'));
            my $bytes = $way eq 'length'
                ? $client->request_bytes(method => 'POST', uri => $uri, headers => \@headers, body => $body)
                : $client->request_bytes(method => 'POST', uri => $uri, headers => \@headers, body => $body, chunked => 1);
            $client->send(substr $bytes, 0, length($bytes) - length($body) + $at);
            $client->close;
        }

        ok(wait_for { descriptors() <= $descriptors }, "$uri, $way: broken off at 50 places, no request is left");
        ok(wait_for { temporary() == $expected }, "$uri, $way: nor a file");
    }
}

is(http($server->port, method => 'POST', uri => '/slow', body => $body, headers => [
    @signed, $header => hmac_sha256_hex($body, 'in') ])->status, 200, 'and the next is served');
is_deeply([ $server->worker_pids ], [$worker], 'by the same worker');

# ---- and all of it again after a reload

is($server->reload, '', 'reload');
$body = form(2_500_000);
for my $n (1 .. 3) {
    is(http($server->port, method => 'POST', uri => $uri{'in memory, for several turns'} . '-form', body => $body,
            headers => [ @signed, $header => hmac_sha256_hex($body, 'wrong') ])->status, 401, "after a reload, $n");
}

$server->stop;
done_testing;
