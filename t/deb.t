#!/usr/bin/env perl
# The Debian package, as an operator meets it: installed beside an nginx that
# serves, upgraded, taken back, removed, purged and installed again, while requests
# come all the time. Each suite in a copy of its chroot, with a network of its
# own. "make deb-test" has the packages built first, and runs this.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(basename);
use HTTP::Tiny;
use Test::More;
use Time::HiRes qw(sleep time);

use lib 't/lib';
use Wassiit::Links qw(dead_links);

load(@ARGV[1, 2]) if @ARGV && $ARGV[0] eq 'load';

my $top = abs_path('.');
my $deb_sh = "$top/conf/setup/deb.sh";
my $package = 'libnginx-mod-http-wassiit';
my $module = '/usr/lib/nginx/modules/ngx_http_wassiit_module.so';
my $link = '/etc/nginx/modules-enabled/50-mod-http-wassiit.conf';
my $state = '/var/lib/wassiit';

plan skip_all => 'takes minutes: "make deb-test" runs it' unless $ENV{TEST_SUITES};
plan skip_all => 'a chroot takes root' if $>;

my ($root, $init, $holder, $loader);

# Whatever runs in the chroot ends with its process 1, and what is mounted there,
# too.
sub end_of_suite {
    kill KILL => $_ for grep { defined } $loader, $holder;
    waitpid $holder, 0 if defined $holder;
    ($init, $holder, $loader) = ();
    return if !defined $root;
    system('rm', '-rf', '--one-file-system', $root);
    undef $root;
}
my $main = $$;
END { my $exit = $?; end_of_suite() if $main && $main == $$; $? = $exit }
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP PIPE);

for my $suite (split ' ', $ENV{TEST_SUITES}) {
    subtest $suite => sub { suite($suite) };
    end_of_suite();
}
done_testing();


# ---- the tools

# Asks for $url until it gets TERM; then writes how many answers there were, and
# those that were not 200.
sub load {
    my ($url, $key) = @_;
    my ($good, $stop, %bad) = (0, 0);
    local $SIG{TERM} = sub { $stop = 1 };
    my $http = HTTP::Tiny->new(timeout => 10, keep_alive => 0, $key ? (default_headers => { 'X-API-Key' => $key }) : ());
    $| = 1;
    while (!$stop) {
        my $answer = $http->get($url);
        if ($answer->{status} == 200) {
            $good++;
            print "good\n" if $good % 20 == 0;
        } else {
            my $what = $answer->{status} . ($answer->{status} == 599 ? " $answer->{content}" : '');
            $bad{$what =~ tr/\n/ /r}++;
        }
        sleep 0.005;
    }
    print "$good good\n", map { "bad: $bad{$_} of $_\n" } sort keys %bad;
    exit;
}

sub text_of { my ($name) = @_; open my $in, '<', $name or return ''; local $/; return scalar <$in> }

sub write_to {
    my ($name, $text) = @_;
    open my $out, '>', "$root$name" or die "$name: $!";
    print {$out} $text;
    close $out or die "$name: $!";
}

# What a command prints, errors too.
sub run {
    my (@command) = @_;
    my $pid = open my $out, '-|';
    defined $pid or die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec @command or die "$command[0]: $!";
    }
    my $text = do { local $/; <$out> } // '';
    close $out;
    return $text;
}

sub in_chroot {
    my ($shell) = @_;
    return run('nsenter', '-t', $init, '-m', '-n', '-p', 'chroot', $root, 'env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
        'HOME=/root', 'LC_ALL=C.UTF-8', 'DEBIAN_FRONTEND=noninteractive', 'sh', '-c', $shell);
}

