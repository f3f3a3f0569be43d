#!/usr/bin/env perl

# The admin endpoint on a disk that fails, in a zone that is full, and with a
# partners' file that someone changes by hand meanwhile: what is refused has
# changed nothing, what was answered isn't lost.

use strict;
use warnings;

# A small file system lies over /mnt, where no one else sees it, and goes with
# this process. Who isn't root may mount in a namespace of its own, and is who
# it was in one more.
BEGIN {
    if (!defined $ENV{WASSIIT_SMALL}) {
        my ($uid, $gid) = ($>, (split ' ', $))[0]);
        my $mount = 'mount -t tmpfs -o size=128k,mode=0755 wassiit /mnt';
        my @inside = ('unshare', $uid ? '--map-root-user' : (), '--mount',
            '--propagation', 'private', 'sh', '-c', "$mount && exec \"\$@\"",
            'sh', $uid ? ('unshare', '--user', "--map-user=$uid",
                          "--map-group=$gid") : ());

        local $ENV{WASSIIT_SMALL} = '/mnt';
        open my $err, '>&', \*STDERR;
        open STDERR, '>', '/dev/null';
        my $can = system(@inside, 'true') == 0;
        open STDERR, '>&', $err;
        exec @inside, $^X, $0, @ARGV if $can;
    }
}

use lib 't/lib';
use Fcntl qw(F_SETLEASE F_WRLCK);
use JSON::PP ();
use POSIX qw(EACCES EIO EMFILE ENFILE ENOSPC EROFS SIGCHLD);
use Test::More;
use Front;
use Wassiit;
use Wassiit::Faults;
use Wassiit::Operators ();

my $JSON = JSON::PP->new->utf8->canonical;
my ($ON, $OFF) = (JSON::PP::true(), JSON::PP::false());
my $OPERATOR = make_key('an operator');
my $CRIT = qr/\[crit\] .*partners\.jsonl|\[crit\] .*fsync\(\) of the folder/;

# ---- faults, servers, files

# In one step, as it is read at any time.

sub put {
    my ($path, $text, $mode) = @_;
    open my $out, '>:raw', "$path.put" or die "$path.put: $!";
    print {$out} $text;
    close $out or die "$path.put: $!";
    chmod $mode // 0600, "$path.put";
    rename "$path.put", $path or die "$path: $!";
}

sub slurp {
    my ($path) = @_;
    open my $in, '<:raw', $path or return undef;
    local $/;
    return scalar(<$in>) // '';
}

sub conf {
    my (%with) = (file => 'state/partners.jsonl', zone => '1m', workers => 2,
                  rate => '100r/m', main => '', @_);

    return <<"END";
worker_processes $with{workers};
$with{main}
http {
    wassiit_scopes partners.manage;
    wassiit_zone zone=partners:$with{zone} file=$with{file} rate=$with{rate};
    wassiit_zone zone=operators:1m file=operators.jsonl rate=10000r/s;

    server {
        listen %%PORT%%;
        location / { wassiit_access partners; empty_gif; }
    }

    server {
        listen %%PORT_2%%;
        location /admin/ {
            wassiit_access operators;
            wassiit_scope partners.manage;
            wassiit_admin partners;
        }
        location = /metrics {
            wassiit_access operators;
            wassiit_scope partners.manage;
            wassiit_status partners prometheus;
        }
    }
}
END
}

# A server of these lines, or of this text.

sub start {
    my ($lines, %with) = @_;
    local @ENV{keys %Faulty} = values %Faulty;

    my $server = Wassiit::Server->start(
        conf => conf(%with), allow_log => $with{allow_log} // $CRIT,
        files => {
            'operators.jsonl' => [ partner('ops', $OPERATOR,
                scopes => ['partners.manage'], rate => '10000r/s') ],
            $with{file} ? () : ('state/partners.jsonl' => $lines),
        });

    $server->{partners} = $with{file} // $server->dir
                                          . '/conf/state/partners.jsonl';
    return $server;
}

