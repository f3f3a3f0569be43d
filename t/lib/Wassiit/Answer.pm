# Sections for blocks of Test::Nginx, each a test of the whole answer.
#
#   use Wassiit;
#   use Wassiit::Answer;
#   use Test::Nginx::Socket;
#
#   --- problem: 401 missing_key    the module's error as a problem: status, type,
#                                   every member, WWW-Authenticate, Retry-After,
#                                   and an instance that is $request_id if the
#                                   block has X-Instance or X-Request-ID tell it
#   --- envelope: 401 missing_key   the same in the envelope
#   --- realm: partners             the zone's name, if it isn't "api"
#   --- limit: 1000 60 999          the five headers of a limit, each once: how
#                                   many, in how many seconds, what is left
#   --- limit: none                 none of them
#   --- members: id status          the members of a body that is an object, sorted
#   --- pointers: #/to #/text       what is wrong in a payload, in that order
#   --- passed: X-Request-ID        a backend that answers with what it was sent has
#                                   seen this header of the answer, once
#   --- json: TEXT                  the body is this JSON, whatever its order
#   --- logged: TEXT                one line of the access log has it, or matches it
#                                   where it is a pattern (qr, by eval)
#
# With several requests, a list by eval: undef asks nothing of that answer. A
# problem's status is the block's error_code, unless that is given, too.

package Wassiit::Answer;

use strict;
use warnings;

use JSON::PP ();
use Test::More ();
use Wassiit;

