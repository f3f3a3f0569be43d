#!/usr/bin/env perl

# ETag and If-Match at the admin endpoint: a change is made of what the operator
# has seen, or of nothing.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Test::More;
use Front;
use Wassiit;
use Wassiit::Operators;

my $JSON = JSON::PP->new->utf8->canonical;
my $OFF = JSON::PP::false();
my $KEY = make_key('atlas');
my $TAG = qr/\A"[0-9a-f]{16}"\z/;
my $STALE = '"0123456789abcdef"';

sub start {
    my (%conf) = @_;

    return start_operators(conf => operators_conf(%conf), partners => [
        partner('atlas', $KEY, name => 'Atlas', rate => '50r/m', scopes => ['messages.send'],
                hmac_secret => 'c2VjcmV0b2ZhdGxhcw==', webhook_secret => 'the hook of atlas') ]);
}

# A request of the operator's; match: its If-Match, a list of them: one each.

sub call {
    my ($to, $method, $path, $body, @headers) = @_;
    my $port = ref $to eq 'Wassiit::Server' ? $to->port(2) : $to;

    return http($port, method => $method, uri => "/admin/partners$path",
                headers => [ 'X-API-Key' => $Operator, @headers ],
                defined $body ? (body => $JSON->encode($body)) : ());
}

