# The variables, at each decision: as a log has them at the end, and as the
# backend gets them.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Answer;
use Test::Nginx::Socket;

my $json = JSON::PP->new->canonical;
my $variables = join '|', map { "\$wassiit_$_" }
    qw(partner partner_name key_id scopes decision limit remaining reset);

our $Partners = join "\n", map { $json->encode($_) }
    partner('atlas', [ 'atlas-key-1', 'atlas-key-2' ], name => 'Clinique Atlas',
            rate => '1000r/d', scopes => [ 'files.send', 'messages.send' ]),
    partner('bare', 'bare-key', scopes => [], rate => '1000r/d'),
    partner('spent', 'spent-key', scopes => [], rate => '1r/d'),
    partner('paused', 'paused-key', scopes => [], enabled => JSON::PP::false()),
    { id => 'times', rate => '5r/d', keys => [
        { id => 'old', sha256 => key_sha256('expired-key'), expires => '2020-01-01T00:00:00Z' },
        { id => 'new', sha256 => key_sha256('future-key'),
          created => '2120-01-01T00:00:00Z' } ] };

add_block_preprocessor(sub {
    my ($block) = @_;
    my $requests = $block->pipelined_requests // [ $block->request ];
    my ($uri) = $requests->[-1] =~ /\A\s*GET (\S+)/;

    $block->set_value(partners => $Partners);
    $block->set_value(user_files => ">>> open/index.html\nopen\n");
    $block->set_value(http_config => <<'END' =~ s/%%VARIABLES%%/$variables/gr);
        wassiit_zone zone=api:1m file=partners.jsonl;
        log_format all '$request_uri %%VARIABLES%%';
        map $wassiit_partner $mapped { "" none; default "is $wassiit_partner"; }

        server {
            listen 127.0.0.1:$TEST_NGINX_PORT_2;
            access_log off;
            return 200 '$http_x_seen, $http_x_mapped';
        }
END
    $block->set_value(config => <<'END' =~ s/%%VARIABLES%%/$variables/gr);
        wassiit_access api;
        access_log logs/access.log all;
        error_page 402 @named;

        location /open { wassiit_access off; }
        location /scope { wassiit_scope files.send calls.initiate; }
        location /exempt { wassiit_limit off; }
        location /trial { wassiit_limit dry_run; }
        location /error_page { error_page 401 403 404 429 /index.html; }
        location /open_page { error_page 401 403 404 429 /open/index.html; }
        location /named { error_page 401 403 404 429 @named; }
        location @named {
            wassiit_access off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
        }
        location /problem { error_page 401 403 404 429 @problem; }
        location @problem { wassiit_problem; }
        location /tried { try_files /none /index.html; }
        location /early {
            set $early "$wassiit_partner$wassiit_decision$wassiit_remaining";
        }
        location /proxied {
            proxy_set_header X-Seen '%%VARIABLES%%';
            proxy_set_header X-Mapped $mapped;
            proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
        }
        # reads the variables between the key's check and the window's
        location /between { auth_request /reads; }
        location = /reads {
            internal;
            proxy_set_header X-Seen '%%VARIABLES%%';
            proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
        }
END

    # What the log says of the last request; "day" is a reset of almost a day.
    if (defined(my $line = $block->line)) {
        chomp $line;
        $line = quotemeta $line;
        $line =~ s/day\z/86[34]\\d\\d/;
        $block->set_value(logged => qr/^\Q$uri\E $line$/);
    }
    $block->set_value(more_headers => 'X-API-Key: ' . $block->key) if defined $block->key;
});

no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: access off
--- request: GET /open/none
--- error_code: 404
--- line: -|-|-|-|-|-|-|-


=== TEST 2: access off, with a key
--- request: GET /open/none
--- key: atlas-key-2
--- error_code: 404
--- line: -|-|-|-|-|-|-|-


=== TEST 3: missing_key
--- request: GET /
--- error_code: 401
--- line: -|-|-|-|missing_key|-|-|-


=== TEST 4: invalid_key
--- request: GET /
--- key: nobody-knows
--- error_code: 401
--- line: -|-|-|-|invalid_key|-|-|-


=== TEST 5: duplicate_header
--- request: GET /
--- more_headers
X-API-Key: atlas-key-2
X-API-Key: atlas-key-2
--- error_code: 400
--- line: -|-|-|-|duplicate_header|-|-|-


=== TEST 6: allowed
--- request: GET /
--- key: atlas-key-2
--- line: atlas|Clinique Atlas|k2|messages.send files.send|allowed|1000|999|day


=== TEST 7: allowed, without a limit
--- request: GET /exempt
--- key: atlas-key-2
--- error_code: 404
--- line: atlas|Clinique Atlas|k2|messages.send files.send|allowed|-|-|-


=== TEST 8: insufficient_scope
--- request: GET /scope
--- key: atlas-key-2
--- error_code: 403
--- line: atlas|Clinique Atlas|k2|messages.send files.send|insufficient_scope|-|-|-


=== TEST 9: no name, no scopes
--- request: GET /
--- key: bare-key
--- line: bare|-|k1|-|allowed|1000|999|day


=== TEST 10: expired_key
--- request: GET /
--- key: expired-key
--- error_code: 401
--- line: times|-|old|-|expired_key|-|-|-


=== TEST 11: a key before its creation
--- request: GET /
--- key: future-key
--- error_code: 401
--- line: times|-|new|-|invalid_key|-|-|-


