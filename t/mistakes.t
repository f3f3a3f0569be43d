#!/usr/bin/env perl
# Mistakes in a configuration, and what nginx -t says of each: the operator's own
# word, the directive, the line, and what to write.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::More;

my $zone = 'wassiit_zone zone=partners:1m file=partners.jsonl;';
my $hex = '0123456789abcdef' x 4;
my %files = (
    'partners.jsonl' => [ partner('atlas', 'key of atlas') ],
    'more.jsonl' => [],
    'bad.jsonl' => "{\"id\":\"atlas\",\"rate\":\"5r/w\"}\n",
    'comment.jsonl' => "# ours\n{\"id\":\"atlas\"}\n",
    'key.jsonl' => qq({"id":"atlas","keys":[{"id":"k1","key":"wst_hush"}]}\n),
    'list.jsonl' => "[{\"id\":\"atlas\"}]\n",
    'our.secret' => "c2VjcmV0\n", 'text.secret' => "not base64!\n", 'empty.secret' => '',
    'hex.secret' => "$hex\n", 'lines.secret' => "one\n\ntwo\n",
    'wrapped.secret' => "c2VjcmV0\r\nc2VjcmV0\r\n",
);

# http, server or location; what stands there; what is said. Line 2 is in http, 4
# in the server, 6 in its location; FILE stands for nginx.conf.

my $syntax = '"wassiit_zone zone=NAME:SIZE file=PATH [rate=RATE]"';
my $verify = '"wassiit_webhook_verify secret_file=PATH [header=NAME] | off"';
my $sign = '"wassiit_webhook_sign secret_file=PATH [header=NAME] | zone=NAME partner=VALUE [header=NAME] | off"';
my $signer = '"wassiit_upstream_hmac key=STRING secret_file=PATH | off"';
my $rates = 'it must be 1 to 1000000 r/s, r/m, r/h or r/d, as in "rate=100r/m"';
my $header = q{can't be the header of a signature: its name has letters, digits and "-", 128 at most, and is none of HTTP's own};
my $status = '"wassiit_status NAME [json | prometheus] [top=N]"';
my $operators = 'wassiit_access partners; wassiit_scope messages.send;';
my $on = 'it must be "on" or "off"';

