#!/usr/bin/perl

# What a reload changes, what it keeps, and what one that fails leaves alone.

use strict;
use warnings;

use lib 't/lib';
use IO::Socket::INET;
use JSON::PP ();
use Test::More;
use Time::HiRes ();
use Front;
use Wassiit;

my ($ON, $OFF) = (JSON::PP::true(), JSON::PP::false());

sub start_with {
    my ($conf, @partners) = @_;
    return Wassiit::Server->start(conf => $conf,
                                  files => { 'partners.jsonl' => [@partners] });
}

sub reload_with {
    my ($server, @partners) = @_;
    $server->partners(@partners);
    is($server->reload, '', 'the reload is accepted');
}

sub says {
    my ($server, $key, $expected, $what, %request) = @_;
    is(verdict(ask($server, $key, %request)), $expected, $what);
}

# The request is at an old worker, its header not yet complete, when the
# reload comes: whoever pipelines two requests has the first one's answer only
# after the second was begun.

sub hold {
    my ($server, $key, %request) = @_;
    my $client = Wassiit::Client->new($server->port);
    my $bytes = $client->request_bytes(headers => ['X-API-Key' => $key],
                                       close => 1, %request);

    $client->send($client->request_bytes(uri => '/open')
                  . substr $bytes, 0, -2);
    return { client => $client, pid => $client->response->header('X-Pid') };
}

sub release {
    my ($held) = @_;
    $held->{client}->send("\r\n");
    my $r = $held->{client}->response(close => 1);
    is($r && $r->header('X-Pid'), $held->{pid}, 'the old worker answers');
    return $r;
}


subtest 'partners come, change and go' => sub {
    my $server = start_with(front_conf(),
        partner('stays', 'stays-key', rate => '10r/h'),
        partner('leaves', 'leaves-key'),
        partner('changes', 'changes-key', rate => '10r/h', name => 'Before'));
    my @held = map { hold($server, "$_-key") } qw(stays leaves comes);

    is(take($server, 'stays-key', 3), 7, 'three of ten are used');
    is(take($server, 'changes-key', 4), 6, 'four of ten are used');
    says($server, 'comes-key', '401 invalid_key', 'not known yet');

    reload_with($server,
        partner('comes', 'comes-key'),
        partner('changes', 'changes-key', rate => '10r/h', name => 'After',
                scopes => ['files.send']),
        partner('stays', 'stays-key', rate => '10r/h'));

    is(take($server, 'stays-key', 1), 6, 'the window of who stays is kept');
    says($server, 'leaves-key', '401 invalid_key', 'who has gone is unknown');
    says($server, 'comes-key', 200, 'who has come is known');

    my $r = ask($server, 'changes-key');
    is(left($r), 5, 'the window of who has changed is kept');
    is($r->header('X-Name'), 'After', 'the name is the new one');
    is($r->header('X-Scopes'), 'files.send', 'so are the scopes');

    is(left(release($held[0])), 5, 'and counts in the same window');
    is(verdict(release($held[1])), '401 invalid_key', 'and knows who has gone');
    is(verdict(release($held[2])), 200, 'and who has come');

    reload_with($server, partner('stays', 'stays-key', rate => '10r/h',
                                 enabled => $OFF));
    says($server, 'stays-key', '403 partner_disabled', 'disabled');
    reload_with($server, partner('stays', 'stays-key', rate => '10r/h'));
    is(take($server, 'stays-key', 1), 4, 'enabled, with its window');

    reload_with($server);
    says($server, 'stays-key', '401 invalid_key', 'all have gone');
    reload_with($server, partner('stays', 'stays-key', rate => '10r/h'));
    is(take($server, 'stays-key', 1), 9, 'back, with a new window');

    my @crowd = map { partner("p$_", "key of p$_", rate => '10r/h') } 1 .. 300;
    reload_with($server, @crowd);
    is(take($server, 'key of p77', 2), 8, 'a crowd has come');
    reload_with($server, reverse(@crowd[50 .. 299]),
                map { partner("q$_", "key of q$_") } 1 .. 100);
    is(take($server, 'key of p77', 1), 7, 'some of it stays');
    my @lost = grep { ask($server, "key of p$_")->status != 200 } 51 .. 300;
    is("@lost", '', 'everyone who stays is known');
    @lost = grep { ask($server, "key of p$_")->status != 401 } 1 .. 50;
    is("@lost", '', 'no one who has gone is');
    $server->stop;
};


