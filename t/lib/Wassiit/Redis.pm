# A redis-server of the test's own, or a valkey-server, and RESP from plain Perl.
#
#   my $redis = Wassiit::Redis->start(%options);
#   my $c = $redis->connect;                # a connection; one more for each call
#   $c->call('SET', 'a', 1);                # the answer; dies if it is an error
#   my @answers = $c->pipeline([ 'SET', 'a', 1 ], [ 'GET', 'a' ]);
#   my $sha = $c->load($script);
#   $c->evalsha($sha, \@keys, @argv);
#   $c->subscribe('channel', ...);          # it can do nothing else from then on
#   my ($channel, $text) = $c->message(5);  # nothing after so many seconds
#
# Options: program (the path of another than server()); unix => 1 (a socket in a
# folder of its own, no port); replicaof (a server); conf (lines of redis.conf,
# over what we set); aclfile (its text); appendonly => 1; tls => { cert, key, ca }
# (paths; then tls_port is the only port). Methods: port, socket, dir, pid, log,
# run_id, restart (by the same folder and port), stop, kill (-9), freeze and thaw
# (SIGSTOP, SIGCONT). A connection: user and password in connect(user => ...,
# password => ...). What answers an error is a Wassiit::Redis::Error in pipeline().
# server() is the path of the one that is meant: redis-server, or what TEST_REDIS
# names; waitaof() whether it knows WAITAOF.

package Wassiit::Redis;

use strict;
use warnings;

use File::Temp ();
use POSIX ();
use Test::More ();
use Wassiit;

sub server {
    my $name = $ENV{TEST_REDIS} || 'redis-server';
    my @paths = $name =~ m{/} ? $name : map { "$_/$name" } qw(/usr/bin /usr/sbin /usr/local/bin), split /:/, $ENV{PATH};
    return (grep { -x } @paths)[0] // Test::More::BAIL_OUT("$name is missing: run 'make test-deps' first");
}

# Came with Redis 7.2; Valkey has had it from the first.
sub waitaof { my $program = server(); return `$program --version` !~ m{v=7\.[01]\.} }

sub start {
    my ($class, %options) = @_;
    my $self = bless { owner => $$, options => \%options,
                       dir => File::Temp::tempdir('redis-XXXXXX', DIR => test_dir()) }, $class;

    $self->{program} = $options{program} // server();
    $self->{port} = free_port() if !$options{unix};
    $self->{socket} = "$self->{dir}/socket";
    Wassiit::_write("$self->{dir}/users.acl", $options{aclfile}) if defined $options{aclfile};
    Wassiit::_write("$self->{dir}/redis.conf", $self->_conf);
    $self->_run;
    return $self;
}

# The unix socket is always there, so that a test gets in whatever else is set.

