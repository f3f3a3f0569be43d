# wassiit_egress public: whatever way an address is written, and by whatever way
# a request goes, nothing inside is connected to. What is public, slow clients,
# HTTP/2 and connections that are kept are t/egress_net.t's.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Dns;
use Wassiit::Listener;
use Test::Nginx::Socket;

our $Inside = Wassiit::Listener->start;
our $Port = $Inside->port;
our $Unix = $Inside->unix;
our $Dns = Wassiit::Dns->start(
    'local.test' => { A => [ ['127.0.0.1'] ] },
    'kept.test' => { A => [ ['127.0.0.1'] ], ttl => 3600 },
    'local6.test' => { AAAA => [ ['::1'] ] },
    'mapped.test' => { AAAA => [ ['::ffff:127.0.0.1'] ] },
    'private.test' => { A => [ ['10.0.0.1', '192.168.0.1', '169.254.169.254'] ],
                        AAAA => [ ['fd00::1'] ] },
    'alias.test' => { CNAME => 'local.test' },
    'messaging' => { A => [ ['127.0.0.1'] ] },
    'empty.test' => {},
);
our $Resolver = 'resolver 127.0.0.1:' . $Dns->port . ';';

our $Loopback = 'nothing goes to \S+, which is loopback';
# The last is one that the resolver has kept.
our @Names = map { "$_:$Port" } '127.0.0.1', 'local.test', 'kept.test', 'kept.test';

sub hosts { return [ map { "http://$_:$Port/" } @_ ] }

# Before each answer: whom the listener inside has seen.
sub came { return 'came:' . join('', map { " $_" } $Inside->came) . "\n$_[0]" }

# "to" are the addresses of a request each to /t; "why" is what the log says, of
# 10 at most, as it takes no more in a second. With "reaches" each is sent there.

