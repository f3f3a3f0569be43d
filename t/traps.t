#!/usr/bin/env perl
# What nginx's own directives make of a partner, as conf/doc/directives.md warns of
# it: its examples are run as they are printed there.

use strict;
use warnings;

use lib 't/lib';
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Wassiit;

open my $in, '<', 'conf/doc/directives.md' or die "directives.md: $!";
my $doc = join '', <$in>;
close $in;

# The example in which that stands, on ports of this suite's.
sub example {
    my ($text, %port) = @_;
    my ($conf) = grep { index($_, $text) >= 0 } $doc =~ /^```nginx\n(.*?)^```/gms;
    die "directives.md has no example with $text\n" if !defined $conf;
    $conf =~ s/127\.0\.0\.1:$_\b/%%$port{$_}%%/g for keys %port;
    return $conf;
}

sub start {
    my ($conf) = @_;
    return Wassiit::Server->start(
        files => { 'partners.jsonl' => [ map { partner($_, "key of $_") } qw(atlas rif) ] },
        conf => "http {\nwassiit_zone zone=partners:1m file=partners.jsonl;\n$conf\n}\n");
}

sub asks { my ($server, $who, $uri) = @_; return http($server->port, uri => $uri, headers => ['X-API-Key' => "key of $who"]) }


# ---- a cache knows whose answer it keeps

{
    my $conf = example('keys_zone=reports');
    $conf =~ s/^server \{\K/ listen %%PORT%%;/m or die 'server';
    my $server = start(<<"END");
upstream messaging { server %%PORT_2%%; }
server { listen %%PORT_2%%; add_header Cache-Control max-age=60; location / { return 200 \$request_id; } }
$conf
END
    my $first = asks($server, 'atlas', '/reports/1');
    is($first->status, 200, 'a report');
    is(asks($server, 'atlas', '/reports/1')->body, $first->body, 'it is kept for who asked');
    my $other = asks($server, 'rif', '/reports/1');
    is($other->status, 200, 'another partner');
    isnt($other->body, $first->body, 'gets its own');
    $server->stop;
}


# ---- requests at the same time, counted behind access

{
    my $backend = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64) or die "listen: $!";
    my $server = start('upstream messaging { server 127.0.0.1:' . $backend->sockport . "; }\n"
                       . example('zone=at_once', 8080 => 'PORT', 8081 => 'PORT_2'));
    my $select = IO::Select->new($backend);
    my (@clients, @held);
    my $arrives = sub {
        my ($who) = @_;
        push @clients, my $client = Wassiit::Client->new($server->port);
        $client->send($client->request_bytes(uri => '/', headers => ['X-API-Key' => "key of $who"]));
        push @held, scalar($select->can_read(20) && $backend->accept);
        return defined $held[-1];
    };

    is(scalar(grep { $arrives->('atlas') } 1 .. 10), 10, 'ten at once reach the backend');
    is(asks($server, 'atlas', '/')->status, 429, 'an eleventh is refused');
    ok($arrives->('rif'), 'one of another partner is not');
    for my $held (@held) {
        syswrite $held, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        close $held;
    }
    is(join(' ', map { $_->response->status } @clients), join(' ', (200) x 11), 'all of them are answered');
    $server->stop;
}


# ---- the server that a hash chooses

for my $key ('$http_x_api_key', '$wassiit_partner consistent') {
    ok(index($doc, "`hash $key") >= 0, "directives.md tells of it: hash $key");
    my $server = start(<<"END");
upstream messaging { hash $key; server %%PORT_2%%; server %%PORT_3%%; }
server { listen %%PORT%%; location / { wassiit_access partners; proxy_pass http://messaging; } }
server { listen %%PORT_2%%; location / { return 200 one; } }
server { listen %%PORT_3%%; location / { return 200 two; } }
END
    my %seen = map { asks($server, 'atlas', '/')->body => 1 } 1 .. 6;
    is(scalar(keys %seen), $key =~ /partner/ ? 1 : 2, "servers that six requests of a partner reach by hash $key");
    $server->stop;
}

done_testing();
