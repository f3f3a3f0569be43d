#!/usr/bin/env perl

# The admin endpoint over reloads, on connections that go on and beside others. What
# one client's requests come to is in the other admin_*.t.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(hmac_sha256 hmac_sha256_hex);
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX ();
use Test::More;
use Front;
use H2;
use Wassiit;
use Wassiit::Clock;
use Wassiit::Operators qw(reload_again waited_in_vain);

my $JSON = JSON::PP->new->utf8->canonical;
my ($ON, $OFF) = (JSON::PP::true(), JSON::PP::false());
my $OPERATOR = make_key('an operator');
my $FILE = 'state/partners.jsonl';

# What was shown once, and what no one is shown; all that was answered to GET.

my (@secrets, $read);


# Partners are at the port, operators at the second one, below /admin/.

my $CONF = <<'END';
worker_processes 2;
http {
    wassiit_zone zone=api:4m file=state/partners.jsonl;
    wassiit_zone zone=ops:1m file=ops.jsonl;
    wassiit_scopes partners.manage;
    log_format all '$request $status $wassiit_partner $wassiit_key_id $request_body';
    access_log logs/access.log all;

    server {
        listen %%PORT%%;
        wassiit_access api;

        location / { try_files /none @ok; }
        location /hmac { wassiit_auth hmac; try_files /none @ok; }
        location @ok { return 200 $wassiit_partner; }
    }

    server {
        listen %%PORT_2%%;
        listen %%PORT_4%% http2;

        location /admin/ {
            wassiit_access ops;
            wassiit_scope partners.manage;
            wassiit_admin api;
        }
        location /signed/ {
            wassiit_webhook_sign zone=api partner=$arg_who;
            proxy_pass http://%%PORT_3%%;
        }
    }

    server {
        listen %%PORT_3%%;
        location / { return 200 $http_x_wassiit_signature; }
    }
}
END

sub start_with { return start_with_zone('4m', @_) }

sub start_with_zone {
    my ($size, @partners) = @_;

    return Wassiit::Server->start(conf => $CONF =~ s/api:4m/api:$size/r, files => {
        $FILE => [@partners],
        'ops.jsonl' => [
            partner('ops', $OPERATOR, scopes => ['partners.manage'], rate => '50000r/s') ],
    });
}

sub request {
    my ($method, $path, $body, %with) = @_;

    return (method => $method, uri => "/admin/$path", headers => [ 'X-API-Key' => $OPERATOR ],
            body => ref $body ? $JSON->encode($body) : $body, %with);
}

sub call {
    my ($server, $method, @more) = @_;
    my $r = http($server->port(2), request($method, @more));

    $read .= $r->body if $r && $method eq 'GET';
    return $r;
}

# The status, the code of an error and whatever is wrong with the header.

sub outcome {
    my ($r) = @_;
    my $cache = $r ? join ',', $r->headers('Cache-Control') : 'of no answer';

    return join ' ', verdict($r), $cache eq 'no-store' ? () : "Cache-Control: $cache";
}

sub answers {
    my ($server, $expected, $what, @request) = @_;
    my $r;

    # a disk that stalls keeps one worker's change waiting for another's
    wait_for {
        my $start = Wassiit::_now();
        $r = call($server, @request);
        !waited_in_vain($r, Wassiit::_now() - $start);
    };

    is(outcome($r), $expected, $what) or diag($r ? $r->body : 'no answer');
    return $r;
}

# All at once, and those again that have waited for a disk that stalls.

sub flood_again {
    my ($server, @requests) = @_;
    my (@r, @left);
    @left = 0 .. $#requests;

    # one round may take longer than anything is waited for
    for (1 .. 5) {
        my $start = Wassiit::_now();
        @r[@left] = flood($server->port(2), map { +{ request(@$_) } } @requests[@left]);
        my $took = Wassiit::_now() - $start;
        @left = grep { waited_in_vain($r[$_], $took) } @left or last;
    }

    return @r;
}

sub shown {
    push @secrets, @_, map { key_sha256($_) } @_;
    return $_[0];
}

sub state_of { call($_[0], 'GET', "partners/$_[1]")->json }

sub at_door {
    my ($server, $key, $expected, $what, %request) = @_;
    my $r = ask($server, $key, %request);

    is(verdict($r), $expected, $what);
    return $r;
}

sub file_lines {
    my ($server) = @_;
    open my $in, '<:raw', $server->dir . "/conf/$FILE" or die "$FILE: $!";
    return <$in>;
}

