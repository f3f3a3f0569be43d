#!/usr/bin/env perl
# conf/sandbox.conf: the events that a partner is sent, by a receiver of the
# sandbox's own or of the partner's; who is slow holds nobody up. What its numbers
# have in store for one request is t/sandbox.t's.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use POSIX ();

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

my $api = '/api/partner/v1';
my ($key, $secret) = (make_key('a partner'), encode_base64('a secret', ''));
my @partners = (partner('atlas', $key, rate => '1000r/s', hmac_secret => $secret,
                        webhook_secret => "the receiver's"),
                partner('poor', 'key of poor', rate => '1000r/s'));

my @fates = qw(delivered read failed down slow);
my %number = map { $fates[ $_ - 1 ] => "+21260000000$_" } 1 .. 5;

# Nobody waits 30 s here; 3 s are enough for a worker that is busy.

my $conf = door_text('nginx.conf');
is($conf =~ s/^( {8}proxy_read_timeout) 30s;/$1 3s;/mg, 2, 'front door and egress wait');
my $s = start_door('main', conf => $conf, partners => \@partners);

sub ask {
    my ($method, $uri, %more) = @_;
    my $type = delete $more{type} // 'application/json';

    return http($s->port, method => $method, uri => $uri, %more,
                headers => [ 'X-API-Key' => $more{key} // $key,
                             $more{body} ? ('Content-Type' => $type) : () ]);
}

sub form {
    my ($to, $size, @more) = @_;
    return (type => 'multipart/form-data; boundary=edge',
            body => join("\r\n", '--edge', 'Content-Disposition: form-data; name="to"', @more, '', $to, '--edge',
                         'Content-Disposition: form-data; name="file"; filename="a.mp3"', '',
                         'x' x $size, '--edge--', ''));
}

