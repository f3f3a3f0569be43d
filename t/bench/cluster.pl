# The part "cluster" of t/bench/run: what sharing limits through Redis costs, and
# what it admits. Each line is a figure and its target. Where a ratio is told, the
# two stood beside one another, on the same machine, in turns.

use strict;
use warnings;

use File::Basename ();
use List::Util qw(max sum);

BEGIN { require lib; lib->import(File::Basename::dirname(__FILE__) . '/../lib') }

# It has an INIT block for suites, which comes too late here.
BEGIN {
    local $SIG{__WARN__} = sub { warn @_ if $_[0] !~ /INIT block/ };
    require Wassiit::Cluster;
    require Wassiit::Redis;
}

my (%with, $quick);

sub cluster_figures {
    %with = @_;
    $quick = $ENV{BENCH_QUICK};
    my %part = (path => \&cluster_path, calls => \&cluster_system_calls, late => \&cluster_late,
                redis => \&cluster_redis_costs, full => \&cluster_full, idle => \&cluster_idle);

    print "FRONT DOORS THAT SHARE LIMITS\n";
    $part{$_}->() for $ENV{BENCH_CLUSTER} ? split / /, $ENV{BENCH_CLUSTER} : qw(path calls late redis full idle);
}

# For one server of t/bench/run, which is the only node: Redis, and a file of its
# own, with the same partners.

sub cluster_redis {
    my ($name, $partners) = @_;
    my $redis = Wassiit::Redis->start;
    my ($to, @lines) = ($redis->connect);

    open my $in, '<', "$with{dir}/$partners.jsonl" or die "$partners.jsonl: $!\n";
    my $out = private_file("$with{dir}/$name.jsonl");

    while (my $line = <$in>) {
        $line =~ s/\}\n\z/,"rev":1}/;
        print $out "$line\n";
        push @lines, $line =~ /"id":"([^"]+)"/, "1 $line";
        next if @lines < 2000 && !eof $in;
        $to->call('HSET', "wassiit:{bench}:p", @lines);
        @lines = ();
    }

    close $out or die "$name.jsonl: $!\n";
    return $redis;
}

# Until it shares limits, and has compared its partners with those in Redis.

