#!/usr/bin/env perl
# What partners read: what nginx serves of it, what stands in it, and what one
# does with it in a browser, against conf/nginx.conf and the sandbox.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Path qw(make_path);
use JSON::PP ();
use MIME::Base64 ();

use lib 't/lib';
use Wassiit;
use Wassiit::Browser;
use Wassiit::Door;
use Wassiit::Node;
use Test::More;

my $json = JSON::PP->new->canonical->ascii;
my @Scopes = qw(messages.send audio.send files.send calls.initiate conversations.read
                webhooks.manage);
my %key = map { $_ => make_key("$_ reads") } qw(all none few);
my $secret = MIME::Base64::encode_base64("a secret of \xff bytes", '');

my $s = start_door('docs', partners => [
    partner('all', $key{all}, scopes => \@Scopes, rate => '1000r/s', hmac_secret => $secret),
    partner('none', $key{none}, scopes => [], rate => '1000r/s'),
    partner('few', $key{few}, scopes => \@Scopes, rate => '1r/d'),
]);
my $port = $s->port;


# ---- what nginx serves

my %page = map { $_ => served($port, "/docs/$_/", 200, 'text/html; charset=utf-8') } qw(en fr);

for my $language (qw(en fr)) {
    my $body = $page{$language}->body;
    my $kilobytes = length($body) / 1024;

    unlike($body, qr/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/i, "$language: nothing inline");
    unlike($body, qr/(?:\ssrc|<link[^>]*\shref)="(?!\/docs\/)/, "$language: nothing from elsewhere");
    unlike($body, qr/\{\{|\{#|undefined|\[object|NaN/, "$language: nothing is left to fill in");
    cmp_ok($kilobytes, '<', 400, "$language: less than 400 KB");
    served($port, "/docs/$language/words.js", 200, 'text/javascript; charset=utf-8');
}

served($port, '/docs/docs.css', 200, 'text/css; charset=utf-8');
served($port, '/docs/icon.svg', 200, 'image/svg+xml');
served($port, "/docs/$_", 200, 'text/javascript; charset=utf-8')
    for qw(answer.js credentials.js element.js paste.js request.js try.js);

served($port, $_, 404, 'application/problem+json')
    for qw(/docs/nothing.js /docs/de/ /docs/openapi.yaml/ /docs/guide.en.md);
served($port, '/docs/', 405, 'application/problem+json', method => 'POST');
served($port, '/docs/en/', 304, undef, headers => ['If-None-Match' => $page{en}->header('ETag')]);
is(http($port, uri => "/docs$_")->header('Location'), "/docs$_/", "/docs$_: without the slash")
    for '', '/en', '/fr';

my $gzipped = http($port, uri => '/docs/en/', headers => ['Accept-Encoding' => 'gzip']);
is($gzipped->header('Content-Encoding'), 'gzip', 'in less bytes');

for (['fr', 'fr'], ['fr-CM,fr;q=0.9,en;q=0.8', 'fr'], ['en-GB,en;q=0.9,fr;q=0.8', 'en'],
     ['de-FR', 'en'], ['ar, fr;q=0.5', 'fr'], ['de', 'en'], [undef, 'en']) {
    my ($accepted, $language) = @$_;
    my $r = served($port, '/docs/', 200, 'text/html; charset=utf-8',
                   defined $accepted ? (headers => ['Accept-Language' => $accepted]) : ());

    like($r->body, qr/<html lang="$language">/, ($accepted // 'no language') . ": $language");
    like(join(',', $r->headers('Vary')), qr/Accept-Language/, '… as Vary says');
}


# ---- what stands in it, and what one does with it

my $shots = 'build/docs-shots';
make_path($shots);

node('t/docs/flows.mjs', $json->encode({
    front => "http://127.0.0.1:$port", keys => \%key, secret => $secret, scopes => \@Scopes,
    shots => abs_path($shots), docs => abs_path('build/docs'), browser => abs_path('build/browser'),
}));

$s->stop;
done_testing;
