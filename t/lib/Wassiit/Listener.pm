# Who listens on one port of every address here, and on a unix socket, answers
# any HTTP request with the address that it came to, and notes each connection,
# also one that is closed without a word.
#
#   my $inside = Wassiit::Listener->start;
#   my @came = $inside->came;           # the addresses, since the last call
#
# came() is complete: it connects itself, and waits until that is noted.

package Wassiit::Listener;

use strict;
use warnings;

use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(AF_INET AF_INET6 AF_UNIX IPPROTO_IPV6 IPV6_V6ONLY SOCK_STREAM SOL_SOCKET SO_REUSEADDR
              inet_ntop inet_pton pack_sockaddr_in pack_sockaddr_in6 pack_sockaddr_un
              sockaddr_family unpack_sockaddr_in unpack_sockaddr_in6);
use Wassiit;

sub start {
    my ($class) = @_;
    my $self = bless { port => free_port(), unix => test_dir() . '/inside.sock',
                       log => test_dir() . '/inside.log', owner => $$, seen => 0 }, $class;
    my $parent = $$;
    my @listen = (
        _listen(AF_INET, pack_sockaddr_in($self->{port}, "\0" x 4)),
        _listen(AF_UNIX, pack_sockaddr_un($self->{unix})),
    );
    push @listen, _listen(AF_INET6, pack_sockaddr_in6($self->{port}, "\0" x 16))
        if -e '/proc/net/if_inet6';
    chmod 0666, $self->{unix} or die "$self->{unix}: $!";
    open my $log, '>', $self->{log} or die "$self->{log}: $!";

    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        $SIG{TERM} = 'DEFAULT';
        _serve($log, $parent, @listen);
        POSIX::_exit(0);
    }

    return $self;
}

sub port { $_[0]{port} }
sub unix { $_[0]{unix} }

sub came {
    my ($self) = @_;

    # all listeners are looked at in turn: who comes last is noted last
    my $mark = IO::Socket::UNIX->new($self->{unix}) or die "$self->{unix}: $!";
    my $name = 'MARK ' . ++$self->{marks};
    print {$mark} "$name\r\n\r\n";
    $mark->flush;

    my ($last, @lines);
    wait_for {
        open my $in, '<', $self->{log} or die "$self->{log}: $!";
        chomp(@lines = <$in>);
        ($last) = grep { $lines[$_] eq $name } 0 .. $#lines;
        defined $last;
    } or die 'the listener notes nothing';

    my @came = @lines[ $self->{seen} .. $last - 1 ];
    $self->{seen} = $last + 1;
    return @came;
}

sub DESTROY {
    my ($self) = @_;
    return unless $self->{owner} == $$ && $self->{pid};
    local $?;
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}

sub _listen {
    my ($family, $address) = @_;
    socket my $socket, $family, SOCK_STREAM, 0 or die "socket: $!";
    setsockopt $socket, SOL_SOCKET, SO_REUSEADDR, 1 if $family != AF_UNIX;
    setsockopt $socket, IPPROTO_IPV6, IPV6_V6ONLY, 1 if $family == AF_INET6;
    bind $socket, $address or die "bind: $!";
    listen $socket, 256 or die "listen: $!";
    $socket->blocking(0);
    return $socket;
}

sub _serve {
    my ($log, $parent, @listen) = @_;
    my $select = IO::Select->new(@listen);
    my (%listens, %from, %got, @marks);
    $listens{$_} = 1 for @listen;
    $log->autoflush(1);

    while (getppid == $parent) {
        for my $socket ($select->can_read(1)) {
            if ($listens{$socket}) {
                while (accept my $client, $socket) {
                    my $from = _address(getsockname $client);
                    $from{$client} = $from;
                    $got{$client} = '';
                    $select->add($client);
                    print {$log} "$from\n" if $from ne 'unix';
                }
                next;
            }

            my $n = sysread $socket, $got{$socket}, 65536, length $got{$socket};
            my $whole = $got{$socket} =~ /\r\n\r\n/;
            next if $n && !$whole;

            $select->remove($socket);
            if ($got{$socket} =~ /\A(MARK \d+)\r/) {
                push @marks, $1;
                next;
            }
            print {$log} "unix\n" if $from{$socket} eq 'unix';
            syswrite $socket, _answer($socket, $got{$socket}, $from{$socket}) if $whole;
            close $socket;
        }

        # what has come before the mark has been seen in this turn
        print {$log} "$_\n" for splice @marks;
    }
}

sub _answer {
    my ($socket, $got, $from) = @_;
    my ($head, $body) = split /\r\n\r\n/, $got, 2;
    my $length = $head =~ /^content-length: *(\d+)/mi ? $1 : 0;
    1 while length $body < $length && sysread $socket, $body, 65536, length $body;
    my ($host) = $head =~ /^host: *(\S+)/mi;
    my $text = "$from " . ($host // '-') . ' ' . length($body) . "\n";
    return "HTTP/1.1 200 OK\r\nContent-Length: " . length($text)
           . "\r\nConnection: close\r\n\r\n$text";
}

sub _address {
    my ($name) = @_;
    my $family = sockaddr_family($name);
    return 'unix' if $family == AF_UNIX;
    return inet_ntop(AF_INET, (unpack_sockaddr_in($name))[1]) if $family == AF_INET;
    return inet_ntop(AF_INET6, (unpack_sockaddr_in6($name))[1]);
}

1;
