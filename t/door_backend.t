# conf/nginx.conf, as an operator finds it: what the messaging backend and wap.cm see
# of a request.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Backend;
use Wassiit::Door;
use Wassiit::DoorBlocks;
use Test::Nginx::Socket;

my $backend = Wassiit::Backend->echo;
my $conf = door_text('nginx.conf');
$conf =~ s/server unix:(?:messaging|wapcm)\.sock/server $ENV{TEST_NGINX_BACKEND}/g == 2
    or die 'two backends';

our $Key = open_door(conf => $conf)->{keys}{all};
our $Odd = "\n{ \"text\":\"\xc3\xa9\\u0000\\/\" , \"x\":[1e0],\t"
         . "\"to\":\"+2126\\u0030\\u00300000\"}\r\n ";

# What a client says of itself.

our $Claims = <<'END';
X-Wassiit-Partner: boss
x-wassiit-partner: big
X_Wassiit_Partner: boss
X-Request-ID: mine
X-Forwarded-For: 10.9.8.7
X_API_Key: other
X-API-Timestamp: 1
x-api-SIGNATURE: c2ln
END

# The headers of these names that the backend has seen, line by line.

sub headers {
    my ($pattern) = @_;
    return sub {
        my ($head) = split /\r\n\r\n/, $_[0];
        return join '', map { "$_\n" } sort grep { /\A[^:]*$pattern/i } split /\r\n/, $head;
    };
}

# "ours" where a signature is by the contract, of now.

sub signed {
    my $seen = headers('api')->($_[0]);
    my ($time) = $seen =~ /^X-API-Timestamp: (\d+)$/m or return $seen;
    return $seen if abs($time - time) > 5;
    my $ours = signature(@Contract{qw(secret key)}, $time);
    return $seen =~ s/ \Q$ours\E$/ ours/mr =~ s/ $time$/ now/mr;
}

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: path and query
--- ask: POST /api/partner/v1/messages?a=b%20c all
--- response_body_like: \APOST /api/partner/v1/messages\?a=b%20c HTTP/1\.1\r\n


=== TEST 2: the partner, by us
--- ask: POST /api/partner/v1/messages all
--- more_headers eval: $::Claims
--- response_body_filters eval: main::headers('wassiit')
--- response_body
X-Wassiit-Partner: all


=== TEST 3: the request's id, by us
--- ask: POST /api/partner/v1/messages all
--- more_headers eval: $::Claims
--- passed: X-Request-ID
--- response_body_unlike: mine


=== TEST 4: the address, by us
--- ask: POST /api/partner/v1/messages all
--- more_headers eval: $::Claims
--- response_body_filters eval: main::headers('x-forwarded-for')
--- response_body
X-Forwarded-For: 127.0.0.1


=== TEST 5: no credentials, and no name with an underscore
--- ask: POST /api/partner/v1/messages all
--- more_headers eval: $::Claims
--- response_body_filters eval: main::headers('(?:api.key|timestamp|signature|_)')
--- response_body


=== TEST 6: the key nowhere else either
--- ask: POST /api/partner/v1/messages all
--- response_body_unlike eval: qr/\Q$::Key\E/


=== TEST 7: the body, untouched
--- raw_request eval
"POST /api/partner/v1/messages HTTP/1.1\r\nHost: h\r\nX-API-Key: $::Key\r\nConnection: close\r\n"
. "Content-Type: application/json\r\nContent-Length: " . length($::Odd) . "\r\n\r\n$::Odd"
--- response_body_like eval: qr/\r\n\r\n\Q$::Odd\E\z/


=== TEST 8: the path by which the scope was chosen
--- ask: GET /api/partner/v1/webhooks/..%2fmessages/1 only-messages.send
--- response_body_like: \AGET /api/partner/v1/messages/1 HTTP/1\.1\r\n


=== TEST 9: wap.cm: path and query
--- ask: POST /automation/?test=1&b=%2f all
--- response_body_like: \APOST /automation/\?test=1&b=%2f HTTP/1\.1\r\n


=== TEST 10: wap.cm: no partner, whoever a client says it is
--- ask: POST /automation/ all
--- more_headers eval: $::Claims =~ s/^X-API-.*\n//gmir
--- response_body_filters eval: main::headers('(?:wassiit|forwarded|_)')
--- response_body


=== TEST 11: wap.cm: our time, key and signature, and no others
--- ask: POST /automation/ all
--- more_headers eval: $::Claims =~ s/^X-API-.*\n//gmir
--- response_body_filters eval: \&main::signed
--- response_body eval
"X-API-Key: $Wassiit::Door::Contract{key}\nX-API-Signature: ours\nX-API-Timestamp: now\n"
