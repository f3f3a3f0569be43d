#!/usr/bin/env perl
# wassiit partner, against a real admin endpoint: what each word does, what a
# refusal says, and that no key is anywhere but in pipes.

use strict;
use warnings;

use lib 't/lib';
use IO::Socket::INET;
use JSON::PP ();
use Test::More;
use Wassiit;
use Wassiit::Command;

my $JSON = JSON::PP->new->utf8->canonical;
my $dir = test_dir();
my $operator = make_key('an operator');
my $clerk = make_key('one who may only look');
my $key_file = spew("$dir/operator", "$operator\n");

# One worker: of two, one waits no longer than 2 s for what the other has on a disk.
sub start {
    my $s = Wassiit::Server->start(conf => <<'END', files => {
worker_processes 1;
http {
    wassiit_zone zone=partners:1m file=state/partners.jsonl;
    wassiit_zone zone=operators:64k file=operators.jsonl rate=1000r/s;
    wassiit_scopes partners.manage;
    server {
        listen %%PORT%%;
        location / { wassiit_access partners; }
        location /files { wassiit_access partners; wassiit_scope files.send; try_files /none @ok; }
        location @ok { return 204; }
    }
    server {
        listen %%PORT_2%%;
        listen unix:%%DIR%%/conf/admin.sock;
        error_page 404 405 413 @problem;
        location /admin/ { wassiit_access operators; wassiit_scope partners.manage; wassiit_admin partners; }
        location /form/ { wassiit_access operators; wassiit_errors envelope; wassiit_admin partners; }
        location /else { return 200 'hello'; }
        location /gone { return 502; }
        location @problem { wassiit_problem; }
    }
}
END
        'state/partners.jsonl' => [],
        'operators.jsonl' => [ partner('ops', $operator, scopes => ['partners.manage']),
                               partner('clerk', $clerk, scopes => ['messages.send']) ] });
    return $s;
}

# A server that reads a request and closes, and one of whose answers lie about the
# partner's ETag: $answer is called with each request.
sub lying {
    my ($count, $answer) = @_;
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 4) or die "listen: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        for (1 .. $count) {
            my $client = $socket->accept or last;
            my $seen = '';
            1 while $seen !~ /\r\n\r\n/ && sysread $client, $seen, 65536, length $seen;
            syswrite $client, $answer->($seen);
            close $client;
        }
        POSIX::_exit(0);
    }
    return ($socket->sockport, $pid);
}

