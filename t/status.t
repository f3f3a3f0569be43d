# What wassiit_status shows of a zone, as JSON and to Prometheus: each request once.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA;
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;
use Wassiit::Watched;

our $Time = '"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"';
our $Signed = '    > X-WASSIIT-Signature: ' . Digest::SHA::hmac_sha256_hex('event', 'a hook');

watched_blocks();
run_tests();

__DATA__

=== TEST 1: at first each decision is there, with 0, and nobody has asked
--- steps eval
main::decided()
. 'ops GET /status => 200 ~ "limited":\[\],"refused":\[\],"active":\[\],"truncated":false\}$'


=== TEST 2: the zone and its file
--- steps
ops GET /status => 200
    Content-Type: application/json
    Cache-Control: no-store
    ~ "zone":\{"name":"api","size":1048576,"used":[1-9]\d{3,5},"partners":5,"disabled":1,"changes":
    ~ "disabled":1,"changes":true,"file":\{"ok":true,"error":null\}\}
- GET /metrics => 200 ~ ^wassiit_zone_partners\{zone="api",state="disabled"\} 1$
    ~ ^wassiit_zone_partners\{zone="api",state="enabled"\} 4$


=== TEST 3: answers of a backend
--- steps eval
"atlas-key GET / => 200\natlas-key GET / => 200\natlas-key GET /500 => 500\n"
. "atlas-key GET /301 => 301\n"
. main::decided(allowed => 4)
. main::answered('2xx upstream' => 2, '3xx upstream' => 1, '5xx upstream' => 1)


=== TEST 4: nginx answers in place of a backend
--- allow_log: connect\(\) to unix:/nowhere failed
--- steps eval
"atlas-key GET /dead => 502\natlas-key GET /gif => 200\natlas-key GET /intercept => 500\n"
. main::decided(allowed => 3) . main::answered('2xx nginx' => 1, '5xx nginx' => 2)


=== TEST 5: we refuse
--- steps eval
"- GET / => 401 missing_key\n- GET / => 401 missing_key\nnone-key GET / => 401 invalid_key\n"
. "paused-key GET / => 403 partner_disabled\natlas-key GET /calls => 403 insufficient_scope\n"
. main::decided(missing_key => 2, invalid_key => 1, partner_disabled => 1,
                insufficient_scope => 1)
. main::answered('4xx module' => 5)


=== TEST 6: a backend answers what we refused
--- steps eval
"atlas-key GET /elsewhere => 200\n"
. main::decided(insufficient_scope => 1) . main::answered('2xx upstream' => 1)


=== TEST 7: whom another module lets in isn't counted, who has no zone neither
--- steps eval
"- GET /any => 200\n- GET /open => 200\natlas-key GET /any => 200\n"
. main::decided(allowed => 1) . main::answered('2xx upstream' => 1)


=== TEST 8: dry runs
--- steps eval
"trial-key GET /dry => 200\n" x 3
. main::decided(allowed => 1, rate_limited_dry_run => 2) . main::answered('2xx upstream' => 3)


=== TEST 9: who is limited, since when, how often, and by which request last
--- steps eval
"busy-key GET / => 200\n" x 2 . "busy-key GET / => 429 rate_limited\n" x 3
. 'ops GET /status => 200 ~ "limited":\[\{"id":"busy","name":null,"decision":"rate_limited",'
. qq("about":null,"since":$main::Time,"last":$main::Time,"count":3,"request_id":"{instance}",)
. '"limited":3,"used":2,"limit":2,"seconds":3600,"reset":(?:3600|3[45]\d\d)\}\],"refused":\[\],'
. "\n"
. main::decided(allowed => 2, rate_limited => 3)


