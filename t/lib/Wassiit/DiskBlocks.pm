package Wassiit::DiskBlocks;

=head1 NAME

Wassiit::DiskBlocks - blocks of Test::Nginx whose partners' file can't be written

=head1 SYNOPSIS

    use lib 't/lib';
    use Wassiit;
    use Test::Nginx::Socket;
    use Wassiit::DiskBlocks;        # behind it

    sub fails { refused($_[0], "faults('fsync file 5')", 'faults()') }
    disk_blocks();
    run_tests();

    __DATA__

    === TEST 1: nobody is made
    --- steps eval: main::fails('create')

=head1 FUNCTIONS

C<refused(KIND, FAIL, MEND)> gives the steps of a change that is refused once the Perl of
FAIL has run, and made once that of MEND has. KIND is create, patch, add, hmac, webhook,
revoke, rotate or delete. What is refused changes neither the file nor the zone, nor which
keys work. With C<dead =E<gt> 1> the file has more at its end meanwhile, and another change
is refused, too. C<text =E<gt> TEXT> is what the file says at first, if not what people()
has it say.

C<disk_blocks(...)> gives the blocks their servers: C<admin_blocks> of
L<Wassiit::Steps>, with workers that may write the file and the log lines that this
causes. C<partners =E<gt> [...]> are others than C<people()>.

C<faults(LINE, ...)> has calls fail as t/lib/faults.c says; without any, all is well.

C<$File> is the partners' file, C<text(PARTNER, ...)> what it says of these.

=cut

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();
use Test::Nginx::Socket ();
use Wassiit;
use Wassiit::Faults;
use Wassiit::Steps;

our @EXPORT = qw(refused disk_blocks faults text people same known $File);

our $File = "$ENV{TEST_NGINX_SERVROOT}/conf/partners.jsonl";
our $Unwritten = q(507 insufficient_storage ~ "detail":"The partners' file can't be written);

my $Json = JSON::PP->new->canonical->allow_nonref;
@ENV{keys %Faulty} = values %Faulty;
$ENV{TEST_NGINX_LD_PRELOAD} = $Faulty{LD_PRELOAD};

# Each kind of change: its request, its status, and what holds then.

my %Kinds = (
    create => [ 'POST partners {"id":"new","rate":"9r/m"}', '201', '{key} GET / => 200 ~ ^new$' ],
    patch => [ 'PATCH partners/atlas {"rate":"500r/h","name":"New"}',
               '200 ~ "name":"New".*"rate":"500r/h"' ],
    add => [ 'POST partners/atlas/keys', '201', '{key} GET / => 200', 'atlas-key GET / => 200' ],
    hmac => [ 'POST partners/atlas/hmac_secret', '201 ~ "hmac_secret":"[^"]+"' ],
    webhook => [ 'POST partners/atlas/webhook_secret', '201 ~ "webhook_secret":"[^"]+"' ],
    revoke => [ 'DELETE partners/atlas/keys/k2', '204', 'atlas-key-2 GET / => 401 invalid_key',
                'atlas-key GET / => 200' ],
    rotate => [ 'POST partners/atlas/keys/rotate {"grace":"0"}', '201', '{key} GET / => 200',
                'atlas-key GET / => 401 invalid_key' ],
    delete => [ 'DELETE partners/rif', '204', 'rif-key-1 GET / => 401 invalid_key' ],
);


# A step with Perl before it.

sub _after { my ($code, $first, @steps) = @_; return ($first . "\n    & $code", @steps) }


sub refused {
    my ($kind, $fail, $mend, %with) = @_;
    my ($request, $status, @then) = @{ $Kinds{$kind} // die "$kind: no kind\n" };
    my $was = join '\n', (map { quotemeta } split /\n/, $with{text} // text(people())), '';
    my @file = ("- GET /file => 200 ~ \\A$was" . ($with{dead} ? '' : '\z'));

    return join "\n", _after($fail, "ops $request => $Unwritten"), same(),
        ($with{dead} ? (@file, qq(ops PATCH partners/p1 {"name":"At $kind"} => $Unwritten), same(),
                        _after($mend, same()))
                     : (_after($mend, @file), same())),
        "ops $request => $status", @then,
        "- GET /file => 200 ~ \\A$was\[^\\n]+\\n\\z", '';
}


# Who is in the file.

sub people {
    return ({ id => 'p1', rate => '1r/h' }, partner('rif', 'rif-key-1', rate => '50r/h'),
            partner('atlas', [ 'atlas-key', 'atlas-key-2' ], name => 'Atlas', rate => '1000r/h'));
}

sub text { return join '', map { Wassiit::_partner_line($_) . "\n" } @_ }


# Who is in the zone, all that it knows of them, but for what requests change, and whose
# keys work.

sub same {
    return ('ops GET partners => 200 = atlas p1 rif', (map { known($_) } people()),
            map { /^(\w+)/ ? "$_ GET / => 200 ~ ^$1\$" : () } qw(atlas-key atlas-key-2 rif-key-1));
}

sub known {
    my ($record) = @_;
    my %is = (scopes => [], %{ $Json->decode(Wassiit::_partner_line($record)) });
    my ($name, $scopes, $rate) = map { $Json->encode($_) } @is{qw(name scopes rate)};
    my $secret = sub { qq("has_$_[0]_secret":false,"former_$_[0]_secret_expires":null,) };

    my $keys = join ',', map {
        qq(\\{"id":"$_->{id}","created":null,"expires":null,"last_used":)
            . '(?:null|"[^"]+")\}'
    } @{ $is{keys} // [] };
    my $body = quotemeta qq({"id":"$is{id}","name":$name,"enabled":true,"scopes":$scopes,)
        . qq("rate":$rate,"keys":[);

    return "ops GET partners/$is{id} => 200 ~ \\A$body$keys\\],"
           . $secret->('hmac') . $secret->('webhook') . '"window":';
}


sub disk_blocks {
    my (%with) = @_;
    my $allow = '\[crit\] .*(?:partners\.jsonl|fsync\(\) of the folder)';

    # Test::Nginx warns of what the log has to have here
    my $warn = $SIG{__WARN__} // sub { warn @_ };
    $SIG{__WARN__} = sub { $warn->(@_) if $_[0] !~ /$allow/ };

    # a process alone starts no thread; of two, one sees what the other has left
    Test::Nginx::Socket::master_on();
    Test::Nginx::Socket::workers(2);
    $Test::Nginx::Util::WorkerUser = 'nobody ' . getgrgid((getpwnam 'nobody')[3]) if $> == 0;

    Test::Nginx::Util::add_block_preprocessor(sub {
        my ($block) = @_;
        faults();
        $block->set_value(allow_log => $allow) unless defined $block->allow_log;
        $block->set_value(post_setup_server_root => ($block->post_setup_server_root // '')
                          . 'Wassiit::DiskBlocks::_give_away();') if $> == 0;
    });
    admin_blocks(partners => [ people() ], %with);
}


# Root's workers are another's, as root may write whatever it likes.

sub _give_away {
    my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
    chown $uid, $gid, $File =~ s{/[^/]+\z}{}r, glob "$ENV{TEST_NGINX_SERVROOT}/conf/*.jsonl";
}


1;
