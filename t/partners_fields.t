# The partners' file: what its fields may hold, and who comes in by that. What is said
# of a bad field is in partners.t.

use strict;
use warnings;

use lib 't/lib';
use POSIX qw(strftime);
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

my $json = JSON::PP->new->utf8->canonical;

# A time so many seconds from now, as a clock shows it that is so many before UTC.

our $Now = time;
sub at { return strftime('%Y-%m-%dT%H:%M:%S', gmtime $Now + $_[0]) }

our $Later = '2999-12-31T23:59:60Z';
our %Former = (former_hmac_secret => { value => 'QUJD', expires => '2036-01-01T00:00:00Z' });
our %Next = (next_webhook_secret => { value => "\x{e9}", expires => '2020-01-01T00:00:00+01:00' });

# Partners of one file, each with the key "key-of-p1" and so on: fields in place of a
# line's, and of its key's. "told" is what becomes of each.

for my $block (blocks()) {
    my $fields = $block->fields // $block->key_fields // next;
    my $told = ($block->told // '200') =~ s/\s+\z//r;
    my ($n, $steps, @lines) = (0, '');

    for my $row (@$fields) {
        my $id = 'p' . ++$n;
        my %key = (id => 'k1', sha256 => key_sha256("key-of-$id"));
        push @lines, $json->encode({
            id => $id, scopes => ['conversations.read'],
            defined $block->fields ? (keys => [ \%key ], %$row) : (keys => [ { %key, %$row } ]) });
        $steps .= "key-of-$id GET / => $told\n";
    }

    $block->set_value(text => join "\n", @lines, '');
    $block->set_value(steps => $steps);
}

admin_blocks();
run_tests();

__DATA__

=== TEST 1: the longest name
--- fields eval: [ { name => 'n' x 128 }, { name => "\x{e9}" x 64 } ]


=== TEST 2: a name that JSON escapes
--- fields eval: [ { name => 'a "b" \\ c' } ]


=== TEST 3: enabled
--- fields eval: [ { enabled => JSON::PP::true() } ]


=== TEST 4: not enabled
--- fields eval: [ { enabled => JSON::PP::false() } ]
--- told: 403 partner_disabled


=== TEST 5: rates
--- fields eval
[ map { { rate => $_ } } '1r/s', '1000000r/s', '1r/d', '1000000r/d', '10001r/h' ]


=== TEST 6: no scope, and one twice
--- fields eval: [ { scopes => [] }, { scopes => [ 'files.send', 'files.send' ] } ]


=== TEST 7: secrets in base64, with and without its end, in both alphabets
--- fields eval
[ map { { hmac_secret => $_ } } 'c2VjcmV0', 'c2VjcmU=', 'c2VjcmU', 'c2Vjcg==', 'c2Vjcg', '-_-_',
                                '+/+/', 'QUJD' x 2000 ]


=== TEST 8: a former secret, and a next one
--- fields eval
[ { hmac_secret => 'c2VjcmV0', webhook_secret => 'h', %::Former, %::Next },
  { hmac_secret => 'c2VjcmV0', %::Former } ]


=== TEST 9: webhook secrets of any text
--- fields eval: [ map { { webhook_secret => $_ } } 'h', 'hush' x 500, "\x{e9}", ' ', 'a"b' ]


=== TEST 10: ids of keys
--- key_fields eval: [ map { { id => $_ } } 'k' x 64, '-', '.', '_', '0' ]


=== TEST 11: created long ago
--- key_fields eval
[ map { { created => $_, expires => $::Later } }
  '2020-02-29T23:59:59Z', '2000-02-29T00:00:00.123456789Z', '2001-01-01t00:00:00z',
  '0000-01-01T00:00:00Z', '1969-12-31T23:59:59Z',
  '2001-01-01T00:00:00.5+01:00', '2001-01-01T00:00:00-00:00' ]


=== TEST 12: created a minute ago, by any clock
--- key_fields eval
[ map { { created => $_, expires => $::Later } }
  main::at(-60) . 'Z', main::at(-60 + 14 * 3600) . '+14:00',
  main::at(-60 - 23 * 3600 - 59 * 60) . '-23:59' ]


=== TEST 13: not yet created
--- key_fields eval
[ map { { created => $_ } }
  '9999-12-31T23:59:59Z', main::at(3600) . 'Z', main::at(3600 + 14 * 3600) . '+14:00',
  main::at(3600 - 12 * 3600) . '-12:00' ]
--- told: 401 invalid_key


=== TEST 14: expired, by any clock
--- key_fields eval
[ map { { expires => $_ } }
  '0000-01-01T00:00:00Z', '1970-01-01T00:00:00Z', main::at(-1) . 'Z',
  main::at(-60 + 9 * 3600) . '+09:00', main::at(-60 - 12 * 3600) . '-12:00' ]
--- told: 401 expired_key


=== TEST 15: in force for an hour, by any clock
--- key_fields eval
[ map { { expires => $_ } }
  main::at(3600) . 'Z', main::at(3600 + 9 * 3600) . '+09:00',
  main::at(3600 - 12 * 3600) . '-12:00' ]


=== TEST 16: eight keys
--- text eval
JSON::PP->new->encode({ id => 'many', keys => [
    map { { id => "k$_", sha256 => main::key_sha256("many-key-$_") } } 1 .. 8 ] })
--- steps eval: CORE::join '', map { "many-key-$_ GET / => 200 ~ ^many\$\n    X-Key: k$_\n" } 1 .. 8


=== TEST 17: lines that grant nothing stand beside those that do
--- text eval
'{"id":"a-z.0_9' . 'x' x 57 . qq("}\n{"id":"bare"}\n \t {\t"id" : "spaced" } \t\n)
. qq({"id":"-"}\n{"id":"k","keys":[]}\n)
. '{"id":"last","keys":[{"id":"k1","sha256":"' . main::key_sha256('last-key') . '"}]}'
--- steps
last-key GET / => 200 ~ ^last$


=== TEST 18: a digest in capitals, in any order of members
--- text eval
'{"keys":[{"sha256":"' . uc(main::key_sha256('upper-key')) . '","id":"k1"}],"id":"upper"}'
--- steps
upper-key GET / => 200 ~ ^upper$


=== TEST 19: a member's name with an escape
--- text eval
'{"\u0069d":"esc","keys":[{"id":"k1","sha256":"' . main::key_sha256('escaped-key') . '"}]}'
--- steps
escaped-key GET / => 200 ~ ^esc$
