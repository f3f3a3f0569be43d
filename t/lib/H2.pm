package H2;

=head1 NAME

H2 - HTTP/2 as far as uploads and streams side by side need it

=head1 SYNOPSIS

    my $h2 = H2->new($port);
    my $a = $h2->request(method => 'POST', path => '/', body => 0,
                         headers => [ 'x-api-key' => $key ]);
    $h2->data($a, $bytes, $last);
    $h2->frame($a, $bytes, $last, pad => 255);
    $h2->cancel($a, $code);
    $h2->until_closed($a);
    $h2->status($a); $h2->body($a); $h2->reset($a);

curl 7.88 gives up on an answer that comes with RST_STREAM while it uploads, as
nginx sends it. Here headers are sent as literals; of those received, the
status is read. C<body =E<gt> 0> leaves the stream open, so does a
C<content-length>; C<reset> is the code of a RST_STREAM, undef if there was
none; C<ended> tells whether END_STREAM came. C<data> sends what the windows let
it; C<frame> waits until they have room for that frame as a whole, which may be
padded (C<pad>: how many bytes, besides that which tells their number), and be
cut in two at byte C<cut>, between which C<between> is called. C<pseudo =E<gt>
[ name =E<gt> value, ... ]> sends these in place of the four pseudo-headers.

=cut

use strict;
use warnings;

use IO::Socket::INET;
use Socket ();
use Time::HiRes ();

my ($DATA, $HEADERS, $RST, $SETTINGS, $PING, $GOAWAY, $WINDOW)
    = (0, 1, 3, 4, 6, 7, 8);
my ($END_STREAM, $ACK, $END_HEADERS, $PADDED) = (1, 1, 4, 8);
my $DEADLINE = 20;

# the static table's entries for :status
my %INDEXED = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400,
               13 => 404, 14 => 500);


sub new {
    my ($class, $port) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', Proto => 'tcp',
                                       PeerPort => $port)
        or die "can't connect to $port: $!";
    setsockopt $socket, Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1;
    my $self = bless { socket => $socket, in => '', next => 1, room => 65535,
                       initial => 65535, streams => {} }, $class;

    $self->_write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->_frame($SETTINGS, 0, 0, '');
    return $self;
}


sub request {
    my ($self, %r) = @_;
    my $id = $self->{next};
    my @headers = (@{ $r{pseudo} // [ ':method' => $r{method} // 'GET',
            ':scheme' => 'http', ':path' => $r{path} // '/',
            ':authority' => 'localhost' ] },
        @{ $r{headers} // [] });
    my $block = '';

    while (my ($name, $value) = splice @headers, 0, 2) {
        $block .= join '', "\0", map { _length(length) . $_ } $name, $value;
    }

    $self->{next} += 2;
    $self->{streams}{$id} = { room => $self->{initial}, body => '' };
    $self->_frame($HEADERS, $END_HEADERS | (exists $r{body} ? 0 : $END_STREAM),
                  $id, $block);
    return $id;
}


# An integer in seven bits and what follows (RFC 7541, 5.1).

sub _length {
    my ($n) = @_;
    return $n < 127 ? chr $n : $n < 255 ? chr(127) . chr($n - 127)
        : chr(127) . chr(($n - 127) % 128 + 128) . chr(($n - 127) >> 7);
}


# Sends as much as the server lets us; 0 if it has closed the stream before.

sub data {
    my ($self, $id, $bytes, $last) = @_;
    my $stream = $self->{streams}{$id};

    while (1) {
        my $n = 16384;
        for (length $bytes, $self->{room}, $stream->{room}) {
            $n = $_ if $_ < $n;
        }

        if ($n > 0 || $bytes eq '') {
            my $end = $last && $n == length $bytes;
            $self->_frame($DATA, $end ? $END_STREAM : 0, $id,
                          substr $bytes, 0, $n, '');
            $self->{room} -= $n;
            $stream->{room} -= $n;
            return 1 if $bytes eq '';
        }

        $self->_read($n > 0 ? 0 : $DEADLINE);
        return 0 if defined $stream->{reset};
    }
}


# 0 if the server has closed the stream before.

sub frame {
    my ($self, $id, $bytes, $last, %how) = @_;
    my $stream = $self->{streams}{$id};
    my $pad = $how{pad};
    my $end = _now() + $DEADLINE;

    $bytes = chr($pad) . $bytes . "\0" x $pad if defined $pad;

    while ($self->{room} < length $bytes || $stream->{room} < length $bytes) {
        return 0 if $stream->{ended} || defined $stream->{reset};
        my $left = $end - _now();
        die "no room for a frame on stream $id: $stream->{room} bytes\n"
            if $left <= 0;
        $self->_read($left);
    }

    $_->{room} -= length $bytes for $self, $stream;
    $self->_frame($DATA, ($last ? $END_STREAM : 0)
                         | (defined $pad ? $PADDED : 0),
                  $id, $bytes, $how{cut}, $how{between});
    return 1;
}


sub cancel {
    my ($self, $id, $code) = @_;
    $self->_frame($RST, 0, $id, pack 'N', $code);
    return 0;
}


sub until_closed {
    my ($self, @ids) = @_;
    my $end = _now() + $DEADLINE;

    for my $id (@ids) {
        my $stream = $self->{streams}{$id};
        until ($stream->{ended} || defined $stream->{reset}) {
            my $left = $end - _now();
            die "no answer on stream $id\n" if $left <= 0;
            $self->_read($left);
        }
    }
}

sub until_reset {
    my ($self, $id) = @_;
    my $end = _now() + $DEADLINE;

    until (defined $self->{streams}{$id}{reset}) {
        my $left = $end - _now();
        die "no RST_STREAM on stream $id\n" if $left <= 0;
        $self->_read($left);
    }
}

sub status { $_[0]{streams}{ $_[1] }{status} }
sub body { $_[0]{streams}{ $_[1] }{body} }
sub reset { $_[0]{streams}{ $_[1] }{reset} }
sub ended { $_[0]{streams}{ $_[1] }{ended} }

sub _now { Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) }


