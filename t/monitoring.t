#!/usr/bin/env perl
# conf/monitoring by those that know: Prometheus's own tool, and Grafana's types.
# What is not seen here: how Grafana draws the dashboard.

use strict;
use warnings;

use JSON::PP ();

use lib 't/lib';
use Wassiit;
use Wassiit::Prometheus;
use Test::More;

my $conf = 'conf/monitoring';
my $grafana = 'build/monitoring/grafana';

sub text { Wassiit::_read($_[0]) }

sub agrees {
    my ($name, @command) = @_;
    my ($exit, $output) = promtool(@command);
    is($exit, 0, $name) or diag($output);
    return $output;
}


# ---- scrape configuration and rules

agrees('prometheus.yml holds', qw(check config), "$conf/prometheus.yml");
my $found = agrees('rules.yml holds', qw(check rules), "$conf/rules.yml");
agrees('the alerts pass their tests', qw(test rules), "$conf/rules_test.yml");

my $rules = text("$conf/rules.yml");
my @alerts = $rules =~ /^ *- alert: (\w+)$/mg;
cmp_ok(scalar @alerts, '>=', 8, 'the alerts are there');
like($found, qr/\b${\ scalar @alerts} rules found/, 'all of them are read here');

my $tests = text("$conf/rules_test.yml");
for my $alert (@alerts) {
    my ($rule) = $rules =~ /^ *- alert: $alert\n(.*?)(?=^ *- alert|\z)/ms;
    like($rule, qr/^ +severity: (?:critical|warning)$/m, "$alert: its severity");
    like($rule, qr/^ +$_: \S/m, "$alert: $_") for qw(summary description);
    like($tests, qr/alertname="$alert",alertstate="firing"/, "$alert: a test has it fire");
}

is_deeply({ text('conf/doc/monitoring.md') =~ /^\| `(Wassiit\w+)` \| (\w+) \|/mg },
          { $rules =~ /^ *- alert: (\w+)\n(?:(?! *- ).*\n)*? +severity: (\w+)$/mg },
          'conf/doc/monitoring.md has them all, with their severity');


# ---- each test of an alert notices if its threshold is another

{
    my $dir = test_dir();
    my @thresholds;
    push @thresholds, pos($rules) while $rules =~ /(?<=[>=] )[\d.]+(?=\n)/g;
    cmp_ok(scalar @thresholds, '>=', @alerts - 1, 'thresholds are found');

    Wassiit::_write("$dir/rules_test.yml", $tests);
    for my $at (@thresholds) {
        for my $factor (0.4, 2.1) {
            my $other = $rules;
            (my $line = substr $other, 0, $at) =~ s/.*\n//s;
            my ($value) = $line =~ /([\d.]+)\z/;
            my $new = $value ? $value * $factor : $factor < 1 ? -1 : 1;
            substr $other, $at - length $value, length $value, $new;

            Wassiit::_write("$dir/rules.yml", $other);
            my ($exit) = promtool(qw(test rules), "$dir/rules_test.yml");
            isnt($exit, 0, "a test fails if \"$line\" ends in $new");
        }
    }
}


# ---- the dashboard

my $text = text("$conf/dashboard.json");
my $dashboard = JSON::PP->new->decode($text);
my @panels = @{ $dashboard->{panels} };

is($dashboard->{uid}, 'wassiit', 'the dashboard has an uid of its own');
is_deeply([ map { "$_->{name}: $_->{type}" } @{ $dashboard->{templating}{list} } ],
          [ 'datasource: datasource', 'zone: query' ], 'its variables');
is_deeply([ grep { $_ ne '${datasource}' } $text =~ /"uid": "([^"]*)"/g ], ['wassiit'],
          'no source of data but the variable');
is_deeply([ map { $_->{title} } grep { $_->{type} eq 'row' } @panels ],
          [ 'State', 'Traffic by decision', 'Errors by source', 'Duration', 'Limited partners',
            'Zone', 'Cluster' ], 'its rows');

my %id;
is_deeply([ grep { $id{ $_->{id} }++ } @panels ], [], 'no two panels have one id');

my (%cell, @twice);
for my $panel (@panels) {
    my %at = %{ $panel->{gridPos} };
    for my $x ($at{x} .. $at{x} + $at{w} - 1) {
        push @twice, $panel->{title}
            if $x > 23 || grep { $cell{"$x,$_"}++ } $at{y} .. $at{y} + $at{h} - 1;
    }
}
is_deeply(\@twice, [], 'no panel lies on another');

{
    my $literal = test_dir() . '/dashboard.ts';
    Wassiit::_write($literal, text('t/lib/dashboard/types.ts')
                              . "\nexport const dashboard: Dashboard =\n$text;\n");
    # names of modules are looked up from where the file lies
    symlink Cwd::abs_path($grafana) . '/node_modules', test_dir() . '/node_modules'
        or die "node_modules: $!";
    my ($exit, $output) = Wassiit::_run("$grafana/node_modules/.bin/tsc", qw(--strict --noEmit
        --preserveSymlinks --module esnext --moduleResolution bundler --target es2022 --pretty false),
        $literal);
    is($exit, 0, "Grafana's types take it") or diag($output);
}


# ---- each expression

my @expressions = (expressions($dashboard), expressions_of_rules($rules));
cmp_ok(scalar @expressions, '>', @alerts + @panels / 2, 'expressions are found');
Wassiit::_write(test_dir() . '/expressions.yml', JSON::PP->new->encode({ groups => [ {
    name => 'expressions', rules => [ map { { record => "expression:$_", expr => $expressions[$_][1] } }
                                          0 .. $#expressions ] } ] }));
agrees('each expression can be read', qw(check rules), test_dir() . '/expressions.yml');

done_testing;
