# conf/sandbox.conf: what its numbers, ids and references have in store, as a
# partner sees it through conf/nginx.conf: each block asks that front door, which
# is started once. The events that a partner is sent are t/sandbox_events.t's.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use Wassiit;
use Wassiit::Door;
use Test::Nginx::Socket;

our $Api = '/api/partner/v1';
our ($Key, $Secret) = (make_key('a partner'), encode_base64('a secret', ''));
our @Fates = qw(delivered read failed down slow);
our %Number = map { $Fates[ $_ - 1 ] => "+21260000000$_" } 1 .. 5;
our %Recipient = map { $Fates[ $_ - 1 ] => "69000000$_" } 1 .. 5;
our %Refused = (down => 'bad_gateway', slow => 'gateway_timeout');
our %Status = (map({ ($_ => 202) } @Fates), down => 502, slow => 504);

# Nobody waits 30 s here; 3 s are enough for a worker that is busy.

my $conf = door_text('nginx.conf');
$conf =~ s/^( {8}proxy_read_timeout) 30s;/$1 3s;/mg == 2 or die 'front door and egress wait';
our $Door = start_door('main', conf => $conf, partners => [
    partner('atlas', $Key, rate => '1000r/s', hmac_secret => $Secret,
            webhook_secret => "the receiver's") ]);

# Requests with a body: of JSON, a form.

sub post { my ($at, $body) = @_; return "POST $Api/$at\n$body" }
sub text { my ($to, @more) = @_; return encode_json({ to => $to, text => 'Hello', @more }) }

sub form {
    my ($to, $content, @more) = @_;
    return join("\r\n", '--edge', 'Content-Disposition: form-data; name="to"', @more, '', $to,
                '--edge', 'Content-Disposition: form-data; name="file"; filename="a.mp3"', '',
                $content, '--edge--');
}

