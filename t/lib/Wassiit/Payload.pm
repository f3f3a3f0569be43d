# Bodies for wassiit_payload, good and broken, and what becomes of them.
#
#   our $Backend = Wassiit::Backend->echo;
#   payload_blocks();                   # before planned_tests()
#   plan tests => planned_tests();
#
#   === TEST 1: a message without a text
#   --- kind: message
#   --- broken eval
#   [ [ ::object(to => $::TO), '#/text is missing; it must be ...' ] ]
#
# Each section is a list; "broken" and "accepted" are sent as the kind's type:
#
#   broken    bodies with their faults, a text "POINTER DETAIL" or a pattern for
#             all of it; the same body passes where there is no rule
#   accepted  bodies that arrive at the backend byte for byte
#   posts     { type, body, headers, uri, method, chunks }, any of it; without
#             these it is the kind's good body, of its type, to its location
#   told      what these get: undef for those that arrive, else the text of a
#             refusal, "STATUS CODE\nDETAIL\n" or "400 invalid_payload\n" with
#             a line for each fault, or a list of these lines and patterns; in
#             an envelope "envelope " goes before. A plain text is what all get.
#
# A refusal is one of application/problem+json, in ASCII, and the backend isn't
# asked. $Locations are one of each kind, and /plain, which has no rule.

package Wassiit::Payload;

use strict;
use warnings;

use Encode qw(encode_utf8);
use Exporter qw(import);
use JSON::PP ();

our @EXPORT = qw(payload_blocks object part form $B $TO $E164 %TYPE %Automation
                 %Good $Locations);

our ($B, $TO) = ('b0undary', '+237670000000');
our $E164 = 'must be a phone number such as "+212600000000" '
    . '(E.164: "+" and 7 to 15 digits, the first not 0)';

our %TYPE = (map({ ($_ => 'application/json') } qw(message call automation)),
             map({ ($_ => "multipart/form-data; boundary=$B") } qw(audio document)));

our %Automation = (reference => 17, country => 'CM', recipient => '670000000',
                   scheduled => '2025-09-29T12:40:14.590Z');

our $Locations = "add_header X-Upstream \$upstream_addr always;\n" . join "\n",
    map({ "location /$_ { wassiit_payload $_; proxy_pass http://\$TEST_NGINX_BACKEND; }" }
            sort keys %TYPE),
    'location /plain { proxy_pass http://$TEST_NGINX_BACKEND; }', '';

my $JSON = JSON::PP->new->utf8->canonical->allow_nonref;

sub object { return $JSON->encode({ @_ }) }

# A part of a form: a name and what is in it. A form is of these, and of headers
# as they are written.

sub part {
    my ($name, $content, %with) = @_;
    my $file = defined $with{file} ? "; filename=\"$with{file}\"" : '';
    my $type = defined $with{type} ? "Content-Type: $with{type}\r\n" : '';
    return "Content-Disposition: form-data; name=\"$name\"$file\r\n$type\r\n$content";
}

sub form { return join('', map { "--$B\r\n$_\r\n" } @_) . "--$B--\r\n" }

our %Good = (
    message => object(to => $TO, text => "h\x{e9}, \x{1f600}"),
    call => object(to => $TO, type => 'voice'),
    automation => object(%Automation),
    audio => form(part('to', $TO), part('file', 'x', file => 'a.mp3')),
    document => form(part('file', '%PDF', file => 'a.pdf'), part('to', $TO)),
);


# No check here looks for what a log gets after the answer: blocks of many
# requests needn't wait for it after each.

sub payload_blocks {
    $Test::Nginx::Util::TestNginxSleep = 0.002;

    for my $block (Test::Nginx::Socket::blocks()) {
        my @posts = _posts($block) or next;

        for my $post (@posts) {
            my $of = { uri => '/' . $block->kind, type => $TYPE{ $block->kind },
                       body => $Good{ $block->kind }, method => 'POST' };
            $post = { %$of, %$post };
        }

        _set($block, request => map { "$_->{method} $_->{uri}\n" . _body($_) } @posts);
        _set($block, more_headers => map { _headers($_) } @posts);
        _set($block, error_code => map { _status($_->{told}) } @posts);
        _set($block, response_body => map { _expected($_) } @posts);
        _set($block, raw_response_headers_like => map { _header($_->{told}) } @posts);
        _set($block, raw_response_headers_unlike => map {
            defined $_->{told} ? qr/^X-Upstream:/m : qr/^Transfer-Encoding:/m } @posts);
        $block->set_value(response_body_filters => \&_told);
    }
}

