#!/usr/bin/perl

# Where a directive may stand, and what is said when it is wrong.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Wassiit;

my $ZONE = 'wassiit_zone zone=api:1m file=partners.jsonl;';

sub in_http {
    my ($http, %parts) = @_;
    my $server = $parts{server} // '';
    my $location = $parts{location} // '';

    return <<"END";
http {
    $http
    server {
        listen %%PORT%%;
        $server
        location /x {
            $location
        }
    }
}
END
}

sub accepted {
    my ($conf, $what, @with) = @_;
    my ($exit, $message) = nginx_test($conf, @with ? @with : good_files());
    ok($exit == 0 && $message !~ /\[(?:warn|error|crit|alert|emerg)\]/, $what)
        or diag($message);
}

sub refused {
    my ($conf, $expected, $what, @with) = @_;
    my ($exit, $message) = nginx_test($conf, @with ? @with : good_files());
    $what //= $expected;
    subtest $what => sub {
        is($exit, 1, 'nginx -t fails');
        like($message, $expected, 'for that reason');
        is(() = $message =~ /\[emerg\]/g, 1, 'and no other');
    };
}

sub good_files {
    return (files => { 'partners.jsonl' => [ partner('atlas', 'atlas-key') ], 'more.jsonl' => [],
                       'our.secret' => 'c2VjcmV0', 'two.secret' => "one\ntwo" });
}

