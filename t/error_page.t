# error_page opens nothing that was closed: who was refused in one location is
# asked again in the one that error_page leads to, unless that asks the same,
# or nobody.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(hmac_sha256_hex);
use MIME::Base64 qw(encode_base64);
use Test::More;
use Wassiit;

my $secret = encode_base64('secret of full', '');
my $hook = 'what webhooks are signed with';

# Where a request is refused, and what is in force where it is led to.

my %from = (
    key => 'wassiit_access api;',
    scope => 'wassiit_access api; wassiit_scope files.send;',
    variable => 'wassiit_access api; wassiit_scope $arg_scope;',
    hmac => 'wassiit_access api; wassiit_auth hmac;',
    skew => 'wassiit_access api; wassiit_auth hmac skew=60s;',
    other => 'wassiit_access other;',
    off => 'wassiit_access off;',
    hook => 'wassiit_access off; wassiit_webhook_verify secret_file=hook.secret;',
    hook2 => 'wassiit_access off; wassiit_webhook_verify secret_file=hook.secret header=X-Other;',
    message => 'wassiit_access api; wassiit_payload message;',
    call => 'wassiit_access api; wassiit_payload call;',
);

my $n = 0;
my %name = map { $_ => ++$n } sort keys %from;
my $locations = '';

for my $from (sort keys %from) {
    $locations .= "        location = /$from { $from{$from} proxy_pass http://%%PORT_2%%; }\n";
    $locations .= "        location \@$from { $from{$from} proxy_pass http://%%PORT_2%%; }\n";

    for my $to (sort keys %from) {
        $locations .= "        location = /$from/$to { $from{$from} error_page 400 401 403 415 429 = /$to;"
            . " proxy_pass http://%%PORT_2%%; }\n"
            . "        location = /$from/named/$to { $from{$from} error_page 400 401 403 415 429 = \@$to;"
            . " proxy_pass http://%%PORT_2%%; }\n";
    }
}

