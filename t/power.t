#!/usr/bin/env perl

# Power is cut at any instant, while four operators change partners, workers
# and the whole nginx are killed and the file is compacted. What fsync()
# promised is on the disk, and of the rest some. nginx starts on it, and finds
# each change that was acknowledged, and no half of one.
#
# TEST_CUTS cuts (300; 60 where the suite runs once more) from TEST_SEED, of
# which instants and deaths follow as far as chance allows.

use strict;
use warnings;

use lib 't/lib';
use Storable ();
use Test::More;
use Time::HiRes ();
use Wassiit;
use Wassiit::Operators;
use Wassiit::Power;

my $CUTS = $ENV{TEST_CUTS} // (($ENV{TEST_VARIANT} // 'deb') eq 'deb' ? 300 : 60);
my $SEED = test_seed();
my $OPERATORS = 4;

my $Power = Wassiit::Power->new($SEED);
my (%Done, $Server, $Folder, @Kills, @Tale);


# ---- the server

sub start_again {
    local @ENV{qw(LD_PRELOAD WASSIIT_POWER)} = $Power->preload($Folder);
    boot($Server);
}

sub end_all {
    $Power->killing(sub { kill_all($Server); push @Kills, $Power->position });
}

sub end_workers {
    my (@victims) = @_;

    $Power->killing(sub {
        kill 'KILL', @victims;
        wait_for { !grep { Wassiit::_read("/proc/$_/stat") =~ /\) [^ZX] \d/ } @victims };
        push @Kills, $Power->position;
    });
}


# ---- operators at work

# One state for each of them, and one for us, who change something after each
# start.

sub clerk {
    my ($n, $states, %how) = @_;
    return Wassiit::Power::Clerk->new(%how, port => $Server->port, admin => $Server->port(2),
        power => $Power, name => sprintf('c%02d', $n), state => $states->[$n]);
}

sub crew {
    my ($states, $steps, %how) = @_;
    my $seed = $Power->draw(1e6);
    my $alone = delete $how{alone};

    return Wassiit::Operators::Crew->start($OPERATORS, sub {
        my ($n, $stop) = @_;
        my $clerk = clerk($n, $states, %how, seed => $seed + $n);
        $steps = 0 if defined $alone && $n != $alone;
        1 while $steps-- && $clerk->step && !$stop->();
        # a history is long
        Storable::nstore($clerk->state, test_dir() . "/state-$n");
        return {};
    });
}

sub wait_for_crew {
    my ($crew, $states) = @_;
    wait_for { !$crew->running } 60 or die "the operators do not come to an end\n";
    $crew->results;
    $states->[$_] = Storable::retrieve(test_dir() . "/state-$_") for 0 .. $OPERATORS - 1;
}


# Most calls are of two kinds, yet all of them count.

sub death {
    my ($what, $early) = @_;
    my $call = $what =~ /first/ ? 'sync' : $Power->any('none', 'none', 'none',
               qw(create truncate rename unlink folder));

    push @Tale, $call if $call ne 'none';
    return (stage => $Power->draw($what =~ /first/ ? 2 : 3), all => $what =~ /^all/ ? 1 : 0,
            what => $call, calls => $what =~ /first/ ? 1
            : 1 + $Power->draw($call ne 'none' ? 2 : $early ? 6 : 60));
}