sub line_of {
    my ($conf, $pattern) = @_;
    my ($before) = $conf =~ /\A(.*?)$pattern/s or die "no $pattern";
    return 1 + ($before =~ tr/\n//);
}


# ---- contexts

my @CONTEXTS = (
    [ main => sub { "$_[0]\nevents { }\n" . in_http($ZONE) } ],
    [ events => sub { "events { $_[0] }\n" . in_http($ZONE) } ],
    [ http => sub { in_http("$ZONE $_[0]") } ],
    [ server => sub { in_http($ZONE, server => $_[0]) } ],
    [ location => sub { in_http($ZONE, location => $_[0]) } ],
    [ 'nested location' => sub {
        in_http($ZONE, location => "location /x/y { $_[0] }") } ],
    [ 'named location' => sub {
        in_http($ZONE, server => "location \@n { $_[0] }") } ],
    [ 'if in server' => sub {
        in_http($ZONE, server => "if (\$arg_a) { $_[0] }") } ],
    [ 'if in location' => sub {
        in_http($ZONE, location => "if (\$arg_a) { $_[0] }") } ],
    [ limit_except => sub {
        in_http($ZONE, location => "limit_except GET { $_[0] }") } ],
    [ upstream => sub {
        in_http("$ZONE upstream u { server 127.0.0.1:1; $_[0] }") } ],
);

my %EVERYWHERE = map { $_ => 1 } 'http', 'server', 'location',
                                 'nested location', 'named location';
my %LOCATION = map { $_ => 1 } 'location', 'nested location',
                               'named location';

my @DIRECTIVES = (
    [ 'wassiit_zone zone=more:1m file=more.jsonl;' => { http => 1 } ],
    [ 'wassiit_zone zone=more:1m file=more.jsonl rate=5r/s;'
        => { http => 1 } ],
    [ 'wassiit_scopes crm.read crm.write;' => { http => 1 } ],
    [ 'wassiit_redis zone=api server=127.0.0.1;' => { http => 1 } ],
    [ 'wassiit_cluster zone=api nodes=3 node=one;' => { http => 1 } ],
    [ 'wassiit_problem;' => \%LOCATION ],
    map { [ "$_;" => \%EVERYWHERE ] }
        'wassiit_access api', 'wassiit_access off', 'wassiit_auth key',
        'wassiit_auth hmac', 'wassiit_auth hmac skew=10s',
        'wassiit_upstream_hmac key=a secret_file=our.secret',
        'wassiit_upstream_hmac off', 'wassiit_scope messages.send', 'wassiit_scope messages.send $arg_scope',
        'wassiit_limit on', 'wassiit_limit off', 'wassiit_limit dry_run',
        'wassiit_limit_headers on', 'wassiit_limit_headers off',
        'wassiit_errors problem', 'wassiit_errors envelope',
        'wassiit_hide_credentials on', 'wassiit_hide_credentials off',
        'wassiit_webhook_verify off', 'wassiit_webhook_verify secret_file=two.secret',
        'wassiit_webhook_verify header=X-Hub-Signature secret_file=two.secret',
        'wassiit_webhook_sign off', 'wassiit_webhook_sign secret_file=our.secret',
        'wassiit_webhook_sign secret_file=our.secret header=A',
        'wassiit_webhook_sign zone=api partner=atlas',
        'wassiit_webhook_sign partner=$arg_a-$arg_b zone=api header=X-Sum',
        map { "wassiit_payload $_" } qw(message call audio document automation off),
);

for my $row (@DIRECTIVES) {
    my ($directive, $allowed) = @$row;
    my ($name) = $directive =~ /(\w+)/;

    subtest $directive => sub {
        # neither is without the other
        my %partner = (wassiit_redis => ' wassiit_cluster zone=api nodes=3 node=one;',
                       wassiit_cluster => ' wassiit_redis zone=api server=127.0.0.1;');

        for my $context (@CONTEXTS) {
            my ($where, $conf) = @$context;
            my $access = $allowed->{$where} && $name =~ /_(?:auth|scope|limit)\z/
                         ? 'wassiit_access api; ' : '';
            my $more = $allowed->{$where} && $partner{$name} // '';
            my $text = $conf->("$access$directive$more");

            if ($allowed->{$where}) {
                accepted($text, "may stand in $where");
            } else {
                refused($text, qr/"$name" directive is not allowed here/,
                        "must not stand in $where");
            }
        }
    };
}


# ---- the number of arguments, and twice in one place

subtest 'too few and too many arguments' => sub {
    for my $directive ('wassiit_zone', 'wassiit_zone zone=a:1m',
        'wassiit_zone zone=a:1m file=a rate=1r/s more', 'wassiit_scopes',
        'wassiit_access', 'wassiit_access api off', 'wassiit_auth',
        'wassiit_auth hmac skew=1s more', 'wassiit_scope', 'wassiit_limit',
        'wassiit_upstream_hmac',
        'wassiit_upstream_hmac key=a secret_file=our.secret more',
        'wassiit_limit on off', 'wassiit_limit_headers',
        'wassiit_limit_headers on off', 'wassiit_errors',
        'wassiit_errors problem envelope', 'wassiit_hide_credentials',
        'wassiit_hide_credentials on off', 'wassiit_problem on',
        'wassiit_webhook_verify', 'wassiit_webhook_verify off a b',
        'wassiit_webhook_sign', 'wassiit_webhook_sign a b c d',
        'wassiit_payload', 'wassiit_payload message call')
    {
        my ($name) = $directive =~ /(\w+)/;
        my $conf = $directive =~ /^wassiit_(?:zone|scopes)\b/
                   ? in_http("$ZONE $directive;")
                   : in_http($ZONE, location => "$directive;");

        refused($conf, qr/invalid number of arguments in "$name" directive/,
                $directive);
    }
};

subtest 'the same directive twice' => sub {
    refused(in_http("$ZONE\n    $ZONE"),
            qr/duplicate wassiit_zone "api", the first is in \S+nginx\.conf:2, the second in \S+nginx\.conf:3$/m, 'a zone');

    for my $pair (
        [ 'wassiit_access api', 'wassiit_access api' ],
        [ 'wassiit_access api', 'wassiit_access off' ],
        [ 'wassiit_access off', 'wassiit_access api' ],
        [ 'wassiit_auth key', 'wassiit_auth hmac' ],
        [ 'wassiit_upstream_hmac off',
          'wassiit_upstream_hmac key=a secret_file=our.secret' ],
        [ 'wassiit_scope audio.send', 'wassiit_scope files.send' ],
        [ 'wassiit_limit on', 'wassiit_limit off' ],
        [ 'wassiit_limit_headers on', 'wassiit_limit_headers on' ],
        [ 'wassiit_errors problem', 'wassiit_errors envelope' ],
        [ 'wassiit_hide_credentials on', 'wassiit_hide_credentials off' ],
        [ 'wassiit_webhook_verify off', 'wassiit_webhook_verify secret_file=our.secret' ],
        [ 'wassiit_webhook_sign zone=api partner=a', 'wassiit_webhook_sign off' ],
        [ 'wassiit_payload call', 'wassiit_payload message' ],
        [ 'wassiit_problem', 'wassiit_problem' ])
    {
        my ($name) = $pair->[0] =~ /(\w+)/;
        my $text = join ' ', map { "$_;" } @$pair;
        my $duplicate = qr/"$name" directive is duplicate/;

        refused(in_http($ZONE, location => $text), $duplicate, $text);
        next if $name eq 'wassiit_problem';
        refused(in_http($ZONE, server => $text), $duplicate,
                "$text in server");
        refused(in_http("$ZONE $text"), $duplicate, "$text in http");
        my $access = $name eq 'wassiit_access' ? '' : 'wassiit_access api;';
        accepted(in_http("$ZONE $access $pair->[0];", server => "$pair->[1];",
                         location => "$pair->[0];"),
                 "$name in http, server and location");
    }
};


# ---- wassiit_zone

subtest 'wassiit_zone: what is refused, and why' => sub {
    my $file = 'file=partners.jsonl';
    my @rates = ('0r/s', '1000001r/m', '5r/w', '5', 'r/s', '', '-1r/s',
                 '5 r/s', '5r/sec', '5r/S', '5R/s', '1.5r/s', '05r/s', '5/s',
                 '5r\\s', '5r/', '0x5r/s', '99999999999999999999r/s',
                 '4294967297r/s', '18446744073709551617r/s', '1000000000r/d',
                 '+5r/s', '5r/s ');

    for my $rate (@rates) {
        refused(in_http("wassiit_zone zone=a:1m $file \"rate=$rate\";"),
                qr/invalid rate "rate=\Q$rate\E", .* in \S+nginx\.conf:2$/m,
                "rate=$rate");
    }

    for my $row (
        [ "zone= $file", qr/"zone="/ ],
        [ "zone=a $file", qr/"zone=a"/ ],
        [ "zone=:1m $file", qr/"zone=:1m"/ ],
        [ "zone=a: $file", qr/size "zone=a:"/ ],
        [ "zone=a:x $file", qr/size "zone=a:x"/ ],
        [ "zone=a:-1m $file", qr/size "zone=a:-1m"/ ],
        [ "zone=a:1t $file", qr/size "zone=a:1t"/ ],
        [ "zone=a:1mm $file", qr/size "zone=a:1mm"/ ],
        [ "zone=a:b:1m $file", qr/size "zone=a:b:1m"/ ],
        [ "zone=a:99999999999999999999m $file",
          qr/size "zone=a:99999999999999999999m"/ ],
        [ "zone=a:0 $file", qr/"zone=a:0" is too small, the least is 32k/ ],
        [ "zone=a:31k $file", qr/"zone=a:31k" is too small/ ],
        [ "zone=a:32767 $file", qr/"zone=a:32767" is too small/ ],
        [ "zone=off:1m $file", qr/invalid zone name "off"/ ],
        [ 'zone=' . 'a' x 201 . ":1m $file", qr/zone name "a{201}" is too long, .* 200 bytes/ ],
        [ "\"zone=a b:1m\" $file", qr/invalid zone name "a b"/ ],
        [ "'zone=a\"b:1m' $file", qr/invalid zone name "a"b"/ ],
        [ "zone=\xc3\xa9:1m $file", qr/invalid zone name "/ ],
        [ "$file rate=5r/s",
          qr/"wassiit_zone" must have the parameter "zone"/ ],
        [ "zone=a:1m rate=5r/s",
          qr/"wassiit_zone" must have the parameter "file"/ ],
        [ "zone=a:1m file=", qr/"file="/ ],
        [ "zone=a:1m $file burst=5", qr/invalid parameter "burst=5"/ ],
        [ "zone=a:1m $file zone=b:1m", qr/duplicate parameter "zone=b:1m"/ ],
        [ "zone=a:1m rate=5r/s rate=5r/s",
          qr/duplicate parameter "rate=5r\/s"/ ],
        [ "zone=a:1m $file file=b", qr/duplicate parameter "file=b"/ ],
        [ "zone=a:1m $file rate", qr/invalid parameter "rate"/ ],
        [ "zone=a:1m partners.jsonl", qr/invalid parameter "partners\.jsonl"/ ],
        [ "Zone=a:1m $file", qr/invalid parameter "Zone=a:1m"/ ])
    {
        my ($parameters, $expected) = @$row;
        refused(in_http("wassiit_zone $parameters;"),
                qr/$expected.* in \S+nginx\.conf:2$/m, $parameters);
    }
};

subtest 'wassiit_zone: what is accepted' => sub {
    for my $rate ('1r/s', '1r/m', '1r/h', '1r/d', '1000000r/s', '1000000r/m',
                  '1000000r/h', '1000000r/d', '9999r/s', '10000r/s',
                  '10001r/s')
    {
        accepted(in_http("wassiit_zone zone=a:1m file=partners.jsonl "
                         . "rate=$rate;"), "rate=$rate");
    }

    accepted(in_http("wassiit_zone $_;"), $_) for
        'rate=5r/s file=partners.jsonl zone=a:1m',
        'zone=a:32k file=partners.jsonl', 'zone=a:32768 file=partners.jsonl',
        'zone=a:1M file=partners.jsonl', 'zone=A_b-c.9/x:64K '
        . 'file=partners.jsonl', '"zone=on:1m" "file=partners.jsonl"',
        'zone=offer:1m file=partners.jsonl', 'zone=of:1m file=partners.jsonl';

    refused(in_http("$ZONE wassiit_zone zone=two:1m file=./partners.jsonl;",
                    location => 'wassiit_access two;'),
            qr{wassiit_zone "api" and "two" have the same file, "\S+/\./partners\.jsonl": each needs one},
            'two zones with one file');
    accepted(in_http('', server => 'wassiit_access api;')
             =~ s/\}\n\z/$ZONE\n}\n/r,
             'a zone that is declared after its use');
    accepted(in_http($ZONE), 'a zone that nothing uses');
};

subtest 'a zone that no one declares' => sub {
    for my $where (qw(http server location)) {
        my $conf = in_http($ZONE . ($where eq 'http' ? "\nwassiit_access nope;"
                                                     : ''),
            $where eq 'http' ? () : ($where => 'wassiit_access nope;'));
        my $line = line_of($conf, qr/wassiit_access nope/);

        refused($conf, qr/wassiit_zone "nope", the only one is "api" in \S+nginx\.conf:$line$/m,
                "in $where");
    }

    for my $near ('API', 'apis', 'ap', 'api:1m', '$zone') {
        refused(in_http($ZONE, location => "wassiit_access $near;"),
                qr/wassiit_zone "\Q$near\E", the (?:only one|nearest) is "api" in /, "\"$near\" isn't \"api\"");
    }

    refused(in_http('limit_req_zone $arg_a zone=api:1m rate=1r/s;',
                    location => 'wassiit_access api;'),
            qr/wassiit_zone "api", declare it in the http block: .* in /, "another module's zone");
    refused(in_http("limit_req_zone \$arg_a zone=api:1m rate=1r/s; $ZONE"),
            qr/"api" is already declared/, 'a name that is taken');

    my $dir = test_dir();
    open my $out, '>', "$dir/inc.conf" or die $!;
    print {$out} "\n\nwassiit_access nope;\n";
    close $out;
    refused(in_http($ZONE, location => "include $dir/inc.conf;"),
            qr{wassiit_zone "nope", the only one is "api" in \Q$dir\E/inc\.conf:3$}m,
            'in an included file');
};

subtest 'where the file is looked for' => sub {
    my $dir = test_dir();
    mkdir "$dir/far" or die $!;
    partners_file("$dir/far/p.jsonl", partner('far', 'far-key'));
    open my $out, '>', "$dir/far/zone.conf" or die $!;
    print {$out} "wassiit_zone zone=z:1m file=p.jsonl;\n";
    close $out;

    accepted(in_http("wassiit_zone zone=z:1m file=$dir/far/p.jsonl;"),
             'an absolute path');
    accepted(in_http('wassiit_zone zone=z:1m file=../conf/partners.jsonl;'),
             'a path relative to the folder of nginx.conf');
    accepted(in_http("include $dir/far/zone.conf;"), 'of nginx.conf, not of '
             . 'the included file', files => { 'p.jsonl' => [] });
    refused(in_http("include $dir/far/zone.conf;"),
            qr{\S+/conf/p\.jsonl" failed; if it lies elsewhere, [^"]*: "[^"]*" \(2: No such file}, 'so it is not '
            . 'found beside the included file');
};


