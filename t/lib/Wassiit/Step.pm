# A wall clock, for a program that a test starts, which can be stepped.
#
#   my $step = Wassiit::Step->new;
#   ... the program's environment gets %{ $step->env } ...
#   $step->set(-3600);      # seconds that it is ahead of the machine's

package Wassiit::Step;

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use Wassiit ();

my $Source = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../step.c');

sub new {
    my ($class) = @_;
    my $dir = Wassiit::test_dir();
    my $self = bless { file => "$dir/step", library => "$dir/step.so" }, $class;

    system('gcc', '-O2', '-Wall', '-Werror', '-shared', '-fPIC', '-o', $self->{library}, $Source) == 0
        or die "can't compile $Source\n";
    $self->set(0);
    return $self;
}

sub env { return { WASSIIT_STEP => $_[0]{file}, LD_PRELOAD => $_[0]{library} } }

# Written over in place: it is mapped where it is read.

sub set {
    my ($self, $seconds) = @_;
    open my $out, (-e $self->{file} ? '+<' : '>'), $self->{file} or die "$self->{file}: $!";
    binmode $out;
    syswrite($out, pack 'q', $seconds * 1_000_000) == 8 or die "$self->{file}: $!";
}

sub stop { }

1;