sub file { slurp($_[0]{partners}) }
sub lines { my $n = () = (file($_[0]) // '') =~ /\n/g; return $n }

# What an operator does to the file; the workers may write it still.

sub replace {
    my ($server, $text) = @_;
    my ($uid, $gid) = (stat $server->{partners})[4, 5];
    put($server->{partners}, $text);
    chown $uid, $gid, $server->{partners};
}

sub rewrite {
    my ($server, $text, $how) = @_;
    open my $out, $how // '>:raw', $server->{partners} or die $!;
    print {$out} $text;
    close $out or die $!;
}

sub append { rewrite(@_[0, 1], '>>:raw') }

sub line { $JSON->encode($_[0]) . "\n" }


# ---- requests

sub request {
    my ($method, $path, $body) = @_;
    return (method => $method, uri => "/admin/$path",
        headers => ['X-API-Key' => $OPERATOR, 'Content-Type',
                    'application/json'],
        defined $body ? (body => ref $body ? $JSON->encode($body) : $body)
                      : ());
}

sub admin {
    my ($server, @request) = @_;
    return http($server->port(2), request(@request));
}

# Whoever sends it without a wait asks for the response of what is returned.

sub patch_sent {
    my ($server, $id, %fields) = @_;
    my $client = Wassiit::Client->new($server->port(2));
    $client->send($client->request_bytes(request('PATCH', "partners/$id", \%fields)));
    return $client;
}

sub patch {
    my ($server, $id, %fields) = @_;
    return admin($server, 'PATCH', "partners/$id", \%fields);
}

sub get {
    my ($server, $id) = @_;
    return admin($server, 'GET', "partners/$id");
}

# How many compactions were done, and have failed, by both of their counters.

sub compactions {
    my ($server) = @_;
    my $text = http($server->port(2), uri => '/metrics', headers => ['X-API-Key' => $OPERATOR])->body;
    return join ' ', map { $text =~ /^wassiit_\Q$_"}\E (\d+)$/m ? $1 : '?' }
        'admin_changes_total{zone="partners",operation="compact",result="done',
        'admin_changes_total{zone="partners",operation="compact",result="failed',
        'file_failures_total{zone="partners",reason="compact';
}

# All that the zone knows, but for what requests change.

sub zone {
    my ($server) = @_;
    my (%all, $after);

    do {
        my $page = admin($server, 'GET', 'partners'
                         . (defined $after ? "?after=$after" : ''))->json;
        for my $partner (@{ $page->{partners} }) {
            my $one = get($server, $partner->{id})->json;
            delete @$one{qw(window counts last_refusal)};
            delete $_->{last_used} for @{ $one->{keys} };
            $one->{keys} = [ sort { $a->{id} cmp $b->{id} } @{ $one->{keys} } ];
            $all{ $one->{id} } = $one;
        }
        $after = $page->{next};
    } while defined $after;

    return \%all;
}

sub no_storage {
    my ($r, $what) = @_;
    is(verdict($r), '507 insufficient_storage', $what) or diag($r->body);
    is($r->header('Cache-Control'), 'no-store', 'not to be kept');
}

sub works { is(ask($_[0], $_[1])->status, 200, $_[2]) }
sub refused { is(verdict(ask($_[0], $_[1])), '401 invalid_key', $_[2]) }


# The file is loaded as it is, by a reload and by another server.

sub loads {
    my ($server) = @_;
    my $before = zone($server);
    my $file = file($server);

    is($server->reload, '', 'the file can be loaded');
    is_deeply(zone($server), $before, 'and says the same');

    my $other = start($file);
    is_deeply(zone($other), $before, 'also to who has never known another');
    $other->stop;
}


# ---- a disk that fails

my @CROWD = map { { id => "p$_", rate => '1r/h' } } 1 .. 20;

sub atlas_and_rif {
    return join '', map { line($_) } @CROWD,
        partner('rif', 'rif-key-1', rate => '50r/h'),
        partner('atlas', [ 'atlas-key', 'atlas-key-2' ], name => 'Atlas',
                rate => '1000r/h');
}

# Each kind of change: its status, its request.

my @KINDS = (
    [ 'create', 201, [ POST => 'partners', { id => 'new', rate => '9r/m' } ] ],
    [ 'patch', 200, [ PATCH => 'partners/atlas', { rate => '500r/h', name => 'New' } ] ],
    [ 'add a key', 201, [ POST => 'partners/atlas/keys' ] ],
    [ 'a secret', 201, [ POST => 'partners/atlas/hmac_secret' ] ],
    [ 'another secret', 201, [ POST => 'partners/atlas/webhook_secret' ] ],
    [ 'revoke', 204, [ DELETE => 'partners/atlas/keys/k2' ] ],
    [ 'rotate', 201, [ POST => 'partners/atlas/keys/rotate', { grace => '0' } ] ],
    [ 'delete', 204, [ DELETE => 'partners/rif' ] ],
);

# Each of them under a fault, which $fail->($server) begins and $mend->($server) ends.

sub each_kind {
    my ($server, $fail, $mend) = @_;

    for my $kind (@KINDS) {
        my ($name, $status, $request) = @$kind;
        $fail->($server);
        no_storage(admin($server, @$request), "$name: refused");
        $mend->($server);
        is(admin($server, @$request)->status, $status, "$name: made");
    }

    loads($server);
}

# What each of these disks leaves, and takes later on; that what is refused changes
# nothing is t/admin_disk.t's, and of the suites whose names begin so.

sub broken {
    my (@faults) = @_;
    return (sub {
        my ($server) = @_;
        faults(map { s/SIZE/length(file($server)) + 20/er } @faults);
    }, sub { faults() });
}

for my $row (
    [ 'fsync() fails', broken('fsync file ' . EIO) ],
    [ 'a write fails', broken('write file ' . EIO) ],
    [ 'the disk is full', broken('write file ' . ENOSPC) ],
    [ 'the disk is full after half a line', broken('write file ' . ENOSPC . ' SIZE') ],
    [ 'the file system is read-only', broken('open file ' . EROFS) ],
    [ 'a line that failed can not be taken back',
      broken('fsync file ' . EIO, 'ftruncate file ' . EIO) ],
    [ 'half a line can not be taken back',
      broken('write file ' . ENOSPC . ' SIZE', 'ftruncate file ' . EIO) ],
    [ 'nothing was written, and the file can not be cut',
      broken('write file ' . EIO, 'ftruncate file ' . EIO) ],
    [ 'the file may not be written', sub { chmod 0400, $_[0]{partners} },
      sub { chmod 0600, $_[0]{partners} } ],
    [ 'the file has gone', sub { rename $_[0]{partners}, "$_[0]{partners}.away" or die $! },
      sub { rename "$_[0]{partners}.away", $_[0]{partners} or die $! } ])
{
    my ($what, $fail, $mend) = @$row;

    subtest "$what, and a reload loads what was made afterwards" => sub {
        my $server = start(atlas_and_rif());
        each_kind($server, $fail, $mend);
        $server->stop;
    };
}


sub fill {
    my ($path) = @_;
    open my $out, '>>:raw', $path or die "$path: $!";
    1 while syswrite $out, 'x' x 4096;
    die "$path: $!" if $! != ENOSPC;
}

my $small = ($ENV{WASSIIT_SMALL} // '') . '/state';

if (!defined $ENV{WASSIIT_SMALL}) {
    pass('a file system that is full (left out: no tmpfs can be had, neither '
         . 'by mount nor in a user namespace)');

} else {
    subtest 'a file system that is full' => sub {
        my $path = "$small/partners.jsonl";
        mkdir $small or die "$small: $!";
        put($path, atlas_and_rif());
        chown((getpwnam 'nobody')[2, 3], $small, $path) if $> == 0;
        my $server = start(undef, file => $path);

        # blanks up to where a page is nearly full: a line begins in it, and
        # can't end in the next
        my $fail = sub {
            my $left = 4096 - length(file($server)) % 4096;
            $left += 4096 if $left < 16;
            append($server, ' ' x ($left - 8) . "\n");
            fill("$small/filler");
        };

        each_kind($server, $fail, sub { unlink "$small/filler" or die $! });

        subtest 'and a file that is due to be compacted' => sub {
            my ($n, $many) = (0, 4 * keys %{ zone($server) });

            # some hundred lines find room in a page that it has
            append($server, ' ' x (4096 + 64 - length(file($server)) % 4096)
                            . "\n");
            fill("$small/filler");
            1 while ++$n < 200
                    && patch($server, 'p1', name => "n$n")->status == 200;

            no_storage(patch($server, 'p1', name => 'No'), 'a line too many');
            cmp_ok(lines($server), '>', $many, 'there are enough of them');
            my $log = qr/\[warn\] .*write\(\) to ".*\.compact" failed/;
            ok($server->wait_log($log), 'the new file found no room');
            ok(!-e "$path.compact", 'nothing is left of it');
            is(get($server, 'p1')->json->{name}, 'n' . ($n - 1),
               'the last one counts');

            unlink "$small/filler";
            my $compact = wait_for {
                $n++;
                patch($server, 'p1', name => "n$n");
                return lines($server) < $many;
            };
            ok($compact, 'later on it is compacted');
            is(get($server, 'p1')->json->{name}, "n$n", 'nothing is lost');
            loads($server);
        };

        $server->stop;
    };
}


# ---- descriptors

sub no_descriptor {
    my ($r, $what) = @_;
    is(verdict($r), '503 unavailable', $what);
    like($r->body, qr/worker_rlimit_nofile/, 'and the answer names the remedy');
}

subtest 'descriptors are used up' => sub {
    my $server = start(atlas_and_rif(), workers => 1,
        main => 'worker_rlimit_nofile 50; events { worker_connections 500; }',
        allow_log => qr/\[crit\] .*(?:accept4\(\)|partners\.jsonl").* \(24: /);
    my $file = file($server);
    my $client = Wassiit::Client->new($server->port(2));
    my @patch = request('PATCH', 'partners/atlas', { name => 'After' });
    is($client->request(request('GET', 'partners/atlas'))->status, 200, 'a connection');

    my @idle = map { Wassiit::Client->new($server->port) } 1 .. 60;
    ok($server->wait_log(qr/accept4\(\) failed \(24: /), 'no more are accepted');
    no_descriptor($client->request(@patch), 'a change is refused');
    like($server->error_log, qr/open\(\) ".*partners\.jsonl" failed: all descriptors are in use, raise worker_rlimit_nofile \(24: /,
         'and the log tells why');
    ok(file($server) eq $file, 'the file is as it was');

    $_->close for @idle;
    ok(wait_for { $client->request(@patch)->status == 200 }, 'later on it is made');
    loads($server);
    $server->stop;
};

subtest 'few descriptors are left' => sub {
    my $server = start(atlas_and_rif(), workers => 1,
        main => 'worker_rlimit_nofile 60; events { worker_connections 500; }',
        allow_log => qr/\[crit\] .*(?:accept4\(\)|partners\.jsonl").* \(24: /);
    my ($worker) = $server->worker_pids;
    my $used = sub { scalar(() = glob "/proc/$worker/fd/*") };
    my $client = Wassiit::Client->new($server->port(2));
    is($client->request(request('GET', 'partners/atlas'))->status, 200, 'a connection');
    is($client->request(request('PATCH', 'partners/atlas', { name => 'First' }))->status, 200, 'a change');

    my @idle;
    for my $left (reverse 0 .. 6) {
        while ((my $now = $used->()) < 60 - $left) {
            push @idle, Wassiit::Client->new($server->port);
            wait_for { $used->() > $now } or last;
        }
        my $r = $client->request(request('PATCH', 'partners/atlas', { name => "Left $left" }));
        ok($r->status == 200 || $r->status == 503, "$left left: made, or 503") or diag($r->head);
        like($r->body, qr/All file descriptors are in use/, "$left left: it says why") if $r->status == 503;
    }

    unlike($server->error_log, qr/another program|locked by|looks through all/, 'no one else is blamed');
    $_->close for @idle;
    ok(wait_for { $client->request(request('PATCH', 'partners/atlas', { name => 'Last' }))->status == 200 },
       'later on it is made');
    unlike($server->error_log, qr/another program|looks through all/, 'the file is not searched from then on');
    loads($server);
    $server->stop;
};

for my $row ([ 'the system', 'open file ' . ENFILE, qr/raise fs\.file-max \(23: / ],
             [ 'the folder', 'open folder ' . EMFILE, qr/raise worker_rlimit_nofile \(24: / ])
{
    my ($what, $fault, $log) = @$row;

    subtest "no descriptor is left: $what" => sub {
        my $server = start(atlas_and_rif(), allow_log => qr/all descriptors/);
        my ($file, $zone) = (file($server), zone($server));
        faults($fault);
        no_descriptor(patch($server, 'atlas', name => 'No'), 'a change is refused');
        like($server->error_log, $log, 'and the log tells why');
        faults();
        ok(file($server) eq $file, 'the file is as it was');
        is_deeply(zone($server), $zone, 'so is the zone');
        is(patch($server, 'atlas', name => 'After')->status, 200, 'then it is made');

        for my $kind (qw(file folder)) {
            faults("open $kind " . EMFILE);
            like($server->reload, qr/emerg.*all descriptors are in use, .*ulimit -n/,
                 "a reload tells the same of a $kind");
        }
        faults();
        loads($server);
        $server->stop;
    };
}


# ---- what can't be taken back

my @DEAD = ([ 'a line', [ 'fsync file ' . EIO, 'ftruncate file ' . EIO ] ],
            [ 'half a line', [ 'write file ' . ENOSPC . ' SIZE',
                               'ftruncate file ' . EIO ] ]);

sub dead {
    my ($server, $faults, @request) = @_;
    faults(map { s/SIZE/length(file($server)) + 20/er } @$faults);
    no_storage(admin($server, @request), 'it is refused');
    faults();
}

for my $row (@DEAD) {
    my ($what, $faults) = @$row;

    subtest "$what that is refused is not in force after a reload" => sub {
        my $server = start(atlas_and_rif());
        my $zone = zone($server);
        dead($server, $faults, PATCH => 'partners/atlas', { rate => '7r/d' });
        is($server->reload, '', 'a reload is accepted');
        is_deeply(zone($server), $zone, 'all is as it was');
        is(patch($server, 'rif', name => 'Rif')->status, 200,
           'the next change');
        is(get($server, 'atlas')->json->{rate}, '1000r/h', 'is none of this');
        loads($server);
        $server->stop;
    };

    subtest "a line by hand, after $what that was refused" => sub {
        my $server = start(atlas_and_rif());
        dead($server, $faults, PATCH => 'partners/atlas', { rate => '7r/d' });
        is(patch($server, 'rif', name => 'Rif')->status, 200,
           'a change works again');
        append($server, line(partner('hand', 'hand-key')));
        is(patch($server, 'rif', name => 'Rif 2')->status, 200, 'one more');
        is($server->reload, '', 'a reload');
        works($server, 'hand-key', 'who was added by hand is there');
        is(get($server, 'rif')->json->{name}, 'Rif 2', 'so is the change');
        is(get($server, 'atlas')->json->{rate}, '1000r/h',
           'what was refused is not');
        loads($server);
        $server->stop;
    };

    subtest "$what in a file that was replaced by hand" => sub {
        my $server = start(atlas_and_rif());
        my $text = file($server) =~ s/"rate":"50r\/h"/"rate":"60r\/h"/r;
        replace($server, $text);
        dead($server, $faults, PATCH => 'partners/atlas', { rate => '7r/d' });
        is(get($server, 'atlas')->json->{rate}, '1000r/h', 'memory is as it was');
        is(patch($server, 'atlas', name => 'After')->status, 200,
           'a change works again');
        is(get($server, 'atlas')->json->{rate}, '1000r/h',
           'what was refused is no part of it');
        is($server->reload, '', 'the file can be loaded');
        is(get($server, 'atlas')->json->{rate}, '1000r/h',
           'nor is it in the file');
        is(get($server, 'atlas')->json->{name}, 'After', 'the change is');
        is(get($server, 'rif')->json->{rate}, '60r/h', 'and what was by hand');
        $server->stop;
    };
}

# Whoever takes out what was refused writes there, and dies before all know.

subtest 'a change that is killed where one was refused' => sub {
    my $server = start(atlas_and_rif(), allow_log => qr/$CRIT|exited on signal 9/);
    my ($size, $name) = (length file($server), get($server, 'p1')->json->{name});
    dead($server, [ 'fsync file ' . EIO, 'ftruncate file ' . EIO ],
         PATCH => 'partners/p1', { name => 'No' });
    my $refused = length(file($server)) - $size;

    faults('fsync file -1 ' . ($size + 1));
    is(patch($server, 'atlas', name => 'Killed'), undef, 'killed');
    faults();
    cmp_ok(length file($server), '>', $size + $refused, 'its line is longer');

    is(patch($server, 'rif', name => 'After')->status, 200, 'the next change');
    is(get($server, 'atlas')->json->{name}, 'Killed', 'the one that was killed');
    is(get($server, 'p1')->json->{name}, $name, 'not the one that was refused');
    is($server->reload, '', 'a reload');
    is(get($server, 'atlas')->json->{name}, 'Killed', 'changes nothing');
    is(get($server, 'rif')->json->{name}, 'After', 'of that');
    loads($server);
    $server->stop;
};

subtest 'a worker that is killed where it takes out what was refused' => sub {
    my $server = start_to_kill(atlas_and_rif());
    my $file = file($server);
    dead($server, [ 'fsync file ' . EIO, 'ftruncate file ' . EIO ],
         PATCH => 'partners/atlas', { name => 'No' });

    faults('fsync file -1 0');
    is(patch($server, 'rif', name => 'Killed'), undef, 'killed');
    ok(file($server) eq $file, 'the file is as it was, but for its time');
    faults();
    is(patch($server, 'rif', name => 'After')->status, 200, 'the next change');
    is(get($server, 'atlas')->json->{name}, 'Atlas', 'what was refused is not there');
    not_edited($server);
    loads($server);
    $server->stop;
};

sub start_to_kill {
    return start($_[0], allow_log => qr/$CRIT|exited on signal 9/);
}

sub finds {
    my ($server, $id, $name, $what) = @_;
    # the worker that takes the connection may be the one that dies
    ok(wait_for {
        my $r = get($server, $id);
        $r && $r->status == 200 && ($r->json->{name} // '') eq $name;
    }, $what);
}

sub not_edited {
    my ($server) = @_;
    unlike($server->error_log, qr/another program/, 'nobody has edited the file');
}

subtest 'a change whose worker was killed' => sub {
    my $server = start_to_kill(atlas_and_rif());

    for my $run (1, 2) {
        faults('fsync file -1 ' . (1 + length file($server)));
        is(patch($server, 'atlas', name => "Killed $run"), undef, 'killed');
        is(patch($server, 'rif', name => "Killed, too $run"), undef, 'one more');
        faults();
        finds($server, 'atlas', "Killed $run", 'who looks then finds what is in the file');
        my $too = file($server) =~ /Killed, too $run/;
        finds($server, 'rif', "Killed, too $run", 'of the other, too') if $too;
    }

    not_edited($server);
    loads($server);
    $server->stop;
};

subtest 'a change whose worker was killed before it wrote a byte' => sub {
    my $server = start_to_kill(atlas_and_rif());
    my $file = file($server);

    faults('write file -1');
    is(patch($server, 'atlas', name => 'No'), undef, 'killed');
    faults();
    ok(file($server) eq $file, 'the file is as it was, but for its time');
    is(patch($server, 'rif', name => 'After')->status, 200, 'the next change');
    is(get($server, 'atlas')->json->{name}, 'Atlas', 'that one was not made');
    not_edited($server);
    loads($server);
    $server->stop;
};

# What others bring into force has to be on the disk, too.

for my $edited ('', ', in a file that was edited') {
    subtest "a change whose worker was killed before it was on the disk$edited" => sub {
        my $server = start_to_kill(atlas_and_rif());
        replace($server, file($server)) if $edited;

        faults('fsync file -2 ' . (1 + length file($server)));
        is(patch($server, 'atlas', name => 'Killed'), undef, 'killed');
        like(file($server), qr/Killed/, 'its line is in the file');

        faults('fsync file ' . EIO);
        no_storage(patch($server, 'rif', name => 'No'), 'the next change');
        is(get($server, 'atlas')->json->{name}, 'Atlas', 'who looks does not find it yet');
        faults();
        finds($server, 'atlas', 'Killed', 'but when it is on the disk');
        is(patch($server, 'rif', name => 'After')->status, 200, 'changes go on');
        not_edited($server) if !$edited;
        loads($server);
        $server->stop;
    };
}

subtest 'a worker that was killed while it compacted' => sub {
    my $server = start_to_kill(line(partner('atlas', 'atlas-key')));
    my $n = 0;

    faults('fsync compact -1 0');
    ok(wait_for { patch($server, 'atlas', name => 'n' . ++$n); -e "$server->{partners}.compact" },
       'it was');
    faults();
    ok(wait_for { patch($server, 'atlas', name => 'n' . ++$n); lines($server) < 4 },
       'another one does');
    finds($server, 'atlas', "n$n", 'nothing is lost');
    ok(!-e "$server->{partners}.compact", 'nothing lies beside');
    not_edited($server);
    loads($server);
    $server->stop;
};

# Its new file, with secrets in it, is not to lie there until someone comes.

subtest 'a worker that was killed right before it renamed' => sub {
    my $server = start_to_kill(line(partner('atlas', 'atlas-key')));

    faults('rename compact -1');
    patch($server, 'atlas', name => "n$_") for 1 .. 3;
    ok($server->wait_log(qr/exited on signal 9/), 'it was');
    # the one that takes its place makes it anew, and is killed there, too
    ok(wait_for { -e "$server->{partners}.compact" }, 'its file is there');
    faults();
    ok(wait_for { lines($server) == 1 && !-e "$server->{partners}.compact" },
       'who takes its place brings it to its end, unasked');
    not_edited($server);
    loads($server);
    $server->stop;
};

subtest 'a line by hand is not taken for what a worker has left' => sub {
    my $server = start(atlas_and_rif());
    my $half = '{"id":"hand","na';
    append($server, $half);
    get($server, 'atlas') for 1 .. 5;
    append($server, 'me":"Hand","keys":[]}' . "\n");
    is(get($server, 'hand')->status, 404, 'who looks changes nothing');
    is($server->reload, '', 'the file can be loaded');
    is(get($server, 'hand')->json->{name}, 'Hand', 'and says all of it');
    $server->stop;
};

# A worker is stopped where it holds the zone's mutex. If it's killed there, the
# mutex is free at once, also for a master that reloads and hears of no death.

sub stopped {
    my ($server) = @_;
    my $worker;

    faults('unlock mutex -1');
    my $client = patch_sent($server, 'atlas', name => 'Stopped');
    ok(wait_for {
        ($worker) = grep { slurp("/proc/$_/stat") =~ /\) T / } $server->worker_pids;
    }, 'a worker is stopped in a change');
    faults();

    return ($worker, $client);
}

subtest 'a worker is stopped in a change, and others ask' => sub {
    my $server = start(atlas_and_rif(), allow_log => qr/$CRIT|does not go on/);
    my ($worker, $client) = stopped($server);

    my $r = patch($server, 'rif', name => 'Other');
    is($r->status, 503, 'another change is answered');
    like($r->json->{detail}, qr/does not go on/, 'and why');
    is(get($server, 'rif')->status, 200, 'who looks is, too');

    kill 'CONT', $worker;
    is($client->response->status, 200, 'the worker goes on');
    is(patch($server, 'rif', name => 'After')->status, 200, 'and so do changes');
    loads($server);
    $server->stop;
};

# The signals that a process doesn't take now; nginx takes them while it waits.

sub blocks {
    my ($pid, $signal) = @_;
    my ($blocked) = slurp("/proc/$pid/status") =~ /^SigBlk:\s*([0-9a-f]+)/m;
    return hex($blocked) >> ($signal - 1) & 1;
}

# The worker, in its change, is what the master and another change wait for; both do
# so for 2 s. If we were too slow to kill it by then, all is done once more.

sub dies_at_a_reload {
    my ($with) = @_;
    my $given_up = qr/is locked by another process|changes wassiit_zone .* does not go on/;

    for my $try (1 .. 5) {
        my $server = start(atlas_and_rif(), allow_log => qr/$CRIT|exited on signal 9/);
        my @workers;
        wait_for { 2 == (@workers = $server->worker_pids) };
        my ($worker, $client) = stopped($server);
        my $since = Wassiit::_now();
        my $other = $with =~ /change/ && patch_sent($server, 'rif', name => 'Other');

        # its lock is another one, and only the zone's is waited for
        replace($server, file($server)) if $with =~ /file/;

        $server->signal('HUP');
        my $reloads = wait_for { blocks($server->pid, SIGCHLD) };
        kill 'KILL', $worker;
        my $is_late = Wassiit::_now() - $since > 1 && $try < 5;
        my $answer = $other && verdict($other->response);

        my %former = map { $_ => 1 } @workers;
        my $ends = wait_for {
            my @now = $server->worker_pids;
            return 1 if @now == 2 && !grep { $former{$_} } @now;
            return $is_late && $server->error_log =~ $given_up;
        };

        if ($is_late && ($server->error_log =~ $given_up || !$reloads
                         || $answer eq '503 unavailable'))
        {
            $server->{allow_log} = qr/$server->{allow_log}|$given_up/;
            $server->stop;
            next;
        }

        ok($reloads, 'the master reloads');
        is($answer, 200, 'the other change') if $other;
        ok($ends, 'the reload comes to an end');
        return ($server, $other);
    }
}

for my $with ('', 'another change', 'a file that was replaced') {
    subtest 'a worker dies in a change, and a reload waits' . ($with && " with $with") => sub {
        my ($server, $other) = dies_at_a_reload($with);
        is(get($server, 'rif')->json->{name}, 'Other', 'what was answered is there') if $other;
        is(patch($server, 'p1', name => 'After')->status, 200, 'changes go on');
        loads($server);
        $server->stop;
    };
}

subtest 'a worker dies in a change, and the master does not hear of it' => sub {
    my $server = start(atlas_and_rif(), allow_log => qr/$CRIT|exited on signal 9/);
    my ($worker, $client) = stopped($server);

    $server->signal('STOP');
    kill 'KILL', $worker;
    is(patch($server, 'rif', name => 'After')->status, 200, 'changes go on');
    $server->signal('CONT');
    loads($server);
    $server->stop;
};

# A server whose master has died when some of many new partners, but not all,
# were in the zone; they come there in the order of their ids.

sub half_loaded {
    my @ids = @_;

    for my $try (1 .. 10) {
        my $server = start(atlas_and_rif(), zone => '256m', workers => 1);
        append($server, join '', map { line({ id => $_, keys => [] }) } @ids);

        # without a pause, as all of it is there soon after the first
        $server->signal('HUP');
        my $end = Wassiit::_now() + 20;
        1 until get($server, $ids[0])->status == 200 || Wassiit::_now() > $end;
        kill 'KILL', $server->pid;
        return $server if get($server, $ids[0])->status == 200
                          && get($server, $ids[-1])->status == 404;

        # it was through with it before we knew, or a disk has kept it from it
        Wassiit::Operators::kill_all($server);
        $server->stop;
    }

    die "no load is slow enough\n";
}

subtest 'the master dies in the middle of a load' => sub {
    my @ids = map { sprintf 'i%06d', $_ } 1 .. 100_000;
    my $server = half_loaded(@ids);
    my $lines = lines($server);

    is(get($server, $ids[0])->status, 200, 'the first is there');
    is(admin($server, POST => 'partners', { id => $ids[-1] })->status, 409,
       'who is in the file is not made again');
    is(get($server, $ids[-1])->status, 200, 'but is there from now on');
    is(patch($server, 'rif', name => "After $_")->status, 200, 'a change') for 1 .. 3;
    is(lines($server), $lines + 3, 'is a line more, and none has gone');

    Wassiit::Operators::kill_all($server);
    Wassiit::Operators::revive($server);
    is(get($server, $_)->status, 200, "$_ is there") for @ids[0, 50_000, -1];
    is(get($server, 'rif')->json->{name}, 'After 3', 'and the changes');
    $server->stop;
};

# As a file server holds one: it's asked for the file when someone opens it.

subtest 'the file is leased to another program' => sub {
    my $server = start(atlas_and_rif());
    my $pid = open(my $lessee, '-|') // die "fork: $!";

    if ($pid == 0) {
        $SIG{IO} = sub { POSIX::_exit(0) };
        open my $file, '+<', $server->{partners} or POSIX::_exit(1);
        fcntl $file, F_SETLEASE, F_WRLCK or POSIX::_exit(2);
        syswrite STDOUT, "leased\n";
        sleep 60;
        POSIX::_exit(3);
    }

    is(<$lessee>, "leased\n", 'it has the lease');
    is(patch($server, 'atlas', name => 'After')->status, 200, 'a change is made');
    waitpid $pid, 0;
    is($?, 0, 'when the lease was asked back');
    loads($server);
    $server->stop;
};

subtest 'a line by hand, where one was refused and taken out' => sub {
    my $server = start(atlas_and_rif());
    my $size = length file($server);
    dead($server, [ 'fsync file ' . EIO, 'ftruncate file ' . EIO ],
         PATCH => 'partners/p1', { name => 'No' });
    my $hand = line(partner('hand', 'hand-key', name => 'H' x 100));
    cmp_ok(length $hand, '>', length(file($server)) - $size, 'it is longer');

    faults('fsync file ' . EIO);
    no_storage(patch($server, 'rif', name => 'Nor this'), 'the next is refused, too');
    faults();
    is(length file($server), $size, 'the other is taken out');
    append($server, $hand);
    is(patch($server, 'rif', name => 'After')->status, 200, 'a change works again');
    is($server->reload, '', 'a reload');
    works($server, 'hand-key', 'who was added by hand is there');
    is(get($server, 'rif')->json->{name}, 'After', 'so is the change');
    loads($server);
    $server->stop;
};

subtest 'a line by hand, after a write that did nothing' => sub {
    my $server = start(atlas_and_rif());
    dead($server, [ 'write file ' . EIO, 'ftruncate file ' . EIO ],
         PATCH => 'partners/atlas', { rate => '7r/d' });
    append($server, line(partner('hand', 'hand-key')));
    is(patch($server, 'rif', name => 'Rif')->status, 200,
       'a change works again');
    is($server->reload, '', 'a reload');
    works($server, 'hand-key', 'who was added by hand is there');
    $server->stop;
};


# ---- a zone that is full

subtest 'a zone that is full' => sub {
    my $server = start('', zone => '64k');
    my (%key, $r, $n);

    for ($n = 1; $n < 2000; $n++) {
        $r = admin($server, POST => 'partners', { id => "p$n" });
        last if $r->status != 201;
        $key{"p$n"} = $r->json->{key};
    }

    no_storage($r, 'one is too many');
    cmp_ok($n, '>', 10, 'after many');
    is(get($server, "p$n")->status, 404, 'it is not there');
    unlike(file($server), qr/"p$n"/, 'nor in the file');
    is(keys %{ zone($server) }, $n - 1, 'all others are');
    is(lines($server), $n - 1, 'each has a line');
    my @lost = grep { ask($server, $key{$_})->status != 200 } sort keys %key;
    is("@lost", '', 'all of their keys work');

    my ($file, $zone) = (file($server), zone($server));
    no_storage(patch($server, 'p1', rate => '10000r/d'),
               'a larger window finds no room');
    ok(file($server) eq $file, 'the file is as it was');
    is_deeply(zone($server), $zone, 'so is the zone');
    works($server, $key{p1}, 'the partner has its window');

    is(patch($server, 'p1', enabled => $OFF)->status, 200,
       'what needs none is accepted');
    is(verdict(ask($server, $key{p1})), '403 partner_disabled',
       'and in force');

    is(admin($server, DELETE => 'partners/p2')->status, 204, 'one goes');
    refused($server, $key{p2}, 'with its key');
    my $room = wait_for {
        $r = admin($server, POST => 'partners', { id => "p$n" });
        return $r->status == 201;
    } 5;
    ok($room, 'another finds room');
    works($server, $r->json->{key}, 'and is let in') if $r->status == 201;

    $zone = zone($server);
    $file = file($server);
    is($server->reload, '', 'the zone holds what is in the file');
    is_deeply(zone($server), $zone, 'all of it');
    my $other = eval { start($file, zone => '64k') };
    ok($other, 'after a restart, too') or diag($@);
    is_deeply(zone($other), $zone, 'all of it') if $other;
    $other->stop if $other;
    $server->stop;
};

# Its window is larger than it has to be, and there's no room for another.

subtest 'a rate that was lowered, in a zone that is full' => sub {
    my $server = start('', zone => '64k');
    my ($n, $secrets) = (0, 0);
    my $fill = sub {
        my $r;
        1 while ($r = admin($server, POST => 'partners', { id => 'p' . $n++ }))->status == 201;
        1 while ($r = admin($server, POST => 'partners/p' . $secrets++ . '/hmac_secret'))->status == 201;
        return $r->json->{detail} =~ /more memory/;
    };
    my $key = admin($server, POST => 'partners', { id => 'v', rate => '400r/s' })->json->{key};
    my $other = admin($server, POST => 'partners/v/keys')->json;

    admin($server, POST => 'partners', { id => "room$_" }) for 1 .. 4;
    ok($fill->(), 'the zone is full');
    admin($server, DELETE => "partners/room$_") for 1 .. 4;

    # as many requests as the limit lets through; of what they have used most
    # is kept, until it is a second ago
    my $lowered = wait_for {
        my $client = Wassiit::Client->new($server->port);
        $client->send("GET / HTTP/1.1\r\nHost: x\r\nX-API-Key: $key\r\n\r\n" x 300);
        $client->response for 1 .. 300;
        patch($server, 'v', rate => '20r/s')->status == 200;
    };
    ok($lowered, 'the rate is lowered');
    ok(wait_for { $fill->() }, 'the zone is full again');
    ok(wait_for { get($server, 'v')->json->{window}{used} == 0 }, 'nothing is used any more');

    is(admin($server, DELETE => "partners/v/keys/$other->{id}")->status, 204, 'a key is revoked');
    refused($server, $other->{key}, 'and works no more');
    is(patch($server, 'v', enabled => $OFF)->status, 200, 'the partner is disabled');
    is(verdict(ask($server, $key)), '403 partner_disabled', 'and refused');
    loads_small($server);
    $server->stop;
};

subtest 'a zone that keys have filled' => sub {
    my @crowd = map { partner("p$_", undef, rate => '1r/h') } 1 .. 48;
    my $server = start(join('', map { line($_) } @crowd), zone => '64k');
    my ($r, $id, $made);

    for my $n (1 .. 48 * 8) {
        $id = 'p' . (1 + $n % 48);
        $r = admin($server, POST => "partners/$id/keys");
        last if $r->status != 201;
        $made++;
    }

    no_storage($r, 'one is too many');
    my $keys = 0;
    $keys += @{ $_->{keys} } for values %{ zone($server) };
    is($keys, $made, 'all others are there');
    loads_small($server);
    $server->stop;
};

sub loads_small {
    my ($server) = @_;
    my $zone = zone($server);
    my $file = file($server);
    is($server->reload, '', 'the file can be loaded');
    is_deeply(zone($server), $zone, 'it says the same');
    my $other = eval { start($file, zone => '64k') };
    ok($other, 'also after a restart') or diag($@);
    $other->stop if $other;
}


# ---- compaction

my $ATLAS = line(partner('atlas', 'atlas-key', rate => '1000r/h'));

for my $row (
    [ 'rename()', 'rename compact ' . EIO ],
    [ 'fsync()', 'fsync compact ' . EIO ],
    [ 'open()', 'open compact ' . EACCES ],
    [ 'a write', 'write compact ' . ENOSPC . ' 10' ])
{
    my ($what, $fault) = @$row;

    subtest "compaction: $what fails" => sub {
        my $server = start($ATLAS);
        faults($fault);

        my @wrong = grep { patch($server, 'atlas', name => "n$_")->status
                           != 200 } 1 .. 20;
        is("@wrong", '', 'changes go on');
        $server->wait_log(qr/\[warn\] .*partners\.jsonl/);
        like($server->error_log, qr/\[warn\] .*partners\.jsonl/, 'with a warning');
        is(lines($server), 21, 'the file has all of their lines');
        ok(!-e "$server->{partners}.compact", 'and none lies beside it');
        works($server, 'atlas-key', 'the key works');
        my ($done, $failed, $faults) = split ' ', compactions($server);
        ok($done eq '0' && $failed > 0 && $failed eq $faults, "failures count: $failed");

        faults();
        my $n = 20;
        my $compact = wait_for {
            $n++;
            patch($server, 'atlas', name => "n$n");
            return lines($server) < 20;
        };
        ok($compact, 'later on it is compacted');
        ok(wait_for { compactions($server) =~ /^1 \d+ $failed$/ }, 'and that counts, once');
        is(get($server, 'atlas')->json->{name}, "n$n", 'nothing is lost');
        loads($server);
        $server->stop;
    };

    subtest "compaction at a start: $what fails" => sub {
        my $text = $ATLAS . line({ id => 'old' })
                   . line({ id => 'old', deleted => $ON })
                   . line(partner('atlas', 'atlas-key', name => 'New'));
        faults($fault);
        my $server = start($text);
        is(file($server), $text, 'the file is as it was');
        like($server->error_log, qr/\[error\] .*partners\.jsonl/,
             'it is logged');
        ok(!-e "$server->{partners}.compact", 'none lies beside it');
        is_deeply([ keys %{ zone($server) } ], ['atlas'], 'it is served');
        is(patch($server, 'atlas', rate => '7r/m')->status, 200,
           'and can be changed');
        is(get($server, 'atlas')->json->{name}, 'New', 'by its last line');
        faults();
        is($server->reload, '', 'a reload');
        is(lines($server), 1, 'compacts it');
        loads($server);
        $server->stop;
    };
}

# That no change is answered for meanwhile is t/admin_compact.t's.

subtest 'compaction: a folder that was not on the disk, and a reload' => sub {
    my $server = start($ATLAS);
    is(patch($server, 'atlas', name => 'n1')->status, 200, 'a change');
    faults('fsync folder ' . EIO);
    is(patch($server, 'atlas', name => "n$_")->status, 200, 'one more') for 2 .. 3;
    ok(wait_for { return lines($server) == 1 }, 'the file is a new one');
    no_storage(patch($server, 'atlas', name => 'Not yet'), 'one is refused');

    faults();
    is(patch($server, 'atlas', name => 'Now')->status, 200, 'until it is');
    loads($server);
    $server->stop;
};

subtest 'by hand: the folder is not on the disk' => sub {
    my $server = start(atlas_and_rif());
    is(patch($server, 'atlas', name => 'A')->status, 200, 'a change');
    replace($server, file($server) . '{"id":"hand"}' . "\n");
    my $file = file($server);
    faults('fsync folder ' . EIO);
    no_storage(patch($server, 'atlas', name => 'B'), 'whose is the file after a crash?');
    no_storage(patch($server, 'atlas'), 'not even what it says is told');
    ok(file($server) eq $file, 'the file is as it was');
    is(get($server, 'atlas')->json->{name}, 'A', 'so is the zone');
    faults();
    is(patch($server, 'atlas', name => 'C')->status, 200, 'until it is');
    is($server->reload, '', 'a reload');
    loads($server);
    $server->stop;
};

subtest 'compaction at a start: a folder that was not on the disk, and a reload' => sub {
    faults('fsync folder ' . EIO . ' ' . length($ATLAS . $ATLAS));
    my $server = start($ATLAS . $ATLAS);
    no_storage(patch($server, 'atlas', name => 'Not yet'), 'no change');
    faults();
    is(patch($server, 'atlas', name => 'Now')->status, 200, 'until it is');
    loads($server);
    $server->stop;
};


# ---- what is loaded is on the disk, whoever wrote it, and however he ended

for my $row ([ 'the file', 'fsync file ' . EIO,
               qr/\[emerg\] .*fsync\(\) ".*partners\.jsonl" failed/ ],
             [ 'its folder', 'fsync folder ' . EIO,
               qr/\[emerg\] .*fsync\(\) of the folder of ".*\.jsonl" failed/ ])
{
    my ($what, $fault, $says) = @$row;

    subtest "a reload that can't wait for $what" => sub {
        my $server = start($ATLAS);
        append($server, line(partner('left', 'left-key')));

        faults($fault);
        like($server->reload, $says, 'it is refused and says why');
        refused($server, 'left-key', 'nothing that may go again is in force');
        works($server, 'atlas-key', 'what was before is');
        my ($exit, undef, $error) =
            Wassiit::_run(Wassiit::_command($server->dir), '-t');
        is($exit, 0, 'nginx -t waits for nothing') or diag($error);

        faults();
        is($server->reload, '', 'when it can, it is accepted');
        works($server, 'left-key', 'and all of it in force');
        $server->stop;
    };
}


# ---- a torn last line

subtest 'a torn last line' => sub {
    my $whole = atlas_and_rif();
    my $line = line(partner('torn', 'torn-key', name => "Caf\x{e9}"));

    for my $torn (substr($line, 0, 40), '{', substr($line, 0, -2),
                  $line =~ s/Caf\xc3\K.*//sr, "\0" x 100, '{"id":"to' . "\0" x 50)
    {
        my $server = eval { start($whole . $torn) };
        ok($server, 'nginx starts') or diag($@), next;
        like($server->error_log, qr/\[warn\] .*\.jsonl:23: ends in the middle/,
             'and warns');
        is(file($server), $whole, 'the file is cut');
        refused($server, 'torn-key', 'who was not whole is not there');
        is(patch($server, 'atlas', name => 'New')->status, 200,
           'a change works');
        like(file($server), qr/\A\Q$whole\E[^\n]+\n\z/, 'and adds a line');
        is($server->reload, '', 'which is loaded');
        is(get($server, 'atlas')->json->{name}, 'New', 'and counts');

        # one more, while nginx runs
        my $now = file($server);
        append($server, $torn);
        my $dir = $server->dir;
        is(system("$ENV{TEST_NGINX_BINARY} -t -p $dir/ -c conf/nginx.conf "
                  . "-e logs/test.log 2>$dir/logs/test.err"), 0,
           'nginx -t accepts one');
        like(slurp("$dir/logs/test.err"), qr/\[warn\] .*ends in the middle/,
             'warns');
        is(file($server), "$now$torn", 'and changes nothing');
        is(patch($server, 'atlas', name => 'Newer')->status, 200,
           'a change works');
        like(file($server), qr/\A\Q$now\E[^\n]+\n\z/,
             'and has taken its place');
        is($server->reload, '', 'all is loaded');
        is(get($server, 'atlas')->json->{name}, 'Newer', 'all counts');
        $server->stop;
    }
};


# ---- by hand too

sub hand {
    my ($what, $code) = @_;
    subtest "by hand: $what" => sub {
        my $server = start(atlas_and_rif());
        $code->($server);
        $server->stop;
    };
}

sub accepted {
    my ($r, $status, $what) = @_;
    is($r->status, $status, $what) or diag($r->body);
    return $r;
}

hand('the file is replaced' => sub {
    my ($server) = @_;
    replace($server, file($server) =~ s/1000r\/h/777r\/h/r);
    my $r = accepted(admin($server, POST => 'partners/atlas/keys'), 201,
                     'a key is added');
    works($server, $r->json->{key}, 'and works');
    accepted(patch($server, 'rif', name => 'Changed'), 200,
             'another partner is changed');
    my $before = zone($server);
    is($server->reload, '', 'a reload');

    is(get($server, 'atlas')->json->{rate}, '777r/h', 'the rate is by hand');
    works($server, $r->json->{key}, 'the key is there');
    works($server, 'atlas-key', 'so is the other');
    is(get($server, 'rif')->json->{name}, 'Changed', 'and the change');
    is_deeply(zone($server), $before,
              'what was changed is in force before the reload');
    loads($server);
});

for my $row ([ 'a line is added', "\n" ], [ 'a line without LF', '' ],
             [ 'lines are added', "\n{\"id\":\"more\"}\n\n" ])
{
    my ($what, $end) = @$row;

    hand($what => sub {
        my ($server) = @_;
        my $line = line(partner('hand', 'hand-key', name => 'Hand'));
        chomp $line;
        append($server, $line . $end);
        accepted(patch($server, 'rif', name => 'Changed'), 200, 'a change');
        accepted(patch($server, 'hand', rate => '7r/h'), 200,
                 'one of the new partner');
        accepted(patch($server, 'rif', rate => '8r/h'), 200, 'one more');
        is($server->reload, '', 'a reload');
        works($server, 'hand-key', 'the new one is there');
        is(get($server, 'hand')->json->{name}, 'Hand', 'by its name');
        is(get($server, 'hand')->json->{rate}, '7r/h', 'and its change');
        is(get($server, 'rif')->json->{name}, 'Changed', 'the first change');
        is(get($server, 'rif')->json->{rate}, '8r/h', 'and the last');
        loads($server);
    });
}

hand('the file is written over' => sub {
    my ($server) = @_;

    for my $n ('12345r/d', '5r/d') {
        rewrite($server, file($server) =~ s/("id":"atlas".*"rate":")[^"]+/$1$n/r);
        accepted(patch($server, 'atlas', name => "At $n"), 200, 'a change');
        accepted(patch($server, 'rif', name => "At $n"), 200, 'another');
        is($server->reload, '', 'a reload');
        is(get($server, 'atlas')->json->{rate}, $n, "the rate is $n");
        is(get($server, 'atlas')->json->{name}, "At $n", 'the name is new');
        is(get($server, 'rif')->json->{name}, "At $n", 'so is the other');
    }

    loads($server);
});

# As nano does it: the file is as long as it was, its lines are elsewhere.

hand('the file is written over, as long as it was' => sub {
    my ($server) = @_;
    my $n = 0;
    accepted(patch($server, 'p3', name => 'n' . ++$n), 200, 'a change');
    accepted(patch($server, 'p4', name => 'n' . ++$n), 200, 'another');
    my $text = file($server);
    $text =~ s/("id":"p1","rate":")1r/${1}12345r/ or die;
    $text =~ s/("id":"atlas".*,"name":")Atlas/${1}A/ or die;
    rewrite($server, $text);
    is(length $text, length file($server), 'it is as long as it was');

    for (1 .. 100) {
        patch($server, 'p3', name => 'n' . ++$n)->status == 200
            or return fail("change $n");
    }

    is($server->reload, '', 'a reload') or return;
    is(get($server, 'p3')->json->{name}, "n$n", 'the changes are there');
    is(get($server, 'p1')->json->{rate}, '12345r/h', 'what was by hand is');
    is(get($server, 'atlas')->json->{name}, 'A', 'all of it');
    is(keys %{ zone($server) }, 22, 'and no one is lost');
    loads($server);
});

# As "nano" leaves them: nobody can tell that more than a line was added.

hand('a line is edited in its place, and one is added' => sub {
    my ($server) = @_;
    my $text = file($server);
    $text =~ s/("id":"atlas".*"rate":")1000r/${1}2000r/ or die;
    is(length $text, length file($server), 'at the same length');
    rewrite($server, $text . line(partner('hand', 'hand-key')));
    accepted(patch($server, 'rif', name => 'Changed'), 200, 'a change takes the one');
    works($server, 'hand-key', 'who is there now');

    my $r = accepted(patch($server, 'atlas', rate => '2000r/h'), 200, 'what it says is set');
    is($r->json->{rate}, '2000r/h', 'and told');
    is(ask($server, 'atlas-key')->header('X-RateLimit-Limit'), 2000, 'and holds');
    is($server->reload, '', 'a reload');
    is(get($server, 'atlas')->json->{rate}, '2000r/h', 'changes nothing');
    loads($server);
});

hand('a change is refused for what the file says' => sub {
    my ($server) = @_;
    my $text = file($server);
    $text =~ s/("id":"rif".*"rate":")\d+r/${1}77r/ or die;
    replace($server, $text . line(partner('hand', 'hand-key')));
    my $file = file($server);

    is(get($server, 'hand')->status, 404, 'the new partner waits');
    is(admin($server, POST => 'partners', { id => 'hand' })->status, 409, 'it can not be made');
    is(get($server, 'hand')->status, 200, 'as it is there');
    works($server, 'hand-key', 'and served');

    is(get($server, 'rif')->json->{rate}, '50r/h', 'a rate waits');
    is(admin($server, DELETE => 'partners/rif/keys/none')->status, 404, 'there is no such key');
    is(get($server, 'rif')->json->{rate}, '77r/h', 'all else is as it stands there');
    ok(file($server) eq $file, 'the file is as it was by hand');
    is($server->reload, '', 'a reload');
    loads($server);
});

hand("a partner's line is taken out" => sub {
    my ($server) = @_;
    replace($server, file($server) =~ s/^.*"id":"rif".*\n//mr);
    is(patch($server, 'rif', name => 'Gone')->status, 404,
       'it can not be changed any more');
    accepted(patch($server, 'atlas', name => 'Stays'), 200, 'another can');
    works($server, 'rif-key-1', 'it is served until a reload');
    accepted(admin($server, DELETE => 'partners/rif'), 204,
             'or until it is deleted');
    refused($server, 'rif-key-1', 'it has gone');
    is($server->reload, '', 'a reload');
    refused($server, 'rif-key-1', 'changes nothing of that');
    is(get($server, 'rif')->status, 404, 'for all');
    is(get($server, 'atlas')->json->{name}, 'Stays', 'the change is there');
    loads($server);
});

# What a worker leaves that dies in a removal, too, if the file was edited.

hand('a line says that a partner is deleted' => sub {
    my ($server) = @_;
    append($server, qq({"id":"p1","name":"By hand"}\n{"id":"rif","deleted":true}\n));
    my $file = file($server);
    works($server, 'rif-key-1', 'it is served');
    is(patch($server, 'rif', name => 'Gone')->status, 404, 'until it is to be changed');
    refused($server, 'rif-key-1', 'for it has gone');
    is(get($server, 'rif')->status, 404, 'for operators, too');
    ok(file($server) eq $file, 'the file is as it was by hand');
    isnt(get($server, 'p1')->json->{name}, 'By hand', 'the other line waits');
    accepted(admin($server, POST => 'partners', { id => 'rif', name => 'Anew' }), 201,
             'it is made anew');
    is($server->reload, '', 'a reload');
    is(get($server, 'rif')->json->{name}, 'Anew', 'it is there');
    is(get($server, 'p1')->json->{name}, 'By hand', 'and the other line');
    loads($server);
});

hand("a partner's line is taken out, and made again" => sub {
    my ($server) = @_;
    replace($server, file($server) =~ s/^.*"id":"rif".*\n//mr);
    my $r = accepted(admin($server, POST => 'partners', { id => 'rif' }), 201,
                     'its id is free');
    works($server, $r->json->{key}, 'the new key works');
    refused($server, 'rif-key-1', 'the old one does not');
    is($server->reload, '', 'a reload');
    works($server, $r->json->{key}, 'the new key works');
    loads($server);
});

hand('an error in the middle' => sub {
    my ($server) = @_;
    my $good = file($server);
    replace($server, $good =~ s/"id":"p7"/"id":"p7",/r);

    like($server->reload, qr/partners\.jsonl:7: /, 'the reload names the line');
    works($server, 'rif-key-1', 'the old configuration serves');
    accepted(patch($server, 'rif', name => 'Changed'), 200,
             'a change is accepted');
    is(get($server, 'rif')->json->{name}, 'Changed', 'and in force');
    my $r = accepted(admin($server, POST => 'partners/atlas/keys'), 201,
                     'so is a key');
    works($server, $r->json->{key}, 'that works');
    like($server->reload, qr/partners\.jsonl:7: /, 'still not');
    replace($server, file($server) =~ s/"p7",/"p7"/r);
    is($server->reload, '', 'mended, it is loaded');
    is(get($server, 'rif')->json->{name}, 'Changed', 'with the change');
    works($server, $r->json->{key}, 'and the key');
    loads($server);
});

hand("an error in a partner's own line" => sub {
    my ($server) = @_;
    my $good = file($server);
    replace($server, $good =~ s/"50r\/h"/"50r\/w"/r);
    my $before = file($server);
    my $r = patch($server, 'rif', name => 'Changed');
    is($r->status, 409, 'it can not be changed') or diag($r->body);
    $r = admin($server, POST => 'partners', { id => 'rif' });
    is($r->status, 409, 'nor made') or diag($r->body);
    ok(file($server) eq $before, 'the file is as it was by hand');
    accepted(patch($server, 'atlas', name => 'Changed'), 200, 'another can');
    works($server, 'rif-key-1', 'it is served as before');
    replace($server, file($server) =~ s/"50r\/w"/"50r\/m"/r);
    accepted(patch($server, 'rif', name => 'Changed'), 200,
             'mended, it is changed');
    is($server->reload, '', 'a reload');
    is(get($server, 'rif')->json->{rate}, '50r/m', 'the rate is by hand');
    is(get($server, 'rif')->json->{name}, 'Changed', 'the name is not');
    loads($server);
});

hand("an error in the last of a partner's lines" => sub {
    my ($server) = @_;
    accepted(admin($server, DELETE => 'partners/atlas/keys/k2'), 204,
             'a key is revoked');
    replace($server, file($server) =~ s/(.*)"1000r\/h"/$1"1000r\/w"/sr);
    my $before = file($server);
    my $r = patch($server, 'atlas', name => 'Changed');
    is($r->status, 409, 'it can not be changed') or diag($r->body);
    refused($server, 'atlas-key-2', 'the key stays revoked');
    ok(file($server) eq $before, 'the file is as it was by hand');
    like($server->reload, qr/partners\.jsonl:23: rate: /,
         'a reload names the line');
    refused($server, 'atlas-key-2', 'the key stays revoked');
});

hand('a torn line in a file that is replaced' => sub {
    my ($server) = @_;
    replace($server, file($server) . '{"id":"tor');
    accepted(patch($server, 'rif', name => 'Changed'), 200, 'a change');
    is($server->reload, '', 'the file can be loaded') or return;
    is(get($server, 'rif')->json->{name}, 'Changed', 'the change is there');
    loads($server);
});

hand('nothing is left of the file' => sub {
    my ($server) = @_;
    replace($server, '');
    is(patch($server, 'rif', name => 'Gone')->status, 404, 'no partner');
    accepted(admin($server, POST => 'partners', { id => 'first' }), 201,
             'a new one');
    is($server->reload, '', 'a reload');
    is_deeply([ keys %{ zone($server) } ], ['first'], 'and no one else');
    loads($server);
});

# Who is root may leave a file that the workers can't open.

hand('a file of its own' => sub {
    my ($server) = @_;
    return pass('only root can make one (left out)') if $> != 0;
    put($server->{partners}, file($server) =~ s/50r\/h/60r\/h/r);
    no_storage(patch($server, 'rif', name => 'Changed'),
               'what workers can not open is not changed');
    is(get($server, 'rif')->json->{name}, undef, 'nothing is');
    is($server->reload, '', 'a reload');
    accepted(patch($server, 'rif', name => 'Changed'), 200,
             'makes it theirs');
    is(get($server, 'rif')->json->{rate}, '60r/h', 'with what was by hand');
    loads($server);
});

done_testing;
