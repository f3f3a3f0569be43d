# wassiit_hide_credentials in subrequests, which take their parent's headers, and
# with HTTP/2 on both sides. What one request brings to a backend, which is this
# test itself here, is t/hide_credentials.t's.

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

    server {
        listen %%PORT%%;
        listen %%PORT_2%% http2;
        wassiit_access api;

        location /grpc { grpc_pass grpc://%%PORT_3%%; }

        location /auth { auth_request /sub; }
        location /mirror { mirror /sub; }
        location /ssi { ssi on; ssi_types *; wassiit_limit_headers off; alias html/ssi/; }
        location /sub { internal; proxy_pass http://%%BACKEND%%; }
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


my $CREDENTIAL = qr/x[-_]api[-_](?:key|timestamp|signature)/i;
my @all = ('X-API-Key' => 'atlas-key', 'x-api-timestamp' => 'SECRET1', 'X-Api-Signature' => 'SECRET2',
           'X_API_Key' => 'SECRET3', 'x_api-key' => 'SECRET4', 'X-API_TIMESTAMP' => 'SECRET5',
           'X_API_Signature' => 'SECRET6', 'X_API_Key' => 'SECRET7', 'X-Other' => 'stays');

sub is_clean {
    my ($seen, $name) = @_;
    unlike($seen, qr/$CREDENTIAL|SECRET|atlas-key/, "$name: no credential");
}


{
    my $r = curl('--http2-prior-knowledge', (map { -H => $_ } 'X-API-Key: atlas-key',
        'X_API_Key: SECRET', 'x-api-signature: SECRET', 'x-other: stays'),
        'http://127.0.0.1:' . $server->port(2) . '/grpc');
    is($r->header('X-Seen'), '|||stays', 'HTTP/2 on both sides');
}


# ---- subrequests

for my $uri ('/auth', '/mirror', '/ssi/page') {
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(uri => $uri, headers => \@all, close => 1));
    my $seen = $backend->receive('http');
    like($seen, qr/^X-Other: stays\r$/m, "$uri: the subrequest comes");
    is_clean($seen, $uri);
    $client->response;
}

$server->stop;
done_testing;
