# wassiit_payload audio and document: the header of a form's part. What two
# readers may take for two things is refused.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Backend;
use Wassiit::Payload;
use Test::Nginx::Socket;

our $Backend = Wassiit::Backend->echo;

our $Cd = 'Content-Disposition: form-data';
our $File = "$Cd; name=file; filename=a.mp3";
our ($To, $Part) = (part('to', $TO), part('file', 'x', file => 'a.mp3'));

# Of "headers", each is that of a part beside a number; "fault" is told of all,
# and to an audio upload likewise, in which it is the first. Without a fault
# they are good, of a sound.

for my $block (blocks()) {
    my $headers = $block->headers or next;
    die $block->name . ": $headers" unless ref $headers;
    my $fault = $block->fault // '';
    chomp $fault;

    $block->set_value(kind => $fault ? 'document' : 'audio');
    $block->set_value(accepted => [ map { form($To, "$_\r\n\r\nx") } @$headers ]) if !$fault;
    next unless $fault;

    $block->set_value(broken => [ map { [ form($To, "$_\r\n\r\nx"), "# $fault" ] } @$headers ]);
    $block->set_value(posts => [ map { { uri => '/audio', body => form("$_\r\n\r\nx", $To) } }
                                     @$headers ]);
    $block->set_value(told => "400 invalid_payload\n# $fault\n");
}

add_block_preprocessor(sub { $_[0]->set_value(config => $Locations) });

log_level('info');
no_long_string();
no_shuffle();
payload_blocks();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: ways to write the name and the file's
--- headers eval
[ "$::Cd; name=\"file\"; filename=\"a.mp3\"", "$::Cd; name=file; filename=a.mp3",
  "$::Cd;name=file;filename=a.mp3", lc "$::Cd; NAME=\"file\"; FILENAME=\"a.mp3\"",
  "$::Cd; filename=\"; name=x.mp3\"; name=\"file\"",
  "$::Cd; name=\"file\"; filename=\"a\\\"b\\\\.mp3\"",
  "$::Cd; name=\"file\"; filename=\"\xc3\xa9.mp3\"",
  "$::Cd; name=file; filename=\"C:\\x\\a.mp3\"", "$::Cd; name=file; filename=\"a, b'[c] .mp3\"",
  "$::Cd; \tname=\"file\";filename=\"a.mp3\"; x=\"y; z\"",
  "$::Cd;\r\n name=file;\r\n\tfilename=a.mp3", "X-More: 1\r\n$::File\r\nX-Less:",
  'CONTENT-DISPOSITION:form-data; name=file; filename=a.mp3' ]


=== TEST 2: a filename* that says the same
--- headers eval
[ map { "$::Cd; name=file; $_" }
      "filename=\"\xc3\xa9 .mp3\"; filename*=UTF-8''%c3%a9%20%2emp3",
      "filename=\"a.ogg\"; filename*=utf-8''a%2Eogg", "filename*=UTF-8''a.mp3; filename=a.mp3",
      "filename=\"=?utf-8?B?w6kub2dn?=\"; filename*=utf-8''%C3%A9.ogg" ]


=== TEST 3: encodings that change nothing, and other headers
--- headers eval
[ map { "$::File\r\n$_" } map({ "Content-Transfer-Encoding: $_" } 'binary', '8bit', '7bit',
      'BINARY', '8Bit'), 'content-transfer-encoding:7BIT', "!#\$%&'*+-.^_`|~: 1" ]


=== TEST 4: the type before the name
--- headers eval: [ "Content-Type: audio/ogg\r\n$::Cd; name=file; filename=a" ]


=== TEST 5: other names
--- kind: document
--- accepted eval
[ map { ::form($::To, ::part($_, 'x'), $::Part) }
      'more[]', 'too[0]', 'files[]', 'to]', "t'o", 't o', "to'", "\xc3\xa9", 'x[to]' ]


=== TEST 6: a header of 4096 bytes
--- kind: document
--- accepted eval
[ ::form($::To, 'X: ' . 'x' x 4093 . "\r\n$::Cd; name=file; filename=a\r\n\r\nx") ]


=== TEST 7: of one more
--- headers eval: [ 'X: ' . 'x' x 4094 ]
--- fault: the header of a part has a line of more than 4096 bytes


=== TEST 8: name*
--- headers eval
[ map { "$::Cd; $_" } "name*=UTF-8''file; filename=a", "name=file; name*=UTF-8''to; filename=a",
      "name*=UTF-8''to; name=more", "name=more; NAME*=\"UTF-8''to\"" ]
--- fault: a part has a name*


