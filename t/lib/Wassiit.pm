package Wassiit;

=head1 NAME

Wassiit - what every suite in t/ stands on

=head1 SYNOPSIS

Blocks of Test::Nginx (one request, one answer; see its own manual):

    use lib 't/lib';
    use Wassiit;                    # before Test::Nginx: it gets its root here
    use Test::Nginx::Socket;

    plan tests => repeat_each() * 2 * blocks();
    run_tests();

    __DATA__

    === TEST 1: a known key is let in
    --- partners
    {"id":"atlas","scopes":["messages.send"],"rate":"5r/m","key":"atlas-key"}
    --- http_config
    wassiit_zone zone=api:1m file=partners.jsonl;
    --- config
    location /t { wassiit_access api; return 204; }
    --- request
    GET /t
    --- more_headers
    X-API-Key: atlas-key
    --- error_code: 204

Plain Perl (reloads, many workers, configuration errors, HTTP/2):

    use lib 't/lib';
    use Wassiit;
    use Test::More;

    my $key = make_key();
    my $server = Wassiit::Server->start(
        files => { 'partners.jsonl' => [ partner('atlas', $key) ] },
        conf  => <<'END');
    worker_processes 4;
    http {
        wassiit_zone zone=api:1m file=partners.jsonl;
        server { listen %%PORT%%; location / { wassiit_access api; } }
    }
    END

    my $r = http($server->port, uri => '/', headers => ['X-API-Key' => $key]);
    is($r->status, 200, 'a known key is let in');
    $server->stop;
    done_testing;

=head1 WHAT IT SEES TO

Each test process has a folder of its own under the temporary directory, which
any user may traverse and which is removed at the end, and ports of its own;
C<prove -j4> is safe, as root and not. What was started is ended by its pid.
Which nginx is tested: C<TEST_NGINX_BINARY> and C<TEST_NGINX_LOAD_MODULES>;
without them, Debian's nginx and build/ngx_http_wassiit_module.so.
C<TEST_KEEP=1> keeps the folder and tells where it is.

After each block, and when a server stops, nothing of the level alert, crit or
emerg may stand in the error log; no sanitizer may have reported anything when
the suite ends. This adds a test only when it fails, so that it doesn't count
in a plan.

=head2 Sections for blocks

=over

=item C<--- partners>

The lines of conf/partners.jsonl (mode 0600), which C<file=partners.jsonl>
names. The field C<"key":"text"> stands for
C<"keys":[{"id":"k1","sha256":"..."}]>. What isn't JSON is written as it is.

=item C<--- files eval: { name => text, ... }>

Further files in conf/, those named .jsonl or .secret with mode 0600.

=item C<--- allow_log: REGEX>

Lines of alert, crit or emerg that this block is meant to cause. A block with
C<must_die> may cause an emerg.

=item C<--- refused: STATUS CODE>

The answer is this refusal of the module's: its status, its C<code> in a body,
C<WWW-Authenticate> on a 401 and on nothing else.

=back

C<$TEST_NGINX_SERVER_PORT> is the port; C<$TEST_NGINX_PORT_2> and C<_3> are two
more for other servers in C<http_config>; listen on 127.0.0.1. A unix socket
can lie in C<$TEST_NGINX_SERVER_ROOT/conf/>.

=head1 FUNCTIONS (all exported)

=over

=item planned_tests()

How many tests the blocks of the file make: for each request one of the status
and one for each section that checks the answer or a log.

=item partner($id, $key | [$key, ...], field => value, ...)

A record of the partners' file, keys k1, k2, ... ; without C<scopes> it holds
all six. The C<$key> may be undef.

=item partners_file($path, record | text, ...)

Writes them a line each, mode 0600, over what was there, in place of the old
file as an editor does it (a new file and a rename).

=item make_key([$seed])   key_sha256($key)   crc_base62($text)

A key of our form (the same for the same seed), its digest as the file has it,
and the six characters of its checksum.

=item nginx_test($conf, [files => {...}])

C<nginx -t> on a configuration (below): a list of exit code and message. The
line numbers in a message are those of $conf.

=item http($port, method =>, uri =>, headers => [n, v, ...], body =>, ...)

One request, connection closed after it: a Wassiit::Response. C<version>
is "1.1", C<host> "localhost" (undef: none). C<chunked =E<gt> 1> sends the body
as chunks. C<raw =E<gt> "bytes"> sends these instead (with C<head =E<gt> 1> if
it is a HEAD). $port is a port on 127.0.0.1 or the path of a unix socket.

=item curl(argument, ...)

The same through curl, for HTTP/2 (C<--http2-prior-knowledge>) and whatever
needs a full client. C<exit_code> and C<error> tell how it ended.

