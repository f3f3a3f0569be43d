package Wassiit::Steps;

=head1 NAME

Wassiit::Steps - blocks of Test::Nginx that ask several things in a row

=head1 SYNOPSIS

    use lib 't/lib';
    use Wassiit;
    use Test::Nginx::Socket;
    use Wassiit::Steps;             # behind it

    admin_blocks();
    run_tests();

    __DATA__

    === TEST 1: a key that was made works
    --- steps
    ops POST partners {"id":"rif"} => 201 ~ "id":"rif"
        Location: /admin/partners/rif
    {key} GET / => 200 ~ ^rif$

=head1 A STEP

    WHO METHOD URI [BODY] => STATUS [CODE] [@ POINTER ...] [~ REGEX]

WHO is what X-API-Key says: C<ops> and C<clerk> are operators, C<-> sends none,
anything else is the key itself. A URI without a slash in front is below
/admin/. A CODE stands for a problem of the module's; C<@> tells all pointers
of its C<errors>, in their order. Lines below it that begin with blanks:

    > Name: value       is sent, too
    Name: value         the answer has this header, once
    Name:               it doesn't
    Name ~: REGEX       its value is like that
    Name !: VALUE       its value is another
    ~ REGEX   ! REGEX   its body is like that, or isn't
    = ID ... [> NEXT]   it is a page of these partners, and where the next begins
    & CODE              Perl that runs before it is sent: a clock, a file

Each answer below /admin/ has to say C<Cache-Control: no-store>, once.

C<{key}>, C<{id}>, C<{etag}>, C<{length}> are, in a URI, a header and what is
expected, the last key, key's id, ETag and length that an answer of the block has
shown; C<{key1}> is the first of them. C<{hmac_secret}>, C<{webhook_secret}>: so are
these. C<{sha256}> is of the last key, C<{now}> a time of this block, C<{signature}>
what the last webhook_secret makes of the body that was sent.

C<E<gt> X-API-Signature: by SECRET> signs the request, with the timestamp; C<by openssl
SECRET> does it as the shell line of wap.cm's guide.

No key and no secret of the block's may stand in an answer to a GET below /admin/
or in a log: a test fails if one does.

=head1 FUNCTIONS

C<admin_blocks(partners =E<gt> [...], config =E<gt> ..., http =E<gt> ...)> gives the
blocks these partners, unless a block has its own (or a C<text> of that file), and a
front door with an admin endpoint, unless it has a C<config>: zone "api" has the
partners, C<zone_size> large, zone "ops" guards the endpoint; C</file> is the
partners' file, C</send> asks for messages.send. C<files =E<gt> {...}> lie beside it.
It also says how many tests there are.

=cut

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex);
use Exporter qw(import);
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX ();
use Test::More ();
use Wassiit;

our @EXPORT = qw(admin_blocks);

our %KEYS = (ops => make_key('an operator'), clerk => make_key('one who may only look'),
             '-' => undef);

our $HTTP = <<'END';
    wassiit_zone zone=api:1m file=partners.jsonl;
    wassiit_zone zone=ops:1m file=ops.jsonl;
    wassiit_scopes partners.manage;
END

our $CONFIG = <<'END';
    wassiit_access api;
    location / { try_files /none @ok; }
    location /send { wassiit_scope messages.send; try_files /none @ok; }
    location @ok {
        add_header X-Name $wassiit_partner_name;
        add_header X-Key $wassiit_key_id;
        return 200 $wassiit_partner;
    }
    location /admin/ {
        wassiit_access ops;
        wassiit_scope partners.manage;
        wassiit_admin api;
    }
    location = /file { wassiit_access off; alias $TEST_NGINX_SERVROOT/conf/partners.jsonl; }
END

# What answers of this block have shown; what none may; what was answered to GET; what
# is to run before each request, how many there were, and the body of the last.
my (%shown, @secrets, $read, $begun, $partners, $files, $text);
my (@before, $asked, $sent);


