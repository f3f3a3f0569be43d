// From totals to rates: samples of /status over 15 minutes, and what has changed
// between two of them. Time is the front door's own: "uptime" for differences,
// "now" to show.

const KEEP = 15 * 60, MINUTE = 60;

const TOTALS = ['allowed', 'limited', 'refused', 'failed', 'upstream'];

export function empty() {
    return { since: null, samples: [] };
}

// Another "since" or a total that has sunk: it was started anew, and what was
// before says nothing.

export function add(history, status) {
    const sample = read(status);
    const last = history.samples.at(-1);

    if (last && (history.since !== status.counters.since || isOlder(sample, last))) {
        history.samples = [];
    }

    history.since = status.counters.since;

    if (last && history.samples.length && sample.uptime === last.uptime) {
        return;
    }

    history.samples.push(sample);
    history.samples = history.samples.filter((s) => s.uptime >= sample.uptime - KEEP);
}

function isOlder(sample, last) {
    return sample.uptime < last.uptime
        || TOTALS.some((name) => sample[name] < last[name])
        || sample.counts.some((count, i) => count < last.counts[i]);
}

function read(status) {
    const { decisions, responses, upstream, duration, file_failures: failures } = status.counters;
    const sample = {
        time: Date.parse(status.now) / 1000, uptime: status.uptime,
        allowed: 0, limited: 0, refused: 0,
        failed: responses['5xx'],
        upstream: upstream['5xx'],          // those of them that a backend made
        decisions, failures, le: duration.le, counts: duration.counts,
        early: status.cluster?.counters.early ?? 0,
        behind: status.cluster?.behind ?? 0,
        partners: new Map(status.limited.map((p) => [p.id, p.limited])),
        refusals: new Map(status.refused.map((p) => [p.id, p.count])),
    };

    for (const [code, count] of Object.entries(decisions)) {
        sample[kind(code)] += count;
    }

    return sample;
}

export function kind(code) {
    return code === 'allowed' || code === 'rate_limited_dry_run' ? 'allowed'
        : code === 'rate_limited' ? 'limited' : 'refused';
}

// The newest sample, and the oldest of the last minute; null until there are two.

function span(history) {
    const to = history.samples.at(-1);
    const from = history.samples.find((s) => s.uptime >= to.uptime - MINUTE);

    return from && from !== to
        ? { from, to, seconds: to.uptime - from.uptime } : null;
}

// Per second, over the last minute; null until there is something to tell.

export function now(history) {
    const s = span(history);

    if (!s) {
        return null;
    }

    const perSecond = (name) => (s.to[name] - s.from[name]) / s.seconds;
    const rates = Object.fromEntries(TOTALS.map((name) => [name, perSecond(name)]));

    rates.requests = rates.allowed + rates.limited + rates.refused;
    rates.p95 = quantile(s.to.le, s.to.counts.map((n, i) => n - s.from.counts[i]), 0.95);

    return rates;
}

// The bound below which so many of the counts lie, in seconds, between bounds by
// the straight line; null without counts. Beyond the last bound, that bound.

export function quantile(le, counts, part) {
    const wanted = counts.reduce((sum, n) => sum + n, 0) * part;
    let below = 0;

    if (!wanted) {
        return null;
    }

    for (let i = 0; i < le.length; i++) {
        if (below + counts[i] >= wanted) {
            const from = i ? le[i - 1] : 0;
            return from + (le[i] - from) * (wanted - below) / counts[i];
        }
        below += counts[i];
    }

    return le.at(-1);
}

// How often in the last minute: a partner's 429s, its refusals, a decision.

export function limitedOf(history, id) {
    return perMinute(history, (s) => s.partners.get(id));
}

export function refusedOf(history, id) {
    return perMinute(history, (s) => s.refusals.get(id));
}

export function decided(history, code) {
    return perMinute(history, (s) => s.decisions[code] ?? 0);
}

// What a node of a cluster has refused too early, of what the limit has decided in
// the last minute; null until there is something to tell.

export function early(history) {
    const s = span(history);
    const decided = s && s.to.allowed + s.to.limited - s.from.allowed - s.from.limited;

    return decided ? (s.to.early - s.from.early) / decided : null;
}

// Changes of others are in force within milliseconds: who sees some still to come
// twice is behind.

export function isBehind(history) {
    const last = history.samples.slice(-2);

    return last.length === 2 && last.every((sample) => sample.behind > 0);
}

// What has kept changes from being made of late, by status' words.

export function fileFailures(history) {
    const { failures } = history.samples.at(-1) ?? {};
    const before = history.samples[0]?.failures;

    return Object.keys(failures ?? {}).filter((reason) => failures[reason] > before[reason]);
}

function perMinute(history, count) {
    const to = history.samples.at(-1);
    const total = to && count(to);

    if (total === undefined) {
        return null;
    }

    // one that wasn't there before has had none, or was not looked at
    const from = history.samples.find((s) => s.uptime >= to.uptime - MINUTE);
    const before = count(from);

    return before === undefined || before > total ? total : total - before;
}

// For the chart: seconds of time, and a list of rates for each kind. What ended
// in a 5xx is not among the allowed.

export function series(history) {
    const result = { time: [], allowed: [], limited: [], refused: [], failed: [] };
    const { samples } = history;

    for (let i = 1; i < samples.length; i++) {
        add2(result, samples[i - 1], samples[i]);
    }

    return result;
}

function add2(result, from, to) {
    const seconds = to.uptime - from.uptime;
    const rate = (name) => (to[name] - from[name]) / seconds;

    result.time.push(to.time);
    result.allowed.push(Math.max(rate('allowed') - rate('failed'), 0));

    for (const name of ['limited', 'refused', 'failed']) {
        result[name].push(rate(name));
    }
}

// The same by minutes, the newest first, for a table.

export function minutes(history) {
    const rows = [];
    let to = history.samples.at(-1);

    for (let i = history.samples.length - 1; i >= 0 && to; i--) {
        const from = history.samples[i];

        if (to.uptime - from.uptime >= MINUTE || i === 0 && from !== to) {
            const row = { time: [], allowed: [], limited: [], refused: [], failed: [] };
            add2(row, from, to);
            rows.push(Object.fromEntries(Object.entries(row).map(([k, v]) => [k, v[0]])));
            to = from;
        }
    }

    return rows;
}
