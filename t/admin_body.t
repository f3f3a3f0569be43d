# How large a body at the admin endpoint may be.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

# A body of so many bytes: JSON, with a scope as often as it takes, and some blanks.

sub body {
    my ($size, $json) = @_;
    my $room = $size - length($json) - length ',"scopes":["files.send"]';
    my $scopes = '"files.send"' . ',"files.send"' x ($room / 13) . ' ' x ($room % 13);

    chop $json;
    return qq($json,"scopes":[$scopes]});
}

# What comes of a body that is so much longer than the longest, told by its length
# or in chunks.

sub asks {
    my ($more, @headers) = @_;
    my ($post, $patch) = map { body(65536 + $more, $_) } '{"id":"new"}', '{"name":"n"}';
    my ($made, $done, $there) = $more ? (('413 too_large') x 2, '404 not_found') : (201, 200, 200);

    return join "\n", "ops POST partners $post => $made", @headers,
        "ops PATCH partners/atlas $patch => $done", @headers,
        "ops GET partners/new => $there",
        'ops GET partners/atlas => 200 ~ "name":' . ($more ? 'null' : '"n"'),
        '    ~ "keys":\[\{[^{}]*\}\]', '';
}

our $Chunked = '    > Transfer-Encoding: chunked';

admin_blocks(partners => ['{"id":"atlas","key":"atlas-key"}']);
run_tests();

__DATA__

=== TEST 1: one of 65536 bytes fits
--- steps eval: main::asks(0)


=== TEST 2: one of a byte more doesn't, and does nothing
--- steps eval: main::asks(1)


=== TEST 3: one of 4000 more
--- steps eval: main::asks(4000)


=== TEST 4: one of 400,000 more
--- steps eval: main::asks(400_000)


=== TEST 5: in chunks, one of 65536 bytes fits
--- steps eval: main::asks(0, $main::Chunked)


=== TEST 6: in chunks, one of a byte more
--- steps eval: main::asks(1, $main::Chunked)


=== TEST 7: in chunks, one of 4000 more
--- steps eval: main::asks(4000, $main::Chunked)


=== TEST 8: in chunks, one of 400,000 more
--- steps eval: main::asks(400_000, $main::Chunked)


=== TEST 9: where there is nothing, a body is no matter
--- steps eval: 'ops POST none ' . main::body(65537, '{}') . " => 404 not_found\n"


=== TEST 10: nginx's own limit, and the operator's page for it
--- config
location /page {
    wassiit_access ops;
    wassiit_admin api;
    client_max_body_size 64k;
    error_page 404 405 413 @problem;
}
location @problem { wassiit_problem; }
--- steps eval
my $step = 'ops POST /page/partners ' . main::body(65537, '{"id":"large"}') . " => 413 too_large\n"
    . "    Cache-Control: no-store\n";
$step . $step . "$main::Chunked\n"


=== TEST 11: one that was looked at before is judged all the same
--- post_setup_server_root
Wassiit::_write("$ENV{TEST_NGINX_SERVROOT}/conf/hook.secret", "a hook\n");
--- config
location / { wassiit_access api; try_files /none @ok; }
location @ok { return 204; }
location /verified/ {
    wassiit_access ops;
    wassiit_webhook_verify secret_file=hook.secret;
    wassiit_admin api;
}
--- steps eval
my @rows = map { [ $_->[0], $_->[1], Digest::SHA::hmac_sha256_hex($_->[1], 'a hook'), $_->[2] ] }
    [ 'keys/rotate', '{"bogus":"0"}', '400 invalid_payload' ],
    [ 'hmac_secret', 'no json', '400 invalid_payload' ],
    [ 'keys/rotate', main::body(65537, '{"x":1}'), '413 too_large' ],
    [ 'keys/rotate', '{"grace":"0"}', 201 ];
CORE::join('', map { "ops POST /verified/partners/atlas/$_->[0] $_->[1] => $_->[3]\n"
                     . "    > X-WASSIIT-Signature: $_->[2]\n" } @rows)
    . "atlas-key GET / => 401\n"
