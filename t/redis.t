# The client of Redis: what it says of itself, by a module of the tests' own (see
# Wassiit::RedisProbe), against a redis-server, and against one that answers as no
# server should.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Dns;
use Wassiit::Redis;
use Wassiit::RedisProbe;
use Test::More;

Wassiit::RedisProbe->load
    or plan skip_all => 'a module can be compiled only where nginx was built';

sub said { my ($server, $pattern) = @_; return scalar(() = $server->error_log =~ /$pattern/g) }

sub goes_up {
    my ($server, $times, $what) = @_;
    ok((wait_for { said($server, 'probe: calls up') >= $times }), $what)
        or diag $server->error_log;
}

# Of lines that say the same there is one, however often it was tried.
sub once {
    my ($server, $pattern, $what) = @_;
    ok($server->wait_log($pattern), $what) or diag $server->error_log;
    is(said($server, $pattern), 1, '... once');
}


subtest 'calls, the script, channels' => sub {
    my $redis = Wassiit::Redis->start;
    my $c = $redis->connect;
    my $server = Wassiit::RedisProbe->nginx('server=127.0.0.1:' . $redis->port,
                                            probe => 'redis_probe_channels one two;');
    goes_up($server, 1, 'it connects');

    my $run_id = $redis->run_id;
    my %is = $c->call('INFO', 'server') =~ /^(redis|valkey)_version:([\d.]+)/mg;
    my $kind = $is{valkey} ? 'valkey' : 'redis';
    my $number = sprintf '%d%02d%02d', split /\./, $is{$kind};
    my $waitaof = Wassiit::Redis::waitaof() ? 1 : 0;
    like($server->error_log, qr/calls up, $kind $number, run_id $run_id, waitaof $waitaof\b/,
         'run_id, version, WAITAOF');
    like($server->error_log,
         qr/\[notice\].*zone "api" is connected to 127\.0\.0\.1:\d+ \(\u$kind \Q$is{$kind}\E\)/,
         'and says so');
    unlike($server->error_log, qr/\[(?:warn|error)\]/, 'nothing worse');

    is(call($server, 'SET', 'a', 'b%20c')->body, '+OK', 'a call');
    is($c->call('GET', 'a'), 'b%20c', '... that was heard');
    is(call($server, 'GET', 'a')->body, '$b%20c', 'a string');
    is(call($server, 'GET', 'none')->body, 'nil', 'nil');
    is(call($server, 'INCR', 'n')->body, ':1', 'a number');
    like(call($server, 'HGET', 'a')->body, qr/^-ERR wrong number/, 'an error');
    is(call($server, 'MGET', 'a', 'none', 'n')->body, '*3 $b%20c nil $1', 'an array');

    my $long = 'x' x 6000;
    call($server, 'APPEND', 'long', $long) for 1 .. 20;
    is(length call($server, 'GET', 'long')->body, 120_001, '120 kB');

    my $script = eval_script($server, 1, 'wassiit:{api}:c', 'ping');
    is($script->status, 200, 'the script, which the server had not');
    unlike($script->body, qr/NOSCRIPT/, '... is loaded');
    $c->call('SCRIPT', 'FLUSH');
    unlike(eval_script($server, 1, 'wassiit:{api}:c', 'ping')->body, qr/NOSCRIPT/, '... again after SCRIPT FLUSH');

    ok((wait_for { $c->call('PUBSUB', 'NUMSUB', 'one', 'two')->[3] == 1 }), 'channels');
    $c->call('PUBLISH', 'two', 'hello there');
    ok($server->wait_log(qr/probe: two says "hello there"/), 'a message');

    $c->call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    ok((wait_for { said($server, 'probe: channels up') == 2 }), 'they are subscribed to again');
    $c->call('PUBLISH', 'one', 'and again');
    ok($server->wait_log(qr/probe: one says "and again"/), '... and heard');
    is(said($server, 'has lost'), 0, 'of a quiet connection nothing is said');

    $server->stop;
};