sub work {
    my ($states) = @_;
    my $what = $Power->any('peace', 'a worker', 'a worker', 'all workers', 'all', 'all',
        'a reload', 'a worker in a reload', 'all in a reload', 'a death', 'a death', 'all, a death',
        'all, a death', 'a death in a reload', 'a death and a reload',
        'all, a first death', 'all, a first death', 'all, a first death');

    # Who makes the first partner after a start dies in it, so that a load finds
    # no line in the file that it could leave out, and leaves it as it is.
    my $first = $what =~ /first/;
    my $early = $first || $Power->draw(2);
    my $from = $Power->position + $Power->draw($early ? 1500 : 30000);
    my %how = (most => 1 + $Power->draw(2), alone => $first ? $Power->draw($OPERATORS) : undef);
    my @victims = $Server->worker_pids;
    my $died = 0;

    $Done{$what}++;
    push @Tale, $early ? "$what early" : $what;
    $Power->control(sync => $Power->any(0, 200, 1000), $what =~ /death/ ? death($what, $early) : ());
    my $crew = crew($states, $first ? 1 : 8 + $Power->draw(12), %how, mend => 1,
                    creates => $early);

    wait_for { !$crew->running || ($died = $Power->died) || $Power->position > $from };
    $Server->signal('HUP') if $what =~ /in a reload/;

    if ($what =~ /death/) {
        wait_for { ($died = $Power->died) || !$crew->running };
        push @Kills, $Power->position if $died;
        $Server->signal('HUP') if $what =~ /and a reload/;
    } elsif ($what =~ /worker/) {
        Time::HiRes::sleep($Power->draw(20) / 1000) if $what =~ /reload/;
        push @victims, $Server->worker_pids if $what =~ /reload/;
        end_workers($what =~ /^all/ ? @victims : $victims[ $Power->draw(scalar @victims) ]);
    }

    if ($what =~ /^all(?! w)/ || $died == $Server->pid) {
        Time::HiRes::sleep($Power->draw(20) / 1000) if $what =~ /reload/;
        end_all();
        wait_for_crew($crew, $states);
        $Power->control;
        start_again();
        $crew = crew($states, $first ? 1 : $Power->draw(8), %how);
    }

    wait_for_crew($crew, $states);
    $Power->control;
}


# ---- what is found after a cut

# Has each state be what is found, and tells what of it must not be.

sub faults_of {
    my ($cut, $states) = @_;
    my ($front, $admin) = map { Wassiit::Operators::Visitor->new($Server->port($_)) } 1, 2;
    my %file = %{ in_file($Server) };
    my $page = admin($admin, GET => '?limit=1000')->json;
    my %told = map { $_->{id} => admin($admin, GET => "/$_->{id}")->json } @{ $page->{partners} };
    my @faults;

    for my $n (0 .. $OPERATORS) {
        my $allowed = $cut->{allowed}[$n];
        my $partners = {};

        for my $id (sort keys %$allowed) {
            my ($partner, $line) = (delete $told{$id}, delete $file{$id});
            my ($found, @differs);

            for my $model (@{ $allowed->{$id} }) {
                my $which = Wassiit::Operators::_which($partner, $model);
                my $differs = $which
                    ? Wassiit::Operators::_differs_in_file($line, $which->[0])
                    : Wassiit::Operators::differs($partner, $model);
                push @differs, "$differs, for " . Wassiit::Operators::_text($model);
                $found = $which and last if $differs eq '';
            }

            push @faults, "$id: " . join('; ', @differs) if !$found;
            my $model = $found && $found->[0] or next;
            $partners->{$id} = $model;

            my @keys = sort grep { $_ ne '?' } map { $_->{key} } values %{ $model->{keys} };
            next if !@keys;
            my $refused = Wassiit::Operators::refused($front, $id, $model, $Power->any(@keys), 1);
            push @faults, $refused if $refused ne '';
        }

        $states->[$n] = { name => sprintf('c%02d', $n), next => $cut->{next}[$n],
                          partners => $partners };
    }

    return (@faults, map { "$_ is there, too" } sort keys %{ { %told, %file } });
}


# It can be changed, too.

sub change {
    my ($states) = @_;
    my $clerk = clerk($OPERATORS, $states, seed => $Power->draw(1e6), most => 2);
    $clerk->step;
    die "no change can be made\n" if %{ $clerk->state->{unsure} };
}


# ---- the next cuts

