package Wassiit::Power;

=head1 NAME

Wassiit::Power - what a power cut leaves of a folder's files

=head1 SYNOPSIS

    my $power = Wassiit::Power->new($seed);
    {
        local @ENV{qw(LD_PRELOAD WASSIIT_POWER)} = $power->preload($folder);
        ...                             # start a server
    }
    my $disk = $power->disk($folder);   # before anything is changed
    ...
    $power->killing(sub { kill 'KILL', $pid; ... });
    my @ends = map { $_->{end} } $power->replay($disk);
    my ($left, $how) = $disk->cut($ends[7]);
    $power->write($folder, $left);

=head1 METHODS

=over

=item new($seed)   draw($n)   any(...)

C<draw> is a whole number below $n, C<any> one of the list: the same for the
same seed, whatever becomes of rand().

=item preload($folder)

The values of LD_PRELOAD and WASSIIT_POWER that have a process, and all that
it starts, record: see t/lib/power.c.

=item control(calls => $n, what => 'write', stage => 0 | 1 | 2, all => 0 | 1,
sync => $microseconds)   died()

Whoever makes the n-th call (of this kind, any without C<what>) from now on dies
before, within or after it, and all of its process group, too, if C<all> is set;
C<died> is its process, or 0. fsync() takes so long from now on.

=item position()   clear()

How long the records are. What was answered before is on the disk after it.
C<clear> forgets them, when no process records.

=item killing($code)

Calls $code while no process is between a call and its record.

=item disk($folder)

A Wassiit::Power::Disk, which holds all that is in the folder now.

=item write($folder, $left)

Has the folder hold these files and no others.

=item replay($disk)

Has the disk know the records. Returns those, each a hash of C<what> and C<end>,
a position. Dies if not all calls that changed the folder were recorded.

=back

=head1 Wassiit::Power::Disk

Durable is what fsync() promised: an inode's bytes by its own, a name by its
folder's. C<cut($position)> decides on the rest of what was recorded before the
position: of an inode's changes, and of the names', none is kept, or the first
ones, or any, or all. Of a write that is the last of the first ones, a part is;
of any, each sector of 512 bytes and the size are kept as they were at some
time. A sector that was never written reads as NULs. Returns what is left, the
bytes by name, and how it was chosen, a text.

=head1 Wassiit::Power::Clerk

A Wassiit::Operators::Clerk that keeps what may be found after a cut: for each
partner of its state's C<history>, by position, the models that it may be as
from then on (undef: it may not be there). C<power> tells the position.
C<allowed($state, $id, $position)> are those, none if it says nothing of the id
until then. C<seen> of the state are the positions at which it was seen what
became of a change that had no answer. With C<creates> its first change makes a
partner.

=cut

use strict;
use warnings;

use Fcntl qw(:flock);
use Storable qw(dclone);
use Wassiit;
use Wassiit::Operators ();

my $Head = 'L2 Q q';
my @What = qw(none create write truncate rename unlink sync folder);

sub new {
    my ($class, $seed) = @_;
    my $dir = test_dir() . '/power';
    my $self = bless { dir => $dir, state => $seed, sync => 0 }, $class;

    mkdir $dir or die "$dir: $!";
    chmod 0755, $dir;
    system(qw(gcc -O2 -Wall -Wextra -Werror -shared -fPIC -o), "$dir/power.so",
           't/lib/power.c') == 0 or die "can't compile t/lib/power.c\n";
    chmod 0755, "$dir/power.so";

    for my $name (qw(records control)) {
        Wassiit::_write("$dir/$name", '');
        chmod 0666, "$dir/$name";
    }
    $self->control;

    return $self;
}


# A linear congruential generator, whose lower bits are poor.

sub draw {
    my ($self, $n) = @_;
    $self->{state} = ($self->{state} * 1103515245 + 12345) % 2**31;
    return int(($self->{state} >> 8) * $n / 2**23);
}

