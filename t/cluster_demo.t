#!/usr/bin/env perl
# What "make cluster" starts, from a copy of the tree: each command that it
# prints does what it says.

use strict;
use warnings;

use File::Basename qw(basename);

use lib 't/lib';
use Wassiit;
use Wassiit::Redis;
use Test::More;

my $clone = test_dir() . '/a clone';
my @ports = map { free_port() } 1 .. 8;
$ENV{CLUSTER_PORTS} = "@ports[0 .. 2]";
$ENV{CLUSTER_ADMIN_PORTS} = "@ports[3 .. 5]";
@ENV{qw(CLUSTER_REDIS_PORT CLUSTER_HOOK_PORT)} = @ports[6, 7];
$ENV{CLUSTER_REDIS} = Wassiit::Redis::server();

for ($clone, "$clone/build") { mkdir $_ or die "$_: $!"; chmod 0755, $_ }
system('cp', '-R', 'conf', $clone) == 0
    && system('cp', '-L', 'build/ngx_http_wassiit_module.so', "$clone/build") == 0
    or die 'no copy';

my $main = $$;
END { my $exit = $?; cluster('stop') if defined $main && $main == $$; $? = $exit }

sub run {
    my (@command) = @_;
    my $pid = open my $out, '-|';
    defined $pid or die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command;
        die "$command[0]: $!";
    }
    my $text = do { local $/; <$out> };
    close $out;
    return $text =~ tr/\r//dr;
}

sub cluster { return run('timeout', 60, 'bash', "$clone/conf/setup/cluster.sh", $_[0]) }

sub text_of {
    open my $in, '<', "$clone/build/cluster/$_[0]" or die "$_[0]: $!";
    local $/;
    return scalar(<$in>) =~ s/\n\z//r;
}

my $printed = cluster('start');
like($printed, qr/\Arunning from build\/cluster, at 127\.0\.0\.1:$ports[0], $ports[1] and $ports[2]\n/, 'it runs')
    or diag($printed);
for my $what (map({ "http://127.0.0.1:$_/console/" } @ports[3 .. 5]), text_of('key'), text_of('operator')) {
    like($printed, qr/\Q$what\E(?!\w)/, "it prints $what");
}
my $active = qr/^wassiit_cluster_state\{.*state="active"\} 1$/m;
is(scalar(grep { http($_, uri => '/metrics')->body =~ $active } @ports[3 .. 5]), 3, 'all three take part');
is((stat "$clone/build/cluster/$_")[2] & 07777, 0600, "$_: for the owner alone")
    for qw(key operator redis.secret redis/users.acl);

like(Wassiit::_read('/proc/' . text_of('redis/redis.pid') . '/cmdline'), qr/\b\Q@{[ basename $ENV{CLUSTER_REDIS} ]}\E /,
     'by the server that is meant');


# ---- what it prints, as it is pasted