# ---- scopes

subtest 'scopes of the configuration' => sub {
    my $extra = join ' ', map { "extra.$_" } 1 .. 58;
    my $long = 'x' x 64;

    accepted(in_http("$ZONE wassiit_scopes $extra;"), '64 in all');
    refused(in_http("$ZONE wassiit_scopes $extra one.more;"),
            qr/"one\.more".* 64.* in \S+nginx\.conf:2$/m, 'one above 64');
    refused(in_http("$ZONE wassiit_scopes $extra;\nwassiit_scopes last;"),
            qr/"last".* 64.* in \S+nginx\.conf:3$/m,
            'one above 64, in two directives');
    accepted(in_http("$ZONE wassiit_scopes a; wassiit_scopes b c;",
                     location => 'wassiit_access api; wassiit_scope a b c messages.send;'),
             'several directives');
    accepted(in_http("$ZONE wassiit_scopes $long a:b-c_d.E9;",
                     location => "wassiit_access api; wassiit_scope $long a:b-c_d.E9;"),
             'names of 64 characters and of every kind');

    for my $name ('x' x 65, '""', "'a b'", '"a,b"', 'a/b', '$arg_a', 'a*',
                  "\xc3\xa9", "'a\"b'")
    {
        (my $bare = $name) =~ s/\A(['"])(.*)\1\z/$2/;
        refused(in_http("$ZONE wassiit_scopes fine $name;"),
                qr/scope "\Q$bare\E"/, "the name $name");
    }

    refused(in_http("$ZONE wassiit_scopes a b a;"), qr/scope "a"/,
            'a name twice');
    refused(in_http("$ZONE wassiit_scopes a; wassiit_scopes a;"),
            qr/scope "a"/, 'a name in two directives');
    refused(in_http("$ZONE wassiit_scopes files.send;"),
            qr/scope "files\.send"/, 'one of the six');
    accepted(in_http('', server => 'wassiit_access api; wassiit_scope crm.read;')
             =~ s/\}\n\z/$ZONE wassiit_scopes crm.read;\n}\n/r,
             'one that is declared after its use');
};

