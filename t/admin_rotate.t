# POST partners/ID/keys/rotate: how long the former keys work. The clock is the test's
# own, see t/lib/clock.c; what it says over a reload is t/admin.t's.

use strict;
use warnings;

use lib 't/lib';
use POSIX ();
use Wassiit;
use Wassiit::Clock;
use Test::Nginx::Socket;
use Wassiit::Steps;

our ($Now, $Day) = (1_800_000_000, 86400);
our $Clock = Wassiit::Clock->new($Now);

sub iso { return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $Now + $_[0]) }

sub partner_of {
    my ($id, @keys) = @_;
    return { id => $id, keys => [ map {
        my ($key, $field, $when) = @$_;
        { id => $key, sha256 => key_sha256($key), defined $when ? ($field => iso($when)) : () };
    } @keys ] };
}

# A rotation tells the key, its id and times, and when the last former one ends. A key
# may have been made a second ago, so that it works at once.

sub rotate {
    my ($id, $body, $former, $when) = (@_[0 .. 2], $_[3] // 0);
    my $made = '(?:' . iso($when - 1) . '|' . iso($when) . ')';
    my $ends = defined $former ? '"' . iso($former) . '"' : 'null';

    return qq(ops POST partners/$id/keys/rotate $body => 201
    ~ ^\\{"id":"\\w+","created":"$made","expires":null,"last_used":null,"former_expires":$ends,
    ~ "former_expires":$ends,"key":"wst_\\w{38}"\\}\$
    & \$Clock->set(\$Now + $when)
);
}

# When its keys end, in their order.

sub expires {
    my ($id, @expires) = @_;
    my $keys = CORE::join ',', map {
        '\\{[^{}]*"expires":' . (defined $_ ? '"' . iso($_) . '"' : 'null') . '[^{}]*\\}'
    } @expires;
    return qq(ops GET partners/$id => 200 ~ "keys":\\[$keys\\]\n);
}

# What each of these keys gets, once the clock is there.

sub at {
    my ($when, $answer, @keys) = @_;
    return CORE::join '', map {
        "$_ GET / => $answer\n    & \$Clock->set(\$Now + $when)\n"
    } @keys;
}

# Three keys that were made work, and one by hand, but not the one that has time yet.

sub all {
    my ($when) = @_;
    return at($when, 200, '{key1}', '{key2}', '{key3}', 'former-key')
           . at($when, '401 invalid_key', 'later-key');
}

Test::Nginx::Util::add_block_preprocessor(sub { $Clock->set($Now) });
admin_blocks(partners => [
    partner_of('atlas', ['former-key'], [ 'ends-soon', expires => 600 ],
               [ 'ends-late', expires => 1e6 ], [ 'gfirst-key', expires => -600 ]),
    partner_of('brief', [ 'brief-key', expires => 600 ]),
    partner_of('over', [ 'over-key', expires => -600 ]),
    partner_of('rif', [ 'later-key', created => 0 ]), partner_of('one', ['first-key']) ]);
run_tests();

__DATA__

=== TEST 1: a day is left, but to what ends sooner or has ended
--- steps eval
main::rotate('atlas', '', $main::Day)
. main::expires('atlas', $main::Day, 600, $main::Day, -600, undef)
. main::at(0, 200, qw(former-key ends-soon ends-late {key}))
. main::at(0, '401 expired_key', 'gfirst-key')


=== TEST 2: what ends sooner does so
--- steps eval
main::rotate('atlas', '', $main::Day) . main::at(599, 200, 'ends-soon')
. main::at(600, '401 expired_key', 'ends-soon')


=== TEST 3: an object without a grace leaves a day
--- steps eval: main::rotate('one', '{}', $main::Day) . main::expires('one', $main::Day, undef)


=== TEST 4: no body does
--- steps eval: main::rotate('one', '', $main::Day) . main::expires('one', $main::Day, undef)


=== TEST 5: 24 hours are a day
--- steps eval
main::rotate('one', '{"grace":"24h"}', $main::Day) . main::expires('one', $main::Day, undef)


=== TEST 6: a grace in seconds
--- steps eval
main::rotate('one', '{"grace":"90s"}', 90) . main::expires('one', 90, undef)


=== TEST 7: in years
--- steps eval
main::rotate('one', '{"grace":"10y"}', 3650 * $main::Day)
. main::expires('one', 3650 * $main::Day, undef)


=== TEST 8: in minutes: the former key works until then, the new one longer
--- steps eval
main::rotate('one', '{"grace":"30m"}', 1800) . main::expires('one', 1800, undef)
. main::at(1799, 200, 'first-key') . main::at(1800, '401 expired_key', 'first-key')
. main::at(1800, 200, '{key}')


=== TEST 9: at once, and again
--- steps eval
main::rotate('one', '{"grace":"0"}') . main::at(0, '401 invalid_key', 'first-key')
. main::at(0, 200, '{key1}') . main::rotate('one', '{"grace":"0"}')
. main::at(0, '401 invalid_key', '{key1}') . main::at(0, 200, '{key2}')


=== TEST 10: all that it had ends sooner
--- steps eval
main::rotate('brief', '{"grace":"1h"}', 600) . main::expires('brief', 600, undef)


=== TEST 11: or has ended
--- steps eval
main::rotate('over', '{"grace":"1h"}') . main::expires('over', -600, undef)


=== TEST 12: a clock that is stepped back refuses no key that works
--- steps eval
'ops POST partners {"id":"new"} => 201
ops POST partners/rif/keys => 201
' . main::rotate('atlas', '{"grace":"1h"}', 3600)
. main::at(0, 200, 'later-key')
. CORE::join('', map { main::all(-$_) } 30, $main::Day, 400 * $main::Day)


=== TEST 13: nor after a change
--- steps eval
'ops POST partners {"id":"new"} => 201
ops POST partners/rif/keys => 201
' . main::rotate('atlas', '{"grace":"1h"}', 3600)
. 'ops PATCH partners/rif {"name":"Rif"} => 200
    & $Clock->set($Now - $Day)
' . main::all(-$main::Day)


=== TEST 14: no clock brings back a key that was ended, nor has the file it
--- steps eval
main::rotate('one', '{"grace":"1h"}', 3600)
. main::rotate('one', '{"grace":"0"}', undef, -$main::Day)
. CORE::join('', map {
    main::at($_, '401 invalid_key', 'first-key', '{key1}') . main::at($_, 200, '{key2}')
} -2 * $main::Day, -$main::Day, 0, $main::Day)
. '- GET /file => 200 ~ \n\{"id":"one"(?:(?!"sha256").)*"sha256":"{sha256}"(?:(?!"sha256").)*\n\z'