my @expected = (
    [ qr/^curl .*:$ports[0]\/.*\/conversations -H/ => qr/^HTTP\/1\.1 200 .*"data"/s ],
    [ qr/^curl .*:$ports[1]\/.*\/conversations -H/ => qr/^HTTP\/1\.1 200 .*"data"/s ],
    [ qr/^curl .*:$ports[3]\/admin\/partners -H .*clinique-demo/ => qr/^$/ ],
    [ qr/^curl .*:$ports[1]\/.*sed/ => qr/^HTTP\/1\.1 200 .*"data"/s ],
    [ qr/^curl .* DELETE .*:$ports[3]\/.*\/keys\// => qr/^HTTP\/1\.1 204 /s ],
    [ qr/^curl .*:$ports[1]\/.*sed/ => qr/^HTTP\/1\.1 401 .*invalid_key/s ],
    [ qr/^curl .* DELETE .*:$ports[5]\// => qr/^HTTP\/1\.1 204 /s ],
    [ qr/^kill -STOP / => qr/^$/ ],
    [ qr/^curl .*:$ports[2]\/.*\/conversations -H/ => qr/^HTTP\/1\.1 200 .*"data"/s ],
    [ qr/^curl .* PATCH .*:$ports[4]\// => qr/^HTTP\/1\.1 503 /s ],
    [ qr/^kill -CONT / => qr/^$/ ],
    [ qr/^for / => qr/^(?:(?:200|429) )+$/m ],
    [ qr/^curl .*:$ports[3]\/status / => qr/^HTTP\/1\.1 200 .*"version"/s ],
);
my @commands = grep { /^(?:curl|for|kill) / } split /\n/, $printed;
is(@commands, @expected, 'as many commands as are known here');

my $late;
for my $command (@commands) {
    my ($form, $answer) = @{ shift @expected or last };
    my $ask = sub { return run('timeout', 60, 'bash', '-c', $command =~ s/\bcurl -i/curl -sS -i/gr) };
    my $start = Wassiit::_now();
    my $got = $ask->();

    # a node that waits for a disk that stalls has a change later than in a second
    if ($late) {
        wait_for { $got =~ $answer or $got = $ask->() };
    }
    $late = $command =~ / DELETE / && Wassiit::_now() - $start > 0.9
        && $got =~ s/^HTTP\/1\.1 202 (?=.*"pending":\["door-\d"(?:,"door-\d")*\])/HTTP\/1.1 204 /s;

    like($command, $form, 'the next command');
    like($got, $answer, $command =~ s/ -H .*//r);

    # three have passed before, and no minute has
    if ($command =~ /^for /) {
        my $passed = () = $got =~ /200 /g;
        cmp_ok($passed, '<=', 97, 'one limit for all');
        cmp_ok($passed, '>=', 48, 'which is shared, and used');
        is(() = $got =~ /\d /g, 150, 'all have asked');
    }
}


# ---- it is kept

my $key = text_of('key');
delete @ENV{ grep { /^CLUSTER_(?!REDIS$)/ } keys %ENV };
my $again = cluster('start');
like($again, qr/\Aalready running from build\/cluster, at 127\.0\.0\.1:$ports[0], $ports[1] and $ports[2]\n/,
     'it runs already');
is($again =~ s/\A.*\n//r, $printed =~ s/\A.*\n//r, 'and prints the same');

# what was killed is started again, and nothing else
my @which = qw(door-1/logs/nginx.pid redis/redis.pid door-2/logs/nginx.pid);
my @before = map { text_of($_) } @which;
kill 'KILL', -$before[0], $before[1];
ok(wait_for { !grep { Wassiit::_read("/proc/$_/stat") =~ /\) [^ZX] \d/ } @before[0, 1] }, 'a front door and Redis are killed');
like(cluster('start'), qr/\Aalready running /, 'it runs still');
my @after = map { text_of($_) } @which;
isnt($after[$_], $before[$_], "$which[$_]: another") for 0, 1;
is($after[2], $before[2], "$which[2]: the same");
is(http($ports[0], uri => '/api/partner/v1/conversations')->status, 401, 'it answers');

like(cluster('stop'), qr/\A(?:stopped, pid \d+\n){5}\z/, 'it ends');
is(cluster('stop'), '', 'once');

# Redis that stands still ends as well
$ENV{CLUSTER_PORTS} = "@ports[3 .. 5]";
$ENV{CLUSTER_ADMIN_PORTS} = "@ports[0 .. 2]";
$ENV{CLUSTER_REDIS_PORT} = $ports[7];
like(cluster('start'), qr/\Arunning from build\/cluster, at 127\.0\.0\.1:$ports[3],/, 'it runs at other ports');
is(text_of('key'), $key, 'the key is the same');
kill 'STOP', text_of('redis/redis.pid');
like(cluster('stop'), qr/\A(?:stopped, pid \d+\n){5}\z/, 'it ends, though Redis stands still');

done_testing;
