# A text that Prometheus scrapes, format 0.0.4, taken apart.
#
#   my $e = Wassiit::Exposition->new($text);
#   $e->faults                  what is wrong with it, a line each
#   $e->faults_since($before)   what may not be, beside an earlier one
#   $e->value('name', label => 'value', ...)
#   $e->samples('name')         [ value, { label => value } ], ...
#   $e->type('name')            counter, gauge, histogram
#
# promtool says nothing of a metric whose lines stand apart, nor of a sample that
# is there twice, nor can it compare two texts.

package Wassiit::Exposition;

use strict;
use warnings;

sub new {
    my ($class, $text) = @_;
    my $self = bless { faults => [], type => {}, help => {}, samples => [],
                       value => {}, seen => {}, last => '' }, $class;

    $self->_fault('no newline at its end') if $text !~ /\n\z/;
    $self->_line($_) for split /\n/, $text, -1;
    $self->_histograms;
    return $self;
}

sub faults { @{ $_[0]{faults} } }
sub type { $_[0]{type}{$_[1]} }
sub types { $_[0]{type} }

sub samples {
    my ($self, $name) = @_;
    return map { [ @$_{qw(value labels)} ] } grep { $_->{name} eq $name } @{ $self->{samples} };
}

sub value {
    my ($self, $name, %labels) = @_;
    return $self->{value}{ _key($name, \%labels) };
}

sub _fault { push @{ $_[0]{faults} }, $_[1] }

sub _key {
    my ($name, $labels) = @_;
    return join "\0", $name, map { ($_, $labels->{$_}) } sort keys %$labels;
}

sub _line {
    my ($self, $line) = @_;

    if ($line =~ /\A# (HELP|TYPE) (\w+) (.+)\z/) {
        my ($what, $name, $text) = (lc $1, $2, $3);
        $self->_fault("$name: $what stands twice") if defined $self->{$what}{$name};
        $self->_fault("$name: $what stands behind its samples") if $self->{seen}{$name};
        $self->{$what}{$name} = $text;
        $self->_enter($name) if $what eq 'type';

    } elsif ($line =~ /\A([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)\z/) {
        $self->_sample($1, $2 // '', $3);

    } elsif ($line ne '') {
        $self->_fault("not a line of an exposition: $line");
    }
}

# All lines of a metric stand together.

sub _enter {
    my ($self, $family) = @_;
    return if $self->{last} eq $family;
    $self->_fault("$family: stands in several places") if $self->{entered}{$family}++;
    $self->{last} = $family;
}

sub _labels {
    my ($self, $text, $line) = @_;
    my %labels;

    while ($text =~ /\G([a-zA-Z_]\w*)="((?:[^"\\]|\\[\\"n])*)"(?:,(?=.)|\z)/gc) {
        my ($name, $value) = ($1, $2);
        $self->_fault("$line: label $name stands twice") if exists $labels{$name};
        $labels{$name} = $value =~ s/\\(.)/$1 eq 'n' ? "\n" : $1/ger;
    }

    $self->_fault("$line: labels can't be read") if (pos($text) // 0) != length $text;
    return \%labels;
}

sub _sample {
    my ($self, $name, $text, $value) = @_;
    my $labels = $self->_labels($text, "$name\{$text}");
    my ($base) = $name =~ /\A(.+)_(?:bucket|sum|count)\z/;
    my $family = $base && ($self->{type}{$base} // '') eq 'histogram' ? $base : $name;
    my $type = $self->{type}{$family} // '';
    my $key = _key($name, $labels);

    $self->_enter($family);
    $self->{seen}{$family} = 1;
    $self->_fault("$name: has no TYPE") if !$type;
    $self->_fault("$name: has no HELP") if !defined $self->{help}{$family};
    $self->_fault("$name: a counter's name ends in _total, no other's")
        if ($type eq 'counter') != ($name =~ /_total\z/ ? 1 : 0);
    $self->_fault("$name\{$text}: stands twice") if exists $self->{value}{$key};
    $self->_fault("$name\{$text}: $value is no number")
        if $value !~ /\A-?\d+(?:\.\d+)?(?:e[+-]\d+)?\z/;
    $self->_fault("$name\{$text}: $value of something")
        if $type ne 'gauge' && $name !~ /_sum\z/ && $value !~ /\A\d+\z/;

    $self->{value}{$key} = $value;
    push @{ $self->{samples} }, { name => $name, family => $family, labels => $labels,
                                  value => $value, text => "$name\{$text}" };
}

sub _histograms {
    my ($self) = @_;
    my %buckets;

    for (grep { $_->{name} eq "$_->{family}_bucket" } @{ $self->{samples} }) {
        my %labels = %{ $_->{labels} };
        my $le = delete $labels{le};
        $self->_fault("$_->{text}: has no le") if !defined $le;
        push @{ $buckets{ _key($_->{family}, \%labels) }{all} }, [ $le // '', $_->{value} ];
        @{ $buckets{ _key($_->{family}, \%labels) } }{qw(family labels)} = ($_->{family}, \%labels);
    }

    for my $h (values %buckets) {
        my ($family, $labels, @all) = ($h->{family}, $h->{labels}, @{ $h->{all} });
        my $last = $all[-1];

        $self->_fault("$family: +Inf isn't its last bucket") if $last->[0] ne '+Inf';
        $self->_fault("$family: +Inf isn't its count")
            if $last->[1] ne ($self->value("${family}_count", %$labels) // 'none');
        $self->_fault("$family: has no sum") if !defined $self->value("${family}_sum", %$labels);

        for my $i (1 .. $#all) {
            $self->_fault("$family: le=$all[$i][0] isn't behind $all[$i - 1][0]")
                if $all[$i][0] ne '+Inf' && $all[$i][0] <= $all[$i - 1][0];
            $self->_fault("$family: le=$all[$i][0] has less than $all[$i - 1][0]")
                if $all[$i][1] < $all[$i - 1][1];
        }
    }
}

# A series is there again, and no counter has gone backwards. A histogram whose
# le is written in another way is another series.

sub faults_since {
    my ($self, $before) = @_;
    my @faults;

    for (@{ $before->{samples} }) {
        my $now = $self->value($_->{name}, %{ $_->{labels} });
        if (!defined $now) {
            push @faults, "$_->{text}: is gone";
        } elsif ($before->{type}{ $_->{family} } ne 'gauge' && $now < $_->{value}) {
            push @faults, "$_->{text}: from $_->{value} to $now";
        }
    }

    return @faults;
}

1;
