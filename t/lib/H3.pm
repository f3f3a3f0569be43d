package H3;

=head1 NAME

H3 - HTTP/3 as far as uploads and malformed requests need it

=head1 SYNOPSIS

    use H3;
    H3->available or die;           # does the nginx under test have it?
    my $conf = "... server { @{[ H3->listens('%%PORT%%') ]} ... }";

    my $h3 = H3->new($port);
    my $a = $h3->request(method => 'POST', path => '/', body => 0,
                         headers => [ 'x-api-key' => $key ]);
    $h3->data($a, $bytes, $last);           # frames of 16 KB
    $h3->frame($a, $bytes, $last);          # one DATA frame
    $h3->raw($a, $bytes, $last);            # what isn't one
    H3->frame_bytes($bytes);                # what frame() sends
    $h3->cancel($a, $code);
    $h3->sync;                              # all of that has been sent
    $h3->until_closed($a);
    $h3->status($a); $h3->body($a); $h3->reset($a); $h3->ended($a);
    $h3->gone;                              # why the connection is, or undef

C<pseudo =E<gt> [ ':method' =E<gt> '', ... ]> sends these in place of the four
pseudo-headers, in that order; C<fields =E<gt> $bytes> a field section of the
test's own. C<body =E<gt> 0> leaves the stream open. The rest is as in L<H2>: of
headers received the status alone is read. C<room($id)> is how much the server
still takes of a stream, C<until_room($id, $n)> waits until it is that much.

One worker, please: without C<reuseport> and a key a connection's packets may
come to any of several.

=cut

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use IPC::Open2 ();
use Time::HiRes ();
use Wassiit ();

my $DEADLINE = 20;
my $Source = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/h3.c');
my ($Program, $Certificate);

# the static table's entries for :status
my %INDEXED = (24 => 103, 25 => 200, 26 => 304, 27 => 404, 28 => 503,
               63 => 100, 64 => 204, 65 => 206, 66 => 302, 67 => 400,
               68 => 403, 69 => 421, 70 => 425, 71 => 500);


sub available {
    my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
    return `$nginx -V 2>&1` =~ /--with-http_v3_module/;
}


# For a server block: HTTP/3 on that address, and TLS, by which Wassiit::Server
# sees that it is up.

sub listens {
    my ($class, $address) = @_;
    my $dir = Wassiit::test_dir();

    $Certificate //= system("openssl req -x509 -newkey ec -pkeyopt "
        . "ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
        . "-keyout $dir/quic.key -out $dir/quic.crt 2>$dir/quic.err") == 0
        or die "openssl made no certificate\n";

    return "listen $address quic; listen $address ssl; "
        . "ssl_certificate $dir/quic.crt; ssl_certificate_key $dir/quic.key;";
}


sub new {
    my ($class, $port) = @_;
    my $self = bless { streams => {}, in => '' }, $class;

    if (!$Program) {
        $Program = Wassiit::test_dir() . '/h3';
        system('gcc', '-O2', '-Wall', '-Werror', '-o', $Program, $Source,
               qw(-lngtcp2 -lngtcp2_crypto_gnutls -lgnutls)) == 0
            or die "can't compile $Source\n";
    }

    $self->{pid} = IPC::Open2::open2($self->{from}, $self->{to}, $Program,
                                     $port);
    $self->_until(sub { $self->{ready} || defined $self->{gone} },
                  'no handshake');
    die "no connection: $self->{gone}\n" if !$self->{ready};

    # the control stream, with no settings
    $self->raw($self->_open('uni'), "\0\4\0");
    return $self;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $!, $@);
    close $self->{to};
    close $self->{from};
    waitpid $self->{pid}, 0;
}


