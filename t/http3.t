# HTTP/3, where nginx has it; where it hasn't, that it can't be asked for.

use strict;
use warnings;

use lib 't/lib';
use H3;
use Test::More;
use Wassiit;
use Wassiit::Uploads;

if (!H3->available) {
    my ($code, $message) = nginx_test('http { server { listen %%PORT%% quic; } }');
    isnt($code, 0, 'no HTTP/3 in this nginx');
    like($message, qr/invalid parameter "quic"/, '... which knows no such parameter');
    done_testing;
    exit;
}

my $server = Wassiit::Server->start(
    files => { 'partners.jsonl' => [ partner('atlas', 'atlas-key') ] },
    conf => <<"END");
worker_processes 1;
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    server {
        @{[ H3->listens('%%PORT%%') ]}
        location / { wassiit_access api; try_files /none \@ok; }
        location \@ok { return 200 \$wassiit_partner; }
    }
}
END

# An answer's status, or how it ended without one.

sub ask {
    my ($h3, @request) = @_;
    my $id = $h3->request(@request);
    $h3->until_closed($id);
    return ($h3->status($id) // 'none') . ' ' . $h3->body($id);
}

my $h3 = H3->new($server->port);
is(ask($h3, headers => [ 'x-api-key' => 'atlas-key' ]), '200 atlas', 'a known key is let in');
like(ask($h3), qr/\A401 .*"missing_key"/, 'none is not');
like(ask($h3, headers => [ 'x-api-key' => 'other' ]), qr/\A401 .*"invalid_key"/, 'nor an unknown one');

$server->stop;


# ---- bodies in frames of every kind: whoever may send, and does, gets an answer

my $uploads = Wassiit::Uploads->new(H3->listens('%%PORT%%'));

sub begin {
    my ($h3, $kind, $path, $body, %how) = @_;
    return $h3->request(method => 'POST', path => $path, body => 0, headers => [
        $uploads->headers($kind, $body, $how{wrong}), 'x-case' => $how{case} // 'only',
        $how{length} ? ('content-length' => length $body) : () ]);
}

# Frames of so many bytes each, one after the other, as they are sent.

sub frames {
    my ($body, $size) = @_;
    return map { H3->frame_bytes(substr $body, $_ * $size, $size) } 0 .. (length($body) - 1) / $size;
}

subtest 'tiny and odd frames' => sub {
    for my $row (
        [ 'a byte in each', 300, 1 ],
        [ 'ten bytes in each', 6000, 10 ],
        [ 'a thousand in each, when it fits', 100_000, 1000 ],
        [ 'one of all', 300_000, 300_000, 7777 ],
        [ 'cut across their borders', 70_000, 500, 333 ])
    {
        my ($name, $size, $frame, $cut) = @$row;
        my $h3 = H3->new($uploads->port);

        for my $kind ($uploads->kinds) {
            my $body = $uploads->body($kind, $size);

            for my $place ($uploads->places) {
                for my $length (0, 1) {
                    my $what = "$name: $kind, $place" . ($length ? ', with a length' : '');
                    my $id = begin($h3, $kind, "/$place/$kind", $body, length => $length);
                    my @pieces = frames($body, $frame);
                    @pieces = unpack "(a$cut)*", join '', @pieces if $cut;

                    while (@pieces) {
                        my $piece = shift @pieces;
                        $h3->until_room($id, length $piece);
                        $h3->raw($id, $piece, !@pieces);
                    }

                    my %seen = $uploads->seen(1);
                    $h3->until_closed($id);
                    is($h3->status($id), 200, $what);
                    ok(($seen{only} // '') eq $body, '... the backend gets the same bytes');
                }
            }
        }
    }
};

# The worker finds all of it at once, more than it looks at in a turn: what comes
# first, what comes last.

subtest 'what waits for its turn' => sub {
    my ($worker) = $uploads->server->worker_pids;
    my $body = $uploads->body('verify', 120_000);
    my %part = (first => [ 0, 40_000 ], last => [ 110_000, 120_000 ]);

    for my $place ($uploads->places) {
        for my $part (sort keys %part) {
            my ($from, $to) = @{ $part{$part} };
            my @h3 = map { H3->new($uploads->port) } 1 .. 8;
            my @ids = map { begin($h3[$_], 'verify', "/$place/verify", $body, case => $_, wrong => $_ % 4 == 0) } 0 .. $#h3;
            my $send = sub {
                my ($from, $to) = @_;
                $h3[$_]->data($ids[$_], substr($body, $from, $to - $from), $to == length $body) for 0 .. $#h3;
            };

            $send->(0, $from) if $from;
            $h3[$_]->until_room($ids[$_], $to - $from + 100) for 0 .. $#h3;
            $uploads->turn;
            kill 'STOP', $worker;
            $send->($from, $to);
            $_->sync for @h3;
            kill 'CONT', $worker;
            $send->($to, length $body) if $to < length $body;

            my %seen = $uploads->seen(6);
            $h3[$_]->until_closed($ids[$_]) for 0 .. $#h3;
            is(join(' ', map { $h3[$_]->status($ids[$_]) } 0 .. $#h3), join(' ', (401, 200, 200, 200) x 2),
               "$place, the $part: each its own verdict");
            is(scalar(grep { ($seen{$_} // '') eq $body } 0 .. $#h3), 6, '... and the backend gets the same bytes');
        }
    }
};

# A location that looks at the body answers as a mere proxy_pass does.

subtest 'frames at random' => sub {
    my $seed = $ENV{TEST_SEED} // int rand 1e6;
    srand $seed;
    diag "TEST_SEED=$seed";

    for my $round (1 .. 25) {
        my @streams = map { +{
            kind => ($uploads->kinds)[rand 5],
            place => ($uploads->places)[rand 3],
            size => int exp(rand log 200_000),
            frame => 1 + int exp(rand log 100_000),
            cut => rand() < 0.5 ? 0 : 1 + int exp(rand log 30_000),
            length => int rand 2,
            wrong => rand() < 0.2,
            broken_off => rand() < 0.1,
        } } 1 .. 1 + rand 4;

        for my $stream (@streams) {
            $stream->{body} = $uploads->body($stream->{kind}, $stream->{size});
            my $least = 1 + int length($stream->{body}) / 200;
            for (qw(frame cut)) {
                $stream->{$_} = $least if $stream->{$_} && $stream->{$_} < $least;
            }
        }

        my @got = map { at_random($_, @streams) } 'plain', undef;
        is_deeply($got[1], $got[0], "round $round") or diag explain [ map { +{ %$_, body => length $_->{body} } } @streams ];
    }
};

# Of each stream the status, and whether the backend got the same bytes.

sub at_random {
    my ($kind, @streams) = @_;
    my $h3 = H3->new($uploads->port);
    my $n = 0;
    my @all = map {
        my @pieces = frames($_->{body}, $_->{frame});
        @pieces = unpack "(a$_->{cut})*", join '', @pieces if $_->{cut};
        my $id = begin($h3, $_->{kind}, "/$_->{place}/" . ($kind // $_->{kind}), $_->{body}, %$_, case => $n);
        +{ %$_, pieces => \@pieces, id => $id, case => $n++ };
    } @streams;
    my @open = @all;

    while (@open) {
        my $stream = $open[rand @open];
        my $piece = shift @{ $stream->{pieces} };
        my $last = !@{ $stream->{pieces} };
        my $gone = $stream->{broken_off} && ($last || rand() < 0.1);

        $gone ? $h3->cancel($stream->{id}, 0x10c) : $h3->raw($stream->{id}, $piece, $last);
        @open = grep { $_ != $stream } @open if $gone || $last;
    }

    my @answered = grep { !$_->{broken_off} } @all;
    my @passed = grep { $kind || !$_->{wrong} || $_->{kind} ne 'verify' } @answered;
    my %seen = $uploads->seen(scalar @passed);

    $h3->until_closed(map { $_->{id} } @answered);
    return [ map {
        my $refused = $_->{wrong} && $_->{kind} eq 'verify';
        [ $refused ? 'refused' : ($h3->status($_->{id}), ($seen{ $_->{case} } // '') eq $_->{body}) ]
    } @answered ];
}

$uploads->server->stop;
done_testing;
