// The examples of what is sent are taken by the front door. What lacks a field,
// it refuses as the schema does.
//   node bodies.mjs FOLDER '{"ports":{…},"partners":{…}}'

import { is, ok } from '../browser/tap.mjs';
import { specification as document } from '../../conf/docs/specification.mjs';
import { send } from './client.mjs';
import { isFate, Specification } from './specification.mjs';
import { Requests } from './requests.mjs';

const { ports, partners } = JSON.parse(process.argv[3]);
const specification = new Specification(document('en'));
const requests = new Requests(partners);

async function taken(operation, how, name) {
    const { door, ...request } = requests.good(operation, how);
    const { status, body } = await send(ports[door], request);

    ok(status < 300, name, `${status} ${body}`);
}

for (const operation of specification.operations()) {
    const bodies = Object.entries(operation.requestBody?.content ?? {});

    for (const [type, { schema, examples }] of bodies) {
        for (const [key, { value }] of Object.entries(examples)) {
            if (!isFate(key)) {
                await taken(operation, { value }, `${operation.name}: the body "${key}" is taken`);
            }
        }

        const { properties } = specification.resolved(schema);
        const whole = Object.values(examples)[0].value;

        for (const field of Object.keys(properties).filter((one) => one in whole)) {
            const { [field]: gone, ...rest } = whole;
            const needed = (specification.resolved(schema).required ?? []).includes(field);

            if (type === 'application/json' && operation.responses['415']) {
                const { door, ...request } = requests.good(operation, { value: rest });
                const { status } = await send(ports[door], request);

                is(status === 400, needed,
                    `${operation.name}: ${field} is ${needed ? '' : 'not '}needed`);
            }
        }
    }

    const inPath = operation.parameters.filter((parameter) => parameter.in === 'path');

    for (const { name, example, examples = { one: { value: example } } } of inPath) {
        for (const [key, { value }] of Object.entries(examples)) {
            if (!isFate(key)) {
                await taken(operation, { values: { [name]: value } },
                    `${operation.name}: ${name} of "${key}" is taken`);
            }
        }
    }
}
