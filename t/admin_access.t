# Who may come in at the admin endpoint.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

# Everything that one could ask, without a key that opens the endpoint.

our %Steps = map {
    my ($who, $refusal) = @$_;
    $who => join '', map { "$who $_ => $refusal\n" } 'GET partners', 'GET partners/atlas',
        'GET none', 'PUT partners', 'PATCH partners/atlas {"enabled":false}',
        'DELETE partners/atlas', 'POST partners {"id":"intruder"}', 'POST partners/atlas/keys';
} [ '-', '401 missing_key' ], [ 'wrong-key-of-no-one', '401 invalid_key' ],
  [ 'atlas-key', '401 invalid_key' ], [ 'clerk', '403 insufficient_scope' ];

# And nothing has changed.

our $Same = "- GET /file => 200 ~ \\A[^\\n]+\\n\\z\natlas-key GET / => 200\n";

admin_blocks(partners => ['{"id":"atlas","key":"atlas-key"}']);
run_tests();

__DATA__

=== TEST 1: without a key
--- steps eval: $main::Steps{'-'} . $main::Same


=== TEST 2: with a wrong one
--- steps eval: $main::Steps{'wrong-key-of-no-one'} . $main::Same


=== TEST 3: as a partner
--- steps eval: $main::Steps{'atlas-key'} . $main::Same


=== TEST 4: without the scope
--- steps eval: $main::Steps{clerk} . $main::Same


=== TEST 5: an operator is no partner
--- steps
ops GET / => 401 invalid_key


=== TEST 6: limit_except lets GET pass, and nothing else
--- config
location / { wassiit_access api; try_files /none @ok; }
location @ok { return 200 "let in"; }
location /except/ {
    wassiit_access ops;
    wassiit_admin api;
    limit_except GET { deny all; }
}
--- steps
ops GET /except/partners => 200 = atlas
ops DELETE /except/partners/atlas => 403
atlas-key GET / => 200 ~ ^let in$
