# Changes at the admin endpoint on a disk that fails: each kind is refused with 507 and
# changes nothing, and is made once the disk is well again. A file that can't be cut
# either is t/admin_disk_cut.t's, one that can't be opened t/admin_disk_file.t's; what a
# reload loads then is t/admin_faults.t's.

use strict;
use warnings;

use lib 't/lib';
use POSIX qw(EIO ENOSPC EROFS);
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::DiskBlocks;

sub fails {
    my ($kind, @faults) = @_;
    return refused($kind, 'faults(' . join(', ', map { "'$_'" } @faults) . ')', 'faults()');
}

our $Half = length(text(people())) + 20;

sub fsync { return fails($_[0], 'fsync file ' . EIO) }
sub wrong { return fails($_[0], 'write file ' . EIO) }
sub full { return fails($_[0], 'write file ' . ENOSPC) }
sub half { return fails($_[0], 'write file ' . ENOSPC . " $Half") }
sub read_only { return fails($_[0], 'open file ' . EROFS) }

disk_blocks();
run_tests();

__DATA__

=== TEST 1: fsync() fails: nobody is made
--- steps eval: main::fsync('create')


=== TEST 2: fsync() fails: nobody is changed
--- steps eval: main::fsync('patch')


=== TEST 3: fsync() fails: no key is added
--- steps eval: main::fsync('add')


=== TEST 4: fsync() fails: no hmac_secret is made
--- steps eval: main::fsync('hmac')


=== TEST 5: fsync() fails: no webhook_secret is made
--- steps eval: main::fsync('webhook')


=== TEST 6: fsync() fails: no key is revoked
--- steps eval: main::fsync('revoke')


=== TEST 7: fsync() fails: no key ends
--- steps eval: main::fsync('rotate')


=== TEST 8: fsync() fails: nobody goes
--- steps eval: main::fsync('delete')


=== TEST 9: a write fails: nobody is made
--- steps eval: main::wrong('create')


=== TEST 10: a write fails: nobody is changed
--- steps eval: main::wrong('patch')


=== TEST 11: a write fails: no key is added
--- steps eval: main::wrong('add')


=== TEST 12: a write fails: no hmac_secret is made
--- steps eval: main::wrong('hmac')


=== TEST 13: a write fails: no webhook_secret is made
--- steps eval: main::wrong('webhook')


=== TEST 14: a write fails: no key is revoked
--- steps eval: main::wrong('revoke')


=== TEST 15: a write fails: no key ends
--- steps eval: main::wrong('rotate')


=== TEST 16: a write fails: nobody goes
--- steps eval: main::wrong('delete')


=== TEST 17: the disk is full: nobody is made
--- steps eval: main::full('create')


=== TEST 18: the disk is full: nobody is changed
--- steps eval: main::full('patch')


=== TEST 19: the disk is full: no key is added
--- steps eval: main::full('add')


=== TEST 20: the disk is full: no hmac_secret is made
--- steps eval: main::full('hmac')


=== TEST 21: the disk is full: no webhook_secret is made
--- steps eval: main::full('webhook')


=== TEST 22: the disk is full: no key is revoked
--- steps eval: main::full('revoke')


=== TEST 23: the disk is full: no key ends
--- steps eval: main::full('rotate')


=== TEST 24: the disk is full: nobody goes
--- steps eval: main::full('delete')


=== TEST 25: it is full after half a line: nobody is made
--- steps eval: main::half('create')


=== TEST 26: it is full after half a line: nobody is changed
--- steps eval: main::half('patch')


=== TEST 27: it is full after half a line: no key is added
--- steps eval: main::half('add')


=== TEST 28: it is full after half a line: no hmac_secret is made
--- steps eval: main::half('hmac')


=== TEST 29: it is full after half a line: no webhook_secret is made
--- steps eval: main::half('webhook')


=== TEST 30: it is full after half a line: no key is revoked
--- steps eval: main::half('revoke')


=== TEST 31: it is full after half a line: no key ends
--- steps eval: main::half('rotate')


=== TEST 32: it is full after half a line: nobody goes
--- steps eval: main::half('delete')


=== TEST 33: the file system is read-only: nobody is made
--- steps eval: main::read_only('create')


=== TEST 34: the file system is read-only: nobody is changed
--- steps eval: main::read_only('patch')


=== TEST 35: the file system is read-only: no key is added
--- steps eval: main::read_only('add')


=== TEST 36: the file system is read-only: no hmac_secret is made
--- steps eval: main::read_only('hmac')


=== TEST 37: the file system is read-only: no webhook_secret is made
--- steps eval: main::read_only('webhook')


=== TEST 38: the file system is read-only: no key is revoked
--- steps eval: main::read_only('revoke')


=== TEST 39: the file system is read-only: no key ends
--- steps eval: main::read_only('rotate')


=== TEST 40: the file system is read-only: nobody goes
--- steps eval: main::read_only('delete')
