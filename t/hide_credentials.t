# wassiit_hide_credentials: what travels on to a backend is everything but the
# credentials, byte by byte, wherever they stand among other headers.
# Subrequests are t/hide_credentials_sub.t's.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Backend;
use Test::Nginx::Socket;

our $Backend = Wassiit::Backend->echo;

our $To = 'proxy_pass http://$TEST_NGINX_BACKEND';
our $Credential = qr/x[-_]api[-_](?:key|timestamp|signature)/i;
our $All = <<'END';
X-API-Key: atlas-key
x-api-timestamp: SECRET1
X-Api-Signature: SECRET2
X_API_Key: SECRET3
x_api-key: SECRET4
X-API_TIMESTAMP: SECRET5
X_API_Signature: SECRET6
X_API_Key: SECRET7
X-Other: stays
END

# No credential in what is sent, and the other header.

our $Clean = qr/\A(?!.*(?:$Credential|SECRET|atlas-key)).*x[-_]other[^s]*stays/is;

# Credentials at these places among so many headers: the request's, and what of
# them is left. Names that nginx keeps pointers to lie among the others.

our @Known = ('User-Agent', 'Accept-Encoding', 'Cookie', 'Referer', 'If-None-Match', 'Range');

sub among {
    my ($total, @places) = @_;
    my %here = map { $_ => 1 } @places;
    my ($sent, $left, $n) = ('', '', 0);

    for my $i (1 .. $total) {
        if ($here{$i}) {
            my $name = (qw(X-API-Key X_API_Key x-api_timestamp X-API-Signature))[$n++ % 4];
            $name = 'X_API_Key'
                if $name eq 'X-API-Key' && $n > 1 || $name eq 'X-API-Signature' && $n > 4;
            $sent .= "$name: " . ($n == 1 ? 'atlas-key' : 'SECRET') . "\n";
        } else {
            my $line = ($i % 7 ? "X-H$i" : $Known[$i / 7 % @Known]) . ": v$i\n";
            $sent .= $line;
            $left .= $line;
        }
    }

    return [ "${sent}Host: h\n", $left ];
}

# "places" are such cases, one of many headers each: total, place, place, ...

for my $block (blocks()) {
    my $places = $block->places or next;
    die $block->name . ": $places" unless ref $places;
    my @cases = map { among(@$_) } @$places;

    $block->set_value(request => [ map { 'GET /t' } @cases ]);
    $block->set_value(more_headers => [ map { $_->[0] } @cases ]);
    $block->set_value(response_body => [ map { $_->[1] } @cases ]);
    $block->set_value(response_body_filters => sub {
        my ($seen) = @_;
        $seen =~ s/\A.*?\r\nHost: .*?\r\n(?:Connection: close\r\n)?(.*)\r\n\z/$1/s;
        return $seen =~ s/\r//gr;
    });
    $Test::Nginx::Util::TestNginxSleep = 0.002;     # no log is looked at
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(partners => '{"id":"atlas","rate":"100000r/d","key":"atlas-key"}');
    $block->set_value(request => 'GET /t') unless defined $block->request;
    $block->set_value(more_headers => $All) unless defined $block->more_headers;
    $block->set_value(config => "location /t { wassiit_access api; $To; }")
        unless defined $block->config;
    $block->set_value(http_config => <<'END' . ($block->http_config // ''));
        wassiit_zone zone=api:1m file=partners.jsonl;
        underscores_in_headers on;
        large_client_header_buffers 8 32k;
        client_header_buffer_size 16k;
END
});

log_level('info');
no_long_string();
no_shuffle();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: HTTP
--- response_body_like eval: $::Clean


=== TEST 2: FastCGI
--- config
location /t { wassiit_access api; fastcgi_pass $TEST_NGINX_BACKEND; fastcgi_param A b; }
--- response_body_like eval: $::Clean


=== TEST 3: uwsgi
--- config
location /t { wassiit_access api; uwsgi_pass $TEST_NGINX_BACKEND; uwsgi_param A b; }
--- response_body_like eval: $::Clean


=== TEST 4: SCGI
--- config
location /t { wassiit_access api; scgi_pass $TEST_NGINX_BACKEND; scgi_param A b; }
--- response_body_like eval: $::Clean


=== TEST 5: gRPC
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT_2 http2;
        set $all "$http_x_api_key|$http_x_api_timestamp|$http_x_api_signature";
        add_header X-Seen "$all|$http_x_other";
        location / { return 204; }
    }
