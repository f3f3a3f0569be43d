# wassiit_payload automation: the fields of an OTP or a notification.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Backend;
use Wassiit::Payload;
use Test::Nginx::Socket;

our $Backend = Wassiit::Backend->echo;

our %Detail = (
    reference => 'must be an integer or a string of digits',
    country => 'must be an assigned ISO 3166-1 alpha-2 code in capitals, such as "CM"',
    recipient => 'must be a string of 4 to 14 digits, '
                 . 'without the country\'s calling prefix ("+" or "00")',
    scheduled => 'must be a time of ISO 8601 with milliseconds and a zone, such as '
                 . '"2025-09-29T12:40:14.590Z", of a date that exists',
);
our @Fields = qw(reference country recipient scheduled);
our $Variable = 'must be a string, a number or a boolean';

# A good one but for this field, and one with this text for the number 17, the
# reference; one with this text at its end; one with so many variables that
# are none.

sub with { return object(%Automation, @_) }
sub of { return object(%Automation) =~ s/17/$_[0]/r }
sub and_variables { return object(%Automation) =~ s/\}\z/,"variables":$_[0]}/r }

sub wrong {
    my ($field, @values) = @_;
    return [ map { [ with($field => $_), "#/$field $Detail{$field}, not \"$_\"" ] } @values ];
}

sub many {
    my ($n, %with) = @_;
    my $variables = join ',', map { "\"v$_\":[]" } 1 .. $n;
    return object(%Automation, %with) =~ s/\}\z/,"variables":{$variables}}/r;
}

sub told { return map { "#/variables/v$_ $Variable" } 1 .. $_[0] }

add_block_preprocessor(sub { $_[0]->set_value(config => $Locations) });

log_level('info');
no_long_string();
no_shuffle();
payload_blocks();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: a good one
--- kind: automation
--- accepted eval: [ ::object(%::Automation) ]


=== TEST 2: without fields
--- kind: automation
--- broken eval
[ [ '{}', map { "#/$_ is missing; it $::Detail{$_}" } @::Fields ] ]


=== TEST 3: all fields are wrong
--- kind: automation
--- broken eval
[ [ ::object(map({ ($_ => 'x') } @::Fields), variables => 'x'),
    map({ "#/$_ $::Detail{$_}, not \"x\"" } @::Fields),
    '#/variables must be an object, not "x"' ] ]


=== TEST 4: a reference that is no string of digits
--- kind: automation
--- broken eval: ::wrong(reference => '', '-1', '1.0', ' 1', "1\x{661}")


=== TEST 5: a country that isn't assigned
--- kind: automation
--- broken eval: ::wrong(country => '', 'cm', 'XX', 'CMR', 'UK')


=== TEST 6: a recipient that is no number within a country
--- kind: automation
--- broken eval
::wrong(recipient => '', '123', '123456789012345', '+6700000', '00670000', '67000000x')


=== TEST 7: a time that is none, or of a date that doesn't exist
--- kind: automation
--- broken eval
::wrong(scheduled => '', '2025-02-29T12:40:14.590Z', '2025-09-29T12:40:14Z',
        '2025-09-29T12:40:14.590', '2025-09-29 12:40:14.590Z', '2025-09-29T24:00:00.000Z',
        '2025-13-01T12:40:14.590Z', '2025-09-29T12:40:14.5901Z', '29/09/2025')


=== TEST 8: null
--- kind: automation
--- broken eval
[ map { [ ::with($_ => undef), "#/$_ "
              . (/country|scheduled/ ? 'must be a string; it ' : '') . $::Detail{$_} ] } @::Fields ]


=== TEST 9: a recipient that is a number
--- kind: automation
--- broken eval
[ [ ::with(recipient => 670000000), "#/recipient $::Detail{recipient}" ] ]


=== TEST 10: a reference that is a fraction, or no number
--- kind: automation
--- broken eval
[ map { [ ::of($_), "#/reference $::Detail{reference}" ] } '1.5', '-0.5', '1e-1', '15e-1',
      '1.0000001', '4503599627370495.5', 'true', '[1]', '{}' ]


=== TEST 11: an integer, however it is written
--- kind: automation
--- accepted eval
[ map { ::of($_) } -1, 0, '"0017"', '"' . '9' x 100 . '"', '9223372036854775808', '-' . '9' x 300,
      '1.0', '-1.0', '1e2', '1E+2', '1.5e1', '100e-2', '0.0', '-0', '9007199254740993', '9' x 308 ]


=== TEST 12: a reference of 400 digits
--- kind: automation
--- broken eval
[ [ ::of('9' x 400), qr/# has a number that is too large, at line 1, .*/ ] ]


=== TEST 13: an integer, whatever other numbers there are
--- kind: automation
--- accepted eval
[ map { my $other = $_; map { ::of("$_,\"other\":$other") } 17, '1.0', '9' x 30 }
      '9' x 30, '1.5', '1e300', 7 ]


=== TEST 14: a fraction, whatever other numbers there are
--- kind: automation
--- broken eval
[ map { [ ::of("1.5,\"other\":$_"), "#/reference $::Detail{reference}" ] }
      '9' x 30, '1.5', '1e300', 7 ]


=== TEST 15: times of a leap year, of another zone, with a leap second
--- kind: automation
--- accepted eval
[ map { ::with(scheduled => $_) } '2024-02-29T00:00:00.000Z', '2025-09-29T12:40:14.590+01:00',
      '2016-12-31T23:59:60.000Z' ]


=== TEST 16: variables
--- kind: automation
--- accepted eval
[ ::with(variables => { otp => '123456', n => -1.5, b => JSON::PP::true(), '' => '' }) ]


=== TEST 17: variables that are none, their names in pointers
--- kind: automation
--- broken eval
[ [ ::and_variables('{"a b":null,"~/":[1],"ok":"ok","\u00e9<":{},"":null}'),
    map { "#/variables/$_ $::Variable" } 'a%20b', '~0~1', '%C3%A9%3C', '' ] ]


=== TEST 18: a variable's name of 65 bytes is not told
--- kind: automation
--- broken eval
[ [ ::with(variables => { 'n' x 65, undef }),
    qr/#\/variables must hold strings, numbers and booleans alone.*/ ] ]


=== TEST 19: variables that are no object
--- kind: automation
--- broken eval
[ map { [ ::and_variables($_), '#/variables must be an object' ] } 'null', '[1]', '[{}]', 1 ]


=== TEST 20: no variables, as PHP's encoder makes them
--- kind: automation
--- accepted eval: [ map { ::and_variables($_) } '[]', '[ ]' ]


=== TEST 21: 100 faults are told
--- kind: automation
--- broken eval: [ map { [ ::many($_), ::told($_) ] } 99, 100 ]


=== TEST 22: and how many more there are
--- kind: automation
--- broken eval
[ map { [ ::many($_), ::told(100), '# has ' . ($_ - 100) . ' more faults' ] } 101, 102, 111, 5000 ]


=== TEST 23: 100 faults and another field's
--- kind: automation
--- broken eval
[ [ ::many(100, country => 'x'), "#/country $::Detail{country}, not \"x\"", ::told(99),
    '# has 1 more faults' ] ]
