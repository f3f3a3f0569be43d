#!/usr/bin/env perl
# The specification of the Partner API against the front door: what conf/openapi
# says is what conf/nginx.conf does, in each operation and each of its answers.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::More;

my $folder = test_dir();


# ---- what the programs in t/openapi tell, a line a test

sub report {
    my ($line) = @_;

    return ok($1 eq '', $2) if $line =~ /^(|not )ok - (.*)/;
    return diag($line =~ s/^# //r);
}

sub node {
    my ($script, @more) = @_;
    open my $out, '-|', 'node', "t/openapi/$script", $folder, @more or die "node: $!";
    while (my $line = <$out>) { chomp $line; report($line) }
    close $out;
    is($?, 0, "$script comes to its end");
}

node('lint.mjs');

done_testing;
