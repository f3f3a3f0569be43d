# What is counted of each partner, by decision: each request once, under what
# the log says of it.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA;
use MIME::Base64;
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

our @Codes = qw(allowed duplicate_header invalid_key expired_key missing_signature stale_timestamp
    invalid_signature partner_disabled insufficient_scope rate_limited rate_limited_dry_run
    unsupported_media_type too_large invalid_payload);
our $Secret = 'the secret of atlas';
our $Message = '{"to":"+212600000000","text":"hello"}';
our $Json = '    > Content-Type: application/json';
our $Hook = '    > X-WASSIIT-Signature: ' . Digest::SHA::hmac_sha256_hex('event', 'a hook');
our ($Now, $Large) = (time, 'x' x 70_000);
our $Signature = MIME::Base64::encode_base64(
    Digest::SHA::hmac_sha256("atlas-key$Now", $Secret), '');
our $Wrong = MIME::Base64::encode_base64('x' x 32, '');

# Rows of how often, a step, the line that the log has of it, and lines of the step.
# Then the log has these lines, and each partner what they come to, and nothing else.

sub counted {
    my (@rows) = @_;
    my %count;
    my ($steps, $log) = ('', '');

    for my $row (@rows) {
        my ($n, $step, $line, @more) = @$row;
        $steps .= join('', map { "$_\n" } $step, @more) x $n;
        $log .= "$line\\n" x $n;
        my ($id, $code) = split ' ', $line;
        $count{$id}{$code} += $n;
    }

    return "$steps- GET /log => 200 ~ \\A$log\\z\n" . join '', map {
        my $id = $_;
        'ops GET ' . ($id eq 'stranger' ? '/other/' : '') . "partners/$id => 200 ~ \"counts\":\\{"
            . join(',', map { qq("$_":) . ($count{$id}{$_} // 0) } @Codes) . "\\}\n";
    } qw(atlas busy trial off times stranger);
}

admin_blocks(partners => [
    partner('atlas', [ 'atlas-key', 'other-key' ], scopes => ['messages.send'],
            hmac_secret => MIME::Base64::encode_base64($Secret, '')),
    partner('busy', 'busy-key', rate => '2r/h'), partner('trial', 'trial-key', rate => '2r/h'),
    partner('off', 'paused-key', enabled => JSON::PP::false()),
    { id => 'times', keys => [
        { id => 'old', sha256 => key_sha256('former-key'), expires => '2020-01-01T00:00:00Z' },
        { id => 'new', sha256 => key_sha256('future-key'), created => '2120-01-01T00:00:00Z' } ] },
    ],
    files => { 'hook.secret' => "a hook\n", 'other.jsonl' => '{"id":"stranger","keys":[{"id":"k1",'
        . '"sha256":"' . key_sha256('strange-key') . '"}]}' . "\n" },
    http => $Wassiit::Steps::HTTP =~ s/(api:1m[^;]*);/$1 rate=1000r\/h;/r . <<'END',
    wassiit_zone zone=other:1m file=other.jsonl rate=1000r/h;
    log_format decision '$wassiit_partner $wassiit_decision';
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT_2;
        access_log off;
        location / { return 200; }
    }
END
    config => <<'END');
    access_log logs/decisions.log decision;
    wassiit_access api;
    set $backend 127.0.0.1:$TEST_NGINX_PORT_2;
    location / { proxy_pass http://$backend; }
    location /hmac { wassiit_auth hmac; proxy_pass http://$backend; }
    location /dry { wassiit_limit dry_run; proxy_pass http://$backend; }
    location /free { wassiit_limit off; proxy_pass http://$backend; }
    location /calls { wassiit_scope calls.initiate; proxy_pass http://$backend; }
    location /message { wassiit_payload message; proxy_pass http://$backend; }
    location /dry-message {
        wassiit_limit dry_run;
        wassiit_payload message;
        proxy_pass http://$backend;
    }
    location /hook { wassiit_webhook_verify secret_file=hook.secret; proxy_pass http://$backend; }
    location /again { wassiit_scope calls.initiate; error_page 403 = /calls; }
    location /closed { wassiit_scope calls.initiate; error_page 403 = @open; }
    location @open { wassiit_access off; return 200; }
    location /twice { auth_request /free; mirror /free; try_files /none @proxied; }
    location @proxied { proxy_pass http://$backend; }
    location /any { satisfy any; allow all; proxy_pass http://$backend; }
    location /none { satisfy any; deny all; wassiit_scope calls.initiate; }
    location /first { error_page 401 = /second; }
    location /second { wassiit_access other; proxy_pass http://$backend; }
    location /denied { auth_request /verdict; }
    location /verdict { internal; return 403; }
    location /long {
        client_max_body_size 1k;
        wassiit_payload document;
        proxy_pass http://$backend;
    }
    location /admin/ { access_log off; wassiit_access ops; wassiit_admin api; }
    location /other/ { access_log off; wassiit_access ops; wassiit_admin other; }
    location = /log {
        wassiit_access off;
        access_log off;
        alias $TEST_NGINX_SERVROOT/logs/decisions.log;
    }
END
run_tests();

__DATA__

=== TEST 1: at first all are 0
--- steps eval: main::counted() =~ s/^- GET [^\n]*\n//r


=== TEST 2: each of its keys counts for a partner, whether it is limited or not
--- steps eval
main::counted([3, 'atlas-key GET / => 200', 'atlas allowed'],
              [1, 'other-key GET /free => 200', 'atlas allowed'])


=== TEST 3: a key of nobody counts for nobody
--- steps eval: main::counted([1, 'none-key GET / => 401 invalid_key', '- invalid_key'])


=== TEST 4: a scope, and who is switched off
--- steps eval
main::counted([2, 'atlas-key GET /calls => 403 insufficient_scope', 'atlas insufficient_scope'],
              [1, 'paused-key GET / => 403 partner_disabled', 'off partner_disabled'])


=== TEST 5: times
--- steps eval
main::counted([3, 'former-key GET / => 401 expired_key', 'times expired_key'],
              [1, 'future-key GET / => 401 invalid_key', 'times invalid_key'])


=== TEST 6: limits
--- steps eval
main::counted([2, 'busy-key GET / => 200', 'busy allowed'],
              [4, 'busy-key GET / => 429 rate_limited', 'busy rate_limited'],
              [2, 'trial-key GET /dry => 200', 'trial allowed'],
              [3, 'trial-key GET /dry => 200', 'trial rate_limited_dry_run'])


=== TEST 7: signatures
--- steps eval
my ($time, $sign) = ("    > X-API-Timestamp: $main::Now", '    > X-API-Signature:');
main::counted(
    [1, 'atlas-key GET /hmac => 200', 'atlas allowed', $time, "$sign $main::Signature"],
    [1, 'atlas-key GET /hmac => 401 missing_signature', 'atlas missing_signature'],
    [2, 'atlas-key GET /hmac => 401 stale_timestamp', 'atlas stale_timestamp',
     '    > X-API-Timestamp: 1', "$sign $main::Signature"],
    [1, 'atlas-key GET /hmac => 401 invalid_signature', 'atlas invalid_signature', $time,
     "$sign $main::Wrong"])


=== TEST 8: payloads
--- steps eval
main::counted(
    [1, "atlas-key POST /message $main::Message => 200", 'atlas allowed', $main::Json],
    [3, 'atlas-key POST /message {} => 400 invalid_payload', 'atlas invalid_payload', $main::Json],
    [2, "atlas-key POST /message $main::Large => 413 too_large", 'atlas too_large', $main::Json],
    [1, 'atlas-key POST /message text => 415 unsupported_media_type',
     'atlas unsupported_media_type', '    > Content-Type: text/plain'])


=== TEST 9: payloads in a dry run
--- steps eval
main::counted(
    [1, "trial-key POST /dry-message $main::Message => 200", 'trial allowed', $main::Json],
    [1, 'trial-key POST /dry-message {} => 400 invalid_payload', 'trial invalid_payload',
     $main::Json])


=== TEST 10: webhooks
--- steps eval
main::counted(
    [1, 'atlas-key POST /hook event => 200', 'atlas allowed', $main::Hook],
    [1, 'atlas-key POST /hook event => 401 missing_signature', 'atlas missing_signature'],
    [1, 'atlas-key POST /hook another => 401 invalid_signature', 'atlas invalid_signature',
     $main::Hook],
    [2, 'atlas-key POST /hook event => 400 duplicate_header', 'atlas duplicate_header',
     $main::Hook, $main::Hook])


=== TEST 11: led on by nginx, it counts as what was refused
--- steps eval
main::counted(
    [1, 'atlas-key GET /again => 200', 'atlas insufficient_scope'],
    [1, 'atlas-key GET /closed => 200', 'atlas insufficient_scope'])


=== TEST 12: with subrequests, once
--- steps eval: main::counted([1, 'atlas-key GET /twice => 200', 'atlas allowed'])


=== TEST 13: let in by others, though its key isn't good, it isn't counted
--- steps eval
main::counted(map { [1, "$_ GET /any => 200", '- allowed'] }
    qw(none-key paused-key former-key future-key))


=== TEST 14: by others, who is limited is refused and counted all the same
--- steps eval
main::counted([2, 'busy-key GET /any => 200', 'busy allowed'],
              [1, 'busy-key GET /any => 429 rate_limited', 'busy rate_limited'])


=== TEST 15: nor let in by others
--- steps eval
main::counted([1, 'atlas-key GET /none => 403 insufficient_scope', 'atlas insufficient_scope'])


=== TEST 16: led on to another zone, it counts there, as what the first one found
--- steps eval
main::counted([1, 'strange-key GET /first => 200', 'stranger invalid_key'])


=== TEST 17: what another module refuses behind us was allowed by us
--- steps eval
main::counted([1, 'atlas-key GET /denied => 403', 'atlas allowed'])
