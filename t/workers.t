#!/usr/bin/perl

# Several workers share a window, whatever becomes of one of them.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Time::HiRes ();
use Front;
use Wassiit;

sub now { Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC()) }

sub request { return { headers => ['X-API-Key' => $_[0]] } }

# How often each verdict was given, and what was left after each admission.

sub sum_up {
    my (%seen, @left, %pids);

    for my $r (@_) {
        $seen{ verdict($r) }++;
        next unless defined $r;
        $pids{ $r->header('X-Pid') }++;
        push @left, left($r) if $r->status == 200;
    }

    return (\%seen, [ sort { $a <=> $b } @left ], \%pids);
}


subtest 'one window for all' => sub {
    for my $row ([ '100r/h', 400 ], [ '100r/d', 150 ], [ '1r/h', 100 ],
                 [ '300r/h', 450 ], [ '30r/h', 30 ])
    {
        my ($rate, $requests) = @$row;
        my ($limit) = $rate =~ /(\d+)/;
        my $expected = $limit < $requests ? $limit : $requests;

        subtest "$requests requests, $rate" => sub {
            my $server = Wassiit::Server->start(
                conf => front_conf(workers => 4, listen => ' reuseport',
                                   server => 'listen %%PORT_2%% reuseport;'),
                files => { 'partners.jsonl' =>
                           [ partner('atlas', 'atlas-key', rate => $rate) ] });

            is(wait_for { 4 == $server->worker_pids }, 1, 'four workers');
            my $half = $requests / 2;
            my ($seen, $left, $pids) = sum_up(
                flood($server->port, map { request('atlas-key') } 1 .. $half),
                flood($server->port(2),
                      map { request('atlas-key') } 1 .. $half));

            is($seen->{200}, $expected, "exactly $expected are admitted");
            is($seen->{'429 rate_limited'} // 0, $requests - $expected,
               'the others are refused');
            is_deeply($left, [ $limit - $expected .. $limit - 1 ],
                      'what is left goes down by one each time');
            cmp_ok(keys %$pids, '>', 1, 'more than one worker has served');
            $server->stop;
        };
    }
};

# Half of the requests are at the server before the first is answered.

subtest 'all at once' => sub {
    my $server = Wassiit::Server->start(
        conf => front_conf(workers => 4, listen => ' reuseport'),
        files => { 'partners.jsonl' => [
            map { partner("p$_", "key of p$_", rate => '100r/h') } 1 .. 3 ] });
    my @clients = map { Wassiit::Client->new($server->port) } 1 .. 200;
    my $n = 0;

    for my $client (@clients) {
        my $id = $n++ % 2 + 1;
        $client->send(join '', map {
            $client->request_bytes(%{ request("key of p$id") }) } 1 .. 4);
    }

    my @answers = map { my $client = $_; map { $client->response } 1 .. 4 }
                  @clients;

    for my $id (1, 2) {
        my ($seen, $left) = sum_up(grep { $_->header('X-Partner') eq "p$id" }
                                   @answers);
        is_deeply($seen, { 200 => 100, '429 rate_limited' => 300 },
                  "100 of p$id are admitted");
        is_deeply($left, [ 0 .. 99 ], 'what is left is told rightly');
    }

    is(take($server, 'key of p3', 1), 99, 'a third is not touched');
    $server->stop;
};


# Of each request only this is known: it was admitted between the client's
# sending and reading. So in a span from one's sending to another's reading
# all between them may have been admitted; if more than N were certainly
# admitted within less than a second, that is wrong.

subtest 'each second' => sub {
    my $limit = 20;
    my $server = Wassiit::Server->start(
        conf => front_conf(workers => 4, listen => ' reuseport'),
        files => { 'partners.jsonl' => [
            partner('atlas', 'atlas-key', rate => "${limit}r/s") ] });
    my (@admitted, @refused);
    my $end = now() + 3;

    # one at a time, so that both ends of it are known closely
    while ((my $before = now()) < $end) {
        my $r = ask($server, 'atlas-key');
        push @{ $r->status == 200 ? \@admitted : \@refused },
             [ $before, now() ];
    }

    my @many = grep {
        $admitted[ $_ + $limit ][1] - $admitted[$_][0] < 1
    } 0 .. $#admitted - $limit;
    is(@many, 0, "never more than $limit in a second");

    my @few = grep {
        my $refused = $_;
        my @near = grep { $_->[1] >= $refused->[0] - 1.002
                          && $_->[0] <= $refused->[1] } @admitted;
        @near < $limit;
    } @refused;
    is(@few, 0, 'no one is refused while there is room');
    cmp_ok(@admitted, '>=', 2 * $limit, 'more than one second was seen');
    cmp_ok(@refused, '>', 0, 'some were refused');
    $server->stop;
};

