# Bodies at the admin endpoint: each fault is told with its pointer, and does nothing.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

our ($Long, $LongId, $LongName) = ('n' x 129, 'a' x 65, 'x' x 2000);
our ($Deep, $End) = ('{"a":' x 40 . '1' . '}' x 40, "- GET /file => 200 ~ \\A[^\\n]+\\n\\z\n");

# A field that is wrong in each change that has it: of one to be made, and of one
# that is there. The rows are what a body has and the pointers that are told.

sub fields {
    my (@rows) = @_;
    return both(@rows) . $End;
}

sub both {
    return join '', map {
        my ($field, $at) = @$_;
        "ops POST partners {\"id\":\"new\",$field} => 400 invalid_payload @ $at\n"
        . "ops PATCH partners/atlas {$field} => 400 invalid_payload @ $at\n";
    } @_;
}

# Of one request: METHOD, path, rows.

sub of {
    my ($request, @rows) = @_;
    return join('', map { "ops $request {$_->[0]} => 400 invalid_payload @ $_->[1]\n" } @rows)
           . $End;
}

# What isn't an object of JSON, in each request that has a body.

sub no_object {
    my ($body) = @_;
    return join('', map { "ops $_ $body => 400 invalid_payload @ #\n" } 'POST partners',
        'PATCH partners/atlas', map { "POST partners/atlas/$_" }
            qw(keys keys/rotate hmac_secret webhook_secret)) . $End;
}

admin_blocks(partners => ['{"id":"atlas","key":"atlas-key"}']);
run_tests();

__DATA__

=== TEST 1: a name is a string without control characters
--- steps eval
main::fields(['"name":1', '#/name'], ['"name":""', '#/name'], ['"name":"a\u0000b"', '#/name'],
    ['"name":"a\nb"', '#/name'], (map { [qq("name":"a\\u${_}b"), '#/name'] }
        qw(0085 009b 2028 202e 2066)))


=== TEST 2: of 128 bytes at most
--- steps eval: main::fields([qq("name":"$main::Long"), '#/name'])


=== TEST 3: scopes are an array
--- steps eval
main::fields(['"scopes":"files.send"', '#/scopes'], ['"scopes":null', '#/scopes'],
    ['"scopes":{"0":"files.send"}', '#/scopes'])


=== TEST 4: of declared ones, each that isn't is told
--- steps eval
main::fields(['"scopes":["files.send","no"]', '#/scopes/1'],
    ['"scopes":["files.send","files.send","no"]', '#/scopes/2'],
    ['"scopes":["files.send\u0000"]', '#/scopes/0'],
    ['"scopes":["a",1,"files.send",null,["files.send"]]',
     '#/scopes/0 #/scopes/1 #/scopes/3 #/scopes/4'])


=== TEST 5: a rate
--- steps eval
main::fields(map { [qq("rate":$_), '#/rate'] } 5, '"0r/m"', '"1000001r/m"', '"5r/w"', '"5r/m "',
    '""')


=== TEST 6: an unknown field, a secret, a key
--- steps eval
main::fields(['"keys":[]', '#/keys'], ['"hmac_secret":"c2VjcmV0"', '#/hmac_secret'],
    ['"deleted":true', '#/deleted'], ['"Name":"x"', '#/Name'], ['"a/b":1', '#/a~1b'])


=== TEST 7: all faults at once
--- steps eval: main::fields(['"name":1,"rate":1,"no":1', '#/name #/rate #/no'])


=== TEST 8: an id is a string that a path can name
--- steps eval
main::of('POST partners', ['', '#/id'], (map { [qq("id":$_), '#/id'] } 'null', 7, '""', '"Atlas"',
    qq("$main::LongId"), '"a/b"', '"."', '".."', '"a b"', '"a\u0000"', '"\u00e9"'))


=== TEST 9: who is to be made has a name and a rate, or doesn't, and is enabled
--- steps eval
main::of('POST partners', ['"id":"new","name":null,"rate":null', '#/name #/rate'],
    ['"id":"new","enabled":false', '#/enabled'], ['"enabled":1,"id":"X"', '#/enabled #/id'])


=== TEST 10: who is there has an id, and is enabled or not
--- steps eval
main::of('PATCH partners/atlas', ['"enabled":1', '#/enabled'], ['"enabled":"true"', '#/enabled'],
    ['"enabled":null', '#/enabled'], ['"id":"atlas"', '#/id'])


=== TEST 11: a key is asked for with nothing
--- steps eval
main::of('POST partners/atlas/keys', ['"id":"x"', '#/id'], ['"grace":"24h"', '#/grace'],
    ['"x":1', '#/x'])


=== TEST 12: secrets and rotations are, with a grace alone
--- steps eval
CORE::join '', map { main::of("POST partners/atlas/$_", ['"id":"x"', '#/id'], ['"x":1', '#/x']) }
    qw(hmac_secret webhook_secret keys/rotate)


=== TEST 13: a grace is a time with its unit
--- steps eval
main::of('POST partners/atlas/keys/rotate', map { [qq("grace":$_), '#/grace'] } 1440, '""', '"x"',
    '"-1"', '"11y"', '"1x"', 'null', 'true', '["24h"]', '"99999999999999999999"', '"24h\u0000"')


=== TEST 14: another value than an object
--- steps eval
main::no_object('[]') . main::no_object('"id"') . main::no_object('null')


=== TEST 15: no JSON, or more than one value
--- steps eval
main::no_object('{id:1}') . main::no_object('{"name":"x"') . main::no_object('{} {}')


=== TEST 16: no UTF-8
--- steps eval: main::no_object("{\"name\":\"\xff\"}")


=== TEST 17: a key twice
--- steps eval: main::no_object('{"name":"a","name":"a"}')


=== TEST 18: too deep
--- steps eval: main::no_object($main::Deep)


=== TEST 19: no body, or one of blanks, where a partner is made or changed
--- request eval
[ "POST /admin/partners", "POST /admin/partners\n", "POST /admin/partners\n  \n",
  "PATCH /admin/partners/atlas", "PATCH /admin/partners/atlas\n  \n" ]
--- more_headers eval: "X-API-Key: $Wassiit::Steps::KEYS{ops}"
--- error_code eval: [ (400) x 5 ]
--- response_body_like eval: [ ('"code":"invalid_payload"') x 5 ]
--- raw_response_headers_like eval
[ ('(?m)^Cache-Control: no-store\r$') x 5 ]


=== TEST 20: a field with a long name is told of, but not named
--- steps eval
qq(ops PATCH partners/atlas {"$main::LongName":1} => 400 invalid_payload\n    ~ "pointer":"#)
    . qq(\n    ! $main::LongName\n)


=== TEST 21: nobody has changed after all that
--- steps
ops PATCH partners/atlas {"name":1} => 400 invalid_payload @ #/name
atlas-key GET / => 200
ops GET partners => 200 = atlas
