package Wassiit::Faults;

=head1 NAME

Wassiit::Faults - calls of the system that fail, in an nginx that a suite starts

=head1 SYNOPSIS

    local @ENV{keys %Faulty} = values %Faulty;      # for what is started now
    faults('fsync file ' . EIO, 'open file ' . EROFS);
    faults();                                       # all is well again

A line is CALL KIND ERRNO [FROM], see t/lib/faults.c, which is compiled once a suite.

=cut

use strict;
use warnings;

use Exporter qw(import);
use Wassiit;

our @EXPORT = qw(faults %Faulty);

our %Faulty = (LD_PRELOAD => test_dir() . '/faults.so', WASSIIT_FAULTS => test_dir() . '/faults');

system(qw(gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o), $Faulty{LD_PRELOAD}, 't/lib/faults.c') == 0
    or die "can't compile t/lib/faults.c\n";
chmod 0755, $Faulty{LD_PRELOAD};
faults();


# In one step, as the file is read at any time, by workers too.

sub faults {
    my $file = $Faulty{WASSIIT_FAULTS};
    open my $out, '>', "$file.new" or die "$file.new: $!";
    print {$out} map { "$_\n" } @_;
    close $out or die "$file.new: $!";
    chmod 0644, "$file.new";
    rename "$file.new", $file or die "$file: $!";
}

1;
