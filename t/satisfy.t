# wassiit_access beside nginx's own access modules, by "satisfy all" and
# "satisfy any": each answer of ours with each of theirs.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Answer;
use MIME::Base64 qw(encode_base64);
use Test::Nginx::Socket;

my $json = JSON::PP->new->canonical;
my $partners = join "\n", map { $json->encode($_) }
    partner('atlas', 'atlas-key', rate => '1000r/d'),
    partner('poor', 'poor-key', scopes => [], rate => '1000r/d'),
    partner('paused', 'paused-key', enabled => JSON::PP::false()),
    partner('spent', 'spent-key', rate => '1r/d'),
    { id => 'old', scopes => [ 'files.send' ], keys => [
        { id => 'k1', sha256 => key_sha256('expired-key'),
          expires => '2020-01-01T00:00:00Z' } ] };

# Who asks, by what key, and the refusal that is ours.
my @who = (
    [ 'good_key', 'atlas-key' ],
    [ 'bad_keys', '', 401, 'missing_key' ],
    [ 'bad_keys', 'nobody-knows', 401, 'invalid_key' ],
    [ 'bad_keys', 'expired-key', 401, 'expired_key' ],
    [ 'bad_keys', 'paused-key', 403, 'partner_disabled' ],
    [ 'bad_keys', 'poor-key', 403, 'insufficient_scope' ],
    [ 'two_keys', 'atlas-key', 400, 'duplicate_header' ],
    [ 'spent_key', 'spent-key', 429, 'rate_limited' ],
);

our $Redirected = <<'END';
wassiit_access api;
wassiit_scope files.send;
proxy_set_header X-Seen "$wassiit_partner,$wassiit_decision,$http_x_api_key";
location /redirected {
    satisfy any;
    allow all;
    wassiit_scope nobody.holds;
    try_files /none /then;
}
location /then { proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2; }
END

