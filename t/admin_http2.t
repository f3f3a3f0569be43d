# The admin endpoint by HTTP/2. How long a body may be there is t/admin.t's.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

admin_blocks(partners => ['{"id":"rif","key":"key-of-rif"}']);
run_tests();

__DATA__

=== TEST 1: by HTTP/2 a partner is made, and its key works
--- http2
--- steps
ops POST partners {"id":"atlas"} => 201 ~ ^\{"id":"atlas",.*"key":"wst_\w{38}"\}$
    Location: /admin/partners/atlas
{key} GET / => 200 ~ ^atlas$


=== TEST 2: by HTTP/2 a partner is read, page by page and alone
--- http2
--- steps
ops GET partners => 200 = rif
ops GET partners/rif => 200 ~ ^\{"id":"rif",
ops HEAD partners/rif => 200 ~ ^$
    ETag: {etag}


=== TEST 3: by HTTP/2 a key is made without a body
--- http2
--- steps
ops POST partners/rif/keys => 201
{key} GET / => 200 ~ ^rif$


=== TEST 4: by HTTP/2 one is changed, and goes
--- http2
--- steps
ops PATCH partners/rif {"name":"Rif"} => 200 ~ "name":"Rif"
ops DELETE partners/rif => 204 ~ ^$
key-of-rif GET / => 401 invalid_key


=== TEST 5: by HTTP/2 errors are as ever
--- http2
--- steps
ops POST partners/BAD/keys => 400 bad_request
ops PUT partners => 405 method_not_allowed
    Allow: GET, HEAD, POST
ops GET partners/none => 404 not_found
- GET partners => 401 missing_key
