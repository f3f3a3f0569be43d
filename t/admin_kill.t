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
use Wassiit::Operators;

my ($RUNS, $WRITES) = (200, 60);
my $SEED = test_seed();
my $STEADY = make_key('the steady one');

# To be preloaded: whoever makes the n-th call by which the partners' file is
# changed dies in the middle of it, where kill from outside hardly ever hits.

my $DIES = <<'END';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile int64_t  *dies;     /* calls until then, who has died, how */

__attribute__((constructor)) static void
dies_open(void)
{
    int  fd = open(getenv("WASSIIT_DIES"), O_RDWR);

    dies = mmap(NULL, 24, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd == -1 || dies == MAP_FAILED) {
        abort();
    }
}

static int
dies_now(int how)
{
    if (dies[0] <= 0 || __atomic_sub_fetch(&dies[0], 1, __ATOMIC_SEQ_CST) != 0) {
        return 0;
    }

    dies[2] = how;
    dies[1] = getpid();

    return 1;
}

static void
dies_here(void)
{
    for ( ;; ) {
        kill(getpid(), SIGKILL);
    }
}

/* logs and notices to oneself are written, too */

static int
dies_ours(int fd)
{
    char     link[64], path[4096];
    ssize_t  n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = '\0';

    return strstr(path, ".jsonl") != NULL;
}

static void
dies_part(int fd, const void *p, size_t n, off_t offset)
{
    struct iovec  part = { (void *) p, (size_t) rand() % n };

    /* not by the calls that stand in place of these */
    if (offset == -1) {
        (void) writev(fd, &part, 1);
    } else {
        (void) pwritev(fd, &part, 1, offset);
    }

    dies_here();
}

ssize_t
write(int fd, const void *p, size_t n)
{
    struct iovec  all = { (void *) p, n };

    if (dies[0] > 0 && dies_ours(fd) && dies_now(1)) {
        dies_part(fd, p, n, -1);
    }

    return writev(fd, &all, 1);
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off_t offset)
{
    struct iovec  all = { (void *) p, n };

    if (dies[0] > 0 && dies_ours(fd) && dies_now(1)) {
        dies_part(fd, p, n, offset);
    }

    return pwritev(fd, &all, 1, offset);
}

int
fsync(int fd)
{
    int  (*real)(int) = dlsym(RTLD_NEXT, "fsync");

    if (dies_now(2)) {
        dies_here();
    }

    if (real(fd) != 0) {
        return -1;
    }

    if (dies_now(3)) {
        dies_here();
    }

    return 0;
}

int
renameat(int fd, const char *from, int fd2, const char *to)
{
    int  (*real)(int, const char *, int, const char *)
             = dlsym(RTLD_NEXT, "renameat");
    int    rc;

    if (dies_now(4)) {
        dies_here();
    }

    rc = real(fd, from, fd2, to);

    if (dies_now(5)) {
        dies_here();
    }

    return rc;
}
END


sub start_with {
    my $server = start_operators(allow_log => qr/exited on signal 9/,
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
    my $steady = verdict(ask($server, $STEADY));
    push @faults, "the steady one: $steady" if $steady ne '200';

    diag($_) for @faults > 20 ? @faults[0 .. 19] : @faults;
    return $faults[0];
}

# An editor puts a new file, with the same in it, in place of this one.

sub edit {
    my ($server) = @_;
    my $path = $server->dir . "/conf/$Wassiit::Operators::File";
    my ($uid, $gid) = (stat $path)[4, 5];

    Wassiit::_write("$path.edited", Wassiit::_read($path), 0600);
    chown $uid, $gid, "$path.edited";
    rename "$path.edited", $path or die "$path: $!";
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
    my $dir = test_dir();
    open my $out, '>', "$dir/dies.c" or die "$dir/dies.c: $!";
    print {$out} $DIES;
    close $out or die "$dir/dies.c: $!";
    system('gcc', '-O2', '-Wall', '-Werror', '-shared', '-fPIC', '-o', "$dir/dies.so",
           "$dir/dies.c") == 0 or die "can't compile $dir/dies.c\n";
    chmod 0755, "$dir/dies.so";

    # written in place, as it is mapped by those who read it
    my $set = sub {
        open my $file, (-e "$dir/dies" ? '+<' : '>'), "$dir/dies" or die "$dir/dies: $!";
        syswrite($file, pack 'q3', @_) == 24 or die "$dir/dies: $!";
    };
    $set->(0, 0, 0);
    local $ENV{WASSIIT_DIES} = "$dir/dies";
    local $ENV{LD_PRELOAD} = "$dir/dies.so";

    my $server = start_with();
    my @states = map { undef } 1 .. 4;
    my (%runs, $wrong);
    my @how = ('', 'in a write', 'before a sync', 'after a sync', 'before a rename',
               'after a rename');
    srand $SEED;

    for my $run (1 .. $WRITES) {
        my ($calls, $whole, $reload) = (1 + int rand 60, rand() < 0.4, rand() < 0.3);
        my $edited = rand() < 0.2;
        edit($server) if $edited;
        $set->($calls, 0, 0);

        my $crew = crew($server, $SEED + 1000 * ($RUNS + $run), \@states, mend => 1);
        $server->signal('HUP') if $reload;

        my ($victim, $how);
        wait_for {
            (undef, $victim, $how) = unpack 'q3', Wassiit::_read("$dir/dies");
            $victim;
        };
        $whole = 1 if $victim == $server->pid;
        my $what = ($victim == $server->pid ? 'the master ' : '') . $how[$how];

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

    $set->(0, 0, 0);
    ok(!defined $wrong, 'what was acknowledged is there after each of them');
    told(\%runs, \@states);
    $server->stop;
};

done_testing;