subtest 'an old worker sees the new truth' => sub {
    for my $row (
        [ 'partner removed', [], '401 invalid_key' ],
        [ 'disabled', [ 'was-here', enabled => $OFF ], '403 partner_disabled' ],
        [ 'key replaced', ['is-newer'], '401 invalid_key' ],
        [ 'scope taken', [ 'was-here', scopes => [] ],
          '403 insufficient_scope' ],
        [ 'rate lowered', [ 'was-here', rate => '2r/h' ], '429 rate_limited' ],
        [ 'rate raised', [ 'was-here', rate => '9r/h' ], 200, 6 ],
        [ 'key added', [ [ 'was-here', 'is-newer' ], rate => '3r/h' ], 200, 0 ],
        [ 'key expired', [ 'was-here', expires => '2001-01-01T00:00:00Z' ],
          '401 expired_key' ],
        [ 'key not yet valid',
          [ 'was-here', created => '2999-01-01T00:00:00Z' ],
          '401 invalid_key' ])
    {
        my ($what, $new, $expected, $left) = @$row;
        my $server = start_with(front_conf(workers => 2),
                                partner('atlas', 'was-here', rate => '3r/h'));
        take($server, 'was-here', 2);

        my $held = hold($server, 'was-here', uri => '/read');
        my ($key, %fields) = @$new;
        my $partner = partner('atlas', $key, rate => '3r/h', %fields);
        for (qw(created expires)) {
            $partner->{keys}[0]{$_} = delete $partner->{$_}
                if $partner->{$_};
        }

        reload_with($server, $key ? $partner : ());
        my $r = release($held);
        is(verdict($r), $expected, $what);
        is(left($r), $left, "$what: what is left") if defined $left;
        $server->stop;
    }
};


subtest 'keys' => sub {
    my $server = start_with(front_conf(),
        partner('a', [ 'key one of a', 'key two of a' ], rate => '100r/h'),
        partner('b', 'key one of b', rate => '100r/h'));
    is(take($server, 'key one of a', 5), 95, 'a has used five');
    is(take($server, 'key one of b', 7), 93, 'b has used seven');

    my @steps = (
        [ 'added', { a => [qw(one-of-a-x two-of-a-x 3-of-a-xx)],
                     b => ['one-of-b-x'] } ],
        [ 'removed', { a => ['two-of-a-x'], b => ['one-of-b-x'] } ],
        [ 'moved', { a => ['one-of-b-x'], b => ['two-of-a-x'] } ],
        [ 'moved back', { a => ['two-of-a-x'], b => ['one-of-b-x'] } ],
        [ 'all to one', { a => [], b => [qw(one-of-b-x two-of-a-x)] } ],
        [ 'eight', { a => [ map { "a key $_ xx" } 1 .. 8 ], b => [] } ],
        [ 'eight others', { a => [ map { "a key $_ xx" } 5 .. 12 ],
                            b => [ map { "a key $_ xx" } 1 .. 4 ] } ],
        [ 'moved by eight', { a => [ map { "b key $_ xx" } 1 .. 8 ],
                              b => [ map { "a key $_ xx" } 5 .. 12 ] } ],
        [ 'one of eight', { a => ['b key 7 xx'], b => ['a key 12 xx'] } ],
        [ 'to a new one', { a => [], b => ['a key 12 xx'],
                            c => ['b key 7 xx'] } ],
        [ 'back from one that goes', { a => ['b key 7 xx'],
                                       b => ['a key 12 xx'] } ]);
    my (%left, %seen) = (a => 95, b => 93);

    for my $order ('as they are', 'the other way round') {
        for my $step (@steps) {
            my ($what, $keys) = @$step;
            my @ids = sort keys %$keys;
            @ids = reverse @ids if $order ne 'as they are';

            delete $left{c};
            $left{c} = 100 if $keys->{c};
            reload_with($server, map { partner($_, $keys->{$_},
                                               rate => '100r/h') } @ids);

            my (%got, %expected);
            for my $id (@ids) {
                for my $key (@{ $keys->{$id} }) {
                    my $r = ask($server, $key);
                    $got{$key} = join ' ', verdict($r),
                        $r->header('X-Partner') // '-', left($r) // '-';
                    $expected{$key} = '200 ' . $id . ' ' . --$left{$id};
                }
            }

            is_deeply(\%got, \%expected, "$what, $order");
            $seen{$_} = 1 for keys %expected;
            my @alive = grep { !$expected{$_}
                               && ask($server, $_)->status != 401 } keys %seen;
            is("@alive", '', '... and no other key works');
        }
    }

    my $with = sub {
        my (%times) = @_;
        my $p = partner('a', 'b key 7 xx', rate => '100r/h');
        $p->{keys}[0] = { %{ $p->{keys}[0] }, %times };
        return $p;
    };
    for my $row ([ '401 expired_key', expires => '2001-01-01T00:00:00Z' ],
                 [ 200, expires => '2999-01-01T00:00:00Z' ],
                 [ '401 invalid_key', created => '2999-01-01T00:00:00Z' ],
                 [ 200 ])
    {
        my ($expected, @times) = @$row;
        reload_with($server, $with->(@times));
        says($server, 'b key 7 xx', $expected, "@times");
    }

    reload_with($server, $with->(id => 'renamed'));
    is(ask($server, 'b key 7 xx')->header('X-Key'), 'renamed', 'a new id');
    $server->stop;
};


