# Where bodies lie and how they come, against a right and a wrong signature; what
# nginx refuses while it reads stays refused. What is let in goes out signed to a
# server that holds the body it gets against that signature. (t/body_clients.t has
# slow clients, many, and those that break off.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Wassiit::Answer;
use Digest::SHA qw(hmac_sha256_hex);
use Test::Nginx::Socket;

# What places and sizes say: bytes of all values, or a form that is as long.

sub form {
    my ($size) = @_;
    return join "\r\n", '--edge', 'Content-Disposition: form-data; name="to"', '',
        '+212600000000', '--edge', 'Content-Disposition: form-data; name="file"; filename="x"',
        '', "\r\n--edg" x ($size / 7) . 'x' x ($size % 7), '--edge--';
}

sub bytes_of { my ($n) = @_; srand 7; return join '', map { chr int rand 256 } 1 .. $n }

sub in_chunks {
    my ($body) = @_;
    return join '', map({ sprintf "%x\r\n%s\r\n", length $_, $_ } unpack '(a65536)*', $body),
        "0\r\n\r\n";
}

sub signed { return 'X-WASSIIT-Signature: ' . hmac_sha256_hex($_[0], $_[1] // 'in') }

our $Type = 'Content-Type: multipart/form-data; boundary=edge';

add_block_preprocessor(sub {
    my ($block) = @_;

    $block->set_value(user_files => ">>> ../conf/in.secret\nin\n>>> ../conf/out.secret\nout\n");
    $block->set_value(suppress_stderr => 1);        # which says that anyone may read these
    $block->set_value(http_config => <<'END');
        client_max_body_size 0;
        server {
            listen 127.0.0.1:$TEST_NGINX_PORT_2;
            client_body_buffer_size 8m;
            wassiit_webhook_verify secret_file=out.secret header=X-Out;
            location / { try_files /none @ok; }
            location @ok { return 200 "the same, $http_content_length"; }
        }
END
    my $config = $block->config // '';
    my $place = $block->place;

    if (defined $place) {
        $config = "location /t {\n$place"
            . (defined $block->form ? 'wassiit_payload document;' : '')
            . 'wassiit_webhook_verify secret_file=in.secret;'
            . ' wassiit_webhook_sign secret_file=out.secret header=X-Out;'
            . ' proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2; }';
        _ways($block);
    }

    $block->set_value(config => "$config\nlocation \@ok { return 200 ok; }\n");
});

# By a length, in chunks, and by HTTP/1.0, signed rightly and wrongly.

sub _ways {
    my ($block) = @_;
    my ($size) = ($block->size // 0) =~ /(\d+)/;
    my $body = defined $block->form ? form($size) : bytes_of($size);
    my (@requests, @headers);

    for my $right (1, 0) {
        my $headers = $Type . "\n" . signed($body, $right ? 'in' : 'wrong');

        push @requests, "POST /t\n$body", "POST /t\n" . in_chunks($body), "POST /t HTTP/1.0\n$body";
        push @headers, $headers . (length $body ? '' : "\nContent-Length: 0"),
            "$headers\nTransfer-Encoding: chunked",
            $headers . (length $body ? '' : "\nContent-Length: 0");
    }

    $block->set_value(request => \@requests);
    $block->set_value(more_headers => \@headers);
    $block->set_value(error_code => [ (200) x 3, (401) x 3 ]);
    $block->set_value(response_body_like => [ ('^the same, ' . length($body) . '$') x 3,
                                              ('"invalid_signature"') x 3 ]);
}

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: a body of nothing
--- place


=== TEST 2: a body with the header
--- place
--- size: 300


=== TEST 3: a form with the header
--- place
--- size: 300
--- form


=== TEST 4: a body in memory
--- place: client_body_buffer_size 256k;
--- size: 100000


=== TEST 5: a form in memory
--- place: client_body_buffer_size 256k;
--- size: 100000
--- form


=== TEST 6: a body in one buffer
--- place: client_body_buffer_size 256k; client_body_in_single_buffer on;
--- size: 100000


=== TEST 7: a form in one buffer
--- place: client_body_buffer_size 256k; client_body_in_single_buffer on;
--- size: 100000
--- form


=== TEST 8: a body in a file
--- place: client_body_buffer_size 4k;
--- size: 100001


=== TEST 9: a form in a file
--- place: client_body_buffer_size 4k;
--- size: 100001
--- form


=== TEST 10: a body in small pieces
--- place: client_body_buffer_size 16;
--- size: 5000


=== TEST 11: a form in small pieces
--- place: client_body_buffer_size 16;
--- size: 5000
--- form


=== TEST 12: a body in a file only
--- place: client_body_in_file_only on;
--- size: 3000


=== TEST 13: a form in a file only
--- place: client_body_in_file_only on;
--- size: 3000
--- form


=== TEST 14: a body in memory, for several turns
--- place: client_body_buffer_size 8m;
--- size: 2500000


=== TEST 15: a form in memory, for several turns
--- place: client_body_buffer_size 8m;
--- size: 2500000
--- form


=== TEST 16: a body in a file, for several turns
--- place: client_body_buffer_size 1m;
--- size: 2500000


=== TEST 17: a form in a file, for several turns
--- place: client_body_buffer_size 1m;
--- size: 2500000
--- form


=== TEST 18: a body in a clean file
--- place: client_body_in_file_only clean;
--- size: 100000


=== TEST 19: a form in a clean file
--- place: client_body_in_file_only clean;
--- size: 100000
--- form


=== TEST 20: too large, in chunks
--- config
location /small {
    client_max_body_size 1k;
    wassiit_webhook_verify secret_file=in.secret;
    try_files /none @ok;
}
--- request eval: "POST /small\n" . main::in_chunks('x' x 2000)
--- more_headers eval: "Transfer-Encoding: chunked\n" . main::signed('x' x 2000)
--- error_code: 413


=== TEST 21: half a body is let in nowhere, nor judged
--- config
location /failed {
    client_max_body_size 1k;
    wassiit_webhook_verify secret_file=in.secret;
    error_page 413 /slow;
}
location /slow {
    client_body_buffer_size 1k;
    wassiit_webhook_verify secret_file=in.secret;
    wassiit_payload document;
    try_files /none @ok;
}
--- request eval: "POST /failed\n" . main::in_chunks('x' x 2000)
--- more_headers eval: "$::Type\nTransfer-Encoding: chunked\n" . main::signed('x' x 2000)
--- error_code: 413


=== TEST 22: chunks that are none
--- config
location /memory {
    client_body_buffer_size 1m;
    wassiit_webhook_verify secret_file=in.secret;
    try_files /none @ok;
}
--- raw_request eval
"POST /memory HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
    . main::signed('x') . "\r\n\r\n1\r\nx\r\nzz\r\n"
--- error_code: 400


=== TEST 23: half a body that another location has read is not signed
--- config
location /reads {
    proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
    proxy_intercept_errors on;
    error_page 413 /led;
    client_max_body_size 1k;
}
location /led {
    client_body_buffer_size 1m;
    wassiit_webhook_sign secret_file=out.secret header=X-Out;
    proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
}
--- request eval: "POST /reads\n" . main::in_chunks('x' x 2000)
--- more_headers: Transfer-Encoding: chunked
--- error_code: 413


=== TEST 24: refused half-way, the operator's page is the answer
--- config
location /paged { wassiit_payload document; error_page 400 /paged.html; try_files /none @ok; }
location = /paged.html { wassiit_payload document; try_files /none @page; }
location @page { return 400 "the operator's"; }
--- request eval
"POST /paged\n" . main::in_chunks("--edge\r\nnonsense\r\n\r\n" . main::form(5000))
--- more_headers eval: "$::Type\nTransfer-Encoding: chunked"
--- error_code: 400
--- response_body chomp
the operator's


=== TEST 25: refused at its end, the operator's page is the answer
--- config
location /paged { wassiit_payload document; error_page 400 /paged.html; try_files /none @ok; }
location = /paged.html { wassiit_payload document; try_files /none @page; }
location @page { return 400 "the operator's"; }
--- request eval: "POST /paged\n" . main::in_chunks(main::form(5000) . "\r\nmore")
--- more_headers eval: "$::Type\nTransfer-Encoding: chunked"
--- error_code: 400
--- response_body chomp
the operator's
