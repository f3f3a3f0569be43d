# What wassiit_status shows of a zone, as JSON and to Prometheus: each request
# once, and no number ever less than before.

use strict;
use warnings;

use lib 't/lib';
use Fcntl qw(LOCK_EX);
use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP ();
use Test::More;
use Front;
use Wassiit;

my $OPERATOR = make_key('an operator');
my @JSON = ('Content-Type' => 'application/json');
my @CODES = qw(allowed duplicate_header expired_key insufficient_scope invalid_key invalid_payload
               invalid_signature missing_key missing_signature partner_disabled rate_limited
               rate_limited_dry_run stale_timestamp too_large unsupported_media_type);

my $asked = 0;

my $conf = <<'END';
worker_processes 2;
http {
    wassiit_zone zone=api:1m file=state/partners.jsonl rate=1000r/h;
    wassiit_zone zone=ops:1m file=ops.jsonl rate=100000r/s;
    log_format decision '$wassiit_decision';
    access_log off;

    server {
        listen %%PORT%%;
        keepalive_requests 10000;
        access_log logs/access.log decision;
        wassiit_access api;

        location / { proxy_pass http://%%PORT_3%%; }
        location /dead { proxy_pass http://%%PORT_4%%; }
        location /gif { empty_gif; }
        location /dry { wassiit_limit dry_run; proxy_pass http://%%PORT_3%%; }
        location /calls { wassiit_scope calls.initiate; proxy_pass http://%%PORT_3%%; }
        location /intercept {
            proxy_intercept_errors on;
            error_page 500 /gif;
            proxy_pass http://%%PORT_3%%/500;
        }
        location /elsewhere {
            wassiit_scope calls.initiate;
            error_page 403 = @elsewhere;
        }
        location @elsewhere { wassiit_access off; proxy_pass http://%%PORT_3%%; }
        location /any { satisfy any; allow all; proxy_pass http://%%PORT_3%%; }
        location /let { satisfy any; allow all; access_log off; proxy_pass http://%%PORT_3%%; }
        location /open { wassiit_access off; proxy_pass http://%%PORT_3%%; }
        location /hook {
            wassiit_webhook_verify secret_file=hook.secret;
            proxy_pass http://%%PORT_3%%;
        }
    }
    server {
        listen %%PORT_2%%;
        wassiit_access ops;
        location /admin/ { wassiit_admin api; }
        location = /status { wassiit_status api; }
        location = /few { wassiit_status api json top=2; }
        location = /ops { wassiit_scope messages.send; wassiit_status ops; }
        location = /metrics { satisfy any; allow all; wassiit_status api prometheus; }
        location = /three { wassiit_status api prometheus top=3; }
        location = /guarded { wassiit_status api prometheus top=1; }
        location = /methods { limit_except GET { deny all; } wassiit_status api; }
        location ~ ^/send/(?<to>.*) {
            wassiit_access off;
            wassiit_webhook_sign zone=api partner=$to;
            proxy_pass http://%%PORT_3%%;
        }
    }
    server {
        listen %%PORT_3%%;
        location / { return 200; }
        location /500 { return 500; }
        location /301 { return 301; }
    }
}
END

my $server = Wassiit::Server->start(conf => $conf, files => {
    'hook.secret' => 'a hook',
    'ops.jsonl' => [ partner('ops', $OPERATOR, scopes => ['messages.send']) ],
    'state/partners.jsonl' => [
        partner('atlas', 'atlas-key', scopes => [], name => qq(Atlas "\x{e9}" <b>\\), webhook_secret => 'w'),
        partner('busy', 'busy-key', rate => '2r/h'),
        partner('trial', 'trial-key', rate => '1r/h'),
        partner('large', 'large-key', rate => '1000000r/d'),
        partner('off', 'paused-key', enabled => JSON::PP::false()),
    ],
});

sub operator {
    my ($method, $uri, $body) = @_;

    return http($server->port(2), method => $method, uri => $uri,
                headers => [ 'X-API-Key' => $OPERATOR, @JSON ],
                defined $body ? (body => JSON::PP->new->encode($body)) : ());
}

sub status { operator('GET', $_[0] // '/status')->json }

# Makes a request that is logged.

sub request {
    my ($key, $uri, $expected, %with) = @_;

    $asked++;
    my $r = http($server->port, uri => $uri, %with,
                 headers => [ (defined $key ? ('X-API-Key' => $key) : ()),
                              @{ $with{headers} // [] } ]);

    is(verdict($r), $expected, join ' ', $key // 'no key', $uri);

    return $r;
}

# The samples by name and labels.  What no tool looks at is held here: names
# stand together, each has its head, and nothing stands twice.

sub metrics {
    my ($uri) = @_;
    my $r = operator('GET', $uri // '/metrics');
    my (%samples, %heads, %done, @faults);
    my $last = '';

    for (split /\n/, $r->body) {
        if (/^# (HELP|TYPE) (\S+) (.+)$/) {
            push @faults, "$1 of $2 stands twice" if $heads{"$1 $2"}++;
            push @faults, "$2 is no counter by its name"
                if $1 eq 'TYPE' && ($3 eq 'counter') != ($2 =~ /_total$/);
            next;
        }

        if (!/^(([a-z_]+)(?:\{([a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*)\})?) ([0-9]+(?:\.[0-9]+)?)$/) {
            push @faults, "malformed: $_";
            next;
        }

        my ($sample, $name, $value) = ($1, $2, $4);
        $name =~ s/_(?:bucket|sum|count)$// if $heads{ 'TYPE ' . $name =~ s/_(?:bucket|sum|count)$//r };

        push @faults, "$sample stands twice" if exists $samples{$sample};
        push @faults, "$name has no head" unless $heads{"HELP $name"} && $heads{"TYPE $name"};
        push @faults, "$name doesn't stand together" if $name ne $last && $done{$name}++;

        $samples{$sample} = $value;
        $last = $name;
    }

    is("@faults", '', ($uri // '/metrics') . ' is well formed');

    return \%samples;
}

sub decisions {
    my $decisions = status->{counters}{decisions};
    return { map { $decisions->{$_} ? ($_ => $decisions->{$_}) : () } keys %$decisions };
}

# What is counted, in all the ways that it is, and the log.

sub agree {
    my ($what) = @_;
    my %logged;

    # an answer comes before it is logged
    wait_for { $server->access_log =~ tr/\n// >= $asked };

    for (split /\n/, $server->access_log) {
        $logged{$_}++ if $_ ne '-';
    }

    my $n = 0;
    $n += $_ for values %logged;
    my $counters = status->{counters};
    my $metrics = metrics;

    is_deeply(decisions, \%logged, "$what: as many of each decision as in the log");
    is_deeply({ map { $_ => $metrics->{qq(wassiit_decisions_total{zone="api",decision="$_"})} }
                    keys %logged }, \%logged, "$what: to Prometheus, too");

    my ($answers, $upstream) = (0, 0);
    for my $class (map { "${_}xx" } 1 .. 5) {
        my $sum = 0;
        $sum += $metrics->{qq(wassiit_responses_total{zone="api",class="$class",source="$_"})}
            for qw(module nginx upstream);
        is($counters->{responses}{$class}, $sum, "$what: as many answers of $class");
        $answers += $sum;
    }

    my ($sum, $left) = (0, 0);
    $sum += $_ for @{ $counters->{duration}{counts} };
    is($answers, $n, "$what: an answer for each request");
    is($sum, $n, "$what: and a duration");
    is($metrics->{'wassiit_request_duration_seconds_count{zone="api"}'}, $n, "$what: in all");
    is($metrics->{'wassiit_request_duration_seconds_bucket{zone="api",le="+Inf"}'}, $n,
       "$what: and in the last bucket");
}

sub responses {
    my ($class, $source) = @_;
    return metrics->{qq(wassiit_responses_total{zone="api",class="$class",source="$source"})};
}


subtest 'at first' => sub {
    my $status = status;

    is_deeply([ sort keys %{ $status->{counters}{decisions} } ], \@CODES,
              'each decision is there');
    is_deeply(decisions, {}, 'with 0');
    is_deeply([ @$status{qw(limited refused active)} ], [ [], [], [] ], 'nobody has asked');
    is_deeply([ @{ $status->{zone} }{qw(name size partners disabled)} ], [ 'api', 1048576, 5, 1 ],
              'the zone');
    ok($status->{zone}{used} > 0 && $status->{zone}{used} < 1048576, 'part of it is used');
    ok($status->{zone}{changes} && $status->{zone}{file}{ok}, 'the file is as it was read');

    my $metrics = metrics;
    is((grep { /^wassiit_decisions_total/ } keys %$metrics), @CODES, 'Prometheus has all of them');
    is($metrics->{'wassiit_zone_partners{zone="api",state="disabled"}'}, 1, 'and the zone');
};

subtest 'decisions, and whose the answers are' => sub {
    request('atlas-key', '/', 200) for 1 .. 3;
    request('atlas-key', '/500', 500);
    request('atlas-key', '/301', 301);
    is(responses('2xx', 'upstream'), 3, 'a backend has answered');
    is(responses('5xx', 'upstream'), 1, 'also with an error');
    is(responses('3xx', 'upstream'), 1, 'or somewhere else');

    request('atlas-key', '/dead', 502);
    is(responses('5xx', 'nginx'), 1, 'one that is dead has not');
    request('atlas-key', '/gif', 200);
    request('atlas-key', '/intercept', 500);
    is(responses('2xx', 'nginx'), 1, 'nginx answers itself');
    is(responses('5xx', 'nginx'), 2, 'also in place of a backend');

    request(undef, '/', '401 missing_key') for 1 .. 2;
    request('none-key', '/', '401 invalid_key');
    request('paused-key', '/', '403 partner_disabled');
    request('atlas-key', '/calls', '403 insufficient_scope');
    is(responses('4xx', 'module'), 5, 'we refuse');
    request('atlas-key', '/elsewhere', 200);
    is(responses('2xx', 'upstream'), 4, 'unless a backend answers what we refused');

    request('atlas-key', '/any', 200);
    request(undef, '/open', 200);
    request('trial-key', '/dry', 200) for 1 .. 3;
    agree('all of them');
    is(http($server->port, uri => '/let')->status, 200, 'whom another module lets in');
    is(decisions->{allowed}, 10, 'isn\'t counted');
};

subtest 'who is limited or refused, and why' => sub {
    my @r = map { request('busy-key', '/', $_ > 2 ? '429 rate_limited' : 200) } 1 .. 5;
    my $status = status;
    my $limited = $status->{limited}[0];

    is(@{ $status->{limited} }, 1, 'one partner is limited');
    is_deeply([ @$limited{qw(id name decision count limited used limit seconds)} ],
              [ 'busy', undef, 'rate_limited', 3, 3, 2, 2, 3600 ], 'how often, and its limit');
    is($limited->{request_id}, $r[-1]->json->{instance}, 'the last request');
    ok($limited->{since} le $limited->{last} && $limited->{last} le $status->{now}, 'since when');
    ok($limited->{reset} > 0 && $limited->{reset} <= 3600, 'and how long');

    my %refused = map { ($_->{id} // $_->{decision}) => $_ } @{ $status->{refused} };
    is_deeply([ sort keys %refused ], [qw(atlas invalid_key missing_key off)],
              'the refused, and those whom nobody knows');
    is($refused{off}{decision}, 'partner_disabled', 'with the reason');
    is($refused{atlas}{name}, qq(Atlas "\x{e9}" <b>\\), 'names are as they are');
    is($refused{missing_key}{count}, undef, 'strangers are counted elsewhere');

    my $last = operator('GET', '/admin/partners/busy')->json->{last_refusal};
    is_deeply([ @$last{qw(code count instance)} ], [ 'rate_limited', 3, $limited->{request_id} ],
              'the admin endpoint knows it, too');
    is($last->{time} . 'x', $limited->{last} =~ s/\.\d+Z/Zx/r, 'and when');
    is(operator('GET', '/admin/partners/trial')->json->{last_refusal}, undef,
       'who was never refused has none');

    my $r = request('atlas-key', '/calls', '403 insufficient_scope');
    $last = operator('GET', '/admin/partners/atlas')->json->{last_refusal};
    is_deeply([ @$last{qw(count about)} ], [ 3, 'calls.initiate' ], 'in a row, and which scope it lacks');
    is($refused{atlas}{about}, 'calls.initiate', 'as the status says');
    is($refused{off}{about}, undef, 'nothing where the code says all');
    request('atlas-key', '/hook', '401 missing_signature', method => 'POST', body => 'x');
    $last = operator('GET', '/admin/partners/atlas')->json->{last_refusal};
    is_deeply([ @$last{qw(code count)} ], [ 'missing_signature', 1 ], 'another reason begins anew');

    is(operator('DELETE', '/admin/partners/busy')->status, 204, 'a partner is deleted');
    is_deeply(status->{limited}, [], 'and is limited no more');
    is(operator('POST', '/admin/partners', { id => 'busy' })->json->{last_refusal}, undef,
       'another one of that id was never refused');
};

subtest 'the most active' => sub {
    request('trial-key', '/dry', 200);
    is(operator('PATCH', '/admin/partners/trial', { rate => '5r/s' })->status, 200, 'a rate');
    request('trial-key', '/', 200);

    my $active = status->{active};
    is_deeply([ map { $_->{id} } @$active ], [qw(trial atlas)], 'the one of the highest rate is first');
    is_deeply([ @{ $active->[1] }{qw(name enabled limit)} ],
              [ qq(Atlas "\x{e9}" <b>\\), JSON::PP::true(), 1000 ], 'each with its limit');
    is($active->[0]{allowed}, 5, 'what is let through in a dry run is allowed');
    is_deeply([ map { $_->{id} } @{ status('/status?top=1')->{active} } ], ['trial'], 'top=1');
    ok(status('/status?top=1')->{truncated}, 'says that there are more');
    is_deeply(status('/status?top=0')->{active}, [], 'top=0');
    is_deeply([ map { $_->{id} } @{ status('/status?partner=off&partner=none')->{active} } ],
              ['off'], 'or those that are named, if they are there');
    is_deeply([ map { $_->{id} } @{ status('/status?partner=off')->{refused} } ], ['off'],
              'of refusals, too');

    my $metrics = metrics;
    is($metrics->{'wassiit_partner_requests_total{zone="api",partner="trial",outcome="allowed"}'}, 5,
       'Prometheus has them');
    is($metrics->{'wassiit_partner_limit_used_ratio{zone="api",partner="atlas"}'}
       == sprintf('%.6f', $active->[1]{used} / 1000), 1, 'and what of the limit is used');
    is($metrics->{'wassiit_partners_exported{zone="api"}'}, 4,
       'with one that was limited before, and one that is never let in');
    cmp_ok($metrics->{'wassiit_partner_requests_total{zone="api",partner="off",outcome="refused"}'},
           '>', 0, 'how often');

    is_deeply([ sort grep { !/busy/ } keys %{ metrics('/metrics?partner=off&partner=busy') } ],
              [ 'wassiit_partner_limit_used_ratio{zone="api",partner="off"}',
                map { qq(wassiit_partner_requests_total{zone="api",partner="off",outcome="$_"}) }
                    qw(allowed limited refused) ],
              'those that are named alone, without the zone');
    is_deeply([ grep { /partner=/ } keys %{ metrics('/metrics?top=0') } ], [], 'top=0');

    my @shown = grep { /used_ratio/ } keys %{ metrics('/guarded') };
    is(@shown, 1, 'one is shown');
    request('atlas-key', '/', 200) for 1 .. 30;
    is_deeply([ grep { /used_ratio/ } keys %{ metrics('/guarded') } ], \@shown, 'and stays');
};

subtest 'much of a large limit' => sub {
    my $n = 4400;
    my $client = Wassiit::Client->new($server->port);
    $client->send("GET /gif HTTP/1.1\r\nHost: x\r\nX-API-Key: large-key\r\n\r\n" x $n);
    $client->response for 1 .. $n;
    $client->close;
    $asked += $n;

    is(metrics('/metrics?partner=large')
           ->{'wassiit_partner_limit_used_ratio{zone="api",partner="large"}'}, '0.004400', 'is told');
    my ($active) = grep { $_->{id} eq 'large' } @{ status->{active} };
    is($active->{used}, $n, 'as JSON, too');
};

subtest 'webhooks' => sub {
    my @signed = ('X-WASSIIT-Signature' => hmac_sha256_hex('event', 'a hook'));
    request('atlas-key', '/hook', 200, method => 'POST', body => 'event', headers => \@signed)
        for 1 .. 2;
    request('atlas-key', '/hook', '401 invalid_signature', method => 'POST', body => 'other',
        headers => \@signed);
    is(http($server->port(2), uri => "/send/$_->[0]", method => 'POST', body => 'x')->status,
       $_->[1], "to $_->[0]")
        for [ 'atlas', 200 ], [ 'off', 502 ], [ 'none', 502 ], [ 'no%20id', 502 ];

    my $metrics = metrics;
    is($metrics->{qq(wassiit_webhooks_total{zone="api",direction="$_->[0]",result="$_->[1]"})},
       $_->[2], "$_->[0] $_->[1]")
        for [qw(in verified 2)], [qw(in missing_signature 1)], [qw(in invalid_signature 1)],
            [qw(out signed 1)], [qw(out no_secret 1)], [qw(out no_partner 2)];

    request('atlas-key', '/hook', '400 duplicate_header', method => 'POST', body => 'event', headers => [ (@signed) x 2 ]);
    is(operator('GET', '/admin/partners/atlas')->json->{last_refusal}{about}, 'X-WASSIIT-Signature',
       'a signature that stands twice is named');
};

subtest 'what is asked for' => sub {
    my %faults = (
        '/status?x=1' => 'There is no argument x: top and partner are.',
        '/metrics?format=json' => 'There is no argument format: top and partner are.',
        '/status?top=101' => 'The argument top must be a number from 0 to what wassiit_status allows.',
        '/few?top=3' => 'The argument top must be a number from 0 to what wassiit_status allows.',
        '/status?top=1&top=2' => 'The argument top stands twice.',
        '/status?partner=A' => q(The argument partner must be a partner's id: 1 to 64 of a-z 0-9 . _ -.),
        '/status?' . join('&', map { "partner=p$_" } 1 .. 21) => 'The argument partner may be given 20 times.',
    );

    for (sort keys %faults) {
        my $r = operator('GET', $_);
        is_deeply([ $r->status, $r->json->{detail} ], [ 400, $faults{$_} ], $_);
    }

    is(operator('GET', '/status?partner=off&partner=off')->status, 200, 'one may stand twice');
    is(operator('POST', '/status', {})->status, 405, 'POST');
    is(operator('POST', '/status', {})->header('Allow'), 'GET, HEAD', 'says what there is');
    is(operator('POST', '/methods', {})->status, 403, 'limit_except');
    is(operator('GET', '/methods')->json->{zone}{name}, 'api', 'and beside it');

    my ($get, $head) = map { operator($_, '/metrics') } qw(GET HEAD);
    is($head->body, '', 'HEAD has no body');
    is($head->header('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8', 'the type');
    is($_->header('Cache-Control'), 'no-store', 'nobody keeps it') for $get, $head;
    is(http($server->port(2), uri => '/status')->status, 401, 'who has no key sees nothing');
    is(http($server->port(2), uri => '/guarded')->status, 401, 'nor Prometheus');
    is(http($server->port(2), uri => '/metrics')->status, 200, 'unless nginx lets it in');
    is(status('/ops')->{counters}{decisions}{missing_key}, 2, 'another zone has its own board');
};

subtest 'changes' => sub {
    is(operator('PATCH', '/admin/partners/off', { enabled => JSON::PP::true() })->status, 200,
       'one is enabled');
    is(status->{zone}{disabled}, 0, 'none is disabled');
    is(operator('PATCH', '/admin/partners/atlas', { enabled => JSON::PP::false() })->status, 200,
       'another disabled');
    is(status->{zone}{disabled}, 1, 'one is');
    is(operator('DELETE', '/admin/partners/atlas')->status, 204, 'and deleted');
    is_deeply([ @{ status->{zone} }{qw(partners disabled)} ], [ 4, 0 ], 'none is');

    my $file = $server->dir . '/conf/state/partners.jsonl';
    open my $locked, '<', $file or die $!;
    flock $locked, LOCK_EX or die $!;
    is(operator('POST', '/admin/partners', { id => 'late' })->status, 503, 'the file is locked');
    close $locked;
    is(metrics->{'wassiit_file_failures_total{zone="api",reason="locked"}'}, 1, 'and that counts');
    is_deeply(status->{counters}{file_failures}, { locked => 1, disk => 0, bad_line => 0, compact => 0 },
              'in the status, too');
    like($server->error_log, qr/\[error\] .* a change of partner "late" was given up.* "lslocks"/,
         'the log says how to find out who has it');
    is(operator('DELETE', '/admin/partners/none')->status, 404, 'one who isn\'t there');

    my $metrics = metrics;
    is($metrics->{qq(wassiit_admin_changes_total{zone="api",operation="$_->[0]",result="$_->[1]"})},
       $_->[2], "$_->[0] $_->[1]")
        for [qw(partner_patch done 3)], [qw(partner_create done 1)], [qw(partner_create failed 1)],
            [qw(partner_delete done 2)], [qw(partner_delete refused 1)], [qw(key_rotate done 0)];

    open my $fh, '>>', $file or die $!;
    print $fh qq({"id":"by.hand"}\n);
    close $fh;
    is_deeply(status->{zone}{file}, { ok => JSON::PP::false(),
              error => 'was changed by another program: run nginx -t, then reload' }, 'the file is changed by hand');
    is(metrics->{'wassiit_zone_file_current{zone="api"}'}, 0, 'and isn\'t current');
    is($server->reload, '', 'a reload');
    ok(status->{zone}{file}{ok}, 'reads it');
    is(status->{zone}{partners}, 5, 'and what is in it');

    unlink $file;
    is(status->{zone}{file}{error}, 'is missing', 'the file is gone');
    Wassiit::partners_file($file, partner('atlas', 'atlas-key'));
};

subtest 'wherever what is shown lies in memory' => sub {
    my %seen;
    for my $n (0 .. 255) {
        my $r = http($server->port(2), uri => '/metrics',
                     headers => [ map { ('X' x $_ => 'x') } 1 .. $n / 4, 8 + $n % 2 ]);
        $seen{ $r ? $r->status : 'closed' }++;
    }
    is_deeply(\%seen, { 200 => 256 }, 'it is');
};

subtest 'counters go on' => sub {
    my $before = status;
    ok(@{ $before->{active} }, 'partners have asked');
    ok($before->{generation} >= 2, 'how often it was loaded');

    is($server->reload, '', 'over a reload');
    my $after = status;
    is_deeply($after->{counters}, $before->{counters}, 'that reads another file');
    is($after->{generation}, $before->{generation} + 1, 'which is told');
    ok($after->{uptime} > $before->{uptime}, 'and time goes on');

    $server->conf($conf =~ s/api:1m/api:2m/r);
    is($server->reload, '', 'over another size of the zone');
    is_deeply(status->{counters}, $before->{counters}, 'they are the same');
    is(status->{zone}{size}, 2097152, 'in a new zone');
    is_deeply(status->{active}, [], '... in which each partner begins anew');

    my ($worker) = $server->worker_pids;
    request('atlas-key', '/', 200) for 1 .. 10;
    kill 'KILL', $worker;
    wait_for { 2 == grep { $_ != $worker } $server->worker_pids };
    $server->{allow_log} = qr/exited on signal 9/;
    request('atlas-key', '/', 200) for 1 .. 10;
    is(decisions->{allowed}, $before->{counters}{decisions}{allowed} + 20, 'over the death of a worker');
    agree('at the end');
};

subtest 'a percent sign of nothing' => sub {
    for ([ '/status?partner=atlas%', 'partner' ], [ '/status?partner=off&partner=a%2', 'partner' ],
         [ '/metrics?top=5%', 'top' ], [ '/metrics?top=%zz', 'top' ])
    {
        my ($uri, $name) = @$_;
        my $r = operator('GET', $uri);
        is_deeply([ $r->status, $r->json->{detail} ],
                  [ 400, qq(The argument $name has a % without two hex digits after it.) ],
                  $uri);
    }
    is(operator('GET', '/status?partner=%6f%66F')->status, 400, 'decoded, it is looked at');
    is(operator('GET', '/status?partner=%6f%66f')->status, 200, '... and is right');
};

$server->stop;

for (
    [ 'location /s { wassiit_status api; }',
      qr/"wassiit_status" needs "wassiit_access" in location "\/s": anyone could see who the partners are there/ ],
    [ 'location /s { wassiit_access api; wassiit_status api; }',
      qr/"wassiit_status api" is guarded by "wassiit_access api" in location "\/s": every partner could see the others there; add "wassiit_scope NAME", or guard it by another zone/ ],
    [ 'location /s { wassiit_access api; wassiit_status api xml; }',
      qr/invalid parameter "xml" in "wassiit_status" directive, it is "wassiit_status NAME \[json \| prometheus\] \[top=N\]"/ ],
    [ 'location /s { wassiit_access api; wassiit_status api json prometheus; }',
      qr/invalid parameter "prometheus"/ ],
    [ 'location /s { wassiit_access api; wassiit_status api top=1001; }',
      qr/invalid value "top=1001" in "wassiit_status" directive, it must be top=0 to top=1000/ ],
    [ 'location /s { wassiit_access api; wassiit_status none; }', qr/unknown wassiit_zone "none"/ ],
    [ 'location /s { wassiit_access api; wassiit_scope messages.send; wassiit_status api; wassiit_status api; }',
      qr/"wassiit_status" directive is duplicate/ ],
    [ 'wassiit_status api;', qr/"wassiit_status" directive is not allowed here/ ],
) {
    my ($location, $expected) = @$_;
    my ($exit, $message) = nginx_test(
        "http { wassiit_zone zone=api:1m file=p.jsonl; server { listen %%PORT%%; $location } }",
        files => { 'p.jsonl' => [] });
    ok($exit != 0, "$location is refused");
    like($message, $expected, 'with a reason');
}

done_testing();
