# A change at the admin endpoint while no thread can be started: refused, and as soon as
# there can be one, made. What goes on meanwhile is t/admin_threads.t's.

use strict;
use warnings;

use lib 't/lib';
use POSIX qw(EAGAIN);
use Wassiit;
use Wassiit::Faults;
use Test::Nginx::Socket;
use Wassiit::Steps;

@ENV{keys %Faulty} = values %Faulty;
$ENV{TEST_NGINX_LD_PRELOAD} = $Faulty{LD_PRELOAD};

# A change that is asked for while there can be none, and what it gets.

sub without {
    my ($request) = @_;
    return "ops $request => 503 unavailable\n    & faults('create thread " . EAGAIN . "')\n";
}

Test::Nginx::Util::add_block_preprocessor(sub { faults() });
master_on();                    # a process alone starts no thread
admin_blocks(partners => ['{"id":"atlas","key":"atlas-key"}'],
             config => $Wassiit::Steps::CONFIG . <<'END');
    location = /log { wassiit_access off; alias $TEST_NGINX_SERVROOT/logs/error.log; }
END
run_tests();

__DATA__

=== TEST 1: a change is refused, and the answer names the remedy
--- steps eval
main::without('PATCH partners/atlas {"name":"No"}')
. '    ~ "detail":"[^"]*no thread[^"]*limit of processes'


=== TEST 2: the log tells why, once
--- steps eval
main::without('PATCH partners/atlas {"name":"No"}')
. '- GET /log => 200 ~ no thread could be started to change ".*partners\.jsonl" \(11:
    ! no thread[\s\S]*no thread'


=== TEST 3: the file is as it was, and requests go on
--- steps eval
main::without('PATCH partners/atlas {"name":"No"}')
. 'atlas-key GET / => 200
- GET /file => 200 ~ \A[^\n]+\n\z
    ! "No"
ops GET partners/atlas => 200 ~ "name":null'


=== TEST 4: as soon as there can be a thread, a change is made
--- steps eval
main::without('PATCH partners/atlas {"name":"No"}')
. 'ops PATCH partners/atlas {"name":"Late"} => 200
    & faults()
ops GET partners/atlas => 200 ~ "name":"Late"'
