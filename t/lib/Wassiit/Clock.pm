# A wall clock for the servers that a test starts after it: it stands where the
# test sets it. Test time itself, and nginx's timers, go on as always.
#
#   my $clock = Wassiit::Clock->new(1_800_000_000);
#   $clock->set(1_800_000_001);

package Wassiit::Clock;

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use Wassiit ();

my $Source = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../clock.c');

sub new {
    my ($class, $time) = @_;
    my $dir = Wassiit::test_dir();
    my $self = bless { file => "$dir/clock" }, $class;

    system('gcc', '-O2', '-Wall', '-Werror', '-shared', '-fPIC', '-o', "$dir/clock.so", $Source) == 0
        or die "can't compile $Source\n";
    chmod 0755, "$dir/clock.so";

    $self->set($time);
    chmod 0644, $self->{file};
    $ENV{WASSIIT_CLOCK} = $self->{file};
    $ENV{$_} = "$dir/clock.so" for qw(LD_PRELOAD TEST_NGINX_LD_PRELOAD);
    return $self;
}

# Written over in place: it is mapped where it is read.

sub set {
    my ($self, $time) = @_;
    open my $out, (-e $self->{file} ? '+<' : '>'), $self->{file} or die "$self->{file}: $!";
    binmode $out;
    syswrite($out, pack 'q', $time) == 8 or die "$self->{file}: $!";
}

1;
