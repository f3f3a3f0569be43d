#!/usr/bin/env perl
# The partners of three front doors that share them by Redis: what an operator
# changes at one is in force on all when it is answered, no change is lost, and a
# node that was away catches up.
#
# TEST_CLUSTER_ROWS="^seal" chooses rows. TEST_CLUSTER_CHANGES (300) of one partner
# are made at once; 1000 if WASSIIT_STRENGTH is set.

use strict;
use warnings;

use JSON::PP ();
use POSIX ();
use Time::HiRes ();

use lib 't/lib';
use Wassiit;
use Wassiit::Cluster;
use Wassiit::Redis;
use Wassiit::Operators;
use Test::More;

my $Changes = $ENV{TEST_CLUSTER_CHANGES} // ($ENV{WASSIIT_STRENGTH} ? 1000 : 300);
my $Chosen = qr/$ENV{TEST_CLUSTER_ROWS}/ if defined $ENV{TEST_CLUSTER_ROWS};
my $Json = JSON::PP->new->utf8->canonical;
my ($Log, $Hash) = map { "wassiit:{partners}:$_" } qw(log p);
my %rates = (atlas => '1000r/s', boma => '1000r/s');

# Longer than the lease: a node that is cut off isn't waited for any more.
my $Lease = 3;

sub start {
    my ($redis, %with) = @_;
    my $lease = delete $with{lease} // $Lease;
    my $operators = [ partner('ops', $Operator, scopes => ['partners.manage'], rate => '100000r/s') ];

    my $cluster = Wassiit::Cluster->start(
        rates => \%rates, redis => [ $redis->port ], %with,
        cluster => "lease=${lease}s " . ($with{cluster} // ''),
        http => 'wassiit_scopes partners.manage; wassiit_zone zone=operators:1m file=operators.jsonl;',
        server => 'location /admin/ { wassiit_access operators; wassiit_scope partners.manage;'
                  . ' wassiit_admin partners; }'
                  . 'location = /in { empty_gif; }',
        files => { 'operators.jsonl' => $operators, %{ $with{files} // {} } });

    ok($cluster->wait_active, 'three nodes');
    return $cluster;
}

# One request to the endpoint of a node.

sub at { my ($cluster, $n, @request) = @_; return admin($cluster->node($n)->port, @request) }

# A change that is wanted may wait for a disk that stalls.

sub at_is {
    my ($cluster, $n, $status, @request) = @_;
    my $is_change = $request[0] ne 'GET' && $status =~ /^20[014]$/;
    my $start = now();
    my $r = $is_change ? admin_again($cluster->node($n)->port, @request) : at($cluster, $n, @request);
    my $got = $is_change ? in_the_end($cluster, $n, $r, now() - $start, $status, @request[1, 2]) : $r->status;
    is($got, $status, "node $n: $request[0] $request[1]") or diag($r->body);
    return $r;
}

sub pending { join ' ', @{ $_[0]->json->{pending} // [] } }

# A disk that stalls keeps a node from a change for longer than the second for which
# the others are waited for: 202, and it has it later. Then, the status that was
# wanted. A 202 that comes sooner is one.

sub in_the_end {
    my ($cluster, $n, $r, $took, $status, $path, $body) = @_;
    return $r->status unless is_late($r, $took / 1000);

    my $id = $path =~ m{^/([^/]+)} ? $1 : $body->{id};
    my $told = sub { my $seen = at($cluster, $_[0], 'GET', "/$id"); return $seen->status . ' ' . ($seen->header('ETag') // '') };
    my @late = pending($r) =~ /\d/g;
    note("node $n: @late late");
    return wait_for { my $mine = $told->($n); !grep { $told->($_) ne $mine } @late } ? $status : 'never ' . pending($r);
}

# A node that finds its file busy for 2 s makes what the cluster has taken later: the
# change is answered 503, or not told, and the log has this line.

my $busy = qr/could not be made in .* \(1\)$/m;

sub answer { my ($r) = @_; return $r->status == 503 && $r->body =~ /Don't repeat the change/ ? 'taken' : $r->status }

# A request with a key to each node.

sub verdicts {
    my ($cluster, $key) = @_;
    return join ' ', map { http($_->port, uri => '/in', headers => [ 'X-API-Key' => $key ])->status } $cluster->nodes;
}

# A line is in the file a moment before it is in force.

sub verdicts_are {
    my ($cluster, $key, $expected, $name) = @_;
    my $got;
    ok(wait_for { ($got = verdicts($cluster, $key)) eq $expected }, $name) or diag($got);
}

sub files { return map { $Json->encode(in_file($_)) } $_[0]->nodes }

sub same_everywhere {
    my ($cluster, $name) = @_;
    my @files;
    ok(wait_for { @files = files($cluster); $files[0] eq $files[1] && $files[1] eq $files[2] },
       $name // 'all have the same') or diag(join "\n", @files);
}

sub name_is {
    my ($cluster, $n, $id, $name) = @_;
    my $r;
    ok(wait_for { $r = at($cluster, $n, 'GET', "/$id"); $r->status == 200 && ($r->json->{name} // '') eq $name },
       "node $n: $id is $name") or diag($r->body);
}

# In the order in which they were made: id => its lines.

sub logged {
    my ($redis) = @_;
    my %lines;
    for my $entry (@{ $redis->connect->call('XRANGE', $Log, '-', '+') }) {
        my %field = @{ $entry->[1] };
        push @{ $lines{ $field{id} } }, { %{ $Json->decode($field{line}) }, rev => $field{rev} };
    }
    return \%lines;
}

sub in_redis { return { @{ $_[0]->connect->call('HGETALL', $Hash) } } }

sub now { Time::HiRes::time() * 1000 }

sub part { my ($part, @of) = @_; return (sort { $a <=> $b } @of)[ $part * $#of ] }


my @rows;
sub row { push @rows, [@_] }

row 'revoked on one, refused on all' => sub {
    my ($redis) = @_;
    my $cluster = start($redis);
    my @clients = map { Wassiit::Client->new($_->port) } $cluster->nodes;
    my (@taken, @refused, %seen);

    for my $i (0 .. 49) {
        my ($here, $there) = map { [ 1 + $_ % 3, $clients[ $_ % 3 ] ] } $i, $i + 1;
        my $change = sub {
            my ($at, $status, @request) = @_;
            my ($n, $client) = @$at;
            my $start = now();
            my $r = admin_again($client, @request);
            return ($r, in_the_end($cluster, $n, $r, now() - $start, $status, $request[1]));
        };
        my ($made, $status) = $change->($here, 201, 'POST', '/atlas/keys');
        my ($key, $id) = @{ $made->json }{qw(key id)};
        ($key, $id) = ($made->json->{key}{key}, $made->json->{key}{id}) if ref $key;

        my @ask = (uri => '/in', headers => [ 'X-API-Key' => $key ]);
        $seen{ join ' ', $status, map { $_->request(@ask)->status } @clients }++;

        my $start = now();
        (undef, $status) = $change->($there, 204, 'DELETE', "/atlas/keys/$id");
        my $end = now();
        $seen{ join ' ', $status, map { $_->request(@ask)->status } @clients }++;

        push @taken, $end - $start;
        push @refused, now() - $end;
    }

    is_deeply(\%seen, { '201 200 200 200' => 50, '204 401 401 401' => 50 },
              'in force on all when it is answered') or diag(explain(\%seen));
    note(sprintf 'a revocation: p50 %.1f ms, p99 %.1f ms; then three answers: p99 %.1f ms',
         part(0.5, @taken), part(0.99, @taken), part(0.99, @refused));
    $cluster->stop;
};

row 'a change is read, and nothing else' => sub {
    my ($redis) = @_;
    my $cluster = start($redis);
    my $calls = sub { $redis->connect->call('INFO', 'commandstats') =~ /cmdstat_$_[0]:calls=(\d+)/ ? $1 : 0 };
    same_everywhere($cluster);
    my $scans = $calls->('hscan');

    for my $i (1 .. 9) {
        at_is($cluster, 1 + $i % 3, 200, 'PATCH', '/boma', { name => "n$i" });
        name_is($cluster, $_, 'boma', "n$i") for 1 .. 3;
    }

    my $renewed = $calls->('evalsha');
    ok(wait_for { $calls->('evalsha') > $renewed + 6 }, 'all have renewed their sessions');
    is($calls->('hscan'), $scans, 'no node compares all partners');
    $cluster->stop;
};

# Each of six operators, two at a node, has a field of its own.

my %field = (
    name => sub { "name $_[0]" },
    rate => sub { 1000 + $_[0] . 'r/s' },
    enabled => sub { $_[0] % 2 ? JSON::PP::false() : JSON::PP::true() },
    scopes => sub { [ ('conversations.read', 'messages.send')[ $_[0] % 2 ] ] },
);

row 'changes of one partner at once' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, allow_log => $busy);
    my @fields = (qw(name rate enabled scopes), q(a key), q(a key));
    my $each = int $Changes / @fields;

    my $crew = Wassiit::Operators::Crew->start(scalar @fields, sub {
        my ($n) = @_;
        my $client = Wassiit::Client->new($cluster->node(1 + $n % 3)->port);
        my (%done, $key);

        for my $i (1 .. $each) {
            my $make = $field{ $fields[$n] };
            my @change = $make ? ('PATCH', '/boma', { $fields[$n] => $make->($i) })
                : defined $key ? ('DELETE', "/boma/keys/$key") : ('POST', '/boma/keys');
            my ($r, $answer);
            wait_for { $r = admin($client, @change); $done{ $answer = answer($r) }++; $answer =~ /^2|taken/ } 60
                or last;
            # the key of one that is only taken is never told
            undef $key;
            $key = ref $r->json->{key} ? $r->json->{key}{id} : $r->json->{id}
                if $change[0] eq 'POST' && $r->status < 300;
        }
        return { done => \%done, key => $key };
    });

    my @states = $crew->results;
    my %done;
    for my $state (@states) { $done{$_} += $state->{done}{$_} for keys %{ $state->{done} } }
    note('answers: ', $Json->encode(\%done));
    my $made = 0;
    $made += $done{$_} for grep { /^2|taken/ } keys %done;
    is($made, @fields * $each, 'all are made');
    is_deeply([ grep { !/^(?:20[0124]|503|taken)$/ } keys %done ], [], 'or another was faster');

    my @lines = @{ logged($redis)->{boma} };
    my @revs = map { $_->{rev} } @lines;
    is_deeply([ @revs ], [ $revs[0] .. $revs[0] + $#lines ], 'one rev after another');

    # two nodes may have told their files' lines, which are the same
    my $last = '';
    @lines = grep {
        my $text = $Json->encode({ %$_, rev => 0 });
        my $is_new = $text ne $last;
        $last = $text;
        $is_new;
    } @lines;
    is(@lines, 1 + $made, 'as many as were made, after the first');

    for my $field (sort keys %field) {
        my (@values, $last);
        for (map { $Json->allow_nonref->encode($_->{$field} // JSON::PP::true()) } @lines[ 1 .. $#lines ]) {
            push @values, $_ if !@values || $values[-1] ne $_;
        }
        my @wanted = map { $Json->encode($field{$field}->($_)) } 1 .. $each;
        shift @values if @values > @wanted;
        is_deeply(\@values, \@wanted, "$field: each in its order");
    }

    same_everywhere($cluster);
    is($Json->encode(in_file($cluster->node(1))->{boma}),
       $Json->encode($Json->decode(in_redis($redis)->{boma} =~ s/^\d+ //r)), 'as Redis');
    $cluster->stop;
};

sub compared { return $_[0]->connect->call('INFO', 'commandstats') =~ /^cmdstat_hscan:calls=(\d+)/m ? $1 : 0 }

# Which no node could be started with again.

# One of a node's two workers reads the log; the other may be the one that deletes.
# Each is stopped once meanwhile.

row 'two partners with the same key' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, allow_log => qr/\[error\]/);
    my $node = $cluster->node(1);
    my ($old, $new) = qw(atlas azure);
    my (@deleted, @stopped);

    for my $stopped (0, 1) {
        # renamed by hand, at one node, whose file must not have both
        edit_by_hand($node, sub { ($_[0]{$new} = delete $_[0]{$old})->{id} = $new });
        ok($cluster->node($_)->wait_log(qr/a line of partner "$new" .* its keys\[0\] is partner "$old"'s here/),
           "node $_ says so") or diag($cluster->node($_)->error_log) for 2, 3;

        for my $n (1 .. 3) {
            at_is($cluster, $n, $n == 1 ? 404 : 200, 'GET', "/$old");
            at_is($cluster, $n, $n == 1 ? 200 : 404, 'GET', "/$new");
            is($cluster->node($n)->reload, '', "node $n is reloaded") unless $stopped;
        }

        ok($cluster->wait_active, 'active');
        my $worker = $stopped[$stopped] = ($cluster->node(2)->worker_pids)[$stopped];
        kill 'STOP', $worker;

        # the kernel may tell of a first connection who is stopped, of more the other
        my @clients = map { Wassiit::Client->new($cluster->node(2)->port) } 1 .. 3;
        my $start = now();
        my $r = admin($clients[0], 'DELETE', "/$old");
        my $took = now() - $start;
        my $who = $r->status == 202 ? pending($r) : '';
        push @deleted, $who =~ /edge-2/ ? '202 edge-2' : is_late($r, $took / 1000) ? 204 : join ' ', $r->status, $who || ();
        kill 'CONT', $worker;
        same_everywhere($cluster, 'then all have it');
        for my $n (1 .. 3) {
            # a line is in the file before it is on the disk, and then in force
            ok(wait_for { at($cluster, $n, 'GET', "/$new")->status == 200 }, "node $n has $new");
        }
        ($old, $new) = ($new, $old);
    }

    # a disk that stalls makes it late the other time as well
    like(join(', ', sort @deleted), qr/^202 edge-2, (?:204|202 edge-2)$/, 'who reads was stopped once');
    isnt($stopped[0], $stopped[1], 'and who does not');
    $cluster->stop;
};

# As where nodes are reloaded one after another with more of them.

row 'a scope that one has not yet' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, allow_log => qr/\[error\]/);
    my @conf = map { Wassiit::_read($_->dir . '/conf/nginx.conf') } $cluster->nodes;
    my $more = sub {
        my ($n) = @_;
        $cluster->node($n)->write('nginx.conf', $conf[ $n - 1 ] =~ s/(wassiit_scopes) /$1 reports.read /r);
        $cluster->node($n)->reload;
    };

    $more->($_) for 1, 2;
    ok($cluster->wait_active, 'active');
    at($cluster, 1, 'PATCH', '/atlas', { name => 'new', scopes => ['reports.read'] });
    at($cluster, 1, 'POST', '', { id => 'zed', name => 'new', scopes => ['reports.read'] });
    name_is($cluster, 2, $_ => 'new') for qw(atlas zed);
    ok($cluster->node(3)->wait_log(qr/a line of partner "zed" .* unknown scope/), 'node 3 lacks it');

    at_is($cluster, 2, 200, 'PATCH', '/boma', { name => 'next' });
    name_is($cluster, $_, boma => 'next') for 1 .. 3;
    $more->(3);
    name_is($cluster, 3, $_ => 'new') for qw(atlas zed);
    same_everywhere($cluster);
    $cluster->stop;
};

# As someone may write to it with its own tools, or be asked to.

row 'what Redis has that is none' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, allow_log => qr/\[error\]/);
    my $c = $redis->connect;
    at_is($cluster, 1, 200, 'PATCH', '/atlas', { name => 'first' });

    my $odd = "odd\n2026/11/29 12:00:00 [emerg] 1#1: \e[31mnot ours";
    $c->call('XADD', $Log, '*', 'x', 'y');
    $c->call('XADD', $Log, '*', 'id', $odd, 'rev', 7, 'line', 'no line');
    $c->call('XADD', $Log, '*', 'id', 'zed', 'rev', 1, 'line', qq({"id":"zed",\n"rev":1}));
    $c->call('HSET', $Hash, $odd, 'no line');
    at_is($cluster, 2, 200, 'PATCH', '/atlas', { name => 'second' });
    name_is($cluster, $_, atlas => 'second') for 1 .. 3;

    # of a node that lives for long, at an entry of long ago
    my $nodes = 'wassiit:{partners}:n';
    my $record = (grep { /edge-3/ } @{ $c->call('HGETALL', $nodes) })[0];
    $c->call('HSET', $nodes, 4, join ' ', 'sid', '9' x 15, 0, "edge\xff\xfe", (split ' ', $record)[ 4 .. 7 ], '1-1');
    is(pending(at_is($cluster, 2, 202, 'PATCH', '/atlas', { name => 'third' })), 'edge??', 'a name is printed');
    $c->call('HDEL', $nodes, 4);

    # what names the last entry stays; so all are compared
    $c->call('DEL', $Log);
    my $node = $cluster->node(1);
    $node->reload;
    ok($node->wait_log(qr/what Redis has of partner "odd\?2026[^\n]*\?\[31mnot ours" of wassiit_zone/),
       'an id is printed') or diag($node->error_log);
    ok($cluster->wait_active, 'active');
    my $before = compared($redis);
    Time::HiRes::sleep(1);
    cmp_ok(compared($redis) - $before, '<', 10, 'which has an end');

    at_is($cluster, 3, 200, 'PATCH', '/boma', { name => 'third' });
    name_is($cluster, $_, boma => 'third') for 1 .. 3;
    is((files($cluster))[0], (files($cluster))[2], 'files');
    like($node->error_log, qr/has an entry that is none, it is passed over/, 'an entry');
    unlike($node->error_log, qr/^(?!\d{4}\/)|\e/m, 'the log has its lines');
    $c->call('HDEL', $Hash, $odd);
    $cluster->stop;
};

row 'cut off from Redis' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, relays => 1, lease => 8);

    $cluster->relay(3)->gone;
    ok(wait_for { at($cluster, 3, 'PATCH', '/atlas', { name => 'cut' })->status == 503 }, 'it refuses changes');
    my $r = at($cluster, 1, 'PATCH', '/boma', { name => 'one' });
    like($r->status . ' ' . pending($r), qr/^202 .*\bedge-3\b/, 'one is pending while its session lives');
    name_is($cluster, 2, 'boma', 'one');

    ok(wait_for { at($cluster, 2, 'PATCH', '/boma', { name => 'two' })->status == 200 }, 'and not longer');
    $r = at_is($cluster, 3, 503, 'PATCH', '/boma', { name => 'cut' });
    like($r->body, qr/Nothing was changed/, 'it says so');
    is(verdicts($cluster, $cluster->key('boma')), '200 200 200', 'it serves');

    $cluster->relay(3)->heal;
    name_is($cluster, 3, 'boma', 'two');
    ok(wait_for { at($cluster, 3, 'PATCH', '/atlas', { name => 'back' })->status == 200 }, 'it changes again');
    same_everywhere($cluster);
    is($_->{name}, 'back', 'nothing else came of it') for in_file($cluster->node(1))->{atlas};
    $cluster->stop;
};

# What was on its way when the line went silent may be made, or not; all agree.

row 'a line that is silent' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, relays => 1);

    $cluster->relay(2)->hold;
    my $r = at($cluster, 2, 'PATCH', '/atlas', { name => 'late' });
    is($r->status, 503, 'no answer');
    like($r->body, qr/may have been changed/, 'it says so');

    $cluster->relay(2)->heal;
    ok($cluster->wait_active, 'healed');
    at_is($cluster, 1, 200, 'PATCH', '/boma', { name => 'after' });
    same_everywhere($cluster);
    $cluster->stop;
};

row 'an answer of Redis is lost' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, relays => 1);
    at_is($cluster, 2, 200, 'PATCH', '/boma', { name => 'before' });
    my $c = $redis->connect;
    my $before = $c->call('XLEN', $Log);

    # it is on its way when the connection breaks
    $cluster->relay(2)->delay(500);
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        my $other = $redis->connect;
        wait_for { $other->call('XLEN', $Log) > $before };
        $cluster->relay(2)->$_ for qw(gone heal);
        POSIX::_exit(0);
    }

    my $r = at_is($cluster, 2, 202, 'PATCH', '/boma', { name => 'once' });
    waitpid $pid, 0;
    is(pending($r), '*', 'who has made it is not known');
    name_is($cluster, $_, 'boma', 'once') for 1 .. 3;
    is($c->call('XLEN', $Log), $before + 1, 'it was made once');
    $cluster->stop;
};

row 'another was faster while Redis was not heard' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, relays => 1);
    at_is($cluster, 2, 200, 'PATCH', '/boma', { name => 'before!' });

    # it is on its way, and never comes; the other line is as long
    $cluster->relay(2)->hold;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        at($cluster, 1, 'PATCH', '/boma', { rate => '9000r/s' });
        $cluster->relay(2)->$_ for qw(gone heal);
        POSIX::_exit(0);
    }

    my $r = at($cluster, 2, 'PATCH', '/boma', { name => 'at last' });
    waitpid $pid, 0;
    like($r->status, qr/^20[02]$/, 'it is made then') or diag($r->body);
    name_is($cluster, $_, 'boma', 'at last') for 1 .. 3;
    same_everywhere($cluster);
    is(in_file($cluster->node(1))->{boma}{rate}, '9000r/s', 'and so was the other one');
    $cluster->stop;
};

row 'the log is trimmed while one is away' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, relays => 1, lease => 8);

    $cluster->relay(3)->gone;
    like(pending(at_is($cluster, 1, 202, 'PATCH', '/boma', { name => 'trimmed' })), qr/\bedge-3\b/, 'it is pending');
    my $made = at($cluster, 2, 'POST', '', { id => 'cove', name => 'Cove' });
    like($made->status, qr/^20[12]$/, 'one more');
    like(at($cluster, 1, 'DELETE', '/atlas')->status, qr/^20[24]$/, 'one less');
    $redis->connect->call('XTRIM', $Log, 'MAXLEN', 0);

    $cluster->relay(3)->heal;
    name_is($cluster, 3, 'boma', 'trimmed');
    same_everywhere($cluster);
    verdicts_are($cluster, $cluster->key('atlas'), '401 401 401', 'who was deleted is refused');
    $cluster->stop;
};

row 'Redis is emptied' => sub {
    my ($redis) = @_;
    my $cluster = start($redis);
    at_is($cluster, 1, 200, 'PATCH', '/boma', { name => 'kept' });
    my ($before) = files($cluster);

    for my $how (qw(FLUSHALL restart)) {
        $how eq 'restart' ? $redis->restart : $redis->connect->call('FLUSHALL');
        ok(wait_for { keys %{ in_redis($redis) } == 2 }, "$how: the partners come back");
        ok($cluster->wait_active, 'active');
        like(in_redis($redis)->{boma}, qr/"kept"/, 'as they were');

        my $r;
        ok(wait_for { $r = at($cluster, 2, 'PATCH', '/boma', { name => "after $how" }); $r->status == 200 },
           'a change') or diag($r->body);
        name_is($cluster, $_, 'boma', "after $how") for 1, 3;
        same_everywhere($cluster);
        at_is($cluster, 3, 200, 'PATCH', '/boma', { name => 'kept' });
    }

    isnt($before, (files($cluster))[0], 'with later revs');
    $cluster->stop;
};

# The tag of any node will do at any other, as long as the partner is what it was.

row 'one has seen what another is to change' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, allow_log => qr/exited on signal 9/);
    my $tags = sub { my ($id) = @_; return map { at($cluster, $_, 'GET', "/$id")->header('ETag') } 1 .. 3 };
    my $if = sub {
        my ($n, $tag, $name) = @_;
        return http($cluster->node($n)->port, method => "PATCH", uri => "/admin/partners/boma",
                    headers => [ "X-API-Key" => $Operator, "If-Match" => $tag ], body => $Json->encode({ name => $name }));
    };
    my $same = sub { my ($name) = @_; my @tags; ok(wait_for { @tags = $tags->('boma'); "@tags[1, 2]" eq "@tags[0, 0]" }, $name) or diag("@tags"); return $tags[0] };

    at_is($cluster, 1, 201, 'POST', '/boma/hmac_secret');
    at_is($cluster, 2, 201, 'POST', '/boma/keys/rotate');
    same_everywhere($cluster);
    my $seen = $same->('the same tags');
    isnt(($tags->('atlas'))[0], $seen, 'another for another partner');

    my $r = $if->(2, $seen, 'changed');
    is($r->status, 200, 'by the tag of another node') or diag($r->body);
    is($if->($_, $seen, 'again')->status, 412, "node $_: not by the one of before") for 1 .. 3;
    is($same->('the new ones, too'), $r->header('ETag'), 'as it was answered');

    my $node = $cluster->node(3);
    $node->crash;
    $node->restart;
    ok($cluster->wait_active, 'one starts anew');
    is($same->('then, too'), $r->header('ETag'), 'as before');
    $redis->connect->call('FLUSHALL');
    ok(wait_for { keys %{ in_redis($redis) } == 2 }, 'Redis is emptied');
    ok($cluster->wait_active, 'all are active');
    is($same->('after that, too'), $r->header('ETag'), 'as before');
    is($if->(3, $r->header('ETag'), 'at last')->status, 200, 'which any takes');
    $cluster->stop;
};

