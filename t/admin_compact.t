# A partners' file that was compacted, and whose folder isn't on the disk: no change is
# answered for, as the former file may be back after a crash. That a reload loads it, and
# what else goes wrong with a compaction, is t/admin_faults.t's.

use strict;
use warnings;

use lib 't/lib';
use POSIX qw(EIO);
use Wassiit;
use Test::Nginx::Socket;
use Wassiit::DiskBlocks;

our @Atlas = partner('atlas', 'atlas-key', rate => '1000r/h');
our $No_folder = "faults('fsync folder " . EIO . "')";

sub change { return qq(ops PATCH partners/atlas {"name":"$_[0]"} => $_[1]\n) }

# Three changes, after which the file is a new one.

sub compacted {
    return change('n1', 200) . change('n2', 200) . "    & $No_folder\n" . change('n3', 200);
}

sub wait_for_it {
    my $lines = 0;
    wait_for { $lines = () = Wassiit::_read($File) =~ /\n/g; $lines == 1 };
    die "$lines lines\n" if $lines != 1;
}

# A change that is refused, and what the file and the zone have then.

sub not_yet {
    my ($name) = @_;
    return change('Not yet', $Wassiit::DiskBlocks::Unwritten), has_file($name), atlas($name);
}

sub has_file {
    my ($name) = @_;
    my $line = text(@Atlas) =~ s/\}\n\z//r . (defined $name ? qq(,"name":"$name"}) : '}');
    return "- GET /file => 200 ~ \\A\Q$line\E\\n\\z\n";
}

sub atlas { return known({ %{ $Atlas[0] }, name => $_[0] }) . "\n" }

# The folder of a file that is shorter than both lines.

sub at_start {
    my $size = length text(@Atlas, @Atlas);
    return "main::faults('fsync folder " . EIO . " $size');";
}

disk_blocks(partners => \@Atlas);
run_tests();

__DATA__

=== TEST 1: no change is answered for, however often
--- steps eval
my ($first, @then) = main::not_yet('n3');
CORE::join '', main::compacted(), "$first    & wait_for_it()\n", @then, ($first, @then) x 2


=== TEST 2: until the folder is on the disk
--- steps eval
main::compacted() . main::change('Not yet', $Wassiit::DiskBlocks::Unwritten)
. "    & wait_for_it()\n" . main::change('Now', 200) . "    & faults()\n"
. main::atlas('Now')


=== TEST 3: which once is enough
--- steps eval
main::compacted() . main::change('Now', 200) . "    & wait_for_it(), faults()\n"
. main::change('Then', 200) . "    & $main::No_folder\n"
. main::atlas('Then')


=== TEST 4: at a start: the file is a new one, and no change is answered for
--- text eval: main::text(@main::Atlas, @main::Atlas)
--- post_setup_server_root eval: main::at_start()
--- steps eval
CORE::join '', main::has_file(), main::not_yet()


=== TEST 5: until the folder is on the disk
--- text eval: main::text(@main::Atlas, @main::Atlas)
--- post_setup_server_root eval: main::at_start()
--- steps eval
main::change('Not yet', $Wassiit::DiskBlocks::Unwritten)
. main::change('Now', 200) . "    & faults()\n"
. main::atlas('Now')
