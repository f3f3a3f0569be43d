# A backend that a test is itself: it sees byte by byte what nginx sends.
#
#   my $backend = Wassiit::Backend->new;
#   ... proxy_pass http://127.0.0.1:$port, and a request is sent ...
#   my $bytes = $backend->receive('http');

package Wassiit::Backend;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;

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

1;
