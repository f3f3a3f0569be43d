# A backend that a test is itself: it sees byte by byte what nginx sends.
#
#   my $backend = Wassiit::Backend->new;
#   ... proxy_pass http://127.0.0.1:$port, and a request is sent ...
#   my $bytes = $backend->receive('http');
#
# For blocks of Test::Nginx, one that answers with what it was sent:
#
#   my $backend = Wassiit::Backend->echo;
#   ... proxy_pass http://$TEST_NGINX_BACKEND; ...
#
# Its body is the request, byte by byte, in any of the four protocols. A path
# with "/busy" is answered by 503, with "/gone" not at all; such a request is
# the beginning of the next answer.

package Wassiit::Backend;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use POSIX ();

my %done = (
    http => sub {
        my ($head, $body) = $_[0] =~ /\A(.*?\r\n\r\n)(.*)\z/s or return 0;
        return length $body >= ($head =~ /^Content-Length: (\d+)/mi ? $1 : 0);
    },
    fastcgi => sub { $_[0] =~ /\x01\x05\x00\x01\x00\x00..\z/s },        # empty STDIN
    uwsgi => sub { length $_[0] >= 4 && length $_[0] >= 4 + unpack 'xv', $_[0] },
    scgi => sub { $_[0] =~ /\A(\d+):/ && length $_[0] > $1 + length($1) + 1 },
);
my $ok = "Status: 200 OK\r\nContent-Length: 0\r\n\r\n";
my %answer = (
    http => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", uwsgi => $ok, scgi => $ok,
    fastcgi => pack('CCnnCx', 1, 6, 1, length $ok, 0) . $ok . pack('CCnnCx', 1, 3, 1, 8, 0) . "\0" x 8,
);

sub new {
    my ($class) = @_;
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16)
        or die "listen: $!";
    return bless { socket => $socket }, $class;
}

sub port { $_[0]{socket}->sockport }

# Takes one connection, returns the whole request, and answers it; with
# keep => 1 the connection stays for the next, with answer => $bytes those are
# what it gets ("": closed without a word). start() takes one and returns the
# first bytes alone; receive() then goes on with it.

sub start {
    my ($self) = @_;

    IO::Select->new($self->{socket})->can_read(20) or die 'nothing came';
    $self->{kept} = $self->{socket}->accept or die "accept: $!";
    sysread $self->{kept}, my $seen, 65536;
    return $self->{begun} = $seen;
}

sub receive {
    my ($self, $protocol, %with) = @_;
    my $seen = delete $self->{begun} // '';

    if (!$self->{kept}) {
        IO::Select->new($self->{socket})->can_read(20) or die 'nothing came';
    }

    my $connection = delete $self->{kept} // $self->{socket}->accept or die "accept: $!";
    until ($done{$protocol}->($seen)) {
        IO::Select->new($connection)->can_read(20)
            && sysread $connection, $seen, 65536, length $seen or last;
    }

    syswrite $connection, $with{answer} // $answer{$protocol};
    $self->{kept} = $connection if $with{keep};
    return $seen;
}

sub echo {
    my ($class) = @_;
    my $self = $class->new;
    my $parent = $$;

    $ENV{TEST_NGINX_BACKEND} = '127.0.0.1:' . $self->port;
    $self->{owner} = $$;
    $self->{echo} = fork // die "fork: $!";
    return $self if $self->{echo};

    my $before = '';
    $SIG{TERM} = 'DEFAULT';

    while (getppid == $parent) {
        IO::Select->new($self->{socket})->can_read(1) or next;
        my $connection = $self->{socket}->accept or next;
        my ($seen, $protocol) = ('', 'http');

        until ($done{$protocol}->($seen)) {
            sysread $connection, $seen, 65536, length $seen or last;
            $protocol = _protocol($seen);
        }

        my $path = $seen =~ m{\A\w+ (\S*)} ? $1 : '';
        $before .= $seen;
        next if $path =~ m{/gone};
        if ($path =~ m{/busy}) {
            _say($connection, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
            next;
        }
        _say($connection, _echoed($protocol, $before));
        $before = '';
    }

    POSIX::_exit(0);
}

sub _protocol {
    my ($bytes) = @_;
    return $bytes =~ /\A\x01/ ? 'fastcgi' : $bytes =~ /\A\0/ ? 'uwsgi'
         : $bytes =~ /\A\d/ ? 'scgi' : 'http';
}

sub _echoed {
    my ($protocol, $body) = @_;
    my $head = 'Content-Length: ' . length($body) . "\r\n\r\n";

    return "HTTP/1.1 200 OK\r\n$head$body" if $protocol eq 'http';
    return "Status: 200 OK\r\n$head$body" if $protocol ne 'fastcgi';

    return join '', map({ pack('CCnnCx', 1, 6, 1, length, 0) . $_ }
                            unpack '(a60000)*', "Status: 200 OK\r\n$head$body"),
                    pack('CCnnCx', 1, 3, 1, 8, 0), "\0" x 8;
}

sub _say {
    my ($connection, $bytes) = @_;
    while (length $bytes) {
        my $n = syswrite $connection, $bytes or return;
        substr $bytes, 0, $n, '';
    }
}

sub DESTROY {
    my ($self) = @_;
    return unless $self->{echo} && $self->{owner} == $$;
    local $?;
    kill 'TERM', $self->{echo};
    waitpid $self->{echo}, 0;
}

1;
