#!/usr/bin/env perl
# What status and metrics show of a node of a cluster: its state while Redis stands
# still, goes and comes back, and what it counts, request by request.

use strict;
use warnings;

use JSON::PP ();

use lib 't/lib';
use Wassiit;
use Wassiit::Exposition;
use Wassiit::Redis;
use Test::More;

my @States = qw(starting alone restating active);
my @Counters = qw(claims granted lent early parked admitted crowded losses errors);
my %metric = (early => 'early_refusals', admitted => 'parked_admitted');

my $redis = Wassiit::Redis->start;

sub conf {
    my ($port, $cluster) = @_;
    return <<"END";
worker_processes 2;
error_log logs/error.log notice;
http {
    wassiit_zone zone=api:1m file=state/partners.jsonl;
    wassiit_zone zone=other:64k file=state/other.jsonl;
    wassiit_zone zone=operators:64k file=operators.jsonl;
    wassiit_redis zone=api server=127.0.0.1:$port;
    wassiit_cluster zone=api $cluster;
    access_log off;
    server {
        listen %%PORT%%;
        location / { wassiit_access api; empty_gif; }
        location /dry { wassiit_access api; wassiit_limit dry_run; empty_gif; }
    }
    server {
        listen %%PORT_2%%;
        wassiit_access operators;
        satisfy any;
        allow all;
        location = /status { wassiit_status api; }
        location = /metrics { wassiit_status api prometheus; }
        location = /other { wassiit_status other; }
        location = /other/metrics { wassiit_status other prometheus; }
    }
}
END
}

# 40 an hour: what is admitted stays in the window for all of the test.

sub node {
    my ($port, $cluster, %with) = @_;
    return Wassiit::Server->start(conf => conf($port, $cluster), daemon => $with{daemon}, files => {
        'state/partners.jsonl' => [ map { partner($_, "$_ of atlas", rate => '40r/h') }
                                    qw(first second third) ],
        'state/other.jsonl' => [], 'operators.jsonl' => [], 'seal.secret' => 'A' x 43 . "=\n" });
}

