# error_page opens nothing that was closed: each place led to each, and who would be
# refused there is, whatever way he comes. (t/error_page.t has what may pass.)

use strict;
use warnings;

use lib 't/lib';
use MIME::Base64 qw(encode_base64);
use Test::More;
use Wassiit;

my $secret = encode_base64('secret of full', '');

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
        ],
        'other.jsonl' => [ partner('stranger', 'other-key', rate => '100000r/h') ],
        'hook.secret' => "the hook's\n",
    },
    conf => <<'END' =~ s/%%LOCATIONS%%/$locations/r);
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    wassiit_zone zone=other:1m file=other.jsonl;

    server {
        listen %%PORT%%;
%%LOCATIONS%%
    }
    server {
        listen %%PORT_2%%;
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


$server->stop;
done_testing;
