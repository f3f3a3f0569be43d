# conf/nginx.conf, as an operator finds it: the console's files, which anyone may ask
# for, and what isn't there, of which error.log has no line.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Door;
use Wassiit::DoorBlocks;
use Test::Nginx::Socket;

my $dir = test_dir() . '/small-console';
my $conf = door_text('nginx.conf');
my %file = ('index.html' => 'the page', 'pages/one.js' => 'a script');

for ($dir, "$dir/pages") { mkdir $_ or die "$_: $!" }

for (sort keys %file) {
    open my $out, '>', "$dir/$_" or die "$_: $!";
    print {$out} $file{$_};
    close $out;
}

$conf =~ s/\balias console\//alias $dir\// or die 'no console';
$conf =~ s/^error_log \S+\K notice/ info/m or die 'no error_log';
open_door(conf => $conf);

add_block_preprocessor(sub {
    my ($block) = @_;
    my $log = qr/ \*\d+ (?!client .* closed keepalive connection)/;

    $block->set_value(server => 'admin');
    $block->set_value(no_error_log => $log);
    $block->set_value(response_headers => 'X-Content-Type-Options: nosniff')
        if defined $block->problem;
});

no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: its folder is its page
--- request: GET /console/
--- response_body chomp
the page
--- response_headers
Content-Type: text/html


=== TEST 2: its page
--- request: GET /console/index.html
--- response_body chomp
the page
--- response_headers
Content-Type: text/html


=== TEST 3: a script, whatever is asked of it
--- request: GET /console/pages/one.js?x=1
--- response_body chomp
a script
--- response_headers
Content-Type: text/javascript


=== TEST 4: no file
--- request: GET /console/nothing.js
--- problem: 404 not_found


=== TEST 5: a folder
--- request: GET /console/pages
--- problem: 404 not_found


=== TEST 6: a folder, by its slash
--- request: GET /console/pages/
--- problem: 404 not_found


=== TEST 7: nothing in a folder
--- request: GET /console/pages/nothing/
--- problem: 404 not_found


=== TEST 8: no folder
--- request: GET /console/nothing/
--- problem: 404 not_found


=== TEST 9: a file with a slash
--- request: GET /console/index.html/
--- problem: 404 not_found


=== TEST 10: a folder with two
--- request: GET /console/pages//
--- problem: 404 not_found


=== TEST 11: a line that error.log could have
--- request: GET /console/x%0a2026/11/29%2009:00:00%20[emerg]%201%231:%20forged
--- problem: 404 not_found


=== TEST 12: a line feed
--- request: GET /console/%0a
--- problem: 404 not_found


=== TEST 13: a byte that is no character
--- request: GET /console/%7f
--- problem: 404 not_found


=== TEST 14: a carriage return in a folder
--- request: GET /console/pages/%0d/
--- problem: 404 not_found


=== TEST 15: a line feed behind a folder
--- request: GET /console/pages%0a/
--- problem: 404 not_found


=== TEST 16: a letter that is not ASCII
--- request: GET /console/caf%c3%a9.js
--- problem: 404 not_found


=== TEST 17: what clears a screen
--- request: GET /console/%1b[2J
--- problem: 404 not_found


=== TEST 18: a name that no file can have
--- request eval: 'GET /console/' . 'a' x 300
--- problem: 404 not_found


=== TEST 19: a path that no file can have
--- request eval: 'GET /console/' . 'a/' x 1000
--- problem: 404 not_found


=== TEST 20: POST
--- request: POST /console/
--- error_code: 405
