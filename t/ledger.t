#!/usr/bin/env perl
# The script that divides limits among nodes, conf/cluster/ledger.lua, in a real
# Redis: what each verb answers, and a model of nodes at random that must never
# admit too many. TEST_SEED repeats a run, WASSIIT_STRENGTH makes it so many times
# as long.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);

use lib 't/lib';
use Test::More;
use Wassiit;
use Wassiit::Ledger;
use Wassiit::Redis;

my $script = Wassiit::_read(abs_path(dirname(__FILE__) . '/../conf/cluster/ledger.lua'));
my ($L, $W, $guard) = (10_000, 60_000, 200);
my $redis = Wassiit::Redis->start(unix => 1);
my $c = $redis->connect;
my $sha = $c->load(Wassiit::Ledger::with_clock($script));
my $listener;
my $zone = 0;
my ($T, $run, $epoch, %stamp);

# ---- a ledger of its own for each part, nodes called by their place

sub prefix { return "wassiit:{z$zone}:" }

sub fresh {
    my (%config) = @_;
    $zone++;
    ($T, $run, $epoch) = (1_700_000_000_000, 'run-1', 0);
    $listener = $redis->connect;
    $listener->subscribe(prefix() . 'ch', map { prefix() . "ch:$_" } 1 .. 4);
    return map { join_as("n$_", "s$_", %config) } 1 .. $config{nodes} // 2;
}

sub raw {
    my ($keys, @args) = @_;
    $c->call('MSET', 'model:s', int($T / 1000), 'model:us', $T % 1000 * 1000);
    my $answer = eval { $c->evalsha($sha, [ map { prefix() . $_ } qw(c n), @$keys ], @args) };
    return $answer // do { chomp(my $error = $@); $error =~ s/ script: .*//sr };
}

