# A name server of the test's own, on a port of 127.0.0.1.
#
#   my $dns = Wassiit::Dns->start('both.test' => { A => [ ['1.2.3.4', '10.0.0.1'] ] });
#   ... resolver 127.0.0.1:$port; ...
#   my $asked = $dns->asked('both.test', 'A');      # how often
#
# A and AAAA have a list of answers, each of some addresses: the first is given
# to who asks first, the last to all who ask after it. ttl is that of answers, 0
# if it isn't there; CNAME is another of the names, and is answered with its
# addresses. A name that isn't there doesn't exist. It ends with the test.

package Wassiit::Dns;

use strict;
use warnings;

use IO::Handle;
use IO::Socket::INET;
use POSIX ();
use Socket qw(AF_INET AF_INET6 inet_pton);
use Wassiit;

my %type = (A => 1, CNAME => 5, AAAA => 28);
my %name_of = reverse %type;

sub start {
    my ($class, %names) = @_;
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp')
        or die "udp: $!";
    my $log = test_dir() . '/dns-' . $socket->sockport;
    my $parent = $$;

    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{TERM} = 'DEFAULT';
        _serve($socket, $log, \%names, $parent);
        POSIX::_exit(0);
    }

    return bless { pid => $pid, port => $socket->sockport, log => $log, owner => $$ }, $class;
}

sub port { $_[0]{port} }

sub asked {
    my ($self, $name, $type) = @_;
    open my $in, '<', $self->{log} or return 0;
    return scalar grep { $_ eq "$name $type\n" } <$in>;
}

sub DESTROY {
    my ($self) = @_;
    return unless $self->{owner} == $$;
    local $?;
    kill 'TERM', $self->{pid};
    waitpid $self->{pid}, 0;
}

sub _serve {
    my ($socket, $path, $names, $parent) = @_;
    my %asked;
    open my $log, '>', $path or die "$path: $!";
    $log->autoflush(1);

    while (getppid == $parent) {
        my $ready = '';
        vec($ready, fileno $socket, 1) = 1;
        next unless select $ready, undef, undef, 1;
        $socket->recv(my $query, 4096) // next;

        my ($id) = unpack 'n', $query;
        my ($at, @labels) = (12);
        while (my $length = ord substr $query, $at, 1) {
            push @labels, substr $query, $at + 1, $length;
            $at += 1 + $length;
        }
        my $question = substr $query, 12, $at + 5 - 12;
        my $name = lc join '.', @labels;
        my $type = $name_of{ unpack 'n', substr $query, $at + 1, 2 } // '';

        my $entry = $names->{$name};
        my ($count, $answer) = (0, '');
        my $owner = "\xc0\x0c";

        if (my $target = $entry && $entry->{CNAME}) {
            my $data = _encoded($target);
            $answer .= _record($owner, 'CNAME', $entry->{ttl}, $data);
            $count++;
            ($owner, $entry) = ($data, $names->{$target});
        }

        if (my $rounds = $entry && $entry->{$type}) {
            my $n = $asked{"$name $type"}++;
            for my $address (@{ $rounds->[ $n < @$rounds ? $n : -1 ] }) {
                $answer .= _record($owner, $type, $entry->{ttl},
                                   inet_pton($type eq 'A' ? AF_INET : AF_INET6, $address));
                $count++;
            }
        }

        print {$log} "$name $type\n";
        $socket->send(pack('n6', $id, $names->{$name} ? 0x8180 : 0x8183, 1, $count, 0, 0)
                      . $question . $answer);
    }
}

sub _encoded { join('', map { chr(length) . $_ } split /\./, $_[0]) . "\0" }

sub _record {
    my ($owner, $type, $ttl, $data) = @_;
    return $owner . pack('nnNn', $type{$type}, 1, $ttl // 0, length $data) . $data;
}

1;
