# Nodes in simulated time around the real script, conf/cluster/ledger.lua, in a real
# Redis: they admit, claim, lend, renew, are cut off, die, leave and come back, while
# calls and answers are lost, doubled, late and out of order, Redis is emptied, fails
# over to what it was a while ago, and its clock steps. Whoever admits more than N in
# any W, all nodes together, has found a fault.
#
#   my $fault = Wassiit::Ledger->new(redis => $connection, script => $text,
#                                    seed => 1)->run($steps);
#
# A fault is a text, undef if there was none. steps() is how many there were.
#
# A node keeps the rules of the script's head: its cap rises only by an answer to its
# newest call; it lowers its cap before it tells, never below what is in use; it uses more
# than min(cap, s) only until DEADLINE after it sent what renewed its session; after LOST
# it goes on with max(min(cap, s), used), and where its place isn't its own any more, with
# what it used.

package Wassiit::Ledger;

use strict;
use warnings;

use List::Util qw(max min sum0);

use constant { LEASE => 10_000, DEADLINE => 10_000 * (1 - 0.001) - 200 };

my @keys = map { "wassiit:{model}:$_" } qw(c n);

# The script with a clock of ours.

sub with_clock {
    my ($script) = @_;
    my $n = $script =~ s/redis\.call\('TIME'\)/redis.call('MGET', 'model:s', 'model:us')/g;
    die "the script asks for the time in $n places\n" if $n != 1;
    return $script;
}

sub new {
    my ($class, %o) = @_;
    my $self = bless { redis => $o{redis}, seed => $o{seed}, steps => 0, script => with_clock($o{script}) }, $class;
    $self->{sha} = $self->{redis}->load($self->{script});
    return $self;
}

sub steps { $_[0]{steps} }

sub run {
    my ($self, $steps) = @_;
    srand $self->{seed};
    my $end = $self->{steps} + $steps;

    while ($self->{steps} < $end) {
        my $last = min($end, $self->{steps} + 400);
        $self->begin;
        while ($self->{steps} < $last) {
            $self->{steps}++;
            $self->step;
            return $self->{fault} if $self->{fault};
        }
    }
    return;
}

sub pick { $_[rand @_] }
sub chance { rand() < $_[0] }

sub begin {
    my ($self) = @_;
    %$self = (%$self, T => 1_700_000_000_000, offset => 0, net => [], back => [], lives => 0,
              nodes => pick(1, 2, 3, 5), share => pick(0, 200, 500, 500, 1000),
              W => pick(1000, 10_000, 60_000), run_id => 'run' . $self->{steps}, runs => 0,
              rev => 1, settled => 0, changes => chance(0.25), emptied => 0, trace => []);
    $self->{rates} = { 1 => pick(1, 3, 7, 20, 100) };
    $self->{all} = { map { $_ => [] } qw(p q) };
    $self->{limits} = [ $self->{rates}{1} ];
    $self->{node} = [ map { { name => "n$_" } } 1 .. $self->{nodes} + pick(0, 0, 1) ];
    $self->{redis}->call('FLUSHALL');
    for my $node (@{ $self->{node} }) { $self->life($node) if chance(0.75) }
    delete @$self{qw(saved fail_at lacking)};
    $self->note('nodes %d share %d W %d N %d', @$self{qw(nodes share W)}, $self->{rates}{1});
}

sub note {
    my ($self, $format, @rest) = @_;
    push @{ $self->{trace} }, sprintf "%d: $format", $self->{T} - 1_700_000_000_000, @rest;
    shift @{ $self->{trace} } if @{ $self->{trace} } > 200;
}


# ---- what a node does by itself

sub life {
    my ($self, $node) = @_;
    my $life = 'l' . ++$self->{lives};
    %$node = (name => $node->{name}, alive => 1, life => $life, sid => $life, memory => 0, sids => 0, own => 0,
              D => 0, stamp => 0, stamped => 0, took => 0, epoch => 0, state => 'joining', rev => $self->{rev},
              p => { map { $_ => { seq => 0, ring => [] } } qw(p q) }, renewed => 0);
    $self->join_call($node);
}

sub limit { my ($self, $node) = @_; return $self->{rates}{ $node->{rev} } }

sub share_of {
    my ($self, $node) = @_;
    return 0 if !$node->{k} || $node->{k} > $self->{nodes};
    return int($self->limit($node) * $self->{share} / (1000 * $self->{nodes}));
}

