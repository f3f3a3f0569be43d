# Changes at the admin endpoint while the partners' file lies on a file system that is
# full: a small one, over /mnt. Each kind is refused with 507 and changes nothing, and is
# made once there is room. What a reload loads then, and a compaction that finds no room,
# are t/admin_faults.t's.

use strict;
use warnings;

# It is mounted where no one else sees it, and goes with this process. Who isn't root may
# mount in a namespace of its own, and is who it was in one more.
BEGIN {
    if (!defined $ENV{WASSIIT_SMALL}) {
        my ($uid, $gid) = ($>, (split ' ', $))[0]);
        my $mount = 'mount -t tmpfs -o size=128k,mode=0755 wassiit /mnt';
        my @inside = ('unshare', $uid ? '--map-root-user' : (), '--mount', '--propagation',
            'private', 'sh', '-c', "$mount && exec \"\$@\"", 'sh',
            $uid ? ('unshare', '--user', "--map-user=$uid", "--map-group=$gid") : ());

        local $ENV{WASSIIT_SMALL} = '/mnt';
        open my $err, '>&', \*STDERR;
        open STDERR, '>', '/dev/null';
        my $can = system(@inside, 'true') == 0;
        open STDERR, '>&', $err;
        exec @inside, $^X, $0, @ARGV if $can;
    }
}

use lib 't/lib';
use POSIX qw(ENOSPC);
use Test::More ();
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::DiskBlocks;

Test::More::plan(skip_all => 'no tmpfs can be had, neither by mount nor in a user namespace')
    if !defined $ENV{WASSIIT_SMALL};

our $Small = "$ENV{WASSIIT_SMALL}/state";
our $Filler = "$Small/filler";
$File = "$Small/partners.jsonl";

# Blanks up to where a page is nearly full: a line begins in it, and can't end in the next.

sub blanks {
    my $left = 4096 - length(text(people())) % 4096;
    return ' ' x ($left + ($left < 16 ? 4096 : 0) - 8) . "\n";
}

sub fill {
    append($File, blanks());
    open my $out, '>>:raw', $Filler or die "$Filler: $!";
    1 while syswrite $out, 'x' x 4096;
    die "$Filler: $!" if $! != ENOSPC;
}

sub append {
    my ($path, $text) = @_;
    open my $out, '>>:raw', $path or die "$path: $!";
    print {$out} $text;
    close $out or die "$path: $!";
}

sub full {
    return refused($_[0], 'fill()', 'unlink $Filler or die $!', text => text(people()) . blanks());
}

sub people_there {
    mkdir $Small;
    unlink $Filler, $File;
    append($File, text(people()));
    chmod 0600, $File;
    chown((getpwnam 'nobody')[2, 3], $Small, $File) if $> == 0;
}

Test::Nginx::Util::add_block_preprocessor(sub { people_there() });
disk_blocks(http => $Wassiit::Steps::HTTP =~ s/file=partners/file=$Small\/partners/r,
            config => $Wassiit::Steps::CONFIG =~ s/alias .*?;/alias $File;/r);
run_tests();

__DATA__

=== TEST 1: nobody is made
--- steps eval: main::full('create')


=== TEST 2: nobody is changed
--- steps eval: main::full('patch')


=== TEST 3: no key is added
--- steps eval: main::full('add')


=== TEST 4: no hmac_secret is made
--- steps eval: main::full('hmac')


=== TEST 5: no webhook_secret is made
--- steps eval: main::full('webhook')


=== TEST 6: no key is revoked
--- steps eval: main::full('revoke')


=== TEST 7: no key ends
--- steps eval: main::full('rotate')


=== TEST 8: nobody goes
--- steps eval: main::full('delete')
