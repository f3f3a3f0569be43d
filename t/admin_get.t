# GET partners/ID: what is told of a partner.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

our $Counts = join ',', map { qq("$_":0) } qw(allowed duplicate_header invalid_key expired_key
    missing_signature stale_timestamp invalid_signature partner_disabled insufficient_scope
    rate_limited rate_limited_dry_run unsupported_media_type too_large invalid_payload);

our @Atlas = (partner('atlas', [ 'first-key', 'other-key' ], rate => '9r/h', name => 'Atlas',
    scopes => ['files.send'], hmac_secret => 'c2VjcmV0b2ZhdGxhcw==', webhook_secret => 'the hook'));

admin_blocks(partners => \@Atlas);
run_tests();

__DATA__

=== TEST 1: in a page
--- steps
ops GET partners => 200
    ~ ^\{"partners":\[\{"id":"atlas","name":"Atlas","enabled":true,"scopes":\["files.send"\],"rate"
    ~ "rate":"9r/h","last_used":null\}\],"next":null\}$


=== TEST 2: alone
--- steps
ops GET partners/atlas => 200
    Content-Type: application/json
    ~ ^\{"id":"atlas","name":"Atlas","enabled":true,"scopes":\["files.send"\],"rate":"9r/h","keys":
    ~ "keys":\[\{"id":"k1","created":null,"expires":null,"last_used":null\},\{"id":"k2","created":
    ~ \{"id":"k2","created":null,"expires":null,"last_used":null\}\],"has_hmac_secret":true,
    ~ "has_hmac_secret":true,"former_hmac_secret_expires":null,"has_webhook_secret":true,
    ~ "has_webhook_secret":true,"former_webhook_secret_expires":null,"window":\{"limit":9,
    ~ "window":\{"limit":9,"seconds":3600,"used":0,"remaining":9,"reset":\d+\},"counts":\{
    ~ \},"last_refusal":null\}$


=== TEST 3: each decision has its count
--- steps eval
qq(ops GET partners/atlas => 200 ~ "counts":\\{$main::Counts\\})


=== TEST 4: the use of the window, what was allowed, and which key was used
--- steps
other-key GET / => 200
other-key GET / => 200
other-key GET / => 200
ops GET partners/atlas => 200
    ~ "window":\{"limit":9,"seconds":3600,"used":3,"remaining":6,
    ~ "counts":\{"allowed":3,
    ~ "keys":\[\{"id":"k1","created":null,"expires":null,"last_used":null\},\{"id":"k2",
    ~ \{"id":"k2","created":null,"expires":null,"last_used":"{now}"\}\]


=== TEST 5: in a page, the last use of any key
--- steps
other-key GET / => 200
ops GET partners => 200 ~ "rate":"9r/h","last_used":"{now}"\}


=== TEST 6: HEAD of a page
--- steps
ops GET partners => 200
ops HEAD partners => 200 ~ ^$
    Content-Length: {length}


=== TEST 7: HEAD of a part of the pages
--- steps
ops GET partners?limit=1 => 200
ops HEAD partners?limit=1 => 200 ~ ^$
    Content-Length: {length}


=== TEST 8: HEAD of a partner
--- steps
ops GET partners/atlas => 200
ops HEAD partners/atlas => 200 ~ ^$
    Content-Length: {length}


=== TEST 9: HEAD of who is not there
--- steps
ops GET partners/none => 404 not_found
    ~ "detail":"There is no partner none\."
ops HEAD partners/none => 404 ~ ^$
    Content-Length: {length}