my $server = Wassiit::Server->start(
    files => {
        'partners.jsonl' => [
            partner('full', 'full-key', hmac_secret => $secret, rate => '100000r/h'),
            partner('poor', 'poor-key', scopes => ['audio.send'], rate => '100000r/h'),
            partner('sender', 'sender-key', scopes => ['messages.send'], rate => '100000r/h'),
            partner('spent', 'spent-key', rate => '1r/d'),
        ],
        'other.jsonl' => [ partner('stranger', 'other-key', rate => '100000r/h') ],
        'hook.secret' => "$hook\n",
    },
    conf => <<'END' =~ s/%%LOCATIONS%%/$locations/r);
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    wassiit_zone zone=other:1m file=other.jsonl;
    log_format decision '$request_uri $wassiit_decision';

    server {
        listen %%PORT%%;
        access_log logs/access.log decision;

%%LOCATIONS%%
        location = /spent/scope { wassiit_access api; error_page 429 = /files; proxy_pass http://%%PORT_2%%; }
        location = /files { wassiit_access api; wassiit_scope files.send; proxy_pass http://%%PORT_2%%; }
        location = /spent/dry { wassiit_access api; error_page 429 = /dry; proxy_pass http://%%PORT_2%%; }
        location = /dry { wassiit_access api; wassiit_scope files.send; wassiit_limit dry_run; proxy_pass http://%%PORT_2%%; }
        location = /spent/page { wassiit_access api; error_page 429 /page; proxy_pass http://%%PORT_2%%; }
        location = /page { wassiit_access api; root html/; try_files /index.html =404; }
        location = /twin { wassiit_access api; wassiit_scope files.send; error_page 403 = /twins; proxy_pass http://%%PORT_2%%; }
        location = /twins { wassiit_access api; wassiit_scope files.send; proxy_pass http://%%PORT_2%%; }

        # as in our place
        location = /a { wassiit_access api; error_page 401 403 429 = /b; proxy_pass http://%%PORT_2%%; }
        location = /b { wassiit_access api; wassiit_scope files.send; wassiit_auth hmac; proxy_pass http://%%PORT_2%%; }

        # a second error_page, and a way between
        location = /chain { wassiit_access api; recursive_error_pages on; error_page 401 = /chain/two; proxy_pass http://%%PORT_2%%; }
        location = /chain/two { wassiit_access other; recursive_error_pages on; error_page 401 = /hmac; proxy_pass http://%%PORT_2%%; }
        location /accel/ { wassiit_access api; error_page 401 = /open/accel; proxy_pass http://%%PORT_2%%; }
        location /open/ { proxy_pass http://%%PORT_2%%; }
        location = /accel/first { wassiit_access api; recursive_error_pages on; error_page 401 = /open/page; proxy_pass http://%%PORT_2%%; }
        location = /accel/page { wassiit_access api; error_page 401 = /page; proxy_pass http://%%PORT_2%%; }
        location = /told { wassiit_access api; error_page 401 /told/page; proxy_pass http://%%PORT_2%%; }
        location = /told/page { wassiit_errors envelope; root html/; try_files /index.html =404; }
        location = /way { wassiit_access api; error_page 401 = /between; proxy_pass http://%%PORT_2%%; }
        location = /between { wassiit_access off; try_files /none @hmac; }
    }
    map $uri $by_uri { volatile; default messages.send; /by/strict files.send; }
    map $request_method $by_method { volatile; default ""; GET files.send; }
    server {
        listen %%PORT_3%%;
        access_log logs/access.log decision;
        wassiit_access api;
        wassiit_scope $by_uri $by_method;
        location /by/ { proxy_pass http://%%PORT_2%%; }
        location /by/loose { wassiit_payload message; error_page 415 = /by/strict; proxy_pass http://%%PORT_2%%; }
    }
    server {
        listen %%PORT_2%%;
        access_log logs/backend.log;
        location /open/accel { add_header X-Accel-Redirect /accel/in; return 200; }
        location /open/page { add_header X-Accel-Redirect /accel/page; return 200; }
        location / { return 200 "backend"; }
    }
}
END

sub passes { $_[0]->status == 200 && $_[0]->body eq 'backend' }

sub ask {
    my ($uri, %with) = @_;
    my @headers = map { /\A(?:body|method)\z/ ? () : ($_ => $with{$_}) } sort keys %with;
    return http($server->port, uri => $uri, headers => \@headers,
                map { exists $with{$_} ? ($_ => $with{$_}) : () } qw(body method));
}

my $anonymous = ask('/a');
is($anonymous->status, 401, 'without a key, led on to a stricter place');
is(eval { $anonymous->json->{code} }, 'missing_key', 'the refusal says why');
is(ask('/b')->status, 401, 'as directly');
is(ask('/a', 'X-API-Key' => 'poor-key')->status, 200, 'what is good for the first place stays there');


# ---- each place to each: who would be refused there is, whatever way he comes

my $message = '{"to": "+212600000000", "text": "x"}';
my @who = (
    [ 'nobody' ],
    [ 'a stranger', 'X-API-Key' => 'other-key' ],
    [ 'a poor partner', 'X-API-Key' => 'poor-key' ],
    [ 'a partner that signs nothing', 'X-API-Key' => 'full-key' ],
    [ 'nobody with a body', body => $message, 'Content-Type' => 'text/plain' ],
    [ 'a partner with a message', body => $message, 'X-API-Key' => 'full-key',
      'Content-Type' => 'application/json' ],
);

# What two places have in common is asked once. A payload's rule asks nothing of
# who sends no body.

sub asks_the_same {
    my ($from, $to, $body) = @_;
    my $key = $body ? qr/\Akey\z/ : qr/\A(?:key|message|call)\z/;
    return $from eq $to || $to eq 'off'
           || ($from =~ /\A(?:key|message|call)\z/ && $to =~ $key);
}

for my $who (@who) {
    my ($name, %with) = @$who;
    my %direct = map { $_ => passes(ask("/$_", %with)) } sort keys %from;
    my @wrong;

    for my $from (sort keys %from) {
        for my $to (sort keys %from) {
            for my $path ("/$from/$to", "/$from/named/$to") {
                # to a path, error_page makes a GET of it: a payload has none
                next if $direct{$from} || asks_the_same($from, $to, $with{body});
                next if $path !~ /named/ && $to =~ /\A(?:message|call)\z/;
                push @wrong, $path if passes(ask($path, %with)) && !$direct{$to};
            }
        }
    }

    is("@wrong", '', "$name is let in nowhere by a way round");
}


# ---- what may pass

is(ask("/$_/key")->body, 'backend', "from /$_ unasked to where the same is asked") for qw(key message call);
is(ask("/$_/off")->body, 'backend', "from /$_ unasked to where nothing is") for sort keys %from;
is(ask('/twin', 'X-API-Key' => 'poor-key')->body, 'backend', 'the same scope, written twice');
is(ask('/scope/key', 'X-API-Key' => 'poor-key')->body, 'backend',
   'a partner without a scope, led on to where none is asked');
is(ask('/hook/hook2', 'X-Other' => hmac_sha256_hex('', $hook))->body, 'backend',
   'signed as the second place asks');
is(ask('/hook/key', 'X-API-Key' => 'full-key')->body, 'backend', 'no webhook, but with a key');


# ---- the window

is(ask('/spent/scope', 'X-API-Key' => 'spent-key')->status, 200, 'the only one of the day');
my $spent = ask('/spent/scope', 'X-API-Key' => 'spent-key');
is($spent->status, 429, 'another is refused, and led to a place that the partner may enter');
is(eval { $spent->json->{code} }, 'rate_limited', 'it says why');
is($spent->header('X-RateLimit-Remaining'), 0, 'with the limit');
ok($spent->header('Retry-After') > 80000, 'and when to come again');
is(ask('/spent/dry', 'X-API-Key' => 'spent-key')->status, 200, 'where the limit is not in force it passes');
my $page = ask('/spent/page', 'X-API-Key' => 'spent-key');
is($page->status, 429, "an operator's page where the same is asked");
is($page->body, "it works\n", 'is sent');


# ---- on and on

is(ask('/chain')->status, 401, 'through two error_pages');
is(ask('/way')->status, 401, 'through a place that asks nothing');

is(ask('/accel/in')->status, 401, 'back to where it was refused, from where access is off');
is(ask('/accel/in', 'X-API-Key' => 'full-key')->body, 'backend', 'with a key, it is let in there');
is(ask('/accel/first')->body, "it works\n", 'refused there anew, it gets the page of that place');

$page = ask('/told');
is($page->status . $page->body, "401it works\n", "an operator's page where access is off, in the envelope's form");
is($page->header('WWW-Authenticate'), 'ApiKey realm="api"', 'still says how to come in');


# ---- a scope that depends on the request

for my $uri ('/by/strict', '/by/loose') {
    my $r = http($server->port(3), method => 'POST', uri => $uri, body => 'x',
                 headers => [ 'X-API-Key' => 'sender-key', 'Content-Type' => 'text/plain' ]);
    is($r->status, 403, "$uri: a scope that a variable names is asked where error_page leads");
}

is(() = $server->access_log =~ m{^/chain missing_key$}mg, 1, 'each is logged as one decision');

$server->stop;
done_testing;
