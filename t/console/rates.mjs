// From totals to rates.
//   node rates.mjs CONSOLE

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { is } from '../browser/tap.mjs';

const top = process.argv[2];
const load = (file) => import(pathToFileURL(join(top, file)));
const rates = await load('rates.js');
const health = await load('health.js');

const START = Date.parse('2026-11-28T03:00:00Z');

function status(uptime, {
    decisions = {}, failed = 0, upstream = failed, since = 'a', counts = [0, 0, 0], disk = 0, ...more
} = {}) {
    return {
        now: new Date(START + uptime * 1000).toISOString(), uptime,
        zone: { size: 100, used: 50, changes: true, file: { ok: true, error: null } },
        counters: {
            since, decisions: { allowed: 0, rate_limited: 0, invalid_key: 0, ...decisions },
            responses: { '2xx': 0, '5xx': failed }, upstream: { '5xx': upstream },
            duration: { le: [1, 2], counts }, file_failures: { locked: 3, disk },
        },
        limited: [], refused: [], active: [], ...more,
    };
}

function seen(...statuses) {
    const history = rates.empty();

    statuses.forEach((s) => rates.add(history, s));
    return history;
}

is(rates.now(seen()), null, 'nothing is known before the first answer') ;
is(rates.now(seen(status(10))), null, 'one answer makes no rate');

let h = seen(status(10, { decisions: { allowed: 100 } }),
    status(20, { decisions: { allowed: 200, rate_limited: 50, invalid_key: 10,
        rate_limited_dry_run: 20 }, failed: 5 }));
let now = rates.now(h);
is([now.allowed, now.limited, now.refused, now.failed, now.requests], [12, 5, 1, 0.5, 18],
    'differences by uptime; a dry run lets through, all else refuses');
is(rates.series(h).allowed, [11.5], 'what failed is not among the allowed');

h = seen(...[0, 30, 60, 90, 120].map((u) => status(u, { decisions: { allowed: u * u } })));
is(rates.now(h).allowed, (120 ** 2 - 60 ** 2) / 60, 'over the last minute alone');
is(rates.minutes(h).map((row) => row.allowed), [180, 60], 'a row a minute, the newest first');

h = seen(...Array.from({ length: 600 }, (_, i) => status(i * 2)));
is(h.samples.length, 451, '15 minutes are kept');

h = seen(status(10, { decisions: { allowed: 100 } }),
    status(12, { decisions: { allowed: 90 } }));
is(h.samples.length, 1, 'a smaller total begins anew');
h = seen(status(10, { since: 'a' }), status(12, { since: 'b' }));
is(h.samples.length, 1, 'another "since" begins anew');
h = seen(status(10), status(3));
is(h.samples.length, 1, 'a smaller uptime begins anew');
h = seen(status(10, { counts: [5, 5, 0] }), status(12, { counts: [9, 4, 0] }));
is(h.samples.length, 1, 'a bucket that sinks begins anew');
h = seen(status(10), status(10));
is(h.samples.length, 1, 'the same moment twice is one');

is(rates.quantile([1, 2], [0, 0, 0], 0.95), null, 'no requests have no quantile');
is(rates.quantile([1, 2], [50, 50, 0], 0.75), 1.5, 'within a bucket, by the straight line');
is(rates.quantile([1, 2], [1, 1, 98], 0.95), 2, 'beyond the last bound, that bound');

const limited = (n) => ({ limited: [{ id: 'atlas', limited: n }] });
h = seen(status(0, limited(10)), status(30, limited(15)), status(70, limited(40)));
is(rates.limitedOf(h, 'atlas'), 25, 'a partner in the last minute');
is(rates.limitedOf(h, 'nobody'), null, 'nothing of one that is not there');
h = seen(status(0), status(30, limited(15)));
is(rates.limitedOf(h, 'atlas'), 15, 'one that is new there has all of its');

// ---- is it us, a backend or a partner

const zone = (fields) => ({ zone: { size: 100, used: 50, changes: true,
    file: { ok: true, error: null }, ...fields } });
const last = (seconds) => new Date(START + seconds * 1000).toISOString();
const found = (...statuses) => health.findings(statuses.at(-1), seen(...statuses))
    .map((f) => `${f.level} ${f.who} ${f.key}`);

