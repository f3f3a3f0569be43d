#!/usr/bin/env perl
# wassiit import: lines of a partners' file from an nginx map, Kong and APISIX, in
# the shapes that they export; what can't be carried over is said.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use Test::More;
use Wassiit;
use Wassiit::Command;

my $JSON = JSON::PP->new->utf8->canonical;
my $dir = test_dir();

my $MAP = <<'END';
# the keys of our clients
map $http_upgrade $connection { default upgrade; "" close; }

map $http_x_api_key $client {
    hostnames;
    default "";
    "atlas-key-0001" "Clinique Atlas";      # the first; with "quotes"
    atlas-key-0002   "Clinique Atlas";
    'key with blanks' beta;
    "with-\"quotes\"" gamma; ~^legacy-.*$ legacy;
    "revoked-key" "";
    "nameless-key" 1;
    \default-looking "Été & Co";
    "Ete-key-00001" "ete - co";
    "short" delta;
    include more.map;
    "variable-key" "$arg_x";
    "ATLAS-KEY-0001" "Clinique Atlas";
    "atlas-key-0001" other;
    three words here;
    "WRONG" delta;
    "broken
key" delta;
}
END

my $KONG = <<'END';
{"_format_version":"3.0",
 "services":[{"name":"api","plugins":[{"name":"key-auth"}]}],
 "plugins":[{"name":"rate-limiting","config":{"minute":600}},
            {"name":"rate-limiting","consumer":"beta","config":{"hour":5000,"policy":"local"}},
            {"name":"rate-limiting","consumer":"beta","service":"api","config":{"hour":1}}],
 "consumers":[
  {"username":"alex","custom_id":"c-1","tags":["a"],
   "keyauth_credentials":[{"key":"alex-key-1111"},{"key":"alex-key-2222","ttl":3600}],
   "acls":[{"group":"gold"},{"group":"files"}],
   "plugins":[{"name":"rate-limiting","config":{"second":null,"minute":100,"hour":5000,"month":9}},
              {"name":"ip-restriction","config":{}},{"name":"bot-detection","enabled":false}]},
  {"username":"beta","keyauth_credentials":[{"key":"${{ env \"DECK_KEY\" }}"}],"jwt_secrets":[{"key":"x"}]},
  {"username":"adv","groups":[{"name":"silver"}],"keyauth_credentials":[{"key":"advanced-key"},{"key":"alex-key-1111"}],
   "plugins":[{"name":"rate-limiting-advanced","config":{"limit":[5,10],"window_size":[30,1]}}]},
  {"custom_id":"Only A Custom Id"}]}
END

# As "kong config db_export" has it, within what the admin API's /config answers.
my $FLAT = $JSON->encode({ config => $JSON->encode({
    _format_version => '1.1', consumers => [ { id => 'u-1', username => 'flat' } ],
    keyauth_credentials => [ { consumer => { id => 'u-1' }, key => 'a-flat-key' }, { consumer => 'flat', key => 'another-one' } ],
    acls => [ { consumer => 'u-1', group => 'gold' } ],
    plugins => [ { name => 'rate-limiting', consumer => { id => 'u-1' }, config => { day => 7 } } ] }) });

my $APISIX = <<'END';
{"total":2,"list":[
 {"modifiedIndex":9,"createdIndex":8,"key":"/apisix/consumers/jack","value":{"username":"jack","desc":"x",
  "create_time":1,"update_time":2,"group_id":"company_a","plugins":{"key-auth":{"key":"auth-one-jack"},
  "limit-count":{"count":200,"time_window":60,"rejected_code":503,"key":"remote_addr"}}}},
 {"modifiedIndex":9,"createdIndex":8,"key":"/apisix/consumers/rose_X","value":{"username":"rose_X","plugins":{
  "key-auth":{"key":"$secret://vault/1/rose/key"},"jwt-auth":{"key":"x"},"limit-count":{"count":2,"time_window":10}}}}]}
{"total":2,"list":[
 {"key":"/apisix/consumers/jack/credentials/c1","value":{"id":"c1","plugins":{"key-auth":{"key":"auth-two-jack"}}}},
 {"key":"/apisix/consumers/none/credentials/c2","value":{"id":"c2","plugins":{"key-auth":{"key":"auth-of-nobody"}}}}]}
