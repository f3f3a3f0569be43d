#!/usr/bin/env perl

# What an operator takes away is refused by the first request that begins
# after the answer, at every worker, an old one that still drains too.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Test::More;
use Front;
use Wassiit;
use Wassiit::Operators;

my ($ON, $OFF) = (JSON::PP::true(), JSON::PP::false());
my ($TIMES, $OTHERS) = (1000, 200);
my $KEY = make_key('atlas');

sub start_with {
    my (%with) = @_;
    my $server = start_operators(conf => operators_conf(%with),
        partners => [ partner('atlas', $KEY, rate => '1000000r/d') ]);

    is(wait_for { 4 == $server->worker_pids }, 1, 'four workers');
    return $server;
}

# A connection to each of the workers.

sub one_each {
    my ($server, $port) = @_;
    my %clients;

    wait_for {
        my $client = Wassiit::Client->new($server->port($port));
        my $r = $client->request(uri => '/open');
        $clients{ $r->header('X-Pid') } //= $client;
        keys %clients == 4;
    };

    is(keys %clients, 4, 'a connection to each of them');
    return map { $clients{$_} } sort keys %clients;
}

# What a request comes to on each of the connections: all have been sent
# before the first answer is read.

sub on_each {
    my ($clients, $key, %request) = @_;

    $_->send($_->request_bytes(headers => ['X-API-Key' => $key], %request)) for @$clients;
    return join ', ', map { verdict($_->response) } @$clients;
}

sub four { return join ', ', ($_[0]) x 4 }

# Does the change, and tells whether what follows it is as it should.

sub after {
    my ($clients, $change, $expected, $key, %request) = @_;
    my ($client, $status, @change) = @$change;
    my $r = admin_again($client, @change);

    # the connection that is asked first is another each time
    push @$clients, shift @$clients;
    my $got = on_each($clients, $key, %request);

    return () if $r->status == $status && $got eq four($expected);
    return "@change[0, 1]: " . $r->status . ", then $got";
}


subtest "$TIMES keys" => sub {
    my $server = start_with();
    my @clients = one_each($server, 1);
    my @admins = one_each($server, 2);
    my (@wrong, @unknown);

    for my $n (1 .. $TIMES) {
        my $admin = $admins[ $n % 4 ];
        my $made = admin_again($admin, POST => '/atlas/keys')->json;
        my $got = on_each(\@clients, $made->{key});

        push @unknown, "$n: $got" if $got ne four(200);
        push @wrong, after(\@clients, [ $admins[ $n / 4 % 4 ], 204,
                                        DELETE => "/atlas/keys/$made->{id}" ],
                           '401 invalid_key', $made->{key});
    }

    is_deeply(\@unknown, [], 'a key is known to all workers after the 201');
    is_deeply(\@wrong, [], 'and refused by all after the 204');
    is(on_each(\@clients, $KEY), four(200), 'another of the partner is not touched');
    $server->stop;
};