row 'a replica takes over that lacks the last changes' => sub {
    my ($redis) = @_;
    my $replica = Wassiit::Redis->start(replicaof => $redis);
    my $cluster = start($redis, redis => [ map { $_->port } $redis, $replica ]);
    my $made = at_is($cluster, 1, 201, 'POST', '/boma/keys')->json;
    my ($key, $id) = ref $made->{key} ? @{ $made->{key} }{qw(key id)} : @{$made}{qw(key id)};
    ok(wait_for { (in_redis($replica)->{boma} // '') =~ /$id/ }, 'the replica follows');

    # and not any more
    $replica->connect->call('REPLICAOF', 'NO', 'ONE');
    at_is($cluster, 1, 204, 'DELETE', "/boma/keys/$id");
    at_is($cluster, 2, 204, 'DELETE', '/atlas');
    $redis->kill;

    ok(wait_for { my $of = in_redis($replica); $of->{atlas} =~ /deleted/ && $of->{boma} !~ /$id/ },
       'the nodes tell it') or diag(explain(in_redis($replica)));
    ok($cluster->wait_active, 'active');
    same_everywhere($cluster);
    is(verdicts($cluster, $key), '401 401 401', 'a key that was revoked stays so');
    is(verdicts($cluster, $cluster->key('atlas')), '401 401 401', 'and who was deleted');
    like(at($cluster, 3, 'POST', '', { id => 'atlas', name => 'anew' })->status, qr/^20[12]$/, 'until it is made anew');
    name_is($cluster, $_, 'atlas', 'anew') for 1 .. 3;
    $cluster->stop;
    $replica->stop;
};

# Nodes that begin with other files: each partner of any is everywhere, and of two
# lines of one partner the same one wins on all.

row 'seeded from files' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, rates => [
        { atlas => '100r/s', boma => '10r/s' }, { atlas => '200r/s', cove => '20r/s' },
        { atlas => '300r/s', dune => '30r/s' } ]);

    ok(wait_for { join(' ', sort keys %{ in_redis($redis) }) eq 'atlas boma cove dune' }, 'all are in Redis');
    same_everywhere($cluster);
    verdicts_are($cluster, $cluster->key($_), '200 200 200', "$_ is let in by all") for qw(boma cove dune);

    # of two lines the one that was first; who had the other one is told
    my @other = grep { $_->error_log =~ /newer line of partner "atlas" than/ } $cluster->nodes;
    is(scalar @other, 2, 'two nodes had another line of one');
    unlike($_->error_log, qr/newer line of partner "(?!atlas)/, 'and of no other') for $cluster->nodes;
    $cluster->stop;
};

sub edit_by_hand {
    my ($node, $code) = @_;
    my $path = $node->dir . '/conf/state/partners.jsonl';
    my ($uid, $gid) = (stat $path)[4, 5];
    my $partners = in_file($node);
    $code->($partners);
    Wassiit::_write("$path.edited", join('', map { $Json->encode($_) . "\n" } values %$partners), 0600);
    chown $uid, $gid, "$path.edited";
    rename "$path.edited", $path or die "$path: $!";
    is($node->reload, '', 'a reload');
}

row 'edited by hand' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, relays => 1);
    at_is($cluster, 1, 200, 'PATCH', '/boma', { name => 'by the endpoint' });

    edit_by_hand($cluster->node(2), sub { $_[0]{boma}{name} = 'by hand'; $_[0]{cove} = partner('cove', 'cove has this key') });
    name_is($cluster, $_, 'boma', 'by hand') for 1 .. 3;
    same_everywhere($cluster);
    verdicts_are($cluster, 'cove has this key', '200 200 200', 'one more');

    # older than what the cluster has
    $cluster->relay(3)->gone;
    ok(wait_for { at($cluster, 1, 'PATCH', '/boma', { name => 'newer' })->status == 200 }, 'changed by others');
    edit_by_hand($cluster->node(3), sub { $_[0]{boma}{name} = 'of before' });
    $cluster->relay(3)->heal;
    name_is($cluster, $_, 'boma', 'newer') for 1 .. 3;
    same_everywhere($cluster);
    $cluster->stop;
};

