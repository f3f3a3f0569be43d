# The window after a while: a retry after Retry-After, refusals that don't prolong
# the wait, and what a partner has used up when a reload enables it. (t/limit.t has
# what one answer tells.)

use strict;
use warnings;

use lib 't/lib';
use Wassiit;
use Test::More;
use Time::HiRes qw(sleep);

my @partners = (
    partner('paused', 'paused-key', rate => '2r/h', enabled => JSON::PP::false()),
    partner('some', 'some-key', rate => '2r/h'),
    partner('wait', 'wait-key', rate => '1r/s'),
);

my $server = Wassiit::Server->start(files => { 'partners.jsonl' => \@partners }, conf => <<'END');
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    server { listen %%PORT%%; location / { wassiit_access api; empty_gif; } }
}
END

sub get { http($server->port, uri => '/', headers => [ 'X-API-Key' => $_[0] ]) }

{
    my $r;
    for (1 .. 200) {
        $r = get('wait-key');
        last if $r->status == 429;
    }

    is($r->status, 429, '1r/s: refused');
    is($r->header('Retry-After'), 1, '1r/s: Retry-After is at least 1');
    sleep($r->header('Retry-After'));
    is(get('wait-key')->status, 200, '1r/s: a retry after Retry-After is admitted');
}
{
    my @r = map { get('some-key') } 1 .. 8;
    is(join(' ', map { $_->status } @r), '200 200 429 429 429 429 429 429',
       'two of eight are admitted');
    cmp_ok($r[7]->header('Retry-After'), '<=', $r[2]->header('Retry-After'),
           'refusals do not prolong the wait');
}

is(get('paused-key')->status, 403, 'a disabled partner');
$_->{enabled} = JSON::PP::true() for grep { $_->{id} eq 'paused' } @partners;
$server->partners(@partners);
is($server->reload, '', 'the partner is enabled by a reload');
is(get('paused-key')->header('X-RateLimit-Remaining'), 1,
   'a disabled partner has used up nothing');

$server->stop;
done_testing;
