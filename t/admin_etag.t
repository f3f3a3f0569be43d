# ETag and If-Match at the admin endpoint: a change is made of what the operator
# has seen, or of nothing.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

our $Stale = '"0123456789abcdef"';

# A change that is made by the ETag that was seen, and by no other; then nothing is
# made by that.

sub asks {
    my ($request, $status, %how) = @_;
    my $refused = '412 precondition_failed';

    return join "\n", 'ops GET partners/atlas => 200',
        (map { ("ops $request => $refused", "    > If-Match: $_", '    ETag:',
                '    ~ "detail":"Partner atlas has changed since: GET it again') }
             $Stale, 'W/{etag1}', '"x", W/"y"'),
        '- GET /file => 200 ~ \A[^\n]+\n\z',
        'ops GET partners/atlas => 200', '    ETag: {etag1}',
        'atlas-key GET / => 200',
        "ops $request => $status", '    > If-Match: "x", {etag1}', $how{gone} ? '    ETag:' : (),
        '- GET /file => 200 ~ \A'
            . ($how{gone} ? '(?:(?!.*"name")|.*"deleted")' : '[^\n]+\n[^\n]+\n\z'),
        ($how{gone} ? () : ('ops GET partners/atlas => 200', '    ETag: {etag}',
                            '    ETag !: {etag1}')),
        'ops PATCH partners/atlas {"name":"B"} => ' . ($how{gone} ? '404 not_found' : $refused),
        '    > If-Match: {etag1}', '';
}

sub with_match {
    my ($match, @rows) = @_;
    return join '', map { "ops $_\n    > If-Match: $match\n" } @rows;
}

sub nobody {
    my ($match) = @_;
    return with_match($match, map { "$_ => 404 not_found" } 'PATCH partners/none {"name":"B"}',
        'DELETE partners/none', 'POST partners/none/keys', 'POST partners/none/keys/rotate',
        'DELETE partners/none/keys/k1', 'DELETE partners/atlas/keys/none',
        'POST partners/none/hmac_secret', 'POST partners/none/webhook_secret');
}

# As an editor leaves it.

sub append {
    my $path = "$ENV{TEST_NGINX_SERVROOT}/conf/partners.jsonl";
    open my $out, '>>', $path or die "$path: $!";
    print $out "$_[0]\n";
    close $out or die "$path: $!";
}

admin_blocks(partners => [ '{"id":"atlas","name":"Atlas","rate":"50r/m","key":"atlas-key",'
    . '"scopes":["messages.send"],"hmac_secret":"c2VjcmV0b2Y=","webhook_secret":"the hook"}' ]);
run_tests();

__DATA__

=== TEST 1: GET and HEAD have a strong one
--- steps
ops GET partners/atlas => 200
    ETag ~: "[0-9a-f]{16}"
ops HEAD partners/atlas => 200
    ETag: {etag1}


=== TEST 2: compressed it is as strong
--- http_config
gzip on; gzip_types application/json; gzip_min_length 20;
--- steps
ops GET partners/atlas => 200
ops GET partners/atlas => 200
    > Accept-Encoding: gzip
    Content-Encoding: gzip
    ETag: {etag1}


=== TEST 3: a page has none, nor who is not there
--- steps
ops GET partners => 200
    ETag:
ops GET partners/none => 404 not_found
    ETag:


=== TEST 4: use changes none, so nobody is told that nothing is new
--- steps
ops GET partners/atlas => 200
atlas-key GET / => 200
atlas-key GET / => 200
ops GET partners/atlas => 200 ~ "allowed":2
    ETag: {etag1}
    > If-None-Match: {etag1}


=== TEST 5: a change has a new one; what is as it was has the old one
--- steps
ops GET partners/atlas => 200
ops PATCH partners/atlas {"name":"New"} => 200
    ETag ~: "[0-9a-f]{16}"
    ETag !: {etag1}
ops GET partners/atlas => 200
    ETag: {etag2}
ops PATCH partners/atlas {"name":"Atlas"} => 200
    ETag: {etag1}
ops GET partners/atlas => 200
    ETag: {etag1}


=== TEST 6: what was made has one of its own
--- steps
ops GET partners/atlas => 200
ops POST partners {"id":"rif"} => 201
    ETag ~: "[0-9a-f]{16}"
    ETag !: {etag1}
ops GET partners/rif => 200
    ETag: {etag2}


