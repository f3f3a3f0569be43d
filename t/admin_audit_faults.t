#!/usr/bin/env perl

# The audit log of changes that fail, or whose client or worker goes away before they
# are done: one line of each, with what came of it.

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
use Wassiit::Faults;

my $JSON = JSON::PP->new->utf8->canonical;
my $OPERATOR = make_key('an operator');

my $CONF = <<'END';
worker_processes 1;
worker_shutdown_timeout 100ms;
error_log logs/error.log warn;
http {
    wassiit_scopes partners.manage;
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
    }
}
END

sub start {
    my ($size, @partners) = @_;
    local @ENV{keys %Faulty} = values %Faulty;

    faults();
    return Wassiit::Server->start(
        conf => $CONF =~ s/%SIZE%/$size/r, allow_log => qr/\[crit\] .*fsync\(\)/,
        files => {
            'state/partners.jsonl' => [@partners],
            'operators.jsonl' => [
                partner('ops', $OPERATOR, scopes => ['partners.manage'], rate => '10000r/s') ] });
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

# A change that waits for the lock of the file, whoever goes away meanwhile: its line.
# It waits for 2 s, so what was slow on our side is done anew.

sub held {
    my ($server, $code) = @_;

    for my $try (1 .. 5) {
        my $s = ref $server eq 'CODE' ? $server->() : $server;
        open my $file, '+<', $s->dir . '/conf/state/partners.jsonl' or die "file: $!";
        flock $file, LOCK_EX or die "flock: $!";
        my $since = Wassiit::_now();
        $code->();
        my $is_late = Wassiit::_now() - $since > 1;
        close $file;

        my ($line) = audit($s, 1);
        return $line if !$is_late || $line->{result} ne 'failed' || $try == 5;
    }
}

sub name_of { call($_[0], 'GET', 'partners/atlas')->json->{name} }

subtest 'clients that go away' => sub {
    my $server = start('1m', partner('atlas', 'key of atlas'));
    my $line;
    $server->{read} = 0;

    $line = held($server, sub {
        my $client = Wassiit::Client->new($server->port(2));
        $client->send($client->request_bytes(request('PATCH', 'partners/atlas', { name => 'B' })));
        # a request that comes later is answered later
        call($server, 'GET', 'partners');
        $client->close;
        call($server, 'GET', 'partners');
    });
    is("@{$line}{qw(operation partner result)}", 'partner_patch atlas done', 'it is done');
    is(name_of($server), 'B', 'and is told so');

    $line = held($server, sub {
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
    my ($server, @lines);

    $lines[1] = held(sub {
        $server->stop if $server;
        $server = start('1m', partner('atlas', 'key of atlas'));
        $server->{read} = 0;
        return $server;
    }, sub {
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
