#!/usr/bin/env perl

# The admin endpoint: what each request answers, what it changes and for whom,
# and what it refuses.

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

my $JSON = JSON::PP->new->utf8->canonical;
my ($ON, $OFF) = (JSON::PP::true(), JSON::PP::false());
my $OPERATOR = make_key('an operator');
my $CLERK = make_key('one who may only look');
my $FILE = 'state/partners.jsonl';
my $TIME = qr/\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\z/;

# What was shown once, and what no one is shown; all that was answered to GET.

my (@secrets, $read);


# Partners are at the port, operators at the second one; /admin/ is the
# endpoint, /form/ the same with envelopes, /page/ with pages of an operator's.

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
        location /send { wassiit_scope messages.send; try_files /none @ok; }
        location /hmac { wassiit_auth hmac; try_files /none @ok; }
        location @ok {
            add_header X-Name $wassiit_partner_name;
            add_header X-Key $wassiit_key_id;
            return 200 $wassiit_partner;
        }
    }

    server {
        listen %%PORT_2%%;
        listen %%PORT_4%% http2;

        location /admin/ {
            wassiit_access ops;
            wassiit_scope partners.manage;
            wassiit_admin api;
        }
        location /form/ {
            wassiit_access ops;
            wassiit_errors envelope;
            wassiit_admin api;
        }
        location /page {
            wassiit_access ops;
            wassiit_admin api;
            client_max_body_size 64k;
            error_page 404 405 413 @problem;
        }
        location /except/ {
            wassiit_access ops;
            wassiit_admin api;
            limit_except GET { deny all; }
        }
        location /verified/ {
            wassiit_access ops;
            wassiit_webhook_verify secret_file=hook.secret;
            wassiit_admin api;
        }
        location @problem { wassiit_problem; }
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
        'hook.secret' => 'a hook',
        'ops.jsonl' => [
            partner('ops', $OPERATOR, scopes => ['partners.manage'], rate => '50000r/s'),
            partner('clerk', $CLERK, scopes => ['conversations.read'], rate => '50000r/s') ],
    });
}

