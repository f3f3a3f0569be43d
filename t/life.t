#!/usr/bin/env perl
# The life of a partner of conf/doc/operating.md, step by step, as it is printed, against what
# "make run" starts.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

# One worker: of two, one waits no longer than 2 s for what the other has on a disk.
my $conf = door_text('nginx.conf');
$conf =~ s/^worker_processes auto;/worker_processes 1;/m or die 'no worker_processes';
my $s = start_door('life', conf => $conf, partners => []);

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

# The same by the command.

my ($commands) = $text =~ /^<!-- test: command -->\n```sh\n(.*?)^```/ms
    or die "$document has no commands";
{
    my $file = test_dir() . '/operator';
    open my $key, '>', $file or die "$file: $!";
    chmod 0600, $file;
    print {$key} "$Operator\n";
    close $key or die "$file: $!";

    local $ENV{PATH} = "conf/bin:$ENV{PATH}";
    local $ENV{WASSIIT_URL} = 'http://127.0.0.1:' . $s->port(2) . '/admin';
    local $ENV{WASSIIT_KEY_FILE} = $file;

    for my $command (split /\n/, $commands) {
        my $said = qx($command 2>&1);
        is($?, 0, $command) or diag($said);
    }

    my $partner = http($s->port(2), uri => '/admin/partners/clinique-atlas',
                       headers => ['X-API-Key' => $Operator])->json;
    is_deeply([ @$partner{qw(name enabled rate scopes)} ],
              ['Clinique Atlas', JSON::PP::false(), '500r/m', [qw(messages.send files.send)]],
              'and the partner is as they say');
    is(@{ $partner->{keys} }, 2, 'with both keys');
}

$s->stop;
done_testing;
