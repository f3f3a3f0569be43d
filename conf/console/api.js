// Requests to the front door's admin listener.

import { state } from './state.js';

// Beside the console's own folder, wherever that is served.
const BASE = new URL('../', document.baseURI);

// It answered, but not with what was asked for.
export class Refused extends Error {
    constructor(status, problem) {
        super(problem.detail ?? '');
        this.status = status;
        this.code = problem.code ?? 'error';
        this.detail = problem.detail ?? '';
        this.instance = problem.instance ?? '';
        this.errors = problem.errors ?? [];
    }
}

// It didn't answer, or not to the end: a change may have been made.
export class Broken extends Error {}

// { data, etag }: data is null where there is no body.

export async function ask(method, path, { body, etag, signal } = {}) {
    const headers = { 'X-API-Key': state.key };

    if (body !== undefined) {
        headers['Content-Type'] = 'application/json';
    }

    if (etag) {
        headers['If-Match'] = etag;
    }

    let answer, text;

    try {
        answer = await fetch(new URL(path, BASE), {
            method, headers, signal, cache: 'no-store', credentials: 'omit',
            body: body === undefined ? undefined : JSON.stringify(body),
        });
        text = await answer.text();
    } catch (error) {
        throw error.name === 'AbortError' ? error : new Broken(error.message);
    }

    const data = parse(text);

    if (!answer.ok || data === undefined) {
        throw new Refused(answer.status, data ?? {});
    }

    return { data, etag: answer.headers.get('ETag') };
}

function parse(text) {
    if (text === '') {
        return null;
    }

    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

export const status = (signal) => ask('GET', 'status', { signal });

// ---- partners

const PARTNERS = 'admin/partners';

function address(id, below = '') {
    return `${PARTNERS}/${encodeURIComponent(id)}${below}`;
}

export const partner = (id, signal) => ask('GET', address(id), { signal });

// Up to 100 partners behind "after" that fit, and the id to go on behind. One
// request looks at a part of a large zone alone.

export async function search({ q, state: which, after }, signal) {
    const found = [];
    let next = after;

    do {
        const query = new URLSearchParams({ limit: 100 - found.length });

        if (q) query.set('q', q);
        if (which) query.set('state', which);
        if (next) query.set('after', next);

        const { data } = await ask('GET', `${PARTNERS}?${query}`, { signal });
        found.push(...data.partners);
        next = data.next;
    } while (next && found.length < 100);

    return { found, next };
}

export const create = (fields) => ask('POST', PARTNERS, { body: fields });

export const edit = (id, fields, etag) =>
    ask('PATCH', address(id), { body: fields, etag });

export const remove = (id, etag) => ask('DELETE', address(id), { etag });

export const addKey = (id, etag) => ask('POST', address(id, '/keys'), { etag });

export const rotateKey = (id, grace, etag) =>
    ask('POST', address(id, '/keys/rotate'), { body: { grace }, etag });

export const revokeKey = (id, key, etag) =>
    ask('DELETE', address(id, `/keys/${encodeURIComponent(key)}`), { etag });

// secret: "hmac_secret" or "webhook_secret"; grace: of the former, undefined if
// there is none

export const newSecret = (id, secret, grace, etag) =>
    ask('POST', address(id, `/${secret}`), { body: grace && { grace }, etag });
