#!/usr/bin/env perl
# The operators' console: what nginx serves of it, and each thing that an operator
# does with it, in a browser, against conf/nginx.conf with 100,000 partners.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Path qw(make_path);
use IPC::Open2;
use JSON::PP ();

use lib 't/lib';
use Wassiit;
use Wassiit::Browser;
use Wassiit::Door;
use Wassiit::Node;
use Test::More;

my $console = abs_path('build/console');
my $json = JSON::PP->new->canonical->ascii;

my $Many = 100_000;
my @Languages = qw(fr en);


# ---- words and rates, without a browser

node("t/console/$_", $console) for qw(words.mjs rates.mjs);


# ---- the front door

# For each language some partners of its own, and many that are found or not.

sub partners {
    my %key = map { my $l = $_;
                    map { ("$_-$l" => make_key("$_ in $l")) } qw(atlas leak plan last busy) }
              @Languages;
    my @lines = map { $json->encode({ id => sprintf('shop-%06d', $_),
                                      name => "Boutique $_", enabled => $_ % 10
                                          ? JSON::PP::true : JSON::PP::false }) }
                1 .. $Many;

    return (\%key, [ (map { partner($_, $key{$_}, name => "Partner $_",
                                    scopes => ['messages.send'], rate => '100r/m') }
                      sort keys %key), join "\n", @lines ]);
}

my ($key, $partners) = partners();
my $conf = door_text('nginx.conf');
$conf =~ s/\bzone=partners:\K10m/128m/ or die 'no zone to be made larger';
my $Reader = make_key('a screen on the wall');
my $s = start_door('console', conf => $conf, partners => $partners, files => {
    'operators.jsonl' => [
        partner('ops', $Operator, scopes => ['partners.manage'], rate => '1000r/s'),
        partner('wall', $Reader, scopes => ['partners.read'], rate => '100r/s') ] });


# ---- what nginx serves

my $r = served($s->port(2), '/console/', 200, 'text/html');
unlike($r->body, qr/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/i, 'nothing inline');
served($s->port(2), '/console/app.js', 200, 'text/javascript');
served($s->port(2), '/console/vendor/preact.js', 200, 'text/javascript');
served($s->port(2), '/console/console.css', 200, 'text/css');
served($s->port(2), '/console/icon.svg', 200, 'image/svg+xml');

my $etag = $r->header('ETag');
ok($etag, 'an ETag');
served($s->port(2), '/console/', 304, undef, headers => ['If-None-Match' => $etag]);

served($s->port(2), '/console/nothing.js', 404, 'application/problem+json');
served($s->port(2), '/console/i18n/', 404, 'application/problem+json');
served($s->port(2), '/console/', 405, 'application/problem+json', method => 'POST');

is(http($s->port(2), uri => '/console')->header('Location'), '/console/', 'without the slash');
is(http($s->port, uri => '/console/')->status, 404, 'not where partners come');
is(http($s->port(2), uri => '/console/..%2fconf/operators.jsonl')->status, 404, 'nothing beside it');


# ---- what an operator does

my $shots = 'build/console-shots';
make_path($shots);

my $pid = open2(my $out, my $in, 'node', 't/console/flows.mjs', $console, $json->encode({
    admin => 'http://127.0.0.1:' . $s->port(2), front => 'http://127.0.0.1:' . $s->port,
    operator => $Operator, reader => $Reader, keys => $key, shots => abs_path($shots),
    browser => abs_path('build/browser'), languages => \@Languages, many => $Many,
}));

while (my $line = <$out>) {
    chomp $line;
    if ($line eq 'do reload') {
        is($s->reload, '', 'nginx reloads');
        print {$in} "done\n";
        $in->flush;
    } else {
        report($line);
    }
}

waitpid $pid, 0;
is($?, 0, 'flows.mjs comes to its end');

$s->stop;
done_testing;
