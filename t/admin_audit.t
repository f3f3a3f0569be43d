# The variables of an audit log: each change that someone asks of the admin
# endpoint is one line, whatever came of it, and nothing else is.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

# Names as long as there is room for, and more.

our @Long = map { sprintf '%s.%02d', 's' x 50, $_ } 1 .. 40;
our ($Some, $All) = map { join ',', map { qq("$_") } @$_ } [ @Long[ 0 .. 29 ] ], \@Long;

our $Http = $Wassiit::Steps::HTTP =~ s/partners\.manage/partners.manage @Long/r;
our $Location = "location = /audit { alias $ENV{TEST_NGINX_SERVROOT}/logs/audit.log; }\n"
              . "location = /change { alias $ENV{TEST_NGINX_SERVROOT}/logs/change.log; }\n";

# The whole log, line by line; and of what was asked for, what it was.

sub has { return '- GET /audit => 200 ~ \A' . join('', map { "$_\\n" } @_) . "\\z\n" }
sub asked_for { return '- GET /change => 200 ~ \A' . join('', map { "\Q$_\E\\n" } @_) . "\\z\n" }

# Rows of a request and its status, and what the log has of it.

sub logged {
    my (@rows) = @_;
    return join('', map { "$_->[0]\n" } @rows) . has(map { $_->[1] } @rows);
}

sub changes {
    my (@rows) = @_;
    return join('', map { "$_->[0]\n" } @rows) . asked_for(map { $_->[1] } @rows);
}

admin_blocks(partners => ['{"id":"atlas","key":"atlas-key"}'], config => <<'END' . $Location,
    location / { wassiit_access api; }
    location /admin/ {
        wassiit_access ops;
        wassiit_scope partners.manage;
        wassiit_admin api;
    }
    location /page/ {
        wassiit_access ops;
        wassiit_scope partners.manage;
        wassiit_admin api;
        error_page 401 =200 /none;
        error_page 403 =200 @named;
    }
    location /only/ {
        wassiit_access ops;
        wassiit_admin api;
        limit_except GET { deny all; }
    }
    location = /other { wassiit_access ops; return 204; }
    location = /none { return 200 "none\n"; }
    location @named { return 200 "none\n"; }
END
    http => $Http . <<'END');
    log_format audit '$wassiit_partner $wassiit_admin_operation $wassiit_admin_partner '
                     '$wassiit_admin_key_id $wassiit_admin_result $status';
    log_format change escape=none '$wassiit_admin_change';
    log_format json escape=json '{"with":"$wassiit_key_id","change":"$wassiit_admin_change",'
                                '"id":"$request_id"}';
    access_log logs/audit.log audit if=$wassiit_admin_operation;
    access_log logs/change.log change if=$wassiit_admin_operation;
    access_log logs/json.log json if=$wassiit_admin_operation;
END
run_tests();

__DATA__

=== TEST 1: a partner is made, with its first key
--- steps eval
main::logged(['ops POST partners {"id":"rif"} => 201', 'ops partner_create rif {id} done 201'])


=== TEST 2: a key is made, and revoked
--- steps eval
main::logged(['ops POST partners/atlas/keys => 201', 'ops key_create atlas {id} done 201'],
    ['ops DELETE partners/atlas/keys/{id} => 204', 'ops key_revoke atlas {id} done 204'])


=== TEST 3: keys are rotated
--- steps eval
main::logged(['ops POST partners/atlas/keys/rotate {"grace":"0"} => 201',
              'ops key_rotate atlas {id} done 201'])


=== TEST 4: fields are changed
--- steps eval
main::logged(['ops PATCH partners/atlas {"name":"Atlas"} => 200',
              'ops partner_patch atlas - done 200'])


=== TEST 5: secrets are made
--- steps eval
main::logged(['ops POST partners/atlas/hmac_secret => 201', 'ops hmac_secret atlas - done 201'],
    ['ops POST partners/atlas/webhook_secret => 201', 'ops webhook_secret atlas - done 201'])


=== TEST 6: a partner is deleted
--- steps eval
main::logged(['ops DELETE partners/atlas => 204', 'ops partner_delete atlas - done 204'])


=== TEST 7: with which key, and by which request
--- config eval
"location /admin/ { wassiit_access ops; wassiit_admin api; }\n"
. "location = /json { alias $ENV{TEST_NGINX_SERVROOT}/logs/json.log; }"
--- steps
ops POST partners {"id":"rif"} => 201
- GET /json => 200 ~ \A\{"with":"k1","change":"\{\\"id\\":\\"rif\\"\}","id":"[0-9a-f]{32}"\}\n\z


