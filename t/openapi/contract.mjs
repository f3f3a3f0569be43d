// Drives each operation for each answer that it documents, and holds what comes
// against the specification.
//   node contract.mjs FOLDER '{"ports":{…},"partners":{…},"sockets":[…]}'

import { is } from '../browser/tap.mjs';
import { specification as document } from '../../conf/docs/specification.mjs';
import { silent } from './backends.mjs';
import { send } from './client.mjs';
import { drive, plan } from './driver.mjs';
import { Examples } from './examples.mjs';
import { Requests } from './requests.mjs';
import { Specification } from './specification.mjs';

const given = JSON.parse(process.argv[3]);
const specification = new Specification(document('en'));
const requests = new Requests(given.partners);
const operations = specification.operations();

await silent(given.sockets);

// ---- each operation, each answer

// the two requests that this partner has a day
for (let left = 2; left > 0; left--) {
    await send(given.ports.main,
        requests.good(specification.operation('listConversations'), { who: 'few' }));
}

const steps = operations.flatMap((operation) => plan(specification, operation, requests));
const results = await drive(steps, specification, given.ports);
const examples = new Examples(specification);
const seen = new Set(results.map((result) => result.seen));

for (const result of results) {
    const found = result.answer ? [...result.faults, ...examples.look(result)] : result.faults;

    is(found, [], result.name);
}

for (const operation of operations) {
    is(Object.keys(operation.responses).filter((key) => !seen.has(`${operation.name} ${key}`)), [],
        `${operation.name}: each documented answer was seen`);
}

is(examples.unsaid(), [], 'each example of an error was said');

process.exit(0);
