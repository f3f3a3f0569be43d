#!/usr/bin/env perl
# The front door of conf/, scraped by the distribution's Prometheus as
# conf/monitoring says, while clients ask it for things whose fate they know: each
# counter is what they have counted, over a reload, a worker that is killed, and a
# binary upgrade.

use strict;
use warnings;

use Fcntl qw(LOCK_EX);
use JSON::PP ();
use List::Util qw(sum0);
use Time::HiRes ();

use lib 't/lib';
use Front;
use Wassiit;
use Wassiit::Door;
use Wassiit::Exposition;
use Wassiit::Operators qw(is_late);
use Wassiit::Prometheus;
use Wassiit::Redis;
use Test::More;

my $Clients = 4;
my $api = '/api/partner/v1';
my $secret = 'c2VjcmV0IG9mIHRoZSBzaWduZXI=';

# Keys by partner. The ones that prometheus.yml names are here.
my %key = map { $_ => make_key($_) } qw(clinique-atlas pharmacie-du-port narrow closed late signer dry);

my @unlimited = (rate => '1000000r/h');
my @partners = (
    partner('clinique-atlas', $key{'clinique-atlas'}, @unlimited,
            webhook_secret => "the receiver's"),
    partner('pharmacie-du-port', $key{'pharmacie-du-port'}, rate => '20r/d'),
    partner('narrow', $key{narrow}, @unlimited, scopes => []),
    partner('closed', $key{closed}, @unlimited, enabled => JSON::PP::false),
    partner('late', $key{late}, @unlimited),
    partner('signer', $key{signer}, @unlimited, hmac_secret => $secret),
    partner('dry', $key{dry}, rate => '1r/d'),
);
$_->{keys}[0]{expires} = '2020-01-01T00:00:00Z' for grep { $_->{id} eq 'late' } @partners;


# ---- what is looked for in a text, besides what promtool does

my $right = <<'END';
# HELP a_total What a counts.
# TYPE a_total counter
a_total{zone="x",label="one\\two\"\n"} 1
a_total{zone="y"} 2
# HELP b_seconds How long it takes.
# TYPE b_seconds histogram
b_seconds_bucket{zone="x",le="0.005"} 1
b_seconds_bucket{zone="x",le="+Inf"} 2
b_seconds_sum{zone="x"} 0.5
b_seconds_count{zone="x"} 2
# HELP c Some c.
# TYPE c gauge
c 1.5
END

