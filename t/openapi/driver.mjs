// Drives operations: which requests there are, and what came of each.

import { bodyOf, codeOf, documented, faults } from './answer.mjs';
import { send } from './client.mjs';

const AT_A_TIME = 20;

// Each documented answer of an operation with the requests that get it.
export function plan(specification, operation, requests) {
    const errors = specification.document['x-errors'];

    return specification.responses(operation).flatMap(([key, response]) => {
        if (/^2/.test(key)) {
            return [{ key, status: Number(key), request: requests.good(operation) }];
        }

        return (response['x-codes'] ?? [])
            .flatMap((code) => (requests.refused(code, operation, response) ?? [undefined])
                .map(({ theirs, ...request } = {}) => ({ key, code: theirs ? undefined : code,
                    status: errors[code]?.status, request: request.uri && request })));
    }).map((step) => ({ ...step, operation }));
}

async function take({ operation, key, status, code, request }, specification, ports) {
    const name = `${operation.name}: ${status}${code ? ` ${code}` : ''}`;

    if (!request) {
        return { name, faults: [`there is no request that gets ${code}`] };
    }

    const { door, again, ...rest } = request;

    try {
        let answer = await send(ports[door], rest);

        if (again && answer.status < 300) {
            answer = await send(ports[door], rest);
        }

        const found = faults(specification, operation, answer);
        const got = codeOf(bodyOf(answer));

        if (answer.status !== status || (code && got !== code)) {
            found.unshift(`got ${answer.status} ${got}: ${answer.body.slice(0, 200)}`);
        }

        const seen = documented(specification, operation, answer.status)[0];

        return { name, answer, faults: found, operation,
            seen: `${operation.name} ${seen}`, meant: `${operation.name} ${key}` };
    } catch (error) {
        return { name, faults: [error.message] };
    }
}

// All steps, some at a time; the results in the steps' order.
export async function drive(steps, specification, ports) {
    const results = [];
    let next = 0;

    const work = async () => {
        while (next < steps.length) {
            const mine = next++;
            results[mine] = await take(steps[mine], specification, ports);
        }
    };

    await Promise.all(Array.from({ length: AT_A_TIME }, work));
    return results;
}