=== TEST 9: two file names
--- headers eval
[ map { "$::Cd; name=file; $_" } 'filename=a; filename=a', 'filename=""; filename=a',
      "filename*=utf-8''a; filename*=utf-8''a",
      "filename*=utf-8''a; filename=a; filename*=utf-8''b", 'filename=a; FILENAME=b',
      "filename=a.pdf; filename*=utf-8''a%2Emp3", "filename*=utf-8''a.mp3; filename=x",
      "filename=a.mp3; filename*=utf-8''a.pdf", "filename=\"\"; filename*=utf-8''a.mp3",
      "filename=a.mp3; filename*=utf-8''" ]
--- fault: a part has two file names


=== TEST 10: a number with a file name
--- headers eval
[ map { "$::Cd; $_" } 'name=to; filename=a', 'filename=""; name="to"',
      "name=to; filename*=utf-8''a" ]
--- fault: "to" has a file name


=== TEST 11: control characters
--- headers eval
[ map({ "$::Cd; name=\"$_\"" } "to\0", "to\0x", "\x01to", "file\x1f", "file\x7f"),
  map({ "$::Cd; name=file; $_" } "filename=\"a\0.mp3\"", "filename=\"a\x01\"",
        "filename=\"a\x7f\"", "filename=a\x1f"),
  map({ "$::File\r\nX: $_" } "\0", "\x0b", "\x7f") ]
--- fault: the header of a part has a control character


=== TEST 12: what is not UTF-8
--- headers eval: [ "$::Cd; name=file; filename=\"\xe9.mp3\"", "$::File\r\nX: \xff" ]
--- fault: the header of a part is not UTF-8


=== TEST 13: parameters that some put together
--- headers eval
[ map { "$::Cd; $_" } 'name="t"; name*1="o"', 'name="to"; filename*0="x"',
      'name=file; filename="a.ogg"; filename*1=".exe"', "name*0*=utf-8''to", 'name=to; x*0=y' ]
--- fault: a part has a parameter with "*" in its name


=== TEST 14: blanks, quotes and commas that are read in several ways
--- headers eval
[ map { "$::Cd; $_" } 'name = "to"', 'name= to', 'name ="to"', 'name=to ; x=y', 'name=to;',
      'name=to; ', 'name=to ', 'name=', 'name=file; filename=', "name='to'", "name=t'o'",
      'name=to[]', "name=\xc3\xa9", 'name="x\\\\"; filename=a', 'name="x\\/y"',
      'name=file,to; filename=a', 'name=file, name=to; filename=a', 'name=fi"le"; filename=a',
      'name=file"; filename=a', 'name=file; filename=a,b', 'name=file; filename=a"b',
      'name=file; x=,; filename=a', 'name="file"to; filename=a', 'name="file" to; filename=a',
      'name="file""to"; filename=a', 'name="file", x=y; filename=a',
      'x,y=z; name=file; filename=a', 'na"me=to; name=file; filename=a',
      'name="a', 'name', 'name="a"b' ]
--- fault: the Content-Disposition of a part is malformed


=== TEST 15: a line that is continued within a parameter
--- headers eval
[ "Content-Disposition:\r\n form-data; name=to",
  map { "$::Cd$_" } "\r\n ; name=to", "; name=\r\n to", "; name=\"t\r\n o\"" ]
--- fault
the header of a part has a line that is continued elsewhere than behind ";"


=== TEST 16: a type that is malformed, or of another charset
--- headers eval
[ map { "$::Cd; name=caption\r\nContent-Type: $_" } 'text/plain; charset=utf-16',
      'text/plain;charset="utf-7"', 'text/plain; charset=utf-8; charset=utf-8',
      "text/plain; charset*=utf-16''x", 'text/plain, charset=utf-16', 'text',
      'text/plain; charset = utf-16' ]
--- fault
a part has a Content-Type that is malformed, or of a charset that is not UTF-8


=== TEST 17: two types
--- headers eval: [ "$::Cd; name=caption\r\nContent-Type: text/plain\r\nContent-Type: text/plain" ]
--- fault: a part has two Content-Type headers


=== TEST 18: a type of further parts
--- headers eval
[ map { "$::File\r\nContent-Type: $_" } "multipart/mixed; boundary=$::B", 'message/rfc822' ]
--- fault: a part has a Content-Type by which some look for parts in it


=== TEST 19: names that mean something
--- headers eval: [ map { "$::Cd; name=$_" } '_charset_', '"_CHARSET_"', 'MAX_FILE_SIZE' ]
--- fault: a part has a name by which some read the others in another way


=== TEST 20: a file name that is a folder's
--- headers eval
[ map { "$::Cd; name=file; filename=\"$_\"" } '/', 'a.mp3/', '..', '.', 'C:\\x\\..' ]
--- fault: a part has a file name of which nothing is left without its folder


