# Requests that nginx itself turns away, or that have no header fields at all:
# beside every directive of the module, where it stands and where error_page
# leads to, they get nginx's own answer or one of the module's, as often as
# nginx without the module answers. No worker dies of them.

use strict;
use warnings;

use lib 't/lib';
use H2;
use H3;
use MIME::Base64 qw(encode_base64);
use Test::More;
use Wassiit;

my $access = 'wassiit_access api;';
my $any = 'satisfy any; allow all;';

# Each directive; those with $any let everyone in, so that what comes behind
# access has its turn, too.

my %rows = (
    none => '',
    access => $access,
    'access, by anyone' => "$any $access",
    'auth hmac' => "$access wassiit_auth hmac;",
    scope => "$access wassiit_scope files.send \$arg_scope;",
    'limit dry_run' => "$any $access wassiit_limit dry_run;",
    'limit_headers off' => "$access wassiit_limit_headers off;",
    envelope => "$access wassiit_errors envelope;",
    'envelope without access' => 'wassiit_errors envelope;',
    'credentials shown' => "$any $access wassiit_hide_credentials off;",
    upstream_hmac => 'wassiit_upstream_hmac key=ours secret_file=our.secret;',
    'upstream_hmac, by anyone' => "$any $access wassiit_upstream_hmac key=ours secret_file=our.secret;",
    verify => 'wassiit_webhook_verify secret_file=hook.secret;',
    sign => 'wassiit_webhook_sign secret_file=hook.secret;',
    'sign by a zone' => 'wassiit_webhook_sign zone=api partner=atlas;',
    'sign for nobody' => 'wassiit_webhook_sign zone=api partner=$arg_partner;',
    message => 'wassiit_payload message;',
    document => 'wassiit_payload document;',
    automation => 'wassiit_payload automation;',
    all => "$any $access wassiit_auth hmac; wassiit_scope files.send; wassiit_errors envelope;"
        . ' wassiit_upstream_hmac key=ours secret_file=our.secret; wassiit_payload message;'
        . ' wassiit_webhook_verify secret_file=hook.secret; wassiit_webhook_sign secret_file=hook.secret header=X-Sum;',
);

# Those that may stand in a location alone: in place of its proxy_pass.

my %content = (
    problem => 'wassiit_problem;',
    admin => "$access wassiit_scope webhooks.manage; wassiit_admin api;",
    status => "$access wassiit_scope webhooks.manage; wassiit_status api;",
);

my $variables = join ' ', map { "\$wassiit_$_" } qw(partner partner_name key_id scopes decision
    limit remaining reset hmac_key hmac_timestamp hmac_signature webhook_signature);


# ---- the servers: for each row one in place, two by error_page

my $codes = '400 404 405 408 411 413 414 421 494 500 501 505';
my $backend = 'proxy_pass http://unix:%%DIR%%/backend.sock;';
my @ways = ('in place', 'by error_page', 'by error_page to a named location');
my ($servers, %socket, %h2, %h3) = ('');

for my $row (sort keys %rows, keys %content) {
    for my $way (@ways) {
        my $name = "$row, $way";
        my $location = $content{$row} // "$rows{$row} $backend";
        my $in = $way ne 'in place' ? '' : $rows{$row} // '';
        my $to = $way =~ /named/ ? '@page' : '/page/';

        $location = $backend if $way eq 'in place' && exists $rows{$row};
        next if $row =~ /^admin/ && $to eq '@page';

        $socket{$name} = 'h1-' . scalar(keys %socket) . '.sock';
        $h2{$name} = free_port();
        $h3{$name} = free_port() if H3->available;
        my @listen = ("listen unix:%%DIR%%/$socket{$name}; listen 127.0.0.1:$h2{$name} http2;");

        # it is what ends a connection of HTTP/3, too
        push @listen, 'keepalive_timeout 60s; ' . H3->listens("127.0.0.1:$h3{$name}")
            if $h3{$name};

        for my $listen (@listen) {
            $servers .= $way eq 'in place'
                ? "    server { $listen $in location / { $location } }\n"
                : "    server { $listen error_page $codes = $to; location / { $backend }"
                    . " location $to { $location } }\n";
        }
    }
}

