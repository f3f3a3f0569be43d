# error_page opens nothing that was closed: who was refused in one location is
# asked again in the one that error_page leads to, unless that asks the same,
# or nobody. (t/error_page_ways.t leads each place to each.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Answer;
use Digest::SHA qw(hmac_sha256_hex);
use MIME::Base64 qw(encode_base64);
use Test::Nginx::Socket;

my $hook = 'what webhooks are signed with';
my $json = JSON::PP->new->canonical;
my $partners = join "\n", map { $json->encode($_) }
    partner('full', 'full-key', hmac_secret => encode_base64('secret of full', ''),
            rate => '100000r/h'),
    partner('poor', 'poor-key', scopes => [ 'audio.send' ], rate => '100000r/h'),
    partner('sender', 'sender-key', scopes => [ 'messages.send' ], rate => '100000r/h'),
    partner('spent', 'spent-key', rate => '1r/d');

our $Signed = 'X-Other: ' . hmac_sha256_hex('', $hook);

# What is in force in a place.
my %place = (
    key => 'wassiit_access api;',
    scope => 'wassiit_access api; wassiit_scope files.send;',
    variable => 'wassiit_access api; wassiit_scope $arg_scope;',
    hmac => 'wassiit_access api; wassiit_auth hmac;',
    skew => 'wassiit_access api; wassiit_auth hmac skew=60s;',
    other => 'wassiit_access other;',
    off => 'wassiit_access off;',
    hook => 'wassiit_access off; wassiit_webhook_verify secret_file=hook.secret;',
    hook2 => 'wassiit_access off;'
        . ' wassiit_webhook_verify secret_file=hook.secret header=X-Other;',
    message => 'wassiit_access api; wassiit_payload message;',
    call => 'wassiit_access api; wassiit_payload call;',
);

