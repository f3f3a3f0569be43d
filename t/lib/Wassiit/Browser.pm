# Pages for a browser: what nginx serves of them, and tests that node runs, each
# of which prints a line as t/browser/tap.mjs does.
#
#   served($port, '/docs/nothing', 404, 'application/problem+json');
#   node('t/docs/flows.mjs', $argument);

package Wassiit::Browser;

use strict;
use warnings;

use Exporter qw(import);
use Test::More;
use Wassiit;

our @EXPORT = qw(served report node);

my %Headers = (
    'Content-Security-Policy' => "default-src 'none'; script-src 'self'; "
        . "style-src 'self'; img-src 'self' data:; font-src 'self'; "
        . "connect-src 'self'; base-uri 'none'; form-action 'none'; "
        . "frame-ancestors 'none'",
    'X-Content-Type-Options' => 'nosniff',
    'Referrer-Policy' => 'no-referrer',
    'Cache-Control' => 'no-cache',
);

sub served {
    my ($port, $uri, $status, $type, %request) = @_;
    my $r = http($port, uri => $uri, %request);
    my $name = join ' ', $request{method} // 'GET', $uri;

    is($r->status, $status, $name);
    is($r->header('Content-Type'), $type, "$name: type") if defined $type;
    is_deeply([ map { $r->headers($_) } sort keys %Headers ],
              [ map { $Headers{$_} } sort keys %Headers ], "$name: each header once");
    return $r;
}

sub report {
    my ($line) = @_;

    return ok($1 eq '', $2) if $line =~ /^(|not )ok - (.*)/;
    return diag($line =~ s/^# //r);
}

sub node {
    my ($script, @arguments) = @_;
    open my $out, '-|', 'node', $script, @arguments or die "node: $!";
    while (my $line = <$out>) { chomp $line; report($line) }
    close $out;
    is($?, 0, "$script comes to its end");
}


1;
