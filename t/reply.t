# What a refused partner gets to read: both forms, every version of HTTP, and
# a connection that stays usable.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Compress::Zlib ();
use IO::Socket::INET;
use Test::More;

my $gone = free_port();
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8)
    or die "listen: $!";
my $silent_port = $silent->sockport;

# Locations of both servers, which differ in the form.

my $locations = <<'END';
    wassiit_access api;
    client_max_body_size 20m;
    add_header X-Instance $request_id always;

    location / { }
    location /scope { wassiit_scope calls.initiate audio.send; }
    location /limit { }
    location /gzip/ { gzip on; gzip_min_length 1; gzip_types application/json application/problem+json; }
    location /charset/ { charset utf-8; charset_types application/json application/problem+json; }
    location /through/ { error_page 400 401 403 429 @problem; location /through/scope { wassiit_scope calls.initiate audio.send; } }
    location @problem { wassiit_problem; }
    location /gone/ { error_page 502 @problem; proxy_pass http://127.0.0.1:%%GONE%%; }
    location /static/ { alias html/own/; error_page 404 405 @problem; }
END

my $server = Wassiit::Server->start(
    files => { 'partners.jsonl' => [
        partner('fine', 'fine-key', rate => '1000r/d'),
        partner('none', 'none-key', scopes => []),
        partner('paused', 'paused-key', enabled => JSON::PP::false()),
        partner('spent', 'spent-key', rate => '1r/d'),
        { id => 'old', keys => [{ id => 'k1', sha256 => key_sha256('expired-key'),
                                  expires => '2020-01-01T00:00:00Z' }] },
    ] },
    conf => <<'END' =~ s/%%LOCATIONS%%/$locations/gr =~ s/%%GONE%%/$gone/gr =~ s/%%SILENT%%/$silent_port/gr);
http {
    wassiit_zone zone=api:1m file=partners.jsonl;

    server { listen %%PORT%%; %%LOCATIONS%% }
    server { listen %%PORT_2%%; wassiit_errors envelope; %%LOCATIONS%% }
    server { listen %%PORT_5%% http2; %%LOCATIONS%% }

    server {
        listen %%PORT_3%%;
        wassiit_access api;

        # the operator's error_page: to places with access on and off
        location /to/ {
            location /to/file/on { error_page 401 /own/on.html; }
            location /to/file/off { error_page 401 /own/off.html; }
            location /to/named/on { error_page 401 @on; }
            location /to/named/off { error_page 401 @off; }
            location /to/200/on { error_page 401 =200 @on; }
            location /to/200/off { error_page 401 =200 @off; }
            location /to/proxied/on { error_page 401 = /backend/200; }
            location /to/proxied/off { error_page 401 = /open/200; }
            location /to/proxied/429 { error_page 401 = /open/429; }
            location /to/proxied/401 { error_page 401 403 = /open/401; wassiit_scope calls.initiate; }
            location /to/away { error_page 401 https://example.org/; }
        }
        location /own/on.html { }
        location /own/off.html { wassiit_access off; }
        location @on { rewrite ^ /200 break; proxy_pass http://%%PORT_4%%; }
        location @off { wassiit_access off; rewrite ^ /200 break; proxy_pass http://%%PORT_4%%; }
        location /open/ { wassiit_access off; proxy_pass http://%%PORT_4%%/; }

        # the backend's own errors
        location /backend/ { proxy_pass http://%%PORT_4%%/; }
        location /intercepted/ { proxy_pass http://%%PORT_4%%/; proxy_intercept_errors on; }
        location /replaced/ {
            proxy_pass http://%%PORT_4%%/; proxy_intercept_errors on;
            error_page 401 403 429 @problem;
        }
        location @problem { wassiit_problem; }

        # nginx's own
        location /plain/ { location /plain/denied { deny all; } }
    }

    server {
        listen %%PORT_4%%;
        default_type text/x-own;
        add_header X-Own $uri always;
        location /401 { add_header X-Own $uri always; add_header WWW-Authenticate 'Own realm="own"' always; return 401 'own 401'; }
        location /403 { return 403 'own 403'; }
        location /429 { add_header X-Own $uri always; add_header Retry-After 77 always; return 429 'own 429'; }
        location /200 { return 200 'own 200'; }
    }

    # nginx's own errors, through wassiit_problem
    server {
        listen %%PORT_6%%;
        large_client_header_buffers 2 1k;
        client_max_body_size 10;
        error_page 400 404 405 413 414 415 494 500 502 503 504 @problem;
        location @problem { wassiit_problem; }
        location = /problem { wassiit_problem; }
        location = /guarded { wassiit_access api; wassiit_problem; }
        location = /envelope { wassiit_errors envelope; wassiit_problem; }
        location / { }
        location /413 { return 413; }
        location /415 { return 415; }
        location /500 { return 500; }
        location /503 { return 503; }
        location /502 { proxy_pass http://127.0.0.1:%%GONE%%; }
        location /504 { proxy_pass http://127.0.0.1:%%SILENT%%; proxy_read_timeout 100ms; }
        location /enveloped/ {
            wassiit_errors envelope;
            location /enveloped/404 { return 404; }
            location /enveloped/405 { if ($request_method = GET) { return 405; } }
            location ~ /enveloped/5(0)2 { proxy_pass http://127.0.0.1:%%GONE%%; }
            location /enveloped/led { error_page 502 = @problem; proxy_pass http://127.0.0.1:%%GONE%%; }
            location /enveloped/not { wassiit_errors problem; return 404; }
            location /enveloped/in/ { }
        }
        location ^~ /first/ { wassiit_errors envelope; location /first/in/ { } }
        location ~ \.regex$ { return 404; }
        location /led { error_page 502 = @problem; proxy_pass http://127.0.0.1:%%GONE%%; }
        location /led/silent { error_page 504 = @problem; proxy_pass http://127.0.0.1:%%SILENT%%; proxy_read_timeout 100ms; }
        location /led/here { error_page 403 = @problem; return 403; }
    }
    server {
        listen %%PORT_7%%;
        error_page 404 @problem;
        location @problem { wassiit_problem; }
    }
}
END

mkdir $server->dir . "/html$_" for '', '/own';
for my $name ('on', 'off') {
    $server->write("../html/own/$name.html", 'own page');
    chmod 0644, $server->dir . "/html/own/$name.html";
}

my @PROBLEM = qw(type title status code detail instance);
my %EXTRA = (insufficient_scope => ['required_scopes'],
             rate_limited => ['violated-policies']);

my %refusal = (
    missing_key => [401],
    invalid_key => [401, 'X-API-Key' => 'nobody-knows'],
    expired_key => [401, 'X-API-Key' => 'expired-key'],
    partner_disabled => [403, 'X-API-Key' => 'paused-key'],
    insufficient_scope => [403, 'X-API-Key' => 'none-key'],
    rate_limited => [429, 'X-API-Key' => 'spent-key'],
    duplicate_header => [400, 'X-API-Key' => 'fine-key', 'x-api-key' => 'fine-key'],
);
my @codes = sort keys %refusal;

sub request {
    my ($code, %more) = @_;
    my ($status, @headers) = @{ $refusal{$code} };

    return (uri => ($more{under} // '') . ($code eq 'insufficient_scope' ? '/scope' : '/x'),
            %more, headers => [@headers, @{ $more{headers} // [] }]);
}

# An answer is this error in this form, whole and nothing else.

sub is_error {
    my ($r, $status, $code, $form, $name) = @_;
    my @wrong;
    my $check = sub { push @wrong, $_[1] unless $_[0] };
    my $header = sub { join ', ', $r->headers($_[0]) };
    my $json = eval { $r->json } // {};

    $check->($r->status == $status, 'status ' . $r->status);
    $check->($header->('Content-Length') eq length $r->body, 'Content-Length')
        unless $header->('Transfer-Encoding') || $r->version eq '2';

    if ($form eq 'problem') {
        $check->($header->('Content-Type') eq 'application/problem+json', 'Content-Type');
        $check->("@{[sort keys %$json]}" eq "@{[sort @PROBLEM, @{ $EXTRA{$code} // [] }]}", 'members');
        $check->(($json->{code} // '') eq $code, 'code');
        $check->($r->body =~ /"status":$status,/, 'status in the body');
        $check->(!ref $json->{$_} && length($json->{$_} // ''), $_) for qw(title detail);
        $check->(($json->{instance} // '') =~ /^[0-9a-f]{32}$/, 'instance');
        $check->(!$r->header('X-Instance') || $json->{instance} eq $header->('X-Instance'),
                 'instance and $request_id');
        $check->(($json->{type} // '') eq ($code eq 'rate_limited'
            ? 'https://iana.org/assignments/http-problem-types#quota-exceeded'
            : 'about:blank'), 'type');
        $check->(ref $json->{$_} eq 'ARRAY', $_) for @{ $EXTRA{$code} // [] };
    } else {
        $check->($header->('Content-Type') eq 'application/json', 'Content-Type');
        my $data = $json->{data} // {};
        $check->($r->body =~ /^\{"success":false,"status":$status,"message":"$code","data":\{"detail":"/, 'body');
        $check->("@{[sort keys %$json]}" eq 'data message status success', 'members');
        $check->("@{[sort keys %$data]}" eq "@{[sort qw(detail instance), @{ $EXTRA{$code} // [] }]}", 'members of data');
        $check->(length($data->{detail} // '') && !ref $data->{detail}, 'detail');
        $check->(($data->{instance} // '') =~ /^[0-9a-f]{32}$/, 'instance');
        $check->(!$r->header('X-Instance') || $data->{instance} eq $header->('X-Instance'),
                 'instance and $request_id');
    }

    my $ours = exists $refusal{$code};
    $check->($header->('WWW-Authenticate') eq ($ours && $status == 401 ? 'ApiKey realm="api"' : ''),
             'WWW-Authenticate');
    $check->($header->('Retry-After') =~ ($ours && $status == 429 ? qr/^[1-9]\d*$/ : qr/^$/), 'Retry-After');

    ok(!@wrong, $name) or diag("wrong: @wrong\n", $r->head, "\n", $r->body);
}

http($server->port, request('rate_limited'));       # the one of the day


# ---- every refusal, in both forms, by every way to ask

for my $form ('problem', 'envelope') {
    my $port = $server->port($form eq 'problem' ? 1 : 2);

    for my $code (@codes) {
        my $status = $refusal{$code}[0];
        my $is = sub { is_error($_[0], $status, $code, $form, "$code, $form: $_[1]") };

        my $get = http($port, request($code));
        $is->($get, 'HTTP/1.1');

        my $old = http($port, request($code, version => '1.0'));
        $is->($old, 'HTTP/1.0');
        ok($old->closed, "$code, $form: HTTP/1.0 closes");

        $is->(http($port, request($code, under => '/through')), 'through wassiit_problem');
        $is->(http($port, request($code, method => 'DELETE')), 'DELETE');

        my $client = Wassiit::Client->new($port);
        my $head = $client->request(request($code, method => 'HEAD'));
        is($head->header('Content-Length'), length $get->body, "$code, $form: HEAD tells the length");
        is(join(' ', grep { !/^(Date|X-Instance)$/ } $head->names),
           join(' ', grep { !/^(Date|X-Instance)$/ } $get->names), "$code, $form: HEAD has the same headers");
        $is->($client->request(request($code)), 'after HEAD on one connection');

        # big enough not to fit what nginx reads at once
        for my $size (0, 1, 200_000) {
            for my $chunked (0, 1) {
                my %post = request($code, body => 'x' x $size, chunked => $chunked);
                my $client = Wassiit::Client->new($port);
                $is->($client->request(%post), "POST of $size, chunked $chunked");
                next if $status == 400 && ($chunked || $size);
                $is->($client->request(request($code)), "kept after POST of $size, chunked $chunked");
            }
        }
    }
}


# ---- pipelined requests behind a refused one; after a 400 nginx may close

for my $code (grep { !/duplicate/ } @codes) {
    my $client = Wassiit::Client->new($server->port);
    my ($post, $next) = map { $client->request_bytes(@$_) }
        [request($code, body => "POST /x HTTP/1.1\r\n\r\n")],
        [uri => '/', headers => ['X-API-Key' => 'fine-key']];

    $client->send($post . $next . $post . $next);
    is(join(' ', map { $_->status } map { $client->response } 1 .. 4),
       "$refusal{$code}[0] 200 $refusal{$code}[0] 200", "$code: pipelined requests");
}
{
    my $client = Wassiit::Client->new($server->port);
    $client->send($client->request_bytes(request('duplicate_header')) x 2);
    is(join(' ', map { $_->status } map { $client->response } 1 .. 2), '400 400',
       'duplicate_header: pipelined requests');
}


# ---- uploads: a client that sends first and reads then; one that asks first

my $ten_megabytes = 'x' x 10_000_000;

for my $code (qw(missing_key insufficient_scope rate_limited duplicate_header)) {
    my $status = $refusal{$code}[0];

    for my $chunked (0, 1) {
        my $client = Wassiit::Client->new($server->port);
        ok($client->send($client->request_bytes(
               request($code, body => $ten_megabytes, chunked => $chunked))),
           "$code: 10 MB are taken, chunked $chunked");
        is_error($client->response, $status, $code, 'problem', "$code: and answered, chunked $chunked");
    }

    for my $under ('', '/through') {
        my $client = Wassiit::Client->new($server->port);
        $client->send($client->request_bytes(request($code, method => 'POST', under => $under,
            headers => ['Content-Length' => 10_000_000, Expect => '100-continue'])));
        my $r = $client->response;
        is_error($r, $status, $code, 'problem', "$code$under: Expect: 100-continue");
        is_deeply([$r->interim], [], "$code$under: no 100 before a refusal");
        ok($client->send($ten_megabytes), "$code$under: an upload that comes later is taken");
    }
}


# ---- HTTP/2 (no uploads: curl 7.88 drops an answer that comes before it has
# sent all, nginx's own as well)

for my $code (@codes) {
    my @headers = @{ $refusal{$code} }[1 .. $#{ $refusal{$code} }];
    my @curl = '--http2-prior-knowledge';
    while (my ($name, $value) = splice @headers, 0, 2) { push @curl, '-H', "$name: $value" }
    push @curl, 'http://127.0.0.1:' . $server->port(5) . { request($code) }->{uri};

    is_error(curl(@curl), $refusal{$code}[0], $code, 'problem', "$code: HTTP/2");
    like(curl('-I', @curl)->header('content-length'), qr/^[1-9]/, "$code: HTTP/2, HEAD");
}


# ---- other filters

for my $form ('problem', 'envelope') {
    my $port = $server->port($form eq 'problem' ? 1 : 2);
    my $r = http($port, request('partner_disabled', under => '/gzip',
                                headers => ['Accept-Encoding' => 'gzip']));

    is($r->header('Content-Encoding'), 'gzip', "$form: gzip");     # never of a 401
    like(Compress::Zlib::memGunzip($r->body), qr/^\{.*"partner_disabled".*\}$/, "$form: gzip");
    like(http($port, uri => '/charset/')->body, qr/"missing_key".*\}$/, "$form: charset");
    is(http($port, uri => '/x', headers => ['User-Agent' => 'Mozilla/4.0 (compatible; MSIE 6.0)'])->body
       =~ tr/{}//, $form eq 'problem' ? 2 : 4, "$form: no padding for old browsers");
}


# ---- the operator's error_page wins

{
    my $port = $server->port(3);
    my %own = (file => ['401', 'own page'], named => ['401', 'own 200'],
               200 => ['200', 'own 200'], proxied => ['200', 'own 200']);

    for my $way (sort keys %own) {
        for my $access ('on', 'off') {
            my $r = http($port, uri => "/to/$way/$access");
            is_deeply([$r->status, $r->body, scalar $r->header('WWW-Authenticate')],
                      [@{ $own{$way} }, $own{$way}[0] eq '401' ? 'ApiKey realm="api"' : undef],
                      "error_page to $way, access $access");
        }
    }

    my $r = http($port, uri => '/to/away');
    is($r->status, 302, 'error_page to another site');
    like($r->body, qr/302 Found/, 'error_page to another site');

    $r = http($port, uri => '/to/proxied/429');
    is_deeply([$r->status, $r->body, $r->headers('Retry-After')], [429, 'own 429', 77],
              'error_page to a backend whose own answer is 429');
    $r = http($port, uri => '/to/proxied/401', headers => ['X-API-Key' => 'none-key']);
    is_deeply([$r->status, $r->body, $r->headers('WWW-Authenticate')], [401, 'own 401', 'Own realm="own"'],
              'error_page to a backend whose own answer is 401');
}


# ---- errors of the backend's and of nginx's own

for my $where ('backend', 'intercepted') {
    for my $status (401, 403, 429) {
        my $r = http($server->port(3), uri => "/$where/$status", headers => ['X-API-Key' => 'fine-key']);
        is_deeply([$r->status, $r->body, $r->header('Content-Type'), $r->headers('X-Own')],
                  [$status, "own $status", 'text/x-own', "/$status"], "$where: the backend's own $status");
        is_deeply([$r->headers('WWW-Authenticate'), $r->headers('Retry-After')],
                  [$status == 401 ? 'Own realm="own"' : $status == 429 ? 77 : ()],
                  "$where: nothing of ours on the backend's $status");
    }
}

for my $case ([401, 'unauthorized'], [403, 'forbidden'], [429, 'too_many_requests']) {
    my $r = http($server->port(3), uri => "/replaced/$case->[0]", headers => ['X-API-Key' => 'fine-key']);
    is_deeply([$r->status, $r->json->{code}], $case, "the backend's $case->[0] isn't taken for ours");
}

for my $case (['/plain/', 404], ['/plain/denied', 403]) {
    my $r = http($server->port(3), uri => $case->[0], headers => ['X-API-Key' => 'fine-key']);
    is_deeply([$r->status, $r->header('Content-Type'), $r->body =~ /<h1>$case->[1]/ ? 'page' : $r->body],
              [$case->[1], 'text/html', 'page'], "nginx's own $case->[1]");
}


# ---- wassiit_problem for nginx's own errors

for my $case (
    [404, 'not_found', uri => '/nothing'],
    [404, 'not_found', uri => '/nothing', version => '1.0'],
    [405, 'method_not_allowed', uri => '/own/on.html', body => 'x'],
    [413, 'too_large', uri => '/x', body => 'x' x 11],
    [413, 'too_large', uri => '/x', body => $ten_megabytes],
    [414, 'uri_too_long', uri => '/' . 'x' x 3000],
    [400, 'bad_request', uri => '/x', headers => ['X-Big', 'x' x 3000]],
    [415, 'unsupported_media_type', uri => '/415'],
    [500, 'internal_error', uri => '/500'],
    [502, 'bad_gateway', uri => '/502'],
    [503, 'unavailable', uri => '/503'],
    [504, 'gateway_timeout', uri => '/504'],
    [404, 'not_found', uri => '/problem'],
    [404, 'not_found', uri => '/guarded'],
) {
    my ($status, $code, %request) = @$case;
    my $name = "wassiit_problem: $status for " . substr $request{uri}, 0, 9;

    is_error(http($server->port(6), %request), $status, $code, 'problem', $name);
    is(http($server->port(6), %request, method => 'HEAD')->body, '', "$name, HEAD")
        unless $request{body};
}

is(http($server->port(6), uri => $$_[0], body => $$_[1])->json->{detail} =~ /\bmay have at most 10 bytes\b/ ? 1 : 0, $$_[2],
   "$$_[0]: the largest body is told of " . ($$_[2] ? 'to who sent more' : 'to nobody else'))
    for [ '/x', 'x' x 11, 1 ], [ '/413', 'x' x 10, 0 ];

is_error(http($server->port(6), uri => '/envelope'), 404, 'not_found', 'envelope',
         "wassiit_problem: a location's own form");
is_error(http($server->port(6), uri => '/enveloped/x'), 404, 'not_found', 'envelope',
         'wassiit_problem: the form of the location that failed');
for my $case ([ 404, 'not_found', '404' ], [ 405, 'method_not_allowed', '405' ], [ 413, 'too_large', 'x', body => 'x' x 11 ],
              [ 502, 'bad_gateway', '502' ], [ 502, 'bad_gateway', 'led' ])
{
    my ($status, $code, $uri, %more) = @$case;
    is_error(http($server->port(6), uri => "/enveloped/$uri", %more), $status, $code, 'envelope',
             "wassiit_problem: whatever made the $status, $uri");
}
is_error(http($server->port(6), uri => "/$$_[0].regex"), 404, 'not_found', $$_[1], "as nginx finds a location: $$_[0]")
    for [ 'enveloped/in/x', 'problem' ], [ 'enveloped/x', 'problem' ], [ 'x', 'problem' ], [ 'first/in/x', 'envelope' ];
is_error(http($server->port(6), uri => '/enveloped/not'), 404, 'not_found', 'problem', 'one within that has another form');
is_error(http($server->port(6), uri => '/led'), 502, 'bad_gateway', 'problem', '"error_page 502 = @problem"');
is_error(http($server->port(6), uri => '/led/silent'), 504, 'gateway_timeout', 'problem', '... and 504');
is_error(http($server->port(6), uri => '/led/here'), 404, 'not_found', 'problem', '... without a backend, nobody knows');
is_error(http($server->port(7), uri => '/x'), 404, 'not_found', 'problem', 'a server without locations');

for my $case ([502, 'bad_gateway', '/gone/'], [404, 'not_found', '/static/x'],
              [405, 'method_not_allowed', '/static/on.html', body => 'x'])
{
    my ($status, $code, $uri, %more) = @$case;
    my $r = http($server->port(2), uri => $uri, headers => ['X-API-Key' => 'fine-key'], %more);
    is_error($r, $status, $code, 'envelope', "wassiit_problem: $status in the envelope");
    is($r->header('X-RateLimit-Limit'), 1000, "wassiit_problem: $status with the limit's headers");
}

$server->stop;
subtest 'ids of requests' => sub {
    my $s = Wassiit::Server->start(
        conf => <<'END', files => { 'partners.jsonl' => [ partner('atlas', 'atlas-key') ] });
worker_processes 2;
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    add_header X-Id $request_id always;
    server { listen %%PORT%% reuseport; location / { wassiit_access api; empty_gif; } }
}
END
    my %seen;
    for (1 .. 200) {
        my $r = http($s->port, uri => '/', headers => [ 'X-API-Key' => 'nobody-has-it' ]);
        my $id = $r->json->{instance};
        $seen{$id}++ if $id =~ /\A[0-9a-f]{32}\z/ && $id eq $r->header('X-Id');
    }
    is(keys %seen, 200, 'each refusal has its own, which is $request_id');
    $s->stop;
};

done_testing;
