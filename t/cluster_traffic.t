#!/usr/bin/env perl
# Who judges a cluster is judged: front doors that know nothing of another admit
# too many, and just so many are found; one that is exact is accused of nothing.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Cluster;
use Wassiit::Relay;
use Test::More;

# ---- intervals, by hand

sub run_of {
    my ($rate, @intervals) = @_;
    return Wassiit::Cluster::Run->new({ p => $rate },
        [ map { { partner => 'p', after => $_->[0], before => $_->[1] } } @intervals ], []);
}

my $s = 1_000_000;
for my $row (
    [ 0, 'none' ],
    [ 0, 'as many as may be', [ 0, 1 ], [ 1, 2 ] ],
    [ 1, 'one more', [ 0, 1 ], [ 1, 2 ], [ 2, 3 ] ],
    [ 0, 'one more when the first is a second old', [ 0, 1 ], [ 1, 2 ], [ 2, $s ] ],
    [ 1, 'one more just before that', [ 0, 1 ], [ 1, 2 ], [ 2, $s - 1 ] ],
    [ 0, 'one that may be older', [ 0, 5 ], [ 10, 11 ], [ 10, $s + 1 ] ],
    [ 1, 'one known badly among others', [ 0, 500 ], [ 0, 2 * $s ], [ 600, 601 ], [ 700, 701 ] ],
    [ 2, 'the worst span', [ 0, 1 ], [ 1, 2 ], [ 2, 3 ],
      map { [ 5 * $s + $_, 5 * $s + $_ + 9 ] } 1 .. 4 ],
) {
    my ($over, $name, @intervals) = @$row;
    is(run_of('2r/s', @intervals)->over, $over, $name);
}

my $run = Wassiit::Cluster::Run->new({ p => '2r/s' }, [], [
    map { { partner => 'p', sent => $_->[0], done => $_->[0], status => $_->[1] } }
    [ 0, 200 ], [ 1, 200 ], [ 2, 429 ], [ $s, 429 ], [ $s + 1, 200 ], [ $s + 2, 0 ] ]);
is($run->full, 3 / 4, 'what one machine would have admitted');


# ---- front doors on their own

sub alone {
    my ($shape, $seconds, %with) = @_;
    my $cluster = Wassiit::Cluster->start(%with);
    my $run = $cluster->traffic(shape => $shape, requests => 4000 * $seconds, seconds => $seconds,
                                share => $with{share});
    note("$shape: ", $run->report);
    $cluster->stop;
    is_deeply([ grep { !/^(?:200|429)$/ } keys %{ $run->statuses } ], [], "$shape: all are answered");
    return $run;
}

# By the minute, nothing of the run leaves the window.

for my $shape (qw(steady burst skewed moving)) {
    is(alone($shape, 1, rates => { atlas => '100r/m' })->over, 200, "$shape: three times 100");
}

is(alone('steady', 1, rates => [ map { { atlas => "${_}r/m" } } 33, 33, 34 ])->over, 67,
   'each is judged by what the first one was told');

my %over = alone('steady', 1, share => { atlas => 3, boma => 1 }, rates => [
    { atlas => '101r/m', boma => '9r/m' }, { atlas => '1r/m', boma => '1r/m' },
    { atlas => '2r/m', boma => '1r/m' } ])->over_by_partner;
is_deeply(\%over, { atlas => 3, boma => 2 }, 'a few too many are found, of each partner');

cmp_ok(alone('steady', 3, rates => { atlas => '100r/s' })->over, '>', 100, 'by the second as well');

for my $shape (qw(steady burst)) {
    my $run;
    for (1 .. 3) {
        $run = alone($shape, 3, nodes => 1, rates => { atlas => '100r/s', boma => '7r/s' });
        is($run->over, 0, "$shape: one front door is exact");

        # a front door that stood still, in milliseconds, could admit no more: once more
        last if $run->full > 0.9 || $run->latency(1, 0, 9) < 100;
    }
    cmp_ok($run->full, '>', 0.9, "$shape: and admits what it may");
}


# ---- a front door that ends, and comes back

my $cluster = Wassiit::Cluster->start(rates => { atlas => '100r/m' });
is($cluster->traffic(requests => 3000, seconds => 1)->over, 200, 'three lives');
$cluster->node(1)->crash;
$run = $cluster->traffic(requests => 300, seconds => 0.1);
my ($lost, $told) = map { my $of = $_; scalar grep { ($_->{node} == 1) == $of && $_->{status} != ($of ? 0 : 429) }
                                                  @{ $run->{attempts} } } 1, 0;
is($lost, 0, 'no one answers for one that has ended');
is($told, 0, 'and the others do');
$cluster->node(1)->restart;
is($cluster->traffic(requests => 3000, seconds => 1)->over, 0, 'a new life admits anew');
is($cluster->judged->over, 300, 'and the former one counts');
$cluster->stop;


# ---- a line that can be cut

my $server = Wassiit::Server->start(conf => 'http { server { listen %%PORT%%; keepalive_timeout 1h; } }');
my $relay = Wassiit::Relay->start($server->port);
my $client = Wassiit::Client->new($relay->port);
is($client->request->status, 200, 'it passes on');
$relay->hold;
$client->send($client->request_bytes);
ok(!eval { local $SIG{ALRM} = sub { die "late\n" }; alarm 1; $client->response }, 'what is held does not pass');
alarm 0;
$relay->heal;
is($client->response->status, 200, 'and does after that');
$relay->delay(300);
my $before = Wassiit::_now();
is($client->request->status, 200, 'a slow line');
cmp_ok(Wassiit::_now() - $before, '>=', 0.6, 'is slow both ways');
$relay->gone;
ok($client->is_closed, 'a line that is gone');
ok(!eval { Wassiit::Client->new($relay->port) }, 'takes no new connection');
$relay->heal;
is(http($relay->port)->status, 200, 'until it is well again');
$relay->stop;
$server->stop;

done_testing;