sub iso { POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }

sub hand_key {
    my ($id, $key, %fields) = @_;
    return { id => $id, sha256 => key_sha256($key), %fields };
}

# Nothing that was shown once, or to no one, stands where it could be read.

sub ends_in_secrecy {
    my ($server) = @_;
    my %where = ('answers to GET' => $read // '', 'the error log' => $server->error_log,
                 'the access log' => $server->access_log);

    cmp_ok(@secrets, '>', 1, 'there was something to be kept secret');
    for my $place (sort keys %where) {
        my @found = grep { index(lc $where{$place}, lc) >= 0 } @secrets;
        is(@found, 0, "no key, digest or secret in $place");
    }

    ends($server);
}

sub ends {
    my ($server) = @_;
    (@secrets, $read) = ();
    $server->stop;
}


sub admin_test {
    my ($location, $server) = @_;
    my $zones = 'wassiit_zone zone=api:1m file=p.jsonl; wassiit_zone zone=ops:1m file=o.jsonl;';

    return nginx_test("http { $zones server { listen %%PORT%%; ${\($server // '')} $location } }\n",
                      files => { 'p.jsonl' => '', 'o.jsonl' => '' });
}

subtest 'where the endpoint may be' => sub {
    my $admin = 'wassiit_access ops; wassiit_admin api;';

    for my $row (
        [ 'a location', "location /admin/ { $admin }" ],
        [ 'one without a slash', "location /admin { $admin }" ],
        [ 'the root', "location / { $admin }" ],
        [ 'one that no regex beats', "location ^~ /admin/ { $admin }" ],
        [ 'access from the server', 'location /admin/ { wassiit_admin api; }',
          'wassiit_access ops;' ],
        [ 'access from the location around',
          'location /a/ { wassiit_access ops; location /a/b/ { wassiit_admin api; } }' ],
        [ 'its own zone with a scope opens it',
          'location /a/ { wassiit_access api; wassiit_scope webhooks.manage; wassiit_admin api; }' ],
        [ 'its own zone with a scope around it',
          'location /a/ { wassiit_access api; wassiit_admin api; }',
          'wassiit_access api; wassiit_scope webhooks.manage;' ],
        [ 'its own zone with a scope and what a variable adds',
          'location /a/ { wassiit_access api; wassiit_scope webhooks.manage $arg_x; wassiit_admin api; }' ],
        [ 'limit_except within', "location /admin/ { $admin limit_except GET { deny all; } }" ],
        [ 'if within', "location /admin/ { $admin if (\$arg_x) { set \$x 1; } }" ])
    {
        my ($what, @conf) = @$row;
        my ($exit, $message) = admin_test(@conf);
        is($exit, 0, "$what will do") or diag($message);
    }

    my $open = qr{"wassiit_admin" needs "wassiit_access" in location "/admin/"};
    my $kind = qr{"wassiit_admin" directive needs a location};
    my $self = qr{"wassiit_admin api" is guarded by "wassiit_access api" in location "/admin/".*; add "wassiit_scope NAME"};

    for my $row (
        [ 'no wassiit_access', 'location /admin/ { wassiit_admin api; }', $open ],
        [ 'wassiit_access off', 'location /admin/ { wassiit_access off; wassiit_admin api; }',
          $open, 'wassiit_access ops;' ],
        [ 'access in another location',
          'location /a/ { wassiit_access ops; } location /admin/ { wassiit_admin api; }', $open ],
        [ 'its own zone without a scope', 'location /admin/ { wassiit_access api; wassiit_admin api; }', $self ],
        [ 'its own zone, from the server', 'location /admin/ { wassiit_admin api; }', $self,
          'wassiit_access api;' ],
        [ 'its own zone, hmac alone', 'location /admin/ { wassiit_access api; wassiit_auth hmac; wassiit_admin api; }',
          $self ],
        [ 'its own zone with a scope that may be empty',
          'location /admin/ { wassiit_access api; wassiit_scope $arg_x; wassiit_admin api; }', $self ],
        [ 'an unknown zone', 'location /admin/ { wassiit_access ops; wassiit_admin apis; }',
          qr/"apis"/ ],
        [ 'no zone', 'location /admin/ { wassiit_access ops; wassiit_admin; }',
          qr/invalid number of arguments in "wassiit_admin"/ ],
        [ 'twice', "location /admin/ { $admin wassiit_admin api; }",
          qr/"wassiit_admin" directive is duplicate/ ],
        [ 'a regex', "location ~ ^/admin/ { $admin }", $kind ],
        [ 'an exact path', "location = /admin/ { $admin }", $kind ],
        [ 'a named location', "location \@admin { $admin }", $kind ],
        [ 'a server', '', qr/"wassiit_admin" directive is not allowed here/, $admin ])
    {
        my ($what, $location, $expected, @server) = @$row;
        my ($exit, $message) = admin_test($location, @server);
        is($exit, 1, "$what: refused");
        like($message, $expected, "$what: for that reason");
    }
};