=item wait_for { condition } [$seconds]

Its value as soon as it is true; false when the time (20 s) has run out.

=item free_port()

A port that no other test process uses.

=item test_dir()

The folder of this process.

=back

=head1 Wassiit::Response

C<status>, C<version>, C<body>, C<header($name)> (the first one's value),
C<headers($name)> (all values), C<names>, C<head> (the raw header), C<interim>
(statuses of 1xx that came before), C<closed> (the server closed the
connection, as far as was seen while reading), C<json> (the body decoded).

=head1 Wassiit::Client

C<new($port)>; C<request(%as_for_http)> keeps the connection; C<send($bytes)>;
C<response([head =E<gt> 1])> reads the next answer, undef if the server closed
without one, dies after 20 s; C<is_closed> waits for the server to close;
C<close>. Send several and read several for pipelining. C<request_bytes(%req)>
is what C<request> would send.

=head1 Wassiit::Server

C<start(conf =E<gt> $conf, files =E<gt> { name =E<gt> text | [partners] },
workers =E<gt> N, allow_log =E<gt> qr/.../)> dies with the error log if nginx
does not come up. In $conf, C<%%PORT%%>, C<%%PORT_2%%> ... are
C<127.0.0.1:port>, C<%%DIR%%> is the prefix (before nginx 1.25, a port that
listens with C<http2> speaks nothing else in clear: give it one of its own).
Set unless $conf does it: pid, error_log (info), access_log, temporary paths,
events, load_module, without a change in line numbers. Workers run as nginx's default user if we are root.
Files are put in conf/, beside nginx.conf; those named .jsonl or .secret with
mode 0600; a folder in a name is made, as one that workers may write. What needs just any page finds html/index.html, "it works".

C<port([n])>, C<dir>, C<pid>, C<worker_pids> (those that don't shut down),
C<conf($text)> (writes a new configuration), C<partners(@records)> (a new
partners.jsonl), C<write($name, $text)>, C<reload> (false when the new workers
serve; the new part of the error log if it was refused), C<signal($name)>,
C<error_log>, C<access_log> (texts), C<wait_log(qr/.../)>, C<stop>.

After C<start(daemon =E<gt> 1)>, C<upgrade> is a binary upgrade: a new program
beside this one, which it returns when both serve; it dies with the log if that
failed. C<wait_end> waits until a master that was told to has ended. C<crash>
is C<kill -9> of master and workers at once; C<restart> starts a server that
has ended once more, from the same prefix. C<stop> ends all that were started
by it, too.

=cut

use strict;
use warnings;

use Cwd ();
use Carp qw(croak);
use Compress::Zlib ();
use Digest::SHA ();
use Exporter qw(import);
use File::Basename ();
use File::Copy ();
use File::Path ();
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Socket ();
use Test::More ();
use Time::HiRes ();

our @EXPORT = qw(
    partner partners_file make_key key_sha256 crc_base62 nginx_test http curl
    wait_for free_port test_dir planned_tests
);

our @SCOPES = qw(
    messages.send audio.send files.send calls.initiate conversations.read
    webhooks.manage
);

my $DEADLINE = 20;
my $BASE62 = join '', 0 .. 9, 'A' .. 'Z', 'a' .. 'z';
my $BAD_LINE = qr/ \[ (?:alert|crit|emerg) \]
                   | (?:Address|Leak|UndefinedBehavior) Sanitizer
                   | \ runtime\ error:\ /x;

my $Lib = File::Basename::dirname(Cwd::abs_path(__FILE__));
my $Top = Cwd::abs_path("$Lib/../..");
my $Owner = $$;
my ($Dir, @Locks, @Servers, $Block);
my $Json = JSON::PP->new->utf8->canonical;

_set_up();

INIT { _hook_test_nginx() if $INC{'Test/Nginx/Util.pm'} }


# ---- the process: folder, ports, environment

sub _set_up {
    umask 022;
    $SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);
    $SIG{PIPE} = 'IGNORE';

    $Dir = File::Temp::tempdir('wassiit-test-XXXXXXXX', TMPDIR => 1);
    chmod 0755, $Dir or die "$Dir: $!";
    mkdir "$Dir/sanitizer" or die "$Dir/sanitizer: $!";
    chmod 01777, "$Dir/sanitizer";

    if (!defined $ENV{TEST_NGINX_BINARY}) {
        $ENV{TEST_NGINX_BINARY} = '/usr/sbin/nginx';
        $ENV{TEST_NGINX_LOAD_MODULES}
            //= "$Top/build/ngx_http_wassiit_module.so";
    }

    $ENV{TEST_NGINX_LOAD_MODULES} //= '';
    for my $file ($ENV{TEST_NGINX_BINARY},
                  split ' ', $ENV{TEST_NGINX_LOAD_MODULES})
    {
        Test::More::BAIL_OUT("$file is missing: run 'make build' first")
            unless -e $file;
    }

    _set_sanitizers();

    $ENV{TEST_NGINX_SERVROOT} = "$Dir/root";
    $ENV{TEST_NGINX_TIMEOUT} //= $DEADLINE;
    my $port = free_port();
    $ENV{TEST_NGINX_PORT} = "127.0.0.1:$port";      # to listen on
    $ENV{TEST_NGINX_CLIENT_PORT} = $port;           # to connect to
    $ENV{TEST_NGINX_PORT_2} = free_port();
    $ENV{TEST_NGINX_PORT_3} = free_port();
    delete @ENV{qw(TEST_NGINX_SERVER_PORT TEST_NGINX_RANDOMIZE)};
}


# Options are separated by commas, as Test::Nginx expects them.

sub _set_sanitizers {
    my $log = "log_path=$Dir/sanitizer/report";

    # a worker reads them by its own rights, which may end before our tree
    for my $name (qw(lsan.supp ubsan.supp)) {
        File::Copy::copy("$Lib/$name", "$Dir/$name")
            or die "$Dir/$name: $!";
        chmod 0644, "$Dir/$name";
    }

    $ENV{ASAN_OPTIONS} = join ',', 'detect_leaks=1', 'exitcode=86',
        'detect_stack_use_after_return=1', 'fast_unwind_on_malloc=0', $log;
    $ENV{LSAN_OPTIONS} = "suppressions=$Dir/lsan.supp,print_suppressions=0";
    $ENV{UBSAN_OPTIONS} = join ',', "suppressions=$Dir/ubsan.supp",
        'halt_on_error=1', 'print_stacktrace=1', $log;
}


sub test_dir { $Dir }


# A name among the abstract unix sockets is the lock: it holds between users,
# goes with the process and leaves no file. The ports lie below those that the
# kernel gives to clients.

sub free_port {
    for (1 .. 2000) {
        my $port = 20000 + int rand 10000;

        my $lock = IO::Socket::UNIX->new(
            Local => "\0wassiit-test-port-$port", Listen => 1) or next;

        my $probe = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'tcp',
            ReuseAddr => 1, Listen => 1) or next;

        push @Locks, $lock;
        return $port;
    }

    croak 'no free port';
}


