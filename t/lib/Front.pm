package Front;

=head1 NAME

Front - what the suites about the zone, reloads and workers share

=head1 FUNCTIONS (all exported)

=over

=item front_conf(zone => '1m', workers => 1, http => '', server => '', ...)

A configuration: the zone "api" of partners.jsonl (C<zone> is its size, C<rate>
its default rate, C<zones> stands in place of the whole directive), a server
at %%PORT%% whose C</> asks for a key, C</read> for the scope
conversations.read besides, and C</open> for nothing. Every answer tells X-Pid,
X-Partner, X-Name, X-Key and X-Scopes. C<main>, C<http>, C<server> and
C<location> (for C</>) are put where they say, C<listen> after the port;
C<access> is the zone, if it isn't "api".

=item ask($server, $key, %request)   verdict($response)

One request with this key; what became of it: "200", "401 invalid_key", ...;
"closed" if the server closed without an answer. C<left($response)> is
X-RateLimit-Remaining.

=item flood($port, \%request, ...)

Sends each on a connection of its own, all of them before the first answer is
read; returns the answers.

=item take($server, $key, $n)

$n requests one after the other, all admitted; the last one's remaining.

=back

=head1 Front::Traffic

C<start { ... }> calls the block again and again in a process of its own and
counts what it returns; it comes back when the first call is through. C<stop>
ends it and gives the counts.

=cut

use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use Wassiit;

our @EXPORT = qw(front_conf ask verdict left flood take);


sub front_conf {
    my (%with) = (zone => '1m', workers => 1, main => '', http => '',
                  server => '', location => '', listen => '',
                access => 'api', @_);
    my $rate = $with{rate} ? " rate=$with{rate}" : '';
    my $zones = $with{zones}
        // "wassiit_zone zone=api:$with{zone} file=partners.jsonl$rate;";

    return <<"END";
worker_processes $with{workers};
$with{main}
http {
    $zones
    $with{http}
    add_header X-Pid \$pid always;
    add_header X-Partner \$wassiit_partner always;
    add_header X-Name \$wassiit_partner_name always;
    add_header X-Key \$wassiit_key_id always;
    add_header X-Scopes \$wassiit_scopes always;

    server {
        listen %%PORT%%$with{listen};
        wassiit_access $with{access};
        $with{server}

        location / { $with{location} empty_gif; }
        location /read { wassiit_scope conversations.read; empty_gif; }
        location /open { wassiit_access off; empty_gif; }
    }
}
END
}


sub ask {
    my ($server, $key, %request) = @_;
    my $port = ref $server ? $server->port : $server;

    return http($port, headers => ['X-API-Key' => $key], %request);
}


sub verdict {
    my ($r) = @_;

    return 'closed' unless defined $r;
    return $r->status
        if ($r->header('Content-Type') // '') ne 'application/problem+json';
    return $r->status . ' ' . $r->json->{code};
}


sub left { $_[0]->header('X-RateLimit-Remaining') }


sub flood {
    my ($port, @requests) = @_;
    my @clients = map { Wassiit::Client->new($port) } @requests;

    for my $n (0 .. $#clients) {
        $clients[$n]->send($clients[$n]->request_bytes(close => 1,
                                                       %{ $requests[$n] }));
    }

    return map { $_->response(close => 1) } @clients;
}


sub take {
    my ($server, $key, $n) = @_;
    my $r;

    for (1 .. $n) {
        $r = ask($server, $key);
        croak 'refused: ' . verdict($r) if $r->status != 200;
    }

    return left($r);
}


package Front::Traffic;

use IO::Handle;
use JSON::PP ();
use POSIX ();

sub start (&) {
    my ($code) = @_;
    pipe my $in, my $out or die "pipe: $!";
    my $parent = $$;
    my $pid = fork // die "fork: $!";

    if ($pid) {
        close $out;
        my $self = bless { pid => $pid, in => $in, owner => $$ };
        sysread $in, my $first, 1 or die "no traffic: $!";
        return $self;
    }

    my ($stop, %seen);
    $SIG{TERM} = sub { $stop = 1 };
    $SIG{INT} = $SIG{HUP} = 'DEFAULT';
    close $in;

    for (my $n = 0; !$stop && getppid == $parent; $n++) {
        my $what = eval { $code->() };
        $seen{ $what // "died: $@" }++;
        syswrite $out, '.' unless $n;
    }

    $out->print(JSON::PP->new->utf8->encode(\%seen));
    $out->flush;
    POSIX::_exit(0);
}


sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'TERM', $pid;
    my $text = do { local $/; readline $self->{in} };
    waitpid $pid, 0;
    return JSON::PP->new->utf8->decode($text);
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    $self->stop if $self->{owner} == $$;
}

1;
