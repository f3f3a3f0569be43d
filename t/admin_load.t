#!/usr/bin/env perl

# Many operators at once, on many workers, with reloads: what was acknowledged
# is in force, in the file and after a restart; nothing else is half there.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Test::More;
use Front;
use Wassiit;
use Wassiit::Operators;

my ($CLERKS, $STEPS) = (16, 60);
my $SEED = test_seed();

# What several do to one partner, between the changes of their own: each tells
# what it knows of it in the end.

sub common_step {
    my ($clerk, $n) = @_;
    my $own = $clerk->state->{common} //= { keys => {}, dead => [], rotated => [], last => {} };
    my $what = $n % 4;

    if ($what == 0) {
        my $r = $clerk->ask(POST => '/keys/keys');
        return if !$r || $r->status == 503 || $r->status == 409;
        return $clerk->fault('a key of all: ' . $r->status) if $r->status != 201;
        $own->{keys}{ $r->json->{id} } = $r->json->{key};

    } elsif ($what == 1) {
        my ($id) = keys %{ $own->{keys} } or return;
        my $r = $clerk->ask(DELETE => "/keys/keys/$id");
        return if $r && $r->status == 503;
        my $key = delete $own->{keys}{$id};
        return if !$r;
        return $clerk->fault('a key of all is revoked: ' . $r->status) if $r->status != 204;
        push @{ $own->{dead} }, $key;

    } elsif ($what == 2) {
        my $r = $clerk->ask(POST => '/rotate/keys/rotate', { grace => '0' });
        return if $r && $r->status == 503;
        if (!$r) {
            # it is still the last one, or one that we weren't told is
            $own->{last}{untold} = 1;
            return;
        }
        return $clerk->fault('rotated by all: ' . $r->status) if $r->status != 201;
        $own->{last}{rotate} = $r->json->{key};
        $own->{last}{untold} = 0;
        push @{ $own->{rotated} }, $r->json->{key};

    } else {
        my $m = 1000 + int rand 1000;
        my %fields = (name => $clerk->{name} . " $m", rate => "${m}r/d");
        my $r = $clerk->ask(PATCH => '/patch', \%fields);
        return if $r && $r->status == 503;
        if (!$r) {
            push @{ $own->{last}{patch} }, "$fields{name} $fields{rate}";
            return;
        }
        return $clerk->fault('patched by all: ' . $r->status) if $r->status != 200;
        $own->{last}{patch} = [ "$fields{name} $fields{rate}" ];
    }
}


# What is wrong with those partners, by what each clerk knows.

sub common_faults {
    my ($server, @states) = @_;
    my @own = map { $_->{common} } @states;
    my @faults;

    for my $own (@own) {
        push @faults, "revoked: $_" for grep { ask($server, $_)->status != 401 } @{ $own->{dead} };
        push @faults, "a key of all: $_"
            for grep { ask($server, $_)->status != 200 } values %{ $own->{keys} };
    }

    # one order of all rotations, one of which was the last
    my @work = grep { ask($server, $_)->status == 200 } map { @{ $_->{rotated} } } @own;
    my %last = map { $_ => 1 } grep { defined } map { $_->{last}{rotate} } @own;
    push @faults, 'keys work: ' . @work
        if @work > 1 || !@work && !grep { $_->{last}{untold} } @own;
    push @faults, 'a key that its owner has rotated works' if grep { !$last{$_} } @work;

    my $patched = admin($server->port(2), GET => '/patch')->json;
    my %patches = map { map { $_ => 1 } @{ $_->{last}{patch} } } @own;
    push @faults, "patched: $patched->{name} $patched->{rate}"
        unless $patches{"$patched->{name} $patched->{rate}"};

    my $file = in_file($server);
    push @faults, 'another patch in the file'
        if "$file->{patch}{name} $file->{patch}{rate}" ne "$patched->{name} $patched->{rate}";

    return @faults;
}


sub nothing_wrong {
    my ($server, $states, $what) = @_;
    my @faults = (faults($server, @$states), common_faults($server, @$states));

    is(@faults, 0, $what);
    diag($_) for @faults > 20 ? @faults[0 .. 19] : @faults;
}


