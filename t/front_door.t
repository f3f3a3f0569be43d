#!/usr/bin/env perl
# conf/nginx.conf and conf/sandbox.conf, as an operator finds them: nginx takes them,
# what follows a body that isn't read, TLS. (What one request gets is in t/door_*.t.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

my $api = '/api/partner/v1';
my %people = door_people();
my %key = %{ $people{keys} };

sub start { return start_door($_[0], partners => $people{partners}, @_[1 .. $#_]) }


# ---- all of it is taken without a word, also with what is ready to be uncommented

for my $with ('as it is', 'with cors.conf') {
    my $conf = door_text('nginx.conf');
    $conf =~ s{# (?=include cors)}{}g if $with ne 'as it is';
    my ($exit, $said) = nginx_test(door_moved($conf, 'quiet'), files => {
        door_files('quiet', partners => $people{partners}),
        map { ($_ => door_text($_)) } qw(cors.conf cors_headers.conf) });
    is($exit, 0, "$with: nginx -t");
    unlike($said, qr{\[warn\] could not build}, '... finds room for its names');
}


my $s = start('main');

# What stands behind a body that isn't read to its end is no request.

for my $path ('/automation/', "$api/messages", "$api/messages/audio") {
    my $post = "POST $path HTTP/1.1\r\nHost: a\r\nX-API-Key: $key{all}\r\n";
    my $type = "Content-Type: multipart/form-data; boundary=edge\r\n";
    my $next = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    my $part = "--edge\r\nnonsense\r\n\r\n";

    for my $row ([ 'two keys, and no chunk', "X-API-Key: $key{all}\r\nTransfer-Encoding: chunked\r\n\r\n$next" ],
                 $path =~ /audio/
                 ? ([ 'half a form', "${type}Content-Length: 9000\r\n\r\n$part$next" ],
                    [ 'half a form in chunks', "${type}Transfer-Encoding: chunked\r\n\r\n"
                                               . sprintf("%x\r\n%s\r\n", length $part, $part) . $next ]) : ())
    {
        my ($name, $bytes) = @$row;
        my $client = Wassiit::Client->new($s->port);
        $client->send($post . $bytes);
        is($client->response->status, 400, "$path: $name");
        ok($client->is_closed && $client->{buffer} eq '', "$path: $name: what follows is not answered");
    }
}


$s->stop;


# ---- the TLS block, uncommented as it says

SKIP: {
    my $dir = test_dir();
    skip 'no openssl command', 3
        if system("openssl req -x509 -newkey rsa:2048 -nodes -days 2"
                  . " -subj /CN=localhost -keyout $dir/cert.key"
                  . " -out $dir/cert.pem > /dev/null 2>&1");
    my ($cert, $private) = map {
        open my $in, '<', "$dir/cert.$_" or die "cert.$_: $!";
        local $/;
        scalar <$in>;
    } qw(pem key);

    my $conf = door_text('nginx.conf');
    my $lines = ($conf =~ s/^(\s*)# ((?:listen|ssl_\w+) .*;)$/$1$2/mg);
    is($lines, 8, 'TLS: all of the block');
    $conf =~ s/^\s*listen \[::\]:443.*//m;
    $conf =~ s/^\s*listen 127\.0\.0\.1:8080 .*//m;
    $conf =~ s/^(\s*)listen 443 ssl/$1listen %%PORT%% ssl/m;

    $s = start('tls', conf => $conf,
               files => { 'cert.pem' => $cert, 'cert.key' => $private });
    my $r = curl('--insecure', '--http2', '-X', 'POST',
              'https://127.0.0.1:' . $s->port . "$api/messages",
              '-H', "X-API-Key: $key{all}", '-H', 'Content-Type: application/json',
              '-d', (payload("$api/messages"))[0]);
    is($r->status, 202, 'TLS: accepted');
    is($r->version, 2, 'TLS: HTTP/2');
    $s->stop;
}


done_testing;