sub admin_blocks {
    my (%with) = (config => $CONFIG, http => $HTTP, partners => [], @_);

    Test::Nginx::Util::add_block_preprocessor(sub {
        my ($block) = @_;
        my $config = $block->config // $with{config};

        $block->set_value(partners => join "\n",
                          map { Wassiit::_partner_line($_) } @{ $with{partners} })
            unless defined $block->partners;
        $partners = $block->partners;
        my $size = $block->zone_size // '1m';

        $block->set_value(http_config => $with{http} =~ s{:1m file=partners}{:$size file=partners}r
                          . ($block->http_config // ''));
        $block->set_value(config =>
                          $config =~ s/\$TEST_NGINX_SERVROOT/$ENV{TEST_NGINX_SERVROOT}/gr);
        $block->set_value(post_setup_server_root => 'Wassiit::Steps::_begin();'
                          . ($block->post_setup_server_root // ''));
        $files = $with{files};
        $text = $block->text;
        _expand($block) if defined $block->steps;
    });

    Test::Nginx::Socket::log_level('info');
    Test::Nginx::Socket::no_long_string();
    Test::Nginx::Socket::no_shuffle();
    Test::Nginx::Socket::no_root_location();
    Test::More::plan(tests => planned_tests() + _planned_steps());
}


# A step is a status, a header and a body; its block stood for one request until now.

sub _planned_steps {
    my $count = 0;

    for my $block (grep { defined $_->steps } Test::Nginx::Socket::blocks()) {
        my $logs = grep { defined $block->$_ } qw(error_log no_error_log);
        my $steps = () = $block->steps =~ /^\S/mg;
        $count += 3 * $steps - 1 + $logs * ($steps - 1);
    }

    return $count;
}


sub _begin {
    (%shown, @secrets) = ();
    ($read, $begun, $asked, $sent) = ('', time, 0, '');
    for my $line (split /\n/, $partners) {
        push @secrets, $line =~ /"(?:sha256|(?:hmac|webhook)_secret)":"([^"]+)"/g;
        push @secrets, $1, key_sha256($1) if $line =~ /"key":"([^"]+)"/;
    }

    Wassiit::_write("$ENV{TEST_NGINX_SERVROOT}/conf/partners.jsonl", $text) if defined $text;
    Wassiit::_write("$ENV{TEST_NGINX_SERVROOT}/conf/$_", $files->{$_}) for keys %{ $files // {} };
    partners_file("$ENV{TEST_NGINX_SERVROOT}/conf/ops.jsonl",
        partner('ops', $KEYS{ops}, scopes => ['partners.manage'], rate => '50000r/s'),
        partner('clerk', $KEYS{clerk}, scopes => ['conversations.read'], rate => '50000r/s'));
}


# The sections of Test::Nginx that say what the steps do: a value for each.

sub _expand {
    my ($block) = @_;
    my %list;
    @before = ();

    for my $step (_parse($block->name, $block->steps)) {
        my $body = $step->{body};
        $body = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } unpack('(a1000)*', $body), ''
            if grep { $_ eq 'Transfer-Encoding: chunked' } @{ $step->{sends} };

        push @before, $step->{before};
        push @{ $list{request} }, "$step->{method} $step->{uri}\n$body";
        push @{ $list{more_headers} }, join "\n", @{ $step->{sends} };
        push @{ $list{error_code} }, $step->{status};
        push @{ $list{raw_response_headers_like} }, Wassiit::Steps::Later->new(@{ $step->{head} });
        push @{ $list{response_body_like} }, Wassiit::Steps::Later->new(@{ $step->{like} });
    }

    for my $section (keys %list) {
        my $values = $list{$section};
        $block->set_value($section => @$values == 1 ? $values->[0] : $values);
    }
}


# Signed with the key that it has.