subtest 'a unix socket; a server that comes later, and goes' => sub {
    my $redis = Wassiit::Redis->start(unix => 1);
    my $socket = $redis->socket;
    chmod 0711, $redis->dir;
    $redis->stop;
    my $server = Wassiit::RedisProbe->nginx("server=unix:$socket");
    once($server, qr/\[error\].*zone "api" has no master: unix:\S+ can't be connected to: .*No such file/,
         'there is none');
    ok(!said($server, 'probe: calls'), 'and nothing is up');
    is(call($server, 'PING')->status, 503, 'a call is declined');

    $redis->restart;
    goes_up($server, 1, 'it comes');
    is(call($server, 'PING')->body, '+PONG', 'a call');

    $redis->stop;
    once($server, qr/\[warn\].*zone "api" has lost unix:\S+: it closed the connection/, 'it goes');
    is(said($server, 'probe: calls down'), 1, 'down is told');
    $redis->restart;
    goes_up($server, 2, 'it comes again');
    is(said($server, 'has no master'), 1, 'what was said of that is enough');
    $server->stop;
};


subtest 'a byte at a time' => sub {
    my $fake = Wassiit::RedisProbe::Fake->start(sub {
        my ($socket) = @_;
        my $put = sub { syswrite $socket, $_ and select undef, undef, undef, 0.0005 for split //, $_[0] };
        greet($socket, put => $put) or return;
        while (command($socket)) {
            $put->("*4\r\n\$2\r\nOK\r\n:-7\r\n*2\r\n\$-1\r\n+yes\r\n\$4\r\na\r\nb\r\n");
        }
    });
    my $server = Wassiit::RedisProbe->nginx('server=127.0.0.1:' . $fake->port);
    goes_up($server, 1, 'greeted');
    is(call($server, 'ANY')->body, "*4 \$OK :-7 *2 nil +yes \$a\r\nb", 'a reply') for 1 .. 3;
    $server->stop;
};


subtest 'no answer in time' => sub {
    my $redis = Wassiit::Redis->start;
    my $server = Wassiit::RedisProbe->nginx('server=127.0.0.1:' . $redis->port);
    goes_up($server, 1, 'it connects');
    $redis->freeze;
    is(call($server, { timeout => 300 }, 'PING')->status, 504, 'a call is answered nevertheless');
    once($server, qr/\[warn\].*has lost 127\.0\.0\.1:\d+: no answer in time/, 'the connection is given up');
    is(call($server, 'PING')->status, 503, 'and calls are declined');
    $redis->thaw;
    goes_up($server, 2, 'until it is back');
    is(call($server, 'PING')->body, '+PONG', 'a call');

    # one late call takes those after it along
    $redis->freeze;
    my @others = map { Wassiit::Client->new($server->port) } 1 .. 3;
    my $bytes = Wassiit::Client->request_bytes(uri => '/r/?PING', headers => [ 'X-Timeout' => 60_000 ]);
    $_->send($bytes) for @others;
    is(call($server, { timeout => 300 }, 'PING')->status, 504, 'a call that is late');
    is($_->response->status, 504, '... and one that had time') for @others;
    $redis->thaw;
    $server->stop;
};


subtest 'a connection that breaks at each stage' => sub {
    my @stages = (
        sub { },                                                # at once
        sub { command($_[0]) },                                 # before the first answer
        sub { command($_[0]); syswrite $_[0], '$5' },           # in it
        sub { syswrite $_[0], "HTTP/1.1 400 Bad Request\r\n" },
        sub { syswrite $_[0], "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n" },
        sub { syswrite $_[0], "-ERR max number of clients reached\r\n" },
        sub { greet($_[0], role => "*3\r\n\$5\r\nslave\r\n\$1\r\na\r\n:1\r\n") },
        sub { greet($_[0], role => "+master\r\n") },
        sub { greet($_[0], info => "\$3\r\nabc\r\n") },
        sub { greet($_[0]) },                                   # as it is up
        sub { greet($_[0]); command($_[0]); syswrite $_[0], "*2\r\n:1\r\n" },
        sub { greet($_[0]); command($_[0]); syswrite $_[0], "*9\r\nwhat" },
        sub { greet($_[0]); command($_[0]); syswrite $_[0], ":1\r\n:2\r\n"; command($_[0]) },
    );
    my $fake = Wassiit::RedisProbe::Fake->start(sub {
        my ($socket, $n) = @_;
        if (my $stage = $stages[$n - 1]) { $stage->($socket); return }
        greet($socket);
        while (command($socket)) { syswrite $socket, "+PONG\r\n" }
    });
    my $server = Wassiit::RedisProbe->nginx('server=127.0.0.1:' . $fake->port);
    my $ended = sub { call($server, 'PING')->body eq '+PONG' };
    ok((wait_for { $ended->() } 60), 'it is up in the end');
    my $ups = said($server, 'probe: calls up');
    is(said($server, 'probe: calls down'), $ups - 1, 'each up has its down');
    is(said($server, 'and yet up'), 0, 'which isn\'t up any more');
    is(said($server, 'is connected to'), $ups, 'a line for each');
    is(said($server, 'has lost'), $ups - 1, '... and for each end');
    like($server->error_log, qr/doesn't answer as Redis does/, 'what isn\'t Redis is told');
    like($server->error_log, qr/it answers what it wasn't asked/, 'an answer too many');
    $server->stop;
};


subtest 'passwords and rights' => sub {
    my $redis = Wassiit::Redis->start(aclfile => <<'END');
user default on nopass ~* &* +@all
user front on >our-password ~wassiit:{api}:* &wassiit:{api}:* -@all +info +role +ping +set +evalsha
user blind on >our-password ~* &* -@all +ping
END
    my $at = '127.0.0.1:' . $redis->port;
    my %files = ('redis.secret' => "our-password\n", 'wrong.secret' => "not-our-password\n");

    my $server = Wassiit::RedisProbe->nginx("server=$at user=front password_file=redis.secret", files => \%files);
    goes_up($server, 1, 'the right password');
    is(call($server, 'SET', 'wassiit:{api}:x', 1)->body, '+OK', 'what may be done');
    like(call($server, 'GET', 'wassiit:{api}:x')->body, qr/^-NOPERM/, 'what may not') for 1, 2;
    once($server, qr/\[error\].*\Q$at\E forbids the user something that is needed, see conf.cluster.users.acl: NOPERM .*'get'/, 'is told');
    like(eval_script($server, 1, 'wassiit:{api}:c', 'x')->body, qr/^-NOSCRIPT/,
         'a script that may not be loaded is given up');
    $server->stop;

    $server = Wassiit::RedisProbe->nginx("server=$at user=front password_file=wrong.secret", files => \%files);
    once($server, qr/\[error\].*zone "api" has no master: \Q$at\E refuses the password of the user "front"/,
         'a wrong password');
    like($server->error_log, qr/in \S+nginx\.conf:4\b/, '... with the directive\'s line');
    unlike($server->error_log, qr/our-password/, 'no password in the log');
    $redis->connect->call('ACL', 'SETUSER', 'front', '>not-our-password');
    goes_up($server, 1, 'it is up as soon as that is mended');
    $server->stop;

    for ([ "user=blind password_file=redis.secret" =>
               qr/forbids the user something that is needed, see \S+: NOPERM .*'info'/, 'no right to ask' ],
         [ "user=nobody password_file=redis.secret" =>
               qr/refuses the password of the user "nobody"/, 'no such user' ],
         [ "password_file=redis.secret" =>
               qr/has no password for its default user: leave out "password_file"/, 'no password there' ]) {
        my ($how, $line, $what) = @$_;
        $server = Wassiit::RedisProbe->nginx("server=$at $how", files => \%files);
        once($server, $line, $what);
        ok(!said($server, 'calls up'), '... is not up');
        $server->stop;
    }

    $redis->connect->call('CONFIG', 'SET', 'requirepass', 'another');
    $server = Wassiit::RedisProbe->nginx("server=$at");
    once($server, qr/wants a password, which "user" and "password_file" give: NOAUTH/, 'no password here');
    $server->stop;

    # who knows no AUTH says again what it was given
    my $fake = Wassiit::RedisProbe::Fake->start(sub {
        greet($_[0], auth => "-ERR unknown command 'AUTH', with args beginning with: 'front' 'our-password'\r\n");
    });
    $server = Wassiit::RedisProbe->nginx('server=127.0.0.1:' . $fake->port
                                         . ' user=front password_file=redis.secret', files => \%files);
    once($server, qr/doesn't take a password: ERR/, 'a server without passwords');
    unlike($server->error_log, qr/our-password/, 'which quotes it in vain');
    $server->stop;
};


subtest 'what is no master of ours' => sub {
    my $loading = "\$11\r\nloading:1\r\n\r\n";
    for ([ { info => info(version => '6.2.14') } => qr/is Redis 6\.2\.14: Redis 7\.0 or Valkey 7\.2, or a newer one/,
           'too old' ],
         [ { info => info(version => '7.2.4', valkey => '7.0.9') } => qr/is Valkey 7\.0\.9: /, 'no such Valkey' ],
         [ { info => info(mode => 'cluster') } => qr/is part of a Redis Cluster, which isn't supported/, 'a cluster' ],
         [ { role => "*2\r\n\$8\r\nsentinel\r\n*0\r\n" } => qr/is a sentinel: name the servers/, 'a sentinel' ],
         [ { role => "*5\r\n\$5\r\nslave\r\n\$1\r\na\r\n:1\r\n+x\r\n:1\r\n" } => qr/is a replica of a:1;/, 'a replica' ],
         [ { persistence => $loading } => qr/is reading its data yet/, 'one that loads' ],
         [ { info => "-LOADING Redis is loading\r\n" } => qr/is reading its data yet: LOADING/, 'the same' ]) {
        my ($says, $line, $what) = @$_;
        my $fake = Wassiit::RedisProbe::Fake->start(sub { greet($_[0], %$says) });
        my $server = Wassiit::RedisProbe->nginx('server=127.0.0.1:' . $fake->port);
        once($server, qr/\[error\].*has no master: 127\.0\.0\.1:\d+ $line/, $what);
        ok(wait_for { $fake->came >= 5 }, '... it is tried again and again');
        is(said($server, 'has no master'), 1, '... without a word');
        ok(!said($server, 'calls up'), '... is not up');
        $server->stop;
    }

    my $fake = Wassiit::RedisProbe::Fake->start(sub {
        greet($_[0], info => info(version => '7.2.4', valkey => '8.1.1')) or return;
        while (command($_[0])) { syswrite $_[0], "-MOVED 3999 127.0.0.1:6381\r\n" }
    });
    my $server = Wassiit::RedisProbe->nginx('server=127.0.0.1:' . $fake->port);
    goes_up($server, 1, 'a Valkey');
    like($server->error_log, qr/up, valkey 80101, run_id a{40}, waitaof 1/, 'its own version');
    like(call($server, 'GET', 'a')->body, qr/^-MOVED/, 'an answer of a cluster') for 1, 2;
    once($server, qr/\[error\].*is part of a Redis Cluster, .*: MOVED 3999/, 'is told');
    is(said($server, 'calls down'), 0, 'it stays connected');
    $server->stop;
};


subtest 'the one of several that is the master' => sub {
    my $master = Wassiit::Redis->start;
    my $replica = Wassiit::Redis->start(replicaof => $master);
    my ($m, $r) = map { $_->connect } $master, $replica;
    my $linked = sub { $_[0]->call('INFO', 'replication') =~ /master_link_status:up/ };
    ok((wait_for { $linked->($r) }), 'a master and its replica');

    my $server = Wassiit::RedisProbe->nginx(join ' ', map { 'server=127.0.0.1:' . $_->port } $replica, $master);
    goes_up($server, 1, 'it connects');
    like($server->error_log, qr/is connected to 127\.0\.0\.1:@{[ $master->port ]} /, 'to the master, the second');
    unlike($server->error_log, qr/\[(?:warn|error)\]/, 'and says nothing of the replica');

    # promoted by hand, while the former master lives
    $r->call('REPLICAOF', 'NO', 'ONE');
    $m->call('REPLICAOF', '127.0.0.1', $replica->port);
    isnt(call($server, 'SET', 'a', 1)->body, '+OK', 'a call to the former master');
    ok((wait_for { call($server, 'SET', 'a', 2)->body eq '+OK' }), 'it looks again');
    like($server->error_log, qr/is connected to 127\.0\.0\.1:@{[ $replica->port ]} /, 'and finds the other');
    is($r->call('GET', 'a'), 2, '... which has it');
    my $run_id = $replica->run_id;
    like($server->error_log, qr/run_id $run_id/, 'by its own run_id');

    # the master dies, the other is promoted
    my $has = sub { ($m->call('GET', 'a') // 0) == 2 };
    ok((wait_for { $linked->($m) && $has->() }), 'the other way round');
    my $ups = said($server, 'calls up');
    my $lost = qr/has lost 127\.0\.0\.1:@{[ $replica->port ]}/;
    $replica->kill;
    ok($server->wait_log($lost), 'the master dies');
    $m->call('REPLICAOF', 'NO', 'ONE');
    goes_up($server, $ups + 1, 'the first one again');
    is(call($server, 'GET', 'a')->body, '$2', 'has what the other had');
    $server->stop;
};


subtest 'TLS' => sub {
    my $dir = test_dir();
    my $made = system(<<"END");
exec > $dir/openssl.log 2>&1; cd $dir && set -e
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=our-ca -keyout ca.key -out ca.pem
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other-ca -keyout other.key -out other.pem
openssl req -newkey rsa:2048 -nodes -subj /CN=redis -keyout redis.key -out redis.csr
printf 'subjectAltName=DNS:redis.internal,IP:127.0.0.1' > ext
openssl x509 -req -in redis.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out redis.pem
openssl req -newkey rsa:2048 -nodes -subj /CN=else -keyout else.key -out else.csr
printf 'subjectAltName=DNS:redis.internal' > ext
openssl x509 -req -in else.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out else.pem
chmod 644 *.key *.pem
END
    is($made, 0, 'certificates') or return;
    my ($tls, $named) = map {
        Wassiit::Redis->start(tls => { cert => "$dir/$_.pem", key => "$dir/$_.key", ca => "$dir/ca.pem" })
    } 'redis', 'else';
    my $plain = Wassiit::Redis->start;
    my %at = (tls => '127.0.0.1:' . $tls->port, named => '127.0.0.1:' . $named->port,
              plain => '127.0.0.1:' . $plain->port);

    for ([ "server=$at{tls} ssl ssl_trusted_certificate=$dir/ca.pem" => 'by its address' ],
         [ "server=$at{named} ssl ssl_trusted_certificate=$dir/ca.pem ssl_name=redis.internal" => 'by a name' ]) {
        my ($redis_conf, $what) = @$_;
        my $server = Wassiit::RedisProbe->nginx($redis_conf, probe => 'redis_probe_channels one;');
        goes_up($server, 1, $what);
        call($server, 'APPEND', 'long', 'x' x 6000) for 1 .. 20;
        is(length call($server, 'GET', 'long')->body, 120_001, '120 kB');
        ok(!$server->reload, 'a reload');
        goes_up($server, 2, 'which connects, too');
        $server->stop;
    }

    for ([ "server=$at{tls} ssl ssl_trusted_certificate=$dir/other.pem" =>
               qr/has a certificate that isn't trusted: .*"ssl_trusted_certificate"/, 'of another authority' ],
         [ "server=$at{tls} ssl" => qr/has a certificate that isn't trusted/, 'of none that the system knows' ],
         [ "server=$at{tls} ssl ssl_trusted_certificate=$dir/ca.pem ssl_name=redis.example" =>
               qr/has a certificate that isn't for "redis\.example"; "ssl_name"/, 'for another name' ],
         [ "server=$at{named} ssl ssl_trusted_certificate=$dir/ca.pem" =>
               qr/has a certificate that isn't for "127\.0\.0\.1"/, 'not for its address' ],
         [ "server=$at{plain} ssl ssl_trusted_certificate=$dir/ca.pem" =>
               qr/doesn't begin TLS within 2000 ms/, 'a server without TLS' ],
         [ "server=$at{tls}" => qr/has gone \(if it takes TLS alone, add "ssl"\)|doesn't answer as Redis does/, 'a server with TLS, in clear' ]) {
        my ($redis_conf, $line, $what) = @$_;
        my $server = Wassiit::RedisProbe->nginx($redis_conf);
        once($server, qr/\[error\].*has no master: 127\.0\.0\.1:\d+ (?:$line)/, $what);
        ok(!said($server, 'calls up'), '... is not up');
        $server->stop;
    }
};


subtest 'a name is looked up again' => sub {
    my $redis = Wassiit::Redis->start;
    my $dns = Wassiit::Dns->start(localhost => { A => [ ['127.0.0.3'], ['127.0.0.1'] ] });
    my $server = Wassiit::RedisProbe->nginx('server=localhost:' . $redis->port,
                                            http => 'resolver 127.0.0.1:' . $dns->port . ' ipv6=off valid=1s;');
    goes_up($server, 1, 'at its second address');
    cmp_ok($dns->asked('localhost', 'A'), '>=', 2, 'the name server was asked twice');
    $server->stop;
};


subtest 'reload, quit' => sub {
    my $redis = Wassiit::Redis->start;
    my $c = $redis->connect;
    my $at = 'server=127.0.0.1:' . $redis->port;
    my $server = Wassiit::RedisProbe->nginx($at, probe => 'redis_probe_channels one; redis_probe_quit on;',
                                            main => 'worker_processes 2;');
    my $clients = sub { scalar(() = $c->call('CLIENT', 'LIST') =~ /^id=/mg) - 1 };

    ok((wait_for { $clients->() == 4 }), 'two workers, two connections each');
    ok(!$server->reload, 'a reload');
    ok((wait_for { said($server, 'probe: last words heard') == 2 }), 'the old workers speak once more');
    is($c->call('GET', 'farewell'), 'said', '... and are heard');
    ok((wait_for { $clients->() == 4 }), 'their connections are closed');

    $redis->freeze;
    ok(!$server->reload, 'a reload while Redis stands');
    ok((wait_for { said($server, 'probe: last words lost') == 2 }), 'the old workers end in time');
    $redis->thaw;
    ok((wait_for { $clients->() == 4 }), 'the new ones connect');

    $server->conf(Wassiit::RedisProbe::conf($at, probe => 'redis_probe_channels one;'));
    ok(!$server->reload, 'a reload, with one worker and no last words');
    ok((wait_for { $clients->() == 2 }), 'two connections are left');
    $redis->freeze;
    $server->stop;
    $redis->thaw;
    unlike($server->error_log, qr/open socket/, 'no socket is left');

    $redis->stop;
    $server = Wassiit::RedisProbe->nginx($at);
    ok($server->wait_log(qr/has no master/), 'nginx without its Redis');
    ok(!$server->reload, 'is reloaded');
    $server->stop;
    unlike($server->error_log, qr/open socket/, 'and no socket is left');
};


subtest 'the configuration' => sub {
    my $conf = sub {
        my ($zone) = $_[0] =~ /\bzone=(\w+)/;
        my $cluster = 'wassiit_cluster zone=' . ($zone // 'api') . ' nodes=3 node=one;';
        return "http { wassiit_zone zone=api:1m file=partners.jsonl; $_[0]; $cluster server { listen %%PORT%%; } }\n";
    };
    my %files = ('partners.jsonl' => [], 'p.secret' => "word\n", 'two.secret' => "one\ntwo\n", 'no.secret' => "\n");

    for my $good ('zone=api server=127.0.0.1', 'server=[::1]:7000 zone=api', 'zone=api server=localhost ssl',
                  'zone=api server=unix:/tmp/none.sock server=127.0.0.1:6380',
                  'zone=api server=127.0.0.1 user=front password_file=p.secret',
                  'zone=api server=127.0.0.1 password_file=p.secret ssl ssl_name=redis.internal') {
        my ($exit, $message) = nginx_test($conf->("wassiit_redis $good"), files => \%files);
        is($exit, 0, $good) or diag $message;
    }

    for ([ '' => qr/invalid number of arguments in "wassiit_redis" directive, it is "wassiit_redis zone=NAME/ ],
         [ 'zone=api user=a' => qr/"wassiit_redis" must have the parameter "server"/ ],
         [ 'server=127.0.0.1 user=a' => qr/"wassiit_redis" must have the parameter "zone"/ ],
         [ 'zone=apy server=127.0.0.1' => qr/unknown wassiit_zone "apy", the nearest is "api" in \S+:1/ ],
         [ 'zone=api zone=api server=127.0.0.1' => qr/duplicate parameter "zone=api"/ ],
         [ 'zone=api server=127.0.0.1 server=127.0.0.1' => qr/duplicate parameter "server=127\.0\.0\.1"/ ],
         [ 'zone=api server=127.0.0.1; wassiit_redis zone=api server=127.0.0.2' =>
               qr/duplicate wassiit_redis "api", the first is in (\S+:\d+), the second in \1$/m ],
         [ 'zone=api server=127.0.0.1:x' => qr/invalid port in "server=127\.0\.0\.1:x"/ ],
         [ 'zone=api server=nowhere.invalid' => qr/host not found in "server=nowhere\.invalid"/ ],
         [ 'zone=api servers=127.0.0.1' => qr/invalid parameter "servers=127\.0\.0\.1" .*nearest is "server="/ ],
         [ 'zone=api server=127.0.0.1 ssl=on' => qr/invalid parameter "ssl=on" .*nearest is "ssl"/ ],
         [ 'zone=api server=' => qr/invalid parameter "server=" .*it has no value/ ],
         [ 'zone=api server=127.0.0.1 user=a' => qr/"user=a" .*needs "password_file="/ ],
         [ 'zone=api server=127.0.0.1 ssl_name=a' => qr/"ssl_name=a" .*needs "ssl"/ ],
         [ 'zone=api server=127.0.0.1 ssl_trusted_certificate=a' => qr/"ssl_trusted_certificate=a" .*needs "ssl"/ ],
         [ 'zone=api server=unix:/tmp/none.sock ssl' => qr/"server=unix:\S+" with "ssl" .*needs "ssl_name="/ ],
         [ 'zone=api server=127.0.0.1 ssl ssl_trusted_certificate=none.pem' => qr/none\.pem/ ],
         [ 'zone=api server=127.0.0.1 password_file=none.secret' => qr/none\.secret" failed/ ],
         [ 'zone=api server=127.0.0.1 password_file=no.secret' => qr/is empty, "wassiit_redis" in \S+:1/ ],
         [ 'zone=api server=127.0.0.1 password_file=two.secret' => qr/has more than one line, "wassiit_redis" in/ ]) {
        my ($directive, $expected) = @$_;
        my ($exit, $message) = nginx_test($conf->("wassiit_redis $directive"), files => \%files);
        isnt($exit, 0, "wassiit_redis $directive");
        like($message, $expected, '... is refused for that');
    }
};

done_testing;