for my $shell (shells()) {
    my ($name) = $shell =~ m{(\w+)$};
    my $s = start();
    my ($front, $url) = ($s->port, 'http://127.0.0.1:' . $s->port(2) . '/admin');
    my $run = sub {
        my ($words, %with) = @_;
        return wassiit($shell, ['partner', @$words], WASSIIT_URL => $url, WASSIIT_KEY_FILE => $key_file, %with);
    };
    my $says = sub { my ($words, @more) = @_; told($run->($words), @more[0 .. 2], "$name: $more[3]") };
    my $opens = sub { http($front, uri => $_[1] // '/', headers => ['X-API-Key' => $_[0]])->status };
    my $etag = sub { ($run->(['show', 'atlas'])->{out} =~ /^etag +(\S+)$/m)[0] };


    # ---- the life of a partner

    $says->(['list'], 0, '', "wassiit: no partners\n", 'nobody yet');
    $says->(['list', '--json'], 0, qr/\A\{"partners":\[\],/, '', 'which --json says by itself');
    my $r = $run->(['add', 'atlas', '--name', 'Clinique "Atlas" \\ é', '--scopes', 'messages.send', '--rate', '100r/m'],
                   watched => 1);
    told($r, 0, qr/\Awst_\w{38}\n\z/, "wassiit: it is shown this once\n", "$name: add");
    chomp(my $key = $r->{out});
    is($opens->($key), 200, "$name: its key opens");
    like($r->{argv}, qr/curl\0-q/, "$name: programs were watched");
    unlike($r->{argv}, qr/\Q$key\E|\Q$operator\E/, "$name: no program is told a key");

    $r = $run->(['show', 'atlas']);
    told($r, 0, like_text(<<'END'), '', "$name: show");
id              atlas
name            Clinique "Atlas" \ é
enabled         yes
scopes          messages.send
rate            100r/m: 1 used, 99 left
key             k…: made …Z, expires never, last used …Z
hmac secret     no
webhook secret  no
requests        allowed 1
etag            "…"
END
    $r = $run->(['show', 'atlas', '--json']);
    is($JSON->decode($r->{out})->{rate}, '100r/m', "$name: show --json");

    $says->(['set', 'atlas', '--rate', '7r/s', '--name=Atlas'], 0, qr/^name +Atlas\n.*^rate +7r\/s:/ms, '', 'set');
    $says->(['set', 'atlas', '--no-rate', '--no-name'], 0, qr/^name +none\n.*^rate +100r\/m:/ms, '', 'set to nothing');
    $says->(['set', 'atlas', '--add-scope', 'files.send,messages.send'], 0, qr/^scopes +messages\.send files\.send$/m, '',
            'one scope more');
    is($opens->($key, '/files'), 204, "$name: in force at once");
    $says->(['set', 'atlas', '--drop-scope', 'messages.send', '--rate', '9r/s'], 0, qr/^scopes +files\.send\n.*9r\/s/ms, '',
            'one fewer');
    $says->(['set', 'atlas', '--scopes', ''], 0, qr/^scopes +none$/m, '', 'no scopes');

    $r = $run->(['key', 'atlas'], watched => 1);
    told($r, 0, qr/\Awst_\w{38}\n\z/, qr/once/, "$name: one more key");
    chomp(my $second = $r->{out});
    is($opens->($second), 200, "$name: it opens");
    my ($id) = $run->(['show', 'atlas'])->{out} =~ /^key +(\w+):/m;
    $says->(['revoke', 'atlas', $id], 0, "key $id of atlas is revoked\n", '', 'revoke');
    is($opens->($key), 401, "$name: the first is dead");

    $r = $run->(['rotate', 'atlas', '--grace', '2h'], watched => 1);
    told($r, 0, qr/\Awst_\w{38}\n\z/, qr/\Awassiit: the former go on until \d.*Z\nwassiit: it is shown/, "$name: rotate");
    chomp(my $third = $r->{out});
    is_deeply([ map { $opens->($_) } $second, $third ], [ 200, 200 ], "$name: both open");
    unlike($r->{argv}, qr/\Q$third\E|\Q$operator\E/, "$name: and no program is told");
    chomp(my $last = $run->(['rotate', 'atlas', '--grace=0'])->{out});
    is_deeply([ map { $opens->($_) } $second, $third, $last ], [ 401, 401, 200 ], "$name: with no grace the last alone");

    for my $what (qw(hmac webhook)) {
        $says->(["$what-secret", 'atlas'], 0, qr/\A\S{32,}\n\z/, "wassiit: it is shown this once\n", "$what secret");
        $says->(["$what-secret", 'atlas', '--grace', '2h'], 0, qr/\A\S{32,}\n\z/, qr/former go on until/, "the next $what secret");
    }
    like($run->(['show', 'atlas'])->{out}, qr/^hmac secret +yes, and the former one until .*Z\nwebhook secret +yes, and/m,
         "$name: they are shown as there");

    $says->(['disable', 'atlas'], 0, "atlas is disabled\n", '', 'disable');
    is($opens->($last), 403, "$name: it is refused");
    like($run->(['show', 'atlas'])->{out}, qr/^enabled +no\n.*^last refused +.*: partner_disabled, 1 in a row, request \w+$/ms,
         "$name: and shown so");
    $says->(['enable', 'atlas'], 0, "atlas is enabled\n", '', 'enable');
    is($opens->($last), 200, "$name: it is let in again");


    # ---- lists

    $run->(['add', $_, '--name', "Pharmacie $_", '--scopes', 'files.send,calls.initiate']) for qw(b1 beta-2);
    $run->(['disable', 'b1']);
    $says->(['list'], 0, like_text(<<'END'), '', 'list');
atlas   enabled   9r/s    used …  -
b1      disabled  100r/m  used never                 files.send,calls.initiate  Pharmacie b1
beta-2  enabled   100r/m  used never                 files.send,calls.initiate  Pharmacie beta-2
END
    is_deeply([ map { $_->{id} } @{ $JSON->decode($run->(['list', '--json'])->{out})->{partners} } ],
              [qw(atlas b1 beta-2)], "$name: list --json");
    $says->(['list', '--query', 'PHARMACIE B&1'], 0, '', "wassiit: no such partners\n", 'a query that nobody meets');
    $says->(['list', '--query', 'b&1', '--state', 'enabled'], 0, '', "wassiit: no such partners\n", 'and a state');
    $says->(['list', '--query', 'pharmacie b', '--state', 'disabled'], 0, qr/\Ab1 .*\n\z/, '', 'a query');
    $says->(['list', '--state', 'off'], 1, '', qr/^wassiit: .*state.*\(400 bad_request, request \w{32}\)$/m, 'a state that there isn\'t');


    # ---- ETags

    my $before = $etag->();
    $says->(['disable', 'atlas', '--if-match', $before], 0, qr/disabled/, '', 'with its ETag');
    $says->(['enable', 'atlas', '--if-match', $before], 1, '', qr/\(412 precondition_failed, request/, 'with an older one');
    $says->(['disable', 'atlas', '--if-match', $before], 1, '',
            qr/^wassiit: look at what it is now, then try again: wassiit partner show atlas\n\z/m, 'and what to do');
    $says->(['set', 'atlas', '--add-scope', 'files.send', '--if-match', $before], 1, '', qr/412/, 'to add to what it had');
    like($run->(['show', 'atlas'])->{out}, qr/^scopes +none$/m, "$name: nothing was added");
    for my $words (['rotate', 'atlas'], ['key', 'atlas'], ['revoke', 'atlas', 'k1'], ['hmac-secret', 'atlas'],
                   ['webhook-secret', 'atlas'], ['delete', 'atlas'], ['set', 'atlas', '--rate', '1r/s'])
    {
        my $exit = $run->([ @$words, '--if-match', $before ]);
        like($exit->{err}, $words->[0] eq 'revoke' ? qr/404|412/ : qr/412/, "$name: $words->[0] with an older one");
    }
    $says->(['list', '--if-match', 'x'], 2, '', qr/--if-match is for changes/, 'where nothing is changed');


    # ---- refusals

    $says->(['add', 'atlas'], 1, '', qr/\Awassiit: .*atlas.* \(409 conflict, request \w{32}\)\n\z/, 'an id that is taken');
    $says->(['show', 'nobody'], 1, '', qr/\Awassiit: There is no partner nobody\. \(404 not_found, request \w{32}\)\n\z/, 'nobody');
    $says->(['add', 'c', '--rate', '5', '--scopes', 'messages.sent'], 1, '',
            qr/\Awassiit: .*\(400 invalid_payload, request \w+\)\n(?=.*^  rate: must be a string such as)(?=.*^  scopes\/0: .*messages\.send)/ms,
            'each field that is wrong');
    $says->(['rotate', 'atlas', '--grace', 'soon'], 1, '', qr/^  grace: /m, 'no time');
    my $refused = $run->(['show', 'nobody', '--json']);
    is($JSON->decode($refused->{out})->{code}, 'not_found', "$name: a refusal as it came");
    is($refused->{exit}, 1, "$name: and its status");
    told($run->(['show', 'nobody'], WASSIIT_URL => $url =~ s/admin/form/r), 1, '',
         qr/There is no partner nobody\. \(404 not_found, request/, "$name: one in an envelope");

    told($run->(['list'], WASSIIT_KEY_FILE => undef, WASSIIT_KEY => $clerk), 1, '',
         qr/partners\.manage.* \(403 insufficient_scope, request/, "$name: one who may not");
    my $wrong = make_key('nobody');
    $r = $run->(['list'], WASSIIT_KEY_FILE => undef, WASSIIT_KEY => $wrong, watched => 1);
    told($r, 1, '', qr/\Awassiit: the key in WASSIIT_KEY is no operator's: .*reloaded\? \(401 invalid_key, request \w+\)\n\z/,
         "$name: a key that nobody knows");
    unlike($r->{argv} . $r->{err}, qr/\Q$wrong\E/, "$name: which is told to nobody");
    told($run->(['list'], WASSIIT_KEY_FILE => spew("$dir/wrong", $wrong)), 1, '', qr/\Awassiit: the key in \Q$dir\E\/wrong is no operator's: /,
         "$name: and in which file it is");
    for my $words (['revoke', 'atlas', $last], ['revoke', 'atlas', substr $last, 0, 30], ['revoke', 'atlas', lc $last],
                   ['show', $last], ['revoke', $last, 'k1'])
    {
        my $r = $run->($words);
        told($r, 2, '', qr/\Awassiit: that is a key, and an id is asked for@{[ @$words == 3 && $words->[1] eq 'atlas'
             ? ', KEYID: wassiit partner show atlas' : '' ]}\n/, "$name: $words->[0]: a key in an id's place");
        unlike($r->{err}, qr/wst_/i, "$name: which isn't said again");
    }
    $says->(['revoke', 'atlas', 'wst_1'], 1, '', qr/404/, 'an id that begins as a key does');


    # ---- where it is, and with which key

    my $socket = $s->dir . '/conf/admin.sock';
    told($run->(['list'], WASSIIT_URL => "unix:$socket:/admin"), 0, qr/^atlas/, '', "$name: a unix socket");
    told($run->(['list', '--url', "$url/"]), 0, qr/^atlas/, '', "$name: --url");
    told($run->(['list'], WASSIIT_URL => 'ftp://x/'), 2, '', qr/"ftp:\/\/x" is no address/, "$name: no address");
    told($run->(['list'], WASSIIT_URL => $url =~ s/admin/else/r), 1, '', qr/answers 200, and not as the admin endpoint does/,
         "$name: another page");
    told($run->(['list'], WASSIIT_URL => $url =~ s/admin/gone/r), 1, '', qr/answers 502, and not as the admin endpoint does/,
         "$name: nginx's own error");
    told($run->(['list'], WASSIIT_URL => 'http://127.0.0.1:' . free_port() . '/admin'), 1, '',
         qr{^wassiit: nothing was asked of http://[\d.:]+/admin: is nginx there\? Another address: --url, or "url" in /etc/wassiit$}m,
         "$name: nobody listens");
    told($run->(['list'], WASSIIT_URL => $url =~ s/http:/https:/r), 1, '', qr{^wassiit: nothing was asked of https://[\d.:]+/admin$}m,
         "$name: somebody who knows no TLS");

    my $settings = spew("$dir/settings", "url = $url\nkey_file = $key_file\n");
    told(wassiit($shell, ['partner', 'list', '--config', $settings]), 0, qr/^atlas/, '', "$name: both from a file");
    told(wassiit($shell, ['partner', 'list']), 2, '', qr/the operator's key: put it into a file of mode 0600/, "$name: no key");
    my $key_is = sub {
        my ($text, $mode, $exit, $wanted, $what) = @_;
        told($run->(['list'], WASSIIT_KEY_FILE => spew("$dir/key", $text, $mode)), $exit, $exit ? '' : qr/^atlas/, $wanted, "$name: $what");
    };
    $key_is->("$operator\n", 0640, 1, qr/can be read by others \(mode 640\), and it is a key: chmod 600 /, 'a key that others may read');
    $key_is->("$operator\r\n", 0400, 0, '', 'a line that ends in CRLF');
    $key_is->($operator, 0600, 0, '', 'one without an end');
    $key_is->('', 0600, 1, qr/is empty/, 'an empty file');
    $key_is->("\xc3\xa9$operator\n", 0600, 1, qr/has characters that no key has/, 'no key');
    told($run->(['list'], WASSIIT_KEY_FILE => "$dir/none"), 1, '', "wassiit: $dir/none: no such file\n", "$name: no such file");

    for my $words ([], ['frob'], ['show'], ['show', 'A'], ['show', '..'], ['revoke', 'a'], ['revoke', 'a', '/'], ['set', 'atlas'],
                   ['set', 'atlas', '--scopes', 'x', '--add-scope', 'y'], ['show', 'a', 'b'], ['list', 'x'])
    {
        my $r = $run->($words);
        is($r->{exit}, 2, "$name: partner @$words: asked in the wrong way");
        like($r->{err}, qr/^wassiit: .+\nwassiit: try: wassiit partner --help\n\z/, "$name: partner @$words: and what is right");
    }


    # ---- who answers otherwise

    my $answer = sub { my ($status, $body, @head) = @_;
        return join "\r\n", "HTTP/1.1 $status x", @head, 'Content-Length: ' . length $body, 'Connection: close', '', $body };
    my $at = sub { my ($port, $pid) = @_; return ("http://127.0.0.1:$port/admin", $pid) };

    my ($there, $pid) = $at->(lying(1, sub { '' }));
    told($run->(['rotate', 'atlas'], WASSIIT_URL => $there), 3, '',
         qr/it may be done, or not\. Look before you try again: wassiit partner show atlas/, "$name: a change without an answer");
    waitpid $pid, 0;

    ($there, $pid) = $at->(lying(1, sub { '' }));
    told($run->(['show', 'atlas'], WASSIIT_URL => $there), 1, '', qr/no answer of/, "$name: a question without an answer");
    waitpid $pid, 0;

    for my $row ([ 3, 503, 'partner atlas may have been changed, or not. GET it before you try again.' ],
                 [ 3, 503, 'The cluster has changed partner atlas, but this node can\'t yet. Don\'t repeat the change.' ],
                 [ 3, 500, 'Something failed here.' ],
                 [ 1, 503, 'Another process has locked their file. Nothing was changed. Try again.' ],
                 [ 1, 409, 'There is a partner atlas already.' ])
    {
        my ($exit, $status, $detail) = @$row;
        ($there, $pid) = $at->(lying(1, sub {
            return $answer->($status, qq({"code":"x","detail":"$detail","instance":"i"})) }));
        told($run->(['rotate', 'atlas'], WASSIIT_URL => $there), $exit, '',
             "wassiit: $detail ($status x, request i)\n", "$name: $status, $detail");
        waitpid $pid, 0;
    }

    ($there, $pid) = $at->(lying(1, sub { $answer->(202, '{"pending":["edge-3","*"]}') }));
    told($run->(['delete', 'atlas'], WASSIIT_URL => $there), 0, "atlas is deleted\n",
         "wassiit: done here, and not yet at: edge-3 *\n", "$name: a cluster that isn't all there");
    waitpid $pid, 0;

    # somebody changes it in between, twice
    my $n = 0;
    ($there, $pid) = $at->(lying(6, sub {
        my ($request) = @_;
        return $answer->(200, '{"id":"atlas","scopes":["a' . $n . '"],"rate":"1r/s"}', "ETag: \"$n\"") if $request =~ /^GET/;
        $n++;
        return $answer->(412, '{}') if $n < 3;
        my $right = $request =~ /^If-Match: "2"/m && $request =~ /\{"scopes":\["a2","b"\]\}/;
        return $right ? $answer->(200, '{"id":"atlas","scopes":["right"],"rate":"1r/s","enabled":true}')
                      : $answer->(500, '{}');
    }));
    told($run->(['set', 'atlas', '--add-scope', 'b'], WASSIIT_URL => $there), 0, qr/^scopes +right$/m, '',
         "$name: one that is changed meanwhile is looked at again");
    waitpid $pid, 0;

    $says->(['delete', 'atlas'], 0, "atlas is deleted\n", '', 'delete');
    is($opens->($last), 401, "$name: it is gone");
    $s->stop;
}

done_testing;