add_block_preprocessor(sub {
    my ($block) = @_;
    my $locations = join '', map { "location = /$_ { $place{$_} proxy_pass http://backend; }\n" }
                             sort keys %place;

    # "from key to off": from the one an error leads to the other
    if (($block->from // '') =~ /(\w+) to (\w+)/) {
        $locations .= "location = /led { $place{$1} error_page 400 401 403 415 429 = /$2;"
            . " proxy_pass http://backend; }\n";
        $block->set_value(request => 'GET /led');
    }

    $block->set_value(partners => $partners);
    $block->set_value(user_files => ">>> ../conf/hook.secret\n$hook\n>>> ../conf/other.jsonl\n"
        . $json->encode(partner('stranger', 'other-key', rate => '100000r/h')) . "\n");
    $block->set_value(suppress_stderr => 1);        # which says that anyone may read these
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
        wassiit_zone zone=other:1m file=other.jsonl;
        log_format decision '$request_uri $wassiit_decision';
        map $uri $by_uri { volatile; default messages.send; /by/strict files.send; }
        map $request_method $by_method { volatile; default ""; GET files.send; }
        server {
            listen 127.0.0.1:$TEST_NGINX_PORT_2;
            access_log off;
            location /open/accel { add_header X-Accel-Redirect /accel/in; return 200; }
            location /open/page { add_header X-Accel-Redirect /accel/page; return 200; }
            location / { return 200 "backend"; }
        }
END
    $block->set_value(config => ($locations . ($block->config // '')
                                 . "access_log logs/access.log decision;\n")
        =~ s{http://backend\b}{http://127.0.0.1:\$TEST_NGINX_PORT_2}gr);
    $block->set_value(more_headers => 'X-API-Key: ' . $block->key) if defined $block->key;
    $block->set_value(response_body_like => '\Abackend\z') if defined $block->passes;
});

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: without a key, led on to a stricter place: as directly
--- config
location = /a { wassiit_access api; error_page 401 403 429 = /b; proxy_pass http://backend; }
location = /b {
    wassiit_access api;
    wassiit_scope files.send;
    wassiit_auth hmac;
    proxy_pass http://backend;
}
--- request eval: [ 'GET /a', 'GET /b' ]
--- problem eval: [ ('401 missing_key') x 2 ]


=== TEST 2: what is good for the first place stays there
--- config
location = /a { wassiit_access api; error_page 401 403 429 = /b; proxy_pass http://backend; }
location = /b {
    wassiit_access api;
    wassiit_scope files.send;
    wassiit_auth hmac;
    proxy_pass http://backend;
}
--- request: GET /a
--- key: poor-key
--- passes


=== TEST 3: from key unasked to where the same is asked
--- from: key to key
--- passes


=== TEST 4: from message unasked to where the same is asked
--- from: message to key
--- passes


=== TEST 5: from call unasked to where the same is asked
--- from: call to key
--- passes


=== TEST 6: from call unasked to where nothing is
--- from: call to off
--- passes


=== TEST 7: from hmac unasked to where nothing is
--- from: hmac to off
--- passes


=== TEST 8: from hook unasked to where nothing is
--- from: hook to off
--- passes


=== TEST 9: from hook2 unasked to where nothing is
--- from: hook2 to off
--- passes


=== TEST 10: from key unasked to where nothing is
--- from: key to off
--- passes


=== TEST 11: from message unasked to where nothing is
--- from: message to off
--- passes


=== TEST 12: from off unasked to where nothing is
--- from: off to off
--- passes


=== TEST 13: from other unasked to where nothing is
--- from: other to off
--- passes


=== TEST 14: from scope unasked to where nothing is
--- from: scope to off
--- passes


=== TEST 15: from skew unasked to where nothing is
--- from: skew to off
--- passes


=== TEST 16: from variable unasked to where nothing is
--- from: variable to off
--- passes


=== TEST 17: the same scope, written twice
--- config
location = /twin {
    wassiit_access api;
    wassiit_scope files.send;
    error_page 403 = /twins;
    proxy_pass http://backend;
}
location = /twins { wassiit_access api; wassiit_scope files.send; proxy_pass http://backend; }
--- request: GET /twin
--- key: poor-key
--- passes


=== TEST 18: a partner without a scope, led on to where none is asked
--- from: scope to key
--- key: poor-key
--- passes


=== TEST 19: signed as the second place asks
--- from: hook to hook2
--- more_headers eval: $::Signed
--- passes


=== TEST 20: no webhook, but with a key
--- from: hook to key
--- key: full-key
--- passes


=== TEST 21: a window that is used up, led to a place that the partner may enter
--- config
location = /spent { wassiit_access api; error_page 429 = /files; proxy_pass http://backend; }
location = /files { wassiit_access api; wassiit_scope files.send; proxy_pass http://backend; }
--- request eval: [ 'GET /spent', 'GET /spent' ]
--- key: spent-key
--- error_code eval: [ 200, 429 ]
--- problem eval: [ undef, '429 rate_limited' ]
--- limit eval: [ ('1 86400 0') x 2 ]
--- raw_response_headers_like eval: [ '', '(?m)^Retry-After: 8[0-6]\d{3}\r$' ]


=== TEST 22: a window that is used up, led to where the limit is not in force
--- config
location = /spent { wassiit_access api; error_page 429 = /dry; proxy_pass http://backend; }
location = /dry {
    wassiit_access api;
    wassiit_scope files.send;
    wassiit_limit dry_run;
    proxy_pass http://backend;
}
--- request eval: [ 'GET /spent', 'GET /spent' ]
--- key: spent-key
--- error_code eval: [ 200, 200 ]
--- response_body eval: [ ('backend') x 2 ]


=== TEST 23: a window that is used up, led to an operator's page where the same is asked
--- config
location = /spent { wassiit_access api; error_page 429 /page; proxy_pass http://backend; }
location = /page { wassiit_access api; root html/; try_files /index.html =404; }
--- request eval: [ 'GET /spent', 'GET /spent' ]
--- key: spent-key
--- error_code eval: [ 200, 429 ]
--- response_body_like eval: [ '^backend$', 'It works!' ]


=== TEST 24: through two error_pages, logged as one decision
--- config
location = /chain {
    wassiit_access api;
    recursive_error_pages on;
    error_page 401 = /chain/two;
    proxy_pass http://backend;
}
location = /chain/two {
    wassiit_access other;
    recursive_error_pages on;
    error_page 401 = /hmac;
    proxy_pass http://backend;
}
--- request: GET /chain
--- error_code: 401
--- logged eval: qr{^/chain missing_key$}


=== TEST 25: through a place that asks nothing
--- config
location = /way { wassiit_access api; error_page 401 = /between; proxy_pass http://backend; }
location = /between { wassiit_access off; try_files /none @hmac; }
location @hmac { wassiit_access api; wassiit_auth hmac; proxy_pass http://backend; }
--- request: GET /way
--- error_code: 401


=== TEST 26: back to where it was refused, from where access is off
--- config
location /accel/ { wassiit_access api; error_page 401 = /open/accel; proxy_pass http://backend; }
location /open/ { proxy_pass http://backend; }
--- request: GET /accel/in
--- error_code: 401


=== TEST 27: with a key, it is let in there
--- config
location /accel/ { wassiit_access api; error_page 401 = /open/accel; proxy_pass http://backend; }
location /open/ { proxy_pass http://backend; }
--- request: GET /accel/in
--- key: full-key
--- passes


=== TEST 28: refused there anew, it gets the page of that place
--- config
location /open/ { proxy_pass http://backend; }
location = /accel/first {
    wassiit_access api;
    recursive_error_pages on;
    error_page 401 = /open/page;
    proxy_pass http://backend;
}
location = /accel/page { wassiit_access api; error_page 401 = /page; proxy_pass http://backend; }
location = /page { wassiit_access api; root html/; try_files /index.html =404; }
--- request: GET /accel/first
--- response_body_like: It works!


=== TEST 29: an operator's page where access is off still says how to come in
--- config
location = /told { wassiit_access api; error_page 401 /told/page; proxy_pass http://backend; }
location = /told/page { wassiit_errors envelope; root html/; try_files /index.html =404; }
--- request: GET /told
--- error_code: 401
--- response_headers
WWW-Authenticate: ApiKey realm="api"
--- response_body_like: It works!


=== TEST 30: a scope that a variable names is asked where it is itself
--- config
location /by/ {
    wassiit_access api;
    wassiit_scope $by_uri $by_method;
    proxy_pass http://backend;
    location /by/loose {
        wassiit_payload message;
        error_page 415 = /by/strict;
        proxy_pass http://backend;
    }
}
--- request
POST /by/strict
x
--- more_headers
X-API-Key: sender-key
Content-Type: text/plain
--- error_code: 403


=== TEST 31: a scope that a variable names is asked where it is led on to
--- config
location /by/ {
    wassiit_access api;
    wassiit_scope $by_uri $by_method;
    proxy_pass http://backend;
    location /by/loose {
        wassiit_payload message;
        error_page 415 = /by/strict;
        proxy_pass http://backend;
    }
}
--- request
POST /by/loose
x
--- more_headers
X-API-Key: sender-key
Content-Type: text/plain
--- error_code: 403
