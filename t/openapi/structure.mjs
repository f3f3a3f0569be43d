// The specification, conf/nginx.conf and conf/doc, held against each other.

import { isDeepStrictEqual } from 'node:util';
import { codeOf } from './answer.mjs';
import { text } from './tools.mjs';
import { all, bytes, inForce, location, mapped, read, rows } from './nginx.mjs';
import { example, walk } from './specification.mjs';

const JSON_BODY = 64 << 10;         // whatever client_max_body_size says
const MEBIBYTE = 1 << 20;

const sorted = (values) => [...new Set(values)].sort();
const without = (some, others) => some.filter((one) => !others.includes(one));

// What is in one and not in the other, in words.
function differences(one, other, names, what) {
    return [
        ...without(sorted(one), other).map((item) => `${what} ${item}: in ${names[0]} alone`),
        ...without(sorted(other), one).map((item) => `${what} ${item}: in ${names[1]} alone`),
    ];
}

const http = all(read(text('conf/nginx.conf')), 'http')[0];
const server = all(http, 'server')[0];
const methods = rows(http, '$methods');

const filled = ({ path, parameters }) => parameters.filter((one) => one.in === 'path')
    .reduce((made, one) => made.replace(`{${one.name}}`, example(one)), path);

// ---- paths and methods

export function paths(specification) {
    const operations = specification.operations();
    const used = new Set();

    const faults = Object.keys(specification.document.paths).flatMap((path) => {
        const here = operations.filter((operation) => operation.path === path);
        const row = mapped(methods, filled(here[0]));

        used.add(row);
        return differences(here.map(({ method }) => method),
            without(row[1].split(', '), ['HEAD', '']),
            ['the specification', 'conf/nginx.conf'], `${path}: the method`);
    });

    // what partners read isn't part of the API
    const more = methods.filter((row) => !used.has(row)
        && row[0] !== 'default' && !/docs|openapi/.test(row[0]));

    return [...faults, ...more.map(([pattern]) => `${pattern}: in conf/nginx.conf alone`)];
}

// ---- what an operation asks for

const place = (operation) => location(server, filled(operation));

export function scopes(specification) {
    return specification.operations().flatMap((operation) => differences(
        operation['x-required-scopes'] ?? [], inForce(place(operation), 'wassiit_scope') ?? [],
        ['the specification', 'conf/nginx.conf'], `${operation.name}: the scope`).concat(
        (operation['x-required-scopes'] ?? [])
            .filter((scope) => !operation.description.includes(`\`${scope}\``))
            .map((scope) => `${operation.name}: the description doesn't name ${scope}`)));
}

export function security(specification) {
    return specification.operations().flatMap((operation) => {
        const auth = inForce(place(operation), 'wassiit_auth')?.[0] ?? 'key';
        const expected = auth === 'hmac'
            ? [{ ApiKey: [], ApiTimestamp: [], ApiSignature: [] }] : [{ ApiKey: [] }];
        const form = inForce(place(operation), 'wassiit_errors')?.[0] ?? 'problem';
        const [, refusal] = specification.responses(operation).find(([status]) => status === '401');
        const type = Object.keys(refusal.content)[0];

        return [
            ...isDeepStrictEqual(operation.security, expected) ? []
                : [`${operation.name}: the security isn't that of wassiit_auth ${auth}`],
            ...type === { problem: 'application/problem+json', envelope: 'application/json' }[form]
                ? [] : [`${operation.name}: the errors' form isn't ${form}`],
        ];
    });
}

// What the description tells as the most that a body may have.
function told({ description }) {
    const [, number, unit] = description.match(/at most ([\d]+)\s+(bytes|MiB)/) ?? [];

    return number && number * { bytes: 1, MiB: MEBIBYTE }[unit];
}

export function sizes(specification) {
    return specification.operations().flatMap((operation) => {
        const here = place(operation);
        const [payload = 'off'] = inForce(here, 'wassiit_payload') ?? [];
        const size = bytes(inForce(here, 'client_max_body_size')[0]);
        const checked = ['message', 'call', 'automation'].includes(payload);
        const most = operation.requestBody && (checked ? Math.min(size, JSON_BODY) : size);
        const takes = Boolean(operation.requestBody) && payload !== 'off';
        const says = '415' in operation.responses;

        return [
            ...told(operation) === most ? []
                : [`${operation.name}: ${told(operation)} bytes, in conf/nginx.conf ${most}`],
            ...takes === says ? []
                : [`${operation.name}: 415 and wassiit_payload don't go together`],
            ...Boolean(operation.requestBody) === ('413' in operation.responses) ? []
                : [`${operation.name}: 413 and a body don't go together`],
        ];
    });
}

// ---- codes, scopes and headers, beside partners.md