sub code { my ($r) = @_; return $r->status . ' ' . (eval { $r->json->{code} } // 'of the backend') }

# The signature comes first: who hasn't the contract's learns nothing of a fate.

my $wapcm = test_dir() . '/main-wapcm.sock';
for my $uri ('/automation/', '/automation/WAP_down') {
    my $r = http($wapcm, method => $uri =~ /WAP/ ? 'GET' : 'POST', uri => $uri, body => '{"recipient":"690000004"}');
    is_deeply([ @{ $r->json }{qw(status message)} ], [ 401, 'missing_key' ], "$uri: without the contract's key");
}


# ---- events: to the sandbox's own receiver, while there is no other

sub lines_of {
    my ($file) = @_;
    open my $in, '<:raw', $file or return;
    chomp(my @lines = <$in>);
    return @lines;
}

# Those that its receiver has logged, and their signature, since the last call.

my $events_seen = 0;

sub events {
    my ($count) = @_;
    my @lines;

    wait_for { (@lines = lines_of($s->dir . '/logs/events.log')) >= $events_seen + $count };
    splice @lines, 0, $events_seen;
    $events_seen += @lines;
    return map { /\A\S+T\S+ X-WASSIIT-Signature: (\S+) \(verified\) (.*)\z/ ? [ $1, $2 ] : [ '', $_ ] } @lines;
}

sub is_event {
    my ($event, $id, $status, $name) = @_;
    my ($signature, $body) = @{ $event // [ '', '' ] };

    is_deeply(scalar eval { decode_json($body) }, { event => 'message.status', id => $id, status => $status },
              "$name: the event") or diag($body);
    is($signature, hmac_sha256_hex($body, "the receiver's"), "$name: its signature");
}

sub send_to {
    my ($to, %more) = @_;
    my $r = ask(POST => "$api/messages", body => encode_json({ to => $to, text => 'Hello' }), %more);
    return $r->status == 202 ? $r->json->{id} : code($r);
}

# All that is accepted has one. "down" and "slow" have none.

{
    my @ids = grep { /\Amsg_/ } map { send_to($number{$_}) } @fates;
    push @ids, map { ask(POST => "$api/messages/$_", form($number{read}, 9))->json->{id} } qw(audio document);
    is(@ids, 5, 'three of five numbers, and both uploads');
    my %accepted = map { $_->[1] =~ /"id":"(\w+)","status":"(\w+)"/ ? ($1 => $2) : () } events(scalar @ids);
    is_deeply([ sort keys %accepted ], [ sort @ids ], 'an event for each message');
    ok(wait_for { (() = lines_of($s->dir . '/logs/deliveries.log')) == @ids }, 'and a delivery');
    is_deeply([ grep { !/\Amsg_(?:$accepted{$_}_)?[0-9a-f]{32}\z/ } keys %accepted ], [], 'that tells what its id does');
}

my @kinds = ([ text => "$api/messages", sub { (body => encode_json({ to => $_[0], text => 'Hello' })) } ],
             map { my $kind = $_; [ $kind => "$api/messages/$kind", sub { form($_[0], 9) } ] } qw(audio document));

for my $kind (@kinds) {
    my ($name, $uri, $body) = @$kind;

    for my $fate (qw(delivered read failed none)) {
        my $id = ask(POST => $uri, $body->($number{$fate} // '+212600000000'))->json->{id};
        is_event((events(1))[0], $id, $fate eq 'none' ? 'delivered' : $fate, "$name, $fate");
    }
}

{
    my $id = ask(POST => "$api/messages/document", form($number{read}, 3 * 2**20))->json->{id};
    like($id, qr/\Amsg_[0-9a-f]{32}\z/, 'of what lies on disk, the number is not seen');
    is_event((events(1))[0], $id, 'delivered', 'of 3 MB');
}

is(send_to($number{read}, key => 'key of poor') =~ /\Amsg_read_/, 1, 'a partner without a webhook secret: accepted');
ok(wait_for { grep { /to=poor 502 / } lines_of($s->dir . '/logs/deliveries.log') }, 'but nothing goes out unsigned');

is(curl('--unix-socket', test_dir() . '/main-egress.sock', 'http://egress/sandbox/atlas', '-d', "a\nb\e[2J")->status,
   200, 'another body');
like((events(1))[0][1], qr/\A\(a body that is no line of ASCII\)\z/, 'another body is no line of the log');


# ---- events: to a receiver of one's own

# Notes what comes, a line of JSON each, and answers; or, if it is "rude", closes;
# or, if it is "silent", does neither.

sub start_receiver {
    my ($file, $manner) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $s->port(3), Listen => 16,
                                       ReuseAddr => 1) or die "listen: $!";
    my $parent = $$;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    open my $out, '>', $file or die "$file: $!";
    $out->autoflush(1);
    my @kept;

    while (getppid == $parent) {
        IO::Select->new($listen)->can_read(1) or next;
        my $client = $listen->accept;
        my $got = '';
        1 while ($got !~ /\r\n\r\n/ || length $' < ($got =~ /^content-length: *(\d+)/mi ? $1 : 0))
                && sysread $client, $got, 65536, length $got;
        my ($head, $body) = split /\r\n\r\n/, $got, 2;
        print $out encode_json({ head => $head, body => $body }), "\n";
        push @kept, $client if $manner eq 'silent';
        syswrite $client, "HTTP/1.1 204 No Content\r\n\r\n" if $manner eq 'polite';
    }
    POSIX::_exit(0);
}

sub stop_receiver { kill 'TERM', $_[0]; waitpid $_[0], 0 }

{
    my $file = test_dir() . '/received';
    my $pid = start_receiver($file, 'polite');
    my $id = send_to($number{failed});
    ok(wait_for { lines_of($file) }, 'a receiver that was started just now gets it');

    my $got = decode_json((lines_of($file))[0]);
    my ($line, %head) = ($got->{head} =~ /\A(.*?)\r\n/, map { /\A(\S+): (.*)\z/ ? (lc $1 => $2) : () }
                         split /\r\n/, $got->{head});
    is($line, 'POST /hook HTTP/1.1', 'at its path');
    is_event([ $head{'x-wassiit-signature'}, $got->{body} ], $id, 'failed', 'received');
    is($head{'content-type'}, 'application/json', 'its type');
    is($head{host}, '127.0.0.1:' . $s->port(3), 'its host');
    is_deeply([ grep { /partner|key|delivery|forwarded/ } keys %head ], [], 'nothing else');

    stop_receiver($pid);
    $id = send_to($number{read});
    is_event((events(1))[0], $id, 'read', 'when it has ended, the other one');

    $pid = start_receiver($file, 'rude');
    $id = send_to($number{read});
    is_event((events(1))[0], $id, 'read', 'when it does not answer, the other one');
    is(scalar lines_of($file), 1, 'after it');
    stop_receiver($pid);

    # What isn't taken keeps no message waiting: the front door would give up.
    $pid = start_receiver($file, 'silent');
    my $client = Wassiit::Client->new($s->port);
    for (1 .. 4) {
        my $r = $client->request(method => 'POST', uri => "$api/messages", headers => [
            'X-API-Key' => $key, 'Content-Type' => 'application/json' ],
            body => encode_json({ to => $number{failed}, text => 'Hello' }));
        is($r->status, 202, 'a receiver that is stuck: accepted');
    }
    ok(wait_for { lines_of($file) == 4 }, 'all four are on their way');
    stop_receiver($pid);
    is(scalar(events(4)), 4, 'and are taken by the other one');
}
unlike($s->error_log, qr/Connection refused/, 'that there is no receiver is no error');

$s->stop;


# ---- as shipped, a slow one is waited for, and holds nobody up

{
    $s = start_door('shipped', partners => \@partners);
    my @slow = map { Wassiit::Client->new($s->port) } 1 .. 8;
    for my $client (@slow) {
        $client->send($client->request_bytes(uri => "$api/messages/msg_slow", headers => [ 'X-API-Key' => $key ]));
    }
    is(ask(GET => "$api/messages/msg_$_")->status, 200, "beside slow ones, $_") for 1 .. 16;
    is_deeply([ IO::Select->new(map { $_->{socket} } @slow)->can_read(0) ], [], 'which are still waited for');
    $_->close for @slow;
    $s->stop;
}

done_testing;