sub join_as {
    my ($name, $sid, %o) = @_;
    my $answer = raw([], 'join', $name, $sid, $run, $o{nodes} // 2, $o{share} // 500, $L, $o{life} // $sid,
                     $o{seal} // ());
    $epoch = $answer->[2] if $answer->[0] eq 'OK';
    return $answer;
}

# A stamp that bears out the time as it is.

sub common {
    my ($k, %o) = @_;
    return join(' ', $k, $o{sid} // "s$k", $run, $o{epoch} // $epoch, $o{elapsed} // 0, $o{stamp} // $T, $L);
}

sub renew { my ($k, %o) = @_; return raw([], 'renew', common($k, %o), $o{cursor} // '0-0') }

my %seq;

# What a node gets: [ cap, pool, full ], or the word of a refusal.

sub adjust {
    my ($k, $cur, $want, %o) = @_;
    my $answer = raw([ 'w:' . ($o{id} // 'atlas') ], 'adjust', common($k, %o),
                     join(' ', $o{N} // 20, $W, $o{v} // 1, $cur, $want, $o{seq} // ++$seq{$zone, $k}, $o{busy} // 0));
    return ref $answer && $answer->[0] eq 'OK' ? [ @$answer[ 3 .. 5 ] ] : ref $answer ? $answer->[0] : $answer;
}

sub restate {
    my ($k, $done, $caps, %o) = @_;
    my @ids = sort keys %$caps;
    return raw([ map { "w:$_" } @ids ], 'restate', common($k, %o), $done,
               map { join(' ', $o{N} // 20, $W, 1, ($caps->{$_}) x 2, ++$seq{$zone, $k}, 0) } @ids)->[0];
}

sub leave { return raw([], 'leave', common(@_))->[0] }

sub heard {
    my @heard;
    while (my ($channel, $text) = $listener->message(@heard ? 0 : 0.05)) {
        push @heard, substr($channel, length prefix()) . " $text";
    }
    return join ', ', sort @heard;
}

sub change { return raw([ 'p', 'log' ], 'change', @_) }


subtest 'places' => sub {
    my ($a, $b) = fresh();
    is_deeply([ @$a[ 0, 3 .. 5 ], @$b[ 3 .. 5 ] ], [ 'OK', 1, 0, 'SHARE', 2, 0, 'SHARE' ],
              'the first places, never taken, with their shares');
    is_deeply([ @{ join_as('n3', 's3') }[ 3 .. 5 ] ], [ 3, 0, 'NONE' ], 'one above nodes has none');
    is_deeply([ @{ join_as('n1', 's1') }[ 3 .. 5 ] ], [ 1, 0, 'SHARE' ], 'asked again, the same answer');
    is_deeply([ @{ join_as('n4', 's4', nodes => 3) }[ 0, 3, 4 ] ], [ 'CONFIG', 2, 500 ], 'other nodes: the ones in force');

    my $former = $T + $L;
    is_deeply([ @{ join_as('n1', 's1b') }[ 3 .. 5 ] ], [ 1, $former, 'NONE' ],
              'a restarted node has its place, and nothing of its former life');
    is(renew(1)->[0], 'LOST', 'whose session is over');
    is(renew(1, sid => 's1b')->[0], 'OK', 'its own is not');

    is(leave(2), 'OK', 'a node leaves');
    is(adjust(2, 0, 0), 'LOST', 'and is gone');
    is_deeply([ @{ join_as('n5', 's5') }[ 3 .. 5 ] ], [ 2, $T + $guard, 'NONE' ], 'its place is for the next');

    $T += $L + 1;
    renew($_, sid => $_ == 1 ? 's1b' : $_ == 2 ? 's5' : 's3', stamp => $T) for 1 .. 3;
    is(renew(1, sid => 's1b')->[0], 'LOST', 'not renewed in its lease, a session is over');
    is_deeply([ @{ join_as('n1', 's1c', life => 's1b') }[ 3 .. 5 ] ], [ 1, 0, 'KEPT' ], 'its life goes on in its place');
    is(adjust(1, 0, 0, sid => 's1c', epoch => 0), 'RESTATE', 'when it has told its caps');
    is(restate(1, 1, {}, sid => 's1c'), 'OK', 'it tells');
    is_deeply(adjust(1, 0, 0, sid => 's1c'), [ 0, 10, 0 ], 'and goes on');
};

# It goes on with what it has used, and not with the share that another has had.
subtest 'a place of another, asked for twice' => sub {
    fresh();
    $T += $L + 1;
    is(renew($_)->[0], 'LOST', "$_ was cut off") for 1, 2;
    is(join_as('n3', 's3')->[3], 1, 'the place of one that was cut off is given away');
    my $ended = $T + $guard;
    my @join = ('n1', 's1b', life => 's1');
    is_deeply([ @{ join_as(@join) }[ 3 .. 5 ] ], [ 2, $ended, 'NONE' ], 'it gets the next, with nothing');
    $T += 10;
    is_deeply([ @{ join_as(@join) }[ 3 .. 5 ] ], [ 2, $ended, 'NONE' ], 'and hears so again if that answer was lost');
    is_deeply([ @{ join_as('n1', 's1c', life => 's1') }[ 3 .. 5 ] ], [ 2, $ended, 'NONE' ],
              'also under another session');
    is(restate(2, 1, {}, sid => 's1c'), 'OK', 'until it has told its caps');
    is_deeply([ @{ join_as('n1', 's1d', life => 's1') }[ 3 .. 5 ] ], [ 2, 0, 'KEPT' ], 'from then on they are its own');
};

subtest 'caps' => sub {
    fresh();
    is_deeply(adjust(1, 5, 20), [ 10, 5, 0 ], 'half of what is left at most');
    is(heard(), 'ch:2 need atlas', 'the other is asked for more');
    is_deeply(adjust(1, 10, 20), [ 14, 1, 0 ], 'but not less than four');
    is_deeply(adjust(1, 14, 20), [ 15, 0, 0 ], 'all that is left');
    is(heard(), '', 'who was asked just now is not asked again');
    is_deeply(adjust(2, 5, 5, busy => 3000), [ 5, 0, 0 ], 'it has nothing to lend');
    is(heard(), 'ch:1 free atlas', 'which the one that is short is told');
    is_deeply(adjust(1, 15, 20), [ 15, 0, 3000 ], 'for so long nobody has anything');
    is_deeply(adjust(2, 1, 1, seq => 100), [ 1, 4, 0 ], 'then it lends');
    is_deeply(adjust(2, 5, 5, seq => 100), [ -1, 0, 0 ], 'an older call');
    is_deeply(adjust(1, 15, 20), [ 19, 0, 0 ], 'is not noted');

    $T += 5000;
    renew($_) for 1, 2;
    adjust(1, 5, 5, seq => 50);
    adjust(2, 5, 5, seq => 101);
    my $ttl = $c->call('PTTL', prefix() . 'w:atlas');
    cmp_ok($ttl, '>', 16 * 60 * 1000, 'a key that says nothing will go, not before a late call may come');
    is_deeply(adjust(1, 5, 7, seq => 51), [ 7, 8, 0 ], 'it is used again');
    is($c->call('PTTL', prefix() . 'w:atlas'), -1, 'and stays');
};

subtest 'rates' => sub {
    fresh();
    is_deeply(adjust(1, 5, 6, v => 2), [ 6, 9, 0 ], 'by the rate of rev 2');
    is_deeply(adjust(2, 5, 6, v => 1), [ -2, 0, 0 ], 'an older rev');
    is_deeply(adjust(2, 5, 6, v => 2, N => 21), [ -2, 0, 0 ], 'another rate of the same');
    is_deeply(adjust(1, 6, 40, v => 3, N => 100), [ 40, 35, 0 ], 'a higher one, and its share for the other');
    is_deeply(adjust(1, 40, 41, v => 4, N => 40), [ 32, 0, 0 ], 'of a lower one each has its part');
    is_deeply(adjust(1, 32, 32), [ -2, 0, 0 ], 'and not by the rate before');
    is_deeply(adjust(1, 30, 30, v => 4, N => 40), [ 30, 0, 0 ], 'until all is right');
};

subtest 'lives that have ended' => sub {
    fresh(nodes => 3);
    is_deeply(adjust(1, 3, 13, nodes => 3), [ 8, 6, 0 ], 'one claims');
    is_deeply(adjust(2, 3, 20), [ 7, 2, 0 ], 'and another');
    $T += 1000;
    renew(2);
    my $join = join_as('n1', 's1b', nodes => 3);
    is_deeply([ @$join[ 3 .. 5 ] ], [ 1, $T - 1000 + $L, 'NONE' ], 'one starts anew');
    is_deeply(adjust(1, 0, 20, sid => 's1b'), [ 2, 0, 0 ], 'what it had is locked');

    my $until = $join->[4] + $W;
    for my $at ($until - 1, $until) {
        while ($T < $at) {
            $T = $T + 4000 < $at ? $T + 4000 : $at;
            renew($_, sid => $_ == 1 ? 's1b' : "s$_") for 1 .. 3;
        }
        is_deeply(adjust(1, 2, 20, sid => 's1b'), $at < $until ? [ 2, 0, 0 ] : [ 6, 4, 0 ],
                  $at < $until ? 'until the last of it has left all windows' : 'and free then');
    }

    $T += 4000;
    renew($_, sid => $_ == 1 ? 's1b' : "s$_") for 1 .. 3;
    my $left = $T + $L;
    while ($T < $left + $W) {
        $T = $T + 4000 < $left + $W ? $T + 4000 : $left + $W;
        renew(1, sid => 's1b');
        renew(3);
    }
    is_deeply(adjust(1, 6, 20, sid => 's1b'), [ 10, 4, 0 ], 'what is above the share of an ended one comes back');
    is_deeply(adjust(1, 10, 20, sid => 's1b'), [ 14, 0, 0 ], 'but not its share');
};

# The clock may be early by then.
subtest 'one that has left, and a clock that is set ahead' => sub {
    fresh();
    is_deeply(adjust(1, 5, 9), [ 9, 6, 0 ], 'one has some');
    is_deeply(adjust(2, 5, 20), [ 9, 2, 0 ], 'another, too');
    is_deeply(adjust(2, 9, 20), [ 11, 0, 0 ], 'all is given out');
    is(leave(1), 'OK', 'the one leaves');
    my $left = $T;
    for (1 .. 14) { $T += 4000; renew(2) }
    my $stamp = $T;
    $T += 3_600_000;
    my $full = adjust(2, 11, 20, stamp => $stamp, elapsed => $left + $W - 1 - $stamp);
    is_deeply($full, [ 11, 0, $guard - 99 ], 'a moment before W has passed its part is not free');
    $T += $guard;
    is(adjust(2, 11, 20)->[0], 15, 'soon after, it is');
};

subtest 'another server' => sub {
    fresh();
    adjust(1, 5, 9);
    my $before = $epoch;
    $run = 'run-2';
    is(renew(1)->[0], 'RESTATE', 'a node finds another server');
    my $answer = renew(2);
    cmp_ok($answer->[2], '>', $before, 'the epoch is another');
    is(adjust(1, 12, 20), 'RESTATE', 'nothing is granted to one that has not told');
    is(restate(1, 1, { atlas => 9 }), 'RESTATE', 'nor told for the epoch of before');
    $epoch = $answer->[2];
    is(restate(1, 0, { atlas => 12 }), 'OK', 'it tells some of its caps');
    is(adjust(1, 12, 20), 'RESTATE', 'which is not all');
    is(restate(1, 1, {}), 'OK', 'it tells the others');
    is_deeply(adjust(1, 12, 20), [ 12, 3, 0 ], 'but the second has not yet');
    is(restate(2, 1, { atlas => 7 }), 'OK', 'it knows of more than there was');
    is_deeply(adjust(2, 7, 20), [ 8, 0, 0 ], 'what is left is granted again');
    is(restate(1, 1, { atlas => 14 }), 'OK', 'more than N in all');
    is_deeply(adjust(2, 8, 20), [ 7, 0, 0 ], 'nothing is granted, and some is to be given back');
    is_deeply(adjust(1, 10, 10), [ 10, 2, 0 ], 'until there is less');
};

# The other server lacks the last of it; what is in windows by that is there for W.
subtest 'another server, and one above nodes' => sub {
    my $start = sub { fresh(); join_as('n3', 's3') };
    my $fail_over = sub {
        $run .= 'x';
        $epoch = renew(1)->[2];
        is(restate($_, 1, {}), 'OK', "$_ tells its caps") for 1, 2;
    };
    my $wait = sub { for (1 .. $_[0]) { $T += 5000; renew($_) for 1, 2 } };

    $start->();
    is_deeply(adjust(3, 0, 4), [ 4, 6, 0 ], 'one above nodes is granted some');
    $c->call('DEL', prefix() . 'w:atlas');
    $fail_over->();
    is_deeply(adjust(1, 5, 20), [ 5, 10, 0 ], 'which the other server lacks: it waits for that node');
    $wait->(2);
    is_deeply(adjust(1, 5, 20), [ 5, 10, 0 ], 'also when its session is over');
    $wait->(12);
    is_deeply(adjust(1, 5, 20), [ 10, 5, 0 ], 'until all has left its window');

    $start->();
    adjust(3, 0, 4);
    $wait->(2);
    $fail_over->();
    is_deeply(adjust(1, 5, 6), [ 6, 5, 0 ], 'but not for one whose session was over before');
    join_as('n3', 's3b', life => 's3');
    $fail_over->();
    is_deeply(adjust(1, 6, 7), [ 6, 5, 0 ], 'that has come back');
    is(restate(3, 1, { atlas => 4 }, sid => 's3b'), 'OK', 'until it has told');
    is_deeply(adjust(1, 6, 7), [ 7, 4, 0 ], 'what it has');
};

subtest 'an emptied ledger' => sub {
    fresh();
    $c->call('DEL', map { prefix() . $_ } qw(c n w:atlas));
    is(renew(1)->[0], 'LOST', 'knows of no session');
    is_deeply([ @{ join_as('n1', 's1b', life => 's1') }[ 3, 5 ] ], [ 1, 'SHARE' ], 'one comes back');
    is_deeply([ @{ join_as('new', 'x1') }[ 3, 5 ] ], [ 2, 'NONE' ], 'a new one has nothing, as the other may live');
    restate(1, 1, { atlas => 9 }, sid => 's1b');
    is_deeply(adjust(1, 9, 20, sid => 's1b'), [ 9, 6, 0 ], 'and nothing is granted');
    while ($T < 1_700_000_000_000 + $L + $W) {
        $T += 5000;
        renew(1, sid => 's1b');
    }
    is_deeply(adjust(1, 9, 20, sid => 's1b'), [ 13, 2, 0 ], 'until what was used has left all windows');
};

subtest 'the clock' => sub {
    fresh();
    my $stamp = renew(1)->[1];
    my $step = sub { my ($ms, $elapsed, $s) = @_; $T += $ms;
                     return renew(1, elapsed => $elapsed, stamp => $s // $stamp)->[1] - $stamp };
    is($step->(1000, 1000), 1000, 'goes on');
    is($step->(3_600_000, 1000), 1100, 'an hour ahead: no further than the caller bears out');
    is($step->(1000, 1000, $stamp + 1100), 2100, 'and on from there');
    is($step->(1000, 5000, $stamp), 2200, 'a stamp of before that counts as none');
    is($step->(-7_200_000, 5000), 2200, 'back: it stands');
    is($step->(1000, 1000, $stamp + 2200), 3200, 'and goes on');
};

subtest 'changes' => sub {
    fresh();
    my $answer = change('atlas', 0, '{"id":"atlas"}', 100);
    is_deeply([ @$answer[ 0, 3 ] ], [ 'OK', 1 ], 'the first');
    is(heard(), 'ch log', 'is heard of');
    is_deeply([ @{ change('atlas', 0, '{}', 100) }[ 0, 3 ] ], [ 'STALE', '1 {"id":"atlas"}' ], 'one that has not seen it');
    is_deeply([ @{ change('other', 3, '{}', 100) }[ 0, 3 ] ], [ 'OK', 4 ], 'one of what is not there (any more)');
    heard();
    is(change('atlas', 1, 'two', 100)->[3], 2, 'the second');
    is_deeply([ map { $_->[1][5] } @{ $c->call('XRANGE', prefix() . 'log', '-', '+') } ], [ '{"id":"atlas"}', '{}', 'two' ], 'all are in the log');

    my ($word, undef, undef, $last, @behind) = @{ renew(1, cursor => $answer->[4]) };
    is_deeply([ sort @behind ], [ 'n1', 'n2' ], 'who is behind');
    (undef, undef, undef, undef, @behind) = @{ renew(1, cursor => $last) };
    is_deeply(\@behind, [ 'n2' ], 'and who is not');
};

subtest 'seals' => sub {
    my $other = sub { my $answer = join_as(@_); return join ' ', @$answer[ 0, 3 .. $#$answer ] };
    my $lines = sub { return [ map { $c->call('EXISTS', prefix() . $_) } qw(p log) ] };
    fresh();
    is($other->('n3', 's3', seal => 'key-2'), 'CONFIG 2 500 -', 'one that seals, where others do not');
    is_deeply([ @{ change('atlas', 0, '2.', 100, 'key-2') }[ 0, 3 ] ], [ 'CONFIG', '-' ], 'nor can it change anything');
    is_deeply($lines->(), [ 0, 0 ], 'which leaves nothing');
    is(change('atlas', 0, '{}', 100)->[0], 'OK', 'the others can');

    leave($_) for 1, 2;
    is($other->('n1', 's1b', seal => 'key-2'), 'CONFIG 2 500 -', 'nor when all have left, as their lines are there');
    $c->call('DEL', prefix() . 'p');
    is($other->('n1', 's1b', seal => 'key-2'), 'CONFIG 2 500 -', 'in the log, too');
    $c->call('DEL', prefix() . 'log');
    like($other->('n1', 's1b', seal => 'key-2'), qr/^OK 1 \d+ NONE -$/, 'without them it joins');
    is(renew(1, sid => 's1b')->[3], '0-0', 'and the log is another');
    is($other->('n2', 's2b'), 'CONFIG 2 500 key-2', 'the ones of before can not');
    is($other->('n2', 's2b', nodes => 3, seal => 'key-2'), 'CONFIG 2 500 key-2', 'nor one with other nodes');
    like($other->('n2', 's2b', seal => 'key-2'), qr/^OK 2/, 'one that seals by the same key can');
    is(change('atlas', 0, '2.', 100, 'key-2')->[0], 'OK', 'and makes changes');

    $c->call('DEL', map { prefix() . $_ } qw(c n p log));
    is(change('atlas', 0, '3.', 100, 'key-3')->[0], 'OK', 'a change before anyone has joined');
    is($other->('n1', 's1c', seal => 'key-2'), 'CONFIG 0 0 key-3', 'counts for those that join');
    like($other->('n1', 's1c', seal => 'key-3'), qr/^OK 1/, 'by its key');
};

subtest 'tags' => sub {
    fresh();
    my $tags = sub { my ($name, @tags) = @_; raw([], 'join', $name, $name, $run, 2, 500, $L, $name, '-', @tags)->[6] };
    is($tags->('n1'), '-', 'none');
    is($tags->('n1', 'A'), 'A', 'those of the first one');
    is($tags->('n2', 'B'), 'A', 'are those of all');
    is($tags->('n3'), 'A', 'also of one that has none');
    $c->call('DEL', map { prefix() . $_ } qw(c n));
    is($tags->('n2', 'B'), 'B', 'until they are lost');
};

subtest 'wrong calls' => sub {
    fresh();
    like(adjust(1, 'x', 1), qr/^ERR ledger adjust: argument 3 is "20 60000 1 x 1 \d+ 0", not "N W v cur want seq busy"/, 'not a number');
    like(adjust(1, 1, 1, N => 0), qr/"0 60000 1 1 1 \d+ 0", .* N from 1/, 'too small');
    like(raw([], 'renew', common(1) =~ s{ \d+ \d+$}{}r, '0-0'), qr/argument 2 is "1 s1 run-1 \d+ 0", not "k sid/, 'less than all');
    like(raw([], 'renew', common(1)), qr/^ERR ledger renew: 1 arguments/, 'too few');
    like(raw([ 'x:atlas' ], 'adjust', common(1), '1 1 1 1 1 1 1'), qr/key 3 is not wassiit:\{z\d+\}:w:ID/, 'another key');
    like(raw([], 'adjust', common(1), '1 1 1 1 1 1 1'), qr/^ERR ledger adjust: 2 arguments/, 'too many');
    like(raw([], 'join', 'a b', 's', 'r', 2, 500, 1), qr/argument 2, name, is "a b", not a word/, 'two words');
    like(raw([], 'join', 'a', 's', 'r', 2, 1001, 1), qr/share is 0 to 1000/, 'a share above all');
    like(raw([], 'join', 'a', 's', 'r', 2, 500, 1, 's', ''), qr/argument 9, seal, is "", not a word/, 'an empty seal');
    like(raw([], 'begin'), qr/^ERR ledger begin: no such verb/, 'no verb');
    like(eval { $c->evalsha($sha, [ 'a', 'b' ], 'renew') } // $@, qr/the first keys are not wassiit:\{ZONE\}:c/, 'no keys');
    is_deeply(adjust(1, 5, 6), [ 6, 9, 0 ], 'none has changed anything');
};


# ---- at random

my $seed = $ENV{TEST_SEED} // int rand 1e6;
my $strength = $ENV{WASSIIT_STRENGTH} // 1;
diag "TEST_SEED=$seed";

{
    my $model = Wassiit::Ledger->new(redis => $c, script => $script, seed => $seed);
    my $fault = $model->run(20_000 * $strength);
    is($fault, undef, 'never too many in ' . $model->steps . ' steps');
    diag join "\n", @{ $model->{trace} } if $fault;
}

# What the model is worth: each of these must be found.

my @faults = (
    [ 'late calls are noted', 'seq <= tonumber(stated)', 'false' ],
    [ 'no locks of former lives', ' and before > 0 then', ' and false then' ],
    [ 'no hold after another server', 'local is_held = hold > 0 and now < hold + W', 'local is_held = false' ],
    [ 'a clock without a guard', '        if now > top then', '        if false then' ],
    [ 'any session of a place', 'if holder ~= sid or gone', 'if gone' ],
    [ 'grants that are not summed', 'cap, sum, busy = cap + more, sum + more, 0', 'cap, busy = cap + more, 0' ],
    [ 'caps of ended sessions back at once', 'keep, from = min(had, own), exp + W',
      'keep, from = min(had, own), exp' ],
    [ 'what left, back at once', 'keep, from = 0, exp + W', 'keep, from = 0, exp' ],
);

for (@faults) {
    my ($name, $from, $to) = @$_;
    my $broken = $script;
    is($broken =~ s/\Q$from\E/$to/g, 1, "$name: planted");
    my ($fault, $steps) = (undef, 0);
    for (1 .. 10) {
        my $model = Wassiit::Ledger->new(redis => $c, script => $broken, seed => $_);
        $fault = $model->run(8000);
        $steps += $model->steps;
        last if $fault;
    }
    ok($fault, "$name: found") && note "$steps steps: $fault";
}

done_testing;