is(found(status(10)), [], 'nothing is wrong');
is(found(status(10, zone({ used: 91 }))), ['warn us state.zoneFull'], 'a zone that fills');
is(found(status(10, zone({ used: 96 }))), ['bad us state.zoneFull'], 'a zone that is full');
is(found(status(10, zone({ file: { ok: false, error: 'is missing' }, changes: false }))),
    ['bad us file.missing'], 'a file that is missing');
is(found(status(10, zone({ file: { ok: false, error: 'was changed by another program: run nginx -t, then reload' } }))),
    ['warn us file.changed'], 'a file that was edited');
is(found(status(10, zone({ file: { ok: false, error: 'burns' } }))), ['bad us file.other'],
    'whatever else it is');
is(found(status(10, zone({ changes: false }))), ['warn us state.noChanges'], 'no changes');
is(found(status(10), status(20, { disk: 1 }), status(30, { disk: 1 })), ['warn us failure.disk'],
    'a change that could not be written, for as long as it is of late');
is(found(status(10, { disk: 1 }), status(1000, { disk: 1 })), [], 'one of before is not told');
is(found(status(0), status(10, { decisions: { allowed: 100 }, failed: 2 })),
    ['bad backends state.backends'], 'a backend that fails');
is(found(status(0), status(10, { decisions: { allowed: 100 }, failed: 2, upstream: 0 })),
    ['bad backends state.backendsDown'], 'a backend that does not answer');
is(found(status(0), status(10, { decisions: { allowed: 1000 }, failed: 2 })), [],
    'a failure now and then is none');
is(found(status(0), status(10, { decisions: { invalid_key: 400 } })),
    ['warn partners state.unknownKeys'], 'someone who guesses keys');
is(found(status(0), status(10, { decisions: { allowed: 10 }, failed: 9,
    limited: [{ id: 'a', limited: 1, last: last(5) }] })),
    ['bad backends state.backends', 'note partners state.partners'], 'the worst comes first');
is(found(status(100, { limited: [{ id: 'a', limited: 1, last: last(30) }],
    refused: [{ id: null, count: null, last: last(99) }] })), [],
    'one that was limited a while ago is not limited now, and who is unknown is no partner');

// ---- is it the cluster

const node = (uptime, { redis, early = 0, decisions, ...fields } = {}) => status(uptime, { decisions,
    cluster: { node: 'edge-1', place: 1, nodes: 3, state: 'active', session: 28, agrees: true,
        redis: { connected: true, answered: last(uptime - 1), ...redis }, caps: 0, behind: 0,
        counters: { early }, ...fields } });
const gone = { connected: false, answered: last(-40) };

is(found(node(10)), [], 'a node that shares');
is(found(node(10, { redis: gone })), ['warn cluster cluster.silent'], 'Redis is away');
is(found(node(10, { redis: { answered: last(2) } })), ['warn cluster cluster.silent'], 'or stands still');
is(found(node(10, { state: 'alone', redis: gone })), ['bad cluster cluster.alone'], 'for long');
is(found(node(10, { state: 'alone', redis: { connected: false, answered: null } })),
    ['bad cluster cluster.never'], 'from the start');
is(found(node(10, { state: 'restating' })), ['note cluster cluster.joining'], 'it joins again');
is(found(node(10, { state: 'alone', agrees: false })), ['bad cluster cluster.disagrees'],
    'what differs is told, not what comes of it');
is(found(node(10, { stale: true, state: 'alone', redis: gone })),
    ['bad cluster cluster.stale', 'bad cluster cluster.alone'], 'it lets nobody in');
is(found(node(10, { place: 4 })), ['warn cluster cluster.tooMany'], 'one too many');
is(found(node(10), node(12, { behind: 1 })), [], 'a change takes its time');
is(found(node(10, { behind: 1 }), node(12, { behind: 1 })), ['bad cluster cluster.behind'], 'but not long');
is(found(node(10), node(20, { decisions: { allowed: 90, rate_limited: 10 }, early: 6 })),
    ['warn cluster cluster.early'], 'some are refused early');
is(found(node(10), node(20, { decisions: { allowed: 90, rate_limited: 10, invalid_key: 99 }, early: 5 })), [],
    'a few are to be expected');