// Rows of "| a | `b` | …", without what partners never see: of 408 nginx itself
// makes no answer, it closes the connection.
function writtenCodes() {
    return [...text('conf/doc/partners.md').matchAll(/^\| (\d{3}) \| `(\w+)` \| (.*)$/mg)]
        .filter(([, , code, more]) => !/^only at the admin endpoint/.test(more)
            && !['unauthorized', 'forbidden', 'request_timeout'].includes(code))
        .map(([, status, code]) => `${status} ${code}`);
}

export function codes(specification) {
    const errors = specification.document['x-errors'];
    const listed = Object.entries(errors).map(([code, { status }]) => `${status} ${code}`);
    const responses = specification.operations()
        .flatMap((operation) => specification.responses(operation));
    const used = responses.flatMap(([, response]) => response['x-codes'] ?? []);

    const examples = Object.values(specification.document.components.responses)
        .flatMap((response) => {
            const shown = Object.values(response.content).flatMap((media) =>
                Object.values(media.examples ?? {}).map(({ value }) => codeOf(value)));

            return differences(response['x-codes'], shown, ['x-codes', 'the examples'],
                `${response.description}: the code`);
        });

    return [
        ...differences(listed, writtenCodes(), ['x-errors', 'partners.md'], 'the code'),
        ...differences(used, Object.keys(errors), ['responses', 'x-errors'], 'the code'),
        ...responses.filter(([status, response]) => status >= 400 && !response['x-codes']?.length)
            .map(([, response]) => `${response.description}: no x-codes`),
        ...responses.flatMap(([key, response]) => (response['x-codes'] ?? [])
            .filter((code) => key !== 'default' && errors[code]?.status !== Number(key))
            .map((code) => `${code} stands at ${key}`)),
        ...examples,
    ];
}

const SCOPE = /`([a-z]+\.[a-z]+)`/g;

export function scopeNames(specification) {
    const known = [...text('src/ngx_wassiit_scope.c').matchAll(/"([a-z]+\.[a-z]+)"/g)]
        .map(([, name]) => name);
    const { description } = specification.document.components.securitySchemes.ApiKey;
    const needed = specification.operations()
        .flatMap((operation) => operation['x-required-scopes'] ?? []);

    return [
        ...differences([...description.matchAll(SCOPE)].map(([, name]) => name), known,
            ['ApiKey', 'the module'], 'the scope'),
        ...differences(needed, known, ['operations', 'the module'], 'the scope'),
    ];
}

export function limitHeaders(specification) {
    const written = [...text('conf/doc/partners.md').matchAll(/^\| `((?:X-)?RateLimit[\w-]*)` \| `(.*?)` \|/mg)]
        .map(([, name, shown]) => `${name}: ${shown}`);
    const headers = Object.entries(specification.document.components.headers)
        .filter(([name]) => /RateLimit/.test(name))
        .map(([name, header]) => `${name}: ${header.example}`);

    return differences(headers, written, ['the specification', 'partners.md'], 'the header');
}

// ---- in itself

export function references(specification) {
    return [...walk(specification.document)].filter(([, { $ref }]) => $ref)
        .filter(([, { $ref }]) => !$ref.startsWith('#/') || specification.at($ref) === undefined)
        .map(([pointer, { $ref }]) => `${pointer}: ${$ref} leads nowhere`);
}

// Each example of a body, a parameter or a header, of webhooks, too.
export function examples(specification) {
    const shown = ({ example: one, examples: many = {} }) => [
        ...one === undefined ? [] : [['example', one]],
        ...Object.entries(many).map(([name, { value }]) => [name, value])];

    return [...walk(specification.document)]
        .filter(([, { schema }]) => typeof schema === 'object')
        .flatMap(([pointer, place]) => shown(place).map(([name, value]) =>
            [`${pointer} ${name}`, specification.wrong(place.schema, value)]))
        .filter(([, wrong]) => wrong).map(([name, wrong]) => `${name}: ${wrong}`);
}

// The French edition: texts may differ, tags have names, and nothing else.
const TEXTS = ['title', 'summary', 'description', 'when', 'remedy', 'name'];
const MORE = ['x-displayName'];

export function editions(english, french, pointer = '#') {
    if (![english, french].every((value) => value !== null && typeof value === 'object')) {
        const isText = [english, french].every((value) => typeof value === 'string')
            && TEXTS.includes(pointer.split('/').at(-1))
            && !/\/(?:example|value|examples\/\d+)(?:\/|$)/.test(pointer);

        return english === french || isText ? [] : [`${pointer}: ${english}, ${french}`];
    }

    const keys = Object.keys(english);

    return [
        ...differences(keys, without(Object.keys(french), MORE),
            ['the English', 'the French'], `${pointer}:`),
        ...keys.filter((key) => key in french).flatMap((key) =>
            editions(english[key], french[key], `${pointer}/${key.replaceAll('/', '~1')}`)),
    ];
}

export const checks = {
    paths, scopes, security, sizes, codes, scopeNames, limitHeaders, references, examples,
};