END

my $OLD = '{"action":"get","node":{"dir":true,"nodes":[{"key":"/apisix/consumers/old","value":'
    . '{"username":"old","plugins":{"key-auth":{"key":"an-old-key-1"},"limit-count":{"count":5,"time_window":1}}}}]}}';

sub keys_of { my $n = 0; return keys => [ map { { id => 'k' . ++$n, sha256 => sha256_hex($_) } } @_ ] }

for my $shell (shells()) {
    my ($name) = $shell =~ m{(\w+)$};

    # Its partners; each line of the error output, without the file's name.
    my $import = sub {
        my ($from, $text, @more) = @_;
        my $file = spew("$dir/export", $text);
        my $r = wassiit($shell, ['import', '--from', $from, @more, $file], watched => 1);
        my @lines = split /\n/, $r->{out};
        my @said = split /\n/, $r->{err} =~ s/^\Q$file\E:? ?//gmr;

        my $checked = wassiit($shell, ['check', '-'], stdin => $r->{out});
        is($checked->{exit}, 0, "$name: $from: nginx takes it") or diag($checked->{err});
        unlike($r->{argv}, qr/key-\d|-key|auth-one|advanced/, "$name: $from: no program is told a key");
        unlike($r->{out}, qr/key-\d|-key|auth-one|advanced/, "$name: $from: nor does a line have one");
        return ($r->{exit}, [ map { $JSON->decode($_) } @lines ], @said);
    };


    # ---- an nginx map

    my ($exit, $partners, @said) = $import->(map => $MAP);
    is($exit, 1, "$name: map: some keys weren't carried over");
    is_deeply($partners, [
        { id => 'clinique-atlas', name => 'Clinique Atlas', keys_of('atlas-key-0001', 'atlas-key-0002', 'ATLAS-KEY-0001') },
        { id => 'beta', keys_of('key with blanks') },
        { id => 'gamma', keys_of('with-"quotes"') },
        { id => 'client-12', keys_of('nameless-key') },
        { id => 'ete-co', name => "\x{c9}t\x{e9} & Co", keys_of('default-looking') },
        { id => 'ete-co-2', name => 'ete - co', keys_of('Ete-key-00001') },
        { id => 'delta' }, { id => 'other' } ], "$name: map: its partners");
    is_deeply(\@said, [ split /\n/, <<'END' ], "$name: map: what it says");
a map takes keys in capitals or not: here each has to be sent as it is written
10: not carried over: a regular expression, of which there is no SHA-256
11: a key that nobody is let in by (""): left out
12: its client is "1", which names nobody: it is client-12
14: there is one with the id ete-co already: this one is ete-co-2
15: not carried over: a key has 8 to 256 printable characters
16: not carried over: include more.map: import that file, too
17: not carried over: the client is "$arg_x": there are no variables here
19: not carried over: the same key as that of clinique-atlas, whose it is here
20: not carried over: not a pair of a key and a client
21: not carried over: a key has 8 to 256 printable characters
22: not carried over: a key or a client that isn't printable
without a key: delta other
without a scope: 8, --scopes NAME,... gives them some
END

    my $ours = make_key('ours');
    ($exit, $partners, @said) = $import->(map => qq("$ours" one;\n"@{[ $ours =~ s/.$/-/r ]}" two;\n"@{[ scalar reverse $ours ]}" three;\n),
                                          '--scopes', 'messages.send');
    is_deeply($partners, [ map { { id => $_->[0], scopes => ['messages.send'], keys_of($_->[1]) } }
        [ one => $ours ], [ two => $ours =~ s/.$/-/r ], [ three => scalar reverse $ours ] ],
        "$name: what a map includes, and keys of our form and of others");
    is_deeply([ $exit, @said ], [ 0, 'a map takes keys in capitals or not: here each has to be sent as it is written' ],
              "$name: nothing is lost");
    my $wrong = $ours =~ s/(.)$/$1 eq 'A' ? 'B' : 'A'/er;
    ($exit, $partners, @said) = $import->(map => qq("$wrong" one;\n));
    is_deeply([ $exit, $partners, $said[1] ], [ 1, [ { id => 'one' } ], "1: not carried over: a key that begins with wst_, "
        . "and whose last six characters aren't its checksum, is never let in" ], "$name: a wrong checksum");

    ($exit, $partners, @said) = $import->(map => join '', map { qq("many-keys-$_" many;\n) } 1 .. 9);
    is_deeply([ scalar @{ $partners->[0]{keys} }, $said[1] ], [ 8, '9: not carried over: many has 8 keys, and no more can be' ],
              "$name: nine keys");
    ($exit, $partners, @said) = $import->(map => 'map $http_token $client { tok-en-123456 a; }' . "\n");
    like("@said", qr/no map from a key, of 1 maps: name the variable by --variable/, "$name: a map of something else");
    ($exit, $partners, @said) = $import->(map => 'map $http_token $client { tok-en-123456 a; }' . "\n", '--variable', '$http_token');
    is_deeply([ $exit, $partners, $said[1] ], [ 0, [ { id => 'a', keys_of('tok-en-123456') } ],
              '1: $http_token: here clients send their keys in X-API-Key' ], "$name: by its variable");
    ($exit, $partners, @said) = $import->(map => qq(map \$http_x_api_key \$c {\n  "unfinished-1" a;\n  "b));
    is_deeply([ $exit, $said[1] ], [ 1, '3: not carried over: the file ends in the middle of something' ], "$name: half a map");


    # ---- Kong

    ($exit, $partners, @said) = $import->(kong => $KONG, '--group', 'gold=messages.send,calls.initiate', '--group=files=files.send');
    is_deeply($partners, [
        { id => 'alex', scopes => [qw(messages.send calls.initiate files.send)], rate => '100r/m',
          keys_of('alex-key-1111', 'alex-key-2222') },
        { id => 'beta', rate => '5000r/h' },
        { id => 'adv', rate => '10r/s', keys_of('advanced-key') },
        { id => 'only-a-custom-id', name => 'Only A Custom Id' } ], "$name: kong: its partners");
    is_deeply([ $exit, @said ], [ 1, split /\n/, <<'END' ], "$name: kong: what it says");
the plugin rate-limiting of all: say it as the rate of wassiit_zone
consumers[0] "alex": not carried over: custom_id c-1
consumers[0] "alex": a key's ttl of 3600 s: here it has no end, give it "expires"
consumers[0] "alex": not carried over: the limit of 9 in 2592000 seconds: here it is 1 to 1000000 in 1, 60, 3600 or 86400 seconds
consumers[0] "alex": not carried over: the plugin ip-restriction
consumers[0] "alex": not carried over: the limit 5000r/h beside 100r/m: a partner has one
consumers[1] "beta": not carried over: jwt_secrets
consumers[1] "beta": not carried over: the plugin rate-limiting of one service or route
consumers[1] "beta": not carried over: the key is only named there: write itself in its place
consumers[2] "adv": not carried over: what the consumer group silver limits
consumers[2] "adv": not carried over: the limit of 5 in 30 seconds: here it is 1 to 1000000 in 1, 60, 3600 or 86400 seconds
consumers[2] "adv": not carried over: the same key as that of alex, whose it is here
without a key: beta only-a-custom-id
without a scope: 3, --scopes NAME,... gives them some
END

    ($exit, $partners, @said) = $import->(kong => $FLAT);
    is_deeply([ $exit, $partners ], [ 0, [ { id => 'flat', rate => '7r/d', keys_of('a-flat-key', 'another-one') } ] ],
              "$name: kong: each kind in a list of its own");
    like("@said", qr/the group gold: --group gold=NAME,\.\.\. says which scopes it has/, "$name: kong: a group");


    # ---- APISIX

    ($exit, $partners, @said) = $import->(apisix => $APISIX);
    is_deeply($partners, [ { id => 'jack', rate => '200r/m', keys_of('auth-one-jack', 'auth-two-jack') },
                           { id => 'rose_x', name => 'rose_X' } ], "$name: apisix: its partners");
    is_deeply([ $exit, @said ], [ 1, split /\n/, <<'END' ], "$name: apisix: what it says");
not carried over: a credential of none, who isn't in it
consumer "jack": the group company_a: --group company_a=NAME,... says which scopes it has
consumer "rose_X": not carried over: the plugin jwt-auth
consumer "rose_X": not carried over: the limit of 2 in 10 seconds: here it is 1 to 1000000 in 1, 60, 3600 or 86400 seconds
consumer "rose_X": not carried over: the key is only named there: write itself in its place
without a key: rose_x
without a scope: 2, --scopes NAME,... gives them some
END
    ($exit, $partners) = $import->(apisix => $OLD);
    is_deeply([ $exit, $partners ], [ 0, [ { id => 'old', rate => '5r/s', keys_of('an-old-key-1') } ] ], "$name: apisix: version 2");


    # ---- beside those who are there already

    my $there = "$dir/there.jsonl";
    my $sum = uc sha256_hex('a-key-of-before');
    spew($there, qq(\xef\xbb\xbf{"id":"a"}\n{"id":"b","keys":[{"id":"k1","sha256":"$sum"}]}\n\n{"id":"c"}\n{"id":"c","deleted":true}\nno line\n));
    my $clients = join '', map { qq("key-of-client-$_" $_;\n) } qw(a c d);
    ($exit, $partners, @said) = $import->(map => qq($clients"a-key-of-before" d;\n"other-of-b-01" b;\n"key-of-client-2" "A b";\n), '--file', $there,
                                          '--scopes', 'files.send');
    is_deeply($partners, [ map { { id => $_->[0], scopes => ['files.send'], keys_of($_->[1]), $_->[2] ? (name => $_->[2]) : () } }
        [ c => 'key-of-client-c' ], [ d => 'key-of-client-d' ], [ 'a-b', 'key-of-client-2', 'A b' ] ], "$name: who is there is left out");
    is_deeply([ $exit, @said[1 .. $#said] ], [ 1, "1: not carried over: a is in $there already",
        "4: not carried over: the same key as that of b in $there", "5: not carried over: b is in $there already" ], "$name: which is said");
    told(wassiit($shell, ['import', '--from', 'map', '--file', "$dir/none", '-'], stdin => $clients), 1, '',
         "wassiit: $dir/none: no such file\n", "$name: no file of who is there");


    # ---- ids

    my @names = ('a' x 80, 'a' x 64, 'A' x 64, '...', '..', "\x{645}\x{631}", 'x--y', ' - x - ');
    ($exit, $partners) = $import->(kong => $JSON->encode({ consumers => [ map { { username => $_ } } @names ] }));
    is_deeply([ map { $_->{id} } @$partners ],
              [ 'a' x 64, ('a' x 62) . '-2', ('a' x 62) . '-3', '...', 'partner', 'partner-2', 'x--y', 'x' ], "$name: ids");


    # ---- what isn't an export

    my $refused = sub {
        my ($words, $stdin, $exit, $wanted, $what) = @_;
        told(wassiit($shell, ['import', @$words], stdin => $stdin), $exit, '', $wanted, "$name: $what");
    };
    $refused->([qw(--from kong -)], qq(_format_version: "3.0"\nconsumers:\n- username: a\n), 1,
               qr/^wassiit: - is YAML, and JSON is read: deck gateway dump --format json/, 'YAML');
    $refused->(['--from', $_, '-'], '[1]', 1, qr/^wassiit: -: there are no consumers in it: is it an export of $_\?$/, "$_: no consumers")
        for qw(kong apisix);
    $refused->([qw(--from kong -)], '{', 1, qr/^wassiit: -: .*: is it an export of kong\?$/, 'no JSON');
    $refused->([qw(--from kong /none)], '', 1, "wassiit: /none: no such file\n", 'no file');
    $refused->(['-'], '', 2, qr/from what\? --from map, kong or apisix/, 'from what?');
    $refused->([qw(--from tyk -)], '', 2, qr/--from tyk: there are map, kong and apisix/, 'another');
}

done_testing;
