#!/usr/bin/env perl
# Partners' own programs, as conf/doc/partners.md shows them and one more for node, each a
# process of its own: through the front door to the sandbox's wap.cm, which
# asks the front door for the contract's signature.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use JSON::PP;
use MIME::Base64 qw(encode_base64);

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/..');
my ($key, $secret) = (make_key('a partner'), encode_base64("a secret \xf0\x9f\x94\x91 of 32 b.", ''));
my @partners = (partner('one', $key, rate => '100000r/d', hmac_secret => $secret),
                partner('none', 'key of none'));


# ---- the programs: how to run each, and where its signature and time stand

my %program = (
    sh => { run => ['sh'], signature => 'signature=', time => 'time=$(date +%s)',
            tampered => 'case $signature in A*) signature=B${signature#?};; *) signature=A${signature#?};; esac',
            before => qr/^curl/m, late => 'time=$(($(date +%s) - 400))' },
    php => { run => ['php', '-d', 'display_errors=stderr'], time => '(string) time()',
             late => '(string) (time() - 400)', before => qr/^\$curl = /m,
             tampered => '$signature[0] = $signature[0] === "A" ? "B" : "A";' },
    python => { run => ['python3'], time => 'str(int(time.time()))',
                late => 'str(int(time.time()) - 400)', before => qr/^request = /m,
                tampered => 'signature = ("B" if signature[0] == "A" else "A") + signature[1:]' },
    node => { run => ['node'], time => 'Math.floor(Date.now() / 1000)',
              late => '(Math.floor(Date.now() / 1000) - 400)', before => qr/^const request = /m,
              tampered => 'signature = (signature[0] === "A" ? "B" : "A") + signature.slice(1);',
              text => <<'END' },
const { createHmac } = require('crypto');
const http = require('http');

const key = process.env.WASSIIT_KEY;
const time = String(Math.floor(Date.now() / 1000));
let signature = createHmac('sha256', Buffer.from(process.env.WASSIIT_SECRET, 'base64'))
    .update(key + time).digest('base64');

const request = http.request(process.env.WASSIIT_URL + '/automation/', {
    method: 'POST',
    headers: { 'X-API-Key': key, 'X-API-Timestamp': time, 'X-API-Signature': signature,
               'Content-Type': 'application/json' },
}, (answer) => { answer.pipe(process.stdout); });
request.end(JSON.stringify({ reference: 1, country: 'CM', recipient: '670000000',
    scheduled: '2025-09-29T12:40:14.590Z', variables: { otp: '123456' } }));
END
);

{
    my $document = "$top/conf/doc/partners.md";
    open my $in, '<:raw', $document or die "$document: $!";
    my $text = do { local $/; <$in> };
    while ($text =~ /^<!-- test: client -->\n```(\w+)\n(.*?)^```$/msg) {
        $program{$1}{text} = $2 // die "no such program: $1";
    }
}

# What a program prints, changed as the pairs say; its environment's are %with.

sub outcome {
    my ($name, $text, %with) = @_;
    my $file = test_dir() . "/client." . ($name eq 'node' ? 'js' : $name);
    open my $out, '>:raw', $file or die "$file: $!";
    print $out $text;
    close $out or die "$file: $!";

    local @ENV{qw(WASSIIT_URL WASSIIT_KEY WASSIIT_SECRET)}
        = ($with{url}, $with{key} // $key, $with{secret} // $secret);
    open my $from, '-|', @{ $program{$name}{run} }, $file or die "$name: $!";
    my $answer = do { local $/; <$from> };
    close $from;

    my $json = eval { decode_json($answer // '') } or return 'no JSON: ' . ($answer // '');
    return is_documented($json) ? 'queued' : "$json->{status} $json->{message}";
}

sub is_documented {
    my $canonical = JSON::PP->new->canonical;
    return $canonical->encode($_[0]) eq $canonical->encode($Documented);
}

# How the front door saw the last request: its status, and its own decision.

sub decided {
    my ($server, $count) = @_;
    my @lines;

    wait_for { @lines = $server->access_log =~ /^(.*POST \/automation\/.*)$/mg; @lines >= $count };
    return join ' ', ($lines[-1] // '') =~ /" (\d+) .* decision=(\S+)/;
}

my $server = start_door('automation', partners => \@partners);
my $url = 'http://127.0.0.1:' . $server->port;
my $requests = 0;

sub gets {
    my ($name, $text, $what, $expected, $decided, %with) = @_;

    is(outcome($name, $text, url => $url, %with), $expected, "$name: $what");
    is(decided($server, ++$requests), $decided, "$name: $what, as the front door has it");
}

for my $name (sort keys %program) {
    my $p = $program{$name};
    ok($p->{text}, "$name: there is one") or next;

    gets($name, $p->{text}, 'the documented answer', 'queued', '200 allowed');
    gets($name, $p->{text}, 'another secret', '401 invalid_signature', '401 invalid_signature',
         secret => 'YW5vdGhlcg==');
    gets($name, $p->{text}, 'another key', '401 invalid_key', '401 invalid_key', key => make_key('nobody'));
    gets($name, $p->{text}, 'a partner without a secret', '401 invalid_signature',
         '401 invalid_signature', key => 'key of none');

    (my $late = $p->{text}) =~ s/\Q$p->{time}\E/$p->{late}/ or die "$name: no time";
    gets($name, $late, 'another time', '401 stale_timestamp', '401 stale_timestamp');

    (my $tampered = $p->{text}) =~ s/(?=$p->{before})/$p->{tampered}\n/ or die "$name: no place";
    gets($name, $tampered, 'one byte of the signature', '401 invalid_signature', '401 invalid_signature');
}


# ---- the same at the next hop: the front door agrees, wap.cm doesn't

$server->write('wapcm.secret', 'YW5vdGhlcg==');
is($server->reload, '', "another secret of ours");
gets($_, $program{$_}{text}, 'our secret is wrong', '401 invalid_signature', '401 allowed') for sort keys %program;

$server->write('wapcm.secret', $Contract{secret});
$server->conf(door_moved(door_text('nginx.conf') =~ s/CONTRACT_KEY/of-nobody/r, 'automation'));
is($server->reload, '', "another key of ours");
gets($_, $program{$_}{text}, 'our key is wrong', '401 invalid_key', '401 allowed') for sort keys %program;

my $logs = $server->error_log . $server->access_log;
is(scalar(grep { index($logs, $_) != -1 } $key, $secret, @Contract{qw(key secret)}), 0, 'no secret in the logs');

$server->stop;
done_testing;
