#!/usr/bin/env perl
# Refusals in the error log: so many lines a second, and how many were left out.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::More;
use List::Util qw(max sum0);

# A second has 10 lines of refusals at most, 10 at error, and a sum of those left
# out.
my $lines = 10;
my ($limited, $known) = map { make_key($_) } qw(limited known);

my $server = Wassiit::Server->start(
    workers => 1,
    files => { 'partners.jsonl' => [
        partner('limited', $limited, rate => '1r/d'),
        partner('known', $known, scopes => []) ] },
    conf => <<'END');
error_log logs/error.log info;
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    keepalive_requests 10000;

    server {
        listen %%PORT%%;
        wassiit_access api;

        location / { empty_gif; }
        location /dry { wassiit_limit dry_run; empty_gif; }
        location /scope { wassiit_scope audio.send; empty_gif; }
        location /odd { wassiit_scope $arg_scope; empty_gif; }
        location /hmac { wassiit_auth hmac; empty_gif; }
    }
    server {
        listen %%PORT_2%%;
        error_log logs/warn.log warn;
        wassiit_access api;
        location / { empty_gif; }
        location /scope { wassiit_scope audio.send; empty_gif; }
    }
    server {
        listen %%PORT_3%%;
        error_log logs/sign.log warn;

        location /sign {
            wassiit_webhook_sign zone=api partner=$arg_id;
            proxy_pass http://127.0.0.1:9;
        }
        location /egress {
            wassiit_egress public;
            proxy_pass http://$arg_to;
        }
    }
}
END

sub seen {
    my ($file) = @_;
    open my $in, '<', $server->dir . "/logs/$file" or die "$file: $!";
    return join '', <$in>;
}

# Of a log: how often each kind stands in lines and in sums together; how many
# lines of one budget and sums a second has at most; and sums that don't add up.

