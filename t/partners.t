#!/usr/bin/perl

# The partners' file: what is said of a bad line. Who comes in by good ones is in
# partners_fields.t, partners_lines.t and partners_buffer.t.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use POSIX qw(mkfifo);
use Test::More;
use Front;
use Wassiit;

my $A = 'a' x 64;
my $CONF = front_conf(zone => '40m');
my $JSON = JSON::PP->new->utf8->canonical;

# A line with one key; what is given replaces what it has.

sub line {
    my ($id, %fields) = @_;
    return $JSON->encode({ id => $id, scopes => ['conversations.read'],
        keys => [{ id => 'k1', sha256 => key_sha256("key of $id") }],
        %fields });
}

sub key_line {
    my (%fields) = @_;
    return $JSON->encode({ id => 'p', keys => [
        { id => 'k1', sha256 => $A, %fields } ] });
}

sub test_file {
    my ($text) = @_;
    return nginx_test($CONF, files => { 'partners.jsonl' => $text });
}

sub is_refused {
    my ($text, $line, $expected, $what) = @_;
    my ($exit, $message) = test_file($text);
    my ($at, $reason) = $message =~ /^nginx:[ ]\[emerg\]
        [ ]\S+\/conf\/partners\.jsonl:(\d+):[ ](.*),[ ]"wassiit_zone"[ ]in[ ]\S+\/conf\/nginx\.conf:\d+$/mx;

    ok($exit == 1 && defined $at && $at == $line && $reason =~ $expected,
       "refused: $what") or diag("$exit: ", substr $message, 0, 2000);
    is(() = $message =~ /\[emerg\]/g, 1, '... and of nothing else');
    unlike($message, qr/[0-9a-fA-F]{16}|c2VjcmV0|hush/,
           '... without a word of what is secret');
}

sub is_accepted {
    my ($text, $what) = @_;
    my ($exit, $message) = test_file($text);
    ok($exit == 0 && $message !~ /\[\w+\]/, "accepted: $what")
        or diag(substr $message, 0, 2000);
}


# ---- fields

