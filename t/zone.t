#!/usr/bin/perl

# The room in a zone: how much a partner takes, and what is said when there is
# too little.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Test::More;
use Front;
use Wassiit;

my $JSON = JSON::PP->new->utf8->canonical;

sub crowd {
    my ($n, $rate, $keys, $from) = @_;
    my $name = $from // 'p';

    return map {
        my $id = "$name$_";
        partner($id, [ map { "key $_ of $id" } 1 .. $keys // 1 ],
                $rate ? (rate => $rate) : ());
    } 1 .. $n;
}

sub try_size {
    my ($size, $file, %conf) = @_;
    return nginx_test(front_conf(zone => $size, %conf),
                      files => { 'partners.jsonl' => $file });
}

# The size that is told, and one that is a tenth less, in KiB.

sub told {
    my ($message) = @_;
    my ($size, $unit) = $message =~ /, zone=api:(\d+)([km]) would do$/m
        or return;
    return ("$size$unit", int($size * ($unit eq 'm' ? 1024 : 1) * 0.9));
}


subtest 'too small, and the size that would do' => sub {
    for my $row (
        [ 'one, of a million', 1, '1000000r/s' ],
        [ '30 of 70r/h', 30, '70r/h' ],
        [ '100 of no rate', 100 ], [ '100 with eight keys', 100, undef, 8 ],
        [ '100 with two', 100, '1r/d', 2 ], [ '100 with none', 100, undef, 0 ],
        [ '100 of 10000r/s', 100, '10000r/s' ],
        [ '40 of 10001r/s', 40, '10001r/s' ],
        [ '1000 of no rate', 1000 ], [ '1000 of 1r/s', 1000, '1r/s' ],
        [ '1000 of 1000r/m with eight keys', 1000, '1000r/m', 8 ],
        [ '1000 by a default of 500r/d', 1000, undef, 1, rate => '500r/d' ],
        [ '2000 with a secret', 2000, '1r/d', 1, secret => 'c2VjcmV0' ],
        [ '20000 of no rate', 20000 ])
    {
        my ($what, $n, $rate, $keys, %conf) = @$row;
        my $secret = delete $conf{secret};

        subtest $what => sub {
            my $file = join '', map {
                           $JSON->encode({ %$_, $secret ? (hmac_secret => $secret) : () }) . "\n" }
                       crowd($n, $rate, $keys);
            my ($exit, $message) = try_size('32k', $file, %conf);

            is($exit, 1, 'it is refused');
            like($message, qr{\[emerg\][ ]wassiit_zone[ ]"api"[ ]is[ ]too[ ]
                 small[ ]for[ ]the[ ]\Q$n\E[ ]partners[ ]of
                 [ ]"\S+/partners\.jsonl"}x, 'for that reason');

            my ($size, $less) = told($message);
            ok($size, 'a size is told') or return diag($message);
            ($exit, $message) = try_size($size, $file, %conf);
            is($exit, 0, "$size does") or diag($message);

            return if $less < 32;
            ($exit) = try_size("${less}k", $file, %conf);
            is($exit, 1, "a tenth less, ${less}k, does not");
        };
    }
};

subtest 'who fits by the size that is told is served' => sub {
    for my $row ([ 100, '1000r/h', 8 ], [ 1000, undef, 2 ]) {
        my ($n, $rate, $keys) = @$row;
        my @crowd = crowd($n, $rate, $keys);
        my (undef, $message) = try_size('32k', \@crowd);
        my ($size) = told($message);
        my $server = Wassiit::Server->start(conf => front_conf(zone => $size),
            files => { 'partners.jsonl' => \@crowd });

        my @lost = grep {
            my $id = $_;
            grep { ask($server, "key $_ of $id")->status != 200 } 1, $keys;
        } map { "p$_" } 1 .. 5, $n / 2, $n - 5 .. $n;
        is("@lost", '', "$n in $size");
        $server->stop;
    }
};


# The most partners that fit into so much.

sub most {
    my ($size, $rate, $keys) = @_;
    my $high = int($size =~ s/\D//r * ($size =~ /m/ ? 1024 : 1) * 1024 / 300);
    my $low = 0;
    my @lines = map { $JSON->encode($_) . "\n" } crowd($high, $rate, $keys);

    while ($low < $high - 1) {
        my $n = int(($low + $high) / 2);
        my ($exit) = try_size($size, join '', @lines[0 .. $n - 1]);
        ($exit ? $high : $low) = $n;
    }

    return $low;
}

# A cell takes 8 bytes; limits above 10000 are counted in batches.

subtest 'what a partner takes' => sub {
    for my $row ([ 1, '1m' ], [ 100, '2m' ], [ 1000, '4m' ], [ 10000, '8m' ],
                 [ 1000000, '8m' ])
    {
        my ($limit, $size) = @$row;
        my $n = most($size, "${limit}r/m");
        my $bytes = ($size =~ s/m//r) * 1048576 / $n;
        my $cells = $limit > 10000 ? 10000 : $limit;

        note("$limit a minute: $bytes bytes, ", $bytes - 8 * $cells,
             ' without those of cells');
        cmp_ok($bytes - 8 * $cells, '<=', 512 + 0.65 * $cells,
               "$limit a minute, one key: at most 512 bytes, cells not counted");
        cmp_ok($bytes - 8 * $cells, '<=', 1024 + 0.55 * $cells,
               "$limit a minute, one key: at most 1 KiB, cells not counted");
    }

    my ($one, $six, $eight) = map { most('1m', '1r/d', $_) } 1, 6, 8;
    cmp_ok($one, '>', $six, 'more keys take more room');
    cmp_ok(1048576 / $eight - 1048576 / $one, '<=', 7 * 200,
           'a further key at most 200 bytes');
};


subtest 'a zone that is full' => sub {
    my $n = most('64k', '70r/h');
    my @first = crowd($n, '70r/h', 1, 'a');
    my @second = crowd($n, '70r/h', 1, 'b');
    my $half = int($n / 2);
    my @both = (@second[0 .. $half - 1],
                crowd($n - $half, '70r/h', 1, 'c'));
    my $conf = front_conf(zone => '64k');
    my $server = Wassiit::Server->start(conf => $conf,
        files => { 'partners.jsonl' => \@first });
    my $serves = sub {
        my ($what, $partners, $gone) = @_;
        my @lost = grep { ask($server, "key 1 of $_->{id}")->status != 200 }
                   @$partners;
        is(@lost, 0, "$what: all are served");
        my @left = grep { ask($server, "key 1 of $_->{id}")->status != 401 }
                   @$gone;
        is(@left, 0, 'who has gone is not');
    };
    my $reload = sub { $server->partners(@_); return $server->reload };

    $serves->("$n at first", \@first, \@second);
    like($reload->(@first, $second[0]), qr/too small for the @{[ $n + 1 ]} /,
         'one more is refused');
    $serves->('nothing has changed', \@first, \@second);

    is($reload->(@second), '', 'all are replaced');
    $serves->('others', \@second, \@first);
    is($reload->(@both), '', 'half are replaced');
    $serves->('half of them', \@both, [ @second[$half .. $n - 1] ]);
    is($reload->(@first), '', 'all are replaced again');
    $serves->('the first again', \@first, \@both);
    is(take($server, 'key 1 of a1', 1), 68, 'with windows of their own');
    is($reload->(reverse @first), '', 'another order');
    is(take($server, 'key 1 of a1', 1), 67, 'keeps the windows');

    my @changed = map { { %$_, rate => '71r/h' } } @first;
    my $log = $reload->(@changed);
    my ($size) = $log eq '' ? '64k' : told($log);
    ok($size, 'a change of all rates is accepted, or a size told that does');
    $serves->('nothing is lost by it', \@first, \@second);
    $server->conf(front_conf(zone => $size));
    is($server->reload, '', "... $size");
    is(ask($server, 'key 1 of a2')->header('X-RateLimit-Limit'), 71,
       'the new rate');

    is($reload->(), '', 'all have gone');
    is($reload->(crowd(int($n / 2), '70r/h', 1, 'd')), '', 'and others come');
    $serves->('these', [ crowd(int($n / 2), '70r/h', 1, 'd') ], \@first);
    $server->stop;
};

# Whoever tells nginx to stop has no use for memory, and needn't fit in any.

subtest 'signals' => sub {
    my $server = Wassiit::Server->start(conf => front_conf(zone => '64k'),
        files => { 'partners.jsonl' => [ partner('atlas', 'atlas-key') ] });
    $server->partners(crowd(1000, '70r/h', 1, 's'));

    my ($exit, undef, $error) = Wassiit::_run(Wassiit::_command($server->dir), '-s', 'stop');
    is($exit, 0, 'it is told to stop, whatever its file holds') or diag($error);
    ok(wait_for { $server->_has_ended }, 'and does');
    $server->stop;
};

subtest 'pages' => sub {
    my $large = sub {
        my $free = Wassiit::_read('/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages');
        return $free =~ /(\d+)/ ? $1 : 0;
    };
    my $before = $large->();
    my $server = Wassiit::Server->start(conf => front_conf(zone => '3m'),
        files => { 'partners.jsonl' => [ partner('atlas', 'atlas-key') ] });

    like($server->error_log, $before >= 2
             ? qr/\[notice\].*wassiit_zone "api" lies in large pages, which are reserved/
             : qr/\[notice\].*wassiit_zone "api" lies in (?:small pages|large pages, as far)/,
         'the log says in which pages a zone lies');
    is($before - $large->(), $before >= 2 ? 2 : 0, 'large ones are used if there are some');
    take($server, 'atlas-key', 2);
    is($server->reload, '', 'a reload');
    is(() = $server->error_log =~ / lies in /g, 1, 'keeps them');
    $server->stop;
    ok(wait_for { $large->() == $before }, 'all are free again');
};

done_testing;
