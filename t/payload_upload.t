# wassiit_payload audio and document: which parts a form must have, what is
# sound, and where a body and its parts begin and end.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Backend;
use Wassiit::Payload;
use Test::Nginx::Socket;

our $Backend = Wassiit::Backend->echo;

our ($To, $File) = (part('to', $TO), part('file', 'x', file => 'a.mp3'));
our $Good = form($To, $File);
our $Sound = '#/file must be a sound file: of a type audio/*, or with a name that ends as one\'s';
our $Last = '# the last boundary is missing';
our $None = '# the boundary that Content-Type names is not in the body';
our @NoSound = ([ 'a' ], [ 'mp3' ], [ 'a.mp3.exe' ], [ 'a.mp34' ], [ 'a.mp3/b' ],
                [ 'a.pdf', 'application/pdf' ], [ 'a', 'audio/' ], [ 'a', 'audio' ],
                [ 'a', 'text/plain; audio/ogg' ], [ 'a', 'video/ogg' ]);
our @Nineteen = map { part("a$_", 'x', file => 'a') } 1 .. 19;
our @Many = map { part('a', '') } 1 .. 998;

sub in_file { return form($To, part('file', $_[0], file => 'a.mp3')) }
sub of_sound { return form($To, part('file', 'x', file => $_[0], type => $_[1])) }

# As clients send it: a file's first line is its type.

our @Clients = map {
    open my $in, '<:raw', $_ or die "$_: $!\n";
    chomp(my $type = <$in>);
    { type => $type, body => do { local $/; <$in> } };
} glob 't/fuzz/corpus/multipart/client-*';
die "no client's form in t/fuzz\n" unless @Clients;

# "bodies" are broken, by "fault", and also when they come byte by byte.

for my $block (blocks()) {
    my $bodies = $block->bodies or next;
    die $block->name . ": $bodies" unless ref $bodies;
    chomp(my $fault = $block->fault);

    $block->set_value(kind => 'document');
    $block->set_value(broken => [ map { [ $_, $fault ] } @$bodies ]);
    $block->set_value(posts => [ map { { uri => '/audio', body => $_, chunks => 1 } } @$bodies ]);
    $block->set_value(told => "400 invalid_payload\n$fault\n");
}

add_block_preprocessor(sub { $_[0]->set_value(config => $Locations) });

log_level('info');
no_long_string();
no_shuffle();
payload_blocks();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: good forms
--- kind: document
--- posts eval
[ map { { uri => "/$_", body => $::Good{$_} } } 'audio', 'document' ]


=== TEST 2: without parts
--- kind: document
--- broken eval: [ [ "--$::B--\r\n", '#/to is missing', '#/file is missing' ] ]


=== TEST 3: without a file
--- kind: document
--- broken eval: [ [ ::form($::To), '#/file is missing' ] ]


=== TEST 4: without a number
--- kind: audio
--- broken eval: [ [ ::form($::File), '#/to is missing' ] ]


=== TEST 5: two numbers, two files, two of both
--- kind: document
--- broken eval
[ [ ::form($::To, $::File, $::To), '#/to must stand once' ],
  [ ::form($::To, $::File, $::File), '#/file must stand once' ],
  [ ::form($::To, $::File, $::File, $::To), '#/to must stand once', '#/file must stand once' ] ]


=== TEST 6: a number that is none
--- kind: audio
--- broken eval
[ [ ::form(::part('to', ''), $::File), "#/to $::E164, not \"\"" ],
  [ ::form(::part('to', "$::TO\r\n"), $::File), "#/to $::E164, not \"$::TO\r\n\"" ] ]


=== TEST 7: an empty file
--- kind: audio
--- broken eval
[ [ ::form($::To, ::part('file', '', file => 'a.mp3')), '#/file must not be empty' ] ]


=== TEST 8: an empty file and no number
--- kind: document
--- broken eval
[ [ ::form(::part('file', '', file => 'a'), ::part('to', '1')), "#/to $::E164, not \"1\"",
    '#/file must not be empty' ] ]


=== TEST 9: a file without a name
--- kind: audio
--- broken eval
[ map { [ ::form($::To, $_), '#/file must have a file name' ] }
      ::part('file', 'x'), ::part('file', 'x', file => '') ]


=== TEST 10: names in capitals are others
--- kind: document
--- broken eval
[ [ ::form(::part('TO', $::TO), ::part('File', 'x', file => 'a')), '#/to is missing',
    '#/file is missing' ] ]


=== TEST 11: further parts
--- kind: document
--- accepted eval
[ ::form(::part('caption', 'x'), $::To, ::part('toto', ''), $::File, ::part('files', 'x')) ]


=== TEST 12: a file of one byte, and of line ends
--- kind: document
--- accepted eval
[ map { ::form($::To, ::part('file', $_, file => 'a')) } "\0", "\r\n" x 3 ]


=== TEST 13: sound, by its type or by its name
--- kind: audio
--- accepted eval
[ map { ::of_sound(@$_) } [ 'a', 'audio/ogg' ], [ 'a.pdf', 'AUDIO/x-any' ], [ 'a.mp3' ],
      [ 'A.B.OPUS' ], [ 'a.wav', 'application/octet-stream' ] ]


=== TEST 14: what is no sound
--- kind: audio
--- broken eval: [ map { [ ::of_sound(@$_), $::Sound ] } @::NoSound ]


=== TEST 15: is a document
--- kind: document
--- accepted eval: [ map { ::of_sound(@$_) } @::NoSound ]