subtest 'a field that is wrong' => sub {
    my $id = qr/^id: must be a string of 1 to 64 of a-z 0-9 \. _ -$/;
    my $name = qr/^name: must be/;
    my $rate = qr/^rate: must be .*"100r\/m"/;
    my $hmac = qr/^hmac_secret: must be a string of base64$/;
    my $deleted = qr/^deleted: must be true, beside an id and its rev alone$/;
    my $rev = qr{^rev: must be an integer from 1 to 2\^53 - 1$};
    my $ends = '"expires":"2036-11-01T09:00:00Z"';

    for my $row (
        [ '{}', qr/^id: missing$/ ],
        [ '{"name":"x"}', qr/^id: missing$/ ],
        [ '{"id":null}', $id ], [ '{"id":1}', $id ], [ '{"id":["a"]}', $id ],
        [ '{"id":""}', $id ], [ '{"id":"Atlas"}', $id ],
        [ '{"id":"a b"}', $id ], [ '{"id":"a/b"}', $id ],
        [ '{"id":"a:b"}', $id ], [ '{"id":"\u00e9"}', $id ],
        [ '{"id":"a\n"}', $id ], [ '{"id":"' . 'a' x 65 . '"}', $id ],
        [ '{"id":"p","name":""}', $name ],
        [ '{"id":"p","name":null}', $name ],
        [ '{"id":"p","name":7}', $name ],
        [ '{"id":"p","name":"a\nb"}', $name ],
        [ '{"id":"p","name":"a\u001fb"}', $name ],
        [ '{"id":"p","name":"a\u007fb"}', $name ],
        [ '{"id":"p","name":"' . 'n' x 129 . '"}', $name ],
        [ '{"id":"p","name":"' . "\xc3\xa9" x 64 . 'x"}', $name ],
        [ '{"id":"p","enabled":1}', qr/^enabled: must be true or false$/ ],
        [ '{"id":"p","enabled":"true"}', qr/^enabled: / ],
        [ '{"id":"p","enabled":null}', qr/^enabled: / ],
        [ '{"id":"p","scopes":"messages.send"}',
          qr/^scopes: must be an array, as \["messages\.send"\]$/ ],
        [ '{"id":"p","scopes":null}', qr/^scopes: must be an array, as \[/ ],
        [ '{"id":"p","scopes":{}}', qr/^scopes: must be an array, as \[/ ],
        [ '{"id":"p","scopes":[1]}', qr/^scopes\[0\]: must be a string$/ ],
        [ '{"id":"p","scopes":["files.send",["audio.send"]]}',
          qr/^scopes\[1\]: must be a string$/ ],
        [ '{"id":"p","scopes":["files.send","mesages.send"]}',
          qr/^scopes\[1\]: .*"mesages\.send".* "messages\.send"$/ ],
        [ '{"id":"p","scopes":["files.send "]}',
          qr/^scopes\[0\]: .*"files\.send ".* "files\.send"$/ ],
        [ '{"id":"p","scopes":[""]}', qr/^scopes\[0\]: / ],
        [ '{"id":"p","scopes":["' . 's' x 5000 . '"]}',
          qr/^scopes\[0\]: / ],
        (map { [ qq({"id":"p","rate":$_}), $rate ] } '100', 'null', '""',
            '"0r/s"', '"1000001r/m"', '"5r/w"', '"5"', '"r/s"', '"05r/s"',
            '"5r/s "', '" 5r/s"', '"5R/S"', '"1.5r/s"', '"-5r/s"', '"1e3r/s"',
            '"4294967297r/s"', '"18446744073709551617r/s"', '["5r/s"]'),
        (map { [ qq({"id":"p","hmac_secret":$_}), $hmac ] } '""', 'null',
            '1', '"c2VjcmV0!"', '"c2Vj cmV0"', '"c2VjcmV0=="', '"c2VjcmV0x"',
            '"="', '"===="', '"c2VjcmV0\n"', '"c2=VjcmV0"', '"c2VjcmV0===="'),
        (map { [ qq({"id":"p","webhook_secret":$_}),
                 qr/^webhook_secret: must be a string that isn't empty$/ ] }
            '""', 'null', '1', '["hush"]', '{"hush":"hush"}'),
        (map { [ qq({"id":"p","hmac_secret":"c2VjcmV0","former_hmac_secret":$_->[0]}),
                 qr/^former_hmac_secret$_->[1]/ ] }
            [ '"hush"', ': must be an object with value and expires$' ],
            [ '{"value":"c2VjcmV0"}', ': must be an object' ],
            [ qq({"value":"hush!",$ends}), '\.value: must be a string of base64$' ],
            [ '{"value":"c2VjcmV0","expires":"soon"}', '\.expires: must be a time such as' ],
            [ qq({"value":"c2VjcmV0",$ends,"created":"x"}), '\.created: unknown field$' ],
            [ qq({"value":"c2VjcmV0",$ends,"expire":"x"}),
              '\.expire: unknown field, the nearest is "expires"$' ]),
        (map { [ qq({"id":"p","webhook_secret":"hush","next_webhook_secret":$_->[0]}),
                 qr/^next_webhook_secret$_->[1]/ ] }
            [ 'null', ': must be an object with value and expires$' ],
            [ qq({"value":"",$ends}), q(\.value: must be a string that isn't empty$) ],
            [ '{"value":"hush","expires":1}', '\.expires: must be a time such as' ]),
        [ qq({"id":"p","webhook_secret":"x","former_hmac_secret":{"value":"c2VjcmV0",$ends}}),
          qr/^former_hmac_secret: must be beside hmac_secret$/ ],
        [ qq({"id":"p","hmac_secret":"c2VjcmV0","next_webhook_secret":{"value":"hush",$ends}}),
          qr/^next_webhook_secret: must be beside webhook_secret$/ ],
        [ '{"id":"p","deleted":false}', $deleted ],
        [ '{"id":"p","deleted":1}', $deleted ],
        [ '{"id":"p","deleted":"true"}', $deleted ],
        [ '{"id":"p","deleted":true,"name":"x"}', $deleted ],
        [ '{"id":"p","deleted":true,"rev":7,"name":"x"}', $deleted ],
        [ '{"id":"p","deleted":true,"rev":0}', $rev ],
        [ '{"deleted":true}', qr/^id: missing$/ ],
        (map { [ qq({"id":"p","rev":$_}), $rev ] } '0', '-1', '1.0', '"1"',
            'null', 'true', '[1]', '1e3', '9007199254740992'),
        (map { [ qq({"id":"p","$_->[0]":"hush"}),
                 qr/^\Q$_->[0]\E: unknown field, the nearest is "$_->[1]"$/ ] }
            [ scope => 'scopes' ], [ Name => 'name' ], [ key => 'keys' ], [ rat => 'rate' ],
            [ webhook_secrets => 'webhook_secret' ], [ next_hook_secret => 'next_webhook_secret' ]),
        (map { [ qq({"id":"p","$_":1}), qr/^\Q$_\E: unknown field$/ ] }
            '', 'label', 'scopes' . 's' x 300),
        [ '{"id":"p","limit":5,"rate":"bad"}', qr/^limit: unknown field$/ ])
    {
        my ($text, $expected) = @$row;
        is_refused(line('first') . "\n$text\n" . line('last') . "\n", 2,
                   $expected, substr $text, 0, 70);
    }
};

subtest 'a key that is wrong' => sub {
    my $id = qr/^keys\[0\]\.id: must be a string of 1 to 64 of a-z 0-9 /;
    my $no_key = qr/^keys\[0\]\.key: unknown field, the file has the key's SHA-256, as "sha256", and never the key$/;
    my $digest = qr/^keys\[0\]\.sha256: must be the 64 hex digits of the key's SHA-256, not the key: "wassiit key" makes both$/;
    my $time = qr/must be a time such as "2026-11-01T09:00:00Z"$/;

    my @times = ('', 'now', '2026-11-01', '2026-11-01T09:00:00',
        '2026-11-01 09:00:00Z', '2026-13-01T09:00:00Z',
        '2026-00-01T09:00:00Z', '2026-11-00T09:00:00Z',
        '2026-11-31T09:00:00Z', '2026-02-29T09:00:00Z',
        '1900-02-29T09:00:00Z', '2026-11-01T24:00:00Z',
        '2026-11-01T09:60:00Z', '2026-11-01T09:00:61Z',
        '2026-11-01T09:00:00.Z', '2026-11-01T09:00:00.5',
        '2026-11-01T09:00:00+1:00', '2026-11-01T09:00:00+0100',
        '2026-11-01T09:00:00+24:00', '2026-11-01T09:00:00+01:60',
        '2026-11-01T09:00:00Z ', '2026-11-01T09:00:00ZZ',
        '+026-11-01T09:00:00Z', '2026-11-1T09:00:00Z',
        '12026-11-01T09:00:00Z', '2026/11/01T09:00:00Z',
        '2026-11-01T09:00:00.1234567890');

    for my $row (
        (map { [ qq({"id":"p","keys":$_}), qr/^keys: must be an array, as \[\{"id":"k1","sha256":"\.\.\."\}\]$/ ] }
            'null', '{}', '"hush"', '1'),
        (map { [ qq({"id":"p","keys":[$_]}),
                 qr/^keys\[0\]: must be an object, as \{"id":"k1","sha256":"\.\.\."\}$/ ] }
            '"hush"', 'null'),
        [ '{"id":"p","keys":[{}]}', qr/^keys\[0\]\.id: missing$/ ],
        [ qq({"id":"p","keys":[{"sha256":"$A"}]}),
          qr/^keys\[0\]\.id: missing$/ ],
        [ '{"id":"p","keys":[{"id":"k1"}]}',
          qr/^keys\[0\]\.sha256: missing$/ ],
        [ qq({"id":"p","keys":[{"id":"k1","sha256":"$A"},{"id":"k2"}]}),
          qr/^keys\[1\]\.sha256: missing$/ ],
        [ qq({"id":"p","keys":[{"id":"k1","sha256":"$A"},)
          . '{"id":"k1","sha256":"' . 'b' x 64 . '"}]}',
          qr/^keys\[1\]\.id: .*"k1".*keys\[0\]/ ],
        [ '{"id":"p","keys":[' . join(',', map {
              qq({"id":"k$_","sha256":") . sha256_hex($_) . '"}' } 1 .. 9)
          . ']}', qr/^keys: 9 of them, the most is 8$/ ],
        (map { [ key_line(id => $_), $id ] } '', 'K1', 'a b', 'x' x 65, 1,
            undef, JSON::PP::true()),
        (map { [ key_line(sha256 => $_), $digest ] } '', 'a' x 63, 'a' x 65,
            'a' x 63 . 'g', ' ' . 'a' x 63, 'wst_hush', 'a' x 62 . '0x', 'a' x 128, 1,
            undef, ['a' x 64]),
        (map { [ key_line(created => $_), qr/^keys\[0\]\.created: $time/ ] }
            @times, 1793523600, undef),
        (map { [ key_line(expires => $_), qr/^keys\[0\]\.expires: $time/ ] }
            @times, 1793523600, undef),
        [ key_line(name => 'x'), qr/^keys\[0\]\.name: unknown field$/ ],
        [ key_line(key => 'wst_hush'), $no_key ],
        [ '{"id":"p","keys":[{"id":"k1","key":"wst_hush"}]}', $no_key ],
        [ key_line(expired => 'x'), qr/^keys\[0\]\.expired: unknown field, the nearest is "expires"$/ ],
        [ key_line(Sha256 => $A), qr/^keys\[0\]\.Sha256: unknown field, the nearest is "sha256"$/ ])
    {
        my ($text, $expected) = @$row;
        is_refused(line('first') . "\n$text\n" . line('last') . "\n", 2,
                   $expected, substr $text, 0, 100);
    }
};

subtest 'what is no JSON object' => sub {
    my $secret = '"hmac_secret":"c2VjcmV0c2VjcmV0","webhook_secret":"hush",'
                 . qq("keys":[{"id":"k1","sha256":"$A"}]);
    my $json = qr/^column \d+: not valid JSON, each line must be one object$/;
    my $key = qr/^column \d+: a key, which never stands in this file: of what "wassiit key" prints, the second line does$/;
    my $second = qr/^column \d+: a second object on this line, each needs a line of its own$/;
    my $twice = qr/^(?:column \d+|[\w\[\].]+): .*twice/;

    for my $row (
        [ '[]', qr/^not a JSON object$/ ],
        [ '[{"id":"p"}]', qr/^not a JSON object$/ ],
        (map { [ $_, $json ] } '{', '}', 'x', '{"id":"p"', '{"id":"p",}',
            "{'id':'p'}", '{id:"p"}', '{"id":"p"}}',
            '{"id":"p"} x', '{"id":"p"},{"id":"q"}', '"hush"', 'wst', ' k wst_hush', 'null', '1', '{"id":"p","name":"hush}',
            "{\"id\":\"p\",\"name\":\"a\tb\"}", '{"id":"p","name":"\u0000"}',
            '{"id":"p","name":"\ud800"}', '{"id":"p","name":"\x41"}',
            "{\"id\":\"p\",\"name\":\"\xff\"}",
            "{\"id\":\"p\",\"name\":\"\xc3\"}",
            "{\"id\":\"p\",\"name\":\"\xc0\xaf\"}",
            "{\"id\":\"p\",\"name\":\"\xed\xa0\x80\"}",
            "{\"id\":\"p\",\"name\":\"\xf4\x90\x80\x80\"}",
            "\xef\xbb\xbf{}",
            "\f", "\xc2\xa0", '{"id":"p"} // hush', '[' x 60000,
            '{"a":' x 10000, "{\"id\":\"p\",$secret", "{$secret,\"id\":\"p\"",
            "{\"id\":\"p\" $secret}", "{\"id\":\"p\",$secret,}",
            qq({"id":"p","hmac_secret":"c2VjcmV0),
            qq({"id":"p","webhook_secret":"hush\\q"}),
            qq({"id":"p","keys":[{"id":"k1","sha256":"$A),
            qq({"id":"p","keys":[{"id":"k1","sha256":"$A}]})),
        (map { [ $_, $second ] } '{"id":"p"}{"id":"q"}', "{\"id\":\"p\"} \t{",
            qq({"id":"\xc3\xa9"} {$secret,"id":"q"})),
        (map { [ $_, $key ] } 'wst_hush', " \twst_", 'wst_hush {"id":"p"}'),
        (map { [ $_, qr/^column \d+: not valid JSON, a zero byte$/ ] }
            "{\"id\":\"p\"\0}", "\0", "{\"id\":\"p\"}\0"),
        (map { [ $_, $twice ] } '{"id":"p","id":"p"}',
            '{"id":"p","name":"x","name":"y"}',
            qq({"id":"p",$secret,"hmac_secret":"c2VjcmV0"}),
            qq({"id":"p",$secret,"webhook_secret":"hush"}),
            qq({"id":"p","keys":[{"id":"k1","sha256":"$A","sha256":"$A"}]})))
    {
        my ($text, $expected) = @$row;
        is_refused(line('first') . "\n\n$text\n" . line('last') . "\n", 3,
                   $expected, substr $text, 0, 70);
    }
};


# ---- lines

subtest 'which line' => sub {
    my @lines = map { line($_) } qw(atlas rif);

    is_refused(join("\n", $lines[0], '', ' ', '{"id":"X"}'), 4, qr/^id: /,
               'the last of four, without an end of line');
    is_refused(join("\r\n", $lines[0], '', '{"id":"X"}', ''), 3, qr/^id: /,
               'with CRLF');
    is_refused("{\"id\":\"a\",\r\"enabled\":0}", 1, qr/^enabled: /,
               'CR alone ends no line');
    is_refused("{\"id\":\"a\",\n\"enabled\":true}", 1, qr/not valid JSON/,
               'an object over two lines');
};

subtest 'the same key twice' => sub {
    my $key = '"keys":[{"id":"k1","sha256":"' . 'ab' x 32 . '"}]';
    my $upper = $key =~ s/abab/ABAB/r;

    is_refused(qq({"id":"a",$key}\n\n{"id":"b"}\n{"id":"c",$upper}\n), 4,
        qr/^keys\[0\]\.sha256: .*"a".* line 1$/, 'of two partners');
    is_refused(qq({"id":"a",$key}\n{"id":"b",$key}\n{"id":"a",$key}\n), 3,
        qr/^keys\[0\]\.sha256: .*"b".* line 2$/,
        'of two partners, one of them named twice');
    is_refused('{"id":"a","keys":[{"id":"k1","sha256":"' . $A . '"},'
        . '{"id":"k2","sha256":"' . uc $A . '"}]}', 1,
        qr/^keys\[1\]\.sha256: .*"a".* line 1$/, 'of one partner');
    is_accepted(qq({"id":"a",$key}\n{"id":"a",$key}\n), 'of one partner, '
        . 'on two lines');

    my @many = map { line("p$_") } 1 .. 300;
    is_refused(join("\n", @many, line('new', keys => [
        { id => 'k1', sha256 => key_sha256('fine') },
        { id => 'k2', sha256 => key_sha256('key of p123') } ])), 301,
        qr/^keys\[1\]\.sha256: .*"p123".* line 123$/, 'of many');
};


# ---- the buffer: lines of 64 KB, and lines that lie across its end

subtest 'long lines' => sub {
    my $long = sub {
        my ($id, $length) = @_;
        my $line = line($id);
        my $blank = ' ' x ($length - length $line);
        return $line =~ s/\A\{/{$blank/r;
    };
    my ($atlas, $zagora) = (line('atlas'), line('zagora'));

    for my $length (65536, 65537, 70000, 131071, 131072, 131073, 300000) {
        my $rif = $long->('rif', $length);
        my $reason = qr/^line too long, the most is 65535 bytes$/;

        is_refused("$atlas\n$rif\n$zagora\n", 2, $reason, "$length bytes");
        is_refused("$rif\n$zagora\n", 1, $reason, "$length bytes, first");
        is_refused("$atlas\n\n$rif", 3, $reason, "$length bytes, last");
        is_refused("$atlas\n" . 'x' x $length, 2, $reason,
                   "$length bytes of anything");
        is_refused(' ' x $length, 1, $reason, "$length blanks");
    }

    is_refused($long->('rif', 65535) . "\nhush\n", 2, qr/not valid JSON/,
               'the line after one that fills the buffer');
};

subtest 'lines across the end of the buffer' => sub {
    my $tail = line('tail');

    for my $start (65536 - length($tail) - 2 .. 65536 - length($tail) + 2,
                   65536 - 30, 65534 .. 65538,
                   131072 - length($tail) - 1 .. 131072 - length($tail) + 1,
                   131071 .. 131073)
    {
        my ($text, $n) = ('', 0);

        while (length($text) < $start - 2000) {
            $text .= line("p$n", name => 'n' x ($n % 100 + 1)) . "\n";
            $n++;
        }

        my $pad = line('pad');
        $pad =~ s/\A\{/'{' . ' ' x ($start - length($text . $pad) - 1)/e;
        $text .= "$pad\n";
        length $text == $start or die 'wrong length';

        is_refused("$text$tail\n{\"id\":\"X\"}\n", $n + 3, qr/^id: /,
                   "lines are counted across it, from byte $start on");
    }
};


# A large file is parsed in four parts, by a process each.

subtest 'a large file' => sub {
    my @lines = map { line("p$_", name => 'n' x (100 + $_ % 29)) } 1 .. 14000;
    my $n = @lines;
    my $with = sub {
        my (%changed) = @_;
        my @copy = @lines;
        $copy[$_ - 1] = $changed{$_} for keys %changed;
        return join "\n", @copy;
    };
    my $bad = '{"id":"X"}';

    length(join '', @lines) > 3.2 * 2 ** 20 or die 'too small for four parts';

    is_refused($with->($_ => $bad), $_, qr/^id: /, "line $_")
        for 1, 2, 5000, 7000, 9000, 13999, 14000;
    is_refused($with->(map { ($_ => $bad) } 6000, 13000), 6000, qr/^id: /,
               'the first of two');
    is_refused($with->(map { ($_ => $bad) } 13000 .. 13100), 13000, qr/^id: /,
               'the first of many');
    is_refused($with->(3 => "\n\n$bad"), 5, qr/^id: /, 'after blank lines');
    is_refused($with->(13000 => line('q', keys => [{ id => 'k1',
                   sha256 => key_sha256('key of p2') }])), 13000,
               qr/^keys\[0\]\.sha256: .*"p2".* line 2$/, 'a key far away');
    is_refused($with->(13000 => ' ' x 65536), 13000, qr/^line too long/,
               'a long line at the end');
    is_refused(join("\n", @lines[0 .. 99], 'x' x 3_000_000, @lines[100 .. 199]),
               101, qr/^line too long/, 'a line longer than a part');
    is_refused('x' x 3_000_000, 1, qr/^line too long/, 'nothing but a line');
    is_accepted("\n" x 3_000_000, 'nothing but ends of lines');
    is_refused("\n" x 3_000_000 . $bad, 3_000_001, qr/^id: /,
               'three million lines');

    my $long = ' ' x 65000;
    my @long = map { line("p$_") =~ s/\A\{/{$long/r } 1 .. 50;
    is_refused(join("\n", @long, $bad), 51, qr/^id: /, 'one after lines of 65000 bytes');
};


# ---- the file itself

subtest 'a file that cannot be read' => sub {
    my $dir = test_dir();
    my $conf = sub { front_conf(zones => "wassiit_zone zone=api:1m "
                                         . "file=$dir/$_[0];") };
    my $check = sub {
        my ($name, $reason, $what) = @_;
        my ($exit, $message) = nginx_test($conf->($name));
        ok($exit == 1 && $message =~ qr/\[emerg\].*"\Q$dir\/$name\E".*$reason/,
           $what) or diag($message);
    };

    mkdir "$dir/folder" or die $!;
    partners_file("$dir/secret", partner('atlas', 'atlas-key'));
    chmod 0, "$dir/secret";

    $check->('missing', qr/No such file/, 'there is none');
    $check->('none/missing', qr/No such file/, 'nor its folder');
    $check->('folder', qr/Is a directory/, 'a folder');
    $check->('secret/x', qr/Not a directory/, 'below a file');
    $check->('', qr/Is a directory/, 'a folder, with a slash');
    mkfifo("$dir/pipe", 0600) or die $!;
    $check->('pipe', qr/is not a regular file/, 'a pipe that no one writes to');

    SKIP: {
        skip 'root may read anything', 1 if $> == 0;
        $check->('secret', qr/Permission denied/, 'no right to read it');
    }
};

subtest 'the mode of the file' => sub {
    my $dir = test_dir();
    my $conf = front_conf(zones => "wassiit_zone zone=api:1m "
                                   . "file=$dir/mode.jsonl;");
    partners_file("$dir/mode.jsonl", partner('atlas', 'atlas-key'));

    for my $row ([ 0600, 0 ], [ 0400, 0 ], [ 0640, 0 ], [ 0660, 0 ],
                 [ 0644, 1 ], [ 0604, 1 ], [ 0666, 1 ])
    {
        my ($mode, $warned) = @$row;
        chmod $mode, "$dir/mode.jsonl" or die $!;
        my ($exit, $message) = nginx_test($conf);

        is($exit, 0, sprintf 'mode %04o is accepted', $mode);
        is($message =~ /\[warn\].*"\Q$dir\E\/mode\.jsonl".*0600/ ? 1 : 0,
           $warned, $warned ? '... with a warning' : '... without a warning');
    }
};

done_testing;