sub otp {
    my ($recipient, $query, $size) = @_;
    return 'POST /automation/' . ($query // '') . "\n" . '{"more":"' . 'x' x ($size // 0)
        . '","reference":1,"country":"CM","recipient":"' . $recipient
        . '","scheduled":"2025-09-29T12:40:14.590Z","variables":{"recipient":"690000004"}}';
}

sub chunked { return sprintf "%x\r\n%s\r\n0\r\n\r\n", length $_[0], $_[0] }

# What an answer says: a code, or what it says in these fields.

sub told {
    my $json = eval { decode_json($_[0]) } or return $_[0];
    return "$json->{code}\n" if exists $json->{code};
    return "$json->{message}\n" if exists $json->{success} && !$json->{success};

    $json = $json->{data} if exists $json->{success};
    return join(' ', map { $json->{$_} =~ s/[0-9a-f]{32}/HEX/r }
                     grep { defined $json->{$_} } qw(id type status reference)) . "\n";
}

sub canonical { return JSON::PP->new->canonical->encode($_[0]) }
sub of { return [ map { "$_\n" } @_ ] }

# What became of each fate: what is told of it, or why it was refused.

sub fates { my ($told) = @_; return of(map { $Refused{$_} // $told->($_) } @Fates) }
sub statuses { my ($good) = @_; return [ map { $Refused{$_} ? $Status{$_} : $good } @Fates ] }

for my $block (blocks()) {
    $block->set_value(response_body_filters => \&told)
        unless defined $block->response_body_filters || !defined $block->response_body;
}

# A partner's headers. Of its own, more_headers is a text.

add_block_preprocessor(sub {
    my ($block) = @_;
    my @requests = ref $block->request ? @{ $block->request } : $block->request;
    my $more = $block->more_headers // '';

    $block->set_value(more_headers => [ map {
        my $type = /^--edge/m ? 'multipart/form-data; boundary=edge' : 'application/json';
        my ($time, $body) = (time, /\A[^\n]*\n(.+)/s ? $1 : '');
        my $signed = m{\A\w+ /automation}
            ? "X-API-Timestamp: $time\nX-API-Signature: "
              . signature($Secret, $Key, $time) . "\n" : '';
        "X-API-Key: $Key\n$signed" . ($body ne '' ? "Content-Type: $type\n" : '')
            . ($body ne '' && $more !~ /^Transfer/ ? 'Content-Length: ' . length($body) . "\n" : '')
            . $more } @requests ]);
});

no_nginx_manager();
server_port_for_client($Door->port);
no_long_string();
no_shuffle();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: a text, by its number
--- request eval: [ map { ::post('messages', ::text($::Number{$_})) } @::Fates ]
--- error_code eval: ::statuses(202)
--- response_body eval: ::fates(sub { "msg_$_[0]_HEX text queued" })


=== TEST 2: a text as another program writes it, the plus escaped, of 60 KB
--- request eval
[ map { my $to = $::Number{$_};
        map { ::post('messages', $_) } qq({ "text" : "Hello",\r\n\t"to"\n:  "$to" }),
            '{"to":"\u002b' . substr($to, 1) . '","text":"Hello"}', ::text($to, x => 'x' x 60000) }
      'read', 'down' ]
--- error_code eval: [ (202) x 3, (502) x 3 ]
--- response_body eval: ::of(('msg_read_HEX text queued') x 3, ('bad_gateway') x 3)


=== TEST 3: a text in chunks
--- request eval
[ map { ::post('messages', ::chunked(::text($::Number{$_}))) } 'read', 'down' ]
--- more_headers
Transfer-Encoding: chunked
--- error_code eval: [ 202, 502 ]
--- response_body eval: ::of('msg_read_HEX text queued', 'bad_gateway')


=== TEST 4: audio
--- request eval: [ map { ::post('messages/audio', ::form($::Number{$_}, 'x')) } @::Fates ]
--- error_code eval: ::statuses(202)
--- response_body eval: ::fates(sub { "msg_$_[0]_HEX audio queued" })


=== TEST 5: a document
--- request eval: [ map { ::post('messages/document', ::form($::Number{$_}, 'x')) } @::Fates ]
--- error_code eval: ::statuses(202)
--- response_body eval: ::fates(sub { "msg_$_[0]_HEX document queued" })


=== TEST 6: a document with a type on its number, and of 900 KB
--- request eval
[ map { my $to = $::Number{$_};
        map { ::post('messages/document', $_) } ::form($to, 'x', 'Content-Type: text/plain'),
            ::form($to, 'x' x 900_000) } 'read', 'down' ]
--- error_code eval: [ 202, 202, 502, 502 ]
--- response_body eval: ::of(('msg_read_HEX document queued') x 2, ('bad_gateway') x 2)


=== TEST 7: another number, a longer one, one in a text or elsewhere: an id without a fate
--- request eval
[ map { ::post('messages', $_) } '{"to":"+212600000006","text":"x"}',
      '{"to":"+2126000000031","text":"x"}',
      ::text('+212600000000', text => '"to": "+212600000003"'),
      '{"to":"+212600000000","text":"x","reply_to":"+212600000003"}' ]
--- error_code eval: [ (202) x 4 ]
--- response_body eval: ::of(('msg_HEX text queued') x 4)


=== TEST 8: a number in a file
--- request eval
[ ::post('messages/document', ::form('+212600000000', "{\"to\":\"$::Number{failed}\"}")) ]
--- error_code eval: [ 202 ]
--- response_body eval: ::of('msg_HEX document queued')


=== TEST 9: what looks like a number's part, again and again, is read once
--- request eval
[ ::post('messages/document', ::form('+212600000000', 'xxxxxxxx;name=to' x 100_000)) ]
--- error_code eval: [ 202 ]
--- response_body eval: ::of('msg_HEX document queued')


=== TEST 10: an id tells its fate
--- request eval: [ map { "GET $::Api/messages/msg_$_" } @::Fates ]
--- error_code eval: ::statuses(200)
--- response_body_like eval
[ map { $::Refused{$_} // "\"id\": *\"msg_$_\".*\"status\": *\"$_\"" }
      @::Fates ]


=== TEST 11: with more behind it, as in an answer
--- request eval
[ map { my $at = "GET $::Api/messages/msg_$_"; ("${at}_1", "${at}_" . 'a' x 32) }
      'delivered', 'read', 'failed', 'down' ]
--- error_code eval: [ (200) x 6, (502) x 2 ]
--- response_body_like eval
[ map({ ("\"id\": *\"msg_${_}_.*\"status\": *\"$_\"") x 2 } 'delivered', 'read', 'failed'),
  ('bad_gateway') x 2 ]


=== TEST 12: "slow", too
--- request eval: [ map { "GET $::Api/messages/msg_slow_$_" } 1, 'a' x 32 ]
--- error_code eval: [ 504, 504 ]
--- response_body_like eval: [ ('"gateway_timeout"') x 2 ]


=== TEST 13: other ids have none
--- request eval
[ map { "GET $::Api/messages/$_" } 'msg_1', 'msg_downs', 'msg_readily', 'xmsg_failed',
      'MSG_failed', 'msg_' . 'a' x 32 ]
--- error_code eval: [ (200) x 6 ]
--- response_body_like eval: [ ('"status": *"delivered"') x 6 ]


=== TEST 14: HEAD
--- request eval: [ map { "HEAD $::Api/messages/msg_$_" } 'read', 'down' ]
--- error_code eval: [ 200, 502 ]


=== TEST 15: a call, by its number
--- request eval
[ map { ::post('calls', JSON::PP::encode_json({ to => $::Number{$_}, type => 'voice' })) }
      @::Fates ]
--- error_code eval: ::statuses(202)
--- response_body_like eval
[ map { $::Refused{$_} // '\A(?=.*"type": *"voice")(?=.*"status": *"ringing")' } @::Fates ]


=== TEST 16: a video call
--- request eval: [ ::post('calls', '{"to":"+212600000000","type":"video"}') ]
--- error_code eval: [ 202 ]
--- response_body_like eval: [ '"type": *"video"' ]


=== TEST 17: a webhook repeats what it was said to be
--- request eval
my $hook = '{"active":false,"events":["message.received","message.status"],'
    . '"url":"https://atlas.example/hook?a=1"}';
[ map { "$_->[0] $::Api/webhooks$_->[1]\n$hook" } [ 'POST', '' ], [ 'PUT', '/hook_7' ],
      [ 'PATCH', '/hook_7' ] ]
--- error_code eval: [ 201, 200, 200 ]
--- response_body_filters eval
sub {
    my $json = JSON::PP::decode_json($_[0]);
    my $id = delete $json->{id};
    return $id =~ s/[0-9a-f]{32}/HEX/r . ' ' . ::canonical($json);
}
--- response_body eval
my $hook = ' {"active":false,"events":["message.received","message.status"],'
    . '"url":"https://atlas.example/hook?a=1"}';
[ map { "hook_$_$hook" } 'HEX', 7, 7 ]


=== TEST 18: what PATCH isn't sent stays, and what has quotes isn't repeated
--- request eval
[ "PATCH $::Api/webhooks/hook_7\n{\"active\":false}",
  ::post('webhooks', '{"url":"https://x/\\"","events":["a\\"b"]}') ]
--- error_code eval: [ 200, 201 ]
--- response_body_like eval
[ '"active": *false', '"url": *"https://partner.example/hook"' ]


=== TEST 19: what isn't there
--- request eval
[ map({ "GET $::Api/$_" } 'messages/msg_unknown', 'conversations/conv_unknown',
      'webhooks/hook_unknown'), "PATCH $::Api/webhooks/hook_unknown\n{\"active\":false}",
  "DELETE $::Api/webhooks/hook_unknown" ]
--- error_code eval: [ (404) x 5 ]


=== TEST 20: a reference that isn't there
--- request eval: [ 'GET /automation/WAP_unknown' ]
--- error_code eval: [ 404 ]
--- response_body_filters eval: sub { ::canonical(JSON::PP::decode_json($_[0])) }
--- response_body eval
[ '{"data":null,"message":"not_found","status":404,"success":false}' ]


=== TEST 21: automation, by its recipient, in its form
--- request eval: [ map { ::otp($::Recipient{$_}) } @::Fates ]
--- error_code eval: ::statuses(200)
--- response_body_like eval
[ map { $::Refused{$_} ? '\A(?=.*"success": *false).*"' . $::Refused{$_} . '"'
                       : "\\A(?=.*\"message\": *\"message_queued_successfully\")"
                         . "(?=.*\"reference\": *\"WAP_$_\\.[0-9a-f]{32}\")"
                         . ".*\"status\": *\"scheduled\"" }
      @::Fates ]


=== TEST 22: a reference tells its fate
--- request eval: [ map { "GET /automation/WAP_$_" } @::Fates ]
--- error_code eval: ::statuses(200)
--- response_body_like eval
[ map { $::Refused{$_} // "\"data\":.*\"status\": *\"$_\"" } @::Fates ]


=== TEST 23: as in an answer
--- request eval
[ map { "GET /automation/WAP_$_." . 'a' x 32 } 'delivered', 'read', 'failed' ]
--- error_code eval: [ (200) x 3 ]
--- response_body_like eval
[ map { "\"data\":.*\"status\": *\"$_\"" } 'delivered', 'read', 'failed' ]


=== TEST 24: automation of 60 KB
--- request eval: [ ::otp($::Recipient{down}, '', 60000) ]
--- error_code eval: [ 502 ]
--- response_body eval: ::of('bad_gateway')


=== TEST 25: another recipient: the documented answer
--- request eval: [ ::otp('690000006') ]
--- response_body_filters eval: sub { ::canonical(JSON::PP::decode_json($_[0])) }
--- response_body eval: [ ::canonical($::Documented) ]


=== TEST 26: other references have no fate
--- request eval
[ map { "GET /automation/$_" } 'WAP250929112004.X84803', 'WAP_downs', 'xWAP_failed' ]
--- error_code eval: [ (200) x 3 ]
--- response_body_like eval: [ ('"status": *"scheduled"') x 3 ]


=== TEST 27: a test costs nothing
--- request eval
[ ::otp('690000006', '?test=1'), map { ::otp('690000003', "?test=$_") } 1, 0, 11 ]
--- error_code eval: [ (200) x 4 ]
--- response_body_like eval: [ map { "\"cost\": *$_\\b" } 0, 0, 10, 10 ]


=== TEST 28: and has its fate
--- request eval: [ ::otp('690000003', '?test=1') ]
--- response_body_like eval: [ '"reference": *"WAP_failed\.' ]