sub used {
    my ($self, $p) = @_;
    shift @{ $p->{ring} } while @{ $p->{ring} } && $p->{ring}[0] <= $self->{T} - $self->{W};
    return scalar @{ $p->{ring} };
}

sub cap {
    my ($self, $node, $p) = @_;
    $p->{cap} = min($p->{cap}, max($p->{most}, $self->used($p))) if defined $p->{most};
    return $p->{cap} // ($node->{own} ? $self->share_of($node) : 0);
}

# What it may use now. sunk: what the ledger has told it to lower its cap to. As long as
# more is in use, that is the cap that counts, but nothing is admitted.

sub in_force {
    my ($self, $node, $p) = @_;
    my $cap = $self->cap($node, $p);
    $cap = min($cap, max($p->{sunk}, $self->used($p))) if defined $p->{sunk};
    return $self->{T} < $node->{D} ? $cap : min($cap, $self->share_of($node));
}

sub lower {
    my ($self, $node, $p, $to) = @_;
    my $cap = min($self->cap($node, $p), max($to, $self->used($p)));
    delete $p->{sunk};
    $p->{cap} = $cap;
    $p->{seq}++;
    $p->{touched} = 1;
}

sub admit {
    my ($self, $node, $id, $n) = @_;
    my $p = $node->{p}{$id};

    for (1 .. $n) {
        last if $self->used($p) >= $self->in_force($node, $p);
        push @{ $p->{ring} }, $self->{T};
        push @{ $self->{all}{$id} }, $self->{T};
        $self->check_window($id);
    }
}

sub allowed {
    my ($self) = @_;
    my $limits = $self->{limits};
    $self->{known} = $self->all_know ? $self->{known} // $self->{T} : undef;
    splice @$limits, 0, -1 if defined $self->{known} && $self->{known} < $self->{T} - 2 * $self->{W};
    return max(@$limits) + (@$limits > 1 ? $self->{nodes} : 0);
}

sub all_know {
    my ($self) = @_;
    return !grep { $_->{alive} && $_->{rev} != $self->{rev} } @{ $self->{node} };
}

sub check_window {
    my ($self, $id) = @_;
    my $all = $self->{all}{$id};
    shift @$all while $all->[0] <= $self->{T} - $self->{W};
    $self->fail('%d admitted in W, N is %d', scalar @$all, $self->allowed) if @$all > $self->allowed;
}

sub check_caps {
    my ($self, $id) = @_;
    my @caps = map { $self->in_force($_, $_->{p}{$id}) } grep { $_->{alive} } @{ $self->{node} };
    $self->fail('caps %s, N is %d', "@caps", $self->allowed) if sum0(@caps) > $self->allowed;
}

sub fail {
    my ($self, $format, @rest) = @_;
    $self->{fault} //= sprintf "seed %d, step %d: $format", $self->{seed}, $self->{steps}, @rest;
}


# ---- calls: each { node, life, sid, verb, keys, args, sent }

sub call {
    my ($self, $node, $verb, $ids, @args) = @_;
    for my $p (map { $node->{p}{$_} } @$ids) {
        $self->fail('%s tells %d, and uses %d', $node->{name}, $p->{cap}, $self->used($p)) if $self->used($p) > $p->{cap};
    }
    push @{ $self->{net} }, { node => $node, life => $node->{life}, sid => $node->{sid}, verb => $verb, ids => $ids,
                              args => \@args, sent => $self->{T}, epoch => $node->{epoch}, bears => $node->{took},
                              cap => @$ids ? $node->{p}{ $ids->[0] }{cap} : 0,
                              seqs => { map { $_ => $node->{p}{$_}{seq} } @$ids } };
}

sub common_call {
    my ($self, $node, $verb, $ids, @args) = @_;
    my $elapsed = $node->{stamp} ? $self->{T} - $node->{stamped} : 0;
    $self->call($node, $verb, $ids,
                join(' ', $node->{k}, $node->{sid}, 'RUN', $node->{epoch}, $elapsed, $node->{stamp}, LEASE), @args);
}

sub rate { my ($self, $node) = @_; return ($self->limit($node), $self->{W}, $node->{rev}) }