=== TEST 10: the admin endpoint knows it, too
--- steps
busy-key GET / => 200
busy-key GET / => 200
busy-key GET / => 429 rate_limited
busy-key GET / => 429 rate_limited
ops GET partners/busy => 200 ~ "last_refusal":\{"code":"rate_limited",
    ~ "last_refusal":\{[^{}]*"count":2[,}]
    ~ "last_refusal":\{[^{}]*"instance":"{instance}"
ops GET partners/trial => 200 ~ "last_refusal":null


=== TEST 11: who is refused, and why
--- steps
paused-key GET / => 403 partner_disabled
ops GET /status => 200
    ~ "refused":\[\{"id":"off","name":null,"decision":"partner_disabled","about":null,"since":
    ~ "count":1,"request_id":"{instance}"[^{}]*\}\],"active":\[\]


=== TEST 12: which scope it lacks; names are as they are
--- steps
atlas-key GET /calls => 403 insufficient_scope
ops GET /status => 200
    ~ "refused":\[\{"id":"atlas","name":"Atlas \\"<b>\\\\","decision":"insufficient_scope",
    ~ "decision":"insufficient_scope","about":"calls\.initiate",
ops GET partners/atlas => 200 ~ "last_refusal":\{[^{}]*"about":"calls\.initiate"


=== TEST 13: that it has no secret to sign with, which its answer doesn't tell
--- steps eval
"atlas-key GET /signed => 401 invalid_signature\n    > X-API-Timestamp: " . time . "\n"
. "    > X-API-Signature: x\n    ! hmac_secret\n"
. 'ops GET /status => 200 ~ "refused":\[\{"id":"atlas",[^{}]*'
. qq("invalid_signature","about":"hmac_secret",\n)
. 'ops GET partners/atlas => 200 ~ "last_refusal":\{[^{}]*"about":"hmac_secret"' . "\n"
. "atlas-key POST /hook other => 401 invalid_signature\n$main::Signed\n"
. 'ops GET partners/atlas => 200 ~ "last_refusal":\{"code":"invalid_signature","about":null,'


=== TEST 14: strangers, whose number the counters tell
--- steps
none-key GET / => 401 invalid_key
ops GET /status => 200
    ~ "refused":\[\{"id":null,"name":null,"decision":"invalid_key","about":null,"last":
    ~ "count":null,"request_id":"{instance}"


=== TEST 15: refusals in a row; another reason begins anew
--- steps
atlas-key GET /calls => 403 insufficient_scope
atlas-key GET /calls => 403 insufficient_scope
ops GET partners/atlas => 200 ~ "last_refusal":\{[^{}]*"count":2[,}]
atlas-key POST /hook x => 401 missing_signature
ops GET partners/atlas => 200 ~ "last_refusal":\{"code":"missing_signature",
    ~ "last_refusal":\{[^{}]*"count":1[,}]


=== TEST 16: who is deleted is limited no more, another of that id never was
--- steps
busy-key GET / => 200
busy-key GET / => 200
busy-key GET / => 429 rate_limited
ops GET /status => 200 ~ "limited":\[\{"id":"busy"
ops DELETE partners/busy => 204
ops GET /status => 200 ~ "limited":\[\]
ops POST partners {"id":"busy"} => 201 ~ "last_refusal":null


=== TEST 17: the most active, by their rates
--- steps
atlas-key GET / => 200
ops PATCH partners/trial {"rate":"5r/s"} => 200
trial-key GET / => 200
ops GET /status => 200
    ~ "active":\[\{"id":"trial",[^{}]*\},\{"id":"atlas",[^{}]*\}\],"truncated":false\}$
    ~ \{"id":"atlas","name":"Atlas \\"<b>\\\\","enabled":true,"allowed":1,"limited":0,"refused":0,
    ~ "refused":0,"used":1,"limit":1000,"seconds":3600,"reset":\d+\}\],"truncated"


=== TEST 18: what is let through in a dry run is allowed
--- steps
trial-key GET /dry => 200
trial-key GET /dry => 200
trial-key GET /dry => 200
ops GET /status => 200 ~ "active":\[\{"id":"trial","name":null,"enabled":true,"allowed":3,
- GET /metrics => 200
    ~ ^wassiit_partner_requests_total\{zone="api",partner="trial",outcome="allowed"\} 3$


=== TEST 19: so many of them, or none
--- steps
atlas-key GET / => 200
busy-key GET / => 200
ops GET /status?top=1 => 200 ~ "active":\[\{"id":"busy",[^{}]*\}\],"truncated":true\}$
ops GET /status?top=0 => 200 ~ "active":\[\],
- GET /metrics?top=0 => 200
    ! partner=


=== TEST 20: those that are named, if they are there; of refusals, too
--- steps
paused-key GET / => 403 partner_disabled
busy-key GET / => 200
atlas-key GET /calls => 403 insufficient_scope
ops GET /status?partner=off&partner=none => 200 ~ "active":\[\{"id":"off",[^{}]*\}\],
ops GET /status?partner=off => 200 ~ "refused":\[\{"id":"off",[^{}]*\}\],"active"


=== TEST 21: webhooks that came
--- steps eval
"atlas-key POST /hook event => 200\n$main::Signed\n" x 3
. "atlas-key POST /hook x => 401 missing_signature\n"
. "atlas-key POST /hook other => 401 invalid_signature\n$main::Signed\n" x 2
. '- GET /metrics => 200 ~ ^' . CORE::join('\n', map {
    qq(wassiit_webhooks_total\\{zone="api",direction="in",result="$_->[0]"\\} $_->[1])
} ['verified', 3], ['missing_signature', 1], ['invalid_signature', 2]) . '$'


=== TEST 22: webhooks that were sent on, each fate told apart
--- steps eval
"- POST /send-atlas x => 200\n" . "- POST /send-off x => 502\n" x 2
. "- POST /send-none x => 502\n- POST /send-no%20id x => 502\n- POST /send-nobody x => 502\n"
. '- GET /metrics => 200 ~ ^' . CORE::join('\n', map {
    qq(wassiit_webhooks_total\\{zone="api",direction="out",result="$_->[0]"\\} $_->[1])
} ['signed', 1], ['no_secret', 2], ['no_partner', 3]) . '$'


=== TEST 23: a signature that stands twice is named
--- steps eval
"atlas-key POST /hook event => 400 duplicate_header\n$main::Signed\n$main::Signed\n"
. 'ops GET partners/atlas => 200 ~ "last_refusal":\{[^{}]*"about":"X-WASSIIT-Signature"'


=== TEST 24: changes, and partners that are disabled
--- steps eval
qq(ops PATCH partners/off {"enabled":true} => 200\n)
. qq(ops GET /status => 200 ~ "partners":5,"disabled":0,\n)
. qq(ops PATCH partners/atlas {"enabled":false} => 200\n)
. qq(ops GET /status => 200 ~ "partners":5,"disabled":1,\n)
. qq(ops DELETE partners/atlas => 204\nops DELETE partners/none => 404\n)
. qq(ops GET /status => 200 ~ "partners":4,"disabled":0,\n)
. qq(ops POST partners {"id":"new"} => 201\n- GET /metrics => 200\n)
. CORE::join('', map {
    qq(    ~ ^wassiit_admin_changes_total\\{zone="api",operation="$_->[0]",)
    . qq(result="$_->[1]"\\} $_->[2]\$\n)
} [qw(partner_patch done 2)], [qw(partner_create done 1)], [qw(partner_create failed 0)],
  [qw(partner_delete done 1)], [qw(partner_delete refused 1)], [qw(key_rotate done 0)])


=== TEST 25: of a webhook that an error_page leads on, no secret to sign with is missing
--- steps eval
"large-key POST /led other => 200\n$main::Signed\n"
. 'ops GET partners/large => 200 ~ "last_refusal":\{"code":"invalid_signature","about":null,'
