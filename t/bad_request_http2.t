# nginx's own 400 in the form of the module's: by HTTP/2 and HTTP/3, by HTTP to a
# port of HTTPS, and to HEAD, whose headers are those of GET. (t/bad_request.t has
# HTTP/1.)

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
    files => \%cert,
    conf => <<"END");
worker_processes 1;
http {
    server {
        listen %%PORT%%;
        listen %%PORT_6%% http2;
        listen %%PORT_7%% ssl;
        ssl_certificate cert.pem;
        ssl_certificate_key cert.key;
        add_header X-Id \$request_id always;
        error_page 404 \@problem;

        location /return { return 400; }
        location /envelope/return { wassiit_errors envelope; return 400; }
        location \@problem { wassiit_problem; }
    }

    $second
}
END

my $host = "Host: localhost\r\n";


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


# ---- HEAD, and HTTP to a port of HTTPS

my ($head, $body) = raw(1, "HEAD /return HTTP/1.1\r\n$host\r\n");
my ($same, $said) = raw(1, "GET /return HTTP/1.1\r\n$host\r\n");
is($body, '', 'HEAD: no body');
is($head =~ s/^(?:Date|X-Id): .*\r\n//mgr, $same =~ s/^(?:Date|X-Id): .*\r\n//mgr,
   'HEAD: the headers of GET');

($head, $body) = raw(7, "GET / HTTP/1.1\r\n$host\r\n");
is_bad_request($head, $body, 'problem', 'HTTP to a port of HTTPS');
like($body, qr/"detail":"This port takes HTTPS, not HTTP\."/, '... it says so');
unlike($said, qr/HTTPS/, '... and elsewhere not');


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


$server->stop;
done_testing;
