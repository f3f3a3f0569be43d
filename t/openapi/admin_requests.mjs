// For each operation of the admin endpoint and status, and each answer that it
// documents, the requests that get it, made from the operation's own examples.

import { Asked } from './asked.mjs';
import { example } from './specification.mjs';

const JSON_TYPE = 'application/json';
const NOBODY = { partnerId: 'nobody-has-this-id', keyId: 'nor-has-a-key-this-one' };

const body = (operation) => operation.requestBody?.content[JSON_TYPE];
const inQuery = (operation) => operation.parameters.filter(({ in: where }) => where === 'query');
const isChange = ({ method }) => method !== 'GET';

// Whoever may do it without a key asks where nobody may.
const door = ({ security }) => (security.some((one) => !one.ApiKey) ? 'outside' : 'main');

// An argument as URLs have it: a list is the name several times.
const argument = (name, value) => [value].flat()
    .map((one) => `${name}=${encodeURIComponent(one)}`).join('&');

export class AdminRequests extends Asked {
    // keys of operators by name; fresh, full: ids of partners to be used up,
    // those of full have eight keys.
    constructor({ keys, fresh, full }) {
        super();
        Object.assign(this, { keys, fresh: [...fresh], full: [...full], made: 0 });
    }

    // What is accepted; more says what is otherwise.
    good(operation, { who = 'ops', query = '', values = {}, value = this.value(operation),
        headers = [], text, method = operation.method, ...more } = {}) {
        const id = values.partnerId ?? (operation.path.includes('{') ? this.fresh.shift() : '');
        const content = text ?? (value ? JSON.stringify(value) : undefined);

        return {
            door: door(operation), method, ...more,
            uri: operation.path.replace('{partnerId}', id)
                .replace('{keyId}', values.keyId ?? 'k1') + query,
            headers: [...who ? [['X-API-Key', this.keys[who]]] : [], ...headers,
                ...content === undefined ? [] : [['Content-Type', JSON_TYPE]]],
            ...content === undefined ? {} : { body: content },
        };
    }

    // The body of the first example, or this one; of a partner that isn't there.
    value(operation, chosen) {
        const value = chosen ?? (body(operation) && example(body(operation)));

        return operation.operationId === 'createPartner' && value.id
            ? { ...value, id: `made-${++this.made}` } : value;
    }

    accepted(operation) {
        const bodies = Object.values(body(operation)?.examples ?? {}).map(({ value }) =>
            this.good(operation, { value: this.value(operation, value) }));
        const queries = inQuery(operation).flatMap(({ name, schema, examples = {} }) =>
            [...Object.values(examples).map(({ value }) => value), ...schema.enum ?? [],
                ...[schema.minimum, schema.maximum].filter((value) => value !== undefined)]
                .map((value) => this.good(operation, { query: `?${argument(name, value)}` })));

        return [...bodies, ...queries, ...operation.tags.includes('Status')
            ? [this.good(operation, { door: 'shared' })] : [],
        ...operation.requestBody?.required ? []
            : [this.good(operation, { value: null })],
        ...operation['x-required-scopes'][0] === 'partners.read'
            ? [this.good(operation, { who: 'reader' })] : [],
        ...operation.parameters.some(({ name }) => name === 'If-Match')
            ? [this.good(operation, { headers: [['If-Match', '*']] })] : []];
    }

    // ---- malformed

    duplicate_header(operation) {
        return [this.good(operation, { headers: [['X-API-Key', this.keys.ops]] })];
    }

    bad_request(operation) {
        const wrong = { integer: ['none', '-1', '1001'], array: ['A'], string: ['', '%'] };

        return [
            this.good(operation, { query: '?unknown=1' }),
            this.good(operation, { headers: [['X-Long', 'x'.repeat(9000)]] }),
            ...inQuery(operation).flatMap(({ name, schema }) => [
                ...(wrong[schema.type] ?? ['A', '']).map((value) => `${name}=${value}`),
                Array(21).fill(`${name}=${schema.minimum ?? 'a'}`).join('&'),
            ].map((query) => this.good(operation, { query: `?${query}` }))),
            ...operation.path.includes('{partnerId}')
                ? [this.good(operation, { values: { partnerId: 'A' } })] : [],
            ...operation.path.includes('{keyId}')
                ? [this.good(operation, { values: { keyId: 'A' } })] : [],
            ...isChange(operation)
                ? [this.good(operation, { headers: [['If-Match', 'no tag']] })] : [],
        ];
    }

    invalid_payload(operation) {
        const schema = body(operation)?.schema;
        const fields = Object.keys(schema ? this.specification.resolved(schema).properties : {});
        const whole = this.value(operation) ?? {};

        return [
            ...fields.map((field) => this.good(operation, { value: { ...whole, [field]: 1 } })),
            ...fields.includes('id') ? [this.good(operation, { value: { ...whole, id: '..' } })] : [],
            this.good(operation, { value: { ...whole, unknown: 1 } }),
            this.good(operation, { text: '{' }),
            this.good(operation, { text: '[]' }),
            ...operation.requestBody?.required ? [this.good(operation, { text: '' })] : [],
        ];
    }

    // ---- who asks

    insufficient_scope(operation) {
        return ['scopeless', ...isChange(operation) ? ['reader'] : []]
            .map((who) => this.good(operation, { who }));
    }

    // ---- what doesn't fit what is there

    not_found(operation) {
        return Object.entries(NOBODY)
            .filter(([name]) => operation.path.includes(`{${name}}`))
            .map(([name, value]) => this.good(operation, { values: { [name]: value } }));
    }

    conflict(operation) {
        const id = 'a-line-by-hand';

        if (operation.operationId === 'createPartner') {
            return [this.good(operation, { value: { id: 'taken' } }),
                this.good(operation, { door: 'edited', value: { id } })];
        }

        return [this.good(operation, { door: 'edited', values: { partnerId: id } }),
            ...['addKey', 'rotateKeys'].includes(operation.operationId)
                ? [this.good(operation, { value: operation.requestBody && { grace: '1h' },
                    values: { partnerId: this.full.shift() } })] : []];
    }

    precondition_failed(operation) {
        return [this.good(operation, { headers: [['If-Match', '"0000000000000000"']] })];
    }

    method_not_allowed(operation) {
        return [this.good(operation, { method: 'PUT' })];
    }

    too_large(operation) {
        const most = operation.path.startsWith('/admin/') ? 65536 : 1 << 20;

        return [this.good(operation, { withheld: most + 1 }), ...operation.method === 'POST'
            ? [this.good(operation, { text: `{"x":"${'x'.repeat(65536)}"}` })] : []];
    }

    // ---- what doesn't work

    internal_error(operation) {
        return [this.good(operation, { door: 'broken' })];
    }

    unavailable(operation) {
        return [this.good(operation, { door: 'locked' })];
    }

    insufficient_storage(operation) {
        return [this.good(operation, { door: 'readonly' }),
            ...operation.operationId === 'createPartner'
                ? [this.good(operation, { door: 'small' })] : []];
    }
}