# Test::Nginx sleeps three times as long before it looks at a log: "logged" waits
# for its line.
BEGIN { $ENV{TEST_NGINX_SLEEP} //= 0.005 }

my @LIMIT = qw(RateLimit-Policy RateLimit X-RateLimit-Limit
               X-RateLimit-Remaining X-RateLimit-Reset);
my %EXTRA = (insufficient_scope => 'required_scopes', invalid_payload => 'errors',
             rate_limited => 'violated-policies');
my %REFUSAL = map { $_ => 1 } qw(missing_key invalid_key expired_key missing_signature
    invalid_signature stale_timestamp rate_limited);

INIT { _hook() }

sub _hook {
    no warnings qw(once redefine prototype);
    my $check = \&Test::Nginx::Socket::check_response_body;

    Test::Nginx::Util::add_block_preprocessor(sub {
        my ($block) = @_;
        my ($form) = grep { defined $block->$_ } qw(problem envelope) or return;
        my $errors = $block->$form;
        $block->set_value(error_code => ref $errors
                          ? [ map { defined $_ ? /(\d+)/ : 200 } @$errors ] : $errors =~ /(\d+)/)
            unless defined $block->error_code;
    });

    *Test::Nginx::Socket::check_response_body = sub ($$$$$$) {
        my ($block, $res, undef, $index) = @_;

        for my $section (qw(problem envelope limit members pointers passed json)) {
            my $expected = $block->$section;
            $expected = $expected->[$index] if ref $expected;
            next unless defined $expected;

            my @words = split ' ', $expected;
            my @wrong = $section eq 'limit' ? wrong_limit($res, @words)
                : $section eq 'members' ? wrong_members($res, @words)
                : $section eq 'pointers' ? wrong_pointers($res, @words)
                : $section eq 'passed' ? wrong_passed($res, @words)
                : $section eq 'json' ? wrong_json($res, $expected)
                : wrong_error($res, $section, $block->realm // 'api', @words);
            Test::More::ok(!@wrong, $block->name . " - $section $expected")
                or Test::More::diag("wrong: @wrong\n", $res->as_string);
        }

        $check->(@_);
    };

    my $check_log = \&Test::Nginx::Socket::check_access_log;

    *Test::Nginx::Socket::check_access_log = sub ($$$) {
        my ($block) = @_;

        if (defined(my $text = $block->logged)) {
            chomp $text;
            my $pattern = ref $text ? $text : qr{\Q$text\E};
            my @lines;
            wait_for { @lines = grep { $_ =~ $pattern } @{ Test::Nginx::Util::access_log_data() } };
            Test::More::is(scalar @lines, 1, $block->name . " - one line of the log is $text");
        }

        $check_log->(@_);
    };
}


# What is wrong with an answer.

sub wrong_error {
    my ($res, $form, $realm, $status, $code) = @_;
    my $json = eval { JSON::PP->new->utf8->decode($res->content) } // {};
    my $data = $form eq 'problem' ? $json : $json->{data} // {};
    my @extra = $EXTRA{$code} // ();
    my (@wrong, %header);

    chomp($realm);
    $header{$_} = join ', ', $res->header($_)
        for qw(Content-Type Content-Length WWW-Authenticate Retry-After);
    my $check = sub { push @wrong, $_[1] unless $_[0] };
    my $members = sub { join ' ', sort keys %{ $_[0] } };

    if ($form eq 'problem') {
        my $type = $code eq 'rate_limited'
            ? 'https://iana.org/assignments/http-problem-types#quota-exceeded' : 'about:blank';
        $check->($header{'Content-Type'} eq 'application/problem+json', 'Content-Type');
        $check->($members->($json) eq join(' ', sort @extra,
                     qw(type title status code detail instance)), 'members');
        $check->(($json->{code} // '') eq $code, 'code');
        $check->($res->content =~ /"status":$status,/, 'status in the body');
        $check->(!ref $json->{title} && length($json->{title} // ''), 'title');
        $check->(($json->{type} // '') eq $type, 'type');
    } else {
        $check->($header{'Content-Type'} eq 'application/json', 'Content-Type');
        $check->($res->content =~ /\A\{"success":false,"status":$status,"message":"$code",
                                   "data":\{"detail":"/x, 'body');
        $check->($members->($json) eq 'data message status success', 'members');
        $check->($members->($data) eq join(' ', sort @extra, qw(detail instance)),
                 'members of data');
    }

    $check->(!ref $data->{detail} && length($data->{detail} // ''), 'detail');
    $check->(($data->{instance} // '') =~ /\A[0-9a-f]{32}\z/, 'instance');
    for my $name (qw(X-Instance X-Request-ID)) {
        my @told = $res->header($name) or next;
        $check->("@told" eq $data->{instance}, "instance and $name");
    }

    $check->($res->code == $status, 'status ' . $res->code);
    $check->($header{'Content-Length'} eq length $res->content, 'Content-Length')
        unless $res->header('Transfer-Encoding') || $res->header('Content-Encoding');
    $check->(ref $data->{$_} eq 'ARRAY', $_) for @extra;
    $check->("@{ $data->{'violated-policies'} // [] }" eq 'default', 'violated-policies')
        if $code eq 'rate_limited';

    my $ours = $REFUSAL{$code};
    $check->($header{'WWW-Authenticate'} eq ($ours && $status == 401
             ? qq(ApiKey realm="$realm") : ''), 'WWW-Authenticate');
    $check->($header{'Retry-After'} =~ ($ours && $status == 429 ? qr/^[1-9]\d*$/ : qr/^$/),
             'Retry-After') if $code ne 'too_many_requests';
    $check->($header{'Retry-After'} == $res->header('X-RateLimit-Reset'),
             'Retry-After and X-RateLimit-Reset')
        if $code eq 'rate_limited' && $res->header('X-RateLimit-Reset');

    return @wrong;
}


# The reset is what it should be, or less where time has passed since the window
# began.

sub wrong_limit {
    my ($res, $limit, $seconds, $left) = @_;
    my %told = map { $_ => join ', ', $res->header($_) } @LIMIT;

    return grep { $told{$_} ne '' } @LIMIT if $limit eq 'none';

    my $reset = $told{'X-RateLimit-Reset'};
    return 'X-RateLimit-Reset' if $reset !~ /\A\d+\z/ || $reset < ($seconds > 1)
                                  || $reset > $seconds;

    my %expected = ('RateLimit-Policy' => qq("default";q=$limit;w=$seconds),
                    RateLimit => qq("default";r=$left;t=$reset),
                    'X-RateLimit-Limit' => $limit, 'X-RateLimit-Remaining' => $left);
    return grep { $told{$_} ne $expected{$_} } sort keys %expected;
}


sub wrong_members {
    my ($res, @expected) = @_;
    my $json = eval { JSON::PP->new->utf8->decode($res->content) } // {};
    my @members = ref $json eq 'HASH' ? sort keys %$json : 'no object';
    return "@members" eq "@expected" ? () : "@members";
}


sub wrong_pointers {
    my ($res, @expected) = @_;
    my $json = eval { JSON::PP->new->utf8->decode($res->content) } // {};
    my @pointers = map { $_->{pointer} } @{ ($json->{data} // $json)->{errors} // [] };
    return "@pointers" eq "@expected" ? () : "pointers @pointers";
}


sub wrong_passed {
    my ($res, $name) = @_;
    my @told = $res->header($name);
    my @seen = $res->content =~ /^\Q$name\E: *(.*?)\r$/gmi;
    return @told == 1 && "@seen" eq "@told" ? () : "$name, told @told, seen @seen";
}


sub wrong_json {
    my ($res, $expected) = @_;
    my $json = JSON::PP->new->utf8->canonical;
    my $got = eval { $json->encode($json->decode($res->content)) } // 'no JSON';
    return $got eq $json->encode($json->decode($expected)) ? () : 'json';
}

1;
