# The window as partners meet it: what is counted, what is told, what isn't
# counted. (t/unit/window holds the arithmetic.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::More;
use Time::HiRes qw(sleep);

my @own = map { partner("own-$_->[0]-$_->[1]", "own-$_->[0]$_->[1]-key",
                        rate => "$_->[0]r/$_->[1]") }
    [3, 's'], [3, 'm'], [3, 'h'], [3, 'd'], [1, 'd'], [1000000, 'd'],
    [1000000, 's'];

my $server = Wassiit::Server->start(
    files => {
        'partners.jsonl' => [
            @own,
            (map { partner($_, "$_-key") } qw(zone exempt trial quiet second)),
            (map { partner($_, "$_-key", rate => '2r/h', scopes => ['messages.send']) }
                 qw(refused denied unauth some)),
            partner('paused', 'paused-key', rate => '2r/h', enabled => JSON::PP::false()),
            partner('pair', ['pair-one', 'pair-two'], rate => '3r/h'),
            partner('wait', 'wait-key', rate => '1r/s'),
        ],
        'other.jsonl' => [ partner('zone', 'zone-key') ],
    },
    conf => <<'END');
http {
    wassiit_zone zone=api:4m file=partners.jsonl rate=4r/m;
    wassiit_zone zone=other:1m file=other.jsonl;
    log_format decision '$wassiit_partner $wassiit_decision';
    access_log logs/access.log decision;

    server {
        listen %%PORT%%;
        wassiit_access api;
        error_page 404 =200 @ok;

        location @ok { wassiit_access off; return 200 "ok"; }
        location / { }
        location /exempt/ { wassiit_limit off; }
        location /dry/ { wassiit_limit dry_run; }
        location /quiet/ { wassiit_limit_headers off; }
        location /scope/ { wassiit_scope audio.send; }
        location /denied/ { deny all; }
        location /unauth/ { auth_request /verdict/401; }
        location /failed/ { auth_request /verdict/500; }
        location /verdict/401 { internal; return 401; }
        location /verdict/500 { internal; return 500; }
    }
    server {
        listen %%PORT_2%%;
        wassiit_access other;
    }
    server {
        listen %%PORT_3%%;
        wassiit_access api;
        wassiit_limit off;
        wassiit_limit_headers off;
        location /on/ { wassiit_limit on; location /on/told/ { wassiit_limit_headers on; } }
    }
}
END

my @fields = qw(RateLimit-Policy RateLimit X-RateLimit-Limit
                X-RateLimit-Remaining X-RateLimit-Reset);