sub _signed {
    my ($request, $how, $secret) = @_;
    my ($key) = $request =~ /^X-API-Key: (\S+)\r$/m;
    local @ENV{qw(API_SECRET MESSAGE)} = ($secret, $key . time);
    my $line = 'echo -n "$MESSAGE" | openssl dgst -sha256 -hmac $(echo $API_SECRET | base64 -d)'
             . ' -binary | base64';
    my $signature = $how ? `$line`
        : encode_base64(hmac_sha256($ENV{MESSAGE}, decode_base64($secret)), '');

    chomp $signature;
    return "X-API-Timestamp: " . substr($ENV{MESSAGE}, length $key)
           . "\r\nX-API-Signature: $signature\r\n";
}


sub _parse {
    my ($name, $text) = @_;
    my @steps;

    for my $line (grep { /\S/ } split /\n/, $text) {
        if ($line =~ s/^\s+//) {
            _add($steps[-1], $line) or die "$name: what is this? $line\n";
            next;
        }

        my ($request, $answer) = $line =~ /^(.*) => (.*)$/;
        my ($who, $method, $uri, $body) = ($request // '') =~ /^(\S+) ([A-Z]+) (\S+)(?: (.*))?$/;
        my ($status, $code, $pointers, $more) = ($answer // '') =~
            /^(\d+)(?: ([a-z_]+))?(?: @((?: \S+)+?))?(?: ([~=].*))?$/;
        die "$name: no step: $line\n" unless defined $uri && defined $status;

        my $key = exists $KEYS{$who} ? $KEYS{$who} : $who;
        $uri = "/admin/$uri" if $uri !~ m{^/};

        push @steps, my $step = { method => $method, uri => $uri, body => $body // '',
            status => $status, sends => [], before => [], head => ['^'], like => ['^'] };
        push @{ $step->{sends} }, "X-API-Key: $key" if defined $key;
        _add($step, 'Cache-Control: no-store') if $uri =~ m{^/\w+/};
        _add($step, 'Content-Type: application/problem+json') if defined $code;
        _add($step, qq(~ "code":"$code")) if defined $code && $method ne 'HEAD';
        _add($step, $more) if defined $more;
        push @{ $step->{like} }, _pointers(split ' ', $pointers) if defined $pointers;
    }

    return @steps;
}


sub _add {
    my ($step, $line) = @_;

    if ($line =~ /^([~!]) (.*)/) {
        push @{ $step->{like} }, ($1 eq '~' ? '(?=' : '(?!') . ".*?(?m-s:$2))";

    } elsif ($line =~ /^=(.*?)(?: > (\S+))?$/) {
        push @{ $step->{like} }, _page($2, split ' ', $1);

    } elsif ($line =~ /^& (.*)/) {
        push @{ $step->{before} }, $1;

    } elsif ($line =~ /^> (.*)/) {
        push @{ $step->{sends} }, $1;

    } elsif ($line =~ /^([\w-]+) ([~!]): (.*)/) {
        my ($name, $is, $value) = ($1, $2 eq '~', $3);
        push @{ $step->{head} }, $is ? "(?=.*^(?i:$name): (?m-s:$value)\\r?\$)"
            : "(?=.*^(?i:$name): (?!\Q$value\E\\r?\$))";

    } elsif ($line =~ /^([\w-]+):(?: (.*))?$/) {
        my ($name, $value) = ($1, $2);
        push @{ $step->{head} }, defined $value
            ? "(?=.*^(?i:$name): \Q$value\E\\r?\$)(?!.*^(?i:$name):.*^(?i:$name):)"
            : "(?!.*^(?i:$name):)";

    } else {
        return 0;
    }

    return 1;
}


sub _pointers {
    my $string = '"(?:[^"\\\\]|\\\\.)*"';
    return '(?=.*"errors":\[' . join(',', map { qq(\\{"pointer":"\Q$_\E","detail":$string\\}) } @_)
           . '\])';
}


sub _page {
    my ($next, @ids) = @_;
    return '(?=\{"partners":\[' . join(',', map { qq(\\{"id":"\Q$_\E"[^{}]*\\}) } @ids)
           . '\],"next":' . (defined $next ? qq("\Q$next\E") : 'null') . '\}$)';
}


# What an answer has shown is put in the place of its name as late as it can be.

my %of = (sha256 => [ key => \&key_sha256 ],
          signature => [ webhook_secret => sub { hmac_sha256_hex($sent, $_[0]) } ]);

sub shown {
    my ($text, $is_regex) = @_;

    my $names = join '|', qw(key id etag length instance hmac_secret webhook_secret), keys %of;
    $text =~ s{\\?\{($names|now)(\d*)\\?\}}{
        if ($1 eq 'now') {
            '(?:' . join('|', map { _iso($_) } $begun - 2 .. time) . ')';
        } else {
            my ($name, $make) = @{ $of{$1} // [ $1, sub { $_[0] } ] };
            my $value = ($shown{$name} // [])->[$2 eq '' ? -1 : $2 - 1];
            $value = defined $value ? $make->($value) : "no $name$2";
            $is_regex ? quotemeta $value : $value;
        }
    }gex;
    return $text;
}


sub _iso { return POSIX::strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $_[0]) }


sub _look {
    my ($request, $answer) = @_;
    my ($head, $body) = split /\r\n\r\n/, $answer // '', 2;
    return unless defined $body;

    $read .= $body if $request =~ m{^GET /\w+/};
    push @{ $shown{etag} }, $1 if $head =~ /^ETag: (\S+)\r?$/mi;
    push @{ $shown{length} }, $1 if $head =~ /^Content-Length: (\d+)\r?$/mi;
    push @{ $shown{instance} }, $1 if $body =~ /"instance":"([0-9a-f]{32})"/;
    if ($body =~ /"((?:hmac|webhook)_secret)":"([^"]+)"/) {
        push @{ $shown{$1} }, $2;
        push @secrets, $2;
    }
    return unless $body =~ /"key":"(wst_\w+)"/;

    my $key = $1;
    push @secrets, $key, key_sha256($key);
    $key = 'no checksum' if crc_base62(substr $key, 0, 36) ne substr $key, 36;
    push @{ $shown{key} }, $key;
    push @{ $shown{id} }, $body =~ /"keys":\[\{"id":"([^"]+)"/ ? $1
                          : ($body =~ /"id":"([^"]+)"/)[0];
}


