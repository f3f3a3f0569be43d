#!/usr/bin/env perl
# The style that no compiler looks after, over the tree's own sources: a line
# per finding, and exit status 1 if there is any.

use strict;
use warnings;

use Encode qw(decode);

my @c = sort glob '*.c src/*.[ch] t/unit/*.[ch] t/fuzz/*.[ch] t/bench/*.[ch] t/strength/*.[ch]';
my @module = grep { !m{^t/} } @c;
my @scripts = sort glob 't/*.t t/lib/* t/bench/* t/model/* t/strength/* conf/setup/*.sh
                       conf/bin/* conf/bin/lib/* .ci/run';
my $found = 0;

sub finding {
    my ($where, $what) = @_;
    print "$where: $what\n";
    $found = 1;
}

sub text {
    my ($file) = @_;
    open my $in, '<', $file or die "$file: $!\n";
    local $/;
    return <$in>;
}

# The code alone: comments and strings become blanks, lines stay.
sub code {
    my ($text) = @_;
    $text =~ s{(/\*.*?\*/ | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*')}
              {(my $blank = $1) =~ s/[^\n]/ /g; $blank}gsex;
    return $text;
}

for my $file (@c, grep { -f } @scripts) {
    my $text = text($file);
    my $n = 0;

    for (split /\n/, $text) {
        my $where = "$file:" . ++$n;
        finding($where, 'blank at the end of the line') if /\s$/;
        finding($where, 'tab') if /\t/;
        finding($where, 'over 80 columns') if length > 80 && $file =~ /\.[ch]$/;
    }

    # a suite of Test::Nginx is read as a table: short, and no wider than a screen
    if ($text =~ /^use Test::Nginx::/m && $file =~ /\.t$/) {
        finding($file, '400 lines or more') if $n >= 400;
        $n = 0;
        for (split /\n/, decode('UTF-8', $text)) {
            $n++;
            finding("$file:$n", 'over 100 columns') if length > 100;
        }
    }

    finding($file, 'no newline at its end') if $text !~ /\n\z/;
    finding($file, 'blank lines at its end') if $text =~ /\n\n\z/;
}

