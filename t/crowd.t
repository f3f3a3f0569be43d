#!/usr/bin/env perl
# conf/nginx.conf among crowds: one address holds thousands of connections, and
# renews each as soon as it is closed; partners elsewhere are served meanwhile.

use strict;
use warnings;

use Errno;
use Fcntl qw(F_SETFL O_NONBLOCK);
use POSIX qw(ceil);
use Socket;
use Time::HiRes qw(sleep);

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

my $api = '/api/partner/v1';
my $key = make_key('crowd');
my @crowds;

END { my $exit = $?; kill 'TERM', map { @{ $_->{pids} } } @crowds; wait for map { @{ $_->{pids} } } @crowds; $? = $exit }

my $dir = test_dir();
system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout $dir/cert.key"
       . " -out $dir/cert.pem > /dev/null 2>&1") == 0 or die 'openssl';
my %file = map {
    open my $in, '<', "$dir/cert.$_" or die "cert.$_: $!";
    local $/;
    ("cert.$_" => scalar <$in>);
} qw(pem key);

# The TLS block uncommented, beside the clear one, and HTTP/2 in clear.

sub door {
    my ($name, %with) = @_;
    my $conf = door_text('nginx.conf');

    $conf =~ s/^(\s*)# ((?:ssl|http2)_\w+ .*;)$/$1$2/mg;
    $conf =~ s/^(\s*)# listen 443 ssl http2 (.*;)$/$1listen %%PORT_3%% ssl http2 $2 listen %%PORT_4%% http2 $2/m;
    $conf =~ s/rate=500r\/s/rate=$with{rate}/ if $with{rate};

    return start_door($name, conf => $conf, files => \%file, partners => [
        partner('one', $key, rate => '1000000r/s', hmac_secret => 'c2VjcmV0') ]);
}


# ---- crowds

my $post = "POST $api/messages HTTP/1.1\r\nHost: h\r\nX-API-Key: $key\r\n"
         . "Content-Type: application/json\r\nContent-Length: 60\r\n\r\n";
my $path = "$api/messages";
my $headers = "\x83\x86\x04" . chr(length $path) . "$path\x01\x01h\x00\x09x-api-key" . chr(length $key) . $key
            . "\x00\x0ccontent-type\x10application/json";
