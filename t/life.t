#!/usr/bin/env perl
# The life of a partner of conf/doc/operating.md, step by step, as it is printed, against what
# "make run" starts.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

my $s = start_door('life', partners => []);

my $document = 'conf/doc/operating.md';
open my $in, '<:raw', $document or die "$document: $!";
my $text = do { local $/; <$in> };

# A "$ " begins a step; what follows is what it prints, "…" any part of it.

my @steps;
for my $block ($text =~ /^<!-- test: life -->\n```console\n(.*?)^```/gms) {
    my ($nothing, @parts) = split /^\$ /m, $block;
    push @steps, map { [ split /\n/ ] } @parts;
}

cmp_ok(scalar @steps, '>=', 15, 'the steps are there');

# One shell for all of them, as they hand on what they learn.

my $mark = 'the end of a step';
my $script = join '', map { "$_->[0]\necho '$mark'\n" } @steps;

my $pid = open my $out, '-|';
defined $pid or die "fork: $!";
if (!$pid) {
    $ENV{front} = 'http://127.0.0.1:' . $s->port;
    $ENV{admin} = 'http://127.0.0.1:' . $s->port(2) . '/admin';
    $ENV{operator} = $Operator;
    exec 'sh', '-c', $script;
    die "sh: $!";
}

my @printed = split /\Q$mark\E\n/, do { local $/; <$out> };
close $out;
is($?, 0, 'the shell takes them');

for my $step (@steps) {
    my ($command, @lines) = @$step;
    my $expected = join '', map { "$_\n" } @lines;
    my $got = shift @printed // '';
    my $pattern = join '.*?', map { quotemeta } split /\xe2\x80\xa6/, $expected, -1;

    $got .= "\n" if $got =~ /[^\n]\z/;
    like($got, qr/\A$pattern\z/s, substr $command, 0, 70);
}

$s->stop;
done_testing;
