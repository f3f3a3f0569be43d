# conf/nginx.conf, as an operator finds it: what access.log has of a request, and
# what it never has.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::DoorBlocks;
use Test::Nginx::Socket;

our %Key = %{ open_door()->{keys} };
our $Any = join '|', map { quotemeta } values %Key;

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: who, what, and what became of it
--- ask: POST /api/partner/v1/messages only-messages.send
--- error_code: 202
--- logged eval
qr{^127\.0\.0\.1\ \[\S+\]\ "POST\ /api/partner/v1/messages"\ 202\ \d+
   \ partner=only-messages\.send\ key=k1\ decision=allowed\ left=\d+/100
   \ id=[0-9a-f]{32}\ time=\S+\ upstream=unix:\S+/202/\S+$}x


=== TEST 2: a refusal
--- ask: POST /api/partner/v1/messages
--- error_code: 401
--- logged eval: qr/ 401 \d+ partner=- key=- decision=missing_key left=-/


=== TEST 3: no query
--- ask: POST /automation/?test=1 all
--- logged: "POST /automation/" 200
--- no_access_log: test=1


=== TEST 4: a broken payload
--- ask: POST /api/partner/v1/messages all
--- body: {"to": "0600"}
--- error_code: 400
--- logged eval: qr/ 400 \d+ partner=all key=k1 decision=invalid_payload left=\d/


=== TEST 5: no key, whatever becomes of who sends it
--- ask eval
[ 'POST /api/partner/v1/messages all', 'POST /automation/ all', 'POST /automation/ none unsigned',
  'POST /automation/ hourly', 'POST /api/partner/v1/calls none', 'POST /nothing hourly',
  'GET /api/partner/v1/messages once', ('POST /api/partner/v1/messages once') x 2 ]
--- error_code eval: [ 202, 200, 401, 401, 403, 404, 405, 202, 429 ]
--- no_access_log eval: qr/$::Any/
--- no_error_log eval: qr/$::Any/
