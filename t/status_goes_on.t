# What wassiit_status shows of a zone over reloads, another size, and the death of a
# worker: as many requests as the log has, and no number ever less than before.

use strict;
use warnings;

use lib 't/lib';
use Fcntl qw(LOCK_EX);
use JSON::PP ();
use Test::More;
use Front;
use Wassiit;

my $OPERATOR = make_key('an operator');
my @JSON = ('Content-Type' => 'application/json');

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

subtest 'a file that is in the way' => sub {
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
    is(metrics->{'wassiit_admin_changes_total{zone="api",operation="partner_create",result="failed"}'}, 1,
       'a change failed');

    open my $fh, '>>', $file or die $!;
    print $fh qq({"id":"by.hand"}\n);
    close $fh;
    is_deeply(status->{zone}{file}, { ok => JSON::PP::false(),
              error => 'was changed by another program: run nginx -t, then reload' }, 'the file is changed by hand');
    is(metrics->{'wassiit_zone_file_current{zone="api"}'}, 0, 'and isn\'t current');
    is($server->reload, '', 'a reload');
    ok(status->{zone}{file}{ok}, 'reads it');
    is(status->{zone}{partners}, 6, 'and what is in it');

    unlink $file;
    is(status->{zone}{file}{error}, 'is missing', 'the file is gone');
    Wassiit::partners_file($file, partner('atlas', 'atlas-key', scopes => []), partner('busy', 'busy-key', rate => '2r/h'),
        partner('trial', 'trial-key', rate => '1r/h'), partner('off', 'paused-key', enabled => JSON::PP::false()));
    is($server->reload, '', 'and there again');
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
    request('atlas-key', '/', 200) for 1 .. 3;
    request('atlas-key', $_->[0], $_->[1])
        for [ '/500', 500 ], [ '/dead', 502 ], [ '/gif', 200 ], [ '/calls', '403 insufficient_scope' ],
            [ '/elsewhere', 200 ], [ '/any', 200 ], [ '/open', 200 ];
    request(undef, '/', '401 missing_key');
    request('paused-key', '/', '403 partner_disabled');
    request('trial-key', '/dry', 200) for 1 .. 3;
    request('busy-key', '/', $_ > 2 ? '429 rate_limited' : 200) for 1 .. 5;
    agree('all of them');
    metrics($_) for '/metrics?partner=off&partner=busy', '/metrics?top=0', '/guarded';
    is(http($server->port, uri => '/let')->status, 200, 'whom another module lets in');
    agree('who isn\'t counted');

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
