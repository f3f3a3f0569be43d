// The linters' strictest rules over what is written by hand and what is made
// from it.
//   node lint.mjs FOLDER

import { writeFileSync } from 'node:fs';
import { is } from '../browser/tap.mjs';
import { run, top } from './tools.mjs';

const folder = process.argv[2];
const files = [`${top}conf/openapi/openapi.yaml`, `${top}build/docs/openapi.fr.json`];

// One thing is let through, by its place: wap.cm's guide has the slash, so the
// path has it.

writeFileSync(`${folder}/redocly.yaml`,
    'extends: [recommended-strict]\ntelemetry: "off"\n');
writeFileSync(`${folder}/spectral.yaml`, 'extends: ["spectral:oas"]\n');

async function redocly(file) {
    const { out, log } = await run('redocly', ['lint', file, '--config', `${folder}/redocly.yaml`,
        '--format', 'json'], folder);
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

const admin = `${top}conf/openapi/admin.yaml`;
const [workflows, adminByRedocly, adminBySpectral, ...found] = await Promise.all([
    redocly(`${top}t/openapi/workflows.arazzo.yaml`), redocly(admin), spectral(admin),
    ...files.flatMap((file) => [redocly(file), spectral(file)])]);

files.forEach((file, i) => {
    const [byRedocly, bySpectral] = found.slice(2 * i);
    const name = file.slice(top.length);

    is(byRedocly, ['no-path-trailing-slash #/paths/~1automation~1: '
        + '`/automation/` should not have a trailing slash.'], `${name}: redocly`);
    is(bySpectral, ['path-keys-no-trailing-slash paths /automation/: '
        + 'Path must not end with slash.'], `${name}: spectral`);
});

is(adminByRedocly, [], 'conf/openapi/admin.yaml: redocly');
is(adminBySpectral, [], 'conf/openapi/admin.yaml: spectral');
is(workflows, [], 't/openapi/workflows.arazzo.yaml: redocly');