my @MISTAKES = (
    # wassiit_zone
    [ http => 'wassiit_zone;', qq{invalid number of arguments in "wassiit_zone" directive, it is $syntax in FILE:2} ],
    [ http => 'wassiit_zone partners.jsonl;', qq{invalid number of arguments in "wassiit_zone" directive, it is $syntax in FILE:2} ],
    [ http => 'wassiit_zone zone=a:1m file=more.jsonl rate=100 r/m;', 'invalid rate "rate=100 r/m", write it without a blank: "rate=100r/m" in FILE:2' ],
    [ http => 'wassiit_zone zone=a:1m file=more.jsonl rate=100;', qq{invalid rate "rate=100", $rates in FILE:2} ],
    [ http => 'wassiit_zone zone=a:1m file=more.jsonl rate=0r/m;', qq{invalid rate "rate=0r/m", $rates in FILE:2} ],
    [ http => 'wassiit_zone zone=a:1m file=more.jsonl rate=100r/w;', qq{invalid rate "rate=100r/w", $rates in FILE:2} ],
    [ http => 'wassiit_zone zone=a:1m file=more.jsonl rate=9999999r/m;', qq{invalid rate "rate=9999999r/m", $rates in FILE:2} ],
    [ http => 'wassiit_zone zone=a:1m fil=more.jsonl;', 'invalid parameter "fil=more.jsonl" in "wassiit_zone" directive, the nearest is "file=" in FILE:2' ],
    [ http => 'wassiit_zone zone file=more.jsonl;', 'invalid parameter "zone" in "wassiit_zone" directive, the nearest is "zone=" in FILE:2' ],
    [ http => 'wassiit_zone zone=a:1m file=;', 'invalid parameter "file=" in "wassiit_zone" directive, it has no value in FILE:2' ],
    [ http => 'wassiit_zone zone=a:1m file=more.jsonl burst=5;', qq{invalid parameter "burst=5" in "wassiit_zone" directive, it is $syntax in FILE:2} ],
    [ http => 'wassiit_zone zone=a:1m file=more.jsonl file=b;', 'duplicate parameter "file=b" in "wassiit_zone" directive in FILE:2' ],
    [ http => 'wassiit_zone file=more.jsonl rate=1r/s;', '"wassiit_zone" must have the parameter "zone", as in "zone=partners:10m" in FILE:2' ],
    [ http => 'wassiit_zone zone=a:1m rate=1r/s;', '"wassiit_zone" must have the parameter "file", as in "file=partners.jsonl" in FILE:2' ],
    [ http => 'wassiit_zone zone=a file=more.jsonl;', 'invalid zone "zone=a", it must be zone=NAME:SIZE, as in "zone=partners:10m" in FILE:2' ],
    [ http => 'wassiit_zone zone=a:ten file=more.jsonl;', 'invalid zone size "zone=a:ten", it must be bytes, or a number with k or m behind it, as in "zone=partners:10m" in FILE:2' ],
    [ http => 'wassiit_zone zone=a:8k file=more.jsonl;', 'zone "zone=a:8k" is too small, the least is 32k in FILE:2' ],
    [ http => 'wassiit_zone zone=off:1m file=more.jsonl;', 'invalid zone name "off", it must be printable ASCII without blanks and quotes, and not "off" in FILE:2' ],
    [ http => $zone, 'duplicate wassiit_zone "partners", the first is in FILE:1, the second in FILE:2' ],
    [ http => 'wassiit_zone zone=a:1m file=partners.jsonl;', 'wassiit_zone "partners" and "a" have the same file, "CONF/partners.jsonl": each needs one of its own in FILE:2' ],
    [ http => 'wassiit_zone zone=a:1m file=none.jsonl;', 'open() "CONF/none.jsonl" failed; if it lies elsewhere, move it there; if there are no partners yet: "(umask 077; touch CONF/none.jsonl)" (2: No such file or directory), "wassiit_zone" in FILE:2' ],
    [ http => 'wassiit_zone zone=a:1m file=none/none.jsonl;', 'open() "CONF/none/none.jsonl" failed (2: No such file or directory), "wassiit_zone" in FILE:2' ],
    [ http => 'wassiit_zone zone=a:1m file=bad.jsonl;', 'CONF/bad.jsonl:1: rate: must be a string such as "100r/m", from 1 to 1000000, r/s, r/m, r/h or r/d, "wassiit_zone" in FILE:2' ],
    [ http => 'wassiit_zone zone=a:1m file=comment.jsonl;', qr/comment\.jsonl:1: .*each line must be one object, "wassiit_zone" in FILE:2/ ],
    [ http => 'wassiit_zone zone=a:1m file=list.jsonl;', qr/list\.jsonl:1: not a JSON object.*, "wassiit_zone" in FILE:2/ ],
    [ http => 'wassiit_zone zone=a:1m file=key.jsonl;', qq{CONF/key.jsonl:1: keys[0].key: unknown field, the file has the key's SHA-256, as "sha256", and never the key, "wassiit_zone" in FILE:2} ],
    [ server => 'wassiit_zone zone=a:1m file=more.jsonl;', '"wassiit_zone" directive is not allowed here in FILE:4' ],

    # wassiit_access and what needs it
    [ location => 'wassiit_access partner;', 'unknown wassiit_zone "partner", the nearest is "partners" in FILE:6' ],
    [ location => 'wassiit_access api;', 'unknown wassiit_zone "api", the only one is "partners" in FILE:6' ],
    [ location => 'wassiit_access zone=partners;', 'unknown wassiit_zone "zone=partners", write it without "zone=": "partners" in FILE:6' ],
    [ location => 'wassiit_access on;', 'unknown wassiit_zone "on": "wassiit_access" takes the name of a zone, or "off" in FILE:6' ],
    [ location => 'wassiit_access;', 'invalid number of arguments in "wassiit_access" directive, it is "wassiit_access NAME | off" in FILE:6' ],
    [ location => 'wassiit_access partners off;', 'invalid number of arguments in "wassiit_access" directive, it is "wassiit_access NAME | off" in FILE:6' ],
    [ location => 'wassiit_access partners; wassiit_access off;', '"wassiit_access" directive is duplicate in FILE:6' ],
    [ location => 'wassiit_scope messages.send;', '"wassiit_scope" asks nobody: "wassiit_access" is off in location "/x"; add "wassiit_access ZONE" there, or remove it in FILE:6' ],
    [ location => 'wassiit_auth hmac;', '"wassiit_auth" asks nobody: "wassiit_access" is off in location "/x"; add "wassiit_access ZONE" there, or remove it in FILE:6' ],
    [ server => 'wassiit_limit on;', '"wassiit_limit" asks nobody: "wassiit_access" is off everywhere in this "server" block; add "wassiit_access ZONE" where it is meant for, or remove it in FILE:4' ],

    # scopes
    [ location => 'wassiit_access partners; wassiit_scope message.send;', 'unknown scope "message.send", the nearest is "messages.send" in FILE:6' ],
    [ location => 'wassiit_access partners; wassiit_scope zzz;', 'unknown scope "zzz", there are messages.send audio.send files.send calls.initiate conversations.read webhooks.manage; "wassiit_scopes" declares others in FILE:6' ],
    [ location => 'wassiit_access partners; wassiit_scope messages.send,files.send;', 'unknown scope "messages.send,files.send", scopes are separated by blanks, not by commas in FILE:6' ],
    [ location => "wassiit_access partners; wassiit_scope messages.send\nwassiit_limit off;", 'unknown scope "wassiit_limit", which is a directive: a ";" is missing before it in FILE:7' ],
    [ location => "wassiit_access partners; wassiit_scope messages.send\nproxy_pass http://127.0.0.1:1;", 'unknown scope "proxy_pass", which is a directive: a ";" is missing before it in FILE:7' ],
    [ http => 'wassiit_scopes files.send;', 'duplicate scope "files.send" in FILE:2' ],
    [ http => 'wassiit_scopes crm/read;', 'invalid scope "crm/read", it must be 1 to 64 of a-z A-Z 0-9 . _ : - in FILE:2' ],

    [ http => 'wassiit_scopes;', 'invalid number of arguments in "wassiit_scopes" directive, it is "wassiit_scopes NAME ..." in FILE:2' ],
    [ location => 'wassiit_access partners; wassiit_scope;', 'invalid number of arguments in "wassiit_scope" directive, it is "wassiit_scope NAME ..." in FILE:6' ],

    # words to choose from
    [ location => 'wassiit_access partners; wassiit_auth basic;', 'invalid value "basic", it must be "key" or "hmac" in "wassiit_auth" directive in FILE:6' ],
    [ location => 'wassiit_access partners; wassiit_auth hmac skw=5s;', 'invalid parameter "skw=5s" in "wassiit_auth" directive, the nearest is "skew=" in FILE:6' ],
    [ location => 'wassiit_access partners; wassiit_auth key skew=5s;', 'invalid parameter "skew=5s" in "wassiit_auth" directive, it is "wassiit_auth key | hmac [skew=TIME]" in FILE:6' ],
    [ location => 'wassiit_access partners; wassiit_auth hmac skew=five;', 'invalid skew "skew=five" in "wassiit_auth" directive, it must be a time, as in "skew=300s" in FILE:6' ],
    [ location => 'wassiit_limit dry-run;', 'invalid value "dry-run" in "wassiit_limit" directive, it must be "off", "on" or "dry_run" in FILE:6' ],
    [ location => 'wassiit_errors json;', 'invalid value "json" in "wassiit_errors" directive, it must be "problem" or "envelope" in FILE:6' ],
    [ location => 'wassiit_errors;', 'invalid number of arguments in "wassiit_errors" directive, it must be "problem" or "envelope" in FILE:6' ],
    [ location => 'wassiit_egress private;', 'invalid value "private" in "wassiit_egress" directive, it must be "any" or "public" in FILE:6' ],
    [ location => 'wassiit_payload messages;', 'invalid value "messages" in "wassiit_payload" directive, it must be "off", "message", "call", "audio", "document" or "automation" in FILE:6' ],
    [ location => 'wassiit_limit_headers yes;', qq{invalid value "yes" in "wassiit_limit_headers" directive, $on in FILE:6} ],
    [ location => 'wassiit_hide_credentials no;', qq{invalid value "no" in "wassiit_hide_credentials" directive, $on in FILE:6} ],

    # signatures
    [ location => 'wassiit_upstream_hmac on;', qq{invalid parameter "on" in "wassiit_upstream_hmac" directive, it is $signer in FILE:6} ],
    [ location => 'wassiit_upstream_hmac key=a;', '"wassiit_upstream_hmac" must have the parameter "secret_file" in FILE:6' ],
    [ location => 'wassiit_upstream_hmac key=a secret-file=our.secret;', 'invalid parameter "secret-file=our.secret" in "wassiit_upstream_hmac" directive, the nearest is "secret_file=" in FILE:6' ],
    [ location => 'wassiit_upstream_hmac key=$host secret_file=our.secret;', 'the key of "wassiit_upstream_hmac" can\'t have variables: "$host" would be sent as it stands, write the key itself in FILE:6' ],
    [ location => 'wassiit_upstream_hmac key=a secret_file=none.secret;', 'open() "CONF/none.secret" failed; if it lies elsewhere, move it there; if nobody has given you a secret: "(umask 077; openssl rand -base64 32 > CONF/none.secret)" (2: No such file or directory), "wassiit_upstream_hmac" in FILE:6' ],
    (map { [ location => "$_ secret_file=none.secret;", qq{open() "CONF/none.secret" failed; if it lies elsewhere, move it there; if nobody has given you a secret: "(umask 077; openssl rand -hex 32 > CONF/none.secret)" (2: No such file or directory), "$_" in FILE:6} ] }
        qw(wassiit_webhook_verify wassiit_webhook_sign)),
    [ http => q(wassiit_redis zone=partners server=127.0.0.1:1 password_file=none.secret;), q(open() "CONF/none.secret" failed (2: No such file or directory), "wassiit_redis" in FILE:2) ],
    [ location => 'wassiit_webhook_verify secret_file=none/none.secret;', 'open() "CONF/none/none.secret" failed (2: No such file or directory), "wassiit_webhook_verify" in FILE:6' ],
    [ location => 'wassiit_upstream_hmac key=a secret_file=text.secret;', 'secret file "CONF/text.secret" is not one line of base64, "wassiit_upstream_hmac" in FILE:6' ],
    [ location => 'wassiit_upstream_hmac key=a secret_file=wrapped.secret;', q(secret file "CONF/wrapped.secret" has 2 lines, its base64 must be one: "tr -d '\r\n' < CONF/wrapped.secret", "wassiit_upstream_hmac" in FILE:6) ],
    [ location => 'wassiit_upstream_hmac key=a secret_file=empty.secret;', 'secret file "CONF/empty.secret" is empty, "wassiit_upstream_hmac" in FILE:6' ],
    [ location => 'wassiit_webhook_verify on;', qq{invalid parameter "on" in "wassiit_webhook_verify" directive, it is $verify in FILE:6} ],
    [ location => 'wassiit_webhook_verify secret=our.secret;', qr/invalid parameter "secret=our\.secret" in "wassiit_webhook_verify" directive, .*"(?:secret_file=|wassiit_webhook_verify secret_file=PATH .*)" in FILE:6/ ],
    [ location => 'wassiit_webhook_verify secret_file=lines.secret;', 'secret file "CONF/lines.secret" has an empty line: 2, "wassiit_webhook_verify" in FILE:6' ],
    [ location => 'wassiit_webhook_verify secret_file=our.secret header=Host;', qq{"Host" $header in FILE:6} ],
    [ location => 'wassiit_webhook_verify secret_file=our.secret header=;', 'invalid parameter "header=" in "wassiit_webhook_verify" directive, it has no value in FILE:6' ],
    [ location => 'wassiit_webhook_sign a b c d;', qq{invalid number of arguments in "wassiit_webhook_sign" directive, it is $sign in FILE:6} ],
    [ location => 'wassiit_webhook_sign zone=partners;', '"wassiit_webhook_sign" must have the parameter "partner" in FILE:6' ],
    [ location => 'wassiit_webhook_sign secret_file=our.secret partner=a;', '"wassiit_webhook_sign" takes either "secret_file" or "zone" and "partner" in FILE:6' ],
    [ location => 'wassiit_webhook_sign zone=partner partner=a;', 'unknown wassiit_zone "partner", the nearest is "partners" in FILE:6' ],

    # the admin endpoint
    [ location => 'wassiit_admin partners;', '"wassiit_admin" needs "wassiit_access" in location "/x": anyone could make keys there; add "wassiit_access ZONE" in FILE:6' ],
    [ location => 'wassiit_access partners; wassiit_admin partners;', '"wassiit_admin partners" is guarded by "wassiit_access partners" in location "/x": every partner could change the partners there; add "wassiit_scope NAME", or guard it by another zone in FILE:6' ],
    [ location => 'wassiit_status partners;', '"wassiit_status" needs "wassiit_access" in location "/x": anyone could see who the partners are there; add "wassiit_access ZONE" in FILE:6' ],
    [ location => 'wassiit_access partners; wassiit_status partners;', '"wassiit_status partners" is guarded by "wassiit_access partners" in location "/x": every partner could see the others there; add "wassiit_scope NAME", or guard it by another zone in FILE:6' ],
    [ server => 'wassiit_admin partners;', '"wassiit_admin" directive is not allowed here in FILE:4' ],

    (map {
        [ location => "$operators wassiit_admin partners; satisfy any; $_", '"wassiit_admin" can\'t stand with "satisfy any" in location "/x": whom "allow" or "auth_basic" lets in could change the partners without a key; write "satisfy all" there in FILE:6' ]
    } 'allow all;', 'limit_except GET { deny all; }'),

    # status
    [ location => "$operators wassiit_status;", qq{invalid number of arguments in "wassiit_status" directive, it is $status in FILE:6} ],
    [ location => "$operators wassiit_status partners top = 5;", qq{invalid number of arguments in "wassiit_status" directive, it is $status in FILE:6} ],

    [ location => "$operators wassiit_status partners promethues;", 'invalid parameter "promethues" in "wassiit_status" directive, the nearest is "prometheus" in FILE:6' ],
    [ location => "$operators wassiit_status partners tops=5;", 'invalid parameter "tops=5" in "wassiit_status" directive, the nearest is "top=" in FILE:6' ],
    [ location => "$operators wassiit_status partners xml;", qq{invalid parameter "xml" in "wassiit_status" directive, it is $status in FILE:6} ],
    [ location => "$operators wassiit_status partners json prometheus;", 'invalid parameter "prometheus" in "wassiit_status" directive, it takes "json" or "prometheus" once in FILE:6' ],
    [ location => "$operators wassiit_status partners top=5 top=6;", 'duplicate parameter "top=6" in "wassiit_status" directive in FILE:6' ],
    [ location => "$operators wassiit_status top=5 partners;", 'invalid parameter "partners" in "wassiit_status" directive: the name of the zone comes first, as in "wassiit_status partners top=5" in FILE:6' ],
    [ location => "$operators wassiit_status json partners;", 'invalid parameter "partners" in "wassiit_status" directive: the name of the zone comes first, as in "wassiit_status partners json" in FILE:6' ],
    [ location => "$operators wassiit_status zone=partners;", 'unknown wassiit_zone "zone=partners", write it without "zone=": "partners" in FILE:6' ],

    # what answers
    [ location => "$operators wassiit_admin partners; wassiit_status partners;", '"wassiit_admin" and "wassiit_status" both answer in location "/x": give each a location of its own in FILE:6' ],
    [ location => "$operators wassiit_status partners; wassiit_admin partners;", '"wassiit_status" and "wassiit_admin" both answer in location "/x": give each a location of its own in FILE:6' ],
    [ location => "$operators wassiit_status partners; wassiit_problem;", '"wassiit_status" and "wassiit_problem" both answer in location "/x": give each a location of its own in FILE:6' ],
    (map {
        my $ours = $_;
        my ($name) = /(\w+)/;
        map { [ location => $_, qq{"$name" and another directive, such as "proxy_pass", both answer in location "/x": give each a location of its own in FILE:6} ] }
            "$operators proxy_pass http://127.0.0.1:1; $ours", "$operators $ours proxy_pass http://127.0.0.1:1;",
            "$operators $ours stub_status;"
    } 'wassiit_admin partners;', 'wassiit_status partners;', 'wassiit_problem;'),
    [ location => 'wassiit_admin;', 'invalid number of arguments in "wassiit_admin" directive, it is "wassiit_admin NAME" in FILE:6' ],
);

cmp_ok(scalar @MISTAKES, '>=', 60, 'sixty mistakes and more');

sub told {
    my %at = @_;
    my ($exit, $said) = nginx_test(<<"END", files => { %files, %{ $at{files} // {} } });
http { $zone
    @{[ $at{http} // '' ]}
    server {
        listen %%PORT%%; @{[ $at{server} // '' ]}
        location /x {
            @{[ $at{location} // '' ]}
        }
    }
}
END
    $said =~ s{\S+/conf/nginx\.conf\b}{FILE}g;
    $said =~ s{[^ "]+/conf/}{CONF/}g;
    return ($exit, $said);
}

for my $row (@MISTAKES) {
    my ($where, $text, $expected) = @$row;
    my ($exit, $said) = told($where, $text);
    my @lines = $said =~ /^nginx: \[emerg\] (.*)$/mg;

    $expected = qr/\A\Q$expected\E\z/ if !ref $expected;
    ok($exit == 1 && @lines == 1 && $lines[0] =~ $expected, $text) or diag($said);
}

# What isn't one: a part of a location may answer otherwise than the rest.

for my $text (
    "$operators wassiit_admin partners; if (\$arg_a) { proxy_pass http://127.0.0.1:1; }",
    "$operators wassiit_status partners; limit_except GET { proxy_pass http://127.0.0.1:1; }",
    "$operators wassiit_status partners; limit_except GET { deny all; } if (\$arg_a) { set \$a 1; }",
    "$operators satisfy any; allow all; wassiit_status partners; location /x/y { satisfy all; wassiit_admin partners; }",
    "$operators wassiit_status partners; location /x/y { proxy_pass http://127.0.0.1:1; }",
    "$operators proxy_pass http://127.0.0.1:1; location /x/y { wassiit_status partners; }",
    'wassiit_problem; if ($arg_a) { proxy_pass http://127.0.0.1:1; }',
    'wassiit_egress public; wassiit_problem; limit_except GET { deny all; }',
)
{
    my ($exit, $said) = told(location => $text);
    is($exit, 0, "$text passes") or diag($said);
}

# What is a warning, as it may be meant so.

my $anyone = test_dir() . '/anyone';
open my $out, '>', $anyone or die "$anyone: $!";
print {$out} "secret\n";
close $out or die "$anyone: $!";
chmod 0666, $anyone or die "$anyone: $!";

for my $row (
    [ 'wassiit_upstream_hmac key=a secret_file=hex.secret;', {},
      q(secret file "CONF/hex.secret" has hex digits alone, and is read as base64; if it is hex, make it base64: "perl -ne 'print pack q{H*}, /(\w+)/' CONF/hex.secret | base64 -w 0", "wassiit_upstream_hmac" in FILE:6) ],
    [ 'wassiit_webhook_verify secret_file=open;', { open => "secret\n" },
      'file "CONF/open" can be read by everyone, its mode should be 0600: "chmod 600 CONF/open", "wassiit_webhook_verify" in FILE:6' ],
    [ "wassiit_webhook_sign secret_file=$anyone;", {},
      qq{file "$anyone" can be read and written by everyone, its mode should be 0600: "chmod 600 $anyone", "wassiit_webhook_sign" in FILE:6} ],
)
{
    my ($text, $more, $expected) = @$row;
    my ($exit, $said) = told(location => $text, files => $more);
    is($exit, 0, "$text passes");
    like($said, qr/^nginx: \[warn\] \Q$expected\E$/m, '... with a warning');
}

# Where anyone may put a backup in its place; but not what others keep from that.

my $folder = test_dir() . '/folder';
my $put = qq(folder "$folder" can be written by everyone, who may put a former file in place of);
mkdir $folder or die "$folder: $!";
symlink $folder, "$folder.link" or die "$folder.link: $!";
partners_file("$folder/partners.jsonl", partner('rif', 'key of rif'));
rename $anyone, "$folder/secret" or die "$anyone: $!";

for my $mode (0777, 0757, 0775, 01777, 0755) {
    my $warned = ($mode & 01002) == 2;
    chmod $mode, $folder or die "$folder: $!";

    for my $row (
        [ 'partners.jsonl', http => "wassiit_zone zone=a:1m file=$folder.link/partners.jsonl;",
          '"wassiit_zone" in FILE:2' ],
        [ 'secret', location => "wassiit_webhook_verify secret_file=$folder/secret;",
          '"wassiit_webhook_verify" in FILE:6' ])
    {
        my ($file, @at) = @$row;
        my $where = pop @at;
        my ($exit, $said) = told(@at);
        my $line = qr/^nginx: \[warn\] \Q$put "$file": "chmod o-w $folder", $where\E$/m;
        is($exit, 0, sprintf '%s, mode %04o passes', $file, $mode);
        is($said =~ $line ? 1 : 0, $warned ? 1 : 0, $warned ? '... with a warning' : '... without one')
            or diag($said);
    }
}

# Who changes the file is a worker, and no folder on the way may be closed to it.

SKIP: {
    skip 'only root has workers of another user', 3 if $> != 0;

    my $far = test_dir() . '/closed';
    mkdir $far, 0700 or die "$far: $!";
    partners_file("$far/far.jsonl", partner('rif', 'key of rif'));

    my @at = (http => "wassiit_zone zone=far:1m file=$far/far.jsonl;",
              location => "$operators wassiit_admin far;");
    my $closed = qr/^nginx: \[warn\] \Q"$far\/far.jsonl" can't be reached by the workers' user, so wassiit_admin can't change it: "namei -l $far\/far.jsonl" shows the folder that is closed to it, "wassiit_zone" in FILE:2\E$/m;
    like((told(@at))[1], $closed, 'a folder that is root\'s alone');
    unlike((told(@at[0, 1]))[1], qr/reached/, '... may hold what nobody changes');
    chmod 0711, $far or die "$far: $!";
    unlike((told(@at))[1], qr/reached/, '... and others, once it can be passed');
}

done_testing;
