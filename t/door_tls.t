# conf/nginx.conf with TLS to wap.cm, switched on as its comment says.

use strict;
use warnings;

use lib 't/lib';
use JSON::PP ();
use Wassiit;
use Wassiit::Door;
use Wassiit::DoorBlocks;
use Test::Nginx::Socket;

our $Answer = JSON::PP->new->utf8->encode($Documented);

# A certificate of wap.cm's name, and one of another.

my %file;
for my $name ('wapcm.example', 'other.example') {
    my $dir = test_dir();
    system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$name"
           . " -addext subjectAltName=DNS:$name -keyout $dir/$name.key"
           . " -out $dir/$name.pem > /dev/null 2>&1") == 0
        or die 'openssl';
    for my $part (qw(pem key)) {
        open my $in, '<', "$dir/$name.$part" or die "$name.$part: $!";
        local $/;
        $file{"$name.$part"} = readline $in;
    }
}

my $conf = door_text('nginx.conf');
my ($door, $egress) = split /^(?= *# ---- webhooks: )/m, $conf;
$door =~ s/^(\s*)# (proxy_ssl_\w+ .*;)$/$1$2/mg == 6 or die 'TLS to wap.cm: all of it';
$door =~ s{http://wapcm/}{https://wapcm/}g == 2 or die 'both proxy_pass';

open_door(conf => $door . $egress, files => \%file);

add_block_preprocessor(sub {
    my ($block) = @_;
    my ($name) = $block->certificate =~ /(\S+)/;

    # that wap.cm has, and we trust
    $block->set_value(sandbox => door_text('sandbox.conf')
        =~ s/(listen unix:wapcm\.sock);/$1 ssl; ssl_certificate $name.pem;
             ssl_certificate_key $name.key;/r);
    $block->set_value(conf => sub {
        s{/etc/ssl/certs/ca-certificates\.crt}{$name.pem} or die 'trusted' });
});

log_level('info');
no_long_string();
no_shuffle();
plan('no_plan');
run_tests();

__DATA__

=== TEST 1: wap.cm
--- certificate: wapcm.example
--- ask: POST /automation/ all
--- json eval: $::Answer


=== TEST 2: another one, trusted too
--- certificate: other.example
--- ask: POST /automation/ all
--- allow_log: upstream SSL certificate does not match
--- envelope: 502 bad_gateway
--- error_log: certificate does not match "wapcm.example"
