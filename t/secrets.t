#!/usr/bin/env perl

# A partner changes its secrets over: for as long as the grace lasts, requests
# signed with the former hmac_secret are let in beside those with the new one,
# and deliveries bear the signatures of both webhook secrets. The clock is the
# test's own.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(hmac_sha256 hmac_sha256_hex);
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX ();
use Test::More;
use Front;
use Wassiit;
use Wassiit::Clock;
use Wassiit::Operators;

use constant { NOW => 1_800_000_000, DAY => 86400 };

my $clock = Wassiit::Clock->new(NOW);
my $KEY = 'key of atlas';
my @seen;

my $Env = join '', map { "env $_; " }
    qw(ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS LD_PRELOAD WASSIIT_CLOCK);
my $CONF = operators_conf(workers => 2, zone => '4m', main => $Env,
    server => <<'SERVER', http => <<'HTTP');
location /deliver/ {
    wassiit_access off;
    wassiit_webhook_sign zone=partners partner=$arg_to;
    proxy_pass http://%%PORT_3%%;
}
SERVER
    access_log logs/access.log;
    server {
        listen %%PORT_3%%;
        location / { return 200 "$http_x_wassiit_signature $http_x_wassiit_signature_next"; }
    }
HTTP

sub start {
    my (%with) = @_;

    return Wassiit::Server->start(conf => $CONF, %with, files => {
        'state/partners.jsonl' => [ partner('atlas', $KEY, rate => '1000000r/s',
                                            hmac_secret => encode_base64('first', ''),
                                            webhook_secret => 'first hook') ],
        'operators.jsonl' => [ partner('ops', $Operator, scopes => ['partners.manage'],
                                       rate => '1000000r/s') ] });
}

sub iso { POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }

# What a request signed with each of these secrets gets.

sub enters {
    my ($server, $time, @secrets) = @_;
    return join ' ', map {
        my $sign = encode_base64(hmac_sha256($KEY . $time, decode_base64($_)), '');
        verdict(http($server->port, uri => '/signed', headers => [ 'X-API-Key' => $KEY,
            'X-API-Timestamp' => $time, 'X-API-Signature' => $sign ]));
    } @secrets;
}

# By which of these a delivery is signed, in each of its two headers; "-" if
# there is none.

