# The client of Redis, seen through a module of the tests' own, and a server that
# answers as a test wants.
#
#   Wassiit::RedisProbe->load;              # before nginx starts; false: can't be made
#   my $server = Wassiit::RedisProbe->nginx('server=127.0.0.1:6379', %options);
#   call($server, 'SET', 'a', 1);           # a Wassiit::Response; 503: not connected,
#                                           # 504: no answer
#   eval_script($server, 1, 'key', 'arg');
#   my $fake = Wassiit::RedisProbe::Fake->start(sub { my ($socket, $n) = @_; ... });
#   $fake->came;                            # connections, so far
#   greet($socket, info => info(...), role => "...")    # in it: what a master says
#   my @args = command($socket);                        # in it: the next command, or ()
#
# Options of nginx(): probe (directives in http), http (others), main, files. The
# code of a Fake runs in a process of its own, for one connection after the other,
# each of which is closed when it returns.

package Wassiit::RedisProbe;

use strict;
use warnings;

use Cwd ();
use Exporter 'import';
use File::Basename ();
use Wassiit;

our @EXPORT = qw(call eval_script greet command info);

my $Top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');

# Made with the headers of the nginx that is tested.

sub load {
    my $variant = $ENV{TEST_VARIANT} // 'deb';
    my %built = (
        deb => [ 'deb', '/usr/share/nginx/src' ],
        user => [ 'deb', '/usr/share/nginx/src' ],
        valkey => [ 'deb', '/usr/share/nginx/src' ],
        asan => [ 'asan', glob "$Top/build/src/[0-9]*" ],
        next => [ 'full-trixie', "$Top/build/src/trixie" ],
    );
    my ($objects, $source) = @{ $built{$variant} // return };
    return if !$source || !-e "$Top/build/$objects/ngx_auto_config.h";

    my $to = test_dir() . '/probe.so';
    system('gcc', qw(-O1 -g -Wall -Wno-unused-parameter -Werror -shared -fPIC), '-I', "$Top/src",
           split(' ', qx('$Top/conf/setup/headers.sh' '$source' core event os http)),
           '-isystem', "$Top/build/$objects", '-o', $to, "$Top/t/lib/redis_probe/probe.c") == 0
        or die "can't compile the probe\n";
    chmod 0755, $to;
    $ENV{TEST_NGINX_LOAD_MODULES} = join ' ', grep { length } $ENV{TEST_NGINX_LOAD_MODULES}, $to;
    return 1;
}

sub nginx {
    my ($class, $redis, %with) = @_;
    return Wassiit::Server->start(files => { 'partners.jsonl' => [], %{ $with{files} // {} } },
                                  conf => conf($redis, %with));
}

sub conf {
    my ($redis, %with) = @_;
    $_ //= '' for @with{qw(probe http main)};
    return "$with{main}\n" . <<"END";
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    redis_probe_redis zone=api $redis;
    $with{probe} $with{http}
    server {
        listen %%PORT%%;
        location / { return 200 ok; }
        location /r { redis_probe; }
    }
}
END
}

sub call {
    my ($server, @args) = @_;
    my %with = ref $args[0] ? %{ shift @args } : ();
    return http($server->port, uri => '/r/?' . join('&', @args),
                headers => [ 'X-Timeout' => $with{timeout} // 5000 ]);
}

sub eval_script {
    my ($server, @args) = @_;
    return http($server->port, uri => '/r/eval?' . join('&', @args), headers => [ 'X-Timeout' => 5000 ]);
}


# ---- what a Redis says

sub info {
    my (%with) = @_;
    my $text = join '', map { "$_\r\n" } '# Server', 'redis_version:' . ($with{version} // '7.0.15'),
        ($with{valkey} ? "valkey_version:$with{valkey}" : ()),
        'redis_mode:' . ($with{mode} // 'standalone'), 'run_id:' . ($with{run_id} // 'a' x 40);
    return '$' . length($text) . "\r\n$text\r\n";
}

sub command {
    my ($socket) = @_;
    my $head = <$socket> // return;
    my @args;
    for (1 .. ($head =~ /^\*(\d+)/)[0]) {
        my ($length) = <$socket> =~ /^\$(\d+)/;
        read $socket, my $arg, $length + 2;
        push @args, substr $arg, 0, $length;
    }
    return @args;
}

# INFO server, INFO persistence and ROLE; AUTH is taken too. By put() if that is
# given, else at once.

sub greet {
    my ($socket, %with) = @_;
    my $put = $with{put} // sub { syswrite $socket, $_[0] };
    while (my @args = command($socket)) {
        my $what = lc "@args";
        $put->($what =~ /^auth/ ? $with{auth} // "+OK\r\n"
             : $what eq 'info server' ? $with{info} // info()
             : $what eq 'info persistence' ? $with{persistence} // "\$11\r\nloading:0\r\n\r\n"
             : $with{role} // "*3\r\n\$6\r\nmaster\r\n:1\r\n*0\r\n");
        return 1 if $what eq 'role';
    }
    return 0;
}


package Wassiit::RedisProbe::Fake;

use IO::Socket::INET;
use POSIX ();
use Wassiit;

sub start {
    my ($class, $code) = @_;
    my $port = free_port();
    my $listen = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port", Listen => 64, ReuseAddr => 1)
        or die "listen: $!";
    my $log = test_dir() . "/fake-$port";
    my $self = bless { port => $port, owner => $$, log => $log }, $class;
    my $parent = $$;

    $self->{pid} = fork // die "fork: $!";
    return $self if $self->{pid};

    @SIG{qw(TERM PIPE)} = ('DEFAULT', 'IGNORE');
    for (my $n = 1; getppid == $parent; $n++) {
        my $socket = $listen->accept or last;
        open my $out, '>>', $log or die "$log: $!";
        print {$out} "$n\n";
        close $out;
        eval { $code->($socket, $n); 1 } or print STDERR $@;
        close $socket;
    }
    POSIX::_exit(0);
}

sub port { $_[0]{port} }

# How many connections there have been.

sub came { scalar(() = Wassiit::_read($_[0]{log}) =~ /\n/g) }

sub DESTROY {
    my ($self) = @_;
    return unless $self->{owner} == $$ && $self->{pid};
    local $?;
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
}

1;
