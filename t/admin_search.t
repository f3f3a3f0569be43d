# GET partners?q=TEXT&state=...: a search.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

our @Many = map { sprintf 'p%05d', $_ } 1 .. 20_002;

our @Partners = (
    partner('atlas', 'key of atlas', name => "Clinique de l'Atlas"),
    partner('clinique-ete', 'key of ete', name => "Clinique de l'\x{c9}t\x{e9}"),
    partner('pharmacie', undef, name => 'Du Port 100%', enabled => JSON::PP::false()),
    partner('port', undef, enabled => JSON::PP::false()),
    partner('times', undef, name => "2 \x{d7} 2 = \x{df} 1212 12123"));

# Who is found: at once, and one a request from each to the next.

sub finds {
    my ($arguments, @ids) = @_;
    my @steps = "ops GET partners?$arguments => 200 = @ids";

    for my $n (0 .. @ids) {
        my $after = $n ? "&after=$ids[$n - 1]" : '';
        my $found = $n < @ids ? qq(\\{"id":"$ids[$n]"[^{}]*\\}) : '';
        my $next = $n < @ids ? qq(\(?:"$ids[$n]"|null\)) : 'null';
        push @steps, "ops GET partners?$arguments&limit=1$after => 200 "
                     . qq(~ ^\\{"partners":\\[$found\\],"next":$next\\}\$);
    }

    return join '', map { "$_\n" } @steps;
}

admin_blocks(partners => \@Partners);
run_tests();

__DATA__

=== TEST 1: in names, letters' case aside
--- steps eval
main::finds('q=clinique', qw(atlas clinique-ete))
. main::finds('q=CLINIQUE', qw(atlas clinique-ete))


=== TEST 2: in ids and in names
--- steps eval
main::finds('q=port', qw(pharmacie port))
. main::finds('q=atlas', qw(atlas))
. main::finds('q=-', qw(clinique-ete))
. main::finds('q=p', qw(pharmacie port))
. main::finds('q=a', qw(atlas pharmacie))
. main::finds('q=none')


=== TEST 3: by state
--- steps eval
main::finds('state=disabled', qw(pharmacie port))
. main::finds('state=enabled', qw(atlas clinique-ete times))


=== TEST 4: by both
--- steps eval
main::finds('q=PoRt&state=disabled', qw(pharmacie port))
. main::finds('q=port&state=enabled')


=== TEST 5: an argument is decoded, a plus sign stands for a blank
--- steps eval
main::finds('q=l%27atlas', qw(atlas))
. main::finds('q=100%25', qw(pharmacie))
. main::finds('q=du+port', qw(pharmacie))
. main::finds('q=du%2Bport')


=== TEST 6: letters beyond ASCII have a case, too; signs have none
--- steps eval
main::finds('q=%C3%89T%C3%89', qw(clinique-ete))
. main::finds('q=%C3%A9t%C3%A9', qw(clinique-ete))
. main::finds('q=2%20%C3%97', qw(times))
. main::finds('q=%C3%B7')


=== TEST 7: what begins anew within what nearly was it
--- steps eval
main::finds('q=12123', qw(times))
. main::finds('q=212123')
. main::finds('q=1213')
. main::finds('q=%C3%9F+1212+1', qw(times))


=== TEST 8: behind one
--- steps
ops GET partners?q=a&after=atlas => 200 = pharmacie


=== TEST 9: one request looks at 20,000, and tells where to go on
--- zone_size: 16m
--- partners eval
CORE::join "\n", map { qq({"id":"$_","rate":"1r/d"}) } @main::Many
--- steps
ops GET partners?q=p20000 => 200 = p20000 > p20000
ops GET partners?q=p20001 => 200 = > p20000
ops GET partners?q=p20001&after=p20000 => 200 = p20001
ops GET partners?q=p20002&after=p00001 => 200 = > p20001
ops GET partners?q=p20002&after=p00002 => 200 = p20002
ops GET partners?q=p0&limit=1 => 200 = p00001 > p00001
