package Wassiit::Watched;

=head1 NAME

Wassiit::Watched - a front door that is looked at: for blocks about wassiit_status

=head1 SYNOPSIS

    use Wassiit::Steps;
    use Wassiit::Watched;           # behind it

    watched_blocks();
    run_tests();

=head1 FUNCTIONS (all exported)

C<watched_blocks()> is admin_blocks() with partners atlas, busy, trial, off, large and
locations for whatever may become of a request; C</status> is JSON, C</metrics>
Prometheus'. C<decided(code =E<gt> n, ...)> is a step that asks for both: these
decisions and no others. C<answered("class source" =E<gt> n, ...)>: as many answers of
that class by whom, and no others.

=cut

use strict;
use warnings;

use Exporter qw(import);
use Wassiit;
use Wassiit::Steps;

our @EXPORT = qw(watched_blocks decided answered);

our @Codes = qw(allowed duplicate_header missing_key invalid_key expired_key missing_signature
    stale_timestamp invalid_signature partner_disabled insufficient_scope rate_limited
    rate_limited_dry_run unsupported_media_type too_large invalid_payload);

our @Partners = (
    partner('atlas', 'atlas-key', scopes => [], name => q(Atlas "<b>\\),
            webhook_secret => 'its hook'),
    partner('busy', 'busy-key', rate => '2r/h'),
    partner('trial', 'trial-key', rate => '1r/h'),
    partner('large', 'large-key', rate => '1000000r/d'),
    partner('off', 'paused-key', enabled => JSON::PP::false()));

our $Http = <<'END';
    wassiit_zone zone=api:1m file=partners.jsonl rate=1000r/h;
    wassiit_zone zone=ops:1m file=ops.jsonl rate=100000r/s;
    server {
        listen 127.0.0.1:$TEST_NGINX_PORT_2;
        location / { return 200; }
        location /500 { return 500; }
        location /301 { return 301; }
    }
END

our $Config = <<'END';
    wassiit_access api;
    location / { proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2; }
    location /dead { proxy_pass http://unix:/nowhere; }
    location /gif { empty_gif; }
    location /dry { wassiit_limit dry_run; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2; }
    location /calls {
        wassiit_scope calls.initiate;
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
    }
    location /signed {
        wassiit_auth hmac;
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
    }
    location /intercept {
        proxy_intercept_errors on;
        error_page 500 /gif;
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2/500;
    }
    location /elsewhere { wassiit_scope calls.initiate; error_page 403 = @elsewhere; }
    location @elsewhere { wassiit_access off; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2; }
    location /any { satisfy any; allow all; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2; }
    location /open { wassiit_access off; proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2; }
    location /hook {
        wassiit_webhook_verify secret_file=hook.secret;
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
    }
    location /led {
        wassiit_webhook_verify secret_file=hook.secret;
        wassiit_scope messages.send;
        error_page 401 = /sorry;
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
    }
    location = /sorry { wassiit_scope conversations.read; empty_gif; }
    location ~ ^/send-(?<to>.*) {
        wassiit_access off;
        wassiit_webhook_sign zone=api partner=$to;
        proxy_pass http://127.0.0.1:$TEST_NGINX_PORT_2;
    }
    location /admin/ { wassiit_access ops; wassiit_admin api; }
    location = /status { wassiit_access ops; wassiit_status api; }
    location = /few { wassiit_access ops; wassiit_status api json top=2; }
    location = /ops { wassiit_access ops; wassiit_scope partners.manage; wassiit_status ops; }
    location = /guarded { wassiit_access ops; wassiit_status api prometheus top=1; }
    location = /methods {
        limit_except GET { deny all; }
        wassiit_access ops;
        wassiit_status api;
    }
    location = /metrics {
        satisfy any;
        allow all;
        wassiit_access ops;
        wassiit_status api prometheus;
    }
END


sub watched_blocks {
    admin_blocks(partners => \@Partners, config => $Config,
                 http => $Http . "wassiit_scopes partners.manage;\n",
                 files => { 'hook.secret' => "a hook\n" });
}


sub decided {
    my (%count) = @_;
    my $of = sub { my ($form, $between) = @_;
                   join $between, map { sprintf $form, $_, $count{$_} // 0 } @Codes };

    return 'ops GET /status => 200 ~ "decisions":\{' . $of->('"%s":%d', ',') . "\\}\n"
           . '- GET /metrics => 200 ~ ^'
           . $of->('wassiit_decisions_total\{zone="api",decision="%s"\} %d', '\n') . "\$\n"
           . '    ~ wassiit_request_duration_seconds_count\{zone="api"\} '
           . _sum(grep { $_ } values %count) . "\$\n"
           . '    ~ wassiit_request_duration_seconds_bucket\{zone="api",le="\+Inf"\} '
           . _sum(grep { $_ } values %count) . "\$\n";
}


sub answered {
    my (%count) = @_;
    my @classes = map { "${_}xx" } 1 .. 5;

    return 'ops GET /status => 200 ~ "responses":\{' . join(',', map {
            my $class = $_;
            qq("$class":) . _sum(map { $count{"$class $_"} // 0 } qw(module nginx upstream));
        } @classes) . '\},"upstream":\{'
        . join(',', map { qq("$_":) . ($count{"$_ upstream"} // 0) } @classes) . "\\}\n"
        . '- GET /metrics => 200 ~ ^' . join('\n', map {
            my $class = $_;
            map { qq(wassiit_responses_total\\{zone="api",class="$class",source="$_"\\} )
                  . ($count{"$class $_"} // 0) } qw(module nginx upstream);
        } @classes) . "\$\n";
}


sub _sum { my $sum = 0; $sum += $_ for @_; return $sum }

1;
