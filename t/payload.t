# wassiit_payload: a body that breaks a rule is told why and goes nowhere, any
# other passes byte for byte. The backend is the test itself.

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
    files => { 'partners.jsonl' => [ partner('atlas', 'atlas-key', rate => '1000r/d'),
                                     partner('two', 'key of two', rate => '2r/d') ] },
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
        location /inherits/ {
            wassiit_payload message;
            location /inherits/on { proxy_pass http://%%BACKEND%%; }
            location /inherits/off { wassiit_payload off; proxy_pass http://%%BACKEND%%; }
        }
        location /envelope/ {
            wassiit_errors envelope;
            location /envelope/message { wassiit_payload message; proxy_pass http://%%BACKEND%%; }
            location /envelope/audio { wassiit_payload audio; proxy_pass http://%%BACKEND%%; }
        }
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
        location /own/ {
            error_page 400 413 415 /own.html;
            location /own/message { wassiit_payload message; proxy_pass http://%%BACKEND%%; }
        }
        location = /own.html { internal; root html; }
        location /led { wassiit_payload message; error_page 502 = /call; proxy_pass http://%%BACKEND%%; }
    }
}
END
$server->write('../html/own.html', 'own page');


# ---- bodies

my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;
my $B = 'b0undary';
my %TYPE = (map({ ($_ => 'application/json') } qw(message call automation)),
            map({ ($_ => "multipart/form-data; boundary=$B") } qw(audio document)));
my $TO = '+237670000000';
my $E164 = 'must be a phone number such as "+212600000000" (E.164: "+" and 7 to 15 digits, the first not 0)';
my $SOUND = 'must be a sound file: of a type audio/*, or with a name that ends as one\'s';

sub object { return $JSON->encode({ @_ }) }

my %automation = (reference => 17, country => 'CM', recipient => '670000000',
                  scheduled => '2025-09-29T12:40:14.590Z');

# A part of a form: a name and what is in it, or the header as it is written.

sub part {
    my ($name, $content, %with) = @_;
    my $file = defined $with{file} ? "; filename=\"$with{file}\"" : '';
    my $type = defined $with{type} ? "Content-Type: $with{type}\r\n" : '';
    return "Content-Disposition: form-data; name=\"$name\"$file\r\n$type\r\n$content";
}

sub form { return join('', map { "--$B\r\n$_\r\n" } @_) . "--$B--\r\n" }

my ($to, $file) = (part('to', $TO), part('file', 'x', file => 'a.mp3'));

my %good = (
    message => object(to => $TO, text => "h\x{e9}, \x{1f600}"),
    call => object(to => $TO, type => 'voice'),
    automation => object(%automation),
    audio => form($to, $file), document => form(part('file', '%PDF', file => 'a.pdf'), $to),
);

# larger than any buffer for bodies; the file is full of what is nearly a delimiter
my $bytes = join '', map {
    "\r\n--b0undar." . pack('N', $_ * 2654435761 % 2**32) . ".--$B\r\n-\r\r\n--b0undar\n-\r\n--b0undar\r\r"
} 1 .. 1200;
my %large = (
    message => object(to => $TO, text => "\x{e9}" x 4096, more => 'm' x 30000),
    call => object(to => $TO, type => 'video', more => [ 1 .. 5000 ]),
    automation => object(%automation, variables => { map { ("v$_" => "of $_") } 1 .. 2000 }),
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

# The same body is nobody's business where nothing is asked of it.

sub broken {
    my ($name, $kind, $body, @faults) = @_;
    refused("$kind: $name", 400, \@faults, "/$kind", $TYPE{$kind}, $body);
    passes("$kind: $name, with no rule", '/plain', $TYPE{$kind}, $body);
}

sub accepted {
    my ($name, $kind, $body) = @_;
    passes("$kind: $name", "/$kind", $TYPE{$kind}, $body);
}


subtest 'a good body passes byte for byte' => sub {
    unlike($bytes, qr/\n--$B/, 'what is nearly a delimiter is none');

    for my $kind (@KINDS) {
        for my $way (sort keys %WAYS) {
            for my $row ([ 'a small one', $good{$kind} ], [ 'a large one', $large{$kind} ]) {
                my ($name, $body) = @$row;
                my @to = ("/$way$kind", $TYPE{$kind}, $body);

                passes("/$way$kind, $name, with its length", @to);
                passes("/$way$kind, $name, in chunks", @to, chunked => 1);
                passes_h2("/$way$kind, $name, over HTTP/2 with its length", @to, 1);
                passes_h2("/$way$kind, $name, over HTTP/2 without", @to, 0);
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
                my $next = post_h2($h2, '/call', $TYPE{call}, $good{call}, 1);
                is_body($backend->receive('http'), $good{call}, "$name: the next stream");
                $h2->until_closed($next);
            }
        }
    }
};

subtest 'messages and calls' => sub {
    broken('no fields', 'message', '{}', [ '#/to', "is missing; it $E164" ],
           [ '#/text', 'is missing; it must be a string of 1 to 4096 characters' ]);
    broken('no fields', 'call', '{}', [ '#/to', "is missing; it $E164" ],
           [ '#/type', 'is missing; it must be "voice" or "video"' ]);

    broken("to \"$_\"", 'message', object(to => $_, text => 'x'), [ '#/to', "$E164, not \"$_\"" ])
        for '', '+', '237670000000', '+0237670000', '+123456', '+1234567890123456', '+12345678 ',
            ' +12345678', '+1234567x', '00237670000000', '+237 670000', "+1234567\\n" =~ s/\\n/\n/r;
    accepted("to $_", 'call', object(to => $_, type => 'video')) for '+1234567', '+123456789012345';
    broken('to as a ' . ref(\$_), 'message', '{"text":"x","to":' . $_ . '}', [ '#/to', "must be a string; it $E164" ])
        for 237670000000, 'null', 'true', '["+237670000000"]', '{}';

    my $text = 'must be a string of 1 to 4096 characters';
    broken('an empty text', 'message', object(to => $TO, text => ''), [ '#/text', "$text, not \"\"" ]);
    broken("text $_", 'message', qq({"to":"$TO","text":$_}), [ '#/text', $text ])
        for 'null', 1, '[]', '{"body":"x"}';
    accepted('4096 characters outside the BMP', 'message', object(to => $TO, text => "\x{1f600}" x 4096));
    accepted('the same escaped', 'message', qq({"to":"$TO","text":") . '\ud83d\ude00' x 4096 . '"}');
    broken('one more', 'message', object(to => $TO, text => "\x{1f600}" x 4097),
           [ '#/text', "$text, not \"" . "\x{1f600}" x 64 . '"...' ]);

    my $type = 'must be "voice" or "video"';
    broken("type \"$_\"", 'call', object(to => $TO, type => $_), [ '#/type', "$type, not \"$_\"" ])
        for '', 'Voice', 'voic', 'voices', 'audio';
    broken("type $_", 'call', qq({"to":"$TO","type":$_}), [ '#/type', $type ]) for 'null', 0, '["voice"]';
    broken('a type that goes on', 'call', qq({"to":"$TO","type":"voice\\u0000"}),
           [ '#/type', "$type, not \"voice?\"" ]);

    accepted('further fields', 'message', qq({"to":"$TO","text":"x","TO":1,"":null,"a":[{}]}));
    accepted('blanks and escapes', 'message', qq(\r\n\t {"t\\u006f" : "\\u002b237670000000",\n"text":"\\/"} \n));
};

subtest 'automation' => sub {
    my %detail = (
        reference => 'must be an integer or a string of digits',
        country => 'must be an assigned ISO 3166-1 alpha-2 code in capitals, such as "CM"',
        recipient => 'must be a string of 4 to 14 digits, without the country\'s calling prefix ("+" or "00")',
        scheduled => 'must be a time of ISO 8601 with milliseconds and a zone, such as '
                     . '"2025-09-29T12:40:14.590Z", of a date that exists',
    );
    my @fields = qw(reference country recipient scheduled);

    broken('all are missing', 'automation', '{}', map { [ "#/$_", "is missing; it $detail{$_}" ] } @fields);
    broken('all are wrong', 'automation', object(map({ ($_ => 'x') } @fields), variables => 'x'),
           map({ [ "#/$_", "$detail{$_}, not \"x\"" ] } @fields), [ '#/variables', 'must be an object, not "x"' ]);

    my %wrong = (reference => [ '', '-1', '1.0', ' 1', "1\x{661}" ], country => [ '', 'cm', 'XX', 'CMR', 'UK' ],
                 recipient => [ '', '123', '123456789012345', '+6700000', '00670000', '67000000x' ],
                 scheduled => [ '', '2025-02-29T12:40:14.590Z', '2025-09-29T12:40:14Z', '2025-09-29T12:40:14.590',
                                '2025-09-29 12:40:14.590Z', '2025-09-29T24:00:00.000Z', '2025-13-01T12:40:14.590Z',
                                '2025-09-29T12:40:14.5901Z', '29/09/2025' ]);
    for my $field (@fields) {
        broken("$field \"$_\"", 'automation', object(%automation, $field => $_),
               [ "#/$field", "$detail{$field}, not \"$_\"" ]) for @{ $wrong{$field} };
        broken("$field null", 'automation', object(%automation, $field => undef), [ "#/$field",
               ($field =~ /country|scheduled/ ? 'must be a string; it ' : '') . $detail{$field} ]);
    }
    broken('a recipient that is a number', 'automation', object(%automation, recipient => 670000000),
           [ '#/recipient', $detail{recipient} ]);
    broken('a reference that is a fraction', 'automation', object(%automation) =~ s/17/1.5/r,
           [ '#/reference', $detail{reference} ]);

    accepted("a reference $_", 'automation', object(%automation) =~ s/17/$_/r)
        for -1, 0, '"0017"', '"' . '9' x 100 . '"', '9223372036854775808', '-' . '9' x 300,
            '1.0', '-1.0', '1e2', '1E+2', '1.5e1', '100e-2', '0.0', '-0', '9007199254740993', '9' x 308;
    broken('a reference of 400 digits', 'automation', object(%automation) =~ s/17/'9' x 400/er,
           [ '#', qr/^has a number that is too large, at line 1, / ]);
    broken("a reference $_", 'automation', object(%automation) =~ s/17/$_/r, [ '#/reference', $detail{reference} ])
        for '1.5', '-0.5', '1e-1', '15e-1', '1.0000001', '4503599627370495.5', 'true', '[1]', '{}';

    # whatever other numbers there are
    for my $other ('9' x 30, '1.5', '1e300', 7) {
        my $with = sub { object(%automation) =~ s/17/$_[0],"other":$other/r };
        accepted("a reference $_ beside $other", 'automation', $with->($_)) for 17, '1.0', '9' x 30;
        broken("a reference 1.5 beside $other", 'automation', $with->('1.5'), [ '#/reference', $detail{reference} ]);
    }
    accepted("a time $_", 'automation', object(%automation, scheduled => $_))
        for '2024-02-29T00:00:00.000Z', '2025-09-29T12:40:14.590+01:00', '2016-12-31T23:59:60.000Z';
    accepted('variables', 'automation', object(%automation, variables => {
        otp => '123456', n => -1.5, b => JSON::PP::true(), '' => '' }));

    my $variable = 'must be a string, a number or a boolean';
    broken('variables that are none', 'automation',
           object(%automation) =~ s/\}\z/,"variables":{"a b":null,"~\/":[1],"ok":"ok","\\u00e9<":{},"":null}}/r,
           [ '#/variables/a%20b', $variable ], [ '#/variables/~0~1', $variable ],
           [ '#/variables/%C3%A9%3C', $variable ], [ '#/variables/', $variable ]);
    broken('a name of 65 bytes', 'automation', object(%automation, variables => { 'n' x 65, undef }),
           [ '#/variables', qr/^must hold strings, numbers and booleans alone/ ]);
    broken("variables $_", 'automation', object(%automation) =~ s/\}\z/,"variables":$_}/r,
           [ '#/variables', 'must be an object' ]) for 'null', '[1]', '[{}]', 1;
    accepted("variables $_, as PHP's encoder makes them of none", 'automation', object(%automation) =~ s/\}\z/,"variables":$_}/r)
        for '[]', '[ ]';

    # 100 faults are told, and how many more there are
    my $many = sub {
        my ($n, %with) = @_;
        return object(%automation, %with) =~ s/\}\z/',"variables":{' . join(',', map { "\"v$_\":[]" } 1 .. $n) . '}}'/er;
    };
    my @told = map { [ "#/variables/v$_", $variable ] } 1 .. 100;
    broken("$_ faults", 'automation', $many->($_), @told[0 .. $_ - 1]) for 99, 100;
    broken("$_ faults", 'automation', $many->($_), @told, [ '#', 'has ' . ($_ - 100) . ' more faults' ]) for 101, 102, 111, 5000;
    broken('100 faults and another', 'automation', $many->(100, country => 'x'),
           [ '#/country', "$detail{country}, not \"x\"" ], @told[0 .. 98], [ '#', 'has 1 more faults' ]);
};