subtest 'what else is taken, and given back' => sub {
    my $server = start_with(zone => '64m');
    my @clients = one_each($server, 1);
    my @admins = one_each($server, 2);
    my @all = @Wassiit::SCOPES;

    for my $row (
        [ 'enabled', '403 partner_disabled', 200, [ { enabled => $OFF }, { enabled => $ON } ] ],
        [ 'a scope', '403 insufficient_scope', 200,
          [ { scopes => [ grep { $_ ne 'conversations.read' } @all ] }, { scopes => [@all] } ] ],
        [ 'all scopes', '403 insufficient_scope', 200, [ { scopes => [] }, { scopes => [@all] } ] ],
        [ 'the rate', '429 rate_limited', 200, [ { rate => '1r/d' }, { rate => '5000r/d' } ],
          admin_again($admins[0], POST => '',
                      { id => 'rif', rate => '5000r/d', scopes => [@all] })->json ])
    {
        my ($what, $refused, $passes, $bodies, $made) = @$row;
        my ($path, $key) = $made ? ("/$made->{id}", $made->{key}) : ('/atlas', $KEY);
        my @wrong;

        is(on_each(\@clients, $key, uri => '/read'), four(200), "$what: nothing is taken yet");

        for my $n (1 .. $OTHERS) {
            push @wrong, after(\@clients, [ $admins[ $n % 4 ], 200,
                                            PATCH => $path, $bodies->[0] ],
                               $refused, $key, uri => '/read');
            push @wrong, after(\@clients, [ $admins[ $n / 4 % 4 ], 200,
                                            PATCH => $path, $bodies->[1] ],
                               $passes, $key, uri => '/read');
        }

        is_deeply(\@wrong, [], "$what: $OTHERS times");
    }

    my @wrong;
    my $key = $KEY;
    for my $n (1 .. $OTHERS) {
        my $r = admin_again($admins[ $n % 4 ], POST => '/atlas/keys/rotate', { grace => '0' });
        my $got = on_each(\@clients, $key);
        push @wrong, "$n: the former: $got" if $got !~ /^(?:401 \w+(?:, |$)){4}/;

        $key = $r->json->{key};
        $got = on_each(\@clients, $key);
        push @wrong, "$n: the new one: $got" if $got ne four(200);
    }
    is_deeply(\@wrong, [], "rotated at once: $OTHERS times");

    @wrong = ();
    for my $n (1 .. $OTHERS) {
        my $made = admin_again($admins[ $n % 4 ], POST => '',
                               { id => "p$n", rate => '10r/s' })->json;
        push @wrong, after(\@clients, [ $admins[ $n / 4 % 4 ], 204, DELETE => "/p$n" ],
                           '401 invalid_key', $made->{key});
    }
    is_deeply(\@wrong, [], "a partner deleted: $OTHERS times");
    $server->stop;
};


# ---- workers that drain

# The request is at an old worker, its header not yet complete, when the
# reload comes: whoever pipelines two requests has the first one's answer only
# after the second was begun.

sub hold {
    my ($port, @request) = @_;
    my $client = Wassiit::Client->new($port);
    my $bytes = $client->request_bytes(close => 1, @request);
    my ($head, $body) = $bytes =~ /\A(.*?\r\n)(\r\n.*)\z/s;

    $client->send($client->request_bytes(uri => '/open') . $head);
    return { client => $client, rest => $body, pid => $client->response->header('X-Pid') };
}

sub release {
    my ($held) = @_;
    $held->{client}->send($held->{rest});
    return $held->{client}->response(close => 1);
}

sub held_key {
    my ($port, $key, @more) = @_;
    return hold($port, headers => ['X-API-Key' => $key], @more);
}

sub held_admin {
    my ($port, $method, $path, $body) = @_;
    return hold($port, Wassiit::Operators::_request($method, $path, $body));
}


subtest 'an old worker knows what a new one has changed' => sub {
    my $server = start_with();
    my ($port, $admin) = ($server->port, $server->port(2));
    my (@wrong, %old);

    for my $round (1 .. 10) {
        my @rows = map {
            my ($what, $expected, @change) = @$_;
            my $id = "$what-$round";
            my $made = admin_again($admin, POST => '', { id => $id, rate => '9r/s',
                                                         scopes => ['conversations.read'] })->json;
            s/KEY/$made->{keys}[0]{id}/ for @change;
            { what => $what, expected => $expected, change => [ $change[0], "/$id$change[1]",
                                                                $change[2] ],
              held => [ map { held_key($port, $made->{key}, uri => '/read') } 1 .. 5 ] };
        } (
            [ revoked => '401 invalid_key', DELETE => '/keys/KEY' ],
            [ deleted => '401 invalid_key', DELETE => '' ],
            [ rotated => '401 invalid_key', POST => '/keys/rotate', { grace => '0' } ],
            [ disabled => '403 partner_disabled', PATCH => '', { enabled => $OFF } ],
            [ scopeless => '403 insufficient_scope', PATCH => '', { scopes => [] } ],
            [ slow => '429 rate_limited', PATCH => '', { rate => '1r/d' } ],
            [ same => 200, PATCH => '', { name => 'Same' } ]);

        is(reload_again($server), '', 'the reload is accepted');

        for my $row (@rows) {
            my $r = admin_again($admin, @{ $row->{change} });
            push @wrong, "$row->{what}: " . $r->status if $r->status >= 300;

            for my $held (@{ $row->{held} }) {
                my $answer = release($held);
                $old{ $held->{pid} } = 1;
                push @wrong, "$row->{what}: another worker"
                    if !$answer || $answer->header('X-Pid') ne $held->{pid};

                # one a day, for the first of them
                my $expected = $row->{what} eq 'slow' && $held == $row->{held}[0]
                               ? 200 : $row->{expected};
                my $got = verdict($answer);
                push @wrong, "$row->{what}: $got" if $got ne $expected;
            }
        }
    }

    is_deeply(\@wrong, [], 'and refuses it');
    note scalar keys %old, ' old workers have answered';
    $server->stop;
};