subtest 'a file that nobody has touched' => sub {
    my $server = start_with(front_conf(rate => '10r/h'), partner('atlas', 'atlas-key'),
                            partner('rif', 'rif-of-key'));
    my $file = $server->dir . '/conf/partners.jsonl';
    is(take($server, 'atlas-key', 3), 7, 'three of ten are used');

    is($server->reload, '', 'a reload') for 1 .. 2;
    is(take($server, 'atlas-key', 1), 6, 'keeps what there is');

    $server->conf(front_conf(rate => '20r/h'));
    is($server->reload, '', 'a reload with another rate');
    is(take($server, 'atlas-key', 1), 15, 'which holds');
    is($server->reload, '', 'and another');
    is(take($server, 'atlas-key', 1), 14, 'keeps it');

    # the same size, the same time, the same file
    my ($atime, $mtime) = (stat $file)[8, 9];
    my $text = Wassiit::_read($file);
    my $digest = key_sha256('another-key');
    $text =~ s/[0-9a-f]{64}/$digest/;
    open my $out, '+<', $file or die "$file: $!";
    print {$out} $text;
    close $out;
    utime $atime, $mtime, $file;
    is($server->reload, '', 'someone has put the time back');
    says($server, 'atlas-key', '401 invalid_key', 'what was written counts');
    says($server, 'another-key', 200, 'and works');
    says($server, 'rif-of-key', 200, 'the others stay');

    chmod 0644, $file;
    is($server->reload, '', 'and another mode') for 1 .. 2;
    says($server, 'another-key', 200, 'changes nothing');

    unlink $file;
    like($server->reload, qr/partners\.jsonl/, 'a file that has gone is missed');
    says($server, 'another-key', 200, 'all goes on');
    $server->stop;
};


# ---- rates

