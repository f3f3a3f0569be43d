# One client request is decided and counted once, however nginx turns it over:
# each partner here has made one request when it asks what is left.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::More;

my ($addition) = (`$ENV{TEST_NGINX_BINARY} -V 2>&1` =~ /(http_addition_module)/);
my $gone = free_port();

my @ways = (
    # name, location (%%W%% is its path), status
    ['plain', ''],
    ['missing', '', 404],
    ['index', 'alias html/folder/; index none.html index.html;'],
    ['error_page to a file', 'error_page 404 /open/file;', 404],
    ['error_page to a guarded file', 'error_page 404 /guarded/file;', 404],
    ['error_page to a named location', 'error_page 404 @named;', 404],
    ['error_page =200', 'error_page 404 =200 /guarded/file;'],
    ['error_page in a row', 'recursive_error_pages on; error_page 404 /guarded/second;', 404],
    ['wassiit_problem', 'error_page 404 @problem;', 404],
    ['try_files', 'try_files /none /guarded/file;'],
    ['try_files to a named location', 'try_files /none @named;'],
    ['try_files through several', 'try_files /none /guarded/tries;'],
    ['rewrite last', 'rewrite ^ /guarded/file last;'],
    ['rewrite last in a row', 'rewrite ^ /guarded/rewrites last;'],
    ['auth_request', 'auth_request /verdict/204; try_files /none @named;'],
    ['auth_request to a guarded proxy', 'auth_request /guarded/proxied; try_files /none @named;'],
    ['mirror', 'mirror /guarded/proxied; mirror /open/file; try_files /none @named;'],
    ['SSI', 'alias html/ssi/; index ssi.html; ssi on;'],
    ['X-Accel-Redirect', 'proxy_pass http://%%PORT_2%%/accel;'],
    ['X-Accel-Redirect to a named location', 'proxy_pass http://%%PORT_2%%/accel-named;'],
    ['a backend', 'proxy_pass http://%%PORT_2%%/200;'],
    ['retries', 'proxy_pass http://retried/200;'],
    ['retries that all fail', 'proxy_pass http://failing/503; proxy_next_upstream http_503 error;', 503],
    ['post_action', 'try_files /none @named; post_action /guarded/file;'],
    ['intercepted', 'proxy_pass http://%%PORT_2%%/503; proxy_intercept_errors on; error_page 503 /guarded/file;', 503],
    ['redirect off to on', 'wassiit_limit off; try_files /none /guarded/file;'],
    $addition ? ['addition', 'alias html/folder/; index index.html; add_before_body /guarded/file; add_after_body /open/file;'] : (),
);

my ($n, $locations, %at) = (0, '');
for my $way (@ways) {
    $at{ $way->[0] } = ++$n;
    $locations .= "        location /w$n/ { $way->[1] }\n";
}

