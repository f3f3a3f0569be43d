# Blocks of Test::Nginx at the front door: in place of what Test::Nginx would
# write, conf/nginx.conf and conf/sandbox.conf run as an operator finds them.
#
#   use Wassiit;
#   use Wassiit::DoorBlocks;
#   use Test::Nginx::Socket;
#   open_door();
#
#   --- ask: POST /automation/ all    a request by that partner; nobody's without
#                                     a name; with "unsigned" behind it, one that
#                                     isn't signed. P... has a body that its path
#                                     takes. Several: a list by eval.
#   --- body: TEXT                    in place of that body
#   --- type: text/plain              and of its type
#   --- server: admin                 asks the other server; or: messaging or wapcm,
#                                     the sandbox's backend itself
#   --- sandbox: none                 no backend is there; or: shipped, the file itself;
#                                     or the text of another
#   --- conf: sub { s/a/b/ }          by eval: changes the configuration
#
# Partners are those of door_people(), or of open_door(partners => [ ... ],
# keys => { who => key }, secrets => { who => secret }), which takes conf, sandbox
# and files as start_door does, too. more_headers are
# added to what a request has; raw_request, pipelined_requests and request are
# Test::Nginx's own. Errors (Wassiit::Answer) are of the realm "partners".

package Wassiit::DoorBlocks;

use strict;
use warnings;

use Exporter qw(import);
use Wassiit;
use Wassiit::Answer;
use Wassiit::Door;

our @EXPORT = qw(open_door);

my %port = map { ($_ => free_port()) } qw(PORT PORT_2 PORT_3 PORT_4 PORT_5);
my %server = (admin => 'PORT_2', messaging => 'PORT_4', wapcm => 'PORT_5');
my %door;

INIT { _hook() }

sub open_door {
    %door = (door_people(), @_);
    return \%door;
}


sub _hook {
    no warnings qw(once redefine prototype);

    Test::Nginx::Util::add_block_preprocessor(sub {
        my ($block) = @_;
        my ($server) = ($block->server // '') =~ /(\w+)/;

        Test::Nginx::Util::server_port_for_client($port{ $server ? $server{$server} : 'PORT' });
        $block->set_value(config => '');
        $block->set_value(realm => ($server // '') eq 'admin' ? 'operators' : 'partners')
            unless defined $block->realm;
        _ask($block) if defined $block->ask;
    });

    *Test::Nginx::Util::write_config_file = sub ($$$) { _write($_[0]) };
}


sub _ask {
    my ($block) = @_;
    my $more = $block->more_headers // '';
    my (@requests, @headers);

    for (ref $block->ask ? @{ $block->ask } : $block->ask) {
        my ($method, $uri, $who, $unsigned) = split;
        my ($body, $type) = payload($uri);
        my $headers = ref $more ? $more->[@headers] : $more;

        if (defined $who) {
            my $key = $door{keys}{$who} // die "$who has no key";
            my $secret = $door{secrets}{$who};
            my $time = time;

            $headers .= "\nX-API-Key: $key";
            $headers .= "\nX-API-Timestamp: $time\nX-API-Signature: "
                . signature($secret, $key, $time)
                if $uri =~ m{^/automation\b} && $secret && !$unsigned;
        }

        if ($method =~ /^P/) {
            $type = $block->type =~ s/\s+\z//r if defined $block->type;
            $body = $block->body if defined $block->body;
            $headers .= "\nContent-Type: $type";
            $uri .= "\n$body";
        }

        push @requests, "$method $uri";
        push @headers, $headers =~ s/\A\n+//r;
    }

    $block->set_value(request => @requests > 1 ? \@requests : $requests[0]);
    $block->set_value(more_headers => @headers > 1 ? \@headers : $headers[0]);
}


# As start_door() and Wassiit::Server do it, where Test::Nginx starts nginx.

sub _write {
    my ($block) = @_;
    my $root = $ENV{TEST_NGINX_SERVROOT};
    my $text = door_moved($door{conf} // door_text('nginx.conf'), 'blocks');

    # ends in what Test::Nginx removes
    $text =~ s/_temp_path \Ktemp\//door_temp\//g;
    mkdir "$root/door_temp" or die "$root/door_temp: $!";

    if (my $change = $block->conf) {
        $change->() for $text;
    }

    my $sandbox = $door{sandbox};
    if (defined(my $said = $block->sandbox)) {
        $sandbox = $said =~ /\A\s*none\s*\z/ ? '' : $said =~ /\A\s*shipped\s*\z/ ? undef
                 : door_moved($said, 'blocks');
    }

    if (my ($server) = ($block->server // '') =~ /(messaging|wapcm)/) {
        $sandbox //= door_moved(door_text('sandbox.conf'), 'blocks');
        $sandbox =~ s/(listen unix:\S+-$server\.sock;)/$1 listen %%$server{$server}%%;/
            or die "no server $server";
    }

    my %files = (door_files('blocks', %door, sandbox => $sandbox), 'nginx.conf' => Wassiit::_conf($text));
    s/%%(PORT(?:_[2-5])?)%%/127.0.0.1:$port{$1}/g for grep { !ref } values %files;
    Wassiit::_write_files("$root/conf", \%files);
}

1;
