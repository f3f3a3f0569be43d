#!/usr/bin/env perl
# The logs of conf/nginx.conf: JSON whatever a client sends, and rotation by
# conf/logrotate.

use strict;
use warnings;

use JSON::PP ();

use lib 't/lib';
use Front;
use H2;
use Wassiit;
use Wassiit::Door;
use Test::More;

my $api = '/api/partner/v1';
my $key = make_key('logs');
my @partners = (partner('atlas', $key, rate => '1000r/s'));
my $strict = JSON::PP->new->utf8;

sub slurp {
    my ($file) = @_;
    open my $in, '<:raw', $file or die "$file: $!";
    local $/;
    return scalar <$in>;
}

# ---- JSON, chosen as the comment says

my $conf = door_text('nginx.conf');
is($conf =~ s/^( *)(access_log logs\/access\.log wassiit;)\n *# (access_log .* wassiit_json;)$/$1# $2\n$1$3/m,
   1, 'chosen by one line');

# HTTP/2 in clear, and a server that isn't there before the one that is.
$conf =~ s/^( *)(listen 127\.0\.0\.1:8080 .*)$/$1$2\n$1listen %%PORT_3%% http2;/m or die;
$conf =~ s/^( *)server unix:messaging\.sock;$/$1server unix:gone.sock;\n$1server unix:messaging.sock;/m or die;

my $s = start_door('json', conf => $conf, partners => \@partners,
                   allow_log => qr/\[crit\].* connect\(\) to unix:/);
my $log = $s->dir . '/logs/access.log';
my $lines = 0;

# What is logged of it: one line, one object, from the first byte to the last.