sub ask { http($_[0]->port, uri => $_[2] // '/', headers => [ 'X-API-Key' => "$_[1] of atlas" ])->status }
sub seen { http($_[0]->port(2), uri => '/status')->json->{cluster} }

sub becomes {
    my ($node, $name, $is) = @_;
    my $seen;
    ok(wait_for { $seen = seen($node); $is->($seen) }, $name)
        or diag(JSON::PP->new->canonical->encode($seen));
    return $seen;
}

sub state_is { my ($node, $state) = @_; becomes($node, $state, sub { $_[0]{state} eq $state }) }

# JSON and Prometheus say the same; what changes in between is asked for again.

sub agrees_with_metrics {
    my ($node, $what) = @_;
    my (@differs, @faults);

    wait_for {
        my $json = seen($node);
        my $e = Wassiit::Exposition->new(http($node->port(2), uri => '/metrics')->body);
        my $is = sub { my $name = shift; $e->value("wassiit_cluster_$name", zone => 'api', @_) // 'none' };

        @faults = $e->faults;
        @differs = (
            (grep { $is->(($metric{$_} // $_) . '_total') ne $json->{counters}{$_} } @Counters),
            (grep { $is->($_) ne $json->{$_} } qw(place nodes caps)),
            (grep { $is->('state', state => $_) ne ($json->{state} eq $_ ? 1 : 0) } @States),
            $is->('node_info', node => $json->{node}) eq 1 ? () : 'node',
            $is->('redis_connected') eq ($json->{redis}{connected} ? 1 : 0) ? () : 'connected',
            $is->('config_agrees') eq ($json->{agrees} ? 1 : 0) ? () : 'agrees',
            $is->('stale') eq ($json->{stale} ? 1 : 0) ? () : 'stale',
            $is->('log_behind') eq $json->{behind} ? () : 'behind',
            ($is->('session_seconds') > 0) == ($json->{session} > 0) ? () : 'session',
            ($is->('redis_answer_time_seconds') > 0) == defined $json->{redis}{answered} ? () : 'answered',
        );
        return !@differs;
    };

    is_deeply([ @differs, @faults ], [], "$what: Prometheus is told the same");
}


# ---- two that share

my $a = node($redis->port, 'nodes=2 node=edge-a lease=2s', daemon => 1);
# what waits while Redis stands still, and is looked at meanwhile, has time for it
my $b = node($redis->port, 'nodes=2 node=edge-b lease=10s wait=on timeout=10s');
state_is($_, 'active') for $a, $b;

{
    my $seen = seen($a);
    is($seen->{node}, 'edge-a', 'its name');
    is(join(' ', sort map { seen($_)->{place} } $a, $b), '1 2', 'each has a place of its own');
    is($seen->{nodes}, 2, 'how many there are');
    ok($seen->{session} > 0 && $seen->{session} <= 2, 'its session lasts')
        or diag($seen->{session});
    ok($seen->{redis}{connected}, 'Redis is connected');
    like($seen->{redis}{answered}, qr/\A20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/, 'and has answered');
    ok($seen->{agrees}, 'they have the same values');
    is($seen->{caps}, 0, 'no partner has another cap than the standing share');
    is_deeply([ @{ $seen->{counters} }{@Counters} ], [ (0) x @Counters ], 'nothing is counted');
    is_deeply([ sort keys %{ $seen->{counters} } ], [ sort @Counters ], 'these are all');
    agrees_with_metrics($a, 'at first');

    my $before = $seen->{redis}{answered};
    becomes($a, 'it goes on to answer', sub { $_[0]{redis}{answered} gt $before });
}

unlike(http($a->port(2), uri => $_)->body, qr/cluster|redis/, "$_: a zone without a cluster has nothing of it")
    for qw(/other /other/metrics);


# ---- 40 by one of them, which has 10 at first

{
    my ($passed, $refused) = (0, 0);
    wait_for { ask($a, 'first') == 200 ? $passed++ : $refused++; $passed == 40 };

    is($passed, 40, 'all of the limit is to be had at one node');
    my $seen = becomes($a, 'a partner has another cap', sub { $_[0]{caps} == 1 });
    is($seen->{counters}{granted}, 30, 'what is above the share was granted');
    cmp_ok($seen->{counters}{claims}, '>=', 2, 'by several claims');
    is($seen->{counters}{early}, $refused, 'each refusal so far was early');

    is(ask($a, 'first'), 429, 'no more is free') for 1 .. 3;
    like(http($a->port, headers => [ 'X-API-Key' => 'first of atlas' ])->body, qr/"Your limit of 40 requests in 3600 seconds is used up\. /,
         'nor anywhere');
    is(seen($a)->{counters}{early}, $refused, 'which is not early');
    is(seen($a)->{counters}{lent}, 0, 'it has lent nothing');

    becomes($b, 'the other has lent its share', sub { $_[0]{counters}{lent} == 10 && $_[0]{caps} == 1 });
    is(ask($b, 'first'), 429, 'and has none left');
    agrees_with_metrics($_, 'in use') for $a, $b;
}

is(ask($a, 'first', '/dry'), 200, 'a dry run');


# ---- a request that waits, while Redis stands still

{
    my $before = seen($b)->{counters};
    $redis->freeze;
    is(ask($b, 'second'), 200, 'the share is free') for 1 .. 10;

    my $c = Wassiit::Client->new($b->port);
    $c->send($c->request_bytes(headers => [ 'X-API-Key' => 'second of atlas' ]));
    becomes($b, 'one more waits', sub { $_[0]{counters}{parked} == $before->{parked} + 1 });
    is(seen($b)->{counters}{admitted}, $before->{admitted}, 'and is not let in yet');

    $redis->thaw;
    is($c->response->status, 200, 'until Redis answers');
    is(seen($b)->{counters}{admitted}, $before->{admitted} + 1, 'then it is');
}


# ---- Redis stands still for longer than the session

{
    $redis->freeze;
    my $seen = becomes($a, 'alone', sub { $_[0]{state} eq 'alone' && !$_[0]{redis}{connected} });
    is($seen->{session}, 0, 'its session is over');
    agrees_with_metrics($a, 'alone');

    my $early = $seen->{counters}{early};
    my $n = 0;
    $n++ while ask($a, 'third') == 200;
    is($n, 10, 'it admits its standing share');
    is(seen($a)->{counters}{early}, $early + 1, 'a refusal is early: others may have some');
    like(http($a->port, headers => [ 'X-API-Key' => 'third of atlas' ])->body,
         qr/"Nothing of your limit of 40 requests in 3600 seconds is free here at the moment\. Try again in \d+ seconds\."/,
         'which the partner is told');

    my $answered = seen($a)->{redis}{answered};
    $redis->thaw;
    $seen = state_is($a, 'active');
    ok($seen->{redis}{connected}, 'connected');
    becomes($a, 'it has answered again', sub { $_[0]{redis}{answered} gt $answered });
}


# ---- the ledger knows nothing of the session any more

{
    my $losses = seen($a)->{counters}{losses};
    $redis->connect->call('HDEL', 'wassiit:{api}:n', seen($a)->{place});
    becomes($a, 'a lost session is counted', sub { $_[0]{counters}{losses} == $losses + 1 });
    state_is($a, 'active');
    like($a->error_log, qr/the session of node "edge-a" of zone "api" is over before its time: another node has its name, or/,
         'and the log says why that may be');
}


# ---- Redis goes, and another comes without a memory

{
    $redis->stop;
    state_is($a, 'alone');
    $redis->restart;
    state_is($_, 'active') for $a, $b;
    my $seen = seen($a);
    ok($seen->{place} && $seen->{agrees}, 'it has a place again');
    agrees_with_metrics($_, 'restated') for $a, $b;
}


# ---- one that differs, and one that finds no Redis

{
    my $c = node($redis->port, 'nodes=3 node=edge-c lease=2s');
    my $seen = becomes($c, 'one with other values is told from the rest', sub { !$_[0]{agrees} });
    ok($seen->{redis}{connected} && $seen->{redis}{answered}, 'though Redis answers');
    is($seen->{place}, 0, 'it has no place');
    state_is($c, 'alone');
    agrees_with_metrics($c, 'other values');
    $c->stop;

    $c = node($redis->port, 'nodes=2 node=edge-c lease=2s seal=seal.secret');
    becomes($c, 'one that seals is told from the rest', sub { !$_[0]{agrees} && !$_[0]{place} });
    state_is($c, 'alone');
    agrees_with_metrics($c, 'another seal');
    ok($c->wait_log(qr/node "edge-c" of zone "api" can't join: .* aren't sealed, and it has a "seal"; give all/),
       'the log says what to do');
    $c->stop;

    my $d = node(free_port(), 'nodes=2 node=edge-d lease=2s');
    $seen = state_is($d, 'alone');
    ok(!$seen->{redis}{connected}, 'no Redis');
    is($seen->{redis}{answered}, undef, 'it has never answered');
    is($seen->{place}, 0, 'so there is no place');
    ok($seen->{agrees}, 'nor another opinion');
    ok(!$seen->{stale}, 'without "stale" it lets partners in');
    agrees_with_metrics($d, 'no Redis');
    $d->stop;

    $d = node(free_port(), 'nodes=2 node=edge-d lease=2s stale=3s');
    becomes($d, 'with "stale" it lets nobody in, which is told', sub { $_[0]{stale} });
    is(ask($d, 'first'), 503, 'nobody');
    agrees_with_metrics($d, 'stale');
    $d->stop;
}


# ---- a user who may not do all that is needed

for my $command (qw(subscribe hmget)) {
    my $strict = Wassiit::Redis->start(aclfile => "user default on nopass ~* &* +\@all -$command\n");
    my $c = node($strict->port, 'nodes=2 node=edge-c lease=2s');
    ok($c->wait_log(qr{forbids the user something that is needed, see conf/cluster/users.acl: }), "no $command: it says so");
    $c->stop;
    $strict->stop;
}


# ---- what was counted stays

{
    my $kept = sub {
        my ($node, $before, $what) = @_;
        my $now = seen($node)->{counters};
        is_deeply([ grep { $now->{$_} < $before->{$_} } @Counters ], [], "$what: no counter goes back");
    };

    my $before = seen($a)->{counters};
    cmp_ok($before->{granted}, '>=', 30, 'there is something to be kept');
    is($a->reload, '', 'a reload');
    $kept->($a, $before, 'a reload');
    state_is($a, 'active');

    (my $larger = conf($redis->port, 'nodes=4 share=40% node=edge-a lease=2s')) =~ s/api:\K1m/2m/;
    $a->conf($larger);
    is($a->reload, '', 'a reload with other values');
    $kept->($a, $before, 'another share and SIZE');

    $a->conf(conf($redis->port, 'nodes=2 node=edge-a lease=2s'));
    is($a->reload, '', 'and back');
    $kept->($a, $before, 'back');

    my $new = $a->upgrade;
    $a->signal('QUIT');
    ok($a->wait_end, 'another program takes over');
    $kept->($new, $before, 'a binary upgrade');
    state_is($new, 'active');
    $new->stop;
}

$b->stop;
ok($redis->stop, 'Redis ends');

done_testing;
