// Prism, another reader of the specification, on either side of the front door:
// in place of the messaging backend it answers what it reads there; as a proxy
// before the demo it tells of each request or answer that breaks it.
//   node prism.mjs FOLDER '{"ports":{…},"partners":{…},"prism":{"mock":…,"proxy":…}}'

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { is } from '../browser/tap.mjs';
import { specification as document } from '../../conf/docs/specification.mjs';
import { bodyOf, faults } from './answer.mjs';
import { send } from './client.mjs';
import { Requests } from './requests.mjs';
import { example, Specification } from './specification.mjs';
import { command } from './tools.mjs';

const START = 120_000;              // milliseconds
const folder = process.argv[2];
const { ports, partners, prism } = JSON.parse(process.argv[3]);
const specification = new Specification(document('en'));
const requests = new Requests(partners);
const running = [];

process.on('exit', () => running.forEach((child) => child.kill()));

// The API as the backend sees it: key and limits are the front door's business.
function behind() {
    const copy = document('en');

    copy.security = [];
    Object.values(copy.paths).flatMap(Object.values).forEach((operation) => {
        delete operation.security;
        Object.values(operation.responses ?? {}).forEach((response) => delete response.headers);
    });
    Object.values(copy.components.responses).forEach((response) => delete response.headers);
    return copy;
}

function write(name, content) {
    writeFileSync(`${folder}/${name}`, JSON.stringify(content));
    return `${folder}/${name}`;
}

const answers = (port) => new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => { socket.destroy(); done(true); });
    socket.on('error', () => done(false));
});

async function start(port, args) {
    const [file, line, options] = command('prism', [...args, '--host', '127.0.0.1',
        '--port', port, '--multiprocess', 'false']);
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', file, ...line],
        { ...options, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const deadline = Date.now() + START;
    let log = '';

    running.push(child);
    child.stdout.on('data', (data) => { log += data; });
    child.stderr.on('data', (data) => { log += data; });

    while (!await answers(port)) {
        if (child.exitCode !== null || Date.now() > deadline) {
            throw new Error(`prism doesn't answer: ${log}`);
        }

        await sleep(50);
    }
}

// What is wrong with the answer to the request that each operation takes.
async function asked(operation, port, more = {}) {
    const { door, ...request } = requests.good(operation, more);
    const answer = await send(port, request);

    return { answer, told: [...faults(specification, operation, answer),
        ...answer.headers['sl-violations'] ?? []] };
}

await Promise.all([
    start(prism.mock, ['mock', write('backend.json', behind())]),
    start(prism.proxy, ['proxy', write('front.json', document('en')),
        `http://127.0.0.1:${ports.main}`]),
]);

for (const operation of specification.operations()) {
    const success = Object.keys(operation.responses).find((status) => /^2/.test(status));

    if (operation.path.startsWith('/api/')) {
        const { answer, told } = await asked(operation, ports.prism);
        const [media = {}] = Object.values(operation.responses[success].content ?? {});

        is([answer.status, ...told], [Number(success)], `${operation.name}: prism's answer passes`);
        is(bodyOf(answer), example(media), `${operation.name}: it is the example`);
    }

    const { answer, told } = await asked(operation, prism.proxy);

    is([answer.status, ...told], [Number(success)], `${operation.name}: prism finds no fault`);
}

// Prism does look: it tells what the front door refuses, too.
const sending = specification.operation('sendMessage');
const { answer } = await asked(sending, prism.proxy, { value: { to: '0600', text: 'Bonjour' } });

is([answer.status, JSON.parse(answer.headers['sl-violations'] ?? '[]')
    .map(({ location }) => location.join(' '))], [400, ['request body to']],
"prism's proxy finds a wrong number");
is((await asked(sending, prism.mock, { value: { to: '0600', text: 'Bonjour' } })).answer.status,
    400, "prism's backend, too");

process.exit(0);
