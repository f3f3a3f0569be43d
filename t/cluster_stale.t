#!/usr/bin/env perl
# Front doors that are cut off from Redis let partners in for as long as
# wassiit_cluster's stale= says, as others may have revoked them meanwhile.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Test::More;
use Wassiit;
use Wassiit::Cluster;
use Wassiit::Operators qw(admin $Operator);
use Wassiit::Redis;

my $ops = 'ops.jsonl';

sub cluster {
    my ($parameters, @ports) = @_;
    return Wassiit::Cluster->start(nodes => 2, relays => 1, redis => \@ports, cluster => $parameters,
        rates => { atlas => '1000r/s', boma => '1000r/s' },
        files => { $ops => [ partner('ops', $Operator) ] },
        http => "wassiit_zone zone=ops:1m file=$ops;",
        server => <<'END');
error_page 503 =503 /problem;
location = /problem { internal; wassiit_problem; }
location = /open { wassiit_limit off; empty_gif; }
location = /free { wassiit_access off; empty_gif; }
location /admin/ { wassiit_access ops; wassiit_admin partners; }
END
}

sub ask {
    my ($cluster, $n, $uri, $who) = @_;
    my $key = $who eq 'nobody' ? make_key('nobody') : $cluster->key($who);
    return http($cluster->node($n)->port, uri => $uri, headers => [ 'X-API-Key' => $key ]);
}

sub is_open {
    my ($cluster, $n, $who, $expected) = @_;
    return wait_for { ask($cluster, $n, '/open', $who)->status == $expected };
}

sub lines {
    my ($cluster, $n, $pattern) = @_;
    return scalar grep { /$pattern/ } split /\n/, $cluster->node($n)->error_log;
}

my $begins = qr/\[error\].*node "edge-1" of zone "partners" has known of no changes for 3000 ms/;
my $ends = qr/\[notice\].*node "edge-1" of zone "partners" knows of all changes/;

subtest 'one is cut off' => sub {
    my $redis = Wassiit::Redis->start;
    my $cluster = cluster('lease=2s stale=3s', $redis->port);

    ok($cluster->wait_active, 'all are there');
    ok(is_open($cluster, $_, 'atlas', 200), "partners are let in at $_") for 1, 2;

    $cluster->relay(1)->hold;
    is(ask($cluster, 1, '/open', 'boma')->status, 200, 'and still are, where one is cut off');
    is(admin($cluster->node(2)->port, PATCH => '/boma', { enabled => JSON::PP::false() })->status =~ /^20[02]$/,
        1, 'one is revoked at another');

    ok(is_open($cluster, 1, 'atlas', 503), 'a while later they are not');
    my $answer = ask($cluster, 1, '/', 'boma');
    is($answer->status, 503, 'with a limit neither');
    is($answer->json->{code}, 'unavailable', 'it is told in the form of the location');
    is($answer->header('Retry-After'), undef, 'and when they will be is not');
    is(ask($cluster, 1, '/open', 'nobody')->status, 401, 'who is unknown stays so');
    is(ask($cluster, 1, '/free', 'atlas')->status, 200, 'who needs no key needs none');
    is(ask($cluster, 2, '/open', 'atlas')->status, 200, 'the other one lets them in');
    ok(wait_for { lines($cluster, 1, $begins) == 1 }, 'a line says that it began');

    is($cluster->node(1)->reload, '', 'a reload');
    is(ask($cluster, 1, '/open', 'atlas')->status, 503, 'changes nothing');

    # as soon as one is let in, the other is known to be revoked
    $cluster->relay(1)->heal;
    ok(is_open($cluster, 1, 'atlas', 200), 'Redis is back, and partners are let in');
    is(ask($cluster, 1, '/open', 'boma')->status, 403, 'but not who was revoked');
    ok(wait_for { lines($cluster, 1, $ends) == 1 }, 'a line says that it ended');

    $cluster->stop;
    $redis->stop;
};

subtest 'Redis stops, and one starts' => sub {
    my $redis = Wassiit::Redis->start;
    my $cluster = cluster('lease=2s stale=3s', $redis->port);

    ok($cluster->wait_active, 'all are there');
    $redis->freeze;
    $cluster->node(1)->crash;
    $cluster->node(1)->restart;
    ok(is_open($cluster, 1, 'atlas', 503), 'what it missed before it started is not known');
    ok(wait_for { lines($cluster, 1, $begins) >= 1 }, 'a line says so');
    ok(is_open($cluster, 2, 'atlas', 503), 'then none lets partners in');

    $redis->thaw;
    ok(is_open($cluster, $_, 'atlas', 200), "until Redis answers: $_") for 1, 2;

    $cluster->stop;
    $redis->stop;
};

subtest 'off' => sub {
    my $redis = Wassiit::Redis->start;
    my $cluster = cluster('lease=2s', $redis->port);

    ok($cluster->wait_active, 'all are there');
    $redis->freeze;
    ok(wait_for { ($cluster->states)[0] eq 'alone' }, 'one is alone');
    is(ask($cluster, 1, '/open', 'atlas')->status, 200, 'it lets partners in');
    is(lines($cluster, 1, $begins), 0, 'and says nothing');

    $cluster->stop;
    $redis->stop;
};

done_testing;