=== TEST 16: sound in another part
--- kind: audio
--- broken eval
[ [ ::form(::part('more', 'x', type => 'audio/ogg'), $::To, ::part('file', 'x', file => 'a')),
    $::Sound ] ]


=== TEST 17: blanks and line ends around the form
--- kind: document
--- accepted eval
[ "\r\n$::Good", " \t\r\n\n\r \r\n$::Good", "\r\n\r\n$::Good", "$::Good \t\r\n\n\r",
  $::Good =~ s/\r\n\z/ \t/r ]


=== TEST 18: nothing behind the last boundary
--- kind: document
--- accepted eval: [ $::Good =~ s/\r\n\z//r ]


=== TEST 19: a file of what is nearly a boundary
--- kind: document
--- accepted eval
[ map { ::in_file($_) } "x--$::B", "x\r\n-$::B", "x\r\n -\r\n --$::B\r\n", "x\r--b0undar",
      "x\r\n--b0undar", "x\n--b0undar", "\n-", "\r\n-", "\r\n--", "\r\r\n--b0undar\r",
      "--b0undar", "-", "x\r\n\r\n-\r\n--B0UNDARY\r\n", "\n", "\r", " --$::B" ]


=== TEST 20: no boundary at all
--- bodies eval: [ '', " \r\n", '--b0undar' ]
--- fault: # the boundary that Content-Type names is not in the body


=== TEST 21: text, or another boundary, before the first
--- bodies eval
[ 'x', $::Good =~ s/$::B/other/gr,
  map { "$_$::Good" } "This is a form.\r\n--x\r\n", "x\r\n", "\r\nx\r\n", '-', "--\r\n",
      "--b0undar\r\n", "\r\n--b0undar\r\n", "\r\n\r\n-\r\n", "\0\r\n", ' ' x 100 . "x\r\n",
      " --$::B\r\n" ]
--- fault: # has text before the first boundary


=== TEST 22: no last boundary, or a part of it
--- bodies eval
[ $::Good =~ s/--$::B--\r\n\z//r, $::Good =~ s/--\r\n\z//r, $::Good =~ s/-\r\n\z//r ]
--- fault: # the last boundary is missing


=== TEST 23: text behind the last boundary
--- bodies eval
[ map({ $::Good . $_ } "whatever\r\n--$::B\r\nfollows\r\n", 'x', "\r\n\r\nx", '-', "\0",
      "--$::B--\r\n", "--$::B\r\n$::To\r\n--$::B--\r\n"),
  map({ $::Good =~ s/\r\n\z/$_/r } 'x', ' x', '-', "\r-") ]
--- fault: # has text behind the last boundary


=== TEST 24: text behind a boundary
--- bodies eval
[ $::Good =~ s/\r\n/\n/gr,
  map({ ::in_file("x\r\n--$::B$_") } 'x', 'y', '-x', '-', "\rx", "\n", "\r\r\n", "\0", ',',
      'x--', "\x0b\r\n"),
  map({ $::Good =~ s/\A--$::B/--$::B$_/r } 'x', '-x', "\r", '0') ]
--- fault: # has text behind a boundary


=== TEST 25: a blank behind a boundary
--- bodies eval
[ map({ ::in_file("x\r\n--$::B$_") } ' x', "\t-", ' --', " \n", " \r\n", "\t\r\n"),
  $::Good =~ s/--$::B\r/--$::B \r/r, $::Good =~ s/\r\n--$::B\r/\r\n--$::B\t\r/r ]
--- fault: # has a blank behind a boundary


=== TEST 26: a boundary that no CRLF precedes
--- bodies eval
[ map({ ::in_file($_) } "x\n--$::B", "x\n--$::B\r\n", "x\n--$::B--", "x\n\n--${\ $::B}x",
      "\n--$::B--\r\n", "x\r\n\n--$::B\n", "\r\n--b0undar\n--$::B", "x\r--$::B",
      "x\r--$::B--\r\n", "\r--${\ $::B}x", "x\r\r--$::B\r\n", "--$::B", "--$::B\r\n", "--$::B--",
      "--${\ $::B}x"),
  ::form($::To, ::part('file', 'x', file => 'a')) =~ s/(filename="a"\r\n\r\n)x\r\n/$1/r,
  "\n$::Good", $::Good =~ s/\r\n(--$::B--)/\n$1/r, $::Good =~ s/\r\n(--$::B\r)/\n$1/r ]
--- fault: # has a boundary that no CRLF of its own precedes


=== TEST 27: no last boundary and two numbers
--- kind: audio
--- broken eval
[ [ ::form($::To, $::To, $::File) =~ s/--$::B--\r\n\z//r, $::Last, '#/to must stand once' ] ]


=== TEST 28: a form that is cut, anywhere
--- kind: document
--- posts eval: [ map { { body => substr $::Good, 0, $_ } } 0 .. length($::Good) - 5 ]
--- told eval: [ ([ '400 invalid_payload', qr/#.+/s ]) x (length($::Good) - 4) ]


=== TEST 29: 20 files, and 1000 parts
--- kind: document
--- accepted eval
[ ::form(@::Nineteen, $::To, $::File), ::form($::To, @::Many, $::File) ]


=== TEST 30: 21 files
--- kind: document
--- broken eval
[ [ ::form(@::Nineteen, ::part('a', 'x', file => 'a'), $::To, $::File),
    '# has more than 20 files' ] ]


=== TEST 31: 1001 parts
--- kind: document
--- broken eval
[ [ ::form($::To, @::Many, ::part('a', ''), $::File), '# has more than 1000 parts' ] ]


=== TEST 32: as clients send it
--- kind: document
--- posts eval: [ @::Clients ]
