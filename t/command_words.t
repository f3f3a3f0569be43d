#!/usr/bin/env perl
# What the help, the manual and the completion of wassiit say: the same words, and
# what bash offers for a line that was begun.

use strict;
use warnings;

use lib 't/lib';
use Cwd qw(abs_path);
use Test::More;
use Wassiit;
use Wassiit::Command;

my $dir = test_dir();
my $completion = abs_path('conf/bin/wassiit.bash');
my $manual = slurp('conf/bin/wassiit.1') =~ s/\\-/-/gr =~ s/\\f[BIR]//gr;
my %of_help = map { $_ => wassiit('/bin/dash', [ $_, '--help' ])->{out} } qw(key check partner import backup restore);

sub options { my ($text) = @_; my %all = map { $_ => 1 } $text =~ /(?<![\w-])(--[a-z]+(?:-[a-z]+)*)/g; return sort keys %all }


# ---- the manual

SKIP: {
    my @manuals = qw(conf/bin/wassiit.1 conf/debian/ngx_http_wassiit_module.7);
    skip 'no groff', scalar @manuals if system('command -v groff > /dev/null') != 0;
    is(qx(groff -t -ww -man -Tutf8 -z $_ 2>&1), '', "$_ is well-formed") for @manuals;
}
for my $command (sort keys %of_help) {
    my @missing = grep { $manual !~ /\Q$_\E\b/ } options($of_help{$command});
    is_deeply(\@missing, [], "the manual has each option of $command");
}
my @known = options(join ' ', values %of_help);
is_deeply([ grep { my $o = $_; !grep { $_ eq $o } @known, qw(--config --help --version --format) } options($manual) ], [],
          'and no other');
my %files = map { $_ => 1 } slurp('conf/bin/wassiit') =~ /\b(WASSIIT_[A-Z_]+)/g,
    map { slurp($_) =~ /\b(WASSIIT_[A-Z_]+)/g } glob 'conf/bin/lib/*.sh';
delete $files{WASSIIT_VERSION};
is_deeply([ grep { $manual !~ /\b$_\b/ } sort keys %files ], [], 'the manual has each variable of the environment');


# ---- completion

# What bash offers for the last word of a line.
sub offers {
    my ($line) = @_;
    my @words = split / /, $line, -1;
    spew("$dir/complete", <<'END');
. "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
compopt() { :; }
_wassiit
printf '%s\n' "${COMPREPLY[@]}"
END
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        chdir $dir or die "$dir: $!";
        exec 'bash', "$dir/complete", $completion, @words or die "bash: $!";
    }
    my @offered = grep { /./ } map { chomp; $_ } <$out>;
    return sort @offered;
}

is_deeply([ offers('wassiit ') ], [ sort qw(key check partner import backup restore help --help --version) ], 'commands');
is_deeply([ offers('wassiit pa') ], ['partner'], 'the rest of one');
spew("$dir/partners.jsonl", '');
spew("$dir/a file", '');
for my $command (sort keys %of_help) {
    my @missing = $command eq 'partner'
        ? () : grep { my $o = $_; !grep { $_ eq $o } "--format", offers("wassiit $command --") } options($of_help{$command});
    is_deeply(\@missing, [], "each option of $command");
}
my %partner = map { map { $_ => 1 } offers("wassiit partner $_ x --") } offers('wassiit partner ');
is_deeply([ grep { !$partner{$_} } options($of_help{partner}) ], [], 'each option of partner');
my @verbs = grep { !/^--/ } offers('wassiit partner ');
is_deeply([ grep { $of_help{partner} !~ /\b\Q$_\E\b/ } @verbs ], [], 'its words');
for my $verb (@verbs) {
    my @wrong = grep { wassiit('/bin/dash', [ 'partner', $verb, $_ ])->{err} =~ /unknown option/ } offers("wassiit partner $verb --");
    is_deeply(\@wrong, [], "$verb takes each that is offered");
}
is_deeply([ offers('wassiit check par') ], ['partners.jsonl'], 'files');
is_deeply([ offers('wassiit partner list --key-file par') ], ['partners.jsonl'], 'files of an option');
is_deeply([ offers('wassiit import --from ') ], [qw(apisix kong map)], 'a value of a few');
is_deeply([ offers('wassiit partner add x --scopes mess') ], ['messages.send'], 'scopes');
is_deeply([ offers('wassiit partner show ') ], [], 'no ids: nobody is asked for them');

done_testing;