# A command that has to succeed.
sub done {
    my ($shell, $name) = @_;
    my $text = in_chroot($shell);
    my $good = $? == 0;
    ok($good, $name // $shell) or diag($text);
    return $text;
}

sub curl { return run('nsenter', '-t', $init, '-n', 'curl', '-s', '-i', '-m', 10, @_) }

sub until_true {
    my ($code) = @_;
    my $end = time + 30;
    until ($code->()) {
        return 0 if time > $end;
        sleep 0.05;
    }
    return 1;
}

# Requests come before, during and after the change, and none fails.
sub served {
    my ($name, $url, $key, $change) = @_;

    $loader = open my $out, '-|', 'nsenter', '-t', $init, '-n', 'perl', $0, 'load', $url, $key;
    defined $loader or die "fork: $!";
    my $first = <$out> // '';
    $change->();
    kill TERM => $loader;
    my @lines = ($first, <$out>);
    close $out;
    undef $loader;
    my ($good) = map { /^(\d+) good/ ? $1 : () } @lines;
    cmp_ok($good // 0, '>', 20, "$name: requests came");
    is(join('', grep { /^bad/ } @lines), '', "$name: and none failed");
}

# Does the nginx that runs have loaded the very file that is installed?
sub loaded {
    my $inode = (stat "$root$module")[1] or return 0;
    my $maps = in_chroot('cat /proc/$(cat /run/nginx.pid)/maps');
    return $maps =~ /\s$inode\s+\S*\Q$module\E\n/ && $maps !~ /\Q$module\E \(deleted\)/;
}

# What is on the disk: path => type, mode, owner, and what is in it. Not what apt,
# dpkg and logs keep of each installation, whatever it is of.
sub files {
    my $text = run('nsenter', '-t', $init, '-m', 'sh', '-c', <<'END', 'sh', $root);
cd "$1" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp -o -path ./build \
    -o -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log \
    -o -path ./etc/ld.so.cache -o -path ./var/lib/systemd \) -prune -o \
    \( -type f -printf '%P\t%y %m %u %g ' -exec sha256sum {} \; \) -o -printf '%P\t%y %m %u %g %l\n'
END
    return { map { /^(.+?)\t(.*)/ ? ("/$1" => $2 =~ s/ \.\/.*//r) : () } split /\n/, $text };
}

sub difference {
    my ($before, $after) = @_;
    return sort grep { ($before->{$_} // '') ne ($after->{$_} // '') } keys %{{ %$before, %$after }};
}


sub named { return join ' ', @_ > 20 ? (@_[0 .. 19], '...') : @_ }


# ---- one suite

sub suite {
    my ($suite) = @_;

    my ($old) = glob "$top/build/deb/$suite/*.deb";
    ok($old, 'the package is there') or return;

    # A new machine, and the packages of Debian that will be wanted: the network that
    # it gets has no way out.
    my $plain = (split /\n/, run($deb_sh, 'plain', $suite))[-1];
    $root = "$plain.test";
    system('rm', '-rf', '--one-file-system', $root) == 0 && system('cp', '-a', $plain, $root) == 0
        or die 'no copy of the chroot';
    system('cp', $old, "$root/root/old.deb") == 0 or die 'no package';

    # The same as a later version: its module is another file, which is what counts.
    run('sh', '-c', <<'END', 'sh', $root);
cd "$1/root" && dpkg-deb -R old.deb new && sed -i 's/^Version: .*/&+next/' new/DEBIAN/control &&
dpkg-deb --root-owner-group -b new new.deb && rm -r new
END
    is($?, 0, 'a later version of it') or return;
    my $fetched = run('chroot', $root, 'sh', '-c', 'apt-get -q -y --download-only install nginx /root/old.deb');
    is($?, 0, 'what it depends on can be had') or do { diag($fetched); return };

    # Without a word here, a machine without an init starts no service.
    write_to('/usr/sbin/policy-rc.d', "#!/bin/sh\nexit 0\n");
    chmod 0755, "$root/usr/sbin/policy-rc.d";

    $holder = fork // die "fork: $!";
    if (!$holder) {
        exec 'unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', 'sh', '-c', <<'END', 'sh', $root or die 'unshare';
mount --bind "$1" "$1" && mount -o remount,bind,dev,suid,exec "$1" && mount -t proc proc "$1/proc" && ip link set lo up &&
touch "$1/run/ready" && exec perl -e '$SIG{CHLD} = "IGNORE"; sleep while 1'
END
    }
    until_true(sub { -e "$root/run/ready" }) or die 'no namespace';
    ($init) = text_of("/proc/$holder/task/$holder/children") =~ /(\d+)/;


    # ---- an nginx that serves

    done("apt-get -q -y install nginx openssl curl jq libjansson4", 'an nginx, and what the package depends on');
    my $page = 'http://127.0.0.1/index.nginx-debian.html';
    like(curl($page), qr/^HTTP\/1\.1 200/, 'it serves');
    my $before = files();


    # ---- install

    served('install', $page, '', sub { done('apt-get -q -y install /root/old.deb', 'install') });
    my %owned = map { $_ => 1 } split /\n/, in_chroot("dpkg -L $package");
    my $after = files();
    is(named(grep { !$owned{$_} } difference($before, $after)), $link, 'nothing else has changed');
    is($after->{$link}, 'l 777 root root /usr/share/nginx/modules-available/mod-http-wassiit.conf', 'the module is enabled');
    is($after->{$state}, 'd 700 www-data www-data ', "the state is the workers'");
    ok(until_true(\&loaded), 'nginx has loaded it');
    my ($abi) = in_chroot("dpkg-query -W -f '\${Depends}' $package") =~ /\b(nginx-abi-[^\s,]+)/;
    like(in_chroot(q(dpkg-query -W -f '${Provides}' nginx)), qr/(?:^|, )\Q$abi\E(?:,|\z)/, 'it depends on the very nginx');
    my ($version) = text_of('src/ngx_http_wassiit.h') =~ /^#define NGX_HTTP_WASSIIT_VERSION +"(.*)"/m;
    is(in_chroot('wassiit --version'), "wassiit $version\n", 'the command is of that version');
    done("zcat /usr/share/man/man7/ngx_http_wassiit_module.7.gz | grep -q wassiit_zone && grep -q $state /usr/share/doc/$package/README.Debian",
        'the manual, and what is Debian\'s');
    is_deeply([ dead_links("$root$_") ], [], "$_: its links lead somewhere") for grep { /\.md\z/ } sort keys %owned;


    # ---- four lines, a key, and the first 200

    write_to('/etc/nginx/conf.d/backend.conf', 'server { listen 127.0.0.1:8081; location / { return 200 "sent\n"; } }');
    write_to('/etc/nginx/conf.d/partners.conf', "wassiit_zone zone=partners:1m file=$state/partners.jsonl;\n");
    my $site = '/etc/nginx/sites-available/default';
    my $stock = text_of("$root$site");
    my $ours = $stock =~ s{^(\s*location / \{)}{
        location /api/ {
            wassiit_access partners;
            wassiit_scope messages.send;
            proxy_pass http://127.0.0.1:8081;
        }
$1}mr;
    write_to($site, $ours);
    my ($key, $line) = split /\n/, done('wassiit key --partner many --scopes messages.send --rate 10000r/s', 'a key');
    my ($rare, $line_of_rare) = split /\n/, in_chroot('wassiit key --partner few --scopes messages.send --rate 5r/h');
    my $partners = "$line\n$line_of_rare\n";
    write_to("$state/partners.jsonl", $partners);
    chmod 0600, "$root$state/partners.jsonl";
    done("wassiit check $state/partners.jsonl", 'the file is good');
    done('nginx -t && service nginx reload', 'reload');

    my $api = 'http://127.0.0.1/api/messages';
    ok(until_true(sub { curl($api, '-H', "X-API-Key: $key") =~ /^HTTP\/1\.1 200.*sent\n\z/s }), 'the first 200');
    like(curl($api), qr/^HTTP\/1\.1 401 .*"missing_key"/s, 'and no one without a key');
    is(remaining($api, $rare), 4, 'of a limit of 5, 4 are left');


    # ---- upgrade, and the way back

    served('upgrade', $api, $key, sub { done('apt-get -q -y install /root/new.deb', 'upgrade') });
    ok(until_true(\&loaded), 'upgrade: the new module serves');
    is(remaining($api, $rare), 3, 'upgrade: windows are kept');
    served('way back', $api, $key, sub { done('apt-get -q -y --allow-downgrades install /root/old.deb', 'way back') });
    ok(until_true(\&loaded), 'way back: the former module serves');
    is(remaining($api, $rare), 2, 'way back: windows are kept');

    write_to('/etc/nginx/conf.d/wrong.conf', "wassiit_zone;\n");
    served('wrong configuration', $api, $key, sub {
        like(done('apt-get -q -y install /root/new.deb', 'upgrade with a wrong configuration'),
            qr/nginx goes on with the former module: mend the configuration/, 'it says that the former module serves') });
    unlink "$root/etc/nginx/conf.d/wrong.conf";
    done('service nginx upgrade', 'mended');
    ok(until_true(\&loaded), 'mended: the new module serves');

    # as in a container: no service may be touched
    my $policy = '/usr/sbin/policy-rc.d';
    write_to($policy, "#!/bin/sh\nexit 101\n");
    my $said = done('apt-get -q -y --allow-downgrades install /root/old.deb', 'without an init');
    like($said, qr/^nginx goes on with the former module: "service nginx upgrade" takes the new one$/m, 'it says what is left to do');
    ok(!loaded(), 'as it is');
    write_to($policy, "#!/bin/sh\nexit 0\n");
    served('by hand', $api, $key, sub { done('service nginx upgrade', 'by hand') });
    ok(until_true(\&loaded), 'by hand: what was installed serves');
    unlike(done('apt-get -q -y install /root/new.deb', 'the new one'), qr/goes on with the former/, 'nothing is left to do otherwise');
    ok(until_true(\&loaded), 'and it serves');


    # ---- remove, with directives in the configuration; and back

    served('remove', $api, $key, sub {
        like(done("apt-get -q -y remove $package", 'remove'), qr/^nginx goes on as it is, but refuses to reload and to start/m,
            'it says that nginx still has its directives') });
    like(done('nginx -t 2>&1 || true', 'nginx -t'), qr/unknown directive "wassiit_zone" in \S+partners\.conf:1/, 'and where they are is told');
    is(text_of("$root$state/partners.jsonl"), $partners, 'remove: partners stay');
    served('install again', $api, $key, sub { done('apt-get -q -y install /root/new.deb', 'install again') });
    ok(-l "$root$link", 'it is enabled again');
    done('nginx -t', 'the configuration is good again');


    # ---- the front door

    # as README.Debian has it made, in another folder and with other ports
    my ($shown) = in_chroot("cat /usr/share/doc/$package/README.Debian") =~ m{^(    cd /etc/nginx &&.*?)^    nginx -t\n}ms;
    ok($shown, 'README.Debian has how it is made') or return;
    $shown =~ s{/etc/nginx}{/tmp/door}g;
    done("set -e; mkdir /tmp/door; cp /etc/nginx/nginx.conf /tmp/door\n$shown", 'it is made');
    is(in_chroot('cmp /etc/nginx/nginx.conf /tmp/door/nginx.conf.debian'), '', 'Debian\'s configuration is kept');
    done(q(cd /tmp/door; sed -i 's/127.0.0.1:80/127.0.0.1:90/; s|/run/|/tmp/door/|g; s|/var/log/nginx/|/tmp/door/|' nginx.conf sandbox.conf));
    done('nginx -t -c /tmp/door/nginx.conf', 'the front door is a configuration');
    done('nginx -c /tmp/door/nginx.conf', 'it starts');
    like(done('wassiit partner list --url http://127.0.0.1:9081/admin --key-file /tmp/door/operator.key', 'partners'), qr/^few .*^many /ms,
        'its operator has a key');
    like(curl('-L', 'http://127.0.0.1:9080/docs/'), qr/^HTTP\/1\.1 200 .*<html/s, 'the docs are there');
    like(curl('http://127.0.0.1:9081/console/'), qr/^HTTP\/1\.1 200 .*<html/s, 'the console is there');
    like(curl('http://127.0.0.1:9081/openapi.json'), qr/^HTTP\/1\.1 200 .*"openapi"/s, 'and the specification');
    like(curl('http://127.0.0.1:9080/api/partner/v1/messages', '-d', '{}'), qr/^HTTP\/1\.1 401 /, 'the API is closed');
    done('nginx -c /tmp/door/nginx.conf -s stop; for i in $(seq 100); do [ -e /tmp/door/nginx.pid ] || exit 0; sleep 0.1; done; exit 1', 'it ends');


    # ---- purge

    write_to($site, $stock);
    unlink "$root/etc/nginx/conf.d/partners.conf", "$root/etc/nginx/conf.d/backend.conf";
    served('purge', $page, '', sub {
        done('service nginx reload', 'out of the configuration');
        my $text = done("apt-get -q -y purge $package", 'purge');
        unlike($text, qr/nginx goes on/, 'it has nothing to say of nginx');
        like($text, qr/partners' files stay in \Q$state\E/, 'it says what stays') });
    is(text_of("$root$state/partners.jsonl"), $partners, 'purge: partners stay');
    done("rm -r $state", 'until their operator deletes them');
    is(named(difference($before, files())), '', 'nothing else is left, and nothing has changed');

    served('install once more', $page, '', sub { done('apt-get -q -y install /root/old.deb', 'install once more') });
    is(named(difference($after, files())), '', 'all is as after the first time');
    done("apt-get -q -y purge $package", 'purge with no partner');
    ok(!-e "$root$state", 'an empty folder goes');
}

sub remaining {
    my ($url, $key) = @_;
    return curl($url, '-H', "X-API-Key: $key") =~ /^X-RateLimit-Remaining: (\d+)/mi ? $1 : undef;
}
