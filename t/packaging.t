#!/usr/bin/env perl
# What the Debian package is made by agrees with the tree: cheap, and without a
# chroot. t/deb.t has the package itself.

use strict;
use warnings;

use Test::More;

sub text_of { my ($name) = @_; open my $in, '<', $name or die "$name: $!"; local $/; return scalar <$in> }

# What it names is there, save for what npm takes part in.
for my $list (qw(install examples docs manpages)) {
    for my $line (grep { /\S/ && !/^#/ } split /\n/, text_of("conf/debian/$list")) {
        my ($name) = split ' ', $line =~ s{^debian/}{conf/debian/}r;
        my ($found) = glob $name;
        ok(defined $found && -e $found, "$list: $name") if $name !~ m{^build/};
    }
}


# ---- the version

my ($version) = text_of('src/ngx_http_wassiit.h') =~ /^#define NGX_HTTP_WASSIIT_VERSION +"(.+)"/m;
my %suffix = (bookworm => '~deb12u1', trixie => '~deb13u1', unstable => '');
for my $suite (sort keys %suffix) {
    my $changelog = `conf/setup/deb.sh changelog $suite`;
    like($changelog, qr/^libnginx-mod-http-wassiit \(\Q$version-1$suffix{$suite}\E\) $suite; urgency=\w+$/m, "$suite: the version");
    like($changelog, qr/^ -- [^<>]+ <\S+@\S+>  \w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000$/m, "$suite: by whom, and when");
}


# ---- the front door's paths

for my $name (glob('conf/*.conf'), glob('conf/cluster/*.conf')) {
    my $text = `sed -f conf/debian/examples.sed $name`;
    is($?, 0, "$name: sed has no objection");
    my @left = grep { !/^\s*#/ && m{\b(?:logs|temp|state|modules)/|unix:[a-z]|(?:alias|root)\s+[a-z]|load_module} && !m{/(?:nginx/|modules-enabled/)} }
        split /\n/, $text;
    is("@left", '', "$name: no path of a prefix is left");
}


# Each file that it reads besides is made in README.Debian.
my ($made) = text_of('conf/debian/README.Debian') =~ m{^(    cd /etc/nginx &&.*?^    nginx -t\n)}ms;
my %wanted = map { $_ => 1 } map { `sed -f conf/debian/examples.sed $_` =~ /^[^#\n]*\b(?:secret_)?file=([^\s;]+)/mg } glob 'conf/*.conf';
cmp_ok(scalar keys %wanted, '>', 3, 'it reads files');
is_deeply([ grep { $made !~ /\s\Q$_\E\s/ } sort keys %wanted ], [], 'README.Debian makes each of them');


# ---- what dpkg runs

for my $script (qw(postinst postrm)) {
    open my $sh, '|-', 'sh', '-n' or die "sh: $!";
    print {$sh} text_of("conf/debian/$script");
    ok(close $sh, "$script: a shell takes it");
}


# ---- the manual

my %directive = map { $_ => 1 } text_of('src/ngx_http_wassiit_conf.c') =~ /\{ ngx_string\("(wassiit_\w+)"\),\s+[A-Z|_]*CONF/g;
my %told = map { $_ => 1 } text_of('conf/debian/ngx_http_wassiit_module.7') =~ /^\.BR? (wassiit_[a-z_]+)/mg;
cmp_ok(scalar keys %directive, '>', 10, 'there are directives');
is_deeply([ sort keys %told ], [ sort keys %directive ], 'the manual has all directives');

done_testing();
