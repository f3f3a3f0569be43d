# wassiit_payload: by which Content-Type and Content-Encoding a body may come,
# charsets, and the boundary of a form.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Backend;
use Wassiit::Payload;
use Test::Nginx::Socket;

our $Backend = Wassiit::Backend->echo;

our $Unsupported = "415 unsupported_media_type\n";
our $Form = 'multipart/form-data';
our $Json = 'application/json';
our @Codings = ('gzip', 'identity', 'utf-8', '', 'gzip, br', "\"\\\xe9<");

# What isn't the type that a kind has.

sub others {
    my ($right, $other) = @_;
    return [ map { { type => $_ } } undef, '', 'text/plain', 'application/x-www-form-urlencoded',
             "x$right", "$right+x", "${right}x", substr($right, 0, -1), "text/plain; $right",
             "text/plain, $right", "multipart/mixed; boundary=$B", $other ];
}

sub types { return [ map { { type => $_ } } @_ ] }

sub two {
    my ($type) = @_;
    return [ map { { type => $_->[0], headers => "content-TYPE: $_->[1]\n" } }
                 [ $type, 'text/plain' ], [ 'text/plain', $type ], [ ($type) x 2 ] ];
}

sub encoded { return [ map { { headers => "Content-Encoding: $_\n" } } @Codings ] }

sub of_coding {
    return [ map { $Unsupported . 'Send the body as it is, without the Content-Encoding '
                       . s/[^\w, -]/?/gra . ".\n" } @Codings ];
}

# Pairs of a type and the charset that is told of it.

sub in_charset {
    my ($field, @pairs) = @_;
    return [ map { { type => $_->[0] } } @pairs ] if $field eq 'type';
    return [ map { "${Unsupported}Send the body in UTF-8. Content-Type names the charset "
                       . "$_->[1]; it may name utf-8, or none.\n" } @pairs ];
}

our @Charsets = map { [ "$Json$_->[0]", $_->[1] ] }
    [ '; charset=iso-8859-1', 'iso-8859-1' ], [ ';charset=utf-16', 'utf-16' ],
    [ '; charset="utf-16"', 'utf-16' ], [ '; CHARSET=US-ASCII', 'US-ASCII' ], [ '; charset=', '' ],
    [ '; charset=utf8', 'utf8' ], [ '; x=y; charset=utf-7', 'utf-7' ];

our @Odd = map { [ "$Json; $_->[0]", $_->[1] ] }
    [ 'charset=utf-8x', 'utf-8x' ], [ 'charset=utf-80', 'utf-80' ],
    [ 'charset=utf-8; charset=utf-16', 'utf-16' ], [ 'charset = utf-16', 'utf-16' ],
    [ "charset=\xe9\\<", '???' ], [ 'charset=' . 'x' x 100, 'x' x 64 ];

our @OfForms = map { [ "$Form; $_->[0]; boundary=$B", $_->[1] ] }
    [ 'charset=utf-16', 'utf-16' ], [ 'Charset="x"', 'x' ],
    [ "charset*=utf-8''utf-16", 'utf-8??utf-16' ];

# A good form with another boundary.

sub bounded {
    my ($kind, $boundary) = @_;
    return $Good{$kind} =~ s/\Q$B\E/$boundary/gr;
}

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(config => "large_client_header_buffers 4 32k;\n$Locations");
});

log_level('info');
no_long_string();
no_shuffle();
payload_blocks();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: other types than JSON, for a message
--- kind: message
--- posts eval: ::others($::Json, $::TYPE{audio})
--- told
415 unsupported_media_type
Send the body as application/json, and say so in Content-Type.


=== TEST 2: for a call
--- kind: call
--- posts eval: ::others($::Json, $::TYPE{audio})
--- told
415 unsupported_media_type
Send the body as application/json, and say so in Content-Type.


=== TEST 3: for automation
--- kind: automation
--- posts eval: ::others($::Json, $::TYPE{audio})
--- told
415 unsupported_media_type
Send the body as application/json, and say so in Content-Type.


