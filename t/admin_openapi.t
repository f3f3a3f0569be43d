#!/usr/bin/env perl
# The description of the admin endpoint and status: it is served to operators and
# to nobody else; it says what the code, conf/doc and conf/nginx.conf say; and
# each answer that it documents is given as it documents it.

use strict;
use warnings;

use Fcntl qw(:flock);
use File::Find ();
use JSON::PP ();

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Wassiit::Node;
use Wassiit::Redis;
use Test::More;

my $json = JSON::PP->new->canonical->ascii;

sub text {
    my ($path) = @_;
    open my $in, '<', $path or die "$path: $!";
    local $/;
    return <$in>;
}


# ---- what the programs in t/openapi tell, a line a test

sub told {
    my ($script, @more) = @_;
    node("t/openapi/$script", test_dir(), @more);
}


# ---- front doors: as an operator finds it, and in all sorts of trouble

my %operators = (
    ops => { rate => '1000r/s' }, nobody => undef,
    reader => { scopes => ['partners.read'] },
    scopeless => { scopes => [] },
    disabled => { enabled => JSON::PP::false() },
    expired => {},
    few => { rate => '1r/d' },
);
my %keys = map { $_ => make_key("$_ of the operators") } keys %operators;

my @operators = map {
    my $record = partner($_, $keys{$_}, scopes => ['partners.manage'], rate => '100r/m',
                         %{ $operators{$_} });
    $record->{keys}[0]{expires} = '2026-01-01T00:00:00Z' if $_ eq 'expired';
    $record;
} grep { $operators{$_} } sort keys %operators;

# Each is used up by one request; one of its keys has an id that a path has, too.
my @fresh = map { sprintf 'p%03d', $_ } 1 .. 400;
my @full = map { "full-$_" } 1 .. 9;
my %partner = map { $_ => make_key("partner $_") } qw(limited lacking);

my @partners = (
    (map { my $partner = partner($_, [ "$_ one", "$_ two" ], hmac_secret => 'c2VjcmV0', rate => '9r/m');
           $partner->{keys}[1]{id} = 'rotate';
           $partner } @fresh),
    (map { my $id = $_; partner($id, [ map { "$id $_" } 1 .. 8 ], rate => '9r/m') } @full),
    partner('taken', 'taken key', rate => '9r/m'),
    partner('a-line-by-hand', [ 'one of its keys', 'two of its keys' ], rate => '9r/m'),
    partner('limited', $partner{limited}, name => 'Who asks too often', rate => '1r/d'),
    partner('lacking', $partner{lacking}, scopes => [], rate => '9r/m'),
);

sub door {
    my ($name, %with) = @_;
    my $conf = door_text('nginx.conf');
    if (my $edit = delete $with{edit}) { $edit->() for $conf }

    return start_door($name, conf => $conf, partners => \@partners,
                      files => { 'operators.jsonl' => \@operators }, %with);
}

sub file { $_[0]->dir . '/conf/state/partners.jsonl' }