subtest 'a scope that no one declares' => sub {
    for my $row (
        [ 'mesages.send', 'messages.send' ],
        [ 'message.send', 'messages.send' ],
        [ 'Messages.Send', 'messages.send' ],
        [ 'audio', 'audio.send' ],
        [ 'file.send', 'files.send' ],
        [ 'calls.inititate', 'calls.initiate' ],
        [ 'conversation.reads', 'conversations.read' ],
        [ 'webhook.manage', 'webhooks.manage' ],
        [ 'crm.reed', 'crm.read' ],
        [ 'x' x 2000, '' ],
        [ '""', '' ])
    {
        my ($name, $nearest) = @$row;
        (my $bare = substr $name, 0, 100) =~ s/"//g;

        for my $where (qw(http server location)) {
            my $conf = in_http("$ZONE wassiit_scopes crm.read;"
                . ($where eq 'http' ? "\nwassiit_scope $name;" : ''),
                $where eq 'http' ? ()
                                 : ($where => "wassiit_scope audio.send\n"
                                              . "$name;"));
            my $line = line_of($conf, qr/wassiit_scope .*?;/s);
            $line++ if $where ne 'http';
            my $expected = length $name > 100 ? qr/scope "\Q$bare\E/
                : $nearest eq '' ? qr/scope "\Q$bare\E", there are messages\.send .* crm\.read; "wassiit_scopes" declares others in \S+nginx\.conf:$line$/m
                : qr/scope[ ]"\Q$bare\E",[ ]the[ ]nearest[ ]is[ ]
                     "\Q$nearest\E.*"[ ]in[ ]\S+nginx\.conf:$line$/mx;

            refused($conf, $expected, substr("$name in $where", 0, 60));
        }
    }

    refused(in_http($ZONE, location => 'wassiit_access api; wassiit_scope messages.send $nope;'),
            qr/unknown "nope" variable/, 'an unknown variable');
    accepted(in_http($ZONE, location => 'wassiit_access api; wassiit_scope nope$arg_x;'),
             'what holds a variable is not looked at');
};