=== TEST 8: what is asked for: a partner
--- steps eval
my $body = '{"id":"rif","name":"Rif","rate":"7r/m","scopes":["partners.manage"]}';
main::changes(["ops POST partners $body => 201", $body])


=== TEST 9: who is switched off and on
--- steps eval
main::changes(map { [ "ops PATCH partners/atlas {\"enabled\":$_} => 200", "{\"enabled\":$_}" ] }
    qw(false true))


=== TEST 10: what is taken away
--- steps eval
main::changes(['ops PATCH partners/atlas {"rate":null,"name":null} => 200',
               '{"name":null,"rate":null}'],
    ['ops PATCH partners/atlas {"scopes":[]} => 200', '{"scopes":[]}'])


=== TEST 11: a grace, as it is written
--- steps eval
main::changes(map { [ "ops POST partners/atlas/$_->[0] {\"grace\":\"$_->[1]\"} => 201",
                      "{\"grace\":\"$_->[1]\"}" ] }
    ['keys/rotate', '0'], ['keys/rotate', '1d 2h'], ['hmac_secret', '30m'])


=== TEST 12: a grace by default
--- steps eval
main::changes(map { [ "ops POST partners/atlas/$_ => 201", '{"grace":"24h"}' ] }
    'keys/rotate', 'keys/rotate {}', 'hmac_secret', 'webhook_secret')


=== TEST 13: nothing
--- steps eval
main::changes(['ops PATCH partners/atlas {} => 200', '-'], map { [ "ops $_", '-' ] }
    'POST partners/atlas/keys => 201', 'POST partners/atlas/keys {} => 201',
    'DELETE partners/atlas/keys/k1 => 204', 'DELETE partners/atlas => 204') =~ s/\\-/-?/gr


=== TEST 14: what is refused, and yet understood
--- steps eval
main::changes(['ops POST partners {"id":"atlas"} => 409 conflict', '{"id":"atlas"}'],
    ['ops PATCH partners/none {"enabled":false} => 404 not_found', '{"enabled":false}'],
    [qq(ops PATCH partners/atlas {"name":"A"} => 412 precondition_failed\n    > If-Match: "x"),
     '{"name":"A"}'])


=== TEST 15: what isn't understood, or not read
--- steps eval
my $large = 'x' x 70_000;
main::changes(map { [ $_, '-' ] }
    'ops PATCH partners/atlas {"enabled":false => 400 invalid_payload',
    'ops PATCH partners/atlas ["enabled"] => 400 invalid_payload',
    'ops PATCH partners/atlas {"enabled":false,"name":1} => 400 invalid_payload',
    'ops PATCH partners/atlas {"name":"A","hmac_secret":"not for a log"} => 400 invalid_payload',
    'ops POST partners {"id":"\"\n","name":"A"} => 400 invalid_payload',
    'ops POST partners/atlas/keys/rotate {"grace":"1\"\n"} => 400 invalid_payload',
    '- PATCH partners/atlas {"name":"A"} => 401 missing_key',
    "ops PATCH partners/atlas $large => 413 too_large") =~ s/\\-/-?/gr


=== TEST 16: a name, in ASCII; what JSON escapes, and what it doesn't
--- steps eval
my $name = q("\"\\\\\u00E9\u20AC\uD83D\uDE00/'$name{},\"x\":1");
main::changes(["ops PATCH partners/atlas {\"name\":$name} => 200", "{\"name\":$name}"])


=== TEST 17: the longest name
--- steps eval
my $name = '{"name":"' . '\u00E9' x 64 . '"}';
main::changes(["ops PATCH partners/atlas $name => 200", $name])


=== TEST 18: many scopes, and more than there is room for
--- steps eval
main::changes(["ops PATCH partners/atlas {\"scopes\":[$main::Some]} => 200",
               "{\"scopes\":[$main::Some]}"],
    ["ops PATCH partners/atlas {\"scopes\":[$main::All],\"name\":\"A\",\"enabled\":false} => 200",
     '{"name":"A","enabled":false,"omitted":["scopes"]}'],
    ["ops PATCH partners/atlas {\"scopes\":[$main::All]} => 200", '{"omitted":["scopes"]}'])


