#!/usr/bin/env perl
# Webhooks from end to end: the messaging backend's deliveries through
# conf/nginx.conf's egress to the receiver of conf/doc/webhooks.md, and what that signs
# back through wassiit_webhook_verify. Which addresses are none is t/deliveries.t's,
# what is public t/egress_net.t's.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use IO::Socket::INET;
use POSIX ();

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/..');
my $dir = test_dir();
my $secret = "the secret of \xc3\xa9\xf0\x9f\x94\x91, in UTF-8";
my $header = 'X-WASSIIT-Signature';
my (@started, $pid);

END { my $exit = $?; kill 'TERM', @started; waitpid $_, 0 for @started; $? = $exit }

sub text_of {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "$file: $!";
    local $/;
    return scalar <$in>;
}

sub write_to {
    my ($file, @text) = @_;
    open my $out, '>:raw', $file or die "$file: $!";
    print $out @text;
    close $out or die "$file: $!";
    return $file;
}


# ---- the guide's receiver, as it stands in conf/doc/webhooks.md

my ($program) = text_of("$top/conf/doc/webhooks.md") =~ /^<!-- test: receiver -->\n```python\n(.*?)^```$/ms
    or die 'conf/doc/webhooks.md has no receiver';
my $receiver = write_to("$dir/receiver.py", $program);
my $port = free_port();

$pid = fork // die "fork: $!";
if (!$pid) {
    @ENV{qw(WEBHOOK_SECRET PORT)} = ($secret, $port);
    open STDERR, '>', '/dev/null';
    exec 'python3', $receiver;
    die "python3: $!";
}
push @started, $pid;

my $later = free_port();

$pid = fork // die "fork: $!";
if (!$pid) {
    @ENV{qw(WEBHOOK_SECRET PORT)} = ('the secret to come', $later);
    open STDERR, '>', '/dev/null';
    exec 'python3', $receiver;
    die "python3: $!";
}
push @started, $pid;

my $partner = { id => 'atlas', webhook_secret => do { my $text = $secret; utf8::decode($text); $text } };
my $turns = { %$partner, id => 'turns',
              next_webhook_secret => { value => 'the secret to come', expires => '2036-01-01T00:00:00Z' } };
my @partners = ($partner, $turns, partner('poor', 'key of poor'));
my %secrets = ('webhook.secret' => "another\n$secret\n");

# The receiver is at 127.0.0.1, so this operator lets deliveries go there.
my $any = door_text('nginx.conf');
is($any =~ s/wassiit_egress public;/wassiit_egress any;/, 1, 'as shipped, to public addresses');
$any =~ s/(resolver 127\.0\.0\.1;)/$1 resolver_timeout 1s;/;
my $front = start_door('main', conf => $any, partners => \@partners, files => \%secrets);
my $egress = "$dir/main-egress.sock";

for my $at ($port, $later) {
    ok(wait_for { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $at) }, 'a receiver is up');
}


# ---- every delivery is accepted

my %body = (
    'nothing' => '', '1 byte' => 'x', 'a NUL' => "\0", 'binary' => join('', map chr, 0 .. 255) x 4,
    'UTF-8' => "{\"text\": \"\xc3\xa9t\xc3\xa9 \xf0\x9f\x98\x80\"}", '64 KB' => 'abcdefg' x 9362 . 'xy',
    '100 MB' => 'z' x (100 * 2**20),
);
my %file = map { $_ => write_to("$dir/" . tr/ /-/r, $body{$_}) } keys %body;

sub deliver {
    my ($to, $file, @more) = @_;
    my $url = @more && $more[0] =~ m{/} ? shift @more : "http://127.0.0.1:$port/hook?a=b%20c";

    return curl('--unix-socket', $egress, '-X', 'POST', "http://egress/$to", '--data-binary', "\@$file",
                '-H', 'Expect:', '-H', "X-Delivery-URL: $url", @more);
}

# What a server is sent that answers nothing.

sub seen {
    my ($send) = @_;
    my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "listen: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $send->($server->sockport);
        POSIX::_exit(0);
    }
    my $client = $server->accept or die "accept: $!";
    my $seen = '';
    1 while $seen !~ /\r\n\r\n/ && sysread $client, $seen, 65536, length $seen;
    close $client;
    waitpid $pid, 0;
    return $seen;
}

for my $name (sort keys %body) {
    is(deliver('atlas', $file{$name})->status, 204, "$name: accepted");
    is(deliver('atlas', $file{$name}, '-H', 'Transfer-Encoding: chunked')->status, 204, "$name: in chunks, accepted");
}

is(deliver('turns', $file{binary}, "http://127.0.0.1:$_/hook")->status, 204, 'while a secret is changed over: accepted')
    for $port, $later;
