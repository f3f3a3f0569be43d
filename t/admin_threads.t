#!/usr/bin/env perl

# The thread in which a change is made: it is there for that, and at no other
# time, and nobody else waits for the disk.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use POSIX qw(EAGAIN);
use Test::More;
use Front;
use Wassiit;
use Wassiit::Cluster;
use Wassiit::Faults;
use Wassiit::Redis;

my $OPERATOR = make_key('an operator');

sub start {
    my ($workers, $listen, $location) = (@_, '', '');
    local @ENV{keys %Faulty} = values %Faulty;
    faults();

    my $server = Wassiit::Server->start(conf => <<"END", files => {
worker_processes $workers;
http {
    wassiit_zone zone=partners:1m file=state/partners.jsonl;
    wassiit_zone zone=operators:1m file=operators.jsonl rate=10000r/s;
    add_header X-Pid \$pid always;

    server {
        listen %%PORT%% $listen;
        location / { wassiit_access partners; wassiit_limit off; empty_gif; }
        $location
        location /admin/ { wassiit_access operators; wassiit_admin partners; }
    }
}
END
        'state/partners.jsonl' => [ map { partner("p$_", "key of p$_") } 1 .. 40 ],
        'operators.jsonl' => [ partner('ops', $OPERATOR) ],
    });
    wait_for { $workers == $server->worker_pids } or die "no workers\n";
    return $server;
}

sub request {
    my ($method, $id, $fields) = @_;
    return (method => $method, uri => "/admin/partners/$id",
            headers => [ 'X-API-Key' => $OPERATOR, 'Content-Type' => 'application/json' ],
            $fields ? (body => JSON::PP->new->canonical->encode($fields)) : ());
}

sub patch { my ($server, $id, $name) = @_; return http($server->port, request('PATCH', $id, { name => $name })) }
sub name_of { my ($server, $id) = @_; return http($server->port, request('GET', $id))->json->{name} }

# A change whose answer can be waited for later.
sub patch_sent {
    my ($server, $id, $name) = @_;
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(request('PATCH', $id, { name => $name })));
    return $client;
}

# How many threads each worker has.
sub of_process { my ($what, $pid) = @_; return scalar(() = glob "/proc/$pid/$what/*") }
sub threads { return join ' ', map { of_process('task', $_) } map { $_->worker_pids } @_ }

sub alone {
    my ($what, @servers) = @_;
    ok(wait_for { threads(@servers) !~ /[^1 ]/ }, $what) or diag(threads(@servers));
}


subtest 'with wassiit_admin' => sub {
    my $server = start(4, 'reuseport');
    is(threads($server), '1 1 1 1', 'no worker has a second thread');

    my %seen;
    $seen{ patch($server, 'p1', "No. $_")->header('X-Pid') } = 1 for 1 .. 60;
    cmp_ok(keys %seen, '>', 1, 'changes are made by several workers');
    is(name_of($server, 'p1'), 'No. 60', 'the last one is in force');
    alone('no worker has a second thread any more', $server);
    $server->stop;
};

