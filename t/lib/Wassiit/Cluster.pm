# Front doors that share one backend, requests through them, and what a judge
# says of those that were admitted.
#
#   my $cluster = Wassiit::Cluster->start(rates => { atlas => '120r/s' },
#                                         redis => [ $redis->port ],
#                                         cluster => 'lease=2s wait=off');
#   my $run = $cluster->traffic(shape => 'steady', requests => 20_000, seconds => 6,
#                               at => [ 2 => sub { $cluster->node(1)->crash }, ... ]);
#   is($run->over, 0);          # how many too many, of any partner, in any span
#   note($run->report);
#   $cluster->stop;
#
# start(): nodes (3) nginx of workers (2) each, with prefixes, ports and copies
# of the partners' file of their own. rates: id => rate; a list of such, one a
# node, gives each its own. redis: ports of servers; without them the nodes are
# on their own. relays => 1 puts a Wassiit::Relay between each node and each
# server: relay($node, $server), both from 1 on. daemon => 1: nodes that can be
# upgraded. http, server: more of the configuration. Servers are Wassiit::Server.
#
# states() is what $wassiit_cluster is at each node, undef if it doesn't answer.
#
# traffic(): at least so many requests in so many seconds, more if the machine is
# slow. shape: see %shape; share => { id => weight }, of requests; seed. at: what
# is called so many seconds after the start, in order.
#
# ---- How it is judged
#
# An admission happens in a worker, and no one sees that moment. The backend sees
# each admitted request later, by a varying delay: what was admitted over more
# than W can arrive within W. So times of arrival alone accuse an exact limit
# wrongly, and a span widened by the greatest delay would hide a lot.
#
# But the moment lies between two that are known, on the one clock of this
# machine. It isn't before the request was sent, nor before the node's event loop
# woke up to read it ($msec, taken by "set" in the rewrite phase, which precedes
# the window, also for a request that is made to wait there); nor is it after the
# bytes for the backend lay at its socket, by the kernel's timestamp (for a node
# forwards only what it has admitted). t/lib/traffic.c has the details. So
#
#     more than N were admitted within W, for certain, if the intervals of N + 1
#     admissions lie within one span shorter than W.
#
# This never accuses wrongly: moments within such intervals are less than W apart.
# It hides only what the width of the intervals hides, which is a millisecond or
# two (report() says), not what the backend's process, the client or a queue take.
# A request that was made to wait is known less closely, to as long as it waited.
# closer() has the event loop's turn in which it was passed on as a bound as well,
# and is as sure as it is that a request is passed on in the turn that admits it.
#
# t/cluster_traffic.t holds it against front doors that know nothing of another.

package Wassiit::Cluster;

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use POSIX ();
use Time::HiRes ();
use Wassiit;
use Wassiit::Relay;

my $Source = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../traffic.c');
my $Owner = $$;
my (%Running, $Program, $Count);

END { if ($Owner == $$) { local $?; kill 'KILL', keys %Running } }

