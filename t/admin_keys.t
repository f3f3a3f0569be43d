# Keys of a partner: one more, one less, new ones in place of all.

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::Steps;

sub keys_of {
    my ($id, @keys) = @_;
    my $n = 0;
    return { id => $id, keys => [ map { { id => 'k' . ++$n, sha256 => key_sha256($_->[0]),
                                          $_->[1] ? (expires => $_->[1]) : () } } @keys ] };
}

our $Past = '2020-01-01T00:00:00Z';
our @Hand = keys_of('hand', ['by-hand-key'], ['second-key']);
$Hand[0]{keys}[0]{id} = 'rotate';

admin_blocks(partners => [
    { id => 'bare' }, @Hand,
    keys_of('atlas', ['atlas-key']),
    keys_of('eight', map { ["eight-key-$_"] } 1 .. 8),
    keys_of('room', map { ["room-key-$_", $_ % 4 ? () : $Past ] } 1 .. 8) ]);
run_tests();

__DATA__

=== TEST 1: one more is told once, with its id and times
--- steps
ops POST partners/atlas/keys => 201
    ~ ^\{"id":"\w+","created":"{now}","expires":null,"last_used":null,"key":"wst_\w{38}"\}$
    Content-Type: application/json
{key} GET / => 200 ~ ^atlas$
    X-Key: {id}
atlas-key GET / => 200
ops GET partners/atlas => 200 ~ "keys":\[\{"id":"k1",[^{}]*\},\{"id":"{id}",[^{}]*\}\]


=== TEST 2: by no body, an empty object, one with blanks
--- steps
ops POST partners/bare/keys => 201
ops POST partners/bare/keys {} => 201
ops POST partners/bare/keys  { }  => 201
{key1} GET / => 200
    X-Key: {id1}
{key2} GET / => 200
    X-Key: {id2}
{key3} GET / => 200
    X-Key: {id3}
ops GET partners/bare => 200
    ~ "keys":\[\{"id":"{id1}",[^{}]*\},\{"id":"{id2}",[^{}]*\},\{"id":"{id3}",[^{}]*\}\]


=== TEST 3: eight work, there is no ninth
--- steps
ops POST partners/bare/keys => 201
ops POST partners/bare/keys => 201
ops POST partners/bare/keys => 201
ops POST partners/bare/keys => 201
ops POST partners/bare/keys => 201
ops POST partners/bare/keys => 201
ops POST partners/bare/keys => 201
ops POST partners/bare/keys => 201
ops POST partners/bare/keys => 409 conflict
    ~ "detail":"Partner bare has 8 keys, the most that it may have\. Delete one first\."
{key1} GET / => 200
{key2} GET / => 200
{key3} GET / => 200
{key4} GET / => 200
{key5} GET / => 200
{key6} GET / => 200
{key7} GET / => 200
{key8} GET / => 200
ops GET partners/bare => 200 ~ "keys":\[(?:\{[^{}]*\},){7}\{[^{}]*\}\]


=== TEST 4: nor one by rotation, and nothing has changed
--- steps
ops POST partners/eight/keys/rotate => 409 conflict
ops POST partners/eight/keys => 409 conflict
- GET /file => 200 ~ \A(?:[^\n]+\n){5}\z
eight-key-1 GET / => 200
eight-key-8 GET / => 200


=== TEST 5: one is deleted, its neighbours are not
--- steps
ops DELETE partners/eight/keys/k4 => 204 ~ ^$
eight-key-4 GET / => 401 invalid_key
eight-key-3 GET / => 200
eight-key-5 GET / => 200
ops DELETE partners/eight/keys/k4 => 404 not_found
    ~ "detail":"Partner eight has no key k4\."


=== TEST 6: then there is room
--- steps
ops DELETE partners/eight/keys/k4 => 204
ops POST partners/eight/keys => 201
{key} GET / => 200 ~ ^eight$
ops POST partners/eight/keys => 409 conflict


=== TEST 7: one that was made is deleted by its id
--- steps
ops POST partners/bare/keys => 201
{key} GET / => 200
ops DELETE partners/bare/keys/{id} => 204
{key} GET / => 401 invalid_key
ops GET partners/bare => 200 ~ "keys":\[\]


=== TEST 8: an unknown key, an unknown partner
--- steps
ops DELETE partners/atlas/keys/none => 404 not_found
ops DELETE partners/none/keys/k1 => 404 not_found
ops POST partners/none/keys => 404 not_found
ops POST partners/none/keys/rotate => 404 not_found
atlas-key GET / => 200


=== TEST 9: a rotation at once makes room, as all end
--- steps eval
qq(ops POST partners/eight/keys/rotate {"grace":"0"} => 201\n{key} GET / => 200 ~ ^eight\$\n)
    . CORE::join '', map { "eight-key-$_ GET / => 401 invalid_key\n" } 1 .. 8


=== TEST 10: an expired one makes room, the others work on
--- steps eval
qq(ops POST partners/room/keys => 201\n{key} GET / => 200 ~ ^room\$\n)
    . CORE::join '', map { "room-key-$_ GET / => "
                           . ($_ % 4 ? "200\n" : "401\n") } 1 .. 8


=== TEST 11: a key of the id "rotate" can be deleted
--- steps
by-hand-key GET / => 200
ops DELETE partners/hand/keys/rotate => 204
by-hand-key GET / => 401 invalid_key
ops DELETE partners/hand/keys/rotate => 404 not_found
second-key GET / => 200


=== TEST 12: a rotation tells the key, its id and times, and when the former ones end
--- steps
ops POST partners/atlas/keys/rotate {"grace":"0"} => 201
    ~ ^\{"id":"\w+","created":"{now}","expires":null,"last_used":null,"former_expires":null,
    ~ "former_expires":null,"key":"wst_\w{38}"\}$
atlas-key GET / => 401 invalid_key
{key} GET / => 200
    X-Key: {id}


=== TEST 13: again at once: the new one is the old one now
--- steps
ops POST partners/atlas/keys/rotate {"grace":"0"} => 201
ops POST partners/atlas/keys/rotate {"grace":"0"} => 201
{key1} GET / => 401 invalid_key
{key2} GET / => 200


=== TEST 14: within a grace both work
--- steps
ops POST partners/atlas/keys/rotate {"grace":"24h"} => 201 ~ "former_expires":"\d{4}-
atlas-key GET / => 200
{key} GET / => 200
