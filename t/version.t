#!/usr/bin/env perl
# The version is one, wherever one looks for it.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Wassiit;

chomp(my $version = qx(conf/setup/version.sh));
like($version, qr/\A(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){2}(?:-[0-9a-z.]+)?\z/, 'it is semantic');

my $conf = <<'END';
http {
    wassiit_zone zone=partners:1m file=partners.jsonl;
    server {
        listen %%PORT%%;
        wassiit_access partners;
        wassiit_scope webhooks.manage;
        location = /status { wassiit_status partners; }
        location = /metrics { wassiit_status partners prometheus; }
    }
}
END
my $server = Wassiit::Server->start(conf => $conf,
    files => { 'partners.jsonl' => [ partner('ops', 'operators-key', scopes => ['webhooks.manage']) ] });

sub shown { return http($server->port, uri => $_[0], headers => ['X-API-Key' => 'operators-key']) }

is(shown('/status')->json->{version}, $version, 'status has it');
like(shown('/metrics')->body, qr/^wassiit_build_info\{version="\Q$version\E",nginx="[\d.]+"\} 1$/m, 'the metrics have it');


# ---- nginx -T

my ($exit, $dump) = Wassiit::_run(Wassiit::_command($server->dir), '-T');
is($exit, 0, 'nginx -T') or diag($dump);
my @found = $dump =~ /^# configuration file ngx_http_wassiit_module:\n# version (\S+), built for nginx [\d.]+\n/mg;
is("@found", $version, 'has it, once');
my @files = $dump =~ /^# configuration file (\S+):$/mg;
is($files[-1], 'ngx_http_wassiit_module', 'behind the files');

# who keeps what it prints as one configuration may use it
$server->write('nginx.conf', $dump =~ s/^nginx: .*\n//mgr);
($exit, undef, my $error) = Wassiit::_run(Wassiit::_command($server->dir), '-t');
is($exit, 0, 'what it prints is a configuration') or diag($error);
unlike((Wassiit::_run(Wassiit::_command($server->dir), '-t'))[2], qr/version/, 'nginx -t prints no version');
$server->stop;


# ---- what is written

my ($heading) = Wassiit::_read('CHANGES.md') =~ /^## (.*)$/m;
is($heading, $version, 'CHANGES.md begins with it');
like(qx(conf/setup/version.sh notes), qr/\A\S.*\n.*\n/, "a tag's notes are its section");
unlike(qx(conf/setup/version.sh notes), qr/^## /m, 'and that alone');
my $admin = Wassiit::_read('conf/openapi/admin.yaml');
my @said = $admin =~ /^info:\n(?:  .*\n)*?  version: (\S+)$|value: \{version: ([^,]+),|build_info\{version="([^"]+)"/mg;
is_deeply([ grep { defined } @said ], [ ($version) x grep { defined } @said ], 'the specification of the admin endpoint has it');
cmp_ok(scalar(grep { defined } @said), '>=', 4, 'in each of its places');

done_testing;
