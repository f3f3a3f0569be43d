# What is behind a request's head at the admin endpoint, on the same connection: a body
# is never taken for a request. What follows a large one is t/admin.t's.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

our $Head = "Host: localhost\r\nX-API-Key: $Wassiit::Steps::KEYS{ops}\r\n";
our $Hidden = "DELETE /admin/partners/atlas HTTP/1.1\r\n$Head\r\n";

# Requests with that as their body, and what they get.

our @Rows = ([ 'POST partners', 400 ], [ 'PATCH partners/atlas', 400 ], [ 'PUT partners', 405 ],
    [ 'GET partners', 200 ], [ 'GET partners/none', 404 ], [ 'GET partners?limit=0', 400 ],
    [ 'POST none', 404 ], [ 'DELETE partners/none', 404 ], [ 'DELETE partners/BAD', 400 ],
    [ 'POST partners/BAD/keys', 400 ], [ 'PATCH partners/BAD', 400 ],
    [ 'POST partners/BAD/keys/rotate', 400 ], [ 'POST partners/atlas/keys', 400 ],
    [ 'DELETE partners/atlas/keys/BAD', 400 ], [ 'GET partners/BAD', 400 ]);

sub chunked { return CORE::join '', map { sprintf "%x\r\n%s\r\n", length, $_ } @_, '' }

# All of them on one connection, and behind each of them another.

sub requests {
    my ($body) = @_;
    return [ map { ($_->[0] =~ s{ }{ /admin/}r . "\n$body", 'GET /admin/partners') } @Rows ];
}

sub headers {
    my ($more) = @_;
    my $key = "X-API-Key: $Wassiit::Steps::KEYS{ops}\n";
    return [ map { ($key . $more, $key) } @Rows ];
}

# A body that is so long, and too long, in chunks; then another, with a request in it.

sub refused {
    my ($size) = @_;
    return "POST /admin/partners HTTP/1.1\r\n${Head}Transfer-Encoding: chunked\r\n\r\n"
        . chunked(unpack '(a1000)*', ' ' x $size)
        . "POST /admin/partners HTTP/1.1\r\n${Head}Content-Length: 20000\r\n\r\n"
        . substr $Hidden . "\r\n" x 10000, 0, 20000;
}

admin_blocks(partners => ['{"id":"atlas","key":"atlas-key"}']);
run_tests();

__DATA__

=== TEST 1: behind a body comes the next request
--- pipelined_requests eval: main::requests($main::Hidden)
--- more_headers eval: main::headers('')
--- error_code eval: [ map { ($_->[1], 200) } @main::Rows ]
--- response_body_like eval
[ map { ('', '^\{"partners":\[\{"id":"atlas",') } @main::Rows ]


=== TEST 2: in chunks, too
--- pipelined_requests eval: main::requests(main::chunked($main::Hidden))
--- more_headers eval: main::headers('Transfer-Encoding: chunked')
--- error_code eval: [ map { ($_->[1], 200) } @main::Rows ]
--- response_body_like eval
[ map { ('', '^\{"partners":\[\{"id":"atlas",') } @main::Rows ]


=== TEST 3: behind 65537 bytes that are refused half-way the connection ends
--- raw_request eval: main::refused(65537)
--- error_code: 413
--- response_headers: Cache-Control: no-store
--- raw_response_headers_like: (?m)^Content-Type: application/problem\+json\r$
--- response_body_like: ^\{[^{}]*"code":"too_large"[^{}]*\}$
--- no_error_log: was deleted


=== TEST 4: behind 65600 bytes that are refused half-way the connection ends
--- raw_request eval: main::refused(65600)
--- error_code: 413
--- response_headers: Cache-Control: no-store
--- raw_response_headers_like: (?m)^Content-Type: application/problem\+json\r$
--- response_body_like: ^\{[^{}]*"code":"too_large"[^{}]*\}$
--- no_error_log: was deleted


=== TEST 5: behind 66000 bytes that are refused half-way the connection ends
--- raw_request eval: main::refused(66000)
--- error_code: 413
--- response_headers: Cache-Control: no-store
--- raw_response_headers_like: (?m)^Content-Type: application/problem\+json\r$
--- response_body_like: ^\{[^{}]*"code":"too_large"[^{}]*\}$
--- no_error_log: was deleted


=== TEST 6: behind 66500 bytes that are refused half-way the connection ends
--- raw_request eval: main::refused(66500)
--- error_code: 413
--- response_headers: Cache-Control: no-store
--- raw_response_headers_like: (?m)^Content-Type: application/problem\+json\r$
--- response_body_like: ^\{[^{}]*"code":"too_large"[^{}]*\}$
--- no_error_log: was deleted


=== TEST 7: behind 90000 bytes that are refused half-way the connection ends
--- raw_request eval: main::refused(90000)
--- error_code: 413
--- response_headers: Cache-Control: no-store
--- raw_response_headers_like: (?m)^Content-Type: application/problem\+json\r$
--- response_body_like: ^\{[^{}]*"code":"too_large"[^{}]*\}$
--- no_error_log: was deleted
