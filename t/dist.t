#!/usr/bin/env perl
# "make dist": what is committed, the same bytes each time; and it builds where
# there is no git.

use strict;
use warnings;

use lib 't/lib';
use Test::More;
use Wassiit;

plan skip_all => 'this is no clone' if system('git rev-parse HEAD > /dev/null 2>&1') != 0;

my $dir = test_dir();
chomp(my $version = qx(conf/setup/version.sh));
my $name = "ngx_http_wassiit_module-$version";

# A clone of the tree as it is, with what isn't committed yet.
my $git = 'git -c user.name=test -c user.email=test@localhost -c commit.gpgsign=false';
system(<<"END") == 0 or die 'no clone';
git -c advice.detachedHead=false clone -q --no-hardlinks . '$dir/one' &&
git ls-files -z --cached --others --exclude-standard | xargs -0 ls -d 2> /dev/null | tar -c -T - | tar -x -C '$dir/one' &&
cd '$dir/one' && git add -A && $git commit -q --allow-empty -m test &&
umask 077 && git -c advice.detachedHead=false clone -q . '$dir/two'
END

my ($first, $second) = map { scalar qx(cd '$dir/$_' && make -s dist 2>&1) } qw(one two);
my ($sum) = $first =~ /^build\/\Q$name\E\.tar\.xz, SHA-256 ([0-9a-f]{64})$/m or diag($first);
is($second, $first, 'two clones make the same bytes');
like(qx(cd '$dir/one/build' && sha256sum -c '$name.tar.xz.sha256'), qr/: OK$/, 'whose sum lies beside');
is(qx(tar tf '$dir/one/build/$name.tar.xz' | grep -v '/\$' | sort), qx(cd '$dir/one' && git ls-files | sed 's|^|$name/|' | sort),
   'of all that is committed');
like(qx(tar tvf '$dir/two/build/$name.tar.xz'), qr/^-rwxr-xr-x root\/root +.* \Q$name\E\/conf\/setup\/build\.sh$/m,
     'for anyone to read, whatever the umask is');

# without git, and from a folder with another name
mkdir "$dir/bin";
Wassiit::_write("$dir/bin/git", "#!/bin/sh\nexit 1\n");
chmod 0755, "$dir/bin/git";
{
    local @ENV{qw(PATH DEB_BUILD_OPTIONS)} = ("$dir/bin:$ENV{PATH}", 'noopt');
    my $said = qx(tar xf '$dir/one/build/$name.tar.xz' -C '$dir' && '$dir/$name/conf/setup/build.sh' 2>&1);
    is($?, 0, 'what is in it builds without git') or diag($said);
    # it is for the distribution's nginx
    local $ENV{TEST_NGINX_BINARY} = '/usr/sbin/nginx';
    local $ENV{TEST_NGINX_LOAD_MODULES} = "$dir/$name/build/ngx_http_wassiit_module.so";
    my ($exit, $error) = nginx_test('http { wassiit_zone zone=z:1m file=z.jsonl; }', files => { 'z.jsonl' => [] });
    is($exit, 0, 'and loads') or diag($error);
    like(qx(make -s -C '$dir/$name' dist 2>&1), qr/^make dist: this is no clone/, 'a release is made from a clone');
}

Wassiit::_write("$dir/one/README.md", "another\n");
my $said = qx(make -s -C '$dir/one' dist 2>&1);
like($said, qr/^make dist: not committed:\n M README\.md$/m, 'and from what is committed');

done_testing;
