// For each operation and each error that it documents a request that gets it,
// made from the operation's own examples.

import { createHmac } from 'node:crypto';
import { Asked } from './asked.mjs';
import { example } from './specification.mjs';

const BOUNDARY = 'the-edge-of-a-part';
const FILE_TYPES = { 'audio/*': 'audio/ogg' };

function multipart({ to, file }, encoding) {
    const type = encoding?.file?.contentType ?? 'application/octet-stream';
    const part = (more, content) => [`--${BOUNDARY}`,
        `Content-Disposition: form-data; ${more}`, '', content];

    return [...to === undefined ? [] : part('name="to"', to),
        `--${BOUNDARY}`, `Content-Disposition: form-data; name="file"; filename="${file}"`,
        `Content-Type: ${FILE_TYPES[type] ?? type}`, '', 'the file',
        `--${BOUNDARY}--`, ''].join('\r\n');
}

export const types = {
    'application/json': (value) => ['application/json', JSON.stringify(value)],
    'multipart/form-data': (value, { encoding }) =>
        [`multipart/form-data; boundary=${BOUNDARY}`, multipart(value, encoding)],
};

const media = (operation) => Object.entries(operation.requestBody?.content ?? {})[0] ?? [];

// The value of a parameter in the path is put in as it is.
function uri({ path, parameters }, values) {
    return parameters.filter((parameter) => parameter.in === 'path').reduce(
        (made, parameter) => made.replace(`{${parameter.name}}`,
            values[parameter.name] ?? example(parameter)), path);
}

export const isSigned = ({ security }) => security.some((scheme) => scheme.ApiSignature);

export function signature(key, secret, time) {
    return createHmac('sha256', Buffer.from(secret, 'base64')).update(key + time).digest('base64');
}

// Someone who has a key, and signs where that is asked for.
function credentials(operation, { key, secret }, { skew = 0, without = [], wrong = false } = {}) {
    const time = String(Math.floor(Date.now() / 1000) + skew);
    const signed = isSigned(operation) ? [['X-API-Timestamp', time],
        ['X-API-Signature', signature(key, wrong ? 'AAAA' : secret, time)]] : [];

    return [['X-API-Key', key], ...signed].filter(([name]) => !without.includes(name));
}

export class Requests extends Asked {
    constructor(partners) {
        super();
        this.partners = partners;
    }

    // What is accepted; more says what is otherwise: who asks, by which door,
    // values in the path, the body's value or text, and what send() takes.
    good(operation, { who = 'all', door = 'main', values = {}, value, query = '', sign = {},
        type: otherType, text, headers = [], method = operation.method, ...more } = {}) {
        const [name, content] = media(operation);
        const [type, body] = name ? types[name](value ?? example(content), content) : [];

        return {
            door, ...more, method,
            uri: uri(operation, values) + query,
            headers: [...who ? credentials(operation, this.partners[who], sign) : [], ...headers,
                ...name ? [['Content-Type', otherType ?? type]] : []],
            ...name ? { body: text ?? body } : {},
        };
    }

    // ---- malformed

    duplicate_header(operation) {
        return [this.good(operation, { headers: [['X-API-Key', this.partners.all.key]] })];
    }

    // Before the path is known, and after.
    bad_request(operation) {
        const { body, ...request } = this.good(operation);

        return [
            this.good(operation, { headers: [['X-Long', 'x'.repeat(9000)]] }),
            { ...request, chunks: 'no size\r\n',
                headers: [...request.headers, ['Transfer-Encoding', 'chunked']] },
        ];
    }

    invalid_payload(operation) {
        const [name, content] = media(operation);
        const whole = example(content);

        return [
            ...Object.keys(whole).filter((field) => name === 'application/json' || field === 'to')
                .filter((field) => field !== 'variables')
                .map((field) => this.good(operation, { value: { ...whole, [field]: undefined } })),
            this.good(operation, { text: '{' }),
        ];
    }

    // ---- credentials

    missing_signature(operation) {
        return ['X-API-Timestamp', 'X-API-Signature'].map((name) =>
            this.good(operation, { sign: { without: [name] } }));
    }

    stale_timestamp(operation) {
        return [-400, 400].map((skew) => this.good(operation, { sign: { skew } }));
    }

    invalid_signature(operation) {
        return [this.good(operation, { sign: { wrong: true } })];
    }

    insufficient_scope(operation) {
        return [this.good(operation, { who: 'scopeless' })];
    }

    // ---- what isn't there, or isn't taken

    // By our own hand, or the backend's.
    not_found(operation, response) {
        const { name } = operation.parameters.find((one) => one.in === 'path') ?? {};

        return [
            ...response.content['application/problem+json']
                ? [this.good(operation, { values: { [name]: '' } })] : [],
            name ? this.good(operation, { values: { [name]: 'a%20b' }, theirs: true })
                : this.good(operation, { door: 'broken', theirs: true }),
        ];
    }

    method_not_allowed(operation) {
        return [this.good(operation, { method: 'PROPFIND' })];
    }

    too_large(operation) {
        const [name] = media(operation);
        const withheld = 101 << 20;

        return [this.good(operation, { withheld }), ...name === 'application/json'
            ? [this.good(operation, { text: `{"x":"${'x'.repeat(70_000)}"}` })] : []];
    }

    unsupported_media_type(operation) {
        return [this.good(operation, { type: 'text/plain' })];
    }

    // ---- too often

    // What is let through takes the place of the next.
    too_many_requests(operation) {
        return [this.good(operation, { door: 'crowded', again: true })];
    }

    // ---- our fault, and the backends'

    internal_error(operation) {
        return [this.good(operation, { door: 'broken', headers: [['X-Return', '500']] })];
    }

    unavailable(operation) {
        return [this.good(operation, { door: 'broken', headers: [['X-Return', '503']] })];
    }

    bad_gateway(operation) {
        return [this.good(operation, { door: 'dead' })];
    }

    gateway_timeout(operation) {
        return [this.good(operation, { door: 'silent' })];
    }
}
