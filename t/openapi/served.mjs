// What is served as the specification is what is written.
//   node served.mjs FOLDER '{"ports":{…}}'

import { is } from '../browser/tap.mjs';
import { specification, vendor } from '../../conf/docs/specification.mjs';

const { ports } = JSON.parse(process.argv[3]);
const { parse } = vendor('yaml');
const door = `http://127.0.0.1:${ports.main}`;

for (const [name, read, written] of [['openapi.yaml', parse, specification('en')],
    ['openapi.json', JSON.parse, specification('en')],
    ['openapi.fr.json', JSON.parse, specification('fr')]]) {
    const answer = await fetch(`${door}/${name}`);
    const type = name.endsWith('yaml') ? 'application/yaml' : 'application/json';

    is([answer.status, answer.headers.get('content-type')], [200, type], `/${name} is served`);
    is(read(await answer.text()), written, `/${name} is what is written`);

    const again = await fetch(`${door}/${name}`,
        { headers: { 'If-None-Match': answer.headers.get('etag') } });

    is(again.status, 304, `/${name}: nothing new, by its ETag`);
    is(answer.headers.get('access-control-allow-origin'), '*', `/${name}: for any site's tools`);
}
