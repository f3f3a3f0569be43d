# Bodies of every kind that the module looks at, and a server that does, for the
# suites of HTTP/2 and HTTP/3: in which frames they go is theirs.
#
#   my $uploads = Wassiit::Uploads->new('listen %%PORT%% http2;');
#   for my $kind ($uploads->kinds) {
#       my $body = $uploads->body($kind, 5000);
#       ... a POST of it to "/$place/$kind", with $uploads->headers($kind, $body) ...
#       my %seen = $uploads->seen(1);
#
# Places: memory, file, only. The kind "plain"
# is a mere proxy_pass. headers() with a third argument are those of a wrong
# signature. seen() lets the backend answer so many requests: the body of each,
# by its header X-Case, undef if it isn't signed where it should be.

package Wassiit::Uploads;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use Wassiit ();
use Wassiit::Backend;

my $JSON_MAX = 65536;

my %place = (
    memory => 'client_body_buffer_size 512k;',
    file => 'client_body_buffer_size 4k;',
    only => 'client_body_in_file_only clean;',
);

my %kind = (
    plain => '',
    verify => 'wassiit_webhook_verify secret_file=in.secret;',
    sign => 'wassiit_webhook_sign secret_file=out.secret header=X-Out;',
    message => 'wassiit_payload message;',
    audio => 'wassiit_payload audio;',
);

sub places { return sort keys %place }
sub kinds { return sort keys %kind }

sub new {
    my ($class, $server) = @_;
    my $backend = Wassiit::Backend->new;
    my $locations = '';

    for my $place (keys %place) {
        $locations .= "location /$place/$_ { $place{$place} $kind{$_} proxy_pass http://127.0.0.1:"
            . $backend->port . "; }\n" for keys %kind;
    }

    return bless {
        backend => $backend,
        server => Wassiit::Server->start(
            # to look at a body for so many secrets takes several turns
            files => { 'in.secret' => join("\n", 1 .. 47, "in", ""), 'out.secret' => "out\n" },
            conf => <<"END"),
worker_processes 1;
# by HTTP/3: whatever has come, instead of a datagram between other events
events { multi_accept on; }
http {
    client_max_body_size 0;
    server {
        $server
        listen %%PORT_2%%;
        $locations
        location = / { return 204; }
    }
}
END
    }, $class;
}

sub server { return $_[0]{server} }
sub port { return $_[0]{server}->port }

# Returns when the worker has seen to what came before.

sub turn { return Wassiit::http($_[0]{server}->port(2), uri => "/") }

sub body {
    my ($self, $kind, $size) = @_;
    my ($head, $tail) = ('', '');

    ($head, $tail) = ('{"to":"+212600000000","text":"x","more":"', '"}') if $kind eq 'message';
    ($head, $tail) = (join("\r\n", '--edge', 'Content-Disposition: form-data; name="to"', '', '+212600000000',
        '--edge', 'Content-Disposition: form-data; name="file"; filename="a.ogg"', '', 'x'), "\r\n--edge--\r\n")
        if $kind eq 'audio';

    $size = $JSON_MAX if $kind eq 'message' && $size > $JSON_MAX;
    $size -= length "$head$tail";
    $size = 0 if $size < 0;
    return $head . substr('all sorts of bytes ' x (1 + $size / 19), 0, $size) . $tail;
}

sub headers {
    my ($self, $kind, $body, $wrong) = @_;
    return ('content-type' => 'application/json') if $kind eq 'message';
    return ('content-type' => 'multipart/form-data; boundary=edge') if $kind eq 'audio';
    return ('x-wassiit-signature' => hmac_sha256_hex($body, $wrong ? 'wrong' : 'in')) if $kind eq 'verify';
    return ();
}

sub seen {
    my ($self, $n) = @_;
    my %seen;

    for (1 .. $n) {
        my ($head, $body) = $self->{backend}->receive('http') =~ /\A(.*?\r\n\r\n)(.*)\z/s;
        my ($case) = $head =~ /^X-Case: (\S+)/mi;
        my @signed = $head =~ /^X-Out: (\w+)/mig;
        my $right = $head =~ m{\APOST /\w+/sign } ? hmac_sha256_hex($body, 'out') : '';

        $seen{ $case // '' } = "@signed" eq $right ? $body : undef;
    }

    return %seen;
}

1;
