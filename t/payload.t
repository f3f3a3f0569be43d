# wassiit_payload: where it holds and for which requests, behind a key, and the
# forms in which a refusal comes. What a body must hold: t/payload_json.t,
# t/payload_automation.t, t/payload_upload.t, t/payload_parts.t; how it must
# come: t/payload_type.t; several connections: t/payload_wire.t.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Backend;
use Wassiit::Payload;
use Test::Nginx::Socket;

our $Backend = Wassiit::Backend->echo;

our @Json = qw(automation call message);
our @Forms = qw(audio document);
our $Pass = 'proxy_pass http://$TEST_NGINX_BACKEND;';
our $Bad = object(to => '<1>', text => 'x');
our $Fault = "400 invalid_payload\n#/to $E164, not \"<1>\"\n";
our $Large = "413 too_large\nA JSON body of this path may have at most 65536 bytes.\n";
our $Type = "415 unsupported_media_type\n"
    . "Send the body as application/json, and say so in Content-Type.\n";

# A body that breaks a rule, one that is too large, in chunks too, and one of
# another type; and what each is told.

our @Refused = ({ body => $Bad }, { body => ' ' x 70000 },
                { body => ' ' x 70000, chunks => 1000 }, { type => 'text/plain', body => $Bad });
our @Told = ($Fault, $Large, $Large, $Type);

# A request to the location of each of these kinds.

sub to {
    my ($kinds, @with) = @_;
    return map { my $kind = $_; map { { uri => "/$kind", type => $TYPE{$kind},
                                        body => $Good{$kind}, %$_ } } @with } @$kinds;
}

sub at { my ($uri, @posts) = @_; return map { { uri => $uri, %$_ } } @posts }

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(config => $Locations . ($block->config // ''));
});

log_level('info');
no_long_string();
no_shuffle();
payload_blocks();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: a GET has no body to look at
--- kind: message
--- posts eval
[ ::to([ @::Json, @::Forms ], { method => 'GET', type => undef, body => undef }) ]


=== TEST 2: another method without a body, where JSON is asked for
--- kind: message
--- posts eval
[ ::to(\@::Json, map { { method => $_, type => undef, body => undef } }
                     'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS') ]
--- told
415 unsupported_media_type
Send the body as application/json, and say so in Content-Type.


=== TEST 3: where a form is asked for
--- kind: audio
--- posts eval
[ ::to(\@::Forms, map { { method => $_, type => undef, body => undef } }
                      'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS') ]
--- told
415 unsupported_media_type
Send the body as multipart/form-data, and say so in Content-Type.


=== TEST 4: a POST of JSON without a body: no length, length 0, no chunks
--- kind: message
--- posts eval
[ ::to(\@::Json, { body => undef }, { body => '' }, { body => '', chunks => 1000 }) ]
--- told
400 invalid_payload
# is empty


=== TEST 5: a POST of a form without a body
--- kind: audio
--- posts eval
[ ::to(\@::Forms, { body => undef }, { body => '' }, { body => '', chunks => 1000 }) ]
--- told
400 invalid_payload
# the boundary that Content-Type names is not in the body