subtest 'a changed rate forgets nothing' => sub {
    # each step: the rate, requests that pass (none: the next is refused;
    # not given: none is sent), what is left after the last
    for my $chain (
        [ [ '10r/h', 5, 5 ], [ '20r/h', 1, 14 ], [ '7r/h', 1, 0 ],
          [ '7r/d', 0 ], [ '5r/h', 0 ], [ '8r/h', 1, 0 ], [ '8r/h', 0 ] ],
        [ [ '10r/h', 5, 5 ], [ '20r/h' ], [ '6r/h', 1, 0 ], [ '5r/h', 0 ],
          [ '6r/h', 0 ] ],
        [ [ '10r/h', 5, 5 ], [ '5r/h', 0 ], [ '10r/h', 5, 0 ] ],
        [ [ '1000000r/h', 3, 999997 ], [ '5r/h', 2, 0 ], [ '5r/h', 0 ] ],
        [ [ '100r/h', 7, 93 ], [ '20000r/h', 1, 19992 ], [ '100r/h', 1, 91 ],
          [ '9r/h', 0 ], [ '10r/h', 1, 0 ] ],
        [ [ '1r/h', 1, 0 ], [ '1000000r/h', 1, 999998 ], [ '1r/h', 0 ],
          [ '2r/h', 0 ], [ '3r/h', 1, 0 ] ],
        [ [ '10000r/h', 20, 9980 ], [ '10002r/h', 1, 9981 ],
          [ '30r/h', 9, 0 ] ],
        [ [ '500r/h', 150, 350 ], [ '152r/h', 1, 1 ], [ '151r/h', 0 ],
          [ '73r/h', 0 ], [ '152r/h' ] ],
        [ [ '3r/m', 3, 0 ], [ '3r/h', 0 ], [ '3r/d', 0 ], [ '4r/d', 1, 0 ] ],
        [ [ '5r/d', 2, 3 ], [ '5r/h', 1, 2 ], [ '5r/d', 1, 1 ] ],
        [ [ '200000r/d', 35, 199965 ], [ '50000r/d', 1, 49964 ],
          [ '36r/d', 0 ], [ '37r/d', 1, 0 ] ])
    {
        my $what = join ' > ', map { $_->[0] } @$chain;

        subtest $what => sub {
            my $server;

            for my $n (0 .. $#$chain) {
                my ($rate, $passes, $left) = @{ $chain->[$n] };
                my $partner = partner('atlas', 'atlas-key', rate => $rate);

                if ($server) {
                    reload_with($server, $partner);
                } else {
                    $server = start_with(front_conf(), $partner);
                }

                next unless defined $passes;

                if ($passes) {
                    my $got = eval { take($server, 'atlas-key', $passes) }
                              // $@;
                    is($got, $left, "$rate: $passes pass, so many are left");
                }

                if (!$left) {
                    says($server, 'atlas-key', '429 rate_limited',
                         "$rate: the next one is refused");
                }
            }

            $server->stop;
        };
    }
};

subtest 'a rate that is changed to a shorter span' => sub {
    my $server = start_with(front_conf(),
                            partner('atlas', 'atlas-key', rate => '5r/d'));
    take($server, 'atlas-key', 5);
    says($server, 'atlas-key', '429 rate_limited', 'five a day are used');
    reload_with($server, partner('atlas', 'atlas-key', rate => '5r/s'));
    ok(wait_for { ask($server, 'atlas-key')->status == 200 },
       'five a second are free within one');
    $server->stop;
};

