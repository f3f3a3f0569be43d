#!/usr/bin/perl

# A binary upgrade: the program before and the one that takes its place share
# each zone's memory, or tell each other that they don't.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Front;
use Wassiit;
use Wassiit::Operators;

my $N = 300;

# What nginx is to leave to the program that it executes.
my $Env = join '', map { "env $_; " } qw(ASAN_OPTIONS LSAN_OPTIONS UBSAN_OPTIONS);

sub conf {
    my (%with) = @_;
    return operators_conf(workers => 2, zone => $with{zone} // '8m', main => $Env,
        server => 'location /busy { proxy_pass http://%%PORT_3%%; }
            location = /version { wassiit_access operators; wassiit_scope partners.manage; wassiit_status partners; }',
        http => <<'END');
    access_log logs/access.log;
    log_format backend $msec;
    server {
        listen %%PORT_3%%;
        access_log logs/backend.log backend;
        location / { empty_gif; }
    }
END
}

sub start {
    my (@partners) = @_;
    return Wassiit::Server->start(daemon => 1, conf => conf(),
        files => {
            'state/partners.jsonl' => [@partners],
            'operators.jsonl' => [ partner('ops', $Operator, scopes => ['partners.manage'],
                                           rate => '1000000r/s') ] });
}

# A connection to a worker of this very program, which it keeps.

sub client_of {
    my ($server, $port, %request) = @_;
    my $client;

    wait_for {
        $client = Wassiit::Client->new($server->port($port));
        my $r = $client->request(uri => '/open', %request);
        my $pid = $r && $r->header('X-Pid');
        return $pid && grep { $_ == $pid } $server->worker_pids;
    } or die 'no worker of this program answers';

    return $client;
}

sub admin_of {
    my ($server) = @_;
    return client_of($server, 2, uri => '/admin/partners', headers => ['X-API-Key' => $Operator]);
}

# What is answered may be yet to be logged.

sub backend_lines {
    my ($server) = @_;
    my $lines;
    wait_for { ($lines = () = Wassiit::_read($server->dir . '/logs/backend.log') =~ /\n/g) >= $N };
    return $lines;
}

sub says {
    my ($client, $key, $expected, $what) = @_;
    my $r = $client->request(uri => '/', headers => ['X-API-Key' => $key]);
    is(verdict($r), $expected, $what);
    return $r;
}

sub both {
    my ($clients, $key, $expected, $what) = @_;
    says($clients->{$_}, $key, $expected, "$what, says the $_ program") for sort keys %$clients;
}

# What a process has open of the memory, and where it is mapped from.