my $server = Wassiit::Server->start(
    files => {
        'partners.jsonl' => [
            (map { partner("p$_", "partner-$_", rate => '1000r/d') } 1 .. $n),
            partner('poor', 'poor-key', scopes => ['files.send'], rate => '1000r/d'),
            partner('once', 'once-key', rate => '1r/d'),
            partner('both', 'both-key', rate => '1000r/d'),
            partner('dry', 'dryrun-key', rate => '1r/d'),
        ],
        'other.jsonl' => [
            partner('twin', 'both-key', rate => '5r/h', scopes => ['files.send']),
            partner('other', 'other-key', rate => '5r/h'),
        ],
    },
    conf => <<'END' =~ s/%%LOCATIONS%%/$locations/r =~ s/%%GONE%%/127.0.0.1:$gone/gr);
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    wassiit_zone zone=other:1m file=other.jsonl;
    log_format decision '$request_uri $wassiit_partner $wassiit_decision $wassiit_limit';

    upstream retried { server %%GONE%% max_fails=0; server %%PORT_2%%; }
    upstream failing { server %%PORT_2%%; server %%GONE%% max_fails=0; server %%PORT_2%%; }

    server {
        listen %%PORT%%;
        access_log logs/access.log decision;
        wassiit_access api;

%%LOCATIONS%%
        location = /left { }
        location @named { rewrite ^ /200 break; proxy_pass http://%%PORT_2%%; }
        location @problem { wassiit_problem; }
        location /guarded/ {
            alias html/folder/;
            location /guarded/second { error_page 404 @named; }
            location /guarded/tries { try_files /none /guarded/rewrites; }
            location /guarded/rewrites { rewrite ^ /guarded/file last; }
            location /guarded/proxied { proxy_pass http://%%PORT_2%%/200; }
        }
        location /open/ { wassiit_access off; alias html/folder/; }
        location /verdict/204 { return 204; }

        # into stricter places
        location /to/scope/ {
            location /to/scope/try { try_files /none /strict; }
            location /to/scope/named { try_files /none @strict; }
            location /to/scope/error { error_page 404 /strict; }
            location /to/scope/rewrite { rewrite ^ /strict last; }
            location /to/scope/accel { proxy_pass http://%%PORT_2%%/accel-strict; }
            location /to/scope/open { wassiit_access off; try_files /none /strict; }
        }
        location /strict { wassiit_scope calls.initiate; alias html/folder/file; }
        location @strict { wassiit_scope calls.initiate; rewrite ^ /200 break; proxy_pass http://%%PORT_2%%; }

        location /to/other { wassiit_scope messages.send; try_files /none /other; }
        location /other { wassiit_access other; alias html/folder/file; }
        location /other/scope { wassiit_access other; wassiit_scope messages.send; }
        location /to/other/scope { try_files /none /other/scope; }
        location /from/open { wassiit_access off; try_files /none /guarded/file; }

        # a subrequest to where all would be refused
        location /sub/ { auth_request /nobody; try_files /none @named; }
        location /nobody { wassiit_access other; wassiit_scope webhooks.manage; proxy_pass http://%%PORT_2%%/200; }

        location /dry/ { wassiit_limit dry_run; try_files /none /guarded/file; }
    }
    server {
        listen %%PORT_2%%;
        access_log logs/backend.log;
        location /200 { return 200 ok; }
        location /503 { return 503 no; }
        location /accel { add_header X-Accel-Redirect /guarded/file; return 204; }
        location /accel-named { add_header X-Accel-Redirect @named; return 204; }
        location /accel-strict { add_header X-Accel-Redirect /strict; return 204; }
    }
}
END

mkdir $server->dir . "/html/$_" for 'folder', 'ssi';
$server->write('../html/folder/file', 'file');
$server->write('../html/folder/index.html', 'index');
$server->write('../html/ssi/ssi.html', 'ssi ' . join ' ',
    map { qq(<!--#include virtual="$_" -->) } '/guarded/file', '/open/file', '/guarded/proxied');
system('chmod', '-R', 'a+rX', $server->dir . '/html') == 0 or die 'chmod';

sub get {
    my ($key, $uri) = @_;
    return http($server->port, uri => $uri, headers => ['X-API-Key' => $key]);
}


# ---- counted once

for my $i (1 .. $n) {
    my ($name, undef, $status) = @{ $ways[$i - 1] };
    my $r = get("partner-$i", "/w$i/");

    is($r->status, $status // ($name eq 'plain' ? 404 : 200), "$name: answered");
    is(scalar(my @all = $r->headers('X-RateLimit-Remaining')), 1, "$name: told once");
    is($r->header('X-RateLimit-Remaining'), 999, "$name: counted once");
    is(get("partner-$i", '/left')->header('X-RateLimit-Remaining'), 998,
       "$name: nothing came after");

    is(http($server->port, uri => "/w$i/")->status, 401, "$name: without a key");
}

my ($log, %logged) = $server->access_log;
$logged{$1}{$2}++ while $log =~ m{^/w(\d+)/ (p\d+ allowed) }mg;
is_deeply([map { $logged{$_} } 1 .. $n], [map { { "p$_ allowed" => 1 } } 1 .. $n],
          'each is logged as one decision');


# ---- refused once: a second turn doesn't try again, nor does it let in

get('once-key', "/w$at{try_files}/");
is(get('once-key', "/w$at{try_files}/")->status, 429, 'try_files: refused by the window');
get('dryrun-key', '/dry/');
is(get('dryrun-key', '/dry/')->status, 200, "dry_run: the first location's word holds");


# ---- a redirect into a place that asks for more

for my $way (qw(try named error rewrite accel open)) {
    my $r = get('poor-key', "/to/scope/$way");
    is($r->status, 403, "a scope that the partner lacks, by $way");
    is_deeply($r->json->{required_scopes}, ['calls.initiate'], "the body tells, by $way");
    is(get('partner-1', "/to/scope/$way")->status, $way eq 'error' ? 404 : 200,
       "a scope that the partner holds, by $way");
}

is(get('poor-key', '/from/open')->header('X-RateLimit-Limit'), 1000,
   'from a place without access into one with: counted there');
is(http($server->port, uri => '/from/open')->status, 401, 'and refused there');


# ---- a redirect into a place of another zone

is(get('both-key', '/to/other')->status, 200, 'a key that both zones know');
like($server->access_log, qr{^/to/other twin allowed }m, 'the partner is the second zone\'s');
is(get('both-key', '/to/other/scope')->status, 403, "the second zone's scopes");

my $r = get('poor-key', '/to/other/scope');
is($r->status, 401, 'a key that only the first zone knows');
is($r->json->{code}, 'invalid_key', 'it is refused for what the second zone says');
is($r->header('WWW-Authenticate'), 'ApiKey realm="other"', "the second zone's realm");
is(get('other-key', '/to/other')->status, 401, 'a key that only the second zone knows');
like($server->access_log, qr{^/to/other - invalid_key }m, 'is refused by the first');


# ---- subrequests are judged by nobody

is(get('partner-1', '/sub/')->status, 200, 'a subrequest into a place that would refuse');

$server->stop;
done_testing;
