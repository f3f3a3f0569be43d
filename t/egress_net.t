#!/usr/bin/env perl
# wassiit_egress public: what is public is reached, and nothing else by bodies of
# any size, over HTTP/2, by slow clients and by those that go; a connection that
# is kept, a name that the resolver keeps. How an address may be written, and what
# goes upstream, are t/egress.t's.
#
# As root this runs in a network of its own, in which a machine on lo has public
# and private addresses. Without rights it has 127.0.0.1, ::1 and unix sockets.

use strict;
use warnings;

my ($alone, $net);

BEGIN {
    $net = $> == 0;
    $alone = $ENV{WASSIIT_EGRESS_NET};

    if ($net && !$alone) {
        $ENV{WASSIIT_EGRESS_NET} = 1;
        exec 'unshare', '--net', $^X, $0, @ARGV or die "unshare: $!";
    }
}

use IO::Socket::INET;

use lib 't/lib';
use Wassiit;
use Wassiit::Clock;
use Wassiit::Dns;
use Wassiit::Listener;
use Test::More;

my @public = qw(1.2.3.4 9.9.9.9 2a00:1450::1);
my @inner = qw(10.0.0.1 172.16.0.1 192.168.0.1 169.254.169.254 100.64.0.1 192.0.2.1
               198.18.0.1 fd00::1 fec0::1 64:ff9b::a00:1 2002:a00:1::1 2001:db8::1);

if ($net) {
    system('ip', 'link', 'set', 'lo', 'up') == 0 or die 'ip';
    for my $address (@public, @inner) {
        system('ip', 'address', 'add', $address, 'dev', 'lo', $address =~ /:/ ? 'nodad' : ()) == 0
            or die "ip: $address";
    }
}

my $inside = Wassiit::Listener->start;
my $port = $inside->port;

my $dns = Wassiit::Dns->start(
    'local.test' => { A => [ ['127.0.0.1'] ] },
    'mixed.test' => { A => [ ['127.0.0.1', '10.0.0.1', '1.2.3.4', '9.9.9.9'] ], AAAA => [ [ '::1'] ] },
    'kept.test' => { A => [ ['127.0.0.1'] ], ttl => 3600 },
    'good.test' => { A => [ ['1.2.3.4'] ], ttl => 3600 },
    'good6.test' => { AAAA => [ ['2a00:1450::1'] ] },
    'rebound.test' => { A => [ ['1.2.3.4'], ['127.0.0.1'] ] },
);

# Each request has a second of its own, as the error log takes 10 lines of one.
my $now = time;
my $clock = Wassiit::Clock->new($now);

my $upstreams = $net ? <<"END" : '';
    upstream mixed { server 127.0.0.1:$port; server 10.0.0.1:$port; server 1.2.3.4:$port; }
    upstream outer { server 1.2.3.4:$port; keepalive 4; }