for my $block (blocks()) {
    my $to = $block->to // next;
    die $block->name . ": $to" unless ref $to && @$to <= 10;
    my $n = @$to;
    my ($method) = ($block->method // 'GET') =~ /(\w+)/;

    $block->set_value(request => [ ("$method /t") x $n ]);
    $block->set_value(more_headers => [ map { "X-To: $_\n" } @$to ]);
    $block->set_value(response_body_filters => \&came);
    if (defined $block->reaches) {
        chomp(my $address = $block->reaches);
        $block->set_value(response_body_like => [ (qr/\Acame: \Q$address\E\n\Q$address\E /) x $n ]);
        next;
    }

    chomp(my $status = $block->error_code // '502');
    chomp(my $why = $block->why // $Loopback);
    chomp(my $page = $block->page // ($status eq '502' ? '"code":"bad_gateway"' : ''));
    $block->set_value(error_code => [ ($status) x $n ]);
    $block->set_value(response_body_like => [ (qr/\Acame:\n.*$page/s) x $n ]);
    $block->set_value(error_log => qr/\[error\].*(?:$why)/);
}

add_block_preprocessor(sub {
    my ($block) = @_;
    my $config = $block->config // 'location /t { proxy_pass $http_x_to; }';

    $block->set_value(http_config => <<"END" . ($block->http_config // ''));
        upstream inner { server 127.0.0.1:$Port; keepalive 4; }
        upstream two { server 127.0.0.1:$Port; server unix:$Unix; }
        wassiit_egress public;
END
    my $resolver = defined $block->unresolved ? '' : $Resolver;
    $block->set_value(config => <<"END" . ($config =~ s/PORT/$Port/gr =~ s/UNIX/$Unix/gr));
        $resolver
        error_page 500 502 503 504 \@problem;
        location \@problem { wassiit_problem; }
END
});

log_level('info');
no_long_string();
no_shuffle();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: loopback
--- to eval: ::hosts('127.0.0.1', '127.1.2.3', '127.000.000.001')


=== TEST 2: loopback of IPv6
--- to eval
::hosts('[::1]', '[0:0:0:0:0:0:0:1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]')


=== TEST 3: unspecified
--- to eval: ::hosts('0.0.0.0', '[::]')
--- why: which is unspecified


=== TEST 4: multicast
--- to eval: ::hosts('224.0.0.1', '[ff02::1]')
--- why: which is multicast


=== TEST 5: reserved
--- to eval: ::hosts('240.0.0.1')
--- why: which is reserved


=== TEST 6: private
--- to eval
::hosts('10.0.0.1', '172.16.0.1', '192.168.0.1', '[::ffff:10.0.0.1]', '[fd00::1]')
--- why: which is private


=== TEST 7: private, in an address that leads there
--- to eval: ::hosts('[64:ff9b::10.0.0.1]', '[2002:a00:1::1]')
--- why: which is private


=== TEST 8: link-local
--- to eval: ::hosts('169.254.169.254', '[fe80::1]')
--- why: which is link-local


=== TEST 9: site-local
--- to eval: ::hosts('[fec0::1]')
--- why: which is site-local


=== TEST 10: shared
--- to eval: ::hosts('100.64.0.1')
--- why: which is shared


=== TEST 11: a cloud's own
--- to eval: ::hosts('168.63.129.16')
--- why: which is a cloud's own


=== TEST 12: IPv4-compatible
--- to eval: ::hosts('[::127.0.0.1]')
--- why: which is IPv4-compatible


=== TEST 13: local NAT64
--- to eval: ::hosts('[64:ff9b:1::1]')
--- why: which is local NAT64


=== TEST 14: for documentation
--- to eval: ::hosts('[2001:db8::1]')
--- why: which is for documentation


=== TEST 15: a scope
--- to eval: ::hosts('[fe80::1%lo]')
--- why: invalid host|invalid IPv6


=== TEST 16: broadcast, and numbers that only inet_aton() knows, are unknown names
--- to eval
::hosts('255.255.255.255', '127.1', '0', '2130706433', '0x7f000001', '0x7f.0.0.1', '017700000001',
        '127.0.0.1.', 'x@127.0.0.1')
--- why: could not be resolved


=== TEST 17: a name of loopback
--- to eval
::hosts('local.test', 'LOCAL.Test', 'local.test.', 'alias.test', 'local6.test', 'mapped.test',
        'messaging')


=== TEST 18: a name of private addresses
--- to eval: ::hosts('private.test')
--- why: which is private


=== TEST 19: a name of nothing
--- to eval: ::hosts('none.test', 'empty.test', 'localhost')
--- why: could not be resolved


=== TEST 20: an upstream{}
--- to eval: [ 'http://inner/', 'http://INNER/' ]


=== TEST 21: a unix socket
--- to eval: [ "http://unix:$::Unix:/", "http://unix:$::Unix", 'http://two/' ]
--- why: which is a unix socket


=== TEST 22: no port
--- to eval: [ map { "http://$_/" } '127.0.0.1:0', '127.0.0.1:99999' ]
--- why: invalid port


=== TEST 23: no host
--- to eval: [ "http://:$::Port/", 'http:///' ]
--- why: no host


=== TEST 24: HTTPS
--- to eval: [ "https://127.0.0.1:$::Port/" ]


=== TEST 25: another scheme, or no address
--- to eval: [ 'ftp://127.0.0.1/', '' ]
--- why: invalid URL prefix


=== TEST 26: FastCGI
--- config
location /t { fastcgi_pass $http_x_to; }
--- to eval: [ @::Names ]


=== TEST 27: uwsgi
--- config
location /t { uwsgi_pass $http_x_to; }
--- to eval: [ @::Names ]


=== TEST 28: SCGI
--- config
location /t { scgi_pass $http_x_to; }
--- to eval: [ @::Names ]


=== TEST 29: gRPC
--- config
location /t { grpc_pass $http_x_to; }
--- to eval: [ map { "grpc://$_" } @::Names ]


=== TEST 30: through a cache
--- http_config
    proxy_cache_path $TEST_NGINX_SERVROOT/cache keys_zone=cache:1m;
--- config
location /t {
    proxy_cache cache; proxy_cache_key $http_x_to$uri; proxy_cache_valid 200 1h;
    proxy_pass $http_x_to;
}
--- to eval: [ map { "http://$_/" } @::Names ]


=== TEST 31: signed
--- http_config
    wassiit_zone zone=partners:1m file=partners.jsonl;
--- partners
{"id":"atlas","webhook_secret":"secret"}
--- config
location /t { wassiit_webhook_sign zone=partners partner=atlas; proxy_pass $http_x_to; }
--- to eval: [ map { "http://$_/" } @::Names ]


=== TEST 32: not buffered
--- config
location /t { proxy_request_buffering off; proxy_http_version 1.1; proxy_pass $http_x_to; }
--- to eval: [ map { "http://$_/" } @::Names ]


=== TEST 33: with an if in the location
--- config
location /t { if ($request_method) { set $x 1; } proxy_pass $http_x_to; }
--- to eval: [ map { "http://$_/" } @::Names ]


=== TEST 34: with limit_except, for the method and for others
--- config
location /t { limit_except GET { allow all; } proxy_pass $http_x_to; }
--- to eval: [ map { "http://$_/" } @::Names ]


=== TEST 35: for another method
--- config
location /t { limit_except GET { allow all; } proxy_pass $http_x_to; }
--- method: PUT
--- to eval: [ map { "http://$_/" } @::Names ]


=== TEST 36: by a named location
--- config
location /t { try_files /none @named; }
location @named { proxy_pass $http_x_to; }
--- to eval: [ map { "http://$_/" } @::Names ]


=== TEST 37: by error_page
--- config
location /t { error_page 404 = /to; return 404; }
location /to { proxy_pass $http_x_to; }
--- to eval: [ map { "http://$_/" } @::Names ]
--- page: 502 Bad Gateway


=== TEST 38: by auth_request
--- config
location /t { auth_request /to; empty_gif; }
location /to { proxy_pass $http_x_to; }
--- to eval: [ map { "http://$_/" } @::Names ]
--- error_code: 500


=== TEST 39: memcached
--- config
location /t { set $memcached_key x; memcached_pass 127.0.0.1:PORT; }
--- to eval: [ '' ]


=== TEST 40: an upstream{} of the configuration's
--- config
location /t { proxy_pass http://inner; }
--- to eval: [ '' ]


=== TEST 41: one of which a server is a unix socket
--- config
location /t { proxy_pass http://two; }
--- to eval: [ '' ]


=== TEST 42: an address of the configuration's
--- config
location /t { proxy_pass http://[::1]:PORT; }
--- to eval: [ '' ]


=== TEST 43: a unix socket of the configuration's
--- config
location /t { proxy_pass http://unix:UNIX:/; }
--- to eval: [ '' ]
--- why: which is a unix socket


=== TEST 44: a name, without a resolver
--- unresolved
--- to eval: ::hosts('local.test')
--- why: no resolver defined


=== TEST 45: a file doesn't go upstream
--- user_files
>>> file
it works
--- request
GET /file
--- response_body
it works


=== TEST 46: nor does an answer of the location's own
--- config
location /t { empty_gif; }
--- request
GET /t
--- response_headers
Content-Length: 43
--- raw_response_headers_like: \nContent-Type: image/gif\r\n


=== TEST 47: nor that of another module
--- config
location /t { stub_status; }
--- request
GET /t
--- response_body_like: ^Active connections


=== TEST 48: nor nothing
--- request
GET /none
--- error_code: 404


=== TEST 49: a location's own error is as it was
--- config
location /t { empty_gif; }
--- request
POST /t
--- error_code: 405


=== TEST 50: "any": loopback, and a name of it
--- config
location /t { wassiit_egress any; proxy_pass $http_x_to; }
--- to eval: [ map { "http://$_/" } @::Names ]
--- reaches: 127.0.0.1


=== TEST 51: "any": a unix socket
--- config
location /t { wassiit_egress any; proxy_pass $http_x_to; }
--- to eval: [ "http://unix:$::Unix:/" ]
--- reaches: unix
