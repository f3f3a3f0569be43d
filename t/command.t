#!/usr/bin/env perl
# conf/bin/wassiit: its words, its settings, keys that it makes, and what it says
# of a partners' file.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use Test::More;
use Wassiit;
use Wassiit::Command;

my $JSON = JSON::PP->new->canonical;
my $dir = test_dir();
my $header = slurp('src/ngx_http_wassiit.h');
my ($version) = $header =~ /NGX_HTTP_WASSIIT_VERSION\s+"([^"]+)"/;

for my $shell (shells()) {
    my ($name) = $shell =~ m{(\w+)$};
    my $run = sub { wassiit($shell, @_) };
    my $says = sub { my ($words, @more) = @_; told($run->($words), @more) };


    # ---- words

    $says->([], 2, '', qr/^wassiit: what is to be done\?\nwassiit: try: wassiit --help\n\z/, "$name: no word");
    $says->(['frob'], 2, '', qr/^wassiit: there is no "frob": key, check,/, "$name: an unknown word");
    $says->(['key', '--frob'], 2, '', "wassiit: unknown option --frob\nwassiit: try: wassiit key --help\n",
            "$name: an unknown option");
    $says->(['key', '-x'], 2, '', qr/unknown option -x/, "$name: a short one");
    $says->(['key', '--id'], 2, '', qr/--id needs a value/, "$name: an option without its value");
    $says->(['partner', 'list', '--json=1'], 2, '', qr/--json takes no value/, "$name: one with a value too many");
    $says->(['check'], 2, '', qr/^wassiit: the partners' file: name it as FILE, by WASSIIT_FILE, or by "file" in/, "$name: a file is missing");
    $says->(['restore'], 2, '', qr/what to restore, BACKUP, is missing/, "$name: a word is missing");
    $says->(['check', 'a', 'b'], 2, '', qr/"b" is one word too many/, "$name: a word too many");
    $says->(['key', 'partner'], 2, '', qr/"partner" is one word too many/, "$name: one where there is to be none");
    $says->(['check', 'a', 'b', 'c'], 2, '', qr/"c" is one word too many/, "$name: two of them");
    $says->(['check', '--', '--none'], 1, '', "wassiit: --none: no such file\n", "$name: behind -- there are no options");
    $says->(['--version'], 0, "wassiit $version\n", '', "$name: its version");

    for my $topic ('', qw(key check partner import backup restore)) {
        for my $words ([ $topic || (), '--help' ], [ 'help', $topic || () ]) {
            my $r = $run->($words);
            told($r, 0, qr/\Ausage: wassiit @{[ $topic || 'COMMAND' ]}/, '', "$name: @$words");
            is_deeply([ grep { length > 82 } split /\n/, $r->{out} ], [], "$name: @$words: fits");
        }
    }


    # ---- keys

    my $r = $run->(['key'], watched => 1);
    my ($key, $object, @more) = split /\n/, $r->{out};
    told($r, 0, qr/\A\S+\n\S+\n\z/, '', "$name: a key and its object");
    is(crc_base62(substr $key, 0, 36), substr($key, 36), "$name: a key of our form");
    like($key, qr/\Awst_[0-9A-Za-z]{38}\z/, "$name: a key's characters");
    is($object, sprintf('{"id":"k%s","sha256":"%s"}', substr(sha256_hex($key), 0, 8), sha256_hex($key)),
       "$name: what the file has of it");
    unlike($r->{argv}, qr/\Q$key\E|\Q@{[ substr $key, 4, 32 ]}\E/, "$name: no program is told the key");
    like($r->{argv}, qr/openssl\0dgst/, "$name: programs were watched");
    isnt($run->(['key'])->{out}, $r->{out}, "$name: another one each time");

    $r = $run->(['key', '--partner=atlas', '--scopes', 'messages.send,files.send', '--rate', '5r/m', '--id', 'k1']);
    ($key, my $line) = split /\n/, $r->{out};
    is_deeply($JSON->decode($line), { id => 'atlas', scopes => ['messages.send', 'files.send'], rate => '5r/m',
              keys => [ { id => 'k1', sha256 => sha256_hex($key) } ] }, "$name: a partner's line");
    told($run->(['check', '-'], stdin => "$line\n"), 0, "-: nginx would take it\n", '', "$name: which is right");

    my $s = Wassiit::Server->start(files => { 'partners.jsonl' => "$line\n" }, conf => <<'END');
http {
    wassiit_zone zone=partners:1m file=partners.jsonl;
    server { listen %%PORT%%; wassiit_access partners; location / { wassiit_scope files.send; } }
}
END
    is(http($s->port, headers => ['X-API-Key' => $key])->status, 200, "$name: the key opens");
    $s->stop;

    $says->(['key', '--partner', 'A b'], 2, '', qr/"A b": an id is 1 to 64 of a-z 0-9 \. _ -/, "$name: a partner's id");
    $says->(['key', '--id', '..'], 2, '', qr/"\.\.": an id is/, "$name: a key's id");
    $says->(['key', '--rate', '5r/m'], 2, '', qr/--scopes and --rate are for --partner/, "$name: a rate of nobody");
    for my $rate (qw(5/m 5 r/m 0r/m 05r/m 5r/w 1000001r/m 99999999999999999999r/m 5r/m;)) {
        $says->(['key', '--partner', 'a', '--rate', $rate], 2, '', qr/^wassiit: "\Q$rate\E": a rate is 1 to 1000000 and r\/s/,
                "$name: the rate $rate");
    }
    $says->(['key', '--partner', 'a', '--rate', '1000000r/d'], 0, qr/"1000000r\/d"/, '', "$name: the largest");
    $says->(['key', '--partner', 'a', '--scopes', 'files.send,*'], 2, '', qr/^wassiit: "\*": a scope is of a-z/, "$name: no scope");
    $says->(['key', '--partner', 'a', '--scopes', 'mesages.send,files.send'], 0, qr/"mesages\.send","files\.send"/,
            "wassiit: mesages.send isn't one of the module's own: is it spelt right? If so, wassiit_scopes has to declare it\n", "$name: one that nginx may not know");
    told($run->(['key', '--partner', 'a', '--scopes', 'x.y'], WASSIIT_SCOPES => 'z,x.y'), 0, qr/x\.y/, '', "$name: one that is declared");
    my @own = slurp('src/ngx_wassiit_scope.c') =~ /^    ngx_string\("([\w.]+)"\)/mg;
    is(@own, 6, "$name: nginx has scopes of its own");
    $says->(['key', '--partner', 'a', '--scopes', "@own"], 0, qr/webhooks/, '', "$name: all of them");


    # ---- a partners' file

    my $file = "$dir/a \"strange\" name.jsonl";
    my $says_of = sub {
        my ($text, @more) = @_;
        my $what = pop @more;
        spew($file, $text);
        my $r = $run->(['check', $file]);
        is(slurp($file), $text, "$name: $what: the file is as it was");
        told($r, @more, "$name: $what");
    };

    $says_of->(qq({"id":"a"}\n\n{"id":"b","rate":"1r/s"}\n), 0, "$file: nginx would take it\n", '', 'a right one');
    $says_of->('', 0, qr/take it/, '', 'an empty one');
    told($run->(['check'], WASSIIT_FILE => '/none/x'), 1, '', "wassiit: /none/x: no such folder\n", "$name: of a folder that is none");
    told($run->(['check'], WASSIIT_FILE => $file), 0, "$file: nginx would take it\n", '', "$name: one that the environment names");
    $says_of->(<<'END', 1, '', <<"END", 'each line that is wrong');
{"id":"a"}
{"id":"b","scopes":["message.send"]}
{"id":"c","rat":1}

{"id":"d","keys":[{"id":"k","sha256":"zz"}]}
nonsense
{"id":"e","enabled":"yes"}
END
$file:2: scopes[0]: unknown scope "message.send", the nearest is "messages.send"
$file:3: rat: unknown field, the nearest is "rate"
$file:5: keys[0].sha256: must be the 64 hex digits of the key's SHA-256, not the key: "wassiit key" makes both
$file:6: column 8: not valid JSON, each line must be one object
$file:7: enabled: must be true or false
wassiit: does wassiit_scopes declare message.send? Then --scopes message.send
END
    spew($file, join '', map { qq({"id":"p$_","scopes":["$_"]}\n) } qw(x.y a.b a.b * ));
    $r = $run->(['check', '--scopes', 'c,d', $file]);
    like($r->{err}, qr/\n\Qwassiit: does wassiit_scopes declare x.y a.b? Then --scopes c,d,x.y,a.b\E\n\z/, "$name: scopes of your own, by name");
    my $two = join '', map { qq({"id":"$_","keys":[{"id":"k","sha256":"@{[ '0' x 64 ]}"}]}\n) } qw(a b c);
    $says_of->($two, 1, '', qq($file:2: keys[0].sha256: partner "a" has the same key, on line 1\n), 'one key twice');
    $says_of->(qq({"id":"a"}\n{"id":"b"), 0, qr/take it/,
               "warning: $file:2: ends in the middle of a line, as when power is cut; its 9 bytes are left out\n",
               'what a power cut leaves');
    $says_of->(join('', map { qq({"id":"p$_","rate":"1000000r/m"}\n) } 1 .. 100), 0, qr/take it/, '',
               'one for a large zone');
    my $many = $run->(['check', '-'], stdin => "x\n" x 30);
    is(() = $many->{err} =~ /^-:\d+: column/mg, 20, "$name: the first twenty");
    like($many->{err}, qr/^-: there may be more/m, "$name: and that there may be more");

    spew($file, qq({"id":"a","scopes":["x.y","z"]}\n));
    told($run->(['check', '--scopes', 'x.y,z', $file]), 0, qr/take it/, '', "$name: with scopes of your own");
    told($run->(['check', $file], WASSIIT_SCOPES => 'x.y z'), 0, qr/take it/, '', "$name: from the environment");
    told($run->(['check', '--scopes', 'x;y', $file]), 2, '', qr/scopes are of/, "$name: no scopes");
    chmod 0644, $file;
    told($run->(['check', '--scopes', 'x.y,z', $file]), 0, qr/take it/,
         qq(warning: file "$file" can be read by everyone, its mode should be 0600: "chmod 600 $file"\n), "$name: its mode");

    told($run->(['check', $dir]), 1, '', "wassiit: $dir is a folder\n", "$name: a folder");
    SKIP: {
        skip 'root may read everything', 3 if $> == 0;
        my $closed = "$dir/closed";
        mkdir $closed;
        my $why = "wassiit: $closed/p can't be read: are you its owner, or root?\n";
        spew("$closed/p", '');
        chmod 0, "$closed/p";
        told($run->(['check', "$closed/p"]), 1, '', $why, "$name: a file that is closed");
        chmod 0, $closed;
        told($run->(['check', "$closed/p"]), 1, '', $why, "$name: one in a folder that is");
        told($run->(['import', '--from', 'map', "$closed/p"]), 1, '', $why, "$name: one to import");
        chmod 0700, $closed;
        unlink "$closed/p";
        rmdir $closed;
    }
    told($run->(['check', '--nginx', '/bin/none', $file]), 1, '', "wassiit: /bin/none: no such program\n", "$name: no nginx");
    told($run->(['check', '--module', '/none.so', $file]), 1, '', "wassiit: /none.so: no such file\n", "$name: no module");
    told($run->(['check', $file], WASSIIT_NGINX => '/bin/false'), 1, '', qr/^wassiit: nginx can't check .*: \/bin\/false has said nothing$/, "$name: one that says nothing");


    # ---- settings

    my $settings = "$dir/settings";
    my $with = sub { told($run->(['check', '--config', $settings, $file]), @_) };
    chmod 0600, $file;
    spew($settings, "# ours\n\n scopes =  x.y z\nnginx=$ENV{TEST_NGINX_BINARY}\n");
    $with->(0, qr/take it/, '', "$name: a file of settings");
    spew($settings, "scopes = z");
    $with->(1, '', qr/unknown scope "x\.y"/, "$name: another");
    spew($settings, "scopes = z\nscope = x\n");
    $with->(1, '', qq(wassiit: $settings:2: "scope": there are url, key_file, cacert, file, scopes, nginx and module\n),
            "$name: an unknown one");
    spew($settings, "scopes\n");
    $with->(1, '', qq(wassiit: $settings:1: not "NAME = VALUE"\n), "$name: no value");
    unlink $settings;
    $with->(1, '', "wassiit: $settings can't be read\n", "$name: no such file");

    my $home = "$dir/home-$name";
    mkdir $_ for $home, "$home/.config";
    spew("$home/.config/wassiit", "scopes = x.y,z\n");
    told($run->(['check', $file], HOME => $home), 0, qr/take it/, '', "$name: those at home");
}


# ---- as it is installed

mkdir "$dir/$_" for qw(usr usr/bin usr/share usr/share/wassiit);
system("cp conf/bin/wassiit $dir/usr/bin && cp conf/bin/lib/* $dir/usr/share/wassiit") == 0 or die "no copy";
symlink "usr/bin/wassiit", "$dir/link" or die "symlink: $!";
is(qx($dir/link --version), "wassiit of an unknown version\n", "without a file that says its version");
spew("$dir/usr/share/wassiit/version", "1.2.3\n");
is(qx($dir/link --version), "wassiit 1.2.3\n", "with one");
like(qx($dir/link key), qr/\Awst_\w{38}\n\{/, "it works there");

done_testing;