# ---- what asks nobody

subtest 'a demand where access is off' => sub {
    my @demands = ('wassiit_scope audio.send', 'wassiit_scope $arg_x', 'wassiit_auth hmac skew=60s',
                   'wassiit_auth key', 'wassiit_limit on', 'wassiit_limit dry_run');

    for my $demand (@demands) {
        my ($name) = $demand =~ /(\w+)/;
        my $asks = qr/"$name" asks nobody: "wassiit_access" is off/;
        my $remedy = qr/; add "wassiit_access ZONE" .* in \S+nginx\.conf/;

        for my $row (
            [ 'location "/x"', '', location => "$demand;" ],
            [ 'location "/x"', 'wassiit_access api;', location => "$demand; wassiit_access off;" ],
            [ 'location "/x/y"', '', location => "location /x/y { $demand; }" ],
            [ 'location "@n"', 'wassiit_access api;',
              server => "wassiit_access off; location \@n { $demand; }" ],
            [ 'location "/x"', '', location => "$demand; location /x/y { wassiit_access api; }" ])
        {
            my ($where, $http, %parts) = @$row;
            refused(in_http("$ZONE $http", %parts), qr/$asks in $where$remedy/, "$demand in $where");
        }

        my $server = in_http($ZONE, server => "$demand;");
        refused($server, qr/$asks everywhere in this "server" block$remedy:5$/m, "$demand in a server");
        refused(in_http("$ZONE $demand;"), qr/$asks everywhere in this "http" block$remedy:2$/m,
                "$demand in http");
        refused(in_http($ZONE, server => "$demand; } server { listen %%PORT_2%%; wassiit_access api;"),
                qr/$asks everywhere in this "server" block/, "$demand, access in another server");

        accepted(in_http($ZONE, location => "wassiit_access api; $demand;"), "$demand beside access");
        accepted(in_http("$ZONE wassiit_access api;", location => "$demand;"), "$demand below access");
        accepted(in_http($ZONE, server => "$demand;", location => 'wassiit_access api;'),
                 "$demand around access");
        accepted(in_http($ZONE, server => "$demand;", location => 'location /x/y { wassiit_access api; }'),
                 "$demand two blocks around access");
        accepted(in_http("$ZONE $demand;", location => 'wassiit_access api;'),
                 "$demand in http, access in a location");
    }

    accepted(in_http($ZONE, location => 'wassiit_limit off;'), 'wassiit_limit off asks for nothing');
};


