# What a partner may do: wassiit_scope, its variables, wassiit_scopes.
#
# Behind every location a file is missing: 404 is who was let in.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;

our $Own = join ' ', map { "own.$_" } 1 .. 58;      # 64, with the six
our @All = (@Wassiit::SCOPES, split ' ', $Own);

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(partners => <<'END') unless defined $block->partners;
        {"id":"two","scopes":["messages.send","files.send"],"key":"two-scopes"}
        {"id":"none","key":"no-scopes"}
END
    $block->set_value(http_config => <<'END' . ($block->http_config // ''));
        wassiit_zone zone=api:1m file=partners.jsonl;
        wassiit_access api;
END
    $block->set_value(config => 'location /t { wassiit_scope '
                      . $block->scope . '; }') if defined $block->scope;
    $block->set_value(request => 'GET /t') unless defined $block->request;
    $block->set_value(more_headers => 'X-API-Key: two-scopes')
        unless defined $block->more_headers;
});

sub refused_for {
    my ($required) = @_;
    return qr/"code":"insufficient_scope".*"required_scopes":\[\Q$required\E\]\}/;
}

log_level('info');
no_long_string();
no_shuffle();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: a scope that is held
--- scope: messages.send
--- error_code: 404


=== TEST 2: a scope that isn't
--- scope: calls.initiate
--- error_code: 403
--- response_body_like eval: main::refused_for('"calls.initiate"')


=== TEST 3: several that are held
--- scope: files.send messages.send
--- error_code: 404


=== TEST 4: the only one that is missing stands alone
--- scope: messages.send calls.initiate files.send
--- error_code: 403
--- response_body_like eval: main::refused_for('"calls.initiate"')


=== TEST 5: several that are missing: all that are asked for
--- scope: messages.send calls.initiate audio.send
--- error_code: 403
--- response_body_like eval
main::refused_for('"messages.send","audio.send","calls.initiate"')


=== TEST 6: a scope named twice counts once
--- scope: calls.initiate calls.initiate
--- error_code: 403
--- response_body_like eval: main::refused_for('"calls.initiate"')


=== TEST 7: a partner without scopes, where none is asked for and where one is
--- config
location /free { }
location /t { wassiit_scope messages.send; }
--- request eval: [ 'GET /free', 'GET /t' ]
--- more_headers
X-API-Key: no-scopes
--- error_code eval: [ 404, 403 ]


=== TEST 8: a location's scopes replace the server's, and are inherited
--- config
wassiit_scope calls.initiate;
location /server { }
location /own { wassiit_scope messages.send; location /own/deeper { } }
--- request eval: [ 'GET /server', 'GET /own', 'GET /own/deeper' ]
--- error_code eval: [ 403, 404, 404 ]


=== TEST 9: wassiit_scope in http
--- http_config
wassiit_scope calls.initiate;
--- config
location /t { wassiit_scope files.send; }
--- request eval: [ 'GET /', 'GET /t' ]
--- error_code eval: [ 403, 404 ]


=== TEST 10: the key comes before the scope
--- scope: calls.initiate
--- more_headers
X-API-Key: nobody-knows
--- refused: 401 invalid_key


=== TEST 11: a scope by method
--- http_config
map $request_method $need { HEAD messages.send; PUT calls.initiate; default ''; }
--- scope: $need
--- request eval: [ 'HEAD /t', "PUT /t\nx", 'GET /t' ]
--- error_code eval: [ 404, 403, 404 ]


=== TEST 12: a variable of several names, blanks around them
--- http_config
map $arg_x $need { 1 "  messages.send   files.send "; 2 " messages.send  audio.send"; }
--- scope: $need
--- request eval: [ 'GET /t?x=1', 'GET /t?x=2' ]
--- error_code eval: [ 404, 403 ]


=== TEST 13: a name put together from text and variable, beside a literal one
--- scope: files.send $arg_x.send
--- request eval: [ 'GET /t?x=messages', 'GET /t?x=audio' ]
--- error_code eval: [ 404, 403 ]
--- response_body_like eval: [ '404', main::refused_for('"audio.send"') ]


=== TEST 14: an empty value asks for nothing, for a partner without scopes too
--- scope: $arg_x
--- more_headers
X-API-Key: no-scopes
--- error_code: 404


=== TEST 15: an empty value beside a literal asks for that one
--- scope: $arg_x calls.initiate
--- error_code: 403
--- response_body_like eval: main::refused_for('"calls.initiate"')


=== TEST 16: a name that no one declared
--- scope: $arg_x
--- request
GET /t?x=messages.sned
--- error_code: 403
--- response_body_like eval: main::refused_for('"messages.sned"')
--- error_log eval
qr/\[error\] .* "messages\.sned"/


=== TEST 17: a name that no one declared, beside one that is held
--- scope: $arg_x messages.send
--- request eval: [ 'GET /t?x=nosuch', 'GET /t?x=messages.sen', 'GET /t?x=Messages.send' ]
--- error_code eval: [ 403, 403, 403 ]


=== TEST 18: an undeclared name can't break out of the body or of the log's line
--- config
location ~ "(?s)^/s/(?<need>.+)$" { wassiit_scope $need; }
--- request
GET /s/a%22%5C%0Aforged
--- error_code: 403
--- response_body_like eval: main::refused_for('"a???forged"')
--- no_error_log eval
qr/^forged/


=== TEST 19: an undeclared name longer than any may be
--- scope: $arg_x
--- request eval: 'GET /t?x=' . 'y' x 3000
--- refused: 403 insufficient_scope


=== TEST 20: own scopes, declared before use and after it
--- partners
{"id":"two","scopes":["own.before","own.after"],"key":"two-scopes"}
--- http_config
wassiit_scopes own.before;
server {
    listen 127.0.0.1:$TEST_NGINX_PORT_2;
    location / { wassiit_scope own.after; }
}
wassiit_scopes own.after own.other;
--- config
location /held { wassiit_scope own.before own.after; }
location /not { wassiit_scope own.after own.other; }
--- request eval: [ 'GET /held', 'GET /not' ]
--- error_code eval: [ 404, 403 ]
--- response_body_like eval: [ '404', main::refused_for('"own.other"') ]


=== TEST 21: 64 scopes, all held
--- partners eval
JSON::PP::encode_json(main::partner('all', 'two-scopes', scopes => \@main::All))
--- http_config eval: "wassiit_scopes $main::Own;"
--- scope eval: "@main::All"
--- error_code: 404


=== TEST 22: 64 scopes, the last of them missing
--- partners eval
JSON::PP::encode_json(main::partner('all', 'two-scopes', scopes => [ @main::All[0 .. 62] ]))
--- http_config eval: "wassiit_scopes $main::Own;"
--- scope eval: "@main::All"
--- error_code: 403
--- response_body_like eval: main::refused_for('"own.58"')


=== TEST 23: 64 scopes, all missing, all told
--- partners
{"id":"none","key":"two-scopes"}
--- http_config eval: "wassiit_scopes $main::Own;"
--- scope eval: "@main::All"
--- error_code: 403
--- response_body_like eval: main::refused_for(CORE::join ',', map { qq("$_") } @main::All)
