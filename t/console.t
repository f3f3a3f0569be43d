#!/usr/bin/env perl
# The operators' console: its words and rates, and what nginx serves of it.

use strict;
use warnings;

use Cwd qw(abs_path);

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

my $console = abs_path('build/console');

# ---- words and rates, without a browser

sub report {
    my ($line) = @_;

    return ok($1 eq '', $2) if $line =~ /^(|not )ok - (.*)/;
    return diag($line =~ s/^# //r);
}

sub node {
    my ($script, @more) = @_;
    open my $out, '-|', 'node', "t/console/$script", $console, @more
        or die "node: $!";
    while (my $line = <$out>) { chomp $line; report($line) }
    close $out;
    is($?, 0, "$script comes to its end");
}

node($_) for qw(words.mjs rates.mjs);


# ---- the front door

my $s = start_door('console', partners => []);


# ---- what nginx serves

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
    my ($uri, $status, $type, %request) = @_;
    my $r = http($s->port(2), uri => $uri, %request);
    my $name = join ' ', $request{method} // 'GET', $uri;

    is($r->status, $status, $name);
    is($r->header('Content-Type'), $type, "$name: type") if defined $type;
    is_deeply([ map { $r->headers($_) } sort keys %Headers ],
              [ map { $Headers{$_} } sort keys %Headers ], "$name: each header once");
    return $r;
}

my $r = served('/console/', 200, 'text/html');
unlike($r->body, qr/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/i, 'nothing inline');
served('/console/app.js', 200, 'text/javascript');
served('/console/vendor/preact.js', 200, 'text/javascript');
served('/console/console.css', 200, 'text/css');
served('/console/icon.svg', 200, 'image/svg+xml');

my $etag = $r->header('ETag');
ok($etag, 'an ETag');
served('/console/', 304, undef, headers => ['If-None-Match' => $etag]);

served('/console/nothing.js', 404, 'application/problem+json');
served('/console/i18n/', 403, 'application/problem+json');
served('/console/', 405, 'application/problem+json', method => 'POST');

is(http($s->port(2), uri => '/console')->header('Location'), '/console/', 'without the slash');
is(http($s->port, uri => '/console/')->status, 404, 'not where partners come');
is(http($s->port(2), uri => '/console/..%2fconf/operators.jsonl')->status, 404, 'nothing beside it');


$s->stop;
done_testing;
