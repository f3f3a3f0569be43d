package Wassiit::Links;

=head1 NAME

Wassiit::Links - links of Markdown files that lead nowhere

=head1 SYNOPSIS

    use Wassiit::Links qw(dead_links);

    is_deeply([ dead_links('/usr/share/doc/wassiit/README.md') ], [], 'alive');

=head1 dead_links(FILE)

Those of its links that lead to no file or to no heading, but for those to other
hosts.

=cut

use strict;
use warnings;

use Exporter qw(import);
use File::Basename qw(dirname);

our @EXPORT_OK = qw(dead_links);

sub text { my ($file) = @_; open my $in, '<', $file or die "$file: $!\n"; local $/; return <$in> }

# What a heading's text becomes in an address; of those alike, the later ones get
# a number.
sub anchors {
    my ($file) = @_;
    my (%anchor, %seen);
    for (text($file) =~ s{^```.*?^```}{}gmsr =~ m{^#+ (.*)$}mg) {
        (my $anchor = lc) =~ s/[^\w -]//g;
        $anchor =~ tr{ }{-};
        $anchor{ $anchor . ($seen{$anchor}++ ? "-" . ($seen{$anchor} - 1) : '') } = 1;
    }
    return \%anchor;
}

sub dead_links {
    my ($file) = @_;
    my $prose = text($file) =~ s{^```.*?^```}{}gmsr =~ s{`[^`\n]*`}{}gr;
    my @dead;

    for my $link ($prose =~ m{\]\(([^)\s]*)\)}g, $prose =~ m{^\[[^\]]+\]:\s+(\S+)}mg,
                  $prose =~ m{\b(?:src|href)="([^"]*)"}g)
    {
        next if $link =~ /\A(?:https?|mailto):/;
        my ($to, $anchor) = split /#/, $link, 2;
        my $path = $to eq '' ? $file : dirname($file) . "/$to";
        push @dead, $link unless -e $path && (!defined $anchor || anchors($path)->{$anchor});
    }
    return @dead;
}

1;
