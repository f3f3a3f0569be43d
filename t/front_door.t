#!/usr/bin/env perl
# conf/nginx.conf and conf/sandbox.conf, as an operator finds them: what a backend
# sees, who may operate and what the audit log has of it, TLS. (What partners get is
# in t/door_*.t.)

use strict;
use warnings;

use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Test::More;

my $api = '/api/partner/v1';
my @backends;
my %people = door_people();
my %key = %{ $people{keys} };
my %secret = %{ $people{secrets} };

END { my $exit = $?; stop_backend($_) for @backends; $? = $exit }

sub start { return start_door($_[0], partners => $people{partners}, @_[1 .. $#_]) }


# ---- all of it is taken without a word, also with what is ready to be uncommented

for my $with ('as it is', 'with cors.conf') {
    my $conf = door_text('nginx.conf');
    $conf =~ s{# (?=include cors)}{}g if $with ne 'as it is';
    my ($exit, $said) = nginx_test(door_moved($conf, 'quiet'), files => {
        door_files('quiet', partners => $people{partners}),
        map { ($_ => door_text($_)) } qw(cors.conf cors_headers.conf) });
    is($exit, 0, "$with: nginx -t");
    unlike($said, qr{\[warn\] could not build}, '... finds room for its names');
}


# ---- a backend that tells what it was sent

sub start_backend {
    my ($path) = @_;
    my $listen = IO::Socket::UNIX->new(Local => $path, Listen => 16)
        or die "$path: $!";
    chmod 0666, $path or die "$path: $!";

    my $pid = fork // die "fork: $!";
    return push @backends, $pid if $pid;

    while (my $client = $listen->accept) {
        my $got = '';
        1 while $got !~ /\r\n\r\n/ && sysread $client, $got, 65536, length $got;
        my ($head, $body) = split /\r\n\r\n/, $got, 2;
        my $length = $head =~ /^content-length: *(\d+)/mi ? $1 : 0;
        1 while length $body < $length
                && sysread $client, $body, 65536, length $body;

        my $json = encode_json({ head => $head, body => $body });
        my $status = $head =~ /[?]answer=(\d+)/ ? $1 : 200;
        syswrite $client, "HTTP/1.1 $status OK\r\nContent-Length: "
            . length($json) . "\r\nConnection: close\r\n\r\n$json";
        close $client;
    }
    POSIX::_exit(0);
}

sub stop_backend { kill 'TERM', $_[0]; waitpid $_[0], 0 }


# ---- answers

sub is_problem {
    my ($r, $status, $code, $name) = @_;
    my $got = eval { $r->json } // {};

    is($r->status, $status, "$name: status");
    is($r->header('Content-Type'), 'application/problem+json', "$name: type");
    is_deeply([ @$got{qw(status code)} ], [ $status, $code ], "$name: code");
    is($got->{instance}, $r->header('X-Request-ID'), "$name: instance");
}

sub is_envelope {
    my ($r, $status, $code, $name) = @_;

    is($r->status, $status, "$name: status");
    is($r->header('Content-Type'), 'application/json', "$name: type");
    my $got = eval { $r->json } // {};
    my $data = delete $got->{data} // {};
    is_deeply($got, { success => JSON::PP::false, status => $status, message => $code },
              "$name: envelope");
    isnt($data->{detail} // '', '', "$name: detail");
    is($data->{instance}, $r->header('X-Request-ID'), "$name: instance");
}

my $s = start('main');

# Who has a secret signs what goes to wap.cm.

sub ask {
    my ($method, $uri, $who, %more) = @_;
    my @headers = @{ delete $more{headers} // [] };

    if (defined $who) {
        unshift @headers, 'X-API-Key' => $key{$who};
        unshift @headers, 'X-API-Timestamp' => time,
            'X-API-Signature' => signature($secret{$who}, $key{$who}, time)
            if $uri =~ m{^/automation\b} && $secret{$who};
    }

    if ($method =~ /^P/) {
        my ($body, $type) = payload($uri);
        unshift @headers, 'Content-Type' => $type;
        $more{body} //= $body;
    }

    return http($s->port, method => $method, uri => $uri, headers => \@headers, %more);
}


# What stands behind a body that isn't read to its end is no request.

for my $path ('/automation/', "$api/messages", "$api/messages/audio") {
    my $post = "POST $path HTTP/1.1\r\nHost: a\r\nX-API-Key: $key{all}\r\n";
    my $type = "Content-Type: multipart/form-data; boundary=edge\r\n";
    my $next = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    my $part = "--edge\r\nnonsense\r\n\r\n";

    for my $row ([ 'two keys, and no chunk', "X-API-Key: $key{all}\r\nTransfer-Encoding: chunked\r\n\r\n$next" ],
                 $path =~ /audio/
                 ? ([ 'half a form', "${type}Content-Length: 9000\r\n\r\n$part$next" ],
                    [ 'half a form in chunks', "${type}Transfer-Encoding: chunked\r\n\r\n"
                                               . sprintf("%x\r\n%s\r\n", length $part, $part) . $next ]) : ())
    {
        my ($name, $bytes) = @$row;
        my $client = Wassiit::Client->new($s->port);
        $client->send($post . $bytes);
        is($client->response->status, 400, "$path: $name");
        ok($client->is_closed && $client->{buffer} eq '', "$path: $name: what follows is not answered");
    }
}


# ---- the sandbox itself

my $socket = test_dir() . '/main-messaging.sock';
my $r = http($socket, uri => "$api/calls");
is($r->status . $r->body, '405{"error":"method_not_allowed"}',
   'sandbox: a wrong method');
is(http($socket, uri => '/x')->body, '{"error":"not_found"}',
   'sandbox: an unknown path');
$socket = test_dir() . '/main-wapcm.sock';
$r = http($socket, uri => '/automation/');
is($r->json->{message}, 'method_not_allowed', 'sandbox: wap.cm');

# The sandbox's wap.cm takes nobody's word for it.

my @contract = @Contract{qw(key secret)};

for my $row ([ 'the contract', 200, @contract, 0 ],
             [ 'a partner', '401 invalid_key', $key{all}, $secret{all}, 0 ],
             [ 'another secret', '401 invalid_signature', $Contract{key}, $secret{all}, 0 ],
             [ 'an old signature', '401 stale_timestamp', @contract, -400 ])
{
    my ($name, $expected, $key, $with, $off) = @$row;
    my $time = time + $off;
    $r = http($socket, method => 'POST', uri => '/automation/', body => '{}', headers => [
        'X-API-Key' => $key, 'X-API-Timestamp' => $time,
        'X-API-Signature' => signature($with, $key, $time) ]);
    is($r->status == 200 ? 200 : $r->status . ' ' . $r->json->{message}, $expected, "sandbox: $name");
}

$s->stop;


# ---- what a backend sees

{
    my $dir = test_dir();
    start_backend("$dir/seen-messaging.sock");
    start_backend("$dir/seen-wapcm.sock");

    $s = start('seen', sandbox => '');
    my @claims = ('X-Wassiit-Partner' => 'boss', 'x-wassiit-partner' => 'big',
                  'X_Wassiit_Partner' => 'boss', 'X-Request-ID' => 'mine',
                  'X-Forwarded-For' => '10.9.8.7', 'X_API_Key' => 'other');
    my @signs = ('X-API-Timestamp' => '1', 'x-api-SIGNATURE' => 'c2ln');

    my $seen = sub {
        my ($r) = @_;
        is($r->status, 200, 'the backend is asked');
        my ($line, @head) = split /\r\n/, $r->json->{head};
        my %head;
        /\A(.*?): *(.*)\z/ && push @{ $head{lc $1} }, $2 for @head;
        return ($line, \%head, $r->json->{body});
    };

    my $odd = "\n{ \"text\":\"\xc3\xa9\\u0000\\/\" , \"x\":[1e0],\t\"to\":\"+2126\\u0030\\u00300000\"}\r\n ";
    my $r = ask('POST', "$api/messages?a=b%20c", 'all', headers => [ @claims, @signs ],
                body => $odd);
    my ($line, $head, $body) = $seen->($r);

    is($line, "POST $api/messages?a=b%20c HTTP/1.1", 'path and query');
    is_deeply($head->{'x-wassiit-partner'}, ['all'], 'the partner, by us');
    is_deeply($head->{'x-request-id'}, [ $r->header('X-Request-ID') ],
              "the request's id, by us");
    is_deeply($head->{'x-forwarded-for'}, ['127.0.0.1'], 'the address, by us');
    is_deeply([ grep { /api.key|timestamp|signature|_/ } keys %$head ], [],
              'no credentials');
    unlike($r->json->{head}, qr/\Q$key{all}\E/, 'nor the key anywhere else');
    is($body, $odd, 'the body, untouched');

    ($line) = $seen->(ask('GET', "$api/webhooks/..%2fmessages/1",
                          'only-messages.send'));
    is($line, "GET $api/messages/1 HTTP/1.1",
       'the path by which the scope was chosen');
    is_problem(ask('GET', "$api/webhooks/..%2fmessages/1",
                   'only-webhooks.manage'), 403, 'insufficient_scope',
               'another spelling is another path');

    ($line, $head) = $seen->(ask('POST', '/automation/?test=1&b=%2f', 'all',
                                 headers => \@claims));
    is($line, 'POST /automation/?test=1&b=%2f HTTP/1.1',
       'wap.cm: path and query');
    is_deeply([ grep { /wassiit|forwarded|_/ } keys %$head ], [], 'wap.cm: no partner');
    my ($time) = @{ $head->{'x-api-timestamp'} };
    ok(abs($time - time) <= 5, 'wap.cm: our time');
    is_deeply([ @$head{qw(x-api-key x-api-signature)} ],
              [ [$Contract{key}], [ signature(@Contract{qw(secret key)}, $time) ] ],
              'wap.cm: our key and signature, and no others');

    # what it answers, whatever its code

    for my $status (200, 400, 404, 429, 500) {
        $r = ask('POST', "/automation/?answer=$status", 'all');
        is($r->status, $status, "wap.cm: $status passes");
        is($r->json->{head} =~ /answer=$status/, 1, "wap.cm: $status, its own body");
    }

    stop_backend($_) for splice @backends;
    $s->stop;
}


# ---- operators: who may look, who may change, and the log of changes

{
    my %operator = map { $_ => make_key("operator $_") } qw(reads manages both neither);
    my %held = (reads => ['partners.read'], manages => ['partners.manage'], neither => [],
                both => [ 'partners.read', 'partners.manage', 'messages.send' ]);
    $s = start('operators', files => { 'operators.jsonl' => [
        map { partner($_, $operator{$_}, scopes => $held{$_}) } sort keys %operator ] });

    my $admin = sub {
        my ($who, $method, $path, $body) = @_;
        return http($s->port(2), method => $method, uri => "/admin/partners$path",
                    headers => [ defined $who ? ('X-API-Key' => $operator{$who}) : () ],
                    defined $body ? (body => encode_json($body)) : ());
    };
    my $wants = sub { join ' ', @{ $_[0]->json->{required_scopes} // [] } };

    for my $who (qw(reads manages both)) {
        is($admin->($who, $_->[0], $_->[1])->status, 200, "who $who: $_->[0] $_->[1]")
            for [ GET => '' ], [ GET => '/all' ], [ HEAD => '' ], [ HEAD => '/all' ],
                [ GET => '?q=all' ];
    }
    is($wants->($admin->('neither', GET => $_)), 'partners.read', "who holds neither: GET $_")
        for '', '/all', '/nobody';
    is($admin->('neither', HEAD => '')->status, 403, 'HEAD, too');

    my @changes = ([ POST => '', { id => 'new' } ], [ PATCH => '/new', { name => 'New' } ],
                   [ POST => '/new/keys' ], [ POST => '/new/keys/rotate' ],
                   [ POST => '/new/hmac_secret' ], [ POST => '/new/webhook_secret' ],
                   [ DELETE => '/new/keys/none' ], [ DELETE => '/new' ]);
    my @lines;
    my $log = sub {
        open my $in, '<:raw', $s->dir . '/logs/audit.log' or return;
        return <$in>;
    };

    # A worker writes its line when it has answered, and another one may be faster.
    my $line = sub {
        push @lines, [@_];
        wait_for { @lines <= (my @seen = $log->()) };
    };

    for my $who (qw(reads neither manages both)) {
        for my $change (@changes) {
            my ($method, $path, $body) = @$change;
            my $r = $admin->($who, $method, $path, $body);
            my $may = $who =~ /manages|both/;

            is($r->status == 403 ? $wants->($r) : 'may', $may ? 'may' : 'partners.manage',
               "who $who: $method $path");
            $line->($who, $r->status, !$may || $path =~ /none/ ? 'refused' : 'done');
        }
    }
    is($admin->(undef, DELETE => '/all')->status, 401, 'without a key');
    $line->('', 401, 'refused');
    is($admin->('reads', PUT => '/all')->status, 403, 'another method is no way to look');
    is($admin->('reads', GET => '/all')->json->{id}, 'all', 'all is there');

    my @seen = map { decode_json($_) } $log->();
    is_deeply([ map { [ @$_{qw(operator status result)} ] } @seen ], \@lines,
              'who asked, and what came of it');
    is(join(' ', map { $_->{operation} } @seen[ 0 .. 7 ]), 'partner_create partner_patch key_create '
       . 'key_rotate hmac_secret webhook_secret key_revoke partner_delete', 'what it was');
    is($seen[6]{key_id}, 'none', 'of which key');
    like($seen[18]{key_id}, qr/\Ak[0-9a-f]{8}\z/, 'also of one that was made');
    is(join(' ', sort keys %{ $seen[0] }), 'change key_id operation operator operator_key_id '
       . 'partner remote_addr request_id result status time', 'all that it has');
    is($seen[0]{operator_key_id}, 'k1', 'by which key');
    is_deeply([ map { $_->{change} } @seen[ 16 .. 23 ] ],
              [ '{"id":"new"}', '{"name":"New"}', '', ('{"grace":"24h"}') x 3, '', '' ],
              'what was asked for');
    is($s->access_log =~ s/"(?:GET|HEAD|PUT) .*\n//gr =~ tr/\n//, @lines,
       'the access log has them, too');
    $s->stop;
}


# ---- the TLS block, uncommented as it says

SKIP: {
    my $dir = test_dir();
    skip 'no openssl command', 3
        if system("openssl req -x509 -newkey rsa:2048 -nodes -days 2"
                  . " -subj /CN=localhost -keyout $dir/cert.key"
                  . " -out $dir/cert.pem > /dev/null 2>&1");
    my ($cert, $private) = map {
        open my $in, '<', "$dir/cert.$_" or die "cert.$_: $!";
        local $/;
        scalar <$in>;
    } qw(pem key);

    my $conf = door_text('nginx.conf');
    my $lines = ($conf =~ s/^(\s*)# ((?:listen|ssl_\w+) .*;)$/$1$2/mg);
    is($lines, 8, 'TLS: all of the block');
    $conf =~ s/^\s*listen \[::\]:443.*//m;
    $conf =~ s/^\s*listen 127\.0\.0\.1:8080 .*//m;
    $conf =~ s/^(\s*)listen 443 ssl/$1listen %%PORT%% ssl/m;

    $s = start('tls', conf => $conf,
               files => { 'cert.pem' => $cert, 'cert.key' => $private });
    $r = curl('--insecure', '--http2', '-X', 'POST',
              'https://127.0.0.1:' . $s->port . "$api/messages",
              '-H', "X-API-Key: $key{all}", '-H', 'Content-Type: application/json',
              '-d', (payload("$api/messages"))[0]);
    is($r->status, 202, 'TLS: accepted');
    is($r->version, 2, 'TLS: HTTP/2');
    $s->stop;
}



# ---- TLS to wap.cm, switched on as the comment says

for my $name ('wapcm.example', 'other.example') {
    my $dir = test_dir();
    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$name"
           . " -addext subjectAltName=DNS:$name -keyout $dir/wapcm.key"
           . " -out $dir/wapcm.pem > /dev/null 2>&1") == 0
        or die 'openssl';
    my %file = map {
        open my $in, '<', "$dir/wapcm.$_" or die "wapcm.$_: $!";
        local $/;
        ("wapcm.$_" => scalar <$in>);
    } qw(pem key);

    my $conf = door_text('nginx.conf');
    my ($door, $egress) = split /^(?= *# ---- webhooks: )/m, $conf;
    is($door =~ s/^(\s*)# (proxy_ssl_\w+ .*;)$/$1$2/mg, 6, 'TLS to wap.cm: all of it');
    $conf = $door . $egress;
    is($conf =~ s{http://wapcm/}{https://wapcm/}g, 2, 'both proxy_pass');
    $conf =~ s{/etc/ssl/certs/ca-certificates\.crt}{wapcm.pem};

    my $sandbox = door_text('sandbox.conf');
    $sandbox =~ s/(listen unix:wapcm\.sock);/$1 ssl; ssl_certificate wapcm.pem; ssl_certificate_key wapcm.key;/;

    $s = start("to-$name", conf => $conf, files => \%file,
               sandbox => door_moved($sandbox, "to-$name"),
               allow_log => qr/upstream SSL certificate does not match/);
    $r = ask('POST', '/automation/', 'all');

    if ($name eq 'wapcm.example') {
        is_deeply($r->json, $Documented, 'TLS to wap.cm: accepted');
    } else {
        is_envelope($r, 502, 'bad_gateway', "TLS to wap.cm: not to $name");
        ok($s->wait_log(qr/certificate does not match "wapcm\.example"/), 'the log says why');
    }
    $s->stop;
}

done_testing;