subtest 'what was changed is in the file, and is there after a reload' => sub {
    my $server = start_with(partner('by-hand', 'key by hand'), partner('atlas', 'key of atlas'));
    my $path = $server->dir . "/conf/$FILE";
    my ($worker) = $server->worker_pids;
    open my $status, '<', "/proc/$worker/status" or die "status: $!";
    my ($uid) = map { /^Uid:\s+\d+\s+(\d+)/ ? $1 : () } <$status>;
    my %fields = (name => 'Both', rate => '5r/d', enabled => $OFF,
                  scopes => [ 'audio.send', 'files.send' ]);
    my %made;

    for my $row ([ 201, 'POST', 'partners', { id => 'rif' } ],
                 [ 201, 'POST', 'partners', { id => 'zagora' } ],
                 [ 201, 'POST', 'partners/atlas/keys' ], [ 201, 'POST', 'partners/rif/keys' ],
                 [ 200, 'PATCH', 'partners/atlas', \%fields ],
                 [ 204, 'DELETE', 'partners/by-hand' ], [ 204, 'DELETE', 'partners/zagora' ],
                 [ 204, 'DELETE', 'partners/rif/keys/FIRST' ])
    {
        my ($expected, $method, $where, @body) = @$row;
        $where =~ s/FIRST/$made{partners}[0]{keys}[0]{id}/;
        my $r = answers($server, $expected, "$method $where", $method, $where, @body);
        push @{ $made{$where} }, $r->json if $expected < 204;
    }

    my ($rif, $zagora, $more, $left) = map { shown(delete $_->{key}) } @{ $made{partners} },
        map { $made{"partners/$_/keys"}[0] } qw(atlas rif);
    is(sprintf('%o', (stat $path)[2] & 07777), '600', 'the file has mode 0600');
    is((stat $path)[4], $uid, "and is the workers' own");

    is(reload_again($server), '', 'after a reload');
    is(join(' ', map { $_->{id} } @{ call($server, 'GET', 'partners')->json->{partners} }),
       'atlas rif', 'who is gone is gone');
    is_deeply({ %{ state_of($server, 'atlas') }, window => 0 },
              { %{ $made{'partners/atlas'}[0] }, window => 0 }, 'the fields are the same');
    is_deeply(state_of($server, 'rif')->{keys}, $made{'partners/rif/keys'}, 'so are keys');
    at_door($server, $_, '401 invalid_key', 'with its key') for 'key by hand', $rif, $zagora;
    answers($server, 200, 'switched on', 'PATCH', 'partners/atlas', { enabled => $ON });
    at_door($server, $_, 200, 'all that are left work') for 'key of atlas', $more, $left;
    ends_in_secrecy($server);
};


subtest 'secrets sign after a reload' => sub {
    my $server = start_with(partner('atlas', 'key of atlas'));
    my %new;
    for my $field ((qw(hmac_secret webhook_secret)) x 2) {
        $new{$field} = shown(answers($server, 201, "a new $field", 'POST',
                                     "partners/atlas/$field", { grace => '0' })->json->{$field});
    }

    is(reload_again($server), '', 'after a reload');
    my $time = time;
    my $sign = encode_base64(hmac_sha256("key of atlas$time", decode_base64($new{hmac_secret})), '');
    at_door($server, 'key of atlas', 200, 'the latter of the one signs', uri => '/hmac', headers => [
        'X-API-Key' => 'key of atlas', 'X-API-Timestamp' => $time, 'X-API-Signature' => $sign ]);
    is(http($server->port(2), uri => '/signed/?who=atlas', body => 'a body')->body,
       hmac_sha256_hex('a body', $new{webhook_secret}), 'so does that of the other');
    my $state = state_of($server, 'atlas');
    ok($state->{has_hmac_secret} && $state->{has_webhook_secret}, 'GET tells that they are there');
    ends_in_secrecy($server);
};