# ---- values

subtest 'values that are none' => sub {
    for my $row (
        [ 'wassiit_auth basic', qr/invalid value "basic"/ ],
        [ 'wassiit_auth ""', qr/invalid value ""/ ],
        [ 'wassiit_auth off', qr/invalid value "off"/ ],
        [ 'wassiit_auth key key', qr/invalid parameter "key"/ ],
        [ 'wassiit_limit dryrun', qr/invalid value "dryrun"/ ],
        [ 'wassiit_limit dry-run', qr/invalid value "dry-run" in "wassiit_limit" directive, it must be "off", "on" or "dry_run"/ ],
        [ 'wassiit_limit 5r/s', qr{invalid value "5r/s"} ],
        [ 'wassiit_limit $arg_a', qr/invalid value "\$arg_a"/ ],
        [ 'wassiit_limit_headers yes', qr/invalid value "yes"/ ],
        [ 'wassiit_errors json', qr/invalid value "json" in "wassiit_errors" directive, it must be "problem" or "envelope"/ ],
        [ 'wassiit_errors off', qr/invalid value "off"/ ],
        [ 'wassiit_payload messages', qr/invalid value "messages" in "wassiit_payload" directive, it must be "off", "message", "call", "audio", "document" or "automation"/ ],
        [ 'wassiit_hide_credentials 1', qr/invalid value "1"/ ])
    {
        my ($directive, $expected) = @$row;
        refused(in_http($ZONE, location => "$directive;"),
                qr/$expected.* in \S+nginx\.conf:7$/m, $directive);
    }
};