sub request {
    my ($method, $path, $body, %with) = @_;
    my $key = exists $with{key} ? delete $with{key} : $OPERATOR;
    my $below = delete $with{below} // '/admin/';

    return (method => $method, uri => "$below$path",
            headers => [ defined $key ? ('X-API-Key' => $key) : () ],
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
    my $r = call($server, @request);

    is(outcome($r), $expected, $what) or diag($r ? $r->body : 'no answer');
    return $r;
}

sub make {
    my ($server, $id, %fields) = @_;
    my $r = answers($server, 201, "$id is made", 'POST', 'partners', { id => $id, %fields });

    return shown($r->json->{key});
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

sub pointers {
    my ($r) = @_;
    return join ' ', map { $_->{pointer} } @{ $r->json->{errors} // [] };
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


subtest 'who may come in' => sub {
    my $server = start_with(partner('atlas', 'key of atlas', scopes => []));
    my $atlas = '/admin/partners/atlas';

    for my $row (
        [ 'without a key', undef, '401 missing_key' ],
        [ 'with a wrong one', make_key('no one'), '401 invalid_key' ],
        [ 'as a partner', 'key of atlas', '401 invalid_key' ],
        [ 'without the scope', $CLERK, '403 insufficient_scope' ])
    {
        my ($what, $key, $expected) = @$row;

        for my $request ([ 'GET', 'partners' ], [ 'GET', 'partners/atlas' ],
                         [ 'GET', 'none' ], [ 'PUT', 'partners' ],
                         [ 'PATCH', 'partners/atlas', { enabled => $OFF } ],
                         [ 'DELETE', 'partners/atlas' ],
                         [ 'POST', 'partners', { id => 'intruder' } ],
                         [ 'POST', 'partners/atlas/keys' ])
        {
            my ($method, $path, $body) = @$request;
            answers($server, $expected, "$what: $method $path", $method, $path, $body,
                    key => $key);
        }
    }

    is(scalar(my @lines = file_lines($server)), 1, 'nothing of it got into the file');
    at_door($server, 'key of atlas', 200, 'and the partner is as it was');
    at_door($server, $OPERATOR, '401 invalid_key', 'an operator is no partner');

    answers($server, 200, 'limit_except lets GET pass', 'GET', 'partners', undef,
            below => '/except/');
    like(outcome(call($server, 'DELETE', 'partners/atlas', undef, below => '/except/')),
         qr/\A403/, 'and nothing else');
    at_door($server, 'key of atlas', 200, 'no change there');
    ends($server);
};

subtest 'a partner is made' => sub {
    my $server = start_with();
    my $r = answers($server, 201, 'with all fields', 'POST', 'partners', {
        id => 'clinique-atlas', name => "Clinique d'\x{c9}t\x{e9} \"\\", rate => '7r/h',
        scopes => [ 'files.send', 'messages.send' ] });
    my $made = $r->json;
    my $key = shown(delete $made->{key});

    is($r->header('Location'), '/admin/partners/clinique-atlas', 'Location tells where');
    is($r->header('Content-Type'), 'application/json', 'in JSON');
    is($made->{name}, "Clinique d'\x{c9}t\x{e9} \"\\", 'with its name');
    is("@{[ sort @{ $made->{scopes} } ]}", 'files.send messages.send', 'its scopes');
    is($made->{rate}, '7r/h', 'its rate');
    ok($made->{enabled}, 'and enabled');
    is_deeply($made, state_of($server, 'clinique-atlas'), 'GET tells the same, but no key');

    like($key, qr/\Awst_[0-9A-Za-z]{38}\z/, 'the key has our form');
    is(substr($key, 36), crc_base62(substr $key, 0, 36), 'and the right checksum');

    my ($line) = file_lines($server);
    my $sha256 = key_sha256($key);
    like($line, qr/"sha256":"$sha256"/i, 'its digest stands in the file');
    is(index($line, $key), -1, 'the key does not');

    $r = at_door($server, $key, 200, 'it works at once');
    is($r->body, 'clinique-atlas', 'as the partner');
    is($r->header('X-Key'), $made->{keys}[0]{id}, 'and the key has that id');
    is($r->header('X-RateLimit-Limit'), 7, 'at that rate');
    at_door($server, $key, 200, 'it may do what it may', uri => '/send');

    $r = answers($server, 201, 'with an id alone', 'POST', 'partners', { id => 'rif' });
    my $rif = $r->json;
    my $other = shown(delete $rif->{key});
    isnt($other, $key, 'another key');
    is_deeply([ @$rif{qw(id name enabled scopes rate)} ], [ 'rif', undef, $ON, [], '100r/m' ],
              'no name, no scopes, the rate of the zone');
    at_door($server, $other, '403 insufficient_scope', 'it may do nothing', uri => '/send');
    at_door($server, $other, 200, 'but come in');

    my $longest = 'a.b_c-9' . 'z' x 57;
    at_door($server, make($server, $longest, name => 'n' x 128, rate => '1000000r/d'), 200,
            'the longest id and name');
    my @before = file_lines($server);
    answers($server, '409 conflict', 'an id that is taken', 'POST', 'partners', { id => 'rif' });
    is_deeply([ file_lines($server) ], \@before, 'changes nothing');
    at_door($server, $other, 200, 'nor for its owner');

    my $path = $server->dir . "/conf/$FILE";
    my ($worker) = $server->worker_pids;
    open my $status, '<', "/proc/$worker/status" or die "status: $!";
    my ($uid) = map { /^Uid:\s+\d+\s+(\d+)/ ? $1 : () } <$status>;
    is(sprintf('%o', (stat $path)[2] & 07777), '600', 'the file has mode 0600');
    is((stat $path)[4], $uid, "and is the workers' own");

    is($server->reload, '', 'after a reload');
    at_door($server, $key, 200, 'it is there');
    is(state_of($server, 'rif')->{keys}[0]{id}, $rif->{keys}[0]{id}, 'so is the other');
    like($server->error_log, qr/\[notice\].*partner "rif" was created.*by "ops"/,
         'the log tells who did it');
    ends_in_secrecy($server);
};


subtest 'what is told of a partner' => sub {
    my $server = start_with({ %{ partner('atlas', [ 'first key', 'other key' ], rate => '9r/h',
        name => 'Atlas', scopes => ['files.send'], hmac_secret => 'c2VjcmV0b2ZhdGxhcw==',
        webhook_secret => 'the hook of atlas') } });
    push @secrets, 'c2VjcmV0b2ZhdGxhcw', 'the hook of atlas';
    shown($_) for 'first key', 'other key';

    my $atlas = { id => 'atlas', name => 'Atlas', enabled => $ON, scopes => ['files.send'],
                  rate => '9r/h' };
    is_deeply(call($server, 'GET', 'partners')->json, {
        partners => [ { %$atlas, last_used => undef } ], next => undef }, 'in a page');

    my %none = (created => undef, expires => undef, last_used => undef);
    my $full = state_of($server, 'atlas');
    is(delete $full->{window}{seconds}, 3600, 'the seconds of the window');
    delete $full->{window}{reset};
    is_deeply([ grep { $_ ne 0 } values %{ delete $full->{counts} } ], [], 'nothing is counted yet');
    is_deeply($full, { %$atlas, has_hmac_secret => $ON, has_webhook_secret => $ON,
        former_hmac_secret_expires => undef, former_webhook_secret_expires => undef, last_refusal => undef,
        keys => [ { id => 'k1', %none }, { id => 'k2', %none } ],
        window => { limit => 9, used => 0, remaining => 9 } }, 'alone');

    my $before = iso(time);
    at_door($server, 'other key', 200, 'a key is used') for 1 .. 3;
    $full = state_of($server, 'atlas');
    is_deeply([ @{ $full->{window} }{qw(used remaining)} ], [ 3, 6 ], 'the use of the window');
    is($full->{counts}{allowed}, 3, 'what was allowed');
    is($full->{keys}[0]{last_used}, undef, 'the other one was not used');
    like($full->{keys}[1]{last_used}, $TIME, 'this one was');
    cmp_ok($full->{keys}[1]{last_used}, 'ge', $before, 'and not before');
    is(call($server, 'GET', 'partners')->json->{partners}[0]{last_used},
       $full->{keys}[1]{last_used}, 'in a page, the last of them');

    for my $path ('partners', 'partners/atlas', 'partners?limit=1', 'partners/none') {
        my $client = Wassiit::Client->new($server->port(2));
        my $head = $client->request(request('HEAD', $path));
        is($head->body, '', "HEAD $path: no body");
        my $get = $client->request(request('GET', $path));
        is($head->status, $get->status, "HEAD $path: the status of GET");
        is(join(',', $head->headers('Cache-Control')), 'no-store', "HEAD $path: not stored");
        is($head->header('Content-Length'), $get->header('Content-Length'),
           "HEAD $path: its length");
    }

    answers($server, '404 not_found', 'no such partner', 'GET', 'partners/none');
    ends_in_secrecy($server);
};


# What a search finds, over all of its requests.

sub found {
    my ($server, $arguments) = @_;
    my (@ids, $after);

    for (1 .. 100) {
        my $page = call($server, 'GET', "partners?$arguments"
                        . (defined $after ? "&after=$after" : ''))->json;
        push @ids, map { $_->{id} } @{ $page->{partners} };
        $after = $page->{next} // return join ' ', @ids;
    }

    return 'no end';
}

subtest 'a search' => sub {
    my $server = start_with(
        partner('atlas', 'key of atlas', name => "Clinique de l'Atlas"),
        partner('clinique-ete', 'key of ete', name => "Clinique de l'\x{c9}t\x{e9}"),
        partner('pharmacie', 'key of pharmacie', name => 'Du Port 100%', enabled => $OFF),
        partner('port', 'key of port', enabled => $OFF),
        partner('times', 'key of times', name => "2 \x{d7} 2 = \x{df} 1212 12123"));

    for my $row ([ 'q=clinique', 'atlas clinique-ete' ], [ 'q=CLINIQUE', 'atlas clinique-ete' ],
                 [ 'q=port', 'pharmacie port' ], [ 'q=PoRt&state=disabled', 'pharmacie port' ],
                 [ 'q=port&state=enabled', '' ], [ 'state=disabled', 'pharmacie port' ],
                 [ 'state=enabled', 'atlas clinique-ete times' ], [ 'q=atlas', 'atlas' ],
                 [ 'q=-', 'clinique-ete' ], [ 'q=l%27atlas', 'atlas' ], [ 'q=100%25', 'pharmacie' ], [ 'q=du+port', 'pharmacie' ], [ 'q=du%2Bport', '' ],
                 [ 'q=%C3%89T%C3%89', 'clinique-ete' ], [ 'q=%C3%A9t%C3%A9', 'clinique-ete' ],
                 [ 'q=2%20%C3%97', 'times' ], [ 'q=%C3%B7', '' ], [ 'q=none', '' ],
                 [ 'q=12123', 'times' ], [ 'q=212123', '' ], [ 'q=1213', '' ], [ 'q=%C3%9F+1212+1', 'times' ],
                 [ 'q=p', 'pharmacie port' ], [ 'q=a', 'atlas pharmacie' ],
                 [ 'q=a&after=atlas', 'pharmacie' ])
    {
        my ($arguments, $expected) = @$row;
        is(found($server, $arguments), $expected, $arguments);
        is(found($server, "$arguments&limit=1"), $expected, '... one by one')
            if $arguments !~ /after/;
    }

    ends($server);
};


subtest 'a search looks at so many' => sub {
    my @many = map { sprintf 'p%05d', $_ } 1 .. 20_002;
    my $server = start_with_zone('16m', map { partner($_, undef, rate => '1r/d') } @many);

    for my $row ([ 'q=p20000', 'p20000', 'p20000' ], [ 'q=p20001', '', 'p20000' ],
                 [ 'q=p20001&after=p20000', 'p20001', undef ], [ 'q=p20002&after=p00001', '', 'p20001' ],
                 [ 'q=p20002&after=p00002', 'p20002', undef ], [ 'q=p0&limit=1', 'p00001', 'p00001' ])
    {
        my ($arguments, $expected, $next) = @$row;
        my $page = call($server, 'GET', "partners?$arguments")->json;
        is(join(' ', map { $_->{id} } @{ $page->{partners} }), $expected, $arguments);
        is($page->{next}, $next, '... and where to go on');
    }
    ends($server);
};


subtest 'a change is in force for the next request' => sub {
    my $server = start_with();
    my $key = make($server, 'atlas', rate => '10r/h', scopes => ['messages.send'],
                   name => 'Before');
    my $patch = sub {
        my ($what, %fields) = @_;
        my $r = answers($server, 200, $what, 'PATCH', 'partners/atlas', \%fields);
        is_deeply({ %{ $r->json }, window => 0 }, { %{ state_of($server, 'atlas') }, window => 0 },
                  '... and is answered with what is');
        return $r->json;
    };

    at_door($server, $key, 200, 'the scope', uri => '/send');
    is_deeply($patch->('it is taken', scopes => [])->{scopes}, [], 'no scope');
    at_door($server, $key, '403 insufficient_scope', 'refused', uri => '/send');
    $patch->('it is given', scopes => [ 'messages.send', 'messages.send' ]);
    is(left(at_door($server, $key, 200, 'let in', uri => '/send')), 8, 'the window goes on');

    is($patch->('the rate', rate => '20r/h')->{rate}, '20r/h', 'is the new one');
    my $r = at_door($server, $key, 200, 'the next request');
    is($r->header('X-RateLimit-Limit'), 20, 'has the new limit');
    is(left($r), 17, 'and the window has kept what was used');
    $patch->('a rate below that', rate => '2r/h');
    at_door($server, $key, '429 rate_limited', 'there is nothing left');
    $patch->('up again', rate => '100r/h');

    ok(!$patch->('disabled', enabled => $OFF)->{enabled}, 'it is');
    at_door($server, $key, '403 partner_disabled', 'refused');
    $patch->('enabled', enabled => $ON);
    at_door($server, $key, 200, 'let in');

    is(ask($server, $key)->header('X-Name'), 'Before', 'the old name');
    $patch->('the name', name => 'After');
    is(ask($server, $key)->header('X-Name'), 'After', 'the new name');

    my $rate = $patch->('its own rate is taken away', rate => undef)->{rate};
    is($rate, '100r/m', 'the zone has one');
    is($patch->('its name, too', name => undef)->{name}, undef, 'it has none');
    is(ask($server, $key)->header('X-Name'), undef, 'for requests, too');
    unlike((file_lines($server))[-1], qr/"(?:rate|name)"/, 'nor has the file');
    answers($server, '400 invalid_payload', "$_ can't be null", 'PATCH', 'partners/atlas', { $_ => undef })
        for qw(scopes enabled);
    answers($server, '400 invalid_payload', "nor can a new one's $_", 'POST', 'partners', { id => 'new', $_ => undef })
        for qw(name rate);
    $patch->('a name again', name => 'After', rate => '100r/h');

    my @before = file_lines($server);
    $patch->('nothing');
    is_deeply([ file_lines($server) ], \@before, 'no line for that');
    $patch->('the same again', name => 'After');
    is_deeply([ file_lines($server) ], \@before, 'nor for that');

    my $all = $patch->('all at once', name => 'Both', rate => '5r/d', enabled => $OFF,
                       scopes => [ 'files.send', 'audio.send' ]);
    is_deeply([ @$all{qw(id name enabled scopes rate)} ],
              [ 'atlas', 'Both', $OFF, [ 'audio.send', 'files.send' ], '5r/d' ], 'all of it');
    is(@{ $all->{keys} }, 1, 'the key is kept');

    answers($server, '404 not_found', 'no such partner', 'PATCH', 'partners/none', {});
    is($server->reload, '', 'after a reload');
    is_deeply({ %{ state_of($server, 'atlas') }, window => 0 }, { %$all, window => 0 },
              'the same');
    ends_in_secrecy($server);
};


subtest 'a partner is deleted' => sub {
    my $server = start_with(partner('by-hand', 'key by hand'));
    my $key = make($server, 'atlas', rate => '5r/d');
    shown(call($server, 'POST', 'partners/atlas/hmac_secret')->json->{hmac_secret});
    at_door($server, $key, 200, 'it is there');

    my $r = answers($server, 204, 'deleted', 'DELETE', 'partners/atlas');
    is($r->body, '', 'no body');
    at_door($server, $key, '401 invalid_key', 'its key is unknown');
    for my $request ([ 'GET', '' ], [ 'DELETE', '' ], [ 'PATCH', '', {} ], [ 'POST', '/keys' ],
                     [ 'POST', '/keys/rotate' ], [ 'DELETE', '/keys/k1' ],
                     [ 'POST', '/hmac_secret' ], [ 'POST', '/webhook_secret' ])
    {
        my ($method, $path, $body) = @$request;
        answers($server, '404 not_found', "$method $path of it", $method, "partners/atlas$path",
                $body);
    }

    answers($server, 204, 'one of the file', 'DELETE', 'partners/by-hand', 'what a body');
    at_door($server, 'key by hand', '401 invalid_key', 'has gone too');
    is_deeply(call($server, 'GET', 'partners')->json, { partners => [], next => undef },
              'no one is left');
    is($server->reload, '', 'after a reload');
    at_door($server, $key, '401 invalid_key', 'still gone');

    my $new = make($server, 'atlas', rate => '5r/d');
    at_door($server, $key, '401 invalid_key', 'the former key is no key of the new one');
    is(left(at_door($server, $new, 200, 'the new one is')), 4, 'with a new window');
    ok(!state_of($server, 'atlas')->{has_hmac_secret}, 'and no secret');
    ends_in_secrecy($server);
};


subtest 'secrets sign' => sub {
    my $server = start_with();
    my $key = make($server, 'atlas');
    my $enters = sub {
        my ($secret) = @_;
        my $time = time;
        my $sign = encode_base64(hmac_sha256($key . $time, decode_base64($secret)), '');
        return verdict(http($server->port, uri => '/hmac', headers => [ 'X-API-Key' => $key,
            'X-API-Timestamp' => $time, 'X-API-Signature' => $sign ]));
    };
    my $signed = sub {
        return http($server->port(2), uri => '/signed/?who=atlas', body => $_[0]);
    };
    my $new = sub {
        my ($field, @body) = @_;
        my $r = answers($server, 201, "a new $field", 'POST', "partners/atlas/$field", @body);
        is(join(' ', sort keys %{ $r->json }), join(' ', sort $field, 'former_expires'), 'and nothing beside');
        return shown($r->json->{$field});
    };

    my $state = state_of($server, 'atlas');
    ok(!$state->{has_hmac_secret} && !$state->{has_webhook_secret}, 'there is none at first');
    is($enters->('c2VjcmV0'), '401 invalid_signature', 'so none signs');
    is($signed->('body')->status, 502, 'and nothing goes out');

    my $first = $new->('hmac_secret');
    like($first, qr{\A[A-Za-z0-9+/]+=*\z}, 'it is base64');
    cmp_ok(length decode_base64($first), '>=', 32, 'of 32 bytes at least');
    is($enters->($first), 200, 'it signs');

    for (1 .. 10) {
        # as the guide of wap.cm tells its partners to
        local @ENV{qw(API_SECRET MESSAGE)} = ($new->('hmac_secret'), "wst_key$_");
        my $line = 'echo -n "$MESSAGE" | openssl dgst -sha256 -hmac $(echo $API_SECRET | base64 -d)'
                 . ' -binary | base64';
        is(qx($line), encode_base64(hmac_sha256($ENV{MESSAGE}, decode_base64($ENV{API_SECRET}))),
           "the shell line of wap.cm's guide signs with it");
    }
    my $second = $new->('hmac_secret', { grace => '0' });
    is($enters->($first), '401 invalid_signature', 'the former one does no more');
    is($enters->($second), 200, 'the new one does');

    my @hooks = map { $new->('webhook_secret', { grace => '0' }) } 1 .. 2;
    isnt($hooks[0], $hooks[1], 'two are not the same');
    is($signed->('a body')->body, hmac_sha256_hex('a body', $hooks[1]), 'the latter signs');
    is($enters->($second), 200, 'the other secret is what it was');
    answers($server, 200, 'a change of something else', 'PATCH', 'partners/atlas',
            { name => 'Atlas' });

    is($server->reload, '', 'after a reload');
    is($enters->($second), 200, 'it signs');
    is($signed->('a body')->body, hmac_sha256_hex('a body', $hooks[1]), 'so does the other');
    $state = state_of($server, 'atlas');
    ok($state->{has_hmac_secret} && $state->{has_webhook_secret}, 'GET tells that they are there');
    ends_in_secrecy($server);
};


sub listed {
    my ($server, $limit) = @_;
    my (@ids, $after);

    for (1 .. 1000) {
        my $page = call($server, 'GET', "partners?limit=$limit"
                        . (defined $after ? "&after=$after" : ''))->json;
        my @some = map { $_->{id} } @{ $page->{partners} };
        push @ids, @some;
        $after = $page->{next} // return join ' ', @ids;
        return "next is $after after @some" if @some != $limit || $after ne $some[-1];
    }

    return 'no end';
}

subtest 'pages' => sub {
    my %there = map { $_ => 1 } qw(a a- a. a0 a_ aa b- b 0 - _ z.z), map { "p$_" } 1 .. 238;
    my $server = start_with(map { partner($_, "key of $_") } reverse sort keys %there);
    my $sorted = sub { join ' ', sort keys %there };

    is(listed($server, 7), $sorted->(), '250 in pages of 7: each once, in order');
    is(listed($server, 125), $sorted->(), 'in two that are full');
    is(listed($server, 1), $sorted->(), 'one by one');
    is(listed($server, 1000), $sorted->(), 'all in one');

    my $r = answers($server, 200, 'no limit', 'GET', 'partners');
    is(@{ $r->json->{partners} }, 100, 'is one of a hundred');
    is($r->json->{next}, (sort keys %there)[99], 'and tells where to go on');

    for my $row ([ 'z.z', '' ], [ 'zzz', '' ], [ 'p99', 'z.z' ], [ 'p98', 'p99 z.z' ],
                 [ 'p989', 'p99 z.z' ], [ 'p98-', 'p99 z.z' ], [ 'z%2ey', 'z.z' ],
                 [ 'z' x 64, '' ])
    {
        my ($after, $expected) = @$row;
        my $page = call($server, 'GET', "partners?after=$after")->json;
        is(join(' ', map { $_->{id} } @{ $page->{partners} }), $expected, "after $after");
        is($page->{next}, undef, '... is the end');
    }
    is(call($server, 'GET', 'partners?limit=1&after=a0x')->json->{partners}[0]{id}, 'a_',
       'after one that does not exist');

    for my $bad (qw(limit=0 limit=1001 limit=x limit= limit=-1 limit=1x limit=1.5
                    limit=99999999999999999999 after= after=A after=a/b after=%00),
                 'after=' . 'a' x 65)
    {
        answers($server, '400 bad_request', substr($bad, 0, 40), 'GET', "partners?$bad");
    }
    answers($server, 200, 'the most', 'GET', 'partners?limit=1000');

    for my $row ([ 'limit=1&limit=1', 'The argument limit stands twice.' ],
                 [ 'offset=3', 'There is no argument offset: limit, after, q and state are.' ],
                 [ 'Limit=3', 'There is no argument Limit: limit, after, q and state are.' ],
                 [ '%22=3', 'There is no argument of that name: limit, after, q and state are.' ],
                 [ 'state=on', 'The argument state must be enabled or disabled.' ],
                 (map { [ $_, 'The argument ' . (/(\w+)=/)[0]
                              . ' has a % without two hex digits after it.' ] }
                      'limit=5%', 'q=a%zz', 'q=%4', 'q=%%34', 'q=%', 'after=atlas%2', 'state=enabled%' ),
                 [ 'q=', 'The argument q must be 1 to 128 bytes that an id or a name contains.' ],
                 [ 'q=' . 'a' x 129, 'The argument q must be 1 to 128 bytes that an id or a name contains.' ])
    {
        my ($bad, $detail) = @$row;
        my $r = answers($server, '400 bad_request', substr($bad, 0, 40), 'GET', "partners?$bad");
        is($r->json->{detail}, $detail, '... and why');
    }
    answers($server, 200, 'empty ones are none', 'GET', 'partners?&limit=7&&after=a&');

    for my $request ([ GET => 'partners/a?limit=1' ], [ POST => 'partners?limit=1', { id => 'new' } ],
                     [ PATCH => 'partners/a?x', { rate => '5r/s' } ], [ DELETE => 'partners/a?x=1' ],
                     [ POST => 'partners/a/keys?x' ], [ DELETE => 'partners/a/keys/k1?x' ])
    {
        my $r = answers($server, '400 bad_request', join(' ', @$request[0, 1]), @$request);
        is($r->json->{detail}, 'This request takes no arguments.', '... and why');
    }
    is(@{ state_of($server, 'a')->{keys} }, 1, 'nothing has changed by that');

    for my $id ('p1', 'a') {
        answers($server, 204, "$id goes", 'DELETE', "partners/$id");
        delete $there{$id};
    }
    my $client = Wassiit::Client->new($server->port(2));
    my @gone = map { $client->request(request('DELETE', "partners/p$_"))->status } 20 .. 79;
    is("@gone", join(' ', (204) x 60), '60 go on one connection');
    delete @there{ map { "p$_" } 20 .. 79 };
    is(listed($server, 7), $sorted->(), 'the others are there, each once');

    my @new = map { ("n$_", "p$_", "p$_-") } 40 .. 59;
    my @came = map { my $r = $client->request(request('POST', 'partners', { id => $_ }));
                     shown($r->json->{key}); $r->status } @new;
    is("@came", join(' ', (201) x 60), '60 come');
    @there{@new} = ();
    is(listed($server, 7), $sorted->(), 'all are there, each once');
    is($server->reload, '', 'after a reload');
    is(listed($server, 7), $sorted->(), 'the same');
    ends_in_secrecy($server);
};


subtest 'keys' => sub {
    my $server = start_with({ id => 'bare' },
        { id => 'hand', keys => [ hand_key('rotate', 'made by hand'),
                                 hand_key('k2', 'the second') ] },
        { id => 'eight', keys => [ map { hand_key("k$_", "key $_ of eight") } 1 .. 8 ] },
        { id => 'room', keys => [
            map { hand_key("k$_", "key $_ of room", $_ % 4 ? ()
                           : (expires => "2020-01-0${_}T00:00:00Z")) } 1 .. 8 ] });
    my $ids = sub { join ' ', map { $_->{id} } @{ state_of($server, $_[0])->{keys} } };

    my @keys = make($server, 'atlas');
    my @ids = $ids->('atlas');
    for my $n (2 .. 8) {
        my $r = answers($server, 201, "key $n", 'POST', 'partners/atlas/keys',
                        ('', '{}', ' { } ')[$n % 3]);
        is_deeply([ sort keys %{ $r->json } ], [qw(created expires id key last_used)],
                  '... told with id and times') if $n == 2;
        push @keys, shown($r->json->{key});
        push @ids, $r->json->{id};
    }
    is(join(' ', map { verdict(ask($server, $_)) } @keys), join(' ', (200) x 8), 'all eight work');
    is(join(' ', sort split ' ', $ids->('atlas')), join(' ', sort @ids), 'GET tells them all');
    my %unique = map { $_ => 1 } @ids;
    is(keys %unique, 8, 'and each has an id of its own');

    my @before = file_lines($server);
    answers($server, '409 conflict', 'there is no ninth', 'POST', 'partners/atlas/keys');
    answers($server, '409 conflict', 'nor by rotation', 'POST', 'partners/atlas/keys/rotate');
    is_deeply([ file_lines($server) ], \@before, 'nothing has changed');
    answers($server, 204, 'one is deleted', 'DELETE', "partners/atlas/keys/$ids[3]");
    at_door($server, $keys[3], '401 invalid_key', 'it is dead');
    at_door($server, $keys[$_], 200, 'its neighbour is not') for 2, 4;
    answers($server, '404 not_found', 'not twice', 'DELETE', "partners/atlas/keys/$ids[3]");
    shown(answers($server, 201, 'there is room', 'POST', 'partners/atlas/keys')->json->{key});
    answers($server, '404 not_found', 'an unknown key', 'DELETE', 'partners/atlas/keys/k1');
    answers($server, '404 not_found', 'an unknown partner', 'DELETE', 'partners/none/keys/k1');

    my $key = shown(answers($server, 201, 'who had none', 'POST',
                            'partners/bare/keys')->json->{key});
    at_door($server, $key, 200, 'has one');
    answers($server, 204, 'it is deleted', 'DELETE', 'partners/bare/keys/' . $ids->('bare'));
    is($ids->('bare'), '', 'and has none again');

    $key = shown(answers($server, 201, 'rotation makes room if all end', 'POST',
        'partners/eight/keys/rotate', { grace => '0' })->json->{key});
    at_door($server, $key, 200, 'the new one works');
    my @left = grep { verdict(ask($server, "key $_ of eight")) !~ /\A401/ } 1 .. 8;
    is("@left", '', 'none of the others does');

    $key = shown(answers($server, 201, 'an expired one makes room', 'POST',
        'partners/room/keys')->json->{key});
    at_door($server, $key, 200, 'the new one works');
    @left = grep { verdict(ask($server, "key $_ of room")) eq '200' } 1 .. 8;
    is("@left", '1 2 3 5 6 7', 'so do all that had not expired');

    at_door($server, 'made by hand', 200, 'a key of the id "rotate"');
    answers($server, 204, 'can be deleted', 'DELETE', 'partners/hand/keys/rotate');
    at_door($server, 'made by hand', '401 invalid_key', 'and is dead');
    answers($server, '404 not_found', 'and not there twice', 'DELETE', 'partners/hand/keys/rotate');
    at_door($server, 'the second', 200, 'the other one is not');
    is($server->reload, '', 'after a reload');
    at_door($server, $keys[3], '401 invalid_key', 'the dead are dead');
    at_door($server, $keys[4], 200, 'the others are not');
    ends_in_secrecy($server);
};


subtest 'rotation' => sub {
    local @ENV{qw(LD_PRELOAD WASSIIT_CLOCK)};
    my $now = 1_800_000_000;
    my $clock = Wassiit::Clock->new($now);
    my $server = start_with(
        { id => 'atlas', keys => [ hand_key('k1', 'an old key'),
            hand_key('soon', 'ends soon', expires => iso($now + 600)),
            hand_key('late', 'ends late', expires => iso($now + 1e6)),
            hand_key('gone', 'it is gone', expires => iso($now - 600)) ] },
        { id => 'brief', keys => [ hand_key('k1', 'ends anyway', expires => iso($now + 600)) ] },
        { id => 'over', keys => [ hand_key('k1', 'has ended', expires => iso($now - 600)) ] },
        map { { id => "p$_", keys => [ hand_key('k1', "key of p$_") ] } } 1 .. 9);
    my $rotate = sub {
        my ($id, $former, @body) = @_;
        my $r = answers($server, 201, "rotation of $id", 'POST', "partners/$id/keys/rotate", @body);
        is_deeply([ sort keys %{ $r->json } ], [qw(created expires former_expires id key last_used)],
                  '... tells the key, its id and times');
        is($r->json->{former_expires}, $former && iso($former), '... and when the last former one ends');
        return shown($r->json->{key});
    };
    my $expires = sub { map { $_->{expires} // '-' } @{ state_of($server, $_[0])->{keys} } };

    my $new = $rotate->('atlas', $now + 86400);
    is_deeply([ $expires->('atlas') ], [ iso($now + 86400), iso($now + 600), iso($now + 86400),
                                         iso($now - 600), '-' ],
              'a day is left, but to what ends sooner');
    is(join(' ', map { verdict(ask($server, $_)) } 'an old key', 'ends soon', 'ends late', $new),
       '200 200 200 200', 'all work');
    at_door($server, 'it is gone', '401 expired_key', 'but the one that had ended');

    my $n = 0;
    for my $row ([ '', 86400 ], [ '{}', 86400 ], [ '{"grace":"30m"}', 1800 ],
                 [ '{"grace":"24h"}', 86400 ], [ '{"grace":"90s"}', 90 ],
                 [ '{"grace":"10y"}', 315360000 ])
    {
        my ($body, $grace) = @$row;
        $rotate->('p' . ++$n, $now + $grace, $body);
        is(($expires->("p$n"))[0], iso($now + $grace), "... with '$body'");
    }

    $new = $rotate->('p7', undef, { grace => '0' });
    at_door($server, 'key of p7', '401 invalid_key', 'at once: the old one is refused');
    at_door($server, $new, 200, 'the new one works');
    my $newer = $rotate->('p7', undef, { grace => '0' });
    at_door($server, $new, '401 invalid_key', 'again: it is the old one now');
    at_door($server, $newer, 200, 'the newer works');

    $rotate->('brief', $now + 600, { grace => '1h' });
    is_deeply([ $expires->('brief') ], [ iso($now + 600), '-' ], 'all that it had ends sooner');
    $rotate->('over', undef, { grace => '1h' });
    is_deeply([ $expires->('over') ], [ iso($now - 600), '-' ], 'or has ended');

    my @before = file_lines($server);
    for my $bad (1440, '""', '"x"', '"-1"', '"11y"', '"1x"', 'null', 'true', '["24h"]',
                 '"99999999999999999999"', '"24h\u0000"')
    {
        my $r = answers($server, '400 invalid_payload', "grace $bad", 'POST',
                        'partners/p8/keys/rotate', "{\"grace\":$bad}");
        is(pointers($r), '#/grace', '... is what is wrong');
    }
    is_deeply([ file_lines($server) ], \@before, 'nothing has changed');

    $clock->set($now + 599);
    at_door($server, 'ends soon', 200, 'a second before its end');
    $clock->set($now + 600);
    at_door($server, 'ends soon', '401 expired_key', 'at its end');
    $clock->set($now + 1799);
    at_door($server, 'key of p3', 200, 'a second before the grace is over');
    $clock->set($now + 1800);
    at_door($server, 'key of p3', '401 expired_key', 'when it is');
    is($server->reload, '', 'after a reload');
    at_door($server, 'key of p3', '401 expired_key', 'it is, too');
    at_door($server, 'key of p1', 200, 'another is not yet');
    ends_in_secrecy($server);
};


# A key is made, and the clock isn't where it was any more.

subtest 'the wall clock is stepped back' => sub {
    local @ENV{qw(LD_PRELOAD WASSIIT_CLOCK)};
    my ($now, $day) = (1_800_000_000, 86400);
    my $clock = Wassiit::Clock->new($now);
    my $server = start_with({ id => 'atlas', keys => [ hand_key('k1', 'an old key') ] },
        { id => 'rif', keys => [ hand_key('k1', 'not yet', created => iso($now)) ] });
    my %key = (new => answers($server, 201, 'a partner', POST => 'partners', { id => 'new' })
                      ->json->{key});
    my $make = sub {
        my ($path, @body) = @_;
        return answers($server, 201, $path, POST => "partners/$path", @body)->json->{key};
    };

    $key{one} = $make->('rif/keys');
    $key{two} = $make->('atlas/keys/rotate', { grace => '1h' });
    my $all = sub {
        my ($what) = @_;
        is(join(' ', map { verdict(ask($server, $_)) } @key{qw(new one two)}, 'an old key'),
           '200 200 200 200', $what);
        at_door($server, 'not yet', '401 invalid_key', 'but one that has time yet');
    };

    for my $back (30, $day, 400 * $day) {
        $clock->set($now - $back);
        $all->("all keys work, $back seconds before");
    }

    $clock->set($now - $day);
    is($server->reload, '', 'a reload');
    $all->('they work');
    answers($server, 200, 'a change', PATCH => 'partners/rif', { name => 'Rif' });
    $all->('they work');
    $server->conf($CONF =~ s/api:4m/api:3m/r);
    is($server->reload, '', 'a reload with another size');
    $all->('they work');

    # one is ended: no clock brings it back
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
        is($server->reload, '', "a reload, with $size");
        at_door($server, $key{$which}, '401 invalid_key', 'a time that was set by hand');
        $clock->set($now - 10);
        at_door($server, $key{$which}, 200, 'until it comes');
    }
    $server->stop;
};


subtest 'what is wrong is named' => sub {
    my $server = start_with(partner('atlas', 'key of atlas'));
    my @before = file_lines($server);

    my @fields = (
        [ '"name":1', '#/name' ], [ '"name":""', '#/name' ], [ '"name":"a\u0000b"', '#/name' ], [ '"name":"a\nb"', '#/name' ],
        [ '"name":"' . 'n' x 129 . '"', '#/name' ],
        (map { [ qq("name":"a\\u${_}b"), '#/name' ] } qw(0085 009b 2028 202e 2066)),
        [ '"scopes":["files.send","no"]', '#/scopes/1' ],
        [ '"scopes":["files.send","files.send","no"]', '#/scopes/2' ],
        [ '"scopes":["a",1,"files.send",null,["files.send"]]',
          '#/scopes/0 #/scopes/1 #/scopes/3 #/scopes/4' ],
        [ '"scopes":"files.send"', '#/scopes' ], [ '"scopes":null', '#/scopes' ],
        [ '"scopes":{"0":"files.send"}', '#/scopes' ],
        [ '"scopes":["files.send\u0000"]', '#/scopes/0' ],
        [ '"rate":5', '#/rate' ], [ '"rate":"0r/m"', '#/rate' ],
        [ '"rate":"1000001r/m"', '#/rate' ], [ '"rate":"5r/w"', '#/rate' ],
        [ '"rate":"5r/m "', '#/rate' ], [ '"rate":""', '#/rate' ],
        [ '"keys":[]', '#/keys' ], [ '"hmac_secret":"c2VjcmV0"', '#/hmac_secret' ],
        [ '"deleted":true', '#/deleted' ], [ '"Name":"x"', '#/Name' ], [ '"a/b":1', '#/a~1b' ],
        [ '"name":1,"rate":1,"no":1', '#/name #/rate #/no' ]);

    my @create = (
        [ '"id":"new","name":null,"rate":null', '#/name #/rate' ],
        [ '', '#/id' ], [ '"id":null', '#/id' ], [ '"id":7', '#/id' ], [ '"id":""', '#/id' ],
        [ '"id":"Atlas"', '#/id' ], [ '"id":"' . 'a' x 65 . '"', '#/id' ], [ '"id":"a/b"', '#/id' ],
        [ '"id":"."', '#/id' ], [ '"id":".."', '#/id' ], [ '"id":"a b"', '#/id' ],
        [ '"id":"a\u0000"', '#/id' ], [ '"id":"\u00e9"', '#/id' ],
        [ '"id":"new","enabled":false', '#/enabled' ],
        [ '"enabled":1,"id":"X"', '#/enabled #/id' ],
        map { [ "\"id\":\"new\",$_->[0]", $_->[1] ] } @fields);
    my @patch = (
        @fields, [ '"enabled":1', '#/enabled' ], [ '"enabled":"true"', '#/enabled' ],
        [ '"enabled":null', '#/enabled' ], [ '"id":"atlas"', '#/id' ]);
    my @none = ([ '"id":"x"', '#/id' ], [ '"grace":"24h"', '#/grace' ], [ '"x":1', '#/x' ]);

    for my $request ([ 'POST', 'partners', @create ], [ 'PATCH', 'partners/atlas', @patch ],
                     [ 'POST', 'partners/atlas/keys', @none ],
                     (map { [ 'POST', "partners/atlas/$_", $none[0], $none[2] ] }
                         qw(hmac_secret webhook_secret keys/rotate)))
    {
        my ($method, $path, @rows) = @$request;

        for my $row (@rows) {
            my $r = answers($server, '400 invalid_payload', "$method $path {" . substr($row->[0],
                            0, 40) . '}', $method, $path, "{$row->[0]}");
            is(pointers($r), $row->[1], "... at $row->[1]");
            is($r->header('Content-Type'), 'application/problem+json', '... a problem')
                unless $row->[0];
        }

        for my $row ([ 'an array', '[]' ], [ 'a string', '"id"' ], [ 'null', 'null' ],
                     [ 'no JSON', '{id:1}' ], [ 'cut off', '{"name":"x"' ],
                     [ 'more behind', '{} {}' ], [ 'no UTF-8', "{\"name\":\"\xff\"}" ],
                     [ 'a key twice', '{"name":"a","name":"a"}' ],
                     [ 'too deep', '{"a":' x 40 . '1' . '}' x 40 ])
        {
            my ($what, $body) = @$row;
            my $r = answers($server, '400 invalid_payload', "$method $path: $what", $method,
                            $path, $body);
            is(pointers($r), '#', '... all of it');
        }
    }

    for my $request ([ 'POST', 'partners' ], [ 'PATCH', 'partners/atlas' ]) {
        my $r = answers($server, '400 invalid_payload', "@$request: no body", @$request, $_)
            for undef, '', "  \n";
    }

    my $long = answers($server, '400 invalid_payload', 'a field with a long name', 'PATCH',
                       'partners/atlas', { 'x' x 2000 => 1 });
    like(pointers($long), qr{\A#}, '... is not named, but told of');
    is_deeply([ file_lines($server) ], \@before, 'nothing has changed');
    at_door($server, 'key of atlas', 200, 'for anyone');

    my $r = call($server, 'POST', 'partners', { id => 'X', no => 1 }, below => '/form/');
    my $envelope = $r->json;
    is($r->status, 400, 'where envelopes are asked for');
    is($r->header('Content-Type'), 'application/json', 'it is none of a problem');
    is(join(' ', sort map { $_->{pointer} } @{ (delete $envelope->{data})->{errors} }),
       '#/id #/no', 'with what is wrong');
    is_deeply($envelope, { success => $OFF, status => 400, message => 'invalid_payload' },
              'in the form of an envelope');

    for my $row ([ 404, 'not_found', 'GET', 'partners/none' ], [ 404, 'not_found', 'GET', 'x' ],
                 [ 405, 'method_not_allowed', 'PUT', 'partners' ],
                 [ 409, 'conflict', 'POST', 'partners', { id => 'atlas' } ],
                 [ 400, 'bad_request', 'GET', 'partners?limit=0' ],
                 [ 413, 'too_large', 'POST', 'partners', ' ' x 70000 ])
    {
        my ($status, $code, $method, $path, $body) = @$row;
        my $r = call($server, $method, $path, $body, below => '/form/');
        is($r->status . ' ' . ($r->header('Cache-Control') // ''), "$status no-store",
           "$method $path");
        my $got = $r->json;
        my $data = delete $got->{data};
        is_deeply($got, { success => $OFF, status => $status, message => $code }, '... an envelope');
        like($data->{detail}, qr/\w.*\./, '... which says what was wrong');
    }
    ends($server);
};


subtest 'paths and methods' => sub {
    my $server = start_with(partner('atlas', 'key of atlas'));
    my @before = file_lines($server);

    for my $path ('', 'partner', 'partnersx', 'Partners', 'partners/', 'partners/atlas/',
                  'partners/atlas/key', 'partners/atlas/keys/', 'partners/atlas/keys/k1/',
                  'partners/atlas/keys/k1/x', 'partners/atlas/keys/rotate/x',
                  'partners/atlas/rotate', 'partners/atlas/hmac_secret/',
                  'partners/atlas/hmac_secret/x', 'partners/atlas/hmac', 'x/partners',
                  'partners/%2e%2e', 'partners/a%2Fb', 'partners/../x')
    {
        for my $method (qw(GET POST DELETE PATCH)) {
            answers($server, '404 not_found', "$method /admin/$path", $method, $path,
                    $method eq 'GET' ? undef : '{"name":"x"}');
        }
    }

    for my $row ([ 'partners', qw(GET HEAD POST) ],
                 [ 'partners/atlas', qw(DELETE GET HEAD PATCH) ],
                 [ 'partners/none', qw(DELETE GET HEAD PATCH) ],
                 [ 'partners/atlas/keys', 'POST' ], [ 'partners/atlas/keys/k1', 'DELETE' ],
                 [ 'partners/atlas/keys/rotate', qw(DELETE POST) ],
                 [ 'partners/atlas/hmac_secret', 'POST' ],
                 [ 'partners/atlas/webhook_secret', 'POST' ])
    {
        my ($path, @allowed) = @$row;

        for my $method (qw(GET HEAD POST PUT PATCH DELETE OPTIONS MKCOL)) {
            next if grep { $_ eq $method } @allowed;
            my $r = call($server, $method, $path, $method eq 'PUT' ? '{}' : undef);
            is($r->status . ' ' . ($r->header('Cache-Control') // ''), '405 no-store',
               "$method $path");
            is(join(' ', sort split /,\s*/, $r->header('Allow') // ''), "@allowed",
               '... and what is allowed');
            is($method eq 'HEAD' ? $r->body : $r->json->{code},
               $method eq 'HEAD' ? '' : 'method_not_allowed', '... as a problem');
        }
    }

    my @bad = ('A', 'a' x 65, 'a%20b', 'a%22b', '%c3%a9', 'a:b', 'a,b');
    for my $id (@bad) {
        my $what = substr $id, 0, 12;
        answers($server, '400 bad_request', "GET $what", 'GET', "partners/$id");
        answers($server, '400 bad_request', "PATCH $what", 'PATCH', "partners/$id", '{}');
        answers($server, '400 bad_request', "DELETE $what", 'DELETE', "partners/$id");
        answers($server, '400 bad_request', "a key of $what", 'POST', "partners/$id/keys", '{}');
        answers($server, '400 bad_request', "a key $what", 'DELETE', "partners/atlas/keys/$id");
    }
    answers($server, '404 not_found', 'the longest id', 'GET', 'partners/' . 'a' x 64);

    answers($server, 200, 'an escaped path is the same', 'GET', '%70artners/%61tlas');
    answers($server, 200, 'a location without a slash', 'GET', 'partners/atlas', undef,
            below => '/page/');
    answers($server, '404 not_found', 'but none that begins so', 'GET', 'partners', undef,
            below => '/page');
    is_deeply([ file_lines($server) ], \@before, 'nothing has changed');
    ends($server);
};


subtest 'large bodies' => sub {
    my $server = start_with(partner('atlas', 'key of atlas'));
    my $size = 65536;
    my $n = 0;
    my $body = sub { my $text = $JSON->encode($_[0]); $text . ' ' x ($_[1] - length $text) };

    for my $chunked (0, 1) {
        my $how = $chunked ? 'in chunks' : 'with its length';

        for my $more (0, 1, 4000, 400_000) {
            my $expected = $more ? '413 too_large' : 201;
            my $new = $body->({ id => 'new' . ++$n }, $size + $more);

            my $r = answers($server, $expected, "$more more than fit, $how", 'POST', 'partners',
                            $new, chunked => $chunked);
            shown($r->json->{key}) unless $more;
            answers($server, $more ? '413 too_large' : 200, '... PATCH', 'PATCH',
                    'partners/atlas', $body->({ name => "n$n" }, $size + $more),
                    chunked => $chunked);
            answers($server, $more ? '404 not_found' : 200, '... is it there', 'GET',
                    "partners/new$n");

            for my $path ('partners', 'partners/atlas/keys', 'none', 'partners/BAD/keys') {
                my $client = Wassiit::Client->new($server->port(2));
                my $first = $client->request(request('POST', $path, $new, chunked => $chunked));
                ok($first->status >= 400, "... POST $path is refused");
                my $next = ($first->header('Connection') // '') eq 'close' ? undef
                           : $client->request(request('GET', 'partners/atlas'));
                ok($next ? $next->status == 200 : $client->is_closed,
                   '... and the connection goes on or ends')
                    or diag($first->head, $next ? $next->head : 'and no more');
            }
        }
    }
    is(state_of($server, 'atlas')->{name}, 'n5', 'what fits was done');
    is(@{ state_of($server, 'atlas')->{keys} }, 1, 'and nothing else');

    # nginx's own limit, which is none here, and the operator's page for it
    for my $chunked (0, 1) {
        answers($server, '413 too_large', "nginx's own limit" . ($chunked ? ', in chunks' : ''),
                'POST', 'partners', $body->({ id => 'large' }, $size + 1), below => '/page/',
                chunked => $chunked);
    }

    # what fits as a body, but not as a line, and says the same as less would
    my @many = ('files.send') x 5000;
    my $r = answers($server, 201, 'a scope five thousand times', 'POST', 'partners',
                    { id => 'many', scopes => \@many });
    shown($r->json->{key}) if $r->status == 201;
    my $fill = $size - length $JSON->encode({ id => 'most', scopes => [] });
    $r = answers($server, 201, 'as often as the body holds', 'POST', 'partners',
                 { id => 'most', scopes => [ ('files.send') x int($fill / length '"files.send",') ] });
    is_deeply($r->json->{scopes}, ['files.send'], 'it is one scope');
    shown($r->json->{key}) if $r->status == 201;
    answers($server, 200, 'a change of who was there is no problem', 'PATCH', 'partners/atlas',
            { name => 'as before' });
    ends_in_secrecy($server);
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
    my @r = flood($server->port(2), map { +{ request('POST', 'partners', { id => "p$_" }) } }
                                    (1 .. 30, (31) x 10));
    is(join(' ', map { $_->status } @r[0 .. 29]), join(' ', (201) x 30), '30 at once');
    is(join(' ', sort map { $_->status } @r[30 .. 39]), join(' ', 201, (409) x 9),
       'of ten that want one id, one gets it');
    is(@{ call($server, 'GET', 'partners')->json->{partners} }, 31, 'all are there');
    my @keys = map { shown($_->json->{key}) } grep { $_->status == 201 } @r;
    is(join(' ', map { verdict(ask($server, $_)) } @keys), join(' ', (200) x 31), 'and let in');

    @r = flood($server->port(2), map { +{ request('POST', 'partners/p1/keys') } } 1 .. 12);
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

    is($server->reload, '', 'after a reload');
    is(@{ call($server, 'GET', 'partners')->json->{partners} }, 32, 'they are there');
    is(join(' ', map { verdict(ask($server, $_)) } @keys), join(' ', (200) x 31), 'and let in');
    ends_in_secrecy($server);
};

subtest 'a body is never taken for a request' => sub {
    my $server = start_with(partner('atlas', 'key of atlas'));
    my $within = Wassiit::Client->request_bytes(request('DELETE', 'partners/atlas'));

    for my $row ([ 'POST', 'partners' ], [ 'PATCH', 'partners/atlas' ], [ 'PUT', 'partners' ],
                 [ 'GET', 'partners' ], [ 'GET', 'partners/none' ], [ 'GET', 'partners?limit=0' ],
                 [ 'POST', 'none' ], [ 'DELETE', 'partners/none' ], [ 'DELETE', 'partners/BAD' ],
                 [ 'POST', 'partners/BAD/keys' ], [ 'PATCH', 'partners/BAD' ],
                 [ 'POST', 'partners/BAD/keys/rotate' ], [ 'POST', 'partners/atlas/keys' ],
                 [ 'DELETE', 'partners/atlas/keys/BAD' ], [ 'GET', 'partners/BAD' ])
    {
        my ($method, $path) = @$row;

        for my $chunked (0, 1) {
            my $how = "$method $path" . ($chunked ? ', in chunks' : '');
            my $client = Wassiit::Client->new($server->port(2));
            $client->request(request($method, $path, $within, chunked => $chunked));
            my $next = $client->is_closed(0) ? undef
                       : $client->request(request('GET', 'partners'));
            ok(!$next || $next->status == 200, "$how: the next answer is of the next request")
                or diag($next->head);
        }
    }

    at_door($server, 'key of atlas', 200, 'what stood in a body was not done');
    ends($server);
};


subtest 'no room' => sub {
    my $server = start_with_zone('32k', partner('atlas', 'key of atlas', rate => '70r/h'));
    my ($n, $r) = 0;

    do { $r = call($server, 'POST', 'partners', { id => 'p' . ++$n, rate => '70r/h' }) }
        while $r->status == 201 && $n < 200;
    is(outcome($r), '507 insufficient_storage', "the zone is full with $n");
    my @before = file_lines($server);
    answers($server, '507 insufficient_storage', 'so it stays', 'POST', 'partners',
            { id => "p$n", rate => '70r/h' });
    answers($server, '507 insufficient_storage', 'a window that takes more', 'PATCH',
            'partners/atlas', { rate => '10000r/h' });
    is_deeply([ file_lines($server) ], \@before, 'nothing has changed');
    answers($server, '404 not_found', 'who found no room is not there', 'GET', "partners/p$n");
    is(state_of($server, 'atlas')->{rate}, '70r/h', 'and atlas is what it was');
    at_door($server, 'key of atlas', 200, 'for its requests, too');

    answers($server, 204, "p$_ goes", 'DELETE', "partners/p$_") for 1 .. 3;
    ok(wait_for { call($server, 'POST', 'partners', { id => 'late', rate => '70r/h' })->status
                  == 201 }, 'then there is room');
    is($server->reload, '', 'and the file can be loaded');
    answers($server, 200, 'with the late one', 'GET', 'partners/late');
    ends($server);
};


subtest 'a file that can not be written' => sub {
    my $server = start_with(partner('atlas', 'key of atlas'));
    my $path = $server->dir . "/conf/$FILE";
    $server->{allow_log} = qr/\[crit\].*partners\.jsonl/;

    chmod 0400, $path or die "$path: $!";
    answers($server, '507 insufficient_storage', "@$_", @$_)
        for [ 'POST', 'partners', { id => 'rif' } ], [ 'DELETE', 'partners/atlas' ],
            [ 'PATCH', 'partners/atlas', { enabled => $OFF } ],
            [ 'POST', 'partners/atlas/keys/rotate', { grace => '0' } ];
    at_door($server, 'key of atlas', 200, 'nothing has changed');
    answers($server, '404 not_found', 'no one has come', 'GET', 'partners/rif');
    like($server->error_log, qr/\[crit\].*partners\.jsonl.*Permission denied/, 'the log tells why');

    chmod 0600, $path or die "$path: $!";
    answers($server, 204, 'it can be again', 'DELETE', 'partners/atlas');
    at_door($server, 'key of atlas', '401 invalid_key', 'and all is as ever');
    ends($server);
};


subtest 'by HTTP/2' => sub {
    my $server = start_with();
    my $ask = sub {
        my ($method, $path, $body) = @_;
        my $r = curl('--http2-prior-knowledge', '-H', "X-API-Key: $OPERATOR",
                     $method eq 'HEAD' ? '-I' : ('-X', $method),
                     defined $body ? ('--data-binary', $body) : (),
                     'http://127.0.0.1:' . $server->port(4) . "/admin/$path");
        is($r->exit_code, 0, "$method $path is answered") or diag($r->error);
        return $r;
    };

    my $r = $ask->('POST', 'partners', '{"id":"atlas"}');
    is(outcome($r), 201, 'a partner is made');
    at_door($server, $r->json->{key}, 200, 'its key works');
    is(outcome($ask->('HEAD', 'partners/atlas')), 200, 'HEAD');
    is(outcome($ask->('POST', 'partners/atlas/keys')), 201, 'a key without a body');
    is(outcome($ask->('POST', 'partners/BAD/keys')), '400 bad_request', 'a bad id');
    is(outcome($ask->('PUT', 'partners')), '405 method_not_allowed', 'a method');

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
    is(outcome($ask->('DELETE', 'partners/atlas')), 204, 'it goes');
    ends($server);
};


subtest 'a body that is refused half-way is followed by no request' => sub {
    my $server = start_with(partner('atlas', 'key of atlas'));
    my $chunk = sub { sprintf("%x\r\n", length $_[0]) . "$_[0]\r\n" };
    my $head = "Host: localhost\r\nX-API-Key: $OPERATOR\r\n";
    my $hidden = "DELETE /admin/partners/atlas HTTP/1.1\r\n$head\r\n";

    for my $size (65537, 65600, 66000, 66500, 90000) {
        my $client = Wassiit::Client->new($server->port(2));
        my $spaces = ' ' x $size;

        $client->send("POST /admin/partners HTTP/1.1\r\n${head}Transfer-Encoding: chunked\r\n\r\n"
            . join('', map { $chunk->($_) } $spaces =~ /.{1,1000}/g) . "0\r\n\r\n"
            . "POST /admin/partners HTTP/1.1\r\n${head}Content-Length: 20000\r\n\r\n"
            . substr($hidden . "\r\n" x 10000, 0, 20000));
        is(outcome($client->response), '413 too_large', "$size bytes");
        ok($client->is_closed, 'and the connection ends');
    }
    answers($server, 200, 'what was hidden in a body was not done', 'GET', 'partners/atlas');
    ends($server);
};


subtest 'a body that was looked at before' => sub {
    my $server = start_with(partner('atlas', 'key of atlas'));
    my $ask = sub {
        my ($path, $body) = @_;
        return http($server->port(2), request('POST', $path, $body, below => '/verified/'),
                    headers => [ 'X-API-Key' => $OPERATOR, 'X-WASSIIT-Signature' =>
                                 Digest::SHA::hmac_sha256_hex($body, 'a hook') ]);
    };

    is(outcome($ask->('partners/atlas/keys/rotate', '{"bogus":"0"}')), '400 invalid_payload',
       'an unknown field');
    is(outcome($ask->('partners/atlas/hmac_secret', 'no json')), '400 invalid_payload', 'no JSON');
    is(outcome($ask->('partners/atlas/keys/rotate', ' ' x 65537)), '413 too_large', 'too much');

    my $r = $ask->('partners/atlas/keys/rotate', '{"grace":"0"}');
    is(outcome($r), 201, 'a rotation at once');
    shown($r->json->{key});
    at_door($server, 'key of atlas', '401 invalid_key', 'is one at once');
    ends_in_secrecy($server);
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
    is($server->reload, '', 'the zone gets another file, its file another zone');

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
    is($server->reload, '', 'it loads');
    answers($server, 200, "change $_", 'PATCH', 'partners/atlas', { name => "no. $_" }) for 1 .. 8;
    ok(wait_for { 7 > (() = file_lines($server)) }, 'lines that count no more go');
    is(state_of($server, $_)->{id}, $_, "$_ is there") for qw(atlas rif);
    is($server->reload, '', 'it loads again');
    at_door($server, 'key of rif', 200, 'with who was last in it');
    unlike($server->error_log, qr/another program/, 'nobody else has changed it');
    ends($server);
};


subtest 'other conditions than If-Match are of answers that may be kept' => sub {
    my $server = start_with(partner('atlas', 'key of atlas'));
    my @conditions = (['If-None-Match' => '*'],
                      ['If-Unmodified-Since' => 'Thu, 01 Jan 1970 00:00:00 GMT']);

    for my $condition (@conditions) {
        my $r = http($server->port(2), request('PATCH', 'partners/atlas', { name => 'new' }),
                     headers => [ 'X-API-Key' => $OPERATOR, @$condition ]);
        is(outcome($r), 200, "$condition->[0]: what is done is told");
    }
    ends($server);
};

done_testing;
