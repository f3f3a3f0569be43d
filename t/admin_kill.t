#!/usr/bin/env perl

# Workers and the whole nginx are killed in the middle of changes: each start
# loads what was acknowledged, and so does the zone hold it that outlives a
# worker.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Time::HiRes ();
use Front;
use Wassiit;
use Wassiit::Deaths;
use Wassiit::Operators;

# WASSIIT_STRENGTH makes it so many times as long.
my ($RUNS, $WRITES) = map { $_ * ($ENV{WASSIIT_STRENGTH} // 1) } 200, 60;
my $SEED = test_seed();
my $STEADY = make_key('the steady one');

sub start_with {
    # a worker may have the file when a reload looks for it, and be at a disk that stalls
    my $server = start_operators(allow_log => qr/exited on signal 9|is locked by another process/,
        conf => operators_conf(http => 'access_log off;'),
        partners => [ partner('steady', $STEADY, rate => '1000000r/s') ]);

    ok(all_serve($server), 'four workers');
    return $server;
}

sub all_serve {
    my ($server, @victims) = @_;
    my %gone = map { $_ => 1 } @victims;

    return wait_for {
        my @now = $server->worker_pids;
        @now == 4 && !grep { $gone{$_} } @now;
    };
}


# Clerks work on until they are told to stop, or there is no server.

sub crew {
    my ($server, $seed, $states, %how) = @_;

    return Wassiit::Operators::Crew->start(scalar @$states, sub {
        my ($n, $stop) = @_;
        my $clerk = Wassiit::Operators::Clerk->new(%how, port => $server->port,
            admin => $server->port(2), name => sprintf('c%02d', $n), seed => $seed + $n,
            state => $states->[$n]);

        1 while $clerk->step && !$stop->();
        return $clerk->state;
    });
}


# Waits for the clerks, starts nginx again if all of it was killed, and
# compares. What is wrong is told, the first of it returned.

sub wrong_after {
    my ($server, $crew, $states, $whole) = @_;

    return 'the clerks do not come to an end' unless wait_for { !$crew->running } 60;
    @$states = $crew->results;

    eval { revive($server) if $whole; 1 } or return $@;
    return 'not all workers are there' unless all_serve($server);

    settle($server, $_, mend => !$whole) for @$states;
    my @faults = faults($server, @$states);
    # a worker that goes may close a connection that it has just taken
    my $visitor = Wassiit::Operators::Visitor->new($server->port);
    my $steady = verdict($visitor->request(headers => [ 'X-API-Key' => $STEADY ]));
    push @faults, "the steady one: $steady" if $steady ne '200';

    diag($_) for @faults > 20 ? @faults[0 .. 19] : @faults;
    return $faults[0];
}


sub told {
    my ($runs, $states) = @_;
    my %done;

    for my $state (@$states) {
        $done{$_} += $state->{done}{$_} for keys %{ $state->{done} };
    }

    note join ', ', map { "$_: $runs->{$_}" } sort keys %$runs;
    note join ', ', map { "$_: $done{$_}" } sort keys %done;
    cmp_ok($done{$_} // 0, '>', 100, "there were many of $_")
        for 'POST 201', 'PATCH 200', 'DELETE 204', 'no answer';
}


subtest "$RUNS kills at random instants" => sub {
    my $server = start_with();
    my @states = map { undef } 1 .. 6;
    my (%runs, $wrong);

    # from the seed; what the clerks do meanwhile has seeds of its own
    srand $SEED;
    my @plan = map { [ ('one worker', 'all workers', 'master and workers',
                        'master and workers', 'workers in a reload', 'all in a reload')[ rand 6 ],
                       5 + int rand 56, int rand 4, rand 20 ] } 1 .. $RUNS;

    for my $run (1 .. $RUNS) {
        my ($what, $after, $which, $reload) = @{ $plan[ $run - 1 ] };
        my $whole = $what =~ /^(?:master|all in)/;
        my $crew = crew($server, $SEED + 1000 * $run, \@states, mend => !$whole);

        my @victims = $server->worker_pids;
        Time::HiRes::sleep($after / 1000);

        if ($what =~ /reload/) {
            $server->signal('HUP');
            Time::HiRes::sleep($reload / 1000);
        }

        if ($whole) {
            kill_all($server);

        } else {
            @victims = $victims[ $which % @victims ] if $what eq 'one worker';
            push @victims, $server->worker_pids if $what =~ /reload/;
            kill 'KILL', @victims;
            all_serve($server, @victims);
            $crew->stop;
        }

        $wrong = wrong_after($server, $crew, \@states, $whole);
        $runs{$what}++;

        if (defined $wrong) {
            fail("run $run: $what after $after ms");
            diag($wrong);
            last;
        }
    }

    ok(!defined $wrong, 'what was acknowledged is there after each of them');
    told(\%runs, \@states);
    $server->stop;
};


subtest "$WRITES deaths in the middle of a write" => sub {
    local @ENV{'WASSIIT_DEATHS', 'LD_PRELOAD'};
    my $deaths = Wassiit::Deaths->new;
    my $server = start_with();
    my @states = map { undef } 1 .. 4;
    my (%runs, $wrong);
    srand $SEED;

    for my $run (1 .. $WRITES) {
        my ($calls, $whole, $reload) = (1 + int rand 60, rand() < 0.4, rand() < 0.3);
        my $edited = rand() < 0.2;
        edit($server) if $edited;
        $deaths->in($calls, of => 'writes');

        my $crew = crew($server, $SEED + 1000 * ($RUNS + $run), \@states, mend => 1);
        $server->signal('HUP') if $reload;

        my ($victim, $how);
        wait_for {
            ($victim, $how) = $deaths->last;
            $victim;
        };
        $whole = 1 if $victim == $server->pid;
        my $what = ($victim == $server->pid ? 'the master ' : '') . $how;

        if ($whole) {
            kill_all($server);
        } else {
            all_serve($server, $victim);
            $crew->stop;
        }

        $wrong = wrong_after($server, $crew, \@states, $whole);
        $runs{ $what . ($whole ? ', all killed' : '') }++;
        $runs{'in a file that was edited'}++ if $edited;

        if (defined $wrong) {
            fail("run $run: $what, " . ($whole ? 'all killed' : 'a worker')
                 . ($reload ? ', in a reload' : '') . ($edited ? ', edited' : ''));
            diag($wrong);
            last;
        }
    }

    $deaths->none;
    ok(!defined $wrong, 'what was acknowledged is there after each of them');
    told(\%runs, \@states);
    $server->stop;
};

done_testing;
