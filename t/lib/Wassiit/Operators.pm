package Wassiit::Operators;

=head1 NAME

Wassiit::Operators - what the suites about many operators at once share

=head1 SYNOPSIS

    my $server = start_operators(partners => [ partner('atlas', $key) ]);
    my $crew = Wassiit::Operators::Crew->start(16, sub {
        my ($n, $stop) = @_;
        my $clerk = Wassiit::Operators::Clerk->new(port => $server->port,
            admin => $server->port(2), name => "c$n", seed => $seed + $n);
        $clerk->step for 1 .. 60;
        return $clerk->state;
    });
    my @states = $crew->results;
    is_deeply([ faults($server, @states) ], [], 'all is as was acknowledged');

=head1 FUNCTIONS (all exported)

=over

=item operators_conf(workers => 4, zone => '8m', main => '', http => '')

Partners are let in at %%PORT%%: C</> takes any key, C</read> asks for the
scope conversations.read, C</signed> for a signature, C</open> for nothing.
Answers tell X-Pid, X-Partner, X-Name and X-Scopes. The admin endpoint is
C</admin/> at %%PORT_2%%, open to $Operator.

=item start_operators(partners => [...], conf => ..., allow_log => ...)

=item admin($client | $port, $method, $path, $body)

One request below C</admin/partners>; $body is encoded. A port: on a
connection of its own.

=item admin_again($client | $port, $method, $path, $body)

The same for a change. Where a disk stalls, it may be answered 503 "Nothing was
changed" once it has waited for another's as long as one waits: then it is sent
again. A 503 that comes sooner is the answer.

=item waited_in_vain($r, $seconds)

Is this answer, after so many seconds, such a 503?

=item is_late($r, $seconds)

Is this answer, after so many seconds, a 202 because other nodes, edge-1 to
edge-9, didn't make the change in the second for which they are waited for? They
make it later, as where a disk stalls.

=item reload_again($server)

As C<$server-E<gt>reload>, and again while it is refused because a worker has
the file locked.

=item kill_all($server)   revive($server)

Kills master and workers at one instant, and waits until the last of them is
gone. Starts nginx anew on the same folder, where C<nginx -t> must find nothing
wrong; dies if either fails.

=item boot($server)

Starts it without C<nginx -t>.

=item in_file($server)

The partners as the file has them: the last line of an id counts. Dies if a
line is no JSON.

=item edit($server)

As an editor, puts a new file with the same partners in place of theirs.

=item settle($server, $state, %how)

Finds out what became of the changes that weren't answered. Each of them is
there as a whole or not at all; what isn't so is a fault of the state.
C<mend =E<gt> 1>: there were workers killed, and what one has left half-done is
for the next change of anyone to complete, so one is made before we look.

=item faults($server, $state, ...)

Compares the states with what the admin endpoint tells, what the file holds
and which keys are let in: what is wrong, a line each, and what was wrong
before.

=item test_seed()

TEST_SEED, or a new one; tells it as a diagnostic line.

=back

=head1 Wassiit::Operators::Clerk

C<new(port, admin, name, seed, state, mend, check, most)>; C<step> makes one change
of a partner of its own, of which there are C<most> (4), whose ids begin with its name, and keeps a model of
what was acknowledged. It returns false if there is no server any more.
C<check>: after an answer, what it says is looked for at once.
C<state> is its model, plain data, which another clerk can go on from:

    partners  by id: name, enabled, scopes, rate, hmac, webhook; keys (by id:
              key, graced) and expired (by id) ones; a value that we were
              never told is "?"
    unsure    by id: what it may be, null if it may not be there
    known     keys that were told, with the id of their partner
    done      how often what was done
    faults    what must not be

=head1 Wassiit::Operators::Crew

C<start($n, sub { my ($n, $stop) = @_; ... })> calls it in $n processes, 0 to
$n-1; C<$stop-E<gt>()> is true in them as soon as C<stop> was called here.
C<running> tells how many there still are; C<results> waits for them and gives
what the functions have returned, plain data; dies if one has died.

=cut

use strict;
use warnings;

use Exporter qw(import);
use IO::Socket::INET;
use JSON::PP ();
use MIME::Base64 ();
use Digest::SHA ();
use Test::More ();
use Wassiit;

