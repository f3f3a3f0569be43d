#!/usr/bin/env perl
# Each program that the docs show, in both languages, is run as a partner would
# run it: pasted, with its placeholders replaced, against conf/nginx.conf and
# the sandbox. What it prints is what the docs say.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex);
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX ();

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

my $json = JSON::PP->new->utf8->canonical;
my $dir = test_dir() . '/pasted';
mkdir $dir or die "$dir: $!";

my %Run = (sh => ['bash', 'sh'], curl => ['bash', 'sh'], php => ['php', 'php'],
           python => ['python3', 'py'], node => ['node', 'mjs'], js => ['node', 'mjs']);

sub written {
    my ($name, $text) = @_;
    open my $out, '>:raw', "$dir/$name" or die "$name: $!";
    print {$out} $text;
    close $out or die "$name: $!";
    return $name;
}

sub answer_of {
    my (@command) = @_;
    open my $out, '-|', @command or die "$command[0]: $!";
    local $/;
    my $text = <$out>;
    close $out;
    is($?, 0, "$command[1] comes to its end");
    return $json->decode($text);
}

written('note.ogg', "OggS\r\n\0\xff--" x 1000);
written('results.pdf', "%PDF-1.7\r\n");


# ---- words

{
    my $found = answer_of('node', 't/docs/words.mjs');
    cmp_ok(scalar keys %$found, '>', 10, 'the words are looked at');
    is_deeply($found->{$_}, [], $_) for sort keys %$found;
}


# ---- what there is to paste

my $pages = answer_of('node', 't/docs/snippets.mjs');
my ($operations, $snippets) = @{ $pages->{en} }{qw(operations snippets)};

my $specification = do {
    open my $in, '<:raw', 'build/docs/openapi.json' or die "build/docs/openapi.json: $!";
    local $/;
    $json->decode(<$in>);
};
my %documented;                     # operation -> what it answers: status, body

