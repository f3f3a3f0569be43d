# Tests that node runs: programs that print a line a test, as t/browser/tap.mjs
# does.
#
#   node('t/docs/flows.mjs', $argument);

package Wassiit::Node;

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

our @EXPORT = qw(report node);

# A line of such a program.

sub report {
    my ($line) = @_;

    return ok($1 eq '', $2) if $line =~ /^(|not )ok - (.*)/;
    return diag($line =~ s/^# //r);
}

# Runs one, and fails if it doesn't come to its end.

sub node {
    my ($script, @arguments) = @_;
    open my $out, '-|', 'node', $script, @arguments or die "node: $!";
    while (my $line = <$out>) { chomp $line; report($line) }
    close $out;
    is($?, 0, "$script comes to its end");
}


1;