sub start {
    my ($class, %with) = @_;
    my $count = delete $with{nodes} // 3;
    my $self = bless { %with, nodes => [], relays => [], admissions => [], attempts => [] }, $class;
    my @rates = ref $with{rates} eq 'ARRAY' ? @{ $with{rates} } : ($with{rates}) x $count;

    $self->{keys} = { map { $_ => make_key($_) } map { keys %$_ } @rates };
    $self->_start_backend;

    for my $n (1 .. $count) {
        my @servers = @{ $with{redis} // [] };
        if ($with{relays}) {
            $self->{relays}[$n] = [ undef, map { Wassiit::Relay->start($_) } @servers ];
            @servers = map { $_->port } grep { defined } @{ $self->{relays}[$n] };
        }

        my $rates = $rates[ $n - 1 ];
        push @{ $self->{nodes} }, Wassiit::Server->start(
            workers => $with{workers} // 2, daemon => $with{daemon}, allow_log => $with{allow_log},
            conf => $self->_conf($n, $count, @servers),
            files => { 'state/partners.jsonl' => [
                map { partner($_, $self->{keys}{$_}, rate => $rates->{$_}) } sort keys %$rates ],
                %{ $with{files} // {} } });
    }

    return $self;
}

sub _conf {
    my ($self, $n, $count, @servers) = @_;
    my $list = join ' ', map { "server=127.0.0.1:$_" } @servers;
    my $cluster = !@servers ? '' : "wassiit_redis zone=partners $list;"
        . "wassiit_cluster zone=partners nodes=$count node=edge-$n " . ($self->{cluster} // '') . ';';
    my $state = @servers ? 'location = /-/state { access_log off; return 200 "$wassiit_cluster"; }' : '';

    return <<"END";
error_log logs/error.log notice;
events { worker_connections 2048; }
http {
    wassiit_zone zone=partners:2m file=state/partners.jsonl;
    $cluster
    @{[ $self->{http} // '' ]}
    access_log off;
    keepalive_requests 1000000;
    keepalive_timeout 1h;

    upstream backend {
        server 127.0.0.1:$self->{backend} max_fails=0;
        keepalive 64;
        keepalive_requests 1000000;
    }

    server {
        listen %%PORT%% backlog=1024;
        set \$arrived \$msec;
        wassiit_access partners;
        @{[ $self->{server} // '' ]}
        $state

        location / {
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Node $n;
            proxy_set_header X-Partner \$wassiit_partner;
            proxy_set_header X-Arrived \$arrived;
            proxy_set_header X-Passed \$msec;
        }
    }
}
END
}

sub node { $_[0]{nodes}[ $_[1] - 1 ] }
sub nodes { @{ $_[0]{nodes} } }
sub relay { $_[0]{relays}[ $_[1] ][ $_[2] // 1 ] }
sub key { $_[0]{keys}{ $_[1] } }

# One that was upgraded is another server.
sub replace { $_[0]{nodes}[ $_[1] - 1 ] = $_[2] }

sub states {
    my ($self) = @_;
    return map { my $r = eval { http($_->port, uri => '/-/state') }; $r && $r->body } $self->nodes;
}

sub wait_active {
    my ($self) = @_;
    return wait_for { !grep { ($_ // '') ne 'active' } $self->states };
}

sub stop {
    my ($self) = @_;
    $_->stop for $self->nodes;
    $_->stop for grep { defined } map { @{ $_ // [] } } @{ $self->{relays} };
    _end($self->{backend_pid});
}

# Over all that was sent through this cluster until now.
sub judged { return Wassiit::Cluster::Run->new($_[0]{rates}, $_[0]{admissions}, $_[0]{attempts}) }


# ---- the programs

sub _program {
    return $Program if $Program;
    my $program = test_dir() . '/traffic';
    system('gcc', '-O2', '-Wall', '-Wextra', '-Werror', '-o', $program, $Source) == 0
        or die "can't compile $Source\n";
    return $Program = $program;
}

# Returns its pid and the first line that it prints.

sub _run {
    my @command = @_;
    pipe my $in, my $out or die "pipe: $!";
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        close $in;
        open STDOUT, '>&', $out;
        { no warnings 'exec'; exec qw(setpriv --pdeathsig KILL), @command }
        POSIX::_exit(127);
    }

    close $out;
    $Running{$pid} = 1;
    my $first = <$in> // die "@command: no word\n";
    chomp $first;
    return ($pid, $first);
}

sub _end {
    my ($pid) = @_;
    return unless $pid && delete $Running{$pid};
    kill 'KILL', $pid;
    waitpid $pid, 0;
}

sub _start_backend {
    my ($self) = @_;
    $self->{log} = test_dir() . '/backend.' . ++$Count;
    @{$self}{qw(backend_pid backend)} = _run(_program(), 'backend', $self->{log});
    $self->{read} = 0;
}

# What the backend has seen since the last call. All that lies at its sockets is
# in its log when a request sent after it is.

sub _seen {
    my ($self) = @_;
    my $mark = 1_000_000_000 + ++$Count;
    Wassiit::Client->new($self->{backend})->request(uri => "/$mark",
        headers => [ 'X-Node' => 0, 'X-Partner' => '-', 'X-Arrived' => '0.000',
                     'X-Passed' => '0.000' ]);
    my $text = '';

    wait_for {
        open my $in, '<', $self->{log} or die "$self->{log}: $!";
        seek $in, $self->{read}, 0;
        local $/;
        $text = <$in>;
        $text =~ /^$mark /m;
    } or die "the backend's log has an end too early\n";

    $self->{read} += length $text;
    return map { [split] } grep { !/^1\d{9} / } split /\n/, $text;
}


# ---- requests

# Of the request at this part of the whole, from 0 to 1: when it is due, as such
# a part; the node; $any is a random number from 0 to 1.

my %shape = (
    steady => sub { my ($part, $any, $nodes) = @_; return ($part, 1 + int $any * $nodes) },
    burst => sub { my ($part, $any, $nodes) = @_; return (int($part * 12) / 12, 1 + int $any * $nodes) },
    skewed => sub { my ($part, $any, $nodes) = @_;
                    return ($part, $any < 0.9 ? 1 : 2 + int(($any - 0.9) * 10 * ($nodes - 1))) },
    moving => sub { my ($part, $any, $nodes) = @_; return ($part, 1 + int($part * 10) % $nodes) },
);

# Numbers from 0 to 1, the same for the same seed.
sub random {
    my $state = $_[0] * 40503 % 2 ** 32;
    my $next = sub { ($state = ($state * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32 };
    $next->() for 1 .. 8;
    return $next;
}

sub _schedule {
    my ($self, $file, %how) = @_;
    my $random = random($how{seed} // 1);
    my $shape = $shape{ $how{shape} // 'steady' } or die "no such shape: $how{shape}";
    my %share = %{ $how{share} // { map { $_ => 1 } keys %{ $self->{keys} } } };
    my @ids = map { ($_) x $share{$_} } sort keys %share;
    my $nodes = $self->nodes;

    open my $out, '>', $file or die "$file: $!";
    for my $i (0 .. $how{requests} - 1) {
        my ($when, $node) = $shape->($i / $how{requests}, $random->(), $nodes);
        my $id = $ids[ $random->() * @ids ];
        $node = $nodes if $node > $nodes;
        printf {$out} "%d %d %s %s\n", $when * $how{seconds} * 1e6, $node, $id, $self->{keys}{$id};
    }
    close $out or die "$file: $!";
}

sub traffic {
    my ($self, %how) = @_;
    my @at = @{ $how{at} // [] };
    my ($schedule, $log) = map { test_dir() . "/$_." . $Count } qw(schedule load);
    $self->_schedule($schedule, requests => 20_000, seconds => 6, %how);
    my $attempts = $self->{attempts};
    my $first = @$attempts;

    my ($pid) = _run(_program(), 'load', $schedule, $log, $first, map { $_->port } $self->nodes);
    my $start = Wassiit::_now();
    while (my ($when, $code) = splice @at, 0, 2) {
        my $left = $start + $when - Wassiit::_now();
        Time::HiRes::sleep($left) if $left > 0;
        $code->();
    }

    waitpid $pid, 0;
    delete $Running{$pid};
    die "the load has failed\n" if $?;

    open my $in, '<', $log or die "$log: $!";
    while (my $line = <$in>) {
        my ($number, $node, $partner, $sent, $done, $status) = split ' ', $line;
        $attempts->[$number] = { node => $node, partner => $partner, sent => $sent, done => $done,
                               status => $status };
    }

    my @admissions;
    for my $seen ($self->_seen) {
        my ($number, $node, $partner, $arrived, $passed, $at) = @$seen;
        my $sent = $attempts->[$number]{sent};
        push @admissions, { partner => $partner, node => $node, after => $sent > $arrived ? $sent : $arrived,
                            passed => $passed, before => $at };
    }

    unlink $schedule, $log;
    push @{ $self->{admissions} }, @admissions;
    return Wassiit::Cluster::Run->new($self->{rates}, \@admissions, [ @{$attempts}[ $first .. $#$attempts ] ]);
}


package Wassiit::Cluster::Run;

use List::Util qw(max min);

my %seconds = (s => 1, m => 60, h => 3600, d => 86400);

# Of several nodes' rates, the first one's count. An admission is { partner, node,
# after, passed, before }, an attempt { partner, node, sent, done, status }; times in
# microseconds.

sub new {
    my ($class, $rates, $admissions, $attempts) = @_;
    $rates = $rates->[0] if ref $rates eq 'ARRAY';
    my %rate = map { $rates->{$_} =~ m{^(\d+)r/([smhd])$} or die "no rate: $rates->{$_}\n";
                     $_ => [ $1, $seconds{$2} * 1e6 ] } keys %$rates;

    for (@$admissions) {
        die "an admission before it was asked for: $_->{after} $_->{before}\n" if $_->{after} > $_->{before};
    }

    return bless { rate => \%rate, admissions => $admissions, attempts => $attempts }, $class;
}

# The most that were certainly admitted in a span shorter than $span: for a start
# at each "after", those that end before it is over, less those that began before
# the start. An interval that is as long as the span lies within none.

sub peak {
    my ($span, @admissions) = @_;
    my @short = grep { $_->{before} - $_->{after} < $span } @admissions;
    my @after = sort { $a <=> $b } map { $_->{after} } @short;
    my @before = sort { $a <=> $b } map { $_->{before} } @short;
    my ($most, $ended) = (0, 0);

    for my $i (0 .. $#after) {
        $ended++ while $ended < @before && $before[$ended] < $after[$i] + $span;
        $most = $ended - $i if $ended - $i > $most;
    }

    return $most;
}

# How many too many of each partner, 0 if none; of any, the most.

sub over_by_partner {
    my ($self) = @_;
    return map {
        my ($id, $limit, $span) = ($_, @{ $self->{rate}{$_} });
        $id => max(0, peak($span, grep { $_->{partner} eq $id } @{ $self->{admissions} }) - $limit);
    } keys %{ $self->{rate} };
}

sub over { my %over = $_[0]->over_by_partner; return max(values %over) }

sub closer {
    my ($self) = @_;
    my @closer = map { { %$_, after => max(@{$_}{qw(after passed)}) } } @{ $self->{admissions} };
    return bless { %$self, admissions => \@closer }, ref $self;
}

# Of what one machine would have admitted to which all nodes' requests had come,
# those that were admitted: 1 is all. Whoever got no answer from a node that was
# ended counts in neither. What came before this run isn't known here.

sub full {
    my ($self, $partner) = @_;
    my ($here, $there) = (0, 0);

    for my $id ($partner // keys %{ $self->{rate} }) {
        my ($limit, $span) = @{ $self->{rate}{$id} };
        my (@window, $first);
        my @answered = sort { $a->{sent} <=> $b->{sent} }
            grep { $_ && $_->{partner} eq $id && $_->{status} } @{ $self->{attempts} };

        for (@answered) {
            $here++ if $_->{status} == 200;
            shift @window while @window && $window[0] + $span <= $_->{sent};
            next if @window >= $limit;
            push @window, $_->{sent};
            $there++;
        }
    }

    return $there ? $here / $there : 1;
}

sub statuses {
    my ($self) = @_;
    my %seen;
    $seen{ $_->{status} }++ for @{ $self->{attempts} };
    return \%seen;
}

sub _part {
    my ($part, @numbers) = @_;
    return 0 unless @numbers;
    return (sort { $a <=> $b } @numbers)[ $part * $#numbers ];
}

# Milliseconds from a request to its answer, at such a part of all (0.99), or of
# those that were sent from so many seconds after the first one on, until then.

sub latency {
    my ($self, $part, $from, $until) = @_;
    my @answered = grep { $_->{status} } @{ $self->{attempts} };
    my $start = min(map { $_->{sent} } @answered) // 0;
    my ($first, $last) = map { $start + $_ * 1e6 } $from // 0, $until // 1e6;

    return _part($part, map { $_->{done} - $_->{sent} }
                 grep { $_->{sent} >= $first && $_->{sent} < $last } @answered) / 1000;
}

# How closely admissions are known, in milliseconds.
sub width {
    my ($self, $part) = @_;
    return _part($part, map { $_->{before} - $_->{after} } @{ $self->{admissions} }) / 1000;
}

sub report {
    my ($self) = @_;
    my $statuses = $self->statuses;
    my @attempts = @{ $self->{attempts} };
    return sprintf 'over %d, closer %d, full %.1f %%, %d requests in %.1f s (%s), p50 %.1f p99 %.1f ms, '
        . 'admissions known to p50 %.1f p99 %.1f ms',
        $self->over, $self->closer->over, $self->full * 100, scalar @attempts,
        @attempts ? (max(map { $_->{done} } @attempts) - $attempts[0]{sent}) / 1e6 : 0,
        join(', ', map { ($_ || 'lost') . " $statuses->{$_}" } sort keys %$statuses),
        (map { $self->latency($_) } 0.5, 0.99), map { $self->width($_) } 0.5, 0.99;
}

1;
