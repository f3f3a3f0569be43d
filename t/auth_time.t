# wassiit_auth hmac while the time goes on, over HTTP/2 and after a reload; what
# nginx -t says. What one request gets is t/auth.t's, and what the logs hold
# t/auth_log.t's. The clock is the test's own, see t/lib/clock.c.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Clock;
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64);
use Test::More;

use constant NOW => 1_800_000_000;

my $clock = Wassiit::Clock->new(NOW);

my %secret = (
    atlas => "\x00\x01 a secret of any bytes \xff",
    rif => 'another', old => 'old',
);
my %text = map { ($_ => encode_base64($secret{$_}, '')) } keys %secret;

sub signs { return partner($_[0], "key of $_[0]", hmac_secret => $text{$_[0]}, @_[1 .. $#_]) }

my @partners = (
    signs('atlas'), signs('rif'),
    partner('turns', 'key of turns', hmac_secret => $text{rif},
            former_hmac_secret => { value => $text{old}, expires => '2027-01-15T08:01:40Z' }),
);

my $server = Wassiit::Server->start(
    files => { 'partners.jsonl' => \@partners },
    conf => <<'END');
http {
    wassiit_zone zone=api:1m file=partners.jsonl;

    server {
        listen %%PORT%%;
        listen %%PORT_2%% http2;
        wassiit_access api;
        wassiit_auth hmac;

        location / { try_files /none @ok; }
        location @ok { return 200 "$wassiit_partner $wassiit_decision"; }
    }
}
END

sub sign {
    my ($secret, $key, $time) = @_;
    return encode_base64(hmac_sha256($key . $time, $secret), '');
}

# The headers of a partner's request, as it should be unless told otherwise;
# undef leaves one out.

sub signed {
    my ($id, %with) = @_;
    my $key = exists $with{key} ? $with{key} : "key of $id";
    my $time = exists $with{time} ? $with{time} : NOW;
    my $signature = exists $with{signature} ? $with{signature}
                    : sign($with{secret} // $secret{$id}, $key // '', $time);

    return map { defined $_->[1] ? @$_ : () } [ 'X-API-Key', $key ],
        [ 'X-API-Timestamp', $time ], [ 'X-API-Signature', $signature ];
}

sub ask {
    my ($uri, @headers) = @_;
    return http($server->port, uri => $uri, headers => \@headers);
}

sub answers {
    my ($name, $expected, $uri, @headers) = @_;
    my $r = ask($uri, @headers);
    my $got = $r->status == 200 ? '200 ' . $r->body : $r->status . ' ' . $r->json->{code};

    is($got, $expected, $name);
    is($r->header('WWW-Authenticate'), 'ApiKey realm="api"', "$name: what is asked for")
        if $r->status == 401;
    return $r;
}

sub accepted { answers("$_[0]", "200 $_[1] allowed", @_[2 .. $#_]) }

# Until 100 seconds from NOW on the former secret counts beside the other.

subtest 'a former secret' => sub {
    my @with = (secret => $secret{old});

    for my $time (0, 99, -3600) {
        $clock->set(NOW + $time);
        accepted("$time s: the former one", 'turns', '/', signed('turns', @with, time => NOW + $time));
        accepted("$time s: the other", 'turns', '/', signed('turns', secret => $secret{rif}, time => NOW + $time));
        answers("$time s: neither", '401 invalid_signature', '/', signed('turns', secret => 'x', time => NOW + $time));
    }
    for my $time (100, 101, 1e6) {
        $clock->set(NOW + $time);
        answers("$time s: not any more", '401 invalid_signature', '/', signed('turns', @with, time => NOW + $time));
        accepted("$time s: the other", 'turns', '/', signed('turns', secret => $secret{rif}, time => NOW + $time));
    }
    $clock->set(NOW);
    answers('another time', '401 stale_timestamp', '/', signed('turns', @with, time => NOW - 301));
    answers("another's former one", '401 invalid_signature', '/', signed('rif', @with));
    unlike($server->error_log, qr/\Q$text{old}\E/, 'no secret in the log');
};

subtest 'over HTTP/2' => sub {
    my %h = signed('atlas');
    my $r = curl('--http2-prior-knowledge', map({ ('-H', "$_: $h{$_}") } keys %h),
                 'http://127.0.0.1:' . $server->port(2) . '/');
    is($r->body, 'atlas allowed', 'is let in');
};

subtest 'the same request later' => sub {
    $clock->set(NOW + 301);
    answers('too late', '401 stale_timestamp', '/', signed('atlas'));
    $clock->set(NOW + 300);
    accepted('but not yet', 'atlas', '/', signed('atlas'));
    $clock->set(NOW);
};

subtest 'a reload' => sub {
    my $old = sign($secret{atlas}, 'key of atlas', NOW);
    my @changed = grep { $_->{id} ne 'atlas' && $_->{id} ne 'rif' } @partners;

    $server->partners(@changed, partner('rif', 'key of rif'),
        partner('atlas', 'key of atlas', hmac_secret => encode_base64('new secret', '')));
    is($server->reload, '', 'a new secret, and one that is taken away');
    accepted('the new secret', 'atlas', '/', signed('atlas', secret => 'new secret'));
    answers('the old one', '401 invalid_signature', '/', signed('atlas'));
    answers('who has none any more', '401 invalid_signature', '/', signed('rif'));

    for my $bad ('', '=', 'A', 'AA=', 'AA AA', "AAAA\n", 'AAAA=', 'a*b=', 5, [], undef) {
        $server->partners(@changed, { %{ partner('atlas', 'key of atlas') }, hmac_secret => $bad });
        like($server->reload, qr/partners\.jsonl:@{[@changed + 1]}: hmac_secret: must be a string of base64/,
             'no secret: ' . JSON::PP->new->allow_nonref->encode($bad));
    }
    accepted('what was stays', 'atlas', '/', signed('atlas', secret => 'new secret'));
    unlike($server->error_log, qr/\Q$_\E/, "$_ isn't in the log")
        for 'AA AA', 'AAAA=', 'a*b=', encode_base64('new secret', '');

    $server->partners(@partners);
    is($server->reload, '', 'all as before');
    accepted('the first secret', 'atlas', '/', signed('atlas'));
    accepted('and the other', 'rif', '/', signed('rif'));
};

subtest 'the configuration' => sub {
    for my $row ([ 'hmac skew=', qr/invalid skew "skew="/ ], [ 'hmac skew=1x', qr/invalid skew "skew=1x"/ ],
                 [ 'hmac skew=-1', qr/invalid skew/ ], [ 'hmac skew', qr/invalid parameter "skew"/ ],
                 [ 'key skew=5s', qr/invalid parameter "skew=5s"/ ], [ 'hmac 5s', qr/invalid parameter "5s"/ ],
                 [ 'HMAC', qr/invalid value "HMAC", it must be "key" or "hmac"/ ],
                 [ 'off', qr/invalid value "off"/ ], [ 'hmac; wassiit_auth key', qr/is duplicate/ ])
    {
        my ($exit, $message) = nginx_test("http {\n server {\n wassiit_auth $row->[0];\n }\n}\n");
        ok($exit != 0 && $message =~ $row->[1] && $message =~ /nginx\.conf:3$/m, "wassiit_auth $row->[0]")
            or diag($message);
    }
};

$server->stop;
done_testing;
