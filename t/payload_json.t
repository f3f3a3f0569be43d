# wassiit_payload message and call: their fields, what is no JSON, and what a
# refusal quotes of it.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Backend;
use Wassiit::Payload;
use Test::Nginx::Socket;

our $Backend = Wassiit::Backend->echo;

our $Text = 'must be a string of 1 to 4096 characters';
our $Type = 'must be "voice" or "video"';
our $Deep = '# is nested deeper than 32 levels';
our $Nasty = join '', ("\"\\/\b\f\n\r\t\x01\x1f\x7f",
    "</script><!-- &amp; %s %n {{x}} ]]> \x{e9}\x{2028}\x{1f600}") x 30;

# One with this beside its fields; one of so many bytes.

sub deep { return qq({"to":"$TO","text":"x","a":$_[0]}) }
sub of_size { return substr($Good{call}, 0, -1) . ' ' x ($_[0] - length $Good{call}) . '}' }

sub to_is {
    return [ map { [ object(to => $_, text => 'x'), "#/to $E164, not \"$_\"" ] } @_ ];
}

sub quoted {
    my ($length) = @_;
    my $text = substr $Nasty, 0, $length;
    my $cut = $length > 64 ? substr($text, 0, 64) . '"...' : "$text\"";
    return [ object(to => $text, text => 'x'), "#/to $E164, not \"$cut" ];
}

