#!/usr/bin/env perl

# The variables of an audit log: each change that someone asks of the admin
# endpoint is one line, whatever came of it, and nothing else is.

use strict;
use warnings;

use lib 't/lib';
use Fcntl qw(LOCK_EX);
use JSON::PP ();
use POSIX qw(EIO);
use Test::More;
use Front;
use H2;
use Wassiit;

my $JSON = JSON::PP->new->utf8->canonical;
my $OPERATOR = make_key('an operator');
my $READER = make_key('one who may only look');
my $SPENT = make_key('one who is limited');
my $FAULTS = test_dir() . '/faults';
my @LONG = map { sprintf '%s.%02d', 's' x 50, $_ } 1 .. 40;
my $SHIM = test_dir() . '/faults.so';

system(qw(gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o), $SHIM,
       't/lib/faults.c') == 0 or die "can't compile t/lib/faults.c\n";
chmod 0755, $SHIM;

sub faults {
    open my $out, '>', "$FAULTS.put" or die "$FAULTS.put: $!";
    print {$out} map { "$_\n" } @_;
    close $out or die "$FAULTS.put: $!";
    chmod 0644, "$FAULTS.put";
    rename "$FAULTS.put", $FAULTS or die "$FAULTS: $!";
}

my $CONF = <<'END';
worker_processes 1;
worker_shutdown_timeout 100ms;
error_log logs/error.log warn;
http {
    wassiit_scopes partners.manage %SCOPES%;
    wassiit_zone zone=api:%SIZE% file=state/partners.jsonl;
    wassiit_zone zone=ops:1m file=operators.jsonl;

    log_format audit escape=json
        '{"by":"$wassiit_partner","with":"$wassiit_key_id",'
        '"operation":"$wassiit_admin_operation","partner":"$wassiit_admin_partner",'
        '"key":"$wassiit_admin_key_id","change":"$wassiit_admin_change",'
        '"result":"$wassiit_admin_result","status":"$status",'
        '"id":"$request_id"}';
    log_format all '$request';
    access_log logs/access.log all;
    access_log logs/audit.log audit if=$wassiit_admin_operation;

    server {
        listen %%PORT%%;
        location / { wassiit_access api; }
    }
    server {
        listen %%PORT_2%%;
        listen %%PORT_3%% http2;
        wassiit_access ops;

        location /admin/ {
            wassiit_scope partners.manage;
            wassiit_admin api;
        }
        location /page/ {
            wassiit_scope partners.manage;
            wassiit_admin api;
            error_page 401 =200 /none;
            error_page 403 =200 @named;
        }
        location /only/ {
            wassiit_scope partners.manage;
            wassiit_admin api;
            limit_except GET { deny all; }
        }
        location /other/ { return 204; }
        location = /none { wassiit_access off; return 200 "none\n"; }
        location @named { wassiit_access off; return 200 "none\n"; }
    }
}
END

sub start {
    my ($size, @partners) = @_;
    local $ENV{LD_PRELOAD} = $SHIM;
    local $ENV{WASSIIT_FAULTS} = $FAULTS;

    faults();
    return Wassiit::Server->start(
        conf => $CONF =~ s/%SIZE%/$size/r =~ s/%SCOPES%/@LONG/r, allow_log => qr/\[crit\] .*fsync\(\)/,
        files => {
            'state/partners.jsonl' => [@partners],
            'operators.jsonl' => [
                partner('ops', $OPERATOR, scopes => ['partners.manage'], rate => '10000r/s'),
                partner('reader', $READER, scopes => ['messages.send'], rate => '10000r/s'),
                partner('spent', $SPENT, scopes => ['partners.manage'], rate => '1r/d') ] });
}

