# One client request is decided and counted once, however nginx turns it over.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Answer;
use Test::Nginx::Socket;

my ($addition) = (`$ENV{TEST_NGINX_BINARY} -V 2>&1` =~ /(http_addition_module)/);
my $json = JSON::PP->new->canonical;
my $partners = join "\n", map { $json->encode($_) }
    partner('atlas', 'atlas-key', rate => '1000r/d'),
    partner('poor', 'poor-key', scopes => [ 'files.send' ], rate => '1000r/d'),
    partner('once', 'once-key', rate => '1r/d'),
    partner('both', 'both-key', rate => '1000r/d');
my $others = join "\n", map { $json->encode($_) }
    partner('twin', 'both-key', rate => '5r/h', scopes => [ 'files.send' ]),
    partner('other', 'other-key', rate => '5r/h');

add_block_preprocessor(sub {
    my ($block) = @_;
    my $way = $block->way;

    $block->set_value(partners => $partners);
    $block->set_value(user_files => ">>> folder/file\nfile\n>>> folder/index.html\nindex\n"
        . '>>> ssi/ssi.html' . "\nssi "
        . join(' ', map { qq(<!--#include virtual="$_" -->) }
               '/guarded/file', '/open/file', '/guarded/proxied')
        . "\n>>> ../conf/other.jsonl\n$others\n");
    $block->set_value(suppress_stderr => 1);        # which says that anyone may read the last
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
        wassiit_zone zone=other:1m file=other.jsonl;
        log_format decision '$request_uri $wassiit_partner $wassiit_decision $wassiit_limit';

        upstream retried {
            server 127.0.0.1:$TEST_NGINX_PORT_3 max_fails=0;
            server 127.0.0.1:$TEST_NGINX_PORT_2;
        }
        upstream failing {
            server 127.0.0.1:$TEST_NGINX_PORT_2;
            server 127.0.0.1:$TEST_NGINX_PORT_3 max_fails=0;
            server 127.0.0.1:$TEST_NGINX_PORT_2;
        }
        server {
            listen 127.0.0.1:$TEST_NGINX_PORT_2;
            access_log off;
            location /200 { return 200 ok; }
            location /503 { return 503 no; }
            location /accel { add_header X-Accel-Redirect /guarded/file; return 204; }
            location /accel-named { add_header X-Accel-Redirect @named; return 204; }
            location /accel-strict { add_header X-Accel-Redirect /strict; return 204; }
        }
END
    $block->set_value(config => <<'END'
        wassiit_access api;
        access_log logs/access.log decision;

        %%WAY%%
        location = /left { }
        location @named { rewrite ^ /200 break; proxy_pass http://backend; }
        location @problem { wassiit_problem; }
        location /guarded/ {
            alias html/folder/;
            location /guarded/second { error_page 404 @named; }
            location /guarded/tries { try_files /none /guarded/rewrites; }
            location /guarded/rewrites { rewrite ^ /guarded/file last; }
            location /guarded/proxied { proxy_pass http://backend/200; }
        }
        location /open/ { wassiit_access off; alias html/folder/; }
        location /verdict/204 { return 204; }

        # into stricter places
        location /to/scope/try { try_files /none /strict; }
        location /to/scope/named { try_files /none @strict; }
        location /to/scope/error { error_page 404 /strict; }
        location /to/scope/rewrite { rewrite ^ /strict last; }
        location /to/scope/accel { proxy_pass http://backend/accel-strict; }
        location /to/scope/open { wassiit_access off; try_files /none /strict; }
        location /strict { wassiit_scope calls.initiate; alias html/folder/file; }
        location @strict {
            wassiit_scope calls.initiate;
            rewrite ^ /200 break;
            proxy_pass http://backend;
        }

        # into another zone's
        location /to/other { wassiit_scope messages.send; try_files /none /other; }
        location /other { wassiit_access other; alias html/folder/file; }
        location /other/scope { wassiit_access other; wassiit_scope messages.send; }
        location /to/other/scope { try_files /none /other/scope; }
        location /from/open { wassiit_access off; try_files /none /guarded/file; }

        # a subrequest to where all would be refused
        location /sub/ { auth_request /nobody; try_files /none @named; }
        location /nobody {
            wassiit_access other;
            wassiit_scope webhooks.manage;
            proxy_pass http://backend/200;
        }

        location /dry/ { wassiit_limit dry_run; try_files /none /guarded/file; }
END
        =~ s{%%WAY%%}{defined $way ? "location /w/ { $way }" : ''}er
        =~ s{http://backend\b}{http://127.0.0.1:\$TEST_NGINX_PORT_2}gr);

    # A way on which nginx turns a request over: the answer tells of a limit once,
    # that has come down by one, and by one again when the next asks; without a key
    # there is no way; and the log has one decision.
    if (defined $way) {
        chomp(my $status = $block->status // 200);
        $block->set_value(SKIP => 1) if $way =~ /add_before_body/ && !$addition;
        $block->set_value(request => [ map { "GET $_" } '/w/', '/left', '/w/?none' ]);
        $block->set_value(more_headers => [ ('X-API-Key: atlas-key') x 2, '' ]);
        $block->set_value(error_code => [ $status, 404, 401 ]);
        $block->set_value(limit => [ '1000 86400 999', '1000 86400 998', undef ]);
        $block->set_value(logged => qr{^/w/ atlas allowed 1000$});
    }

    $block->set_value(more_headers => 'X-API-Key: ' . $block->key) if defined $block->key;
});

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: plain
--- way
--- status: 404


=== TEST 2: index
--- way: alias html/folder/; index none.html index.html;


=== TEST 3: error_page to a file
--- way: error_page 404 /open/file;
--- status: 404


=== TEST 4: error_page to a guarded file
--- way: error_page 404 /guarded/file;
--- status: 404


=== TEST 5: error_page to a named location
--- way: error_page 404 @named;
--- status: 404


=== TEST 6: error_page =200
--- way: error_page 404 =200 /guarded/file;


=== TEST 7: error_page in a row
--- way: recursive_error_pages on; error_page 404 /guarded/second;
--- status: 404


=== TEST 8: wassiit_problem
--- way: error_page 404 @problem;
--- status: 404


=== TEST 9: try_files
--- way: try_files /none /guarded/file;


=== TEST 10: try_files to a named location
--- way: try_files /none @named;


=== TEST 11: try_files through several
--- way: try_files /none /guarded/tries;


=== TEST 12: rewrite last
--- way: rewrite ^ /guarded/file last;


=== TEST 13: rewrite last in a row
--- way: rewrite ^ /guarded/rewrites last;


=== TEST 14: auth_request
--- way: auth_request /verdict/204; try_files /none @named;


=== TEST 15: auth_request to a guarded proxy
--- way: auth_request /guarded/proxied; try_files /none @named;


=== TEST 16: mirror
--- way: mirror /guarded/proxied; mirror /open/file; try_files /none @named;


=== TEST 17: SSI
--- way: alias html/ssi/; index ssi.html; ssi on;


=== TEST 18: X-Accel-Redirect
--- way: proxy_pass http://backend/accel;


=== TEST 19: X-Accel-Redirect to a named location
--- way: proxy_pass http://backend/accel-named;


=== TEST 20: a backend
--- way: proxy_pass http://backend/200;


=== TEST 21: retries
--- way: proxy_pass http://retried/200;


=== TEST 22: retries that all fail
--- way: proxy_pass http://failing/503; proxy_next_upstream http_503 error;
--- status: 503


=== TEST 23: post_action
--- way: try_files /none @named; post_action /guarded/file;


=== TEST 24: an error of the backend's that becomes a page
--- way: proxy_pass http://backend/503; proxy_intercept_errors on; error_page 503 /guarded/file;
--- status: 503


=== TEST 25: from a place without a limit
--- way: wassiit_limit off; try_files /none /guarded/file;


=== TEST 26: addition
--- way
alias html/folder/;
index index.html;
add_before_body /guarded/file;
add_after_body /open/file;


=== TEST 27: refused by the window: a second turn doesn't let in
--- request eval: [ 'GET /to/scope/try', 'GET /to/scope/try' ]
--- key: once-key
--- error_code eval: [ 200, 429 ]


=== TEST 28: dry_run: the first location's word holds
--- request eval: [ 'GET /dry/', 'GET /dry/' ]
--- key: once-key
--- error_code eval: [ 200, 200 ]


=== TEST 29: into a place that asks for a scope, by try_files
--- request eval: [ ('GET /to/scope/try') x 2 ]
--- more_headers eval: [ 'X-API-Key: poor-key', 'X-API-Key: atlas-key' ]
--- error_code eval: [ 403, 200 ]
--- problem eval: [ '403 insufficient_scope', undef ]
--- response_body_like eval: [ qr/"required_scopes":\["calls\.initiate"\]/, '' ]


=== TEST 30: into a place that asks for a scope, by a named location
--- request eval: [ ('GET /to/scope/named') x 2 ]
--- more_headers eval: [ 'X-API-Key: poor-key', 'X-API-Key: atlas-key' ]
--- error_code eval: [ 403, 200 ]
--- problem eval: [ '403 insufficient_scope', undef ]
--- response_body_like eval: [ qr/"required_scopes":\["calls\.initiate"\]/, '' ]


=== TEST 31: into a place that asks for a scope, by error_page
--- request eval: [ ('GET /to/scope/error') x 2 ]
--- more_headers eval: [ 'X-API-Key: poor-key', 'X-API-Key: atlas-key' ]
--- error_code eval: [ 403, 404 ]
--- problem eval: [ '403 insufficient_scope', undef ]
--- response_body_like eval: [ qr/"required_scopes":\["calls\.initiate"\]/, '' ]


=== TEST 32: into a place that asks for a scope, by rewrite
--- request eval: [ ('GET /to/scope/rewrite') x 2 ]
--- more_headers eval: [ 'X-API-Key: poor-key', 'X-API-Key: atlas-key' ]
--- error_code eval: [ 403, 200 ]
--- problem eval: [ '403 insufficient_scope', undef ]
--- response_body_like eval: [ qr/"required_scopes":\["calls\.initiate"\]/, '' ]


=== TEST 33: into a place that asks for a scope, by X-Accel-Redirect
--- request eval: [ ('GET /to/scope/accel') x 2 ]
--- more_headers eval: [ 'X-API-Key: poor-key', 'X-API-Key: atlas-key' ]
--- error_code eval: [ 403, 200 ]
--- problem eval: [ '403 insufficient_scope', undef ]
--- response_body_like eval: [ qr/"required_scopes":\["calls\.initiate"\]/, '' ]


=== TEST 34: into a place that asks for a scope, by try_files, from where access is off
--- request eval: [ ('GET /to/scope/open') x 2 ]
--- more_headers eval: [ 'X-API-Key: poor-key', 'X-API-Key: atlas-key' ]
--- error_code eval: [ 403, 200 ]
--- problem eval: [ '403 insufficient_scope', undef ]
--- response_body_like eval: [ qr/"required_scopes":\["calls\.initiate"\]/, '' ]


=== TEST 35: from a place without access into one with: counted and refused there
--- request eval: [ ('GET /from/open') x 2 ]
--- more_headers eval: [ 'X-API-Key: poor-key', '' ]
--- error_code eval: [ 200, 401 ]
--- limit eval: [ '1000 86400 999', 'none' ]


=== TEST 36: into another zone's place: the partner is the second zone's
--- request: GET /to/other
--- key: both-key
--- logged: /to/other twin allowed


=== TEST 37: into another zone's place: its scopes
--- request: GET /to/other/scope
--- key: both-key
--- problem: 403 insufficient_scope
--- realm: other


=== TEST 38: into another zone's place, with a key that only the first knows
--- request: GET /to/other/scope
--- key: poor-key
--- problem: 401 invalid_key
--- realm: other


=== TEST 39: into another zone's place, with a key that only the second knows
--- request: GET /to/other
--- key: other-key
--- problem: 401 invalid_key
--- logged: /to/other - invalid_key


=== TEST 40: a subrequest into a place that would refuse is judged by nobody
--- request: GET /sub/
--- key: atlas-key
