// The linters' strictest rules over what is written by hand and what is made
// from it, as conf/openapi has them set.
//   node lint.mjs

import { is } from '../browser/tap.mjs';
import { run, top } from './tools.mjs';

const here = `${top}conf/openapi/`;

async function redocly(file) {
    const { out, log } = await run('redocly', ['lint', file, '--config', `${here}redocly.yaml`,
        '--format', 'json'], here);
    const { problems = [log] } = JSON.parse(out || '{}');

    return problems.filter(({ ignored }) => !ignored).map(({ ruleId, message, location }) =>
        `${ruleId} ${location?.[0]?.pointer}: ${message}`);
}

async function spectral(file) {
    const { out, log } = await run('spectral', ['lint', '-q', '-F', 'hint', '-f', 'json',
        '-r', `${here}.spectral.yaml`, file], here);

    return out ? JSON.parse(out).map(({ code, path, message }) =>
        `${code} ${path.join(' ')}: ${message}`) : [log];
}

// The slash is excepted in the file that is written alone.
const french = '../../build/docs/openapi.fr.json';
const slash = {
    redocly: ['no-path-trailing-slash #/paths/~1automation~1: '
        + '`/automation/` should not have a trailing slash.'],
    spectral: ['path-keys-no-trailing-slash paths /automation/: '
        + 'Path must not end with slash.'],
};
const [ours, ourSpectral, its, itsSpectral, admin, adminSpectral, workflows] = await Promise.all([
    redocly('openapi.yaml'), spectral('openapi.yaml'), redocly(french), spectral(french),
    redocly('admin.yaml'), spectral('admin.yaml'), redocly('../../t/openapi/workflows.arazzo.yaml')]);

is(ours, [], 'openapi.yaml: redocly');
is(ourSpectral, [], 'openapi.yaml: spectral');
is(its, slash.redocly, 'openapi.fr.json: redocly');
is(itsSpectral, slash.spectral, 'openapi.fr.json: spectral');
is(admin, [], 'admin.yaml: redocly');
is(adminSpectral, [], 'admin.yaml: spectral');
is(workflows, [], 'workflows.arazzo.yaml: redocly');