sub cluster_is_ready {
    my ($s) = @_;
    my ($until, $compared) = (now() + 900, -1);

    # a renewal calls the like, too
    while (1) {
        my $of = commands($s->{redis});
        my $calls = sum(map { $of->{$_}{calls} // 0 } 'hmget', 'hscan');
        last if word($s->{port}, 'state') eq 'active' && $compared > 0 && $calls <= $compared + 5;
        now() < $until or die "the node isn't ready, see $with{dir}/$s->{name}/error.log\n";
        $compared = $calls;
        sleep 1.5;
    }
}

# One request's time on the processor, with the standing share enough and without
# a cluster, in turns; a second server without, which tells what a figure is worth;
# and one with a cluster that has made changes, in threads that have ended: libc
# takes locks from then on, in malloc() too.

sub cluster_path {
    my @same = (10_000, partners => 10_000);
    my $gif = 'location / { wassiit_access bench; wassiit_scope conversations.read; empty_gif; }';

    for my $row ([ 'proxied', rate => '1000r/m' ],
                 [ 'answered at once', rate => '3000r/m', server => $gif ]) {
        my ($what, @server) = @$row;
        my ($turns) = rounds(off => [ @same, @server ], again => [ @same, @server ],
                             on => [ @same, @server, cluster => 1 ],
                             changed => [ @same, @server, cluster => 1, changes => 20 ]);
        my $ratio = sub { my ($name) = @_; sub { $_[0]{$name}{rate} / $_[0]{off}{rate} } };
        my $more = sub { my ($name) = @_; sub { 1e3 * ($_[0]{$name}{cpu} - $_[0]{off}{cpu}) } };

        turns_row("requests/s, 10,000 partners, $what", '', '%.0f', $turns, sub { $_[0]{off}{rate} });
        turns_row('  with a cluster, of that', '>= 0.99', '%.4f', $turns, $ratio->('on'));
        turns_row('  again without, of that', '', '%.4f', $turns, $ratio->('again'));
        turns_row('  ns of CPU more with a cluster', '<= 30', '%.0f', $turns, $more->('on'));
        turns_row('  ns of CPU more, again without', '', '%.0f', $turns, $more->('again'));
        turns_row('  with a cluster, after changes, of that', '', '%.4f', $turns, $ratio->('changed'));
    }
}

# System calls of the worker for a fixed number of requests. How many events one
# epoll_wait returns is the load's affair, so these aren't counted.

sub cluster_system_calls {
    my ($strace) = grep { -x } map { "$_/strace" } split /:/, $ENV{PATH};
    if (!$strace) {
        print "  system calls: not measured, \"strace\" is missing\n";
        return;
    }

    compile('load');
    my $backend = backend();
    my %calls;

    for my $what ('off', 'on') {
        my $s = server($what, partners => 10_000, rate => '1000r/m', cluster => $what eq 'on');
        my $load = start_load($backend, [ $s, 10_000 ]);
        my $count = 10_000;
        $load->(0, 10_000, 'first');

        my $pid = run_in($what, 'strace.log', $strace, '-c', '-o', "$with{dir}/$what/strace", '-p', $s->{worker});
        sleep 1;
        $load->(0, $count, 'first');
        kill INT => $pid;
        waitpid $pid, 0;
        $load->();
        stop($s);

        open my $in, '<', "$with{dir}/$what/strace" or die "strace: $!\n";
        while (my $line = <$in>) {
            my (undef, undef, undef, $n, @rest) = split ' ', $line;
            $calls{$what} += $n / $count if @rest && $rest[-1] !~ /^(?:epoll_wait|total|syscall)$/ && $n =~ /^\d+$/;
        }
    }
    stop($backend);

    row('system calls a request, without a cluster', '', '%.3f', $calls{off});
    row('  with one, more than that', '<= 0.01', '%.3f', $calls{on} - $calls{off});
}


# Three front doors.

sub doors {
    my ($redis, $rates, @more) = @_;
    my $cluster = Wassiit::Cluster->start(
        rates => $rates, redis => [ $redis->port ], files => { 'state/none.jsonl' => [] },
        http => 'wassiit_zone zone=none:64k file=state/none.jsonl;',
        server => 'location = /-/status { satisfy any; allow all; wassiit_access none; wassiit_status partners; }',
        @more);
    $cluster->wait_active or die "not all nodes are active\n";
    return $cluster;
}

# Partners' caps that all nodes have asked for, or told.

sub claims {
    my ($cluster) = @_;
    return sum(map { Wassiit::http($_->port, uri => '/-/status')->json->{cluster}{counters}{claims} } $cluster->nodes);
}

# Of each command: how often, and microseconds.

sub commands {
    my ($redis) = @_;
    my $text = $redis->connect->call('INFO', 'commandstats');
    my %of;
    $of{$1} = { calls => $2, usec => $3 } while $text =~ /^cmdstat_([\w|]+):calls=(\d+),usec=(\d+)/mg;
    return \%of;
}

# Requests while Redis is well, and is not, in turns.

sub cluster_late {
    my %spells = (stopped => [ sub { $_[0]->freeze }, sub { $_[0]->thaw } ],
                  slow => [ sub { $_[1]->delay(50) }, sub { $_[1]->heal } ],
                  gone => [ sub { $_[1]->gone }, sub { $_[1]->heal } ]);
    my (%ratio, @well);

    for my $run (1 .. ($quick ? 2 : 8)) {
        my $redis = Wassiit::Redis->start;
        my $cluster = doors($redis, { map { $_ => '200r/s' } qw(atlas basalt cedar) }, relays => 1);
        my (@at, @of);

        my $time = 2;
        for my $name (List::Util::shuffle(keys %spells)) {
            my ($begin, $end) = @{ $spells{$name} };
            push @at, $time => sub { for my $n (1 .. 3) { $begin->($redis, $cluster->relay($n)) } };
            push @at, $time + 2 => sub { for my $n (1 .. 3) { $end->($redis, $cluster->relay($n)) } };
            push @of, [ $name, $time + 0.1, $time + 1.9, $time + 2.5 ];
            $time += 5;
        }

        my $traffic = $cluster->traffic(shape => 'steady', requests => 1000 * $time, seconds => $time, at => \@at,
                                        seed => $run);
        for (@of) {
            my ($name, $from, $until, $then) = @$_;
            my $well = ($traffic->latency(0.99, $from - 1.9, $from - 0.1)
                        + $traffic->latency(0.99, $then, $then + 1.8)) / 2;
            push @well, $well;
            push @{ $ratio{$name} }, $traffic->latency(0.99, $from, $until) / $well;
        }
        $traffic->over == 0 or die 'too many: ' . $traffic->report . "\n";
        $cluster->stop;
        $redis->stop;
    }

    row('ms, 99th percentile, Redis being well', '', '%.2f', median(@well));
    row("  Redis $_, of that", '<= 1.1', '%.3f', median(@{ $ratio{$_} }))
        for 'stopped', 'slow', 'gone';
}

# Of the script alone, called again and again by three nodes; the target is for one
# partner in a call.

sub cluster_script_costs {
    my $redis = Wassiit::Redis->start;
    my $to = $redis->connect;
    my $path = File::Basename::dirname(__FILE__) . '/../../conf/cluster/ledger.lua';
    open my $in, '<', $path or die "$path: $!\n";
    my $sha = $to->load(do { local $/; <$in> });
    my @keys = map { "wassiit:{bench}:$_" } 'c', 'n';
    my ($run_id, $lease, $seq, $last) = ($redis->run_id, 1e7, 0);
    $last = $to->evalsha($sha, \@keys, 'join', "door-$_", "session-$_", $run_id, 3, 500, $lease) for 1 .. 3;

    my $ask = sub {
        my ($k, $many, $first, $cap, $want) = @_;
        my @rates = map { join ' ', 120, 1000, 1, $cap, $want, ++$seq, 0 } 1 .. $many;
        my @ids = map { "wassiit:{bench}:w:$cap.$many." . ($first + $_) % 256 } 1 .. $many;
        my $common = join ' ', $k, "session-$k", $run_id, $last->[2], 10, $last->[1], $lease;
        $last = $to->evalsha($sha, [ @keys, @ids ], 'adjust', $common, @rates);
        $last->[0] eq 'OK' or die "adjust: @$last\n";
    };

    system('chrt -f -p 1 ' . $redis->pid . ' 2>/dev/null');
    for my $row ([ 'gets some and gives it back', sub { [ 1, 30, $_[0] % 2 ? 32 : 30 ] } ],
                 [ 'others are asked', sub { [ 1 + $_[0] % 3, 40, 42 ] } ]) {
        my ($what, $call) = @$row;
        for my $many (1, 2, 8, 64) {
            my (@turns, $n);
            for (1 .. 16) {
                $to->call('CONFIG', 'RESETSTAT');
                for my $i (1 .. 1 + 320 / $many) {
                    my ($k, $cap, $want) = @{ $call->($i) };
                    $ask->($k, $many, $n += $many, $cap, $want);
                }
                my $of = commands($redis)->{evalsha};
                push @turns, $of->{usec} / $of->{calls} / $many;
            }
            row("us of Redis' CPU a partner, $many in a call, $what", $many == 1 ? '<= 30' : '', '%.1f',
                median(@turns));
        }
    }
    $redis->stop;
}

# What it costs Redis where limits are all used, and where no node uses its share.

sub cluster_redis_costs {
    cluster_script_costs();

    for my $wait ('off', 'on') {
        my $redis = Wassiit::Redis->start;
        my $cluster = doors($redis, { map { $_ => '120r/s' } qw(atlas basalt cedar dune) }, cluster => "wait=$wait");
        my $claims = claims($cluster);
        # its times are by the clock: nothing else is to get between
        system('chrt -f -p 1 ' . $redis->pid . ' 2>/dev/null');
        $redis->connect->call('CONFIG', 'RESETSTAT');
        my $traffic = $cluster->traffic(shape => 'steady', requests => 20_000, seconds => 8);
        my $eval = commands($redis)->{evalsha};
        $claims = claims($cluster) - $claims;
        my $requests = @{ $traffic->{attempts} };

        row("us of Redis' CPU a partner-call, wait=$wait", '<= 30', '%.1f', $eval->{usec} / $claims);
        row('  a call of the script', '', '%.1f', $eval->{usec} / $eval->{calls});
        row("  partner-calls a request, saturated", '<= 1.5', '%.3f', $claims / $requests);
        row('  calls of the script a request', '<= 1.5', '%.3f', $eval->{calls} / $requests);
        row('  admitted too many', '<= 0', '%d', $traffic->over);
        $cluster->stop;
        $redis->stop;
    }

    my $redis = Wassiit::Redis->start;
    my $cluster = doors($redis, { map { $_ => '2000r/s' } qw(atlas basalt cedar dune) });
    my $claims = claims($cluster);
    my $traffic = $cluster->traffic(shape => 'steady', requests => 20_000, seconds => 8);
    row('partner-calls, each node below its share', '<= 0', '%d', claims($cluster) - $claims);
    row('  refused of 20,000', '<= 0', '%d', $traffic->statuses->{429} // 0);
    $cluster->stop;
    $redis->stop;
}

# Of what one machine would admit, in per cent. N is 40 times the nodes.

sub cluster_full {
    for my $row ([ 'on', '>= 99' ], [ 'off', '>= 95' ]) {
        my ($wait, $target) = @$row;
        my (@full, @over);

        for my $run (1 .. ($quick ? 2 : 6)) {
            my $redis = Wassiit::Redis->start;
            my $cluster = doors($redis, { map { $_ => '120r/s' } qw(atlas basalt cedar dune) },
                                cluster => "wait=$wait");
            my $traffic = $cluster->traffic(shape => 'steady', requests => 20_000, seconds => 8, seed => $run);
            push @full, 100 * $traffic->full;
            push @over, $traffic->over;
            $cluster->stop;
            $redis->stop;
        }

        row("% of what one machine admits, wait=$wait", $target, '%.1f', median(@full));
        row('  admitted too many', '<= 0', '%d', max(@over));
    }
}


# Partners that ask nothing.

sub cluster_idle {
    my $n = $with{partners};
    my %memory;

    for my $what ('off', 'on') {
        my $start = now();
        my $s = server('idle', partners => $n, rate => $with{rate}{$n}, cluster => $what eq 'on');
        printf "  (%s partners, s until ready, cluster %s: %.0f)\n", commas($n), $what, now() - $start;
        sleep 3;

        if ($what eq 'on') {
            my $redis = $s->{redis};
            $redis->connect->call('CONFIG', 'RESETSTAT');
            my $time = process_time($s->{worker});
            sleep 10;
            $time = process_time($s->{worker}) - $time;
            my $of = commands($redis);
            my $other = join ', ', map { "$_ $of->{$_}{calls}" } grep { !/^(?:config\|resetstat|info)$/ } sort keys %$of;
            my @keys = @{ $redis->connect->call('KEYS', 'wassiit:{bench}:w:*') };

            row('keys in Redis for caps, ' . commas($n) . ' idle', '<= 0', '%d', scalar @keys);
            row('  calls of the script a second', '<= 1.1', '%.1f', ($of->{evalsha}{calls} // 0) / 10);
            print "  (in 10 s: $other)\n";
            row("  ms of nginx' CPU a second", '', '%.3f', $time / 1e4);
            my ($used) = $redis->connect->call('INFO', 'memory') =~ /^used_memory:(\d+)/m;
            row("  Redis' memory, bytes a partner", '', '%.0f', $used / $n);
        }

        $memory{$what} = sum(map { shared_size($_) } $s->{pid}, $s->{worker});
        stop($s);
    }

    row('MB of nginx, without a cluster', '', '%.0f', $memory{off} / 2**20);
    row('  more with one', '', '%.1f', ($memory{on} - $memory{off}) / 2**20);
}

# Bytes of a process, of what it shares its part.

sub shared_size {
    my ($pid) = @_;
    open my $in, '<', "/proc/$pid/smaps_rollup" or die "smaps: $!\n";
    my ($kb) = join('', <$in>) =~ /^Pss:\s+(\d+)/m;
    return $kb * 1024;
}

1;