END
my $outer = $net ? <<"END" : '';
        location /mixed { proxy_pass http://mixed; }
        location /outer { proxy_pass http://outer; }
        location /literal { proxy_pass http://1.2.3.4:$port; }
END

my $s = Wassiit::Server->start(workers => 1, files => {
        'partners.jsonl' => [ { id => 'atlas', webhook_secret => 'secret' } ],
    }, conf => <<"END");
http {
    wassiit_zone zone=partners:1m file=partners.jsonl;
    proxy_cache_path %%DIR%%/temp/cache keys_zone=cache:1m;
    upstream kept { server 127.0.0.1:$port; keepalive 4; }
    upstream held { server %%PORT_4%%; keepalive 4; }
$upstreams
    wassiit_egress public;

    server {
        listen %%PORT%%;
        listen %%PORT_2%% http2;
        resolver 127.0.0.1:@{[ $dns->port ]};
        error_page 500 502 503 504 \@problem;
        proxy_connect_timeout 5s;
        client_body_buffer_size 1k;

        location /to { proxy_pass \$http_x_to; }
        location /unbuffered { proxy_request_buffering off; proxy_http_version 1.1; proxy_pass \$http_x_to; }
        location /signed { wassiit_webhook_sign zone=partners partner=atlas; proxy_pass \$http_x_to; }
        location /cached { proxy_cache cache; proxy_cache_key \$http_x_to\$uri; proxy_cache_valid 200 1h; proxy_pass \$http_x_to; }
        location /fastcgi { fastcgi_pass \$http_x_to; }
        location /uwsgi { uwsgi_pass \$http_x_to; }
        location /scgi { scgi_pass \$http_x_to; }
        location /grpc { grpc_pass \$http_x_to; }
        location /if { if (\$args) { set \$x 1; } proxy_pass \$http_x_to; }
        location /named { try_files /none \@named; }
        location \@named { proxy_pass \$http_x_to; }
        location /paged { error_page 404 = /to; return 404; }
        location /mirror { mirror /to; empty_gif; }
        location /accel { proxy_pass \$http_x_to; }
        location /gif { empty_gif; }
        location /kept { wassiit_egress any; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://kept; }
        location /then { proxy_pass http://kept; }
        location /held { wassiit_egress any; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://held; }
        location /refused { proxy_pass http://held; }
$outer
        location \@problem { wassiit_problem; }
    }

    server {
        listen %%PORT_4%%;
        location / { return 204; }
    }
}
END

sub to {
    my ($url, %with) = @_;
    my $uri = delete $with{uri} // '/to';
    $clock->set(++$now);
    return http($s->port(delete $with{server}), uri => $uri, headers => [ defined $url ? ('X-To' => $url) : () ], %with);
}

sub is_refused {
    my ($r, $name, $why, $reset) = @_;
    my $log = $s->error_log;
    my @lines = split /\n/, substr $log, $is_refused::seen // 0;
    $is_refused::seen = length $log;

    is($r->status, 502, "$name: refused") if !$reset;
    is(eval { $r->json->{code} }, 'bad_gateway', "$name: code") if !$reset;
    is_deeply([ $inside->came ], [], "$name: nothing is reached");
    ok(scalar(grep { /\[error\].*$why/ } @lines), "$name: the log says why") or diag(@lines);
}

sub is_sent {
    my ($r, $address, $name) = @_;
    is($r->status, 200, "$name: sent");
    like($r->body, qr/\A\Q$address\E /, "$name: to $address");
    is_deeply([ $inside->came ], [$address], "$name: and nowhere else");
}


my $loopback = qr/nothing goes to \S+, which is loopback/;


# ---- a name that the resolver has kept is judged as well, and asked for once

is_refused(to("http://kept.test:$port/"), "kept name, $_", $loopback) for 1 .. 3;
is($dns->asked('kept.test', 'A'), 1, 'a kept name is not asked for again');


# ---- whatever goes upstream, by whatever way

for my $name ("127.0.0.1:$port", "local.test:$port", "kept.test:$port") {
    my $url = "http://$name/";

    for my $size (1, 500, 100_000) {
        for my $way (qw(to unbuffered signed)) {
            my %body = (uri => "/$way", method => 'POST', body => 'x' x $size);
            is_refused(to($url, %body), "$name, /$way, $size bytes", $loopback);
            is_refused(to($url, %body, chunked => 1), "$name, /$way, $size bytes in chunks", $loopback);
        }
    }

    my $r = to($url, uri => '/mirror');
    is($r->status, 200, "$name, a mirror's main request goes on");
    ok($s->wait_log(qr/nothing goes to \S+, which is loopback.*subrequest: "\/to"/), "$name, the mirror is refused");
    is_deeply([ $inside->came ], [], "$name, mirror: nothing is reached");

    for my $size (0, 500, 100_000) {
        for my $way (qw(to unbuffered signed)) {
            my $body = test_dir() . "/body-$size";
            open my $out, '>', $body or die "$body: $!";
            print {$out} 'x' x $size;
            close $out or die "$body: $!";
            $clock->set(++$now);
            my $r = curl('--http2-prior-knowledge', 'http://127.0.0.1:' . $s->port(2) . "/$way",
                         '-H', "X-To: $url", $size ? ('--data-binary', "\@$body") : ());

            # nginx may end the stream before curl has sent all
            is_refused($r, "$name, HTTP/2, /$way, $size bytes", $loopback,
                       $way eq 'unbuffered' && $r->exit_code != 0);
        }
    }
}

# ---- a body that comes slowly: refused when it is there, or has begun

for my $way (qw(to unbuffered)) {
    for my $name ("127.0.0.1:$port", "local.test:$port") {
        my $client = Wassiit::Client->new($s->port);
        $client->send("POST /$way HTTP/1.1\r\nHost: h\r\nX-To: http://$name/\r\nContent-Length: 5000\r\n\r\n"
                      . 'x' x 10);
        wait_for { $s->error_log =~ /which is loopback/ } if $way eq 'unbuffered';
        $client->send('x' x 4990);
        is_refused($client->response, "$name, a slow body, /$way", $loopback);
        $client->close;
    }
}


# ---- a client that goes while its name is looked up

{
    my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp') or die "udp: $!";
    my $hangs = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp', Listen => 5) or die "tcp: $!";
    my $slow = Wassiit::Server->start(conf => <<"END");
http {
    log_format status '\$status';
    access_log logs/access.log status;
    server {
        listen %%PORT%%;
        listen %%PORT_2%% http2;
        wassiit_egress public;
        resolver 127.0.0.1:@{[ $silent->sockport ]};
        location / { proxy_pass http://\$host:$port; }
        location /timeout { resolver_timeout 1s; proxy_pass http://\$host:$port; }
        location /action { resolver_timeout 1s; proxy_pass http://\$host:$port; post_action /after; }
        location /after { wassiit_egress any; proxy_pass http://127.0.0.1:@{[ $hangs->sockport ]}; }
    }
}
END
    my $client = Wassiit::Client->new($slow->port);
    $client->send("GET / HTTP/1.1\r\nHost: slow.test\r\n\r\n");
    ok(wait_for { my $in = ''; vec($in, fileno $silent, 1) = 1; select $in, undef, undef, 0 }, 'a name is asked for');
    $client->close;
    ok(wait_for { $slow->access_log =~ /^499$/m }, 'the request ends with its client');

    $client = Wassiit::Client->new($slow->port);
    $client->send("GET /timeout HTTP/1.1\r\nHost: slow.test\r\n\r\n");
    is($client->response->status, 502, 'no answer from the resolver: 502');

    # what is done after a request takes it elsewhere
    my ($worker) = $slow->worker_pids;
    my $lost = () = $slow->error_log =~ /could not be resolved/g;
    $client = Wassiit::Client->new($slow->port);
    $client->send("GET /action HTTP/1.1\r\nHost: slower.test\r\n\r\n");
    ok(wait_for { my $in = ''; vec($in, fileno $silent, 1) = 1; select $in, undef, undef, 0 }, 'a name is asked for');
    $client->close;
    ok(wait_for { $lost < (() = $slow->error_log =~ /could not be resolved/g) }, 'the lookup ends, though its client has gone');
    is(join(' ', $slow->worker_pids), $worker, 'the worker lives on');

    # two for one name, and the worker ends while they wait
    my @waiting = map { Wassiit::Client->new($slow->port) } 1 .. 2;
    $_->send("POST / HTTP/1.1\r\nHost: slow.test\r\nContent-Length: 1\r\n\r\nx") for @waiting;
    ok(wait_for { my $in = ''; vec($in, fileno $silent, 1) = 1; select $in, undef, undef, 0 }, 'and again');
    $slow->signal('TERM');
    $slow->stop;
}


# ---- one connection

{
    my $client = Wassiit::Client->new($s->port);
    is($client->request(uri => '/gif')->status, 200, 'and the next request') for 1 .. 3;
    is($client->request(uri => '/to', headers => [ 'X-To' => "http://local.test:$port/" ])->status, 502,
       'on one connection') for 1 .. 3;
    $client->close;
}
$inside->came;


# A refusal is nothing that a server of an upstream{} is ill of.

for (1 .. 3) {
    is(to(undef, uri => '/then')->status, 502, 'refused here');
    is(to(undef, uri => '/kept')->status, 200, 'and served there');
}
$inside->came;

# A connection that is kept is nothing to try again for.

is(to(undef, uri => '/held')->status, 204, 'a connection that is kept');
my $told = () = $s->error_log =~ /nothing goes to/g;
is(to(undef, uri => '/refused')->status, 502, 'is not taken elsewhere');
is((() = $s->error_log =~ /nothing goes to/g) - $told, 1, 'and its server is asked for once');


# ---- what is public is reached: only where there is such an address

if ($net) {
    my $big = 'x' x 100_000;

    # nginx reads each number as a decimal
    is(to("http://0177.0.0.1:$port/")->status, 502, '0177.0.0.1 is 177.0.0.1, which is not here');
    is_deeply([ $inside->came ], [], '0177.0.0.1: nothing is reached');

    for my $row ([ "1.2.3.4:$port", '1.2.3.4' ], [ "[2a00:1450::1]:$port", '2a00:1450::1' ],
                 [ "good.test:$port", '1.2.3.4' ], [ "GOOD.test:$port", '1.2.3.4' ],
                 [ "good6.test:$port", '2a00:1450::1' ], [ 'outer', '1.2.3.4' ])
    {
        my ($where, $address) = @$row;
        my $host = $where =~ s/:\d+$//r;

        for my $way (qw(to unbuffered signed if accel named paged)) {
            my $r = to("http://$where/", uri => "/$way");
            is_sent($r, $address, "$where, /$way");
        }

        for my $way (qw(to unbuffered signed)) {
            my $r = to("http://$where/", uri => "/$way", method => 'POST', body => $big);
            is($r->body, "$address $where 100000\n", "$where, /$way: the host as it was written, and the body");
            is_sent($r, $address, "$where, /$way, a body");

            $r = curl('--http2-prior-knowledge', 'http://127.0.0.1:' . $s->port(2) . "/$way",
                      '-H', "X-To: http://$where/", '--data-binary', '@' . test_dir() . '/body-100000');
            is_sent($r, $address, "$where, /$way, HTTP/2");
        }

        my $r = to("http://$where/", uri => '/cached');
        is_sent($r, $address, "$where, cached");
        is(to("http://$where/", uri => '/cached')->body, $r->body, "$where, from the cache");
        is_deeply([ $inside->came ], [], "$where, from the cache: not sent again");
    }

    is($dns->asked('good.test', 'A'), 1, 'one name is asked for once');

    # the others reach it, though it speaks HTTP alone
    for my $way (qw(fastcgi uwsgi scgi)) {
        my $client = Wassiit::Client->new($s->port);
        $client->send("GET /$way HTTP/1.0\r\nX-To: 1.2.3.4:$port\r\n\r\n");
        my @came;
        ok(wait_for { @came = $inside->came }, "$way: sent");
        is($came[0], '1.2.3.4', "$way: to a public address");
        $client->close;
    }

    is_sent(to(undef, uri => "/$_"), '1.2.3.4', $_) for qw(mixed outer literal);
    is_sent(to('http://mixed/'), '1.2.3.4', 'the one public server of an upstream{}') for 1 .. 3;

    # of a name's addresses only the public ones, and when one is dead the next
    for (1 .. 6) {
        my $r = to("http://mixed.test:$port/");
        like($r->body, qr/^(?:1\.2\.3\.4|9\.9\.9\.9) /, 'a name of many: a public one');
    }
    my %came;
    $came{$_}++ for $inside->came;
    is_deeply([ grep { !/^(?:1\.2\.3\.4|9\.9\.9\.9)$/ } keys %came ], [], 'a name of many: nothing else');

    system('ip', 'address', 'del', '9.9.9.9/32', 'dev', 'lo') == 0 or die 'ip';
    for (1 .. 6) {
        my $r = to("http://mixed.test:$port/");
        like($r->body, qr/^1\.2\.3\.4 /, 'a name of many, of which one is down');
    }
    $inside->came;

    # the very address that was judged is connected to, whatever comes next
    is_sent(to("http://rebound.test:$port/"), '1.2.3.4', 'a name, before it is rebound');
    my $r;
    wait_for { $r = to("http://rebound.test:$port/"); $r->status != 200 };
    is($r->status, 502, 'a name that was rebound: refused');
    is_deeply([ grep { $_ ne '1.2.3.4' } $inside->came ], [], 'a name that was rebound: nothing is reached');
}

$s->stop;


# ---- the directive

for my $row ([ 'wassiit_egress public;', 0, '' ], [ 'wassiit_egress any;', 0, '' ],
             [ 'wassiit_egress off;', 1, 'invalid value "off" in "wassiit_egress" directive, it must be "any" or "public"' ],
             [ 'wassiit_egress;', 1, 'invalid number of arguments in "wassiit_egress"' ],
             [ 'wassiit_egress public any;', 1, 'invalid number of arguments in "wassiit_egress"' ],
             [ 'wassiit_egress public; wassiit_egress any;', 1, 'is duplicate' ])
{
    my ($text, $expected, $message) = @$row;
    for my $conf ("http { $text server { } }", "http { server { $text } }", "http { server { location / { $text } } }") {
        my ($exit, $error) = nginx_test($conf);
        is($exit, $expected, "$conf: exit code") or diag($error);
        like($error, qr/\Q$message\E/, "$conf: message") if $expected;
    }
}

done_testing;