my $redis = Wassiit::Redis->start;
my $reason = qr/partners\.jsonl|can't be changed|given up|no room/;
my %door = (
    main => door('main'),
    outside => door('outside', edit => sub { s/allow 127\.0\.0\.1;/allow 127.0.0.2;/ or die }),
    edited => door('edited', allow_log => $reason),
    readonly => door('readonly', allow_log => $reason),
    locked => door('locked', allow_log => $reason),
    small => door('small', partners => [], edit => sub { s/zone=partners:\K10m/64k/ or die }),
    shared => door('shared', edit => sub {
        my $cluster = 'nodes=2 node=edge-1';
        s/wassiit_zone zone=partners:[^;]*;\K/
          wassiit_redis zone=partners server=127.0.0.1:${\ $redis->port};
          wassiit_cluster zone=partners $cluster;/ or die }),
    broken => door('broken', edit => sub {
        s/location (?:= )?\/(?:admin\/|status|metrics) \{\K/ return 500;/g == 3 or die }),
);

sub admin {
    my ($door, $method, $uri, %with) = @_;
    return http($door->port(2), method => $method, uri => $uri,
                headers => [ 'X-API-Key' => $keys{ delete $with{who} // 'ops' } ], %with);
}


# ---- served to operators, and to nobody else

my $yaml = text('conf/openapi/admin.yaml');
my $main = $door{main};

for my $form ([ yaml => 'application/yaml' ], [ json => 'application/json' ]) {
    my ($name, $type) = @$form;
    my $r = http($main->port(2), uri => "/openapi.$name");

    is($r->status, 200, "/openapi.$name: without a key");
    is($r->header('Content-Type'), $type, "/openapi.$name: type");
    is($r->header('Cache-Control'), 'no-cache', "/openapi.$name: asked for each time");
    is($r->header('X-Content-Type-Options'), 'nosniff', "/openapi.$name: not sniffed");
    is($r->body, $yaml, '/openapi.yaml: as it is written') if $name eq 'yaml';
    is(eval { $r->json->{info}{title} }, 'WASSIIT admin endpoint and status',
       '/openapi.json: the same') if $name eq 'json';

    my @tag = ('If-None-Match' => $r->header('ETag') // '');
    is(http($main->port(2), uri => "/openapi.$name", headers => \@tag)->status, 304,
       "/openapi.$name: an ETag");
}

my $r = http($main->port(2), uri => '/openapi.yaml', method => 'POST', body => '');
like($r->body, qr/"code":"method_not_allowed"/, '/openapi.yaml: nothing to POST to');

for my $uri (map { ("/docs-admin/$_", "/docs/../docs-admin/$_", "/docs/..%2fdocs-admin/$_",
                    "/docs../docs-admin/$_", "/console/$_", "/admin/$_") }
             qw(openapi.yaml openapi.json)) {
    is(http($main->port, uri => $uri, headers => ['X-API-Key' => $keys{ops}])->status, 404,
       "where partners come: no $uri");
}

is(http($main->port, uri => $_)->status, 404, "where partners come: no $_")
    for qw(/openapi.admin.yaml /openapi/admin.yaml /admin.yaml /openapi-admin.json /metrics /status);

my (@served, $told);
File::Find::find({ no_chdir => 1, wanted => sub { push @served, $_ if -f } }, 'build/docs');

for my $file (@served) {
    my $name = $file =~ s/^build\/docs//r;
    my $is_specification = $name =~ m{^/openapi[^/]*$};

    for my $uri ($is_specification ? $name : (), "/docs$name") {
        my $r = http($main->port, uri => $uri);
        next if $r->status != 200;
        $told++;
        unlike($r->body, qr/WASSIIT admin endpoint|\/admin\/partners|partners\.(?:manage|read)/,
               "where partners come: nothing of it in $uri");
    }
}

cmp_ok($told // 0, '>', 2, 'where partners come: there is something to read');


# ---- what the code says

my $path = text('src/ngx_http_wassiit_admin_path.c');
my ($resources) = text('src/ngx_http_wassiit_admin_path.h') =~ /typedef enum \{(.*?)\} ngx_http_wassiit_resource_e/s;
my @resources = grep { $_ ne 'NOTHING' } $resources =~ /NGX_HTTP_WASSIIT_ADMIN_(\w+)/g;
my ($methods) = $path =~ /ngx_http_wassiit_methods\[\] = \{(.*?)\n\};/s;
my @allow = $methods =~ /ngx_string\("([^"]+)"\)/g;

my %path = (PARTNERS => '/admin/partners', map {
    ($_->[0] => "/admin/partners/{partnerId}$_->[1]")
} [ PARTNER => '' ], [ KEYS => '/keys' ], [ ROTATE => '/keys/rotate' ], [ KEY => '/keys/{keyId}' ],
  [ HMAC_SECRET => '/hmac_secret' ], [ WEBHOOK_SECRET => '/webhook_secret' ]);

my $document = http($main->port(2), uri => '/openapi.json')->json;
my $paths = $document->{paths};

sub verbs {
    my ($item) = @_;
    return join ' ', sort map { uc } grep { /^(?:get|post|put|patch|delete|head)$/ } keys %$item;
}

sub without_head { join ' ', sort grep { $_ ne 'HEAD' } split /, /, $_[0] }

is_deeply({ map { $_ => verbs($paths->{$_}) } grep { /^\/admin\// } keys %$paths },
          { map { ($path{ $resources[$_] } // $resources[$_]) => without_head($allow[$_]) } 0 .. $#resources },
          'its paths and methods are those of the code');

my ($verdicts) = text('src/ngx_http_wassiit_decision.c') =~ /_verdicts\[[^\]]*\] =\s*\{(.*?)\n\};/s;
my @verdicts = map { [ /ngx_string\("(\w+)"\), (\d+), (\w+)/ ] } $verdicts =~ /\{ (ngx_string[^}]*)\}/g;
my $schemas = $document->{components}{schemas};

is_deeply([ sort @{ $schemas->{PartnerCounts}{required} } ],
          [ sort map { $_->[0] } grep { $_->[2] ne 'NONE' } @verdicts ],
          "a partner's counts are those of the code");
is_deeply([ sort @{ $schemas->{Counters}{properties}{decisions}{required} } ],
          [ sort map { $_->[0] } @verdicts ], 'decisions are those of the code');

# Each code with its status, and which of them are named somewhere.
my ($own) = text('src/ngx_http_wassiit_reply_text.c') =~ /_errors\[\] = \{(.*?)\n\};/s;
my %status = ($own =~ /\{ (\d+), ngx_string\("(\w+)"\)/g);
%status = ((map { $_->[0] => $_->[1] } @verdicts), reverse %status);
my $errors = $document->{'x-errors'};
my %named = map { $_ => 1 } map { @{ $_->{'x-codes'} } } values %{ $document->{components}{responses} };

is_deeply({ map { $_ => $errors->{$_}{status} } keys %$errors },
          { map { $_ => $status{$_} } keys %$errors }, 'errors have the statuses of the code');
is_deeply([ sort keys %$errors ], [ sort keys %named ], 'each error is one of an answer');


# ---- what conf/doc says

my ($endpoint) = text('conf/doc/admin.md') =~ /^## The admin endpoint\n(.*?)^## /ms;
my ($status) = text('conf/doc/monitoring.md') =~ /^## Status\n(.*?)^## /ms;

my %rows;
for my $row ($endpoint =~ /^(\| `(?:GET|POST|PATCH|DELETE) .*)$/mg) {
    my (undef, $request, $body) = split / *\| */, $row;
    my ($method, $uri, $query) = $request =~ /`(\w+) ([^?`]+)\??([^`]*)`/;
    $uri =~ s/\bID\b/{partnerId}/;
    $uri =~ s/\bKEYID\b/{keyId}/;
    my $operation = $paths->{"/admin/$uri"}{ lc $method };

    ok($operation, "admin.md's $method $uri") or next;
    $rows{"$method /admin/$uri"} = 1;

    my %arguments = map { $_->{name} // '' => 1 } @{ $operation->{parameters} // [] };
    ok($arguments{$_}, "admin.md's $method $uri: argument $_") for $query =~ /(\w+)=/g;

    my $schema = $operation->{requestBody}{content}{'application/json'}{schema}{'$ref'} // '';
    my $fields = $schemas->{ $schema =~ s{.*/}{}r }{properties} // {};
    ok($fields->{$_}, "admin.md's $method $uri: field $_")
        for grep { $_ ne 'null' } $body =~ /`([a-z]{2,})`/g;
}

# The one that a key's id makes: admin.md has it as any other id.
is_deeply([ sort keys %rows ],
          [ grep { $_ ne 'DELETE /admin/partners/{partnerId}/keys/rotate' }
            sort map { my $uri = $_; map { "$_ $uri" } split / /, verbs($paths->{$uri}) }
            grep { /^\/admin\// } keys %$paths ], 'admin.md has each of its requests');

# "a.b": the field b of the field a.
sub field {
    my ($name) = @_;
    my $schema = $schemas->{Status};

    for my $part (split /\./, $name) {
        $schema = $schemas->{ $schema->{'$ref'} =~ s{.*/}{}r } if $schema->{'$ref'};
        $schema = $schema->{properties}{$part} or return 0;
    }

    return 1;
}

my %metrics;
for my $row ($status =~ /^(\| (?:`.*|)\|.*`.*)$/mg) {
    my (undef, $fields, $metrics) = split / *\| */, $row;
    my $above;

    for my $name ($fields =~ /`([a-z_.]+)`/g) {
        $name = $name =~ /^\./ ? $above =~ s/\.\w+$/$name/r : $name;
        $above = $name;
        ok(field($name), "monitoring.md's status: $name");
    }

    while ($metrics =~ /`(wassiit_\w+)(?:\{([^}]*)\})?`/g) {
        $metrics{$1} = join ' ', sort $1 eq 'wassiit_build_info' ? () : 'zone', split /,/, $2 // '';
    }
}

my $documented = $document->{'x-metrics'};
is_deeply({ map { $_ => join ' ', sort grep { $_ ne 'le' } @{ $documented->{$_}{labels} } } keys %$documented },
          \%metrics, "monitoring.md's metrics, with their labels");


# ---- each request, each answer

# Somebody is limited, somebody lacks a scope, nobody knows the third.
for my $key ($partner{limited}, $partner{limited}, $partner{lacking}, 'who is that?') {
    http($_->port, uri => '/api/partner/v1/conversations', headers => ['X-API-Key' => $key])
        for @door{qw(main outside)};
}

admin($_, GET => '/admin/partners', who => 'few') for @door{qw(main outside)};

open my $out, '>>', file($door{edited}) or die $!;
print {$out} "{\"id\":\"a-line-by-hand\",\"rate\":\"fast\"}\n";
close $out or die $!;

chmod 0400, file($door{readonly}) or die $!;
open my $locked, '+<', file($door{locked}) or die $!;
flock $locked, LOCK_EX or die $!;

my $n = 0;
ok(wait_for { admin($door{small}, POST => '/admin/partners', body => $json->encode({
    id => 'n' . ++$n, rate => '100r/m' }))->status == 507 }, 'a zone is full');

told('admin.mjs', $json->encode({
    ports => { map { $_ => $door{$_}->port(2) } keys %door },
    keys => \%keys, fresh => \@fresh, full => \@full,
}));

close $locked;

# What takes GET takes HEAD.
for my $uri (qw(/admin/partners /admin/partners/taken /status /metrics)) {
    my $r = admin($main, HEAD => $uri);
    is($r->status . ' ' . ($r->header('Cache-Control') // ''), '200 no-store', "HEAD $uri");
}

is(http($main->port(2), uri => '/metrics')->status, 200, '/metrics from this machine: without a key');

$_->stop for values %door;

done_testing;
