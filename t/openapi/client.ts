// A partner's client, as openapi-typescript types it: what is right runs against
// the front door, what is wrong doesn't pass the type check.

import { createHmac } from 'node:crypto';
import createClient from 'openapi-fetch';
import type { components, paths } from './wassiit.js';
import { is, ok } from './tap.mjs';

type Problem = components['schemas']['Problem'];
type MessageStatus = components['schemas']['MessageStatus'];

const [baseUrl = '', key = '', secret = ''] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl, headers: { 'X-API-Key': key } });

// ---- send, follow

const sent = await client.POST('/api/partner/v1/messages', {
    body: { to: '+212600000000', text: 'Votre RDV est confirmé' },
});

is(sent.response.status, 202, 'a text is accepted');

if (!sent.data) {
    throw new Error(JSON.stringify(sent.error));
}

const type: 'text' | 'audio' | 'document' = sent.data.type;

is(type, 'text', 'as a text');

const followed = await client.GET('/api/partner/v1/messages/{messageId}', {
    params: { path: { messageId: sent.data.id } },
});
const status: MessageStatus | undefined = followed.data;

is(status?.id, sent.data.id, 'its delivery can be asked for');

const conversations = await client.GET('/api/partner/v1/conversations');
const unread: number | undefined = conversations.data?.data[0]?.unread;

is(typeof unread, 'number', 'conversations are listed');

// ---- a refusal, its fields named

const isProblem = (error: object | undefined): error is Problem =>
    error !== undefined && 'code' in error;

const refused = await client.POST('/api/partner/v1/messages', {
    body: { to: '0600000000', text: 'Bonjour' },
});

is(refused.response.status, 400, 'a wrong number is refused');
ok(isProblem(refused.error), 'as a problem');

if (isProblem(refused.error)) {
    const fields: string[] | undefined = refused.error.errors?.map(({ pointer }) => pointer);

    is([refused.error.code, fields], ['invalid_payload', ['#/to']], 'whose errors name the field');
}

is(refused.error?.code, 'invalid_payload', 'which has its code without that look, too');

// ---- a webhook, without what has a default

const hook = await client.POST('/api/partner/v1/webhooks', {
    body: { url: 'https://partner.example/hook', events: ['message.status'] },
});

is(hook.data?.active, true, 'a webhook is active if nothing else is said');

// ---- a file

const note = await client.POST('/api/partner/v1/messages/audio', {
    body: { to: '+212600000000', file: 'note.ogg' },
    bodySerializer({ to, file }) {
        const form = new FormData();

        form.append('to', to);
        form.append('file', new Blob(['OggS'], { type: 'audio/ogg' }), file);
        return form;
    },
});

is([note.response.status, note.data?.type], [202, 'audio'], 'a voice note is accepted');

// ---- an automation, signed

function signed(): Record<string, string> {
    const time = String(Math.floor(Date.now() / 1000));
    const hmac = createHmac('sha256', Buffer.from(secret, 'base64')).update(key + time);

    return { 'X-API-Timestamp': time, 'X-API-Signature': hmac.digest('base64') };
}

const otp = await client.POST('/automation/', {
    headers: signed(),
    params: { query: { test: '1' } },
    body: {
        reference: 1758796201, country: 'CM', recipient: '690000000',
        scheduled: '2025-09-29T12:40:14.590Z', variables: { code_otp: '123456' },
    },
});

is(otp.data?.message, 'message_queued_successfully', 'a signed automation is queued');

const delivery = await client.GET('/automation/{reference}', {
    headers: signed(), params: { path: { reference: otp.data?.data.reference ?? '' } },
});

is(delivery.data?.data.reference, otp.data?.data.reference, 'and can be followed');

// ---- what no one may write: each of these is an error, or the check fails

export const wrong = [
    // @ts-expect-error a path that there isn't
    () => client.GET('/api/partner/v1/message'),

    // @ts-expect-error a method that it doesn't take
    () => client.GET('/api/partner/v1/calls'),

    // @ts-expect-error a field is missing
    () => client.POST('/api/partner/v1/messages', { body: { to: '+212600000000' } }),

    () => client.POST('/api/partner/v1/calls', {
        // @ts-expect-error a kind of call that there isn't
        body: { to: '+212600000000', type: 'fax' },
    }),

    // @ts-expect-error the id is missing
    () => client.GET('/api/partner/v1/messages/{messageId}'),

    // @ts-expect-error a field that the answer doesn't have
    () => sent.data?.price,

    // @ts-expect-error where it can be undefined
    () => conversations.data.data,
];
