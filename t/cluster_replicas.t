#!/usr/bin/env perl
# What Redis grants counts once replicas have it, as wassiit_cluster's replicas=
# says: by a real one, whose line to the master can be held.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Wassiit;
use Wassiit::Cluster;
use Wassiit::Operators qw(admin $Operator);
use Wassiit::Redis;
use Wassiit::Relay;

sub servers {
    my $first = Wassiit::Redis->start;
    my $line = Wassiit::Relay->start($first->port);
    my $second = Wassiit::Redis->start(replicaof => $line);
    ok(wait_for { $second->connect->call('ROLE')->[3] eq 'connected' }, 'a replica follows');
    return ($first, $line, $second);
}

# Limits for so long that nothing is free again in this test: 2 nodes, 50 each.
sub cluster {
    my ($replicas, @servers) = @_;
    my $cluster = Wassiit::Cluster->start(nodes => 2, redis => [ map { $_->port } @servers ],
        rates => { atlas => '200r/h', boma => '200r/h' }, cluster => "lease=2s replicas=$replicas",
        files => { 'ops.jsonl' => [ partner('ops', $Operator) ] },
        http => 'wassiit_zone zone=ops:1m file=ops.jsonl;',
        server => 'location = /here { empty_gif; }
                   location /admin/ { wassiit_access ops; wassiit_admin partners; }',
        allow_log => qr/exited on signal 9/);
    ok($cluster->wait_active, 'the front doors are there');
    return $cluster;
}

# How many of so many are let in, one after another; the ledger has time between.
sub let_in {
    my ($cluster, $n, $who, $tries) = @_;
    my $client = Wassiit::Client->new($cluster->node($n)->port);
    my $in = 0;
    for (1 .. $tries) {
        my $r = $client->request(uri => '/here', headers => [ 'X-API-Key' => $cluster->key($who) ]);
        $in++ if $r->status == 200;
        select undef, undef, undef, 0.005;
    }
    return $in;
}

subtest 'a replica that lags' => sub {
    my ($first, $line, $second) = servers();
    my $cluster = cluster(1, $first, $second);

    $line->hold;
    is(let_in($cluster, 1, 'atlas', 120), 50, 'nothing counts but the standing share');
    is(($cluster->states)[0], 'active', 'while the master answers');
    like($cluster->node(1)->error_log, qr/isn't at 1 of its replicas within 100 ms: it doesn't count; see/, 'the log says so');

    # a node whose disk stalls is named as well, until it has the change
    my $r;
    wait_for { $r = admin($cluster->node(2)->port, PATCH => '/boma', { name => 'Boma' });
               $r->status != 202 || !grep { /^edge-/ } @{ $r->json->{pending} } };
    is($r->status, 202, 'a change is made');
    is_deeply($r->json->{pending}, ['redis'], 'but a failover may lose it');

    $line->heal;
    $r = undef;
    ok(wait_for { $r = admin($cluster->node(2)->port, PATCH => '/boma', { name => 'Boma' }); $r->status == 200 },
        'until the replica has it') or diag($r->status, ' ', $r->body);
    my $in = 50;
    ok(wait_for { ($in += let_in($cluster, 1, 'atlas', 50)) >= 150 }, 'then what others do not need')
        or diag($in);
    like($cluster->node(1)->error_log, qr/is at 1 of its replicas again: it counts/, 'as the log says');

    $cluster->stop;
    $_->stop for $second, $line, $first;
};

subtest 'without' => sub {
    my ($first, $line, $second) = servers();
    my $cluster = cluster(0, $first, $second);

    $line->hold;
    my $in = 0;
    ok(wait_for { ($in += let_in($cluster, 1, 'atlas', 50)) >= 150 }, 'it is granted all the same')
        or diag($in);

    $cluster->stop;
    $_->stop for $second, $line, $first;
};

# The front door that was granted it can't tell the new master of it.
subtest 'a failover, and the front door that was granted ends' => sub {
    my ($first, $line, $second) = servers();
    my $cluster = cluster(1, $first, $second);

    my $in = 0;
    ok(wait_for { ($in += let_in($cluster, 1, 'atlas', 50)) >= 150 }, 'much was granted') or diag($in);

    $line->hold;
    $in += let_in($cluster, 1, 'boma', 20) && 0;
    $cluster->node(1)->crash;
    $first->kill;
    $second->connect->call('REPLICAOF', 'NO', 'ONE');

    ok(wait_for { (($cluster->states)[1] // '') eq 'active' }, 'the other one is active again');
    $in += let_in($cluster, 2, 'atlas', 500);
    cmp_ok($in, '<=', 200, 'no more than the limit is let in');

    $cluster->stop;
    $_->stop for $second, $line, $first;
};

done_testing;