subtest "$CLERKS operators, partners and reloads" => sub {
    my $steady = make_key('the steady one');
    my $server = start_operators(
        conf => operators_conf(server => 'listen %%PORT_3%%;'),
        partners => [
            partner('steady', $steady, rate => '1000000r/s'),
            map { partner($_, undef, rate => '1000r/d') } qw(keys rotate patch) ]);
    is(wait_for { 4 == $server->worker_pids }, 1, 'four workers');

    my ($port, $other) = ($server->port, $server->port(3));
    my @traffic = map {
        my ($to, $uri) = @$_;
        Front::Traffic::start {
            my $r = ask($to, $steady, uri => $uri);
            verdict($r) . ($r ? ' ' . $r->header('X-Partner') : '');
        };
    } [ $port, '/' ], [ $other, '/read' ];

    my $crew = Wassiit::Operators::Crew->start($CLERKS, sub {
        my ($n) = @_;
        my $clerk = Wassiit::Operators::Clerk->new(
            port => $port, admin => $server->port(2), check => 1,
            name => sprintf('c%02d', $n), seed => $SEED + $n);

        for my $step (1 .. $STEPS) {
            $clerk->step;
            common_step($clerk, $n + $step) if $step % 2;
        }

        return $clerk->state;
    });

    my $reloads = 0;
    while ($crew->running) {
        reload_again($server) eq '' ? $reloads++ : fail('a reload');
        # some time for changes between one reload and the next
        my $before = length $server->access_log;
        wait_for { !$crew->running || length($server->access_log) > $before + 50000 };
    }

    my @states = $crew->results;
    my @seen = map { $_->stop } @traffic;
    my %done;
    for my $state (@states) {
        $done{$_} += $state->{done}{$_} for keys %{ $state->{done} };
    }
    note "$reloads reloads; ", join ', ', map { "$_: $done{$_}" } sort keys %done;

    cmp_ok($reloads, '>', 2, 'there were reloads');
    cmp_ok($done{$_} // 0, '>', $CLERKS, "there were many of $_")
        for 'POST 201', 'PATCH 200', 'DELETE 204';
    delete $_->{closed} for @seen;
    is_deeply([ map { join ' ', sort keys %$_ } @seen ], [ ('200 steady') x 2 ],
              'no partner was refused meanwhile') or diag explain \@seen;

    settle($server, $_) for @states;
    nothing_wrong($server, \@states, 'what was acknowledged is there, and nothing else');

    is(reload_again($server), '', 'the reload is accepted');
    nothing_wrong($server, \@states, 'so it is after a reload');

    $server->signal('QUIT');
    ok(wait_for { $server->_has_ended }, 'nginx ends');
    ok(eval { revive($server); 1 }, 'and starts again') or diag $@;
    nothing_wrong($server, \@states, 'so it is after a restart');
    $server->stop;
};


# One change of two fields: no one sees the one without the other.

subtest 'scopes and rate change together' => sub {
    my ($x, $y) = qw(messages.send conversations.read);
    my @pairs = ({ rate => '50r/m', scopes => [$x] }, { rate => '70r/m', scopes => [ $x, $y ] });
    my %whole = ("50r/m $x" => 1, "70r/m $x $y" => 1, "50 $x" => 1, "70 $x $y" => 1);
    my $key = make_key('atlas');
    my $server = start_operators(
        conf => operators_conf(http => 'log_format none ""; access_log off;'),
        partners => [ partner('atlas', $key, %{ $pairs[0] }) ]);
    my ($port, $admin) = ($server->port, $server->port(2));
    my $client;

    my $pair = sub { "$_[0]{rate} " . join ' ', @{ $_[0]{scopes} } };
    my @readers = map {
        my $uri = $_;
        Front::Traffic::start {
            $client //= Wassiit::Client->new($admin);
            my $r = admin($client, GET => $uri);
            return $r->status . ' ' . $r->body if $r->status != 200;
            my $answer = $r->json;
            my $partner = $answer->{partners} ? $answer->{partners}[0] : $answer;
            my $window = $partner->{window};
            return 'another limit' if $window && "$window->{limit}r/m" ne $partner->{rate};
            return $pair->($partner);
        };
    } '/atlas', '/atlas', '', '/atlas';

    my $clerk = Wassiit::Client->new($admin);
    my @wrong;
    for my $n (1 .. 300) {
        my $r = admin_again($clerk, PATCH => '/atlas', $pairs[ $n % 2 ]);
        push @wrong, $r->status . ' ' . $r->body
            if $r->status != 200 || $pair->($r->json) ne $pair->($pairs[ $n % 2 ]);
    }

    is_deeply(\@wrong, [], 'each change is answered with what it has made');
    my %seen;
    for my $seen (map { $_->stop } @readers) {
        $seen{$_} += $seen->{$_} for keys %$seen;
    }
    note join ', ', map { "$_: $seen{$_}" } sort keys %seen;
    is_deeply([ grep { !$whole{$_} } keys %seen ], [], 'no reader sees half of one')
        or diag explain \%seen;
    is(keys %seen, 2, 'they have seen both pairs');
    $server->stop;
};

done_testing;