subtest 'a rate raised under load' => sub {
    my @rates = map { "${_}r/h" } 200, 201, 300, 450, 600;
    my @partners = map { partner('atlas', 'atlas-key', rate => $_) } @rates;
    my $server = start_with(front_conf(workers => 2), $partners[0]);
    my $port = $server->port;
    my $traffic = Front::Traffic::start {
        verdict(ask($port, 'atlas-key'));
    };

    reload_with($server, $_) for @partners[1 .. $#partners];

    ok(wait_for { ask($server, 'atlas-key')->status == 429 }, 'used up');
    my $seen = $traffic->stop;
    my $passed = () = $server->access_log =~ /" 200 /g;
    is($passed, 600, 'exactly as many as the last rate allows have passed');
    is_deeply([ grep { !/^(?:200|429 rate_limited|closed)$/ } keys %$seen ],
              [], 'and nothing but 200 and 429 was seen') or diag explain $seen;
    $server->stop;
};

# At no time did anyone ask for more than 500 an hour.

subtest 'a rate lowered below what was used, and raised again' => sub {
    for my $low ('300r/h', '5r/h', '5r/d') {
        my $server = start_with(front_conf(),
            partner('atlas', 'atlas-key', rate => '500r/h'));
        is(take($server, 'atlas-key', 400), 100, '400 of 500 are used');
        reload_with($server, partner('atlas', 'atlas-key', rate => $low));
        says($server, 'atlas-key', '429 rate_limited', "too many for $low");
        reload_with($server, partner('atlas', 'atlas-key', rate => '500r/h'));
        is(take($server, 'atlas-key', 1), 99, '401 of 500 are used');
        $server->stop;
    }
};

subtest 'the default rate' => sub {
    my $server = start_with(front_conf(rate => '10r/h'),
        partner('atlas', 'atlas-key'),
        partner('rif', 'rif-key-1', rate => '5r/h'));
    is(take($server, 'atlas-key', 4), 6, 'ten an hour by default');
    is(take($server, 'rif-key-1', 1), 4, 'five for who has said so');

    for my $row ([ '20r/h', 15, 3 ], [ '6r/h', 0, 2 ], [ '7r/h', 0, 1 ]) {
        my ($rate, $left, $other) = @$row;
        $server->conf(front_conf(rate => $rate));
        is($server->reload, '', "$rate by default");
        is(take($server, 'atlas-key', 1), $left, 'in force at once');
        is(take($server, 'rif-key-1', 1), $other, 'for no one else');
    }

    $server->conf(front_conf());
    is($server->reload, '', 'none in the configuration');
    is(ask($server, 'atlas-key')->header('X-RateLimit-Limit'), 100,
       '100r/m it is');
    $server->stop;
};


# ---- reloads that are refused

subtest 'a reload that fails changes nothing' => sub {
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
                                      LocalPort => 0) or die $!;
    my $port = $taken->sockport;
    my $fine = front_conf(rate => '50r/h');
    my @old = (partner('atlas', [ 'atlas-key', 'atlas-key-2' ], name => 'Old'),
               partner('rif', 'rif-key-1', rate => '10r/h'));
    my @new = (partner('atlas', 'new-atlas-key', scopes => [], rate => '5r/h',
                       enabled => $OFF, name => 'New'),
               partner('zagora', 'rif-key-1'));
    my $crowd = join '', map { "{\"id\":\"p$_\",\"rate\":\"10000r/d\"}\n" }
                         1 .. 100;

    for my $row (
        [ 'a bad line', '{"id":"atlas","rate":"9r/w"}', $fine,
          qr{/partners\.jsonl:3: rate: } ],
        [ 'a file that has gone', undef, $fine, qr/No such file/ ],
        [ 'too many partners', $crowd, $fine, qr/too small.* would do/ ],
        [ 'a port that is taken', '',
          front_conf(rate => '20r/h', server => "listen 127.0.0.1:$port;"),
          qr/bind\(\) to 127\.0\.0\.1:$port failed/ ],
        [ 'a second zone that is too small', '', front_conf(rate => '20r/h',
              http => 'wassiit_zone zone=small:32k file=crowd.jsonl;'),
          qr/"small" is too small/ ],
        [ 'a file of a second zone that is missing', '',
          front_conf(rate => '20r/h',
              http => 'wassiit_zone zone=b:1m file=none.jsonl;'),
          qr/none\.jsonl/ ],
        [ 'an unknown scope', '', front_conf(rate => '20r/h',
              server => 'wassiit_scope nope;'), qr/unknown scope "nope"/ ],
        [ 'a log that cannot be opened', '', front_conf(rate => '20r/h',
              main => 'error_log none/there;'), qr{none/there} ],
        [ 'another zone of this name', '', front_conf(rate => '20r/h',
              zones => 'limit_req_zone $arg_a zone=api:1m rate=1r/s; '
                       . 'wassiit_zone zone=b:1m file=partners.jsonl;',
              http => 'upstream a { server 127.0.0.1:1; }'),
          qr/unknown wassiit_zone "api"/ ])
    {
        my ($what, $text, $conf, $reason) = @$row;

        subtest $what => sub {
            my $server = start_with($fine, @old);
            my @pids = $server->worker_pids;

            $server->write('crowd.jsonl', $crowd);
            is(take($server, 'atlas-key', 2), 48, 'two are used');
            is(take($server, 'rif-key-1', 3), 7, 'three are used');

            $server->partners(@new, defined $text ? split /\n/, $text : ());
            unlink $server->dir . '/conf/partners.jsonl' unless defined $text;
            $server->conf($conf);
            like($server->reload, $reason, 'the reload says why it fails');
            $server->wait_log(qr/still could not bind/) if $what =~ /port/;

            is_deeply([ $server->worker_pids ], \@pids,
                      'the workers are the same');
            my $r = ask($server, 'atlas-key', uri => '/read');
            is(verdict($r), 200, 'partners, keys and scopes are the old ones');
            is(left($r), 47, 'windows and rates too');
            is($r->header('X-Name'), 'Old', 'and names');
            is(take($server, 'rif-key-1', 1), 6, 'no key has moved');
            says($server, 'atlas-key-2', 200, 'none has gone');
            says($server, 'new-atlas-key', '401 invalid_key', 'none has come');

            $server->partners(@new);
            $server->conf($fine);
            is($server->reload, '', 'mended, it is accepted');
            says($server, 'atlas-key', '401 invalid_key', 'a key has gone');
            says($server, 'new-atlas-key', '403 partner_disabled', 'one came');
            is(ask($server, 'rif-key-1')->header('X-Partner'), 'zagora',
               'one has moved');
            $server->stop;
        };
    }
};