subtest 'a grace goes on over a reload' => sub {
    local @ENV{qw(LD_PRELOAD WASSIIT_CLOCK)};
    my $now = 1_800_000_000;
    my $clock = Wassiit::Clock->new($now);
    my $server = start_with(map { partner($_, "key of $_") } qw(atlas rif));

    for my $row ([ 'atlas', '30m' ], [ 'rif', '24h' ]) {
        my ($id, $grace) = @$row;
        shown(answers($server, 201, "rotation of $id", 'POST', "partners/$id/keys/rotate",
                      { grace => $grace })->json->{key});
    }

    $clock->set($now + 1800);
    is(reload_again($server), '', 'after a reload, when one is over');
    at_door($server, "key of $$_[0]", @$_[1, 2])
        for [ 'atlas', '401 expired_key', 'it is, too' ], [ 'rif', 200, 'another is not yet' ];
    ends_in_secrecy($server);
};


# A key is made, and the clock isn't where it was any more.

subtest 'the wall clock is stepped back, and the file is loaded' => sub {
    local @ENV{qw(LD_PRELOAD WASSIIT_CLOCK)};
    my ($now, $day) = (1_800_000_000, 86400);
    my $clock = Wassiit::Clock->new($now);
    my $server = start_with({ id => 'atlas', keys => [ hand_key('k1', 'an old key') ] },
        { id => 'rif', keys => [ hand_key('k1', 'not yet', created => iso($now)) ] });
    my %key = map {
        my ($name, @request) = @$_;
        $name => answers($server, 201, $request[0], POST => @request)->json->{key};
    } [ 'new', 'partners', { id => 'new' } ], [ 'one', 'partners/rif/keys' ],
      [ 'two', 'partners/atlas/keys/rotate', { grace => '1h' } ];

    $clock->set($now - $day);
    for my $row (
        [ 'a reload', sub { $server->reload } ],
        [ 'a change', sub {
            answers($server, 200, 'a name', PATCH => 'partners/rif', { name => 'Rif' }) && '' } ],
        [ 'a reload with another size', sub {
            $server->conf($CONF =~ s/api:4m/api:3m/r); $server->reload } ])
    {
        my ($what, $do) = @$row;
        is($do->(), '', $what);
        is(join(' ', map { verdict(ask($server, $_)) } @key{qw(new one two)}, 'an old key'),
           '200 200 200 200', 'all keys work');
        at_door($server, 'not yet', '401 invalid_key', 'but one that has time yet');
    }

    # one that was loaded is ended: no clock brings it back
    $key{last} = wait_for {
        my $r = call($server, POST => 'partners/atlas/keys/rotate', { grace => '0' });
        $r->status == 201 && $r->json->{key};
    };
    for my $time ($now - 2 * $day, $now - $day, $now, $now + $day) {
        $clock->set($time);
        at_door($server, $_, '401 invalid_key', 'a key that was ended') for 'an old key', $key{two};
        at_door($server, $key{last}, 200, 'the one in its place works');
    }
    my ($line) = grep { /"atlas"/ } reverse file_lines($server);
    is(() = $line =~ /"sha256"/g, 1, 'the file has no other');

    # what is written by hand counts, as in any key
    for my $row ([ 'rif', 'one', '3m' ], [ 'new', 'new', '2m' ]) {
        my ($id, $which, $size) = @$row;
        $clock->set($now - $day);
        my ($made) = grep { $_->{id} ne 'k1' } @{ state_of($server, $id)->{keys} };
        my $file = join '', map { "$_\n" } file_lines($server);
        my $later = iso($now - 10);
        $file =~ s/("id":"$made->{id}",(?:(?!\}).)*"created":")[^"]+/$1$later/g or die $file;
        partners_file($server->dir . "/conf/$FILE", $file);
        $server->conf($CONF =~ s/api:4m/api:$size/r);
        is(reload_again($server), '', "a reload, with $size");
        at_door($server, $key{$which}, '401 invalid_key', 'a time that was set by hand');
        $clock->set($now - 10);
        at_door($server, $key{$which}, 200, 'until it comes');
    }
    $server->stop;
};