=== TEST 12: partner_disabled
--- request: GET /
--- key: paused-key
--- error_code: 403
--- line: paused|-|k1|-|partner_disabled|-|-|-


=== TEST 13: the last of a window
--- request: GET /
--- key: spent-key
--- line: spent|-|k1|-|allowed|1|0|day


=== TEST 14: rate_limited
--- pipelined_requests eval: [ 'GET /', 'GET /?2' ]
--- key: spent-key
--- error_code eval: [ 200, 429 ]
--- line: spent|-|k1|-|rate_limited|1|0|day


=== TEST 15: rate_limited_dry_run
--- pipelined_requests eval: [ 'GET /trial', 'GET /trial?2' ]
--- key: spent-key
--- error_code eval: [ 404, 404 ]
--- line: spent|-|k1|-|rate_limited_dry_run|1|0|day


=== TEST 16: a 404, led to a page
--- request: GET /error_page/none
--- key: atlas-key-2
--- error_code: 404
--- line: atlas|Clinique Atlas|k2|messages.send files.send|allowed|1000|999|day


=== TEST 17: a 401, led to a page
--- request: GET /error_page/none
--- error_code: 401
--- line: -|-|-|-|missing_key|-|-|-


=== TEST 18: a 403, led to a page
--- request: GET /error_page/none
--- key: paused-key
--- error_code: 403
--- line: paused|-|k1|-|partner_disabled|-|-|-


=== TEST 19: a 429, led to a page
--- pipelined_requests eval: [ 'GET /error_page/none', 'GET /error_page/none?2' ]
--- key: spent-key
--- error_code eval: [ 404, 429 ]
--- line: spent|-|k1|-|rate_limited|1|0|day


=== TEST 20: a 404, led to a page where access is off
--- request: GET /open_page/none
--- key: atlas-key-2
--- error_code: 404
--- line: atlas|Clinique Atlas|k2|messages.send files.send|allowed|1000|999|day


=== TEST 21: a 401, led to a page where access is off
--- request: GET /open_page/none
--- error_code: 401
--- line: -|-|-|-|missing_key|-|-|-


=== TEST 22: a 403, led to a page where access is off
--- request: GET /open_page/none
--- key: paused-key
--- error_code: 403
--- line: paused|-|k1|-|partner_disabled|-|-|-


=== TEST 23: a 429, led to a page where access is off
--- pipelined_requests eval: [ 'GET /open_page/none', 'GET /open_page/none?2' ]
--- key: spent-key
--- error_code eval: [ 404, 429 ]
--- line: spent|-|k1|-|rate_limited|1|0|day


=== TEST 24: a 404, led to a named location
--- request: GET /named/none
--- key: atlas-key-2
--- error_code: 404
--- line: atlas|Clinique Atlas|k2|messages.send files.send|allowed|1000|999|day


=== TEST 25: a 401, led to a named location
--- request: GET /named/none
--- error_code: 401
--- line: -|-|-|-|missing_key|-|-|-


=== TEST 26: a 403, led to a named location
--- request: GET /named/none
--- key: paused-key
--- error_code: 403
--- line: paused|-|k1|-|partner_disabled|-|-|-


=== TEST 27: a 429, led to a named location
--- pipelined_requests eval: [ 'GET /named/none', 'GET /named/none?2' ]
--- key: spent-key
--- error_code eval: [ 404, 429 ]
--- line: spent|-|k1|-|rate_limited|1|0|day


=== TEST 28: a 404, led to wassiit_problem
--- request: GET /problem/none
--- key: atlas-key-2
--- error_code: 404
--- line: atlas|Clinique Atlas|k2|messages.send files.send|allowed|1000|999|day


=== TEST 29: a 401, led to wassiit_problem
--- request: GET /problem/none
--- error_code: 401
--- line: -|-|-|-|missing_key|-|-|-


=== TEST 30: a 403, led to wassiit_problem
--- request: GET /problem/none
--- key: paused-key
--- error_code: 403
--- line: paused|-|k1|-|partner_disabled|-|-|-


=== TEST 31: a 429, led to wassiit_problem
--- pipelined_requests eval: [ 'GET /problem/none', 'GET /problem/none?2' ]
--- key: spent-key
--- error_code eval: [ 404, 429 ]
--- line: spent|-|k1|-|rate_limited|1|0|day


=== TEST 32: try_files
--- request: GET /tried
--- key: atlas-key-2
--- line: atlas|Clinique Atlas|k2|messages.send files.send|allowed|1000|999|day


=== TEST 33: read before the access phase, no less true afterwards
--- request: GET /early
--- key: atlas-key-2
--- error_code: 404
--- line: atlas|Clinique Atlas|k2|messages.send files.send|allowed|1000|999|day


=== TEST 34: read by a subrequest before the window was asked
--- pipelined_requests eval: [ 'GET /between', 'GET /between?2' ]
--- key: spent-key
--- error_code eval: [ 404, 429 ]
--- line: spent|-|k1|-|rate_limited|1|0|day


=== TEST 35: read by a subrequest before the window was asked, allowed
--- request: GET /between
--- key: atlas-key-2
--- error_code: 404
--- line: atlas|Clinique Atlas|k2|messages.send files.send|allowed|1000|999|day


=== TEST 36: what the backend gets by proxy_set_header and map
--- request: GET /proxied
--- key: atlas-key-2
--- response_body_like eval
qr{^atlas\|Clinique Atlas\|k2\|messages\.send files\.send\|allowed}
    . qr{\|1000\|999\|86[34]\d\d, is atlas\z}