sub request {
    my ($method, $path, $body, %with) = @_;
    my $key = exists $with{key} ? $with{key} : $OPERATOR;

    return (method => $method, uri => ($with{below} // '/admin/') . $path,
            headers => [ defined $key ? ('X-API-Key' => $key) : (), @{ $with{headers} // [] } ],
            defined $body ? (body => ref $body ? $JSON->encode($body) : $body) : ());
}

sub call {
    my ($server, @request) = @_;
    return http($server->port(2), request(@request));
}

# The lines of the audit log beyond those that were read, $n of them; a change
# that comes after them shows that there are no more.

sub audit {
    my ($server, $n) = @_;
    my $lines = sub {
        open my $in, '<:raw', $server->dir . '/logs/audit.log' or return;
        return <$in>;
    };

    wait_for { $server->{read} + $n <= (() = $lines->()) };
    my @new = ($lines->())[ $server->{read} .. $server->{read} + $n - 1 ];
    $server->{read} += $n;
    return map { $JSON->decode($_ // '{"operation":"no line"}') } @new;
}

# One request, and the line of it: what, of whom, which key, result and status.

sub line_is {
    my ($server, $expected, $what, @request) = @_;
    my $r = call($server, @request);
    my ($line) = audit($server, 1);
    my $got = join ' ', map { !defined || $_ eq '' ? '-' : $_ }
        @{$line}{qw(by operation partner key result status)};

    is($got, $expected, $what) or diag($r ? $r->body : 'no answer');
    return ($r, $line);
}


subtest 'what is done' => sub {
    my $server = start('1m');
    $server->{read} = 0;

    my $r = call($server, 'POST', 'partners', { id => 'atlas' });
    my ($line) = audit($server, 1);
    my $key = $r->json->{keys}[0]{id};
    my $id = delete $line->{id};
    is_deeply($line, { by => 'ops', with => 'k1', operation => 'partner_create',
        partner => 'atlas', key => $key, change => '{"id":"atlas"}', result => 'done',
        status => '201' }, 'a partner is made');
    like($id, qr/\A[0-9a-f]{32}\z/, 'with the id of the request');

    for my $row ([ 'key_create', 'keys' ], [ 'key_rotate', 'keys/rotate', { grace => '0' } ]) {
        my ($operation, $path, $body) = @$row;
        $r = call($server, 'POST', "partners/atlas/$path", $body);
        ($line) = audit($server, 1);
        $key = $r->json->{id};
        is("@{$line}{qw(operation partner key result status)}", "$operation atlas $key done 201",
           $operation);
    }

    line_is($server, "ops key_revoke atlas $key done 204", 'a key is revoked',
            'DELETE', "partners/atlas/keys/$key");
    line_is($server, 'ops partner_patch atlas - done 200', 'fields are changed',
            'PATCH', 'partners/atlas', { name => 'Atlas' });
    line_is($server, 'ops hmac_secret atlas - done 201', 'a secret',
            'POST', 'partners/atlas/hmac_secret');
    line_is($server, 'ops webhook_secret atlas - done 201', 'another',
            'POST', 'partners/atlas/webhook_secret');
    line_is($server, 'ops partner_delete atlas - done 204', 'a partner is deleted',
            'DELETE', 'partners/atlas');
    $server->stop;
};

# What was asked for, as the log has it; then what that is, if it is read.

sub change_is {
    my ($server, $expected, $what, @request) = @_;
    my $r = call($server, @request);
    my ($line) = audit($server, 1);

    is($line->{change}, $expected, $what) or diag($r ? $r->body : 'no answer');
    return $expected eq '' ? undef : $JSON->decode($line->{change});
}

subtest 'what is asked for' => sub {
    my $server = start('1m', partner('atlas', 'key of atlas'));
    my @atlas = ('PATCH', 'partners/atlas');
    $server->{read} = 0;

    for my $row (
        [ '{"id":"rif","name":"Rif","rate":"7r/m","scopes":["partners.manage"]}', 'a partner',
          'POST', 'partners', { id => 'rif', name => 'Rif', rate => '7r/m',
                                scopes => ['partners.manage'] } ],
        [ '{"enabled":false}', 'who is switched off', @atlas, '{"enabled":false}' ],
        [ '{"enabled":true}', 'and on', @atlas, '{"enabled":true}' ],
        [ '{"name":null,"rate":null}', 'what is taken away', @atlas, '{"rate":null,"name":null}' ],
        [ '{"scopes":[]}', 'no scopes', @atlas, { scopes => [] } ],
        [ '', 'nothing', @atlas, {} ],
        [ '{"grace":"0"}', 'at once', 'POST', 'partners/atlas/keys/rotate', { grace => '0' } ],
        [ '{"grace":"1d 2h"}', 'as it is written', 'POST', 'partners/atlas/keys/rotate',
          { grace => '1d 2h' } ],
        (map { [ '{"grace":"24h"}', "$_->[0]: by default", 'POST', "partners/atlas/$_->[0]",
                 $_->[1] ] }
             [ 'keys/rotate' ], [ 'keys/rotate', {} ], [ 'hmac_secret' ], [ 'webhook_secret' ]),
        [ '{"grace":"30m"}', 'of a secret', 'POST', 'partners/atlas/hmac_secret',
          { grace => '30m' } ],
        [ '', 'a key', 'POST', 'partners/atlas/keys' ],
        [ '', 'a key, by a body', 'POST', 'partners/atlas/keys', {} ],
        [ '', 'a key to revoke', 'DELETE', 'partners/atlas/keys/k1' ],
        [ '', 'a partner to delete', 'DELETE', 'partners/rif' ],

        # refused, and yet understood
        [ '{"id":"atlas"}', 'who is there', 'POST', 'partners', { id => 'atlas' } ],
        [ '{"enabled":false}', 'who is not', 'PATCH', 'partners/none', '{"enabled":false}' ],
        [ '{"name":"A"}', 'by another ETag', @atlas, { name => 'A' },
          headers => [ 'If-Match' => '"x"' ] ],

        # not understood, or not read
        [ '', 'no JSON', @atlas, '{"enabled":false' ],
        [ '', 'no object', @atlas, '["enabled"]' ],
        [ '', 'one field that is wrong', @atlas, '{"enabled":false,"name":1}' ],
        [ '', 'one that is unknown', @atlas, { name => 'A', hmac_secret => 'not for a log' } ],
        [ '', 'an id that is none', 'POST', 'partners', { id => "\"\n", name => 'A' } ],
        [ '', 'a grace that is none', 'POST', 'partners/atlas/keys/rotate', { grace => "1\"\n" } ],
        [ '', 'nobody', @atlas, { name => 'A' }, key => undef ],
        [ '', 'a body that is too large', @atlas, ' ' x 70_000 ])
    {
        change_is($server, @$row);
    }

    # what JSON escapes, twice; what it doesn't, but a log would
    my $name = qq{"\\\x{e9}\x{20ac}\x{1f600}/'\$name{},"x":1};
    my $change = change_is($server,
        '{"name":"\\"\\\\\u00E9\u20AC\uD83D\uDE00/\'$name{},\\"x\\":1"}', 'any name', @atlas,
        { name => $name });
    is($change->{name}, $name, 'which is read as it was');

    # the longest that there is room for, and what there is none for
    $change = change_is($server, '{"name":"' . '\u00E9' x 64 . '"}', 'a long name', @atlas,
                        { name => "\x{e9}" x 64 });
    is_deeply(change_is($server, '{"name":"A","enabled":false,"omitted":["scopes"]}',
                        'too many scopes', @atlas,
                        { name => 'A', enabled => JSON::PP::false(), scopes => \@LONG }),
              { name => 'A', enabled => JSON::PP::false(), omitted => ['scopes'] }, 'as it says');
    change_is($server, '{"omitted":["scopes"]}', 'those alone', @atlas, { scopes => \@LONG });
    change_is($server, '{"omitted":["grace"]}', 'a long grace', 'POST',
              'partners/atlas/keys/rotate', { grace => '0' x 5000 });
    my @some = @LONG[ 0 .. 29 ];
    $change = change_is($server, '{"scopes":["' . join('","', @some) . '"]}', 'many scopes', @atlas,
                        { scopes => \@some });
    for my $zeros (1960 .. 1990) {
        my $grace = '0' x $zeros;
        my $r = call($server, 'POST', 'partners/atlas/hmac_secret', { grace => $grace });
        my ($line) = audit($server, 1);
        my $fits = 1 + length('"grace":""') + $zeros <= 2048 - 64;
        is($line->{change}, $fits ? "{\"grace\":\"$grace\"}" : '{"omitted":["grace"]}',
           "$zeros zeros");
    }
    $server->stop;
};

subtest 'what is refused' => sub {
    my $server = start('1m', partner('atlas', 'key of atlas'));
    $server->{read} = 0;

    for my $row (
        [ 'no such partner', 'ops partner_patch none - refused 404',
          'PATCH', 'partners/none', {} ],
        [ 'no such key', 'ops key_revoke atlas k9 refused 404', 'DELETE', 'partners/atlas/keys/k9' ],
        [ 'a key named rotate', 'ops key_revoke atlas rotate refused 404',
          'DELETE', 'partners/atlas/keys/rotate' ],
        [ 'an id that is taken', 'ops partner_create atlas - refused 409', 'POST', 'partners', { id => 'atlas' } ],
        [ 'another ETag', 'ops partner_patch atlas - refused 412', 'PATCH', 'partners/atlas', {},
          headers => [ 'If-Match' => '"x"' ] ],
        [ 'a bad If-Match', 'ops partner_delete atlas - refused 400', 'DELETE', 'partners/atlas',
          undef, headers => [ 'If-Match' => 'x' ] ],
        [ 'a field', 'ops partner_create rif - refused 400',
          'POST', 'partners', { id => 'rif', enabled => 1 } ],
        [ 'an id in the body', 'ops partner_create - - refused 400',
          'POST', 'partners', { id => "a\n\"b" } ],
        [ 'no JSON', 'ops partner_create - - refused 400', 'POST', 'partners', '{"id":"rif"' ],
        [ 'an id in the path', 'ops partner_delete - - refused 400', 'DELETE', 'partners/A%22%0aB' ],
        [ 'a key in the path', 'ops key_revoke atlas - refused 400',
          'DELETE', 'partners/atlas/keys/%22,%22x%22:%22' ],
        [ 'arguments', 'ops partner_delete atlas - refused 400', 'DELETE', 'partners/atlas?x=1' ],
        [ 'a body that is too large', 'ops partner_patch atlas - refused 413',
          'PATCH', 'partners/atlas', 'x' x 70_000 ],
        [ 'no key', '- partner_delete atlas - refused 401', 'DELETE', 'partners/atlas', undef,
          key => undef ],
        [ 'a wrong key', '- partner_create - - refused 401', 'POST', 'partners', { id => 'rif' },
          key => make_key('nobody') ],
        [ 'a key of atlas', '- key_rotate atlas - refused 401', 'POST', 'partners/atlas/keys/rotate',
          undef, key => 'key of atlas' ],
        [ 'without the scope', 'reader hmac_secret atlas - refused 403',
          'POST', 'partners/atlas/hmac_secret', undef, key => $READER ],
        [ 'the last of a window', 'spent partner_patch atlas - done 200',
          'PATCH', 'partners/atlas', {}, key => $SPENT ],
        [ 'limited', 'spent partner_patch atlas - refused 429',
          'PATCH', 'partners/atlas', {}, key => $SPENT ],
        [ 'by limit_except', 'ops partner_delete atlas - refused 403',
          'DELETE', 'partners/atlas', undef, below => '/only/' ],
        [ 'without a key, with a page', '- partner_delete atlas - refused 200',
          'DELETE', 'partners/atlas', undef, below => '/page/', key => undef ],
        [ 'without the scope, with a page', 'reader key_revoke atlas k1 refused 200',
          'DELETE', 'partners/atlas/keys/k1', undef, below => '/page/', key => $READER ])
    {
        my ($what, $expected, @request) = @$row;
        line_is($server, $expected, $what, @request);
    }

    for my $row ([ 'GET', 'partners' ], [ 'GET', 'partners/atlas' ], [ 'HEAD', 'partners/atlas' ],
                 [ 'GET', 'partners/none' ], [ 'GET', 'partners?x=1' ],
                 [ 'GET', 'partners', undef, key => undef ], [ 'PUT', 'partners/atlas', '{}' ],
                 [ 'DELETE', 'partners' ], [ 'POST', 'nothing' ],
                 [ 'POST', 'partners', '{}', below => '/other/' ])
    {
        call($server, @$row);
    }
    line_is($server, 'ops partner_patch last - refused 404', 'to look is no change, nor is what ' .
            'names none', 'PATCH', 'partners/last', {});
    $server->stop;
};

subtest 'what fails' => sub {
    my $server = start('1m', partner('atlas', 'key of atlas'));
    $server->{read} = 0;

    faults('fsync file ' . EIO);
    line_is($server, 'ops partner_patch atlas - failed 507', 'on the disk',
            'PATCH', 'partners/atlas', { name => 'B' });
    line_is($server, 'ops key_create atlas - failed 507', 'a key that nobody gets',
            'POST', 'partners/atlas/keys');
    faults();
    line_is($server, 'ops partner_patch atlas - done 200', 'and is well again',
            'PATCH', 'partners/atlas', { name => 'B' });

    open my $file, '+<', $server->dir . '/conf/state/partners.jsonl' or die "file: $!";
    flock $file, LOCK_EX or die "flock: $!";
    line_is($server, 'ops partner_patch atlas - failed 503', 'for a lock',
            'PATCH', 'partners/atlas', { name => 'C' });
    close $file;
    $server->stop;

    $server = start('64k');
    $server->{read} = 0;
    my ($n, $r) = (0);
    do { $r = call($server, 'POST', 'partners', { id => 'p' . ++$n, rate => '1000r/m' }) }
        until $r->status != 201 || $n > 1000;
    audit($server, $n - 1);
    my ($line) = audit($server, 1);
    is("@{$line}{qw(operation partner result status)}", "partner_create p$n failed 507",
       'in a zone that is full');
    $server->stop;
};

# A change that waits for the lock of the file, whoever goes away meanwhile.

sub held {
    my ($server, $code) = @_;
    open my $file, '+<', $server->dir . '/conf/state/partners.jsonl' or die "file: $!";
    flock $file, LOCK_EX or die "flock: $!";
    $code->();
    close $file;
}

sub name_of { call($_[0], 'GET', 'partners/atlas')->json->{name} }

subtest 'clients that go away' => sub {
    my $server = start('1m', partner('atlas', 'key of atlas'));
    my $line;
    $server->{read} = 0;

    held($server, sub {
        my $client = Wassiit::Client->new($server->port(2));
        $client->send($client->request_bytes(request('PATCH', 'partners/atlas', { name => 'B' })));
        # a request that comes later is answered later
        call($server, 'GET', 'partners');
        $client->close;
        call($server, 'GET', 'partners');
    });
    ($line) = audit($server, 1);
    is("@{$line}{qw(operation partner result)}", 'partner_patch atlas done', 'it is done');
    is(name_of($server), 'B', 'and is told so');

    held($server, sub {
        my $h2 = H2->new($server->port(3));
        my $one = $h2->request(method => 'PATCH', path => '/admin/partners/atlas', body => 0,
                               headers => [ 'x-api-key' => $OPERATOR ]);
        $h2->data($one, '{"name":"C"}', 1);
        my $two = $h2->request(method => 'GET', path => '/admin/partners',
                               headers => [ 'x-api-key' => $OPERATOR ]);
        $h2->until_closed($two);
        $h2->cancel($one, 8);
        my $three = $h2->request(method => 'GET', path => '/admin/partners',
                                 headers => [ 'x-api-key' => $OPERATOR ]);
        $h2->until_closed($three);
    });
    ($line) = audit($server, 1);
    is("@{$line}{qw(operation partner result)}", 'partner_patch atlas done', 'by HTTP/2, too');
    is(name_of($server), 'C', 'and is told so');

    # before the body was there: nothing was changed
    my $client = Wassiit::Client->new($server->port(2));
    $client->send("PATCH /admin/partners/atlas HTTP/1.1\r\nHost: a\r\nX-API-Key: $OPERATOR\r\n"
                  . "Content-Length: 12\r\n\r\n{\"name\"");
    call($server, 'GET', 'partners');
    $client->close;
    ($line) = audit($server, 1);
    is("@{$line}{qw(operation partner result)}", 'partner_patch atlas refused',
       'half of a request is none');
    is(name_of($server), 'C', 'and nothing is done');
    $server->stop;
};

subtest 'a worker that has to end' => sub {
    my $server = start('1m', partner('atlas', 'key of atlas'));
    my @lines;
    $server->{read} = 0;

    held($server, sub {
        my ($whole, $half) = map { Wassiit::Client->new($server->port(2)) } 1, 2;
        my $bytes = $whole->request_bytes(request('PATCH', 'partners/atlas', { name => 'B' }));
        $whole->send($bytes);
        $half->send(substr $bytes, 0, -1);
        call($server, 'GET', 'partners');

        # after worker_shutdown_timeout connections are closed, busy or not
        $server->signal('QUIT');
        ok($half->is_closed, 'nobody waits for half of a request');
        ($lines[0]) = audit($server, 1);
    });

    ($lines[1]) = audit($server, 1);
    is("@{$lines[0]}{qw(operation partner result)}", 'partner_patch atlas refused',
       'which is logged');
    is("@{$lines[1]}{qw(operation partner result)}", 'partner_patch atlas done',
       'the other is logged with what came of it');
    ok($server->wait_end, 'then the worker ends');

    open my $in, '<', $server->dir . '/conf/state/partners.jsonl' or die "file: $!";
    is(grep({ /"name":"B"/ } <$in>), 1, 'as the file has it');
    $server->stop;
};

done_testing;
