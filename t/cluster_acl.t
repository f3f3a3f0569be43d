#!/usr/bin/env perl
# conf/cluster's Redis: its user may call what the front doors call, on their
# keys, and nothing else; its settings keep what was promised.

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);

use lib 't/lib';
use Wassiit;
use Wassiit::Redis;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/..');

sub text {
    my ($file) = @_;
    open my $in, '<', "$top/conf/cluster/$file" or return '';
    local $/;
    return <$in>;
}

my $more = Wassiit::Redis::waitaof() ? ' +waitaof' : '';
my $secret = sha256_hex('the secret');
my $users = text('users.acl');
$users =~ s{#PASSWORD_SHA256}{#$secret} or die 'users.acl has no password';
$users =~ s{^(user wassiit .*)}{$1$more}m;

# as it is, but for where it stands
my $conf = text('redis.conf') =~ s{^(?:port|daemonize|pidfile|logfile|aclfile) .*}{}gmr;
my $server = Wassiit::Redis->start(conf => $conf,
    aclfile => "${users}user judge on nopass ~* &* +\@all\n");

sub redis { return $server->connect(port => 1, user => $_[0], password => $_[1]) }


# ---- who may come

ok(!eval { $server->connect(port => 1)->call('PING') }, 'no one without a name');
like($@, qr{^NOAUTH}, 'is let in');
ok(!eval { redis('wassiit', 'another secret') }, 'a wrong password');
like($@, qr{^WRONGPASS}, 'is none');
is(redis('wassiit', 'the secret')->call('PING'), 'PONG', 'the front doors are let in');


# ---- what they may do

my $judge = redis('judge', '');

sub may { return $judge->call('ACL', 'DRYRUN', 'wassiit', @_) }

my $z = 'wassiit:{partners}';
my %arguments = (
    TIME => [], PING => [], ROLE => [], INFO => ['server'], AUTH => [ 'wassiit', 'x' ],
    CONFIG => [ 'GET', 'appendfsync' ], WAIT => [ 1, 0 ], WAITAOF => [ 1, 0, 0 ], SCRIPT => [ 'LOAD', 'return 1' ],
    EVALSHA => [ '0' x 40, 1, "$z:c" ],
    SUBSCRIBE => ["$z:ch:1"], PUBLISH => [ "$z:ch:1", 'need a' ],
    HGET => [ "$z:c", 'a' ], HSET => [ "$z:c", 'a', 1 ], HMGET => [ "$z:c", 'a' ], HDEL => [ "$z:c", 'a' ],
    HGETALL => ["$z:c"], HSCAN => [ "$z:p", 0 ],
    SADD => [ "$z:ids", 'a' ], SSCAN => [ "$z:ids", 0 ],
    PERSIST => ["$z:w:a"], PEXPIRE => [ "$z:w:a", 1000 ],
    XADD => [ "$z:log", '*', 'a', 1 ], XREAD => [ 'STREAMS', "$z:log", 0 ],
    XRANGE => [ "$z:log", '-', '+' ],
);

# what the client calls, and what the script does, by the caller's rights
my %called = map { $_ => 1 } qw(AUTH PING ROLE INFO CONFIG SCRIPT EVALSHA SUBSCRIBE XREAD XRANGE HSCAN SSCAN WAIT),
    $more ? 'WAITAOF' : (), map { uc } text('ledger.lua') =~ /redis\.p?call\(\s*['"](\w+)['"]/g;

for my $command (sort keys %called) {
    my $arguments = $arguments{$command};
    ok($arguments, "$command is known here") or next;
    is(may($command, @$arguments), 'OK', "they may call $command");
}

my %allowed = map { uc(s{\|.*}{}r) => 1 } "$users" =~ m{\+([a-z|]+)}g;
is_deeply([ sort grep { !$called{$_} } keys %allowed ], [], 'and nothing that no one calls');

for my $command ([ 'FLUSHALL' ], [ 'FLUSHDB' ], [ 'KEYS', '*' ], [ 'SCAN', 0 ], [ 'GET', "$z:c" ], [ 'CONFIG', 'SET', 'save', '' ],
    [ 'CONFIG', 'REWRITE' ], [ 'SCRIPT', 'FLUSH' ], [ 'SHUTDOWN' ], [ 'DEBUG', 'SLEEP', 1 ], [ 'ACL', 'LIST' ],
    [ 'MONITOR' ], [ 'REPLICAOF', 'NO', 'ONE' ], [ 'CLIENT', 'LIST' ], [ 'MODULE', 'LIST' ], [ 'FUNCTION', 'LIST' ],
    [ 'EVAL', 'return 1', 0 ], [ 'DEL', "$z:c" ], [ 'PSUBSCRIBE', '*' ])
{
    like(may(@$command), qr/no permissions/, "they may not call @$command");
}

for my $command ([ 'HSET', 'a', 'b', 'c' ], [ 'HGET', 'wassiit:{other}:p', 'a' ], [ 'HSCAN', 'wassiit:{partners', 0 ],
    [ 'XREAD', 'STREAMS', 'other', 0 ], [ 'SUBSCRIBE', 'wassiit:{other}:ch' ], [ 'PUBLISH', 'news', 'a' ],
    [ 'EVALSHA', '0' x 40, 1, 'other' ])
{
    like(may(@$command), qr/no permissions/, "nor touch what is not theirs: @$command");
}


# ---- and with that the script does its work

my $door = redis('wassiit', 'the secret');
my $run_id = $door->call('INFO', 'server') =~ /^run_id:(\w+)/m ? $1 : '';
my $answer = $door->evalsha($door->load(text('ledger.lua')), [ "$z:c", "$z:n" ],
                             'join', 'door-1', 'session-1', $run_id, 3, 500, 30_000);
is($answer->[0], 'OK', 'a front door joins') or diag(explain($answer));


# ---- what it promises

my %is = map { $_ => $judge->call('CONFIG', 'GET', $_)->[1] }
    qw(appendonly appendfsync maxmemory-policy bind protected-mode);
is_deeply(\%is, { appendonly => 'yes', appendfsync => 'always', 'maxmemory-policy' => 'noeviction',
                  bind => '127.0.0.1', 'protected-mode' => 'yes' }, 'its settings');

# the script writes several at once, which Redis reads again by the rights of
# the default user
my $told = redis('wassiit', 'the secret')->call('HGETALL', "$z:n");
cmp_ok(scalar @$told, '>', 2, 'the script has told it several things');
$server->kill;
$server->restart;
is_deeply({ @{ redis('wassiit', 'the secret')->call('HGETALL', "$z:n") } }, { @$told },
    'what it was told is there after a crash');
$server->stop;

done_testing;
