#!/usr/bin/env perl
# README.md and conf/doc against the module: their examples run, their tables are
# complete, their links lead somewhere.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use JSON::PP;

use lib 't/lib';
use Wassiit;
use Wassiit::Links qw(dead_links);
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/..');
my @documents = ('README.md', map { s{^\Q$top/}{}r } sort glob "\"$top\"/conf/doc/*.md");
my $readme = join '', map { text($_) } @documents;
my $face = text('src/ngx_http_wassiit_conf.c') . text('src/ngx_http_wassiit_variables.c');
my $decisions = text('src/ngx_http_wassiit_decision.c');
my $reply = text('src/ngx_http_wassiit_reply_text.c');

sub text {
    my ($file) = @_;
    open my $in, '<:raw', "$top/$file" or die "$file: $!";
    local $/;
    return <$in>;
}

sub is_subset {
    my ($some, $all, $name) = @_;
    my %known = map { $_ => 1 } @$all;
    is_deeply([ grep { !$known{$_} } @$some ], [], $name);
}

sub is_set { is_deeply([ sort @{ $_[0] } ], [ sort @{ $_[1] } ], $_[2]) }


# ---- the blocks: language, text, file and line, mark ("<!-- test: x -->" before it)

my @blocks;

for my $file (@documents) {
    my ($block, $mark, $n) = (undef, '', 0);

    for my $line (split /^/, text($file)) {
        $n++;
        if ($block) {
            if ($line =~ /^```/) { undef $block } else { $block->{text} .= $line }
        } elsif ($line =~ /^```(\w*)/) {
            push @blocks, $block = { lang => $1, text => '', line => "$file:$n",
                                     mark => $mark };
            $mark = '';
        } elsif ($line =~ /^<!-- test: (\w+) -->/) {
            $mark = $1;
        }
    }
}

sub blocks {
    my ($lang, $mark) = @_;
    my @found = grep { $_->{lang} eq $lang && (!defined $mark
                                               || $_->{mark} eq $mark) } @blocks;
    die "no document has a block $lang" unless @found;
    return @found;
}


# ---- each piece of configuration holds, in the context that it is meant for

sub moved {
    my ($conf) = @_;
    $conf =~ s/^load_module .*//m;
    $conf =~ s/127\.0\.0\.1:8080/%%PORT%%/;
    $conf =~ s/127\.0\.0\.1:8081/%%PORT_2%%/g;
    return $conf;
}

my %level = (
    http => [qw(wassiit_zone wassiit_redis wassiit_scopes map log_format upstream server
               limit_conn_zone proxy_cache_path)],
    server => [qw(location listen error_page)],
    main => [qw(load_module events http)],
);
my %level_of = map { my $level = $_; map { $_ => $level } @{ $level{$level} } }
               keys %level;

my $authority = qx(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout /dev/null 2>/dev/null);

for my $block (blocks('nginx')) {
    my $text = $block->{text};
    my ($first) = $text =~ /^(\w+)/m;
    my $level = $level_of{$first} // 'location';
    my $conf = moved($text);

    $conf = "location /here {\n$conf\n}" if $level eq 'location';
    $conf = "server {\n$conf\n}" if $level =~ /location|server/;
    $conf = "wassiit_access partners;\n$conf"
        if $level ne 'main' && $conf !~ /\bwassiit_access\b/;
    $conf =~ s/\bserver \{/server { listen %%PORT%%;/
        unless $conf =~ /\blisten\b/;
    $conf .= "\nwassiit_cluster zone=partners nodes=2 node=one;\n"
        if $conf =~ /\bwassiit_redis\b/ && $conf !~ /\bwassiit_cluster\b/;
    $conf = "wassiit_zone zone=partners:1m file=partners.jsonl;\n$conf"
        if $level ne 'main' && $conf !~ /zone=partners:/;
    for my $name (qw(messaging wapcm)) {
        $conf = "upstream $name { server 127.0.0.1:9; }\n$conf"
            if $conf =~ m{http://$name\b} && $conf !~ /\bupstream $name\b/;
    }
    $conf .= "wassiit_cluster zone=partners nodes=3 node=one;\n"
        if $conf =~ /\bwassiit_redis\b/ && $conf !~ /\bwassiit_cluster\b/;
    $conf = "http {\n$conf\n}" if $level ne 'main';
    $conf .= 'http { }' unless $conf =~ /\bhttp\b/;

    my ($exit, $message) = nginx_test($conf, files =>
        { map({ $_ => [ partner('one', "$_ key") ] }
              qw(partners.jsonl internal.jsonl operators.jsonl state/partners.jsonl)), 'wapcm.secret' => 'c2VjcmV0',
          'webhook.secret' => 'secret',
          'ca.pem' => $authority, 'redis.secret' => 'secret' });
    is($exit, 0, "$block->{line}: holds ($level)") or diag("$conf\n$message");
}

for my $block (blocks('sh')) {
    open my $sh, '|-', 'sh', '-n' or die "sh: $!";
    print {$sh} $block->{text};
    ok(close $sh, "$block->{line}: a shell takes it");
}


# ---- a key made as the documents say, the synopsis with it

sub run {
    my ($command, $dir) = @_;
    my $pid = open my $out, '-|';
    defined $pid or die "fork: $!";
    if (!$pid) {
        chdir $dir or die "$dir: $!";
        open STDERR, '>', '/dev/null';
        exec 'sh', '-c', $command;
        die "sh: $!";
    }
    local $/;
    my $output = <$out>;
    close $out;
    $output =~ s/\r//g;
    return $output;
}

# Each way to make one: the key, and the file that it is in.
my @made = map {
    my $dir = test_dir() . '/' . $_->{line} =~ tr{./:}{-}r;
    mkdir $dir or die "$dir: $!";
    local $ENV{PATH} = "$top/conf/bin:$ENV{PATH}";
    my ($key, $kept) = run("$_->{text}\necho \"kept: \$key\"", $dir) =~ /^the key: (\S+)\nkept: (.*)$/m;
    ok($key, "$_->{line}: a key is made");
    is($kept, $key, 'for the requests that follow');

    is((stat "$dir/partners.jsonl")[2] & 07777, 0600, 'its file is for the owner alone');
    open my $in, '<', "$dir/partners.jsonl" or die "$dir: $!";
    my $partners = do { local $/; <$in> };
    unlike($partners, qr/\Q$key/, 'which has not the key');
    [ $key, $partners ];
} blocks('sh', 'key');
is(@made, 2, 'by the command, and by openssl alone');

{
    my ($key, $partners) = @{ $made[1] };
    my ($conf) = blocks('nginx', 'synopsis');
    my $s = Wassiit::Server->start(conf => moved($conf->{text}),
                                   files => { 'partners.jsonl' => $partners });
    my ($console) = blocks('console', 'synopsis');
    my @runs = split /^(?=\$ )/m, $console->{text};
    is(@runs, 3, 'three requests');

    for (@runs) {
        my ($command, @expected) = split /\n+/, $_;
        $command =~ s/^\$ //;
        $command =~ s/127\.0\.0\.1:8080/'127.0.0.1:' . $s->port/e;

        my @got = split /\n/, run("key=$key; $command", test_dir());
        for my $line (@expected) {
            my $pattern = join '.*', map { quotemeta } split /\xe2\x80\xa6/, $line;
            shift @got while @got && $got[0] !~ /\A$pattern\z/;
            ok(@got, substr $line, 0, 60)
                or diag("not in the answer to $command");
        }
    }

    my ($guide) = grep { $_->{text} =~ /api\.example\.com/ } blocks('sh');
    my $command = $guide->{text};
    $command =~ s{https://api\.example\.com}{'http://127.0.0.1:' . $s->port}e;
    $command =~ s/wst_\xe2\x80\xa6/$key/;
    like(run($command, test_dir()), qr/"queued"/, "the partners' own call");

    $s->stop;
}


# ---- the location that is protected

{
    my ($key, $partners) = @{ $made[0] };
    my ($conf) = blocks('nginx', 'existing');
    my $s = Wassiit::Server->start(files => { 'partners.jsonl' => $partners },
        conf => 'http { ' . moved($conf->{text}) . <<'END');
server { listen %%PORT_2%%; location / { return 200 "key=$http_x_api_key\n"; } } }
END
    my ($console) = blocks('console', 'existing');
    my %shown = $console->{text} =~ m{^\$ (.*)\n(\d+)$}mg;
    is(keys %shown, 2, 'two requests');

    for (sort keys %shown) {
        my $command = s/127\.0\.0\.1:8080/'127.0.0.1:' . $s->port/er;
        is(run("key=$key; $command", test_dir()), "$shown{$_}\n", "protected: $shown{$_}");
    }

    like(http($s->port, uri => '/api/', headers => ['X-API-Key' => $key])->body,
         qr/\Akey=$/m, 'the backend sees no key');
    $s->stop;
}


# ---- refusals, as they are shown

{
    my @unlimited = (rate => '1000r/s', scopes => ['messages.send']);
    my $s = Wassiit::Server->start(
        files => { 'partners.jsonl' => [
            partner('one', 'key of one', @unlimited),
            partner('slow', 'key of slow', rate => '1r/m') ] },
        conf => <<'END');
http {
    wassiit_zone zone=partners:1m file=partners.jsonl;
    server {
        listen %%PORT%%;
        wassiit_access partners;
        location / { root %%DIR%%; }
        location /files { wassiit_scope files.send; }
        location /automation { wassiit_errors envelope; }
        location /messages { wassiit_payload message; }
        location /problem { wassiit_problem; }
    }
}
END
    my $ask = sub {
        my ($uri, @keys) = @_;
        return http($s->port, uri => $uri,
                    headers => [ map { ('X-API-Key' => $_) } @keys ]);
    };
    my %how = (
        invalid_key => sub { $ask->('/', 'key of nobody') },
        insufficient_scope => sub { $ask->('/files', 'key of one') },
        rate_limited => sub { $ask->('/', 'key of slow') for 1 .. 2;
                              $ask->('/', 'key of slow') },
        duplicate_header => sub { $ask->('/', 'key of one', 'key of one') },
        missing_key => sub { $ask->('/automation') },
        invalid_payload => sub {
            http($s->port, method => 'POST', uri => '/messages', body => '{"to": "0600000000"}',
                 headers => [ 'X-API-Key' => 'key of one', 'Content-Type' => 'application/json' ]) },
    );

    for my $block (blocks('json', '')) {
        my $shown = decode_json($block->{text});
        my $code = $shown->{code} // $shown->{message};
        my $r = $how{$code} ? $how{$code}->() : die "no way to get $code";
        my $got = $r->json;

        is($r->status, $shown->{status}, "$code: status");
        is($r->header('Content-Type'),
           $shown->{type} ? 'application/problem+json' : 'application/json',
           "$code: type");

        for my $body (map { $_, $_->{data} // () } $got, $shown) {
            $body->{detail} =~ s/in \d+ second/in N second/ if $body->{detail};
            $body->{instance} =~ s/\A[0-9a-f]{32}\z/id/ if $body->{instance};
        }
        is_deeply($got, $shown, "$code: body");
        is_deeply([ $r->body =~ /"([\w-]+)":/g ],
                  [ $block->{text} =~ /"([\w-]+)":/g ], "$code: order");
    }

    is($ask->('/problem')->status, 404, 'wassiit_problem, asked for directly');
    $s->stop;
}


# ---- the partners' file

{
    my ($file) = blocks('json', 'partners');
    my $conf = 'http { wassiit_zone zone=partners:1m file=partners.jsonl; }';
    my ($exit, $message) = nginx_test($conf,
                              files => { 'partners.jsonl' => $file->{text} });
    is($exit, 0, "the partners' file loads") or diag($message);

    (my $text = $file->{text}) =~ s/\n(.*)messages\.send/\n$1message.send/;
    ($exit, $message) = nginx_test($conf, files => { 'partners.jsonl' => $text });
    my ($shown) = $readme =~ /^(partners\.jsonl:2: .*)$/m;
    like($message, qr/\Q$shown\E/, 'a bad line is reported as shown');
}


# ---- capacity: tables and message

{
    my %file;
    my $size_for = sub {
        my ($n, $rate) = @_;
        $file{$n} //= join '', map {
            qq({"id":"p$_","keys":[{"id":"k1","sha256":")
            . sprintf('%064x', $_) . qq("}]}\n) } 1 .. $n;
        my (undef, $message) = nginx_test(
            'http { wassiit_zone zone=partners:32k file=partners.jsonl '
            . "rate=$rate; }",
            files => { 'partners.jsonl' => $file{$n} });
        return $message =~ /zone=partners:(\w+) would do/ ? $1 : $message;
    };

    my ($shown) = $readme =~ /^wassiit_zone .* is too small .* (\S+) would do$/m;
    is($shown, 'zone=partners:' . $size_for->(10000, '100r/m'), 'the message');

    for my $n ('100', '10,000') {
        my ($row) = $readme =~ /^\| \Q$n\E (\|.*)$/m;
        my @shown = $row =~ /`(\w+)`/g;
        is_deeply(\@shown, [ map { $size_for->($n =~ tr/,//dr, $_) }
                                 qw(50r/m 100r/m 1000r/m) ], "$n partners");
    }

    # by the formula: 1 and W, 2 and 2, of 66 bytes, and some for the zone
    my @limits = $readme =~ /^\| limit N \|(.*)$/m ? $1 =~ /\d+/g : ();
    my @lines = $readme =~ /^\| W \|(.*)$/m ? $1 =~ /\d+/g : ();
    cmp_ok(@limits, '>', 5, 'sizes of windows');

    for my $i (0 .. $#limits) {
        my ($size, $unit) = $size_for->(2000, "$limits[$i]r/m") =~ /\A(\d+)([km])\z/;
        my $is = ($size // 0) * ($unit eq 'm' ? 2**20 : 2**10);
        my $by_formula = 2000 * 66 * (5 + $lines[$i]);
        ok($is > $by_formula && $is < $by_formula * 1.07 + 2**17,
           "a window of $limits[$i] takes $lines[$i]") or diag("$is, $by_formula");
    }
}


# ---- directives: each one, with its contexts and default

my %enum;                                   # table -> { constant -> word }
while ($face =~ /ngx_conf_enum_t\s+(\w+)\[\] = \{(.*?)\n\};/gs) {
    my ($table, $rows) = ($1, $2);
    $enum{$table}{$2} = $1
        while $rows =~ /ngx_string\("(\w+)"\), (\w+)/g;
}

my %merged;                                 # field -> default
$merged{$1} = $2
    while $face =~ /ngx_conf_merge_\w+\(conf->(\w+),\s*prev->\w+,\s*(\w+)\)/g;

# what no slot of nginx's sets
my %own = (wassiit_auth => 'key', map { ("wassiit_$_" => 'off') }
               qw(access upstream_hmac webhook_verify webhook_sign));
my %command;
while ($face =~ /\{ \s* ngx_string\("(wassiit_\w+)"\), \s* ([^,]+), \s* (\w+),
                 \s* \w+, \s* (?: 0 | offsetof\(\w+,\s*(\w+)\) ), \s*
                 (?: NULL | &(\w+) ) \s* \}/gx)
{
    my ($name, $flags, $setter, $field, $table) = ($1, $2, $3, $4, $5);

    $flags =~ s/ANYWHERE/HTTP_MAIN_CONF|HTTP_SRV_CONF|HTTP_LOC_CONF/;
    my @contexts = map { $flags =~ /HTTP_$_->[0]_CONF/ ? $_->[1] : () }
        ['MAIN', 'http'], ['SRV', 'server'], ['LOC', 'location'],
        ['LIF', 'if in location'];
    my $own = exists $own{$name};
    my $default = $own || !defined $field ? $own{$name} // 'none'
                : $table ? $enum{$table}{ $merged{$field} }
                : $merged{$field} ? 'on' : 'off';

    $command{$name} = { context => join(', ', @contexts), default => $default,
                        words => $table ? [ values %{ $enum{$table} } ]
                               : defined $field && !$own ? ['on', 'off'] : undef };
}

cmp_ok(scalar keys %command, '>=', 10, 'the table of directives is read');
is($merged{zone}, 'NULL', 'access is off unless it is set');
is($merged{$_}, 'NULL', "$_: off unless it is set") for qw(signer verify sign);
is($merged{auth}, 'NGX_HTTP_WASSIIT_AUTH_KEY', 'a key is enough unless it is set');
is($merged{skew}, 300, 'five minutes');
is_set([ $readme =~ /^### (wassiit_\w+)$/mg ], [ keys %command ],
       'a section for each directive');
is_deeply([ text('README.md') =~ m{^\| \[`(wassiit_\w+)`\]\(conf/doc/directives\.md#\1\) \| ([^|]*?) \|}mg ],
          [ map { $_ => $command{$_}{context} } $readme =~ /^### (wassiit_\w+)$/mg ],
          'the index has each, in order, with its contexts');

for my $name (sort keys %command) {
    my ($section) = $readme =~ /^### $name\n(.*?)(?=^##)/ms or next;
    my ($syntax) = $section =~ /^- syntax: `(.*)`$/m;
    my ($default) = $section =~ /^- default: `?(\w+)/m;
    my ($context) = $section =~ /^- context: (.*)$/m;

    like($syntax, qr/\A$name\b.*;\z/, "$name: syntax");
    is($default, $command{$name}{default}, "$name: default");
    is($context, $command{$name}{context}, "$name: context");
    like($section, qr/^- phase: \w/m, "$name: phase");
    like($section, qr/^```nginx\n(?:.*\n)*?.*\b$name\b/m, "$name: example");

    my $words = $command{$name}{words} or next;
    is_set([ $syntax =~ /(?<= )(\w+)(?= \||;)/g ], $words, "$name: words");
}


# ---- variables and codes

is_set([ $readme =~ /^\| `\$(wassiit_\w+)` \|/mg ],
       [ $face =~ /\{ ngx_string\("(wassiit_\w+)"\), NULL,/g ],
       'a line for each variable');

is_set([ $readme =~ /^\| (\d{3} \| `\w+`) \|/mg ],
       [ map({ s/^(\d+).*"(\w+)"/$1 | `$2`/sr }
             $reply =~ /\{ ([1-9]\d\d, ngx_string\("\w+")/g),
         map({ s/^(\w+)"\), (\d+)/$2 | `$1`/r }
             $decisions =~ /\{ ngx_string\("(\w+"\), [1-9]\d\d)/g) ],
       'a line for each code');


# ---- troubleshooting: what one is said to see

{
    my ($table) = $readme =~ /^## Troubleshooting\n(.*?)^## /ms;
    my $messages = join '', map { text(s{^\Q$top/}{}r) } sort glob "\"$top\"/src/*.c";
    $messages =~ s/"\s*"//g;               # a message over several lines
    $messages =~ s/%\w+/10000/g;
    my @said = map { s/ ?\xe2.*//sr } $table =~ /^\| `\xe2\x80\xa6 ([^`]*)`/mg;
    cmp_ok(@said, '>=', 3, 'lines of error.log');
    ok(index($messages, $_) >= 0, "the module says: $_") for @said;

    is_subset([ map { /`(\w+)`/g } $table =~ /^\| \d{3} (`[^|]*)/mg ],
              [ $decisions =~ /\{ ngx_string\("(\w+)"\), [1-9]/g ], 'codes');
}


# ---- what they refer to is there

my @linked = (@documents, qw(CHANGES.md conf/cluster/PROOF.md t/bench/COSTS.md));
is_deeply([ dead_links("$top/$_") ], [], "$_: its links lead somewhere") for @linked;

my $front = text('README.md');
is_subset([ @documents[1 .. $#documents] ], [ $front =~ m{\]\((conf/doc/[^)#]*)}g ],
          'README.md leads to each of conf/doc');
my ($links) = $front =~ /^(\[Synopsis\].*?)\n\n/ms;
is_deeply([ $links =~ /\[(.*?)\]\(#/g ], [ $front =~ /^## (.*)$/mg ],
          'the links at the top: all parts, in order');
is_subset([ $readme =~ /`(?:\w+=\S+ )?make (\w+)/g ],
          [ text('Makefile') =~ /^([a-z]+):/mg ], 'goals of make');
is_deeply([ grep { !-e "$top/$_" }
                 $readme =~ m{\b((?:conf|t|src)/[\w./-]*\w)(?![\w.*/-])}g ],
          [], 'files');
is_deeply([ $readme =~ m{(\S*/(?:home|root|tmp|work)/\S*)}g ], [], 'no path of a machine');


# ---- the proof: what it says is kept by a file is there

{
    my $proof = text('conf/cluster/PROOF.md') =~ s/<!--.*?-->//gsr;
    my (%kept, @missing);

    while ($proof =~ /`([\w.\/-]+\.(?:c|lua))`:\s*((?:`\w+\(\)`,?\s*)+)/g) {
        my ($file, $list) = ($1, $2);
        my $source = -e "$top/$file" ? text($file) : '';
        for my $name ($list =~ /`(\w+)\(\)`/g) {
            $kept{$name} = 1;
            push @missing, "$name in $file"
                unless $source =~ /^(?:(?:local )?function (?:verbs\.)?)?\Q$name\E\(/m;
        }
    }

    cmp_ok(scalar keys %kept, '>', 30, 'functions that keep it');
    is_deeply(\@missing, [], 'are where it says');
    is_subset([ $proof =~ /`(\w+)\(\)`/g ], [ keys %kept ], 'and it names no other');
    is_deeply([ grep { !-e "$top/$_" }
                     $proof =~ m{\b((?:conf|t|src)/[\w./-]*\w)(?![\w.*/-])}g ],
              [], 'nor files');
}

done_testing;
