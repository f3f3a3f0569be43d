# What is counted of each partner, by decision: each request once, under what
# the log says of it.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;
use Front;
use Wassiit;
use Wassiit::Door;

my $OPERATOR = make_key('an operator');
my $SECRET = encode_base64('the secret of atlas', '');
my $MESSAGE = '{"to":"+212600000000","text":"hello"}';
my @JSON = ('Content-Type' => 'application/json');
my @CODES = qw(allowed rate_limited rate_limited_dry_run duplicate_header invalid_key expired_key
               missing_signature stale_timestamp invalid_signature partner_disabled
               insufficient_scope unsupported_media_type too_large invalid_payload);

my $server = Wassiit::Server->start(conf => <<'END', files => {
worker_processes 2;
http {
    wassiit_zone zone=api:1m file=state/partners.jsonl rate=1000r/h;
    wassiit_zone zone=other:1m file=state/other.jsonl rate=1000r/h;
    wassiit_zone zone=ops:1m file=ops.jsonl;
    log_format decision '$wassiit_partner $wassiit_decision';
    access_log off;

    server {
        listen %%PORT%%;
        access_log logs/access.log decision;
        wassiit_access api;

        location / { proxy_pass http://%%PORT_3%%; }
        location /hmac { wassiit_auth hmac; proxy_pass http://%%PORT_3%%; }
        location /dry { wassiit_limit dry_run; proxy_pass http://%%PORT_3%%; }
        location /free { wassiit_limit off; proxy_pass http://%%PORT_3%%; }
        location /calls { wassiit_scope calls.initiate; proxy_pass http://%%PORT_3%%; }
        location /message { wassiit_payload message; proxy_pass http://%%PORT_3%%; }
        location /dry/message {
            wassiit_limit dry_run;
            wassiit_payload message;
            proxy_pass http://%%PORT_3%%;
        }
        location /hook {
            wassiit_webhook_verify secret_file=hook.secret;
            proxy_pass http://%%PORT_3%%;
        }
        location /again { wassiit_scope calls.initiate; error_page 403 = /calls; }
        location /open { wassiit_scope calls.initiate; error_page 403 = @open; }
        location @open { wassiit_access off; return 200; }
        location /twice { auth_request /free; mirror /free; try_files /none @proxied; }
        location @proxied { proxy_pass http://%%PORT_3%%; }
        location /any { satisfy any; allow all; proxy_pass http://%%PORT_3%%; }
        location /none { satisfy any; deny all; wassiit_scope calls.initiate; }
        location /first { error_page 401 = /second; }
        location /second { wassiit_access other; proxy_pass http://%%PORT_3%%; }
        location /denied { auth_request /verdict; }
        location /verdict { internal; return 403; }
        location /long {
            client_max_body_size 1k;
            wassiit_payload document;
            proxy_pass http://%%PORT_3%%;
        }
    }
    server {
        listen %%PORT_2%%;
        location /admin/ { wassiit_access ops; wassiit_admin api; }
        location /other/ { wassiit_access ops; wassiit_admin other; }
    }
    server {
        listen %%PORT_3%%;
        location / { return 200; }
    }
}
END
    'hook.secret' => 'a hook',
    'state/other.jsonl' => [ partner('stranger', 'strange-key') ],
    'ops.jsonl' => [ partner('ops', $OPERATOR, rate => '1000000r/s') ],
    'state/partners.jsonl' => [
        partner('atlas', [ 'atlas-key', 'other-key' ], hmac_secret => $SECRET,
                scopes => ['messages.send']),
        partner('busy', 'busy-key', rate => '2r/h'),
        partner('trial', 'trial-key', rate => '2r/h'),
        partner('off', 'paused-key', enabled => JSON::PP::false()),
        { id => 'times', keys => [
            { id => 'old', sha256 => key_sha256('former-key'), expires => '2020-01-01T00:00:00Z' },
            { id => 'new', sha256 => key_sha256('future-key'), created => '2120-01-01T00:00:00Z' } ] },
    ],
});
my $asked = 0;

sub operator {
    my ($method, $path, $body, $below) = @_;
    $below //= '/admin/partners';

    return http($server->port(2), method => $method, uri => "$below$path",
                headers => [ 'X-API-Key' => $OPERATOR, @JSON ],
                defined $body ? (body => JSON::PP->new->encode($body)) : ());
}

# What an operator is told, less what is 0.

sub counts {
    my ($id) = @_;
    my $counts = operator('GET', "/$id", undef, $id eq 'stranger' ? '/other/partners' : ())
        ->json->{counts};

    return { map { $counts->{$_} ? ($_ => $counts->{$_}) : () } keys %$counts };
}

sub request {
    my ($key, $uri, $expected, %with) = @_;

    $asked++;
    is(verdict(http($server->port, uri => $uri, %with,
                    headers => [ 'X-API-Key' => $key, @{ $with{headers} // [] } ])),
       $expected, join ' ', $key, $with{method} // 'GET', $uri);
}

sub post {
    my ($key, $uri, $expected, $body, @headers) = @_;
    request($key, $uri, $expected, method => 'POST', body => $body, headers => \@headers);
}

sub agrees_with_log {
    my ($what) = @_;
    my %logged;

    wait_for { ($server->access_log =~ tr/\n//) >= $asked };
    is($server->access_log =~ tr/\n//, $asked, "$what: each request has its line");

    for (split /\n/, $server->access_log) {
        my ($id, $decision) = split / /;
        $logged{$id}{$decision}++;
    }

    is_deeply(counts($_), $logged{$_} // {}, "$what: $_ has as many of each as the log")
        for qw(atlas busy trial off times stranger);
}


is_deeply([ sort keys %{ operator('GET', '/atlas')->json->{counts} } ], [ sort @CODES ],
          'each decision has its counter');
is_deeply(counts('atlas'), {}, 'at first they are 0');

request('atlas-key', '/', 200) for 1 .. 3;
request('other-key', '/free', 200);
request('none-key', '/', '401 invalid_key');
request('atlas-key', '/calls', '403 insufficient_scope') for 1 .. 2;
request('paused-key', '/', '403 partner_disabled');
request('former-key', '/', '401 expired_key') for 1 .. 3;
request('future-key', '/', '401 invalid_key');
request('busy-key', '/', 200) for 1 .. 2;
request('busy-key', '/', '429 rate_limited') for 1 .. 4;
request('trial-key', '/dry', 200) for 1 .. 5;
agrees_with_log('keys, scopes, limits');

my $now = time;
my @signed = ('X-API-Timestamp' => $now, 'X-API-Signature' => signature($SECRET, 'atlas-key', $now));
request('atlas-key', '/hmac', 200, headers => \@signed);
request('atlas-key', '/hmac', '401 missing_signature');
request('atlas-key', '/hmac', '401 stale_timestamp',
        headers => [ 'X-API-Timestamp' => 1, @signed[2, 3] ]) for 1 .. 2;
request('atlas-key', '/hmac', '401 invalid_signature',
        headers => [ @signed[0 .. 2], encode_base64('x' x 32, '') ]);
agrees_with_log('signatures');

post('atlas-key', '/message', 200, $MESSAGE, @JSON);
post('atlas-key', '/message', '400 invalid_payload', '{}', @JSON) for 1 .. 3;
post('atlas-key', '/message', '413 too_large', '{' . ' ' x 70_000 . '}', @JSON) for 1 .. 2;
post('atlas-key', '/message', '415 unsupported_media_type', 'text', 'Content-Type' => 'text/plain');
post('trial-key', '/dry/message', 200, $MESSAGE, @JSON);
post('trial-key', '/dry/message', '400 invalid_payload', '{}', @JSON);
agrees_with_log('payloads');

my @hook = ('X-WASSIIT-Signature' => hmac_sha256_hex('event', 'a hook'));
post('atlas-key', '/hook', 200, 'event', @hook);
post('atlas-key', '/hook', '401 missing_signature', 'event');
post('atlas-key', '/hook', '401 invalid_signature', 'another', @hook);
post('atlas-key', '/hook', '400 duplicate_header', 'event', @hook, @hook) for 1 .. 2;
agrees_with_log('webhooks');

request('atlas-key', '/again', 200);
request('atlas-key', '/open', 200);
request('atlas-key', '/twice', 200);
request('busy-key', '/any', '429 rate_limited');
request($_, '/any', 200) for 'none-key', 'paused-key', 'former-key', 'future-key';
request('atlas-key', '/none', '403 insufficient_scope');
request('strange-key', '/first', 200);
request('atlas-key', '/denied', 403);
request('atlas-key', '/long', 413, method => 'POST', chunked => 1,
        body => qq(--x\r\nContent-Disposition: form-data; name="to"\r\n\r\n) . 'x' x 3000,
        headers => [ 'Content-Type' => 'multipart/form-data; boundary=x' ]);
agrees_with_log('led on by nginx, with subrequests, or let in by others');

my $seen = { map { $_ => counts($_) } qw(atlas busy trial off times) };
is(operator('PATCH', '/busy', { rate => '5r/h' })->status, 200, 'a rate is changed');
is(operator('PATCH', '/atlas', { name => 'Atlas' })->status, 200, 'and a name');
is(operator('POST', '/trial/keys/rotate', { grace => '0' })->status, 201, 'and a key');
is($server->reload, '', 'and the configuration loaded anew');
is_deeply({ map { $_ => counts($_) } keys %$seen }, $seen, 'no counter has changed by that');

request('busy-key', '/', 200) for 1 .. 3;
request('busy-key', '/', '429 rate_limited');
request('atlas-key', '/', 200);
agrees_with_log('they go on');

is(operator('DELETE', '/off')->status, 204, 'a partner is deleted');
is(operator('POST', '', { id => 'off' })->status, 201, 'and made anew');
is_deeply(counts('off'), {}, 'its counters begin at 0');

$server->stop;
done_testing();