subtest 'webhooks: what is refused, and why' => sub {
    my $file = 'secret_file=our.secret';

    for my $row (
        [ 'verify on', qr/invalid parameter "on"/ ],
        [ "verify off $file", qr/invalid parameter "off"/ ],
        [ 'verify header=X-A', qr/"wassiit_webhook_verify" must have the parameter "secret_file"/ ],
        [ 'verify secret_file=', qr/invalid parameter "secret_file="/ ],
        [ "verify $file $file", qr/duplicate parameter "$file"/ ],
        [ "verify $file header=", qr/invalid parameter "header="/ ],
        [ 'verify zone=api partner=a', qr/invalid parameter "zone=api"/ ],
        [ 'sign zone=api', qr/"wassiit_webhook_sign" must have the parameter "partner"/ ],
        [ 'sign partner=a', qr/"wassiit_webhook_sign" must have the parameter "zone"/ ],
        [ 'sign header=a', qr/"wassiit_webhook_sign" must have the parameter "secret_file"/ ],
        [ "sign $file zone=api partner=a", qr/"wassiit_webhook_sign" takes either "secret_file" or "zone" and "partner"/ ],
        [ "sign $file partner=a", qr/takes either/ ],
        [ 'sign zone=api zone=api partner=a', qr/duplicate parameter "zone=api"/ ],
        [ "sign $file 'header=X A'", qr/"X A" can't be the header of a signature/ ],
        [ "sign $file header=X:", qr/"X:" can't be/ ],
        [ "sign $file header=h\xc3\xa9", qr/can't be/ ],
        [ "sign $file header=Content-length", qr/"Content-length" can't be/ ],
        [ "sign $file header=HOST", qr/"HOST" can't be/ ],
        [ "sign $file header=" . 'x' x 129, qr/"x+" can't be/ ])
    {
        my ($directive, $expected) = @$row;
        refused(in_http($ZONE, location => qq(wassiit_webhook_$directive;)), qr/$expected.* in \S+nginx\.conf:7$/m, $directive);
    }

    refused(in_http($ZONE, location => 'wassiit_webhook_sign zone=nope partner=a;'),
            qr/unknown wassiit_zone "nope", the only one is "api" in \S+nginx\.conf:7$/m, 'a zone that no one declares');
    refused(in_http($ZONE, location => 'wassiit_webhook_sign zone=api partner=$nope;'),
            qr/unknown "nope" variable/, 'an unknown variable');

    for my $row ([ 'empty', '', qr/secret file "\S+x\.secret" is empty/ ],
                 [ 'an empty line', "one\n\ntwo\n", qr/secret file "\S+x\.secret" has an empty line: 2/ ],
                 [ 'a line end alone', "\r\n", qr/has an empty line: 1/ ])
    {
        my ($name, $text, $expected) = @$row;
        refused(in_http('', location => "wassiit_webhook_$_ secret_file=x.secret;"), $expected, "$_: $name",
                files => { 'x.secret' => $text }) for qw(verify sign);
    }
    refused(in_http('', location => 'wassiit_webhook_verify secret_file=none.secret;'),
            qr{open\(\) "\S+/none\.secret" failed}, 'no such file');
};

# What is judged by its end can't be on its way before.

subtest 'what looks at bodies needs them whole' => sub {
    my %pass = (proxy => 'proxy_pass http://127.0.0.1:9;', fastcgi => 'fastcgi_pass 127.0.0.1:9;',
                uwsgi => 'uwsgi_pass 127.0.0.1:9;', scgi => 'scgi_pass 127.0.0.1:9;');
    my %body = (wassiit_webhook_verify => 'secret_file=our.secret', wassiit_webhook_sign => 'zone=api partner=a',
                wassiit_payload => 'document');

    for my $name (sort keys %pass) {
        my $off = "${name}_request_buffering off;";

        for my $directive (sort keys %body) {
            my $line = "$directive $body{$directive};";
            my $expected = qr{"$directive" looks at the whole body .* needs "${name}_request_buffering on" in location "/x"};

            refused(in_http($ZONE, location => "$line $off $pass{$name}"), $expected, "$directive, $off");
            refused(in_http("$ZONE $off", server => $line, location => $pass{$name}), $expected,
                    "$directive, $off, both from outside");
            accepted(in_http($ZONE, location => "$directive off; $off $pass{$name}"), "$directive off, $off");
            accepted(in_http("$ZONE $off", server => $line,
                             location => "${name}_request_buffering on; $pass{$name}"), "$directive, on again");
            accepted(in_http("$ZONE $off", location => "$line return 204;"), "$directive, where nothing goes upstream");
        }
    }
};

# A call of gRPC may go both ways at once.

subtest 'what looks at bodies takes no gRPC' => sub {
    my %body = (wassiit_webhook_verify => 'secret_file=our.secret', wassiit_webhook_sign => 'zone=api partner=a',
                wassiit_payload => 'document');

    for my $directive (sort keys %body) {
        my $line = "$directive $body{$directive};";
        my $expected = qr{"$directive" looks at the whole body .* "grpc_pass" .* write "$directive off" in location "/x"};

        for my $pass ('grpc_pass grpc://127.0.0.1:9;', 'grpc_pass $host;') {
            refused(in_http($ZONE, location => "$line $pass"), $expected, "$directive, $pass");
            refused(in_http("$ZONE $line", location => "if (\$args) { $pass }"), $expected, '... from http, in an "if"');
        }

        my $pass = 'grpc_pass $host;';
        refused(in_http($ZONE, server => $line, location => $pass), $expected, "$directive, from the server");
        refused(in_http($ZONE, location => "$line $pass limit_except GET { deny all; }"),
                $expected, '... with a "limit_except"');
        refused(in_http($ZONE, server => "location / { $line location /x { $pass } }",
                        location => '') =~ s/location .x \{\s*\}//r, $expected, '... in a location within');
        accepted(in_http("$ZONE $line", location => "$directive off; $pass"), "$directive off");
        accepted(in_http($ZONE, server => "location /y { $pass }", location => "$line proxy_pass http://127.0.0.1:9;"),
                 '... beside it');
    }
};

subtest 'nothing of it is needed' => sub {
    accepted(in_http(''), 'a configuration without any of our directives');
    accepted("events { }\n", 'no http at all');
};

done_testing;
