#!/usr/bin/env perl

# ETag and If-Match at the admin endpoint over reloads, and with two operators at once.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Test::More;
use Front;
use Wassiit;
use Wassiit::Operators;

my $JSON = JSON::PP->new->utf8->canonical;
my $KEY = make_key('atlas');

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


subtest 'a reload changes no ETag' => sub {
    my $server = start();
    my $tag = tag_of($server);

    for (1 .. 2) {
        is($server->reload, '', 'a reload');
        is(tag_of($server), $tag, 'it is the same');
    }

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