is(deliver('turns', $file{binary}, "http://127.0.0.1:$_/hook", '-H', "$header-Next: " . '0' x 64)->status, 204,
   'ours in place of a -Next that came in') for $port, $later;
is(deliver('atlas', $file{binary}, "http://127.0.0.1:$later/hook")->status, 401, 'not with a secret that is nowhere');
is(deliver('atlas', $file{binary}, '-H', "$header: " . '0' x 64)->status, 204, 'ours in place of what came in');
is(deliver($_, $file{'1 byte'})->status, 502, "to $_: not unsigned") for qw(poor nobody);

# what is well-formed goes on: the server is asked, with the path that was meant

for my $row ([ '', '/' ], [ '/', '/' ], [ '?a=b', '/?a=b' ], [ '/hook?a=b%20c', '/hook?a=b%20c' ],
             [ '/%C3%A9/~x;y=!$&\'()*+,@:[]', '/%C3%A9/~x;y=!$&\'()*+,@:[]' ])
{
    my ($path, $expected) = @$row;
    my $seen = seen(sub { deliver('atlas', $file{'1 byte'}, "http://127.0.0.1:$_[0]$path") });
    like($seen, qr/\APOST \Q$expected\E HTTP\/1\.1\r\n/, "'$path': goes to $expected");
}
# the receiver does tell right from wrong
my $r = http($port, method => 'POST', uri => '/', body => 'x', headers => [ $header => '0' x 64 ]);
is($r->status, 401, 'a wrong signature is not accepted there');
is(http($port, method => 'POST', uri => '/', body => 'x', headers => [ $header => "\xc3\xa9" ])->status, 401,
   'nor one that is no hex');
for my $length ('', "Content-Length: \r\n", "Content-Length: -1\r\n", "Content-Length: \xc3\xa9\r\n") {
    my $client = Wassiit::Client->new($port);
    $client->send("POST / HTTP/1.1\r\nHost: x\r\n$length\r\n");
    is($client->response->status, 411, 'a body of no length is answered, too');
}

# and so does the sandbox's: what isn't signed is not accepted
$r = http("$dir/main-receiver.sock", method => 'POST', uri => '/hook', body => 'hello');
is($r->json->{code}, 'missing_signature', 'and nothing else');

like($front->error_log, qr/no partner "nobody" in zone "partners"/, 'the log says why');
my $log = text_of($front->dir . '/logs/deliveries.log');
like($log, qr/to=atlas 204 bytes=\d+ id=[0-9a-f]{32} time=\S+ upstream=127\.0\.0\.1:$port\/204\//, 'each has its line');
unlike($log . $front->error_log, qr/the secret of/, 'without the secret');
$front->stop;


# ---- as shipped: nothing goes inside

$front = start_door('shipped', partners => \@partners, files => \%secrets);
$egress = "$dir/shipped-egress.sock";

is(deliver('atlas', $file{'1 byte'}, 'http://127.9.9.9/hook')->status, 502, 'not to loopback');
like($front->error_log, qr/nothing goes to 127\.9\.9\.9, which is loopback \(RFC 1122\)/, 'the log says why');
$front->stop;


# ---- what Python signs, we verify

my $verify = Wassiit::Server->start(
    files => { 'webhook.secret' => "another\n$secret\n" },
    conf => <<'END');
http {
    client_max_body_size 0;
    server {
        listen %%PORT%%;
        listen %%PORT_2%% http2;
        location / { wassiit_webhook_verify secret_file=webhook.secret; try_files /none @ok; }
        location @ok { return 204; }
    }
}
END

for my $name (sort keys %body) {
    local @ENV{qw(SECRET BODY)} = ($secret, $file{$name});
    open my $python, '-|', 'python3', '-c', <<'END' or die "python3: $!";
import hashlib, hmac, os
body = open(os.environ["BODY"], "rb").read()
print(hmac.new(os.environ["SECRET"].encode(), body, hashlib.sha256).hexdigest())
END
    my $signature = <$python>;
    close $python;
    chomp $signature;

    for my $way ([ 'with length' ], [ 'chunked', '-H', 'Transfer-Encoding: chunked' ],
                 [ 'HTTP/2', '--http2-prior-knowledge' ], [ 'HTTP/2 without length', '--http2-prior-knowledge', '-H', 'Content-Length:' ])
    {
        my ($how, @arguments) = @$way;
        my $to = 'http://127.0.0.1:' . $verify->port($how =~ /2/ ? 2 : 1) . '/hook';
        my @send = ('-X', 'POST', $to, '-H', 'Expect:', @arguments, '--data-binary', "\@$file{$name}");

        is(curl(@send, '-H', "$header: $signature")->status, 204, "$name, $how: Python's signature is right");
        is(curl(@send, '-H', "$header: " . $signature =~ tr/0-9a-f/1-9a-f0/r)->status, 401, "$name, $how: another isn't");
    }
}

$verify->stop;
done_testing;
