# The partners' file: long lines, lines across the end of the buffer of 64 KB that it
# is read by, and files that are read in four parts. What is said of a bad one is in
# partners.t.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

# A line with one key; what is given replaces what it has.

sub line {
    my ($id, %fields) = @_;
    return JSON::PP->new->utf8->canonical->encode({ id => $id, scopes => ['conversations.read'],
        keys => [{ id => 'k1', sha256 => key_sha256("key-of-$id") }], %fields });
}

our ($Atlas, $Zagora) = map { line($_) } qw(atlas zagora);
our $Tail = length line('tail');

sub long {
    my ($length) = @_;
    my $rif = line('rif');
    my $blank = ' ' x ($length - length $rif);
    return $rif =~ s/\A\{/{$blank/r;
}

# Who comes in, and who doesn't.

sub come { return join '', map { "key-of-$_ GET / => 200 ~ ^$_\$\n" } @_ }
sub stay_out { return join '', map { "key-of-$_ GET / => 401 invalid_key\n" } @_ }
our $All = come(qw(atlas rif zagora));

# A file in which the line of "tail" begins at that byte, as "pad" is made as long.

sub across {
    my ($start) = @_;
    my ($text, $n) = ('', 0);

    while (length($text) < $start - 2000) {
        $text .= line("p$n", name => 'n' x ($n % 100 + 1)) . "\n";
        $n++;
    }

    my $pad = line('pad');
    $pad =~ s/\A\{/'{' . ' ' x ($start - length($text . $pad) - 1)/e;
    $text .= "$pad\n";
    length $text == $start or die 'wrong length';
    return ($text . line('tail') . "\n" . line('after'), 'p' . ($n - 1));
}

# 14000 lines, long enough for four parts, some in place of others.

sub many {
    my (%changed) = @_;
    my @lines = map { line("p$_", name => 'n' x (100 + $_ % 29)) } 1 .. 14000;
    $lines[$_ - 1] = $changed{$_} for keys %changed;
    length(join '', @lines) > 3.2 * 2 ** 20 or die 'too small for four parts';
    return @lines;
}

our @Some = map { "p$_" } 1, 2, 6999, 7000, 7001, 13999, 14000;

for my $block (blocks()) {
    my $start = $block->from // next;
    my ($text, $last) = across($start);
    $block->set_value(text => $text);
    $block->set_value(steps => come('p0', $last, 'pad', 'tail', 'after'));
}

admin_blocks();
run_tests();

__DATA__

=== TEST 1: 65000 bytes, in the middle
--- text eval: "$main::Atlas\n" . main::long(65000) . "\n$main::Zagora\n"
--- steps eval: $main::All


=== TEST 2: 65000 bytes, first
--- text eval: main::long(65000) . "\n$main::Atlas\n$main::Zagora"
--- steps eval: $main::All


=== TEST 3: 65000 bytes, last
--- text eval: "$main::Atlas\n$main::Zagora\n" . main::long(65000)
--- steps eval: $main::All


=== TEST 4: 65000 bytes, alone
--- text eval: main::long(65000)
--- steps eval: main::come('rif')


=== TEST 5: 65000 bytes, twice
--- text eval: main::long(65000) . "\n" . main::long(65000) . "\n$main::Atlas\n$main::Zagora"
--- steps eval: $main::All


=== TEST 6: 65534 bytes, in the middle
--- text eval: "$main::Atlas\n" . main::long(65534) . "\n$main::Zagora\n"
--- steps eval: $main::All


=== TEST 7: 65534 bytes, first
--- text eval: main::long(65534) . "\n$main::Atlas\n$main::Zagora"
--- steps eval: $main::All


=== TEST 8: 65534 bytes, last
--- text eval: "$main::Atlas\n$main::Zagora\n" . main::long(65534)
--- steps eval: $main::All


=== TEST 9: 65534 bytes, alone
--- text eval: main::long(65534)
--- steps eval: main::come('rif')


=== TEST 10: 65534 bytes, twice
--- text eval: main::long(65534) . "\n" . main::long(65534) . "\n$main::Atlas\n$main::Zagora"
--- steps eval: $main::All


=== TEST 11: a line that ends two bytes before byte 65536
--- from eval: 65536 - $::Tail - 2


=== TEST 12: a line that ends a byte before byte 65536
--- from eval: 65536 - $::Tail - 1


=== TEST 13: a line that ends at byte 65536
--- from eval: 65536 - $::Tail


=== TEST 14: a line that ends a byte behind byte 65536
--- from eval: 65536 - $::Tail + 1


=== TEST 15: a line that ends two bytes behind byte 65536
--- from eval: 65536 - $::Tail + 2


=== TEST 16: a line across byte 65536
--- from eval: 65536 - 30


=== TEST 17: a line from byte 65534 on
--- from: 65534


=== TEST 18: a line from byte 65535 on
--- from: 65535


=== TEST 19: a line from byte 65536 on
--- from: 65536


=== TEST 20: a line from byte 65537 on
--- from: 65537


=== TEST 21: a line from byte 65538 on
--- from: 65538


=== TEST 22: a line that ends a byte before byte 131072
--- from eval: 131072 - $::Tail - 1


=== TEST 23: a line that ends at byte 131072
--- from eval: 131072 - $::Tail


=== TEST 24: a line that ends a byte behind byte 131072
--- from eval: 131072 - $::Tail + 1


=== TEST 25: a line from byte 131071 on
--- from: 131071


=== TEST 26: a line from byte 131072 on
--- from: 131072


=== TEST 27: a line from byte 131073 on
--- from: 131073


=== TEST 28: a large file, one partner a line
--- zone_size: 40m
--- text eval: CORE::join "\n", main::many()
--- steps eval: main::come(@::Some)


=== TEST 29: a large file with blank lines, CRLF and an end
--- zone_size: 40m
--- text eval: CORE::join("\r\n\n", main::many()) . "\n"
--- steps eval: main::come(@::Some)


=== TEST 30: a large file: of two lines with one id the later counts, however far away
--- zone_size: 40m
--- text eval
CORE::join "\n", main::many(
    13000 => main::line('p1', keys => [ { id => 'k1', sha256 => main::key_sha256('key-of-new') } ]),
    13001 => '{"id":"p2","deleted":true}', 1000 => '{"id":"p13999","deleted":true}')
--- steps eval
main::stay_out('p1', 'p2') . main::come(@::Some[ 2 .. 6 ]) . "key-of-new GET / => 200 ~ ^p1\$\n"


=== TEST 31: fifty lines of 65000 bytes
--- text eval
my $blank = ' ' x 65000;
CORE::join '', map { main::line("p$_") =~ s/\A\{/{$blank/r . "\n" } 1 .. 50
--- steps eval: main::come(map { "p$_" } 1 .. 50)