add_block_preprocessor(sub {
    my ($block) = @_;
    my ($mode, $theirs) = map { my $text = $block->$_ // ''; chomp $text; $text } qw(mode theirs);

    $block->set_value(partners => $partners);
    $block->set_value(user_files =>
        ">>> ../conf/users\nuser:{PLAIN}word\n>>> ../conf/nobody\n\n");
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
        wassiit_scopes nobody.holds;
        server {
            listen 127.0.0.1:$TEST_NGINX_PORT_2;
            return 200 "$http_x_seen";
        }
END
    $block->set_value(config => <<'END' =~ s/%%MODE%%/satisfy $mode; $theirs/r) if $mode;
        wassiit_access api;
        wassiit_scope files.send;
        proxy_set_header X-Seen "$wassiit_partner,$wassiit_decision,$http_x_api_key";
        error_page 404 = @backend;
        location @backend {
            satisfy any;
            allow all;
            wassiit_access off;
            proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
        }
        location / { }
        location /t { %%MODE%% }
        location = /verdict/204 { internal; return 204; }
        location = /verdict/401 {
            internal;
            add_header WWW-Authenticate 'Own realm="x"' always;
            return 401;
        }
        location = /verdict/403 { internal; return 403; }
END
    return unless $mode;

    # The first spends what "spent" has. Who asks then is let in as a partner and
    # counted, let in as anyone by them alone, or refused, by ours or by theirs.
    my %want = (error_code => [ 200 ], response_body_like => [ '' ],
                raw_response_headers_like => [ '' ], raw_response_headers_unlike => [ '(?!)' ],
                limit => [ undef ]);
    my @request = ('GET /');
    my @headers = ('X-API-Key: spent-key');
    my $basic = 'Authorization: Basic ' . encode_base64('user:word', '');

    for (@who) {
        my ($who, $key, $status, $code) = @$_;
        my $verdict = $who eq 'two_keys' ? 'ours' : $block->$who;
        my ($by, $their_status) = split ' ', $verdict;
        my $once = qr/\A(?!.*ApiKey.*ApiKey).*^WWW-Authenticate: ApiKey realm="api"\r$/ms;
        my @answer =
            $by eq 'partner' ? (200, '\Aatlas,allowed,\z', '', '(?i)WWW-Auth', '1000 86400 999')
            : $by eq 'anyone' ? (200, '\A,allowed,\z', '', '(?i)WWW-Auth', 'none')
            : $by eq 'theirs' ? ($their_status, '\A(?!.*"code")', '', 'ApiKey', 'none')
            : ($status, qq("status":$status,"code":"$code"), $status == 401 ? $once : '',
               $status == 401 ? '(?!)' : 'ApiKey',
               $code eq 'rate_limited' ? '1 86400 0' : 'none');

        push @request, 'GET /t';
        push @headers, join "\n", $basic,
            ("X-API-Key: $key") x ($who eq 'two_keys' ? 2 : $key ? 1 : 0);
        push @{ $want{$_} }, shift @answer
            for qw(error_code response_body_like raw_response_headers_like
                   raw_response_headers_unlike limit);
    }

    # nothing else was counted
    push @request, 'GET /';
    push @headers, 'X-API-Key: atlas-key';
    my $left = $block->good_key =~ /partner/ ? 998 : 999;
    my @last = (200, '', '', '(?!)', "1000 86400 $left");
    push @{ $want{$_} }, shift @last
        for qw(error_code response_body_like raw_response_headers_like
               raw_response_headers_unlike limit);

    $block->set_value(request => \@request);
    $block->set_value(more_headers => \@headers);
    $block->set_value($_ => $want{$_}) for keys %want;
});

log_level('info');
no_long_string();
no_root_location();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: all, beside "allow"
--- mode: all
--- theirs: allow all;
--- good_key: partner
--- bad_keys: ours
--- spent_key: ours


=== TEST 2: all, beside "deny"
--- mode: all
--- theirs: deny all;
--- good_key: theirs 403
--- bad_keys: ours
--- spent_key: theirs 403


=== TEST 3: all, beside auth_basic that lets in
--- mode: all
--- theirs: auth_basic own; auth_basic_user_file users;
--- good_key: partner
--- bad_keys: ours
--- spent_key: ours


=== TEST 4: all, beside auth_basic that refuses
--- mode: all
--- theirs: auth_basic own; auth_basic_user_file nobody;
--- good_key: theirs 401
--- bad_keys: ours
--- spent_key: theirs 401


=== TEST 5: all, beside auth_request that lets in
--- mode: all
--- theirs: auth_request /verdict/204;
--- good_key: partner
--- bad_keys: ours
--- spent_key: ours


=== TEST 6: all, beside auth_request that asks who it is
--- mode: all
--- theirs: auth_request /verdict/401;
--- good_key: theirs 401
--- bad_keys: ours
--- spent_key: theirs 401


=== TEST 7: all, beside auth_request that refuses
--- mode: all
--- theirs: auth_request /verdict/403;
--- good_key: theirs 403
--- bad_keys: ours
--- spent_key: theirs 403


=== TEST 8: any, beside "allow"
--- mode: any
--- theirs: allow all;
--- good_key: partner
--- bad_keys: anyone
--- spent_key: ours


=== TEST 9: any, beside "deny"
--- mode: any
--- theirs: deny all;
--- good_key: partner
--- bad_keys: ours
--- spent_key: ours


=== TEST 10: any, beside auth_basic that lets in
--- mode: any
--- theirs: auth_basic own; auth_basic_user_file users;
--- good_key: partner
--- bad_keys: anyone
--- spent_key: ours


=== TEST 11: any, beside auth_basic that refuses
--- mode: any
--- theirs: auth_basic own; auth_basic_user_file nobody;
--- good_key: partner
--- bad_keys: ours
--- spent_key: ours


=== TEST 12: any, beside auth_request that lets in
--- mode: any
--- theirs: auth_request /verdict/204;
--- good_key: partner
--- bad_keys: anyone
--- spent_key: ours


=== TEST 13: any, beside auth_request that asks who it is
--- mode: any
--- theirs: auth_request /verdict/401;
--- good_key: partner
--- bad_keys: ours
--- spent_key: ours


=== TEST 14: any, beside auth_request that refuses
--- mode: any
--- theirs: auth_request /verdict/403;
--- good_key: partner
--- bad_keys: ours
--- spent_key: ours


=== TEST 15: let in by them alone, sent where ours agrees: the partner, and counted
--- config eval: $::Redirected
--- request: GET /redirected
--- more_headers
X-API-Key: atlas-key
--- response_body chomp
atlas,allowed,
--- limit: 1000 86400 999


=== TEST 16: let in by them alone, sent where ours refuses
--- config eval: $::Redirected
--- request: GET /redirected
--- problem: 401 missing_key