subtest 'one connection, and many' => sub {
    my $server = start_with();
    my $client = Wassiit::Client->new($server->port(2));
    my @steps = (
        [ 201, 'POST', 'partners', { id => 'atlas', rate => '50r/h' } ],
        [ 409, 'POST', 'partners', { id => 'atlas' } ],
        [ 400, 'POST', 'partners', { id => 'ATLAS' } ],
        [ 200, 'PATCH', 'partners/atlas', { name => 'Atlas' } ],
        [ 201, 'POST', 'partners/atlas/keys' ], [ 200, 'GET', 'partners/atlas' ],
        [ 201, 'POST', 'partners/atlas/keys/rotate', { grace => '0' } ],
        [ 200, 'HEAD', 'partners' ], [ 405, 'PUT', 'partners', { id => 'atlas' } ],
        [ 201, 'POST', 'partners/atlas/hmac_secret' ], [ 404, 'POST', 'none', { a => 1 } ],
        [ 201, 'POST', 'partners/atlas/webhook_secret', '{}' ],
        [ 404, 'DELETE', 'partners/atlas/keys/none' ], [ 204, 'DELETE', 'partners/atlas' ],
        [ 404, 'GET', 'partners/atlas' ]);

    for my $step (@steps) {
        my ($expected, @request) = @$step;
        is($client->request(request(@request))->status, $expected, "$request[0] $request[1]");
    }

    my @pipe = map { [ request(@$_[1 .. $#$_]) ] } @steps;
    $client->send(join '', map { $client->request_bytes(@$_) } @pipe);
    is(join(' ', map { my %r = @$_;
                       $client->response(head => $r{method} eq 'HEAD')->status } @pipe),
       join(' ', map { $_->[0] } @steps), 'the same, all sent before the first answer');

    # all at the same time: each is done once
    my @r = flood_again($server, map { [ 'POST', 'partners', { id => "p$_" } ] } 1 .. 30, (31) x 10);
    is(join(' ', map { $_->status } @r[0 .. 29]), join(' ', (201) x 30), '30 at once');
    is(join(' ', sort map { $_->status } @r[30 .. 39]), join(' ', 201, (409) x 9),
       'of ten that want one id, one gets it');
    is(@{ call($server, 'GET', 'partners')->json->{partners} }, 31, 'all are there');
    my @keys = map { shown($_->json->{key}) } grep { $_->status == 201 } @r;
    is(join(' ', map { verdict(ask($server, $_)) } @keys), join(' ', (200) x 31), 'and let in');

    @r = flood_again($server, map { [ 'POST', 'partners/p1/keys' ] } 1 .. 12);
    is(join(' ', sort map { $_->status } @r), join(' ', (201) x 7, (409) x 5),
       'of twelve keys at once, seven find room');
    shown($_->json->{key}) for grep { $_->status == 201 } @r;

    # an answer that the connection outlives for a while
    for my $n (1 .. 10) {
        my $client = Wassiit::Client->new($server->port(2));
        $client->send($client->request_bytes(request('PATCH', 'partners/p1', { name => "n$n" },
                                                     close => 1)) . 'and more');
        is($client->response->status, 200, "change $n, with more behind it");
        $client->close;
        answers($server, 200, '... and what comes then', 'PATCH', 'partners/p1', {});
    }

    # who goes away does not take the change along
    my $gone = Wassiit::Client->new($server->port(2));
    $gone->send($gone->request_bytes(request('POST', 'partners', { id => 'left' })));
    ok(wait_for { call($server, 'GET', 'partners/left')->status == 200 }, 'it is made');
    $gone->close;

    is(reload_again($server), '', 'after a reload');
    is(@{ call($server, 'GET', 'partners')->json->{partners} }, 32, 'they are there');
    is(join(' ', map { verdict(ask($server, $_)) } @keys), join(' ', (200) x 31), 'and let in');
    ends_in_secrecy($server);
};

subtest 'behind a large body that is refused the connection goes on or ends' => sub {
    my $server = start_with(partner('atlas', 'key of atlas'));

    for my $chunked (0, 1) {
        for my $more (0, 1, 4000, 400_000) {
            my $body = '{}' . ' ' x (65534 + $more);

            for my $path ('partners', 'partners/atlas/keys?x', 'none', 'partners/BAD/keys') {
                my $client = Wassiit::Client->new($server->port(2));
                my $first = $client->request(request('POST', $path, $body, chunked => $chunked));
                ok($first->status >= 400, "$more more, POST $path is refused");
                my $next = ($first->header('Connection') // '') eq 'close' ? undef
                           : $client->request(request('GET', 'partners/atlas'));
                ok($next ? $next->status == 200 : $client->is_closed,
                   '... and the connection goes on or ends')
                    or diag($first->head, $next ? $next->head : 'and no more');
            }
        }
    }

    is(@{ state_of($server, 'atlas')->{keys} }, 1, 'nothing was done');
    ends($server);
};


subtest 'no room' => sub {
    my $server = start_with_zone('32k', partner('atlas', 'key of atlas', rate => '70r/h'));
    my ($n, $r) = 0;

    do { $r = call($server, 'POST', 'partners', { id => 'p' . ++$n, rate => '70r/h' }) }
        while $r->status == 201 && $n < 200;
    is(outcome($r), '507 insufficient_storage', "the zone is full with $n");
    my @before = file_lines($server);
    answers($server, @$_)
        for [ '507 insufficient_storage', 'so it stays', 'POST', 'partners',
              { id => "p$n", rate => '70r/h' } ],
            [ '404 not_found', 'who found no room is not there', 'GET', "partners/p$n" ];
    is_deeply([ file_lines($server) ], \@before, 'nothing has changed');
    at_door($server, 'key of atlas', 200, 'and all is as it was');

    answers($server, 204, "p$_ goes", 'DELETE', "partners/p$_") for 1 .. 3;
    ok(wait_for { call($server, 'POST', 'partners', { id => 'late', rate => '70r/h' })->status
                  == 201 }, 'then there is room');
    is(reload_again($server), '', 'and the file can be loaded');
    answers($server, 200, 'with the late one', 'GET', 'partners/late');
    ends($server);
};


subtest 'how long a body may be by HTTP/2' => sub {
    my $server = start_with(partner('atlas', 'key of atlas'));
    my $h2 = H2->new($server->port(4));

    for my $row ([ 65536, 200 ], [ 65537, 413 ], [ 300_000, 413 ]) {
        my ($size, $expected) = @$row;

        for my $length (0, 1) {
            my $id = $h2->request(method => 'PATCH', path => '/admin/partners/atlas', body => 0,
                headers => [ 'x-api-key' => $OPERATOR,
                             $length ? ('content-length' => $size) : () ]);
            $h2->data($id, '{}' . ' ' x ($size - 2), 1);
            $h2->until_closed($id);
            is($h2->status($id), $expected, "$size bytes" . ($length ? ', its length told' : ''));
        }
    }
    undef $h2;
    ends($server);
};


subtest 'a file that becomes another zone\'s' => sub {
    my $conf = sub { <<"END" };
http {
    wassiit_scopes partners.manage;
    $_[0]
    server { listen %%PORT%%; location / { wassiit_access api; empty_gif; } }
    server { listen %%PORT_2%%; location /admin/ { wassiit_access ops; wassiit_admin $_[1]; } }
}
END
    my $server = Wassiit::Server->start(
        conf => $conf->("wassiit_zone zone=api:1m file=state/a.jsonl;
                         wassiit_zone zone=ops:64k file=ops.jsonl;", 'api'),
        files => { 'state/a.jsonl' => [ partner('atlas', 'key of atlas', rate => '9000r/s') ],
                   'state/b.jsonl' => [ partner('rif', 'key of rif', rate => '9000r/s') ],
                   'ops.jsonl' => [ partner('ops', $OPERATOR) ] });

    $server->conf($conf->("wassiit_zone zone=api:1m file=state/b.jsonl;
                           wassiit_zone zone=new:1m file=state/a.jsonl;
                           wassiit_zone zone=ops:64k file=ops.jsonl;", 'new'));
    is(reload_again($server), '', 'the zone gets another file, its file another zone');

    # the new zone waits for two seconds, which is until the old one's are over
    my $r = call($server, 'POST', 'partners/atlas/keys');
    is(outcome($r), 201, 'the new zone is changed');
    at_door($server, 'key of rif', 200, 'and the old one serves the other file');
    at_door($server, 'key of atlas', '401 invalid_key', 'alone');
    ends($server);
};


subtest 'a file whose last line had no LF is made anew' => sub {
    my $server = start_with(partner('atlas', 'key of atlas'), partner('rif', 'key of rif'));
    my $path = $server->dir . "/conf/$FILE";

    truncate $path, -1 + -s $path or die "$path: $!";
    is(reload_again($server), '', 'it loads');
    answers($server, 200, "change $_", 'PATCH', 'partners/atlas', { name => "no. $_" }) for 1 .. 8;
    ok(wait_for { 7 > (() = file_lines($server)) }, 'lines that count no more go');
    is(state_of($server, $_)->{id}, $_, "$_ is there") for qw(atlas rif);
    is(reload_again($server), '', 'it loads again');
    at_door($server, 'key of rif', 200, 'with who was last in it');
    unlike($server->error_log, qr/another program/, 'nobody else has changed it');
    ends($server);
};


done_testing;
