// A client made by openapi-typescript: generated, checked, compiled, run.
//   node typed.mjs FOLDER '{"ports":{…},"partners":{…}}'

import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { is, note, ok } from '../browser/tap.mjs';
import { packages, run, top } from './tools.mjs';

const folder = `${process.argv[2]}/client`;
const { ports, partners } = JSON.parse(process.argv[3]);

mkdirSync(folder);
symlinkSync(`${packages}node_modules`, `${folder}/node_modules`);
copyFileSync(`${top}t/openapi/client.ts`, `${folder}/client.ts`);
copyFileSync(`${top}t/browser/tap.mjs`, `${folder}/tap.mjs`);
writeFileSync(`${folder}/package.json`, '{"type": "module"}');
writeFileSync(`${folder}/tap.d.mts`,
    'export function is(got: unknown, expected: unknown, name: string): boolean;\n'
    + 'export function ok(condition: boolean, name: string): boolean;\n');

// The command of the docs, and the program.
const guide = readFileSync(`${top}conf/docs/guide.en.md`, 'utf8');
const [, options] = guide.match(/^npx openapi-typescript https:\S+ ([^`]*?)\n```/m);
const [, program] = guide.match(/^```ts client\n(.*?)^```/ms);
const { key, secret } = partners.all;
const url = `http://127.0.0.1:${ports.main}`;

writeFileSync(`${folder}/send.ts`, program.replace('https://api.wassiit.ma', url)
    .replace('wst_your_api_key_here', key));

const made = await run('openapi-typescript', [`${top}build/docs/openapi.json`,
    ...options.replace(/\\\n/, '').split(/\s+/)], folder);

is(made.status, 0, 'openapi-typescript makes types');

const { out, status } = await run('tsc', ['--strict', '--noUncheckedIndexedAccess',
    '--target', 'es2022', '--module', 'nodenext', '--types', 'node',
    'client.ts', 'send.ts'], folder);

is([status, out], [0, ''], "the client, and the docs', pass the type check");

const ran = (...command) =>
    spawnSync(process.execPath, command, { cwd: folder, encoding: 'utf8' });
const sent = ran('send.js');

ok(/^msg_\w+\n$/.test(sent.stdout), "the docs' sends a message", sent.stdout + sent.stderr);

const client = ran('client.js', url, key, secret);

process.stdout.write(client.stdout);

if (client.stderr) {
    note(client.stderr);
}

is(client.status, 0, 'the client comes to its end');
