# wassiit_auth hmac: a partner signs its key and the time. The clock is the
# test's own, see t/lib/clock.c.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Clock;
use Digest::SHA qw(hmac_sha256);
use MIME::Base64 qw(encode_base64 decode_base64);
use Test::More;

use constant NOW => 1_800_000_000;

my $clock = Wassiit::Clock->new(NOW);

my %secret = (
    atlas => "\x00\x01 a secret of any bytes \xff",
    rif => 'another', off => 'off', old => 'old', url => "\xfb\xff\xbf\xfb\xff",
    long => 'l' x 200, poor => 'poor', one => 'one',
);
my %text = map { ($_ => encode_base64($secret{$_}, '')) } keys %secret;
$text{url} = $text{url} =~ tr{+/}{-_}r =~ s/=+\z//r;

sub signs { return partner($_[0], "key of $_[0]", hmac_secret => $text{$_[0]}, @_[1 .. $#_]) }

my @partners = (
    signs('atlas'), signs('rif'), signs('url'), signs('long'),
    signs('off', enabled => JSON::PP::false()),
    { id => 'old', hmac_secret => $text{old},
      keys => [{ id => 'k1', sha256 => key_sha256('key of old'), expires => '2020-01-01T00:00:00Z' }] },
    signs('poor', scopes => []), signs('one', rate => '1r/d'),
    partner('none', 'key of none'),
    partner('turns', 'key of turns', hmac_secret => $text{rif},
            former_hmac_secret => { value => $text{old}, expires => '2027-01-15T08:01:40Z' }),
);

my $server = Wassiit::Server->start(
    files => { 'partners.jsonl' => \@partners },
    conf => <<'END');
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    log_format all '$request $wassiit_partner $wassiit_decision';
    access_log logs/access.log all;

    server {
        listen %%PORT%%;
        listen %%PORT_2%% http2;
        wassiit_access api;
        wassiit_auth hmac;

        location / { try_files /none @ok; }
        location /ten { wassiit_auth hmac skew=10s; try_files /none @ok; }
        location /zero { wassiit_auth hmac skew=0; try_files /none @ok; }
        location /hour { wassiit_auth hmac skew=1h; try_files /none @ok; }
        location /key { wassiit_auth key; try_files /none @ok; }
        location /scope { wassiit_scope files.send; try_files /none @ok; }
        location /envelope { wassiit_errors envelope; try_files /none @ok; }
        location /first { wassiit_auth key; try_files /none /then; }
        location /then { try_files /none @ok; }
        location /lax { wassiit_auth hmac skew=1h; try_files /none /ten; }
        location /open { wassiit_access off; try_files /none @ok; }
        location /left { wassiit_hide_credentials off; add_header X-Left $http_x_api_signature; try_files /none @ok; }
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

subtest 'who signs is let in' => sub {
    accepted("$_, a secret of " . length($secret{$_}) . ' bytes', $_, '/', signed($_))
        for qw(atlas rif url long);
    accepted('without the padding', 'atlas', '/',
             signed('atlas', signature => sign($secret{atlas}, 'key of atlas', NOW) =~ s/=//r));
    accepted('over HTTP/2', 'atlas', '/', signed('atlas'));

    my %h = signed('atlas');
    my $r = curl('--http2-prior-knowledge', map({ ('-H', "$_: $h{$_}") } keys %h),
                 'http://127.0.0.1:' . $server->port(2) . '/');
    is($r->body, 'atlas allowed', 'and over HTTP/2');

    my $openssl = qx{printf %s "key of atlas@{[NOW]}" | openssl dgst -sha256 -mac HMAC \\
        -macopt hexkey:@{[unpack 'H*', $secret{atlas}]} -binary | base64 -w 0};
    accepted('a signature that openssl made', 'atlas', '/', signed('atlas', signature => $openssl));
};

subtest 'the signature' => sub {
    my $good = sign($secret{atlas}, 'key of atlas', NOW);
    my $mac = decode_base64($good);

    answers("of $_->[0]", '401 invalid_signature', '/', signed('atlas', signature => $_->[1])) for
        [ 'another secret', sign('other', 'key of atlas', NOW) ],
        [ 'another key', sign($secret{atlas}, 'key of rif', NOW) ],
        [ 'another time', sign($secret{atlas}, 'key of atlas', NOW - 1) ],
        [ 'the secret undecoded', sign($text{atlas}, 'key of atlas', NOW) ],
        [ 'time and key', sign($secret{atlas}, NOW, 'key of atlas') ],
        [ 'the key alone', sign($secret{atlas}, 'key of atlas', '') ],
        [ 'hex', unpack 'H*', $mac ],
        [ 'raw hex in base64', encode_base64(unpack('H*', $mac), '') ],
        [ 'half of it', encode_base64(substr($mac, 0, 16), '') ],
        [ 'all but a byte', encode_base64(substr($mac, 0, 31), '') ],
        [ 'a byte more', encode_base64("$mac\0", '') ],
        [ 'two paddings', "$good=" ], [ 'a blank in it', $good =~ s/\A(.{9})/$1 /r ],
        [ 'a comma behind it', "$good," ], [ 'nothing but padding', '=' ],
        [ 'two of them', "$good, $good" ], [ '8000 bytes', 'A' x 8000 ];

    for my $i (0 .. length($good) - 2) {
        my $other = $good;
        substr($other, $i, 1) = substr($good, $i, 1) eq 'A' ? 'B' : 'A';
        my $r = ask('/', signed('atlas', signature => $other));
        $r->status == 401 && $r->json->{code} eq 'invalid_signature'
            or fail("character $i is not compared");
    }

    answers('none', '401 missing_signature', '/', signed('atlas', signature => undef));
    answers('an empty one', '401 missing_signature', '/', signed('atlas', signature => ''));
    answers('a blank one', '401 missing_signature', '/', signed('atlas', signature => '  '));
    answers('no time', '401 missing_signature', '/',
            signed('atlas', time => undef, signature => $good));
    answers('neither', '401 missing_signature', '/', 'X-API-Key' => 'key of atlas');
    answers('under another name', '401 missing_signature', '/',
            signed('atlas', signature => undef), 'X_API_Signature' => 'nginx logs this');
};

subtest 'the time' => sub {
    for my $row ([ '/', 300 ], [ '/ten', 10 ], [ '/zero', 0 ], [ '/hour', 3600 ]) {
        my ($uri, $skew) = @$row;

        for my $off (sort { $a <=> $b } keys %{{ map { ($_ => 1) } -$skew, -1, 0, 1, $skew }}) {
            next if abs $off > $skew;
            accepted("$off seconds, skew $skew", 'atlas', $uri, signed('atlas', time => NOW + $off));
        }

        for my $off (-$skew - 1, $skew + 1, -1_000_000, 1_000_000) {
            my $r = answers("$off seconds, skew $skew", '401 stale_timestamp', $uri,
                            signed('atlas', time => NOW + $off));
            like($r->json->{detail}, qr/\b@{[NOW]}\b/, 'the server tells its own');
        }
    }

    $clock->set(NOW + 301);
    answers('the same request later', '401 stale_timestamp', '/', signed('atlas'));
    $clock->set(NOW + 300);
    accepted('but not yet', 'atlas', '/', signed('atlas'));
    $clock->set(NOW);

    my $now = NOW;
    answers("\"$_\" is none", '401 stale_timestamp', '/', signed('atlas', time => $_)) for
        "+$now", "-$now", "$now.0", "$now.", sprintf('0x%x', $now), sprintf('%x', $now),
        '1.8e9', "18000 00000", "$now;", "$now,$now", "\"$now\"", '9' x 20, '0' x 10 . $now,
        '18446744073709551616' + 0, '9223372036854775807', '9223372036854775808', '0', 'now',
        '2027-01-15T08:00:00Z', "$now\xc2\xa0", "\xef\xbc\x91";
    answers('an empty one', '401 stale_timestamp', '/', signed('atlas', time => ''));
};

subtest 'the key comes first' => sub {
    answers('no key', '401 missing_key', '/', signed('atlas', key => undef));
    answers('an unknown key', '401 invalid_key', '/', signed('atlas', key => 'key of nobody'));
    answers('one without a signature', '401 invalid_key', '/', 'X-API-Key' => 'key of nobody');
    answers('one signed with nothing', '401 invalid_key', '/',
            signed('atlas', key => 'key of nobody', secret => ''));
    answers('an expired key', '401 expired_key', '/', signed('old'));
    answers('one with a wrong signature', '401 expired_key', '/', signed('old', secret => 'x'));
    answers('who is switched off', '403 partner_disabled', '/', signed('off'));
    answers('who is and signs wrongly', '401 invalid_signature', '/', signed('off', secret => 'x'));
    answers('no scope', '403 insufficient_scope', '/scope', signed('poor'));
    answers('no scope and a wrong signature', '401 invalid_signature', '/scope',
            signed('poor', secret => 'x'));

    $clock->set(NOW + 1);   # the error log takes 10 lines a second
    answers('who has no secret', '401 invalid_signature', '/', signed('none', secret => ''));
    ok($server->wait_log(qr/\[warn\].*partner "none" has no hmac_secret/), 'the log says why');
    $clock->set(NOW);

    answers('a wrong signature costs nothing', '401 invalid_signature', '/', signed('one', secret => 'x'))
        for 1 .. 3;
    answers('nor does a stale one', '401 stale_timestamp', '/', signed('one', time => 1));
    accepted('there is still one left', 'one', '/', signed('one'));
    answers('and none after it', '429 rate_limited', '/', signed('one'));
    answers('nor with a wrong signature', '401 invalid_signature', '/', signed('one', secret => 'x'));
};

subtest 'each header once' => sub {
    for my $name ('X-API-Key', 'X-API-Timestamp', 'X-API-Signature') {
        my %h = signed('atlas');
        my $r = answers("$name twice", '400 duplicate_header', '/', %h, lc $name => $h{$name});
        like($r->json->{detail}, qr/\b\Q$name\E\b/i, 'it is named');
    }
};

subtest 'where it holds' => sub {
    accepted('a key alone does elsewhere', 'none', '/key', 'X-API-Key' => 'key of none');
    accepted('and whatever stands beside it', 'atlas', '/key', signed('atlas', secret => 'x'));
    is(ask('/open')->status, 200, 'where access is off, nothing is asked for');

    accepted('led to where less time is given', 'atlas', '/lax', signed('atlas', time => NOW - 10));
    answers('too late for it', '401 stale_timestamp', '/lax', signed('atlas', time => NOW - 11));
    answers('led from where a key does', '401 missing_signature', '/first', 'X-API-Key' => 'key of atlas');
    accepted('the signature is not lost on the way', 'atlas', '/first', signed('atlas'));
    is(ask('/left', signed('atlas'))->status, 200, 'credentials that are not hidden');

    my $r = ask('/envelope', signed('atlas', secret => 'x'));
    my $got = $r->json;
    my $data = delete $got->{data};
    is_deeply($got, { success => JSON::PP::false(), status => 401, message => 'invalid_signature' }, 'the envelope');
    like($data->{detail}, qr/signature/, 'which says why');

    $r = ask('/envelope', signed('atlas', time => NOW * 1000));
    like($r->json->{data}{detail}, qr/\b@{[ NOW ]}\b/, 'and, to one who sends milliseconds, what time it is');
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

    $server->partners(@partners);
    is($server->reload, '', 'all as before');
    accepted('the first secret', 'atlas', '/', signed('atlas'));
    accepted('and the other', 'rif', '/', signed('rif'));
};

subtest 'what the logs hold' => sub {
    my $logs = $server->error_log . $server->access_log;
    my @held = grep { index($logs, $_) != -1 } map { ($secret{$_}, $text{$_}) } qw(atlas long url);
    is("@held", '', 'no secret');
    is(index($logs, sign($secret{atlas}, 'key of atlas', NOW)), -1, 'no signature');
    like($logs, qr/ atlas invalid_signature$/m, 'who it was, and why not');
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