{
    my $e = Wassiit::Exposition->new($right);
    is_deeply([ $e->faults, $e->faults_since($e) ], [], 'what is right is found right');
    is_deeply([ map { $_->[1]{label} // 'none' } $e->samples('a_total') ], [ "one\\two\"\n", 'none' ],
              'labels are read');

    for ([ qr/stands in several places/, sub { s/^(a_total\{zone="y[^\n]*\n)(.*)/$2$1/ms } ],
         [ qr/stands twice/, sub { s/"y"/"x",label="one\\\\two\\"\\n"/ } ],
         [ qr/HELP|has no HELP/, sub { s/^# HELP c .*\n//m } ],
         [ qr/has no TYPE/, sub { s/^# TYPE c .*\n//m } ],
         [ qr/behind its samples/, sub { s/^(# TYPE c .*\n)(.*\n)/$2$1/m } ],
         [ qr/ends in _total/, sub { s/a_total/a_count/g } ],
         [ qr/ends in _total/, sub { s/\bc\b/c_total/g } ],
         [ qr/labels can't be read/, sub { s/two\\"/two"/ } ],
         [ qr/labels can't be read/, sub { s/zone="y"/zone="y",/ } ],
         [ qr/is no number/, sub { s/1\.5/1,5/ } ],
         [ qr/2\.5 of something/, sub { s/"y"\} 2/"y"} 2.5/ } ],
         [ qr/\+Inf isn't its count/, sub { s/_count(.*) 2/_count$1 3/ } ],
         [ qr/\+Inf isn't its last/, sub { s/\+Inf/7/ } ],
         [ qr/has no sum/, sub { s/^b_seconds_sum.*\n//m } ],
         [ qr/has less than/, sub { s/"0\.005"\} 1/"0.005"} 3/ } ],
         [ qr/no newline/, sub { s/\n\z// } ])
    {
        my ($fault, $break) = @$_;
        local $_ = $right;
        $break->();
        like(join('; ', Wassiit::Exposition->new($_)->faults), $fault, "found: $fault");
    }

    for ([ 'from 2 to 1', sub { s/"y"\} 2/"y"} 1/ } ],
         [ 'from 1 to 0', sub { s/"0\.005"\} 1/"0.005"} 0/ } ],
         [ 'is gone', sub { s/0\.005/5e-03/ } ])
    {
        my ($fault, $change) = @$_;
        local $_ = $right;
        $change->();
        like(join('; ', Wassiit::Exposition->new($_)->faults_since($e)), qr/$fault\z/, "found: $fault");
    }
}


# ---- what clients ask for, and what becomes of it

sub asks { my ($partner, $uri, %more) = @_;
    return { partner => $partner, decision => 'allowed', uri => "$api$uri", %more,
             headers => [ 'X-API-Key' => $key{$partner}, @{ $more{headers} // [] } ] } }

sub json { return (body => $_[0], headers => [ 'Content-Type' => 'application/json' ]) }

sub signs {
    my ($time, $signature, %more) = @_;
    return asks('signer', '', body => '{"reference":1,"country":"CM","recipient":"670000000",'
        . '"scheduled":"2025-09-29T12:40:14.590Z"}', %more, uri => '/automation/',
        headers => [ 'Content-Type' => 'application/json', 'X-API-Timestamp' => $time,
                     $signature ? ('X-API-Signature' => $signature) : () ]);
}

my @kinds = (
    (sub { asks('clinique-atlas', '/conversations') }) x 8,
    (sub { asks('clinique-atlas', '/messages', json('{"to":"+212600000000","text":"."}')) }) x 4,
    sub { my $now = time; signs($now, signature($secret, $key{signer}, $now)) },
    sub { asks('clinique-atlas', '/conversations/none/of/these') },
    sub { asks('clinique-atlas', '/conversations/broken') },
    sub { asks('clinique-atlas', '/conversations/dead') },
    (sub { asks('pharmacie-du-port', '/conversations', limited => 1) }) x 3,
    sub { asks('dry', '/', uri => '/dry', decision => 'dry') },

    sub { { decision => 'missing_key', uri => "$api/conversations" } },
    sub { { decision => 'invalid_key', uri => "$api/conversations",
            headers => [ 'X-API-Key' => 'a key of nobody' ] } },
    sub { asks('late', '/conversations', decision => 'expired_key') },
    sub { asks('closed', '/conversations', decision => 'partner_disabled') },
    sub { asks('narrow', '/conversations', decision => 'insufficient_scope') },
    sub { { decision => 'duplicate_header', uri => "$api/conversations",
            headers => [ ('X-API-Key' => $key{narrow}) x 2 ] } },
    sub { asks('clinique-atlas', '/messages', json('{"to":"0600"}'), decision => 'invalid_payload') },
    sub { asks('clinique-atlas', '/messages', body => 'Hello', decision => 'unsupported_media_type') },
    sub { signs(time, undef, decision => 'missing_signature') },
    sub { signs(1, 'x', decision => 'stale_timestamp') },
    sub { signs(time, signature($secret, 'another key', time), decision => 'invalid_signature') },

    (map { my ($to, $fate) = @$_; sub { { egress => $fate, uri => "/sandbox/$to", body => '{}' } } }
        [ 'clinique-atlas', 'signed' ], [ 'narrow', 'no_secret' ], [ 'nobody', 'no_partner' ]),

    # no zone decides these
    sub { { uri => '/nowhere' } },
    sub { asks('clinique-atlas', '/conversations', method => 'DELETE', decision => undef) },
);

# What such a request was counted as, by its answer: decision, class, source, and
# partner and outcome if it was one's.

sub fate {
    my ($asked, $r) = @_;

    if (my $fate = $asked->{egress}) {
        my $is = join ' ', $r->status, $r->body =~ /("received":true|bad_gateway)/;
        die "$fate, but $is\n" if $is ne ($fate eq 'signed' ? '200 "received":true' : '502 bad_gateway');
        return "egress $fate";
    }

    my $decision = $asked->{decision} or return 'undecided';
    my $status = $r->status;
    my $type = $r->header('Content-Type') // '';
    my $code = $type eq 'application/problem+json' ? $r->json->{code}
             : $r->body =~ /"success":false,"status":\d+,"message":"(\w+)"/ ? $1 : '';

    $decision = 'rate_limited' if $asked->{limited} && $status == 429;
    my $source = $code eq $decision ? 'module' : $code ? 'nginx' : 'upstream';
    $source = 'nginx' if $decision eq 'dry';
    die "$status $code, not $decision\n" if $source ne 'module' && $decision !~ /\A(?:allowed|dry)\z/;

    my $outcome = $decision =~ /\A(?:allowed|dry)\z/ ? 'allowed'
                : $decision eq 'rate_limited' ? 'limited' : 'refused';
    return join ' ', $decision, substr($status, 0, 1) . 'xx', $source,
                     $asked->{partner} ? ($asked->{partner}, $outcome) : ();
}

# One client of many, on connections that it keeps, one to partners' front door and
# one to the backend's; 'closed' if there was no answer.

sub client {
    my ($port) = @_;
    my ($seeded, %connection);

    return Front::Traffic::start {
        $seeded ||= srand $$;
        my $asked = $kinds[rand @kinds]->();
        my $to = $asked->{egress} ? test_dir() . '/door-egress.sock' : $port;
        my $r = eval {
            $connection{$to} //= Wassiit::Client->new($to);
            $connection{$to}->request(%$asked);
        };
        delete $connection{$to} if !$r || $r->closed;
        return $r ? fate($asked, $r) : 'closed';
    };
}


# ---- what they have counted, as the metrics are to have it

sub totals {
    my ($fates) = @_;
    my %want;

    for my $fate (keys %$fates) {
        my $n = $fates->{$fate};
        next if $fate =~ /\A(?:undecided|closed)\z/;
        my ($decision, $class, $source, $partner, $outcome) = split ' ', $fate;

        if ($decision eq 'egress') {
            $want{"wassiit_webhooks_total out $class"} += $n;
            next;
        }

        # of a limit of one a day, all but the first are dry runs
        $want{'wassiit_decisions_total allowed'} += $decision eq 'dry' ? 1
                                                  : $decision eq 'allowed' ? $n : 0;
        $want{"wassiit_decisions_total rate_limited_dry_run"} += $n - 1 if $decision eq 'dry';
        $want{"wassiit_decisions_total $decision"} += $n if $decision !~ /\A(?:allowed|dry)\z/;

        $want{"wassiit_responses_total $class $source"} += $n;
        $want{'wassiit_request_duration_seconds_count'} += $n;
        $want{"wassiit_partner_requests_total $partner $outcome"} += $n if $partner;
    }

    return \%want;
}

# The same out of samples, each [ value, labels ]; zeros are left out.

sub counted {
    my ($samples) = @_;
    my %label = (wassiit_decisions_total => ['decision'],
                 wassiit_responses_total => [qw(class source)],
                 wassiit_request_duration_seconds_count => [],
                 wassiit_partner_requests_total => [qw(partner outcome)],
                 wassiit_webhooks_total => [qw(direction result)],
                 wassiit_admin_changes_total => [qw(operation result)],
                 wassiit_file_failures_total => ['reason']);
    my %is;

    for my $name (keys %label) {
        for ($samples->($name)) {
            my ($value, $labels) = @$_;
            $is{ join ' ', $name, @$labels{ @{ $label{$name} } } } = 0 + $value if $value > 0;
        }
    }

    return \%is;
}

sub differences {
    my ($is, $want) = @_;
    my %all = (%$is, %$want);
    return { map { my $d = ($is->{$_} // 0) - ($want->{$_} // 0); $d ? ($_ => $d) : () } keys %all };
}


# ---- the front door and Prometheus

my $conf = door_text('nginx.conf');
$conf =~ s/rate=500r\/s/rate=1000000r\/s/;
$conf =~ s/^(\s*)location \/ \{/$1location = \/dry { wassiit_limit dry_run; empty_gif; }\n\n$&/m;

# It is a node of a cluster, and the only one: its share is all of each limit.
my $redis = Wassiit::Redis->start;
$conf =~ s/wassiit_zone zone=partners:[^;]*;\K/<<"END"/e or die;

    wassiit_redis zone=partners server=127.0.0.1:${\ $redis->port};
    wassiit_cluster zone=partners nodes=1 node=edge-1 share=100%;
END

my $sandbox = door_moved(door_text('sandbox.conf'), 'door');
$sandbox =~ s{(?=location = /api/partner/v1/messages \{)}{<<"END"}e;
location = $api/conversations/broken { return 503 'broken'; }
    location = $api/conversations/dead { return 444; }
END
$sandbox =~ s/mirror \/-\/event;//g;          # what is delivered, clients count

my $s = start_door('door', conf => $conf, sandbox => $sandbox, partners => \@partners, daemon => 1,
                   allow_log => qr/exited on signal 9/);
my @doors = ($s);
my $port = $s->port;
my $admin = $s->port(2);

sub scrape { return http($admin, uri => '/metrics', @_) }

sub exposition {
    my ($text) = @_;
    my $e = Wassiit::Exposition->new($text);
    return sub { $e->samples(@_) };
}

ok(wait_for { scrape()->body =~ /^wassiit_cluster_state\{zone="partners",state="active"\} 1$/m },
   'it has joined its cluster');

my $text = Wassiit::_read('conf/monitoring/prometheus.yml');
$text =~ s/127\.0\.0\.1:8081/127.0.0.1:$admin/g;
$text =~ s/(_interval|_timeout): \d+s/$1: 1s/g;
my $rules = Wassiit::_read('conf/monitoring/rules.yml');
(my $at_once = $rules) =~ s/^( +for:) \w+/$1 0s/mg;
my $prometheus = Wassiit::Prometheus->start('prometheus.yml' => $text, 'rules.yml' => $at_once);

sub recorded {
    my %samples;
    push @{ $samples{ $_->{metric}{__name__} } }, [ $_->{value}, $_->{metric} ]
        for $prometheus->query('{__name__=~"wassiit_.+",job="wassiit"}');
    return sub { @{ $samples{$_[0]} // [] } };
}

# Another scraper, as fast as it goes: each text is right in itself, and beside the
# one before.

my $before;
my $scraper = Front::Traffic::start {
    my $r = eval { scrape() };
    return 'closed' if !$r || !$r->status;
    my $now = Wassiit::Exposition->new($r->body);
    my @faults = ($now->faults, $before ? $now->faults_since($before) : ());
    $before = $now;
    Time::HiRes::sleep(0.02);
    return join('; ', @faults[0 .. ($#faults > 2 ? 2 : $#faults)]) || 'right';
};


# ---- before anything was asked

{
    my $r = scrape();
    is($r->status, 200, 'this machine needs no key');
    is($r->header('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8', 'the form is told');

    my $e = Wassiit::Exposition->new($r->body);
    is_deeply([ $e->faults ], [], 'the text is right');
    is_deeply(counted(exposition($r->body)), {}, 'nothing was counted');

    my @words = Wassiit::_read('src/ngx_http_wassiit_decision.c') =~ /\{ ngx_string\("(\w+)"\), \d+, /g;
    cmp_ok(scalar @words, '>=', 15, 'decisions are found');
    is_deeply([ sort map { $_->[1]{decision} } $e->samples('wassiit_decisions_total') ], [ sort @words ],
              'each is there from the start');

    agrees_with('at the start', $r->body);
}

sub agrees_with {
    my ($what, $text) = @_;
    my $file = test_dir() . '/metrics';
    Wassiit::_write($file, $text);
    my ($exit, $out, $error) = Wassiit::_run('sh', '-c', 'build/monitoring/promtool check metrics < "$0"', $file);
    is($exit, 0, "$what: promtool finds nothing") or diag($out . $error);
}


# ---- under load

my (%seen, %changes, $lost);

# What an operator does, one thing of each kind and what is refused: operation,
# request, status.

sub changes {
    my ($id) = @_;

    my $first = change(partner_create => POST => '', { id => $id })->json;
    ok($first->{key}, "$id: partner_create");
    $changes{'wassiit_admin_changes_total partner_create done'}++;

    for ([ partner_create => POST => '', { id => $id }, 409 ],
         [ partner_patch => PATCH => "/$id", { rate => '7r/m' }, 200 ],
         [ partner_patch => PATCH => '/nobody', { rate => '7r/m' }, 404 ],
         [ key_create => POST => "/$id/keys", {}, 201 ],
         [ key_revoke => DELETE => "/$id/keys/$first->{keys}[0]{id}", undef, 204 ],
         [ key_revoke => DELETE => "/$id/keys/none", undef, 404 ],
         [ key_rotate => POST => "/$id/keys/rotate", {}, 201 ],
         [ hmac_secret => POST => "/$id/hmac_secret", {}, 201 ],
         [ webhook_secret => POST => "/$id/webhook_secret", {}, 201 ],
         [ partner_delete => DELETE => "/$id", undef, 204 ],
         [ partner_delete => DELETE => "/$id", undef, 404 ])
    {
        my ($operation, $method, $path, $body, $status) = @$_;
        my $start = Wassiit::_now();
        my $r = change($operation, $method, $path, $body);
        # the worker that follows the cluster may wait for a disk that stalls
        my $is_done = $status < 300 && is_late($r, Wassiit::_now() - $start);
        is($is_done ? $status : $r->status, $status, "$id: $operation");
        $changes{"wassiit_admin_changes_total $operation "
                 . ($status < 300 ? 'done' : 'refused')}++;
    }
}

# Right after a reload or an upgrade a worker may not have reached Redis yet, and
# makes no change: that counts as one that failed.

sub change {
    my ($operation, @request) = @_;
    my $r;
    wait_for {
        $r = admin(@request);
        return 1 if $r->status != 503 || $r->body !~ /Redis can't be reached/;
        $changes{"wassiit_admin_changes_total $operation failed"}++;
        return 0;
    };
    return $r;
}

sub admin {
    my ($method, $path, $body) = @_;
    return http($admin, method => $method, uri => "/admin/partners$path",
        headers => [ 'X-API-Key' => $Operator, 'Content-Type' => 'application/json' ],
        $body ? (body => JSON::PP->new->encode($body)) : ());
}

# Clients ask until what is to happen has happened, and some hundreds of requests
# more. What they have counted is what Prometheus has in the end, but for what was
# lost so far.

sub under_load {
    my ($what, $event) = @_;
    my @clients = map { client($port) } 1 .. $Clients;

    my $more = sub {
        my ($n) = @_;
        my $count = sub { eval { sum0(map { $_->[0] } Wassiit::Exposition->new(scrape()->body)
                                            ->samples('wassiit_decisions_total')) } // 0 };
        my $from = $count->();
        ok(wait_for { $count->() > $from + $n }, "$what: requests go on");
    };

    $more->(300);
    $event->();
    $more->(300);

    for my $fates (map { $_->stop } @clients) {
        $seen{$_} += $fates->{$_} for keys %$fates;
    }

    is_deeply([ grep { /\Adied/ } keys %seen ], [], "$what: all answers are as expected");
}

sub is_counted {
    my ($what) = @_;
    my $want = { %{ totals(\%seen) }, %changes };
    my $wrong;

    wait_for { $wrong = differences(differences(recorded_now(), $want), $lost // {}); !%$wrong };
    is_deeply($wrong, {}, "$what: Prometheus has what clients have counted")
        or diag(JSON::PP->new->canonical->pretty->encode({ seen => \%seen }));
}

sub recorded_now { return counted(recorded()) }

under_load('as it is', sub { changes('first') });
is_counted('as it is');
cmp_ok($seen{$_} // 0, '>', 0, "of: $_")
    for 'allowed 2xx upstream clinique-atlas allowed', 'allowed 5xx upstream clinique-atlas allowed',
        'allowed 4xx upstream clinique-atlas allowed', 'allowed 5xx nginx clinique-atlas allowed',
        'rate_limited 4xx module pharmacie-du-port limited', 'undecided';

under_load('over a reload', sub {
    is($s->reload, '', 'a reload');
    changes('second');
});
is_counted('over a reload');

# A worker counts a request when it has sent the answer, but for its partner when it
# has decided, and a webhook when it has signed it. So one that is killed loses at
# most the one request of each of its connections, or has counted for its partner,
# or as a webhook, one more of each.

under_load('over a kill', sub {
    my ($pid) = $s->worker_pids;
    kill 'KILL', $pid;
    ok(wait_for { my @now = $s->worker_pids; @now == 2 && !grep { $_ == $pid } @now },
       'a worker is killed, another takes its place');
});

{
    my $want = { %{ totals(\%seen) }, %changes };
    my $is = recorded_now();

    # what comes last may not be scraped yet
    wait_for {
        my $now = counted(exposition(scrape()->body));
        $is = recorded_now();
        return !%{ differences($is, $now) };
    };
    $lost = differences($is, $want);
    for my $name (qw(wassiit_decisions_total wassiit_responses_total
                     wassiit_request_duration_seconds_count wassiit_partner_requests_total
                     wassiit_webhooks_total wassiit_admin_changes_total))
    {
        my @lost = map { $lost->{$_} } grep { /\A$name\b/ } keys %$lost;
        cmp_ok(sum0(map { abs } @lost), '<=', $Clients,
               "$name: a killed worker loses at most one a connection");
        is(scalar(grep { $_ > 0 } @lost), 0, "$name: nothing is counted that had no answer")
            if $name !~ /webhooks|partner/;
    }
    note(JSON::PP->new->canonical->encode($lost));
}

under_load('over an upgrade', sub {
    my $new = $s->upgrade;
    push @doors, $new;
    $s->signal('QUIT');
    ok($s->wait_end, 'another program takes over');
    changes('third');

    open my $file, '+<', $s->dir . '/conf/state/partners.jsonl' or die "partners.jsonl: $!";
    flock $file, LOCK_EX or die "flock: $!";
    is(admin(PATCH => '/narrow', { rate => '8r/m' })->status, 503, 'a locked file');
    $changes{"wassiit_admin_changes_total partner_patch failed"}++;
    $changes{"wassiit_file_failures_total locked"}++;
});
is_counted('over an upgrade');

my $scrapes = $scraper->stop;
is_deeply([ grep { $_ ne 'closed' } keys %$scrapes ], ['right'],
          'each text was right, and no counter went backwards');
cmp_ok($scrapes->{right}, '>', 50, 'many were looked at');


# ---- what Prometheus makes of it

my @counters = map { $_->{metric}{__name__} } $prometheus->query(
    'count by (__name__) ({__name__=~"wassiit_.+_(total|bucket|count|sum)"})');
cmp_ok(scalar @counters, '>=', 8, 'there are counters');
is_deeply([ map { my $name = $_; map { [ $name, $_->{metric} ] } $prometheus->query("resets(${name}[1h]) > 0") }
            @counters ], [], 'no series went backwards for Prometheus');
my $targets;
wait_for {
    $targets = join '; ', sort map { $_->{labels}{job} . ": $_->{health} $_->{lastError}" }
                               @{ $prometheus->get('/api/v1/targets')->{activeTargets} };
    return $targets eq 'wassiit-partners: up ; wassiit: up ';
};
is($targets, 'wassiit-partners: up ; wassiit: up ', 'both jobs succeed');
is_deeply([ sort { $a cmp $b } map { $_->{metric}{__name__} } $prometheus->query(
              'count by (__name__) ({__name__=~"wassiit_.+",job="wassiit-partners"})') ],
          [ qw(wassiit_partner_limit_used_ratio wassiit_partner_requests_total) ],
          'the second job has partners alone');
is_deeply([ sort { $a cmp $b } map { $_->{metric}{partner} } $prometheus->query(
              'count by (partner) (wassiit_partner_requests_total{job="wassiit-partners"})') ],
          [ qw(clinique-atlas pharmacie-du-port) ], 'those that it names');

my $dashboard = JSON::PP->new->decode(Wassiit::_read('conf/monitoring/dashboard.json'));
for (expressions($dashboard), expressions_of_rules($rules)) {
    my ($title, $expr) = @$_;
    my @result = $prometheus->query($expr);
    ok(scalar(grep { $_->{value} !~ /NaN/ } @result), "$title: has data") or diag($expr);
}

my @alerts;
ok(wait_for { scalar(@alerts = grep { $_->{labels}{alertname} eq 'WassiitBackendErrors' }
                               @{ $prometheus->get('/api/v1/alerts')->{alerts} }) },
   'backends that fail are an alert');
is_deeply([ sort map { $_->{labels}{source} } @alerts ], [qw(nginx upstream)], 'by source');
like($alerts[0]{annotations}{summary}, qr/\A[\d.]+% of what zone partners let in was answered with 5xx by \w+\.\z/,
     'in words');

ok($prometheus->stop, 'Prometheus ends');
$_->stop for @doors;

done_testing;
