# Pages for a browser: what nginx serves of them.
#
#   served($port, '/docs/nothing', 404, 'application/problem+json');

package Wassiit::Browser;

use strict;
use warnings;

use Exporter qw(import);
use Test::More;
use Wassiit;

our @EXPORT = qw(served);

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


1;
