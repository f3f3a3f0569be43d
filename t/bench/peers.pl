# The part "peers" of t/bench/run: other ways to let in who has a key. Each does
# one job, which is checked before it is timed: a known key passes, and the backend
# learns whose it is; an unknown one and none are answered with 401; a partner's
# requests beyond its limit with 429, and another partner's still pass.
#
# "stock" is nginx by map and limit_req, "auth_request" the same map behind a
# subrequest to a server of the same worker, "njs" and "lua" are nginx with
# libnginx-mod-http-js and -lua, "haproxy" has a map and a stick table. The latter
# three and the module look for the key's SHA-256, the former two for the key.

use strict;
use warnings;

use IO::Socket::INET;

my ($top, $dir, $root);

sub peers_figures {
    my (%with) = @_;
    ($top, $dir) = @with{qw(top dir)};
    $root = $with{root};

    # What these need besides lies beside them.
    $ENV{LD_LIBRARY_PATH} = join ":", glob "$root/usr/lib/*-linux-gnu" if $root;

    my %peer = (
        wassiit      => \&peer_wassiit,
        stock        => \&peer_stock,
        auth_request => \&peer_auth_request,
        $root ? (njs => \&peer_njs, lua => \&peer_lua, haproxy => \&peer_haproxy) : (),
    );

    print "OTHER WAYS TO LET IN WHO HAS A KEY\n";
    print "  peers: ", peers_versions(), "\n" if $root;
    print "  njs, Lua, HAProxy: not measured, conf/setup/peers.sh finds no packages of them\n"
        if !$root;

    peers_files();
    peers_check($_, $peer{$_}) for sort keys %peer;
    return map { ($_ => [ 10_000, %{ $peer{$_}->(1000) } ]) } keys %peer;
}


