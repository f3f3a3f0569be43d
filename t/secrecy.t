# Nothing of a key, nor any eight bytes of it in a row, gets into a log.

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
done_testing;
