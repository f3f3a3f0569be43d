# conf/sandbox.conf, as an operator finds it: what its backends answer when they are
# asked themselves. (What a partner gets of them is in t/sandbox.t.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Wassiit::DoorBlocks;
use Test::Nginx::Socket;

our $Door = open_door();

# Headers of who signs with a key and a secret, at some time.

sub signed {
    my ($key, $secret, $off) = @_;
    my $time = time + ($off // 0);
    return "X-API-Key: $key\nX-API-Timestamp: $time\nX-API-Signature: "
        . signature($secret, $key, $time);
}

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: a wrong method
--- server: messaging
--- ask: GET /api/partner/v1/calls
--- error_code: 405
--- response_body chomp
{"error":"method_not_allowed"}


=== TEST 2: an unknown path
--- server: messaging
--- ask: GET /x
--- error_code: 404
--- response_body chomp
{"error":"not_found"}


=== TEST 3: wap.cm, by a wrong method
--- server: wapcm
--- ask: GET /automation/
--- error_code: 405
--- response_body_like: "message":"method_not_allowed"


=== TEST 4: wap.cm takes a signature by the contract
--- server: wapcm
--- ask: POST /automation/
--- body: {}
--- more_headers eval: main::signed(@Wassiit::Door::Contract{qw(key secret)})


=== TEST 5: wap.cm doesn't take a partner's
--- server: wapcm
--- ask: POST /automation/
--- body: {}
--- more_headers eval: main::signed(map { $::Door->{$_}{all} } qw(keys secrets))
--- error_code: 401
--- response_body_like: "message":"invalid_key"


=== TEST 6: nor one by another secret
--- server: wapcm
--- ask: POST /automation/
--- body: {}
--- more_headers eval: main::signed($Wassiit::Door::Contract{key}, $::Door->{secrets}{all})
--- error_code: 401
--- response_body_like: "message":"invalid_signature"


=== TEST 7: nor an old one
--- server: wapcm
--- ask: POST /automation/
--- body: {}
--- more_headers eval: main::signed(@Wassiit::Door::Contract{qw(key secret)}, -400)
--- error_code: 401
--- response_body_like: "message":"stale_timestamp"