sub wait_for (&;$) {
    my ($condition, $seconds) = @_;
    my $end = _now() + ($seconds // $DEADLINE);

    while (1) {
        my $value = $condition->();
        return $value if $value;
        return $value if _now() > $end;
        Time::HiRes::sleep(0.01);
    }
}


sub _now { Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) }


# ---- blocks of Test::Nginx

sub _hook_test_nginx {
    no warnings qw(once redefine);

    # What stops one suite is no reason to stop the others.
    *Test::More::BAIL_OUT = sub { Test::More::fail("@_"); exit 1 };

    $ENV{TEST_NGINX_SERVER_PORT} = $ENV{TEST_NGINX_CLIENT_PORT};
    $ENV{TEST_NGINX_STREAM_PORT} = $ENV{TEST_NGINX_PORT_2};

    Test::Nginx::Util::add_block_preprocessor(sub {
        $Block = shift;

        # It writes "http2 on;" from 1.19.9 on; that came with 1.25.1.
        $Test::Nginx::Util::NginxVersion = 1.019008
            if $Test::Nginx::Util::NginxVersion < 1.025001;

        _refusal($Block) if defined $Block->refused;

        $Block->set_value('post_setup_server_root', 'Wassiit::_block_files();'
            . ($Block->post_setup_server_root // ''));

        # Test::Nginx calls the check below only for blocks that have this.
        $Block->set_value('no_shutdown_error_log', '')
            unless defined $Block->no_shutdown_error_log;
    });

    my $check = $Test::Nginx::Util::CheckShutdownErrorLog;

    $Test::Nginx::Util::CheckShutdownErrorLog = sub {
        my ($block) = @_;
        my $allow = $block->allow_log;
        chomp $allow if defined $allow;
        $allow //= '\[emerg\]' if defined $block->must_die;

        _check_log($Test::Nginx::Util::ErrLogFile, $allow, $block->name);

        $check->(@_) if defined $block->shutdown_error_log
                        || $block->no_shutdown_error_log ne '';
    };
}


sub _block_files {
    my $files = $Block->files // {};
    _write("$ENV{TEST_NGINX_SERVROOT}/conf/$_", $files->{$_}) for keys %$files;

    return unless defined $Block->partners;
    partners_file("$ENV{TEST_NGINX_SERVROOT}/conf/partners.jsonl",
                  split /\n/, $Block->partners);
}


sub planned_tests {
    my $count = 0;

    for my $block (Test::Nginx::Socket::blocks()) {
        my $list = $block->pipelined_requests // $block->request;
        my $requests = ref $list eq 'ARRAY' ? @$list : 1;
        my @checks = grep { defined $block->$_ } qw(
            response_body response_body_like response_body_unlike
            response_headers response_headers_like raw_response_headers_like
            raw_response_headers_unlike error_log no_error_log access_log
            no_access_log refused refused);

        $count += $requests * (1 + @checks);
    }

    return $count;
}


sub _refusal {
    my ($block) = @_;
    my ($status, $code) = split ' ', $block->refused;

    $block->set_value(error_code => $status);
    $block->set_value(response_body_like => qr/"(?:code|message)":"$code"/);
    $block->set_value($status == 401
        ? (raw_response_headers_like => qr/^WWW-Authenticate: ApiKey realm="/m)
        : (raw_response_headers_unlike => qr/^WWW-Authenticate:/m));
}


sub _check_log {
    my ($path, $allow, $name) = @_;

    my @bad = grep { $_ =~ $BAD_LINE && !(defined $allow && /$allow/) }
              split /\n/, _read($path);
    return 1 unless @bad;

    Test::More::fail("$name - the error log is free of alerts");
    Test::More::diag($_) for @bad > 20 ? @bad[0 .. 19] : @bad;
    return 0;
}


# ---- keys and partners

sub make_key {
    my ($seed) = @_;
    my ($text, $bytes, $n) = ('wst_', '', 0);

    while (length $text < 36) {
        $bytes = defined $seed ? Digest::SHA::sha256("$seed/" . $n++)
                               : _random(64) if $bytes eq '';
        my $byte = ord substr $bytes, 0, 1, '';
        $text .= substr $BASE62, $byte % 62, 1 if $byte < 248;
    }

    return $text . crc_base62($text);
}


sub crc_base62 {
    my ($text) = @_;
    my ($crc, $digits) = (Compress::Zlib::crc32($text), '');

    for (1 .. 6) {
        $digits = substr($BASE62, $crc % 62, 1) . $digits;
        $crc = int $crc / 62;
    }

    return $digits;
}


sub _random {
    open my $in, '<:raw', '/dev/urandom' or die "/dev/urandom: $!";
    sysread($in, my $bytes, $_[0]) == $_[0] or die "/dev/urandom: $!";
    return $bytes;
}


sub key_sha256 { Digest::SHA::sha256_hex($_[0]) }


sub partner {
    my ($id, $keys, %fields) = @_;
    my @keys = ref $keys ? @$keys : defined $keys ? $keys : ();
    my $n = 0;

    return { id => $id, scopes => [@SCOPES], %fields, keys => [
        map { { id => 'k' . ++$n, sha256 => key_sha256($_) } } @keys ] };
}


sub partners_file {
    my ($path, @records) = @_;

    _write($path, join('', map { _partner_line($_) . "\n" } @records), 0600);
}


sub _partner_line {
    my ($record) = @_;

    if (!ref $record) {
        my $parsed = eval { $Json->decode($record) };
        return $record unless ref $parsed eq 'HASH' && exists $parsed->{key};
        $record = $parsed;
    }

    my %partner = %$record;
    my $key = delete $partner{key};
    $partner{keys} = [{ id => 'k1', sha256 => key_sha256($key) }]
        if defined $key;

    return $Json->encode(\%partner);
}


sub _write {
    my ($path, $text, $mode) = @_;
    $mode //= $path =~ /\.(?:jsonl|secret)\z/ ? 0600 : 0644;

    sysopen my $out, "$path.new", POSIX::O_WRONLY() | POSIX::O_CREAT()
                                  | POSIX::O_TRUNC(), $mode
        or croak "$path.new: $!";
    print {$out} $text;
    close $out or croak "$path.new: $!";
    rename "$path.new", $path or croak "$path: $!";
}


sub _read {
    my ($path) = @_;

    open my $in, '<:raw', $path or return '';
    local $/;
    return scalar(<$in>) // '';
}


# ---- configurations

# What a configuration needs here goes on lines that it has already.

sub _conf {
    my ($text, $workers) = @_;
    my $main = join '', map { "load_module $_; " }
                        split ' ', $ENV{TEST_NGINX_LOAD_MODULES};

    $main .= 'pid logs/nginx.pid; ' unless $text =~ /^\s*pid\s/m;
    $main .= 'error_log logs/error.log info; '
        unless $text =~ /^\s*error_log\s/m;
    $main .= 'events { } ' unless $text =~ /\bevents\s*\{/;
    $main .= "worker_processes $workers; " if $workers;

    my $http = $text =~ /\baccess_log\s/ ? '' : 'access_log logs/access.log; ';
    for my $name (qw(client_body proxy fastcgi uwsgi scgi)) {
        $http .= "${name}_temp_path temp/$name; "
            unless $text =~ /\b${name}_temp_path\s/;
    }

    $text =~ s/\bhttp\s*\{\K/ $http/;
    return $main . $text;
}


sub _prefix {
    my ($conf, $files, $workers) = @_;
    my $dir = File::Temp::tempdir('prefix-XXXXXX', DIR => $Dir);

    chmod 0755, $dir or die "$dir: $!";
    mkdir "$dir/$_" or die "$dir/$_: $!" for qw(conf html logs temp);

    _write("$dir/html/index.html", "it works\n");
    _write("$dir/conf/nginx.conf", _conf($conf, $workers));
    _write_files("$dir/conf", $files);

    return $dir;
}


sub _write_files {
    my ($dir, $files) = @_;

    for my $name (sort keys %{ $files // {} }) {
        my $what = $files->{$name};
        _folder("$dir/$1") if $name =~ m{^(.+)/};
        ref $what ? partners_file("$dir/$name", @$what)
                  : _write("$dir/$name", $what);
    }
}


# One that workers may make files in, as who is root gives it to them.

sub _folder {
    my ($path) = @_;
    return if -d $path;

    mkdir $path, 0700 or die "$path: $!";
    my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
    chown $uid, $gid, $path if $> == 0;
}


sub _command {
    my ($dir) = @_;
    return ($ENV{TEST_NGINX_BINARY}, '-p', "$dir/", '-c', 'conf/nginx.conf',
            '-e', 'logs/error.log');
}


sub nginx_test {
    my ($conf, %with) = @_;

    my %port;
    $conf =~ s/%%(PORT(?:_\d)?)%%/'127.0.0.1:' . ($port{$1} \/\/= free_port())/ge;
    my $dir = _prefix($conf, $with{files});
    my ($exit, undef, $error) = _run(_command($dir), '-t');

    File::Path::remove_tree($dir);
    return ($exit, $error);
}


# Runs a program: exit code (128 + a signal's number), output, errors.

sub _run {
    my @command = @_;
    my ($out, $err) = map { File::Temp->new(DIR => $Dir) } 1 .. 2;

    my $pid = _spawn($out, $err, @command);
    waitpid $pid, 0;
    my $exit = $? & 127 ? 128 + ($? & 127) : $? >> 8;

    return ($exit, _read("$out"), _read("$err"));
}


sub _spawn {
    my ($out, $err, @command) = @_;

    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    POSIX::setpgid(0, 0);
    open STDIN, '<', '/dev/null';
    open STDOUT, '>&', $out;
    open STDERR, '>&', $err;
    { no warnings 'exec'; exec { $command[0] } @command }
    print STDERR "$command[0]: $!\n";
    POSIX::_exit(127);
}


# ---- requests

sub http {
    my ($port, %request) = @_;
    my $client = Wassiit::Client->new($port);

    return $client->request(close => 1, %request);
}


sub curl {
    my @arguments = @_;
    my ($exit, $out, $error) = _run('/usr/bin/curl', '-sS', '-i', '--max-time',
                                    $DEADLINE, '--noproxy', '*', @arguments);

    my (@interim, $head);
    while ($out =~ s/\A(HTTP\/\S+ (\d+).*?\r?\n)\r?\n//s) {
        ($head, my $status) = ($1, $2);
        last if $status >= 200;
        push @interim, $status;
    }

    return Wassiit::Response->new(head => $head // '', body => $out,
        interim => \@interim, exit_code => $exit, error => $error);
}


# ---- the end

END {
    if (defined $Owner && $$ == $Owner) {
        my $status = $?;

        $_->stop for @Servers;
        _report_sanitizers();

        if ($ENV{TEST_KEEP}) {
            Test::More::diag("kept: $Dir");
        } elsif (defined $Dir) {
            File::Path::remove_tree($Dir);
        }

        $? = $status;
    }
}


sub _report_sanitizers {
    my @reports = glob "$Dir/sanitizer/*" or return;

    Test::More::fail('no sanitizer has anything to report');
    Test::More::diag(@reports . ' reports') if @reports > 3;

    for my $file (@reports > 3 ? @reports[0 .. 2] : @reports) {
        my @lines = split /\n/, _read($file);
        Test::More::diag($_) for @lines > 60 ? @lines[0 .. 59] : @lines;
    }
}


package Wassiit::Response;

sub new {
    my ($class, %self) = @_;
    my ($first, @lines) = split /\r?\n/, $self{head};

    @self{qw(version status)} = ($first // '') =~ m{\AHTTP/(\S+) (\d+)};
    $self{status} //= 0;
    $self{fields} = [ map { [ /\A([^:]*):\s*(.*?)\s*\z/ ] } @lines ];

    return bless \%self, $class;
}

sub status { $_[0]{status} }
sub version { $_[0]{version} }
sub head { $_[0]{head} }
sub body { $_[0]{body} }
sub closed { $_[0]{closed} }
sub interim { @{ $_[0]{interim} // [] } }
sub exit_code { $_[0]{exit_code} }
sub error { $_[0]{error} }
sub names { map { $_->[0] } @{ $_[0]{fields} } }
sub json { JSON::PP->new->utf8->decode($_[0]{body}) }

sub headers {
    my ($self, $name) = @_;
    return map { $_->[1] } grep { lc $_->[0] eq lc $name } @{ $self->{fields} };
}

sub header { ($_[0]->headers($_[1]))[0] }


package Wassiit::Client;

sub new {
    my ($class, $port) = @_;
    my $socket = $port =~ m{/}
        ? IO::Socket::UNIX->new(Peer => $port)
        : IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
                                Proto => 'tcp', Timeout => $DEADLINE);

    Carp::croak("can't connect to $port: $!") unless $socket;
    setsockopt $socket, Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1
        unless $port =~ m{/};

    return bless { socket => $socket, buffer => '' }, $class;
}


sub request_bytes {
    my ($self, %r) = @_;
    return $r{raw} if defined $r{raw};

    my ($body, @headers) = ($r{body}, @{ $r{headers} // [] });
    my %given = map { $_ % 2 ? () : (lc $headers[$_] => 1) } 0 .. $#headers;
    my $host = exists $r{host} ? $r{host} : 'localhost';

    push @headers, Host => $host if defined $host && !$given{host};
    push @headers, Connection => 'close' if $r{close} && !$given{connection};

    if (defined $body && $r{chunked}) {
        push @headers, 'Transfer-Encoding' => 'chunked';
        $body = join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
                         unpack('(a1000)*', $body), '';

    } elsif (defined $body && !$given{'content-length'}) {
        push @headers, 'Content-Length' => length $body;
    }

    my $bytes = join ' ', $r{method} // (defined $body ? 'POST' : 'GET'),
                          $r{uri} // '/', 'HTTP/' . ($r{version} // '1.1');
    while (my ($name, $value) = splice @headers, 0, 2) {
        $bytes .= "\r\n$name: $value";
    }

    return "$bytes\r\n\r\n" . ($body // '');
}


sub request {
    my ($self, %r) = @_;
    my $is_head = $r{head} || ($r{method} // '') eq 'HEAD';

    $self->send($self->request_bytes(%r));
    return $self->response(head => $is_head, close => $r{close});
}


# A server that has refused already may close before all is sent.

sub send {
    my ($self, $bytes) = @_;
    my $end = Wassiit::_now() + $DEADLINE;

    while (length $bytes) {
        my $set = '';
        vec($set, fileno $self->{socket}, 1) = 1;
        my $left = $end - Wassiit::_now();
        die "the server took no more for $DEADLINE s\n"
            if $left <= 0 || !select undef, $set, undef, $left;

        my $n = syswrite $self->{socket}, $bytes, 65536;
        return 0 unless defined $n;
        substr $bytes, 0, $n, '';
    }

    return 1;
}


sub response {
    my ($self, %how) = @_;
    my $end = Wassiit::_now() + $DEADLINE;
    my (@interim, $r);

    while (1) {
        while ($self->{buffer} !~ /\r?\n\r?\n/) {
            next if $self->_fill($end);
            return undef if $self->{buffer} eq '';
            die "the header was cut off: $self->{buffer}\n";
        }

        $self->{buffer} =~ s/\A(.*?\r?\n)\r?\n//s;
        $r = Wassiit::Response->new(head => $1, interim => \@interim);
        last if $r->status >= 200;
        push @interim, $r->status;
    }

    $r->{body} = $self->_body($r, $how{head}, $end);

    if ($how{close}) {
        1 while $self->_fill($end);
        $r->{body} .= $self->{buffer} if $self->{buffer} ne '';
    }

    $r->{closed} = $self->{closed};
    return $r;
}


sub _body {
    my ($self, $r, $is_head, $end) = @_;

    return '' if $is_head || $r->status == 204 || $r->status == 304;

    if (lc($r->header('Transfer-Encoding') // '') eq 'chunked') {
        my $body = '';

        while (1) {
            my $size = hex $self->_take(qr/\A([0-9a-fA-F]+)[^\n]*\n/, $end);
            last unless $size;
            $body .= $self->_bytes($size, $end);
            $self->_take(qr/\A(\r?\n)/, $end);
        }

        $self->_take(qr/\A(\r?\n)/, $end);
        return $body;
    }

    my $length = $r->header('Content-Length');
    return $self->_bytes($length, $end) if defined $length;

    1 while $self->_fill($end);
    return $self->_bytes(length $self->{buffer}, $end);
}


sub _take {
    my ($self, $pattern, $end) = @_;

    while ($self->{buffer} !~ $pattern) {
        $self->_fill($end) or die "the body was cut off\n";
    }

    $self->{buffer} =~ s/$pattern//;
    return $1;
}


sub _bytes {
    my ($self, $n, $end) = @_;

    while (length $self->{buffer} < $n) {
        $self->_fill($end) or die "the body was cut off\n";
    }

    return substr $self->{buffer}, 0, $n, '';
}


sub _fill {
    my ($self, $end) = @_;
    my $set = '';

    return 0 if $self->{closed};
    vec($set, fileno $self->{socket}, 1) = 1;
    my $left = $end - Wassiit::_now();
    die "no answer within $DEADLINE s\n"
        if $left <= 0 || !select $set, undef, undef, $left;

    my $n = sysread $self->{socket}, $self->{buffer}, 65536,
                    length $self->{buffer};
    $self->{closed} = 1 unless $n;
    return $n;
}


sub is_closed {
    my ($self, $seconds) = @_;
    my $end = Wassiit::_now() + ($seconds // $DEADLINE);

    eval { 1 while $self->_fill($end) };
    return $self->{closed};
}

sub close { close $_[0]{socket} }


package Wassiit::Server;

sub start {
    my ($class, %with) = @_;
    my $self = bless { allow_log => $with{allow_log}, ports => [],
                       workers => $with{workers}, alone => $with{alone} }, $class;

    $self->{dir} = Wassiit::_prefix('', $with{files});
    $self->conf($with{conf});
    push @Servers, $self;
    $self->{daemon} = $with{daemon};
    return $self->_launch;
}


sub _launch {
    my ($self) = @_;

    @{$self}{qw(ended orphan stopped)} = ();
    open my $log, '>', "$self->{dir}/logs/stderr" or die "stderr: $!";
    $self->{pid} = Wassiit::_spawn($log, $log, qw(setpriv --pdeathsig TERM),
        Wassiit::_command($self->{dir}), '-g', 'daemon ' . ($self->{daemon} ? 'on;' : 'off;'));

    if ($self->{daemon}) {
        waitpid $self->{pid}, 0;
        ($self->{ended}, $self->{status}) = ($? != 0, $?);
        $self->{orphan} = 1;

        # which is written by the one that stays
        $self->{pid} = 0;
        Wassiit::wait_for { $self->{pid} = ($self->_pid_file('nginx.pid'), 0)[0] }
            unless $self->{ended};
        $self->{ended} = 1 unless $self->{pid};
    }

    Wassiit::wait_for { $self->_has_ended || $self->_serves };
    return $self if !$self->{ended} && $self->_serves;

    $self->{allow_log} = qr/./;
    $self->stop;
    Carp::croak("nginx did not start:\n"
                . Wassiit::_read("$self->{dir}/logs/stderr")
                . $self->error_log);
}


sub conf {
    my ($self, $text) = @_;

    $text =~ s/%%PORT%%/'127.0.0.1:' . $self->port/ge;
    $text =~ s/%%PORT_(\d)%%/'127.0.0.1:' . $self->port($1)/ge;
    $text =~ s/%%DIR%%/$self->{dir}/g;
    $self->write('nginx.conf', Wassiit::_conf($text, $self->{workers}));
}

sub write { Wassiit::_write("$_[0]{dir}/conf/$_[1]", $_[2]) }

sub partners {
    my ($self, @records) = @_;
    Wassiit::partners_file("$self->{dir}/conf/partners.jsonl", @records);
}

sub port { $_[0]{ports}[ $_[1] // 1 ] //= Wassiit::free_port() }
sub dir { $_[0]{dir} }
sub pid { $_[0]{pid} }
sub signal { kill $_[1], $_[0]{pid} }
sub error_log { Wassiit::_read("$_[0]{dir}/logs/error.log") }
sub access_log { Wassiit::_read("$_[0]{dir}/logs/access.log") }

sub wait_log {
    my ($self, $pattern) = @_;
    return Wassiit::wait_for { $self->error_log =~ $pattern };
}

sub worker_pids {
    my ($self) = @_;
    # by another C library's loader, its own arguments stand around the name
    return grep { Wassiit::_read("/proc/$_/cmdline")
                  =~ /(?:\A|\0)nginx: worker process *(?:\0|\z)/ } $self->_children;
}

sub _children {
    my ($self) = @_;
    my @children;

    for my $stat (glob '/proc/[0-9]*/stat') {
        push @children, $1
            if Wassiit::_read($stat) =~ /\A(\d+) \(.*\) \S (\d+) /s
               && $2 == $self->{pid};
    }

    return @children;
}


# The pid file is written when the configuration holds, before workers start.

sub _serves {
    my ($self) = @_;

    return 0 unless -s "$self->{dir}/logs/nginx.pid" && ($self->{alone} || $self->worker_pids);
    return 1 unless defined $self->{ports}[1];
    return !!IO::Socket::INET->new(PeerAddr => '127.0.0.1', Proto => 'tcp',
                                   PeerPort => $self->port);
}


sub _pid_file { Wassiit::_read("$_[0]{dir}/logs/$_[1]") =~ /(\d+)/ ? $1 : () }

sub _has_ended {
    my ($self) = @_;

    if ($self->{orphan}) {
        my $stat = eval { Wassiit::_read("/proc/$self->{pid}/stat") } // '';
        $self->{status} //= 0;
        return $self->{ended} ||= $stat !~ /\) [^Z] /;
    }

    if (!$self->{ended} && waitpid($self->{pid}, POSIX::WNOHANG()) != 0) {
        $self->{ended} = 1;
        $self->{status} = $?;
    }

    return $self->{ended};
}


# A binary upgrade: the new program's master, which the old one lives beside.

sub upgrade {
    my ($self) = @_;
    my $before = length $self->error_log;
    my $new = bless { %$self, ports => [ @{ $self->{ports} } ] }, ref $self;

    $self->signal('USR2');

    my $done = Wassiit::wait_for {
        return 'refused' if substr($self->error_log, $before)
                            =~ /\[emerg\]|new binary process \d+ exited/;
        my ($pid) = $self->_pid_file('nginx.pid');
        return 0 if !$pid || $pid == $self->{pid};
        $new->{pid} = $pid;
        return $new->_serves;
    };

    die "the upgrade failed:\n" . substr($self->error_log, $before) if !$done || $done eq 'refused';
    push @Servers, $new;
    return $new;
}

sub wait_end {
    my ($self) = @_;
    return Wassiit::wait_for { $self->_has_ended };
}


# Master and workers end at once and say nothing, as with the machine's power.

sub crash {
    my ($self) = @_;

    kill 'KILL', -$self->{pid};
    $self->wait_end;
    unlink "$self->{dir}/logs/nginx.pid";
}


# One that has ended, from the same prefix.

sub restart { $_[0]->_launch }


# nginx signals the old workers after the new ones were started.

sub reload {
    my ($self) = @_;
    my %old = map { $_ => 1 } $self->worker_pids;
    my $before = length $self->error_log;
    my $log = '';

    $self->signal('HUP');

    my $done = Wassiit::wait_for {
        return 'ended' if $self->_has_ended;
        $log = substr $self->error_log, $before;
        return 'refused' if $log =~ /\[emerg\]/;
        my @now = $self->worker_pids;
        return @now && !grep { $old{$_} } @now;
    };

    die "the reload did not come to an end:\n$log\n" unless $done;
    die "nginx ended at the reload:\n$log\n" if $done eq 'ended';
    return '' if $done ne 'refused';

    $self->{allow_log} = $self->{allow_log}
                         ? qr/\[emerg\]|$self->{allow_log}/ : qr/\[emerg\]/;
    return $log;
}


sub stop {
    my ($self) = @_;
    return if $self->{stopped}++;

    if (!$self->_has_ended) {
        $self->signal('QUIT');
        Wassiit::wait_for { $self->_has_ended };
    }

    if (!$self->_has_ended) {
        Test::More::fail('nginx stops when asked to');
        kill 'KILL', $self->{pid};
        waitpid $self->{pid}, 0;
    }

    # Workers outlive a master that was killed; all are one process group.
    kill 'KILL', -$self->{pid} if $self->{pid};

    Wassiit::_check_log("$self->{dir}/logs/error.log", $self->{allow_log},
                        'server');
    return $self->{status};
}

1;