sub logged {
    my ($name, $send) = @_;

    $send->();
    ok(wait_for { (slurp($log) =~ tr/\n//) > $lines }, "$name: logged") or return {};
    my @all = split /\n/, slurp($log);
    my @new = @all[$lines .. $#all];
    $lines = @all;
    is(scalar @new, 1, "$name: one line");

    my $line = eval { $strict->decode($new[0]) };
    is($@, '', "$name: JSON") or diag($new[0]);
    return wantarray ? ($line, $new[0]) : $line;
}

sub raw {
    my ($bytes, $goes) = @_;
    return sub {
        my $client = Wassiit::Client->new($s->port);
        $client->send($bytes);
        shutdown $client->{socket}, 1 if $goes;

        # nginx logs some only when the client has closed after the answer
        eval { $client->response };     # which needn't be one
        $client->close;
    };
}

sub get { raw("GET $_[0] HTTP/1.1\r\nHost: h\r\nX-API-Key: $key\r\nConnection: close\r\n\r\n") }

my ($line, $text) = logged('a request', get("$api/conversations?key=$key"));
is_deeply([ @$line{qw(method path status partner key_id decision limit remaining remote_addr)} ],
          [ 'GET', "$api/conversations", 200, 'atlas', 'k1', 'allowed', 1000, 999, '127.0.0.1' ], 'what it says');
like($text, qr/"status":200,"bytes":[1-9]\d*,"seconds":\d+\.\d{3},/, 'numbers are numbers');
like($text, qr/"limit":1000,"remaining":999,/, 'the limit, too');
like($line->{upstream_addr}, qr/\Aunix:\S+, unix:\S+\z/, 'two tries: both addresses');
is($line->{upstream_status}, '502, 200', 'both statuses');
like($line->{upstream_seconds}, qr/\A\d\.\d{3}, \d\.\d{3}\z/, 'both times');
unlike($text, qr/\Q$key\E/, 'no query');

($line, $text) = logged('no key', raw("GET $api/conversations HTTP/1.0\r\n\r\n"));
is_deeply([ @$line{qw(status partner key_id decision limit remaining upstream_addr upstream_status upstream_seconds)} ],
          [ 401, '', '', 'missing_key', undef, undef, '', '', '' ], 'what is not there is null, or empty');

# The operators' server, in the same file; what they change is in another, too.

for my $row ([ GET => '/console', 301 ], [ GET => '/admin/partners', 200 ], [ DELETE => '/admin/partners/none', 404 ]) {
    my ($method, $uri, $status) = @$row;
    my $got = logged("an operator's $method $uri", sub {
        http($s->port(2), method => $method, uri => $uri, headers => [ 'X-API-Key' => $Operator ]) });
    is_deeply([ @$got{qw(method path status)} ], [ $method, $uri, $status ], 'what it says');
}
is(() = slurp($s->dir . '/logs/audit.log') =~ /"operation":"partner_delete"/g, 1, 'the audit log');
is(slurp($s->dir . '/logs/audit.log') =~ tr/\n//, 1, '... has that alone');

# Paths: what came, what the log says.

for my $row (
    [ '/"quoted"', '/"quoted"' ], [ '/back\\slash', '/back\\slash' ], [ '/%ff%22', '/%ff%22' ],
    [ "/caf\xc3\xa9/x?y", '/caf(not ASCII)' ], [ "/\xff", '/(not ASCII)' ], [ "/\x80\"\xc0\xaf", '/(not ASCII)' ],
    [ "$api/\xed\xa0\x80", "$api/(not ASCII)" ], [ "/plain?\xff\xfe\"", '/plain' ], [ '/?', '/' ],
    [ '/{"a":1}', '/{"a":1}' ], [ "/'", "/'" ], [ '/$status', '/$status' ],
    [ "//\xf0\x9f\x94\x92", '//(not ASCII)' ], [ '/' . 'a' x 4000, '/' . 'a' x 4000 ],
)
{
    my ($path, $told) = @$row;
    my $name = 'GET ' . ($path =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger =~ s/a{99,}/a.../r);
    my $got = logged($name, get($path));
    is($got->{path}, $told, "$name: the path");
    is($got->{status}, 404, "$name: the status");
}

# What is no request, or a strange one.

for my $row (
    map({ my $c = chr; [ sprintf('0x%02x in a path', $_), "GET /a${c}b HTTP/1.1\r\nHost: h\r\n\r\n" ] }
        1 .. 9, 11, 12, 14 .. 31, 127),
    [ 'a quote in a method', "GE\"T / HTTP/1.1\r\nHost: h\r\n\r\n" ],
    [ 'bytes in a method', "\xffGET / HTTP/1.1\r\nHost: h\r\n\r\n" ],
    [ 'a long method', 'A-_' x 300 . " / HTTP/1.1\r\nHost: h\r\n\r\n" ],
    [ 'another protocol', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\n" ],
    [ 'HTTP/0.9', "GET /\xff\"\r\n" ],
    [ 'HTTP/2 where it is not spoken', "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" ],
    [ 'an absolute form', "GET http://h\xff\"/\xff HTTP/1.1\r\nHost: h\r\n\r\n" ],
    [ 'a host of bytes', "GET / HTTP/1.1\r\nHost: \xff\"\\\r\n\r\n" ],
    [ 'no host', "GET / HTTP/1.1\r\n\r\n" ],
    [ 'a key of bytes', "GET $api/calls HTTP/1.1\r\nHost: h\r\nX-API-Key: \xff\"\\\x01\r\nConnection: close\r\n\r\n" ],
    [ 'headers of bytes', "GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: \"\xff\r\nX-Request-ID: \"\r\nUser-Agent: \xff\"\r\nConnection: close\r\n\r\n" ],
    [ 'a name of bytes', "GET / HTTP/1.1\r\nHost: h\r\n\xff\": x\r\nConnection: close\r\n\r\n" ],
    [ 'a line that is too long', "GET /" . "\xff" x 9000 . " HTTP/1.1\r\nHost: h\r\n\r\n" ],
    [ 'a header that is too long', "GET /\xff HTTP/1.1\r\nHost: h\r\nX: " . '"' x 9000 . "\r\n\r\n" ],
    [ 'a client that goes', "POST $api/calls HTTP/1.1\r\nHost: h\r\nX-API-Key: $key\r\nContent-Length: 100\r\n\r\n\xff" ],
    [ 'a client that goes early', "GET /\xff HTTP/1.1\r\nHost: h" ],
    [ 'broken chunks', "POST $api/calls HTTP/1.1\r\nHost: h\r\nX-API-Key: $key\r\nTransfer-Encoding: chunked\r\n\r\n\xff\r\n" ],
)
{
    my ($name, $bytes) = @$row;
    my $got = logged($name, raw($bytes, $name =~ /goes/));
    ok(!defined $got->{status} || $got->{status} =~ /\A[1-9]\d\d\z/, "$name: a status, or null");
}

# The same by HTTP/2.

for my $path ("/\xff", '/"\\', "$api/conversations") {
    my $got = logged('HTTP/2: ' . ($path =~ s/[^ -~]/?/gr), sub {
        my $h2 = H2->new($s->port(3));
        $h2->until_closed($h2->request(method => 'GET', path => $path, headers => [ 'x-api-key' => $key ]));
    });
    is($got->{path}, $path eq "/\xff" ? '/(not ASCII)' : $path, 'its path');
}

$s->stop;


# ---- rotation: by logrotate itself, while requests come

$s = start_door('rotate', partners => \@partners);
my $dir = $s->dir;
my $rules = slurp('conf/logrotate') =~ s{/srv/wassiit}{$dir}gr;

# It takes no file of rules that others may write.
open my $out, '>', test_dir() . '/logrotate' or die;
print {$out} $rules;
close $out or die;
chmod 0644, test_dir() . '/logrotate' or die;

my $port = $s->port;
my $traffic = Front::Traffic::start {
    ask($port, $key, uri => "$api/conversations") for 1 .. 10;
    return 10;
};

# The error log turns with the other, and needs a line for that.
http($port, uri => '/refused', raw => "GET /none HTTP/1.1\r\nHost: h\r\nX-API-Key: $key\r\nX-API-Key: x\r\nConnection: close\r\n\r\n");

for my $n (1 .. 3) {
    my $before = -s "$dir/logs/access.log";
    wait_for { -s "$dir/logs/access.log" > $before };

    my $said = `logrotate --force --state $dir/temp/state @{[ test_dir() ]}/logrotate 2>&1`;
    is($?, 0, "rotation $n") or diag($said);
    is($said, '', "rotation $n: without a word");
    ok(wait_for { -s "$dir/logs/access.log" }, "rotation $n: new lines in the new file");
    is((stat "$dir/logs/access.log")[2] & 07777, 0640, "rotation $n: its mode");
}

my $counts = $traffic->stop;
my $sent = 10 * ($counts->{10} // 0);
is_deeply([ keys %$counts ], [10], 'all were answered');
ok(-e "$dir/logs/access.log.3.gz", 'the older ones are compressed');

my $all = sub {
    my $n = 0;
    for my $file (glob "$dir/logs/access.log*") {
        my $text = $file =~ /gz\z/ ? `gzip -dc $file` : slurp($file);
        $n += () = $text =~ m{"GET $api/conversations" }g;
    }
    return $n;
};
wait_for { $all->() == $sent };
is($all->(), $sent, 'none is lost');
is((stat "$dir/logs/error.log")[2] & 07777, 0640, 'the error log turns, too');

$s->stop;
done_testing;