sub memory_of {
    my ($pid) = @_;
    my %found;
    for my $fd (glob "/proc/$pid/fd/*") {
        $found{$1} = $fd if (readlink($fd) // '') =~ m{\A/memfd:wassiit: ?((?:board )?\S+) };
    }
    return \%found;
}

sub memory_maps {
    my ($pid) = @_;
    return [ sort map { /\S+ \S+ \S+ (\S+ \d+) +(\/memfd:wassiit: ?\S+)/ ? "$1 $2" : () }
             split /\n/, Wassiit::_read("/proc/$pid/maps") ];
}


subtest 'both programs have one memory' => sub {
    my $old = start(partner('busy', 'busy-key', rate => "${N}r/h"),
        map { partner($_, "key-of-$_", rate => '1000r/h') } qw(one two three four));
    my $port = $old->port;
    my $busy = { uri => '/busy', headers => ['X-API-Key' => 'busy-key'] };
    my $kept;

    my @traffic = (
        Front::Traffic::start { verdict(http($port, %$busy)) },
        Front::Traffic::start {
            my $r = eval {
                $kept //= Wassiit::Client->new($port);
                $kept->request(%$busy);
            };
            undef $kept if !$r || $r->closed;
            $r ? verdict($r) : 'closed';
        });
    my %client = (old => client_of($old, 1));
    my %admin = (old => admin_of($old));

    my $new = $old->upgrade;
    ok($new->pid != $old->pid, 'another program serves');
    like($new->error_log, qr/\[notice\].*wassiit_zone "partners" goes on in the memory/,
         'it says that it goes on');
    $client{new} = client_of($new, 1);
    $admin{new} = admin_of($new);

    is_deeply(memory_maps($new->pid), memory_maps($old->pid), 'in the same memory');
    is_deeply([ map { keys %{ memory_of($_) } } $new->worker_pids, $old->worker_pids ], [],
              'of which workers keep no descriptor');

    both(\%client, 'key-of-one', 200, 'a key works');
    is(admin_again($admin{old}, DELETE => '/one/keys/k1')->status, 204, 'the old one revokes it');
    both(\%client, 'key-of-one', '401 invalid_key', 'it works no more');

    both(\%client, 'key-of-two', 200, 'another works');
    is(admin_again($admin{new}, DELETE => '/two/keys/k1')->status, 204, 'the new one revokes it');
    both(\%client, 'key-of-two', '401 invalid_key', 'it works no more');

    for my $which (qw(old new)) {
        my $r = admin_again($admin{$which}, POST => '/three/keys', {});
        is($r->status, 201, "the $which one makes a key");
        both(\%client, $r->json->{key}, 200, 'it works');
    }

    my %tag = map { $_ => admin($admin{$_}, GET => '/four')->header('ETag') } qw(old new);
    like($tag{old}, qr/"\w+"/, 'a partner has an ETag');
    is($tag{new}, $tag{old}, 'which is the same');

    my @left = map { left(says($client{$_}, 'key-of-four', 200, 'four')) } qw(old new new old new);
    is("@left", '999 998 997 996 995', 'they count in one window');
    is(admin_again($admin{new}, PATCH => '/four', { rate => '7r/h' })->status, 200, 'a rate is lowered');
    @left = map { left(says($client{$_}, 'key-of-four', 200, 'four')) } qw(old new);
    is("@left", '1 0', 'for both');
    both(\%client, 'key-of-four', '429 rate_limited', 'no more pass');

    $old->signal('WINCH');
    ok(wait_for { !$old->worker_pids }, 'the old workers leave');
    says($client{new}, 'key-of-four', '429 rate_limited', 'the new ones go on');
    is(admin_again($admin{new}, DELETE => '/three/keys/k1')->status, 204, 'and revoke');

    # the way back
    $old->signal('HUP');
    ok(wait_for { scalar $old->worker_pids }, 'the old program has workers again');
    $new->signal('QUIT');
    ok($new->wait_end, 'the new one leaves');
    %client = (old => client_of($old, 1));
    both(\%client, 'key-of-three', '401 invalid_key', 'what it revoked stays so');
    both(\%client, 'key-of-four', '429 rate_limited', 'its window is kept');
    is(admin_again(admin_of($old), PATCH => '/four', { rate => '8r/h' })->status, 200, 'changes pass');
    says($client{old}, 'key-of-four', 200, 'and hold');

    # and forth, twice
    for my $n (1, 2) {
        my $next = $old->upgrade;
        $old->signal('QUIT');
        ok($old->wait_end, "upgrade $n: the old program leaves");
        says(client_of($next, 1), 'key-of-four', '429 rate_limited', 'the window is kept');
        is($next->reload, '', 'a reload');
        says(client_of($next, 1), 'key-of-four', '429 rate_limited', 'keeps it, too');
        is(join(' ', sort keys %{ memory_of($next->pid) }), 'board operators board partners operators partners scopes',
           'nothing piles up');
        $old = $next;
    }

    ok(wait_for { ask($port, 'busy-key', uri => '/busy')->status == 429 }, 'all room is used');

    my %seen;
    for my $counts (map { $_->stop } @traffic) {
        $seen{$_} += $counts->{$_} for keys %$counts;
    }

    is(backend_lines($old), $N, "the backend has seen $N requests, over four programs");
    is(admin(admin_of($old), GET => '/busy')->json->{counts}{allowed}, $N, 'so many were counted');
    cmp_ok($seen{'429 rate_limited'}, '>', 0, 'others were refused');
    is_deeply([ grep { !/\A(?:200|429 rate_limited|closed|died: .*)\z/s } keys %seen ], [],
              'there was no other answer');
    $old->stop;
};


# nginx keeps the code that it has loaded, over any reload: only another program
# loads what has been put in its place.

subtest 'another version of the module' => sub {
    my $module = $ENV{TEST_NGINX_LOAD_MODULES}
        or plan skip_all => 'the module is a part of this nginx';
    my ($version) = Wassiit::_read('src/ngx_http_wassiit.h') =~ /VERSION *"([^"]+)"/;
    (my $other = $version) =~ tr/0-9/9/;
    my $former = Wassiit::_read($module);
    (my $newer = $former) =~ s/(?<![\d.])\Q$version\E(?![\d.])/$other/g;
    isnt($newer, $former, 'the version is in the file');

    # as packages and "make install" do: beside, then in its place
    my $file = test_dir() . '/ngx_http_wassiit_module.so';
    my $put = sub {
        Wassiit::_write("$file.new", $_[0]);
        rename "$file.new", $file or die "$file: $!";
    };
    $put->($former);
    local $ENV{TEST_NGINX_LOAD_MODULES} = $file;

    my $old = start(partner('busy', 'busy-key', rate => "${N}r/h"));
    my $port = $old->port;
    my $traffic = Front::Traffic::start {
        verdict(http($port, uri => '/busy', headers => ['X-API-Key' => 'busy-key']));
    };
    my $runs = sub {
        my ($server) = @_;
        return client_of($server, 1)->request(uri => '/version', headers => ['X-API-Key' => $Operator])
                                    ->json->{version};
    };
    my $warned = sub {
        my $lines = () = $old->error_log =~ /\[warn\].*"\Q$file\E" is another file than the one that runs, wassiit \Q$version\E, .*USR2/g;
        return $lines;
    };

    is($runs->($old), $version, 'a version runs');
    is($old->reload, '', 'a reload');
    is($warned->(), 0, 'with the same file says nothing of it');

    $put->($newer);
    is($old->reload, '', 'a reload with another file');
    is($warned->(), 1, 'warns');
    is($runs->($old), $version, 'as the code that runs is still the former');

    my $new = $old->upgrade;
    $old->signal('QUIT');
    ok($old->wait_end, 'an upgrade by USR2, then QUIT');
    is($runs->($new), $other, 'loads the other');
    is($new->reload, '', 'a reload');
    is($warned->(), 1, 'has nothing to warn of');

    $put->($former);
    my $back = $new->upgrade;
    $new->signal('QUIT');
    ok($new->wait_end, 'the way back is the same');
    is($runs->($back), $version, 'to the version before');

    ok(wait_for { ask($port, 'busy-key', uri => '/busy')->status == 429 }, 'all room is used');
    my $seen = $traffic->stop;
    is_deeply([ sort keys %$seen ], [ 200, '429 rate_limited' ], 'each request was answered') or diag(explain($seen));
    is(backend_lines($back), $N, "the backend has seen $N requests, by both versions together");
    is(admin(admin_of($back), GET => '/busy')->json->{counts}{allowed}, $N, 'so many were counted');
    $back->stop;
};