=== TEST 4: other types than a form, for audio
--- kind: audio
--- posts eval: ::others($::Form, $::Json)
--- told
415 unsupported_media_type
Send the body as multipart/form-data, and say so in Content-Type.


=== TEST 5: for a document
--- kind: document
--- posts eval: ::others($::Form, $::Json)
--- told
415 unsupported_media_type
Send the body as multipart/form-data, and say so in Content-Type.


=== TEST 6: two types of JSON, as a backend might go by the other
--- kind: message
--- posts eval: ::two($::TYPE{message})
--- told
415 unsupported_media_type
The header Content-Type stands twice. Send it once.


=== TEST 7: two types of a form
--- kind: audio
--- posts eval: ::two($::TYPE{audio})
--- told
415 unsupported_media_type
The header Content-Type stands twice. Send it once.


=== TEST 8: an encoded message, in which it would find another body
--- kind: message
--- posts eval: ::encoded()
--- told eval: ::of_coding()
--- response_headers eval: [ ('Accept-Encoding: identity') x @::Codings ]


=== TEST 9: an encoded call
--- kind: call
--- posts eval: ::encoded()
--- told eval: ::of_coding()
--- response_headers eval: [ ('Accept-Encoding: identity') x @::Codings ]


=== TEST 10: encoded automation
--- kind: automation
--- posts eval: ::encoded()
--- told eval: ::of_coding()
--- response_headers eval: [ ('Accept-Encoding: identity') x @::Codings ]


=== TEST 11: encoded audio
--- kind: audio
--- posts eval: ::encoded()
--- told eval: ::of_coding()
--- response_headers eval: [ ('Accept-Encoding: identity') x @::Codings ]


=== TEST 12: an encoded document
--- kind: document
--- posts eval: ::encoded()
--- told eval: ::of_coding()
--- response_headers eval: [ ('Accept-Encoding: identity') x @::Codings ]


=== TEST 13: two encodings
--- kind: message
--- posts eval
[ map { { uri => "/$_", type => $::TYPE{$_}, body => $::Good{$_},
          headers => "content-encoding: identity\nCONTENT-ENCODING: br\n" } } sort keys %::TYPE ]
--- told
415 unsupported_media_type
Send the body as it is, without the Content-Encoding identity.


=== TEST 14: a type alone has nothing to do with codings
--- kind: message
--- posts eval: [ { type => 'text/plain' } ]
--- told
415 unsupported_media_type
Send the body as application/json, and say so in Content-Type.
--- response_headers
! Accept-Encoding


=== TEST 15: an encoding, with no rule
--- kind: message
--- posts eval: [ { uri => '/plain', headers => "Content-Encoding: gzip\n" } ]


=== TEST 16: another charset, for a message
--- kind: message
--- posts eval: ::in_charset(type => @::Charsets)
--- told eval: ::in_charset(told => @::Charsets)


=== TEST 17: for a call
--- kind: call
--- posts eval: ::in_charset(type => @::Charsets)
--- told eval: ::in_charset(told => @::Charsets)


=== TEST 18: for automation
--- kind: automation
--- posts eval: ::in_charset(type => @::Charsets)
--- told eval: ::in_charset(told => @::Charsets)


=== TEST 19: a charset that is nearly UTF-8, or of many bytes
--- kind: message
--- posts eval: ::in_charset(type => @::Odd)
--- told eval: ::in_charset(told => @::Odd)


=== TEST 20: ways to write the type of JSON
--- kind: message
--- posts eval
::types('application/json; charset=utf-8', 'application/json;charset=UTF-8', 'APPLICATION/JSON',
        'Application/Json ; x="y"', 'application/json; charset="utf-8"',
        'application/json; charset=utf-8; x=y')


=== TEST 21: ways to write the type of a form
--- kind: audio
--- posts eval
::types("MULTIPART/FORM-DATA; BOUNDARY=$::B", "$::Form;boundary=\"$::B\"",
        "$::Form; charset=utf-8; boundary=$::B", "$::Form; \tboundary=$::B;x=y")


