# HTTP/3, where nginx has it; where it hasn't, that it can't be asked for.

use strict;
use warnings;

use lib 't/lib';
use H3;
use Test::More;
use Wassiit;

if (!H3->available) {
    my ($code, $message) = nginx_test('http { server { listen %%PORT%% quic; } }');
    isnt($code, 0, 'no HTTP/3 in this nginx');
    like($message, qr/invalid parameter "quic"/, '... which knows no such parameter');
    done_testing;
    exit;
}

my $server = Wassiit::Server->start(
    files => { 'partners.jsonl' => [ partner('atlas', 'atlas-key') ] },
    conf => <<"END");
worker_processes 1;
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    server {
        @{[ H3->listens('%%PORT%%') ]}
        location / { wassiit_access api; try_files /none \@ok; }
        location \@ok { return 200 \$wassiit_partner; }
    }
}
END

# An answer's status, or how it ended without one.

sub ask {
    my ($h3, @request) = @_;
    my $id = $h3->request(@request);
    $h3->until_closed($id);
    return ($h3->status($id) // 'none') . ' ' . $h3->body($id);
}

my $h3 = H3->new($server->port);
is(ask($h3, headers => [ 'x-api-key' => 'atlas-key' ]), '200 atlas', 'a known key is let in');
like(ask($h3), qr/\A401 .*"missing_key"/, 'none is not');
like(ask($h3, headers => [ 'x-api-key' => 'other' ]), qr/\A401 .*"invalid_key"/, 'nor an unknown one');

$server->stop;
done_testing;