# The old one is told, and leaves changes to the new one.

sub apart {
    my ($what, $change, $back, $reason) = @_;

    subtest $what => sub {
        my $old = start(partner('atlas', 'atlas-key', rate => '10r/h'));
        my ($client, $admin) = (client_of($old, 1), admin_of($old));
        is(left(says($client, 'atlas-key', 200, 'it works')), 9, 'one of ten is used');

        $change->($old);
        my $new = $old->upgrade;
        like($new->error_log,
             qr/\[warn\].*wassiit_zone "partners" starts anew, with empty windows: $reason/,
             'the new program says why it starts anew');
        is(left(says(client_of($new, 1), 'atlas-key', 200, 'it serves')), 9, 'with an empty window');
        is(left(says($client, 'atlas-key', 200, 'the old one serves, too')), 8, 'with its own');

        my $r = admin($admin, PATCH => '/atlas', { rate => '20r/h' });
        is(verdict($r), '503 unavailable', 'the old one makes no changes');
        like($r->json->{detail}, qr/A newer nginx program makes the changes\. Nothing was changed\. Try again/,
             'and says who does');
        ok($old->wait_log(qr/\[error\].*wassiit_zone "partners" is superseded by a newer nginx/),
           'in the log, too');
        is(admin_again(admin_of($new), PATCH => '/atlas', { rate => '30r/h' })->status, 200,
           'the new one does');

        # the way back
        $new->signal('QUIT');
        ok($new->wait_end, 'the new one leaves');
        $r = admin(admin_of($old), PATCH => '/atlas', { rate => '20r/h' });
        is(verdict($r), '503 unavailable', 'the old one makes none, still');
        like($r->json->{detail}, qr/has ended\. Nothing was changed\. Reload nginx/, 'and says why');
        $back->($old);
        is($old->reload, '', 'a reload');
        is(left(says(client_of($old, 1), 'atlas-key', 200, 'it has')), 27,
           'what the new one changed');
        is(admin_again(admin_of($old), PATCH => '/atlas', { rate => '20r/h' })->status, 200,
           'and changes it');
        is(left(says(client_of($old, 1), 'atlas-key', 200, 'which holds')), 16, 'at once');
        $old->stop;
    };
}

