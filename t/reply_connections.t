# What becomes of the connection of who was refused: it stays usable, whatever was
# sent, and an upload is taken; by HTTP/2, too. (t/reply.t has what a refusal says.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::More;

# Locations of all servers, which differ in the form.

my $locations = <<'END';
    wassiit_access api;
    client_max_body_size 20m;
    add_header X-Instance $request_id always;

    location / { }
    location /scope { wassiit_scope calls.initiate audio.send; }
    location /through/ { error_page 400 401 403 429 @problem; location /through/scope { wassiit_scope calls.initiate audio.send; } }
    location @problem { wassiit_problem; }
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
    conf => <<'END' =~ s/%%LOCATIONS%%/$locations/gr);
http {
    wassiit_zone zone=api:1m file=partners.jsonl;

    server { listen %%PORT%%; %%LOCATIONS%% }
    server { listen %%PORT_2%%; wassiit_errors envelope; %%LOCATIONS%% }
    server { listen %%PORT_5%% http2; %%LOCATIONS%% }
}
END

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


# ---- HEAD, and a request behind each that was refused

for my $form ('problem', 'envelope') {
    my $port = $server->port($form eq 'problem' ? 1 : 2);

    for my $code (@codes) {
        my $status = $refusal{$code}[0];
        my $is = sub { is_error($_[0], $status, $code, $form, "$code, $form: $_[1]") };

        my $get = http($port, request($code));
        ok(http($port, request($code, version => '1.0'))->closed,
           "$code, $form: HTTP/1.0 closes");

        my $client = Wassiit::Client->new($port);
        my $head = $client->request(request($code, method => 'HEAD'));
        is($head->header('Content-Length'), length $get->body,
           "$code, $form: HEAD tells the length");
        is(join(' ', grep { !/^(Date|X-Instance)$/ } $head->names),
           join(' ', grep { !/^(Date|X-Instance)$/ } $get->names),
           "$code, $form: HEAD has the same headers");
        $is->($client->request(request($code)), 'after HEAD on one connection');

        # big enough not to fit what nginx reads at once
        for my $size (0, 1, 200_000) {
            for my $chunked (0, 1) {
                my %post = request($code, body => 'x' x $size, chunked => $chunked);
                my $client = Wassiit::Client->new($port);
                $is->($client->request(%post), "POST of $size, chunked $chunked");
                next if $status == 400 && ($chunked || $size);
                $is->($client->request(request($code)),
                      "kept after POST of $size, chunked $chunked");
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

$server->stop;

done_testing;
