// An answer held against what the specification says of it.

const PROMISED =
    /^(?:(?:x-)?ratelimit(?:-.*)?|retry-after|www-authenticate|x-request-id|allow)$/;

// Of the errors, those of requests that a partner's limit was asked about.
const COUNTED = ['rate_limited', 'invalid_payload', 'unsupported_media_type', 'bad_gateway',
    'gateway_timeout'];

// The response that an operation documents for a status, with its own key.
export function documented(specification, operation, status) {
    const key = operation.responses[status] ? String(status) : 'default';

    return [key, specification.resolved(operation.responses[key])];
}

export const codeOf = (body) => body?.code ?? (body?.success === false ? body.message : undefined);

// An answer's body as a value; its text, if it isn't JSON.
export function bodyOf({ body }) {
    try {
        return body === '' ? undefined : JSON.parse(body);
    } catch {
        return body;
    }
}

function* headerFaults(specification, response, answer, counted) {
    const headers = Object.entries(response.headers ?? {});

    for (const [name, reference] of headers) {
        const { required, schema } = specification.resolved(reference);
        const values = answer.headers[name.toLowerCase()] ?? [];

        if (values.length === 0 && (required || (counted && /RateLimit/.test(name))
            || (answer.status === 405 && name === 'Allow'))) {
            yield `the header ${name} is missing`;
        }

        if (values.length > 1) {
            yield `the header ${name} stands ${values.length} times`;
        }

        for (const value of values) {
            const typed = schema.type === 'integer' && /^\d+$/.test(value) ? Number(value) : value;
            const wrong = specification.wrong(schema, typed);

            if (wrong) {
                yield `the header ${name}, ${value}: ${wrong}`;
            }
        }
    }

    const names = headers.map(([name]) => name.toLowerCase());

    for (const name of Object.keys(answer.headers)) {
        if (PROMISED.test(name) && !names.includes(name)) {
            yield `the header ${name} isn't documented`;
        }
    }
}

function* bodyFaults(specification, response, answer) {
    const type = answer.headers['content-type']?.[0].split(';')[0];

    if (!response.content) {
        if (answer.body !== '') {
            yield "the body isn't documented";
        }

        return;
    }

    const body = bodyOf(answer);
    const media = response.content[type];

    if (!media) {
        yield `the media type ${type} isn't documented`;
        return;
    }

    const wrong = specification.wrong(media.schema, body);

    if (wrong) {
        yield `the body: ${wrong}`;
    }

    const code = codeOf(body);

    if (code && !response['x-codes']?.includes(code)) {
        yield `the code ${code} isn't documented for ${answer.status}`;
    }

    const { status: told, instance } = { ...body, ...body?.data };
    const id = answer.headers['x-request-id']?.[0];

    if (code && told !== answer.status) {
        yield `the body tells the status ${told}`;
    }

    if (instance && instance !== id) {
        yield `instance is ${instance}, X-Request-ID ${id}`;
    }
}

export function faults(specification, operation, answer) {
    const [key, response] = documented(specification, operation, answer.status);

    if (!response || (key === 'default' && answer.status < 400)) {
        return [`the status ${answer.status} isn't documented`];
    }

    const code = codeOf(bodyOf(answer));
    const counted = answer.status < 300 || COUNTED.includes(code);

    // What stands under default is an error by its code, or a backend's own.
    const unknown = key === 'default' && code === undefined && answer.status < 500;

    return [...unknown ? [`the status ${answer.status} isn't documented`] : [],
        ...headerFaults(specification, response, answer, counted),
        ...bodyFaults(specification, response, answer)];
}
