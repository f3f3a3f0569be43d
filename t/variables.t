# The variables, at each decision: as a log has them at the end, and as the
# backend gets them.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::More;

my @names = qw(partner partner_name key_id scopes decision limit remaining reset);
my $log = join '|', map { "\$wassiit_$_" } @names;

my $server = Wassiit::Server->start(
    files => { 'partners.jsonl' => [
        partner('atlas', ['atlas-key-1', 'atlas-key-2'], name => 'Clinique Atlas',
                rate => '1000r/d', scopes => ['files.send', 'messages.send']),
        partner('bare', 'bare-key', scopes => [], rate => '1000r/d'),
        partner('spent', 'spent-key', scopes => [], rate => '1r/d'),
        partner('trial', 'trial-key', scopes => [], rate => '1r/d'),
        partner('paused', 'paused-key', scopes => [], enabled => JSON::PP::false()),
        { id => 'times', rate => '5r/d', keys => [
            { id => 'old', sha256 => key_sha256('expired-key'), expires => '2020-01-01T00:00:00Z' },
            { id => 'new', sha256 => key_sha256('future-key'), created => '2120-01-01T00:00:00Z' } ] },
    ] },
    conf => <<'END' =~ s/%%LOG%%/$log/gr);
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    log_format all '$request_uri %%LOG%%';
    access_log logs/access.log all;

    map $wassiit_partner $mapped { "" none; default "is $wassiit_partner"; }

    server {
        listen %%PORT%%;
        wassiit_access api;
        error_page 402 @named;

        location / { }
        location /open { wassiit_access off; }
        location /scope { wassiit_scope files.send calls.initiate; }
        location /exempt { wassiit_limit off; }
        location /trial { wassiit_limit dry_run; }
        location /error_page { error_page 401 403 404 429 /index.html; }
        location /open_page { error_page 401 403 404 429 /open/index.html; }
        location /named { error_page 401 403 404 429 @named; }
        location @named { wassiit_access off; proxy_pass http://%%PORT_2%%; }
        location /problem { error_page 401 403 404 429 @problem; }
        location @problem { wassiit_problem; }
        location /tried { try_files /none /index.html; }
        location /early { set $early "$wassiit_partner$wassiit_decision$wassiit_remaining"; }
        location /proxied {
            proxy_set_header X-Seen '%%LOG%%';
            proxy_set_header X-Mapped $mapped;
            proxy_pass http://%%PORT_2%%;
        }
        # reads the variables between the key's check and the window's
        location /between { auth_request /reads; }
        location = /reads {
            internal;
            proxy_set_header X-Seen '%%LOG%%';
            proxy_pass http://%%PORT_2%%;
        }
    }
    server {
        listen %%PORT_2%%;
        access_log off;
        return 200 '$http_x_seen, $http_x_mapped';
    }
}
END

# What the log says of one request; the reset varies, so it becomes a word.

sub logged {
    my ($uri, @headers) = @_;
    my $tag = '?' . ++(our $n);

    http($server->port, uri => "$uri$tag", headers => \@headers);
    wait_for { $server->access_log =~ /\Q$tag\E / };
    my ($line) = $server->access_log =~ /\Q$tag\E (.*)/;
    return $line =~ s/\|(\d+)$/$1 > 86000 && $1 <= 86400 ? '|day' : "|$1"/er;
}

my @atlas = ('X-API-Key' => 'atlas-key-2');
my $atlas = 'atlas|Clinique Atlas|k2|messages.send files.send';
my $nobody = '-|-|-|-';

is(logged('/open'), "$nobody|-|-|-|-", 'access off');
is(logged('/open', @atlas), "$nobody|-|-|-|-", 'access off, with a key');
is(logged('/'), "$nobody|missing_key|-|-|-", 'missing_key');
is(logged('/', 'X-API-Key' => 'nobody-knows'), "$nobody|invalid_key|-|-|-", 'invalid_key');
is(logged('/', @atlas, @atlas), "$nobody|duplicate_header|-|-|-", 'duplicate_header');
is(logged('/', @atlas), "$atlas|allowed|1000|999|day", 'allowed');
is(logged('/exempt', @atlas), "$atlas|allowed|-|-|-", 'allowed, without a limit');
is(logged('/scope', @atlas), "$atlas|insufficient_scope|-|-|-", 'insufficient_scope');
is(logged('/', 'X-API-Key' => 'bare-key'), 'bare|-|k1|-|allowed|1000|999|day', 'no name, no scopes');
is(logged('/', 'X-API-Key' => 'expired-key'), 'times|-|old|-|expired_key|-|-|-', 'expired_key');
is(logged('/', 'X-API-Key' => 'future-key'), 'times|-|new|-|invalid_key|-|-|-', 'a key before its creation');
is(logged('/', 'X-API-Key' => 'paused-key'), 'paused|-|k1|-|partner_disabled|-|-|-', 'partner_disabled');

is(logged('/', 'X-API-Key' => 'spent-key'), 'spent|-|k1|-|allowed|1|0|day', 'the last of a window');
my $spent = 'spent|-|k1|-|rate_limited|1|0|day';
is(logged('/', 'X-API-Key' => 'spent-key'), $spent, 'rate_limited');
logged('/trial', 'X-API-Key' => 'trial-key');
is(logged('/trial', 'X-API-Key' => 'trial-key'), 'trial|-|k1|-|rate_limited_dry_run|1|0|day', 'dry_run');


# ---- they survive redirects, and tell of the first decision

my $left = 999;

for my $uri (qw(/error_page /open_page /named /problem)) {
    is(logged("$uri/none", @atlas), "$atlas|allowed|1000|" . --$left . '|day', "a 404, $uri");
    is(logged("$uri/none"), "$nobody|missing_key|-|-|-", "a 401, $uri");
    is(logged("$uri/none", 'X-API-Key' => 'paused-key'),
       'paused|-|k1|-|partner_disabled|-|-|-', "a 403, $uri");
    is(logged("$uri/none", 'X-API-Key' => 'spent-key'), $spent, "a 429, $uri");
}

is(logged('/tried', @atlas), "$atlas|allowed|1000|" . --$left . '|day', 'try_files');
is(logged('/early', @atlas), "$atlas|allowed|1000|" . --$left . '|day',
   'read before the access phase: no less true afterwards');


# ---- what the backend gets

is(http($server->port, uri => '/proxied', headers => [@atlas])->body =~ s/\|\d+,/|reset,/r,
   "$atlas|allowed|1000|" . --$left . '|reset, is atlas', 'proxy_set_header, map');

is(logged('/between', 'X-API-Key' => 'spent-key'), $spent,
   'read by a subrequest before the window was asked');
is(logged('/between', @atlas), "$atlas|allowed|1000|" . --$left . '|day',
   'read by a subrequest before the window was asked, allowed');

$server->stop;
done_testing;
