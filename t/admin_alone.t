# Changes in a process without workers (master_process off): it makes them
# between requests, and outlives clients that don't wait for the answer.

use strict;
use warnings;

use lib 't/lib';
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Wassiit;

my $operator = make_key('an operator');

my $server = Wassiit::Server->start(alone => 1, conf => <<'END', files => {
master_process off;
http {
    wassiit_zone zone=api:1m file=partners.jsonl;
    wassiit_zone zone=ops:1m file=ops.jsonl rate=100000r/s;
    log_format audit '$wassiit_admin_operation $wassiit_admin_result';
    access_log logs/access.log audit if=$wassiit_admin_operation;

    server {
        listen %%PORT%%;
        location /admin/ { wassiit_access ops; wassiit_admin api; }
    }
}
END
    'ops.jsonl' => [ partner('ops', $operator) ],
    'partners.jsonl' => [ partner('atlas', 'atlas-key') ],
});
my $left = 60;

for my $n (1 .. $left) {
    my $client = Wassiit::Client->new($server->port);
    my $body = qq({"name":"name $n"});

    $client->send(join "\r\n", 'PATCH /admin/partners/atlas HTTP/1.1', 'Host: x',
                  "X-API-Key: $operator", 'Content-Type: application/json',
                  'Content-Length: ' . length $body, '', $body);

    # sooner and later: some before it is read, some while the file is written
    select undef, undef, undef, ($n % 4) / 2000;
    setsockopt $client->{socket}, SOL_SOCKET, SO_LINGER, pack('ll', 1, 0);
    $client->close;
}

my $r = http($server->port, method => 'PATCH', uri => '/admin/partners/atlas',
             headers => [ 'X-API-Key' => $operator, 'Content-Type' => 'application/json' ],
             body => '{"name":"Atlas"}');
is($r->status, 200, 'it still makes changes');
is($r->json->{name}, 'Atlas', 'and the last one is in force');

ok(wait_for { $server->access_log =~ /done/ }, 'they are logged');
unlike($server->access_log, qr/failed/, 'none has failed');

$server->stop;
done_testing();