sub _set {
    my ($block, $name, @values) = @_;
    $block->set_value($name => \@values);
}

sub _posts {
    my ($block) = @_;
    my ($told, @posts) = ($block->told);

    for my $name (qw(broken accepted posts)) {
        die $block->name . ": $name: " . $block->$name
            if defined $block->$name && ref $block->$name ne 'ARRAY';
    }

    for my $row (@{ $block->broken // [] }) {
        my ($body, @faults) = @$row;
        push @posts, { body => $body, told => ['400 invalid_payload', @faults] },
                     { body => $body, told => undef, uri => '/plain' };
    }

    push @posts, map { { body => $_, told => undef } } @{ $block->accepted // [] };
    push @posts, map { { %$_, told => ref $told eq 'ARRAY' ? shift @$told : $told } }
                     @{ $block->posts // [] };
    return @posts;
}

sub _body {
    my ($post) = @_;
    my $body = $post->{body} // '';
    return $body unless $post->{chunks};
    return join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
                        unpack("(a$post->{chunks})*", $body), '';
}

sub _headers {
    my ($post) = @_;
    my $type = defined $post->{type} ? "Content-Type: $post->{type}\n" : '';
    my $length = $post->{chunks} ? "Transfer-Encoding: chunked\n"
               : defined $post->{body} ? 'Content-Length: ' . length($post->{body}) . "\n" : '';
    return $type . ($post->{headers} // '') . $length;
}

sub _status {
    my ($told) = @_;
    return 200 unless defined $told;
    return ((ref $told ? $told->[0] : $told) =~ /(\d+)/)[0];
}

sub _header {
    my ($told) = @_;
    return qr/^X-Upstream: 127/m unless defined $told;
    return qr{^Content-Type: application/json\r}m if !ref $told && $told =~ /\Aenvelope/;
    return qr{^Content-Type: application/problem\+json\r}m;
}

sub _expected {
    my ($post) = @_;
    my $told = $post->{told};
    return "arrived\n" . ($post->{body} // '') unless defined $told;
    return encode_utf8($told) unless ref $told;
    return encode_utf8(join '', map { "$_\n" } @$told) unless grep { ref } @$told;

    my $lines = join '', map { ref $_ ? "(?:$_)\n" : quotemeta encode_utf8("$_\n") } @$told;
    return qr/\A$lines\z/;
}


# What came back, as "told" says it; as it is, if it is nothing of that.

sub _told {
    my ($body) = @_;

    if (my ($head, $sent) = $body =~ /\A([A-Z]+ \S+ HTTP.*?\r\n)\r\n(.*)\z/s) {
        my $length = $head =~ /^Content-Length: (\d+)\r$/mi ? $1 : 0;
        return $length == length $sent && $head !~ /^Transfer-Encoding/mi
               ? "arrived\n$sent" : $body;
    }

    my $json = $body =~ /\A[\x20-\x7f]+\z/ ? eval { $JSON->decode($body) } : undef;
    return $body unless ref $json eq 'HASH';

    my ($form, $in, $code) = ('', $json, $json->{code});
    if (exists $json->{success}) {
        return $body if "@{[sort keys %$json]}" ne 'data message status success'
                        || $json->{success};
        ($form, $in, $code) = ('envelope ', $json->{data}, $json->{message});
    }

    return $body if exists $in->{errors} && $in->{detail} !~ /\berrors\b/;
    my @errors = @{ $in->{errors} // [] };
    return $body if grep { "@{[sort keys %$_]}" ne 'detail pointer' } @errors;
    my @lines = exists $in->{errors} ? map({ "$_->{pointer} $_->{detail}" } @errors)
                                     : $in->{detail};
    return encode_utf8(join '', map { "$_\n" } "$form$json->{status} $code", @lines);
}

1;
