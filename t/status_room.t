# How much wassiit_status shows where there is more than it has room for.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Wassiit;
use Wassiit::Exposition;
use Test::Nginx::Socket;

# Partners with ids as long as there may be, and a request a day.

sub ids { return map { sprintf('p%03d', $_) . 'x' x 60 } 1 .. $_[0] }

sub lines {
    my ($n, %fields) = @_;
    return join "\n", map { JSON::PP->new->utf8->encode(
        partner($_, "key of $_", rate => '1r/d', scopes => [], %fields)) } ids($n);
}

# Of a status, in a line each: what is too long, and who is shown; of Prometheus'
# text, also what is wrong with it.

sub told {
    my ($body) = @_;
    my $size = length $body <= 65536 ? 'has room' : 'of ' . length $body;

    if ($body =~ /\A\{.*"limited":/) {
        my $status = JSON::PP->new->decode($body);
        my $limited = @{ $status->{limited} };
        return "$size\n" . ($limited > 50 ? 'more than 50' : $limited) . " limited\n"
            . ($status->{truncated} ? 'truncated' : 'whole') . "\n";
    }

    return $body unless $body =~ /\A#/;
    my $e = Wassiit::Exposition->new($body);
    my %partner = map { $_->[1]{partner} => 1 } $e->samples('wassiit_partner_requests_total');
    return join '', map { "$_\n" } $size, $e->faults,
        $e->value('wassiit_partners_exported', zone => 'api') . ' exported',
        keys(%partner) . ' shown';
}

# Each of "asks" partners asks twice, and is limited; so many "others" ask
# for what they may not have; then someone looks at "shows".

for my $block (blocks()) {
    my ($n, $m) = map { ($_ // 0) =~ s/\s//gr } $block->asks, scalar $block->others;
    my $shown = $block->shown;
    my @keys = map { "X-API-Key: key of $_" } ids($n + $m);

    $block->set_value(partners => lines($n + $m, $block->long ? (name => '"' x 128) : ()));
    $block->set_value(request => [ ('GET /') x (2 * $n), ('GET /scope') x $m,
                                   'GET ' . $block->shows =~ s/\s//gr ]);
    $block->set_value(more_headers => [ @keys[ 0 .. $n - 1 ], @keys, '' ]);
    $block->set_value(error_code => [ (200) x $n, (429) x $n, (403) x $m, 200 ]);
    $block->set_value(response_body_like => [ ('') x (2 * $n + $m), "\\A\Q$shown\E\\z" ]);
    $block->set_value(response_body_filters => \&told);
}

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(files => { 'ops.jsonl' => '' });
    $block->set_value(http_config => 'wassiit_zone zone=api:4m file=partners.jsonl;'
                      . ' wassiit_zone zone=ops:64k file=ops.jsonl;');
    $block->set_value(config => <<'END');
        location / { wassiit_access api; empty_gif; }
        location = /scope { wassiit_access api; wassiit_scope calls.initiate; empty_gif; }
        location = /status {
            satisfy any;
            allow all;
            wassiit_access ops;
            wassiit_status api top=1000;
        }
        location = /metrics {
            satisfy any;
            allow all;
            wassiit_access ops;
            wassiit_status api prometheus;
        }
END
});

$Test::Nginx::Util::TestNginxSleep = 0.002;
log_level('info');
no_long_string();
no_shuffle();
no_root_location();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: JSON has 64 KiB at most, and what it has room for, which is told
--- asks: 150
--- others: 120
--- long
--- shows: /status?top=100
--- shown
has room
more than 50 limited
truncated


=== TEST 2: Prometheus' text has 64 KiB at most, too
--- asks: 150
--- long
--- shows: /metrics
--- shown
has room
100 exported
100 shown


=== TEST 3: it is right for a hundred of 120 partners
--- asks: 120
--- shows: /metrics
--- shown
has room
100 exported
100 shown
