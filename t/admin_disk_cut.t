# Changes at the admin endpoint on a disk that fails, and a file that can't be cut then:
# what is left at its end is no change. Each kind is refused, as is the next one, and is
# made once the disk is well again. A reload, a line by hand and a worker's death after
# that are t/admin_faults.t's.

use strict;
use warnings;

use lib 't/lib';
use POSIX qw(EIO ENOSPC);
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::DiskBlocks;

sub fails {
    my ($kind, $fault) = @_;
    return refused($kind, "faults('$fault', 'ftruncate file " . EIO . "')", 'faults()', dead => 1);
}

our $Half = length(text(people())) + 20;

sub line { return fails($_[0], 'fsync file ' . EIO) }
sub half { return fails($_[0], 'write file ' . ENOSPC . " $Half") }
sub nothing { return fails($_[0], 'write file ' . EIO) }

disk_blocks();
run_tests();

__DATA__

=== TEST 1: a line is left: nobody is made
--- steps eval: main::line('create')


=== TEST 2: a line is left: nobody is changed
--- steps eval: main::line('patch')


=== TEST 3: a line is left: no key is added
--- steps eval: main::line('add')


=== TEST 4: a line is left: no hmac_secret is made
--- steps eval: main::line('hmac')


=== TEST 5: a line is left: no webhook_secret is made
--- steps eval: main::line('webhook')


=== TEST 6: a line is left: no key is revoked
--- steps eval: main::line('revoke')


=== TEST 7: a line is left: no key ends
--- steps eval: main::line('rotate')


=== TEST 8: a line is left: nobody goes
--- steps eval: main::line('delete')


=== TEST 9: half a line is left: nobody is made
--- steps eval: main::half('create')


=== TEST 10: half a line is left: nobody is changed
--- steps eval: main::half('patch')


=== TEST 11: half a line is left: no key is added
--- steps eval: main::half('add')


=== TEST 12: half a line is left: no hmac_secret is made
--- steps eval: main::half('hmac')


=== TEST 13: half a line is left: no webhook_secret is made
--- steps eval: main::half('webhook')


=== TEST 14: half a line is left: no key is revoked
--- steps eval: main::half('revoke')


=== TEST 15: half a line is left: no key ends
--- steps eval: main::half('rotate')


=== TEST 16: half a line is left: nobody goes
--- steps eval: main::half('delete')


=== TEST 17: nothing was written: nobody is made
--- steps eval: main::nothing('create')


=== TEST 18: nothing was written: nobody is changed
--- steps eval: main::nothing('patch')


=== TEST 19: nothing was written: no key is added
--- steps eval: main::nothing('add')


=== TEST 20: nothing was written: no hmac_secret is made
--- steps eval: main::nothing('hmac')


=== TEST 21: nothing was written: no webhook_secret is made
--- steps eval: main::nothing('webhook')


=== TEST 22: nothing was written: no key is revoked
--- steps eval: main::nothing('revoke')


=== TEST 23: nothing was written: no key ends
--- steps eval: main::nothing('rotate')


=== TEST 24: nothing was written: nobody goes
--- steps eval: main::nothing('delete')