--- config
location /t { wassiit_access api; grpc_pass grpc://127.0.0.1:$TEST_NGINX_PORT_2; }
--- error_code: 204
--- response_headers
X-Seen: |||stays


=== TEST 6: off: all pass, in order
--- config eval
"location /t { wassiit_access api; wassiit_hide_credentials off; $::To; }"
--- response_body_like eval: CORE::join '\r\n', split /\n/, $::All


=== TEST 7: where access is off, too
--- config eval: "wassiit_access api; location /t { wassiit_access off; $::To; }"
--- response_body_like eval: CORE::join '\r\n', split /\n/, $::All


=== TEST 8: off, and on below it
--- config eval
"location /in {
     wassiit_access api; wassiit_hide_credentials off;
     location /in/on { wassiit_hide_credentials on; $::To; }
 }"
--- request
GET /in/on
--- response_body_like eval: $::Clean


=== TEST 9: refused where off, error_page to where on
--- config eval
"wassiit_access api;
 location /t {
     wassiit_hide_credentials off; wassiit_scope files.send \$arg_x; error_page 403 = /x;
 }
 location /x { $::To; }"
--- request
GET /t?x=nosuch
--- response_body_like eval: $::Clean


=== TEST 10: proxy_set_header puts its own
--- config eval
"location /t {
     wassiit_access api;
     proxy_set_header X-API-Key ours; proxy_set_header X-Late 1; $::To;
 }"
--- response_body_filters eval
sub { CORE::join '', map { "$_\n" } $_[0] =~ /^((?:$::Credential|X-Late): .*)\r$/mg }
--- response_body
X-API-Key: ours
X-Late: 1


=== TEST 11: the variables are empty
--- config eval
"location /t {
     wassiit_access api;
     proxy_set_header X-Left \"[\$http_x_api_key\$http_x_api_signature]\"; $::To;
 }"
--- response_body_like: \r\nX-Left: \[\]\r\n


=== TEST 12: a credential at each place among up to 5 headers
--- places eval
[ map { my $n = $_; (map({ [ $n, $_ ] } 1 .. $n), [ $n, 1 .. $n ], [ $n, 1, $n ]) } 1 .. 5 ]


=== TEST 13: among 19 to 23
--- places eval
[ map { my $n = $_; (map({ [ $n, $_ ] } 1 .. $n), [ $n, 1 .. $n ], [ $n, 1, $n ]) } 19 .. 23 ]


=== TEST 14: among 39 to 43
--- places eval
[ map { my $n = $_; (map({ [ $n, $_ ] } 1 .. $n), [ $n, 1 .. $n ], [ $n, 1, $n ]) } 39 .. 43 ]


=== TEST 15: among 58 to 60
--- places eval
[ map { my $n = $_; (map({ [ $n, $_ ] } 1 .. $n), [ $n, 1 .. $n ], [ $n, 1, $n ]) } 58 .. 60 ]


=== TEST 16: several, adjacent, around the ends of nginx's parts of 20
--- places eval
[ map { my $at = $_; map { [ 60, $at .. $at + $_ ] } 1 .. 4, 22 } 1, 2, 17 .. 23, 38 .. 43 ]


=== TEST 17: and not adjacent
--- places eval
[ map { ([ 60, $_, $_ + 2, $_ + 4 ], [ 60, 1 .. 20, 40 + $_ % 20 ]) } 1, 2, 17 .. 23, 38 .. 43 ]