sub cuts_of {
    my ($n, $disk, $states, $began) = @_;
    my @records = $Power->replay($disk);
    my @ends = (0, map { $_->{end} } @records);
    my %at;

    push @{ $at{ $_->{what} } }, $_->{end} for @records;
    push @{ $at{'seen'} }, map { @{ $_->{seen} // [] } } @$states;
    delete $at{'seen'} if !@{ $at{'seen'} };
    $at{'death'} = [@Kills] if @Kills;
    for my $history (map { values %{ $_->{history} } } @$states) {
        push @{ $at{'answer'} }, map { $_->[0] } @$history;
    }
    $Done{$_} += @{ $at{$_} } for keys %at;

    return map {
        my $what = $Power->draw(2) || !@records ? 'instant'
                   : $at{'seen'} && $Power->draw(2) ? 'seen' : $Power->any(sort keys %at);
        my $at = $what eq 'instant' ? $Power->draw(scalar @ends) : do {
            my $position = $Power->any(@{ $at{$what} });
            $Power->draw(3) + grep { $_ <= $position } @ends[1 .. $#ends];
        };
        $at = $#ends if $at > $#ends;

        my ($left, $how) = $disk->cut($ends[$at]);
        my @allowed = map {
            my $state = $states->[$_];
            my $partners = $began->[$_];
            my %allowed = map {
                my @models = Wassiit::Power::Clerk::allowed($state, $_, $ends[$at]);
                $_ => @models ? \@models : [ $partners->{$_} ];
            } keys %$partners, keys %{ $state->{history} };
            Storable::dclone(\%allowed);
        } 0 .. $OPERATORS;

        { told => join(', ', @Tale ? "after @Tale" : 'after a start', $what,
                       "record $at of $#ends: $how"),
          left => $left, allowed => \@allowed, next => [ map { $_->{next} } @$states ] };
    } 1 .. $n;
}


# ---- all of it

# What must not stand in the log.

sub alerts {
    my $path = $Server->dir . '/logs/error.log';
    my @alerts = grep { /\[(?:alert|crit|emerg|error)\]/ && !/exited on signal 9/ }
                 split /\n/, $Server->error_log;
    truncate $path, 0 or die "$path: $!";
    return @alerts;
}


# Starts on what a cut has left, and returns what is wrong. The next cuts are
# among @$pending then.

sub try {
    my ($cut, $pending) = @_;
    my $works = !@$pending || !$Power->draw(5);
    my $states = [];

    (@Kills, @Tale) = ();
    $Power->control(sync => 0);
    $Power->clear;
    $Power->write($Folder, $cut->{left});
    my $disk = $Power->disk($Folder);

    start_again();
    my @faults = faults_of($cut, $states);
    return (@faults, alerts()) if @faults;

    my $began = Storable::dclone([ map { $_->{partners} } @$states ]);
    $works ? work($states) : change($states);
    end_all();

    push @$pending, cuts_of($works ? 5 : !$Power->draw(4), $disk, $states, $began);
    for my $state (@$states) {
        $Done{$_} += $state->{done}{$_} for keys %{ $state->{done} };
    }

    return (alerts(), map { @{ $_->{faults} // [] } } @$states);
}


$Server = start_operators(allow_log => qr/exited on signal 9/,
                          conf => operators_conf(workers => 2, http => 'access_log off;'));
$Folder = $Server->dir . '/conf/state';
end_all();
alerts();

my @pending = { told => 'none', left => { 'partners.jsonl' => '' },
                next => [ (0) x ($OPERATORS + 1) ], allowed => [ map { {} } 0 .. $OPERATORS ] };
my $wrong = 0;

for my $n (0 .. $CUTS) {
    my $cut = splice @pending, $Power->draw(scalar @pending), 1;
    my @faults = eval { try($cut, \@pending) };
    push @faults, $@, alerts() if $@;
    $wrong = @faults or next;

    fail("cut $n of TEST_SEED=$SEED TEST_CUTS=$CUTS: $cut->{told}");
    diag("then @Tale") if @Tale;
    diag($_) for @faults > 20 ? @faults[0 .. 19] : @faults;
    my $kept = test_dir() . '/failed';
    mkdir $kept or die "$kept: $!";
    $Power->write($kept, $cut->{left});
    diag('with TEST_KEEP=1, ' . join ', ', map { "$kept/$_" } sort keys %{ $cut->{left} });
    last;
}

ok(!$wrong, "$CUTS cuts: what was acknowledged is there, and nginx starts");
note join ', ', map { "$_: $Done{$_}" } sort keys %Done;
cmp_ok($Done{$_} // 0, '>', 0, "there was: $_")
    for 'rename', 'no answer', $CUTS < 300 ? () : ('truncate', 'seen');
$Server->stop;
done_testing;
