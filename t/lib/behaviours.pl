#!/usr/bin/env perl
# Counts what the suites test over HTTP, and how much of it stands in blocks of
# Test::Nginx:  perl t/lib/behaviours.pl [SUITE ...]
#
# One behaviour is
#   - a block of Test::Nginx, however many requests it sends;
#   - in a suite of the own server library, a place that sends a request, however
#     often a loop comes by, and however many rows its table has: a call of what the
#     libraries send with (http, curl, ask, ..., a client's request and response), or
#     of a sub of the suite that does. These subs themselves don't count.
# The places of a subtest (or section, "# ----") that needs what Test::Nginx hasn't
# are told apart: connections that go on or are many, HTTP/2 and 3, reloads, signals,
# clocks, faults, clusters. They are to stay where they are.
# A block may send several requests, of which each would be a place elsewhere: the last
# line has them counted as places, a block's steps one by one.
# A suite that sends nothing (nginx -t, files, models) isn't over HTTP, and those that
# drive another's program, a browser say, aren't counted. The text is looked through,
# not run: the numbers are near, not exact.

use strict;
use warnings;

my %others = map { ("t/$_.t" => 1) } qw(console docs snippets openapi demo cluster_demo guide
                                        monitoring);
my @senders = qw(http curl ask flood take admin);
my $own = qr/->(?:reload|upgrade|signal|restart|crash|send|wait_end|is_closed)\b | \b(?:flood|held)\s*\(
             | \b(?:H2|H3|Wassiit::Client)->new | Front::Traffic | Wassiit::(?:Clock|Cluster|Node
             | Deaths|Redis|Step|Relay|Liar|Power)\b | LD_PRELOAD | \bkill\b | \bflock\b | \bfork\b/x;
my %count = (blocks => 0, places => 0, own => 0, steps => 0);

printf "%-28s %7s %7s %7s\n", 'suite', 'blocks', 'places', 'to stay';

for my $file (@ARGV ? @ARGV : sort glob 't/*.t') {
    next if $others{$file};
    my $text = text($file);
    my %n = $text =~ /^use Test::Nginx::Socket\b/m ? (blocks => blocks($text), steps => steps($text))
        : places($text);

    next unless grep { $_ } values %n;
    printf "%-28s %7s %7s %7s\n", $file =~ s{.*/}{}r, map { $n{$_} || '' } qw(blocks places own);
    $count{$_} += $n{$_} for keys %n;
}

my ($blocks, $places, $stay, $steps) = @count{qw(blocks places own steps)};
printf "%-28s %7d %7d %7d\n", 'all', $blocks, $places, $stay;
printf "%s of %d behaviours that one client shows stand in blocks, %s of all %d\n",
    share($blocks, $places), $blocks + $places, share($blocks, $places + $stay),
    $blocks + $places + $stay;
printf "%s of all %d places that send a request are in blocks\n", share($steps, $places + $stay),
    $steps + $places + $stay;


sub share {
    my ($in, $out) = @_;
    return sprintf '%.1f %%', $in + $out ? 100 * $in / ($in + $out) : 0;
}

sub text {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!\n";
    local $/;
    return scalar readline $in;
}

sub blocks { my $n = () = $_[0] =~ /^=== /mg; return $n }

# A step is a line of "--- steps" that says what is answered; a block without is one.
sub steps {
    my (undef, @blocks) = split /^=== /m, $_[0];
    my $all = 0;
    for my $block (@blocks) {
        my $n = () = $block =~ /^--- steps\n(.*?)(?=^---|\z)/ms ? $1 =~ /^\S.* => /mg : ();
        $all += $n || 1;
    }
    return $all;
}


sub places {
    my ($text) = @_;
    my %subs;

    $text =~ s/^__(?:END|DATA)__\n.*//ms;
    $text =~ s/^=\w.*?^=cut$//msg;
    $text =~ s/<<~?(['"]?)(\w+)\1(.*?)^\s*\2$/''$3/msg;         # what isn't code

    # subs of the suite, by name or in a variable
    $text =~ s{^( *)(?:sub (\w+)|my \$(\w+) = sub) \{(.*?)^\1\};?$}
              { $subs{ defined $2 ? $2 : "=$3" } = $4; '' }gmse;
    $text =~ s/^ *sub (\w+) (?:\([^)]*\) )?\{([^\n]*)\}$/$subs{$1} = $2; ''/gme;

    my %sends = map { ($_ => 1) } @senders;
    for (my $more = 1; $more; ) {
        $more = 0;
        for my $name (grep { !$sends{$_} } keys %subs) {
            $more = $sends{$name} = 1 if calls($subs{$name}, keys %sends);
        }
    }

    my %n = (places => 0, own => 0);
    for my $part (split /^(?=subtest |# ---- )/m, $text) {
        $part =~ s/(?:^|\s)#.*$//mg;
        $n{ $part =~ $own ? 'own' : 'places' } += calls($part, keys %sends);
    }
    return %n;
}


sub calls {
    my ($text, @senders) = @_;
    my $functions = join '|', grep { !/^=/ } @senders;
    my $variables = join '|', 'none', map { /^=(.*)/ ? $1 : () } @senders;

    my $n = () = $text =~ /(?<![\w>&:\x24])(?:$functions)(?=\s*\()
                           | ->(?:request|response|until_closed|get|query)\b
                           | \x24(?:$variables)->\(/xg;
    return $n;
}