sub _frame {
    my ($self, $type, $flags, $id, $payload, $cut, $between) = @_;
    my $bytes = substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $id) . $payload;

    if (defined $cut && $cut < length $bytes) {
        $self->_write(substr $bytes, 0, $cut, '');
        $between->();
    }
    $self->_write($bytes);
}


sub _write {
    my ($self, $bytes) = @_;

    while (length $bytes) {
        my $n = syswrite $self->{socket}, $bytes;
        die "the server has closed: $!\n" unless defined $n;
        substr $bytes, 0, $n, '';
    }
}


sub _read {
    my ($self, $seconds) = @_;
    my $set = '';

    vec($set, fileno $self->{socket}, 1) = 1;
    return if !select $set, undef, undef, $seconds;
    sysread $self->{socket}, $self->{in}, 65536, length $self->{in}
        or die "the server has closed\n";

    while (length $self->{in} >= 9) {
        my ($high, $low, $type, $flags, $id) = unpack 'CnCCN', $self->{in};
        my $length = $high << 16 | $low;

        last if length $self->{in} < 9 + $length;
        substr $self->{in}, 0, 9, '';
        $self->_received($type, $flags, $id, substr $self->{in}, 0, $length,
                         '');
    }
}


sub _received {
    my ($self, $type, $flags, $id, $payload) = @_;
    my $stream = $self->{streams}{$id};

    if ($type == $DATA) {
        $stream->{body} .= $payload;
        $stream->{ended} = 1 if $flags & $END_STREAM;
        return if $payload eq '';
        $self->_frame($WINDOW, 0, $_, pack 'N', length $payload)
            for 0, $stream->{ended} ? () : $id;

    } elsif ($type == $HEADERS) {
        $payload =~ s/\A[\x20-\x3f]+//;     # sizes of the table
        my $first = ord $payload;
        $stream->{status} = $first & 0x80 ? $INDEXED{ $first & 0x7f }
                                          : substr $payload, 2, 3;
        $stream->{ended} = 1 if $flags & $END_STREAM;

    } elsif ($type == $RST) {
        $stream->{reset} = unpack 'N', $payload;

    } elsif ($type == $WINDOW) {
        ($id ? $stream->{room} : $self->{room}) += unpack 'N', $payload;

    } elsif ($type == $SETTINGS && !($flags & $ACK)) {
        while ($payload =~ s/\A(..)(....)//s) {
            my ($name, $value) = (unpack('n', $1), unpack('N', $2));
            next if $name != 4;
            $_->{room} += $value - $self->{initial}
                for values %{ $self->{streams} };
            $self->{initial} = $value;
        }
        $self->_frame($SETTINGS, $ACK, 0, '');

    } elsif ($type == $PING && !($flags & $ACK)) {
        $self->_frame($PING, $ACK, 0, $payload);

    } elsif ($type == $GOAWAY) {
        $self->{goaway} = unpack 'x4N', $payload;
    }
}

1;