=== TEST 21: a filename* alone
--- headers eval: [ "$::Cd; name=file; filename*=utf-8''a.mp3" ]
--- fault: a part has a filename* without a filename


=== TEST 22: another length
--- headers eval: [ "$::File\r\nContent-Length: 2" ]
--- fault: a part has a Content-Length that is not its length


=== TEST 23: two lengths
--- headers eval: [ "$::File\r\nContent-Length: 1\r\nContent-Length: 1" ]
--- fault: a part has two Content-Length headers


=== TEST 24: two encodings
--- headers eval
[ "$::File\r\nContent-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: 8bit" ]
--- fault: a part has two Content-Transfer-Encoding headers


=== TEST 25: names that some take for "to" or "file"
--- headers eval
[ map({ "$::Cd; name=\"$_\"" } "fi\tle", "\tto", "to\t", 'x\\y', '=?utf-8?B?dG8=?=', ' to',
        ' file', ' x', ' ', 'to ', 'file ', 'x ', "'to'", "'file", "'", 'to[]', 'to[0]',
        'to[a][b]', 'to[a', 'file[]', 'file[a]', 'file[a', 'to[', 'file['),
  map({ "$::Cd; name=file; filename=$_" } "\"\ta\"", '" a"', '"a.mp3 "',
        "a; filename*=utf-8''a%00.mp3", "a; filename*=utf-8''a%0d%0ab", "a; filename*=utf-8''%7f",
        "a; filename*=utf-8''%09") ]
--- fault: a part has a name that some take for another


=== TEST 26: a header's name that is none
--- headers eval
[ "Content-Disposition : form-data; name=file; filename=a",
  "Content-Disposition\t: form-data; name=file; filename=a", "$::File\r\nX : 1",
  "$::File\r\nX Y: 1", " X: 1\r\n$::File", "\tX: 1\r\n$::File", "$::File\r\nX\0: 1",
  "$::File\r\n\x80: 1", "$::File\r\nX\x7f: 1",
  map { "$::File\r\n$_: 1" } '', 'X(Y', 'X"Y', 'X/Y', 'X;Y', 'X=Y', 'X[Y]' ]
--- fault: the header of a part has a malformed name


=== TEST 27: an encoding
--- headers eval
[ map { "$::File\r\nContent-Transfer-Encoding:$_" } ' base64', 'BASE64', ' quoted-printable',
      ' x-uuencode', '', ' binary, base64', ' 8bits', ' 7bi' ]
--- fault: a part has a Content-Transfer-Encoding


=== TEST 28: no name
--- headers eval
[ $::Cd, "$::Cd; filename=a", "$::Cd; name=\"\"", 'Content-Type: text/plain' ]
--- fault: a part has no name


=== TEST 29: two names
--- headers eval: [ "$::Cd; name=a; name=file" ]
--- fault: a part has two names


=== TEST 30: two Content-Disposition headers
--- headers eval: [ "$::Cd; name=a\r\n$::Cd; name=b" ]
--- fault: a part has two Content-Disposition headers


=== TEST 31: what is not form-data
--- headers eval: [ 'Content-Disposition: attachment; name=a', "$::Cd, name=a" ]
--- fault: the Content-Disposition of a part is not form-data


=== TEST 32: a malformed filename*
--- headers eval
[ map { "$::Cd; name=file; filename*=$_" } "UTF-8''%zz", 'a.mp3', "UTF-8''a%4" ]
--- fault: the filename* of a part is malformed


=== TEST 33: a line without a colon
--- headers eval: [ 'no colon' ]
--- fault: the header of a part has a line without a colon


=== TEST 34: a CR alone
--- headers eval: [ "A: b\rC: d" ]
--- fault: the header of a part has a CR that ends no line


=== TEST 35: an LF alone
--- headers eval: [ "A: b\nC: d" ]
--- fault: the header of a part has a line that ends in LF, not CRLF


=== TEST 36: a part without a header
--- kind: document
--- broken eval: [ [ ::form($::To, "\r\nx"), '# a part has no name' ] ]


=== TEST 37: a number of a file's type
--- kind: document
--- broken eval
[ [ ::form($::Part, ::part('to', $::TO, type => 'application/octet-stream')),
    '# "to" has a Content-Type that some take for a file\'s' ] ]


=== TEST 38: a number of another charset
--- kind: document
--- broken eval
[ [ ::form($::Part, ::part('to', $::TO, type => 'text/plain; charset=utf-16')),
    '# a part has a Content-Type that is malformed, or of a charset that is not UTF-8' ] ]
