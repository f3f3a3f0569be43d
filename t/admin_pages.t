# GET partners: pages in the order of ids, and their arguments.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

our @Few = qw(- 0 _ a a- a. a0 a_ aa b b- z.z);
our @Ids = sort @Few, map { "p$_" } 1 .. 238;

# All of them in pages of so many, each page begun where the one before ended.

sub pages {
    my ($size, @ids) = @_;
    my ($steps, $after) = ('', '');

    for (my $n = 0; $n < @ids; $n += $size) {
        my $last = $n + $size < @ids ? $n + $size - 1 : $#ids;
        my $full = $last - $n + 1 == $size;
        my $page = join ',', map { qq(\\{"id":"\Q$_\E"[^{}]*\\}) } @ids[ $n .. $last ];
        my $next = $last < $#ids ? qq("\Q$ids[$last]\E") : $full ? '(?:null|"[^"]*")' : 'null';
        $steps .= "ops GET partners?limit=$size$after => 200 "
                  . qq(~ ^\\{"partners":\\[$page\\],"next":$next\\}\$\n);
        $after = "&after=$ids[$last]";
    }

    return $steps . "ops GET partners?limit=$size$after => 200 =\n";
}

sub refused {
    my ($detail, @arguments) = @_;
    return join '', map { "ops GET partners?$_ => 400 bad_request"
                          . (defined $detail ? qq( ~ "detail":"$detail") : '') . "\n" } @arguments;
}

our $More = 'there is no argument';
our $Known = 'limit, after, q and state are\.';
our $Percent = 'has a % without two hex digits after it\.';
our $Text = 'The argument q must be 1 to 128 bytes that an id or a name contains\.';
our ($a64, $a65, $a129) = map { 'a' x $_ } 64, 65, 129;
our @Changes = ((map { "DELETE partners/$_ => 204" } 'p1', 'a', map { "p$_" } 20 .. 39),
                (map { "POST partners {\"id\":\"$_\"} => 201" }
                     map { ("n$_", "p$_", "p$_-") } 30 .. 39));
our %Gone = map { $_ => 1 } 'p1', 'a', map { "p$_" } 20 .. 29;
our @Then = sort((grep { !$Gone{$_} } @Ids), map { ("n$_", "p$_-") } 30 .. 39);

admin_blocks(partners => [ map { partner($_, "key of $_") } reverse @Ids ]);
run_tests();

__DATA__

=== TEST 1: 250 in pages of 7: each once, in order
--- steps eval: main::pages(7, @main::Ids)


=== TEST 2: in two that are full
--- steps eval: main::pages(125, @main::Ids)


=== TEST 3: all in one
--- steps eval: main::pages(1000, @main::Ids)


=== TEST 4: one by one
--- partners eval: CORE::join "\n", map { qq({"id":"$_"}) } @main::Few
--- steps eval: main::pages(1, @main::Few)


=== TEST 5: without a limit, one of a hundred that tells where to go on
--- steps eval
"ops GET partners => 200 = @main::Ids[0 .. 99] > $main::Ids[99]\n"


=== TEST 6: after the last
--- steps
ops GET partners?after=z.z => 200 =
ops GET partners?after=zzz => 200 =


=== TEST 7: after one that is there
--- steps
ops GET partners?after=p99 => 200 = z.z
ops GET partners?after=p98 => 200 = p99 z.z


=== TEST 8: after one that isn't
--- steps eval
"ops GET partners?after=p989 => 200 = p99 z.z\n"
. "ops GET partners?after=p98- => 200 = p99 z.z\n"
. "ops GET partners?after=z%2ey => 200 = z.z\n"
. "ops GET partners?after=$main::a64 => 200 ~ \"partners\":\\[\\{\"id\":\"b\"\n"
. "ops GET partners?limit=1&after=a0x => 200 = a_ > a_\n"


=== TEST 9: a limit is 1 to 1000
--- steps eval
main::refused(undef, map { "limit=$_" } 0, 1001, 'x', '', -1, '1x', '1.5', '99999999999999999999')
. "ops GET partners?limit=1000 => 200\n"


=== TEST 10: after is an id
--- steps eval
main::refused(undef, map { "after=$_" } '', 'A', 'a/b', '%00', $main::a65)


=== TEST 11: an argument twice
--- steps eval
main::refused('The argument limit stands twice\.', 'limit=1&limit=1')


=== TEST 12: one that there is not, in other letters, of no name
--- steps eval
main::refused("There is no argument offset: $main::Known", 'offset=3')
. main::refused("There is no argument Limit: $main::Known", 'Limit=3')
. main::refused("There is no argument of that name: $main::Known", '%22=3')


=== TEST 13: a state is enabled or disabled
--- steps eval
main::refused('The argument state must be enabled or disabled\.', 'state=on')


=== TEST 14: a percent sign has two hex digits after it
--- steps eval
CORE::join '', map { main::refused("The argument $_->[0] $main::Percent",
                                   "$_->[0]=$_->[1]") }
    ['limit', '5%'], ['q', 'a%zz'], ['q', '%4'], ['q', '%%34'], ['q', '%'], ['after', 'atlas%2'],
    ['state', 'enabled%']


=== TEST 15: a text to look for is 1 to 128 bytes
--- steps eval
main::refused($main::Text, 'q=', "q=$main::a129")


=== TEST 16: empty arguments are none
--- steps
ops GET partners?&limit=2&&after=a& => 200 = a- a. > a.


=== TEST 17: some go and some come: those that are there stand in order
--- steps eval
CORE::join('', map { "ops $_\n" } @main::Changes) . main::pages(50, @main::Then)