row 'a line that can not be offered' => sub {
    my ($redis) = @_;
    my $cluster = start($redis);
    edit_by_hand($cluster->node(1), sub { $_[0]{atlas}{rev} = 9007199254740991; $_[0]{boma}{name} = 'by hand' });
    name_is($cluster, $_, 'boma', 'by hand') for 1 .. 3;
    ok($cluster->node(1)->wait_log(qr/"atlas" .* has the highest rev/), 'it says so');
    $cluster->stop;
};

# Of a file that says less than the cluster knows nothing comes back, and what it
# lacks is there again.

row 'an older file is put back' => sub {
    my ($redis) = @_;
    my $cluster = start($redis);
    my $node = $cluster->node(3);
    my $made = at_is($cluster, 1, 201, 'POST', '/boma/keys')->json;
    my ($key, $id) = ref $made->{key} ? @{ $made->{key} }{qw(key id)} : @{$made}{qw(key id)};
    verdicts_are($cluster, $key, '200 200 200', 'a key');
    my $before = in_file($node);

    at_is($cluster, 1, 204, 'DELETE', "/boma/keys/$id");
    at_is($cluster, 2, 200, 'PATCH', '/atlas', { name => 'newer' });
    my ($new) = at_is($cluster, 2, 201, 'POST', '', { id => 'cove', name => 'Cove' })->body =~ /(wst_\w+)/;
    edit_by_hand($node, sub { %{ $_[0] } = %$before; delete $_[0]{atlas}{rev} });

    verdicts_are($cluster, $key, '401 401 401', 'what was revoked is refused');
    verdicts_are($cluster, $new, '200 200 200', 'who came later is let in');
    name_is($cluster, $_, 'atlas', 'newer') for 1 .. 3;
    same_everywhere($cluster);
    ok($node->wait_log(qr/a newer line of partner "$_" than "[^"]+": that one counts/), "$_: it says so")
        for qw(atlas boma);
    $cluster->stop;
};

my @seals = map { $_ x 43 . '=' } qw(A B);
s/.=$/A=/ for @seals;

row 'sealed' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, cluster => 'seal=seal.secret', allow_log => qr/exited on signal 9/,
                        files => { 'seal.secret' => "$seals[0]\n" });
    at_is($cluster, 1, 200, 'PATCH', '/boma', { name => 'The Boma' });
    my $secret = at_is($cluster, 2, 201, 'POST', '/boma/hmac_secret')->json;
    name_is($cluster, 3, 'boma', 'The Boma');
    same_everywhere($cluster);

    my @secrets = ('The Boma', '"', 'sha256', key_sha256($cluster->key('boma')),
                   in_file($cluster->node(1))->{boma}{hmac_secret});
    my $text = all_of($redis);
    cmp_ok(length $text, '>', 500, 'all that is in Redis');
    is_deeply([ grep { index($text, $_) >= 0 } @secrets ], [], 'has nothing of it in clear');

    same_everywhere($cluster);
    $cluster->stop;
};

