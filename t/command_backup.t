#!/usr/bin/env perl
# wassiit backup and restore, while nginx runs and operators change partners.

use strict;
use warnings;

use lib 't/lib';
use Fcntl qw(:flock);
use JSON::PP ();
use Test::More;
use Wassiit;
use Wassiit::Command;
use Wassiit::Operators;

my $JSON = JSON::PP->new->utf8->canonical;
my $dir = test_dir();
my $key = make_key('a partner');

sub files_in { my ($folder) = @_; opendir my $all, $folder or die "$folder: $!"; return sort grep { !/^\.\.?$/ } readdir $all }

# A folder with a "cat" that finds the disk full after 5 bytes of the file $_[0] that
# it writes to the name of a file that isn't whole yet.
sub full_disk {
    my ($which) = @_;
    my $bin = "$dir/full-$which";
    mkdir $bin;
    unlink "$bin/count";
    spew("$bin/cat", <<"END", 0700);
#!/bin/sh
case \$(readlink /proc/\$\$/fd/1) in
    */.wassiit.*)
        echo >> $bin/count
        if [ \$(wc -l < $bin/count) -eq $which ]; then
            head -c 5 "\$1"
            echo 'cat: write error: No space left on device' >&2
            exit 1
        fi ;;
esac
exec /bin/cat "\$@"
END
    return $bin;
}

