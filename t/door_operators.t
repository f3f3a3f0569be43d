# conf/nginx.conf, as an operator finds it: which operators may look, which may change
# something, and what logs/audit.log has of it.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Wassiit;
use Wassiit::Door;
use Wassiit::DoorBlocks;
use Test::Nginx::Socket;

my @who = qw(reads manages both neither);
my %held = (reads => ['partners.read'], manages => ['partners.manage'], neither => [],
            both => [ 'partners.read', 'partners.manage', 'messages.send' ]);
my %key = map { $_ => make_key("operator $_") } @who;

# One worker, which has written a line before it takes the next request.

my $conf = door_text('nginx.conf');
$conf =~ s/worker_processes \Kauto;/1;/ or die 'workers';
$conf =~ s{listen 127\.0\.0\.1:8081;\K}{
    location = /audit { access_log off; alias logs/audit.log; }
    location = /access { access_log off; alias logs/access.log; }} or die 'admin';

open_door(conf => $conf, keys => \%key, files => { 'operators.jsonl' => [
    map { partner($_, $key{$_}, scopes => $held{$_}) } @who ] });

# Every way to look, and every change, one after another.

sub looks {
    my ($who) = @_;
    my @paths = map { "/admin/partners$_" } '', '/all';
    return [ map { "$_ $who" } map({ my $method = $_; map { "$method $_" } @paths } qw(GET HEAD)),
                               'GET /admin/partners?q=all' ];
}

our @Changes = ("POST \n" . '{"id":"new"}', "PATCH /new\n" . '{"name":"New"}', 'POST /new/keys',
                'POST /new/keys/rotate', 'POST /new/hmac_secret', 'POST /new/webhook_secret',
                'DELETE /new/keys/none', 'DELETE /new');
our @Done = (201, 200, (201) x 4, 404, 204);
our @Operations = qw(partner_create partner_patch key_create key_rotate hmac_secret
                     webhook_secret key_revoke partner_delete);
our @Asked = ('{"id":"new"}', '{"name":"New"}', '', ('{"grace":"24h"}') x 3, '', '');

# All of the log, line by line.

sub all { return '\A' . join('', map { "\Q$_\E\n" } @_) . '\z' }

# What the audit log has of changes, in some members of each line, or all their names.