# Whether a node starts with it or is reloaded, it neither writes nor follows what
# it couldn't read, until all have it.

row 'seals that differ' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, cluster => 'seal=seal.secret', allow_log => qr/exited on signal 9/,
                        files => { 'seal.secret' => "$seals[0]\n" });
    at_is($cluster, 1, 200, 'PATCH', '/boma', { name => 'The Boma' });
    same_everywhere($cluster);
    my $node = $cluster->node(3);
    my $edit = sub { my $file = $node->dir . "/conf/nginx.conf"; $node->write("nginx.conf", $_[0]->(Wassiit::_read($file))) };
    my $differs = sub {
        my ($line) = @_;
        my $r;
        ok(wait_for { $r = at($cluster, 3, 'PATCH', '/boma', { name => 'Boma' }); $r->status == 503 }, "$line: no change");
        like($r->body, qr/Nothing was changed/, 'it says so');
        ok($node->wait_log(qr/node "edge-3" of zone "partners" can't join: .* in Redis \Q$line\E/), 'the log says why');
        ok(wait_for { at($cluster, 1, 'PATCH', '/boma', { name => 'The Boma' })->status == 200 }, 'the others change');
        is(verdicts($cluster, $cluster->key('boma')), '200 200 200', 'and it serves');
        is(($cluster->states)[2], 'alone', 'alone');
    };
    my $joins = sub {
        my ($name) = @_;
        ok($cluster->wait_active, 'all are active again');
        at_is($cluster, 3, 200, 'PATCH', '/boma', { name => $name });
        name_is($cluster, $_, 'boma', $name) for 1, 2;
        same_everywhere($cluster);
    };

    $node->write('seal.secret', "$seals[1]\n");
    is($node->reload, '', 'another key by a reload');
    $differs->("are sealed by another key than that of its \"seal\"; give all");
    is(() = $node->error_log =~ /can't join/g, 1, 'once');

    $node->write('seal.secret', "$seals[0]\n");
    is($node->reload, '', 'the right one');
    $joins->('Boma again');

    $node->crash;
    $edit->(sub { $_[0] =~ s{ seal=\S+(?=;)}{}r });
    $node->restart;
    $differs->("are sealed, and it has no \"seal\"");
    $node->crash;
    $edit->(sub { $_[0] =~ s{(node=edge-3)}{$1 seal=seal.secret}r });
    $node->restart;
    $joins->('Boma sealed');

    # another key for all
    for my $each ($cluster->nodes) {
        $each->write('seal.secret', "$seals[1]\n");
        is($each->reload, '', 'all have another');
    }
    ok(wait_for { join(' ', $cluster->states) eq 'alone alone alone' }, 'and nobody joins');
    $redis->connect->call('DEL', $Hash, $Log);
    $joins->('Boma anew');
    is_deeply([ sort keys %{ in_redis($redis) } ], [qw(atlas boma)], 'all partners are there');
    $cluster->stop;
};

# Lines that went to Redis, or came from there, aren't left behind in memory.

row 'nothing is left of a secret' => sub {
    my ($redis) = @_;
    plan(skip_all => 'what is freed stays under ASan') if $ENV{TEST_VARIANT} eq 'asan';
    my $cluster = start($redis);
    at_is($cluster, 1, 201, 'POST', '/boma/hmac_secret');
    same_everywhere($cluster);
    my $secret = in_file($cluster->node(1))->{boma}{hmac_secret};
    is(length $secret > 20, 1, 'a secret');

    # no answer to a client has this one
    at_is($cluster, 2, 200, 'PATCH', '/boma', { name => 'The Boma' });
    name_is($cluster, 3, 'boma', 'The Boma');
    for my $n (2, 3) {
        my $left;
        ok(wait_for { !($left = grep { count_in_memory($_, $secret) } $cluster->node($n)->worker_pids) },
           "node $n: no worker has it") or diag($left);
    }
    $cluster->stop;
};

# In memory of the process' own that can be written to, but for the stack, where the
# dynamic linker leaves what registers had.

sub count_in_memory {
    my ($pid, $text) = @_;
    open my $maps, '<', "/proc/$pid/maps" or die "maps: $!";
    open my $memory, '<:raw', "/proc/$pid/mem" or die "mem: $!";
    my $found = 0;
    while (my $line = <$maps>) {
        no warnings 'portable';
        my ($from, $to) = map { hex } $line =~ /^(\w+)-(\w+) rw.p(?!.*\[stack)/ or next;
        sysseek $memory, $from, 0;
        sysread $memory, my $bytes, $to - $from;
        $found += () = $bytes =~ /\Q$text\E/g;
    }
    return $found;
}

# What isn't sealed, or by another key, holds up nothing but itself.

row 'a line that does not open' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, cluster => 'seal=seal.secret', files => { 'seal.secret' => "$seals[0]\n" });
    my $made = at_is($cluster, 1, 201, 'POST', '/boma/keys')->json;
    my ($key, $id) = ref $made->{key} ? @{ $made->{key} }{qw(key id)} : @{$made}{qw(key id)};
    verdicts_are($cluster, $key, '200 200 200', 'a key');

    my $c = $redis->connect;
    my $line = $Json->encode({ id => 'odd', rev => 1, keys => [] });
    my $at = $c->call('XADD', $Log, '*', id => 'odd', rev => 1, line => $line);
    $c->call('HSET', $Hash, 'odd', "1 $line");
    $c->call('HSET', 'wassiit:{partners}:c', 'log', $at);

    my $r = at_is($cluster, 1, 202, 'DELETE', "/boma/keys/$id");
    is_deeply([ sort split / /, pending($r) ], [ map { "edge-$_" } 1 .. 3 ], 'none has all');
    verdicts_are($cluster, $key, '401 401 401', 'and yet what came after it');
    ok($cluster->node($_)->wait_log(qr/a line of partner "odd" .* isn't sealed by this node's key/),
       "node $_ says so") for 1 .. 3;

    $c->call('HDEL', $Hash, 'odd');
    $c->call('XDEL', $Log, $at);
    ok(wait_for { $r = at($cluster, 2, 'PATCH', '/boma', { name => 'free' }); $r->status == 200 },
       'when it is gone all have all') or diag($r->body);
    same_everywhere($cluster);
    $cluster->stop;
};

# The values of all keys in one text.

sub all_of {
    my ($redis) = @_;
    my $c = $redis->connect;
    my %read = (string => [ 'GET' ], hash => [ 'HGETALL' ], set => [ 'SMEMBERS' ], list => [ 'LRANGE', 0, -1 ],
                zset => [ 'ZRANGE', 0, -1 ], stream => [ 'XRANGE', '-', '+' ]);
    my $flat;
    $flat = sub { join ' ', map { ref ? $flat->(@$_) : $_ // '' } @_ };
    return $flat->(map {
        my ($verb, @range) = @{ $read{ $c->call('TYPE', $_) } };
        ($_, $c->call($verb, $_, @range));
    } @{ $c->call('KEYS', '*') });
}

row 'what Redis keeps' => sub {
    my $redis = Wassiit::Redis->start(appendonly => 1);
    my $cluster = start($redis);
    my $node = $cluster->node(1);
    my $warning = sub { return qr/\[warn\].* the Redis of zone "partners" has "appendonly $_[0]" and "appendfsync $_[1]"/ };
    at_is($cluster, 1, 200, 'PATCH', '/boma', { name => 'kept' });
    unlike($_->error_log, $warning->('\w+', '\w+'), 'all is on its disk') for $cluster->nodes;

    for ([qw(yes everysec)], [qw(no always)]) {
        $redis->connect->call('CONFIG', 'SET', 'appendonly', $_->[0], 'appendfsync', $_->[1]);
        is($node->reload, '', 'a reload');
        ok($node->wait_log($warning->(@$_)), "appendonly $_->[0], appendfsync $_->[1]: the log says what is missing");
        is(() = $node->error_log =~ /${\ $warning->(@$_)}/g, 1, 'once');
    }

    $cluster->stop;
    $redis->stop;
};

row 'made, deleted and made again' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, allow_log => qr/exited on signal 9/);
    my @keys;

    for my $i (0 .. 5) {
        my $r = at_is($cluster, 1 + $i % 3, 201, 'POST', '', { id => 'cove', name => "cove $i", rate => '1000r/s' });
        push @keys, $r->body =~ /(wst_\w+)/;
        # one that was killed has to ask first what it may use
        is(verdicts($cluster, $keys[-1]) =~ s{429}{200}gr, '200 200 200', 'its key is known to all');
        at_is($cluster, $_, 409, 'POST', '', { id => 'cove', name => 'another' }) for 1 + ($i + 1) % 3;

        # by one that knows nothing of it but by its file, each second time
        my $n = 1 + ($i + 2) % 3;
        if ($i % 2) { $cluster->node($n)->crash; $cluster->node($n)->restart; $cluster->wait_active }
        at_is($cluster, $n, 204, 'DELETE', '/cove');
        is(verdicts($cluster, $_), '401 401 401', 'and refused by all') for @keys;
    }

    my @revs = map { $_->{rev} } @{ logged($redis)->{cove} };
    is_deeply(\@revs, [ 1 .. 12 ], 'one rev after another');
    same_everywhere($cluster);
    $cluster->stop;
};

row 'one is killed in between' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, allow_log => qr/exited on signal 9|$busy/m);

    my $crew = Wassiit::Operators::Crew->start(1, sub {
        my (undef, $stop) = @_;
        my ($i, %seen) = 0;
        while (!$stop->()) {
            my ($n, $id) = (1 + $i % 2, $i % 3 ? 'boma' : 'atlas');
            my $r = admin_again($cluster->node($n)->port, 'PATCH', "/$id", { name => 'n' . ++$i });
            $seen{ answer($r) }++;
        }
        return { seen => \%seen, last => $i };
    });

    my $node = $cluster->node(3);
    for (1 .. 3) {
        Time::HiRes::sleep(0.3);
        $node->crash;
        Time::HiRes::sleep(0.2);
        $node->restart;
        Time::HiRes::sleep(0.3);
        kill 'KILL', ($node->worker_pids)[0] // ();
    }

    $crew->stop;
    my ($state) = $crew->results;
    note($Json->encode($state));
    is_deeply([ grep { !/^(?:20[02]|taken)$/ } keys %{ $state->{seen} } ], [], 'all were made');
    ok($cluster->wait_active, 'it is back');
    name_is($cluster, 3, ($state->{last} - 1) % 3 ? 'boma' : 'atlas', "n$state->{last}");
    same_everywhere($cluster);
    $cluster->stop;
};

