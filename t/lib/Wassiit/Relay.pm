# A line between a front door and what it talks to, which a test can cut: a
# process that passes on what comes to its port.
#
#   my $relay = Wassiit::Relay->start($port);   # to 127.0.0.1:$port
#   $relay->port;           # connect here
#   $relay->hold;           # nothing passes, nothing is lost: a partition
#   $relay->delay(50);      # each byte comes 50 ms later
#   $relay->gone;           # connections are reset, new ones are refused
#   $relay->heal;           # all is well again; what was held goes on now
#   $relay->stop;
#
# A command is in force when its call returns.

package Wassiit::Relay;

use strict;
use warnings;

use IO::Handle;
use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);
use Time::HiRes ();
use Wassiit ();

sub start {
    my ($class, $target) = @_;
    my $port = Wassiit::free_port();
    socketpair my $ours, my $its, Socket::AF_UNIX(), Socket::SOCK_STREAM(), 0
        or die "socketpair: $!";
    my $listener = _listen($port);
    my $parent = $$;
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        close $ours;
        eval { _serve($parent, $its, $listener, $port, $target) };
        warn $@ if $@;
        POSIX::_exit(0);
    }

    $_->autoflush(1) for $ours;
    return bless { pid => $pid, port => $port, control => $ours, owner => $$ }, $class;
}

sub port { $_[0]{port} }
sub hold { $_[0]->_say('hold') }
sub gone { $_[0]->_say('gone') }
sub heal { $_[0]->_say('heal') }
sub delay { $_[0]->_say("delay $_[1]") }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    kill 'KILL', $pid;
    waitpid $pid, 0;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    $self->stop if $self->{owner} == $$;
}

sub _say {
    my ($self, $what) = @_;
    syswrite $self->{control}, "$what\n";
    sysread $self->{control}, my $done, 1 or die "the relay has ended\n";
}

sub _now { Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) }

sub _listen {
    return IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $_[0], Listen => 128,
                                 ReuseAddr => 1) // die "port $_[0]: $!";
}

# %peer: of each socket, by its number, the other end; %queue: what is to be
# written to it, as [ when, bytes ], an end as undef.

sub _serve {
    my ($parent, $control, $listener, $port, $target) = @_;
    my (%socket, %peer, %queue, %ended);
    my ($held, $delay) = (0, 0);

    my $drop = sub {
        my @ends = grep { defined } $_[0], $peer{ $_[0] };
        for my $one (@ends) {
            my $socket = delete $socket{$one} or next;
            delete @{$_}{$one} for \(%peer, %queue, %ended);
            close $socket;
        }
    };

    while (getppid == $parent) {
        my $now = _now();
        my ($read, $write, $wait) = ('', '', 1);

        vec($read, fileno $control, 1) = 1;
        vec($read, fileno $listener, 1) = 1 if $listener && !$held;

        for my $n ($held ? () : keys %socket) {
            vec($read, $n, 1) = 1 unless $ended{$n};
            my $first = $queue{$n}[0] or next;
            my $left = $first->[0] - $now;
            if ($left <= 0) { vec($write, $n, 1) = 1 }
            elsif ($left < $wait) { $wait = $left }
        }

        select $read, $write, undef, $wait or next;

        if (vec $read, fileno $control, 1) {
            sysread $control, my $what, 100 or last;
            $held = 1 if $what =~ /^hold/;
            $held = $delay = 0 if $what =~ /^heal/;
            $delay = $1 / 1000 if $what =~ /^delay (\d+)/;
            if ($what =~ /^gone/) {
                close $listener if $listener;
                undef $listener;
                setsockopt $_, SOL_SOCKET, SO_LINGER, pack("ll", 1, 0) for values %socket;
                $drop->($_) for keys %socket;
            }
            $listener //= _listen($port) if $what =~ /^heal/;
            syswrite $control, '.';
            next;
        }

        if ($listener && vec $read, fileno $listener, 1) {
            my $near = $listener->accept or next;
            my $far = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $target) or next;
            for ($near, $far) {
                $_->blocking(0);
                setsockopt $_, IPPROTO_TCP, TCP_NODELAY, 1;
                $socket{ fileno $_ } = $_;
            }
            @peer{ fileno $near, fileno $far } = (fileno $far, fileno $near);
            next;
        }

        for my $n (keys %socket) {
            my $socket = $socket{$n} or next;

            if (vec $read, $n, 1) {
                my $size = sysread $socket, my $bytes, 65536;
                if ($size) {
                    push @{ $queue{ $peer{$n} } }, [ _now() + $delay, $bytes ];
                } elsif (defined $size) {
                    push @{ $queue{ $peer{$n} } }, [ _now() + $delay, undef ];
                    $ended{$n} = 1;
                } elsif (!$!{EAGAIN}) {
                    $drop->($n);
                    next;
                }
            }

            if (vec $write, $n, 1) {
                my $first = $queue{$n}[0];
                if (!defined $first->[1]) {
                    $drop->($n);
                    next;
                }
                my $size = syswrite $socket, $first->[1];
                if (!defined $size) {
                    $drop->($n) unless $!{EAGAIN};
                    next;
                }
                substr $first->[1], 0, $size, '';
                shift @{ $queue{$n} } if $first->[1] eq '';
            }
        }
    }
}

1;
