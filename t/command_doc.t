#!/usr/bin/env perl
# What conf/doc/command.md shows, step by step, as it is printed, against what
# "make run" starts.

use strict;
use warnings;

use lib 't/lib';
use Cwd qw(abs_path);
use Test::More;
use Wassiit;
use Wassiit::Command;
use Wassiit::Door;

my $s = start_door('command', partners => []);
my $dir = test_dir() . '/work';
mkdir $_ for $dir, "$dir/backups";
my $text = slurp('conf/doc/command.md');

# A "$ " begins a step; what follows is what it prints, "…" any part of it.

my @steps;
for my $block ($text =~ /^<!-- test: command -->\n```console\n(.*?)^```/gms) {
    my ($nothing, @parts) = split /^\$ /m, $block;
    push @steps, map { [ split /\n/ ] } @parts;
}

cmp_ok(scalar @steps, '>=', 15, 'the steps are there');

my ($shown) = grep { $_->[0] eq 'cat keys.conf' } @steps;
spew("$dir/keys.conf", join '', map { "$_\n" } @{$shown}[1 .. $#$shown]);

# In one shell, as files lead from each to the next; what is said of keys besides
# goes to the error output, which isn't shown.

my $mark = 'the end of a step';
my $script = join '', map { "$_->[0]\necho '$mark'\n" } @steps;
my $bin = abs_path('conf/bin');

my $pid = open(my $out, '-|') // die "fork: $!";
if (!$pid) {
    @ENV{qw(PATH HOME WASSIIT_URL WASSIIT_KEY WASSIIT_NGINX)}
        = ("$bin:$ENV{PATH}", $dir, 'http://127.0.0.1:' . $s->port(2) . '/admin', $Operator, $ENV{TEST_NGINX_BINARY});
    $ENV{WASSIIT_MODULE} = $ENV{TEST_NGINX_LOAD_MODULES} if $ENV{TEST_NGINX_LOAD_MODULES};
    chdir $dir or die "$dir: $!";
    open STDERR, '>', '/dev/null';
    exec 'sh', '-c', $script or die "sh: $!";
}
my @printed = split /\Q$mark\E\n/, do { local $/; <$out> };
close $out;
is($?, 0, 'the shell takes them');

for my $step (@steps) {
    my ($command, @lines) = @$step;
    my $expected = join '', map { "$_\n" } @lines;
    like(shift @printed // '', like_text($expected), substr $command, 0, 70);
}

$s->stop;
done_testing;
