# wassiit_upstream_hmac: what goes upstream bears our signature and none of the
# client's. The clock stands, see t/lib/clock.c; when it goes on, retries,
# subrequests, reloads and nginx -t are t/upstream_hmac_time.t's.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64);
use Wassiit;
use Wassiit::Backend;
use Wassiit::Clock;
use Test::Nginx::Socket;

our $Now = 1_800_000_000;
our $Clock = Wassiit::Clock->new($Now);
our $Backend = Wassiit::Backend->echo;

our ($Secret, $Other) = ("a secret \xff\xfe of ours", 'l' x 100);
our $To = 'proxy_pass http://$TEST_NGINX_BACKEND';

sub signature {
    my ($key, $by) = @_;
    return encode_base64(hmac_sha256($key . $Now, $by), '');
}

# What the backend has to have seen: a path, and our three after what stays.

sub seen {
    my ($path, $key, $by) = @_;
    return "$path\nX-Other: stays\n" . ours($key, $by);
}

sub ours {
    my ($key, $by) = ($_[0] // 'our-key', $_[1] // $Secret);
    return "X-API-Key: $key\nX-API-Timestamp: $Now\n"
           . 'X-API-Signature: ' . signature($key, $by) . "\n";
}

# What a client may try: in any case, with any number, with underscores.

our $Theirs = <<'END';
x-api-KEY: THEIRS1
X-API-Key: THEIRS2
X-API-TIMESTAMP: THEIRS3
x-api-timestamp: THEIRS4
X-Api-Signature: THEIRS5
X_API_Key: THEIRS6
x_api_signature: THEIRS7
X-API_TIMESTAMP: THEIRS8
X-Other: stays
END
our $Partner = "X-Other: stays\nX-API-Key: atlas-key\nX-API-Timestamp: $Now\n"
    . 'X-API-Signature: ' . signature('atlas-key', 'theirs') . "\n";

# Of each request that the backend got: its path, and what matters of its header.

sub credentials {
    my ($bytes) = @_;
    my $text = '';

    while ($bytes =~ s/\A[A-Z]+ (\S+) HTTP.*?\r\n(.*?\r\n)\r\n//s) {
        $text .= join '', map { "$_\n" } $1, grep { /api|other|theirs/i } split /\r\n/, $2;
    }

    return $text . $bytes;
}

# The same of FastCGI, uwsgi and SCGI.

sub parameters {
    my ($bytes) = @_;
    my @all = $bytes =~ /x[-_]api[-_](?:key|timestamp|signature)/gi;
    my $signature = signature('our-key', $Secret);
    my $ours = $bytes =~ /HTTP_X_API_KEY.{0,3}our-key.*
                          HTTP_X_API_TIMESTAMP.{0,3}$Now.*
                          HTTP_X_API_SIGNATURE.{0,3}\Q$signature\E/sx;
    return @all . ($ours ? ' ours' : ' others') . ($bytes =~ /THEIRS/ ? ' and theirs' : '') . "\n";
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(partners => join "\n",
        '{"id":"atlas","key":"atlas-key","hmac_secret":"dGhlaXJz"}', '{"id":"us","key":"our-key"}');
    $block->set_value(files => { 'ours.secret' => encode_base64($Secret, '') . "\n",
                                 'other.secret' => encode_base64($Other, '') });
    $block->set_value(more_headers => $Theirs) unless defined $block->more_headers;
    $block->set_value(request => 'GET /t') unless defined $block->request;
    $block->set_value(response_body_filters => \&credentials)
        unless defined $block->response_body_filters;
    $block->set_value(http_config => <<'END' . ($block->http_config // ''));
        wassiit_zone zone=api:1m file=partners.jsonl;
        wassiit_upstream_hmac key=our-key secret_file=ours.secret;
        underscores_in_headers on;
        map $uri $backend { default http://$TEST_NGINX_BACKEND; }
END
});

log_level('info');
no_long_string();
no_shuffle();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: in place of the client's, and the others stay
--- config eval: "location /t { $::To; }"
--- response_body eval: ::seen('/t')


=== TEST 2: where it sent none
--- config eval: "location /t { $::To; }"
--- more_headers
X-Other: stays
--- response_body eval: ::seen('/t')


=== TEST 3: among many
--- config eval: "location /t { $::To; }"
--- more_headers eval: CORE::join('', map { "X-H$_: $_\n" } 1 .. 50) . $::Theirs
--- response_body eval: ::seen('/t')


=== TEST 4: another key, a secret without an end of line
--- config eval
"location /t { wassiit_upstream_hmac secret_file=other.secret key=another; $::To; }"
--- response_body eval: ::seen('/t', 'another', $::Other)


=== TEST 5: a key with what is no variable
--- config eval
"location /t {
     wassiit_upstream_hmac 'key=p\$s\${w}r\$d9\$hosts\$\$1\${host' secret_file=other.secret;
     $::To;
 }"
--- response_body eval: ::seen('/t', 'p$s${w}r$d9$hosts$$1${host', $::Other)


=== TEST 6: though credentials aren't hidden
--- config
location /t { wassiit_access api; wassiit_hide_credentials off; proxy_pass $backend; }
--- more_headers
X-Other: stays
X-API-Key: atlas-key
--- response_body eval: ::seen('/t')


=== TEST 7: behind a partner's own signature
--- config
location /t { wassiit_access api; wassiit_auth hmac; proxy_pass $backend; }
--- more_headers eval: $::Partner
--- response_body eval: ::seen('/t')


=== TEST 8: off: all of the client's pass
--- config eval: "location /t { wassiit_upstream_hmac off; $::To; }"
--- response_body eval: "/t\n$::Theirs"


=== TEST 9: FastCGI: our three, and no other
--- config
location /t { fastcgi_pass $TEST_NGINX_BACKEND; fastcgi_param A b; }
--- response_body_filters eval: \&::parameters
--- response_body
3 ours


=== TEST 10: uwsgi
--- config
location /t { uwsgi_pass $TEST_NGINX_BACKEND; uwsgi_param A b; }
--- response_body_filters eval: \&::parameters
--- response_body
3 ours


=== TEST 11: SCGI
--- config
location /t { scgi_pass $TEST_NGINX_BACKEND; scgi_param A b; }
--- response_body_filters eval: \&::parameters
--- response_body
3 ours


=== TEST 12: gRPC
--- http_config
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT_2 http2;
        add_header X-Key "$http_x_api_key";
        add_header X-Time "$http_x_api_timestamp";
        add_header X-Sign "$http_x_api_signature";
        add_header X-Rest "$http_x_other";
        location / { return 204; }
    }
--- config
location /t { grpc_pass grpc://127.0.0.1:$TEST_NGINX_PORT_2; }
--- error_code: 204
--- raw_response_headers_like eval
my $signature = ::signature('our-key', $::Secret);
qr/^X-Key: our-key\r\nX-Time: $::Now\r\nX-Sign: \Q$signature\E\r\nX-Rest: stays\r\n/mi


=== TEST 13: the variables, in proxy_set_header
--- config eval
"location /t {
     proxy_pass_request_headers off;
     proxy_set_header X-API-Key \$wassiit_hmac_key;
     proxy_set_header X-API-Timestamp \$wassiit_hmac_timestamp;
     proxy_set_header X-API-Signature \$wassiit_hmac_signature;
     $::To;
 }"
--- response_body eval: "/t\n" . ::ours()


=== TEST 14: the variables where nothing is signed
--- config eval
"location /t {
     wassiit_upstream_hmac off;
     proxy_pass_request_headers off;
     proxy_set_header X-API-Key \"[\$wassiit_hmac_key\$wassiit_hmac_timestamp]\";
     proxy_set_header X-API-Signature \"[\$wassiit_hmac_signature]\";
     $::To;
 }"
