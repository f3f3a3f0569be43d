// Where things are, and the tools of package.json, which lie in build/openapi.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const here = new URL('./', import.meta.url);

export const top = fileURLToPath(new URL('../../', here));
export const packages = fileURLToPath(new URL('../../build/openapi/', here));
export const load = createRequire(new URL('../../build/openapi/', here));

// A tool that asks for nothing over the network, and tells no one of its use.
const env = { ...process.env, REDOCLY_TELEMETRY: 'off', NO_COLOR: '1', CI: '1',
    REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_UPDATE_NOTIFIER: '1' };

const commands = {
    redocly: '@redocly/cli/bin/cli.js',
    spectral: '@stoplight/spectral-cli/dist/index.js',
    prism: '@stoplight/prism-cli/dist/index.js',
    'openapi-typescript': 'openapi-typescript/bin/cli.js',
    tsc: 'typescript/bin/tsc',
};

export function command(tool, args) {
    return [process.execPath, ['--require', `${top}t/openapi/node18.cjs`,
        `${packages}node_modules/${commands[tool]}`, ...args], { env }];
}

// What a tool says, and how it ends.
export function run(tool, args, cwd = top) {
    const [file, line, options] = command(tool, args);

    return new Promise((done) => execFile(file, line,
        { ...options, cwd, maxBuffer: 1 << 26, timeout: 120_000 },
        (error, out, log) => done({ out, log, status: error ? error.code ?? 'killed' : 0 })));
}

export const text = (name) => readFileSync(`${top}${name}`, 'utf8');
