# Paths and methods of the admin endpoint.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

our $End = "- GET /file => 200 ~ \\A[^\\n]+\\n\\z\n";

# Each method at a path; of the methods, those that aren't there are told.

sub nothing_at {
    return join '', map {
        my $path = $_;
        map { "ops $_ $path" . ($_ eq 'GET' ? '' : ' {"name":"x"}') . " => 404 not_found\n" }
            qw(GET POST DELETE PATCH);
    } @_;
}

sub takes {
    my ($path, @allowed) = @_;
    my %allowed = map { $_ => 1 } @allowed;
    my $allow = join ', ', @allowed;

    return join '', map { "ops $_ $path => 405 method_not_allowed\n    Allow: $allow\n" }
        grep { !$allowed{$_} } qw(GET POST PUT PATCH DELETE OPTIONS MKCOL HEAD);
}

sub bad_id {
    my ($id) = @_;
    return join('', map { "ops $_ => 400 bad_request\n" } "GET partners/$id",
        "PATCH partners/$id {}", "DELETE partners/$id", "POST partners/$id/keys {}",
        "DELETE partners/atlas/keys/$id") . $End;
}

admin_blocks(partners => ['{"id":"atlas","key":"atlas-key"}']);
run_tests();

__DATA__

=== TEST 1: a path that is nearly one of partners
--- steps eval
main::nothing_at('/admin/', qw(partner partnersx Partners partners/ x/partners))


=== TEST 2: nearly one of a partner
--- steps eval
main::nothing_at(qw(partners/atlas/ partners/atlas/rotate partners/atlas/hmac
                    partners/atlas/hmac_secret/ partners/atlas/hmac_secret/x))


=== TEST 3: nearly one of a key
--- steps eval
main::nothing_at(qw(partners/atlas/key partners/atlas/keys/ partners/atlas/keys/k1/
                    partners/atlas/keys/k1/x partners/atlas/keys/rotate/x))


=== TEST 4: dots and slashes that were escaped
--- steps eval
main::nothing_at(qw(partners/%2e%2e partners/a%2Fb partners/../x)) . $main::End


=== TEST 5: what the partners take
--- steps eval: main::takes('partners', qw(GET HEAD POST))


=== TEST 6: what a partner takes, there or not
--- steps eval
main::takes('partners/atlas', qw(GET HEAD PATCH DELETE))
. main::takes('partners/none', qw(GET HEAD PATCH DELETE))


=== TEST 7: what its keys take
--- steps eval: main::takes('partners/atlas/keys', 'POST')


=== TEST 8: what a key takes
--- steps eval: main::takes('partners/atlas/keys/k1', 'DELETE')


=== TEST 9: what a rotation takes; a key may have that id
--- steps eval: main::takes('partners/atlas/keys/rotate', qw(POST DELETE))


=== TEST 10: what secrets take
--- steps eval
main::takes('partners/atlas/hmac_secret', 'POST')
. main::takes('partners/atlas/webhook_secret', 'POST')


=== TEST 11: an id that is none
--- steps eval: CORE::join '', map { main::bad_id($_) } 'A', 'a' x 65


=== TEST 12: an id with a blank or a quote
--- steps eval: CORE::join '', map { main::bad_id($_) } qw(a%20b a%22b)


=== TEST 13: an id with a letter beyond ASCII, a colon, a comma
--- steps eval: CORE::join '', map { main::bad_id($_) } '%c3%a9', 'a:b', 'a,b'


=== TEST 14: the longest id is looked for
--- steps eval: 'ops GET partners/' . 'a' x 64 . ' => 404 not_found'


=== TEST 15: an escaped path is the same
--- steps
ops GET %70artners/%61tlas => 200 ~ "id":"atlas"


=== TEST 16: a location without a slash, but none that begins so
--- config
location /page { wassiit_access ops; wassiit_admin api; }
--- steps
ops GET /page/partners/atlas => 200 ~ "id":"atlas"
ops GET /pagepartners => 404 not_found
    Cache-Control: no-store


=== TEST 17: arguments where there are none
--- steps
ops GET partners/atlas?limit=1 => 400 bad_request
    ~ "detail":"This request takes no arguments\."
ops POST partners?limit=1 {"id":"new"} => 400 bad_request
    ~ "detail":"This request takes no arguments\."
ops PATCH partners/atlas?x {"rate":"5r/s"} => 400 bad_request
    ~ "detail":"This request takes no arguments\."
ops DELETE partners/atlas?x=1 => 400 bad_request
    ~ "detail":"This request takes no arguments\."
ops POST partners/atlas/keys?x => 400 bad_request
    ~ "detail":"This request takes no arguments\."
ops DELETE partners/atlas/keys/k1?x => 400 bad_request
    ~ "detail":"This request takes no arguments\."
- GET /file => 200 ~ \A[^\n]+\n\z
ops GET partners => 200 = atlas
atlas-key GET / => 200
