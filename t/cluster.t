#!/usr/bin/env perl
# Three front doors that share limits by Redis, in each failure that they are to
# live through: of no partner are more than N admitted in any W, over all nodes.
#
# TEST_CLUSTER_ROWS="^reload" chooses rows, TEST_CLUSTER_RUNS=50 repeats them by
# other random numbers, each second time with requests that wait; TEST_SEED=51 begins
# where 50 have ended. The variant valkey runs those in which the server has a part of
# its own. What was admitted of what one machine would have, and how long requests
# took, is told in notes.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Cluster;
use Wassiit::Redis;
use Wassiit::Relay;
use Wassiit::Step;
use Test::More;

my $runs = $ENV{TEST_CLUSTER_RUNS} // 1;
my $first = $ENV{TEST_SEED} // 1;
my $chosen = qr/$ENV{TEST_CLUSTER_ROWS}/ if defined $ENV{TEST_CLUSTER_ROWS};
my $served = ($ENV{TEST_VARIANT} // '') eq 'valkey';

# The first has its share of 20 at each node, the others hardly any, and all are
# sent far more than they may have.
my %rates = (atlas => '120r/s', boma => '30r/s', ceres => '3r/s');
my %share = (atlas => 4, boma => 2, ceres => 1);

# Longer than the lease and W together: whatever was lent has been taken back.
my $long = 3.5;

# Polls: a node has as long as wait_for gives it.

sub states_are {
    my ($cluster, $pattern, @nodes) = @_;
    my @states;
    ok(wait_for {
        @states = map { $_ // 'gone' } ($cluster->states)[ map { $_ - 1 } @nodes ? @nodes : 1 .. 3 ];
        !grep { !/^(?:$pattern)$/ } @states;
    }, "$pattern") or diag("@states");
}

sub sleep_for { select undef, undef, undef, $_[0] }

# One row: what is done while requests go on. start: servers and how the cluster
# begins; returns what is kept for it. at: after so many seconds, with the cluster
# and that. Nodes that lose a process say so in their logs. served: the server itself
# is ended, emptied, replaced or misled.

my $worker;
my @rows = (
    { name => 'steady' },
    { name => 'burst', shape => 'burst' },
    { name => 'skewed to one', shape => 'skewed' },
    { name => 'moving from one to the next', shape => 'moving' },
    { name => 'wait', cluster => 'wait=on', waits => 1 },
    { name => 'wait, burst', cluster => 'wait=on', waits => 1, shape => 'burst' },

    { name => 'Redis stands still, not for long', at => [
        1.5 => sub { $_[1]->freeze },
        2.5 => sub { $_[1]->thaw } ] },

    { name => 'Redis stands still for long', seconds => 9, at => [
        1.5 => sub { $_[1]->freeze },
        1.5 + $long => sub { states_are($_[0], 'alone'); sleep_for(1); $_[1]->thaw } ] },

    { name => 'Redis ends, and comes back empty', served => 1, seconds => 9, at => [
        1.5 => sub { $_[1]->kill },
        3 => sub { $_[1]->restart },
        5 => sub { $_[1]->kill; $_[1]->restart } ] },

    { name => 'Redis is emptied', at => [
        map { $_ => sub { $_[1]->connect->call('FLUSHALL') } } 1.5, 3, 3.1 ] },

    # of whom it has to know before the lease and W are over
    { name => 'two come back as Redis is emptied', relays => 1, seconds => 12, at => [
        0.5 => sub { $_[0]->relay($_)->gone for 1, 2 },
        6.5 => sub { $_[1]->connect->call('FLUSHALL') },
        6.7 => sub { $_[0]->relay($_)->heal for 1, 2 } ] },

    { name => 'Redis is slow', relays => 1, at => [
        1.5 => sub { $_[0]->relay($_)->delay(50) for 1 .. 3 },
        4 => sub { $_[0]->relay($_)->heal for 1 .. 3 } ] },

    { name => 'Redis is gone for one', relays => 1, seconds => 9, at => [
        1.5 => sub { $_[0]->relay(1)->gone },
        1.5 + $long => sub { states_are($_[0], 'alone', 1); sleep_for(1); $_[0]->relay(1)->heal } ] },

    # what was said before comes to Redis late
    { name => 'one is cut off for long', relays => 1, seconds => 9, at => [
        1.5 => sub { $_[0]->relay(1)->hold },
        1.5 + $long => sub { states_are($_[0], 'alone', 1); sleep_for(1); $_[0]->relay(1)->heal } ] },

    { name => 'one is cut off again and again', relays => 1, seconds => 9, at => [
        map { my $t = $_; $t => sub { $_[0]->relay(1)->hold },
              $t + 0.9 => sub { $_[0]->relay(1)->heal } } 1 .. 6 ] },

    { name => 'a node ends, and comes back', seconds => 9, crash => 1, at => [
        1.5 => sub { $_[0]->node(1)->crash },
        2 => sub { $_[0]->node(1)->restart },
        3.5 => sub { $_[0]->node(2)->crash },
        7 => sub { $_[0]->node(2)->restart } ] },

    { name => 'all nodes end, and come back', seconds => 9, crash => 1, at => [
        1.5 => sub { $_->crash for $_[0]->nodes },
        1.6 => sub { $_->restart for $_[0]->nodes } ] },

    { name => 'workers end', crash => 1, at => [
        map { my $n = $_; 1 + $n / 4 => sub {
            my $node = $_[0]->node($n % 3 + 1);
            my @pids = $node->worker_pids;
            kill 'KILL', $pids[ $n % @pids ] if @pids;
        } } 1 .. 16 ] },

    # it may have looked at its window before that was lent to others: one a worker
    { name => 'a worker stands still for long', seconds => 9, most => 1, at => [
        1.5 => sub { ($worker) = $_[0]->node(1)->worker_pids; kill 'STOP', $worker },
        1.5 + $long => sub { kill 'CONT', $worker } ] },

    { name => 'reload', at => [
        map { my $n = $_; 1 + $n => sub { is($_[0]->node($n)->reload, '', 'a reload') } } 1 .. 3 ] },

    { name => 'a new program', daemon => 1, seconds => 9, at => [
        map { my $n = $_; 2 * $n => sub {
            my $old = $_[0]->node($n);
            $_[0]->replace($n, $old->upgrade);
            $old->signal('QUIT');
            ok($old->wait_end, 'the old program ends');
        } } 1 .. 3 ] },

    # the replica doesn't know what was granted last
    { name => 'a replica takes over that lags', served => 1, seconds => 9,
      start => sub {
          my $first = Wassiit::Redis->start;
          my $line = Wassiit::Relay->start($first->port);
          my $second = Wassiit::Redis->start(replicaof => $line);
          ok(wait_for { $second->connect->call('ROLE')->[3] eq 'connected' }, 'it follows');
          return ($first, $second, $line);
      },
      at => [
          2 => sub { $_[3]->hold },
          3 => sub {
              my $second = $_[2];
              $_[1]->kill;
              $second->connect->call('REPLICAOF', 'NO', 'ONE');
              ok(wait_for {
                  0 == index $second->connect->call('HGET', 'wassiit:{partners}:n', 'state'), $second->run_id;
              }, 'it hears that it is another one');
          } ] },

    { name => 'the clock of Redis steps while one is cut off', served => 1, relays => 1, seconds => 9,
      start => sub {
          my $step = Wassiit::Step->new;
          local @ENV{ keys %{ $step->env } } = values %{ $step->env };
          return (Wassiit::Redis->start, $step);
      },
      at => [
          1 => sub { $_[2]->set(-3600) },
          1.5 => sub { $_[0]->relay(1)->hold },
          2 => sub { $_[2]->set(3600) },
          4 => sub { $_[2]->set(-7200); $_[0]->relay(1)->heal },
          6 => sub { $_[2]->set(0) } ] },

    # Its share may be lent: by how much it may be too many is that share, 20 of
    # atlas; or it admits nothing.
    { name => 'a node comes back while Redis is away', shape => 'skewed', seconds => 9, crash => 1, most => 20,
      at => [ 3 => sub { $_[0]->node(2)->crash; $_[1]->freeze; $_[0]->node(2)->restart },
              7 => sub { $_[1]->thaw } ] },

    { name => 'a node comes back while Redis is away, and refuses', cluster => 'cold=refuse', refuses => 1,
      shape => 'skewed', seconds => 9, crash => 1,
      at => [ 3 => sub { $_[0]->node(2)->crash; $_[1]->freeze; $_[0]->node(2)->restart },
              7 => sub { $_[1]->thaw } ] },

    { name => 'all at once, and nodes end', cluster => 'cold=refuse', chaos => 'crash', relays => 1, seconds => 14 },
    { name => 'all at once, and Redis is emptied', served => 1, chaos => 'lose', relays => 1, seconds => 14 },
);

# What is done at random, each thing to one that is well. A node that ends before
# it has told an emptied ledger what it has takes that with it: so never both. One
# that the ledger knows nothing of while the lease and W pass has its share lent: so
# where Redis is emptied, no line is cut for so long, and none at all, nor Redis
# stopped, unless it knows of all nodes.

sub chaos {
    my ($kind, $random, $seconds) = @_;
    my %busy;
    my @at;

    my $do = sub {
        my ($time, $who, $what, $undo) = @_;
        return if ($busy{$who} // 0) > $time;
        my $for = (0.2, 0.9, $kind eq 'lose' && $who =~ /line/ ? 0.5 : 3.5)[ 3 * $random->() ];
        $busy{$who} = $time + $for + 0.2;
        push @at, [ $time, "$what $who" ], $undo ? [ $time + $for, "$undo $who" ] : ();
    };

    my @lines = map { [ "line $_", $_ % 2 ? 'hold' : 'gone', 'heal' ] } 1 .. 3;
    my @nodes = map { ([ "node $_", 'reload' ], [ "node $_", 'worker' ],
                       $kind eq 'crash' ? ([ "node $_", 'crash', 'restart' ]) x 2 : ()) } 1 .. 3;
    my @redis = ([ 'redis 0', 'freeze', 'thaw' ],
                 $kind eq 'lose' ? ([ 'redis 0', 'kill', 'restart' ], [ 'redis 0', 'flush' ]) : ());
    for (my $time = 1; $time < $seconds - 4; $time += 0.5 * $random->()) {
        my @group = (\@lines, \@nodes, \@redis)[ 3 * $random->() ];
        $do->($time, @{ $group[0][ @{ $group[0] } * $random->() ] });
    }

    @at = sort { $a->[0] <=> $b->[0] } @at;
    note(join ', ', map { "$_->[0] $_->[1]" =~ s{^(\S+)}{sprintf '%.1f', $1}er } @at);
    my $frozen;
    return [ map {
        my ($time, $name) = @$_;
        $time => sub {
            return note("$name: not now")
                if $kind eq 'lose' && $name =~ /^(?:hold|gone|freeze)/ && ($frozen || !knows_all($_[1]));
            $frozen = $name =~ /^freeze/ if $name =~ /redis/;
            act($name, @_);
        }
    } @at ];
}

sub knows_all {
    my ($redis) = @_;
    my $c = eval { $redis->connect } or return;
    my %n = @{ $c->call('HGETALL', 'wassiit:{partners}:n') } or return;
    my $epoch = (split ' ', $n{state} // die 'no state')[1];
    return 3 == grep { /^\d/ && (split ' ', $n{$_})[6] == $epoch } keys %n;
}

sub act {
    my ($name, $cluster, $redis) = @_;
    my ($what, $who, $n) = split ' ', $name;

    if ($who eq 'line') { $cluster->relay($n)->$what }
    elsif ($what eq 'flush') { $redis->connect->call('FLUSHALL') }
    elsif ($who eq 'redis') { $redis->$what }
    elsif ($what eq 'worker') { kill 'KILL', ($cluster->node($n)->worker_pids)[0] // () }
    else { $cluster->node($n)->$what }
}


for my $run ($first .. $first + $runs - 1) {
    for my $row (grep { $chosen ? $_->{name} =~ $chosen : !$served || $_->{served} } @rows) {
        subtest $row->{name} => sub {
            my @servers = $row->{start} ? $row->{start}->() : Wassiit::Redis->start;
            my @redis = grep { $_->isa('Wassiit::Redis') } @servers;
            my $how = join ' ', $row->{cluster} // (), $run % 2 == 0 && !$row->{waits} ? 'wait=on' : ();

            my $cluster = Wassiit::Cluster->start(rates => \%rates, redis => [ map { $_->port } @redis ],
                cluster => "lease=2s $how", relays => $row->{relays}, daemon => $row->{daemon},
                allow_log => $row->{crash} || $row->{chaos} ? qr/exited on signal 9/ : undef);
            states_are($cluster, 'active');

            my @at = @{ $row->{chaos} ? chaos($row->{chaos}, Wassiit::Cluster::random($run), $row->{seconds})
                                    : $row->{at} // [] };
            for my $i (0 .. $#at) {
                next unless $i % 2;
                my $code = $at[$i];
                $at[$i] = sub { $code->($cluster, @servers) };
            }

            my $result = $cluster->traffic(shape => $row->{shape}, share => \%share, seed => $run,
                requests => 20_000, seconds => $row->{seconds} // 6, at => \@at);
            note("$row->{name}: ", $result->report);
            note(sprintf '%.1f s: p99 %.1f ms', $_->[0], $result->latency(0.99, @$_))
                for map { [ @at[$_, $_ + 2] ] } grep { $_ % 2 == 0 } 0 .. $#at;
            my $most = $row->{most} // 0;
            cmp_ok($result->over, '<=', $most, $most ? "never more than $most too many" : 'never too many')
                or diag(explain({ $result->over_by_partner }));
            cmp_ok($result->closer->over, '<=', $most, 'nor if one looks closer');

            # a window is full of some, and far from one machine's in no row
            cmp_ok($result->full, '>', $row->{chaos} ? 0.1 : 0.3, 'and not too few');
            my $known = $row->{refuses} || $row->{chaos} ? qr{^(?:0|200|429|503)$} : qr{^(?:0|200|429)$};
            is_deeply([ grep { !/$known/ } keys %{ $result->statuses } ], [], 'all are answered')
                or diag(explain($result->statuses));
            is($result->statuses->{0} // 0, 0, 'by nodes that are there') unless @at;
            states_are($cluster, 'active');

            $cluster->stop;
            $_->stop for @servers;
        };
    }
}

done_testing;
