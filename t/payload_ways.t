# wassiit_payload: a good body passes byte for byte, of any size, with its length or in
# chunks, wherever nginx keeps it. (HTTP/2 and slow clients are in t/payload_wire.t.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Backend;
use Wassiit::Payload;
use Test::Nginx::Socket;

our $Backend = Wassiit::Backend->echo;

my $to = part('to', $TO);

# Larger than any buffer for bodies; the file is full of what is nearly a delimiter.

my $bytes = join '', map {
    "\r\n--b0undar." . pack('N', $_ * 2654435761 % 2**32)
    . ".--$B\r\n-\r\r\n--b0undar\n-\r\n--b0undar\r\r"
} 1 .. 1200;
die 'a delimiter' if $bytes =~ /\n--$B/;
my %large = (
    message => object(to => $TO, text => "\x{e9}" x 4096, more => 'm' x 30000),
    call => object(to => $TO, type => 'video', more => [ 1 .. 5000 ]),
    automation => object(%Automation, variables => { map { ("v$_" => "of $_") } 1 .. 2000 }),
    audio => form($to, part('file', $bytes, file => 'a.bin', type => 'audio/ogg')),
    document => form($to, part('file', $bytes, file => 'a.bin')),
);

our $File = pack('N*', 1 .. 1_500_000);
our $Mp3 = form($to, part('file', $File, file => 'a.mp3'));
our $NoNumber = form(part('more', 'x'), part('file', $File, file => 'a.mp3'));

# In chunks of a size of no power of two, and of nearly all.

sub ways {
    my ($kind) = @_;
    return [ map { my $body = $_; map { { body => $body, @$_ } } [], [ chunks => 1000 ],
                                        [ chunks => 100_000 ] } $Good{$kind}, $large{$kind} ];
}

our @Six = map { { body => $Mp3, @$_ } } [], [ chunks => 1000 ], [ chunks => 60_000 ];

# Where nginx keeps a body.

my $http = 'add_header X-Upstream $upstream_addr always;';
add_block_preprocessor(sub {
    my ($block) = @_;
    my $kept = $block->kept // '';
    $block->set_value(config => "$http $kept\n" . join "\n", map {
        "location /$_ { wassiit_payload $_; proxy_pass http://\$TEST_NGINX_BACKEND; }"
    } sort keys %TYPE);
});

log_level('info');
no_long_string();
no_shuffle();
payload_blocks();
plan tests => planned_tests();
run_tests();

__DATA__

=== TEST 1: messages, kept as nginx does it
--- kind: message
--- posts eval: ::ways('message')


=== TEST 2: messages, kept in a file, but for a small one
--- kind: message
--- kept: client_body_buffer_size 1k;
--- posts eval: ::ways('message')


=== TEST 3: messages, kept always in a file
--- kind: message
--- kept: client_body_in_file_only clean;
--- posts eval: ::ways('message')


=== TEST 4: messages, kept in one buffer
--- kind: message
--- kept: client_body_in_single_buffer on;
--- posts eval: ::ways('message')


=== TEST 5: calls, kept as nginx does it
--- kind: call
--- posts eval: ::ways('call')


=== TEST 6: calls, kept in a file, but for a small one
--- kind: call
--- kept: client_body_buffer_size 1k;
--- posts eval: ::ways('call')


=== TEST 7: calls, kept always in a file
--- kind: call
--- kept: client_body_in_file_only clean;
--- posts eval: ::ways('call')


=== TEST 8: calls, kept in one buffer
--- kind: call
--- kept: client_body_in_single_buffer on;
--- posts eval: ::ways('call')


=== TEST 9: automations, kept as nginx does it
--- kind: automation
--- posts eval: ::ways('automation')


=== TEST 10: automations, kept in a file, but for a small one
--- kind: automation
--- kept: client_body_buffer_size 1k;
--- posts eval: ::ways('automation')


=== TEST 11: automations, kept always in a file
--- kind: automation
--- kept: client_body_in_file_only clean;
--- posts eval: ::ways('automation')


=== TEST 12: automations, kept in one buffer
--- kind: automation
--- kept: client_body_in_single_buffer on;
--- posts eval: ::ways('automation')


=== TEST 13: sound files, kept as nginx does it
--- kind: audio
--- posts eval: ::ways('audio')


=== TEST 14: sound files, kept in a file, but for a small one
--- kind: audio
--- kept: client_body_buffer_size 1k;
--- posts eval: ::ways('audio')


=== TEST 15: sound files, kept always in a file
--- kind: audio
--- kept: client_body_in_file_only clean;
--- posts eval: ::ways('audio')


=== TEST 16: sound files, kept in one buffer
--- kind: audio
--- kept: client_body_in_single_buffer on;
--- posts eval: ::ways('audio')


=== TEST 17: documents, kept as nginx does it
--- kind: document
--- posts eval: ::ways('document')


=== TEST 18: documents, kept in a file, but for a small one
--- kind: document
--- kept: client_body_buffer_size 1k;
--- posts eval: ::ways('document')


=== TEST 19: documents, kept always in a file
--- kind: document
--- kept: client_body_in_file_only clean;
--- posts eval: ::ways('document')


=== TEST 20: documents, kept in one buffer
--- kind: document
--- kept: client_body_in_single_buffer on;
--- posts eval: ::ways('document')


=== TEST 21: 6 MB, kept as nginx does it
--- kind: audio
--- posts eval: [ @::Six ]


=== TEST 22: 6 MB, kept in a file, but for a small one
--- kind: audio
--- kept: client_body_buffer_size 1k;
--- posts eval: [ @::Six ]


=== TEST 23: 6 MB, kept always in a file
--- kind: audio
--- kept: client_body_in_file_only clean;
--- posts eval: [ @::Six ]


=== TEST 24: what is broken is refused at the end, though it was long on the way
--- kind: audio
--- posts eval: [ { body => $::NoNumber } ]
--- told
400 invalid_payload
#/to is missing
