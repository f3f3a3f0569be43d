#!/usr/bin/perl

# HTTP/2, in clear and over TLS.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Test::More;
use Front;
use H2;
use Wassiit;
use Wassiit::Uploads;

my @H2 = ('--http2-prior-knowledge');

# From 1.25.1 on "listen ... http2" is another directive.

my ($major, $minor, $patch)
    = `$ENV{TEST_NGINX_BINARY} -v 2>&1` =~ m{nginx/(\d+)\.(\d+)\.(\d+)};
my $new = $major > 1 || $minor * 1000 + $patch >= 25001;

sub listens_h2 {
    my ($address) = @_;
    return "listen $address" . ($new ? '; http2 on;' : ' http2;');
}

sub h2_conf {
    my ($ssl) = @_;

    return front_conf(
        workers => 2,
        listen => ($ssl ? ' ssl' : '') . ($new ? '' : ' http2'),
        http => <<'END', server => ($new ? 'http2 on;' : '') . <<"END");
    upstream back { server %%PORT_2%%; }
    server {
        listen %%PORT_2%%;
        client_max_body_size 0;
        location /to { proxy_pass http://back/end; }
        location /end { return 200 "passed"; }
        location /left { return 200 $http_x_left; }
    }
END
        @{[ $ssl // '' ]}
        client_max_body_size 20m;
        wassiit_scope messages.send;
        location /files { wassiit_scope files.send; empty_gif; }
        location /old { wassiit_errors envelope; empty_gif; }
        location /to { proxy_pass http://back; }
        location /left { proxy_set_header X-Left \$wassiit_remaining;
                         proxy_pass http://back; }
        location /dry { wassiit_limit dry_run; empty_gif; }
        location = /problem { wassiit_problem; }
        error_page 404 405 413 /problem;
        location /small { client_max_body_size 1k; proxy_pass http://back; }
        location /none { root none; }
END
}

my $expired = partner('late', 'late-key');
$expired->{keys}[0]{expires} = '2001-01-01T00:00:00Z';

my @partners = (
    partner('atlas', 'atlas-key', rate => '100r/h',
            scopes => ['messages.send']),
    partner('share', 'share-key', rate => '30r/h'),
    partner('few', 'few-key-1', rate => '1r/h'),
    partner('off', 'off-key-1', enabled => JSON::PP::false()),
    $expired);

my $server = Wassiit::Server->start(conf => h2_conf(),
    files => { 'partners.jsonl' => \@partners });

sub url { return 'http://127.0.0.1:' . $server->port . $_[0] }

sub h2 {
    my ($key, $uri, @more) = @_;
    return curl(@H2, ($key ? ('-H', "x-api-key: $key") : ()), @more,
                url($uri));
}


subtest 'an answer that is let through' => sub {
    my $r = h2('atlas-key', '/');
    is($r->version, '2', 'by HTTP/2');
    is($r->status, 200, 'is let through');
    is(left($r), 99, 'is counted');
    is($r->header('ratelimit-policy'), '"default";q=100;w=3600', 'policy');
    like($r->header('ratelimit'), qr/\A"default";r=99;t=\d+\z/, 'limit');
    is_deeply([ grep { $_ ne lc } $r->names ], [], 'names in lower case');
    is_deeply([ grep { /^(?:x-)?ratelimit/ } sort $r->names ],
        [ qw(ratelimit ratelimit-policy x-ratelimit-limit
             x-ratelimit-remaining x-ratelimit-reset) ],
        'each header once');
    is(verdict(h2('atlas-key', '/', '-H', 'X-Api-KEY;')),
       '400 duplicate_header', 'a second one, of any case');
};

subtest 'refusals' => sub {
    is(verdict(h2('few-key-1', '/')), 200, 'the only one an hour');

    for my $row (
        [ '', '/', 401, 'missing_key', [] ],
        [ '', '/', 401, 'missing_key', [ '-H', 'x-api-key;' ] ],
        [ '', '/', 401, 'missing_key', [ '-H', 'x_api_key: atlas-key' ] ],
        [ 'wrong-key', '/', 401, 'invalid_key', [] ],
        [ 'late-key', '/', 401, 'expired_key', [] ],
        [ 'off-key-1', '/', 403, 'partner_disabled', [] ],
        [ 'atlas-key', '/files', 403, 'insufficient_scope', [] ],
        [ 'atlas-key', '/', 400, 'duplicate_header',
          [ '-H', 'X-API-KEY: other-key' ] ],
        [ 'few-key-1', '/', 429, 'rate_limited', [] ],
        [ 'atlas-key', '/none', 404, 'not_found', [] ])
    {
        my ($key, $uri, $status, $code, $more) = @$row;
        my $r = h2($key, $uri, @$more);

        is(verdict($r), "$status $code", "$status $code");
        is($r->json->{status}, $status, '... in the body too');
        is_deeply([ grep { $_ ne lc } $r->names ], [], '... in lower case');
        is(length $r->body, $r->header('content-length') // length $r->body,
           '... of the length that is told');

        my $head = h2($key, $uri, @$more, '-I');
        is($head->status, $status, '... the same for a HEAD');
        is($head->body, '', '... without a body');
        is($head->header('content-type'), 'application/problem+json',
           '... with its type');
    }

    my $r = h2('few-key-1', '/');
    cmp_ok($r->header('retry-after'), '>=', 3500, 'when to try again');
    is($r->header('x-ratelimit-remaining'), 0, 'nothing is left');
    is(verdict(h2('few-key-1', '/dry')), 200, 'a dry run refuses no one');

    $r = h2('', '/old');
    my $got = $r->json;
    my $data = delete $got->{data};
    is_deeply($got, { success => JSON::PP::false(), status => 401, message => 'missing_key' }, 'the envelope');
    is_deeply([ sort keys %$data ], [qw(detail instance)], 'with what helps');
    is(h2('', '/')->header('www-authenticate'), 'ApiKey realm="api"',
       'the realm');
};

subtest 'HEAD' => sub {
    my $r = h2('atlas-key', '/', '-I');
    is($r->status, 200, 'is let through');
    is($r->body, '', 'without a body');
    ok(defined left($r), 'and counted');
};


# ---- uploads

subtest 'a refusal during an upload' => sub {
    for my $row ([ 'wrong-key', '/to', '401', 'invalid_key' ],
                 [ 'off-key-1', '/to', '403', 'partner_disabled' ],
                 [ 'few-key-1', '/to', '429', 'rate_limited' ],
                 [ 'atlas-key', '/small', '413', 'too_large' ])
    {
        my ($key, $path, $status, $code) = @$row;

        for my $length (8_000_000, $status == 413 ? () : undef) {
            my $h2 = H2->new($server->port);
            my $stream = $h2->request(method => 'POST', path => $path,
                body => 0, headers => [ 'x-api-key' => $key,
                    $length ? ('content-length' => $length) : () ]);

            $h2->data($stream, 'x' x 65536) or last for 1 .. 122;
            $h2->until_closed($stream);

            is($h2->status($stream), $status, "$status is told");
            is(JSON::PP->new->utf8->decode($h2->body($stream))->{code}, $code,
               "... and all of its body, $code");
            ok($h2->ended($stream), '... before the stream is closed');
            $h2->until_reset($stream);
            is($h2->reset($stream), 0, '... without an error');

            my $next = $h2->request(path => '/',
                                    headers => [ 'x-api-key' => 'atlas-key' ]);
            $h2->until_closed($next);
            is($h2->status($next), 200, '... and the connection serves on');
        }
    }
};

subtest 'an upload that is allowed' => sub {
    for my $length (1_000_000, undef) {
        my $h2 = H2->new($server->port);
        my $stream = $h2->request(method => 'POST', path => '/to', body => 0,
            headers => [ 'x-api-key' => 'atlas-key',
                $length ? ('content-length' => $length) : () ]);

        ok($h2->data($stream, 'x' x 1_000_000, 1), 'it is taken');
        $h2->until_closed($stream);
        is($h2->status($stream), 200, 'and let through');
        is($h2->body($stream), 'passed', 'to the backend');
    }
};

subtest 'a refused upload leaves its neighbours alone' => sub {
    my $h2 = H2->new($server->port);
    my %stream = map {
        $_ => $h2->request(method => 'POST', path => '/to', body => 0,
                           headers => [ 'x-api-key' => "$_-key" ])
    } 'wrong', 'atlas';

    ok($h2->data($stream{atlas}, 'x' x 100_000), 'both upload');
    $h2->data($stream{wrong}, 'x' x 10_000);
    $h2->until_closed($stream{wrong});
    is($h2->status($stream{wrong}), 401, 'one is refused');
    is($h2->status($stream{atlas}), undef, 'the other is not yet through');

    my @more = map { $h2->request(path => '/',
        headers => [ 'x-api-key' => $_ ]) } 'atlas-key', 'few-key-1';
    $h2->until_closed(@more);
    is_deeply([ map { $h2->status($_) } @more ], [ 200, 429 ],
              'others come and go');

    ok($h2->data($stream{atlas}, 'x' x 100_000, 1), 'it goes on');
    $h2->until_closed($stream{atlas});
    is($h2->status($stream{atlas}), 200, 'and ends as it should');
};


# ---- many on one connection

subtest 'streams of one connection share the window' => sub {
    my @h2 = map { H2->new($server->port) } 1 .. 2;
    my (@streams, %seen);

    for my $n (1 .. 60) {
        my $h2 = $h2[ $n % 2 ];
        push @streams, [ $h2, $h2->request(path => '/left',
            headers => [ 'x-api-key' => 'share-key' ]) ];
    }

    for (@streams) {
        my ($h2, $stream) = @$_;
        $h2->until_closed($stream);
        my $status = $h2->status($stream);
        push @{ $seen{$status} }, $status == 200 ? $h2->body($stream)
            : JSON::PP->new->utf8->decode($h2->body($stream))->{code};
    }

    is_deeply([ sort { $a <=> $b } @{ $seen{200} } ], [ 0 .. 29 ],
              'thirty are admitted, each told what is left');
    is_deeply($seen{429}, [ ('rate_limited') x 30 ], 'thirty are refused');
};

is(() = $server->error_log =~ /\[(?:alert|crit|emerg)\]/g, 0,
   'nothing in the log');
$server->stop;


# ---- frames of every kind: whoever may send, and does, gets an answer

my $uploads = Wassiit::Uploads->new(listens_h2('%%PORT%%'));

# Sends a body in frames of so many bytes, each of which waits until the windows
# have room for it as a whole.

sub upload {
    my ($h2, $place, $kind, $body, %how) = @_;
    my $id = $h2->request(method => 'POST', path => "/$place/$kind", body => 0, headers => [
        $uploads->headers($kind, $body, $how{wrong}), 'x-case' => $how{case} // 'only',
        $how{length} ? ('content-length' => length $body) : () ]);

    for my $at (map { $_ * $how{frame} } 0 .. (length($body) - 1) / $how{frame}) {
        $h2->frame($id, substr($body, $at, $how{frame}), $at + $how{frame} >= length $body, %how) or last;
    }
    return $id;
}

subtest 'padded and tiny frames' => sub {
    for my $row (
        [ 'a byte in each, padded by 255', 300, frame => 1, pad => 255 ],
        [ 'padded by the length of the padding alone', 70_000, frame => 1000, pad => 0 ],
        [ 'large and padded by 200', 300_000, frame => 16_183, pad => 200 ],
        [ 'ten bytes in each, padded by 255', 6000, frame => 10, pad => 255 ],
        [ 'unpadded, each when it fits', 100_000, frame => 1000 ])
    {
        my ($name, $size, %how) = @$row;

        for my $kind ($uploads->kinds) {
            my $body = $uploads->body($kind, $size);

            for my $place ($uploads->places) {
                for my $length (0, 1) {
                    my $what = "$name: $kind, $place" . ($length ? ', with a length' : '');
                    my $h2 = H2->new($uploads->port);
                    my $id = eval { upload($h2, $place, $kind, $body, %how, length => $length) };

                    if (!defined $id) {
                        fail("$what: $@");
                        next;
                    }
                    my %seen = $uploads->seen(1);
                    $h2->until_closed($id);
                    is($h2->status($id), 200, $what);
                    ok(($seen{only} // '') eq $body, '... the backend gets the same bytes');
                }
            }
        }
    }
};

# The worker finds all of it at once, more than it looks at in a turn: what comes
# first, what comes next, what comes last.

subtest 'what waits for its turn' => sub {
    my ($worker) = $uploads->server->worker_pids;
    my $body = $uploads->body('verify', 200_000);
    my %part = (first => [ 0, 60_000 ], middle => [ 60_000, 120_000 ], last => [ 140_000, 200_000 ]);

    for my $place ($uploads->places) {
        for my $part (sort keys %part) {
            my ($from, $to) = @{ $part{$part} };
            my @h2 = map { H2->new($uploads->port) } 1 .. 16;
            my @ids = map { $h2[$_]->request(method => 'POST', path => "/$place/verify", body => 0, headers => [
                $uploads->headers('verify', $body, $_ % 4 == 0), 'x-case' => $_ ]) } 0 .. $#h2;
            my $send = sub {
                my ($from, $to) = @_;
                $h2[$_]->data($ids[$_], substr($body, $from, $to - $from), $to == length $body) for 0 .. $#h2;
            };

            $send->(0, $from) if $from;
            $uploads->turn;
            kill 'STOP', $worker;
            $send->($from, $to);
            kill 'CONT', $worker;
            $send->($to, length $body) if $to < length $body;

            my %seen = $uploads->seen(12);
            $h2[$_]->until_closed($ids[$_]) for 0 .. $#h2;
            is(join(' ', map { $h2[$_]->status($ids[$_]) } 0 .. $#h2), join(' ', (401, 200, 200, 200) x 4),
               "$place, the $part: each its own verdict");
            is(scalar(grep { ($seen{$_} // '') eq $body } 0 .. $#h2), 12, '... and the backend gets the same bytes');
        }
    }
};

subtest 'what is refused half-way' => sub {
    for my $place ($uploads->places) {
        for my $row ([ audio => "--edge\r\nnonsense\r\n\r\n", 400 ], [ message => ' ' x 70_000, 413 ]) {
            my ($kind, $begin, $status) = @$row;
            my $h2 = H2->new($uploads->port);
            my $id = $h2->request(method => 'POST', path => "/$place/$kind", body => 0,
                                  headers => [ $uploads->headers($kind, '') ]);
            while (length $begin) {
                $h2->frame($id, substr($begin, 0, 1000, ''), 0, pad => 255) or last;
            }
            $h2->until_closed($id);
            is($h2->status($id), $status, "$place, $kind: $status before its end");

            $id = $h2->request(path => '/');
            $h2->until_closed($id);
            is($h2->status($id), 204, '... and the connection serves on');
        }
    }
};

# Whatever a client does within the protocol, a location that looks at the body
# answers as a mere proxy_pass does. Several streams take turns on a connection,
# frames come in two parts, some clients think better of it.

subtest 'frames at random' => sub {
    my $seed = $ENV{TEST_SEED} // int rand 1e6;
    srand $seed;
    diag "TEST_SEED=$seed";

    for my $round (1 .. 40) {
        my @streams = map { +{
            kind => ($uploads->kinds)[rand 5],
            place => ($uploads->places)[rand 3],
            size => int exp(rand log 200_000),
            frame => int exp(rand log 16_000),
            pad => (undef, 0, 255, int rand 256)[rand 4],
            length => int rand 2,
            wrong => rand() < 0.2,
            broken_off => rand() < 0.1,
        } } 1 .. 1 + rand 4;

        for my $stream (@streams) {
            $stream->{body} = $uploads->body($stream->{kind}, $stream->{size});
            my $least = 1 + int length($stream->{body}) / 200;
            $stream->{frame} = $least if $stream->{frame} < $least;
            $stream->{frame} = 16_000 if $stream->{frame} > 16_000;
        }

        my @got = map { at_random($_, @streams) } 'plain', undef;
        is_deeply($got[1], $got[0], "round $round") or diag explain [ map { +{ %$_, body => length $_->{body} } } @streams ];
    }
};

# Of each stream the status, and whether the backend got the same bytes.

sub at_random {
    my ($kind, @streams) = @_;
    my $h2 = H2->new($uploads->port);
    my $n = 0;
    my @open = map {
        my $stream = $_;
        my ($body, $case) = ($stream->{body}, $n++);
        my $id = $h2->request(method => 'POST', body => 0, path => "/$stream->{place}/" . ($kind // $stream->{kind}),
            headers => [ $uploads->headers($stream->{kind}, $body, $stream->{wrong}), 'x-case' => $case,
                         $stream->{length} ? ('content-length' => length $body) : () ]);
        +{ %$stream, id => $id, case => $case, rest => $body };
    } @streams;
    my @all = @open;

    while (@open) {
        my $stream = $open[rand @open];
        my $piece = substr $stream->{rest}, 0, $stream->{frame}, '';
        my $last = $stream->{rest} eq '';
        my $gone = $stream->{broken_off} && ($last || rand() < 0.1);

        $gone ? $h2->cancel($stream->{id}, 8)
              : $h2->frame($stream->{id}, $piece, $last, pad => $stream->{pad}, rand() < 0.9 ? () : (
                    cut => int rand 300, between => sub { $uploads->turn }))
            or $last = 1;
        @open = grep { $_ != $stream } @open if $gone || $last;
    }

    my @answered = grep { !$_->{broken_off} } @all;
    my @passed = grep { $kind || !$_->{wrong} || $_->{kind} ne 'verify' } @answered;
    my %seen = $uploads->seen(scalar @passed);

    $h2->until_closed(map { $_->{id} } @answered);
    return [ map {
        my $refused = $_->{wrong} && $_->{kind} eq 'verify';
        [ $refused ? 'refused' : ($h2->status($_->{id}), ($seen{ $_->{case} } // '') eq $_->{body}) ]
    } @answered ];
}

$uploads->server->stop;


# ---- TLS

subtest 'over TLS' => sub {
    my $dir = test_dir();
    is(system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
              . "-nodes -days 2 -subj /CN=localhost -keyout $dir/tls.key "
              . "-out $dir/tls.crt 2>$dir/tls.err"), 0, 'a certificate')
        or return;

    my $tls = Wassiit::Server->start(
        conf => h2_conf("ssl_certificate $dir/tls.crt; "
                        . "ssl_certificate_key $dir/tls.key;"),
        files => { 'partners.jsonl' => \@partners });
    my $url = 'https://localhost:' . $tls->port;
    my @curl = ('--cacert', "$dir/tls.crt", '--resolve',
                'localhost:' . $tls->port . ':127.0.0.1', '--http2');

    my $r = curl(@curl, '-H', 'X-API-Key: atlas-key', "$url/");
    is($r->version, '2', 'HTTP/2 is agreed upon');
    is(verdict($r), 200, 'a known key is let in');
    is(left($r), 99, 'and counted');
    is(verdict(curl(@curl, '-H', 'X-API-Key: wrong-key', "$url/")),
       '401 invalid_key', 'an unknown one is not');
    is(verdict(curl(@curl, '--http1.1', '-H', 'X-API-Key: wrong-key',
                    "$url/")), '401 invalid_key', 'nor by HTTP/1.1');
    $tls->stop;
};

done_testing;
