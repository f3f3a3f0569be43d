#!/usr/bin/env perl
# The specification of the Partner API against the front door: what conf/openapi
# says is what conf/nginx.conf does, in each operation and each of its answers.

use strict;
use warnings;

use JSON::PP ();
use MIME::Base64 qw(encode_base64);

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Wassiit::Node;
use Test::More;

my $folder = test_dir();
my $json = JSON::PP->new->canonical->ascii;


# ---- what the programs in t/openapi tell, a line a test

sub told {
    my ($script, @more) = @_;
    node("t/openapi/$script", $folder, @more);
}

told($_) for qw(lint.mjs agree.mjs);


# ---- front doors: as an operator finds it, and in all sorts of trouble

my %fields = (
    all => { rate => '1000r/s' },
    scopeless => { rate => '1000r/s', scopes => [] },
    disabled => { enabled => JSON::PP::false },
    few => { rate => '2r/d' },
    expired => { },
);
my %partners = map { $_ => { key => make_key("$_ of the contract"),
                             secret => encode_base64("secret of $_", '') } } keys %fields, 'nobody';

my @partners = map {
    my $record = partner($_, $partners{$_}{key}, hmac_secret => $partners{$_}{secret},
                         %{ $fields{$_} });
    $record->{keys}[0]{expires} = '2026-01-01T00:00:00Z' if $_ eq 'expired';
    $record;
} sort keys %fields;

sub door {
    my ($name, %with) = @_;
    my $conf = door_text('nginx.conf');
    if (my $edit = delete $with{edit}) { $edit->() for $conf }
    return start_door($name, partners => \@partners, conf => $conf, %with);
}

my $sandbox = door_text('sandbox.conf');
$sandbox =~ s/listen unix:wapcm\.sock;\K/
    if (\$request_method = POST) { return 404 '{"success":false,"status":404,"message":"not_found","data":null}'; }/
    or die;

my %prism = map { $_ => free_port() } qw(mock proxy);
my %door = (
    main => door('main'),

    # No backend is there.
    dead => door('dead', sandbox => '', allow_log => qr/connect\(\) to unix:/),

    # Backends that accept, and say nothing.
    silent => door('silent', sandbox => '',
                   edit => sub { s/proxy_read_timeout \K30s/2s/g or die }),

    # One request a minute from each address.
    crowded => door('crowded', edit => sub { s/zone=rate:10m rate=\K500r\/s/1r\/m/ or die;
                                             s/zone=rate \Kburst=500 nodelay// or die }),

    # Prism in place of the messaging backend.
    prism => door('prism', edit => sub {
        s/server unix:messaging\.sock;/server 127.0.0.1:$prism{mock};/ or die }),

    # What an operator may write to shut a path; and wap.cm knows no automation.
    broken => door('broken', sandbox => door_moved($sandbox, 'broken'), edit => sub {
        s/if \(\$wrong_method\) \{ return 405; \}\K/
            if (\$http_x_return = 500) { return 500; } if (\$http_x_return = 503) { return 503; }/g
            or die }),
);

my $given = $json->encode({
    ports => { map { $_ => $door{$_}->port } keys %door },
    partners => \%partners,
    prism => \%prism,
    sockets => [ map { "$folder/silent-$_.sock" } qw(messaging wapcm) ],
});

told($_, $given) for qw(contract.mjs bodies.mjs served.mjs faults.mjs
                           workflows.mjs prism.mjs typed.mjs);

$_->stop for values %door;

done_testing;