sub get {
    my ($key, $uri, %more) = @_;
    return http($server->port($more{port}), uri => $uri // '/', %more,
                headers => ["X-API-Key" => $key, @{ $more{headers} // [] }]);
}

# An answer's limit headers in one line, each of them exactly once. The reset
# is what it should be, or less where time has passed since the window began.

sub told {
    my ($r) = @_;
    my @values = map { my @all = $r->headers($_);
                       @all > 1 ? "twice: @all" : $all[0] // 'none' } @fields;
    return join ' | ', @values;
}

sub tells {
    my ($r, $limit, $seconds, $remaining, $name) = @_;
    my $reset = $r->header('X-RateLimit-Reset') // -1;

    is(told($r), join(' | ', qq("default";q=$limit;w=$seconds),
                      qq("default";r=$remaining;t=$reset), $limit, $remaining,
                      $reset), "$name: headers");
    ok($reset >= ($seconds > 1) && $reset <= $seconds, "$name: a reset in time")
        or diag("$reset of $seconds");
}

sub remaining { get(@_)->header('X-RateLimit-Remaining') }


# ---- each unit of time; a partner's own rate and the zone's

my %seconds = (s => 1, m => 60, h => 3600, d => 86400);

for my $unit (qw(m h d)) {
    for my $n (1 .. 3) {
        tells(get("own-3$unit-key"), 3, $seconds{$unit}, 3 - $n,
              "request $n of 3r/$unit");
    }

    my $r = get("own-3$unit-key");
    is($r->status, 429, "3r/$unit: the fourth is refused");
    tells($r, 3, $seconds{$unit}, 0, "3r/$unit: the fourth");
    is($r->header('Retry-After'), $r->header('X-RateLimit-Reset'),
       "3r/$unit: Retry-After");
    is($r->json->{type},
       'https://iana.org/assignments/http-problem-types#quota-exceeded',
       "3r/$unit: the problem's type");
    is_deeply($r->json->{'violated-policies'}, ['default'],
              "3r/$unit: the violated policy");
}

is(told(get('own-3s-key')), '"default";q=3;w=1 | "default";r=2;t=1 | 3 | 2 | 1',
   'the first of 3r/s');
is(told(get('own-1d-key')),
   '"default";q=1;w=86400 | "default";r=0;t=86400 | 1 | 0 | 86400', 'a limit of 1');
is(get('own-1d-key')->status, 429, 'a limit of 1: the second is refused');

is(get("own-1000000$_->[0]-key")->header('RateLimit-Policy'),
   qq("default";q=1000000;w=$_->[1]), "a limit of 1000000 per $_->[0]")
    for ['s', 1], ['d', 86400];

tells(get('zone-key'), 4, 60, 3, "the zone's rate");
tells(get('zone-key', '/', port => 2), 100, 60, 99, 'the default rate, of another zone');


# ---- a retry after Retry-After

{
    my $r;
    for (1 .. 200) {
        $r = get('wait-key');
        last if $r->status == 429;
    }

    is($r->status, 429, '1r/s: refused');
    is($r->header('Retry-After'), 1, '1r/s: Retry-After is at least 1');
    sleep($r->header('Retry-After'));
    is(get('wait-key')->status, 200, '1r/s: a retry after Retry-After is admitted');
}


# ---- what isn't counted

for my $case (
    ['refused', 'a scope that is missing', 403, uri => '/scope/'],
    ['refused', 'a header twice', 400, headers => ['X-API-Key', 'refused-key']],
    ['denied', '"deny"', 403, uri => '/denied/'],
    ['unauth', 'auth_request that refuses', 401, uri => '/unauth/'],
    ['unauth', 'auth_request that fails', 500, uri => '/failed/'],
) {
    my ($who, $what, $status, %how) = @$case;
    my @r = map { get("$who-key", $how{uri}, %how) } 1 .. 4;

    is_deeply([map { $_->status } @r], [($status) x 4], "$what refuses");
    is(told($r[0]), join(' | ', ('none') x 5), "$what: no limit is told");
}

is(remaining("$_-key"), 1, "$_: nothing was used up") for qw(refused denied unauth);

is(get('paused-key')->status, 403, 'a disabled partner');
$server->partners(map { $_->{id} eq 'paused' ? { %$_, enabled => JSON::PP::true() } : $_ }
    map { JSON::PP::decode_json($_) } split /\n/,
    do { local (@ARGV, $/) = $server->dir . '/conf/partners.jsonl'; <> });
is($server->reload, '', 'the partner is enabled by a reload');
is(remaining('paused-key'), 1, 'a disabled partner has used up nothing');


# ---- a 429 isn't counted as admitted, nor does it prolong the window

{
    my @r = map { get('some-key') } 1 .. 8;
    is(join(' ', map { $_->status } @r), '200 200 429 429 429 429 429 429',
       'two of eight are admitted');
    cmp_ok($r[7]->header('Retry-After'), '<=', $r[2]->header('Retry-After'),
           'refusals do not prolong the wait');
}


# ---- two keys, one window

is(remaining('pair-one'), 2, 'the first key');
is(remaining('pair-two'), 1, 'the second key shares the window');
is(remaining('pair-one'), 0, 'and so does the first again');
is(get('pair-two')->status, 429, 'refused by either');


# ---- wassiit_limit off, dry_run; wassiit_limit_headers

{
    my @r = map { get('exempt-key', '/exempt/') } 1 .. 6;
    is(join(' ', map { $_->status } @r), join(' ', (200) x 6), 'off: never refused');
    is(told($r[5]), join(' | ', ('none') x 5), 'off: nothing is told');
    is(remaining('exempt-key'), 3, 'off: nothing is counted, for other locations too');
    remaining('exempt-key') for 1 .. 3;
    is(get('exempt-key')->status, 429, 'limited in one location');
    is(get('exempt-key', '/exempt/')->status, 200, 'exempt in another');
}
{
    my @r = map { get('trial-key', '/dry/') } 1 .. 6;
    is(join(' ', map { $_->status } @r), join(' ', (200) x 6), 'dry_run: never refused');
    is(join(' ', map { $_->header('X-RateLimit-Remaining') } @r), '3 2 1 0 0 0',
       'dry_run: counted and told');
    is($r[5]->header('Retry-After'), undef, 'dry_run: no Retry-After');
    is(get('trial-key')->status, 429, 'dry_run: what was counted counts elsewhere');
    ok($server->wait_log(qr/\[warn\] .*rate_limited_dry_run, partner "trial", key "k1"/),
       'dry_run: logged');
    is(join(' ', $server->access_log =~ /^trial (\S+)$/mg),
       join(' ', ('allowed') x 4, ('rate_limited_dry_run') x 2, 'rate_limited'),
       'dry_run: $wassiit_decision');
}
{
    my @r = map { get('quiet-key', '/quiet/') } 1 .. 5;
    is(join(' ', map { $_->status } @r), '200 200 200 200 429',
       'wassiit_limit_headers off: counted');
    is(told($_), join(' | ', ('none') x 5), 'wassiit_limit_headers off: not told')
        for @r[0, 4];
    like($r[4]->header('Retry-After'), qr/^[1-9]\d?$/,
         'wassiit_limit_headers off: Retry-After stays');
}

is(told(get('second-key', '/', port => 3)), join(' | ', ('none') x 5),
   'both directives in server');
get('second-key', '/on/', port => 3);
tells(get('second-key', '/on/told/', port => 3), 4, 60, 2,
      'a location changes both back, one at a time');


# ---- the headers on other answers than nginx's plain ones

mkdir $server->dir . '/html';
$server->write('../html/file', 'x' x 10);
chmod 0644, $server->dir . '/html/file';
for my $case (['HEAD', 200], ['a 304', 304, 'If-None-Match', '*'],
              ['a 412', 412, 'If-Match', '"none"'],
              ['a 416', 416, 'Range', 'bytes=100-'],
              ['a 206', 206, 'Range', 'bytes=1-2'])
{
    my ($what, $status, @headers) = @$case;
    my $r = get('own-1000000d-key', '/file', headers => \@headers,
                method => $what eq 'HEAD' ? 'HEAD' : 'GET');

    is($r->status, $status, "$what of a file");
    tells($r, 1000000, 86400, $r->header('X-RateLimit-Remaining'), "$what of a file");
}

$server->stop;
done_testing;
