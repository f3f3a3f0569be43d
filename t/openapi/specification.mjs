// The specification as the tests ask it: references followed, schemas compiled.

import { load } from './tools.mjs';

const Ajv = load('ajv/dist/2020.js').default;
const addFormats = load('ajv-formats').default;

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
const unescape = (part) => part.replaceAll('~1', '/').replaceAll('~0', '~');

export class Specification {
    constructor(document) {
        this.document = document;
        this.compiled = new Map();
        this.ajv = new Ajv({ strict: false, allErrors: true });
        addFormats(this.ajv);
        this.ajv.addFormat('binary', true);
        this.ajv.addSchema({ $id: 'specification', ...structuredClone(document) });
    }

    at(reference) {
        return reference.slice(2).split('/').map(unescape)
            .reduce((value, part) => value?.[part], this.document);
    }

    resolved(value) {
        return value?.$ref ? this.at(value.$ref) : value;
    }

    // What is wrong with the value, in words; nothing if that is "".
    wrong(schema, value) {
        const text = JSON.stringify(schema);

        if (!this.compiled.has(text)) {
            this.compiled.set(text,
                this.ajv.compile(JSON.parse(text.replaceAll('"#/', '"specification#/'))));
        }

        const validate = this.compiled.get(text);

        return validate(value) ? '' : this.ajv.errorsText(validate.errors, { dataVar: '' });
    }

    operations() {
        return Object.entries(this.document.paths).flatMap(([path, item]) =>
            METHODS.filter((method) => item[method]).map((method) => ({
                ...item[method], path, method: method.toUpperCase(),
                name: `${method.toUpperCase()} ${path}`,
                parameters: [...item.parameters ?? [], ...item[method].parameters ?? []],
                security: item[method].security ?? this.document.security,
            })));
    }

    operation(id) {
        return this.operations().find((operation) => operation.operationId === id);
    }

    // [status, response], references followed.
    responses(operation) {
        return Object.entries(operation.responses)
            .map(([status, response]) => [status, this.resolved(response)]);
    }
}

// Each object and array within, with its pointer.
export function* walk(value, pointer = '#') {
    if (value === null || typeof value !== 'object') {
        return;
    }

    yield [pointer, value];

    for (const [key, child] of Object.entries(value)) {
        yield* walk(child, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    }
}

// Is an example of this name about a fate of the sandbox?
export const isFate = (name) => /delivered|read|failed|down|slow/.test(name);

// An example's value: the first without such a fate.
export function example({ example: one, examples = {} }) {
    const [, chosen] = Object.entries(examples).find(([name]) => !isFate(name)) ?? [];

    return one ?? chosen?.value;
}
