# Nothing of a key or a secret, nor any eight bytes of it in a row, gets into a log.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Clock;
use Test::More;

my @keys = (map({ make_key("secret $_") } 1 .. 6), 'foreign form, QWERTYUIOP',
            'wst_' . 'Z' x 38, 'L0ngKey!' x 40, 'unknown-ASDFGHJKL');
my ($known, $spent, $paused, $expired, $poor) = @keys;

my $gone = free_port();

# Each request has a second of its own, as the error log takes 10 lines of one.
my $now = time;
my $clock = Wassiit::Clock->new($now);

my $server = Wassiit::Server->start(
    files => { 'partners.jsonl' => [
        partner('atlas', $known), partner('spent', $spent, rate => '1r/d'),
        partner('paused', $paused, enabled => JSON::PP::false()),
        partner('poor', $poor, scopes => []),
        { id => 'old', keys => [{ id => 'k1', sha256 => key_sha256($expired),
                                  expires => '2020-01-01T00:00:00Z' }] },
    ] },
    conf => <<'END' =~ s/%%GONE%%/$gone/r);
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    log_format all '$request $http_x_api_key $http_x_api_signature '
                   '$wassiit_partner $wassiit_key_id $wassiit_decision';
    access_log logs/access.log all;
    server {
        listen %%PORT%%;
        wassiit_access api;
        location / { wassiit_scope $arg_need; }
        location /proxied { proxy_pass http://127.0.0.1:%%GONE%%; }
    }
}
END

my @uris = ('/', '/', '/missing', '/?need=calls.initiate', '/?need=nosuch', '/proxied');

for my $key (@keys) {
    for my $uri (@uris) {
        for my $more ([], ['X-API-Key' => $key], ['X-API-Signature' => $key]) {
            $clock->set(++$now);
            http($server->port, uri => $uri, headers => ['X-API-Key' => $key, @$more]);
        }
    }
}

my $requests = @keys * @uris * 3;
ok(wait_for { ($server->access_log =~ tr/\n//) == $requests }, 'every request is logged');
like($server->error_log, qr/\[warn\] .* $_->[0], partner "$_->[1]", key "k1"/,
     "$_->[0] is logged, with partner and key id")
    for ['rate_limited', 'spent'], ['partner_disabled', 'paused'], ['expired_key', 'old'],
        ['insufficient_scope', 'poor'];
like($server->error_log, qr/\[info\] .* $_/, "$_ is logged as information")
    for qw(invalid_key duplicate_header);

my $logs = $server->error_log . $server->access_log;
for my $key (@keys) {
    my @pieces = map { substr $key, $_, 8 } 0 .. length($key) - 8;
    my @found = grep { index($logs, $_) >= 0 } @pieces;
    is("@found", '', 'no piece of ' . substr($key, 0, 6) . '... is in a log');
    ok(index($logs, key_sha256($key)) < 0, 'nor its digest');
}

$server->stop;


# ---- what the admin endpoint makes, and what someone sends to it

$clock->set(++$now);
my $operator = make_key('an operator');
$server = Wassiit::Server->start(
    files => {
        'state/partners.jsonl' => [ partner('atlas', $known, hmac_secret => 'c2VjcmV0IG9mIGF0bGFz',
                                            webhook_secret => 'the hook of atlas') ],
        'operators.jsonl' => [ partner('ops', $operator) ] },
    conf => <<'END');
error_log logs/error.log info;
http {
    wassiit_zone zone=api:1m file=state/partners.jsonl;
    wassiit_zone zone=ops:1m file=operators.jsonl;
    log_format audit escape=json '{"operation":"$wassiit_admin_operation",'
        '"partner":"$wassiit_admin_partner","key_id":"$wassiit_admin_key_id",'
        '"change":"$wassiit_admin_change","result":"$wassiit_admin_result"}';
    access_log logs/access.log audit;
    server {
        listen %%PORT%%;
        location / { wassiit_access api; }
    }
    server {
        listen %%PORT_2%%;
        location /admin/ { wassiit_access ops; wassiit_admin api; }
    }
}
END

my @secrets = ($operator, $known, 'c2VjcmV0IG9mIGF0bGFz', 'secret of atlas', 'the hook of atlas',
               map { "${_}_ASDFGHJKL_sent" } qw(hmac hook next key));
my %sent;
@sent{qw(hmac_secret webhook_secret next_webhook_secret key)} = @secrets[ -4 .. -1 ];
my $asked = 0;

for my $row (
    [ 201, POST => '', { id => 'rif', name => 'Rif' } ],
    (map { my $grace = $_; map { [ 201, POST => "/atlas/$_", $grace && { grace => $grace } ] }
               qw(keys/rotate hmac_secret webhook_secret) } undef, '1h', '0'),
    [ 201, POST => '/atlas/keys' ],
    (map { my $path = $_; map { [ 400, POST => $path, { $_ => $sent{$_} } ] } sort keys %sent }
         '/atlas/keys/rotate', '/atlas/keys', '/atlas/hmac_secret', '/atlas/webhook_secret'),
    (map { [ 400, PATCH => '/atlas', { $_ => $sent{$_}, name => 'Atlas' } ],
           [ 400, POST => '', { $_ => $sent{$_}, id => 'zagora' } ] } sort keys %sent),
    [ 400, PATCH => '/atlas', { %sent, keys => [ values %sent ], enabled => JSON::PP::false() } ],
    [ 200, PATCH => '/atlas', { enabled => JSON::PP::false() } ],
    [ 400, PATCH => '/atlas', [ values %sent ] ],
    [ 412, DELETE => '/rif' ])
{
    my ($status, $method, $path, $body) = @$row;
    my $r = http($server->port(2), method => $method, uri => "/admin/partners$path",
                 headers => [ 'X-API-Key' => $operator, $status == 412 ? ('If-Match' => '"x"') : () ],
                 $body ? (body => JSON::PP->new->utf8->encode($body)) : ());
    is($r->status, $status, "$method $path") or diag($r->body);
    push @secrets, grep { defined } @{ $r->json }{qw(key hmac_secret webhook_secret)}
        if $status == 201;
    $asked++;
}

ok(wait_for { ($server->access_log =~ tr/\n//) == $asked }, 'each change is logged');
like($server->access_log, qr/"change":"\{\\"enabled\\":false\}"/, 'with what was asked for');
like($server->error_log, qr/\[notice\] .* partner "atlas" has a new hmac_secret/, 'and that it was done');
is(@secrets, 5 + 4 + 11, 'with a key or secret each of those that make one');

$logs = $server->error_log . $server->access_log;
for my $secret (@secrets) {
    my @found = grep { index($logs, $_) >= 0 } map { substr $secret, $_, 8 } 0 .. length($secret) - 8;
    is("@found", '', 'no piece of ' . substr($secret, 0, 6) . '... is in a log');
    ok(index($logs, key_sha256($secret)) < 0, 'nor its digest');
}

$server->stop;
done_testing;