=== TEST 6: a GET with broken JSON, and other methods
--- kind: message
--- posts eval
[ ::to(\@::Json, map { { method => $_, body => '?' } } 'GET', 'PUT', 'PROPFIND') ]
--- told eval: [ ([ '400 invalid_payload', qr/# is not JSON.*/ ]) x 9 ]


=== TEST 7: with a broken form
--- kind: audio
--- posts eval
[ ::to(\@::Forms, map { { method => $_, body => '?' } } 'GET', 'PUT', 'PROPFIND') ]
--- told
400 invalid_payload
# has text before the first boundary


=== TEST 8: a PUT of a good body
--- kind: message
--- posts eval: [ ::to([ @::Json, @::Forms ], { method => 'PUT' }) ]


=== TEST 9: a location has the rule of what it is in
--- config eval
"location /in/ { wassiit_payload message; location /in/on { $::Pass } }"
--- kind: message
--- posts eval: [ ::at('/in/on', { body => '' }, {}) ]
--- told eval: [ "400 invalid_payload\n# is empty\n", undef ]


=== TEST 10: or has none
--- config eval
"location /in/ { wassiit_payload message; location /in/off { wassiit_payload off; $::Pass } }"
--- kind: message
--- posts eval: [ ::at('/in/off', { body => 'anything', type => 'text/plain' }) ]


=== TEST 11: the envelope, of a message
--- config eval
"location /wrapped { wassiit_errors envelope; wassiit_payload message; $::Pass }"
--- kind: message
--- posts eval: [ ::at('/wrapped', { body => ::object(to => '1', text => '') }) ]
--- told eval
[ "envelope 400 invalid_payload\n#/to $::E164, not \"1\"\n"
  . "#/text must be a string of 1 to 4096 characters, not \"\"\n" ]


=== TEST 12: of a form
--- config eval
"location /wrapped { wassiit_errors envelope; wassiit_payload audio; $::Pass }"
--- kind: audio
--- posts eval: [ ::at('/wrapped', { body => ::form(::part('to', $::TO)) }) ]
--- told
envelope 400 invalid_payload
#/file is missing


=== TEST 13: of no type, and of what is too large
--- config eval
"location /wrapped { wassiit_errors envelope; wassiit_payload message; $::Pass }"
--- kind: message
--- posts eval
[ ::at('/wrapped', { type => undef, body => '{}' }, { body => ' ' x 65537 }) ]
--- told eval: [ "envelope $::Type", "envelope $::Large" ]


=== TEST 14: a good one is none of its business
--- config eval
"location /wrapped { wassiit_errors envelope; wassiit_payload message; $::Pass }"
--- kind: message
--- posts eval: [ ::at('/wrapped', {}) ]


=== TEST 15: wassiit_problem says the same
--- config eval
"location \@problem { wassiit_problem; }
location /led { error_page 400 413 415 \@problem; wassiit_payload message; $::Pass }"
--- kind: message
--- posts eval: [ @::Refused, ::at('/led', @::Refused) ]
--- told eval: [ @::Told, @::Told ]


=== TEST 16: where a good one passes
--- config eval
"location \@problem { wassiit_problem; }
location /led { error_page 400 413 415 \@problem; wassiit_payload message; $::Pass }"
--- kind: message
--- posts eval: [ ::at('/led', {}) ]


=== TEST 17: an operator's own page
--- config eval
"location /led { error_page 400 413 415 /own.html; wassiit_payload message; $::Pass }"
--- user_files
>>> own.html
own page
--- request eval
[ "POST /led\n$::Bad", "POST /led\n" . 'x' x 70000,
  "POST /led\n" . sprintf("%x\r\n%s\r\n0\r\n\r\n", 70000, 'x' x 70000), "POST /led\n$::Bad" ]
--- more_headers eval
[ ("Content-Type: application/json\n") x 2,
  "Content-Type: application/json\nTransfer-Encoding: chunked\n", "Content-Type: text/plain\n" ]
--- error_code eval: [ 400, 413, 413, 415 ]
--- response_body eval: [ ("own page\n") x 4 ]
--- raw_response_headers_unlike eval: [ (qr/^X-Upstream:/m) x 4 ]


=== TEST 18: behind a key, a broken body uses up one, as it was admitted
--- http_config
wassiit_zone zone=api:1m file=partners.jsonl;
--- partners
{"id":"atlas","rate":"1000r/d","key":"atlas-key"}
--- config eval: "location /keyed { wassiit_access api; wassiit_payload message; $::Pass }"
--- kind: message
--- posts eval
[ map { { uri => '/keyed', headers => "X-API-Key: atlas-key\n", %$_ } } {}, @::Refused, {} ]
--- told eval: [ undef, @::Told, undef ]
--- response_headers eval: [ map { "X-RateLimit-Remaining: $_" } 999, 998, 997, 996, 995, 994 ]


=== TEST 19: then none is left, and no body is judged
--- http_config
wassiit_zone zone=api:1m file=partners.jsonl;
--- partners
{"id":"two","rate":"2r/d","key":"key of two"}
--- config eval: "location /keyed { wassiit_access api; wassiit_payload message; $::Pass }"
--- kind: message
--- posts eval
[ ({ uri => '/keyed', headers => "X-API-Key: key of two\n", body => '?' }) x 3 ]
--- told eval
[ ([ '400 invalid_payload', qr/# is not JSON.*/ ]) x 2, [ '429 rate_limited', qr/.+/ ] ]


=== TEST 20: the key comes first
--- http_config
wassiit_zone zone=api:1m file=partners.jsonl;
--- partners
{"id":"atlas","key":"atlas-key"}
--- config eval: "location /keyed { wassiit_access api; wassiit_payload message; $::Pass }"
--- kind: message
--- posts eval
[ map { { uri => '/keyed', body => '?', headers => $_ } } '', "X-API-Key: nobody\n" ]
--- told eval: [ [ '401 missing_key', qr/.+/ ], [ '401 invalid_key', qr/.+/ ] ]
