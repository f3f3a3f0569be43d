#!/usr/bin/env perl
# What conf/setup/install.sh does to a machine, and what it leaves alone. The
# machine is made of stand-ins for the programs that would change it.

use strict;
use warnings;

use lib 't/lib';
use File::Path qw(make_path);
use Test::More;
use Wassiit;

my $dir = test_dir();
my @run = qw(nginx-dev libjansson-dev libssl-dev gcc make libc6-dev curl openssl);

# Each is a line of shell; $m is what the machine remembers.
my %stand_in = (
    id => 'echo 1000',
    find => 'cat "$m/enabled"',
    'apt-cache' => 'echo "$2 | 1 | here"',
    'dpkg-query' => 'if [ "$1" = -L ]; then cat "$m/files-$2"; else cat "$m/installed"; fi',
    'deb-systemd-helper' => '[ -n "$DPKG_MAINTSCRIPT_PACKAGE" ] && sed -i "\\|/$2\\$|d" "$m/enabled"',
    'update-rc.d' => ':',
    sudo => 'case $1 in env | update-rc.d) exec "$@" ;; tee) cat > /dev/null ;; esac',
    'apt-get' => 'case " $* " in *" -s "*) cat "$m/would"; exit "$(cat "$m/fails")" ;; '
                 . '*" install "*) cp "$m/enabled-then" "$m/enabled"; cat "$m/installed-then" >> "$m/installed"; '
                 . 'sed -n "s/^Inst /Setting up /p" "$m/would" ;; esac',
);

sub put { my ($file, $text) = @_; open my $out, '>', $file or die "$file: $!"; print $out $text; close $out or die }

make_path("$dir/bin");
for my $name (keys %stand_in) {
    put("$dir/bin/$name", "#!/bin/sh\nm=$dir\necho \"$name \$*\" >> \"\$m/done\"\n$stand_in{$name}\n");
    chmod 0755, "$dir/bin/$name" or die;
}

