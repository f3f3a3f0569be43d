# conf/cors.conf, uncommented in conf/nginx.conf as it says: what a browser asks
# before a partner's tool may send, and what that tool may read.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Wassiit::DoorBlocks;
use Test::Nginx::Socket;

our $Origin = 'https://tools.partner.example';
our $Shipped = door_text('nginx.conf');
our ($Hello) = payload('/messages');
our ($Otp) = payload('/automation/');
our $Key;

my $lines = (my $conf = $Shipped) =~ s/^( *)# (include cors(?:_headers)?\.conf;)$/$1$2/mg;
die "$lines lines to uncomment" if $lines != 3;

# What is told of a request's own headers, and what a browser lets be read anyway.
my ($exposed) = door_text('cors.conf') =~ /set \$cors_exposed "([^"]+)"/ or die 'no headers';
my $known = join '|', split(/, /, $exposed), 'Access-Control-\S+',
    qw(Cache-Control Content-Length Content-Type Server Date Connection Vary);

# A backend with an opinion of its own: it isn't asked.
my $sandbox = door_text('sandbox.conf');
$sandbox =~ s/(listen unix:messaging\.sock;)/$1
    add_header Access-Control-Allow-Origin * always;
    add_header Access-Control-Allow-Credentials true always;
    add_header Access-Control-Expose-Headers X-Other always;/ or die 'no messaging backend';

my $door = open_door(conf => $conf, sandbox => door_moved($sandbox, 'blocks'),
                     files => { map { $_ => door_text($_) } qw(cors.conf cors_headers.conf) });
$Key = $door->{keys}{all};

# What a browser asks before a page of that origin may send by this method.

