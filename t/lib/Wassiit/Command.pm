# conf/bin/wassiit, run by dash and by bash.
#
#   for my $shell (shells()) {
#       my $r = wassiit($shell, ['partner', 'list'], WASSIIT_URL => $url);
#       is($r->{exit}, 0);  $r->{out}, $r->{err}: what it printed
#   }
#
# stdin => $text is what comes in. watched => 1: $r->{argv} has the arguments of
# each program that it ran, as /proc shows them to everyone.

package Wassiit::Command;

use strict;
use warnings;

use Cwd ();
use Exporter qw(import);
use File::Basename ();
use Test::More ();
use Wassiit;

our @EXPORT = qw(shells wassiit told like_text slurp spew);

my $Top = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../../..');
my $Dir = test_dir() . '/command';
my @Programs = qw(awk cat chmod chown cp curl cut date dirname flock grep gzip head
                  jq ln mktemp mv nginx od openssl readlink rm sed stat sync tail tr wc);

mkdir $Dir or die "$Dir: $!";
mkdir "$Dir/home" or die "$Dir/home: $!";


sub shells { return grep { -x } qw(/bin/dash /bin/bash) }

sub slurp { my ($file) = @_; local $/; open my $in, '<:raw', $file or die "$file: $!"; return scalar(<$in>) // "" }

sub spew {
    my ($file, $text, $mode) = @_;
    unlink $file;      # which may be of a mode that keeps us from writing
    open my $out, '>:raw', $file or die "$file: $!";
    print {$out} $text;
    close $out or die "$file: $!";
    chmod $mode // 0600, $file or die "$file: $!";
    return $file;
}

# Programs in front of the others of their names, which say how they were called.
sub _watchers {
    my $bin = "$Dir/bin";
    return $bin if -d $bin;
    mkdir $bin or die "$bin: $!";

    for my $name (@Programs) {
        my ($real) = grep { -x } map { "$_/$name" } qw(/usr/bin /bin /usr/sbin);
        $real = $ENV{TEST_NGINX_BINARY} if $name eq 'nginx';
        next unless $real;
        spew("$bin/$name", <<"END", 0755);
#!/bin/sh
printf '%s\\0' $name "\$@" >> '$Dir/argv'
exec '$real' "\$@"
END
    }
    return $bin;
}

sub wassiit {
    my ($shell, $words, %with) = @_;
    my ($stdin, $watched) = delete @with{qw(stdin watched)};

    spew("$Dir/in", $stdin // '');
    spew("$Dir/argv", '');
    my $bin = _watchers();
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        delete @ENV{grep { /^WASSIIT_|^XDG_/ } keys %ENV};
        @ENV{qw(HOME http_proxy WASSIIT_NGINX)}
            = ("$Dir/home", 'http://127.0.0.1:9', $ENV{TEST_NGINX_BINARY});
        $ENV{WASSIIT_MODULE} = $ENV{TEST_NGINX_LOAD_MODULES} if $ENV{TEST_NGINX_LOAD_MODULES};
        if ($watched) {
            $ENV{PATH} = "$bin:$ENV{PATH}";
            $ENV{WASSIIT_NGINX} = "$bin/nginx";
        }
        for (keys %with) { if (defined $with{$_}) { $ENV{$_} = $with{$_} } else { delete $ENV{$_} } }

        open STDIN, '<', "$Dir/in" or die "$Dir/in: $!";
        open STDOUT, '>', "$Dir/out" or die "$Dir/out: $!";
        open STDERR, '>', "$Dir/err" or die "$Dir/err: $!";
        exec $shell, "$Top/conf/bin/wassiit", @$words or POSIX::_exit(127);
    }

    waitpid $pid, 0;
    return { exit => $? >> 8, out => slurp("$Dir/out"), err => slurp("$Dir/err"),
             argv => slurp("$Dir/argv") };
}

# A text as documents show it: "…" is anything.
sub like_text {
    my ($text) = @_;
    my $pattern = join '.*?', map { quotemeta } split /\xe2\x80\xa6/, $text, -1;
    return qr{\A$pattern\z}s;
}

# What it is to print and to end with; a pattern, or all of it.
sub told {
    my ($r, $exit, $out, $err, $name) = @_;

    Test::More::subtest($name => sub {
        Test::More::is($r->{exit}, $exit, "it ends with $exit");
        for ([ out => $out ], [ err => $err ]) {
            my ($what, $wanted) = @$_;
            if (ref $wanted) { Test::More::like($r->{$what}, $wanted, $what) }
            else { Test::More::is($r->{$what}, $wanted, $what) }
        }
    });
}

1;