sub signs {
    my ($server, @secrets) = @_;
    my $r = http($server->port, method => 'POST', uri => '/deliver/?to=atlas', body => 'an event');

    return verdict($r) if $r->status != 200;
    return join ' ', map {
        my $sign = $_;
        my @by = grep { hmac_sha256_hex('an event', $secrets[$_]) eq $sign } 0 .. $#secrets;
        $sign eq '' ? '-' : @by ? $by[0] : 'unknown';
    } map { $_ // '' } (split / /, $r->body, -1)[0, 1];
}

sub change {
    my ($server, $field, $expires, @body) = @_;
    my $r = admin_again($server->port(2), POST => "/atlas/$field", @body);
    my $json = $r->json;

    is($r->status, 201, "a new $field");
    is_deeply([ sort keys %$json ], [ sort $field, 'former_expires' ], '... and when the former one ends');
    is($json->{former_expires}, $expires && iso($expires), '... which is right');
    push @seen, $json->{$field};
    return $json->{$field};
}

# What GET tells: until when each is changed over.

sub till {
    my ($server) = @_;
    my $r = admin($server->port(2), GET => '/atlas');

    is(join(' ', grep { index($r->body, $_) >= 0 } @seen), '', 'GET shows no secret');
    return join ' ', map { $r->json->{"former_${_}_secret_expires"} // '-' } qw(hmac webhook);
}

sub line {
    my ($server) = @_;
    return (grep { /"id":"atlas"/ } split /\n/, Wassiit::_read($server->dir . '/conf/state/partners.jsonl'))[-1];
}


subtest 'a grace, from its beginning to its end' => sub {
    $clock->set(NOW);
    my $server = start(daemon => 1);
    my ($old, $old_hook) = (encode_base64('first', ''), 'first hook');
    my $now = NOW;

    is(enters($server, $now, $old), 200, 'before');
    is(signs($server, $old_hook), '0 -', 'and a delivery');
    is(till($server), '- -', 'nothing is changed over');

    my $new = change($server, 'hmac_secret', $now + DAY);
    my $new_hook = change($server, 'webhook_secret', $now + 1800, { grace => '30m' });

    my $both = sub {
        my ($server, $what) = @_;
        is(enters($server, $now, $old, $new, 'b3RoZXI='), '200 200 401 invalid_signature', "$what: both secrets let in");
        is(signs($server, $old_hook, $new_hook), '0 1', "$what: deliveries bear both signatures");
        is(till($server), iso(NOW + DAY) . ' ' . iso(NOW + 1800), "$what: GET tells till when");
    };

    $both->($server, 'at once');
    is(admin_again($server->port(2), PATCH => '/atlas', { name => 'Atlas' })->status, 200, 'a change of something else');
    is(admin_again($server->port(2), POST => '/atlas/keys')->status, 201, 'and another');
    $both->($server, 'after it');
    is(reload_again($server), '', 'a reload');
    $both->($server, 'after a reload');

    my $up = $server->upgrade;
    like($up->error_log, qr/goes on in the memory/, 'a binary upgrade keeps the memory');
    $server->signal('QUIT');
    $server->wait_end;
    $both->($up, 'after a binary upgrade');

    $clock->set($now = NOW + 1799);
    $both->($up, 'a second before the end of one');
    $clock->set($now = NOW + 1800);
    is(signs($up, $old_hook, $new_hook), '1 -', 'from then on the new hook alone signs');
    is(till($up), iso(NOW + DAY) . ' -', 'and GET tells of the other');
    is(reload_again($up), '', 'a reload');
    is(signs($up, $old_hook, $new_hook), '1 -', 'changes nothing');

    $clock->set($now = NOW + DAY - 1);
    is(enters($up, $now, $old, $new), '200 200', 'a second before the end of the other');
    $clock->set($now = NOW + DAY);
    is(enters($up, $now, $old, $new), '401 invalid_signature 200', 'the new secret alone lets in');
    is(till($up), '- -', 'nothing is changed over any more');
    $up->stop;
};


# Neither side waits for the other: requests and deliveries go on all the time.

subtest 'nothing fails, whichever side changes first' => sub {
    $clock->set(NOW);
    my $server = start();
    my $now = NOW;
    my %hold = (hmac => encode_base64('first', ''), webhook => 'first hook');

    # three times when the grace is over, then three times within it: there who
    # has changed over already looks at both headers
    for my $round (1 .. 6) {
        my %old = %hold;
        my $right = $round <= 4 ? qr/\A0 / : qr/\b0\b/;
        my @traffic = (
            Front::Traffic::start { enters($server, $now, $old{hmac}) },
            Front::Traffic::start { signs($server, $old{webhook}) =~ $right ? 200 : 'not by ours' });

        $hold{$_} = change($server, "${_}_secret", $now + DAY) for qw(hmac webhook);

        # who has the new one alone, who has both, and who goes on with the old
        is(enters($server, $now, $hold{hmac}, $old{hmac}), '200 200', 'one machine signs anew, one as before');
        is(signs($server, $old{webhook}, $hold{webhook}), '0 1',
           'a receiver finds the old secret in the header, and the new one in -Next');

        for my $traffic (@traffic) {
            my $seen = $traffic->stop;
            is_deeply([ keys %$seen ], [200], 'of what was signed with the former one nothing failed')
                or diag(explain($seen));
        }

        $clock->set($now += DAY) if $round <= 3;
    }
    $server->stop;
};


subtest 'changed once more within the grace' => sub {
    $clock->set(NOW);
    my $server = start();
    my @hmac = (encode_base64('first', ''), map { change($server, 'hmac_secret', NOW + DAY) } 1 .. 2);
    my @hook = ('first hook', map { change($server, 'webhook_secret', NOW + DAY) } 1 .. 2);

    is(enters($server, NOW, @hmac), '401 invalid_signature 200 200', 'the last former one alone counts');
    is(signs($server, @hook), '1 2', 'and signs');
    is(() = line($server) =~ /"value"/g, 2, 'the file has no other');

    # what ends at once goes from the file, so that no clock brings it back
    push @hmac, change($server, 'hmac_secret', undef, { grace => '0' });
    push @hook, change($server, 'webhook_secret', undef, { grace => '0' });
    unlike(line($server), qr/former_hmac_secret|next_webhook_secret/, 'nothing former is left in the file');

    for my $time (NOW, NOW - DAY, NOW - 400 * DAY, NOW + 2 * DAY) {
        $clock->set($time);
        is(enters($server, $time, @hmac), join(' ', ('401 invalid_signature') x 3, 200), 'the new one alone lets in');
        is(signs($server, @hook), '3 -', 'and signs');
    }
    is(reload_again($server), '', 'after a reload');
    is(signs($server, @hook), '3 -', 'it does, too');
    $server->stop;
};

done_testing;
