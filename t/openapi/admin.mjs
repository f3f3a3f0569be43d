// Drives each operation of the admin endpoint and status for each answer that it
// documents, and holds what comes against the description. Fields that aren't
// documented are faults, too.
//   node admin.mjs FOLDER '{"ports":{…},"keys":{…},"fresh":[…],"full":[…]}'

import { is, note, ok } from '../browser/tap.mjs';
import { read } from '../../conf/docs/specification.mjs';
import { AdminRequests } from './admin_requests.mjs';
import { bodyOf } from './answer.mjs';
import { drive, plan } from './driver.mjs';
import { Specification, walk } from './specification.mjs';

const given = JSON.parse(process.argv[3]);
const document = read('admin.yaml');

// ---- the description, as strict as a test may be

// Schemas that another one is put together from stay open.
const open = /\/components\/schemas\/\w+$|\/(?:allOf|anyOf|oneOf)\/\d+$/;

for (const [pointer, value] of [...walk(document)]) {
    const isSchema = /\/(?:schema|properties\/[^/]+|items|schemas\/\w+)$/.test(pointer);

    if (isSchema && !open.test(pointer) && (value.$ref || value.properties || value.oneOf)) {
        value.unevaluatedProperties = false;
    }
}

// A media type is looked for without its parameters, and held against them here.
const mediaTypes = {};

for (const [, value] of [...walk(document)]) {
    for (const full of Object.keys(value.content ?? {}).filter((name) => name.includes(';'))) {
        const type = full.split(';')[0];

        mediaTypes[type] = full;
        value.content[type] = value.content[full];
    }
}

const specification = new Specification(document);
const requests = new AdminRequests(given);
requests.specification = specification;

const operations = specification.operations().map((operation) => ({ ...operation,
    parameters: operation.parameters.map((parameter) => specification.resolved(parameter)) }));

// ---- each operation, each answer

// Instead of the one good request, all that are accepted.
const steps = operations.flatMap((operation) => plan(specification, operation, requests)
    .flatMap((step) => (/^2/.test(step.key) ? requests.accepted(operation)
        .map((request) => ({ ...step, request })) : [step])));

const results = await drive(steps, specification, given.ports);
const seen = new Set(results.map((result) => result.seen));
const named = (response) => Object.keys(response.headers ?? {}).map((name) => name.toLowerCase());

for (const { name, answer, faults, operation, meant } of results) {
    const found = [...faults];

    if (answer) {
        const response = specification.resolved(operation.responses[meant.split(' ').at(-1)]);
        const [type] = answer.headers['content-type'] ?? [];
        const { code, required_scopes: scopes } = bodyOf(answer) ?? {};

        for (const header of ['etag', 'location', 'allow', 'cache-control']) {
            if (answer.headers[header] && !named(response).includes(header)) {
                found.push(`the header ${header} isn't documented`);
            }
        }

        if (type && type !== (mediaTypes[type.split(';')[0]] ?? type)) {
            found.push(`the media type is ${type}`);
        }

        if (code === 'insufficient_scope' && `${scopes}` !== `${operation['x-required-scopes']}`) {
            found.push(`asks for ${scopes}`);
        }

        if (code === 'method_not_allowed' && !answer.headers.allow) {
            found.push('the header allow is missing');
        }
    }

    is(found, [], name);
}

for (const operation of operations) {
    is(Object.keys(operation.responses).filter((key) => !seen.has(`${operation.name} ${key}`)), [],
        `${operation.name}: each documented answer was seen`);
}

// ---- examples of errors are what is said

// What differs from request to request: ids and numbers.
const IDS = /\b(?:clinique-atlas|p\d{3}|made-\d+|full-\d|taken|a-line-by-hand|nobody-\S*?id)\b/g;
const masked = ({ title, status, code, detail }) => [status, code, title,
    detail.replace(IDS, 'ID').replace(/\bkey [\w-]+/, 'key ID').replace(/\d+ requests?/, 'N requests')
        .replace(/\d+/g, 'N')].join(' ');

const said = new Set(results.map(({ answer }) => bodyOf(answer ?? { body: '' }))
    .filter((body) => body?.code).map(masked));
const unsaid = Object.entries(document.components.responses).flatMap(([name, { content }]) =>
    Object.entries(content['application/problem+json'].examples)
        .filter(([, { value }]) => !said.has(masked(value))).map(([key]) => `${name} ${key}`));

// That one is for a moment after a reload.
is(unsaid, ['Unavailable replaced'], 'each other example was said');

// ---- rows and series: there were some to look at

const answers = (id) => results.filter(({ answer, operation }) =>
    operation?.operationId === id && answer?.status === 200).map(({ answer }) => answer);

const statuses = answers('getStatus').map(bodyOf);

for (const list of ['limited', 'refused', 'active']) {
    ok(statuses.some((status) => status[list].length > 0), `status: someone is ${list}`);
}

ok(statuses.some(({ cluster }) => cluster) && statuses.some(({ cluster }) => !cluster),
    'status: of a node of a cluster, and of a front door by itself');

ok(statuses.some(({ refused }) => refused.some(({ id }) => id === null)),
    'status: somebody whom nobody knows is refused');

const series = {};

for (const { body } of answers('getMetrics')) {
    for (const [, name, type] of body.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
        series[name] ??= { type, labels: new Set() };
    }

    for (const [, name, labels] of body.matchAll(/^(\w+)\{(.*)\} \S+$/gm)) {
        const of = series[name] ?? series[name.replace(/_(?:bucket|sum|count)$/, '')];
        [...labels.matchAll(/(\w+)="/g)].forEach(([, label]) => of.labels.add(label));
    }
}

is(Object.entries(series).map(([name, { type, labels }]) => [name, type, ...[...labels].sort()]).sort(),
    Object.entries(document['x-metrics'])
        .map(([name, { type, labels }]) => [name, type, ...[...labels].sort()]).sort(),
    'x-metrics names all metrics, with their types and labels');

note(`${results.length} requests`);
process.exit(0);