our @EXPORT = qw(operators_conf start_operators admin admin_again waited_in_vain is_late reload_again
                 kill_all revive boot in_file edit settle faults test_seed $Operator);

our $Operator = make_key('an operator');
our $File = 'state/partners.jsonl';

my $Json = JSON::PP->new->utf8->canonical->allow_nonref;


sub operators_conf {
    my (%with) = (workers => 4, zone => '8m', main => '', http => '', server => '', @_);

    return <<"END";
worker_processes $with{workers};
$with{main}
events { worker_connections 1024; }
http {
    wassiit_scopes partners.manage;
    wassiit_zone zone=partners:$with{zone} file=$File;
    wassiit_zone zone=operators:1m file=operators.jsonl;
    keepalive_requests 1000000;
    $with{http}
    add_header X-Pid \$pid always;
    add_header X-Partner \$wassiit_partner always;
    add_header X-Name \$wassiit_partner_name always;
    add_header X-Scopes \$wassiit_scopes always;

    server {
        listen %%PORT%% reuseport;
        wassiit_access partners;
        $with{server}

        location / { empty_gif; }
        location /read { wassiit_scope conversations.read; empty_gif; }
        location /signed { wassiit_auth hmac; empty_gif; }
        location /open { wassiit_access off; empty_gif; }
    }

    server {
        listen %%PORT_2%% reuseport;

        location /admin/ {
            wassiit_access operators;
            wassiit_scope partners.manage;
            wassiit_admin partners;
        }
    }
}
END
}


sub start_operators {
    my (%with) = @_;

    return Wassiit::Server->start(
        conf => $with{conf} // operators_conf(),
        allow_log => $with{allow_log},
        files => {
            $File => $with{partners} // [],
            'operators.jsonl' => [
                partner('ops', $Operator, scopes => ['partners.manage'], rate => '1000000r/s') ],
        });
}


sub _request {
    my ($method, $path, $body) = @_;

    return (method => $method, uri => "/admin/partners$path",
            headers => ['X-API-Key' => $Operator],
            body => defined $body ? $Json->encode($body) : undef);
}


sub admin {
    my ($to, @request) = @_;
    my %request = _request(@request);

    return ref $to ? $to->request(%request) : http($to, %request);
}


sub admin_again {
    my (@request) = @_;
    my $r;

    wait_for {
        my $start = Wassiit::_now();
        $r = admin(@request);
        !waited_in_vain($r, Wassiit::_now() - $start);
    };

    return $r;
}


# The module waits for 2 s, by a clock that its worker reads now and then.

sub waited_in_vain {
    my ($r, $seconds) = @_;

    return $r && $r->status == 503 && $r->body =~ /Nothing was changed/ && $seconds > 1;
}


sub is_late {
    my ($r, $seconds) = @_;

    return $r->status == 202 && $seconds > 0.9
           && !grep { !/^edge-\d$/ } @{ $r->json->{pending} };
}


sub reload_again {
    my ($server) = @_;
    my $refusal;

    wait_for { ($refusal = $server->reload) !~ /is locked by another process/ };
    return $refusal;
}


sub test_seed {
    my $seed = $ENV{TEST_SEED} // int(rand 1e6);
    Test::More::diag("TEST_SEED=$seed");
    return $seed;
}


# ---- a server that is killed

# Master and workers are one process group: no worker is left to be asked.

sub kill_all {
    my ($server) = @_;

    kill 'KILL', -$server->{pid};
    waitpid $server->{pid}, 0;
    wait_for { !_alive($server->{pid}) } or die "a worker outlives SIGKILL\n";
}


sub _alive {
    my ($group) = @_;

    for my $stat (glob '/proc/[0-9]*/stat') {
        return 1 if Wassiit::_read($stat) =~ /\) ([^ZX]) \d+ (\d+) /s && $2 == $group;
    }

    return 0;
}


sub revive {
    my ($server) = @_;
    my $dir = $server->dir;

    my ($exit, undef, $error) = Wassiit::_run(Wassiit::_command($dir), '-t');
    die "nginx -t: exit code $exit\n$error\n" if $exit != 0;

    boot($server);
}


