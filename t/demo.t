#!/usr/bin/env perl
# What "make run" starts, from a copy of the tree that its owner alone may enter:
# each command that it prints does what it says.

use strict;
use warnings;

use lib 't/lib';
use POSIX ();
use Test::More;
use Wassiit;

my $private = test_dir() . '/private';
my $clone = "$private/a clone";
my $module = 'build/ngx_http_wassiit_module.so';
my ($port, $admin, $hook) = map { free_port() } 1 .. 3;
@ENV{qw(DEMO_PORT DEMO_ADMIN_PORT DEMO_HOOK_PORT)} = ($port, $admin, $hook);

# who has nothing to hand out makes folders for himself alone
umask 077;
mkdir $_ or die "$_: $!" for $private, $clone, "$clone/build";
system('cp', '-R', 'conf', 'README.md', $clone) == 0
    && system('cp', '-RLp', $module, 'build/docs', 'build/docs-admin', "$clone/build") == 0
    or die 'no copy';

# Programs whose parents end become ours, and we wait for none of them: so they are
# listed after their end, as in a container whose process 1 waits for none.
my %prctl = (x86_64 => 157, aarch64 => 167);
my $machine = (POSIX::uname())[4];
ok(syscall($prctl{$machine}, 36, 1, 0, 0, 0) == 0, 'we are who adopts') if $prctl{$machine};

my $main = $$;
END { my $exit = $?; demo('stop') if defined $main && $main == $$; $? = $exit }

sub run {
    my (@command) = @_;
    my $pid = open my $out, '-|';
    defined $pid or die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        exec @command;
        die "$command[0]: $!";
    }
    my $text = do { local $/; <$out> };
    close $out;
    return $text =~ tr/\r//dr;
}

sub demo { return run('timeout', 60, 'bash', "$clone/conf/setup/demo.sh", $_[0]) }

sub text_of { open my $in, '<', "$clone/build/run/$_[0]" or die "$_[0]: $!"; chomp(my $text = <$in>); return $text }

my $printed = demo('start');
like($printed, qr/\Arunning from build\/run, pid \d+, at 127\.0\.0\.1:$port\n/, 'it runs') or diag($printed);
for my $what ("http://127.0.0.1:$port/docs/", "http://127.0.0.1:$port/openapi.yaml",
              "http://127.0.0.1:$hook/hook", "http://127.0.0.1:$admin/console/", text_of('key'), text_of('secret'),
              text_of('operator'))
{
    like($printed, qr/\Q$what\E(?!\w)/, "it prints $what");
}
is((stat "$clone/build/run/$_")[2] & 07777, 0600, "$_: for the owner alone")
    for qw(key secret operator conf/webhook.secret);


# ---- what it prints, as it is pasted

my @expected = (
    [ qr/^curl .*messages -H .*\+212600000000/ => qr/^HTTP\/1\.1 202 .*"status":"queued"/s ],
    [ qr/^curl .*\/msg_1 / => qr/^HTTP\/1\.1 200 .*"status":"delivered"/s ],
    [ qr/^curl .*\/calls / => qr/^HTTP\/1\.1 202 .*"ringing"/s ],
    [ qr/^curl .*\/conversations -H/ => qr/^HTTP\/1\.1 200 .*"data"/s ],
    [ qr/^ts=/ => qr/^HTTP\/1\.1 200 .*"cost":0\b/s ],
    [ qr/^curl .*"0600000000"/ => qr/^HTTP\/1\.1 400 .*invalid_payload/s ],
    [ qr/^curl .*\+212600000003/ => qr/^HTTP\/1\.1 202 .*"id":"msg_failed_/s ],
    [ qr/^curl .*\/msg_failed / => qr/^HTTP\/1\.1 200 .*"status":"failed"/s ],
    [ qr/^curl .*\+212600000004/ => qr/^HTTP\/1\.1 502 .*bad_gateway/s ],
    [ qr/^curl .*\/document / => qr/^HTTP\/1\.1 202 .*"type":"document"/sm ],
    [ qr/^tail / => qr/"event":"message\.status","id":"msg_failed_\w+","status":"failed"/ ],
    [ qr/^\(cd .*egress/ => qr/^HTTP\/1\.1 200 .*"received":true/s ],
    [ qr/^curl .*\/conversations$/ => qr/^HTTP\/1\.1 401 .*missing_key/s ],
    [ qr/^for / => qr/^(?:200 )+(?:429 )+$/m ],
    [ qr/^curl .*\/admin\/partners -H [^{]*$/ => qr/^HTTP\/1\.1 200 .*"id":"demo"/s ],
    [ qr/^curl .*\/admin\/partners\/demo / => qr/^HTTP\/1\.1 200 .*"id":"demo"/s ],
    [ qr/^curl .*\/status / => qr/^HTTP\/1\.1 200 .*"version"/s ],
    [ qr/^curl .*\/metrics$/ => qr/^HTTP\/1\.1 200 .*^wassiit_/sm ],
    [ qr/^curl .*\/openapi\.yaml$/ => qr/^HTTP\/1\.1 200 .*^openapi: /sm ],
    [ qr/^curl .*\/admin\/partners -H .*clinique-demo/ => qr/^HTTP\/1\.1 201 .*"key":"wst_/s ],
);
my @commands = grep { /^(?:curl|ts=|tail|\(cd|for) / || /^ts=/ } split /\n/, $printed;
is(@commands, @expected, 'as many commands as are known here');

for my $command (@commands) {
    my $row = shift @expected or last;
    my ($form, $answer) = @$row;

    like($command, $form, 'the next command');
    if ($command =~ /^tail/) {
        ok(wait_for { run('bash', '-c', $command) =~ $answer }, substr $command, 0, 70);
        next;
    }
    like(run('timeout', 60, 'bash', '-c', $command =~ s/\bcurl -i/curl -sS -i/gr), $answer,
         $command =~ s/\A.*?(http\S+).*\z/$1/sr);
}


# what partners read
like(run('curl', '-sS', '-i', "http://127.0.0.1:$port$_->[0]"), $_->[1], "it serves $_->[0]")
    for [ '/docs/' => qr/^HTTP\/1\.1 200 .*<html/s ], [ '/openapi.yaml' => qr/^HTTP\/1\.1 200 .*^openapi: /sm ];


# ---- it is kept

my $key = text_of('key');
delete @ENV{qw(DEMO_PORT DEMO_ADMIN_PORT DEMO_HOOK_PORT)};
my $again = demo('start');
like($again, qr/\Aalready running from build\/run, pid \d+, at 127\.0\.0\.1:$port\n/, 'it runs already');
is($again =~ s/\A.*\n//r, $printed =~ s/\A.*\n//r, 'and prints the same');
like(demo('stop'), qr/\Astopped, pid \d+\n\z/, 'it ends');

# ports that change places, and the events' own, which makes room
@ENV{qw(DEMO_PORT DEMO_ADMIN_PORT DEMO_HOOK_PORT)} = ($hook, $port, $hook);
$again = demo('start');
like($again, qr/ at 127\.0\.0\.1:$hook\n/, 'at another port');
like($again, qr/ http:\/\/127\.0\.0\.1:$port\/console\//, 'the console, too');
my ($other) = $again =~ /http:\/\/127\.0\.0\.1:(\d+)\/hook/;
is_deeply([ grep { $_ == ($other // 0) } $port, $hook ], [], 'events go to neither');
is(text_of('key'), $key, 'the key is the same');

done_testing;
