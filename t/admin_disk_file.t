# Changes at the admin endpoint while the workers may not write the partners' file, or it
# has gone: each kind is refused with 507 and changes nothing, and is made once the file
# is as it was. What a reload loads then is t/admin_faults.t's.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::DiskBlocks;

sub closed { return refused($_[0], 'chmod 0400, $File', 'chmod 0600, $File') }

sub gone {
    return refused($_[0], 'rename $File, "$File.away" or die $!',
                   'rename "$File.away", $File or die $!');
}

disk_blocks();
run_tests();

__DATA__

=== TEST 1: the file may not be written: nobody is made
--- steps eval: main::closed('create')


=== TEST 2: the file may not be written: nobody is changed
--- steps eval: main::closed('patch')


=== TEST 3: the file may not be written: no key is added
--- steps eval: main::closed('add')


=== TEST 4: the file may not be written: no hmac_secret is made
--- steps eval: main::closed('hmac')


=== TEST 5: the file may not be written: no webhook_secret is made
--- steps eval: main::closed('webhook')


=== TEST 6: the file may not be written: no key is revoked
--- steps eval: main::closed('revoke')


=== TEST 7: the file may not be written: no key ends
--- steps eval: main::closed('rotate')


=== TEST 8: the file may not be written: nobody goes
--- steps eval: main::closed('delete')


=== TEST 9: the file has gone: nobody is made
--- steps eval: main::gone('create')


=== TEST 10: the file has gone: nobody is changed
--- steps eval: main::gone('patch')


=== TEST 11: the file has gone: no key is added
--- steps eval: main::gone('add')


=== TEST 12: the file has gone: no hmac_secret is made
--- steps eval: main::gone('hmac')


=== TEST 13: the file has gone: no webhook_secret is made
--- steps eval: main::gone('webhook')


=== TEST 14: the file has gone: no key is revoked
--- steps eval: main::gone('revoke')


=== TEST 15: the file has gone: no key ends
--- steps eval: main::gone('rotate')


=== TEST 16: the file has gone: nobody goes
--- steps eval: main::gone('delete')
