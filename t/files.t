#!/usr/bin/env perl

# What nginx's master, which is root's, does not do to files in a folder that
# others may write: follow links, cut, give away. And a file that another
# program has locked.

use strict;
use warnings;

use lib 't/lib';
use Fcntl qw(:flock :mode);
use POSIX qw(mkfifo);
use Test::More;
use Front;
use Wassiit;

my $ROOT = $> == 0;
my ($UID, $GID) = $ROOT ? (getpwnam 'nobody')[2, 3] : ($>, (split ' ', $))[0]);
my $DIR = test_dir();
my $KEY = make_key('atlas');
my $OPERATOR = make_key('an operator');
my $SECRET = "a secret that is long enough\n";
my $LINK = qr/is a symbolic link in a folder that others than root may write/;
my $NAMES = qr/has another name as well \(a hard link\)/;


# ---- files and folders

sub put {
    my ($path, $text, $mode) = @_;
    open my $out, '>:raw', $path or die "$path: $!";
    print {$out} $text;
    close $out or die "$path: $!";
    chmod $mode // 0600, $path or die "$path: $!";
}

sub get { return Wassiit::_read($_[0]) }
sub line { return $_[0] . "\n" }

sub partners {
    my (@ids) = @_;
    return join '', map {
        line(Wassiit::_partner_line(partner($_, make_key($_)))) } @ids;
}

# One that others may write: it is the workers', or everyone's.

my $n = 0;

sub loose {
    my ($mode) = @_;
    my $dir = "$DIR/loose-" . ++$n;
    mkdir $dir or die "$dir: $!";
    chmod $mode // 0777, $dir;
    chown $UID, $GID, $dir if $ROOT && !defined $mode;
    chmod 0700, $dir if $ROOT && !defined $mode;
    return $dir;
}

sub tight {
    my $dir = "$DIR/tight-" . ++$n;
    mkdir $dir, 0755 or die "$dir: $!";
    return $dir;
}

# All that a file is, but for the time of its last reading.

sub state_of {
    my ($path) = @_;
    my @is = stat $path or return "$path: $!";
    return join ' ', $path, @is[0 .. 5], $is[7], $is[9], $is[10], get($path);
}