my $server = Wassiit::Server->start(
    files => {
        'partners.jsonl' => [ partner('atlas', 'atlas-key', webhook_secret => 'of atlas') ],
        'our.secret' => encode_base64('our secret', ''),
        'hook.secret' => "of the hooks\n",
    },
    conf => <<"END");
worker_processes 1;
events { worker_connections 4096; }
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    log_format all '\$status \$request_length $variables';
    access_log logs/access.log all;
    client_header_timeout 60s;
    keepalive_timeout 0;
    lingering_timeout 100ms;
    http2_recv_buffer_size 64k;

$servers
    server {
        listen unix:%%DIR%%/backend.sock;
        location / { return 200 "backend \$http_x_api_signature|\$http_x_wassiit_signature|\$http_x_sum"; }
    }
}
END

my ($worker) = $server->worker_pids;
for my $socket (values %socket) {
    wait_for { return -S $server->dir . "/$socket" };
}


# ---- HTTP/1 and what looks like it

my $host = "Host: localhost\r\n";
my %raw = (
    'HTTP/0.9' => "GET /page/\r\n",
    'HTTP/0.9 with LF' => "GET /page/\n",
    'HTTP/0.9 to the root' => "GET /\r\n",
    'HTTP/0.9 with arguments' => "GET /page/?scope=a&partner=atlas\r\n",
    'a method of HTTP/0.9 that has a body' => "POST /page/\r\n",
    'a byte in the method' => "GET\x01 / HTTP/1.1\r\n$host\r\n",
    'a NUL in the path' => "GET /page/\0 HTTP/1.1\r\n$host\r\n",
    'no path' => "GET HTTP/1.1\r\n$host\r\n",
    'no method' => " / HTTP/1.1\r\n$host\r\n",
    'a version of the future' => "GET /page/ HTTP/9.9\r\n$host\r\n",
    'half a version' => "GET /page/ HTTP/1\r\n$host\r\n",
    'a path above the root' => "GET /../../page/ HTTP/1.1\r\n$host\r\n",
    'a percent sign too many' => "GET /%zz HTTP/1.1\r\n$host\r\n",
    'an empty host in the line' => "GET http:// HTTP/1.1\r\n$host\r\n",
    'CONNECT' => "CONNECT localhost:80 HTTP/1.1\r\n$host\r\n",
    'TLS' => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\0" x 40,
    'the preface of HTTP/2' => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    'a line that is too long' => 'GET /' . 'x' x 40000 . " HTTP/1.1\r\n$host\r\n",
    'a line that is too long, of HTTP/0.9' => 'GET /' . 'x' x 40000 . "\r\n",
    'a field that is too large' => "GET /page/ HTTP/1.1\r\n${host}X-Large: " . 'x' x 40000 . "\r\n\r\n",
    'a first field that is too large' => "GET /page/ HTTP/1.1\r\nX-Large: " . 'x' x 40000 . "\r\n\r\n",
    'fields that are too large' => "GET /page/ HTTP/1.1\r\n$host" . join('', map { "X-$_: " . 'x' x 1000 . "\r\n" } 1 .. 60) . "\r\n",
    'no host' => "GET /page/ HTTP/1.1\r\n\r\n",
    'two hosts' => "GET /page/ HTTP/1.1\r\n$host$host\r\n",
    'no host that can be' => "GET /page/ HTTP/1.1\r\nHost: a/b\r\n\r\n",
    'a field without a colon' => "GET /page/ HTTP/1.1\r\n${host}none\r\n\r\n",
    'a field without a name' => "GET /page/ HTTP/1.1\r\n$host: none\r\n\r\n",
    'a NUL in a field' => "GET /page/ HTTP/1.1\r\n${host}X-A: a\0b\r\n\r\n",
    'a length that is none' => "POST /page/ HTTP/1.1\r\n${host}Content-Length: x\r\n\r\n",
    'a length beyond all' => "POST /page/ HTTP/1.1\r\n${host}Content-Length: 99999999999999999999\r\n\r\n",
    'a length that is too large' => "POST /page/ HTTP/1.1\r\n${host}Content-Length: 999999999\r\n\r\n",
    'a length, and chunks' => "POST /page/ HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    'an unknown coding' => "POST /page/ HTTP/1.1\r\n${host}Transfer-Encoding: none\r\n\r\n",
    'a chunk that is none' => "POST /page/ HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    'no field at all' => "GET /page/ HTTP/1.0\r\n\r\n",
    'no field at all, and a body that is not announced' => "POST /page/ HTTP/1.0\r\n\r\n{}",
    'keys that are empty' => "GET /page/ HTTP/1.0\r\nX-API-Key:\r\nX-API-Signature:\r\nX-WASSIIT-Signature:\r\n\r\n",
);