for my $item (values %{ $specification->{paths} }) {
    for my $operation (grep { ref eq 'HASH' && $_->{operationId} } values %$item) {
        my ($status) = grep { /^2/ } sort keys %{ $operation->{responses} };
        my $content = $operation->{responses}{$status}{content}{'application/json'};
        my ($example) = map { $content->{examples}{$_}{value} }
                        sort keys %{ $content->{examples} // {} };
        $documented{ $operation->{operationId} } = [ $status, $example ];
    }
}

cmp_ok(scalar keys %documented, '>=', 15, 'operations');
is_deeply([ sort keys %$operations ], [ sort keys %documented ], 'each has its snippets');
is_deeply([ sort keys %{ $operations->{$_} } ], [qw(curl node php python)], "$_: in four languages")
    for sort keys %$operations;

# A program of the two pages is run once, as it is the same but for what it says.
for my $codes (map { values %$_ } map { values %$_ } $pages->{fr}) {
    s/Bonjour de WASSIIT !/Hello from WASSIIT!/ for values %$codes;
}
is_deeply($pages->{fr}, $pages->{en}, 'French pages have the same programs');


# ---- the front door

my $key = make_key('who pastes');
my $secret = encode_base64("any bytes \0\xff\n, and many of them", '');
my ($Printable, $Printed) = (make_key('by the guide'), encode_base64('0123456789abcdef' x 2, ''));
my @Scopes = @Wassiit::SCOPES;

my $s = start_door('snippets', partners => [
    partner('any', $key, scopes => \@Scopes, rate => '1000r/s', hmac_secret => $secret),
    partner('printable', $Printable, scopes => [], rate => '1000r/s', hmac_secret => $Printed),
]);

# Status and body that a program prints, and its head if it prints one.
sub pasted {
    my ($language, $code, %with) = @_;
    my ($program, $ending) = @{ $Run{$language} };
    my $url = 'http://127.0.0.1:' . $s->port;
    my ($with_key, $with_secret) = ($with{key} // $key, $with{secret} // $secret);

    utf8::encode($code);
    my $left = $code =~ s{https://api\.wassiit\.ma}{$url}g;
    $code =~ s/wst_your_api_key_here/$with_key/g && $left or fail('placeholders');
    $code =~ s/your_api_secret_base64/$with_secret/g;
    my $file = written("pasted.$ending", $code);

    my $pid = open my $out, '-|';
    defined $pid or die "fork: $!";
    if (!$pid) {
        chdir $dir or die "$dir: $!";
        open STDERR, '>', 'errors';
        exec $program, $file or die "$program: $!";
    }
    my $printed = do { local $/; <$out> };
    close $out;
    my $exit = $?;

    my ($head, $status, $body) = $printed =~ m{\A(HTTP/1\.1 (?!1)(\d+) .*?)\r\n\r\n(.*)\z}s
        ? ($1, $2, $3) : (undef, $printed =~ /\A(\d+)\s(.*)\z/s);
    $body =~ s/\s+\z// if defined $body;

    return { exit => $exit, head => $head, status => $status // $printed, body => $body };
}

# A body with nothing but its fields and kinds.
sub shape {
    my ($value) = @_;
    return { map { $_ => shape($value->{$_}) } keys %$value } if ref $value eq 'HASH';
    return [ map { shape($_) } @$value ? $value->[0] : () ] if ref $value eq 'ARRAY';
    return ref $value ? 'true or false' : !defined $value ? 'null'
         : $json->encode([$value]) =~ /"/ ? 'text' : 'number';
}

sub is_as {
    my ($got, $status, $example, $name) = @_;

    is($got->{status}, $status, "$name: $status");
    is($got->{exit}, 0, '... comes to its end');
    return is($got->{body}, '', '... with nothing') if !defined $example;

    my $body = eval { $json->decode($got->{body}) };
    is_deeply(shape($body), shape($example), '... with what is documented')
        or diag($got->{body});
    return $body;
}

for my $operation (sort keys %documented) {
    for my $language (sort keys %{ $operations->{$operation} }) {
        is_as(pasted($language, $operations->{$operation}{$language}),
              @{ $documented{$operation} }, "$operation, $language");
    }
}

for my $operation (qw(sendMessage triggerAutomation)) {
    for my $language (sort keys %{ $operations->{$operation} }) {
        my $got = pasted($language, $operations->{$operation}{$language},
                         key => make_key('nobody'));
        is("$got->{status} $got->{exit}", '401 0', "$operation, $language: a refusal is printed");
        like($got->{body}, qr/"invalid_key"/, '... with its code');
    }
}

{
    my @results = @{ answer_of('node', 't/docs/pasted.mjs', $dir,
                               $json->encode($snippets->{retry})) };
    cmp_ok(scalar @results, '>=', 14, 'what is sent, and waiting');
    is_deeply($_->[1], $_->[2], $_->[0]) for @results;
}


# ---- the guide's start: each answer as it is shown

for (['first-message', 'first-answer'], ['first-delivery', 'first-status'],
     ['first-refusal', 'first-problem'])
{
    my ($name, $answer) = @$_;
    my $shown = $snippets->{$answer}{http} // die "no $answer";
    my ($line, $head, $body) = $shown =~ m{\AHTTP/1\.1 (.*?)\n(.*?)\n\n(.*)\z}s;
    my ($code) = $snippets->{$name}{sh};
    my $got = pasted('sh', $code);
    my $is = is_as($got, substr($line, 0, 3), $json->decode($body), $name);

    unlike($code, qr/^.{100}/m, '... is read without scrolling');
    like($got->{head}, qr{\AHTTP/1\.1 \Q$line\E\r\n}, '... as the line says');
    for my $header (split /\n/, $head) {
        # numbers and ids are other ones
        my $pattern = quotemeta($header) =~ s/\d+/\\d+/gr;
        $pattern = 'X-Request-ID: [0-9a-f]{32}' if $header =~ /^X-Request-ID/;
        like($got->{head}, qr/^$pattern\r?$/m, "... $header");
    }
    is_deeply([ @$is{qw(code detail errors status)} ],
              [ @{ $json->decode($body) }{qw(code detail errors status)} ],
              '... word by word') if $body =~ /"code"/;
}


# ---- signing

my $queued = $documented{triggerAutomation}[1];
is(join(' ', sort keys %{ $snippets->{sign} }), 'js php python sh', 'four programs sign');
is_as(pasted($_, $snippets->{sign}{$_}), 200, $queued, "sign, $_")
    for sort keys %{ $snippets->{sign} };
is_as(pasted('sh', $snippets->{'sign-wapcm'}{sh}, key => $Printable, secret => $Printed),
      200, $documented{getAutomation}[1], "the line of wap.cm's guide");

# The lines that sign, up to the request, at the vector's time.
{
    my $vector = $json->decode($snippets->{vector}{json});
    my ($with, $time) = @$vector{qw(key timestamp)};

    is(encode_base64(hmac_sha256($with . $time, decode_base64($vector->{secret})), ''),
       $vector->{signature}, "the vector's signature");

    my %end = (sh => [ 'curl', qr/\$\(date \+%s\)/, 'printf "200 %s" "$signature"' ],
               php => [ '\$curl', qr/time\(\)/, 'echo "200 $signature";' ],
               python => [ 'request', qr/time\.time\(\)/, 'print(200, signature)' ],
               js => [ 'const response', qr/Date\.now\(\) \/ 1000/,
                       'console.log(200, signature);' ]);

    for my $language (sort keys %end) {
        my ($request, $clock, $print) = @{ $end{$language} };
        my $code = $snippets->{sign}{$language};

        $code =~ s/^$request.*//ms or fail("no request in $language");
        is($code =~ s/$clock/$time/g, 1, "$language: the clock is asked once");
        $code .= "$print\n" . ($language eq 'php' ? '//' : $language eq 'js' ? '//' : '#')
               . ' https://api.wassiit.ma';
        is(pasted($language, $code, key => $with, secret => $vector->{secret})->{body},
           $vector->{signature}, "$language: signs the vector");
    }
}


# ---- receivers

{
    my $vector = $json->decode($snippets->{'webhook-vector'}{json});
    is(hmac_sha256_hex(@$vector{qw(body secret)}), $vector->{signature}, "a delivery's vector");
}

my %Start = (python => sub { ['python3', $_[0]] }, js => sub { ['node', $_[0]] },
             php => sub { ['php', '-S', "127.0.0.1:$_[1]", $_[0]] });
my $Hook = "the receiver's own";
my $Event = '{"event":"message.status","id":"msg_1","status":"delivered"}';
my %children;

END {
    local $?;
    kill 'TERM', keys %children if %children;
    waitpid $_, 0 for keys %children;
}

sub started {
    my ($language, $code, $port, %environment) = @_;
    my $file = "$dir/" . written("receiver-$language.$Run{$language}[1]", $code);
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        %children = ();
        $ENV{$_} = $environment{$_} for keys %environment;
        open STDOUT, '>', "$dir/events-$language" or die $!;
        open STDERR, '>', "$dir/errors-$language" or die $!;
        exec @{ $Start{$language}->($file, $port) } or POSIX::_exit(127);
    }
    $children{$pid} = 1;
    return $pid;
}

sub asked {
    my ($port, $body, @headers) = @_;
    return http($port, method => 'POST', uri => '/hook', body => $body,
                headers => [ 'Content-Type' => 'application/json', @headers ])->status;
}

for my $language (sort keys %{ $snippets->{receiver} }) {
    my $port = free_port();
    my $sign = sub { hmac_sha256_hex($_[0], $_[1] // $Hook) };
    my ($name, $next) = ('X-WASSIIT-Signature', 'X-WASSIIT-Signature-Next');
    my $raw = sub {
        my $r = http($port, raw => join("\r\n", 'POST /hook HTTP/1.1', 'Host: a',
                                        'Connection: close', @_, '', ''));
        return $r ? $r->status : 'closed';
    };

    started($language, $snippets->{receiver}{$language}, $port,
            PORT => $port, WEBHOOK_SECRET => $Hook);
    ok(wait_for { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }, "$language: listens");

    is(asked($port, $Event, $name => $sign->($Event)), 204, 'signed');
    is(asked($port, $Event, $name => $sign->($Event, 'the former'), $next => $sign->($Event)),
       204, 'by the secret to come');
    is(asked($port, "$Event ", $name => $sign->($Event)), 401, 'another body');
    is(asked($port, $Event, $name => $sign->($Event, '')), 401, 'no secret');
    is(asked($port, $Event, $name => uc $sign->($Event) . '0'), 401, 'too long a signature');
    is(asked($port, $Event), 401, 'no signature');
    is(asked($port, $Event, $name => "\xc3\xa9"), 401, 'one that is not ASCII');
    is(asked($port, $Event, $name => "\xe9" x 64), 401, 'nor UTF-8');
    is(asked($port, $Event, $name => '', $next => ''), 401, 'empty ones');
    is(asked($port, '', $name => $sign->($Event)), 401, 'an empty body');
    like($raw->("$name: " . $sign->($Event)), qr/\A4(?:01|11)\z/, 'no length');
    # php's own server closes there
    like($raw->("$name: " . $sign->($Event), "Content-Length: \xb2"),
         $language eq 'php' ? qr/\A(?:4\d\d|closed)\z/ : qr/\A4\d\d\z/, 'no number');
    is(asked($port, '{', $name => $sign->('{')), 204, 'signed, if no JSON');
    is(asked($port, $Event, $name => $sign->($Event)), 204, 'signed again, after all that');

    my $expected = join '', map { "$_\n" } $Event, $Event, '{', $Event;
    my $printed = sub { open my $in, '<', "$dir/events-$language" or die $!;
                        local $/; <$in> // '' };
    ok(wait_for { $printed->() eq $expected }, 'each event is printed, and nothing else')
        or diag($printed->());

    # without a secret anyone could sign
    my $other = free_port();
    my $pid = started($language, $snippets->{receiver}{$language}, $other,
                      PORT => $other, WEBHOOK_SECRET => '');
    my $opened = sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$other") };
    my $ended = sub { waitpid($pid, POSIX::WNOHANG()) == $pid && delete $children{$pid} };
    ok(wait_for { $ended->() || $opened->() }, 'without a secret');
    ok(!$opened->() || asked($other, $Event, $name => $sign->($Event, '')) == 500,
       '... it does not start, or fails');
}

$s->stop;
done_testing;