sub boot {
    my ($server) = @_;
    my $dir = $server->dir;

    unlink "$dir/logs/nginx.pid";
    open my $log, '>>', "$dir/logs/stderr" or die "stderr: $!";
    delete @$server{qw(ended status)};
    $server->{pid} = Wassiit::_spawn($log, $log, qw(setpriv --pdeathsig TERM),
                                     Wassiit::_command($dir), '-g', 'daemon off;');

    wait_for { $server->_has_ended || $server->_serves };
    return if !$server->_has_ended && $server->_serves;
    die 'nginx did not start again: ' . $server->error_log;
}


# ---- what is there

sub in_file {
    my ($server) = @_;
    my $text = Wassiit::_read($server->dir . "/conf/$File");
    my %partners;

    for my $line (split /\n/, $text) {
        my $record = eval { $Json->decode($line) } // die "no JSON: $line\n";
        $partners{ $record->{id} } = $record;
        delete $partners{ $record->{id} } if $record->{deleted};
    }

    return \%partners;
}


sub edit {
    my ($server) = @_;
    my $path = $server->dir . "/conf/$File";
    my ($uid, $gid) = (stat $path)[4, 5];

    Wassiit::_write("$path.edited", Wassiit::_read($path), 0600);
    chown $uid, $gid, "$path.edited";
    rename "$path.edited", $path or die "$path: $!";
}


sub copy { return defined $_[0] ? $Json->decode($Json->encode($_[0])) : undef }

sub _text { return defined $_[0] ? $Json->encode($_[0]) : 'nothing' }


# What is different from the model; '' if nothing is. An expired key may be
# taken out to make room; "new" allows one more key that we weren't told of.