subtest 'what is no JSON' => sub {
    my $ok = $good{message};

    broken("\"$_->[0]\"", 'message', $_->[0], [ '#', $_->[1] ]) for
        [ '', 'is empty' ], [ ' ', qr/^is not JSON: it ends too early, at line 1, / ],
        [ "\n", qr/^is not JSON: it ends too early, at line 2, / ],
        [ '{', qr/^is not JSON: it ends too early, at line 1, column 1$/ ],
        [ '{"to', qr/^is not JSON: it ends too early/ ], [ '{"to":tru', qr/^is not JSON, at/ ],
        [ 'hello', qr/^is not JSON, at line 1, column \d+$/ ], [ "to=%2B237670000000", qr/^is not JSON, at/ ],
        [ '{"to":1,}', qr/^is not JSON, at/ ], [ "{'to':1}", qr/^is not JSON, at/ ],
        [ '{"to":01}', qr/^is not JSON, at/ ], [ '{"to":NaN}', qr/^is not JSON, at/ ],
        [ '{"to":"\x"}', qr/^is not JSON, at/ ], [ '{"to":"\ud83d"}', qr/^is not JSON, at/ ],
        [ "{\"to\":\"a\tb\"}", qr/^is not JSON, at/ ], [ "{\"to\":\"a\0b\"}", qr/^is not JSON, at/ ],
        [ "{\"to\":1\0}", 'is not JSON: it has a zero byte' ],
        [ "{\"to\":true\0,\"text\":\"a\"}", 'is not JSON: it has a zero byte' ],
        [ "$ok}", qr/^is not JSON, at/ ], [ "$ok$ok", qr/^is not JSON, at/ ], [ "$ok\0", qr/^is not JSON, at/ ],
        [ "\xef\xbb\xbf$ok", qr/^is not JSON, at/ ], [ '/**/{}', qr/^is not JSON, at/ ],
        [ substr($ok, 0, -1), qr/^is not JSON: it ends too early/ ];

    broken('not UTF-8: ' . unpack('H*', $_), 'message', qq({"to":"$TO",\n"text":"$_"}),
           [ '#', qr/^is not UTF-8, at line 2, column \d+$/ ])
        for "\xe9", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xff";
    broken('UTF-8 that is cut off', 'message', qq({"to":"$TO","text":"\xe2\x82), [ '#', qr/^is not UTF-8|^is not JSON/ ]);
    broken('UTF-16', 'message', join('', map { "\0$_" } split //, '{}'), [ '#', qr/^is not JSON/ ]);

    my $twice = qr/^has a key twice in one object, at line 1, column \d+$/;
    broken("a key twice: $_", 'message', $_, [ '#', $twice ]) for
        qq({"to":"$TO","to":"$TO","text":"x"}), qq({"to":"$TO","t\\u006f":"$TO","text":"x"}),
        qq({"to":"$TO","text":"x","a":[{"b":1,"b":2}]});
    accepted('a key twice, in two objects', 'message', qq({"to":"$TO","text":"x","a":{"to":1}}));

    my $deep = sub { qq({"to":"$TO","text":"x","a":$_[0]}) };
    accepted('32 levels of arrays', 'message', $deep->('[' x 31 . ']' x 31));
    accepted('32 levels of objects', 'message', $deep->('{"a":' x 31 . '1' . '}' x 31));
    accepted('brackets in a text', 'message', $deep->('"\"' . '[{' x 100 . '"'));
    accepted('32 levels, again and again', 'message', $deep->('[' . join(',', ('[' x 30 . ']' x 30) x 100) . ']'));
    broken("33 levels", 'message', $deep->($_), [ '#', 'is nested deeper than 32 levels' ])
        for '[' x 32 . ']' x 32, '{"a":' x 32 . '1' . '}' x 32, '[{"":' x 16 . '1' . '}]' x 16;
    broken('30000 levels', 'message', '[' x 30000, [ '#', 'is nested deeper than 32 levels' ]);

    broken("$_ is none", 'message', $_, [ '#', 'must be a JSON object' ])
        for '[]', "[$ok]", 0, -1.5, 'true', 'null';
    broken('a text is none', 'message', '"<to>"', [ '#', 'must be a JSON object, not "<to>"' ]);

    accepted("a number $_", 'message', $deep->($_))
        for '9223372036854775807', '9223372036854775808', '-' . '9' x 300, '1e308', '1e-999', '0.' . '1' x 1000;
    broken("a number $_", 'message', $deep->($_), [ '#', qr/^has a number that is too large, at line 1, / ])
        for '1e999', '-1e999';

    accepted('U+0000 in a text', 'message', qq({"to":"$TO","text":"a\\u0000b"}));
    accepted('U+0000 alone', 'message', qq({"to":"$TO","text":"\\u0000"}));
    broken('U+0000 in a key', 'message', qq({"to":"$TO","text":"x","a\\u0000b":1}),
           [ '#', qr/^has a key with U\+0000 in it, at/ ]);
};

subtest 'what is quoted' => sub {
    my $nasty = "\"\\/\b\f\n\r\t\x01\x1f\x7f</script><!-- &amp; %s %n {{x}} ]]> \x{e9}\x{2028}\x{1f600}";
    my $number = qr/\Q$E164\E, not "/;

    for my $length (0, 63, 64, 65, 1000) {
        my $text = substr $nasty x 30, 0, $length;
        my $cut = $length > 64 ? substr($text, 0, 64) . '"...' : "$text\"";
        broken("$length characters", 'message', object(to => $text, text => 'x'), [ '#/to', "$E164, not \"$cut" ]);
    }
    broken('U+0000', 'message', qq({"to":"+1\\u00002345678","text":"x"}), [ '#/to', "$E164, not \"+1?2345678\"" ]);

    # a form's text need not be UTF-8
    for my $row ([ '+1', '+1' ], [ "\"\\\0\r\n<b>\t\x7f", "\"\\?\r\n<b>\t\x7f" ], [ "\xe9t\xe9", '?t?' ],
                 [ "\xc3\xa9", "\x{e9}" ])
    {
        my ($text, $quoted) = @$row;
        broken('to of ' . length($text), 'audio', form(part('to', $text), $file), [ '#/to', "$E164, not \"$quoted\"" ]);
    }
    broken('a to of 100000 bytes', 'document', form(part('to', '<' x 100000), $file), [ '#/to', qr/$number<{1,64}"/ ]);
};

subtest 'Content-Type' => sub {
    for my $kind (@KINDS) {
        my $right = $TYPE{$kind} =~ s/;.*//r;

        for (undef, '', 'text/plain', 'application/x-www-form-urlencoded', "x$right", "$right+x", $right . 'x',
             substr($right, 0, -1), "text/plain; $right", "text/plain, $right", 'multipart/mixed; boundary=' . $B,
             $right =~ /json/ ? $TYPE{audio} : $TYPE{call})
        {
            my $json = refused("/$kind, " . ($_ // 'none'), 415, undef, "/$kind", $_, $good{$kind});
            is($json->{detail}, "Send the body as $right, and say so in Content-Type.", '... it says which');
        }
    }

    # a backend might go by the other of two
    for my $kind ('message', 'audio') {
        for my $two ([ $TYPE{$kind}, 'text/plain' ], [ 'text/plain', $TYPE{$kind} ], [ ($TYPE{$kind}) x 2 ]) {
            my $r = http($server->port, method => 'POST', uri => "/$kind", body => $good{$kind},
                         headers => [ 'Content-Type' => $two->[0], 'content-TYPE' => $two->[1] ]);
            is($r->status, 415, "/$kind: two types");
            is(eval { $r->json->{detail} }, 'The header Content-Type stands twice. Send it once.', '... it says so');
            ok(nothing_came(), '... the backend is not asked');
        }
    }

    # of what is encoded, it would find another body
    for my $kind (@KINDS) {
        for my $coding ('gzip', 'identity', 'utf-8', '', 'gzip, br', "\"\\\xe9<") {
            my $r = http($server->port, post("/$kind", $TYPE{$kind}, $good{$kind}, headers => [ 'Content-Encoding' => $coding ]));
            my $json = is_refusal($r, 415, undef, "/$kind, Content-Encoding: $coding");
            my $named = $coding =~ s/[^\w, -]/?/gra;
            is($json->{detail}, "Send the body as it is, without the Content-Encoding $named.", '... it names the coding');
            is($r->header('Accept-Encoding'), 'identity', '... and says which there may be');
        }
        refused("/$kind, two encodings", 415, undef, "/$kind", $TYPE{$kind}, $good{$kind},
                headers => [ 'content-encoding' => 'identity', 'CONTENT-ENCODING' => 'br' ]);
    }
    my $other = http($server->port, post('/message', 'text/plain', $good{message}));
    is($other->status . ($other->header('Accept-Encoding') // ''), 415, 'a type alone has nothing to do with codings');
    nothing_came();
    passes('an encoding, with no rule', '/plain', $TYPE{message}, $good{message}, headers => [ 'Content-Encoding' => 'gzip' ]);

    my $charset = sub { "Send the body in UTF-8. Content-Type names the charset $_[0]; it may name utf-8, or none." };
    for my $kind ('message', 'call', 'automation') {
        is(refused("/$kind, $_->[0]", 415, undef, "/$kind", "application/json$_->[0]", $good{$kind})->{detail}, $charset->($_->[1]),
           '... it names the charset') for
            [ '; charset=iso-8859-1', 'iso-8859-1' ], [ ';charset=utf-16', 'utf-16' ], [ '; charset="utf-16"', 'utf-16' ],
            [ '; CHARSET=US-ASCII', 'US-ASCII' ], [ '; charset=', '' ], [ '; charset=utf8', 'utf8' ], [ '; x=y; charset=utf-7', 'utf-7' ];
    }
    is(refused("/message, $_->[0]", 415, undef, '/message', "application/json; $_->[0]", $good{message})->{detail}, $charset->($_->[1]),
       '... it names the charset') for
        [ 'charset=utf-8x', 'utf-8x' ], [ 'charset=utf-80', 'utf-80' ], [ 'charset=utf-8; charset=utf-16', 'utf-16' ],
        [ 'charset = utf-16', 'utf-16' ], [ "charset=\xe9\\<", '???' ], [ 'charset=' . 'x' x 100, 'x' x 64 ];

    passes("/message, $_", '/message', $_, $good{message})
        for 'application/json; charset=utf-8', 'application/json;charset=UTF-8', 'APPLICATION/JSON',
            'Application/Json ; x="y"', 'application/json; charset="utf-8"', 'application/json; charset=utf-8; x=y';
    passes("/audio, $_", '/audio', $_, $good{audio})
        for "MULTIPART/FORM-DATA; BOUNDARY=$B", "multipart/form-data;boundary=\"$B\"",
            "multipart/form-data; charset=utf-8; boundary=$B", "multipart/form-data; \tboundary=$B;x=y";

    # as Chromium and Safari write it
    my $of_browsers = '----WebKitFormBoundarygJhFXbtZRBS1nhHI';
    passes('/audio, a boundary of browsers', '/audio', "multipart/form-data; boundary=$of_browsers",
           $good{audio} =~ s/\Q$B\E/$of_browsers/gr);

    refused("/document, $_", 400, [ [ '#', 'the Content-Type has no valid boundary' ] ], '/document', $_, $good{document})
        for 'multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary=""',
            'multipart/form-data; boundary=' . 'b' x 71, "multipart/form-data; boundary=\"$B",
            "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=\"\xe9\"", 'multipart/form-data;;';

    # another reader might find another boundary
    refused("/audio, $_", 400, [ [ '#', 'the Content-Type has no valid boundary' ] ], '/audio', "multipart/form-data; $_", $good{audio})
        for "boundary=$B; boundary=$B", "boundary=$B; boundary=other", "boundary=other; BOUNDARY=\"$B\"",
            "boundary=; boundary=$B", "boundary=$B; boundary=",
            "xboundary=other; boundary=$B", "boundary=$B; xboundary=$B", "boundary=$B; x-BOUNDARY=other", "xboundary=$B",
            "boundary=$B-boundary; x=y", "Boundary=$B-boundary", "boundary=$B-boundary=other", "x=boundary; boundary=$B",
            "boundary=\"b0\\undary\"", "boundary=b0\\undary", "x=\"\\\"\"; boundary=$B", "boundary=$B; x=\\",
            "boundary=$B,", "boundary=$B,other", "boundary=$B, boundary=other", "x=y,z; boundary=$B", "boundary=$B; x=,",
            "boundary=\"$B\"x", "boundary=\"$B\" x", "boundary=\"$B\"\"x\"", "x=\"y\"z; boundary=$B", "boundary=$B x",
            "boundary=b0\"undary\"",
            "boundary=$B;", "boundary=$B ; x=y", "boundary =$B", "boundary= $B", "x=\"boundary=other\"; boundary=$B";
    refused('/audio, blanks before the first parameter', 400, [ [ '#', 'the Content-Type has no valid boundary' ] ], '/audio',
            "multipart/form-data ; boundary=$B", $good{audio});
    is(refused("/audio, $_->[0]", 415, undef, '/audio', "multipart/form-data; $_->[0]; boundary=$B", $good{audio})->{detail},
       $charset->($_->[1]), '... it names the charset') for
        [ 'charset=utf-16', 'utf-16' ], [ 'Charset="x"', 'x' ], [ "charset*=utf-8''utf-16", 'utf-8??utf-16' ];
    refused("/audio, $_->[0]", 400, [ [ '#', 'the Content-Type has no valid boundary' ] ], '/audio',
            "multipart/form-data; $_->[0]", $_->[1]) for
        [ "x,y=z; boundary=$B", $good{audio} ], [ "boundary=$B; x,y=z", $good{audio} ],
        [ "boundary=\" $B\"", $good{audio} =~ s/--$B/-- $B/gr ];
    for my $char (split //, '!#$%&*;<>@[]^`{|}~' . "\xe9\xff") {
        my $body = $good{audio} =~ s/--\Q$B\E/--a${char}b/gr;
        refused("the boundary a${char}b", 400, [ [ '#', 'the Content-Type has no valid boundary' ] ],
                '/audio', "multipart/form-data; boundary=\"a${char}b\"", $body);
    }

    for my $boundary ('b', 'b' x 70, "'()+_,-./:=?", 'a b', '-', '--') {
        my $body = $good{document} =~ s/--\Q$B\E/--$boundary/gr;
        passes("the boundary $boundary", '/document', "multipart/form-data; boundary=\"$boundary\"", $body);
    }
};

subtest 'JSON has 65536 bytes at most' => sub {
    my $of = sub { substr($good{call}, 0, -1) . ' ' x ($_[0] - length $good{call}) . '}' };
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
    passes('100000 with no rule', '/plain', $TYPE{call}, $of->(100_000));

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
        'Content-Length' => length $good{call}, Expect => '100-continue' ])));
    ok(IO::Select->new($client->{socket})->can_read(20), 'one that may pass is asked for');
    $client->send($good{call});
    is_body($backend->receive('http'), $good{call}, '... and passes');
    my $r = $client->response;
    is_deeply([ $r->interim, $r->status ], [ 100, 200 ], '... and is answered');
};

subtest 'forms' => sub {
    my $cd = 'Content-Disposition: form-data';
    my $missing = sub { [ "#/$_[0]", 'is missing' ] };

    broken('no parts', 'document', "--$B--\r\n", $missing->('to'), $missing->('file'));
    broken('no file', 'document', form($to), $missing->('file'));
    broken('no to', 'audio', form($file), $missing->('to'));
    broken('two to', 'audio', form($to, $file, $to), [ '#/to', 'must stand once' ]);
    broken('two files', 'document', form($to, $file, $file), [ '#/file', 'must stand once' ]);
    broken('two of both', 'audio', form($to, $file, $file, $to),
           [ '#/to', 'must stand once' ], [ '#/file', 'must stand once' ]);
    broken('an empty to', 'audio', form(part('to', ''), $file), [ '#/to', "$E164, not \"\"" ]);
    broken('an empty file', 'audio', form($to, part('file', '', file => 'a.mp3')), [ '#/file', 'must not be empty' ]);
    broken('an empty file and no number', 'document', form(part('file', '', file => 'a'), part('to', '1')),
           [ '#/to', "$E164, not \"1\"" ], [ '#/file', 'must not be empty' ]);
    broken('no file name', 'audio', form($to, part('file', 'x')), [ '#/file', 'must have a file name' ]);
    broken('an empty file name', 'document', form($to, part('file', 'x', file => '')), [ '#/file', 'must have a file name' ]);
    broken('names in capitals', 'document', form(part('TO', $TO), part('File', 'x', file => 'a')),
           $missing->('to'), $missing->('file'));
    broken('a number with a line end', 'document', form(part('to', "$TO\r\n"), $file), [ '#/to', "$E164, not \"$TO\r\n\"" ]);
    accepted('further parts', 'document', form(part('caption', 'x'), $to, part('toto', ''), $file, part('files', 'x')));
    accepted('a file of one byte', 'document', form($to, part('file', "\0", file => 'a')));
    accepted('a file of line ends', 'document', form($to, part('file', "\r\n" x 3, file => 'a')));

    # what is sound, by type or by name
    accepted("sound: $_->[0], " . ($_->[1] // 'no type'), 'audio', form($to, part('file', 'x', file => $_->[0], type => $_->[1]))) for
        [ 'a', 'audio/ogg' ], [ 'a.pdf', 'AUDIO/x-any' ], [ 'a.mp3' ], [ 'A.B.OPUS' ], [ 'a.wav', 'application/octet-stream' ];
    for my $row ([ 'a' ], [ 'mp3' ], [ 'a.mp3.exe' ], [ 'a.mp34' ], [ 'a.mp3/b' ], [ 'a.pdf', 'application/pdf' ],
                 [ 'a', 'audio/' ], [ 'a', 'audio' ], [ 'a', 'text/plain; audio/ogg' ])
    {
        my ($name, $type) = @$row;
        my $body = form($to, part('file', 'x', file => $name, type => $type));
        broken("$name, " . ($type // 'no type'), 'audio', $body, [ '#/file', $SOUND ]);
        accepted("$name, " . ($type // 'no type'), 'document', $body);
    }
    broken('another part is sound', 'audio', form(part('more', 'x', type => 'audio/ogg'), $to, part('file', 'x', file => 'a')),
           [ '#/file', $SOUND ]);
    accepted('the type before the name', 'audio', form($to, "Content-Type: audio/ogg\r\n$cd; name=file; filename=a\r\n\r\nx"));

    # ways to write a header
    accepted($_, 'audio', form($to, "$_\r\n\r\nx")) for
        "$cd; name=\"file\"; filename=\"a.mp3\"", "$cd; name=file; filename=a.mp3", "$cd;name=file;filename=a.mp3",
        lc "$cd; NAME=\"file\"; FILENAME=\"a.mp3\"", "$cd; filename=\"; name=x.mp3\"; name=\"file\"",
        "$cd; name=\"file\"; filename=\"a\\\"b\\\\.mp3\"", "$cd; name=\"file\"; filename=\"\xc3\xa9.mp3\"",
        "$cd; name=file; filename=\"\xc3\xa9 .mp3\"; filename*=UTF-8''%c3%a9%20%2emp3", "$cd; name=file; filename=\"C:\\x\\a.mp3\"",
        "$cd; name=file; filename=\"a.ogg\"; filename*=utf-8''a%2Eogg", "$cd; name=file; filename*=UTF-8''a.mp3; filename=a.mp3",
        "$cd; name=file; filename=\"=?utf-8?B?w6kub2dn?=\"; filename*=utf-8''%C3%A9.ogg",
        "$cd; name=file; filename=\"a, b'[c] .mp3\"", "$cd; \tname=\"file\";filename=\"a.mp3\"; x=\"y; z\"",
        "$cd;\r\n name=file;\r\n\tfilename=a.mp3", "X-More: 1\r\n$cd; name=file; filename=a.mp3\r\nX-Less:",
        "CONTENT-DISPOSITION:form-data; name=file; filename=a.mp3";
    accepted($_, 'audio', form($to, "$cd; name=file; filename=a.mp3\r\n$_\r\n\r\nx")) for
        (map { "Content-Transfer-Encoding: $_" } 'binary', '8bit', '7bit', 'BINARY', '8Bit'), 'content-transfer-encoding:7BIT',
        "!#\$%&'*+-.^_`|~: 1";
    accepted("a part $_", 'document', form($to, part($_, 'x'), $file)) for
        'more[]', 'too[0]', 'files[]', 'to]', "t'o", 't o', "to'", "\xc3\xa9", 'x[to]';

    my $file_name = "$cd; name=file; filename=a.mp3";
    my ($another, $malformed) = ('a part has a name that some take for another', 'the Content-Disposition of a part is malformed');
    my $control = 'the header of a part has a control character';
    my $type = 'a part has a Content-Type that is malformed, or of a charset that is not UTF-8';
    my @refused = (
        map({ [ "$cd; $_", 'a part has a name*' ] } "name*=UTF-8''file; filename=a", "name=file; name*=UTF-8''to; filename=a",
            "name*=UTF-8''to; name=more", "name=more; NAME*=\"UTF-8''to\""),
        map({ [ "$cd; name=file; $_", 'a part has two file names' ] } 'filename=a; filename=a', 'filename=""; filename=a',
            "filename*=utf-8''a; filename*=utf-8''a", "filename*=utf-8''a; filename=a; filename*=utf-8''b", 'filename=a; FILENAME=b',
            "filename=a.pdf; filename*=utf-8''a%2Emp3", "filename*=utf-8''a.mp3; filename=x", "filename=a.mp3; filename*=utf-8''a.pdf",
            "filename=\"\"; filename*=utf-8''a.mp3", "filename=a.mp3; filename*=utf-8''"),
        map({ [ "$cd; $_", '"to" has a file name' ] } 'name=to; filename=a', 'filename=""; name="to"', "name=to; filename*=utf-8''a"),
        map({ [ "$cd; name=\"$_\"", $control ] } "to\0", "to\0x", "\x01to", "file\x1f", "file\x7f"),
        map({ [ "$cd; name=file; $_", $control ] } "filename=\"a\0.mp3\"", "filename=\"a\x01\"", "filename=\"a\x7f\"", "filename=a\x1f"),
        map({ [ "$file_name\r\nX: $_", $control ] } "\0", "\x0b", "\x7f"),
        map({ [ $_, 'the header of a part is not UTF-8' ] } "$cd; name=file; filename=\"\xe9.mp3\"", "$file_name\r\nX: \xff"),

        # what some put together, take apart or pass over
        map({ [ "$cd; $_", 'a part has a parameter with "*" in its name' ] } 'name="t"; name*1="o"', 'name="to"; filename*0="x"',
            'name=file; filename="a.ogg"; filename*1=".exe"', "name*0*=utf-8''to", 'name=to; x*0=y'),
        map({ [ "$cd; $_", $malformed ] } 'name = "to"', 'name= to', 'name ="to"', 'name=to ; x=y', 'name=to;', 'name=to; ', 'name=to ',
            'name=', 'name=file; filename=', "name='to'", "name=t'o'", 'name=to[]', "name=\xc3\xa9", 'name="x\\\\"; filename=a', 'name="x\\/y"'),
        map({ [ "$cd$_", 'the header of a part has a line that is continued elsewhere than behind ";"' ] } "\r\n ; name=to",
            "; name=\r\n to", "; name=\"t\r\n o\""),
        [ "Content-Disposition:\r\n form-data; name=to", 'the header of a part has a line that is continued elsewhere than behind ";"' ],
        map({ [ "$cd; name=caption\r\nContent-Type: $_", $type ] } 'text/plain; charset=utf-16', 'text/plain;charset="utf-7"',
            'text/plain; charset=utf-8; charset=utf-8', "text/plain; charset*=utf-16''x", 'text/plain, charset=utf-16', 'text',
            'text/plain; charset = utf-16'),
        [ "$cd; name=caption\r\nContent-Type: text/plain\r\nContent-Type: text/plain", 'a part has two Content-Type headers' ],
        map({ [ "$file_name\r\nContent-Type: $_", 'a part has a Content-Type by which some look for parts in it' ] }
            "multipart/mixed; boundary=$B", 'message/rfc822'),
        map({ [ "$cd; name=$_", 'a part has a name by which some read the others in another way' ] } '_charset_', '"_CHARSET_"', 'MAX_FILE_SIZE'),
        map({ [ "$cd; name=file; filename=\"$_\"", 'a part has a file name of which nothing is left without its folder' ] }
            '/', 'a.mp3/', '..', '.', 'C:\\x\\..'),
        [ "$cd; name=file; filename*=utf-8''a.mp3", 'a part has a filename* without a filename' ],
        [ "$file_name\r\nContent-Length: 2", 'a part has a Content-Length that is not its length' ],
        [ "$file_name\r\nContent-Length: 1\r\nContent-Length: 1", 'a part has two Content-Length headers' ],
        [ "$file_name\r\nContent-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: 8bit", 'a part has two Content-Transfer-Encoding headers' ],

        map({ [ "$cd; name=\"$_\"", $another ] } "fi\tle", "\tto", "to\t", 'x\\y', '=?utf-8?B?dG8=?=',
            ' to', ' file', ' x', ' ', 'to ', 'file ', 'x ', "'to'", "'file", "'", 'to[]', 'to[0]', 'to[a][b]', 'to[a', 'file[]', 'file[a]', 'file[a'),
        map({ [ "$cd; name=file; filename=$_", $another ] } "\"\ta\"", '" a"', '"a.mp3 "', "a; filename*=utf-8''a%00.mp3", "a; filename*=utf-8''a%0d%0ab",
            "a; filename*=utf-8''%7f", "a; filename*=utf-8''%09"),
        map({ [ $_, 'the header of a part has a malformed name' ] } "Content-Disposition : form-data; name=file; filename=a",
            "Content-Disposition\t: form-data; name=file; filename=a", "$file_name\r\nX : 1", "$file_name\r\nX Y: 1", " X: 1\r\n$file_name",
            "\tX: 1\r\n$file_name", "$file_name\r\nX\0: 1", "$file_name\r\n\x80: 1", "$file_name\r\nX\x7f: 1"),
        map({ [ "$file_name\r\nContent-Transfer-Encoding:$_", 'a part has a Content-Transfer-Encoding' ] } ' base64', 'BASE64',
            ' quoted-printable', ' x-uuencode', '', ' binary, base64', ' 8bits', ' 7bi'),
        map({ [ "$cd; $_", $malformed ] } 'name=file,to; filename=a', 'name=file, name=to; filename=a', 'name=fi"le"; filename=a', 'name=file"; filename=a',
            'name=file; filename=a,b', 'name=file; filename=a"b', 'name=file; x=,; filename=a', 'name="file"to; filename=a',
            'name="file" to; filename=a', 'name="file""to"; filename=a', 'name="file", x=y; filename=a'),
        map({ [ "$file_name\r\n$_: 1", 'the header of a part has a malformed name' ] } '', 'X(Y', 'X"Y', 'X/Y', 'X;Y', 'X=Y', 'X[Y]'),
        map({ [ "$cd; $_; name=file; filename=a", $malformed ] } 'x,y=z', 'na"me=to'),
        map({ [ "$cd; name=\"$_\"", $another ] } 'to[', 'file['),
    );
    for my $row (@refused) {
        my ($header, $fault) = @$row;
        broken($header, 'document', form($to, "$header\r\n\r\nx"), [ '#', $fault ]);
        refused("audio: $header", 400, [ [ '#', $fault ] ], '/audio', $TYPE{audio}, form("$header\r\n\r\nx", $to));
    }

    broken("to of the type $_->[0]", 'document', form($file, part('to', $TO, type => $_->[0])), [ '#', $_->[1] ]) for
        [ 'application/octet-stream', '"to" has a Content-Type that some take for a file\'s' ],
        [ 'text/plain; charset=utf-16', $type ];

    broken($_->[0], 'document', form($to, "$_->[0]\r\n\r\nx"), [ '#', $_->[1] ]) for
        [ $cd, 'a part has no name' ], [ "$cd; filename=a", 'a part has no name' ], [ "$cd; name=\"\"", 'a part has no name' ],
        [ 'Content-Type: text/plain', 'a part has no name' ],
        [ "$cd; name=a; name=file", 'a part has two names' ],
        [ "$cd; name=a\r\n$cd; name=b", 'a part has two Content-Disposition headers' ],
        [ 'Content-Disposition: attachment; name=a', 'the Content-Disposition of a part is not form-data' ],
        [ "$cd; name=\"a", 'the Content-Disposition of a part is malformed' ],
        [ "$cd; name", 'the Content-Disposition of a part is malformed' ],
        [ "$cd, name=a", 'the Content-Disposition of a part is not form-data' ],
        [ "$cd; name=\"a\"b", 'the Content-Disposition of a part is malformed' ],
        [ "$cd; name=file; filename*=UTF-8''%zz", 'the filename* of a part is malformed' ],
        [ "$cd; name=file; filename*=a.mp3", 'the filename* of a part is malformed' ],
        [ "$cd; name=file; filename*=UTF-8''a%4", 'the filename* of a part is malformed' ],
        [ 'no colon', 'the header of a part has a line without a colon' ],
        [ "A: b\rC: d", 'the header of a part has a CR that ends no line' ],
        [ "A: b\nC: d", 'the header of a part has a line that ends in LF, not CRLF' ],
        [ 'X: ' . 'x' x 4094, 'the header of a part has a line of more than 4096 bytes' ];
    broken('a part without a header', 'document', form($to, "\r\nx"), [ '#', 'a part has no name' ]);
    accepted('a header of 4096 bytes', 'document', form($to, "X: " . 'x' x 4093 . "\r\n$cd; name=file; filename=a\r\n\r\nx"));

    # where a body begins and ends
    my $body = form($to, $file);
    my $last = [ '#', 'the last boundary is missing' ];
    my $none = [ '#', 'the boundary that Content-Type names is not in the body' ];
    my ($before, $behind, $on, $blank, $bare) = map { [ '#', $_ ] } 'has text before the first boundary',
        'has text behind the last boundary', 'has text behind a boundary', 'has a blank behind a boundary',
        'has a boundary that no CRLF of its own precedes';
    my $in_file = sub { form($to, part('file', $_[0], file => 'a.mp3')) };
    accepted($_->[0], 'document', $_->[1]) for
        [ 'a line end before', "\r\n$body" ], [ 'blanks and line ends before', " \t\r\n\n\r \r\n$body" ],
        [ 'nothing behind', $body =~ s/\r\n\z//r ], [ 'blanks and line ends behind', "$body \t\r\n\n\r" ],
        [ 'blanks behind the last boundary', $body =~ s/\r\n\z/ \t/r ],
        [ 'an empty preamble', "\r\n\r\n$body" ],
        map { [ "in a file: $_", $in_file->($_) ] } "x--$B", "x\r\n-$B", "x\r\n -\r\n --$B\r\n", "x\r--b0undar", "x\r\n--b0undar", "x\n--b0undar",
            "\n-", "\r\n-", "\r\n--", "\r\r\n--b0undar\r", "--b0undar", "-", "x\r\n\r\n-\r\n--B0UNDARY\r\n", "\n", "\r", " --$B";
    my @broken = (
        [ 'no body', '', $none ], [ 'no boundary', 'x', $before ], [ 'another boundary', $body =~ s/$B/other/gr, $before ],
        [ 'blanks alone', " \r\n", $none ], [ 'the begin of a boundary', '--b0undar', $none ],
        [ 'no last boundary', $body =~ s/--$B--\r\n\z//r, $last ], [ 'half of it', $body =~ s/--\r\n\z//r, $last ],
        [ 'a byte less', $body =~ s/-\r\n\z//r, $last ], [ 'lines that end in LF', $body =~ s/\r\n/\n/gr, $on ],
        map({ [ 'before: ' . substr($_, 0, 40), $_ . $body, $before ] } "This is a form.\r\n--x\r\n", "x\r\n", "\r\nx\r\n", '-', "--\r\n", "--b0undar\r\n",
            "\r\n--b0undar\r\n", "\r\n\r\n-\r\n", "\0\r\n", ' ' x 100 . "x\r\n", " --$B\r\n"),
        map({ [ "behind: $_", $body . $_, $behind ] } "whatever\r\n--$B\r\nfollows\r\n", 'x', "\r\n\r\nx", '-', "\0", "--$B--\r\n", "--$B\r\n$to\r\n--$B--\r\n"),
        map({ [ "behind the last boundary itself: $_", $body =~ s/\r\n\z/$_/r, $behind ] } 'x', ' x', '-', "\r-"),
        map({ [ "in a file, behind a boundary: $_", $in_file->("x\r\n--$B$_"), $on ] } 'x', 'y', '-x', '-', "\rx", "\n", "\r\r\n", "\0", ',',
            'x--', "\x0b\r\n"),
        map({ [ "in a file, behind a boundary: $_", $in_file->("x\r\n--$B$_"), $blank ] } ' x', "\t-", ' --', " \n", " \r\n", "\t\r\n"),
        [ 'a blank behind the first boundary', $body =~ s/--$B\r/--$B \r/r, $blank ],
        [ 'a tab behind the second boundary', $body =~ s/\r\n--$B\r/\r\n--$B\t\r/r, $blank ],
        map({ [ "behind the first boundary: $_", $body =~ s/\A--$B/--$B$_/r, $on ] } 'x', '-x', "\r", '0'),
        map({ [ "in a file: $_", $in_file->($_), $bare ] } "x\n--$B", "x\n--$B\r\n", "x\n--$B--", "x\n\n--${B}x", "\n--$B--\r\n", "x\r\n\n--$B\n", "\r\n--b0undar\n--$B",
            "x\r--$B", "x\r--$B--\r\n", "\r--${B}x", "x\r\r--$B\r\n",
            "--$B", "--$B\r\n", "--$B--", "--${B}x"),
        [ 'an empty part that no CRLF ends', form($to, part('file', 'x', file => 'a')) =~ s/(filename="a"\r\n\r\n)x\r\n/$1/r, $bare ],
        [ 'a first boundary behind LF', "\n$body", $bare ], [ 'the last one behind LF', $body =~ s/\r\n(--$B--)/\n$1/r, $bare ],
        [ 'one between behind LF', $body =~ s/\r\n(--$B\r)/\n$1/r, $bare ],
    );
    broken($_->[0], 'document', @$_[1, 2]) for @broken;

    # in pieces of a byte, too
    for my $row (@broken) {
        my ($name, $bytewise, $fault) = @$row;
        my $chunks = join '', map { "1\r\n$_\r\n" } split //, $bytewise;
        my $client = Wassiit::Client->new($server->port);
        $client->send($client->request_bytes(post('/audio', $TYPE{audio}, undef, headers => [ 'Transfer-Encoding' => 'chunked' ]))
                      . "${chunks}0\r\n\r\n");
        if (came($client)) {
            fail(plain("$name, byte by byte: refused"));
            $backend->receive('http');
            next;
        }
        is_refusal($client->response, 400, [ $fault ], "$name, byte by byte");
    }
    broken('no last boundary and two to', 'audio', form($to, $to, $file) =~ s/--$B--\r\n\z//r, $last, [ '#/to', 'must stand once' ]);

    # each cut but the last one is told something
    for my $n (0 .. length($body) - 5) {
        my $r = http($server->port, post('/document', $TYPE{document}, substr $body, 0, $n));
        $r->status == 400 && nothing_came() or fail("cut after $n bytes: " . $r->status);
    }

    my @files = map { part("a$_", 'x', file => 'a') } 1 .. 19;
    accepted('20 files', 'document', form(@files, $to, $file));
    broken('21 files', 'document', form(@files, part('a', 'x', file => 'a'), $to, $file), [ '#', 'has more than 20 files' ]);

    # as clients send it: see t/fuzz/corpus/multipart
    for my $path (glob 't/fuzz/corpus/multipart/client-*') {
        open my $in, '<:raw', $path or die "$path: $!\n";
        chomp(my $type = <$in>);
        my $sent = do { local $/; <$in> };
        passes($path, '/document', $type, $sent);
    }

    my @parts = map { part('a', '') } 1 .. 998;
    accepted('1000 parts', 'document', form($to, @parts, $file));
    broken('1001 parts', 'document', form($to, @parts, part('a', ''), $file), [ '#', 'has more than 1000 parts' ]);
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
                                              headers => [ 'Content-Length' => length $good{audio} ])));
    $client->send($_) for split //, $good{audio};
    is_body($backend->receive('http'), $good{audio}, 'byte by byte');
    is($client->response->status, 200, '... is answered');
};

subtest 'long uploads' => sub {
    my $mp3 = form($to, part('file', pack('N*', 1 .. 1_500_000), file => 'a.mp3'));

    for my $way ('', 'small', 'only') {
        passes("6 MB, /$way, with its length", "/${way}audio", $TYPE{audio}, $mp3);
        passes("6 MB, /$way, in chunks", "/${way}audio", $TYPE{audio}, $mp3, chunked => 1);
    }
    passes_h2("6 MB over HTTP/2, length $_", '/document', $TYPE{document}, $mp3, $_) for 0, 1;

    # refused at the end, though it was long on the way
    refused('6 MB and no number', 400, [ [ '#/to', 'is missing' ] ], '/audio', $TYPE{audio},
            form(part('more', 'x'), part('file', pack('N*', 1 .. 1_500_000), file => 'a.mp3')));
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

subtest 'methods' => sub {
    for my $kind (@KINDS) {
        passes("GET, /$kind", "/$kind", undef, undef, method => 'GET');
        refused("$_ without a body, /$kind", 415, undef, "/$kind", undef, undef, method => $_)
            for 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS';

        my $form = $kind eq 'audio' || $kind eq 'document';
        my $none = 'the boundary that Content-Type names is not in the body';
        refused("POST without a body, /$kind, $_->[0]", 400, [ [ '#', $form ? $none : $_->[1] ] ], "/$kind", $TYPE{$kind}, @$_[2 .. $#$_])
            for [ 'no length', 'is empty', undef ], [ 'length 0', 'is empty', '' ],
                [ 'no chunks', 'is empty', '', chunked => 1 ];
        refused("$_ with a broken body, /$kind", 400, [ [ '#', $form ? 'has text before the first boundary' : qr/^is not JSON/ ] ],
                "/$kind", $TYPE{$kind}, '?', method => $_) for 'GET', 'PUT', 'PROPFIND';
        passes("PUT, /$kind", "/$kind", $TYPE{$kind}, $good{$kind}, method => 'PUT');
    }

    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(uri => '/message', method => 'HEAD'));
    is_body($backend->receive('http'), '', 'HEAD passes');
    is($client->response(head => 1)->status, 200, '... and is answered');

    my $r = http($server->port, post('/message', $TYPE{message}, '?', method => 'HEAD'));
    is_deeply([ $r->status, $r->body ], [ 400, '' ], 'HEAD with a broken body: no body');
    is($r->header('Content-Length'), length http($server->port, post('/message', $TYPE{message}, '?'))->body,
       '... but its length');
};

subtest 'where it holds' => sub {
    refused('inherited', 400, [ [ '#', 'is empty' ] ], '/inherits/on', $TYPE{message}, '');
    passes('inherited, and good', '/inherits/on', $TYPE{message}, $good{message});
    passes('off inside', '/inherits/off', 'text/plain', 'anything');

    # once more where the backend's failure leads
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

subtest 'the envelope' => sub {
    my $is = sub {
        my ($r, $status, $code, $detail, $faults, $name) = @_;
        my $got = $r->json;
        my $data = delete $got->{data};
        is_deeply($got, { success => JSON::PP::false(), status => $status, message => $code }, $name);
        like($data->{detail}, $detail, '... in words');
        is_deeply($data->{errors}, $faults, '... with its faults');
    };

    for my $row (
        [ '/envelope/message', 'message', object(to => '1', text => ''), [ '#/to', "$E164, not \"1\"" ],
          [ '#/text', 'must be a string of 1 to 4096 characters, not ""' ] ],
        [ '/envelope/audio', 'audio', form($to), [ '#/file', 'is missing' ] ])
    {
        my ($uri, $kind, $body, @faults) = @$row;
        my $r = http($server->port, post($uri, $TYPE{$kind}, $body));
        is($r->status . ' ' . $r->header('Content-Type'), '400 application/json', "$uri: 400");
        $is->($r, 400, 'invalid_payload', qr/errors/,
              [ map { { pointer => $_->[0], detail => $_->[1] } } @faults ], "$uri: the faults under data");
        ok(nothing_came(), "$uri: the backend is not asked");
    }

    my $r = http($server->port, post('/envelope/message', undef, '{}'));
    $is->($r, 415, 'unsupported_media_type', qr{application/json}, undef, 'a wrong type');
    $r = http($server->port, post('/envelope/message', $TYPE{message}, ' ' x 65537));
    $is->($r, 413, 'too_large', qr/\b65536\b/, undef, 'too large');
    passes('a good one', '/envelope/message', $TYPE{message}, $good{message});
};

subtest 'error_page' => sub {
    my $bad = object(to => '<1>', text => 'x');
    my @fault = ([ '#/to', "$E164, not \"<1>\"" ]);
    my @rows = ([ $TYPE{message}, $bad ], [ $TYPE{message}, ' ' x 70000 ], [ $TYPE{message}, ' ' x 70000, chunked => 1 ],
                [ 'text/plain', $bad ]);

    for my $row (@rows) {
        my $direct = http($server->port, post('/message', @$row));
        my $led = http($server->port, post('/problem/message', @$row));
        my $json = is_refusal($led, $direct->status, \@fault, 'through wassiit_problem');
        is($json->{detail}, $direct->json->{detail}, '... with the same detail');

        my $own = http($server->port, post('/own/message', @$row));
        is_deeply([ $own->status, $own->body ], [ $direct->status, 'own page' ], "an operator's own page");
        ok(nothing_came(), '... the backend is not asked');
    }
    passes('a good one', '/problem/message', $TYPE{message}, $good{message});
};

subtest 'one connection' => sub {
    my $bad = object(to => 'x', text => 'x');
    my @fault = ([ '#/to', "$E164, not \"x\"" ]);
    my $good = sub {
        my ($client, $name) = @_;
        $client->send($client->request_bytes(post('/message', $TYPE{message}, $good{message})));
        came($client) or return fail("$name: the next request passes");
        is_body($backend->receive('http'), $good{message}, "$name: the next request passes");
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
        post('/message', $TYPE{message}, $good{message})))));
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

subtest 'behind a key' => sub {
    my @key = (headers => [ 'X-API-Key' => 'atlas-key' ]);
    my $left = sub {
        my $client = Wassiit::Client->new($server->port);
        $client->send($client->request_bytes(post('/access/message', $TYPE{message}, $good{message}, @key, close => 1)));
        is_body($backend->receive('http'), $good{message}, 'a good one passes');
        return $client->response->header('X-RateLimit-Remaining');
    };

    # who isn't known is asked for no body
    for my $uri ('/access/message', '/access/audio') {
        my $client = Wassiit::Client->new($server->port);
        $client->send($client->request_bytes(post($uri, 'text/plain', undef, headers => [
            'X-API-Key' => 'nobody', 'Content-Length' => 10_000_000, Expect => '100-continue' ])));
        my $r = $client->response;
        is_deeply([ $r->status, $r->json->{code}, $r->interim ], [ 401, 'invalid_key' ], "$uri: the key comes first");
    }
    is(http($server->port, post('/access/message', $TYPE{message}, '?'))->json->{code}, 'missing_key', 'and none');

    # a broken body uses up one, as it was admitted
    my $before = $left->();
    for my $row ([ 400, $TYPE{message}, '{"to":"+1","text":"x"}' ], [ 415, 'text/plain', 'x' ], [ 413, $TYPE{message}, ' ' x 65537 ],
                 [ 413, $TYPE{message}, ' ' x 65537, chunked => 1 ])
    {
        my ($status, @post) = @$row;
        refused('known', $status, [ [ '#/to', "$E164, not \"+1\"" ] ], '/access/message', @post, @key);
    }
    is($left->(), $before - 5, 'each one is counted');

    my @two = (headers => [ 'X-API-Key' => 'key of two' ]);
    refused("$_ of two", 400, [ [ '#', qr/not JSON/ ] ], '/access/message', $TYPE{message}, '?', @two) for 1, 2;
    my $r = http($server->port, post('/access/message', $TYPE{message}, '?', @two));
    is_deeply([ $r->status, $r->json->{code} ], [ 429, 'rate_limited' ], 'then none is left, and no body is judged');
};

subtest 'the logs' => sub {
    # Each request has a second of its own: the error log takes 10 lines of one.
    my $ask = sub { $clock->set(++$now); http($server->port, @_) };
    my $marker = 'the-text-of-a-client';
    my @key = (headers => [ 'X-API-Key' => 'atlas-key' ]);

    $ask->(post('/access/message', $TYPE{message}, $_, @key)) for
        object(to => $marker, text => 'x', $marker => 1), "{\"$marker\"", "{\"$marker\":1,\"$marker\":2}", "\"$marker\xff";
    $ask->(post('/access/automation', $TYPE{automation}, object(%automation, variables => { $marker => [] }), @key));
    $ask->(post('/access/message', "text/$marker", $marker, @key));
    $ask->(post('/access/message', $TYPE{message}, $marker x 5000, @key));
    $ask->(post('/access/audio', $TYPE{audio}, $_, @key)) for
        form(part('to', $marker), part('file', $marker, file => "$marker.pdf")), $marker,
        form("Content-Disposition: $marker\r\n\r\nx");
    $ask->(post('/audio', $TYPE{audio}, $marker));
    $ask->(post('/call', $TYPE{call}, object(to => $TO, type => $marker)));
    $ask->(post('/call', "text/$marker", $marker));
    $ask->(post('/call', $TYPE{call}, $marker x 5000));
    is(http($server->port, uri => '/own.html')->status, 404, 'the last line');

    ok(wait_for { $server->access_log =~ m{^/own\.html 404}m }, 'all are logged');
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
