# The lines of the partners' file, and who comes in by them. What is said of a bad
# line is in partners.t.

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

sub key { my ($id, $key) = @_; return [{ id => $id, sha256 => key_sha256($key) }] }

our ($Atlas, $Rif, $Zagora) = map { line($_) } qw(atlas rif zagora);
our ($NoAtlas, $NoRif) = map { qq({"id":"$_","deleted":true}) } qw(atlas rif);
our $Off = JSON::PP::false();

# What keys come to.

our $Both = "key-of-atlas GET / => 200\nkey-of-rif GET / => 200\n";
our $Rifs = "key-of-atlas GET / => 401 invalid_key\nkey-of-rif GET / => 200\n";
our $None = $Both =~ s/200/401 invalid_key/gr;
our $All = "${Both}key-of-zagora GET / => 200\n";

# A line of $length bytes among others.

sub long {
    my ($length) = @_;
    my $blank = ' ' x ($length - length $Rif);
    return $Rif =~ s/\A\{/{$blank/r;
}

admin_blocks();
run_tests();

__DATA__

=== TEST 1: an empty file
--- text
--- steps eval: $main::None


=== TEST 2: nothing but blank lines
--- text eval: "\n\r\n \t\n\n"
--- steps eval: $main::None


=== TEST 3: no end of line at the end
--- text eval: "$main::Atlas\n$main::Rif"
--- steps eval: $main::Both


=== TEST 4: CRLF
--- text eval: "$main::Atlas\r\n$main::Rif\r\n"
--- steps eval: $main::Both


=== TEST 5: a byte order mark
--- text eval: "\xef\xbb\xbf$main::Atlas\n$main::Rif\n"
--- steps eval: $main::Both


=== TEST 6: a byte order mark alone
--- text eval: "\xef\xbb\xbf"
--- steps eval: $main::None


=== TEST 7: blank lines
--- text eval: "\n\n$main::Atlas\n \n\t\r\n$main::Rif\n\n\n"
--- steps eval: $main::Both


=== TEST 8: a blank in place of the last end
--- text eval: "$main::Atlas\n$main::Rif "
--- steps eval: $main::Both


=== TEST 9: of two lines with one id, the later counts
--- text eval
main::line('atlas', rate => '1r/s', enabled => $main::Off) . "\n$main::Rif\n"
. main::line('atlas', keys => main::key('k9', 'new-atlas'))
--- steps eval: "${main::Rifs}new-atlas GET / => 200\n"


=== TEST 10: one that is deleted
--- text eval: "$main::Atlas\n$main::Rif\n$main::NoAtlas"
--- steps eval: $main::Rifs


=== TEST 11: each with its rev
--- text eval
main::line('atlas', rev => 9007199254740991) . "\n" . main::line('rif', rev => 1)
--- steps eval: $main::Both


=== TEST 12: the later line counts, whatever its rev
--- text eval
main::line('atlas', rev => 2) . "\n$main::Atlas\n$main::Rif\n"
. '{"id":"atlas","deleted":true,"rev":1}'
--- steps eval: $main::Rifs


=== TEST 13: one that is deleted before it comes
--- text eval: qq({"deleted":true,"id":"atlas"}\n$main::Atlas\n$main::Rif)
--- steps eval: $main::Both


=== TEST 14: one that comes back, and one that is deleted twice
--- text eval
CORE::join "\n", $main::Atlas, $main::Rif, $main::NoAtlas, $main::Atlas, $main::NoRif, $main::NoRif
--- steps
key-of-atlas GET / => 200
key-of-rif GET / => 401 invalid_key


=== TEST 15: a key that another had before
--- text eval
"$main::Atlas\n" . main::line('atlas', keys => []) . "\n"
. main::line('rif', keys => main::key('k1', 'key-of-atlas'))
--- steps
key-of-atlas GET / => 200 ~ ^rif$
key-of-rif GET / => 401 invalid_key


=== TEST 16: a key of one that was deleted
--- text eval
"$main::Atlas\n" . main::line('rif', keys => main::key('k1', 'key-of-atlas')) . "\n$main::NoAtlas"
--- steps
key-of-atlas GET / => 200 ~ ^rif$


=== TEST 17: the longest line, in the middle
--- text eval: "$main::Atlas\n" . main::long(65535) . "\n$main::Zagora\n"
--- steps eval: $main::All


=== TEST 18: the longest line, first
--- text eval: main::long(65535) . "\n$main::Atlas\n$main::Zagora"
--- steps eval: $main::All


=== TEST 19: the longest line, last
--- text eval: "$main::Atlas\n$main::Zagora\n" . main::long(65535)
--- steps eval: $main::All


=== TEST 20: the longest line, alone
--- text eval: main::long(65535)
--- steps eval: "key-of-rif GET / => 200\n"


=== TEST 21: the longest line, twice
--- text eval: main::long(65535) . "\n" . main::long(65535) . "\n$main::Atlas\n$main::Zagora"
--- steps eval: $main::All


=== TEST 22: what is known of a partner
--- text eval
main::line('full', name => "Clinique \x{c9}toile", scopes => ['webhooks.manage', 'messages.send'])
. "\n" . main::line('bare', scopes => [])
--- config
wassiit_access api;
add_header X-Name $wassiit_partner_name;
add_header X-Key $wassiit_key_id;
add_header X-Scopes $wassiit_scopes;
location / { try_files /none @ok; }
location @ok { return 200 $wassiit_partner; }
--- steps eval
"key-of-full GET / => 200 ~ ^full\$\n    X-Name: Clinique \xc3\x89toile\n    X-Key: k1\n"
. "    X-Scopes: messages.send webhooks.manage\n"
. "key-of-bare GET / => 200 ~ ^bare\$\n    X-Name:\n    X-Key: k1\n    X-Scopes:\n"
