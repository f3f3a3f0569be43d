// Is it us, the cluster, a backend or a partner? What is wrong, the worst first, as
// keys of i18n: { level: 'bad' | 'warn' | 'note',
// who: 'us' | 'cluster' | 'backends' | 'partners' }.

import * as rates from './rates.js';

const FULL = 0.95, FILLING = 0.9;       // of the zone
const FAILING = 0.01;                   // of the answers
const GUESSING = 5;                     // unknown keys a second

const RECENT = 60;                      // seconds, of a refusal
const SILENT = 5;                       // ... of Redis
const EARLY = 0.05;                     // of what the limit has decided

const ORDER = ['bad', 'warn', 'note'];

// Status names the file's errors by these words.
const FILE = {
    'is missing': 'file.missing',
    'can\'t be read': 'file.unreadable',
    'was changed by another program: run nginx -t, then reload': 'file.changed',
};

export function findings(status, history) {
    const rate = rates.now(history);
    const found = [...us(status, history), ...cluster(status, history), ...backends(rate),
        ...partners(status, history)];

    return found.sort((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level));
}

export function zonePart(status) {
    return status.zone.used / status.zone.size;
}

function* us(status, history) {
    const { file, changes } = status.zone;
    const part = zonePart(status);

    if (!file.ok) {
        const key = FILE[file.error] ?? 'file.other';
        yield { level: key === 'file.changed' ? 'warn' : 'bad', who: 'us', key,
            values: { error: file.error } };
    } else if (!changes) {
        yield { level: 'warn', who: 'us', key: 'state.noChanges' };
    }

    for (const reason of rates.fileFailures(history)) {
        yield { level: 'warn', who: 'us', key: `failure.${reason}` };
    }

    if (part >= FILLING) {
        yield { level: part >= FULL ? 'bad' : 'warn', who: 'us', key: 'state.zoneFull', part };
    }
}

// A front door that shares limits with others; status has nothing of it elsewhere.

function* cluster(status, history) {
    const shared = status.cluster;

    if (!shared) {
        return;
    }

    const { connected, answered } = shared.redis;
    const isSilent = !connected || !answered
        || Date.parse(status.now) - Date.parse(answered) > SILENT * 1000;
    const found = (level, key, more) => ({ level, who: 'cluster', key, ...more });

    if (shared.stale) {
        yield found('bad', 'cluster.stale');
    }

    if (!shared.agrees) {
        // it is alone, too, but Redis isn't to blame
        yield found('bad', 'cluster.disagrees');
    } else if (shared.state === 'alone') {
        yield answered ? found('bad', 'cluster.alone', { at: answered })
            : found('bad', 'cluster.never');
    } else if (shared.state === 'starting' || shared.state === 'restating') {
        yield found('note', 'cluster.joining');
    } else if (isSilent && answered) {
        yield found('warn', 'cluster.silent', { at: answered });
    }

    if (shared.place > shared.nodes) {
        yield found('warn', 'cluster.tooMany', { values: { nodes: `${shared.nodes}` } });
    }

    if (rates.isBehind(history)) {
        yield found('bad', 'cluster.behind');
    }

    const early = rates.early(history);

    if (early > EARLY) {
        yield found('warn', 'cluster.early', { part: early });
    }
}

export function failing(rate) {
    const answered = rate ? rate.allowed : 0;

    return answered + (rate?.failed ?? 0) > 0
        ? rate.failed / Math.max(answered, rate.failed) : null;
}

function* backends(rate) {
    const part = failing(rate);

    if (part > FAILING) {
        const key = rate.upstream * 2 >= rate.failed ? 'state.backends' : 'state.backendsDown';
        yield { level: 'bad', who: 'backends', key, part };
    }
}

// Partners that were limited or refused just now; status names those of the last
// minutes.

export function recent(status) {
    const isRecent = (p) => p.id !== null
        && Date.parse(p.last) > Date.parse(status.now) - RECENT * 1000;

    return { limited: status.limited.filter(isRecent), refused: status.refused.filter(isRecent) };
}

function* partners(status, history) {
    const unknown = (rates.decided(history, 'invalid_key') ?? 0) / 60;
    const now = recent(status);
    const concerned = new Set([...now.limited, ...now.refused].map((p) => p.id));

    if (unknown >= GUESSING) {
        yield { level: 'warn', who: 'partners', key: 'state.unknownKeys', perSecond: unknown };
    }

    if (concerned.size) {
        yield { level: 'note', who: 'partners', key: 'state.partners', values: { n: concerned.size } };
    }
}
