# nginx's own 400: where error_page leads any error to wassiit_problem, it has
# that form, in place. A page that the operator has for 400 still wins, and the
# module's own 400s are what they were.

use strict;
use warnings;

use lib 't/lib';
use H2;
use H3;
use Test::More;
use Wassiit;

my $dir = test_dir();
system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout $dir/cert.key"
       . " -out $dir/cert.pem > /dev/null 2>&1") == 0 or die 'openssl';

my %cert = map {
    open my $in, '<', "$dir/cert.$_" or die "cert.$_: $!";
    local $/;
    ("cert.$_" => scalar <$in>);
} qw(pem key);

my $quic = H3->available ? H3->listens('%%PORT_9%%') : '';
my $second = $quic ? "server { $quic error_page 404 \@problem; location / { return 204; }"
                     . ' location @problem { wassiit_problem; } }' : '';

my $server = Wassiit::Server->start(
    files => { 'partners.jsonl' => [ partner('atlas', 'atlas-key', rate => '1000r/s'),
                                     partner('spent', 'spent-key', rate => '1r/d') ], %cert },
    conf => <<"END");
worker_processes 1;
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    log_format asked '"\$request" \$request_method \$status \$wassiit_decision';
    access_log logs/access.log asked;
    large_client_header_buffers 2 1k;
    map '' \$nowhere { default ''; }

    server {
        listen %%PORT%%;
        listen %%PORT_6%% http2;
        listen %%PORT_7%% ssl;
        ssl_certificate cert.pem;
        ssl_certificate_key cert.key;
        add_header X-Id \$request_id always;
        error_page 404 \@problem;
        wassiit_access api;
        client_max_body_size 1k;

        location /return { wassiit_access off; return 400; }
        location /text { wassiit_access off; return 400 'my own'; }
        location /message { wassiit_payload message; proxy_pass http://%%PORT_5%%; }
        location /proxy/ { proxy_pass http://%%PORT_5%%; }
        location /intercepted/ { proxy_intercept_errors on; proxy_pass http://%%PORT_5%%/; }
        location /streamed { proxy_request_buffering off; proxy_http_version 1.1; proxy_pass http://%%PORT_5%%; }
        location /envelope/ {
            wassiit_errors envelope;
            location /envelope/return { wassiit_access off; return 400; }
            location /envelope/proxy { proxy_pass http://%%PORT_5%%; }
        }
        location = /rewritten { wassiit_access off; rewrite ^ /envelope/proxy last; }
        location = /tried { wassiit_access off; try_files /none /envelope/return; }
        location = /at { error_page 429 \@envelope; wassiit_access off; return 400; }
        location = /path { error_page 429 /envelope-page; wassiit_access off; return 400; }
        location = /none { error_page 404 =200 /empty; wassiit_access off; return 400; }
        location = /variable { error_page 404 \$nowhere/envelope-page; wassiit_access off; return 400; }
        location = /empty { return 204; }
        location /admin/ { wassiit_scope webhooks.manage; wassiit_admin api; }
        location = /led { error_page 404 /return; wassiit_access off; return 404; }
        location = /first { error_page 401 \@second; proxy_pass http://%%PORT_5%%; }
        location \@second { wassiit_errors envelope; wassiit_access off; return 400; }
        location \@problem { wassiit_access off; wassiit_problem; }
        location \@envelope { wassiit_access off; wassiit_errors envelope; wassiit_problem; }
        location = /envelope-page { internal; wassiit_access off; wassiit_errors envelope; wassiit_problem; }
    }

    # a page of one's own for 400, in each way
    server {
        listen %%PORT_2%%;
        error_page 404 \@problem;
        wassiit_access api;
        root html;

        location = /file { error_page 400 /own.html; proxy_pass http://%%PORT_5%%; }
        location = /return { error_page 400 /said; proxy_pass http://%%PORT_5%%; }
        location = /named { error_page 400 \@said; proxy_pass http://%%PORT_5%%; }
        location = /backend { error_page 400 /page; proxy_pass http://%%PORT_5%%; }
        location = /other { error_page 400 =200 /said; proxy_pass http://%%PORT_5%%; }
        location = /becomes { error_page 404 =400 /said; wassiit_access off; return 404; }
        location = /away { error_page 400 https://other.example/; proxy_pass http://%%PORT_5%%; }
        location = /problem { error_page 400 \@problem; proxy_pass http://%%PORT_5%%; }
        location = /own.html { wassiit_access off; }
        location = /said { wassiit_access off; default_type text/html; return 200 'own page'; }
        location \@said { wassiit_access off; default_type text/html; return 200 'own page'; }
        location = /page { wassiit_access off; proxy_pass http://%%PORT_5%%/own; }
        location \@problem { wassiit_access off; wassiit_problem; }
    }

    # without wassiit_problem, and with it for 400 by name
    server { listen %%PORT_3%%; wassiit_access api; error_page 404 /x; location = /x { return 204; } location = /return { wassiit_access off; return 400; } }
    server {
        listen %%PORT_4%%;
        error_page 400 414 505 \@problem;
        location / { return 204; }
        location \@problem { wassiit_errors envelope; wassiit_problem; }
    }

    $second

    server {
        listen %%PORT_5%%;
        access_log off;
        location / { default_type text/html; return 200 'backend'; }
        location /400 { default_type text/html; return 400 'own 400'; }
        location /own { default_type text/html; return 200 'own page'; }
        location /x { default_type text/html; return 200 'backend'; }
    }
}
END

mkdir $server->dir . '/html';
$server->write('../html/own.html', 'own page');
chmod 0644, $server->dir . '/html/own.html';

my $host = "Host: localhost\r\n";
my $key = "X-API-Key: atlas-key\r\n";
my $chunk = "Transfer-Encoding: chunked\r\n\r\nzz\r\n";

# What came before the connection was closed: the head, and the rest.

sub raw {
    my ($port, $bytes) = @_;
    my $client = Wassiit::Client->new($server->port($port));
    $client->send($bytes);
    return (undef, 'not closed') if !$client->is_closed;
    return $client->{buffer} =~ /\A(HTTP.*?\r\n)\r\n(.*)\z/s ? ($1, $2) : ('', $client->{buffer});
}

sub is_bad_request {
    my ($head, $body, $form, $name) = @_;
    my $json = eval { JSON::PP->new->utf8->decode($body) } // {};
    my %type = (problem => 'application/problem+json', envelope => 'application/json');
    my $data = $form eq 'envelope' ? $json->{data} // {} : $json;

    is($form eq 'envelope' ? $json->{message} : $json->{code}, 'bad_request', "$name: code");
    is($json->{status}, 400, "$name: status in the body");
    isnt($data->{detail} // '', '', "$name: detail");
    return if $head eq '';

    like($head, qr{\AHTTP/1\.1 400 Bad Request\r\n}, "$name: status");
    is_deeply([ $head =~ /^Content-Type: (.*)\r$/mg ], [ $type{$form} ], "$name: type");
    is_deeply([ $head =~ /^Content-Length: (.*)\r$/mg ], [ length $body ], "$name: length");
    is_deeply([ $head =~ /^Connection: (.*)\r$/mg ], ['close'], "$name: closes");
    is($head =~ /^X-Id: (.*)\r$/m ? $1 : $data->{instance}, $data->{instance}, "$name: instance");
}


# ---- what is no HTTP

my %raw = (
    'a byte in the method' => "GET\x01 / HTTP/1.1\r\n$host\r\n",
    'no path' => "GET HTTP/1.1\r\n$host\r\n",
    'a path above the root' => "GET /../.. HTTP/1.1\r\n$host\r\n",
    'a NUL in the path' => "GET /\0 HTTP/1.1\r\n$host\r\n",
    'TLS' => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\0" x 40,
    'no host' => "GET / HTTP/1.1\r\n\r\n",
    'two hosts' => "GET / HTTP/1.1\r\n$host$host\r\n",
    'no host that can be' => "GET /envelope/return HTTP/1.1\r\nHost: a/b\r\n\r\n",
    'a NUL in a field' => "GET / HTTP/1.1\r\n${host}X-A: a\0b\r\n\r\n",
    'a field that is too large' => "GET / HTTP/1.1\r\n${host}X-A: " . 'x' x 3000 . "\r\n\r\n",
    'a length that is none' => "POST / HTTP/1.1\r\n${host}Content-Length: x\r\n\r\n",
    'a bad chunk' => "POST /proxy/ HTTP/1.1\r\n$host$key$chunk",
    'a bad chunk where bodies are looked at' => "POST /message HTTP/1.1\r\n$host${key}Content-Type: application/json\r\n$chunk",
    'a bad chunk that is passed on as it comes' => "POST /streamed HTTP/1.1\r\n$host$key$chunk",
    'return' => "GET /return HTTP/1.1\r\n$host\r\n",
    'return after an error' => "GET /led HTTP/1.1\r\n$host\r\n",
    'HTTP/1.0' => "GET /return HTTP/1.0\r\n\r\n",
    'HTTP/0.9' => "GET /return\r\n",
);
my %envelope = (
    'a bad chunk' => "POST /envelope/proxy HTTP/1.1\r\n$host$key$chunk",
    'a bad chunk, rewritten' => "POST /rewritten HTTP/1.1\r\n$host$key$chunk",
    'return' => "GET /envelope/return HTTP/1.1\r\n$host\r\n",
    'return behind try_files' => "GET /tried HTTP/1.1\r\n$host\r\n",
    'another wassiit_problem' => "GET /at HTTP/1.1\r\n$host\r\n",
    'one with a path' => "GET /path HTTP/1.1\r\n$host\r\n",
    'return where a refusal was led' => "GET /first HTTP/1.1\r\n$host\r\n",
);

is_bad_request(raw(1, $raw{$_}), 'problem', $_) for sort keys %raw;
is_bad_request(raw(1, $envelope{$_}), 'envelope', "envelope: $_") for sort keys %envelope;

is((raw(1, $raw{'HTTP/0.9'}))[0], '', 'HTTP/0.9: the body alone');
unlike((raw(1, $raw{'no host'}))[1], qr/</, 'no page of nginx behind it');

my ($head, $body) = raw(1, "HEAD /return HTTP/1.1\r\n$host\r\n");
my ($same) = raw(1, $raw{return});
is($body, '', 'HEAD: no body');
is($head =~ s/^(?:Date|X-Id): .*\r\n//mgr, $same =~ s/^(?:Date|X-Id): .*\r\n//mgr, 'HEAD: the headers of GET');

($head, $body) = raw(1, $raw{'a bad chunk'});
like($head, qr/^X-RateLimit-Limit: 1000\r$/m, 'a partner that is known learns its limit');

($head, $body) = raw(7, "GET / HTTP/1.1\r\n$host\r\n");
is_bad_request($head, $body, 'problem', 'HTTP to a port of HTTPS');
like($body, qr/"detail":"This port takes HTTPS, not HTTP\."/, '... it says so');
unlike((raw(1, $raw{return}))[1], qr/HTTPS/, '... and elsewhere not');


# ---- HTTP/2 and HTTP/3

my %pseudo = (
    'no method' => [ ':scheme' => 'http', ':path' => '/', ':authority' => 'localhost' ],
    'a path without a slash' => [ ':method' => 'GET', ':scheme' => 'http', ':path' => 'x', ':authority' => 'localhost' ],
    'no host' => [ ':method' => 'GET', ':scheme' => 'http', ':path' => '/' ],
);
my $r = curl('--http2-prior-knowledge', 'http://127.0.0.1:' . $server->port(6) . '/envelope/return');
is(join(' ', $r->status, $r->header('Content-Type'), $r->json->{message}), '400 application/json bad_request', 'HTTP/2: return');

for my $row ([ 'HTTP/2', 'H2', 6 ], $quic ? [ 'HTTP/3', 'H3', 9 ] : ()) {
    my ($by, $class, $port) = @$row;
    for my $what (sort keys %pseudo) {
        my $connection = $class->new($server->port($port));
        my $id = $connection->request(pseudo => $pseudo{$what});
        $connection->until_closed($id);
        is($connection->status($id), 400, "$by, $what: status");
        is_bad_request('', $connection->body($id), 'problem', "$by, $what");
    }
}


# ---- not nginx's own: a text, a backend's answer, the module's refusals

is_deeply([ @{ http($server->port, uri => '/text') }{qw(status body)} ], [ 400, 'my own' ], 'a text is no page');
for my $uri ('/proxy/../400', '/intercepted/400') {
    $r = http($server->port, uri => $uri =~ s{/proxy/\.\.}{/intercepted}r, headers => [ 'X-API-Key' => 'atlas-key' ]);
    is_deeply([ $r->status, $r->body, $r->header('Content-Type') ], [ 400, 'own 400', 'text/html' ], "$uri: the backend's own");
}

$r = http($server->port, uri => '/admin/partners?limit=0', headers => [ 'X-API-Key' => 'atlas-key' ]);
is($r->status . ' ' . $r->json->{code}, '400 bad_request', 'by the admin endpoint');
like($r->json->{detail}, qr/limit/, '... which says why');

my $json = "POST /message HTTP/1.1\r\n$host${key}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
my $twice = "GET /proxy/ HTTP/1.1\r\n$host$key$key\r\n";
my $client = Wassiit::Client->new($server->port);

for my $row ([ 'invalid_payload', $json ], [ 'duplicate_header', $twice ]) {
    my ($code, $bytes) = @$row;
    for (1, 2) {
        $client->send($bytes);
        $r = $client->response;
        is($r->status . ' ' . $r->json->{code}, "400 $code", "$code on a connection that stays open");
    }
}
$client->send("GET /proxy/ HTTP/1.1\r\n$host$key\r\n");
is($client->response->body, 'backend', 'an answer behind all that');


# ---- a page of the operator's

my $bad = "HTTP/1.1\r\n$host$key$chunk";

for my $way (qw(file return named backend)) {
    ($head, $body) = raw(2, "POST /$way $bad");
    is($head =~ s/\r\n.*//sr . " $body", 'HTTP/1.1 400 Bad Request own page', "error_page 400 by $way wins");
}
($head, $body) = raw(2, "POST /other $bad");
is($head =~ s/\r\n.*//sr . " $body", 'HTTP/1.1 200 OK own page', 'error_page 400 =200 wins');
($head, $body) = raw(2, "GET /becomes HTTP/1.0\r\n\r\n");
is($head =~ s/\r\n.*//sr . " $body", 'HTTP/1.1 400 Bad Request own page', 'error_page 404 =400 wins');
($head, $body) = raw(2, "POST /away $bad");
like($head, qr{\AHTTP/1\.1 302 .*^Location: https://other\.example/\r}sm, 'error_page 400 to another site wins');
is_bad_request(raw(2, "POST /problem $bad"), 'problem', 'error_page 400 to wassiit_problem');
is_bad_request(raw(2, "GET\x01 / HTTP/1.1\r\n\r\n"), 'problem', 'and elsewhere in that server');

for my $row ([ 3, 'no wassiit_problem', '/return' ], [ 1, 'one that answers nothing', '/none' ],
             [ 1, 'one whose place a variable names', '/variable' ])
{
    my ($port, $name, $uri) = @$row;
    ($head, $body) = raw($port, "GET $uri HTTP/1.1\r\n$host\r\n");
    is($head =~ /^Content-Type: (.*)\r$/m && "$1 $body" =~ s/<\/title>.*//sr,
       "text/html <html>\r\n<head><title>400 Bad Request", "$name: nginx's page stays");
}
like((raw(3, $raw{'no path'}))[1], qr/<title>400/, "no wassiit_problem: nginx's page without a path");


# ---- led to a named location before there is a path

for my $row ([ 'bad_request', 400, $raw{'a byte in the method'} ], [ 'uri_too_long', 414, 'GET /' . 'x' x 3000 . " HTTP/1.1\r\n\r\n" ],
             [ 'http_version_not_supported', 505, "GET / HTTP/3.0\r\n\r\n" ])
{
    my ($code, $status, $bytes) = @$row;
    ($head, $body) = raw(4, $bytes);
    like($head, qr{\AHTTP/1\.1 $status }, "$code by name: status");
    like($body, qr/\A\{"success":false,"status":$status,"message":"$code",.*\}\z/, "$code by name: the whole body");
}


# ---- the log has what was sent

my $log = $server->access_log;
like($log, qr{^"POST /envelope/proxy HTTP/1\.1" POST 400 allowed$}m, 'logged as it was sent');
like($log, qr{^"GET / HTTP/1\.1" GET 400 -$}m, 'where access was not asked');
like($log, qr{^"POST /message HTTP/1\.1" POST 400 invalid_payload$}m, 'a refusal, too');

$server->stop;
done_testing;
