# Whom status shows where more have asked, or were refused, than it has room for. How
# much that is, is in t/status_room.t.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Test::More;
use Wassiit;
use Wassiit::Clock;
use Wassiit::Exposition;

my $HOUR = 3600;
my $NOW = 1_800_000_000;

my $conf = <<'END';
worker_processes 1;
http {
    wassiit_zone zone=api:16m file=api.jsonl rate=1000r/h;
    wassiit_zone zone=ops:64k file=ops.jsonl;
    server {
        listen %%PORT%%;
        keepalive_requests 100000;
        location / { wassiit_access api; empty_gif; }
        location /scope { wassiit_access api; wassiit_scope calls.initiate; empty_gif; }
    }
    server {
        listen %%PORT_2%%;
        satisfy any;
        allow all;
        wassiit_access ops;
        location = /status { wassiit_status api top=1000; }
        location = /two { wassiit_status api prometheus top=2; }
    }
}
END

my ($server, $client);

sub start {
    my @partners = @_;
    $server = Wassiit::Server->start(conf => $conf, files => {
        'ops.jsonl' => [],
        'api.jsonl' => \@partners });
    undef $client;
}

# Sends all requests before the first answer is read.

sub ask {
    my ($uri, @ids) = @_;
    $client //= Wassiit::Client->new($server->port);
    $client->send(join '', map { "GET $uri HTTP/1.1\r\nHost: x\r\nX-API-Key: key of $_\r\n\r\n" } @ids);
    return map { $client->response->status } @ids;
}

sub status {
    my ($args) = @_;
    return JSON::PP->new->decode(http($server->port(2), uri => '/status' . ($args // ''))->body);
}

sub shown {
    my $e = Wassiit::Exposition->new(http($server->port(2), uri => '/two')->body);
    return join ' ', sort map { $_->[1]{partner} } $e->samples('wassiit_partner_limit_used_ratio');
}

sub ids { map { $_->{id} } @{ $_[0] } }

subtest 'one who asks often, among many' => sub {
    my @many = map { "p$_" } 1 .. 1200;
    start(map { partner($_, "key of $_") } 'busy', @many);

    my @missing;
    for my $look (1 .. 10) {
        for my $n (0 .. 19) {
            ask('/', @many[map { ($look * 120 + $n * 6 + $_) % 1200 } 0 .. 5], 'busy');
        }
        push @missing, $look if (ids(status('?top=100')->{active}))[0] ne 'busy';
    }
    is("@missing", '', 'is the most active whenever one looks');

    my $status = status;
    is(scalar(ids($status->{active})), 1000, 'a thousand can be shown');
    ok($status->{truncated}, 'which is told not to be all');
    $server->stop;
};

subtest 'some who ask all the time' => sub {
    my $clock = Wassiit::Clock->new($NOW);
    my @busy = map { "b$_" } 1 .. 60;
    start(map({ partner($_, "key of $_", rate => '1r/d') } @busy),
          map { partner($_, "key of $_", scopes => []) } qw(victim quiet));

    is_deeply([ ask('/scope', 'victim') ], [403], 'one is refused once');
    ask('/', 'quiet');

    for my $time (map { $_ * 10 } 0 .. 29) {
        $clock->set($NOW + $time);
        ask('/', @busy);
    }

    my $status = status;
    is(scalar(ids($status->{limited})), 60, 'all of them are limited');
    is_deeply([ ids($status->{refused}) ], ['victim'], 'who was refused before is there all the same');
    is_deeply([ ids(status("?$_")->{refused}) ], ['victim'], "also if asked for: $_")
        for 'partner=victim', 'top=0&partner=victim';
    is(scalar(grep { $_ eq 'quiet' } ids($status->{active})), 1, 'and who has asked before');
    ok(!$status->{truncated}, 'they are all');

    $clock->set($NOW + 601);
    is_deeply([ ids(status->{refused}) ], [], 'ten minutes later no more');
    $server->stop;
};

subtest 'who is shown to Prometheus' => sub {
    my $clock = Wassiit::Clock->new($NOW);
    start(map { partner($_, "key of $_") } qw(a b c d));

    ask('/', qw(a b));
    is(shown(), 'a b', 'those who ask');

    my (@early, @late);
    for (my $time = 60; $time < 2 * $HOUR; $time += 240) {
        $clock->set($NOW + $time);
        ask('/', (qw(c d)) x 20);
        push @{ $time < $HOUR ? \@early : \@late }, shown();
    }
    is(join(', ', uniq(@early)), 'a b', 'are for an hour, so that series don\'t come and go');
    is(join(', ', uniq(@late)), 'c d', 'and then those who ask more');
    $server->stop;
};

sub uniq { my %seen; return grep { !$seen{$_}++ } @_ }

done_testing;
