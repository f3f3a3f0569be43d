# wassiit_access beside nginx's own access modules, by "satisfy all" and
# "satisfy any": each answer of ours with each of theirs.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use MIME::Base64 qw(encode_base64);
use Test::More;

# Theirs: the location's text, the status of a refusal or 0.
my %theirs = (
    allow => ['allow all;', 0],
    deny => ['deny all;', 403],
    basic_ok => ['auth_basic own; auth_basic_user_file users;', 0],
    basic_no => ['auth_basic own; auth_basic_user_file nobody;', 401],
    request_ok => ['auth_request /verdict/204;', 0],
    request_401 => ['auth_request /verdict/401;', 401],
    request_403 => ['auth_request /verdict/403;', 403],
);

# Ours: what is sent, the refusal.
my %ours = (
    ok => ['atlas-key'],
    missing_key => [''],
    invalid_key => ['nobody-knows', 401],
    expired_key => ['expired-key', 401],
    partner_disabled => ['paused-key', 403],
    insufficient_scope => ['poor-key', 403],
    duplicate_header => ['atlas-key', 400],
    rate_limited => ['spent-key', 429],
);
$ours{missing_key}[1] = 401;

my $locations = join '', map {
    my $mode = $_;
    map { "location /$mode/$_ { satisfy $mode; $theirs{$_}[0] }\n" } sort keys %theirs;
} 'all', 'any';

my $server = Wassiit::Server->start(
    files => {
        'partners.jsonl' => [
            partner('atlas', 'atlas-key', rate => '1000r/d'),
            partner('poor', 'poor-key', scopes => [], rate => '1000r/d'),
            partner('paused', 'paused-key', enabled => JSON::PP::false()),
            partner('spent', 'spent-key', rate => '1r/d'),
            { id => 'old', scopes => ['files.send'], keys => [{ id => 'k1',
                sha256 => key_sha256('expired-key'), expires => '2020-01-01T00:00:00Z' }] },
        ],
        users => "user:{PLAIN}word\n", nobody => "\n",
    },
    conf => <<'END' =~ s/%%LOCATIONS%%/$locations/r);
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    wassiit_scopes nobody.holds;
    server {
        listen %%PORT%%;
        wassiit_access api;
        wassiit_scope files.send;
        proxy_set_header X-Seen "$wassiit_partner,$wassiit_decision,$http_x_api_key";
        error_page 404 = @backend;
        location @backend { satisfy any; allow all; wassiit_access off; proxy_pass http://%%PORT_2%%; }
        location / { }
        location /redirected { satisfy any; allow all; wassiit_scope nobody.holds; try_files /none /then; }
        location /then { proxy_pass http://%%PORT_2%%; }
        %%LOCATIONS%%
        location = /verdict/204 { internal; return 204; }
        location = /verdict/401 { internal; add_header WWW-Authenticate 'Own realm="x"' always; return 401; }
        location = /verdict/403 { internal; return 403; }
    }
    server { listen %%PORT_2%%; return 200 "$http_x_seen"; }
}
END

chmod 0644, map { $server->dir . "/conf/$_" } 'users', 'nobody';

my @basic = (Authorization => 'Basic ' . encode_base64('user:word', ''));

sub get {
    my ($ours, $uri) = @_;
    my $key = $ours{$ours}[0];

    return http($server->port, uri => $uri, headers => [@basic,
        $key ? ('X-API-Key' => $key) : (),
        $ours eq 'duplicate_header' ? ('X-API-Key' => $key) : ()]);
}

# Who has the last word: 'ours', 'theirs', 'partner' (let in and counted) or
# 'anyone' (let in by them alone).

sub expected {
    my ($mode, $ours, $refuses) = @_;

    return 'ours' if $ours eq 'duplicate_header';

    if ($ours eq 'ok' || $ours eq 'rate_limited') {
        return 'theirs' if $mode eq 'all' && $refuses;
        return $ours eq 'ok' ? 'partner' : 'ours';
    }

    return $mode eq 'any' && !$refuses ? 'anyone' : 'ours';
}

get('rate_limited', '/');
my $left = 1000;

for my $mode ('all', 'any') {
    for my $theirs (sort keys %theirs) {
        for my $ours (sort keys %ours) {
            my ($code, $status) = ($ours, $ours{$ours}[1]);
            my ($refuses, $name) = ($theirs{$theirs}[1], "$mode: $ours, $theirs");
            my $expected = expected($mode, $ours, $refuses);
            my $r = get($ours, "/$mode/$theirs");
            my @challenges = $r->headers('WWW-Authenticate');

            if ($expected eq 'ours') {
                is($r->status, $status, "$name: ours");
                like($r->body, qr/"status":$status,"code":"$code"/, "$name: our body");
                is(scalar(grep { $_ eq 'ApiKey realm="api"' } @challenges),
                   $status == 401 ? 1 : 0, "$name: our challenge");
            } elsif ($expected eq 'theirs') {
                is($r->status, $refuses, "$name: theirs");
                unlike($r->body, qr/"code"/, "$name: their body");
                is(scalar(grep { /ApiKey/ } @challenges), 0, "$name: no challenge of ours");
            } else {
                is($r->status, 200, "$name: let in");
                is("@challenges", '', "$name: no challenge on a success");
                is($r->body, $expected eq 'partner' ? 'atlas,allowed,' : ',allowed,',
                   "$name: the backend learns who");
            }

            is($r->header('X-RateLimit-Remaining'), $expected eq 'partner' ? --$left
               : $expected eq 'ours' && $ours eq 'rate_limited' ? 0 : undef,
               "$name: " . ($expected eq 'partner' ? 'counted' : 'not counted'));
        }
    }
}

{
    my $r = get('ok', '/redirected');
    is($r->body, 'atlas,allowed,', 'let in by them alone, sent where ours agrees: the partner');
    is($r->header('X-RateLimit-Remaining'), --$left, 'and counted');
    is(get('missing_key', '/redirected')->status, 401, 'sent where ours refuses');
}

is(get('ok', '/')->header('X-RateLimit-Remaining'), --$left, 'nothing else was counted');

$server->stop;
done_testing;