sub request {
    my ($self, %r) = @_;
    my $id = $self->_open('bidi');
    my @headers = (@{ $r{pseudo} // [ ':method' => $r{method} // 'GET',
            ':scheme' => 'https', ':path' => $r{path} // '/',
            ':authority' => 'localhost' ] },
        @{ $r{headers} // [] });
    my $section = "\0\0";           # nothing of the dynamic table

    while (my ($name, $value) = splice @headers, 0, 2) {
        $section .= _prefixed(0x20, 3, length $name) . $name
            . _prefixed(0, 7, length $value) . $value;
    }

    $section = $r{fields} if defined $r{fields};
    $self->raw($id, "\1" . _varint(length $section) . $section,
               !exists $r{body});
    return $id;
}


# 0 if the server has closed the stream before.

sub data {
    my ($self, $id, $bytes, $last) = @_;

    do {
        my $piece = substr $bytes, 0, 16384, '';
        my $room = 5 + length $piece;
        $self->_until(sub { $self->_over($id) || $self->room($id) >= $room },
                      "no room on stream $id");
        return 0 if $self->_over($id);
        $self->frame($id, $piece, $last && $bytes eq '');
    } while ($bytes ne '');

    return 1;
}

sub frame {
    my ($self, $id, $bytes, $last) = @_;
    $self->raw($id, $self->frame_bytes($bytes), $last);
}

sub frame_bytes {
    my ($class, $bytes) = @_;
    return "\0" . _varint(length $bytes) . $bytes;
}

sub raw {
    my ($self, $id, $bytes, $last) = @_;
    my $hex = $bytes eq '' ? '-' : unpack 'H*', $bytes;

    $self->{streams}{$id}{sent} += length $bytes;
    $self->_tell("send $id $hex" . ($last ? ' fin' : ''));
}

# Returns when what was sent is on its way, as far as the windows let it.

sub sync {
    my ($self) = @_;
    $self->{synced} = 0;
    $self->_tell('sync');
    $self->_until(sub { $self->{synced} || defined $self->{gone} }, 'no sync');
}

sub cancel {
    my ($self, $id, $code) = @_;
    $self->_tell("reset $id $code");
}

sub room {
    my ($self, $id) = @_;
    my $stream = $self->{streams}{$id};
    return $stream->{limit} - $stream->{sent};
}

sub until_room {
    my ($self, $id, $n) = @_;
    $self->_until(sub { $self->_over($id) || $self->room($id) >= $n },
                  "no room for $n bytes on stream $id");
}


sub until_closed {
    my ($self, @ids) = @_;
    for my $id (@ids) {
        $self->_until(sub { $self->_over($id) }, "no answer on stream $id");
    }
}

sub status { $_[0]{streams}{ $_[1] }{status} }
sub body { $_[0]{streams}{ $_[1] }{body} }
sub reset { $_[0]{streams}{ $_[1] }{reset} }
sub ended { $_[0]{streams}{ $_[1] }{ended} }
sub gone { $_[0]{gone} }

sub _over {
    my ($self, $id) = @_;
    my $stream = $self->{streams}{$id};
    return $stream->{ended} || defined $stream->{reset}
        || defined $self->{gone};
}


sub _open {
    my ($self, $kind) = @_;
    $self->_tell($kind);
    $self->_until(sub { defined $self->{opened} || defined $self->{gone} },
                  'no stream');
    return delete $self->{opened} // die "the connection is gone: $self->{gone}\n";
}


sub _tell {
    my ($self, $line) = @_;
    local $SIG{PIPE} = 'IGNORE';
    syswrite $self->{to}, "$line\n";
    $self->_read(0);
}


sub _until {
    my ($self, $done, $what) = @_;
    my $end = _now() + $DEADLINE;

    until ($done->()) {
        my $left = $end - _now();
        die "$what\n" if $left <= 0;
        $self->_read($left);
    }
}

sub _now { Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) }


sub _read {
    my ($self, $seconds) = @_;
    my $set = '';

    return if defined $self->{gone};
    vec($set, fileno $self->{from}, 1) = 1;
    return if !select $set, undef, undef, $seconds;
    sysread $self->{from}, $self->{in}, 1 << 20, length $self->{in}
        or $self->{gone} = 'the program has ended';

    while ($self->{in} =~ s/\A([^\n]*)\n//) {
        my ($what, $id, $value) = split ' ', $1, 3;
        my $stream = defined $id && $id =~ /\A\d+\z/
            ? $self->{streams}{$id} //= { body => '', in => '', sent => 0 }
            : undef;

        if ($what eq 'ready' || $what eq 'synced') {
            $self->{$what} = 1;
        } elsif ($what eq 'stream') {
            $self->{opened} = $id;
            $stream->{limit} = $value;
        } elsif ($what eq 'limit') {
            $stream->{limit} = $value;
        } elsif ($what eq 'data') {
            $stream->{in} .= pack 'H*', $value;
            $self->_frames($stream) if $id % 4 == 0;
        } elsif ($what eq 'fin') {
            $stream->{ended} = 1;
        } elsif ($what eq 'reset') {
            $stream->{reset} = $value;
        } elsif ($what eq 'gone') {
            $self->{gone} = join ' ', grep { defined } $id, $value;
        }
    }
}


sub _frames {
    my ($self, $stream) = @_;

    while (1) {
        my $rest = $stream->{in};
        my ($type, $length) = map { _take_varint(\$rest) } 1 .. 2;
        return if !defined $length || length $rest < $length;
        my $payload = substr $rest, 0, $length, '';
        $stream->{in} = $rest;

        if ($type == 0) {
            $stream->{body} .= $payload;

        } elsif ($type == 1) {
            my ($first, $next) = unpack 'x2CC', $payload;
            if ($first >= 0xc0) {
                my $index = $first & 0x3f;
                $stream->{status} = $INDEXED{ $index < 63 ? $index
                                                          : 63 + $next };
            } elsif ($first == 0x5f) {
                $stream->{status} = substr $payload, 5, 3;
            }
        }
    }
}


sub _varint {
    my ($n) = @_;
    return $n < 64 ? chr $n : $n < 16384 ? pack 'n', $n | 0x4000
        : pack 'N', $n | 0x80000000;
}

sub _take_varint {
    my ($bytes) = @_;
    return undef if !length $$bytes;
    my $size = 1 << (ord($$bytes) >> 6);
    return undef if length $$bytes < $size;
    my $n = 0;
    $n = $n << 8 | $_ for unpack 'C*', substr $$bytes, 0, $size, '';
    return $n & (1 << 8 * $size - 2) - 1;
}

# An integer whose first byte begins with other bits (RFC 9204, 4.1.1).

sub _prefixed {
    my ($bits, $n, $value) = @_;
    my $max = (1 << $n) - 1;
    return chr($bits | $value) if $value < $max;

    my $out = chr($bits | $max);
    $value -= $max;
    while ($value >= 128) {
        $out .= chr($value % 128 + 128);
        $value = int $value / 128;
    }
    return $out . chr $value;
}

1;
