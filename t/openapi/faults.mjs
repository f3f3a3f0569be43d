// Are the checks worth something? Faults are planted in copies of the
// specification, and each has to be told in so many words.
//   node faults.mjs FOLDER '{"ports":{…},"partners":{…}}'

import { ok } from '../browser/tap.mjs';
import { specification as document } from '../../conf/docs/specification.mjs';
import { drive, plan } from './driver.mjs';
import { Requests } from './requests.mjs';
import { Specification } from './specification.mjs';
import { checks, editions, references } from './structure.mjs';

const { ports, partners } = JSON.parse(process.argv[3]);
const requests = new Requests(partners);

function planted(change) {
    const copy = structuredClone(document('en'));

    change(copy);
    return new Specification(copy);
}

// What driving one operation for some of its answers tells.
async function driven(specification, id, keys) {
    const operation = specification.operation(id);
    const steps = plan(specification, operation, requests)
        .filter(({ key }) => keys.includes(key));

    return (await drive(steps, specification, ports)).flatMap(({ faults }) => faults);
}

const structure = (specification) => Object.values(checks)
    .flatMap((check) => check(specification));

function is(told, pattern, name) {
    ok(told.some((fault) => pattern.test(fault)), `told: ${name}`, told.join('\n') || 'nothing');
}

const sending = ({ paths }) => paths['/api/partner/v1/messages'].post;

// ---- answers

is(await driven(planted(({ components }) => {
    components.schemas.MessageAccepted.required.push('price');
}), 'sendMessage', ['202']), /the body: .*required property 'price'/, 'a required field');

is(await driven(planted(({ components }) => {
    components.schemas.Problem.properties.instance.pattern = '^req_';
}), 'sendMessage', ['401']), /the body: \/instance must match pattern "\^req_"/,
"a field's pattern");

is(await driven(planted(({ components }) => {
    components.headers.RateLimit.schema.pattern = '^"default";r=[0-9]+$';
}), 'getMessage', ['200']), /the header RateLimit, .*must match pattern/, "a header's pattern");

is(await driven(planted(({ components }) => {
    delete components.responses.RateLimited.headers['Retry-After'];
}), 'getMessage', ['429']), /the header retry-after isn't documented/, 'a header');

is(await driven(planted((copy) => {
    const { 202: accepted, ...others } = sending(copy).responses;
    sending(copy).responses = { 200: accepted, ...others };
}), 'sendMessage', ['200']), /the status 202 isn't documented/, 'the status of what is accepted');

is(await driven(planted((copy) => {
    const { 413: tooLarge, ...others } = sending(copy).responses;
    sending(copy).responses = { 411: tooLarge, ...others };
}), 'sendMessage', ['411']), /the code too_large isn't documented for 413/,
'the status of what is refused');

is(await driven(planted(({ components }) => {
    components.responses.Unauthorized['x-codes'] = ['missing_key'];
    components.responses.Forbidden['x-codes'] = ['expired_key'];
}), 'sendMessage', ['403']), /the code expired_key isn't documented for 401/, 'a code');

// ---- structure

is(structure(planted((copy) => { sending(copy)['x-required-scopes'] = ['files.send']; })),
    /^POST \/api\/partner\/v1\/messages: the scope messages\.send: in conf\/nginx\.conf alone$/,
    'a scope');

is(structure(planted(({ paths }) => { paths['/automation/'].post.security = [{ ApiKey: [] }]; })),
    /^POST \/automation\/: the security isn't that of wassiit_auth hmac$/, 'a signature');

is(structure(planted(({ paths }) => {
    paths['/api/partner/v1/calls'].get = paths['/api/partner/v1/calls'].post;
})), /^\/api\/partner\/v1\/calls: the method GET: in the specification alone$/, 'a method');

is(structure(planted(({ paths }) => { delete paths['/api/partner/v1/calls']; })),
    /^\/api\/partner\/v1\/calls: in conf\/nginx\.conf alone$/, 'a path');

is(structure(planted(({ paths }) => {
    const { post } = paths['/api/partner/v1/messages/audio'];
    post.description = post.description.replace('16 MiB', '25 MiB');
})), /^POST .*audio: 26214400 bytes, in conf\/nginx\.conf 16777216$/, "a body's size");

is(structure(planted((copy) => { copy['x-errors'].rate_limited.status = 403; })),
    /^the code 429 rate_limited: in partners\.md alone$/, "a code's status");

is(structure(planted((copy) => { delete copy['x-errors'].expired_key; })),
    /^the code expired_key: in responses alone$/, 'a code that is left out');

is(references(planted(({ components }) => { delete components.schemas.Time; })),
    /Time leads nowhere$/, 'a reference');

is(structure(planted(({ webhooks }) => {
    webhooks['message.status'].post.requestBody.content['application/json']
        .examples.read.value.id = 1;
})), /^#\/webhooks\/message\.status.* read: \/id must be string$/, 'an example');

const french = document('fr');

french.components.schemas.CallRequest.properties.type.enum = ['voix', 'vidéo'];
is(editions(document('en'), french), /CallRequest\/properties\/type\/enum\/0: voice, voix$/,
    'a translated value');
