# What is counted of each partner goes on over a change of the partner and a reload:
# each request once, under what the log says of it.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Test::More;
use Front;
use Wassiit;

my $OPERATOR = make_key('an operator');
my @JSON = ('Content-Type' => 'application/json');

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
        location /dry { wassiit_limit dry_run; proxy_pass http://%%PORT_3%%; }
        location /calls { wassiit_scope calls.initiate; proxy_pass http://%%PORT_3%%; }
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
    'state/other.jsonl' => [ partner('stranger', 'strange-key') ],
    'ops.jsonl' => [ partner('ops', $OPERATOR, rate => '1000000r/s') ],
    'state/partners.jsonl' => [
        partner('atlas', [ 'atlas-key', 'other-key' ], scopes => ['messages.send']),
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


request('atlas-key', '/', 200) for 1 .. 3;
request('atlas-key', '/calls', '403 insufficient_scope') for 1 .. 2;
request('paused-key', '/', '403 partner_disabled');
request('former-key', '/', '401 expired_key') for 1 .. 3;
request('busy-key', '/', 200) for 1 .. 2;
request('busy-key', '/', '429 rate_limited') for 1 .. 4;
request('trial-key', '/dry', 200) for 1 .. 5;
request('atlas-key', '/long', 413, method => 'POST', chunked => 1,
        body => qq(--x\r\nContent-Disposition: form-data; name="to"\r\n\r\n) . 'x' x 3000,
        headers => [ 'Content-Type' => 'multipart/form-data; boundary=x' ]);
agrees_with_log('what is counted');

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
