# A Redis that doesn't always answer what is so: it stands between front doors and
# a real one.
#
#   my $liar = Wassiit::Liar->start($redis->port, @answers);
#   $liar->port;            # connect here
#   $liar->lie(3);          # each third command is answered by the next of those,
#                           # whatever Redis says
#   $liar->truth;
#
# The greeting is always true. An answer is bytes, or a code that is given what
# Redis says, as bytes, and the command's arguments.

package Wassiit::Liar;

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Wassiit ();

sub start {
    my ($class, $target, @answers) = @_;
    my $port = Wassiit::free_port();
    my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port", Listen => 64, ReuseAddr => 1)
        or die "port $port: $!";
    my $self = bless { port => $port, owner => $$, file => Wassiit::test_dir() . "/liar-$port" }, $class;
    my $parent = $$;

    $self->truth;
    $self->{pid} = fork // die "fork: $!";
    return $self if $self->{pid};

    @SIG{qw(TERM INT CHLD PIPE)} = ('DEFAULT', 'DEFAULT', 'IGNORE', 'IGNORE');
    setpgrp;
    while (my $near = $listener->accept) {
        next if fork;
        close $listener;
        eval { _serve($near, $target, $self->{file}, $parent, @answers) };
        POSIX::_exit(0);
    }
    POSIX::_exit(0);
}

sub port { $_[0]{port} }
sub truth { Wassiit::_write($_[0]{file}, 0) }
sub lie { Wassiit::_write($_[0]{file}, $_[1]) }

sub DESTROY {
    my ($self) = @_;
    return unless $self->{owner} == $$ && $self->{pid};
    local $?;
    kill 'KILL', -$self->{pid};
    waitpid $self->{pid}, 0;
}

# One element, and what it holds.

sub _answer {
    my ($from) = @_;
    my $bytes = readline $from // die "the end\n";
    my ($kind, $n) = $bytes =~ /^(.)(-?\d+)?/;
    if ($kind eq '$' && $n >= 0) {
        read $from, my $text, $n + 2;
        $bytes .= $text;
    }
    $bytes .= _answer($from) for 1 .. ($kind eq '*' ? $n : 0);
    return $bytes;
}

sub _serve {
    my ($near, $target, $file, $parent, @answers) = @_;
    my $far = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$target") or die "$target: $!";
    setsockopt $_, IPPROTO_TCP, TCP_NODELAY, 1 for $near, $far;
    my ($n, $lies) = (0, $$);

    while (getppid != 1) {
        my $command = _answer($near);
        my (undef, @args) = map { s/\r\n\z//r } split /\$\d+\r\n/, $command;
        syswrite $far, $command;
        last if lc $args[0] eq 'subscribe';

        my $said = _answer($far);
        my $every = Wassiit::_read($file) || 0;
        my $greets = $args[0] =~ /^(?:auth|info|role|script)$/i;
        if ($every && !$greets && ++$n % $every == 0) {
            my $lie = $answers[ $lies++ % @answers ];
            $said = ref $lie ? $lie->($said, @args) : $lie;
        }
        syswrite $near, $said;
    }

    # messages
    while (1) {
        my $ready = '';
        vec($ready, fileno $_, 1) = 1 for $near, $far;
        select $ready, undef, undef, undef;
        for ([ $near, $far ], [ $far, $near ]) {
            next if !vec $ready, fileno $_->[0], 1;
            sysread $_->[0], my $bytes, 65536 or return;
            syswrite $_->[1], $bytes;
        }
    }
}

1;