# Installs on a machine that lacks some packages, where apt would do something.
sub installs {
    my (%machine) = @_;
    my %lacks = map { $_ => 1 } @{ $machine{lacks} };

    put("$dir/installed", join '', map { "ii  $_, \n" } 'vim', grep { !$lacks{$_} } @run);
    put("$dir/installed-then", join '', map { "ii  $_, \n" } keys %lacks);
    put("$dir/would", $machine{would} // '');
    put("$dir/fails", $machine{fails} // 0);
    put("$dir/enabled", $machine{enabled} // '');
    put("$dir/enabled-then", $machine{then} // '');
    put("$dir/done", '');
    put("$dir/files-$_", $machine{files}{$_}) for keys %{ $machine{files} };

    my $said = do {
        local $ENV{PATH} = "$dir/bin:$ENV{PATH}";
        qx(bash conf/setup/install.sh run 2>&1);
    };
    my $done = Wassiit::_read("$dir/done");
    return { said => $said, status => $? >> 8, done => $done,
             installed => $done =~ /^apt-get (?!-s ).* install /m ? 1 : 0 };
}

# It ends, having changed nothing, and says why and what else there is.
sub stops {
    my ($what, $reason, %machine) = @_;
    my $r = installs(%machine);
    is($r->{status}, 1, "$what: it stops");
    ok(!$r->{installed}, 'nothing is installed') or diag($r->{done});
    like($r->{said}, $reason, 'it says why');
    like($r->{said}, qr/^Nothing was installed\. .*^ +make deb$/ms, 'and the way out');
    unlike($r->{done}, qr/^sudo (?!env .* apt-get -q update$)/m, 'root was asked for no more than what there is');
    return $r;
}

make_path("$dir/elsewhere");
for my $name (qw(bash dirname)) {
    symlink((grep { -x } "/usr/bin/$name", "/bin/$name")[0], "$dir/elsewhere/$name") or die "$name: $!";
}
my $none = installs();
is_deeply([ @$none{qw(said status installed)} ], [ '', 0, 0 ], 'nothing is missing: nothing is done');
unlike($none->{done}, qr/apt-get|sudo/, 'nor asked for');

my @nginx = (lacks => ['nginx-dev'], files => { nginx => "/usr/sbin/nginx\n", 'libssl3' => "/usr/lib/libssl.so.3\n" });
stops('an older nginx', qr/^  nginx 1\.22\.1-9\+deb12u9 would become 1\.22\.1-9\+deb12u11$/m, @nginx, would => <<'END');
Inst nginx [1.22.1-9+deb12u9] (1.22.1-9+deb12u11 Debian-Security:12/oldstable-security [amd64]) []
Inst nginx-dev (1.22.1-9+deb12u11 Debian-Security:12/oldstable-security [all])
Conf nginx (1.22.1-9+deb12u11 Debian-Security:12/oldstable-security [amd64])
END
stops("a module of nginx's", qr/^  libnginx-mod-stream 1\.1 would become 1\.2$/m, @nginx, would => <<'END');
Inst libnginx-mod-stream [1.1] (1.2 Debian:12.15/oldstable [amd64])
END
stops("a vendor's nginx that leaves", qr/^  nginx-plus 31-1 would be removed$/m, @nginx, would => <<'END');
Remv nginx-plus [31-1]
Inst nginx-dev (1.22.1-9+deb12u11 Debian-Security:12/oldstable-security [all])
END
stops("a vendor's nginx that stays", qr/^ nginx-dev : Depends: nginx \(< 1\.22\.1-9\) but 1\.28\.0-1~bookworm is to be/m,
      @nginx, fails => 100, would => <<'END');
Some packages could not be installed.
The following packages have unmet dependencies:
 nginx-dev : Depends: nginx (< 1.22.1-9) but 1.28.0-1~bookworm is to be installed
E: Unable to correct problems, you have held broken packages.
END
stops('an nginx of no package', qr/^  \/usr\/sbin\/nginx, which no package has brought, would be replaced$/m,
      @nginx, would => "Inst nginx (1.22.1-9 Debian:12.15/oldstable [amd64])\n");
stops('another service', qr/^  haproxy 2\.6\.12-1 would become 2\.6\.12-2$/m, @nginx,
      files => { haproxy => "/lib/systemd/system/haproxy.service\n" }, would => <<'END');
Inst haproxy [2.6.12-1] (2.6.12-2 Debian:12.15/oldstable [amd64])
END
stops('an older library', qr/^  libjansson4 2\.14-2 would become 2\.13-1$/m, @nginx, would => <<'END');
Inst libjansson4 [2.14-2] (2.13-1 Debian:12.15/oldstable [amd64])
END

my $r = installs(lacks => [qw(nginx-dev libssl-dev)], enabled => <<'BEFORE', would => <<'WOULD', then => <<'THEN',
/etc/systemd/system/multi-user.target.wants/cron.service
BEFORE
Inst libssl3 [3.0.15-1] (3.0.16-1 Debian:12.15/oldstable [amd64])
Inst libssl-dev (3.0.16-1 Debian:12.15/oldstable [amd64])
Inst nginx-dev (1.22.1-9+deb12u11 Debian-Security:12/oldstable-security [all])
WOULD
/etc/systemd/system/multi-user.target.wants/cron.service
/etc/systemd/system/multi-user.target.wants/nginx.service
/etc/rc3.d/S01redis
THEN
    files => { libssl3 => "/usr/lib/libssl.so.3\n" });
is($r->{status}, 0, 'what changes nothing that serves is installed') or diag($r->{said});
like($r->{done}, qr/^apt-get .*--no-remove .*install libssl-dev nginx-dev$/m, 'by apt, which removes nothing');
like($r->{said}, qr/^installing libssl-dev nginx-dev$/m, 'it says what');
like($r->{said}, qr/^apt brings up to date, .*: libssl3$/m, 'and what comes with it');
like($r->{said}, qr/^set up 3 of 3: nginx-dev$/m, 'and how far it is');
for my $service (qw(nginx redis)) {
    like($r->{said}, qr/^$service\.service starts neither now nor at boot; .*systemctl enable --now $service\.service$/m,
         "$service was not started at boot: it says that it isn't now");
    like($r->{done}, qr/^deb-systemd-helper disable $service\.service\n.*^update-rc\.d $service disable$/ms, 'nor is it');
}
unlike($r->{done}, qr/(?:disable|update-rc\.d) cron/, 'what was stays so');
like(Wassiit::_read("$dir/enabled"), qr/cron\.service\n(?!.*nginx)/s, 'on the machine, too');

# a system that isn't Debian
my $said = qx(env -i PATH='$dir/elsewhere' "$dir/elsewhere/bash" conf/setup/install.sh run 2>&1);
isnt($?, 0, 'without apt it stops');
like($said, qr/^install\.sh: no apt-get is here.*operating\.md/m, 'and says where the way by hand is');

done_testing;