--- response_body
/t
X-API-Key: []
X-API-Signature: []


=== TEST 15: led to where it is off, by try_files
--- config eval
"location /t { try_files /none /off; }
 location /off { wassiit_upstream_hmac off; $::To; }"
--- response_body_like eval
my $signature = ::signature('our-key', $::Secret);
qr/\A\/off\n(?!.*(?:our-key|\Q$signature\E))(?=.*^X-Other: stays$)/ms


=== TEST 16: by error_page: what was signed for one place doesn't go to another
--- config eval
"location /t { error_page 502 = /off; $::To/gone; }
 location /off { wassiit_upstream_hmac off; $::To; }"
--- response_body_like eval
my $first = quotemeta ::seen('/gone');
my $signature = ::signature('our-key', $::Secret);
qr/\A$first\/off\n(?!.*(?:our-key|\Q$signature\E))(?=.*^X-Other: stays$)/ms


=== TEST 17: by error_page, to where another secret signs
--- config eval
"location /t { error_page 502 = /other; $::To/gone; }
 location /other { wassiit_upstream_hmac secret_file=other.secret key=another; $::To; }"
--- response_body eval: ::seen('/gone') . ::seen('/other', 'another', $::Other)


=== TEST 18: by error_page, to the same secret, behind access
--- config eval
"location /t { wassiit_access api; error_page 502 = /both; $::To/gone; }
 location /both { wassiit_access api; wassiit_auth hmac; proxy_pass \$backend; }"
--- more_headers eval: $::Partner
--- response_body eval: ::seen('/gone') . ::seen('/both')


=== TEST 19: the client's own key is still known to a location with access on
--- config eval
"location /t { error_page 502 = /guarded; $::To/gone; }
 location /guarded { wassiit_access api; $::To; }"
--- more_headers
X-Other: stays
X-API-Key: atlas-key
--- response_body eval: ::seen('/gone') . ::seen('/guarded')


=== TEST 20: error_page of a refused request
--- config eval
"location /t { wassiit_access api; error_page 401 =200 \@again; $::To; }
 location \@again { $::To; }"
--- more_headers
X-Other: stays
--- response_body eval: ::seen('/t')


=== TEST 21: our key is not taken for the client's
--- config eval
"location /t { error_page 502 = /guarded; $::To/gone; }
 location /guarded { wassiit_access api; $::To; }
 location /off { wassiit_upstream_hmac off; $::To; }"
--- request eval: [ 'GET /t', 'GET /off' ]
--- more_headers eval: [ '', '' ]
--- error_code eval: [ 401, 200 ]
--- response_body_like eval
[ '"code":"missing_key"', qr{\A\Q${\ ("/gone\n" . ::ours())}\E/off\n\z} ]


=== TEST 22: nor hidden is what the client sent twice
--- config eval
"location /t { error_page 502 = /guarded; $::To/gone; }
 location /guarded { wassiit_access api; $::To; }"
--- more_headers
X-API-Key: atlas-key
x-api-key: atlas-key
--- error_code: 400
--- response_body_like: "code":"duplicate_header"