subtest 'nginx -t changes nothing' => sub {
    my $server = start_with(front_conf(),
                            partner('atlas', 'atlas-key', rate => '10r/h'));
    take($server, 'atlas-key', 2);
    $server->partners(partner('rif', 'rif-key-1'));
    my $dir = $server->dir;
    is(system("$ENV{TEST_NGINX_BINARY} -t -p $dir/ -c conf/nginx.conf "
              . "-e logs/test.log 2>$dir/logs/test.err"), 0, 'it is accepted');
    is(take($server, 'atlas-key', 1), 7, 'and all is as before');
    $server->stop;
};


# ---- the zone itself, scopes, the file

subtest 'zones that change' => sub {
    my @partners = (partner('atlas', 'atlas-key', rate => '10r/h'));
    my $server = start_with(front_conf(), @partners);
    my $with = sub {
        my ($what, $expected, %conf) = @_;
        my $held = hold($server, 'atlas-key');
        $server->conf(front_conf(%conf));
        is($server->reload, '', "$what is accepted");
        is(verdict(release($held)), 200, 'and serves on its zone');
        is(take($server, 'atlas-key', 1), $expected, "$what: what is left");
    };

    is(take($server, 'atlas-key', 3), 7, 'three are used');
    $with->('the same', 5);
    $with->('a larger size', 9, zone => '2m');
    $with->('a smaller size', 9, zone => '64k');
    $with->('the same size', 7, zone => '64k');
    my $two = sub { return (zones => "wassiit_zone zone=api:64k "
        . "file=partners.jsonl; wassiit_zone zone=$_[0]:64k "
        . 'file=other.jsonl;', server => "location /two { "
        . "wassiit_access $_[0]; empty_gif; }") };

    $server->write('other.jsonl',
        qq({"id":"atlas","rate":"5r/h","keys":[{"id":"k1","sha256":")
        . key_sha256('other-key') . '"}]}');
    $with->('a second zone', 5, $two->('two'));
    is(left(ask($server, 'other-key', uri => '/two')), 4, 'it works');
    says($server, 'other-key', '401 invalid_key', 'and is none of the first');
    says($server, 'atlas-key', '401 invalid_key', 'nor the other way round',
         uri => '/two');
    $with->('the second zone', 3, $two->('two'));
    is(left(ask($server, 'other-key', uri => '/two')), 3, 'it has kept all');
    $with->('another name of the second', 1, $two->('three'));
    is(left(ask($server, 'other-key', uri => '/two')), 4, 'that is a new one');
    is(take($server, 'atlas-key', 1), 0, 'the first is full');
    $server->conf(front_conf(zone => '64k'));
    is($server->reload, '', 'the second zone has gone');
    says($server, 'atlas-key', '429 rate_limited', 'the first is still full');

    $server->conf("http { server { listen %%PORT%%; "
                  . "location / { empty_gif; } } }\n");
    is($server->reload, '', 'no zone at all');
    says($server, 'atlas-key', 200, 'no limit');
    $server->conf(front_conf(zone => '64k'));
    is($server->reload, '', 'the zone is back');
    is(take($server, 'atlas-key', 1), 9, 'as a new one');
    $server->stop;
};

subtest 'another file' => sub {
    my $server = start_with(front_conf(),
        partner('atlas', 'atlas-key', rate => '10r/h'),
        partner('rif', 'rif-key-1'));
    take($server, 'atlas-key', 3);
    $server->write('other.jsonl', qq({"id":"atlas","rate":"20r/h","keys":)
        . '[{"id":"k1","sha256":"' . key_sha256('atlas-key') . '"}]}');
    $server->conf(front_conf(zones =>
                             'wassiit_zone zone=api:1m file=other.jsonl;'));
    is($server->reload, '', 'another file');
    is(take($server, 'atlas-key', 1), 16, 'the window is kept');
    says($server, 'rif-key-1', '401 invalid_key', 'the other has gone');
    $server->stop;
};

subtest 'scopes keep their meaning' => sub {
    my @names = map { "crm.$_" } 'a' .. 'h';
    my $conf = sub {
        my (@declared) = @_;
        my $locations = join ' ', map { "location /$_ { wassiit_scope $_; "
                                        . 'empty_gif; }' } @declared,
                                        'files.send', 'audio.send';
        return front_conf(workers => 2, server => $locations,
            http => @declared ? "wassiit_scopes @declared;" : '');
    };
    my @partners = map { partner("has-$_", "key of $_", scopes => [$_]) }
                   @names, 'files.send', 'audio.send';
    my $check = sub {
        my ($server, $what, @declared) = @_;
        my (@got, @expected);

        for my $owner (@declared, 'files.send', 'audio.send') {
            for my $asked (@declared, 'files.send', 'audio.send') {
                push @got, "$owner/$asked "
                    . ask($server, "key of $owner", uri => "/$asked")->status;
                push @expected, "$owner/$asked "
                    . ($owner eq $asked ? 200 : 403);
            }
        }

        is_deeply(\@got, \@expected, $what);
    };
    my $of = sub {
        my %declared = map { $_ => 1 } @_, 'files.send', 'audio.send';
        return grep { $declared{ $_->{scopes}[0] } } @partners;
    };

    my @sets = ([ @names[0 .. 3] ], [ @names[3, 2, 1, 0] ],
                [ @names[2, 3] ], [ @names[5, 2, 4, 3] ], [],
                [ @names[7, 6, 0] ], [@names]);
    my @first = @{ $sets[0] };
    my $server = start_with($conf->(@first), $of->(@first));
    $check->($server, 'declared', @first);

    for my $set (@sets[1 .. $#sets]) {
        my ($before) = grep { my $name = $_; grep { $_ eq $name } @$set }
                       @first;
        my $held = $before ? hold($server, "key of $before",
                                  uri => "/$before") : undef;
        my $other = hold($server, 'key of audio.send', uri => '/files.send');

        $server->partners($of->(@$set));
        $server->conf($conf->(@$set));
        is($server->reload, '', "now: @$set");
        is(verdict(release($held)), 200, 'and means the same') if $held;
        is(verdict(release($other)), '403 insufficient_scope',
           'and refuses what it has refused');
        $check->($server, 'all mean what they say', @$set);
        @first = @$set;
    }

    $server->stop;
};

# All 64 bits are taken when one name makes room for another.

subtest 'scopes when every bit is taken' => sub {
    my @names = map { "crm.$_" } 1 .. 58;
    my @fresh = ('new', @names[0 .. 56]);
    my $conf = sub { front_conf(http => "wassiit_scopes @_;",
        server => join ' ', map { "location /$_ { wassiit_scope $_; "
                                  . 'empty_gif; }' } @_) };
    my $server = start_with($conf->(@names),
        map { partner("has-$_", "key of $_", scopes => [$_]) } @names);
    my $own = hold($server, 'key of crm.9', uri => '/crm.9');
    my $other = hold($server, 'key of crm.9', uri => '/crm.10');
    my $next = hold($server, 'key of crm.10', uri => '/crm.9');

    $server->conf($conf->(@fresh));
    reload_with($server,
        map { partner("has-$_", "key of $_", scopes => [$_]) } @fresh);
    is(verdict(release($own)), 200, 'a name that stays means the same');
    is(verdict(release($other)), '403 insufficient_scope', 'and no other');
    is(verdict(release($next)), '403 insufficient_scope', 'nor another it');

    my @wrong = grep {
        ask($server, "key of $_", uri => "/$_")->status != 200
    } @fresh;
    is("@wrong", '', 'for new workers too');
    $server->stop;
};


# ---- under traffic

# The zone has room for the newcomers only when what the round before has freed
# is used again: there is time between the first line and the last.

subtest 'a key that moves is never unknown' => sub {
    for my $from ('first', 'last') {
        my $server = start_with(front_conf(zone => '256k', workers => 2,
            rate => '70r/h', server => 'wassiit_limit off;'));
        my @ends = $from eq 'first' ? ('moving-key', 'other-key')
                                    : ('other-key', 'moving-key');
        my $file = sub {
            my ($round) = @_;
            my @crowd = map { partner("p$_-$round", "key $_ of $round") }
                        1 .. 80;
            return (partner('first', $ends[0]), @crowd,
                    partner('last', $ends[1]));
        };

        reload_with($server, $file->($_)) for 1, 2;
        my $port = $server->port;
        my $traffic = Front::Traffic::start {
            verdict(ask($port, 'moving-key'));
        };

        @ends = reverse @ends;
        reload_with($server, $file->(3));
        my $seen = $traffic->stop;
        delete $seen->{closed};
        is_deeply([ keys %$seen ], [200], "away from the $from line")
            or diag explain $seen;
        $server->stop;
    }
};

subtest '200 reloads under traffic' => sub {
    my $server = start_with(front_conf(workers => 2, zone => '256k',
                                       server => 'wassiit_limit off;'),
                            partner('stays', 'stays-key'));
    my $port = $server->port;
    my $traffic = Front::Traffic::start {
        my $r = ask($port, 'stays-key', uri => '/read');
        verdict($r) . ($r ? ' ' . $r->header('X-Partner') : '');
    };

    for my $n (1 .. 200) {
        my $rate = qw(70r/h 50r/h 70r/h 70r/d)[$n % 4];
        my @keys = ('stays-key', map { "more $_ $n" } 1 .. $n % 7);
        my @others = map { partner("p$_", "key of p$_ $n",
            rate => ($_ + $n) % 2 ? '5r/m' : '6r/m') }
            map { ($n + $_) % 9 } 1 .. 3;
        my @partners = (partner('stays', [ $n % 2 ? @keys : reverse @keys ],
            rate => $rate, name => "round $n"), @others);

        $server->partners($n % 3 ? @partners : reverse @partners);
        my $log = $server->reload;
        $log eq '' or fail("reload $n: $log");
    }

    my $seen = $traffic->stop;
    delete $seen->{'closed'};
    is_deeply([ keys %$seen ], ['200 stays'], 'nobody is wrongly refused')
        or diag explain $seen;
    is(ask($server, 'stays-key')->header('X-Name'), 'round 200',
       'the last file counts');
    $server->stop;
};

subtest 'nothing is lost of the zone by turns' => sub {
    # 32k hold a few hundred lines; each round would leak one at least
    my $server = start_with(front_conf(zone => '32k'));
    my $held = partner('stays', 'stays-key', rate => '1r/h');

    for my $n (1 .. 60) {
        my @some = map {
            my $id = "p$_";
            partner($id, [ map { "key $_ of $id $n" } 1 .. 7 ],
                    rate => "${n}r/h");
        } $n % 3, 3;
        my $log = do {
            $server->partners($held, $n % 2 ? @some : ());
            $server->reload;
        };
        $log eq '' or return fail("round $n: $log");
        next unless $n % 2;
        ask($server, "key 7 of p3 $n")->status == 200
            or return fail("round $n: the key is known");
    }

    reload_with($server, $held, map { partner("q$_", "key of q$_",
                                              rate => '1r/h') } 1 .. 14);
    is(join(' ', map { ask($server, "key of q$_")->status } 1 .. 14),
       join(' ', (200) x 14), 'there is room as at first');
    $server->stop;
};

subtest 'a restart keeps nothing' => sub {
    my $conf = front_conf();
    my @partners = (partner('atlas', 'atlas-key', rate => '3r/h'));

    for my $time ('first', 'second') {
        my $server = start_with($conf, @partners);
        is(take($server, 'atlas-key', 3), 0, "used up at the $time start");
        says($server, 'atlas-key', '429 rate_limited', 'refused');
        $server->stop;
    }
};

done_testing;
