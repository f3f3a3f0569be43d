# Deaths in the middle of a change, for the servers that a test starts after it.
#
#   my $deaths = Wassiit::Deaths->new;
#   $deaths->in(7, of => 'calls', then => 3, spared => $server->pid);
#   ...                               # the 7th step kills who makes it, then
#   my ($pid, $how) = $deaths->last;  # the 3rd of those who follow
#   $deaths->none;
#
# What a step is, "writes", "calls" or "stores": see t/lib/deaths.c.

package Wassiit::Deaths;

use strict;
use warnings;

use Cwd ();
use File::Basename ();
use Wassiit ();

my $Source = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../deaths.c');

my %Of = (writes => 1, calls => 2, stores => 3);
my @How = ('', 'in a write', 'before a sync', 'after a sync', 'before a rename',
           'after a rename', 'before a write', 'after a write', 'before a cut', 'after a cut',
           'before a delete', 'after a delete', 'before an open', 'after an open',
           'before the lock', 'after the lock', 'before the unlock', 'after the unlock',
           'before a store');

sub new {
    my ($class) = @_;
    my $dir = Wassiit::test_dir();
    my $self = bless { file => "$dir/deaths" }, $class;

    system('gcc', '-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-o',
           "$dir/deaths.so", $Source) == 0 or die "can't compile $Source\n";
    chmod 0755, "$dir/deaths.so";

    $self->none;
    chmod 0666, $self->{file};
    $ENV{WASSIIT_DEATHS} = $self->{file};
    $ENV{LD_PRELOAD} = "$dir/deaths.so";
    return $self;
}

# Written over in place: it is mapped by those who read it.

sub _write {
    my ($self, @values) = @_;
    open my $out, (-e $self->{file} ? '+<' : '>'), $self->{file} or die "$self->{file}: $!";
    binmode $out;
    syswrite($out, pack 'q7', @values) == 56 or die "$self->{file}: $!";
}

sub in {
    my ($self, $steps, %with) = @_;
    $self->_write($steps, 0, 0, $with{then} // 0, $Of{ $with{of} }, $with{spared} // 0, 0);
}

sub none { $_[0]->_write((0) x 7) }

# Who has died, in what, and how many have; (0, '', 0): nobody.

sub last {
    my ($self) = @_;
    my (undef, $pid, $how, undef, undef, undef, $deaths) = unpack 'q7',
        Wassiit::_read($self->{file});
    return ($pid, $How[$how], $deaths);
}

1;