my %say = (
    silent => [ 1, '' ],
    header => [ 1, "GET $api/conversations HTTP/1.1\r\nHost: h\r\nX-" ],
    body => [ 1, "$post\{" ],
    'no key' => [ 1, $post =~ s/X-API-Key.*\r\n//r ],
    'TLS handshake' => [ 3, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" ],
    'HTTP/2' => [ 4, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . "\0\0\0\4\0\0\0\0\0" ],
    'HTTP/2 body' => [ 4, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . "\0\0\0\4\0\0\0\0\0"
                          . substr(pack('N', length $headers), 1) . "\1\4\0\0\0\1" . $headers ],
);

# Some processes with 575 connections each, as that many files are always
# allowed. Each tells of each time that half of its connections were renewed.

sub crowd {
    my ($server, $what, $address, $processes) = @_;
    my ($n, $text) = @{ $say{$what} };
    my $to = pack_sockaddr_in($server->port($n), INADDR_LOOPBACK);
    pipe my $in, my $out or die "pipe: $!";

    push @crowds, { in => $in, pids => [] };
    for (1 .. $processes) {
        my $parent = $$;
        my $pid = fork // die "fork: $!";
        if ($pid) {
            push @{ $crowds[-1]{pids} }, $pid;
            next;
        }
        $SIG{TERM} = 'DEFAULT';
        close $in;
        hold($to, inet_aton($address), 575, $text, $out, $parent);
        POSIX::_exit(0);
    }

    return $crowds[-1];
}

sub hold {
    my ($to, $from, $many, $text, $out, $parent) = @_;
    my (%socket, $closed);
    my $read = '';
    my $renewed = 0;

    my $open = sub {
        socket my $socket, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
        bind $socket, pack_sockaddr_in(0, $from) or die "bind: $!";
        fcntl $socket, F_SETFL, O_NONBLOCK or die "fcntl: $!";
        connect $socket, $to;
        syswrite $socket, $text if $text ne '';     # it is connected: this is lo
        $socket{ fileno $socket } = $socket;
        vec($read, fileno $socket, 1) = 1;
    };

    $open->() for 1 .. $many;

    while (getppid == $parent) {
        next unless select my $ready = $read, undef, undef, 1;

        for my $fd (grep { vec $ready, $_, 1 } keys %socket) {
            my $n = sysread $socket{$fd}, my $answer, 65536;
            next if $n || !defined $n && ($!{EAGAIN} || $!{ENOTCONN});

            vec($read, $fd, 1) = 0;
            close delete $socket{$fd};
            $open->();
            next if ++$renewed < $many / 2;
            syswrite $out, '.';
            $renewed = 0;
        }
    }
}

# Until each process has renewed half of its connections, once at least.

sub is_served {
    my ($server, $name, @crowd) = @_;
    my %seen;
    my $n = 0;

    my $done = wait_for {
        for my $port (1, 3) {
            my $r = $port == 1
                ? http($server->port, method => 'POST', uri => "$api/messages", body => '{"to":"+212600000000","text":"x"}',
                       headers => [ 'X-API-Key' => $key, 'Content-Type' => 'application/json' ])
                : curl('-k', 'https://127.0.0.1:' . $server->port(3) . "$api/conversations", '-H', "X-API-Key: $key");
            $seen{ $r->status }++;
        }

        for my $crowd (@crowd) {
            my $ready = '';
            vec($ready, fileno $crowd->{in}, 1) = 1;
            next unless select $ready, undef, undef, 0;
            sysread $crowd->{in}, my $dots, 4096;
            $crowd->{renewed} += length $dots;
        }
        ! grep { ($_->{renewed} // 0) < @{ $_->{pids} } } @crowd;
    } 120;

    ok($done, "$name: renewed");
    is_deeply([ sort keys %seen ], [ 200, 202 ], "$name: partners are served") or diag(explain \%seen);
}

sub disperse {
    for my $crowd (splice @crowds) {
        kill 'TERM', @{ $crowd->{pids} };
        waitpid $_, 0 for @{ $crowd->{pids} };
    }
}

my $s = door('crowd');
my $n = 1;

# With sanitizers each connection costs ten times as much, so there they are
# fewer: 575 or 1150 in all, not 2300.
my $processes = ($ENV{TEST_NGINX_LOAD_MODULES} // '') eq '' ? 1 : 4;

# one that stops in its body
my $slow = from('127.0.0.99', "$post\{");

# the first of each is waited for: the others may stay for longer than 5 s
for my $group ([ 'header' ], [ 'TLS handshake', 'HTTP/2' ], [ 'no key', 'body' ], [ 'silent', 'HTTP/2 body' ]) {
    my @crowd = map { crowd($s, $_, '127.0.0.' . ++$n, ceil($processes / @$group)) } @$group;
    is_served($s, join(', ', @$group), $crowd[0]);
    disperse();
}

unlike($s->error_log, qr/worker_connections are not enough|Too many open files/, 'there was room');
like($s->access_log, qr/^127\.0\.0\.\d+ .* 429 /m, 'who has too many at a time is refused');
ok(wait_for { $s->access_log =~ /^127\.0\.0\.99 .* 408 /m }, 'who stops in a body is seen off');
unlike($s->access_log, qr/ 408 .* time=(?:[4-9]\d|\d{3,})\./, 'and so is who stops in a header, all within 40 s');
$s->stop;


# ---- so many at a time, so many a second: 429 in the location's form

$s = door('limits', rate => '1r/m');

sub from {
    my ($address, $bytes) = @_;
    my $socket = IO::Socket::INET->new(LocalAddr => $address, PeerAddr => '127.0.0.1', PeerPort => $s->port)
        or die "connect: $!";
    my $client = bless { socket => $socket, buffer => '' }, 'Wassiit::Client';
    $client->send($bytes);
    return $client;
}

# Without a key, as that may be used but once.
my $one = "GET $api/conversations HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
my $other = "POST /automation/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
my (@held, $r, $wapcm);

# The 200 are there when one more is refused; they go when their time is over,
# which on a slow machine may be before the last is there.  Each address has its
# own 501 requests, which the rate doesn't give back in time: few are for asking.
my $from;

for my $try (1 .. 3) {
    $_->close for splice @held;
    $from = "127.0.2.$try";
    @held = map { from($from, "$post\{") } 1 .. 200;
    wait_for {
        select undef, undef, undef, 0.2;
        $r = from($from, $one)->response;
        $r->status == 429;
    } or last;

    $wapcm = from($from, $other)->response;
    last if $wapcm->status == 429;
}

is($r->status, 429, '200 at a time, and no more');
is($r->json->{code}, 'too_many_requests', 'as a problem');
is($r->header('Content-Type'), 'application/problem+json', 'of its type');
is($r->header('RateLimit'), undef, "no word of the partner's own limit");
is($r->header('Retry-After'), 1, 'and when to come again');

is($wapcm->status . ' ' . $wapcm->json->{message}, '429 too_many_requests', "in wap.cm's form");
is($wapcm->header('Retry-After'), 1, 'and when to come again');
is(from('127.0.0.3', "GET $api/conversations HTTP/1.1\r\nHost: h\r\nX-API-Key: $key\r\n\r\n")->response->status, 200,
   'another address is served');

(shift @held)->close;
ok(wait_for { select undef, undef, undef, 0.2; from($from, $one)->response->status == 401 }, 'when one of them goes, the next one comes');
$_->close for @held;

my $get = "GET $api/conversations HTTP/1.1\r\nHost: h\r\n\r\n";
my $client = from('127.0.0.4', $get x 501);
my %seen;
$seen{ $client->response->status }++ for 1 .. 501;
is_deeply(\%seen, { 401 => 501 }, '500 at once beside the one');
$client->send($get);
$r = $client->response;
is($r->status . ' ' . $r->json->{code}, '429 too_many_requests', 'then the rate');

# What is refused before the limits are asked, too, each on a connection that
# has used up the rate of its address.

for (
    [ '127.0.0.5', 'GET /nope', 'code' ], [ '127.0.0.6', "DELETE $api/messages", 'code' ],
    [ '127.0.0.7', 'GET /automation', 'message' ], [ '127.0.0.8', 'GET /' . 'x' x 9000, 'code' ])
{
    my ($address, $line, $member) = @$_;
    my $client = from($address, $get x 501);
    $client->response for 1 .. 501;
    $client->send("$line HTTP/1.1\r\nHost: h\r\n\r\n");
    my $r = $client->response;
    is($r->status . ' ' . ($r->header('Content-Type') =~ /json/ ? $r->json->{$member} : $r->body),
       '429 too_many_requests', substr($line, 0, 40) . ': in its form');
    is($r->header('Retry-After'), 1, '... and when to come again');
}
is(from('127.0.0.3', $get)->response->status, 401, 'which is one for each address');
$s->stop;

done_testing;