# Nothing that was shown once, or to no one, stands where it could be read.

sub _keeps_secrets {
    my ($name) = @_;
    my %where = ('an answer to GET' => $read,
                 map { ("$_.log" => Wassiit::_read("$ENV{TEST_NGINX_SERVROOT}/logs/$_.log")) }
                     qw(error access));

    for my $place (sort keys %where) {
        Test::More::fail("$name - no key, digest or secret is in $place")
            if grep { index(lc $where{$place}, lc) >= 0 } @secrets;
    }
}


INIT {
    no warnings qw(redefine prototype once);
    my $send = \&Test::Nginx::Socket::send_request;
    my $end = $Test::Nginx::Util::CheckShutdownErrorLog;

    *Test::Nginx::Socket::send_request = sub {
        my ($packets, @more) = @_;
        my @now = map { { %$_, value => shown($_->{value}) } } @$packets;

        for my $code (@{ $before[$asked++] // [] }) {
            eval "package main; no strict; $code; 1" or die "$code: $@";
        }
        $now[0]{value} =~ s/^X-API-Signature: by (openssl |)(\S+)\r\n/_signed($`, $1, $2)/me;
        ($sent) = $now[0]{value} =~ /\r\n\r\n(.*)/s;
        my @answer = &$send(\@now, @more);

        _look($now[0]{value}, $answer[0]);
        return @answer;
    };

    $Test::Nginx::Util::CheckShutdownErrorLog = sub {
        my ($block) = @_;
        _keeps_secrets($block->name) if defined $block->steps;
        $end->(@_);
    };
}



package Wassiit::Steps::Later;

use overload '""' => sub { '(?sm)' . Wassiit::Steps::shown(join('', @{ $_[0] }), 1) },
    fallback => 1;

sub new { my ($class, @parts) = @_; return bless [@parts], $class }

1;
