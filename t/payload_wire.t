# wassiit_payload: however a body comes and wherever it lies, a broken one goes
# nowhere; HTTP/2, slow clients, one connection, and what the logs and nginx -t say.
# The backend is the test itself. (Good bodies over HTTP/1 are in t/payload_ways.t.)

use strict;
use warnings;

use lib 't/lib';
use H2;
use IO::Select;
use JSON::PP ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;
use Wassiit;
use Wassiit::Backend;
use Wassiit::Clock;
use Wassiit::Payload;

my $backend = Wassiit::Backend->new;
my $port = $backend->port;

my @KINDS = qw(message call automation audio document);
my %WAYS = (
    '' => '', small => 'client_body_buffer_size 1k;', only => 'client_body_in_file_only clean;',
    single => 'client_body_in_single_buffer on;',
);
my $everywhere = join "\n", map {
    my $way = $_;
    map { "location /$way$_ { wassiit_payload $_; $WAYS{$way} proxy_pass http://%%BACKEND%%; }" } @KINDS
} sort keys %WAYS;

my $now = time;
my $clock = Wassiit::Clock->new($now);

my $server = Wassiit::Server->start(
    files => { 'partners.jsonl' => [ partner('atlas', 'atlas-key', rate => '1000r/d') ] },
    conf => <<'END' =~ s/%%LOCATIONS%%/$everywhere/r =~ s/%%BACKEND%%/127.0.0.1:$port/gr);
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    client_max_body_size 20m;
    log_format all '$uri $status $wassiit_partner $wassiit_decision';
    access_log logs/access.log all;

    server {
        listen %%PORT%%;
        listen %%PORT_2%% http2;

        %%LOCATIONS%%

        location /plain { proxy_pass http://%%BACKEND%%; }
        location /access/ {
            wassiit_access api;
            location /access/message { wassiit_payload message; proxy_pass http://%%BACKEND%%; }
            location /access/audio { wassiit_payload audio; proxy_pass http://%%BACKEND%%; }
            location /access/automation { wassiit_payload automation; proxy_pass http://%%BACKEND%%; }
        }
        location /problem/ {
            error_page 400 413 415 @problem;
            location /problem/message { wassiit_payload message; proxy_pass http://%%BACKEND%%; }
            location /problem/audio { wassiit_payload audio; proxy_pass http://%%BACKEND%%; }
        }
        location @problem { wassiit_problem; }
        location /led { wassiit_payload message; error_page 502 = /call; proxy_pass http://%%BACKEND%%; }
    }
}
END

# ---- bodies

my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;
my ($to, $file) = (part('to', $TO), part('file', 'x', file => 'a.mp3'));

# larger than any buffer for bodies; the file is full of what is nearly a delimiter
my $bytes = join '', map {
    "\r\n--b0undar." . pack('N', $_ * 2654435761 % 2**32) . ".--$B\r\n-\r\r\n--b0undar\n-\r\n--b0undar\r\r"
} 1 .. 1200;
my %large = (
    message => object(to => $TO, text => "\x{e9}" x 4096, more => 'm' x 30000),
    call => object(to => $TO, type => 'video', more => [ 1 .. 5000 ]),
    automation => object(%Automation, variables => { map { ("v$_" => "of $_") } 1 .. 2000 }),
    audio => form($to, part('file', $bytes, file => 'a.bin', type => 'audio/ogg')),
    document => form($to, part('file', $bytes, file => 'a.bin')),
);


# ---- what a partner sends, and sees

sub post {
    my ($uri, $type, $body, %with) = @_;
    return (uri => $uri, method => 'POST', body => $body, %with,
            headers => [ defined $type ? ('Content-Type' => $type) : (), @{ $with{headers} // [] } ]);
}

sub nothing_came { return !IO::Select->new($backend->{socket})->can_read(0) }

# A test's name, in one line of ASCII.

sub plain { return $_[0] =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger }

# The backend is asked, or the client is answered, whichever comes first.

sub came {
    my ($client) = @_;
    my @ready = IO::Select->new($backend->{socket}, $client->{socket})->can_read(20);
    return grep { $_ == $backend->{socket} } @ready;
}

sub is_body {
    my ($seen, $body, $name) = @_;
    $name = plain($name);
    my ($head, $got) = split /\r\n\r\n/, $seen, 2;
    my ($length) = $head =~ /^Content-Length: (\d+)\r?$/mi;
    ok($got eq $body && ($length // 0) == length $body && $head !~ /^Transfer-Encoding/mi, $name)
        or diag("$head\n\n", length $got, ' bytes, sent were ', length $body);
}

sub passes {
    my ($name, @post) = (plain(shift), @_);
    my %r = post(@post);
    my $client = Wassiit::Client->new($server->port);

    $client->send($client->request_bytes(close => 1, %r));
    if (!came($client)) {
        fail("$name: passes");
        diag($client->response->body);
        return;
    }

    my $seen = $backend->receive('http');
    is_body($seen, $r{body} // '', "$name: passes untouched");
    is($client->response(close => 1)->status, 200, "$name: and is answered");
    return $seen;
}

sub post_h2 {
    my ($h2, $uri, $type, $body, $with_length) = @_;
    my $stream = $h2->request(method => 'POST', path => $uri, body => 0, headers => [
        'content-type' => $type, $with_length ? ('content-length' => length $body) : () ]);

    # else each window of a long body waits for the last frame's late ACK
    setsockopt $h2->{socket}, IPPROTO_TCP, TCP_NODELAY, 1;
    $h2->data($stream, $body, 1);
    return $stream;
}

sub passes_h2 {
    my ($name, $uri, $type, $body, $with_length) = @_;
    my $h2 = H2->new($server->port(2));
    my $stream = post_h2($h2, $uri, $type, $body, $with_length);

    is_body($backend->receive('http'), $body, "$name: passes untouched");
    $h2->until_closed($stream);
    is($h2->status($stream), 200, "$name: and is answered");
}

my %CODE = (400 => 'invalid_payload', 413 => 'too_large', 415 => 'unsupported_media_type');

# Of @faults, each a pointer and its detail, a text or a pattern.

sub are_faults {
    my ($got, $faults, $name) = @_;
    my @wrong;
    $got = [] if ref $got ne 'ARRAY';

    for my $i (0 .. $#$faults) {
        my ($pointer, $detail) = @{ $faults->[$i] };
        my $is = $got->[$i] // {};

        push @wrong, "$pointer $detail" if "@{[sort keys %$is]}" ne 'detail pointer'
            || $is->{pointer} ne $pointer
            || (ref $detail ? $is->{detail} !~ $detail : $is->{detail} ne $detail);
    }

    ok(!@wrong && @$got == @$faults, $name)
        or diag(plain(join ' | ', 'not there: ', @wrong), "\n", JSON::PP->new->ascii->pretty->encode($got));
}

sub is_refusal {
    my ($r, $status, $faults, $name) = @_;
    my $json = eval { $r->json } // {};
    $name = plain($name);

    is_deeply([ $r->status, @$json{qw(status code)}, $r->header('Content-Type') ],
              [ $status, $status, $CODE{$status}, 'application/problem+json' ], "$name: $status")
        or diag($r->head, $r->body);
    like($r->body, qr/\A[\x20-\x7f]+\z/, "$name: in ASCII");
    $status == 400 ? are_faults($json->{errors}, $faults, "$name: the faults")
                   : ok(!exists $json->{errors}, "$name: no faults");
    ok(nothing_came(), "$name: the backend is not asked");
    return $json;
}

sub refused {
    my ($name, $status, $faults, @post) = @_;
    my $client = Wassiit::Client->new($server->port);

    $client->send($client->request_bytes(close => 1, post(@post)));
    if (came($client)) {
        fail(plain("$name: refused"));
        $backend->receive('http');
        return {};
    }

    return is_refusal($client->response(close => 1), $status, $faults, $name);
}


subtest 'a good body passes byte for byte over HTTP/2' => sub {
    for my $kind (@KINDS) {
        for my $way (sort keys %WAYS) {
            for my $row ([ 'a small one', $Good{$kind} ], [ 'a large one', $large{$kind} ]) {
                my ($name, $body) = @$row;
                my @to = ("/$way$kind", $TYPE{$kind}, $body);

                passes_h2("/$way$kind, $name, with its length", @to, 1);
                passes_h2("/$way$kind, $name, without", @to, 0);
            }
        }
    }
};

subtest 'a broken one is refused, however it comes' => sub {
    my %broken = (
        message => [ object(text => 'm' x 4097, more => 'm' x 30000), [ '#/to', "is missing; it $E164" ],
                     [ '#/text', 'must be a string of 1 to 4096 characters, not "' . 'm' x 64 . '"...' ] ],
        document => [ form($to, part('file', $bytes)), [ '#/file', 'must have a file name' ] ],
    );

    for my $kind (sort keys %broken) {
        my ($body, @faults) = @{ $broken{$kind} };

        for my $way (sort keys %WAYS) {
            refused("/$way$kind, chunked $_", 400, \@faults, "/$way$kind", $TYPE{$kind}, $body, chunked => $_)
                for 0, 1;

            for my $with_length (0, 1) {
                my $h2 = H2->new($server->port(2));
                my $stream = post_h2($h2, "/$way$kind", $TYPE{$kind}, $body, $with_length);
                $h2->until_closed($stream);

                my $name = "/$way$kind over HTTP/2, length $with_length";
                is($h2->status($stream), 400, "$name: 400");
                are_faults($JSON->decode($h2->body($stream))->{errors}, \@faults, "$name: the faults");
                ok(nothing_came(), "$name: the backend is not asked");

                # the connection serves on
                my $next = post_h2($h2, '/call', $TYPE{call}, $Good{call}, 1);
                is_body($backend->receive('http'), $Good{call}, "$name: the next stream");
                $h2->until_closed($next);
            }
        }
    }
};

subtest 'JSON has 65536 bytes at most' => sub {
    my $of = sub { substr($Good{call}, 0, -1) . ' ' x ($_[0] - length $Good{call}) . '}' };
    my $detail = 'A JSON body of this path may have at most 65536 bytes.';

    for my $way ('', 'small') {
        for my $chunked (0, 1) {
            passes("65536, /$way, chunked $chunked", "/${way}call", $TYPE{call}, $of->(65536), chunked => $chunked);
            my $json = refused("65537, /$way, chunked $chunked", 413, undef, "/${way}call", $TYPE{call}, $of->(65537),
                               chunked => $chunked);
            is($json->{detail}, $detail, '... it says so');
            refused("10 MB, /$way, chunked $chunked", 413, undef, "/${way}call", $TYPE{call}, $of->(10_000_000),
                    chunked => $chunked);
        }
    }
    passes_h2('65536 over HTTP/2', '/call', $TYPE{call}, $of->(65536), 0);
    for my $with_length (0, 1) {
        my $h2 = H2->new($server->port(2));
        my $stream = post_h2($h2, '/call', $TYPE{call}, $of->(65537), $with_length);
        $h2->until_closed($stream);
        is($h2->status($stream), 413, "65537 over HTTP/2, length $with_length");
        is($JSON->decode($h2->body($stream))->{code}, 'too_large', '... too_large');
        ok(nothing_came(), '... the backend is not asked');
    }

    # in chunks it is seen as soon as there is too much
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(post('/call', $TYPE{call}, undef, headers => [ 'Transfer-Encoding' => 'chunked' ]))
                  . "100000\r\n" . ' ' x 65537);
    is_refusal($client->response, 413, undef, 'chunks that have not ended');

    # by its length before any of it is asked for
    for my $row ([ 413, $TYPE{call}, 65537 ], [ 415, 'text/plain', 10 ], [ 415, undef, 10 ]) {
        my ($status, $type, $length) = @$row;
        for my $under ('', '/problem') {
            my $uri = $under ? '/problem/message' : '/message';
            my $client = Wassiit::Client->new($server->port);
            $client->send($client->request_bytes(post($uri, $type, undef, headers => [
                'Content-Length' => $length, Expect => '100-continue' ])));
            my $r = $client->response;
            is_refusal($r, $status, undef, "$status before the body, $uri");
            is_deeply([ $r->interim ], [], '... without a 100');
        }
    }
    $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(post('/call', $TYPE{call}, undef, close => 1, headers => [
        'Content-Length' => length $Good{call}, Expect => '100-continue' ])));
    ok(IO::Select->new($client->{socket})->can_read(20), 'one that may pass is asked for');
    $client->send($Good{call});
    is_body($backend->receive('http'), $Good{call}, '... and passes');
    my $r = $client->response;
    is_deeply([ $r->interim, $r->status ], [ 100, 200 ], '... and is answered');
};

# Units of one length, one of which is the number: moved on byte by byte,
# delimiters and headers meet the ends of nginx's buffers in every way.

subtest 'a form in pieces' => sub {
    my $unit = 128;
    my $fill = sub { my $part = "--$B\r\n" . part(@_); return $part . ' ' x ($unit - 2 - length $part) . "\r\n" };
    my $number = "--$B\r\nX: " . 'x' x ($unit - 5 - length "--$B\r\n" . part('to', $TO) . "\r\n") . "\r\n" . part('to', $TO) . "\r\n";
    is(length $number, $unit, 'units of one length');

    for my $shift (0 .. $unit - 1) {
        my @units = map { $fill->("p$_", "\r\n--b0undar\r\r\n-") } 1 .. 30;
        my $first = ' ' x $shift . "\r\n";
        my $end = "--$B\r\n$file\r\n--$B--\r\n";

        my $r = http($server->port, post('/smalldocument', $TYPE{document}, join '', $first, ($number, @units) x 2, $end));
        is_deeply($r->status == 400 && $r->json->{errors}, [ { pointer => '#/to', detail => 'must stand once' } ],
                  "two numbers, moved by $shift");
        passes("one, moved by $shift", '/smalldocument', $TYPE{document}, join '', $first, @units, $number, @units, $end);
    }

    # and byte by byte as the client sends it
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(post('/audio', $TYPE{audio}, undef, close => 1,
                                              headers => [ 'Content-Length' => length $Good{audio} ])));
    $client->send($_) for split //, $Good{audio};
    is_body($backend->receive('http'), $Good{audio}, 'byte by byte');
    is($client->response->status, 200, '... is answered');
};

subtest 'long uploads over HTTP/2' => sub {
    my $mp3 = form($to, part('file', pack('N*', 1 .. 1_500_000), file => 'a.mp3'));
    passes_h2("6 MB, length $_", '/document', $TYPE{document}, $mp3, $_) for 0, 1;
};

# Of what is broken for good no more is waited for.

subtest 'early' => sub {
    my $part = "--$B\r\n" . part('a', '') . "\r\n";
    my $most = $part x 2000;
    my $length = 100_000 * length $part;
    my @faults = ([ '#', 'has more than 1000 parts' ]);

    for my $uri ('/audio', '/smalldocument', '/problem/audio') {
        for my $chunked (0, 1) {
            my $client = Wassiit::Client->new($server->port);
            my $head = $client->request_bytes(post($uri, $TYPE{audio}, undef, headers => [
                $chunked ? ('Transfer-Encoding' => 'chunked') : ('Content-Length' => $length) ]));

            $client->send($head . ($chunked ? sprintf "%x\r\n", $length : '') . $most);
            is_refusal($client->response, 400, \@faults, "100000 parts, $uri, chunked $chunked");
        }
    }

    my $h2 = H2->new($server->port(2));
    my $stream = $h2->request(method => 'POST', path => '/audio', body => 0,
                              headers => [ 'content-type' => $TYPE{audio}, 'content-length' => $length ]);
    $h2->data($stream, $most);
    $h2->until_closed($stream);
    is($h2->status($stream), 400, '100000 parts over HTTP/2');
    are_faults($JSON->decode($h2->body($stream))->{errors}, \@faults, '... the faults');
    $h2->until_reset($stream);
    is($h2->reset($stream), 0, '... and is stopped without an error');

    # who sends all of it first is told as well
    for my $chunked (0, 1) {
        my $client = Wassiit::Client->new($server->port);
        ok($client->send($client->request_bytes(post('/audio', $TYPE{audio}, $part x 100_000, chunked => $chunked))),
           "all 100000 are taken, chunked $chunked");
        is_refusal($client->response, 400, \@faults, "... and answered, chunked $chunked");
    }

    # a fault that is known with the rest to come
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(post('/document', $TYPE{document}, undef, headers => [ 'Content-Length' => 10_000_000 ]))
                  . form($to, $to, part('file', 'x'), "\r\nx"));
    is_refusal($client->response, 400, [ [ '#', 'a part has no name' ], [ '#/to', 'must stand once' ],
                                         [ '#/file', 'must have a file name' ] ], 'the faults that are known');
};

subtest 'HEAD' => sub {
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(uri => '/message', method => 'HEAD'));
    is_body($backend->receive('http'), '', 'passes');
    is($client->response(head => 1)->status, 200, '... and is answered');

    my $r = http($server->port, post('/message', $TYPE{message}, '?', method => 'HEAD'));
    is_deeply([ $r->status, $r->body ], [ 400, '' ], 'with a broken body: no body');
    is($r->header('Content-Length'), length http($server->port, post('/message', $TYPE{message}, '?'))->body,
       '... but its length');
};

subtest 'where a failure leads' => sub {
    for my $row ([ { to => $TO, text => 'x' }, 'is missing; it must be "voice" or "video"' ], [ { to => $TO, text => 'x', type => 'voice' } ]) {
        my ($fields, $detail) = @$row;
        my $client = Wassiit::Client->new($server->port);
        $client->send($client->request_bytes(post('/led', $TYPE{message}, object(%$fields), close => 1)));
        is_body($backend->receive('http', answer => ''), object(%$fields), 'a message');
        if ($detail) {
            is_refusal($client->response, 400, [ [ '#/type', $detail ] ], '... is no call');
        } else {
            is_body($backend->receive('http'), object(%$fields), '... is a call too');
            is($client->response->status, 200, '... and answered');
        }
    }
};

subtest 'one connection' => sub {
    my $bad = object(to => 'x', text => 'x');
    my @fault = ([ '#/to', "$E164, not \"x\"" ]);
    my $good = sub {
        my ($client, $name) = @_;
        $client->send($client->request_bytes(post('/message', $TYPE{message}, $Good{message})));
        came($client) or return fail("$name: the next request passes");
        is_body($backend->receive('http'), $Good{message}, "$name: the next request passes");
        is($client->response->status, 200, "$name: and is answered");
    };

    my $client = Wassiit::Client->new($server->port);
    for my $uri ('/message', '/smallmessage', '/onlymessage') {
        for my $chunked (0, 1) {
            for my $body ($bad, $bad . ' ' x 30000) {
                my $name = "$uri, " . length($body) . ", chunked $chunked";
                is_refusal($client->request(post($uri, $TYPE{message}, $body, chunked => $chunked)), 400, \@fault, $name);
                $good->($client, $name);
            }
        }
    }
    is_refusal($client->request(post('/audio', $TYPE{audio}, form($to))), 400, [ [ '#/file', 'is missing' ] ], 'a form');
    $good->($client, 'a form');
    is_refusal($client->request(post('/message', $_, $bad)), 415, undef, 'a wrong type') for 'text/plain', undef;
    $good->($client, 'a wrong type');

    # what follows at once is neither lost nor taken for the body
    my $one = $client->request_bytes(post('/message', $TYPE{message}, $bad));
    $client->send($one x 3 . $client->request_bytes(post('/audio', $TYPE{audio}, form($to, part('more', $one)))) . $one);
    is_refusal($client->response, 400, $_ == 4 ? [ [ '#/file', 'is missing' ] ] : \@fault, "pipelined, request $_") for 1 .. 5;
    $good->($client, 'pipelined');

    # nor is what stands behind the last boundary taken for a request
    my $behind = Wassiit::Client->new($server->port);
    $behind->send($behind->request_bytes(post('/audio', $TYPE{audio}, form($to, $file) . $behind->request_bytes(
        post('/message', $TYPE{message}, $Good{message})))));
    my $refusal = $behind->response;
    is_refusal($refusal, 400, [ [ '#', 'has text behind the last boundary' ] ], 'a request behind the last boundary');
    is($refusal->header('Connection'), 'close', '... the end is told');
    ok($behind->is_closed && nothing_came(), '... is no request');

    # with what wasn't read of it, it can't go on
    $client->send($client->request_bytes(post('/message', $TYPE{message}, undef, headers => [ 'Content-Length' => 65537 ])) . '{');
    my $r = $client->response;
    is_refusal($r, 413, undef, 'one that is too large');
    is($r->header('Connection'), 'close', '... and the end is told');

    $client = Wassiit::Client->new($server->port);
    $r = $client->request(post('/message', $TYPE{message}, $bad, version => '1.0'));
    is_refusal($r, 400, \@fault, 'HTTP/1.0');
    ok($client->is_closed, '... closes');
};

subtest 'who is not known is asked for no body' => sub {
    for my $uri ('/access/message', '/access/audio') {
        my $client = Wassiit::Client->new($server->port);
        $client->send($client->request_bytes(post($uri, 'text/plain', undef, headers => [
            'X-API-Key' => 'nobody', 'Content-Length' => 10_000_000, Expect => '100-continue' ])));
        my $r = $client->response;
        is_deeply([ $r->status, $r->json->{code}, $r->interim ], [ 401, 'invalid_key' ], "$uri: the key comes first");
    }
};

subtest 'the logs' => sub {
    # Each request has a second of its own: the error log takes 10 lines of one.
    my $ask = sub { $clock->set(++$now); http($server->port, @_) };
    my $marker = 'the-text-of-a-client';
    my @key = (headers => [ 'X-API-Key' => 'atlas-key' ]);

    $ask->(post('/access/message', $TYPE{message}, $_, @key)) for
        object(to => $marker, text => 'x', $marker => 1), "{\"$marker\"", "{\"$marker\":1,\"$marker\":2}", "\"$marker\xff";
    $ask->(post('/access/automation', $TYPE{automation}, object(%Automation, variables => { $marker => [] }), @key));
    $ask->(post('/access/message', "text/$marker", $marker, @key));
    $ask->(post('/access/message', $TYPE{message}, $marker x 5000, @key));
    $ask->(post('/access/audio', $TYPE{audio}, $_, @key)) for
        form(part('to', $marker), part('file', $marker, file => "$marker.pdf")), $marker,
        form("Content-Disposition: $marker\r\n\r\nx");
    $ask->(post('/audio', $TYPE{audio}, $marker));
    $ask->(post('/call', $TYPE{call}, object(to => $TO, type => $marker)));
    $ask->(post('/call', "text/$marker", $marker));
    $ask->(post('/call', $TYPE{call}, $marker x 5000));
    passes('a good one', '/access/message', $TYPE{message}, $Good{message}, @key);
    is(http($server->port, uri => '/none')->status, 404, 'the last line');

    ok(wait_for { $server->access_log =~ m{^/none 404}m }, 'all are logged');
    my $log = $server->access_log;
    like($log, qr{^/access/message 400 atlas invalid_payload$}m, 'invalid_payload');
    like($log, qr{^/access/message 415 atlas unsupported_media_type$}m, 'unsupported_media_type');
    like($log, qr{^/access/message 413 atlas too_large$}m, 'too_large');
    like($log, qr{^/access/message 200 atlas allowed$}m, 'allowed');
    like($log, qr{^/access/message 401 - invalid_key$}m, 'invalid_key');
    like($log, qr{^/call 400 - invalid_payload$}m, 'and without a partner');
    like($server->error_log, qr{\[warn\].*wassiit: $_, partner "atlas", key "k1"}, "$_ in the error log") for values %CODE;
    like($server->error_log, qr{invalid_payload, partner "atlas", key "k1", zone "\w+", about "$_"}, "$_ is wrong") for '#', '#/to', '#/variables';
    like($server->error_log, qr{\[info\].*wassiit: $_, client}, "$_, without a partner") for values %CODE;
    unlike($server->error_log . $log, qr/\Q$marker\E/, 'none of the client\'s text');
};

subtest 'the configuration' => sub {
    for my $row ([ 'wassiit_payload text', qr/invalid value "text"/ ], [ 'wassiit_payload', qr/invalid number of arguments/ ],
                 [ 'wassiit_payload message call', qr/invalid number of arguments/ ],
                 [ 'wassiit_payload call; wassiit_payload call', qr/is duplicate/ ])
    {
        my ($exit, $message) = nginx_test("http {\n server {\n $row->[0];\n }\n}\n");
        ok($exit != 0 && $message =~ $row->[1] && $message =~ /nginx\.conf:3$/m, $row->[0]) or diag($message);
    }

    # what is on its way can't be refused any more
    for my $name (qw(proxy fastcgi uwsgi scgi)) {
        my $conf = "http {\n server {\n wassiit_payload PAYLOAD;\n location /x { ${name}_pass 127.0.0.1:1; }\n"
                   . " ${name}_request_buffering off;\n }\n}\n";
        $conf =~ s/proxy_pass /proxy_pass http:\/\//;
        my ($exit, $message) = nginx_test($conf =~ s/PAYLOAD/audio/r);
        ok($exit != 0 && $message =~ /"wassiit_payload" looks at the whole body.*"${name}_request_buffering on" in location "\/x"/,
           "${name}_request_buffering off") or diag($message);
        is((nginx_test($conf =~ s/PAYLOAD/off/r))[0], 0, "${name}_request_buffering off, payload off");
    }
};

$server->stop;
done_testing;