sub any { my ($self, @of) = @_; return $of[ $self->draw(scalar @of) ] }


sub preload {
    my ($self, $folder) = @_;
    my $dir = $self->{dir};
    return ("$dir/power.so", "$folder:$dir/records:$dir/control");
}


# Written in place, as it is mapped by those who read it.

sub control {
    my ($self, %with) = @_;
    $self->{sync} = $with{sync} if defined $with{sync};

    open my $out, '+<:raw', "$self->{dir}/control" or die "control: $!";
    my ($what) = grep { $What[$_] eq ($with{what} // 'none') } 0 .. $#What;
    syswrite($out, pack 'q7', $with{calls} // 0, $what, $with{stage} // 0, $self->draw(257),
             $self->{sync}, $with{all} // 0, 0) == 56 or die "control: $!";
}

sub died { return (unpack 'q7', Wassiit::_read("$_[0]{dir}/control"))[6] }

sub position { return -s "$_[0]{dir}/records" }

sub clear { truncate "$_[0]{dir}/records", 0 or die "records: $!" }


sub killing {
    my ($self, $code) = @_;
    open my $lock, '<', "$self->{dir}/records" or die "records: $!";
    flock $lock, LOCK_EX or die "flock: $!";
    $code->();
}


sub disk {
    my ($self, $folder) = @_;
    my $disk = bless { power => $self, folder => $folder, names => {}, inodes => {},
                       files => [], changes => [] }, 'Wassiit::Power::Disk';

    for my $path (glob "$folder/*") {
        $disk->_create(substr($path, length "$folder/"), (stat $path)[1], Wassiit::_read($path));
    }
    $disk->{now} = { %{ $disk->{names} } };

    return $disk;
}


sub write {
    my ($self, $folder, $left) = @_;
    my ($uid, $gid) = (stat $folder)[4, 5];

    unlink glob "$folder/*";
    for my $name (keys %$left) {
        Wassiit::_write("$folder/$name", $left->{$name}, 0600);
        chown $uid, $gid, "$folder/$name";
    }
}

sub replay {
    my ($self, $disk) = @_;
    my $records = Wassiit::_read("$self->{dir}/records");
    my ($at, @records) = 0;

    while ($at < length $records) {
        my ($size, $what, $inode, $offset) = unpack $Head, substr $records, $at, 24;
        push @records, { what => $What[$what], inode => $inode, at => $offset,
                         data => substr($records, $at + 24, $size - 24), end => $at += $size };
    }

    $disk->_record($_) for @records;
    $disk->_complete;
    return @records;
}


package Wassiit::Power::Disk;

my $Sector = 512;

# Of a file: its bytes at first, and its changes; of the folder: its changes.
# A sync is of those changes that had ended by the time when it began.

sub _create {
    my ($self, $name, $inode, $bytes) = @_;
    push @{ $self->{files} }, { bytes => $bytes, changes => [] };
    $self->{inodes}{$inode} = $self->{names}{$name} = $#{ $self->{files} };
}


sub _record {
    my ($self, $record) = @_;
    my $now = $self->{now};
    my ($name, $to) = split /\0/, $record->{data} if $record->{what} =~ /^(?:create|rename|unlink)$/;

    if ($record->{what} eq 'create') {
        push @{ $self->{files} }, { bytes => '', changes => [] };
        $self->{inodes}{ $record->{inode} } = $now->{$name} = $#{ $self->{files} };
        push @{ $self->{changes} }, { %$record, put => [$name], file => $now->{$name} };

    } elsif ($record->{what} eq 'rename') {
        push @{ $self->{changes} }, { %$record, put => [$to], gone => $name,
                                      file => $now->{$name} };
        $now->{$to} = delete $now->{$name};

    } elsif ($record->{what} eq 'unlink') {
        push @{ $self->{changes} }, { %$record, put => [], gone => $name,
                                      file => delete $now->{$name} };

    } elsif ($record->{what} eq 'folder') {
        push @{ $self->{changes} }, $record;

    } else {
        my $file = $self->{inodes}{ $record->{inode} } // die "a call of an unknown file\n";
        push @{ $self->{files}[$file]{changes} }, $record;
    }
}


sub _complete {
    my ($self) = @_;
    my $folder = $self->{folder};

    my %is = map { my $path = $_; substr($path, length "$folder/") => Wassiit::_read($path) }
             glob "$folder/*";
    my %should = map { $_ => _apply($self->{files}[ $self->{now}{$_} ]{bytes},
                                    @{ $self->{files}[ $self->{now}{$_} ]{changes} }) }
                 keys %{ $self->{now} };

    for my $name (keys %{ { %is, %should } }) {
        die "a change of $name was not recorded\n"
            if ($is{$name} // 'none') ne ($should{$name} // 'none');
    }
}


sub _apply {
    my ($bytes, @changes) = @_;

    for (@changes) {
        my $size = $_->{what} eq 'truncate' ? $_->{at}
                   : $_->{what} eq 'write' ? $_->{at} + length $_->{data} : next;
        my $more = $size - length $bytes;
        $bytes .= "\0" x $more if $more > 0;

        if ($_->{what} eq 'write') {
            substr $bytes, $_->{at}, length $_->{data}, $_->{data};
        } else {
            substr($bytes, $size) = '';
        }
    }

    return $bytes;
}


# What is durable of the changes until a position, and what isn't sure.

sub _divide {
    my ($position, @changes) = @_;
    my @until = grep { $_->{end} <= $position } @changes;
    my $begin = 0;

    for (@until) {
        $begin = $_->{at} if $_->{what} =~ /^(?:sync|folder)$/ && $_->{at} > $begin;
    }
    @until = grep { $_->{what} !~ /^(?:sync|folder)$/ } @until;

    return ([ grep { $_->{end} <= $begin } @until ], [ grep { $_->{end} > $begin } @until ]);
}


sub cut {
    my ($self, $position) = @_;
    my $power = $self->{power};
    my @how = qw(none first any all);
    my $every = $power->draw(3) ? undef : $power->any(@how);
    my (%names, @told);

    my ($sure, $unsure) = _divide($position, @{ $self->{changes} });
    if (@$unsure) {
        my $how = $every // $power->any(@how);
        my $n = $power->draw(@$unsure + 1);
        push @$sure, $how eq 'all' ? @$unsure : $how eq 'first' ? @$unsure[0 .. $n - 1]
                     : $how eq 'any' ? grep { $power->draw(2) } @$unsure : ();
        push @told, 'of ' . join(' ', map { $_->{what} } @$unsure) . ": $how";
    }

    %names = %{ $self->{names} };
    for my $change (@$sure) {
        delete $names{ $change->{gone} }
            if defined $change->{gone} && ($names{ $change->{gone} } // -1) == $change->{file};
        $names{$_} = $change->{file} for @{ $change->{put} };
    }

    my %left;
    for my $name (sort keys %names) {
        my $file = $self->{files}[ $names{$name} ];
        my ($kept, $open) = _divide($position, @{ $file->{changes} });
        my $bytes = _apply($file->{bytes}, @$kept);

        if (@$open) {
            my $how = $every // $power->any(@how);
            $bytes = $how eq 'all' ? _apply($bytes, @$open) : $how eq 'first'
                     ? $self->_first($bytes, @$open) : $how eq 'any'
                     ? $self->_any($bytes, @$open) : $bytes;
            push @told, "of $name, " . join(' ', map { $_->{what} } @$open) . ": $how";
        }

        $left{$name} = $bytes;
    }

    return (\%left, join('; ', @told) || 'all is sure');
}


sub _first {
    my ($self, $bytes, @changes) = @_;
    my $n = $self->{power}->draw(scalar @changes);
    my ($last, @first) = ($changes[$n], @changes[0 .. $n - 1]);

    push @first, { %$last, data => substr $last->{data}, 0,
                   $self->{power}->draw(1 + length $last->{data}) } if $last->{what} eq 'write';

    return _apply($bytes, @first);
}


sub _any {
    my ($self, $bytes, @changes) = @_;
    my $power = $self->{power};
    my @versions = $bytes;
    push @versions, _apply($versions[-1], $_) for @changes;

    my $size = length $versions[ $power->draw(2) ? -1 : $power->draw(scalar @versions) ];
    my $any = '';

    for (my $at = 0; $at < $size; $at += $Sector) {
        my $version = $versions[ $power->draw(scalar @versions) ];
        my $sector = $at < length $version ? substr $version, $at, $Sector : '';
        $any .= $sector . "\0" x ($Sector - length $sector);
    }

    return substr $any, 0, $size;
}


package Wassiit::Power::Clerk;

our @ISA = ('Wassiit::Operators::Clerk');

sub ask {
    my ($self, @request) = @_;

    $self->{from} = $self->{power}->position;
    my $r = $self->SUPER::ask(@request);
    $self->{to} = $self->{power}->position;
    return $r;
}


sub _what {
    my ($self) = @_;
    local $self->{most} = $self->{creates} ? 8 : $self->{most};
    my @what;

    for (1 .. 100) {
        @what = $self->SUPER::_what;
        last if !$self->{creates} || $what[2] eq 'POST' && $what[3] eq '';
    }
    $self->{creates} = 0;

    @$self{qw(about make)} = @what[0, -1];
    return @what;
}


sub _may {
    my ($self, $id, $position, @models) = @_;
    push @{ $self->{state}{history}{$id} },
        [ $position, [ map { defined $_ ? Storable::dclone($_) : undef } @models ] ];
}


sub allowed {
    my ($state, $id, $position) = @_;
    my ($last) = grep { $_->[0] <= $position } reverse @{ $state->{history}{$id} // [] };
    return $last ? @{ $last->[1] } : ();
}


# What was seen is a promise, too, be it seen by whoever asks for nothing else.

sub _look_at {
    my ($self, $id) = @_;
    my ($old, @new) = @{ $self->{state}{unsure}{$id} };

    my $r = $self->ask(GET => "/$id") or return 0;
    my $partner = Wassiit::Operators::_told($r);
    return 1 if $r->status == 503 || Wassiit::Operators::_which($partner, $old);

    if (my $which = Wassiit::Operators::_which($partner, @new)) {
        $self->{state}{unsure}{$id} = $which;
        $self->_may($id, $self->{to}, @$which);
        push @{ $self->{state}{seen} }, $self->{to};
    }

    return 1;
}


sub step {
    my ($self) = @_;
    my $state = $self->{state};

    for my $id (sort keys %{ $state->{unsure} }) {
        $self->_look_at($id) or return !$self->{gone};

        my @models = @{ $state->{unsure}{$id} };
        my $settled = Wassiit::Operators::_settle($state, $id, sub { $self->ask(@_) },
                                                  $self->{mend});
        $self->_may($id, $self->{from}, @models) if $self->{mend};
        return !$self->{gone} if !$settled;
        $self->_may($id, $self->{to}, $state->{partners}{$id});
        push @{ $state->{seen} }, $self->{to} if !$self->{mend};
    }

    $self->{about} = undef;
    my %before = %{ $state->{partners} };
    %before = map { $_ => Storable::dclone($before{$_}) } keys %before;

    my $goes_on = $self->SUPER::step;
    my $id = $self->{about} // return $goes_on;
    my $old = $before{$id};

    if (my $unsure = $state->{unsure}{$id}) {
        $self->_may($id, $self->{from}, @$unsure);
        return $goes_on;
    }

    # what was refused may have been written and taken back
    my $new = $state->{partners}{$id};
    my $tried = $self->{make}->(Wassiit::Operators::copy($old));
    $self->_may($id, $self->{from}, $old, $new, $tried);
    $self->_may($id, $self->{to}, $new);
    return $goes_on;
}

1;