# The whole answers, as there may be no header: all are asked before any is read.

sub answers_to {
    my ($name, @what) = @_;
    my %client = map { $_ => Wassiit::Client->new($server->dir . "/$socket{$name}") } @what;

    $client{$_}->send($raw{$_}) for @what;
    return { map { $_ => $client{$_}->is_closed ? $client{$_}{buffer} : 'no end' } @what };
}

sub answer_to { answers_to(@_)->{ $_[1] } }

# Is it as the server without the module answers, or a refusal of ours, or what
# the backend says?

my %plain;
my $ours = qr/"(?:code|message)":"\w+"/;

sub fits {
    my ($got, $plain) = @_;
    return 0 if $got eq 'no end' || $plain eq 'no end';
    return $got eq $plain if $got eq '' || $plain eq '';
    my ($status) = $got =~ m{\AHTTP/1\.1 (\d+)};
    my ($other) = $plain =~ m{\AHTTP/1\.1 (\d+)};
    return $got eq $plain || $got =~ $ours || $got =~ /backend |\A<html>/
        || (defined $status && ($status >= 400 || $status == ($other // 0)));
}

# Its parent waits for it, so the number is gone with it.

sub alive { kill 0, $worker }

# What is wrong with the answers of a row, and in which way its worker died.

sub look_at {
    my ($row, $ask, $fits, $has) = @_;
    my @wrong;

    for my $way (grep { $has->{"$row, $_"} } @ways) {
        my $plain = $plain{"$ask, $way"} //= $ask->("none, $way");
        my $got = $ask->("$row, $way");

        if (!alive()) {
            ($worker) = wait_for { return $server->worker_pids };
            return ($way, @wrong);
        }
        # On a slow machine nginx may see the end of what was sent, and go, before
        # it has answered: such a one is asked once more, and so is who differs.

        for (1 .. 3) {
            my @differ = grep { !$fits->($got->{$_}, $plain->{$_}) } keys %$got or last;
            my ($again, $plain_again) = ($ask->("$row, $way"), $ask->("none, $way"));
            $got->{$_} = $again->{$_} for grep { $got->{$_} eq '' } @differ;
            $plain->{$_} = $plain_again->{$_} for grep { $plain->{$_} eq '' } @differ;
        }
        for my $what (sort keys %$got) {
            push @wrong, "$way, $what: " . substr($got->{$what}, 0, 60) . ' instead of '
                . substr($plain->{$what}, 0, 60) if !$fits->($got->{$what}, $plain->{$what});
        }
    }

    return (undef, @wrong);
}

sub check {
    my ($by, @how) = @_;

    for my $row (sort keys %rows, keys %content) {
        my ($died, @wrong) = look_at($row, @how);
        is($died, undef, "$row: no worker dies of what is no request by $by");
        is(join("\n", @wrong), '', "$row: it is answered by $by");
    }
}

sub ask_all { return answers_to($_[0], sort keys %raw) }

check('HTTP/1', \&ask_all, \&fits, \%socket);

# who signs, signs these, too

like(answer_to("$_, in place", 'HTTP/0.9'), qr{\Abackend [\w+/]{43}=\|\|}, "$_: HTTP/0.9 goes out signed")
    for 'upstream_hmac', 'upstream_hmac, by anyone';
like(answer_to("$_, in place", 'HTTP/0.9'), qr/\Abackend \|[0-9a-f]{64}\|/, "$_: HTTP/0.9 goes out signed")
    for 'sign', 'sign by a zone';

for my $what ('a byte in the method', 'a line that is too long', 'a field that is too large') {
    like(answer_to('upstream_hmac, by error_page', $what), qr{backend [\w+/]{43}=\|\|},
         "upstream_hmac, led there by $what: signed");
    like(answer_to('sign, by error_page', $what), qr/backend \|[0-9a-f]{64}\|/,
         "sign, led there by $what: signed");
}


# ---- HTTP/2 and HTTP/3

my ($method, $scheme, $path, $authority) = ([ ':method' => 'GET' ], [ ':scheme' => 'http' ], [ ':path' => '/page/' ],
                       [ ':authority' => 'localhost' ]);
my @too_long = (':path' => '/' . 'x' x 9000);

my %pseudo = (
    'an empty method' => [ ':method' => '', @$scheme, @$path, @$authority ],
    'no method' => [ @$scheme, @$path, @$authority ],
    'a method twice' => [ @$method, @$method, @$scheme, @$path, @$authority ],
    'a method of no letters' => [ ':method' => 'g t', @$scheme, @$path, @$authority ],
    'an empty path' => [ @$method, @$scheme, ':path' => '', @$authority ],
    'no path' => [ @$method, @$scheme, @$authority ],
    'a path without a slash' => [ @$method, @$scheme, ':path' => 'page', @$authority ],
    'a path with a NUL' => [ @$method, @$scheme, ':path' => "/page/\0", @$authority ],
    'a path that is too long' => [ @$method, @$scheme, @too_long, @$authority ],
    'no scheme' => [ @$method, @$path, @$authority ],
    'an empty scheme' => [ @$method, ':scheme' => '', @$path, @$authority ],
    'an empty host' => [ @$method, @$scheme, @$path, ':authority' => '' ],
    'a host that is none' => [ @$method, @$scheme, @$path, ':authority' => 'a/b' ],
    'no host' => [ @$method, @$scheme, @$path ],
    'nothing' => [],
    'an unknown one' => [ @$method, ':unknown' => 'x', @$scheme, @$path, @$authority ],
    'one behind a field' => [ @$method, @$scheme, 'x-a' => 'b', @$path, @$authority ],
    'CONNECT' => [ ':method' => 'CONNECT', @$authority ],
    'a field in capitals' => [ @$method, @$scheme, @$path, @$authority, 'X-Large' => 'x' ],
    'a field without a name' => [ @$method, @$scheme, @$path, @$authority, '' => 'x' ],
    'a field that is too large' => [ @$method, @$scheme, @$path, @$authority, 'x-large' => 'x' x 12000 ],
    'a length that is none' => [ ':method' => 'POST', @$scheme, @$path, @$authority, 'content-length' => 'x' ],
    'right ones' => [ @$method, @$scheme, @$path, @$authority ],
);

# Status and body, or that the connection ended without: one for each, as some
# end it.

sub answer_of {
    my ($connection, $id) = @_;
    my $done = eval { $connection->until_closed($id); 1 };
    return 'no end' if !$done && $@ !~ /closed|gone/;
    return defined $connection->status($id)
        ? $connection->status($id) . ' ' . ($connection->body($id) // '') : 'closed';
}

sub ask_h2 {
    my ($name) = @_;
    my %h2 = map { $_ => H2->new($h2{$name}) } keys %pseudo;
    my %id = map { $_ => $h2{$_}->request(pseudo => $pseudo{$_}) } keys %pseudo;
    return { map { $_ => answer_of($h2{$_}, $id{$_}) } keys %pseudo };
}

# A handshake takes its time: as long as the connection stands, all share one.

sub ask_h3 {
    my ($name) = @_;
    my ($h3, %got);

    for my $what (sort keys %pseudo) {
        $h3 = H3->new($h3{$name}) if !$h3 || defined $h3->gone;
        my $id = eval { $h3->request(pseudo => $pseudo{$what}) };
        $got{$what} = defined $id ? answer_of($h3, $id) : 'closed';
    }

    return \%got;
}

sub fits_stream {
    my ($got, $plain) = @_;
    return 0 if $got eq 'no end' || $plain eq 'no end';
    return $plain eq 'closed' if $got eq 'closed';
    my ($status) = $got =~ /\A(\d+)/;
    return substr($plain, 0, 4) eq "$status " || $status >= 400 || $got =~ $ours || $got =~ /backend /;
}

check('HTTP/2', \&ask_h2, \&fits_stream, \%h2);
check('HTTP/3', \&ask_h3, \&fits_stream, \%h3) if %h3;

$server->stop;
done_testing;