=== TEST 19: a long grace, as long as there is room
--- steps eval
main::changes(map {
    my $grace = '{"grace":"' . '0' x $_ . '"}';
    [ "ops POST partners/atlas/hmac_secret $grace => 201",
      length($grace) - 1 <= 2048 - 64 ? $grace : '{"omitted":["grace"]}' ];
} 1960 .. 1990, 5000)


=== TEST 20: what is refused: who or what is not there, or there already
--- steps eval
main::logged(
    ['ops PATCH partners/none {} => 404 not_found', 'ops partner_patch none - refused 404'],
    ['ops DELETE partners/atlas/keys/k9 => 404 not_found', 'ops key_revoke atlas k9 refused 404'],
    ['ops DELETE partners/atlas/keys/rotate => 404 not_found',
     'ops key_revoke atlas rotate refused 404'],
    ['ops POST partners {"id":"atlas"} => 409 conflict', 'ops partner_create atlas - refused 409'])


=== TEST 21: by an ETag
--- steps eval
main::logged(
    [qq(ops PATCH partners/atlas {} => 412 precondition_failed\n    > If-Match: "x"),
     'ops partner_patch atlas - refused 412'],
    [qq(ops DELETE partners/atlas => 400 bad_request\n    > If-Match: x),
     'ops partner_delete atlas - refused 400'])


=== TEST 22: by what a body says
--- steps eval
my $large = 'x' x 70_000;
main::logged(
    ['ops POST partners {"id":"rif","enabled":1} => 400', 'ops partner_create rif - refused 400'],
    ['ops POST partners {"id":"a\n\"b"} => 400', 'ops partner_create - - refused 400'],
    ['ops POST partners {"id":"rif" => 400', 'ops partner_create - - refused 400'],
    ["ops PATCH partners/atlas $large => 413", 'ops partner_patch atlas - refused 413'])


=== TEST 23: by a path; what is no id is for no log
--- steps eval
main::logged(
    ['ops DELETE partners/A%22%0aB => 400', 'ops partner_delete - - refused 400'],
    ['ops DELETE partners/atlas/keys/%22,%22x%22:%22 => 400', 'ops key_revoke atlas - refused 400'],
    ['ops DELETE partners/atlas?x=1 => 400', 'ops partner_delete atlas - refused 400'])


=== TEST 24: whoever may not
--- steps eval
main::logged(
    ['- DELETE partners/atlas => 401', '- partner_delete atlas - refused 401'],
    ['no-ones-key POST partners {"id":"rif"} => 401', '- partner_create - - refused 401'],
    ['atlas-key POST partners/atlas/keys/rotate => 401', '- key_rotate atlas - refused 401'],
    ['clerk POST partners/atlas/hmac_secret => 403', 'clerk hmac_secret atlas - refused 403'])


=== TEST 25: by a limit
--- http_config
wassiit_zone zone=few:1m file=partners.jsonl.few rate=1r/d;
--- post_setup_server_root
Wassiit::partners_file("$ENV{TEST_NGINX_SERVROOT}/conf/partners.jsonl.few",
    Wassiit::partner('spent', 'spent-key'));
--- config eval
"location /admin/ { wassiit_access few; wassiit_admin api; }\n$main::Location"
--- steps eval
main::logged(
    ['spent-key PATCH partners/atlas {} => 200', 'spent partner_patch atlas - done 200'],
    ['spent-key PATCH partners/atlas {} => 429 rate_limited',
     'spent partner_patch atlas - refused 429'])


=== TEST 26: by limit_except, or with a page of the operator's
--- steps eval
main::logged(
    ['ops DELETE /only/partners/atlas => 403', 'ops partner_delete atlas - refused 403'],
    ['- DELETE /page/partners/atlas => 200', '- partner_delete atlas - refused 200'],
    ['clerk DELETE /page/partners/atlas/keys/k1 => 200', 'clerk key_revoke atlas k1 refused 200'])


=== TEST 27: to look is no change, nor is what names none
--- steps eval
CORE::join('', map { "$_\n" } 'ops GET partners => 200', 'ops GET partners/atlas => 200',
    'ops HEAD partners/atlas => 200', 'ops GET partners/none => 404',
    'ops GET partners?x=1 => 400', '- GET partners => 401', 'ops PUT partners/atlas {} => 405',
    'ops DELETE partners => 405', 'ops POST nothing => 404')
. main::logged(['ops PATCH partners/last {} => 404', 'ops partner_patch last - refused 404'])


=== TEST 28: nor is a request anywhere else
--- steps eval: "ops POST /other {} => 204\n" . main::has()
