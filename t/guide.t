#!/usr/bin/env perl
# The clients of the guides that partners have, with keys and secrets that the
# admin endpoint made: wap.cm's own shell line, curl, PHP, and the verifier in
# Python.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use IPC::Open2;
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX ();

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

my $Many = 200;
my $Event = '{"event": "message.status", "id": "msg_1", "status": "delivered"}';

my $Receiver = <<'END';
server {
    listen %%PORT_3%%;
    location / { return 200 $http_x_wassiit_signature; }
}
END

# Deliveries may go to this machine, and are answered with their signature.
my $conf = door_text('nginx.conf');
is($conf =~ s/wassiit_egress public;/wassiit_egress any;/, 1, 'as shipped, to public addresses');
is($conf =~ s/(?=^ *include sandbox\.conf;)/$Receiver/m, 1, '... and the receiver is in it');

my $s = start_door('guide', conf => $conf, partners => [
    partner('atlas', 'key of atlas', rate => '1000r/s') ]);
my ($url, $egress) = ('http://127.0.0.1:' . $s->port, test_dir() . '/guide-egress.sock');
my $admin = Wassiit::Client->new($s->port(2));

# A key or a secret, made anew; the former one is gone.
sub made {
    my ($path, $field) = @_;
    my $r = $admin->request(method => 'POST', uri => "/admin/partners/atlas/$path",
        headers => ['X-API-Key' => $Operator, 'Content-Type' => 'application/json'],
        body => '{"grace": "0"}');
    $r->status == 201 or die $r->body;
    return $r->json->{$field};
}

# What a program prints that is given lines. They go in from beside, as a pipe
# may be full in both directions.
sub printed {
    my ($command, @lines) = @_;
    my $pid = open2(my $out, my $in, @$command);
    my $writer = fork // die "fork: $!";

    if (!$writer) {
        print {$in} map { "$_\n" } @lines;
        close $in;
        POSIX::_exit(0);
    }
    close $in;
    chomp(my @printed = <$out>);
    waitpid $writer, 0;
    waitpid $pid, 0;
    is($?, 0, "$command->[0] comes to its end");
    return @printed;
}

sub signature_of {
    my ($secret, $message) = @_;
    return encode_base64(hmac_sha256($message, decode_base64($secret)), '');
}


# ---- wap.cm's shell line

my $Line = <<'END';
while read -r API_SECRET MESSAGE; do
    echo -n "$MESSAGE" | openssl dgst -sha256 -hmac $(echo $API_SECRET | base64 -d) -binary | base64
done
END

{
    my @made = map { [ made('hmac_secret', 'hmac_secret'), made('keys/rotate', 'key') . time ] }
               1 .. $Many;
    my @signatures = printed([ 'bash', '-c', $Line ], map { "@$_" } @made);

    is(scalar @signatures, $Many, "$Many signatures");
    is_deeply([ grep { $signatures[$_] ne signature_of(@{ $made[$_] }) } 0 .. $#made ], [],
              'each is right');

    # This test sees a wrong one: a shell can't hand such bytes on.
    my $bytes = encode_base64("a\0\n b" x 8, '');
    my ($other) = printed([ 'bash', '-c', "exec 2> /dev/null\n$Line" ], "$bytes message");
    isnt($other, signature_of($bytes, 'message'), 'which is no matter of course');
}


# ---- whole clients: each time with another key and secret

my %client = (
    'shell line' => [ 'bash', '-c', <<'END' ],
TIMESTAMP=$(date +%s)
MESSAGE="$API_KEY$TIMESTAMP"
SIGNATURE=$(echo -n "$MESSAGE" | openssl dgst -sha256 -hmac $(echo $API_SECRET | base64 -d) -binary | base64)
curl -s -X POST "$URL/automation/?test=1" -H "X-API-Key: $API_KEY" -H "X-API-Timestamp: $TIMESTAMP" \
    -H "X-API-Signature: $SIGNATURE" -H "Content-Type: application/json" \
    -d '{"reference": 1758796201, "country": "CM", "recipient": "690000000", "scheduled": "2025-09-29T12:40:14.590Z", "variables": {"code_otp": "123456"}}'
END
    PHP => [ 'php', '-r', <<'END' ],
$timestamp = time();
$signature = base64_encode(hash_hmac('sha256', getenv('API_KEY') . $timestamp,
    base64_decode(getenv('API_SECRET')), true));
$ch = curl_init(getenv('URL') . '/automation/?test=1');
curl_setopt($ch, CURLOPT_RETURNTRANSFER, true);
curl_setopt($ch, CURLOPT_POST, true);
curl_setopt($ch, CURLOPT_HTTPHEADER, ['X-API-Key: ' . getenv('API_KEY'),
    'X-API-Timestamp: ' . $timestamp, 'X-API-Signature: ' . $signature,
    'Content-Type: application/json']);
curl_setopt($ch, CURLOPT_POSTFIELDS, json_encode(['reference' => 1758796201,
    'country' => 'CM', 'recipient' => '690000000',
    'scheduled' => '2025-09-29T12:40:14.590Z', 'variables' => []]));
echo curl_exec($ch);
END
    curl => [ 'bash', '-c', <<'END' ],
curl -s -X POST "$URL/api/partner/v1/messages" -H "X-API-Key: $API_KEY" \
    -H "Content-Type: application/json" -d '{"to": "+212600000000", "text": "Hello from WASSIIT!"}'
END
);

for my $name (sort keys %client) {
    my $right = $name eq 'curl' ? qr/"status":"queued"/ : qr/"message_queued_successfully"/;
    my @got = map {
        local @ENV{qw(URL API_KEY API_SECRET)} =
            ($url, made('keys/rotate', 'key'), made('hmac_secret', 'hmac_secret'));
        join '', printed($client{$name});
    } 1 .. 5;
    is_deeply([ grep { !/$right/ } @got ], [], "$name: gets through each time");
}


# ---- the verifier in Python

{
    my @deliveries = map {
        my $secret = made('webhook_secret', 'webhook_secret');
        my $r = http($egress, method => 'POST', uri => '/atlas', body => $Event, headers => [
            'Content-Type' => 'application/json',
            'X-Delivery-URL' => 'http://127.0.0.1:' . $s->port(3) ]);
        "$secret " . $r->body;
    } 1 .. 50;

    my @verified = printed([ 'python3', '-c', <<'END', $Event ], @deliveries);
import hashlib, hmac, sys
body = sys.argv[1].encode()
for line in sys.stdin:
    secret, signature = line.split()
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    print(hmac.compare_digest(expected, signature))
END
    is_deeply(\@verified, [ ('True') x 50 ], '50 deliveries under 50 secrets: all verified');
}

$s->stop;
done_testing;