sub told {
    my ($text) = @_;
    my (%count, %lines, %sums, @wrong);

    for (split /\n/, $text) {
        my ($second, $level) = /^(\S+ \S+) \[(\w+)\]/ or next;

        if (/ wassiit: (\d+) lines more within a second: ([^"]+)$/) {
            my ($all, %more) = ($1, map { /^(.+) (\d+)$/ } split /, /, $2);
            push @wrong, $_ if $all != sum0(values %more);
            $count{$_} += $more{$_} for keys %more;
            $sums{$second}++;

        } elsif (/ wassiit: ([a-z_]+), | (wassiit_\w+): /
                 || /(wassiit_scope) asks /)
        {
            $count{ $1 // $2 }++;
            $lines{$second . ($level eq 'error' ? ' at error' : '')}++;
        }
    }

    return (\%count, max(0, values %lines), max(0, values %sums), \@wrong);
}

sub ask {
    my ($client, $n, @more) = @_;
    $client->send($client->request_bytes(@more) x $n);
    $client->response for 1 .. $n;
}


# ---- a thousand of several kinds, and then nothing

my $client = Wassiit::Client->new($server->port);

ask($client, 1, headers => ['X-API-Key' => $limited]);
ask($client, 100, headers => ['X-API-Key' => $limited]);
ask($client, 100, headers => ['X-API-Key' => 'unknown-key']) for 1 .. 3;
ask($client, 100);
ask($client, 100, headers => ['X-API-Key' => $known], uri => '/scope') for 1 .. 3;
ask($client, 100, headers => ['X-API-Key' => $limited], uri => '/dry') for 1 .. 2;

my %all = (rate_limited => 100, invalid_key => 300, missing_key => 100,
           insufficient_scope => 300, rate_limited_dry_run => 200);

sub all_told { sum0(values %{ (told(seen('error.log')))[0] }) }

ok(wait_for { all_told() == 1000 }, 'all thousand are told, though nothing follows');

my ($count, $most, $sums, $wrong) = told(seen('error.log'));
is_deeply($count, \%all, 'each under its code');
cmp_ok($most, '<=', $lines, 'no second has more lines');
cmp_ok($sums, '<=', 1, 'nor more than one sum');
is_deeply($wrong, [], 'which is that of its parts');


# ---- what stands beside refusals

ask($client, 50, headers => ['X-API-Key' => $known], uri => '/odd?scope=none.such');
ask($client, 50, headers => ['X-API-Key' => $known, 'X-API-Timestamp' => time,
                             'X-API-Signature' => 'x' x 44], uri => '/hmac');

$all{insufficient_scope} += 50;
@all{'wassiit_scope', 'invalid_signature'} = (50) x 2;

wait_for { all_told() == sum0(values %all) };
($count, $most) = told(seen('error.log'));
is_deeply($count, \%all, 'a scope that nobody declared, a secret that is not there');
cmp_ok($most, '<=', $lines, 'no second has more lines');


# ---- refusals leave room for the operator's own errors

{
    my $before = () = seen('error.log') =~ /\[error\] .*wassiit_scope asks /g;

    # a second that has no line at error yet
    my $second = time;
    wait_for { time > $second + 1 };

    ask($client, 200);
    ask($client, 5, headers => ['X-API-Key' => $known], uri => '/odd?scope=none.such');
    ask($client, 200);

    my $after = () = seen('error.log') =~ /\[error\] .*wassiit_scope asks /g;
    is($after - $before, 5, 'each stands there, for all the refusals before');

    $all{missing_key} += 400;
    $all{$_} += 5 for qw(insufficient_scope wassiit_scope);
    wait_for { all_told() == sum0(values %all) };
    ($count, $most) = told(seen('error.log'));
    is_deeply($count, \%all, '... and the refusals are told');
    cmp_ok($most, '<=', $lines, 'no second has more lines of either');
}


# ---- a log that takes less, and one of another server

{
    my $other = Wassiit::Client->new($server->port(2));

    ask($other, 100, headers => ['X-API-Key' => 'unknown-key']);
    ask($other, 5, headers => ['X-API-Key' => $known], uri => '/scope');

    is(() = seen('warn.log') =~ /\[warn\] .* insufficient_scope, partner "known"/g, 5,
       'what a log does not take leaves room for what it does');

    ask($other, 100, headers => ['X-API-Key' => $known], uri => '/scope');
    ok(wait_for { seen('warn.log') =~ /\[warn\] .* lines more within a second: insuff/ },
       'the sum stands where the lines would have stood');
    unlike(seen('warn.log'), qr/invalid_key/, 'and leaves out what would not');
}


# ---- by signing and by addresses

{
    my $egress = Wassiit::Client->new($server->port(3));

    ask($egress, 50, uri => '/sign?id=nobody');
    ask($egress, 50, uri => '/sign?id=No-ID');
    ask($egress, 100, uri => '/egress?to=127.0.0.1:1');

    my %told = (wassiit_webhook_sign => 100, wassiit_egress => 100);
    wait_for { seen('sign.log') =~ /lines more .* wassiit_egress/ };
}


# ---- a worker that ends: at a reload and at the end

$client->close;
$server->reload and die 'the reload was refused';
my $before = { %all };

for my $what ('a reload', 'the end') {
    my $missing = Wassiit::Client->new($server->port);
    ask($missing, 100);
    $missing->close;
    $what eq 'the end' ? $server->stop : $server->reload;

    # a worker that was replaced writes its sum when it has drained
    $before->{missing_key} += 100;
    wait_for { ($count) = told(seen('error.log')); $count->{missing_key} >= $before->{missing_key} };
    is_deeply($count, $before, "none is lost at $what");
}

($count, $most) = told(seen('sign.log'));
is_deeply($count, { wassiit_webhook_sign => 100, wassiit_egress => 100 },
          'deliveries that nothing signs or that go nowhere');
cmp_ok($most, '<=', $lines, 'no second has more lines');

done_testing;
