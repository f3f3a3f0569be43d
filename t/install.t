#!/usr/bin/env perl
# "make install": the module goes to where the nginx that it is for looks for it,
# and nothing of what the machine has is changed. "make uninstall" removes it.

use strict;
use warnings;

use lib 't/lib';
use Cwd qw(getcwd);
use Digest::SHA qw(sha256_hex);
use File::Find qw(find);
use File::Path qw(make_path);
use Test::More;
use Wassiit;
use Wassiit::Links qw(dead_links);

my $module = $ENV{TEST_NGINX_LOAD_MODULES}
    or plan skip_all => 'the module is a part of this nginx';
my $nginx = $ENV{TEST_NGINX_BINARY};
my $name = 'ngx_http_wassiit_module.so';
my $n = 0;

sub shell { return map { s/'/'\\''/gr } @_ }

sub make {
    my ($what, %with) = @_;
    my $said = qx(make -s $what @{[ map { "'$_=" . (shell($with{$_}))[0] . q(') } sort keys %with ]} 2>&1);
    return ($said, $?);
}

# Installs into a folder of its own.
sub make_install {
    my (%with) = (NGINX => $nginx, MODULE => $module, @_);
    my $to = $with{DESTDIR} //= test_dir() . '/root-' . ++$n;
    my ($said, $status) = make('install', %with);
    my @files;
    find({ no_chdir => 1, wanted => sub { push @files, substr $_, length $to if -f } }, $to) if -d $to;
    return { to => $to, said => $said, status => $status, files => [ sort @files ] };
}

sub loads {
    my ($file) = @_;
    local $ENV{TEST_NGINX_LOAD_MODULES} = $file;
    return nginx_test('http { wassiit_zone zone=z:1m file=z.jsonl; }', files => { 'z.jsonl' => [] });
}

my ($path) = qx($nginx -V 2>&1) =~ /--modules-path=(\S+)/;
my ($prefix) = qx($nginx -V 2>&1) =~ /--prefix=(\S+)/;
$path //= ($prefix // '/usr/local/nginx') . '/modules';

my $r = make_install();
is($r->{status}, 0, 'it installs') or diag($r->{said});
my @modules = grep { /\.so\z/ } @{ $r->{files} };
is("@modules", "$path/$name", 'the module, where that nginx looks') or diag($r->{said});
my ($exit, $error) = loads("$r->{to}$path/$name");
is($exit, 0, 'it loads from there') or diag($error);
like($r->{said}, qr/^ +load_module \Q$path\/$name\E;$/m, 'it says by which line');
my @elsewhere = grep { !m{\A(?:\Q$path\E|/usr/local/(?:bin|share))/} } @{ $r->{files} };
is("@elsewhere", '', 'nothing goes elsewhere, least of all into a configuration');
my @beside = grep { m{/\.} } @{ $r->{files} };
is("@beside", '', 'nothing is left over');
chomp(my $version = qx(conf/setup/version.sh));
like(qx($r->{to}/usr/local/bin/wassiit --version), qr/^wassiit \Q$version\E$/, 'the command runs');
ok(-s "$r->{to}/usr/local/share/$_", "$_ is there")
    for qw(man/man1/wassiit.1 bash-completion/completions/wassiit wassiit/key.sh);
for my $file (qw(README.md CHANGES.md conf/doc/operating.md examples/nginx.conf examples/logrotate)) {
    ok(-f "$r->{to}/usr/local/share/doc/wassiit/$file", "$file is there to read");
}
for my $file (grep { /\.md\z/ } @{ $r->{files} }) {
    is_deeply([ dead_links("$r->{to}$file") ], [], "$file: its links lead somewhere");
}

# once more, over a file that a program may have mapped
my $before = (stat "$r->{to}$path/$name")[1];
open my $mapped, '<', "$r->{to}$path/$name" or die;
is(make_install(DESTDIR => $r->{to})->{status}, 0, 'once more');
isnt((stat "$r->{to}$path/$name")[1], $before, 'the file that is there is not written to');

$r = make_install(prefix => '/opt/gate', modulesdir => '/opt/modules', MODULE => "$module");
is_deeply([ grep { !m{\A/opt/(?:gate/(?:bin|share)/|modules/\Q$name\E\z)} } @{ $r->{files} } ], [], 'other folders');
ok(-f "$r->{to}/opt/modules/$name", 'as they are told');

# an nginx of one's own, by its prefix alone
my $own = test_dir() . '/nginx';
Wassiit::_write($own, "#!/bin/sh\n[ \"\$*\" != -V ] && exec $nginx \"\$@\"\necho 'configure arguments: --prefix=/opt/nginx --with-compat' >&2\n");
chmod 0755, $own;
$r = make_install(NGINX => $own);
ok(-f "$r->{to}/opt/nginx/modules/$name", 'below the prefix of an nginx that names no folder of modules');


# ---- and away

# All that is in a folder: files by what they have, folders as such.
sub tree {
    my ($top) = @_;
    my %tree;
    find({ no_chdir => 1, wanted => sub {
        $tree{substr $_, length $top} = -d ? 'folder' : sha256_hex(Wassiit::_read($_));
    } }, $top);
    return \%tree;
}

# A machine that has some folders, empty ones too, and a site's own files in them.
my $root = test_dir() . '/machine';
my $share = "$root/usr/local/share";
make_path("$root$path", "$root/usr/local/bin", "$share/man", "$share/wassiit", "$root/etc/nginx");
Wassiit::_write("$root$_", "ours: $_\n") for "$path/other.so", qw(/usr/local/share/wassiit/partners.jsonl /etc/nginx/nginx.conf);
my $as_it_was = tree($root);

make_install(DESTDIR => $root);
my ($said, $status) = make('uninstall', DESTDIR => $root);
is($status, 0, 'uninstall') or diag($said);
is_deeply(tree($root), $as_it_was, 'all of it is gone, and nothing else');
like($said, qr{^\Q$root$path/$name\E is removed\n}, 'it says from where');
($said, $status) = make('uninstall', DESTDIR => $root);
isnt($status, 0, 'once more: it stops');
like($said, qr/^make uninstall: \Q$share\E\/wassiit\/installed is missing, the list of what was put/m, 'and says why');

# what is the operator's by now, and what was put elsewhere before
$r = make_install(DESTDIR => $root);
like($r->{said}, qr/^To remove it: make uninstall DESTDIR=\Q$root\E$/m, 'it says how it is removed');
Wassiit::_write("$share/doc/wassiit/examples/nginx.conf", "changed\n");
unlink "$share/man/man1/wassiit.1" or die;
make_install(DESTDIR => $root, modulesdir => '/opt/modules');
ok(-f "$share/man/man1/wassiit.1", 'what was lost is put again');
Wassiit::_write("$share/doc/wassiit/examples/$_", "changed\n") for qw(nginx.conf cors.conf);
unlink "$share/man/man1/wassiit.1" or die;
($said, $status) = make('uninstall', DESTDIR => $root);
is($status, 0, 'uninstall, where files were changed') or diag($said);
my $changed = '/usr/local/share/doc/wassiit/examples';
is_deeply(tree($root), { %$as_it_was, (map { $_ => 'folder' } '/usr/local/share/doc', '/usr/local/share/doc/wassiit', $changed),
                         map { ("$changed/$_" => sha256_hex("changed\n")) } qw(nginx.conf cors.conf) },
          'what was changed stays, and what is their own');
like($said, qr/^\Q$root$changed\E\/nginx\.conf was changed: it stays$/m, 'which is said');

# where Debian's package has the module: dpkg-query is a stand-in
my $debian = test_dir() . '/debian';
my $bin = "$debian/bin";
my %there = (DESTDIR => '', prefix => "$debian/usr", modulesdir => "$debian/modules/");
my $has = sub {
    my ($file) = @_;
    Wassiit::_write("$bin/dpkg-query", <<"END");
#!/bin/sh
for file; do
    [ "\$file" != $file ] || { echo "diversion by x from: $file"; echo "libnginx-mod-http-wassiit:amd64: $file"; }
done
exit 1
END
    chmod 0755, "$bin/dpkg-query";
};
make_path($bin, "$debian/modules");
{
    local $ENV{PATH} = "$bin:$ENV{PATH}";
    for my $file ("$debian/modules/$name", "$debian/usr/bin/wassiit") {
        $has->($file);
        my $before = tree($debian);
        my $r = make_install(%there);
        isnt($r->{status}, 0, "a package has $file: it stops");
        is($r->{said} =~ s/^make: .*\n//mgr, qq(make install: libnginx-mod-http-wassiit has $file: "make deb" and "apt install", or "apt purge" it first\n),
           'and says what to do');
        is_deeply(tree($debian), $before, 'nothing is installed');
    }
    # of many files the first is told
    Wassiit::_write("$bin/dpkg-query", "#!/bin/sh\nfor n in \$(seq 2000); do\n    echo \"a-package: $debian/file-\$n\"\ndone\n", 0755);
    like(make_install(%there)->{said}, qr/^make install: a-package has \Q$debian\E\/file-1: /m, 'a package has many: it says so of one');

    symlink "$debian/modules", "$debian/link" or die;
    $has->("$debian/modules/$name");
    isnt(make_install(%there, modulesdir => "$debian/link")->{status}, 0, 'by another name of its folder, too');
    is(make_install(%there, DESTDIR => test_dir() . '/packaged')->{status}, 0, 'what is for a package of one\'s own, is put');

    $has->('/none');
    is(make_install(%there)->{status}, 0, 'where no package has any, it installs');
    $has->("$debian/modules/$name");
    my ($said, $status) = make('uninstall', DESTDIR => '', prefix => "$debian/usr");
    like($said, qr/^\Q$debian\E\/modules\/$name is a package's: it stays$/m, 'uninstall: a package has it by now');
    ok(-f "$debian/modules/$name" && !-e "$debian/usr", 'and all else goes');
}


# ---- what can't be installed

sub refuses {
    my ($what, $why, %with) = @_;
    my $r = make_install(%with);
    isnt($r->{status}, 0, "$what: it stops");
    like($r->{said}, qr/^make install: $why/m, 'and says why');
    is("@{ $r->{files} }", '', 'nothing is installed');
}

my $none = test_dir() . '/none';
refuses('no module', qr/\Q$none\E is missing: 'make build' makes it/, MODULE => $none);
refuses('no nginx', qr/no such program: NGINX=\Q$none\E\n/, NGINX => $none);
Wassiit::_write("$none.so", 'no library');
refuses('a module that does not fit', qr/\Q$nginx\E does not load \Q$none.so\E: .*dlopen/, MODULE => "$none.so");

done_testing;
