#!/usr/bin/env perl
# "make install": the module goes to where the nginx that it is for looks for it,
# and nothing of what the machine has is changed.

use strict;
use warnings;

use lib 't/lib';
use Cwd qw(getcwd);
use File::Find qw(find);
use Test::More;
use Wassiit;

my $module = $ENV{TEST_NGINX_LOAD_MODULES}
    or plan skip_all => 'the module is a part of this nginx';
my $nginx = $ENV{TEST_NGINX_BINARY};
my $name = 'ngx_http_wassiit_module.so';
my $n = 0;

sub shell { return map { s/'/'\\''/gr } @_ }

# Installs into a folder of its own.
sub make_install {
    my (%with) = (NGINX => $nginx, MODULE => $module, @_);
    my $to = $with{DESTDIR} //= test_dir() . '/root-' . ++$n;
    my $said = qx(make -s install @{[ map { "'$_=" . (shell($with{$_}))[0] . q(') } sort keys %with ]} 2>&1);
    my $status = $?;
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