sub no_json { return [ map { [ $_, qr/# is not JSON, at line 1, column \d+/ ] } @_ ] }

add_block_preprocessor(sub { $_[0]->set_value(config => $Locations) });

log_level('info');
no_long_string();
no_shuffle();
payload_blocks();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: a good message
--- kind: message
--- accepted eval: [ $::Good{message} ]


=== TEST 2: a message without fields
--- kind: message
--- broken eval
[ [ '{}', "#/to is missing; it $::E164", "#/text is missing; it $::Text" ] ]


=== TEST 3: a call without fields
--- kind: call
--- broken eval
[ [ '{}', "#/to is missing; it $::E164", "#/type is missing; it $::Type" ] ]


=== TEST 4: a number that isn't of E.164
--- kind: message
--- broken eval
::to_is('', '+', '237670000000', '+0237670000', '+123456', '+1234567890123456', '+12345678 ',
        ' +12345678', '+1234567x', '00237670000000', '+237 670000', "+1234567\n")


=== TEST 5: the shortest number and the longest
--- kind: call
--- accepted eval
[ map { ::object(to => $_, type => 'video') } '+1234567', '+123456789012345' ]


=== TEST 6: a number that is no string
--- kind: message
--- broken eval
[ map { [ "{\"text\":\"x\",\"to\":$_}", "#/to must be a string; it $::E164" ] }
      237670000000, 'null', 'true', '["+237670000000"]', '{}' ]


=== TEST 7: an empty text
--- kind: message
--- broken eval
[ [ ::object(to => $::TO, text => ''), "#/text $::Text, not \"\"" ] ]


=== TEST 8: a text that is no string
--- kind: message
--- broken eval
[ map { [ qq({"to":"$::TO","text":$_}), "#/text $::Text" ] } 'null', 1, '[]', '{"body":"x"}' ]


=== TEST 9: a text of 4096 characters outside the BMP, also escaped
--- kind: message
--- accepted eval
[ ::object(to => $::TO, text => "\x{1f600}" x 4096),
  qq({"to":"$::TO","text":") . '\ud83d\ude00' x 4096 . '"}' ]


=== TEST 10: a text of one more
--- kind: message
--- broken eval
[ [ ::object(to => $::TO, text => "\x{1f600}" x 4097),
    "#/text $::Text, not \"" . "\x{1f600}" x 64 . '"...' ] ]


=== TEST 11: a call of another type
--- kind: call
--- broken eval
[ map { [ ::object(to => $::TO, type => $_), "#/type $::Type, not \"$_\"" ] }
      '', 'Voice', 'voic', 'voices', 'vocal', 'audio' ]


=== TEST 12: a type that is no string
--- kind: call
--- broken eval
[ map { [ qq({"to":"$::TO","type":$_}), "#/type $::Type" ] } 'null', 0, '["voice"]' ]


=== TEST 13: a type that goes on behind U+0000
--- kind: call
--- broken eval
[ [ qq({"to":"$::TO","type":"voice\\u0000"}), "#/type $::Type, not \"voice?\"" ] ]


=== TEST 14: further fields
--- kind: message
--- accepted eval
[ qq({"to":"$::TO","text":"x","TO":1,"":null,"a":[{}]}) ]


=== TEST 15: blanks and escapes
--- kind: message
--- accepted eval
[ qq(\r\n\t {"t\\u006f" : "\\u002b237670000000",\n"text":"\\/"} \n) ]


=== TEST 16: an empty body
--- kind: message
--- broken eval: [ [ '', '# is empty' ] ]


=== TEST 17: JSON that ends too early
--- kind: message
--- broken eval
[ [ ' ', qr/# is not JSON: it ends too early, at line 1, .*/ ],
  [ "\n", qr/# is not JSON: it ends too early, at line 2, .*/ ],
  [ '{', '# is not JSON: it ends too early, at line 1, column 1' ],
  [ '{"to', qr/# is not JSON: it ends too early.*/ ],
  [ substr($::Good{message}, 0, -1), qr/# is not JSON: it ends too early.*/ ] ]


=== TEST 18: something else than JSON
--- kind: message
--- broken eval: ::no_json('hello', 'to=%2B237670000000')


=== TEST 19: what some parsers take for JSON
--- kind: message
--- broken eval
::no_json('{"to":1,}', "{'to':1}", '{"to":01}', '{"to":NaN}', "\xef\xbb\xbf$::Good{message}",
          '/**/{}')


=== TEST 20: a word, an escape and a text that JSON doesn't have
--- kind: message
--- broken eval
::no_json('{"to":tru', '{"to":"\x"}', '{"to":"\ud83d"}', "{\"to\":\"a\tb\"}", "{\"to\":\"a\0b\"}")


=== TEST 21: something behind the object
--- kind: message
--- broken eval
::no_json(map { "$::Good{message}$_" } '}', $::Good{message}, "\0")


=== TEST 22: a zero byte
--- kind: message
--- broken eval
[ map { [ $_, '# is not JSON: it has a zero byte' ] }
      "{\"to\":1\0}", "{\"to\":true\0,\"text\":\"a\"}" ]


=== TEST 23: what is not UTF-8
--- kind: message
--- broken eval
[ map { [ qq({"to":"$::TO",\n"text":"$_"}), qr/# is not UTF-8, at line 2, column \d+/ ] }
      "\xe9", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xff" ]


=== TEST 24: UTF-8 that is cut off
--- kind: message
--- broken eval
[ [ qq({"to":"$::TO","text":"\xe2\x82), qr/# is not (?:UTF-8|JSON).*/ ] ]


=== TEST 25: UTF-16
--- kind: message
--- broken eval: [ [ "\0{\0}", qr/# is not JSON.*/ ] ]


=== TEST 26: a key twice in one object
--- kind: message
--- broken eval
[ map { [ $_, qr/# has a key twice in one object, at line 1, column \d+/ ] }
      qq({"to":"$::TO","to":"$::TO","text":"x"}),
      qq({"to":"$::TO","t\\u006f":"$::TO","text":"x"}),
      qq({"to":"$::TO","text":"x","a":[{"b":1,"b":2}]}) ]


=== TEST 27: a key twice, in two objects
--- kind: message
--- accepted eval: [ ::deep('{"to":1}') ]


=== TEST 28: 32 levels, also again and again
--- kind: message
--- accepted eval
[ map { ::deep($_) } '[' x 31 . ']' x 31, '{"a":' x 31 . '1' . '}' x 31,
      '[' . CORE::join(',', ('[' x 30 . ']' x 30) x 100) . ']' ]


=== TEST 29: brackets in a text are no levels
--- kind: message
--- accepted eval: [ ::deep('"\"' . '[{' x 100 . '"') ]


=== TEST 30: 33 levels, and 30000
--- kind: message
--- broken eval
[ map { [ $_, $::Deep ] } '[' x 30000,
      map { ::deep($_) } '[' x 32 . ']' x 32, '{"a":' x 32 . '1' . '}' x 32,
                         '[{"":' x 16 . '1' . '}]' x 16 ]


=== TEST 31: JSON that is no object
--- kind: message
--- broken eval
[ map({ [ $_, '# must be a JSON object' ] } '[]', "[$::Good{message}]", 0, -1.5, 'true', 'null'),
  [ '"<to>"', '# must be a JSON object, not "<to>"' ] ]


=== TEST 32: numbers of any length
--- kind: message
--- accepted eval
[ map { ::deep($_) } '9223372036854775807', '9223372036854775808', '-' . '9' x 300, '1e308',
      '1e-999', '0.' . '1' x 1000 ]


=== TEST 33: a number that is too large
--- kind: message
--- broken eval
[ map { [ ::deep($_), qr/# has a number that is too large, at line 1, .*/ ] } '1e999', '-1e999' ]


=== TEST 34: U+0000 in a text
--- kind: message
--- accepted eval
[ map { qq({"to":"$::TO","text":"$_"}) } 'a\u0000b', '\u0000' ]


=== TEST 35: U+0000 in a key
--- kind: message
--- broken eval
[ [ qq({"to":"$::TO","text":"x","a\\u0000b":1}), qr/# has a key with U\+0000 in it, at.*/ ] ]


=== TEST 36: 64 characters are quoted, whatever they are
--- kind: message
--- broken eval: [ map { ::quoted($_) } 0, 63, 64, 65, 1000 ]


=== TEST 37: U+0000 is quoted as another
--- kind: message
--- broken eval
[ [ qq({"to":"+1\\u00002345678","text":"x"}), "#/to $::E164, not \"+1?2345678\"" ] ]


=== TEST 38: a form's text, which need not be UTF-8, is quoted
--- kind: audio
--- broken eval
[ map { [ ::form(::part('to', $_->[0]), ::part('file', 'x', file => 'a.mp3')),
          "#/to $::E164, not \"$_->[1]\"" ] }
      [ '+1', '+1' ], [ "\"\\\0\r\n<b>\t\x7f", "\"\\?\r\n<b>\t\x7f" ], [ "\xe9t\xe9", '?t?' ],
      [ "\xc3\xa9", "\x{e9}" ] ]


=== TEST 39: a form's text of 100000 bytes
--- kind: document
--- broken eval
[ [ ::form(::part('to', '<' x 100000), ::part('file', 'x', file => 'a.mp3')),
    qr/#\/to \Q$::E164\E, not "<{1,64}".*/ ] ]


=== TEST 40: 65536 bytes, with their length and in chunks
--- kind: call
--- posts eval
[ map { { body => ::of_size(65536), chunks => $_ } } 0, 1000 ]


=== TEST 41: one more, and 200000
--- kind: call
--- posts eval
[ map { my $size = $_; map { { body => ::of_size($size), chunks => $_ } } 0, 1000 }
      65537, 200_000 ]
--- told
413 too_large
A JSON body of this path may have at most 65536 bytes.


=== TEST 42: 100000 with no rule
--- kind: call
--- posts eval
[ { body => ::of_size(100_000), uri => '/plain' } ]