sub adjust {
    my ($self, $node, $id, $want) = @_;
    my $p = $node->{p}{$id};
    my $cap = $self->cap($node, $p);
    return if $node->{state} ne 'active' || $self->{T} >= $node->{D};
    $p->{seq}++;
    $p->{touched} = 1;
    $p->{cap} = $cap;
    my $busy = $self->used($p) >= $cap && $cap ? $p->{ring}[0] + $self->{W} - $self->{T} : 0;
    $self->common_call($node, 'adjust', [$id],
                       join(' ', $self->rate($node), $cap, $want // $cap, $p->{seq}, $busy));
}

sub restate {
    my ($self, $node) = @_;
    my @ids = grep { $node->{p}{$_}{touched} } sort keys %{ $node->{p} };
    $node->{state} = 'restating';
    $self->common_call($node, 'restate', \@ids, 1,
                       map { my $p = $node->{p}{$_};
                             join ' ', $self->rate($node), ($self->cap($node, $p)) x 2, $p->{seq}, 0 } @ids);
}

sub join_call {
    my ($self, $node) = @_;
    $node->{state} = 'joining';
    $self->call($node, 'join', [], $node->{name}, $node->{sid}, 'RUN', $self->{nodes}, $self->{share}, LEASE,
                $node->{life});
}

# The session is over: a new one, in the same life.

sub lost {
    my ($self, $node) = @_;
    $node->{D} = min($node->{D}, $self->{T});
    $node->{sid} = "$node->{life}." . ++$node->{sids} if $node->{memory};
    $node->{epoch} = 0;
    if ($node->{memory}) {
        for my $p (values %{ $node->{p} }) {
            $p->{cap} = max(min($self->cap($node, $p), $self->share_of($node)), $self->used($p)) if $p->{touched};
            delete $p->{sunk};
            $p->{seq}++;
        }
    }
    $self->join_call($node);
}

sub execute {
    my ($self, $call) = @_;
    my $run = $self->{run_id};
    my @args = map { s{\bRUN\b}{$run}r } @{ $call->{args} };
    my $time = $self->{T} + $self->{offset};
    my (undef, $answer) = $self->{redis}->pipeline(
        [ 'MSET', 'model:s', int($time / 1000), 'model:us', $time % 1000 * 1000 ],
        [ 'EVALSHA', $self->{sha}, 2 + @{ $call->{ids} }, @keys, (map { "wassiit:{model}:w:$_" } @{ $call->{ids} }),
          $call->{verb}, @args ]);
    return $self->fail('%s: %s', $call->{verb}, $answer) if ref $answer ne 'ARRAY';
    $self->{waiting} = 0;
    $self->note('%s %s %s: %s', $call->{node}{name}, $call->{verb}, "@args", "@$answer");
    push @{ $self->{back} }, { %$call, answer => $answer, took => $self->{T} - $call->{sent} };
}

sub answered {
    my ($self, $call) = @_;
    my $node = $call->{node};
    my ($word, $now, $epoch, @rest) = @{ $call->{answer} };
    return if !$node->{alive} || $call->{life} ne $node->{life} || $call->{sid} ne $node->{sid};

    if ($call->{sent} >= $node->{stamped}) {
        @$node{qw(stamp stamped took)} = ($now, @$call{qw(sent took)});
    }
    if ($word eq 'LOST') {
        $self->lost($node) if $node->{state} ne 'joining';
    } elsif ($word eq 'RESTATE') {
        return if $epoch <= $node->{epoch} && $node->{state} eq 'restating';
        $node->{epoch} = $epoch;
        $_->{seq}++ for values %{ $node->{p} };
        $self->restate($node);
    } elsif ($call->{verb} eq 'join') {
        $self->joined($node, $call, $epoch, @rest);
    } elsif ($call->{verb} eq 'restate') {
        return if $node->{state} ne 'restating' || $epoch != $node->{epoch};
        $node->{state} = 'active';
        $node->{D} = max($node->{D}, $call->{sent} + DEADLINE);
    } elsif ($call->{verb} eq 'renew') {
        return if $node->{state} ne 'active';
        $node->{D} = max($node->{D}, $call->{sent} + DEADLINE);
    } elsif ($call->{verb} eq 'adjust') {
        my ($id) = @{ $call->{ids} };
        my ($cap) = @rest;
        return if $node->{state} ne 'active' || $cap < 0 || $call->{seqs}{$id} != $node->{p}{$id}{seq}
                  || $call->{epoch} != $node->{epoch};
        my $p = $node->{p}{$id};
        delete $p->{most} if $cap > $call->{cap};
        $self->{lacking}{ $node->{life} } = 1 if $cap > $call->{cap};
        delete $p->{sunk};
        $p->{sunk} = $cap if $cap < $call->{cap};
        $p->{cap} = min(max($cap, $self->used($p)), max($cap, $call->{cap}));
        $self->check_caps($id);
    }
}

sub joined {
    my ($self, $node, $call, $epoch, $k, $former, $has) = @_;
    return if $node->{state} ne 'joining';

    $node->{k} = $k;
    $node->{epoch} = $epoch;
    if (!$node->{memory}) {
        $node->{memory} = 1;
        $node->{own} = $has eq 'SHARE';
        $node->{D} = $call->{sent} + DEADLINE;
        $node->{state} = 'active';
        $self->check_caps($_) for qw(p q);
        return $self->snapshot;
    }
    $node->{own} = 0 if $has eq 'NONE';
    for my $p (values %{ $node->{p} }) {
        my $used = $self->used($p);
        my $cap = $has eq 'NONE' ? $used : max(min($self->cap($node, $p), $self->share_of($node)), $used);
        $p->{touched} = 1 if $used;
        $p->{cap} = $cap if $p->{touched};
    }
    $self->restate($node);
}


# ---- what happens

sub alive { return grep { $_->{alive} } @{ $_[0]{node} } }
sub well { return grep { $_->{alive} && !$_->{cut} } @{ $_[0]{node} } }

# Has each node told its caps since the ledger lost something? Until then a test of
# what is exact must not cut one off, or start one.

sub is_settled {
    my ($self) = @_;
    return 1 if $self->{T} >= $self->{settled};
    return 0 if grep { $_->{state} ne 'active' || ($self->{epoch_after} // 0) > $_->{epoch} } $self->alive;
    return $self->{settled} = 1;
}

sub step {
    my ($self) = @_;
    my $x = rand;

    return $self->fail_over if defined $self->{fail_at} && $self->{steps} >= $self->{fail_at};
    if ($x < 0.30) { $self->requests }
    elsif ($x < 0.37) { $self->lend }
    elsif ($x < 0.62) { $self->deliver }
    elsif ($x < 0.82) { $self->return_one }
    elsif ($x < 0.90) { $self->renew }
    elsif ($x < 0.965) { $self->wait_for(1 + int rand pick(20, 400, $self->{W} / 4)) }
    elsif ($x < 0.975) { $self->pass(pick($self->{W}, LEASE, LEASE + $self->{W}) * (0.5 + rand)) }
    else { $self->event }
    $self->check_sum if chance(0.01);
}

sub requests {
    my ($self) = @_;
    my $node = pick($self->alive) or return;
    my $id = chance(0.8) ? 'p' : 'q';
    my $p = $node->{p}{$id};
    my $limit = $self->limit($node);
    $self->admit($node, $id, 1 + int rand $limit);
    $self->adjust($node, $id, min($limit, $self->cap($node, $p) + pick(1, 2, 10, $limit))) if chance(0.7);
}

sub lend {
    my ($self) = @_;
    my $node = pick(grep { $_->{state} eq 'active' && $self->{T} < $_->{D} } $self->alive) or return;
    my $id = chance(0.8) ? 'p' : 'q';
    my $p = $node->{p}{$id};
    $self->lower($node, $p, int rand 1 + $self->cap($node, $p));
    $self->adjust($node, $id);
}

# Mostly in order and soon.

sub take {
    my ($list) = @_;
    return splice @$list, (chance(0.7) ? 0 : int rand @$list), 1;
}

sub deliver {
    my ($self) = @_;
    @{ $self->{net} } or return;
    my $call = take($self->{net});
    return if $call->{node}{cut} && $call->{node}{life} eq $call->{life} || chance(0.03);
    push @{ $self->{net} }, { %$call } if chance(0.03);
    $self->execute($call);
}

sub return_one {
    my ($self) = @_;
    @{ $self->{back} } or return;
    my $call = take($self->{back});
    return if $call->{node}{cut} || chance(0.05);
    push @{ $self->{back} }, { %$call } if chance(0.03);
    $self->answered($call);
}

sub flush {
    my ($self) = @_;
    my $late = chance(0.2) ? 2 : 0;
    for (1 .. 60) {
        last if @{ $self->{net} } + @{ $self->{back} } <= $late;
        $self->deliver if @{ $self->{net} } > $late / 2;
        $self->return_one;
    }
}

sub renew {
    my ($self, $all) = @_;
    for my $node ($all ? $self->well : pick($self->alive)) {
        next unless $node;
        if ($node->{state} eq 'active') {
            $self->common_call($node, 'renew', [], '0-0');
        } elsif ($node->{state} eq 'restating') {
            $self->restate($node);
        } elsif ($node->{memory}) {
            $self->lost($node);
        } else {
            $self->join_call($node);
        }
    }
}

sub wait_for {
    my ($self, $ms) = @_;
    $self->flush if $ms > 100;
    $self->{T} += int $ms;
}

# A long time, in which who is well renews.

sub pass {
    my ($self, $ms) = @_;
    my $end = $self->{T} + int $ms;
    while ($self->{T} < $end) {
        $self->renew(1);
        $self->flush;
        $self->requests for 1 .. 3;
        $self->flush;
        last if $self->{fault};
        $self->{T} += min($end - $self->{T}, int(LEASE / 3));
    }
}

sub event {
    my ($self) = @_;
    my $x = rand;
    my $node = pick(@{ $self->{node} });

    if ($x < 0.2) { $self->cut($node) }
    elsif ($x < 0.45) { $node->{alive} ? $self->fall($node) : $self->rise($node) }
    elsif ($x < 0.52) { $self->leave($node) }
    elsif ($x < 0.57) { $self->upgrade($node) }
    elsif ($x < 0.64) { $self->step_clock }
    elsif ($x < 0.70) { $self->empty }
    elsif ($x < 0.88) { $self->will_fail_over }
    elsif ($self->{changes}) { $self->change_rate }
}

# Its place may go to one that has none yet: not exact.

sub cut {
    my ($self, $node) = @_;
    return $node->{cut} = 0 if $node->{cut};
    return if !$node->{alive} || !$self->is_settled || grep { !$_->{memory} } $self->alive;
    $node->{cut} = 1;
    $self->note('%s cut off', $node->{name});
}

# One that dies with what it was granted since is lacking would not be exact.

sub fall {
    my ($self, $node) = @_;
    return if !$self->is_settled;
    $self->snapshot if $node->{alive} && $self->{lacking}{ $node->{life} };
    $node->{alive} = 0;
    $node->{cut} = 0;
    $self->note('%s dies', $node->{name});
}

# A node of another name may get the place of one that is cut off: not exact.

sub rise {
    my ($self, $node) = @_;
    return if !$self->is_settled || grep { $_->{cut} || $_->{state} ne 'active' } $self->alive;
    $self->note('%s rises', $node->{name});
    $self->life($node);
    $self->flush;
}

# A new life beside the old one, as while a new program takes over. The old one hears of
# it soon; cut off just then it would not be exact.

sub upgrade {
    my ($self, $node) = @_;
    return if !$node->{alive} || !$self->is_calm;
    my $old = { %$node };
    $self->note('%s upgrades', $node->{name});
    $self->life($node);
    push @{ $self->{node} }, $old;
    $_->{node} = $old for grep { $_->{life} eq $old->{life} } @{ $self->{net} }, @{ $self->{back} };
    for (1 .. 5) {
        $self->renew(1);
        $self->flush;
        $self->requests;
    }
    $old->{alive} = 0 if chance(0.5) || $old->{state} ne 'active';
    pop @{ $self->{node} } if !$old->{alive};
}

sub leave {
    my ($self, $node) = @_;
    return if !$node->{alive} || $node->{cut} || $node->{state} ne 'active' || !$self->is_settled;
    $self->common_call($node, 'leave', []);
    $node->{alive} = 0;
    $self->note('%s leaves', $node->{name});
    $self->flush;
    $self->snapshot;
}

# What a node says of the time is too much by as long as the call was on its way that
# the stamp is of. Where the clock jumps ahead just then, it is early by that, too: not
# exact if it is more than what all ends are late by.

sub are_stamps_good {
    my ($self) = @_;
    return 100 >= max(0, (map { $_->{took} } $self->alive), (map { $_->{bears} } @{ $self->{net} }),
                      map { $_->{took} } @{ $self->{back} });
}

sub step_clock {
    my ($self) = @_;
    $self->{offset} += ($self->are_stamps_good ? pick(-1, 1) : -1) * int rand 3_600_000;
    $self->note('clock off by %d', $self->{offset});
}

sub unsettled {
    my ($self) = @_;
    $self->{epoch_after} = max(0, map { $_->{epoch} } $self->alive) + 1;
    $self->{settled} = $self->{T} + LEASE + $self->{W} + 3_600_000;
}

sub is_calm {
    my ($self) = @_;
    return $self->is_settled && !grep { $_->{cut} || $_->{state} ne 'active' } $self->alive;
}

# A node that starts before any of the others is back is not exact.

sub empty {
    my ($self) = @_;
    return if !$self->is_calm || !$self->alive;
    $self->{redis}->call('FLUSHALL');
    $self->note('emptied');
    $self->unsettled;
    $self->{saved} = undef;
}

sub snapshot {
    my ($self) = @_;
    my $redis = $self->{redis};
    my @names = sort @{ $redis->call('KEYS', 'wassiit:*') };
    my @dumps = $redis->pipeline(map { [ 'DUMP', $_ ] } @names);
    delete $self->{fail_at};
    $self->{saved} = [ map { [ $names[$_], $dumps[$_] ] } 0 .. $#names ];
    $self->{saved_at} = $self->{T};
    $self->{lacking} = {};
}

sub will_fail_over {
    my ($self) = @_;
    return if !$self->is_calm;
    $self->snapshot;
    $self->{fail_at} = $self->{steps} + int rand 40;
    $self->requests for 1 .. int rand 4;
}

# Another server takes over, with what it had got, and a clock of its own. It knows all
# lives: one that began since and has ended is not exact.

sub fail_over {
    my ($self) = @_;
    delete $self->{fail_at};
    return if !$self->{saved} || !$self->is_calm;
    ref and die "$_\n"
        for $self->{redis}->pipeline([ 'FLUSHALL' ], map { [ 'RESTORE', $_->[0], 0, $_->[1] ] } @{ $self->{saved} });
    $self->{run_id} = 'run' . $self->{steps} . '.' . ++$self->{runs};
    $self->{offset} += int(rand 20_000) - ($self->are_stamps_good ? 10_000 : 20_000);
    $self->note('failover by %d ms', $self->{T} - $self->{saved_at});
    $self->unsettled;
}

# Who learns of a lower rate lowers its cap in proportion, as soon as it may; who learns
# of a higher one keeps what it has until it has asked.

sub change_rate {
    my ($self) = @_;
    if (my @behind = grep { !$_->{cut} && $_->{rev} < $self->{rev} } $self->alive) {
        my $node = pick(@behind);
        my $old = $self->limit($node);
        my $new = $self->{rates}{ $node->{rev} + 1 };
        for my $p (values %{ $node->{p} }) {
            $p->{cap} = $self->cap($node, $p);
            delete $p->{sunk};
            $p->{touched} = 1;
            $p->{seq}++;
        }
        $node->{rev}++;
        for my $p ($new < $old ? values %{ $node->{p} } : ()) {
            $p->{most} = int(min($self->cap($node, $p), $p->{most} // $old) * $new / $old);
            $self->lower($node, $p, $p->{most});
        }
        return;
    }
    return if !$self->is_calm;
    $self->{rates}{ ++$self->{rev} } = my $N = pick(1, 3, 7, 20, 100);
    push @{ $self->{limits} }, $N;
    $self->{known} = undef;
    $self->note('rate %d', $N);
}

# The sums that the ledger keeps are those of its entries.

sub check_sum {
    my ($self) = @_;
    for my $key (map { "wassiit:{model}:w:$_" } qw(p q)) {
        my %f = @{ $self->{redis}->call('HGETALL', $key) };
        my (undef, undef, undef, $sum, $set) = split / /, $f{r} // next;
        my $real = sum0(map { $f{$_} =~ /^(\d+)/ } grep { /^\d+!?$/ } keys %f);
        my $places = grep { /^\d+$/ && $_ <= $self->{nodes} } keys %f;
        $self->fail('%s: sum %d, entries %d; set %d, places %d', $key, $sum, $real, $set, $places)
            if $sum != $real || $set != $places;
    }
}

1;