=== TEST 22: a boundary as Chromium and Safari write it
--- kind: audio
--- posts eval
[ map { { type => "$::Form; boundary=$_", body => ::bounded(audio => $_) } }
      '----WebKitFormBoundarygJhFXbtZRBS1nhHI' ]


=== TEST 23: no boundary that is one
--- kind: document
--- posts eval
::types($::Form, "$::Form; boundary=", "$::Form; boundary=\"\"", "$::Form; boundary=" . 'b' x 71,
        "$::Form; boundary=\"$::B", "$::Form; boundary=\"a \"", "$::Form; boundary=\"\xe9\"",
        "$::Form;;")
--- told
400 invalid_payload
# the Content-Type has no valid boundary


=== TEST 24: two boundaries
--- kind: audio
--- posts eval
::types(map { "$::Form; $_" } "boundary=$::B; boundary=$::B", "boundary=$::B; boundary=other",
        "boundary=other; BOUNDARY=\"$::B\"", "boundary=; boundary=$::B", "boundary=$::B; boundary=",
        "boundary=$::B,", "boundary=$::B,other", "boundary=$::B, boundary=other")
--- told
400 invalid_payload
# the Content-Type has no valid boundary


=== TEST 25: a boundary that stands in another parameter for some
--- kind: audio
--- posts eval
::types(map { "$::Form; $_" } "xboundary=other; boundary=$::B", "boundary=$::B; xboundary=$::B",
        "boundary=$::B; x-BOUNDARY=other", "xboundary=$::B", "boundary=$::B-boundary; x=y",
        "Boundary=$::B-boundary", "boundary=$::B-boundary=other", "x=boundary; boundary=$::B",
        "x=\"boundary=other\"; boundary=$::B")
--- told
400 invalid_payload
# the Content-Type has no valid boundary


=== TEST 26: quotes, backslashes and commas that are read in several ways
--- kind: audio
--- posts eval
::types(map { "$::Form; $_" } "boundary=\"b0\\undary\"", "boundary=b0\\undary",
        "x=\"\\\"\"; boundary=$::B", "boundary=$::B; x=\\", "x=y,z; boundary=$::B",
        "boundary=$::B; x=,", "boundary=\"$::B\"x", "boundary=\"$::B\" x",
        "boundary=\"$::B\"\"x\"", "x=\"y\"z; boundary=$::B", "boundary=$::B x",
        "boundary=b0\"undary\"", "x,y=z; boundary=$::B", "boundary=$::B; x,y=z")
--- told
400 invalid_payload
# the Content-Type has no valid boundary


=== TEST 27: blanks and semicolons that are read in several ways
--- kind: audio
--- posts eval
::types("$::Form ; boundary=$::B", map { "$::Form; $_" } "boundary=$::B;", "boundary=$::B ; x=y",
        "boundary =$::B", "boundary= $::B")
--- told
400 invalid_payload
# the Content-Type has no valid boundary


=== TEST 28: a boundary that begins with a blank
--- kind: audio
--- posts eval
[ { type => "$::Form; boundary=\" $::B\"", body => $::Good{audio} =~ s/--$::B/-- $::B/gr } ]
--- told
400 invalid_payload
# the Content-Type has no valid boundary


=== TEST 29: a form of another charset
--- kind: audio
--- posts eval: ::in_charset(type => @::OfForms)
--- told eval: ::in_charset(told => @::OfForms)


=== TEST 30: each character that no boundary may have
--- kind: audio
--- posts eval
[ map { { type => "$::Form; boundary=\"a${_}b\"", body => ::bounded(audio => "a${_}b") } }
      split //, '!#$%&*;<>@[]^`{|}~' . "\xe9\xff" ]
--- told
400 invalid_payload
# the Content-Type has no valid boundary


=== TEST 31: a boundary of one character, of 70, of all that it may have
--- kind: document
--- posts eval
[ map { { type => "$::Form; boundary=\"$_\"", body => ::bounded(document => $_) } }
      'b', 'b' x 70, "'()+_,-./:=?", 'a b', '-', '--' ]