apart('another size', sub { $_[0]->conf(conf(zone => '9m')) }, sub { $_[0]->conf(conf()) },
      'its size was 8388608 and is 9437184');

# As if the program before had been built with another layout: its number is
# the 32-bit word at 8.

sub layout {
    no warnings 'portable';
    my ($server, $new) = @_;
    my ($at) = Wassiit::_read('/proc/' . $server->pid . '/maps')
               =~ /^([0-9a-f]+)-.*memfd:wassiit:partners /m or die 'no memory';

    open my $memory, '+<', '/proc/' . $server->pid . '/mem' or die "mem: $!";
    sysseek $memory, 8 + hex $at, 0;
    sysread $memory, my $former, 4;
    sysseek $memory, 8 + hex $at, 0;
    4 == syswrite $memory, pack 'L', $new or die "mem: $!";
    return unpack 'L', $former;
}

my $layout;
apart('another layout', sub { $layout = layout($_[0], 4711) }, sub { layout($_[0], $layout) },
      'its memory is of layout 4711, this program\'s is \d');


# A program that is started anew would give other bits to names that another
# order of the configuration has brought about.

subtest 'the names of scopes' => sub {
    my ($zeta, $both) = (make_key('zeta'), make_key('both'));
    my $old = start(partner('atlas', 'atlas-key'));
    (my $conf = conf()) =~ s/wassiit_scopes (partners.manage)/wassiit_scopes zeta $1/;

    $old->conf($conf);
    $old->write('operators.jsonl', '');
    partners_file($old->dir . '/conf/operators.jsonl',
        partner('ops', $Operator, scopes => ['partners.manage'], rate => '1000000r/s'),
        partner('reads', $zeta, scopes => ['zeta'], rate => '1000r/s'));
    is($old->reload, '', 'another name comes before one that there is');

    my %admin = (old => admin_of($old));
    my $new = $old->upgrade;
    $admin{new} = admin_of($new);

    for my $which (qw(old new)) {
        my %ask = (uri => '/admin/partners/atlas');
        is(verdict($admin{$which}->request(%ask, headers => ['X-API-Key' => $Operator])), 200,
           "who holds the scope holds it, says the $which program");
        is(verdict($admin{$which}->request(%ask, headers => ['X-API-Key' => $zeta])),
           '403 insufficient_scope', 'who holds another does not');
    }
    $new->signal('QUIT');
    $new->wait_end;
    $old->stop;
};