sub _conf {
    my ($self) = @_;
    my %options = %{ $self->{options} };
    my $port = $self->{port} // 0;
    my @lines = ('bind 127.0.0.1', "dir $self->{dir}", "unixsocket $self->{socket}",
                 'unixsocketperm 777', 'save ""', 'daemonize no', 'loglevel notice',
                 'repl-diskless-sync-delay 0');

    if (my $tls = $options{tls}) {
        push @lines, 'port 0', "tls-port $port", "tls-cert-file $tls->{cert}",
             "tls-key-file $tls->{key}", "tls-ca-cert-file $tls->{ca}", 'tls-auth-clients no';
    } else {
        push @lines, "port $port";
    }

    push @lines, 'appendonly yes', 'appendfsync always' if $options{appendonly};
    push @lines, "aclfile $self->{dir}/users.acl" if defined $options{aclfile};
    push @lines, "replicaof 127.0.0.1 " . $options{replicaof}->port if $options{replicaof};
    return join("\n", @lines, $options{conf} // ()) . "\n";
}

sub _run {
    my ($self) = @_;
    open my $log, '>>', "$self->{dir}/log" or die "log: $!";

    $self->{pid} = Wassiit::_spawn($log, $log, qw(setpriv --pdeathsig KILL),
                                   $self->{program}, "$self->{dir}/redis.conf");
    wait_for {
        waitpid($self->{pid}, POSIX::WNOHANG()) == 0 or die "no Redis:\n" . $self->log;
        -S $self->{socket} && $self->log =~ /eady to accept connections/ && eval { $self->connect; 1 }
    } or die "no Redis:\n" . $self->log;
}

sub port { $_[0]{port} }
sub socket { $_[0]{socket} }
sub dir { $_[0]{dir} }
sub pid { $_[0]{pid} }
sub log { Wassiit::_read("$_[0]{dir}/log") }

# By the unix socket, or at { port => 1 } by the port.

sub connect {
    my ($self, %how) = @_;
    return Wassiit::Redis::Connection->new($how{port} ? $self->{port} : $self->{socket}, %how);
}

sub run_id {
    my ($self) = @_;
    return $self->connect->call('INFO', 'server') =~ /^run_id:(\w+)/m ? $1 : undef;
}

sub freeze { CORE::kill('STOP', $_[0]{pid}) }
sub thaw { CORE::kill('CONT', $_[0]{pid}) }

sub kill {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    CORE::kill('KILL', $pid);
    waitpid $pid, 0;
    unlink $self->{socket};
}

# False if it had to be killed.

sub stop {
    my ($self) = @_;
    my $pid = $self->{pid} or return;

    CORE::kill('CONT', $pid);
    CORE::kill('TERM', $pid);
    my $ended = wait_for { waitpid($pid, POSIX::WNOHANG()) != 0 };
    if ($ended) { delete $self->{pid} } else { $self->kill }
    return $ended;
}

sub restart {
    my ($self) = @_;
    $self->stop;
    rename "$self->{dir}/log", "$self->{dir}/log.old";
    $self->_run;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    $self->kill if $self->{owner} == $$;
}


package Wassiit::Redis::Error;

use overload '""' => sub { ${ $_[0] } }, fallback => 1;


package Wassiit::Redis::Connection;

use IO::Socket::INET;
use IO::Socket::UNIX;

sub new {
    my ($class, $where, %how) = @_;
    my $socket = $where =~ /^\d+$/ ? IO::Socket::INET->new(PeerAddr => "127.0.0.1:$where")
                                   : IO::Socket::UNIX->new($where);
    my $self = bless { socket => $socket // die("$where: $!\n"), buffer => '', at => 0 }, $class;

    $socket->autoflush(1);
    $self->call('AUTH', $how{user} // 'default', $how{password}) if defined $how{password};
    return $self;
}

sub call {
    my ($self, @args) = @_;
    my ($answer) = $self->pipeline(\@args);
    die "$answer\n" if ref $answer eq 'Wassiit::Redis::Error';
    return $answer;
}

sub pipeline {
    my ($self, @calls) = @_;
    $self->send(@calls);
    return map { $self->answer } @calls;
}

sub send {
    my ($self, @calls) = @_;
    print { $self->{socket} } join '', map { _command(@$_) } @calls or die "write: $!\n";
}

sub load { $_[0]->call('SCRIPT', 'LOAD', $_[1]) }

sub evalsha {
    my ($self, $sha, $keys, @argv) = @_;
    return $self->call('EVALSHA', $sha, scalar @$keys, @$keys, @argv);
}

sub subscribe {
    my ($self, @channels) = @_;
    $self->send([ 'SUBSCRIBE', @channels ]);
    $self->answer for @channels;
}

sub message {
    my ($self, $seconds) = @_;
    if ($self->{at} == length $self->{buffer}) {
        my $ready = '';
        vec($ready, fileno $self->{socket}, 1) = 1;
        select $ready, undef, undef, $seconds // 0 or return;
    }
    my $message = $self->answer;
    return @$message[1, 2];
}

sub _command {
    my $text = '*' . @_ . "\r\n";
    for my $arg (map { "$_" } @_) {
        utf8::encode($arg) if utf8::is_utf8($arg);
        $text .= '$' . length($arg) . "\r\n$arg\r\n";
    }
    return $text;
}

sub answer {
    my ($self) = @_;
    my $line = $self->_line;
    my $kind = substr $line, 0, 1, '';

    return $line if $kind eq '+' || $kind eq ':';
    return bless \$line, 'Wassiit::Redis::Error' if $kind eq '-';
    return [ map { $self->answer } 1 .. $line ] if $kind eq '*' && $line >= 0;
    return undef if $line < 0;
    my $text = $self->_bytes($line + 2);
    return substr $text, 0, $line;
}

sub _line {
    my ($self) = @_;
    my $end;
    while (($end = index $self->{buffer}, "\r\n", $self->{at}) < 0) { $self->_read }
    my $line = substr $self->{buffer}, $self->{at}, $end - $self->{at};
    $self->{at} = $end + 2;
    return $line;
}

sub _bytes {
    my ($self, $n) = @_;
    $self->_read while length($self->{buffer}) < $self->{at} + $n;
    my $text = substr $self->{buffer}, $self->{at}, $n;
    $self->{at} += $n;
    return $text;
}

sub _read {
    my ($self) = @_;
    substr $self->{buffer}, 0, $self->{at}, '';
    $self->{at} = 0;
    sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer} or die "Redis hung up\n";
}

1;
