# What finds no room: 507, and nothing has changed. That there is room again once one has
# gone, and over a reload, is t/admin.t's; what else can go wrong with the file is
# t/admin_faults.t's.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

our $Full = '507 insufficient_storage ~ "detail":"The zone has no room for this';
our $Unwritten = q(507 insufficient_storage ~ "detail":"The partners' file can't be written);
our $File = "$ENV{TEST_NGINX_SERVROOT}/conf/partners.jsonl";

# A file that isn't written, and who is in it.

our $Atlas = Wassiit::_partner_line('{"id":"atlas","key":"atlas-key","rate":"70r/h"}');

sub same {
    return "- GET /file => 200 ~ \\A\Q$Atlas\E\\n\\z\n" . <<'END';
ops GET partners => 200 = atlas
ops GET partners/atlas => 200 ~ "enabled":true,.*"rate":"70r/h",
atlas-key GET / => 200 ~ ^atlas$
END
}

# A change while the file may not be written. Root's workers are another's, as root may
# write whatever it likes.

sub closed { return "    & chmod 0400, \$File\n" }

sub give_away {
    my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
    chown $uid, $gid, $File =~ s{/[^/]+\z}{}r, glob "$ENV{TEST_NGINX_SERVROOT}/conf/*.jsonl";
}

# Test::Nginx warns of what the log has to have here.
$SIG{__WARN__} = sub { warn @_ if $_[0] !~ /\[crit\].*partners\.jsonl/ };

master_on();
if ($> == 0) {
    $Test::Nginx::Util::WorkerUser = 'nobody ' . getgrgid((getpwnam 'nobody')[3]);
    Test::Nginx::Util::add_block_preprocessor(sub {
        my $before = $_[0]->post_setup_server_root // '';
        $_[0]->set_value(post_setup_server_root => $before . 'main::give_away();');
    });
}
admin_blocks(partners => [$Atlas]);
run_tests();

__DATA__

=== TEST 1: one whose window takes more than the zone has isn't made
--- zone_size: 32k
--- steps eval
qq(ops POST partners {"id":"large","rate":"10000r/h"} => $main::Full
ops GET partners/large => 404 not_found
) . main::same()


=== TEST 2: nor is one changed so
--- zone_size: 32k
--- steps eval
qq(ops PATCH partners/atlas {"rate":"10000r/h"} => $main::Full\n) . main::same()


=== TEST 3: what fits is done then
--- zone_size: 32k
--- steps eval
qq(ops PATCH partners/atlas {"rate":"10000r/h"} => $main::Full
ops PATCH partners/atlas {"rate":"71r/h"} => 200 ~ "rate":"71r/h"
ops POST partners {"id":"small","rate":"70r/h"} => 201
{key} GET / => 200 ~ ^small\$
)


=== TEST 4: a file that can't be written: nobody is made
--- allow_log: \[crit\].*partners\.jsonl
--- steps eval
qq(ops POST partners {"id":"rif"} => $main::Unwritten\n) . main::closed()
. "ops GET partners/rif => 404 not_found\n" . main::same()


=== TEST 5: nobody goes
--- allow_log: \[crit\].*partners\.jsonl
--- steps eval
"ops DELETE partners/atlas => $main::Unwritten\n" . main::closed() . main::same()


=== TEST 6: nobody is changed
--- allow_log: \[crit\].*partners\.jsonl
--- steps eval
qq(ops PATCH partners/atlas {"enabled":false} => $main::Unwritten\n) . main::closed() . main::same()


=== TEST 7: no key ends
--- allow_log: \[crit\].*partners\.jsonl
--- steps eval
qq(ops POST partners/atlas/keys/rotate {"grace":"0"} => $main::Unwritten\n) . main::closed()
. main::same()


=== TEST 8: the log tells why
--- allow_log: \[crit\].*partners\.jsonl
--- steps eval: "ops DELETE partners/atlas => $main::Unwritten\n" . main::closed()
--- error_log eval: qr/\[crit\].*partners\.jsonl.*Permission denied/


=== TEST 9: as soon as it can be written all is as ever
--- allow_log: \[crit\].*partners\.jsonl
--- steps eval
"ops DELETE partners/atlas => $main::Unwritten\n" . main::closed()
. 'ops DELETE partners/atlas => 204
    & chmod 0600, $File
atlas-key GET / => 401 invalid_key
'