sub asks {
    my ($method, $origin) = @_;
    return "Access-Control-Request-Method: $method\nAccess-Control-Request-Headers: "
        . 'content-type,x-api-key,x-api-signature,x-api-timestamp'
        . (defined $origin ? "\nOrigin: $origin" : '');
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(suppress_stderr => 1);    # nginx would have more room for variables

    if (($block->preflight // '') =~ m{(\S+) (\S+)(?: (.+))?}) {
        my ($method, $uri, $methods) = ($1, $2, $3);
        my $allow = defined $methods ? "Access-Control-Allow-Methods: $methods"
            : '! Access-Control-Allow-Methods';

        $block->set_value(ask => "OPTIONS $uri");
        $block->set_value(more_headers => asks($method, $Origin));
        $block->set_value(error_code => 204);
        $block->set_value(response_body => '');
        $block->set_value(response_headers => <<"END");
Access-Control-Allow-Origin: $Origin
$allow
Access-Control-Allow-Headers: X-API-Key, X-API-Timestamp, X-API-Signature, Content-Type
Vary: Origin
! Access-Control-Allow-Credentials
! RateLimit
END
        $block->set_value(raw_response_headers_like => '(?m)^Access-Control-Max-Age: '
                          . '(?:[6-9]\d|\d{3,})\r$');
    }

    # A page may read the last answer, with all headers that are documented.
    if (defined $block->readable) {
        my $before = ref $block->ask ? $#{ $block->ask } : 0;

        $block->set_value(more_headers => "Origin: $Origin") unless defined $block->more_headers;
        my $headers = <<"END";
Access-Control-Allow-Origin: $Origin
Access-Control-Expose-Headers: $exposed
Vary: Origin
! Access-Control-Allow-Credentials
END
        my $unlike = qr/^(?!(?:$known):)[^:\r\n]+:/mi;
        $block->set_value(response_headers => [ ('') x $before, $headers ]);
        $block->set_value(raw_response_headers_unlike => [ ('(?!)') x $before, $unlike ]);
    }

    # Another origin, or none: no preflight, and an answer that says so to nobody.
    if (defined(my $other = $block->other)) {
        my $from = $other =~ /\S/ ? $other =~ s/\n//r : undef;
        my $origin = defined $from ? "Origin: $from" : '';

        $block->set_value(ask => [ map { "$_ all" } 'OPTIONS /api/partner/v1/messages',
                                   'POST /api/partner/v1/messages', 'GET /' ]);
        $block->set_value(more_headers => [ asks('POST', $from), $origin, $origin ]);
        $block->set_value(error_code => [ 405, 202, 404 ]);
        $block->set_value(raw_response_headers_unlike => [ ('(?i)Access-Control-') x 3 ]);
        $block->set_value(response_headers => [ '', ('Vary: Origin') x 2 ]);
    }
});

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: as shipped: no preflight, no word of it, the same to all
--- conf eval: sub { s/^( *)(include cors)/$1# $2/mg == 3 or die }
--- sandbox: shipped
--- ask eval
[ "OPTIONS /api/partner/v1/messages", "POST /api/partner/v1/messages all", 'GET /',
  'POST /automation/' ]
--- more_headers eval: [ main::asks('POST', $::Origin), ("Origin: $::Origin") x 3 ]
--- error_code eval: [ 405, 202, 404, 401 ]
--- raw_response_headers_unlike eval: [ ('(?mi)^(?:Access-Control-|Vary:)') x 4 ]


=== TEST 2: asked before a message
--- preflight: POST /api/partner/v1/messages POST


=== TEST 3: asked before an audio
--- preflight: POST /api/partner/v1/messages/audio POST


=== TEST 4: asked before a delivery
--- preflight: HEAD /api/partner/v1/messages/msg_1 GET, HEAD


=== TEST 5: asked before a call
--- preflight: POST /api/partner/v1/calls POST


=== TEST 6: asked before conversations
--- preflight: HEAD /api/partner/v1/conversations GET, HEAD


=== TEST 7: asked before a new webhook
--- preflight: POST /api/partner/v1/webhooks GET, HEAD, POST


=== TEST 8: asked before a webhook
--- preflight: DELETE /api/partner/v1/webhooks/hook_1 GET, HEAD, PUT, PATCH, DELETE


=== TEST 9: asked before an automation
--- preflight: POST /automation/ POST


=== TEST 10: asked before its status
--- preflight: HEAD /automation/WAP_read GET, HEAD


=== TEST 11: asked before an automation without the slash
--- preflight: POST /automation


=== TEST 12: asked before nothing
--- preflight: POST /nothing


=== TEST 13: OPTIONS that asks for nothing is a wrong method
--- ask: OPTIONS /api/partner/v1/messages
--- more_headers eval: "Origin: $::Origin"
--- error_code: 405


=== TEST 14: a developer's own machine
--- ask: OPTIONS /api/partner/v1/messages
--- more_headers eval: main::asks('POST', 'http://localhost:5173')
--- error_code: 204


=== TEST 15: a tool may read: a message
--- ask: POST /api/partner/v1/messages all
--- error_code: 202
--- readable


=== TEST 16: a tool may read: a list
--- ask: GET /api/partner/v1/conversations all
--- error_code: 200
--- readable


=== TEST 17: a tool may read: an automation
--- ask: POST /automation/ all
--- error_code: 200
--- readable


=== TEST 18: a tool may read: an automation without the slash
--- ask: POST /automation all
--- error_code: 200
--- readable


=== TEST 19: a tool may read: no key
--- ask: GET /api/partner/v1/conversations
--- error_code: 401
--- readable


=== TEST 20: a tool may read: no key, automation
--- ask: POST /automation/
--- error_code: 401
--- readable


=== TEST 21: a tool may read: a missing scope
--- ask: GET /api/partner/v1/conversations none
--- error_code: 403
--- readable


=== TEST 22: a tool may read: a wrong number
--- ask: POST /api/partner/v1/messages all
--- body: {"to":"0600"}
--- error_code: 400
--- readable


=== TEST 23: a tool may read: a wrong country
--- ask: POST /automation/ all
--- body eval: $::Otp =~ s/CM/XX/r
--- error_code: 400
--- readable


=== TEST 24: a tool may read: a wrong type
--- ask: POST /api/partner/v1/messages all
--- type: text/plain
--- error_code: 415
--- readable


=== TEST 25: a tool may read: a wrong method
--- ask: DELETE /api/partner/v1/messages all
--- error_code: 405
--- readable


=== TEST 26: a tool may read: a wrong method, automation
--- ask: GET /automation/ all
--- error_code: 405
--- readable


=== TEST 27: a tool may read: no such path
--- ask: GET /nothing all
--- error_code: 404
--- readable


=== TEST 28: a tool may read: a backend's 404
--- ask: GET /api/partner/v1/messages/a/b all
--- error_code: 404
--- readable


=== TEST 29: a tool may read: a dead backend
--- ask: GET /api/partner/v1/messages/msg_down all
--- error_code: 502
--- readable


=== TEST 30: a tool may read: a dead backend, automation
--- ask: GET /automation/WAP_down all
--- error_code: 502
--- readable


=== TEST 31: a tool may read: too long a body, in chunks
--- raw_request eval
"POST /api/partner/v1/messages HTTP/1.1\r\nHost: h\r\nX-API-Key: $::Key\r\nConnection: close\r\n"
    . "Origin: $::Origin\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    . sprintf("%x\r\n%s\r\n0\r\n\r\n", 70000, ' ' x 70000)
--- error_code: 413
--- readable


=== TEST 32: a tool may read: no second one in an hour
--- ask eval: [ ('GET /api/partner/v1/conversations once') x 2 ]
--- error_code eval: [ 200, 429 ]
--- readable


=== TEST 33: a tool may read: no second one in an hour, automation
--- ask eval: [ 'GET /api/partner/v1/conversations once', 'POST /automation/ once' ]
--- error_code eval: [ 200, 429 ]
--- readable


=== TEST 34: no origin: as none
--- other


=== TEST 35: another origin: as none
--- other: https://other.example


=== TEST 36: "null": as none
--- other: null


=== TEST 37: an origin that goes on: as none
--- other: https://tools.partner.example.example


=== TEST 38: an origin that begins before: as none
--- other: xhttps://tools.partner.example


=== TEST 39: another scheme: as none
--- other: http://tools.partner.example


=== TEST 40: another port: as none
--- other: https://tools.partner.example:8443


=== TEST 41: what only begins as localhost: as none
--- other: http://localhost.example


=== TEST 42: an empty port: as none
--- other: http://localhost:


=== TEST 43: what only begins as an address: as none
--- other: http://127.0.0.1:1.example


=== TEST 44: localhost by https: as none
--- other: https://localhost


=== TEST 45: two origins: as none
--- other: https://tools.partner.example, https://tools.partner.example


=== TEST 46: an unknown coding is refused at once, and the log is clean
--- raw_request eval
"GET /api/partner/v1/messages/1 HTTP/1.1\r\nHost: a\r\nOrigin: $::Origin\r\n"
    . "Transfer-Encoding: zip\r\n\r\n"
--- error_code: 501
--- no_error_log: uninitialized


=== TEST 47: too long a header is refused at once, and the log is clean
--- ask: GET /api/partner/v1/messages/1
--- more_headers eval: "Origin: $::Origin\nX-API-Key: " . 'x' x 9000
--- error_code: 400
--- no_error_log: uninitialized


=== TEST 48: asked beforehand, it costs nothing of a limit, not even of an address's
--- conf eval
sub { s/rate=500r\/s;/rate=1r\/m;/ && s/burst=500 nodelay;/nodelay;/ or die }
--- ask eval
[ ('OPTIONS /api/partner/v1/messages') x 5, ('POST /api/partner/v1/messages all') x 2 ]
--- more_headers eval: [ (main::asks('POST', $::Origin)) x 5, ("Origin: $::Origin") x 2 ]
--- error_code eval: [ (204) x 5, 202, 429 ]
--- readable
