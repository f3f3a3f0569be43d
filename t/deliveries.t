# The egress of conf/nginx.conf, as shipped: which addresses a delivery may name,
# and that nothing inside is reached. Each block asks that front door, which is
# started once. Receivers, and bodies of any size, are t/deliveries_receiver.t's.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Wassiit::Listener;
use Test::Nginx::Socket;

our $Inside = Wassiit::Listener->start;
our $Port = $Inside->port;
our $Messaging = test_dir() . '/main-messaging.sock';

# On a port, too, which a block can connect to.

my $conf = door_text('nginx.conf');
$conf =~ s/(listen unix:egress\.sock;)/$1 listen %%PORT_4%%;/ or die 'no egress';
$conf =~ s/(resolver 127\.0\.0\.1;)/$1 resolver_timeout 1s;/ or die 'no resolver';
our $Door = start_door('main', conf => $conf,
    files => { 'webhook.secret' => "a receiver's\n" },
    partners => [ { id => 'atlas', webhook_secret => "a receiver's" }, partner('poor', 'a key') ]);

# Whom the listener inside has seen is told before each answer.

sub came { return join('', map { "came: $_\n" } $Inside->came) . $_[0] }

# "to" are the addresses of a delivery each; none of these goes out, and what it
# gets is the status, and of a 502 its code.

for my $block (blocks()) {
    my $to = $block->to // next;
    die $block->name . ": $to" unless ref $to;
    my ($n, $status) = (scalar @$to, $block->error_code =~ /(\d+)/);

    $block->set_value(request => [ ("POST /atlas\nx") x $n ]);
    $block->set_value(more_headers => [ map { "X-Delivery-URL: $_\n" } @$to ]);
    $block->set_value(error_code => [ ($status) x $n ]);
    $block->set_value(response_body_filters => \&came);
    my $code = { 400 => 'bad_request', 502 => 'bad_gateway' }->{$status};
    $block->set_value(response_body_like => [ (qr/\A\{.*"code":"$code"/) x $n ]);
}

no_nginx_manager();
server_port_for_client($Door->port(4));
no_long_string();
no_shuffle();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: another scheme, or none
--- to eval: [ 'ftp://127.0.0.1/', 'unix:/x', '//a.example/' ]
--- error_code: 400


=== TEST 2: no host
--- to eval: [ 'http://', 'http://[', 'http:///x', 'http://[:]/', 'http://[' . '0' x 46 . ']/' ]
--- error_code: 400


=== TEST 3: what no host has in it
--- to eval
[ 'http://a b/', 'http://127.0.0.1@/', 'http://x{}/', 'http://u@a.example/',
  'http://u:p@a.example/', "http://\xc3\xa9.example/", 'http://a.example\\b/',
  'http://[fe80::1%25lo]/',
  'http://a.example,http://b.example/' ]
--- error_code: 400


=== TEST 4: a unix socket
--- to eval
[ 'http://unix:/x:/', "http://unix:$::Messaging:/", 'http://unix:' . $::Inside->unix . ':/' ]
--- error_code: 400


=== TEST 5: an upstream{} of the configuration
--- to eval: [ 'http://messaging/', 'http://MESSAGING/', 'https://wapcm/automation/' ]
--- error_code: 400


=== TEST 6: names of this machine, and numbers that some read as its address
--- to eval
[ map { "http://$_/" } 'localhost', "localhost:$::Port", '0', '127.1', '2130706433', '0x7f000001',
      '0x7f.0.0.1', '0177.0.0.1', '127.0.0.1.', 'a.1' ]
--- error_code: 400


=== TEST 7: names that are none
--- to eval
[ map { "http://$_/" } '.example', 'a..example', 'a' x 64 . '.example', 'a.example-',
      'a.' . 'a' x 64, 'a.' x 31 . 'example' ]
--- error_code: 400


=== TEST 8: ports that are none
--- to eval
[ map { "http://$_/" } '127.0.0.1:x', 'a.example:0', 'a.example:65536', 'a.example:99999',
      'a.example:080', 'a.example:' ]
--- error_code: 400


=== TEST 9: what no path has in it
--- to eval
[ map { "http://a.example$_" } '/a b', "/a\tb", "/\x01", "/\x7f", "/\xc3\xa9", '/#x', '#x' ]
--- error_code: 400


=== TEST 10: ports that are one
--- to eval
[ map { "http://127.0.0.1:$_/" } 1, 9999, 59999, 64999, 65499, 65529, 65535 ]
--- error_code: 502


=== TEST 11: a name may end in a dot
--- to eval: [ 'http://a.example./' ]
--- error_code: 502


=== TEST 12: nothing inside is reached
--- to eval
[ map { "http://$_/hook" } "127.0.0.1:$::Port", "127.9.9.9:$::Port", "0.0.0.0:$::Port",
      "[::1]:$::Port", "[::ffff:127.0.0.1]:$::Port", "[::]:$::Port", "[0:0::1]:$::Port",
      '10.0.0.1', '192.168.1.1:8080', '169.254.169.254', '[fd00::1]', '[::]' ]
--- error_code: 502


=== TEST 13: no address
--- request
POST /atlas
x
--- error_code: 400
--- response_body_like: "code":"bad_request"


=== TEST 14: a path that is none
--- request
POST /atlas%00
x
--- more_headers
X-Delivery-URL: http://127.0.0.1/
--- error_code: 400
--- response_body_like: "code":"bad_request"


=== TEST 15: not by GET
--- request
GET /atlas
--- more_headers
X-Delivery-URL: http://127.0.0.1/
--- error_code: 405


=== TEST 16: not elsewhere
--- request
POST /a/b
x
--- more_headers
X-Delivery-URL: http://127.0.0.1/
--- error_code: 404


=== TEST 17: the sandbox's receiver accepts a delivery
--- request
POST /sandbox/atlas
hello
--- response_body chomp
{"received":true}


=== TEST 18: of a partner with a secret alone
--- request eval: [ map { "POST /sandbox/$_\nx" } 'poor', 'nobody' ]
--- error_code eval: [ 502, 502 ]


=== TEST 19: by POST alone
--- request
GET /sandbox/atlas
--- error_code: 405