# Of the packages that were unpacked.
sub peers_versions {
    open my $in, "<", "$root/versions" or die "$root/versions: $!\n";
    return join ", ", map { s/\n//r } <$in>;
}

# What each looks keys up in, of the same 10,000 partners.

sub peers_files {
    open my $keys, '<', "$dir/10000.keys" or die "10000.keys: $!\n";
    open my $map, '>', "$dir/keys.map" or die "keys.map: $!\n";
    open my $digests, '>', "$dir/digests.map" or die "digests.map: $!\n";
    my %of;

    while (my $key = <$keys>) {
        chomp $key;
        my ($id, $digest) = (sprintf('partner-%07d', $.), Digest::SHA::sha256_hex($key));
        print $map qq("$key" $id;\n);
        print $digests uc($digest), " $id\n";
        $of{$digest} = $id;
    }

    open my $json, '>', "$dir/digests.json" or die "digests.json: $!\n";
    print $json '{', join(',', map { qq("$_":"$of{$_}") } sort keys %of), '}';
    close $_ or die "$dir: $!\n" for $map, $digests, $json;

    open my $js, '>', "$dir/peer.js" or die "peer.js: $!\n";
    print $js <<'END';
import crypto from 'crypto';

function partner(r) {
    const key = r.headersIn['X-API-Key'];
    return key && partners[crypto.createHash('sha256').update(key).digest('hex')] || '';
}

export default { partner };
END
    close $js or die "peer.js: $!\n";
}


# The peers: what t/bench/run's server() is to be given, at N requests a minute
# and partner.

my $named = 'proxy_set_header Connection ""; proxy_set_header X-Partner ';
my $pass = $named . '$partner; proxy_pass http://backend;';

sub peer_wassiit {
    my ($n) = @_;
    return { partners => 10_000, rate => "${n}r/m",
             location => $named . '$wassiit_partner;' };
}

sub leaky {
    my ($key, $n) = @_;
    return ("limit_req_zone $key zone=rate:20m rate=${n}r/m; limit_req_status 429;",
            'limit_req zone=rate burst=' . ($n - 1) . ' nodelay;');
}

sub keys_map {
    my ($variable) = @_;
    return "map_hash_max_size 262144; map_hash_bucket_size 128; "
         . "map \$http_x_api_key $variable { include $dir/keys.map; }";
}

sub peer_stock {
    my ($zone, $limit) = leaky('$partner', @_);
    return { location => '#', http => keys_map('$partner') . $zone,
             server => qq(location / { if (\$partner = "") { return 401; } $limit $pass }) };
}

# In front of the subrequest there is no partner yet, so that keys are counted.
sub peer_auth_request {
    my ($zone, $limit) = leaky('$http_x_api_key', @_);
    return { location => '#', http => keys_map('$known') . <<END, server => <<END };
    $zone
    upstream keys {
        server unix:keys.sock;
        keepalive 64;
        keepalive_requests 1000000000;
    }
    server {
        listen unix:keys.sock;
        location / {
            if (\$known = "") { return 401; }
            add_header X-Partner \$known;
            return 204;
        }
    }
END
        location = /key {
            internal;
            proxy_pass http://keys;
            proxy_pass_request_body off;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
        }
        location / {
            $limit
            auth_request /key;
            auth_request_set \$partner \$upstream_http_x_partner;
            $pass
        }
END
}

sub peer_njs {
    my ($zone, $limit) = leaky('$partner', @_);
    return { main => "load_module $root/usr/lib/nginx/modules/ngx_http_js_module.so;",
             location => '#',
             http => "js_path $dir; js_import peer from peer.js; js_set \$partner peer.partner;"
                   . " js_preload_object partners from $dir/digests.json; $zone",
             server => qq(location / { if (\$partner = "") { return 401; } $limit $pass }) };
}

# The window begins with a partner's first request and lasts a minute.
sub peer_lua {
    my ($n) = @_;
    my $modules = "$root/usr/lib/nginx/modules";
    return { main => "load_module $modules/ndk_http_module.so;"
                   . "load_module $modules/ngx_http_lua_module.so;",
             location => '#', http => <<END, server => <<END };
    lua_package_path "$root/usr/share/lua/5.1/?.lua;;";
    lua_shared_dict counts 20m;
    init_by_lua_block {
        ffi = require "ffi"
        ffi.cdef "unsigned char *SHA256(const char *data, size_t len, unsigned char *to);"
        digest = ffi.new("unsigned char[32]")
        partners = {}
        for line in io.lines("$dir/digests.map") do
            local hex, id = line:match("^(%S+) (%S+)")
            partners[hex:gsub("..", function(byte)
                return string.char(tonumber(byte, 16))
            end)] = id
        end
    }
END
        location / {
            set \$partner "";
            access_by_lua_block {
                local key = ngx.var.http_x_api_key
                local id = key and partners[ffi.string(ffi.C.SHA256(key, #key, digest), 32)]
                if not id then
                    return ngx.exit(401)
                end
                if ngx.shared.counts:incr(id, 1, 0, 60) > $n then
                    return ngx.exit(429)
                end
                ngx.var.partner = id
            }
            $pass
        }
END
}

sub peer_haproxy {
    my ($n) = @_;
    return { command => sub {
        my ($name, $port) = @_;
        open my $out, '>', "$dir/$name/haproxy.cfg" or die "haproxy.cfg: $!\n";
        print $out <<END;
global
    nbthread 1
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    http-reuse always
frontend door
    bind 127.0.0.1:$port
    http-request return status 200 content-type text/plain lf-string %pid if { path /pid }
    http-request set-var(txn.partner) req.hdr(x-api-key),sha2(256),hex,map($dir/digests.map)
    http-request deny deny_status 401 unless { var(txn.partner) -m found }
    http-request track-sc0 var(txn.partner) table counts
    http-request deny deny_status 429 if { sc0_http_req_rate(counts) gt $n }
    http-request set-header X-Partner %[var(txn.partner)]
    default_backend backend
backend counts
    stick-table type string len 32 size 100k expire 2m store http_req_rate(60s)
backend backend
    server backend unix@../backend/backend.sock
END
        close $out or die "haproxy.cfg: $!\n";
        return ("$root/usr/sbin/haproxy", '-db', '-f', 'haproxy.cfg');
    } };
}


# The job, at 5 requests a minute.

sub peers_check {
    my ($name, $peer) = @_;
    my $backend = backend();
    my $s = server("$name-check", %{ $peer->(5) });
    my ($one, $other) = do {
        open my $in, '<', "$dir/10000.keys" or die "10000.keys: $!\n";
        map { scalar(<$in>) =~ s/\n//r } 1, 2;
    };
    my @seen = map { peers_ask($s->{port}, $_) } undef, 'wst_nobody', ($one) x 8, $other;
    my @wanted = (401, 401, ('200 partner-0000001') x 5, (429) x 3, '200 partner-0000002');

    stop($_) for $s, $backend;
    "@seen" eq "@wanted"
        or die "$name does another job:\n  @seen\n  instead of\n  @wanted\n";
}

# The status, and of 200 whom the backend saw.
sub peers_ask {
    my ($port, $key) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or die "connect: $!\n";
    print $sock "GET /partner HTTP/1.1\r\nHost: h\r\nConnection: close\r\n",
        defined $key ? "X-API-Key: $key\r\n" : '', "\r\n";
    my $answer = join '', <$sock>;
    my ($status) = $answer =~ m{\AHTTP/1\.1 (\d+)} or die "no answer: $answer\n";
    my ($partner) = $answer =~ /^X-Seen: (.*?)\r$/mi;
    return $status == 200 ? "$status " . ($partner // '-') : $status;
}

1;