=== TEST 7: a rate of its own is not the zone's, though it is the same
--- steps
ops PATCH partners/atlas {"rate":null} => 200 ~ "rate":"100r/m"
ops PATCH partners/atlas {"rate":"100r/m"} => 200 ~ "rate":"100r/m"
    ETag !: {etag1}


=== TEST 8: a change of fields asks for it
--- steps eval: main::asks('PATCH partners/atlas {"enabled":false}', 200)


=== TEST 9: of scopes
--- steps eval: main::asks('PATCH partners/atlas {"scopes":[]}', 200)


=== TEST 10: of a rate
--- steps eval: main::asks('PATCH partners/atlas {"rate":"51r/m"}', 200)


=== TEST 11: of a name
--- steps eval: main::asks('PATCH partners/atlas {"name":null}', 200)


=== TEST 12: one key more
--- steps eval: main::asks('POST partners/atlas/keys', 201)


=== TEST 13: a rotation with a grace
--- steps eval: main::asks('POST partners/atlas/keys/rotate {"grace":"1h"}', 201)


=== TEST 14: one at once
--- steps eval: main::asks('POST partners/atlas/keys/rotate {"grace":"0"}', 201)


=== TEST 15: a secret
--- steps eval: main::asks('POST partners/atlas/hmac_secret', 201)


=== TEST 16: another
--- steps eval: main::asks('POST partners/atlas/webhook_secret', 201)


=== TEST 17: a key less
--- steps eval: main::asks('DELETE partners/atlas/keys/k1', 204)


=== TEST 18: a partner less
--- steps eval: main::asks('DELETE partners/atlas', 204, gone => 1)


=== TEST 19: malformed, and named
--- steps eval
main::with_match('', 'PATCH partners/atlas {"name":"B"} => 400 bad_request ~ If-Match')
. CORE::join('', map {
    main::with_match($_, 'PATCH partners/atlas {"name":"B"} => 400 bad_request ~ If-Match')
} ' ', ',', 'x', '"x', '"x" "y"', '*, "x"', "'x'", '"a b"', 'w/"x"')
. 'ops GET partners/atlas => 200 ~ "name":"Atlas"'


=== TEST 20: twice
--- request eval
[ qq(PATCH /admin/partners/atlas\n{"name":"B"}), 'GET /admin/partners/atlas' ]
--- more_headers eval
my $key = "X-API-Key: $Wassiit::Steps::KEYS{ops}\n";
[ $key . qq(If-Match: "x"\nIf-Match: "y"), $key ]
--- error_code eval: [ 400, 200 ]
--- response_body_like eval: [ '400 Bad Request', '"name":"Atlas"' ]


=== TEST 21: to look is no change
--- steps eval: main::with_match($main::Stale, 'GET partners/atlas => 200')


=== TEST 22: any, as long as there is one
--- steps eval: main::with_match('*', 'PATCH partners/atlas {"name":"B"} => 200 ~ "name":"B"')


=== TEST 23: who isn't there is told first
--- steps eval: main::nobody('*') . main::nobody($main::Stale)


=== TEST 24: who is to be made is not there yet
--- steps eval
CORE::join '', map {
    main::with_match($_, 'POST partners {"id":"rif"} => 412 precondition_failed'
                         . ' ~ "detail":"There is no partner rif yet')
    . "ops GET partners/rif => 404 not_found\n"
    . main::with_match($_, 'POST partners {"id":"atlas"} => 409 conflict');
} '*', $main::Stale


=== TEST 25: a body that is wrong is told first
--- steps eval
main::with_match($main::Stale, 'PATCH partners/atlas {"name":1} => 400 invalid_payload @ #/name')


=== TEST 26: what was changed by hand in the file is not undone, and is to be seen
--- steps
ops GET partners/atlas => 200 ~ "name":"Atlas"
ops PATCH partners/atlas {"rate":"7r/m"} => 412 precondition_failed
    & append('{"id":"atlas","name":"By hand"}')
    > If-Match: {etag1}
ops GET partners/atlas => 200 ~ "name":"By hand"


=== TEST 27: by the ETag of what was changed by hand the change is made, of that
--- steps
ops GET partners/atlas => 200
ops PATCH partners/atlas {"rate":"7r/m"} => 412 precondition_failed
    & append('{"id":"atlas","name":"By hand"}')
    > If-Match: {etag1}
ops GET partners/atlas => 200
    ETag !: {etag1}
ops PATCH partners/atlas {"rate":"7r/m"} => 200
    > If-Match: {etag2}
    ~ "name":"By hand",.*"rate":"7r/m"