# It is never more than the larger limit, and from W after the answer on no more
# than the new one.

row 'a rate goes down and up under load' => sub {
    my ($redis) = @_;
    my $cluster = start($redis, rates => { atlas => '240r/s' });
    my %at;
    my $set = sub {
        my ($n, $limit) = @_;
        at_is($cluster, $n, 200, 'PATCH', '/atlas', { rate => "${limit}r/s" });
        $at{$limit} = Wassiit::_now() * 1e6;
    };

    my $run = $cluster->traffic(requests => 10_000, seconds => 10, at => [
        1.5 => sub { $set->(1, 60) },
        4.5 => sub {
            my $left = $at{60} / 1e6 + 3 - Wassiit::_now();
            Time::HiRes::sleep($left) if $left > 0;
            $set->(2, 180);
        } ]);
    note($run->report);
    is($run->over, 0, 'never more than the larger limit');

    my $most = sub {
        my ($from, $until) = @_;
        return Wassiit::Cluster::Run::peak(1e6, grep { $_->{after} > $from && $_->{before} < $until }
                                                @{ $run->{admissions} });
    };
    my $low = $most->($at{60} + 1e6, $at{180} - 1e6);
    my $high = $most->($at{180} + 1e6, $at{180} * 2);
    note("then $low of 60, $high of 180");
    cmp_ok($low, '<=', 60, 'no more than the lower one');
    cmp_ok($low, '>', 20, 'and not too few');
    cmp_ok($high, '<=', 180, 'no more than the new one');
    cmp_ok($high, '>', 60, 'which is more');
    $cluster->stop;
};


for my $row (@rows) {
    my ($name, $code) = @$row;
    next if $Chosen && $name !~ $Chosen;
    subtest $name => sub {
        my $redis = Wassiit::Redis->start;
        my $start = now();
        $code->($redis);
        note(sprintf '%.1f s', (now() - $start) / 1000);
        $redis->stop;
    };
}

done_testing;
