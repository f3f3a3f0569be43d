// Examples of errors against what the front door says: each error looks like an
// example, and each example is what was said once.

import { isDeepStrictEqual } from 'node:util';
import { bodyOf, codeOf, documented } from './answer.mjs';

const SCOPE = /\b(?:messages|audio|files|calls|conversations|webhooks)\.[a-z]+\b/g;

// What differs from request to request: its id, numbers of time and of limits;
// loosely, also what the request was about.
function masked(body, loosely) {
    const mask = (value, key) => {
        if (key === 'instance') {
            return 'id';
        }

        if (key === 'errors' && loosely) {
            return 'errors';
        }

        if (typeof value === 'string') {
            const text = key === 'detail' ? value.replace(/\d+/g, 'N') : value;

            return loosely ? text.replace(SCOPE, 'scope') : text;
        }

        if (Array.isArray(value)) {
            return value.map((one) => mask(one));
        }

        return value && typeof value === 'object'
            ? Object.fromEntries(Object.entries(value).map(([k, one]) => [k, mask(one, k)]))
            : value;
    };

    return mask(body);
}

const same = (one, other, loosely) =>
    isDeepStrictEqual(masked(one, loosely), masked(other, loosely));

export class Examples {
    constructor(specification) {
        this.specification = specification;
        this.said = new Set();
    }

    of(response, type) {
        return Object.values(response.content?.[type]?.examples ?? {});
    }

    // Notes what an answer says; tells what is wrong with it.
    look({ answer, operation }) {
        const [, response] = documented(this.specification, operation, answer.status);
        const type = answer.headers['content-type']?.[0];
        const body = bodyOf(answer);
        const code = codeOf(body);
        const examples = this.of(response, type).filter(({ value }) => codeOf(value) === code);

        examples.filter(({ value }) => same(value, body, false))
            .forEach((example) => this.said.add(example));

        return code === undefined || examples.some(({ value }) => same(value, body, true))
            ? [] : [`no example of ${code} is like ${answer.body}`];
    }

    // "component name" of those that were never said.
    unsaid() {
        return Object.entries(this.specification.document.components.responses)
            .flatMap(([component, { content }]) => Object.values(content)
                .flatMap(({ examples = {} }) => Object.entries(examples))
                .filter(([, example]) => !this.said.has(example))
                .map(([name]) => `${component} ${name}`));
    }
}