for my $shell (shells()) {
    my ($name) = $shell =~ m{(\w+)$};
    # one worker makes one change after another: only a lock of ours could keep one from its file
    my $s = start_operators(conf => operators_conf(workers => 1),
                            partners => [ partner('atlas', $key, rate => '50000r/s') ]);
    my $file = $s->dir . '/conf/state/partners.jsonl';
    my $to = "$dir/backups-$name";
    mkdir $to or die "$to: $!";
    my $run = sub { my ($words, %with) = @_; return wassiit($shell, $words, WASSIIT_FILE => $file, WASSIIT_SCOPES => 'partners.manage', %with) };
    my $says = sub { my ($words, @more) = @_; told($run->($words), @more[0 .. 2], "$name: $more[3]") };
    my $change = sub { my ($method, $path, $body) = @_; return admin($s->port(2), $method, $path, $body)->status };
    my $opens = sub { http($s->port, headers => ['X-API-Key' => $_[0] // $key])->status };


    # ---- backup

    my $before = slurp($file);
    my ($owner, $mode) = (stat $file)[4, 2];
    my $r = $run->(['backup', $to]);
    told($r, 0, qr{\A\Q$to\E/partners-\d{8}T\d{6}Z\.jsonl\n\z}, '', "$name: into a folder");
    chomp(my $backup = $r->{out});
    is(slurp($backup), $before, "$name: what it had");
    is((stat $backup)[2] & 07777, 0600, "$name: for its owner alone");
    $says->(['backup', "$to/named"], 0, "$to/named\n", '', 'into a file');
    $says->(['backup', "$to/named"], 1, '', qr/named exists already: name another/, 'which is there already');
    $says->(['backup', '/none/x'], 1, '', "wassiit: /none: no such folder\n", 'no folder');
    is_deeply([ grep { /^\./ } files_in($to) ], [], "$name: nothing else is left there");
    told($run->(['backup', $to], WASSIIT_FILE => undef), 2, '', qr/name it by --file, by WASSIIT_FILE, or by "file"/, "$name: of what?");
    told($run->(['backup', $to], WASSIIT_FILE => "$dir/none"), 1, '', "wassiit: $dir/none: no such file\n", "$name: of none");

    # what a power cut leaves of a last line
    my $torn = spew("$dir/torn", qq({"id":"a"}\n));
    for ([ qq({"id":"b"), '', 'half a line' ], [ qq({"id":"b"}), qq({"id":"b"}\n), 'a line without its end' ],
         [ qq({"id":"b"}\0\0\0), qq({"id":"b"}\n), 'zeros behind a line' ], [ qq({"id":"b"}\0\0\n), qq({"id":"b"}\n), 'and an end' ],
         [ "\0\0\0\0", '', 'zeros alone' ], [ '', '', 'nothing' ])
    {
        my ($end, $kept, $what) = @$_;
        spew($torn, qq({"id":"a"}\n$end));
        unlink "$to/torn";
        my $r = $run->(['backup', '--file', $torn, "$to/torn"]);
        is(slurp("$to/torn"), qq({"id":"a"}\n$kept), "$name: $what");
        like($r->{err}, $end && !$kept ? qr/^wassiit: .* ends in the middle of a line, which is left out$/ : qr/\A\z/, "$name: $what: is said");
    }


    # ---- while others write

    my $writers = Wassiit::Operators::Crew->start(2, sub {
        my ($n, $stop) = @_;
        my ($made, $failed) = (0, 0);
        until ($stop->()) {
            my $r = admin($s->port(2), 'POST', '', { id => "w$n-" . $made++, name => 'x' x 100 });
            $failed++ if !$r || $r->status != 201;
        }
        return { made => $made, failed => $failed };
    });
    for my $n (1 .. 8) {
        my $r = $run->(['backup', "$to/live-$n"]);
        is($r->{exit}, 0, "$name: backup $n while others write") or diag($r->{err});
        my $text = slurp("$to/live-$n");
        my @lines = split /\n/, $text;
        ok($text =~ /\n\z/ && @lines == grep({ ref eval { $JSON->decode($_) } } @lines), "$name: of whole lines");
        my %last = (0 => -1, 1 => -1);
        my $holes = grep { /"w(\d)-(\d+)"/ && $2 != ++$last{$1} } @lines;
        is($holes, 0, "$name: and no change is missing before the last");
    }
    $writers->stop;
    my @wrote = $writers->results;
    is_deeply([ map { $_->{failed} } @wrote ], [ 0, 0 ], "$name: nobody was kept from a change");
    cmp_ok($wrote[0]{made}, '>', 5, "$name: and there were some");


    # ---- restore

    my $now = slurp($file);
    my %count = (now => 1 + $wrote[0]{made} + $wrote[1]{made});
    $r = $run->(['restore', $backup]);
    told($r, 0, qr{\A\Q$file is as $backup says, from the next reload on: nginx -t && nginx -s reload\E\n$count{now} partners before, 1 now\nwhat was there is in (\Q$file\E\.\d{8}T\d{6}Z)\n\z},
         '', "$name: restore");
    my ($former) = $r->{out} =~ /is in (\S+)$/m;
    is(slurp($file), $before, "$name: it is as it was");
    is(slurp($former), $now, "$name: what was there stays");
    is((stat $former)[2] & 07777, 0600, "$name: for its owner alone");
    is_deeply([ (stat $file)[4, 2] ], [ $owner, $mode ], "$name: the workers' as before");
    is_deeply([ files_in($s->dir . '/conf/state') ], [ sort 'partners.jsonl', $former =~ m{([^/]+)$} ], "$name: nothing else is left");

    # a change before the reload counts on top of it
    is($change->('POST', '', { id => 'after' }), 201, "$name: a change meanwhile");
    is($s->reload, "", "$name: nginx takes it");
    is($change->('GET', '/w0-0'), 404, "$name: who was made since is gone");
    is($change->('GET', '/after'), 200, "$name: who was made after it is there");
    is($opens->(), 200, "$name: who was there is served");

    unlink $former;
    spew("$dir/bad", qq({"id":"atlas"}\n{"id":"b","rate":"5"}\n));
    my $kept = slurp($file);
    $says->(['restore', "$dir/bad"], 1, '', qr/\A\Q$dir\E\/bad:2: rate: .*\nwassiit: \Q$file\E is left as it is\n\z/, 'a bad one');
    $says->(['restore', "$dir/none"], 1, '', "wassiit: $dir/none: no such file\n", 'none');
    my $shared = spew("$dir/shared", qq({"id":"atlas","rev":7}\n));
    $says->(["restore", "--file", $shared, $backup], 1, "", qr/a cluster shares these partners/, "one of a cluster");
    is(slurp($shared), qq({"id":"atlas","rev":7}\n), "$name: is as it was");
    is(slurp($file), $kept, "$name: nothing is changed");

    SKIP: {
        skip 'root may write everywhere', 5 if $> == 0;
        chmod 0500, $s->dir . '/conf/state';
        $says->(['restore', $backup], 1, '', qr/no file can be made in/, 'a folder that may not be written');
        chmod 0700, $s->dir . '/conf/state';
        is(slurp($file), $kept, "$name: nothing is changed");

        # in a folder that lets nobody through
        my $closed = "$dir/closed";
        mkdir $closed;
        chmod 0, $closed;
        my $why = "wassiit: $closed/p can't be read: are you its owner, or root?\n";
        $says->(['backup', '--file', "$closed/p", $to], 1, '', $why, 'a file in a folder that is closed');
        $says->(['restore', '--file', "$closed/p", $backup], 1, '', $why, 'one to restore');
        $says->(['restore', "$closed/p"], 1, '', $why, 'a backup in one');
        rmdir $closed;
    }

    # who writes by hand has it locked
    open my $locked, '<', $file or die "$file: $!";
    flock $locked, LOCK_EX or die "flock: $!";
    $says->(['backup', "$to/locked"], 1, '', qr/is locked by another program: "lslocks" tells by which one/, 'a locked file');
    ok(!-e "$to/locked", "$name: isn't copied");
    flock $locked, LOCK_UN;
    $s->stop;

    # nothing is there: a machine made anew
    my $empty = "$dir/anew-$name";
    mkdir $empty or die "$empty: $!";
    told($run->(['restore', '--file', "$empty/p.jsonl", $backup]), 0, "$empty/p.jsonl is as $backup says, from the next reload on: nginx -t && nginx -s reload\n0 partners before, 1 now\n",
         '', "$name: where there was none");
    is(slurp("$empty/p.jsonl"), $before, "$name: it is there");
    is((stat "$empty/p.jsonl")[2] & 07777, 0600, "$name: for its owner alone");

    # nobody in it: that is meant only if it is said
    my $some = spew("$dir/some", <<'END');
{"id":"a"}
{"id":"b"}
{"id":"a","rate":"5r/s"}
{"id":"c"}
{"id":"c","deleted":true}
END
    my $restore = sub { $run->(['restore', '--file', $some, @_]) };
    for ([ '', 'nothing' ], [ "\n\n", 'blank lines' ], [ qq({"id":"a","deleted":true}\n), 'whom it removes' ]) {
        my $none = spew("$dir/none-$name", $_->[0]);
        told($restore->($none), 1, '', "wassiit: $none has no partners, and $some has 2: --empty if that is meant\n",
             "$name: a backup of $_->[1]");
    }
    is(slurp($some) =~ tr/\n//, 5, "$name: nothing is changed");
    is_deeply([ glob "$some.*" ], [], "$name: and nothing left beside it");
    told($restore->('--empty', "$dir/none-$name"), 0, qr/^2 partners before, 0 now$/m, '', "$name: if that is meant");
    unlink glob "$some.*";
    told($restore->("$dir/none-$name"), 0, qr/^0 partners before, 0 now$/m, '', "$name: where there are none anyway");
    unlink glob "$some.*";
    told($restore->(spew("$dir/one", qq({"id":"one"}\n))), 0, qr/^0 partners before, 1 now$/m, '', "$name: one again");
    unlink glob "$some.*";
    told($restore->("$dir/one"), 0, qr/^1 partner before, 1 now$/m, '', "$name: one as before");
    unlink glob "$some.*";

    # a disk that is full for what is made beside the file, the first or the second of them
    for my $full (1, 2) {
        my $r = $run->(['restore', '--file', $some, $backup], PATH => full_disk($full) . ":$ENV{PATH}");
        is($r->{exit}, 1, "$name: a disk that is full for file $full");
        like($r->{err}, $full == 1 ? qr/\Awassiit: \Q$some\E\.\w+ can't be made: No space left on device\n\z/
             : qr/\Awassiit: \Q$some\E is left as it is: No space left on device\n\z/, "$name: is said");
        is(slurp($some), qq({"id":"one"}\n), "$name: the file is as it was");
        is_deeply([ grep { /^\.|^some./ } files_in($dir) ], [], "$name: and no part of a copy is left");
    }
    told($run->(['backup', '--file', $some, "$to/full"], PATH => full_disk(1) . ":$ENV{PATH}"), 1, '',
         "wassiit: $to/full can't be made: No space left on device\n", "$name: a backup to a full disk");
    is_deeply([ grep { /^\.|full/ } files_in($to) ], [], "$name: of which nothing is left");

    # the name may be a link: what it leads to is replaced
    symlink "$empty/p.jsonl", "$empty/link" or die "symlink: $!";
    spew("$dir/one", qq({"id":"one"}\n));
    is($run->(['restore', '--file', "$empty/link", "$dir/one"])->{exit}, 0, "$name: by a link");
    is(readlink "$empty/link", "$empty/p.jsonl", "$name: which stays one");
    is(slurp("$empty/p.jsonl"), qq({"id":"one"}\n), "$name: the file is the backup's");
}


# ---- as Debian's package has it: its file need not be named

my $root = "$dir/root";
system("mkdir -p $root/usr/bin $root/usr/share/wassiit $root/var/lib/wassiit $root/backups && "
    . "cp conf/bin/wassiit $root/usr/bin && cp conf/bin/lib/* $root/usr/share/wassiit") == 0 or die 'no copy';
my $backup = sub { my ($other) = @_; return qx(env -u WASSIIT_CONFIG -u XDG_CONFIG_HOME HOME=$root WASSIIT_FILE=$other $root/usr/bin/wassiit backup $root/backups 2>&1) };
like($backup->(''), qr/name it by --file/, 'installed: where it isn\'t, it has to be');
spew("$root/var/lib/wassiit/partners.jsonl", qq({"id":"there"}\n));
like($backup->(''), qr{\A\Q$root\E/backups/partners-\w+\.jsonl\n\z}, 'installed: where it is');
like(slurp(glob "$root/backups/*"), qr/"there"/, 'installed: that is the one');
my $check = sub {
    local %ENV = (%ENV, HOME => $root, WASSIIT_NGINX => $ENV{TEST_NGINX_BINARY},
                  WASSIIT_MODULE => $ENV{TEST_NGINX_LOAD_MODULES} // '');
    delete @ENV{qw(WASSIIT_CONFIG WASSIIT_FILE XDG_CONFIG_HOME)};
    return qx($root/usr/bin/wassiit check 2>&1);
};
is($check->(), "$root/var/lib/wassiit/partners.jsonl: nginx would take it\n", 'installed: it is checked, too');
SKIP: {
    skip 'root may read everything', 1 if $> == 0;
    chmod 0, "$root/var/lib/wassiit";
    is($check->(), "wassiit: $root/var/lib/wassiit/partners.jsonl can't be read: are you its owner, or root?\n",
       'installed: and known to be there by those who may not see it');
    chmod 0700, "$root/var/lib/wassiit";
}
unlink glob "$root/backups/*";
spew("$dir/other", qq({"id":"other"}\n));
$backup->("$dir/other");
like(slurp(glob "$root/backups/*"), qr/"other"/, 'installed: one that is named goes before');

done_testing;
