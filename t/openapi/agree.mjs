// Do the specification, conf/nginx.conf and conf/doc say the same?

import { is } from '../browser/tap.mjs';
import { specification as document, vendor } from '../../conf/docs/specification.mjs';
import { Specification } from './specification.mjs';
import { checks, editions } from './structure.mjs';
import { text } from './tools.mjs';

const specification = new Specification(document('en'));

for (const [name, check] of Object.entries(checks)) {
    is(check(specification), [], `the specification: ${name}`);
}

is(editions(document('en'), document('fr')), [], 'the French edition differs in its texts alone');

const { actions } = vendor('yaml').parse(text('conf/openapi/fr.overlay.yaml'));
const jsonpath = vendor('jsonpath');

is(actions.map(({ target }) => target)
    .filter((target) => jsonpath.paths(document('en'), target).length === 0), [],
'each text of the overlay has its place');