my @rules = (
    [ qr{//}, '// comment', sub { 1 } ],
    [ qr/\b(?:malloc|calloc|realloc|free|strdup)\s*\(/,
      "not nginx's allocator", sub { $_[0] !~ m{^t/} } ],
    [ qr/\b(?:sprintf|strcpy|strcat|gets)\s*\(/,
      'unbounded', sub { $_[0] !~ m{^t/} } ],
    [ qr/\bngx_http_request_t\b/, 'core and state see no request',
      sub { $_[0] =~ m{^src/ngx_(?:wassiit_|http_wassiit_(?:arena|change|compact
                                 |edit|etag|file|journal|mend|partner|path|plan|record\w*
                                 |recover|room|secret|store|zone\w*)\.)}x } ],
    [ qr/\b(?:ngx_pool_t|ngx_log_t|ngx_p[cn]?alloc|ngx_log_error)\b/,
      'core sees no pool and no log', sub { $_[0] =~ m{^src/ngx_wassiit_} } ],
);

for my $file (@c) {
    my $n = 0;

    for my $line (split /\n/, code(text($file))) {
        $n++;
        for (@rules) {
            my ($pattern, $what, $applies) = @$_;
            finding("$file:$n", $what) if $applies->($file)
                                          && $line =~ $pattern;
        }
    }
}

# Names: whatever another file could see, and each type. f: functions,
# p: prototypes, v: variables, g, s, u, t: types.
open my $tags, '-|', 'ctags', '-x', '--kinds-C=fpvgsut', '--_xformat=%N %K %F %n %f',
    '--fields=+f', @module or die "ctags: $!\n";
my (%where, %functions);
while (<$tags>) {
    my ($name, $kind, $file, $n, $local) = split ' ';
    if ($kind =~ /^(?:function|variable)$/) {
        my $first = $where{$name} ||= $file;
        finding("$file:$n", "$kind $name: there is one of this name in $first")
            if $first ne $file;
    }
    next if $local && $local eq 'file' && $kind =~ /^(?:function|prototype|variable)$/;
    push @{ $functions{unit($file)} }, $name if $kind eq 'function';
    next if $name =~ /^(?:__anon\w*|ngx_(?:http_)?wassiit_\w+)$/;
    finding("$file:$n", "$kind $name lacks the prefix ngx_wassiit_ or "
                        . 'ngx_http_wassiit_');
}
close $tags or die "ctags failed\n";

# nginx's makefile knows only what stands in config.
my $config = text('config');
for my $file (@module) {
    my ($name) = $file =~ m{([^/]+)$};
    finding($file, 'does not stand in config') unless $config =~ m{/\Q$name\E\b};
}

# Which unit (both files of a name, less the prefix) may include which: an arrow
# goes one way only. "wassiit" is ngx_http_wassiit.h. One line a unit: a unit
# without one is a finding.
my $rows = <<'END';
    # core: no log, no pool, no request
    address
    atomic
    epoch           atomic robust
    header
    hmac
    index           atomic
    key
    lines           atomic
    multipart       header hmac part rules
    order           atomic
    part            header hmac rules
    rate
    resp
    robust
    rules           time
    scope
    seal            hmac
    time
    ring            lines
    window          rate ring window_sh
    window_sh       window
    # state: partners, on disk and in shared memory
    arena
    board           board_sh epoch memory record
    board_recent    board_sh
    board_sh        atomic board
    caps            claims claims_sh zone zone_sh
    claims          claims_sh memory robust
    claims_sh       atomic claims record_id
    change          atomic compact edit recover zone time etag
    compact         file
    edit            change
    etag            record
    file            journal path record
    journal         atomic
    memory
    path
    record          arena hmac key rate record_id scope time
    record_id
    record_last     record
    record_write    record time
    recover         compact record_last zone
    secret          file hmac seal
    store           compact file record_last
    zone            board claims epoch memory store window
    zone_sh         zone index order etag
    room            zone_sh
    plan            room
    partner         caps plan
    mend            partner
    zone_load       caps mend
    zone_map        zone_load
    zone_read       zone_sh
    zone_write      zone_load
    # http: one concern a file
    adjust          cluster
    access          wassiit decision headers_in log audit
    admin           admin_json admin_page admin_send decision job json reply wassiit etag admin_path audit
    admin_json      audit change decision json limit rules time wassiit
    admin_page      admin_json admin_send args wassiit
    admin_send      arena json reply wassiit etag
    args            admin_send wassiit
    admin_path      change wassiit
    audit           admin_path ctx wassiit
    body            ctx decision headers_in pieces turn
    cluster         caps log redis wassiit zone_sh
    conf            access conf_answer conf_check conf_cluster conf_error conf_redis conf_secret conf_zone egress wassiit
    conf_answer     access admin conf_error conf_zone reply status wassiit
    conf_check      access wassiit
    conf_cluster    cluster conf_error conf_redis conf_zone secret wassiit
    conf_error      wassiit
    conf_redis      conf_error conf_zone redis secret wassiit
    conf_secret     conf_error conf_zone secret upstream wassiit webhook
    conf_zone       conf_error store wassiit zone
    ctx             wassiit
    decision        ctx log
    egress          wassiit address log
    headers_in      ctx
    headers_out     ctx limit
    follow          job redis resp seal wassiit
    job             change thread wassiit
    json            pieces rules
    leader          adjust cluster park replica session zone_sh
    limit           adjust caps wassiit decision park
    log
    module          access admin arena body conf conf_check conf_zone egress job leader limit log payload redis reply tally thread turn upstream variables version webhook
    payload         arena body ctx decision headers_in json multipart rules
    park            adjust caps cluster zone_sh
    offer           follow
    pieces
    redis           ledger redis_link resp
    redis_link      redis
    redis_connect   redis_link
    redis_greet     redis_link
    replica         cluster offer submit zone_sh
    reply           decision headers_in headers_out reply_text wassiit
    reply_text      ctx decision limit
    scan            cluster zone_sh
    session         adjust cluster scan seal zone_sh
    status          admin_send args decision wassiit
    status_cluster  cluster status zone_sh
    status_json     decision limit status time
    status_prometheus change cluster decision status
    submit          cluster follow
    tally           audit decision wassiit
    thread          atomic
    turn
    upstream        wassiit headers_in
    variables       audit change cluster decision limit upstream webhook
    version         wassiit
    wassiit         hmac scope zone
    webhook         body ctx decision headers_in log
END

my %arrows = map { my ($unit, @to) = split; $unit => { map { $_ => 1 } @to } }
    grep { /\S/ && !/^\s*#/ } split /\n/, $rows;

# What is yet to be mended.
my %mend = map { $_ => 1 } (
);

sub unit {
    my ($file) = @_;
    return 'wassiit' if $file =~ m{(?:^|/)ngx_http_wassiit\.h$};
    return $file =~ m{(?:^|/)ngx_(?:http_)?wassiit_(\w+)\.[ch]$} ? $1 : $file;
}

for my $file (@module) {
    my $unit = unit($file);
    my $n = 0;

    if (!$arrows{$unit}) {
        finding($file, "t/lib/style.pl has no row of arrows for $unit");
        next;
    }

    for my $line (split /\n/, text($file)) {
        $n++;
        next unless $line =~ /^\s*#\s*include\s*"([^"]+)"/;
        my $to = unit($1);
        next if $to eq $unit || $arrows{$unit}{$to};
        $mend{"$unit $to"}++ && next if $mend{"$unit $to"};
        finding("$file:$n", "$unit may not include $to");
    }
}

finding('t/lib/style.pl', "$_: is mended, take the exception out")
    for grep { $mend{$_} == 1 } sort keys %mend;

# Core and state run without nginx, and so does a test of each of their units: a
# program of t/unit includes its header, or calls a function of its source. One
# that is a header alone belongs to those that include it.
my $tests = join '', map { text($_) } glob 't/unit/*.[ch]';
my $calls = code($tests);
my ($below) = $rows =~ /# core\b(.*)# http\b/s
    or die "no rows of core and state\n";

# The first thing that each change does: t/unit/change_deaths tests it by that.
my %untested = map { $_ => 1 } qw(recover);

for my $unit ($below =~ /^ {4}(\w+)/mg) {
    my @files = grep { unit($_) eq $unit } @module;
    my ($source) = grep { /\.c$/ } @files or next;
    my ($header) = grep { /\.h$/ } @files;
    my $name = ($header // '') =~ s{.*/}{}r;
    my $tested = $tests =~ /^\s*#\s*include\s*"\Q$name\E"/m
                 || grep { $calls =~ /\b$_\s*\(/ } @{ $functions{$unit} };
    finding($source, 'no program of t/unit tests it')
        if !$tested && !$untested{$unit};
    finding('t/lib/style.pl', "$unit: is tested, take the exception out")
        if $tested && $untested{$unit};
}

# A file that is longer is two.
my $longest = 900;

for my $file (@module) {
    my $lines = text($file) =~ tr/\n//;
    finding($file, "$lines lines, over $longest") if $lines > $longest;
}

exit $found;