subtest 'a new worker knows what an old one has changed' => sub {
    my $server = start_with();
    my ($port, $admin) = ($server->port, $server->port(2));
    my @wrong;

    for my $round (1 .. 10) {
        my @made = map { admin_again($admin, POST => '/atlas/keys')->json } 1 .. 4;
        my @held = map { held_admin($admin, DELETE => "/atlas/keys/$_->{id}") } @made;
        my $create = held_admin($admin, POST => '', { id => "new-$round" });

        is(reload_again($server), '', 'the reload is accepted');
        my @clients = one_each($server, 1);

        for my $n (0 .. 3) {
            my $got = on_each(\@clients, $made[$n]{key});
            push @wrong, "before: $got" if $got ne four(200);

            my $r = release($held[$n]);
            $got = on_each(\@clients, $made[$n]{key});
            push @wrong, verdict($r) . ", then $got"
                if verdict($r) ne '204' || $r->header('X-Pid') ne $held[$n]{pid}
                   || $got ne four('401 invalid_key');
        }

        my $r = release($create);
        my $got = $r->status == 201 ? on_each(\@clients, $r->json->{key}) : '';
        push @wrong, verdict($r) . ", then $got" if $got ne four(200);
    }

    is_deeply(\@wrong, [], 'and keeps to it');
    $server->stop;
};


# The old configuration's worker can't know what its words would mean now.

subtest 'a configuration that is another one' => sub {
    for my $row ([ 'another default rate', sub { $_[0] =~ s/(zone=partners:\S+)/$1 rate=7r\/s/ } ],
                 [ 'another scope', sub { $_[0] =~ s/(wassiit_scopes) /$1 crm.read / } ],
                 [ 'another size', sub { $_[0] =~ s/zone=partners:8m/zone=partners:9m/ } ])
    {
        my ($what, $edit) = @$row;
        my $server = start_with();
        my ($port, $admin) = ($server->port, $server->port(2));
        my ($made, $other) = map { admin_again($admin, POST => '/atlas/keys')->json } 1 .. 2;
        my @held = map { held_key($port, $made->{key}) } 1 .. 8;
        my @changes = (held_admin($admin, DELETE => "/atlas/keys/$other->{id}"),
                       held_admin($admin, POST => '', { id => 'new' }),
                       held_admin($admin, PATCH => '/atlas', { enabled => $OFF }));

        my $conf = operators_conf();
        $edit->($conf);
        $server->conf($conf);
        is(reload_again($server), '', "$what: the reload is accepted");

        is(admin_again($admin, DELETE => "/atlas/keys/$made->{id}")->status, 204,
           'a key is revoked');
        my %seen = map { verdict(release($_)) => 1 } @held;
        my $expected = $what eq 'another size' ? '503' : '401 invalid_key';
        is_deeply([ map { /^\d+/ && $& } keys %seen ], [ $expected =~ /^(\d+)/ ],
                  'old workers refuse it') or diag explain \%seen;

        is_deeply([ map { release($_)->status } @changes ], [ 503, 503, 503 ],
                  'and change nothing');
        is(ask($server, $other->{key})->status, 200, 'no key,');
        is(admin($admin, GET => '/new')->status, 404, 'no partner');
        is(ask($server, $KEY)->status, 200, 'nor whether one is enabled');
        $server->stop;
    }
};

done_testing;
