#!/usr/bin/env perl
# Front doors whose Redis answers what it never should: none of them ends, hangs or
# gives a partner more than its limit, what others wrote stays readable, and all is
# well once it answers again. What isn't RESP at all is in t/redis.t.

use strict;
use warnings;

use Time::HiRes ();

use lib 't/lib';
use Wassiit;
use Wassiit::Cluster;
use Wassiit::Liar;
use Wassiit::Operators;
use Wassiit::Redis;
use Test::More;

my $Seconds = $ENV{WASSIIT_STRENGTH} ? 60 : 8;
my $Most = 40;

# A node whose disk stalls makes later what the cluster has taken.
my $busy = qr/a change of partner .* could not be made in .* \(1\)$/m;

sub text { return '$' . length($_[0]) . "\r\n$_[0]\r\n" }
sub array { return '*' . @_ . "\r\n" . join '', @_ }

# Each number, or each text, in the place of each element.
sub instead {
    my ($what) = @_;
    my $n = 0;
    return sub {
        my ($said) = @_;
        my @at;
        push @at, [ $-[0], $+[0] ] while $said =~ /:-?\d+\r\n|\$\d+\r\n[^\r]*\r\n/g;
        my $at = $at[ $n++ % (@at || 1) ] or return $what;
        substr $said, $at->[0], $at->[1] - $at->[0], $what;
        return $said;
    };
}

my @texts = ('', 'x' x 65, 'y' x 5000, "\n2026/11/29 12:00:00 [emerg] 1#1: \e[31mnot ours\r\n", "\0\xff\xfe",
             '../../x', '-', '0-0', '9' x 20 . '-' . '9' x 20, '99999999999999999 {}', "3 {\"id\":\"atlas\",\n\"rev\":3}",
             '7 {"id":"boma","rev":7}', qw(OK LOST RESTATE STALE CONFIG NONE));
my @numbers = qw(-9223372036854775808 -1 0 1 9999 4294967296 9223372036854775807);
my @whole = ("\$-1\r\n", "*-1\r\n", "*0\r\n", "+OK\r\n", ":1\r\n", "-ERR \e[31mno\r\n", "-OOM no\r\n", "-NOPERM no\r\n",
             array(map { ":$_\r\n" } 1 .. 3000), array(array(array(":1\r\n"))),
             array(text('OK'), ":1\r\n", ":1\r\n"), array(text('OK'), (":9223372036854775807\r\n") x 9),
             array(text('RESTATE'), ":1\r\n", ":1\r\n"), array(text('LOST'), ":1\r\n", ":1\r\n"),
             array(array(text('1-1'), array(text('id'), text('atlas'), text('rev'), text('9'), text('line'), text("{\n}")))));
my @answers = (@whole, map { instead($_) } (map { text($_) } @texts), (map { ":$_\r\n" } @numbers), '*0' . "\r\n", "\$-1\r\n");

my $redis = Wassiit::Redis->start;
my $liar = Wassiit::Liar->start($redis->port, @answers);
my $operators = [ partner('ops', $Operator, scopes => ['partners.manage'], rate => '100000r/s') ];
my $cluster = Wassiit::Cluster->start(
    nodes => 2, rates => { atlas => "${Most}r/s", boma => '2r/s' }, redis => [ $liar->port ],
    cluster => 'lease=2s wait=small', allow_log => qr/\[error\]|$busy/m,
    http => 'wassiit_scopes partners.manage; wassiit_zone zone=operators:1m file=operators.jsonl;',
    server => 'location /admin/ { wassiit_access operators; wassiit_scope partners.manage; wassiit_admin partners; }',
    files => { 'operators.jsonl' => $operators });
ok($cluster->wait_active, 'two nodes');

my $crew = Wassiit::Operators::Crew->start(2, sub {
    my ($n, $stop) = @_;
    my $port = $cluster->node($n + 1)->port;
    for (my $i = 0; !$stop->(); $i++) {
        my @change = (['PATCH', '/boma', { name => "n$i" }], ['POST', '', { id => "p$n", rate => '1r/s' }], ['DELETE', "/p$n"]);
        eval { admin($port, @{ $change[ $i % @change ] }) };
        Time::HiRes::sleep(0.02);
    }
    return {};
});

for my $every (7, 3, 1, 2) {
    $liar->lie($every);
    my $run = $cluster->traffic(requests => 400 * $Seconds, seconds => $Seconds / 4);
    my %admitted;
    push @{ $admitted{ $_->{node} } }, $_ for grep { $_->{partner} eq 'atlas' } @{ $cluster->judged->{admissions} };
    cmp_ok(Wassiit::Cluster::Run::peak(1e6, @{ $admitted{$_} // [] }), '<=', $Most, "node $_ admits no more than N")
        for 1, 2;
}
$crew->stop;
$crew->results;

$liar->truth;
ok($cluster->wait_active, 'both are back') or diag(map { substr $_->error_log, -1500 } $cluster->nodes);

for my $n (1, 2) {
    my $node = $cluster->node($n);
    my $r = admin_again($node->port, 'PATCH', '/boma', { name => "last$n" });
    like($r->status, qr/^20[02]$/, "node $n takes changes") or diag($r->body);
    ok(eval { in_file($node)->{boma} }, '... its file has lines') or diag($@);
    is(reload_again($node), '', '... and is loaded');
    unlike($node->error_log, qr/exited on signal|\[(?:alert|emerg)\] (?!1#1|\d+#\d+: $busy)/, '... nobody has died');
    unlike($node->error_log, qr/^(?!\d{4}\/)|[^\x20-\x7e\n]/m, '... the log has its lines');
}
ok($cluster->wait_active, 'both are active');
$cluster->stop;
done_testing;