sub told {
    my ($members) = @_;
    return sub {
        my ($body) = @_;
        return $body if $body !~ /\A\{"time"/;
        my @lines = map { JSON::PP->new->utf8->decode($_) } split /\n/, $body;
        return join(' ', sort keys %{ $lines[0] }) . "\n" if $members eq 'names';
        my @members = split ' ', $members;
        return join '', map { join(' ', @$_{@members}) . "\n" } @lines;
    };
}

add_block_preprocessor(sub {
    my ($block) = @_;
    my ($who) = ($block->changes_by // '') =~ /(\w+)/ or return;
    my @refused = $who =~ /manages|both/ ? (undef) x 8 : ('403 insufficient_scope') x 8;
    my $log = $block->audit ? 'audit' : $block->access ? 'access' : undef;

    $block->set_value(request => [ map({ s{ }{ /admin/partners}r } @Changes),
                                   $log ? "GET /$log" : () ]);
    $block->set_value(more_headers => [ ("X-API-Key: $key{$who}") x 9 ]);
    $block->set_value(error_code => [ $refused[0] ? (403) x 8 : @Done, 200 ]);
    $block->set_value(problem => [ @refused, undef ]);
    $block->set_value(response_body_like => [
        $refused[0] ? ('"required_scopes":\["partners\.manage"\]') x 8 : ('') x 8,
        $block->audit // $block->access // '' ]);
    $block->set_value(response_body_filters => told($block->of =~ s/\s+\z//r)) if $block->audit;
});

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: partners.read: may look
--- server: admin
--- ask eval: main::looks('reads')
--- error_code eval: [ (200) x 5 ]


=== TEST 2: partners.manage: may look
--- server: admin
--- ask eval: main::looks('manages')
--- error_code eval: [ (200) x 5 ]


=== TEST 3: both: may look
--- server: admin
--- ask eval: main::looks('both')
--- error_code eval: [ (200) x 5 ]


=== TEST 4: neither: may not look, also at what isn't there
--- server: admin
--- ask eval: [ map { "GET /admin/partners$_ neither" } '', '/all', '/nobody' ]
--- problem eval: [ ('403 insufficient_scope') x 3 ]
--- response_body_like eval: [ ('"required_scopes":\["partners\.read"\]') x 3 ]


=== TEST 5: neither: nor by HEAD
--- server: admin
--- ask: HEAD /admin/partners neither
--- error_code: 403


=== TEST 6: another method is no way to look
--- server: admin
--- ask: PUT /admin/partners/all reads
--- problem: 403 insufficient_scope


=== TEST 7: without a key there is no change, and a line of it
--- server: admin
--- ask eval: [ 'DELETE /admin/partners/all', 'GET /audit', 'GET /admin/partners/all reads' ]
--- problem eval: [ '401 missing_key', undef, undef ]
--- response_body_filters eval: main::told('operator result status operation partner')
--- response_body_like eval
[ '', '\A refused 401 partner_delete all\n\z', '"id":"all"' ]


=== TEST 8: the audit log has who changed what
--- server: admin
--- changes_by: manages
--- of: operator operation result status
--- audit eval
qr/\Amanages\ partner_create\ done\ 201\n
   manages\ partner_patch\ done\ 200\n
   manages\ key_create\ done\ 201\n
   manages\ key_rotate\ done\ 201\n
   manages\ hmac_secret\ done\ 201\n
   manages\ webhook_secret\ done\ 201\n
   manages\ key_revoke\ refused\ 404\n
   manages\ partner_delete\ done\ 204\n\z/x


=== TEST 9: and who may, by both scopes
--- server: admin
--- changes_by: both
--- of: operator result status
--- audit eval
main::all(map { 'both ' . ($_ == 404 ? 'refused' : 'done') . " $_" } @::Done)


=== TEST 10: and who may not, by another scope
--- server: admin
--- changes_by: reads
--- of: operator operation result status
--- audit eval
main::all(map { "reads $_ refused 403" } @::Operations)


=== TEST 11: and who may not, by none
--- server: admin
--- changes_by: neither
--- of: operator result status
--- audit eval: '\A' . ("neither refused 403\n" x 8) . '\z'


=== TEST 12: of which key, also of one that was made
--- server: admin
--- changes_by: manages
--- of: operation key_id
--- audit eval: qr/\nkey_create k[0-9a-f]{8}\n.*\nkey_revoke none\n/s


=== TEST 13: of which key, also where it was refused
--- server: admin
--- changes_by: reads
--- of: operation key_id
--- audit eval: qr/\nkey_revoke none\n/


=== TEST 14: all that a line has
--- server: admin
--- changes_by: reads
--- of: names
--- audit eval
'\Achange key_id operation operator operator_key_id partner remote_addr request_id '
. 'result status time\n\z'


=== TEST 15: by which key
--- server: admin
--- changes_by: reads
--- of: operator_key_id
--- audit: \A(k1\n){8}\z


=== TEST 16: what was asked for
--- server: admin
--- changes_by: manages
--- of: change
--- audit eval
main::all(@::Asked)


=== TEST 17: the access log has changes, too
--- server: admin
--- changes_by: manages
--- access: \A(127[^\n]*"(?:POST|PATCH|DELETE) /admin/partners[^\n]*\n){8}\z


=== TEST 18: the access log has refused ones, too
--- server: admin
--- changes_by: neither
--- access: \A(127[^\n]*"(?:POST|PATCH|DELETE) /admin/partners[^\n]*\n){8}\z


=== TEST 19: the access log has one without a key, too
--- server: admin
--- ask eval: [ 'DELETE /admin/partners/all', 'GET /access' ]
--- problem eval: [ '401 missing_key', undef ]
--- response_body_like eval
[ '', '\A127[^\n]*"DELETE /admin/partners/all" 401 [^\n]*\n\z' ]


=== TEST 20: the audit log has nothing of looks, nor of another method
--- server: admin
--- ask eval
[ @{ main::looks('reads') }, 'GET /admin/partners/all neither', 'PUT /admin/partners/all reads',
  'GET /audit' ]
--- error_code eval: [ (200) x 5, 403, 403, 200 ]
--- response_body_like eval: [ ('') x 7, '\A\z' ]
