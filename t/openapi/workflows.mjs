// A partner's first minutes, workflows.arazzo.yaml, with the demo's answers.
//   node workflows.mjs FOLDER '{"ports":{…},"partners":{…}}'

import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { is, ok } from '../browser/tap.mjs';
import { vendor } from '../../conf/docs/specification.mjs';
import { signature } from './requests.mjs';
import { run, text, top } from './tools.mjs';

const WORKFLOWS = 't/openapi/workflows.arazzo.yaml';

const folder = process.argv[2];
const { ports, partners } = JSON.parse(process.argv[3]);
const { key, secret } = partners.all;
const timestamp = String(Math.floor(Date.now() / 1000));
const inputs = JSON.stringify({ key, timestamp, signature: signature(key, secret, timestamp) });

const { log } = await run('redocly', ['respect', `${top}${WORKFLOWS}`,
    '--input', inputs, '--server', `partner=http://127.0.0.1:${ports.main}`,
    '--json-output', `${folder}/workflows.json`], folder);

const { files } = JSON.parse(readFileSync(`${folder}/workflows.json`));
const [{ executedWorkflows }] = Object.values(files);

for (const { workflowId, executedSteps } of executedWorkflows) {
    for (const { stepId, checks } of executedSteps) {
        is(checks.filter(({ status }) => status !== 'success').map(({ message }) => message), [],
            `${workflowId}: ${stepId}`);
    }
}

const steps = (workflows, name) => workflows.flatMap((workflow) =>
    workflow[name].map(({ stepId }) => `${workflow.workflowId}: ${stepId}`));

ok(isDeepStrictEqual(steps(executedWorkflows, 'executedSteps'),
    steps(vendor('yaml').parse(text(WORKFLOWS)).workflows, 'steps')), 'each step has run', log);
