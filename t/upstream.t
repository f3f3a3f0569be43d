# What travels on to a backend: everything but the credentials, seen byte by
# byte by a backend that this test is itself.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Backend;
use Test::More;

my $backend = Wassiit::Backend->new;
my $port = $backend->port;

my $server = Wassiit::Server->start(
    files => { 'partners.jsonl' => [ partner('atlas', 'atlas-key', rate => '100000r/d') ] },
    conf => <<'END' =~ s/%%BACKEND%%/127.0.0.1:$port/gr);
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    underscores_in_headers on;
    large_client_header_buffers 8 32k;
    client_header_buffer_size 16k;
    map $uri $backend { default http://%%BACKEND%%; }

    server {
        listen %%PORT%%;
        listen %%PORT_2%% http2;
        wassiit_access api;

        location / { proxy_pass $backend; }
        location /set { proxy_set_header X-API-Key ours; proxy_set_header X-Late 1; proxy_pass http://%%BACKEND%%; }
        location /off/ { wassiit_hide_credentials off; proxy_pass http://%%BACKEND%%; location /off/on { wassiit_hide_credentials on; proxy_pass http://%%BACKEND%%; } }
        location /open { wassiit_access off; proxy_pass http://%%BACKEND%%; }
        location /left { proxy_set_header X-Left "[$http_x_api_key$http_x_api_signature]"; proxy_pass http://%%BACKEND%%; }
        location /fastcgi { fastcgi_pass %%BACKEND%%; fastcgi_param A b; }
        location /uwsgi { uwsgi_pass %%BACKEND%%; uwsgi_param A b; }
        location /scgi { scgi_pass %%BACKEND%%; scgi_param A b; }
        location /grpc { grpc_pass grpc://%%PORT_3%%; }

        location /auth { auth_request /sub; }
        location /mirror { mirror /sub; }
        location /ssi { ssi on; ssi_types *; wassiit_limit_headers off; alias html/ssi/; }
        location /sub { internal; proxy_pass http://%%BACKEND%%; }

        # refused where they aren't hidden, sent to where they are
        location /off/refused { wassiit_hide_credentials off; wassiit_scope files.send $arg_x; error_page 403 = /x; }
    }
    server {
        listen %%PORT_3%% http2;
        add_header X-Seen "$http_x_api_key|$http_x_api_timestamp|$http_x_api_signature|$http_x_other";
        location / { return 204; }
    }
}
END

mkdir $server->dir . "/html/ssi";
$server->write('../html/ssi/page', '[<!--#include virtual="/sub"-->]');
chmod 0644, $server->dir . '/html/ssi/page';


sub through {
    my ($uri, $headers, $protocol) = @_;
    my $client = Wassiit::Client->new($server->port);

    $client->send($client->request_bytes(uri => $uri, headers => $headers, close => 1));
    my $seen = $backend->receive($protocol // 'http');
    is($client->response->status, 200, "$uri is answered") or diag($seen);
    return $seen;
}

my $CREDENTIAL = qr/x[-_]api[-_](?:key|timestamp|signature)/i;
my @all = ('X-API-Key' => 'atlas-key', 'x-api-timestamp' => 'SECRET1', 'X-Api-Signature' => 'SECRET2',
           'X_API_Key' => 'SECRET3', 'x_api-key' => 'SECRET4', 'X-API_TIMESTAMP' => 'SECRET5',
           'X_API_Signature' => 'SECRET6', 'X_API_Key' => 'SECRET7', 'X-Other' => 'stays');

sub is_clean {
    my ($seen, $name) = @_;
    unlike($seen, qr/$CREDENTIAL|SECRET|atlas-key/, "$name: no credential");
}


# ---- every protocol

for my $protocol (qw(http fastcgi uwsgi scgi)) {
    my $seen = through("/$protocol", \@all, $protocol);
    is_clean($seen, $protocol);
    like($seen, qr/x[-_]other[^s]*stays/is, "$protocol: the others arrive");
}
{
    my $r = http($server->port, uri => '/grpc', headers => \@all);
    is($r->header('X-Seen'), '|||stays', 'grpc');

    $r = curl('--http2-prior-knowledge', (map { -H => $_ } 'X-API-Key: atlas-key',
        'X_API_Key: SECRET', 'x-api-signature: SECRET', 'x-other: stays'),
        'http://127.0.0.1:' . $server->port(2) . '/grpc');
    is($r->header('X-Seen'), '|||stays', 'HTTP/2 on both sides');
}


# ---- where they aren't hidden

for my $uri ('/off/', '/open') {
    my $seen = through($uri, \@all);
    my @names = $seen =~ /^($CREDENTIAL): /mg;
    is("@names", "@all[grep { !($_ % 2) } 0 .. $#all - 2]", "$uri: all pass, in order");
}
is_clean(through('/off/on', \@all), 'off, and on below it');
is_clean(through('/off/refused?x=nosuch', \@all), 'refused where off, error_page to where on');

{
    my $seen = through('/set', \@all);
    is_deeply([$seen =~ /^($CREDENTIAL): (.*)\r$/mg], ['X-API-Key', 'ours'], 'proxy_set_header puts its own');
    like($seen, qr/^X-Late: 1\r$/m, 'proxy_set_header');
}

like(through('/left', \@all), qr/^X-Left: \[\]\r$/m, '$http_x_api_key is empty');


# ---- subrequests

for my $uri ('/auth', '/mirror', '/ssi/page') {
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(uri => $uri, headers => \@all, close => 1));
    my $seen = $backend->receive('http');
    like($seen, qr/^X-Other: stays\r$/m, "$uri: the subrequest comes");
    is_clean($seen, $uri);
    $client->response;
}


# ---- every place that a credential may have among 1 to 60 headers

{
    my ($requests, $failed) = (0, '');

    # names that nginx keeps pointers to lie among the others
    my @known = ('User-Agent', 'Accept-Encoding', 'Cookie', 'Referer', 'If-None-Match', 'Range');

    for my $case (cases()) {
        my ($total, @places) = @$case;
        my %here = map { $_ => 1 } @places;
        my ($bytes, $expected, $n) = ("GET /many HTTP/1.1\r\n", '', 0);

        for my $i (1 .. $total) {
            if ($here{$i}) {
                my $name = (qw(X-API-Key X_API_Key x-api_timestamp X-API-Signature))[$n++ % 4];
                $name = 'X_API_Key' if $name eq 'X-API-Key' && $n > 1 || $name eq 'X-API-Signature' && $n > 4;
                $bytes .= "$name: " . ($n == 1 ? 'atlas-key' : 'SECRET') . "\r\n";
            } else {
                my $line = ($i % 7 ? "X-H$i" : $known[$i / 7 % @known]) . ": v$i\r\n";
                $bytes .= $line;
                $expected .= $line;
            }
        }

        my $client = Wassiit::Client->new($server->port);
        $client->send("${bytes}Host: h\r\nConnection: close\r\n\r\n");
        my $seen = $backend->receive('http');
        $client->response;
        $requests++;

        $seen =~ s/\A.*?\r\nHost: .*?\r\nConnection: close\r\n(.*)\r\n\z/$1/s;
        $failed ||= "$total headers, credentials at @places:\n$seen" if $seen ne $expected;
    }

    is($failed, '', "$requests requests with 1 to 60 headers: the others arrive, in order");
}

sub cases {
    my @cases;

    for my $total (1 .. 5, 19 .. 23, 39 .. 43, 58 .. 60) {
        push @cases, map { [$total, $_] } 1 .. $total;
        push @cases, [$total, 1 .. $total], [$total, 1, $total];
    }

    # several, adjacent and not, around the ends of nginx's parts of 20
    for my $start (1, 2, 17 .. 23, 38 .. 43) {
        push @cases, map { [60, $start .. $start + $_] } 1 .. 4, 22;
        push @cases, [60, $start, $start + 2, $start + 4], [60, 1 .. 20, 40 + $start % 20];
    }

    return @cases;
}

$server->stop;
done_testing;
