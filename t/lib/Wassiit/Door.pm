# conf/nginx.conf and conf/sandbox.conf, as an operator finds them, moved to
# where they disturb no one.
#
#   my $server = start_door('main', partners => [ ... ]);
#
# The admin endpoint is at the server's port(2), $Operator's key opens it. The
# sandbox's events go to what a test listens with at its port(3).
# Of conf => and sandbox => each stands in place of the file; files => adds
# some. The contract with the sandbox's wap.cm is $Contract{key} and
# $Contract{secret}, base64. signature($secret, $key, $time) is what
# X-API-Signature has to be. $Documented is what wap.cm's guide shows as the
# answer to an OTP, its number masked as there. door_people() are partners, keys
# and secrets by name: "all" with every scope and a secret, "hourly" with 1000r/h,
# "none" without a scope, "once" with 1r/h, and for each scope "only-SCOPE" and
# "but-SCOPE".

package Wassiit::Door;

use strict;
use warnings;

use Cwd qw(abs_path);
use Digest::SHA ();
use Exporter qw(import);
use File::Basename qw(dirname);
use JSON::PP ();
use MIME::Base64 ();
use Wassiit;

our @EXPORT = qw(start_door door_files door_people door_text door_moved payload
                 signature %Contract $Documented $Operator);

our $Operator = make_key('an operator');

our %Contract = (key => make_key('the contract'),
                 secret => MIME::Base64::encode_base64("the contract's \xff", ''));

our $Documented = JSON::PP::decode_json(<<'END');
{"success":true,"status":200,"message":"message_queued_successfully","data":
{"reference":"WAP250929112004.X84803","meta_id":null,
"recipient":"237690000000","country":"CM - Cameroun","status":"scheduled",
"cost":10,"currency":"XAF","scheduled":"2025-09-29T11:20:03.324Z",
"last_update":"2025-09-29T11:20:04.365Z"}}
END

my $top = abs_path(dirname(__FILE__) . '/../../..');

sub door_text {
    my ($file) = @_;
    open my $in, '<', "$top/conf/$file" or die "$file: $!";
    local $/;
    return <$in>;
}

sub door_moved {
    my ($text, $name) = @_;
    my $dir = test_dir();

    $text =~ s/^load_module .*//m;
    $text =~ s/worker_processes auto;/worker_processes 2;/;
    $text =~ s/\blisten 127\.0\.0\.1:8080\b/listen %%PORT%%/;
    $text =~ s/\blisten 127\.0\.0\.1:8081\b/listen %%PORT_2%%/;
    $text =~ s/\b127\.0\.0\.1:8082\b/%%PORT_3%%/g;
    $text =~ s/unix:(?=\w+\.sock)/unix:$dir\/$name-/g;
    $text =~ s/CONTRACT_KEY/$Contract{key}/;
    $text =~ s/\b(alias|root) (console|docs-admin|docs)\b/"$1 " . _made($2)/eg;

    return $text;
}

sub start_door {
    my ($name, %with) = @_;

    return Wassiit::Server->start(
        conf => door_moved($with{conf} // door_text('nginx.conf'), $name),
        allow_log => $with{allow_log}, daemon => $with{daemon},
        files => { door_files($name, %with) });
}

# What lies in the folder of nginx.conf.

sub door_files {
    my ($name, %with) = @_;

    return (
        'state/partners.jsonl' => $with{partners},
        'operators.jsonl' => [ partner('ops', $Operator,
                                       scopes => ['partners.manage'],
                                       rate => '1000r/s') ],
        'pages.conf' => door_text('pages.conf'),
        'wapcm.secret' => "$Contract{secret}\n",
        'webhook.secret' => "the receiver's\n",
        'wapcm.jsonl' => [ partner('front-door', $Contract{key},
                                   hmac_secret => $Contract{secret}) ],
        'sandbox.conf' => $with{sandbox} // door_moved(door_text('sandbox.conf'), $name),
        %{ $with{files} // {} },
    );
}

# Partners that ask, with their keys and secrets.

sub door_people {
    my @scopes = qw(messages.send audio.send files.send calls.initiate
                    conversations.read webhooks.manage);
    my %key = map { $_ => make_key("front door $_") }
              qw(all hourly none once), map { ("only-$_", "but-$_") } @scopes;
    my %secret = map { $_ => MIME::Base64::encode_base64("secret of $_", '') }
                 qw(all none once);

    my @partners = (
        partner('all', $key{all}, rate => '1000r/s', hmac_secret => $secret{all}),
        partner('hourly', $key{hourly}, rate => '1000r/h'),
        partner('none', $key{none}, scopes => [], hmac_secret => $secret{none}),
        partner('once', $key{once}, rate => '1r/h', hmac_secret => $secret{once}),
        map({ my $scope = $_;
              (partner("only-$scope", $key{"only-$scope"}, scopes => [$scope]),
               partner("but-$scope", $key{"but-$scope"},
                       scopes => [ grep { $_ ne $scope } @scopes ])) } @scopes),
    );

    return (partners => \@partners, keys => \%key, secrets => \%secret);
}

# What each path takes, of a size if that matters: bytes and their type.

sub payload {
    my ($path, $size) = @_;

    return ('{"reference": 1, "country": "CM", "recipient": "670000000",'
            . ' "scheduled": "2025-09-29T12:40:14.590Z", "variables": {"otp": "123456"}}',
            'application/json') if $path =~ m{^/automation\b};
    return ('{"to": "+212600000000", "type": "voice"}', 'application/json') if $path =~ m{/calls};
    return ('{"to": "+212600000000", "text": "Hello from WASSIIT!"}' . ' ' x (($size // 54) - 54),
            'application/json') if $path !~ m{/messages/(audio|document)};

    return (join("\r\n", '--edge', 'Content-Disposition: form-data; name="to"', '',
                 '+212600000000', '--edge',
                 'Content-Disposition: form-data; name="file"; filename="a.mp3"', '',
                 'x' x ($size // 9), '--edge--', ''), 'multipart/form-data; boundary=edge');
}

sub signature {
    my ($secret, $key, $time) = @_;
    return MIME::Base64::encode_base64(
        Digest::SHA::hmac_sha256($key . $time, MIME::Base64::decode_base64($secret)), '');
}

# Workers may have no rights where the clone lies.

sub _made {
    my ($name) = @_;
    my $copy = Wassiit::test_dir() . "/$name";

    if (!-d $copy && -d "$top/build/$name") {
        system('cp', '-R', "$top/build/$name", $copy) == 0
            && system('chmod', '-R', 'a+rX', $copy) == 0
            or die "no copy of build/$name";
    }

    return $copy;
}


1;