# The new program lets go of the memory that the old one goes on in.

sub let_go {
    my ($what, $first, $then) = @_;

    subtest $what => sub {
        my $old = start(partner('atlas', 'atlas-key', rate => '1000r/h'));
        my ($client, $admin) = (client_of($old, 1), admin_of($old));

        $first->($old);
        my $new = $old->upgrade;
        $then->($new);
        is(admin_again(admin_of($new), PATCH => '/atlas', { rate => '70r/h' })->status, 200,
           'the new program makes changes');
        says($client, 'atlas-key', 200, 'the old one goes on');
        like(admin($admin, PATCH => '/atlas', { rate => '20r/h' })->json->{detail},
             qr/newer nginx program makes the changes/, 'and makes no changes');
        my @codes = map { verdict(ask($old, 'atlas-key')) } 1 .. 20;
        is("@codes", join(' ', (200) x 20), 'whoever asks either is answered');
        $new->signal('QUIT');
        $new->wait_end;
        $old->stop;
    };
}

let_go('a zone with another name', sub {
    my $conf = conf();
    $conf =~ s/zone=partners:/zone=renamed:/;
    $conf =~ s/wassiit_(access|admin|status) partners;/wassiit_$1 renamed;/g;
    $_[0]->conf($conf);
}, sub { });

let_go('a new program that gets another size', sub { }, sub {
    $_[0]->conf(conf(zone => '9m'));
    is($_[0]->reload, '', 'the new program is reloaded');
});

subtest 'memory that was written over' => sub {
    my $server = start(partner('atlas', 'atlas-key', rate => '10r/h'));
    is(take($server, 'atlas-key', 3), 7, 'three of ten are used');

    no warnings 'portable';
    my ($at) = Wassiit::_read('/proc/' . $server->pid . '/maps')
               =~ /^([0-9a-f]+)-.*memfd:wassiit:partners /m or die 'no memory';
    open my $memory, '+<', '/proc/' . $server->pid . '/mem' or die "mem: $!";
    # where lines are told from one another: requests don't look there
    sysseek $memory, 108 + hex $at, 0;
    syswrite $memory, "\xff" x 4 or die "mem: $!";
    close $memory;

    $server->{allow_log} = qr/\[alert\].*something has written over its memory|exited on signal|reset/;
    $server->signal('HUP');
    ok(wait_for { $server->error_log =~ /"partners" starts anew.*something has written over/ },
       'a reload says so');
    ok(wait_for { my $r = eval { ask($server, 'atlas-key') }; $r && $r->status == 200 },
       'and starts the zone anew');
    $server->stop;
};

subtest 'what is not needed any more' => sub {
    my $old = start(partner('atlas', 'atlas-key', rate => '10r/h'));
    my $client = client_of($old, 1);

    $old->conf($Env . <<'END');
worker_processes 2;
http {
    add_header X-Pid $pid;
    server { listen %%PORT%% reuseport; location / { empty_gif; } }
    server { listen %%PORT_2%% reuseport; location / { empty_gif; } }
}
END
    my $new = $old->upgrade;
    client_of($new, 1);
    is_deeply([ grep { $_ ne 'scopes' } keys %{ memory_of($new->pid) } ], [],
              'without zones the new program keeps none of their memory');
    says($client, 'atlas-key', 200, 'the old one still has it');
    $old->stop;
};

subtest 'an upgrade that fails' => sub {
    my $old = start(partner('atlas', 'atlas-key', rate => '10r/h'));
    my $admin = admin_of($old);

    $old->{allow_log} = qr/\[emerg\]|exited with (?:fatal )?code/;
    $old->conf(conf() . 'nonsense;');
    ok(!eval { $old->upgrade }, 'it fails');
    is(admin_again($admin, PATCH => '/atlas', { rate => '20r/h' })->status, 200,
       'changes pass at the old one');
    is(left(says(client_of($old, 1), 'atlas-key', 200, 'it serves')), 19, 'as they say');
    $old->stop;
};


done_testing;
