// A client made by openapi-typescript: generated, checked, compiled, run.
//   node typed.mjs FOLDER '{"ports":{…},"partners":{…}}'

import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { is, note } from '../browser/tap.mjs';
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

const made = await run('openapi-typescript',
    [`${top}build/docs/openapi.json`, '-o', 'api.d.ts'], folder);

is(made.status, 0, 'openapi-typescript makes types');

const { out, status } = await run('tsc', ['--strict', '--noUncheckedIndexedAccess',
    '--target', 'es2022', '--module', 'nodenext', '--types', 'node',
    'client.ts'], folder);

is([status, out], [0, ''], 'the client passes the type check');

const { key, secret } = partners.all;
const client = spawnSync(process.execPath,
    ['client.js', `http://127.0.0.1:${ports.main}`, key, secret],
    { cwd: folder, encoding: 'utf8' });

process.stdout.write(client.stdout);

if (client.stderr) {
    note(client.stderr);
}

is(client.status, 0, 'the client comes to its end');