subtest 'with wassiit_cluster' => sub {
    my $redis = Wassiit::Redis->start;
    my $cluster = Wassiit::Cluster->start(nodes => 2, redis => [ $redis->port ],
        rates => { atlas => '600r/m', basalt => '600r/m' },
        http => 'wassiit_zone zone=operators:64k file=operators.jsonl;',
        server => 'location /admin/ { wassiit_access operators; wassiit_limit off; wassiit_admin partners; }',
        files => { 'operators.jsonl' => [ partner('ops', $OPERATOR) ] });
    ok($cluster->wait_active, 'all nodes are active');
    alone('no worker has a second thread', $cluster->nodes);

    my @to = (uri => '/admin/partners/basalt',
              headers => [ 'X-API-Key' => $OPERATOR, 'Content-Type' => 'application/json' ]);
    my $name = sub { http($_[0]->port, @to)->json->{name} // '' };

    for my $n (1 .. 10) {
        my $since = Wassiit::_now();
        my $r = http($cluster->node(1 + $n % 2)->port, method => 'PATCH', @to, body => qq({"name":"No. $n"}));

        # a node whose disk takes over a second is named, and makes it later
        if (verdict($r) eq '202' && Wassiit::_now() - $since >= 1) {
            like("@{ $r->json->{pending} // [] }", qr/^edge-\d+(?: edge-\d+)*$/, "change $n waits for a node");
            ok(wait_for { !grep { $name->($_) ne "No. $n" } $cluster->nodes }, "change $n is made by all");
            next;
        }

        is($r->status, 200, "change $n") or diag($r->body);
    }

    ok(wait_for { !grep { $name->($_) ne 'No. 10' } $cluster->nodes }, 'all nodes have made the last one');
    alone('no worker has a second thread any more', $cluster->nodes);
    $cluster->stop;
    $redis->stop;
};

subtest 'the disk is slow' => sub {
    my $server = start(1);
    my ($worker) = $server->worker_pids;
    is(patch($server, 'p1', 'First')->status, 200, 'a change');
    alone('its thread ends', $server);
    my $descriptors = of_process('fd', $worker);

    faults('fsync file -3');
    my @clients = map { patch_sent($server, "p$_", "Slow $_") } 1 .. 40;
    ok(wait_for { threads($server) eq '2' }, 'a change waits in a thread');
    is(ask($server, "key of p$_")->status, 200, "p$_ doesn't wait") for 1 .. 5;
    is(threads($server), '2', 'and the other changes have no thread');

    faults();
    is_deeply([ map { $_->response->status } @clients ], [ (200) x 40 ], 'all changes are made');
    is(name_of($server, "p$_"), "Slow $_", "that of p$_ is in force") for 1, 20, 40;
    alone('no thread is left', $server);
    undef @clients;
    ok(wait_for { of_process('fd', $worker) <= $descriptors }, 'and no descriptor');
    $server->stop;
};

# Both tell the event loop when they are done.

subtest 'beside threads of nginx' => sub {
    plan skip_all => 'this nginx has none' if `$ENV{TEST_NGINX_BINARY} -V 2>&1` !~ /--with-threads/;
    my $server = start(1, '', 'location = /index.html { aio threads; sendfile off; root html; }');
    is(threads($server), '33', 'there are those of its pool');

    my @readers = map { Wassiit::Client->new($server->port) } 1 .. 20;
    my @clients;
    for my $n (1 .. 20) {
        push @clients, patch_sent($server, "p$n", "Beside $n");
        $_->send($_->request_bytes(uri => '/index.html')) for @readers;
    }

    is_deeply([ map { $_->response->status } @clients ], [ (200) x 20 ], 'all changes are made');
    is_deeply([ map { my $reader = $_; map { $reader->response->status } 1 .. 20 } @readers ], [ (200) x 400 ],
              'and all that was read is answered');
    is(name_of($server, 'p20'), 'Beside 20', 'the last one is in force');
    ok(wait_for { threads($server) eq '33' }, 'its threads alone are left');
    $server->stop;
};

subtest 'a worker is told to quit' => sub {
    my $server = start(1);
    my ($worker) = $server->worker_pids;
    faults('fsync file -3');
    my @clients = map { patch_sent($server, "p$_", "Quit $_") } 1 .. 10;
    ok(wait_for { threads($server) eq '2' }, 'a change is being made, others wait');

    $server->signal('QUIT');
    ok($server->wait_log(qr/$worker#\d+: gracefully shutting down/), 'the worker knows');
    faults();
    is_deeply([ map { $_->response->status } @clients ], [ (200) x 10 ], 'all changes are made');
    ok(wait_for { $server->_has_ended }, 'nginx ends');
    like($server->error_log, qr/worker process $worker exited with code 0/, 'so does its worker');
    $server->stop;
};

subtest 'a worker is told to end' => sub {
    my $server = start(2);
    faults('fsync file -3');
    my $client = patch_sent($server, 'p1', 'The end');
    ok(wait_for { threads($server) =~ /2/ }, 'a change is being made');
    my ($worker) = grep { of_process('task', $_) == 2 } $server->worker_pids;

    kill 'TERM', $worker;
    ok($server->wait_log(qr/$worker#\d+: exiting/), 'the worker knows');
    is(ask($server, 'key of p2')->status, 200, "request $_ goes to the other one") for 1 .. 20;
    unlike($server->error_log, qr/process $worker exited/, 'it is still there');

    faults();
    ok($server->wait_log(qr/worker process $worker exited with code 0/), 'it ends when the change is made');
    ok(wait_for { 2 == $server->worker_pids }, 'there is another in its place');
    is(name_of($server, 'p1'), 'The end', 'the change is in force');
    is(patch($server, 'p1', 'And on')->status, 200, 'and so is the next one');
    $server->stop;
};

subtest 'requests go on while no thread can be started' => sub {
    my $server = start(1);

    for my $row ([ 'No', '503 unavailable', 'a change is refused' ],
                 [ 'Late', 200, 'and made as soon as there can be a thread' ])
    {
        my ($name, $expected, $what) = @$row;
        my ($got, $is_late);

        # a change waits for 2 s: if we gave it no thread by then, it's sent once more
        for (1 .. 5) {
            my $since = Wassiit::_now();
            faults('create thread ' . EAGAIN);
            my $client = patch_sent($server, 'p1', $name);
            is(ask($server, 'key of p1')->status, 200, 'requests go on');
            faults() if $expected eq '200';
            $is_late = Wassiit::_now() - $since > 1;
            $got = verdict($client->response);
            last if !$is_late || $got ne '503 unavailable' || $expected ne '200';
        }

        is($got, $expected, $what);
    }

    $server->stop;
};

done_testing;
