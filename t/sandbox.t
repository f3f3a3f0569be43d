#!/usr/bin/env perl
# conf/sandbox.conf: what its numbers, ids and references have in store, as a
# partner sees it through conf/nginx.conf, and the events that it is sent.

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
my %recipient = map { $fates[ $_ - 1 ] => "69000000$_" } 1 .. 5;

# Nobody waits 30 s here.

my $conf = door_text('nginx.conf');
is($conf =~ s/^( {8}proxy_read_timeout) 30s;/$1 1s;/mg, 2, 'front door and egress wait');
my $s = start_door('main', conf => $conf, partners => \@partners);

sub ask {
    my ($method, $uri, %more) = @_;
    my @signed = $uri =~ /^\/automation/
        ? ('X-API-Timestamp' => time, 'X-API-Signature' => signature($secret, $key, time)) : ();
    my $type = delete $more{type} // 'application/json';

    return http($s->port, method => $method, uri => $uri, %more,
                headers => [ 'X-API-Key' => $more{key} // $key, @signed, $more{body} ? ('Content-Type' => $type) : () ]);
}

sub form {
    my ($to, $size, @more) = @_;
    return (type => 'multipart/form-data; boundary=edge',
            body => join("\r\n", '--edge', 'Content-Disposition: form-data; name="to"', @more, '', $to, '--edge',
                         'Content-Disposition: form-data; name="file"; filename="a.mp3"', '',
                         'x' x $size, '--edge--', ''));
}

sub code { my ($r) = @_; return $r->status . ' ' . (eval { $r->json->{code} } // 'of the backend') }

my %refused = (down => '502 bad_gateway', slow => '504 gateway_timeout');


# ---- messages: by number, and by the id that answered

my %send = (
    text => [ "$api/messages", sub { (body => encode_json({ to => $_[0], text => 'Hello' })) } ],
    'text, by another program' =>
        [ "$api/messages", sub { (body => qq({ "text" : "Hello",\r\n\t"to"\n:  "$_[0]" })) } ],
    'text, the plus escaped' =>
        [ "$api/messages", sub { (body => '{"to":"\u002b' . substr($_[0], 1) . '","text":"Hello"}') } ],
    'text of 60 KB' => [ "$api/messages", sub { (body => encode_json({ to => $_[0], text => 'Hello', x => 'x' x 60000 })) } ],
    'text in chunks' => [ "$api/messages", sub { (body => encode_json({ to => $_[0], text => 'x' }), chunked => 1) } ],
    audio => [ "$api/messages/audio", sub { form($_[0], 9) } ],
    document => [ "$api/messages/document", sub { form($_[0], 9) } ],
    'document, a part with a type' => [ "$api/messages/document", sub { form($_[0], 9, 'Content-Type: text/plain') } ],
    'document of 900 KB' => [ "$api/messages/document", sub { form($_[0], 900_000) } ],
);

for my $name (sort keys %send) {
    my ($uri, $body) = @{ $send{$name} };
    my ($type) = $name =~ /^(\w+)/;

    for my $fate ($name =~ /,| of | in / ? qw(read down) : @fates) {
        my $r = ask(POST => $uri, $body->($number{$fate}));

        if (my $code = $refused{$fate}) {
            is(code($r), $code, "$name: $fate");
            next;
        }
        is($r->status, 202, "$name: $fate, accepted");
        my $got = $r->json;
        like($got->{id}, qr/\Amsg_${fate}_[0-9a-f]{32}\z/, "$name: $fate, the id");
        is_deeply([ @$got{qw(type status)} ], [ $type, 'queued' ], "$name: $fate, type and status");

        $got = ask(GET => "$api/messages/$got->{id}")->json;
        is($got->{status}, $fate, "$name: $fate, its status");
    }
}

for my $row ([ 'another number', '{"to":"+212600000006","text":"x"}' ],
             [ 'a longer one', '{"to":"+2126000000031","text":"x"}' ],
             [ 'a number in a text', encode_json({ to => '+212600000000', text => '"to": "+212600000003"' }) ],
             [ 'a number elsewhere', '{"to":"+212600000000","text":"x","reply_to":"+212600000003"}' ])
{
    my ($name, $body) = @$row;
    my $r = ask(POST => "$api/messages", body => $body);
    like($r->json->{id}, qr/\Amsg_[0-9a-f]{32}\z/, "$name: an id without a fate");
    is(ask(GET => "$api/messages/" . $r->json->{id})->json->{status}, 'delivered', "$name: delivered");
}

{
    my ($how, $type, %form) = form('+212600000000', 9);
    $form{body} =~ s/x{9}/{"to":"$number{failed}"}/;
    like(ask(POST => "$api/messages/document", $how => $type, %form)->json->{id}, qr/\Amsg_[0-9a-f]{32}\z/,
         'a number in a file: an id without a fate');
}

# A body that has what looks like a number's part again and again is read once,
# and not from each of these: that took longer than the front door waits.
{
    my ($how, $type, %form) = form('+212600000000', 900_000);
    $form{body} =~ s/(x{8})/;name=to/g;
    is(ask(POST => "$api/messages/document", $how => $type, %form)->status, 202, 'many parts of parts: accepted');
}

for my $fate (@fates) {
    for my $id ("msg_$fate", "msg_${fate}_1") {
        my $r = ask(GET => "$api/messages/$id");
        $refused{$fate} ? is(code($r), $refused{$fate}, $id)
                        : is_deeply([ $r->status, @{ $r->json }{qw(id status)} ], [ 200, $id, $fate ], $id);
    }
}
is(ask(GET => "$api/messages/$_")->json->{status}, 'delivered', "$_: has no fate")
    for qw(msg_1 msg_downs msg_readily xmsg_failed MSG_failed);
is(ask(HEAD => "$api/messages/msg_$$_[0]")->status, $$_[1], "HEAD: $$_[0]") for [ read => 200 ], [ down => 502 ];


# ---- calls

for my $fate (@fates) {
    my $r = ask(POST => "$api/calls", body => encode_json({ to => $number{$fate}, type => 'voice' }));
    $refused{$fate} ? is(code($r), $refused{$fate}, "a call: $fate")
                    : is_deeply([ $r->status, @{ $r->json }{qw(type status)} ], [ 202, 'voice', 'ringing' ], "a call: $fate");
}
is(ask(POST => "$api/calls", body => '{"to":"+212600000000","type":"video"}')->json->{type}, 'video', 'a video call');


# ---- webhooks repeat what they were said to be, and aren't kept

{
    my $hook = { url => 'https://atlas.example/hook?a=1', events => [ 'message.received', 'message.status' ],
                 active => JSON::PP::false };
    my $r = ask(POST => "$api/webhooks", body => JSON::PP->new->pretty->encode($hook));
    like($r->json->{id}, qr/\Ahook_[0-9a-f]{32}\z/, 'a webhook: an id');
    for my $row ([ POST => '', 201 ], [ PUT => '/hook_7', 200 ], [ PATCH => '/hook_7', 200 ]) {
        my ($method, $at, $status) = @$row;
        my $r = ask($method => "$api/webhooks$at", body => encode_json($hook));
        my %got = %{ $r->json };
        delete $got{id};
        is_deeply([ $r->status, \%got ], [ $status, $hook ], "$method: what was sent");
    }
    is(ask(PATCH => "$api/webhooks/hook_7", body => '{"active":false}')->json->{active}, JSON::PP::false,
       'PATCH: what is not sent stays');
    is(ask(POST => "$api/webhooks", body => '{"url":"https://x/\\"","events":["a\\"b"]}')->json->{url},
       'https://partner.example/hook', 'what has quotes is not repeated');
}


# ---- what isn't there

is(ask($$_[0] => "$api/$$_[1]", $$_[2] ? (body => $$_[2]) : ())->status, 404, "$$_[0] $$_[1]")
    for [ GET => 'messages/msg_unknown' ], [ GET => 'conversations/conv_unknown' ], [ GET => 'webhooks/hook_unknown' ],
        [ PATCH => 'webhooks/hook_unknown', '{"active":false}' ], [ DELETE => 'webhooks/hook_unknown' ];
is_deeply(ask(GET => '/automation/WAP_unknown')->json,
          { success => JSON::PP::false, status => 404, message => 'not_found', data => undef }, 'WAP_unknown');


# ---- automation

sub otp {
    my ($recipient, $query, $size) = @_;
    return ask(POST => "/automation/" . ($query // ''), body => '{"more":"' . 'x' x ($size // 0)
        . '","reference":1,"country":"CM","recipient":"' . $recipient . '","scheduled":"2025-09-29T12:40:14.590Z","variables":{"recipient":"690000004"}}');
}

sub message { my ($r) = @_; return join ' ', @{ $r->json }{qw(status message)} }

for my $fate (@fates) {
    my $r = otp($recipient{$fate});

    if ($refused{$fate}) {
        is(message($r), $refused{$fate}, "automation: $fate");
        is($r->json->{success}, JSON::PP::false, "automation: $fate, in its form");
    } else {
        my $got = $r->json;
        is(message($r), '200 message_queued_successfully', "automation: $fate, accepted");
        like($got->{data}{reference}, qr/\AWAP_$fate\.[0-9a-f]{32}\z/, "automation: $fate, the reference");
        is($got->{data}{status}, 'scheduled', "automation: $fate, scheduled");
        is(ask(GET => "/automation/$got->{data}{reference}")->json->{data}{status}, $fate,
           "automation: $fate, its status");
    }

    $r = ask(GET => "/automation/WAP_$fate");
    is($refused{$fate} ? message($r) : $r->json->{data}{status}, $refused{$fate} // $fate, "WAP_$fate");
}
is(message(otp($recipient{down}, '', 60000)), $refused{down}, 'automation of 60 KB: down');
is_deeply(otp('690000006')->json, $Documented, 'automation: another recipient, the documented answer');
is(ask(GET => "/automation/$_")->json->{data}{status}, 'scheduled', "$_: has no fate")
    for qw(WAP250929112004.X84803 WAP_downs xWAP_failed);

is(otp('690000006', '?test=1')->json->{data}{cost}, 0, 'a test costs nothing');
is(otp('690000003', "?test=$_")->json->{data}{cost}, $_ eq '1' ? 0 : 10, "?test=$_: what it costs") for 0, 1, 11;
like(otp('690000003', '?test=1')->json->{data}{reference}, qr/\AWAP_failed\./, 'a test has its fate');

# The signature comes first: who hasn't the contract's learns nothing of a fate.

my $wapcm = test_dir() . '/main-wapcm.sock';
for my $uri ('/automation/', '/automation/WAP_down') {
    my $r = http($wapcm, method => $uri =~ /WAP/ ? 'GET' : 'POST', uri => $uri, body => '{"recipient":"690000004"}');
    is(message($r), '401 missing_key', "$uri: without the contract's key");
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

# All that was accepted so far has had one. "down" and "slow" have none.

{
    ok(wait_for { my @all = lines_of($s->dir . '/logs/deliveries.log');
                  @all >= (() = $s->access_log =~ m{/messages\S*" 202 }g) }, 'what was accepted was delivered');
    my %accepted = map { $_->[1] =~ /"id":"(\w+)","status":"(\w+)"/ ? ($1 => $2) : () } events(1);
    is(keys %accepted, scalar(() = $s->access_log =~ m{/messages\S*" 202 }g), 'an event for each message');
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
