# An operator asks for new secrets of a partner: what is answered, and what the
# partners' file has. (How long a former one counts is in t/secrets.t.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

our $as_before = 'ops GET partners/atlas => 200 ~ "former_hmac_secret_expires":null,'
                 . qq(.*"former_webhook_secret_expires":null\n);

# What is wrong with a grace, for a kind of secret.

sub refused {
    my ($field) = @_;
    my @values = (1440, '""', '"x"', '"11y"', 'null');
    return join('', map { qq(ops POST partners/atlas/$field {"grace":$_})
                          . " => 400 invalid_payload @ #/grace\n" } @values) . $as_before;
}

admin_blocks(partners => [
    partner('bare', 'key of bare'),
    partner('atlas', 'key of atlas', hmac_secret => 'Zmlyc3Q=', webhook_secret => 'first hook') ]);
run_tests();

__DATA__

=== TEST 1: a first secret for requests takes the place of none, whatever the grace
--- steps
ops POST partners/bare/hmac_secret {"grace":"1h"} => 201 ~ "former_expires":null
ops GET partners/bare => 200 ~ "former_hmac_secret_expires":null
- GET /file => 200 ~ "hmac_secret":"[^"]+"
    ! "value"


=== TEST 2: a first secret for webhooks takes the place of none, whatever the grace
--- steps
ops POST partners/bare/webhook_secret {"grace":"1h"} => 201 ~ "former_expires":null
ops GET partners/bare => 200 ~ "former_webhook_secret_expires":null
- GET /file => 200 ~ "webhook_secret":"[^"]+"
    ! "value"


=== TEST 3: a grace that is none changes no secret for requests
--- steps eval: main::refused('hmac_secret')


=== TEST 4: nor one for webhooks
--- steps eval: main::refused('webhook_secret')


=== TEST 5: a field of another name is told which there is, for requests
--- steps eval
'ops POST partners/atlas/hmac_secret {"graces":"1h"} => 400 invalid_payload @ #/graces' . "\n"
. '    ~ "detail":"is no field of this request: grace is"' . "\n$main::as_before"


=== TEST 6: and for webhooks
--- steps eval
'ops POST partners/atlas/webhook_secret {"graces":"1h"} => 400 invalid_payload @ #/graces' . "\n"
. '    ~ "detail":"is no field of this request: grace is"' . "\n$main::as_before"