sub tag_of {
    my ($server, $path) = @_;
    my $r = call($server, 'GET', $path // '/atlas');
    my @tags = $r->headers('ETag');

    is(@tags, 1, 'there is one ETag') or diag($r->body);
    return $tags[0] // '';
}

sub file_of {
    my ($server) = @_;
    open my $in, '<:raw', $server->dir . '/conf/state/partners.jsonl' or die "file: $!";
    local $/;
    return <$in>;
}


subtest 'what has an ETag' => sub {
    my $server = start(http => 'gzip on; gzip_types application/json; gzip_min_length 20;');
    my $tag = tag_of($server);

    like($tag, $TAG, 'a strong one');
    is(call($server, 'HEAD', '/atlas')->header('ETag'), $tag, 'HEAD has it, too');
    is(call($server, 'GET', '/atlas', undef, 'Accept-Encoding' => 'gzip')->header('ETag'), $tag,
       'compressed it is as strong');
    is(call($server, 'GET', '')->header('ETag'), undef, 'a page has none');
    is(call($server, 'GET', '/none')->header('ETag'), undef, 'nor who is not there');

    ask($server, $KEY) for 1 .. 3;
    is(call($server, 'GET', '/atlas')->json->{counts}{allowed}, 3, 'requests are counted');
    is(tag_of($server), $tag, 'which changes no ETag');
    is(call($server, 'GET', '/atlas', undef, 'If-None-Match' => $tag)->status, 200,
       'so nobody is told that nothing is new');

    for (1 .. 2) {
        is($server->reload, '', 'a reload');
        is(tag_of($server), $tag, 'nor does that');
    }

    my $r = call($server, 'PATCH', '/atlas', { name => 'New' });
    like($r->header('ETag'), $TAG, 'a change has one');
    isnt($r->header('ETag'), $tag, 'a new one');
    is($r->header('ETag'), tag_of($server), 'which is that of GET');
    call($server, 'PATCH', '/atlas', { name => 'Atlas' });
    is(tag_of($server), $tag, 'what is as it was is as it was');

    $r = call($server, 'POST', '', { id => 'rif' });
    is($r->header('ETag'), tag_of($server, '/rif'), 'what was made has one');
    isnt($r->header('ETag'), $tag, 'of its own');

    call($server, 'PATCH', '/atlas', { rate => undef });
    my $zones = tag_of($server);
    my $rate = call($server, 'GET', '/atlas')->json->{rate};
    call($server, 'PATCH', '/atlas', { rate => $rate });
    isnt(tag_of($server), $zones, 'a rate of its own is not the zone\'s, though it is the same');
    $server->stop;
};

subtest 'every change asks' => sub {
    for my $row (
        [ 'PATCH', '/atlas', { enabled => $OFF }, 200 ],
        [ 'PATCH', '/atlas', { scopes => [] }, 200 ],
        [ 'PATCH', '/atlas', { rate => '51r/m' }, 200 ],
        [ 'PATCH', '/atlas', { name => undef }, 200 ],
        [ 'POST', '/atlas/keys', undef, 201 ],
        [ 'POST', '/atlas/keys/rotate', { grace => '1h' }, 201 ],
        [ 'POST', '/atlas/keys/rotate', { grace => '0' }, 201 ],
        [ 'POST', '/atlas/hmac_secret', undef, 201 ],
        [ 'POST', '/atlas/webhook_secret', undef, 201 ],
        [ 'DELETE', '/atlas/keys/k1', undef, 204 ],
        [ 'DELETE', '/atlas', undef, 204 ])
    {
        my ($method, $path, $body, $status) = @$row;
        my $what = "$method $path" . ($body ? ' ' . $JSON->encode($body) : '');
        my $server = start();
        my $seen = tag_of($server);
        my $before = file_of($server);

        for my $match ($STALE, "W/$seen", '"x", W/"y"') {
            my $r = call($server, $method, $path, $body, 'If-Match' => $match);
            is(verdict($r), '412 precondition_failed', "$what: not by $match");
            like($r->json->{detail}, qr/atlas has changed since: GET it again/,
                 "$what: it says what to do");
            is($r->header('ETag'), undef, "$what: with no ETag of another's");
        }

        is(file_of($server), $before, "$what: nothing of it is in the file");
        is(tag_of($server), $seen, "$what: nor in force");
        is(ask($server, $KEY)->status, 200, "$what: its key works");

        my $r = call($server, $method, $path, $body, 'If-Match' => "\"x\", $seen");
        is($r->status, $status, "$what: by what was seen");
        isnt(file_of($server), $before, "$what: it is done");

        if ($path ne '/atlas' || $body) {
            my $tag = tag_of($server);
            isnt($tag, $seen, "$what: it has changed");
            is_deeply([ $r->headers('ETag') ], [$tag], "$what: to what the answer says");
        } else {
            is($r->header('ETag'), undef, "$what: nothing is left that has one");
        }
        is(verdict(call($server, 'PATCH', '/atlas', { name => 'B' }, 'If-Match' => $seen)),
           $status == 204 && $path eq '/atlas' ? '404 not_found' : '412 precondition_failed',
           "$what: what was seen before is no more");
        $server->stop;
    }
};

subtest 'of whom, and how it is written' => sub {
    my $server = start();

    for my $match ('', ' ', ',', 'x', '"x', '"x" "y"', '*, "x"', "'x'", '"a b"', 'w/"x"') {
        my $r = call($server, 'PATCH', '/atlas', { name => 'B' }, 'If-Match' => $match);
        is(verdict($r), '400 bad_request', "malformed: $match");
        like($r->json->{detail}, qr/If-Match/, 'the header is named');
    }

    is(call($server, 'PATCH', '/atlas', { name => 'B' }, 'If-Match' => '"x"',
            'If-Match' => '"y"')->status, 400, 'twice');
    is(call($server, 'GET', '/atlas')->json->{name}, 'Atlas', 'nothing was done');
    is(call($server, 'GET', '/atlas', undef, 'If-Match' => $STALE)->status, 200,
       'to look is no change');

    is(call($server, 'PATCH', '/atlas', { name => 'B' }, 'If-Match' => '*')->status, 200,
       'any, as long as there is one');

    for my $match ('*', $STALE) {
        for my $row ([ 'PATCH', '/none', { name => 'B' } ], [ 'DELETE', '/none' ],
                     [ 'POST', '/none/keys' ], [ 'POST', '/none/keys/rotate' ],
                     [ 'DELETE', '/none/keys/k1' ], [ 'DELETE', '/atlas/keys/none' ],
                     [ 'POST', '/none/hmac_secret' ], [ 'POST', '/none/webhook_secret' ])
        {
            is(verdict(call($server, @{$row}[0, 1], $row->[2], 'If-Match' => $match)),
               '404 not_found', "$match: @{$row}[0, 1] is not there");
        }

        my $r = call($server, 'POST', '', { id => 'rif' }, 'If-Match' => $match);
        is(verdict($r), '412 precondition_failed', "$match: who is to be made is not there");
        like($r->json->{detail}, qr/no partner rif yet/, 'it says so');
        is(call($server, 'GET', '/rif')->status, 404, 'and is not made');
        is(verdict(call($server, 'POST', '', { id => 'atlas' }, 'If-Match' => $match)),
           '409 conflict', "$match: who is there can't be made");
    }

    is(verdict(call($server, 'PATCH', '/atlas', { name => 1 }, 'If-Match' => $STALE)),
       '400 invalid_payload', 'a body that is wrong is told first');
    $server->stop;
};

subtest 'a file that was changed by hand' => sub {
    my $server = start();
    my $seen = tag_of($server);
    my $path = $server->dir . '/conf/state/partners.jsonl';

    open my $out, '>>', $path or die "$path: $!";
    print $out $JSON->encode({ id => 'atlas', name => 'By hand' }), "\n";
    close $out or die "$path: $!";

    is(verdict(call($server, 'PATCH', '/atlas', { rate => '7r/m' }, 'If-Match' => $seen)),
       '412 precondition_failed', 'what was edited is not undone');
    is(call($server, 'GET', '/atlas')->json->{name}, 'By hand', 'and is to be seen');

    my $r = call($server, 'PATCH', '/atlas', { rate => '7r/m' }, 'If-Match' => tag_of($server));
    is($r->status, 200, 'the change is made then');
    is(join(' ', @{ $r->json }{qw(name rate)}), 'By hand 7r/m', 'of that');
    $server->stop;
};


# Each of two operators reads, adds one to what it has read, and writes, until
# it has done so this often.

my $EACH = 500;

subtest 'two operators, ' . 2 * $EACH . ' changes of one partner' => sub {
    my $server = start_operators(
        conf => operators_conf(workers => 4, http => 'access_log off;'),
        partners => [ partner('atlas', $KEY, name => '0') ]);
    my $admin = $server->port(2);

    my $crew = Wassiit::Operators::Crew->start(2, sub {
        my ($n) = @_;
        my %done = (200 => 0, 412 => 0);

        while ($done{200} < $EACH) {
            my $seen = call($admin, 'GET', '/atlas');
            my $r = call($admin, 'PATCH', '/atlas', { name => '' . ($seen->json->{name} + 1) },
                         'If-Match' => $seen->header('ETag'));

            $done{ $r->status }++;
            return { other => verdict($r) . ' ' . $r->body } if $r->status !~ /\A(?:200|412|503)\z/;
        }

        return \%done;
    });

    my @done = $crew->results;
    my $refused = $done[0]{412} + $done[1]{412};
    note join ', ', map { "$_->{200} done and $_->{412} refused" } @done;

    is_deeply([ grep { $_ } map { $_->{other} } @done ], [], 'each is done or refused');
    is(call($admin, 'GET', '/atlas')->json->{name}, 2 * $EACH, 'no change is lost');
    is(in_file($server)->{atlas}{name}, 2 * $EACH, 'nor in the file');
    cmp_ok($refused, '>', 0, 'they have met');
    $server->stop;
};

done_testing;
