#!/usr/bin/env perl

# A worker dies at each step of a change and of the compaction that follows it,
# and some of those who bring that to its end die, too. Whoever comes next, in a
# file that nobody has edited: the change is wholly there or not at all, and
# all goes on as before.

use strict;
use warnings;

use lib 't/lib';
use Fcntl qw(LOCK_SH);
use Test::More;
use Front;
use Wassiit;
use Wassiit::Deaths;
use Wassiit::Operators;

my $SEED = test_seed();
my $STEPS = 1000;       # more than any change has
my $PAIRS = 60 * ($ENV{WASSIIT_STRENGTH} // 1);

my $deaths = Wassiit::Deaths->new;
my ($n, $deaths_made) = (0, 0);

sub start_with {
    my (@partners) = @_;

    my $server = start_operators(allow_log => qr/exited on signal 9/,
        conf => operators_conf(workers => 2, zone => '1m', http => 'access_log off;'),
        partners => [ partner('atlas', 'atlas-key', rate => '1000r/h'), @partners ]);
    ok(serves($server), 'two workers');
    return $server;
}

sub serves {
    my ($server) = @_;
    return wait_for { 2 == $server->worker_pids };
}

sub lines {
    my ($server) = @_;
    my $text = Wassiit::_read($server->dir . "/conf/$Wassiit::Operators::File");
    return $text =~ tr/\n//;
}

sub patch {
    my ($server, $id, %fields) = @_;
    my $r = eval { admin_again($server->port(2), PATCH => "/$id", \%fields) };
    return $r ? $r->status : 'closed';
}


# Nobody changes the file any more: true if whoever did hasn't died in it.

sub is_free {
    my ($server) = @_;
    open my $file, '<', $server->dir . "/conf/$Wassiit::Operators::File" or return 0;
    flock $file, LOCK_SH or die "flock: $!";
    return !($deaths->last)[0];
}


# The file has one line less than it takes to be compacted: as many changes as
# it takes bring it there, but for one of which what was left isn't told.

sub is_due {
    my ($server, $partners) = @_;
    my $due = 4 * $partners;

    for (1 .. 3 * $due) {
        return 1 if lines($server) == $due - 1;
        my $is;
        # a disk that stalls makes others busy for longer than one waits
        wait_for { ($is = patch($server, 'rif', name => 'n' . ++$n)) ne '503' };
        return 0 if $is ne '200';
        wait_for { lines($server) < $due } or return 0;
    }

    return 0;
}


# What a reader is told of a partner, as the file has it, too.

sub told {
    my ($server, $id) = @_;
    my $r = eval { admin($server->port(2), GET => "/$id") } or return 'closed';
    return $r->status if $r->status != 200;
    return text($r->json);
}

sub text {
    my ($partner) = @_;
    return 404 if !$partner;
    return join ' ', $partner->{rate} // '100r/m', $partner->{name} // '-',
        sort map { $_->{id} . '<' . ($_->{expires} // '') } @{ $partner->{keys} // [] };
}


# Kinds of changes: what they ask for.

my %KINDS = (
    patch  => [ PATCH => '/atlas', sub { { name => 'n' . ++$n, rate => (1000 + $n % 1000) . 'r/h' } } ],
    key    => [ POST => '/atlas/keys' ],
    rotate => [ POST => '/atlas/keys/rotate', sub { { grace => '1h' } } ],
    secret => [ POST => '/atlas/hmac_secret' ],
    create => [ POST => '', sub { { id => 'new', rate => '2000r/h' } } ],
    delete => [ DELETE => '/new' ],
);


# One change, in the step number $step of which its worker dies. Returns what
# is wrong; '' if nothing is; undef if it had no such step.

sub change {
    my ($server, $kind, $step, %with) = @_;
    my ($method, $path, $body) = @{ $KINDS{$kind} };
    my $id = $path =~ /atlas/ ? 'atlas' : 'new';
    my $partners = 2 + ($kind eq 'delete');

    # it's there, or it isn't, with keys to spare
    my $state = told($server, $id);
    if ($id eq 'new' && ($state eq '404') != ($kind eq 'create')) {
        my $other = $kind eq 'create' ? 'delete' : 'create';
        admin_again($server->port(2), $KINDS{$other}[0], $KINDS{$other}[1],
                    $other eq 'create' ? { id => 'new' } : undef);
    }
    if (4 < (() = $state =~ /</g)) {
        my $keys = admin($server->port(2), GET => '/atlas')->json->{keys};
        admin_again($server->port(2), DELETE => "/atlas/keys/$_->{id}")
            for grep { $_->{id} ne 'k1' } @$keys;
    }

    return 'no more compactions' if !$with{edited} && !is_due($server, $partners);
    my $old = told($server, $id);

    my ($r, $answer);
    for (1 .. 3) {
        my $start = Wassiit::_now();
        $deaths->in($step, of => $with{of}, then => $with{then}, spared => $server->pid);
        $r = eval { admin($server->port(2), $method, $path, $body && $body->()) };
        $answer = $r ? $r->status : 'closed';
        last if $answer ne '503' || ($deaths->last)[0] || Wassiit::_now() - $start < 1;

        # a disk that stalls has kept it from the file, and nobody has died
        $deaths->none;
        wait_for { is_free($server) };
    }

    # those who look on are next where there is to be a second death
    my ($how, $count);
    my $dead = wait_for {
        (my $pid, $how, $count) = $deaths->last;
        told($server, $id) if $pid && $with{then};
        return 1 if $with{then} ? $count == 2 : $pid;
        return -1 if !$pid && $answer ne 'closed'
                     && ($kind eq 'create' || $with{edited} || lines($server) < 4)
                     && is_free($server);
        0;
    } $with{then} ? 0.5 : 20;
    $deaths->none;
    $deaths_made = $count;
    return undef if !$with{then} && $dead == -1;
    return 'it does not come to an end' if !$with{then} && !$dead;
    return '' if !$count;

    my $next = $with{next};
    $next->($server) if $next;

    # who looks finds in the end what stands in the file
    my ($is, $file);
    my $agree = wait_for {
        $is = told($server, $id);
        $file = eval { text(in_file($server)->{$id}) } // 'half a line';
        $is eq $file;
    };

    my @wrong;
    push @wrong, "$is is told, $file is in the file" if !$agree;
    push @wrong, "answered $answer" if $answer !~ /^(?:20[014]|closed)$/;
    push @wrong, "$is, after $answer" if $answer ne 'closed' && $is eq $old;
    my $key = $r && $answer eq '201' && $kind ne 'secret' ? $r->json->{key} : 'atlas-key';
    my $verdict = verdict(ask($server, $key));
    push @wrong, "a key: $verdict" if $verdict ne '200';
    push @wrong, 'it counts as edited'
        if !$with{edited} && $server->error_log =~ /another program/;
    serves($server) or push @wrong, 'no two workers';
    return @wrong ? "$with{of} $step, $how: @wrong" : '';
}


# Who comes next.

my %NEXT = (
    'who looks on' => undef,
    'the next change' => sub { patch($_[0], 'rif', name => 'n' . ++$n) },
    'a reload' => sub { $_[0]->reload },
);


# Each step of this kind of change; returns how many there were.

sub each_step {
    my ($server, $kind, %with) = @_;
    my $every = $with{every} // 1;
    my $steps = 0;

    for (my $step = $with{first} // 1; $step < $STEPS; $step += $every) {
        my $wrong = change($server, $kind, $step, %with);
        last if !defined $wrong;
        $steps = $step;
        next if $wrong eq '';
        fail($kind);
        diag($wrong);
        return 0;
    }

    cmp_ok($steps, '>', 10, "$kind: all of its steps");
    note "$kind: $steps steps";
    return $steps;
}

sub goes_on {
    my ($server, $edited) = @_;

    ok($edited || is_due($server, 2 + (told($server, 'new') ne '404')),
       'changes and compactions go on');
    my $is = told($server, 'atlas');
    is(reload_again($server), '', 'the file can be loaded');
    is(told($server, 'atlas'), $is, 'and says the same');
}

my %EVERY = ('who looks on' => 1, 'the next change' => 2, 'a reload' => 4);

for my $next (sort keys %NEXT) {
    subtest "a death at each call, then $next" => sub {
        my $server = start_with(partner('rif'));
        each_step($server, 'patch', of => 'calls', next => $NEXT{$next}, every => $EVERY{$next});
        goes_on($server);
        $server->stop;
    };
}

# Where a line begins is known in a file that was edited, too.

subtest 'a death at each call, in a file that was edited' => sub {
    my $server = start_with(partner('rif'));
    edit($server);
    each_step($server, $_, of => 'calls', edited => 1) for qw(patch key);
    goes_on($server, 'edited');
    $server->stop;
};

# Pairs of deaths: the second is of one who brings the first to its end.

subtest "$PAIRS times two deaths" => sub {
    my $server = start_with(partner('rif'));
    my ($wrong, $both) = ('', 0);
    srand $SEED;

    # so many, and on until a quarter of so many were pairs
    for my $n (1 .. 4 * $PAIRS) {
        last if $n > $PAIRS && $both > $PAIRS / 4;

        # before its 700th store a patch only lays out what is new
        my ($of, $least, $first, $second) = rand() < 0.5 ? ('calls', 1, 66, 20) : ('stores', 700, 180, 60);
        ($first, $second) = ($least + int rand $first, 1 + int rand $second);
        $wrong = change($server, 'patch', $first, of => $of, then => $second);
        $both += ($deaths_made == 2);
        last if $wrong ne '';
    }

    is($wrong, '', 'none of them is seen');
    cmp_ok($both, '>', $PAIRS / 4, 'many of them were two');
    goes_on($server);
    $server->stop;
};

# Every tenth store, which ones by the seed.

for my $kind (qw(key create delete patch)) {
    subtest "a death at each store: $kind" => sub {
        my $server = start_with(partner('rif'));
        each_step($server, $kind, of => 'stores', first => 1 + $SEED % 10, every => 10);
        goes_on($server);
        $server->stop;
    };
}

done_testing;
