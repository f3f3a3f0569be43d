#!/usr/bin/env perl
# Draws a request's way through the module, for README.md: the steps in their order,
# and how each refuses.

use strict;
use warnings;

# Directive, what it asks, how it refuses.
my @steps = (
    [ 'wassiit_access', [ 'a known key,', 'a partner enabled' ], '401, 403' ],
    [ 'wassiit_auth', [ 'its signature,', 'where one is asked' ], '401' ],
    [ 'wassiit_scope', [ 'the right to', 'this location' ], '403' ],
    [ 'wassiit_limit', [ 'room in the', 'partner\'s window' ], '429' ],
    [ 'wassiit_payload', [ 'the body: size, form,', 'a webhook\'s signature' ], '400, 413, 415, 401' ],
);
my ($box, $gap, $top, $tall) = (146, 28, 62, 74);
my $left = 20;
my $width = 2 * $left + @steps * $box + (@steps - 1) * $gap;
my $out = $width / 2;

sub text {
    my ($x, $y, $text, $more) = @_;
    return sprintf qq(<text x="%d" y="%d" text-anchor="middle"%s>%s</text>\n), $x, $y, $more // '', $text;
}

sub arrow {
    my ($path, $colour) = @_;
    return qq(<path d="$path" fill="none" stroke="$colour" stroke-width="1.5" marker-end="url(#end)"/>\n);
}

print <<"END";
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width 286" font-family="sans-serif" font-size="13">
<title>A request's way: key, signature, scope, window, body, backend</title>
<defs><marker id="end" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto"><path d="M0 0L8 4L0 8z" fill="#444"/></marker></defs>
<rect width="$width" height="286" fill="#fff"/>
END
print text($left + $box / 2, 24, 'a request: X-API-Key: wst_…');
print arrow(sprintf('M%d 32V%d', $left + $box / 2, $top - 2), '#444');

for my $i (0 .. $#steps) {
    my ($name, $asks, $status) = @{ $steps[$i] };
    my $x = $left + $i * ($box + $gap);
    my $middle = $x + $box / 2;

    print qq(<rect x="$x" y="$top" width="$box" height="$tall" rx="6" fill="#e6f4ee" stroke="#0a7d5a"/>\n);
    print text($middle, $top + 22, $name, ' font-weight="bold"');
    print text($middle, $top + 44 + 16 * $_, $asks->[$_], ' font-size="12"') for 0, 1;
    print arrow(sprintf('M%d %dH%d', $x + $box, $top + $tall / 2, $x + $box + $gap - 2), '#444') if $i < $#steps;
    print arrow(sprintf('M%d %dV%d', $middle, $top + $tall, $top + $tall + 30), '#b3261e');
    print text($middle, $top + $tall + 48, $status, ' fill="#b3261e"');
}

my $end = $left + @steps * $box + (@steps - 1) * $gap - $box / 2;
my $low = $top + $tall + 92;
print text($out, $low - 20, 'Each refusal is a JSON body that says what to do, and uses up nothing of a later step.', ' font-size="12" fill="#b3261e"');
print qq(<rect x="$left" y="$low" width="@{[$width - 2 * $left]}" height="44" rx="6" fill="#eef1f5" stroke="#667"/>\n);
print text($out, $low + 19, 'your backend, by proxy_pass or any other means of nginx', ' font-weight="bold"');
print text($out, $low + 36, 'without the key, with what you add: $wassiit_partner, wassiit_upstream_hmac, wassiit_webhook_sign', ' font-size="12"');
print arrow(sprintf('M%d %dH%dV%d', $end + $box / 2, $top + $tall / 2, $width - 8, $low + 22) . sprintf('H%d', $width - $left + 2), '#0a7d5a');
print "</svg>\n";