subtest 'the room comes back' => sub {
    my $server = Wassiit::Server->start(
        conf => front_conf(workers => 4, listen => ' reuseport'),
        files => { 'partners.jsonl' => [
            partner('atlas', 'atlas-key', rate => '50r/s') ] });

    for my $round (1 .. 3) {
        my $full = wait_for {
            my ($seen) = sum_up(flood($server->port,
                                      map { request('atlas-key') } 1 .. 60));
            $seen->{'429 rate_limited'};
        };
        ok($full, 'full');

        my $r;
        ok(wait_for { ($r = ask($server, 'atlas-key'))->status == 200 },
           'and free again');
    }

    $server->stop;
};

subtest 'Retry-After is kept' => sub {
    my $server = Wassiit::Server->start(conf => front_conf(workers => 2),
        files => { 'partners.jsonl' => [
            partner('atlas', 'atlas-key', rate => '3r/s') ] });
    my $r;

    wait_for { ($r = ask($server, 'atlas-key'))->status == 429 };
    my $then = now() + $r->header('Retry-After');
    wait_for { now() >= $then };
    is(verdict(ask($server, 'atlas-key')), 200, 'a retry then does pass');
    $server->stop;
};


# ---- workers that are killed

subtest 'workers are killed under load' => sub {
    my $server = Wassiit::Server->start(
        conf => front_conf(workers => 4, zone => '1m'),
        allow_log => qr/exited on signal 9/,
        files => { 'partners.jsonl' => [
            partner('busy', 'busy-key', rate => '600r/h'),
            partner('fast', 'fast-key', rate => '50r/s'),
            partner('idle', 'idle-key', rate => '10r/h') ] });
    my $port = $server->port;
    is(take($server, 'idle-key', 3), 7, 'three of ten are used');

    my @traffic = map {
        my $key = $_;
        Front::Traffic::start {
            my $r = eval { ask($port, $key, uri => "/?$key") };
            $@ ? 'closed' : verdict($r);
        };
    } 'busy-key', 'fast-key';

    my $killed = 0;

    for (1 .. 12) {
        my @pids = $server->worker_pids;
        my $pid = $pids[ $killed % @pids ];
        kill 'KILL', $pid and $killed++;
        ok(wait_for { my @now = $server->worker_pids;
                      @now == 4 && !grep { $_ == $pid } @now },
           "$pid is replaced");
    }

    is(take($server, 'idle-key', 1), 6, 'a window that no one used is kept');
    ok(wait_for {
           my ($seen) = sum_up(flood($port, map {
               { %{ request('busy-key') }, uri => '/?busy-key' } } 1 .. 50));
           $seen->{'429 rate_limited'};
       },
       'the busy one is used up in the end');

    my @seen = map { $_->stop } @traffic;
    is_deeply([ grep { !/^(?:200|429 rate_limited|closed)$/ }
                map { keys %$_ } @seen ], [], 'nothing but 200 and 429')
        or diag explain \@seen;

    # a worker may have died between an admission and its line in the log
    my $passed = () = $server->access_log =~ /\?busy-key \S+ 200 /g;
    cmp_ok($passed, '<=', 600, 'not too many have passed');
    cmp_ok($passed, '>=', 600 - 2 * $killed, 'nor too few');

    ok(wait_for { ask($server, 'fast-key')->status == 200 },
       'no window is stuck');
    my ($seen) = sum_up(flood($port, map { request('fast-key') } 1 .. 100));
    cmp_ok($seen->{200}, '>', 0, 'nor after that');

    $server->partners(partner('fast', 'fast-key', rate => '50r/s'),
                      partner('new', 'new-partner-key'));
    is($server->reload, '', 'a reload finds the zone in order');
    is(verdict(ask($server, 'new-partner-key')), 200, 'and changes it');
    is(verdict(ask($server, 'busy-key')), '401 invalid_key', 'in both ways');
    $server->stop;
};

done_testing;
