# error_page opens nothing that was closed: each place led to each, and who would be
# refused there is, whatever way he comes. (t/error_page.t has what may pass.)

use strict;
use warnings;

use lib 't/lib';
use MIME::Base64 qw(encode_base64);
use Wassiit;
use Test::Nginx::Socket;

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
my @places = sort keys %from;
my $to_backend = 'proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;';
my $config = '';

for my $from (@places) {
    $config .= "location = /$from { $from{$from} $to_backend }\n"
             . "location \@$from { $from{$from} $to_backend }\n";

    for my $to (@places) {
        $config .= "location = /$from/$to { $from{$from} error_page 400 401 403 415 429 = /$to;"
            . " $to_backend }\n"
            . "location = /$from/named/$to { $from{$from} error_page 400 401 403 415 429 = \@$to;"
            . " $to_backend }\n";
    }
}

# What two places have in common is asked once. A payload's rule asks nothing of
# who sends no body.

sub asks_the_same {
    my ($from, $to, $body) = @_;
    my $key = $body ? qr/\Akey\z/ : qr/\A(?:key|message|call)\z/;
    return $from eq $to || $to eq 'off'
           || ($from =~ /\A(?:key|message|call)\z/ && $to =~ $key);
}

# From each place that is closed to each that is closed, too. To a path,
# error_page makes a GET of it, and a payload has none.

sub ways {
    my ($open, $body) = @_;
    my @closed = grep { !$open->{$_} } @places;

    return map {
        my $from = $_;
        map { asks_the_same($from, $_, $body) ? ()
                  : ("/$from/named/$_", /\A(?:message|call)\z/ ? () : "/$from/$_") } @closed;
    } @closed;
}

sub lines { return join "\n", map { JSON::PP->new->utf8->encode($_) } @_ }

# "open" are all the places that let a request in which has this header and body; by
# "ways" it is led from the others to the others.

for my $block (blocks()) {
    my %open = map { $_ => 1 } split ' ', $block->open;
    my $body = $block->body;
    my @uris = defined $block->ways ? ways(\%open, $body) : map { "/$_" } @places;
    my @in = map { m{\A/(\w+)\z} && $open{$1} ? 1 : 0 } @uris;
    die $block->name . ': no way' if !@uris;

    $block->set_value(request => [ map { $body ? "POST $_\n$body" : "GET $_" } @uris ]);
    $block->set_value(error_code => undef);
    $block->set_value(error_code_like => [ map { $_ ? '^200$' : '^[45]' } @in ]);
    $block->set_value(response_body_like => [ map { $_ ? '\Abackend\z' : '\A(?!backend\z)' } @in ]);
}

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(partners => lines(
        partner('full', 'full-key', hmac_secret => encode_base64('secret of full', ''),
                rate => '100000r/h'),
        partner('poor', 'poor-key', scopes => ['audio.send'], rate => '100000r/h')));
    $block->set_value(files => {
        'hook.secret' => "the hook's\n",
        'other.jsonl' => lines(partner('stranger', 'other-key', rate => '100000r/h')) });
    $block->set_value(http_config => <<'END');
        wassiit_zone zone=api:1m file=partners.jsonl;
        wassiit_zone zone=other:1m file=other.jsonl;
        server {
            listen 127.0.0.1:$TEST_NGINX_PORT_2;
            location / { return 200 "backend"; }
        }
END
    $block->set_value(config => $config);
});

$Test::Nginx::Util::TestNginxSleep = 0.002;
log_level('info');
no_long_string();
no_shuffle();
no_root_location();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: nobody, where he may go
--- open: off


=== TEST 2: nobody, by a way round
--- open: off
--- ways


=== TEST 3: a stranger, where he may go
--- more_headers
X-API-Key: other-key
--- open: off other


=== TEST 4: a stranger, by a way round
--- more_headers
X-API-Key: other-key
--- open: off other
--- ways


=== TEST 5: a poor partner, where it may go
--- more_headers
X-API-Key: poor-key
--- open: off key variable message call


=== TEST 6: a poor partner, by a way round
--- more_headers
X-API-Key: poor-key
--- open: off key variable message call
--- ways


=== TEST 7: a partner that signs nothing, where it may go
--- more_headers
X-API-Key: full-key
--- open: off key scope variable message call


=== TEST 8: a partner that signs nothing, by a way round
--- more_headers
X-API-Key: full-key
--- open: off key scope variable message call
--- ways


=== TEST 9: nobody with a body, where he may go
--- more_headers
Content-Type: text/plain
--- body: {"to": "+212600000000", "text": "x"}
--- open: off


=== TEST 10: nobody with a body, by a way round
--- more_headers
Content-Type: text/plain
--- body: {"to": "+212600000000", "text": "x"}
--- open: off
--- ways


=== TEST 11: a partner with a message, where it may go
--- more_headers
X-API-Key: full-key
Content-Type: application/json
--- body: {"to": "+212600000000", "text": "x"}
--- open: off key scope variable message


=== TEST 12: a partner with a message, by a way round
--- more_headers
X-API-Key: full-key
Content-Type: application/json
--- body: {"to": "+212600000000", "text": "x"}
--- open: off key scope variable message
--- ways