sub differs {
    my ($partner, $model) = @_;

    return '' if !$partner && !$model;
    return 'it is there' if !$model;
    return 'it is not there' if !$partner;

    my %is = (name => $partner->{name}, rate => $partner->{rate},
              enabled => $partner->{enabled} // 1 ? 1 : 0,
              scopes => join(' ', sort @{ $partner->{scopes} // [] }),
              hmac => $partner->{has_hmac_secret} ? 1 : 0,
              webhook => $partner->{has_webhook_secret} ? 1 : 0);
    my %should = (%$model, scopes => join(' ', sort @{ $model->{scopes} }),
                  map { $_ => defined $model->{$_} ? 1 : 0 } qw(hmac webhook));
    $should{name} //= $is{name};

    for my $field (sort keys %is) {
        return "$field: " . ($is{$field} // 'none') if ($is{$field} // '') ne $should{$field};
    }

    my %keys = map { $_->{id} => $_ } @{ $partner->{keys} };
    my @more;

    for my $id (sort keys %{ $model->{keys} }) {
        my $key = delete $keys{$id} or return "no key $id";
        return "key $id expires: $key->{expires}"
            if defined $key->{expires} && !$model->{keys}{$id}{graced};
        return "key $id does not expire"
            if !defined $key->{expires} && $model->{keys}{$id}{graced};
    }

    for my $id (sort keys %keys) {
        push @more, $id and next if !$model->{expired}{$id};
        return "key $id does not expire" if !defined $keys{$id}{expires};
    }

    return '' if @more == ($model->{new} ? 1 : 0);
    return @more ? "keys @more" : 'no new key';
}


# The same for the file, which has all that was told as well.

sub _differs_in_file {
    my ($record, $model) = @_;

    my %partner = $record ? (%$record, has_hmac_secret => defined $record->{hmac_secret},
                             has_webhook_secret => defined $record->{webhook_secret}) : ();
    my $differs = differs($record && \%partner, $model);
    return $differs if $differs ne '' || !$model;

    my %keys = map { $_->{id} => $_->{sha256} } @{ $record->{keys} };
    for my $id (keys %{ $model->{keys} }) {
        my $key = $model->{keys}{$id}{key};
        return "key $id is another" if $key ne '?' && lc $keys{$id} ne key_sha256($key);
    }

    # the last one that was made: of webhooks, it may be yet to take over
    my %secret = (hmac => $record->{hmac_secret},
                  webhook => $record->{next_webhook_secret}
                             ? $record->{next_webhook_secret}{value} : $record->{webhook_secret});

    for my $what (qw(hmac webhook)) {
        my $secret = $model->{$what} // '?';
        return "another $what secret" if $secret ne '?' && $secret{$what} ne $secret;
    }

    return '';
}


# What the endpoint says of a partner: what differs from all else if it's neither
# a partner nor that there is none.

sub _told {
    my ($r) = @_;
    return $r->status == 404 ? undef : $r->status == 200 ? $r->json
           : { name => 'answered ' . $r->status, keys => [], enabled => 'unknown' };
}


# The model that the partner is as, with what it tells us; undef: none of them.

sub _which {
    my ($partner, @models) = @_;

    for (@models) {
        next if differs($partner, $_) ne '';
        my $model = copy($_) or return [undef];

        my $new = delete $model->{new};
        for my $key (@{ $partner->{keys} }) {
            $model->{keys}{ $key->{id} } //= { key => '?' }
                if $new && !$model->{expired}{ $key->{id} };
        }

        $model->{name} = $partner->{name};
        return [$model];
    }

    return undef;
}


# Returns false if no answer came.

sub _settle {
    my ($state, $id, $ask, $mend) = @_;
    my @models = @{ $state->{unsure}{$id} };

    if ($mend) {
        # whether it will have been changed by this is one thing more to know
        $_ and $_->{name} = undef for @models;
    }

    my $r = $ask->($mend ? ('PATCH', "/$id", { name => 'settled' }) : ('GET', "/$id"));
    return 0 if !$r || $r->status == 503;

    my $partner = _told($r);
    my $which = $r->status =~ /^(?:200|404)$/ ? _which($partner, @models) : undef;

    if (!$which) {
        push @{ $state->{faults} }, "$id is neither what it was nor what it should become: "
            . $r->status . ' ' . $r->body . ': ' . join '; ', map {
                differs($partner, $_) . ' for ' . _text($_) } @models;
    }

    delete $state->{unsure}{$id};
    _adopt($state, $id, $which->[0]);
    return 1;
}


sub _adopt {
    my ($state, $id, $model) = @_;

    if ($model) {
        $state->{partners}{$id} = $model;
    } else {
        delete $state->{partners}{$id};
    }
}


sub settle {
    my ($server, $state, %how) = @_;
    my $client = Wassiit::Operators::Visitor->new($server->port(2));

    for my $id (sort keys %{ $state->{unsure} }) {
        wait_for { _settle($state, $id, sub { admin($client, @_) }, $how{mend}) }
            or die "$id: no answer\n";
    }
}


sub _signature {
    my ($secret, $text) = @_;
    return MIME::Base64::encode_base64(
        Digest::SHA::hmac_sha256($text, MIME::Base64::decode_base64($secret)), '');
}


# What a request with this key should come to, '' if it does.

sub refused {
    my ($client, $id, $model, $key, $is_live, %request) = @_;
    my $r = $client->request(headers => ['X-API-Key' => $key], %request);
    my $got = $r ? $r->status : 'closed';

    return $got == 401 ? '' : "a dead key of $id: $got" if !$is_live;

    return $got == 403 && $r->body =~ /"partner_disabled"/ ? ''
           : "a key of $id, disabled: $got" if !$model->{enabled};

    return "a key of $id: $got" if $got != 200;

    my ($limit) = $model->{rate} =~ /^(\d+)/;
    my %is = (partner => $r->header('X-Partner'), name => $r->header('X-Name'),
              scopes => join(' ', sort split ' ', $r->header('X-Scopes') // ''),
              limit => $r->header('X-RateLimit-Limit'));
    my %should = (partner => $id, name => $model->{name} // $is{name}, limit => $limit,
                  scopes => join(' ', sort @{ $model->{scopes} }));
    my @wrong = grep { ($is{$_} // '') ne ($should{$_} // '') } sort keys %is;

    return @wrong ? "a key of $id: " . join ', ', map { "$_ " . ($is{$_} // 'none') } @wrong : '';
}


sub faults {
    my ($server, @states) = @_;
    my ($front, $admin) = map { Wassiit::Operators::Visitor->new($server->port($_)) } 1, 2;
    my (@faults, %ours);
    my $file = eval { in_file($server) } or return "the file: $@";

    for my $state (@states) {
        push @faults, splice @{ $state->{faults} };

        my %owner;
        for my $id (keys %{ $state->{partners} }) {
            $owner{ $_->{key} } = $id for values %{ $state->{partners}{$id}{keys} };
        }

        my %ids = map { $_ => 1 } keys %{ $state->{partners} }, values %{ $state->{known} };
        for my $id (sort keys %ids) {
            my $model = $state->{partners}{$id};
            my $r = admin($admin, GET => "/$id");
            my $differs = differs(_told($r), $model);
            push @faults, "$id: $differs, should be " . _text($model) if $differs ne '';

            $differs = _differs_in_file($file->{$id}, $model);
            push @faults, "$id in the file: $differs, should be " . _text($model)
                if $differs ne '';

            $ours{$id} = 1 if $model;
            next unless $model && $model->{enabled} && ($model->{hmac} // '?') ne '?';

            my ($key) = grep { $_ ne '?' } map { $_->{key} } values %{ $model->{keys} };
            next unless defined $key;
            my $time = time;
            $r = $front->request(uri => '/signed', headers => [
                'X-API-Key' => $key, 'X-API-Timestamp' => $time,
                'X-API-Signature' => _signature($model->{hmac}, $key . $time) ]);
            push @faults, "$id, signed: " . $r->status if $r->status != 200;
        }

        for my $key (sort keys %{ $state->{known} }) {
            my $id = $state->{known}{$key};
            my $refused = refused($front, $id, $state->{partners}{$id}, $key, $owner{$key});
            push @faults, $refused if $refused ne '';
        }
    }

    # nor is there anyone else of theirs
    my ($after, @there) = '';
    while (defined $after) {
        my $from = $after ne '' ? "&after=$after" : '';
        my $page = admin($admin, GET => "?limit=1000$from")->json;
        push @there, map { $_->{id} } @{ $page->{partners} };
        $after = $page->{next};
    }
    my $there = join ' ', grep { /^c\d/ } @there;
    my $should = join ' ', sort keys %ours;
    push @faults, "listed: $there; should be: $should" if $there ne $should;
    $there = join ' ', sort grep { /^c\d/ } keys %$file;
    push @faults, "in the file: $there; should be: $should" if $there ne $should;

    return @faults;
}


# Who looks on asks again if the connection was closed: a reload that comes
# late retires the worker at its other end. What is asked may be asked twice.

package Wassiit::Operators::Visitor;

sub new { my ($class, $port) = @_; return bless { port => $port }, $class }

sub request {
    my ($self, @request) = @_;

    for (1 .. 3) {
        $self->{client} //= Wassiit::Client->new($self->{port});
        my $r = $self->{client}->request(@request);
        delete $self->{client} if !$r || $r->closed;
        return $r if $r;
    }

    return undef;
}


package Wassiit::Operators::Clerk;

my @Scopes = @Wassiit::SCOPES;
my $Most = 4;           # partners of one clerk
my $KnownMost = 30;     # keys that are asked for in the end

sub new {
    my ($class, %self) = @_;
    my $self = bless { %self }, $class;

    $self->{state} //= { name => $self->{name}, next => 0 };
    $self->{state}{$_} //= {} for qw(partners unsure known done);
    $self->{state}{faults} //= [];
    srand $self->{seed};
    return $self;
}

sub state { return $_[0]{state} }
sub fault { push @{ $_[0]{state}{faults} }, $_[1] }
sub count { $_[0]{state}{done}{ $_[1] }++ }
sub any { return @_[ int rand @_ ] }


# The answer, undef if there was none. A change may have been made all the
# same, unless "unsent" says that it wasn't.

sub ask {
    my ($self, @request) = @_;

    $self->{unsent} = 1;
    $self->{client} //= eval { Wassiit::Client->new($self->{admin}) };

    if (!$self->{client}) {
        $self->{gone} = 1;
        return undef;
    }

    $self->{unsent} = 0;
    my $r = eval { Wassiit::Operators::admin($self->{client}, @request) };
    $self->fault("@request[0, 1]: $@") if $@ && $@ !~ /cut off/;

    delete $self->{client}
        if !$r || $r->closed || ($r->header('Connection') // '') eq 'close';
    $self->count($r ? $request[0] . ' ' . $r->status : 'no answer');
    return $r;
}


sub _rate { return any(map { "${_}r/s" } 400, 450, 500, 700) }

sub _scopes { my $n = 1 + int rand 4; return [ map { $Scopes[$_] } grep { rand 6 < $n } 0 .. 5 ] }


# One change: its request, and what it makes of the partner ("undef": of one
# that we know the answer of; else the answer's JSON).

sub _what {
    my ($self) = @_;
    my $state = $self->{state};
    my @ids = sort keys %{ $state->{partners} };

    if (!@ids || @ids < ($self->{most} // $Most) && rand() < 0.3) {
        my $id = sprintf '%s-%04d', $state->{name}, $state->{next};
        # one that was there is asked for again now and then
        $state->{next}++ if rand() < 0.7;
        my %fields = (name => "$id of $$", scopes => _scopes(), rate => _rate());

        return ($id, $state->{partners}{$id} ? 409 : 201, POST => '', { id => $id, %fields }, sub {
            my (undef, $answer) = @_;
            my $new = { %fields, enabled => 1, keys => {}, expired => {} };
            return $self->_key($id, $new, $answer && { key => $answer->{key},
                                                       id => $answer->{keys}[0]{id} });
        });
    }

    my $id = any(@ids);
    my $model = $state->{partners}{$id};
    my @keys = sort keys %{ $model->{keys} };
    my $what = any(qw(add add rotate grace revoke revoke patch patch pair enabled hmac webhook
                      delete));

    if ($what eq 'delete') {
        return ($id, 204, DELETE => "/$id", undef, sub { undef });
    }

    if ($what eq 'revoke' && @keys) {
        my $key = any(@keys);
        return ($id, 204, DELETE => "/$id/keys/$key", undef,
                sub { delete $_[0]{keys}{$key}; $_[0] });
    }

    if ($what eq 'add' || $what eq 'revoke') {
        return ($id, @keys < 8 ? 201 : 409, POST => "/$id/keys", undef,
                sub { $self->_key($id, @_) });
    }

    if ($what eq 'rotate') {
        return ($id, 201, POST => "/$id/keys/rotate", { grace => '0' }, sub {
            my ($new, $answer) = @_;
            $new->{keys} = {};
            return $self->_key($id, $new, $answer);
        });
    }

    if ($what eq 'grace') {
        return ($id, @keys < 8 ? 201 : 409, POST => "/$id/keys/rotate", { grace => '1h' }, sub {
            my ($new, $answer) = @_;
            $new->{keys}{$_}{graced} = 1 for @keys;
            return $self->_key($id, $new, $answer);
        });
    }

    if ($what eq 'hmac' || $what eq 'webhook') {
        return ($id, 201, POST => "/$id/${what}_secret", undef, sub {
            my ($new, $answer) = @_;
            $new->{$what} = $answer ? $answer->{"${what}_secret"} : '?';
            return $new;
        });
    }

    my %fields = $what eq 'patch' ? (name => $self->{seed} . ' of ' . int rand 1e6)
                 : $what eq 'pair' ? (rate => _rate(), scopes => _scopes())
                 : (enabled => $model->{enabled} ? JSON::PP::false() : JSON::PP::true());

    return ($id, 200, PATCH => "/$id", \%fields, sub {
        my ($new) = @_;
        $new->{$_} = $fields{$_} for keys %fields;
        $new->{enabled} = $new->{enabled} ? 1 : 0;
        return $new;
    });
}


sub _key {
    my ($self, $id, $model, $answer) = @_;

    if ($answer) {
        $model->{keys}{ $answer->{id} } = { key => $answer->{key} };
        $self->{state}{known}{ $answer->{key} } = $id;
    } else {
        $model->{new} = 1;
    }

    return $model;
}


sub step {
    my ($self) = @_;
    my $state = $self->{state};

    for my $id (sort keys %{ $state->{unsure} }) {
        Wassiit::Operators::_settle($state, $id, sub { $self->ask(@_) }, $self->{mend})
            or return !$self->{gone};
    }

    my ($id, $expected, @more) = $self->_what;
    my $make = pop @more;
    my $old = $state->{partners}{$id};
    my $r = $self->ask(@more);

    if (!$r) {
        return !$self->{gone} if $self->{unsent};

        my $new = $make->(Wassiit::Operators::copy($old));
        if ($old && $new) {
            # of two secrets that may be it we know neither
            $old->{$_} = $new->{$_} for grep { defined $old->{$_} && defined $new->{$_}
                                               && $old->{$_} ne $new->{$_} } qw(hmac webhook);
        }
        $state->{unsure}{$id} = $expected == 409 ? [$old] : [ $old, $new ];
        return 1;
    }

    if ($r->status == 503 && $r->body =~ /"unavailable"/) {
        $expected = 503;
    }

    if ($r->status != $expected) {
        $self->fault("@more[0, 1]: " . $r->status . ' ' . $r->body
                     . ": $expected, for " . Wassiit::Operators::_text($old));
        # whatever it is now
        $state->{unsure}{$id} = [$old];
        return 1;
    }

    if ($expected < 300) {
        my $new = $make->(Wassiit::Operators::copy($old), $expected == 204 ? undef : $r->json);
        Wassiit::Operators::_adopt($state, $id, $new);
        $self->_forget;
    }

    $self->_look($id, $old, $r) if $self->{check};
    return 1;
}


sub _forget {
    my ($self) = @_;
    my $known = $self->{state}{known};
    my %live = map { map { $_->{key} => 1 } values %{ $_->{keys} } }
               values %{ $self->{state}{partners} };
    my @dead = grep { !$live{$_} } sort keys %$known;

    delete $known->{ $dead[ int rand @dead ] } if @dead > $KnownMost;
}


# What was acknowledged is so by now, at whichever worker takes a connection.

sub _look {
    my ($self, $id, $old, $r) = @_;
    my $model = $self->{state}{partners}{$id};

    my $partner = eval { Wassiit::Operators::admin($self->{admin}, GET => "/$id") };
    if ($partner) {
        my $differs = Wassiit::Operators::differs(Wassiit::Operators::_told($partner), $model);
        $self->fault("$id after " . $r->status . ": $differs, should be "
                     . Wassiit::Operators::_text($model)) if $differs ne '';
    }

    my %live = map { $_->{key} => 1 } values %{ $model->{keys} };
    my %former = map { $_->{key} => 1 } values %{ $old->{keys} };

    # keys that are new, and those that have gone
    for my $key (sort keys %{ { %live, %former } }) {
        next if $key eq '?' || $live{$key} && $former{$key} && rand() < 0.7;

        my $client = Wassiit::Client->new($self->{port});
        my $refused = eval {
            Wassiit::Operators::refused($client, $id, $model, $key, $live{$key}, close => 1);
        } // '';
        # a worker that goes may close a connection that it has just taken
        $self->fault("after " . $r->status . ": $refused") if $refused !~ /^$|closed$/;
    }
}


package Wassiit::Operators::Crew;

my $Crews = 0;

sub start {
    my ($class, $n, $code) = @_;
    my $path = Wassiit::test_dir() . '/crew-' . ++$Crews;
    my $self = bless { path => $path, owner => $$, pids => [], left => {} }, $class;
    my $parent = $$;

    for my $i (0 .. $n - 1) {
        my $pid = fork // die "fork: $!";

        if ($pid) {
            push @{ $self->{pids} }, $pid;
            $self->{left}{$pid} = 1;
            next;
        }

        # A signal would break off a read, and so a request, for nothing: a
        # file tells to stop.
        $SIG{$_} = 'DEFAULT' for qw(INT HUP TERM);
        my $result = eval {
            $Json->encode($code->($i, sub { -e "$path.stop" || getppid != $parent }));
        };
        my $error = $@;
        Wassiit::_write("$path.$$", $result // $Json->encode("died: $error"), 0600);
        POSIX::_exit(0);
    }

    return $self;
}


sub running {
    my ($self) = @_;

    for my $pid (keys %{ $self->{left} }) {
        delete $self->{left}{$pid} if waitpid($pid, POSIX::WNOHANG()) != 0;
    }

    return scalar keys %{ $self->{left} };
}

sub stop {
    my ($self) = @_;
    open my $out, '>', "$self->{path}.stop" or die "$self->{path}.stop: $!";
}


sub results {
    my ($self) = @_;
    waitpid $_, 0 for keys %{ $self->{left} };
    $self->{left} = {};

    my @results = map {
        my $text = Wassiit::_read("$self->{path}.$_");
        unlink "$self->{path}.$_";
        my $result = $text ne '' ? $Json->decode($text) : 'died';
        ref $result ? $result : die "one of a crew $result\n";
    } @{ $self->{pids} };

    unlink "$self->{path}.stop";
    return @results;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    return if $self->{owner} != $$;

    for my $pid (keys %{ $self->{left} }) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
}

1;
