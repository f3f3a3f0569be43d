# Each refusal has an id of its own, whichever worker answers.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Answer;
use Test::Nginx::Socket;
use Test::More;

my $port = free_port();
my %seen;

# Between these workers, the kernel chooses one for each connection.

add_block_preprocessor(sub {
    my ($block) = @_;
    Test::Nginx::Util::server_port_for_client($port);
    $block->set_value(partners => '{"id":"atlas","key":"atlas-key"}');
    $block->set_value(http_config => 'wassiit_zone zone=api:1m file=partners.jsonl;');
    $block->set_value(config => <<"END");
        listen 127.0.0.1:$port reuseport;
        add_header X-Request-ID \$request_id always;
        location /t { wassiit_access api; empty_gif; }
END
});

add_response_body_check(sub {
    my ($block, $body) = @_;
    my ($id) = $body =~ /"instance":"([0-9a-f]{32})"/;
    ok(defined $id && !$seen{$id}++, $block->name . ' - a new one');
});

master_on();
workers(2);
$Test::Nginx::Util::TestNginxSleep = 0.002;
log_level('info');
no_long_string();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: 200 refusals, and as many ids, each of which is $request_id
--- request eval: [ ('GET /t') x 200 ]
--- more_headers eval: [ ('X-API-Key: nobody-has-it') x 200 ]
--- problem eval: [ ('401 invalid_key') x 200 ]
--- response_headers_like eval: [ ('X-Request-ID: [0-9a-f]{32}') x 200 ]
