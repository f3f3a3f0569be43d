// The linters' strictest rules over what is written by hand and what is made
// from it.
//   node lint.mjs FOLDER

import { writeFileSync } from 'node:fs';
import { is } from '../console/tap.mjs';
import { run, top } from './tools.mjs';

const folder = process.argv[2];
const files = [`${top}conf/openapi/openapi.yaml`, `${top}build/docs/openapi.fr.json`];

// wap.cm's guide has the slash, so the path has it: the one thing that is let
// through, by its place.
const SLASH = '/automation/';

writeFileSync(`${folder}/redocly.yaml`,
    'extends: [recommended-strict]\ntelemetry: "off"\n');
writeFileSync(`${folder}/spectral.yaml`, 'extends: ["spectral:oas"]\n');

async function redocly(file) {
    const { out, log } = await run('redocly',
        ['lint', file, '--config', `${folder}/redocly.yaml`, '--format', 'json'], folder);
    const { problems = [log] } = JSON.parse(out || '{}');

    return problems.map(({ ruleId, message, location }) =>
        `${ruleId} ${location?.[0]?.pointer}: ${message}`);
}

async function spectral(file) {
    const { out, log } = await run('spectral', ['lint', '-q', '-F', 'hint', '-f', 'json',
        '-r', `${folder}/spectral.yaml`, file], folder);

    return out ? JSON.parse(out).map(({ code, path, message }) =>
        `${code} ${path.join(' ')}: ${message}`) : [log];
}

const found = await Promise.all(files.flatMap((file) => [redocly(file), spectral(file)]));

files.forEach((file, i) => {
    const name = file.slice(top.length);

    is(found[2 * i], [`no-path-trailing-slash #/paths/${SLASH.replaceAll('/', '~1')}: `
        + `\`${SLASH}\` should not have a trailing slash.`], `${name}: redocly, recommended-strict`);
    is(found[2 * i + 1], [`path-keys-no-trailing-slash paths ${SLASH}: `
        + 'Path must not end with slash.'], `${name}: spectral, oas`);
});
