# The distribution's prometheus and promtool, out of build/monitoring.
#
#   my ($exit, $output) = promtool('check', 'rules', 'rules.yml');
#   my $p = Wassiit::Prometheus->start('prometheus.yml' => $text, 'rules.yml' => $text);
#   my @result = $p->query($expr);      each { metric => {...}, value => $number }
#   $p->get('/api/v1/targets')          the data of an answer
#   $p->stop
#
# expressions($dashboard) and expressions_of_rules($text) are what stands in these,
# each [ title, expression ], ready to be asked.

package Wassiit::Prometheus;

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use POSIX ();
use Test::More ();
use Wassiit;

our @EXPORT = qw(promtool expressions expressions_of_rules);

my $tools = abs_path(dirname(__FILE__) . '/../../..') . '/build/monitoring';

for (qw(prometheus promtool)) {
    Test::More::BAIL_OUT("build/monitoring/$_ is missing: run conf/setup/monitoring.sh first")
        unless -x "$tools/$_";
}

sub promtool {
    my ($exit, $out, $error) = Wassiit::_run("$tools/promtool", @_);
    return ($exit, $out . $error);
}

sub start {
    my ($class, %files) = @_;
    my $self = bless { port => free_port(), owner => $$,
                       dir => File::Temp::tempdir('prometheus-XXXXXX', DIR => test_dir()) }, $class;

    Wassiit::_write("$self->{dir}/$_", $files{$_}) for keys %files;
    open my $log, '>', "$self->{dir}/log" or die "log: $!";
    $self->{pid} = Wassiit::_spawn($log, $log, qw(setpriv --pdeathsig TERM),
        "$tools/prometheus", "--config.file=$self->{dir}/prometheus.yml",
        "--storage.tsdb.path=$self->{dir}/data", "--web.listen-address=127.0.0.1:$self->{port}",
        '--log.level=warn');
    wait_for { eval { http($self->{port}, uri => '/-/ready')->status == 200 } }
        or die "prometheus did not start:\n" . Wassiit::_read("$self->{dir}/log");
    return $self;
}

sub get {
    my ($self, $uri, %arguments) = @_;
    my $arguments = join '&', map {
        "$_=" . $arguments{$_} =~ s/([^A-Za-z0-9._-])/sprintf '%%%02X', ord $1/ger } sort keys %arguments;
    my $r = http($self->{port}, uri => "$uri?$arguments")->json;

    die "prometheus: $r->{error}\n" if $r->{status} ne 'success';
    return $r->{data};
}

sub query {
    my ($self, $expr) = @_;
    return map { { metric => $_->{metric}, value => $_->{value}[1] } }
           @{ $self->get('/api/v1/query', query => $expr)->{result} };
}

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'TERM', $pid;
    my $ended = wait_for { waitpid($pid, POSIX::WNOHANG()) != 0 };
    return $ended if $ended;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return 0;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    $self->stop if $self->{owner} == $$;
}

# Grafana's variables become what a minute's dashboard of one zone would have.

sub expressions {
    my ($dashboard) = @_;
    my @found = map { [ "annotation $_->{name}", $_->{target}{expr} ] }
                    @{ $dashboard->{annotations}{list} };

    for my $panel (map { ($_, @{ $_->{panels} // [] }) } @{ $dashboard->{panels} }) {
        push @found, [ "panel $panel->{title}, $_->{refId}", $_->{expr} ] for @{ $panel->{targets} // [] };
    }

    for (@found) {
        $_->[1] =~ s/\$__(?:rate_interval|range)\b/1m/g;
        $_->[1] =~ s/\$zone\b/partners/g;
        die "$_->[0]: a variable of another kind: $_->[1]" if $_->[1] =~ /\$/;
    }

    return @found;
}

# An alert's expressions without the thresholds, over what there is already.

sub expressions_of_rules {
    my ($text) = @_;
    my @found;

    while ($text =~ /^ *- alert: (\w+)\n +expr: (?:\|\n((?: {10,}.*\n)+)|(.*)\n)/mg) {
        my ($name, $expr) = ($1, $2 // $3);
        $expr =~ s/\s+/ /g;
        $expr =~ s/ offset \w+//g;
        $expr =~ s/\A\s*absent\((.*)\)\s*\z/$1/;
        push @found, map { [ "alert $name", s/\s*(?:==|>)\s*[\d.]+\s*\z//r ] } split / and /, $expr;
    }

    return @found;
}

1;
