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

my @H2 = ('--http2-prior-knowledge');

# From 1.25.1 on "listen ... http2" is another directive.

sub h2_conf {
    my ($ssl) = @_;
    my ($major, $minor, $patch)
        = `$ENV{TEST_NGINX_BINARY} -v 2>&1` =~ m{nginx/(\d+)\.(\d+)\.(\d+)};
    my $new = $major > 1 || $minor * 1000 + $patch >= 25001;

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
    is_deeply($r->json, { success => JSON::PP::false(), status => 401,
        message => 'missing_key', data => undef }, 'the envelope');
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
