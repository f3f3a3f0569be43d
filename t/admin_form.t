# The admin endpoint's errors in the form of an envelope.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

# The envelope of a status and a message, with a detail.

sub envelope {
    my ($status, $message) = @_;
    return "$status\n    Content-Type: application/json\n"
        . qq(    ~ ^\\{"success":false,"status":$status,"message":"$message","data":\\{)
        . qq("detail":"\\w[^"]*\\.","instance":"[0-9a-f]{32}"[^{}]*\\}\\}\$\n);
}

admin_blocks(partners => ['{"id":"atlas","key":"atlas-key"}'], config => <<'END');
    location /form/ {
        wassiit_access ops;
        wassiit_errors envelope;
        wassiit_admin api;
    }
END
run_tests();

__DATA__

=== TEST 1: what is wrong is listed in it
--- steps
ops POST /form/partners {"id":"X","no":1} => 400 @ #/no #/id
    Content-Type: application/json
    ~ ^\{"success":false,"status":400,"message":"invalid_payload","data":\{"detail":"
    ~ ,"errors":\[.*\]\}\}$


=== TEST 2: who is not there, what is not there
--- steps eval
'ops GET /form/partners/none => ' . main::envelope(404, 'not_found')
. 'ops GET /form/x => ' . main::envelope(404, 'not_found')


=== TEST 3: a method
--- steps eval: 'ops PUT /form/partners => ' . main::envelope(405, 'method_not_allowed')


=== TEST 4: an id that is taken
--- steps eval
'ops POST /form/partners {"id":"atlas"} => ' . main::envelope(409, 'conflict')


=== TEST 5: an argument
--- steps eval: 'ops GET /form/partners?limit=0 => ' . main::envelope(400, 'bad_request')


=== TEST 6: a body that is too large
--- steps eval
'ops POST /form/partners ' . 'x' x 70000 . ' => ' . main::envelope(413, 'too_large')