sub victim {
    my ($text, $mode) = @_;
    my $path = tight() . '/victim';
    put($path, $text, $mode // 0640);
    return $path;
}


# ---- nginx

sub conf {
    my ($file, %with) = @_;
    my $admin = $with{read_only} ? '' : <<'END';
    location /admin/ {
        wassiit_access operators;
        wassiit_scope partners.manage;
        wassiit_admin partners;
    }
END
    return <<"END";
http {
    wassiit_scopes partners.manage;
    wassiit_zone zone=partners:1m file=$file;
    wassiit_zone zone=operators:1m file=operators.jsonl;
    @{[ $with{http} // '' ]}
    server {
        listen %%PORT%%;
        location / { wassiit_access partners; empty_gif; }
        $admin
        @{[ $with{server} // '' ]}
    }
}
END
}

my %OPERATORS = ('operators.jsonl' => [ partner('ops', $OPERATOR,
                                             scopes => ['partners.manage']) ]);

sub start {
    my ($file, %with) = @_;
    return Wassiit::Server->start(conf => conf($file, %with),
        files => { %OPERATORS }, allow_log => $with{allow_log});
}

# The message of nginx -t that refuses it, '' if it doesn't.

sub refusal {
    my ($file, %with) = @_;
    my ($exit, $message) = nginx_test(conf($file, %with), files => {%OPERATORS});
    return $exit ? $message : '';
}

sub enters {
    my ($server, $id) = @_;
    return http($server->port, headers => ['X-API-Key' => make_key($id)])
           ->status;
}

sub create {
    my ($server, $id) = @_;
    return http($server->port, method => 'POST', uri => '/admin/partners',
                headers => ['X-API-Key' => $OPERATOR], body => qq({"id":"$id"}))
           ->status;
}


# ---- what others may have made

# Each of these would be cut to nothing, or be taken as it is.

for my $row ([ 'zeros', "\0" x 20 ], [ 'half a line', '{"a":1' ],
             [ 'a whole line', partners('victim') ], [ 'nothing', '' ])
{
    my ($what, $text) = @$row;

    subtest "a reload, and in the file's place a link to $what" => sub {
        my $path = loose() . '/partners.jsonl';
        my $victim = victim($text);
        my $before = state_of($victim);

        put($path, partners('atlas'));
        my $server = start($path);
        is(enters($server, 'atlas'), 200, 'it is served');

        rename $path, "$path.away" or die $!;
        symlink $victim, $path or die $!;
        like($server->reload, qr/"\Q$path\E" is refused: "partners\.jsonl" $LINK/,
             'a link: the reload is refused and says why');
        is(state_of($victim), $before, 'it is as it was');
        is(enters($server, 'atlas'), 200, 'the old workers serve on');
        like(refusal($path), qr/\[emerg\].*"\Q$path\E" is refused.*$LINK/,
             'nginx -t says so, too');

        unlink $path or die $!;
        link $victim, $path or die $!;
        $before = state_of($victim);
        like($server->reload, qr/"\Q$path\E" is refused: "partners\.jsonl" $NAMES/,
             'a hard link: the reload is refused and says why');
        is(state_of($victim), $before, 'it is as it was');
        like(refusal($path, read_only => 1), $NAMES,
             'even where it is only read');

        rename "$path.away", $path or die $!;
        is($server->reload, '', 'with the file itself it is accepted');
        is(create($server, 'rif'), 201, 'which can be changed');
        $server->stop;
    };
}

subtest 'a link on the way to the file' => sub {
    my ($top, $there) = (loose(), tight());
    put("$there/partners.jsonl", partners('atlas'));
    mkdir "$top/real", 0755 or die $!;
    put("$top/real/partners.jsonl", partners('atlas'));
    symlink $there, "$top/link" or die $!;
    symlink 'real', "$top/near" or die $!;
    my $before = state_of("$there/partners.jsonl");

    for my $name (qw(link near)) {
        like(refusal("$top/$name/partners.jsonl"),
             qr/is refused: "$name" $LINK/, "$name is refused, and named");
    }

    for my $path ("$top/real/partners.jsonl", "$top//real/./partners.jsonl",
                  "$top/real/../real/partners.jsonl")
    {
        is(refusal($path), '', 'folders themselves are gone through');
    }

    my $outside = tight() . '/outside';
    symlink "$top/link/partners.jsonl", $outside or die $!;
    like(refusal($outside), $LINK, 'a link of ours that leads to one');
    is(state_of("$there/partners.jsonl"), $before, 'nothing has changed');
};

subtest 'folders that anyone may write' => sub {
    for my $mode (0777, 01777, 0775, 0757) {
        my $dir = loose($mode);
        my $victim = victim(partners('victim'));
        symlink $victim, "$dir/partners.jsonl" or die $!;
        like(refusal("$dir/partners.jsonl"), $LINK,
             sprintf 'mode %05o', $mode);
    }
};

subtest 'a file of someone else' => sub {
    my $dir = loose(01777);
    my $path = "$dir/partners.jsonl";
    put($path, partners('atlas'));

    if (!$ROOT) {
        # who isn't root can't give files away: root's suites do
        is(refusal($path), '', 'our own is read');
        return;
    }

    my $before = state_of($path);
    is(refusal($path), '', "root's is read");
    chown $UID, $GID, $path or die $!;
    is(refusal($path), '', "the workers' is read");
    chown 4711, 4711, $path or die $!;
    $before = state_of($path);
    like(refusal($path), qr/"\Q$path\E" is refused.*belongs neither to root nor /,
         "another's is refused");
    is(state_of($path), $before, 'it is as it was');
    is(refusal("$dir/../" . ($dir =~ s{.*/}{}r) . '/partners.jsonl') ne '', 1,
       'whatever way it is named');
    like(refusal($path, http => 'server { return 404; }'), qr/belongs neither/,
         'in any configuration');

    my $tight = tight();
    put("$tight/partners.jsonl", partners('atlas'));
    chown 4711, 4711, "$tight/partners.jsonl" or die $!;
    is(refusal("$tight/partners.jsonl"), '',
       'in a folder that only root may write it is read');
};

subtest 'what is no file' => sub {
    my $dir = loose();
    mkfifo("$dir/pipe", 0600) or die $!;
    mkdir "$dir/folder" or die $!;
    like(refusal("$dir/pipe"), qr/"\Q$dir\E\/pipe" is not a regular file/,
         'a pipe');
    like(refusal("$dir/folder"), qr/Is a directory/, 'a folder');
    symlink 'round', "$dir/round" or die $!;
    like(refusal("$dir/round"), $LINK, 'a link to itself');
    my $tight = tight();
    symlink 'round', "$tight/round" or die $!;
    like(refusal("$tight/round"), qr/Too many levels of symbolic links/,
         '... of ours');
    put("$tight/0", partners('atlas'));
    symlink $_ - 1, "$tight/$_" or die $! for 1 .. 41;
    is(refusal("$tight/40"), '', 'as many links as the kernel follows');
    like(refusal("$tight/41"), qr/Too many levels of symbolic links/,
         'and no more');
};

subtest "a file of root's becomes the workers'" => sub {
    my $path = loose() . '/partners.jsonl';
    my $text = partners(qw(atlas rif));
    put($path, $text . '{"id":"to', 0640);

    my $server = start($path, allow_log => qr/\[crit\] .*partners\.jsonl/);
    my @is = stat $path;

    is(get($path), $text, 'what was cut off has gone');
    is($is[2] & 07777, 0600, "it is for its owner's eyes alone");
    is($is[4], $UID, "it is the workers'");
    is(create($server, 'zagora'), 201, 'it can be changed');
    is($server->reload, '', 'and loaded again');
    is(enters($server, 'rif'), 200, 'nobody is lost');

    # Whose it is, and what mends it, if anything does.

    my $failed = qr/\[crit\] .*open\(\) "\Q$path\E" failed/;
    my $belongs = qr/$failed: it has to belong to the workers' user/;
    my $told = sub {
        my ($expected, $what) = @_;
        my $before = length $server->error_log;
        is(create($server, 'agadir'), 507, "$what can't be changed");
        like(substr($server->error_log, $before), qr/$expected \(13: /, '... and it is told why');
    };

    chmod 0400, $path or die $!;
    $told->($failed, 'one that its owner may only read');
    chmod 0600, $path or die $!;

    if ($ROOT) {
        chown 4711, 4711, $path or die $!;
        $told->($belongs, "another's");
        chown 0, 0, $path or die $!;
        $told->(qr/$belongs, and a reload gives it back if the master runs as root/, "root's");
        is($server->reload, '', 'a reload');
        is(create($server, 'agadir'), 201, '... gives it back');
    }
    $server->stop;
};

subtest 'what lies where the new file is made' => sub {
    my $path = loose() . '/partners.jsonl';
    my $victim = victim("precious\n");
    my $before = state_of($victim);
    put($path, partners(qw(atlas atlas rif)));
    chown $UID, $GID, $path if $ROOT;
    symlink $victim, "$path.compact" or die $!;

    my $server = start($path);
    is(get($path), partners(qw(atlas rif)), 'the file is compacted');
    is(state_of($victim), $before, 'what a link led to is as it was');
    ok(!-l "$path.compact" && !-e "$path.compact", 'the link has gone');
    $server->stop;
};


# ---- secrets

subtest 'a file of secrets' => sub {
    my $server = sub {
        return (read_only => 1, server => "location /hook { "
            . "wassiit_webhook_verify secret_file=$_[0]; return 204; } "
            . "location /wapcm { wassiit_upstream_hmac key=k secret_file=$_[0]; "
            . "proxy_pass http://127.0.0.1:1; }");
    };
    my $dir = loose();
    my $partners = tight() . '/partners.jsonl';
    put($partners, partners('atlas'));
    my $victim = victim("c2VjcmV0\n", 0600);

    put("$dir/plain", "c2VjcmV0\n");
    is(refusal($partners, $server->("$dir/plain")), '', 'itself is read');
    symlink $victim, "$dir/link" or die $!;
    like(refusal($partners, $server->("$dir/link")),
         qr/"\Q$dir\E\/link" is refused: "link" $LINK/, 'a link is refused');
    link $victim, "$dir/hard" or die $!;
    like(refusal($partners, $server->("$dir/hard")),
         qr/"\Q$dir\E\/hard" is refused: "hard" $NAMES/, 'a hard link, too');

    my $tight = tight();
    symlink $victim, "$tight/link" or die $!;
    is(refusal($partners, $server->("$tight/link")), '',
       'a link in a folder that only root may write is followed');
    mkfifo("$tight/pipe", 0600) or die $!;
    like(refusal($partners, $server->("$tight/pipe")),
         qr/"\Q$tight\E\/pipe" is not a regular file/, 'a pipe is refused');

    if ($ROOT) {
        chown 4711, 4711, "$dir/plain" or die $!;
        like(refusal($partners, $server->("$dir/plain")),
             qr/"\Q$dir\E\/plain" is refused: .*belongs neither to root nor /,
             "another's is refused");
    }
};


# ---- as Kubernetes lays out a ConfigMap and a Secret

sub config_map {
    my ($dir, $version, @ids) = @_;
    mkdir "$dir/..$version", 0755 or die $!;
    put("$dir/..$version/partners.jsonl", partners(@ids), 0644);
    put("$dir/..$version/webhook.secret", $SECRET);
    symlink "..$version", "$dir/..next" or die $!;
    rename "$dir/..next", "$dir/..data" or die $!;

    for my $name (qw(partners.jsonl webhook.secret)) {
        symlink "..data/$name", "$dir/$name" if !-l "$dir/$name";
    }
}

subtest 'a ConfigMap' => sub {
    my $dir = tight();
    config_map($dir, '2026_11_28', 'atlas');

    my $server = start("$dir/partners.jsonl", read_only => 1,
        server => 'location /hook { wassiit_webhook_verify '
                  . "secret_file=$dir/webhook.secret; return 204; }");
    is(enters($server, 'atlas'), 200, 'links are followed');

    config_map($dir, '2026_11_29', 'rif');
    is($server->reload, '', 'it is exchanged');
    is(enters($server, 'rif'), 200, 'the new one counts');
    is(enters($server, 'atlas'), 401, 'the old one no more');
    $server->stop;

    $server = start("$dir/partners.jsonl");
    is(create($server, 'zagora'), $ROOT ? 507 : 201,
       'the workers change the file where the folder lets them')
        if !$ROOT;
    ok(-l "$dir/partners.jsonl" && -l "$dir/..data", 'links stay links');
    $server->stop;
};

# Its folder has mode 0777, and nobody may write to it, as it is mounted so.

subtest 'a ConfigMap, mounted read-only' => sub {
    my ($dir, $elsewhere) = (loose(0777), loose(0777));
    my $victim = victim(partners('victim'));
    config_map($dir, '2026_11_28', 'atlas');
    symlink $victim, "$dir/outside" or die $!;
    symlink "$elsewhere/victim", "$dir/elsewhere" or die $!;
    my @mount = (qw(unshare --mount --propagation private sh -c),
        "mount -t tmpfs none $elsewhere && cp $victim $elsewhere/ && mount -o remount,ro $elsewhere &&"
        . " mount --bind $dir $dir && mount -o remount,bind,ro $dir && exec \"\$@\"",
        'sh');

    like(refusal("$dir/partners.jsonl"), $LINK, 'it is refused as it is');

    my ($exit) = Wassiit::_run(@mount, 'true');

    if ($exit != 0) {
        # root's suites do it, wherever they may mount
        pass('mounted it is read (left out: nothing can be mounted)');
        return;
    }

    for my $row ([ 'partners.jsonl', '' ], [ 'outside', $LINK ], [ 'elsewhere', $LINK ]) {
        my ($name, $expected) = @$row;
        my $prefix = Wassiit::_prefix(conf("$dir/$name")
            =~ s/%%PORT%%/'127.0.0.1:' . free_port()/er, {%OPERATORS});
        my ($code, undef, $message) =
            Wassiit::_run(@mount, Wassiit::_command($prefix), '-t');

        unlike($message, qr/folder "/, 'its folder is not warned of');
        $expected eq '' ? is($code, 0, 'mounted it is read') || diag($message)
                        : like($message, $expected, "but not what is $name");
    }
};



# ---- what a power cut leaves

sub zeroed {
    my ($id, $from, $bytes) = @_;
    my $line = partners($id);
    substr $line, $from, $bytes, "\0" x $bytes;
    return $line;
}

my $CUT = qr/\[warn\].* ends in the middle of a line/;

subtest 'a last line with zeros in it, and an LF' => sub {
    for my $torn (zeroed('torn', 20, 30), "\0" x 40 . "\n", "\0" x 70000 . "\n",
                  zeroed('torn', 0, 16), zeroed('torn', 60, 1))
    {
        my $path = loose() . '/partners.jsonl';
        put($path, partners('atlas') . $torn);
        is(refusal($path), '', 'nginx -t accepts it');
        is(get($path), partners('atlas') . $torn, 'and leaves it as it is');

        my $server = start($path);
        like($server->error_log, $CUT, 'nginx starts and warns');
        is(get($path), partners('atlas'), 'it is cut off, and nothing else');
        is(create($server, 'rif'), 201, 'a change finds a whole file');
        is(enters($server, 'atlas'), 200, 'whoever was there is');
        $server->stop;
        is(refusal($path), '', 'the file loads');
    }
};

# As a program leaves them that isn't ours: known or not, what follows them
# must not make them a bad line elsewhere.

for my $row ([ 'a file that is known', sub { get($_[0]) } ],
             [ 'one that was edited', sub { partners(qw(rif atlas)) } ],
             [ 'an edited one whose last line has no LF',
               sub { partners(qw(rif atlas)) =~ s/\n\z//r } ])
{
    my ($what, $text) = @$row;

    subtest "zeros at the end of $what" => sub {
        for my $torn ("\0" x 20, "\0" x 20 . "\n", zeroed('torn', 0, 30)) {
            my $path = loose() . '/partners.jsonl';
            put($path, partners('atlas'));
            my $server = start($path);

            put($path, $text->($path) . $torn);
            chown $UID, $GID, $path if $ROOT;
            is(create($server, 'zagora'), 201, 'a change is made');
            unlike(get($path), qr/\0/, 'they are cut off');
            like($server->error_log, $CUT, 'with a warning');
            is($server->reload, '', 'the file loads');
            is(enters($server, 'atlas'), 200, 'whoever was there is');
            $server->stop;
        }
    };
}


# ---- a lock of another program

my $LOCKED = qr/partners\.jsonl" is locked by another process.*"lslocks"/;

sub locked {
    my ($path, $how) = @_;
    open my $in, '<', $path or die "$path: $!";
    flock $in, $how | LOCK_NB or die "flock: $!";
    return $in;
}

subtest 'a file that another program has locked' => sub {
    my $path = loose() . '/partners.jsonl';
    put($path, partners('atlas'));
    my $server = start($path, allow_log => $LOCKED);
    my @workers = $server->worker_pids;

    # a shared one will do, as the master may change the file
    my $lock = locked($path, LOCK_SH);
    like($server->reload, qr/"\Q$path\E" is locked by another process/,
         'the reload is refused and says why');
    is_deeply([ $server->worker_pids ], \@workers, 'the workers stay');
    is(enters($server, 'atlas'), 200, 'they serve on');
    is(refusal($path), '', 'nginx -t reads beside one who reads');

    $lock = locked($path, LOCK_EX) if close $lock;
    like(refusal($path), $LOCKED, 'but not beside one who writes');
    my ($exit, undef, $error) = Wassiit::_run(Wassiit::_command($server->dir),
                                              '-s', 'reload');
    is($exit, 0, 'nginx -s asks for no lock') or diag($error);
    ok(wait_for { 2 <= (() = $server->error_log =~ /$LOCKED/g) },
       'the master, which was told so, does');

    close $lock;
    is($server->reload, '', 'when it is free, it is accepted');
    is(create($server, 'rif'), 201, 'and so is a change');
    $server->stop;
};

subtest 'who is waited for lets go' => sub {
    my $path = loose() . '/partners.jsonl';
    put($path, partners('atlas'));
    my $server = start($path);
    my @workers = $server->worker_pids;
    my $lock = locked($path, LOCK_EX);

    $server->signal('HUP');
    ok($server->wait_log(qr/reconfiguring/), 'the master has begun to wait');
    close $lock;
    ok(wait_for { my %now = map { $_ => 1 } $server->worker_pids;
                  %now && !grep { $now{$_} } @workers },
       'it takes what it has waited for');
    $server->stop;
};

# No second later than a master that has a broken configuration.

for my $signal (qw(TERM QUIT)) {
    subtest "SIG$signal to a master that waits" => sub {
        my $path = loose() . '/partners.jsonl';
        put($path, partners('atlas'));
        my $server = start($path, allow_log => $LOCKED);
        my $lock = locked($path, LOCK_EX);

        $server->signal('HUP');
        ok($server->wait_log(qr/reconfiguring/), 'it has begun to');
        $server->signal($signal);
        ok((wait_for { $server->_has_ended }), 'it ends');
        $server->stop;
    };
}

subtest 'a start, and two files that are locked' => sub {
    my ($one, $two) = map { "$_/partners.jsonl" } tight(), tight();
    put($_, partners('atlas')) for $one, $two;
    my @locks = map { locked($_, LOCK_EX) } $one, $two;
    my $conf = conf($one, http => "wassiit_zone zone=b:1m file=$two;")
               =~ s/%%PORT%%/'127.0.0.1:' . free_port()/er;
    my $prefix = Wassiit::_prefix($conf, {%OPERATORS});
    my ($exit, undef, $error) = Wassiit::_run(Wassiit::_command($prefix));

    is($exit, 1, 'it is refused');
    like($error, qr/\[emerg\].*$LOCKED/, 'and says why');
};

done_testing;
