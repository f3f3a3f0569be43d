#!/usr/bin/env perl
# wassiit_redis and wassiit_cluster: what nginx -t says of them.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Wassiit;

my $REDIS = 'wassiit_redis zone=api server=127.0.0.1:1;';

sub conf {
    my ($http, $rate) = @_;
    return <<"END";
http {
    wassiit_zone zone=api:1m file=partners.jsonl @{[ $rate // 'rate=100r/m' ]};
    $http
    server { listen %%PORT%%; }
}
END
}

sub test {
    my ($http, $rate) = @_;
    return nginx_test(conf($http, $rate), files => { 'partners.jsonl' => [] });
}

sub accepted {
    my ($parameters, $rate) = @_;
    my ($exit, $message) = test("$REDIS wassiit_cluster $parameters;", $rate);
    ok($exit == 0 && $message !~ /\[(?:warn|error|crit|alert|emerg)\]/, $parameters)
        or diag($message);
}

sub refused {
    my ($http, $expected) = @_;
    my ($exit, $message) = test($http);
    subtest $http => sub {
        is($exit, 1, 'nginx -t fails');
        like($message, $expected, 'for that reason');
        is(() = $message =~ /\[emerg\]/g, 1, 'and no other');
    };
}

accepted($_) for 'zone=api nodes=3', 'nodes=1 zone=api node=edge-1', 'zone=api nodes=5 share=0%',
    'zone=api nodes=5 share=100%', 'zone=api nodes=4 share=33.3% lease=2s timeout=1ms wait=small',
    'zone=api nodes=1000 lease=1h wait=on timeout=10s cold=refuse', 'zone=api nodes=2 cold=share',
    'zone=api nodes=2 replicas=0', 'zone=api nodes=2 replicas=9',
    'zone=api nodes=2 stale=off', 'zone=api nodes=2 stale=3s', 'zone=api nodes=2 stale=30d';

subtest 'requests may be refused too early' => sub {
    my ($exit, $message) = test("$REDIS wassiit_cluster zone=api nodes=6;");
    is($exit, 0, 'nginx -t succeeds');
    like($message, qr/\[warn\].* limit of zone "api", 100, is less than 20 for each of 6 nodes.*"wait=small"/,
        'and warns');
};
accepted('zone=api nodes=6', 'rate=120r/m');

sub cluster { return "$REDIS wassiit_cluster $_[0];" }

refused(cluster('zone=api'), qr/"wassiit_cluster" must have the parameter "nodes"/);
refused(cluster('nodes=3'), qr/"wassiit_cluster" must have the parameter "zone"/);
refused(cluster("zone=api nodes=$_"), qr/invalid "nodes=\Q$_\E", it must be 1 to 1000/)
    for 0, 1001, 'three', -1;
refused(cluster("zone=api nodes=3 node=$_"), qr/invalid "node=\Q$_\E", it must be 1 to 64 of/)
    for 'a/b', 'e' x 65;
refused(cluster("zone=api nodes=3 share=$_"), qr/invalid "share=\Q$_\E", it must be 0% to 100%/)
    for 50, '101%', '%', 'half';
refused(cluster("zone=api nodes=3 lease=$_"), qr/invalid "lease=\Q$_\E", it must be 2s to 1h/)
    for '1s', '2h', 'long';
refused(cluster("zone=api nodes=3 timeout=$_"), qr/invalid "timeout=\Q$_\E", it must be 1ms to 10s/)
    for '0', '11s';
refused(cluster("zone=api nodes=3 replicas=$_"), qr/invalid "replicas=\Q$_\E", it must be 0 to 9/)
    for 10, -1, 'all';
refused(cluster("zone=api nodes=3 stale=$_"), qr/invalid "stale=\Q$_\E", it must be "off" or 3s to 30d/)
    for 'on', '0', '2999ms', '31d';
refused(cluster('zone=api nodes=3 wait=yes'), qr/invalid "wait=yes", it must be "off", "small" or "on"/);
refused(cluster('zone=api nodes=3 cold=no'), qr/invalid "cold=no", it must be "share" or "refuse"/);
refused(cluster('zone=api nodes=3 nodes=4'), qr/duplicate parameter "nodes=4"/);
refused(cluster('zone=api nodes=3 shares=50%'), qr/invalid parameter "shares=50%" in "wassiit_cluster" directive, the nearest is "share="/);
refused(cluster('zone=api nodes=3') . ' wassiit_cluster zone=api nodes=3;',
    qr/duplicate wassiit_cluster "api", the first is in (\S+nginx\.conf:\d+), the second in \1$/m);

refused('wassiit_cluster zone=api nodes=3;',
    qr/"wassiit_cluster" of zone "api" has no server: add "wassiit_redis zone=api/);
refused($REDIS, qr/"wassiit_redis" of zone "api" serves nothing: add "wassiit_cluster zone=api nodes=N"/);
refused("$REDIS wassiit_cluster zone=ape nodes=3;", qr/unknown wassiit_zone "ape", the \S+ .*is "api" in \S+nginx\.conf:3\b/);
refused('wassiit_redis zone=api server=127.0.0.1 ssl ssl_name=a ssl_trusted_certificate=none.pem; wassiit_cluster zone=api nodes=3;',
    qr/"ssl_trusted_certificate=\S+none\.pem" in "wassiit_redis" directive can't be read \(2: No such file .* in \S+nginx\.conf:3\b/);

done_testing();
