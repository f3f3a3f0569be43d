// What a partner does with the docs, each thing in each language.
//   node flows.mjs '{"front":"http://…", …}'

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { is, note, ok } from '../browser/tap.mjs';
import { start } from '../browser/visitor.mjs';
import { complete } from './pages.mjs';
import { Reader } from './reader.mjs';

const given = JSON.parse(process.argv[2]);
const { docs, front, keys, secret, scopes, shots } = given;
const FILES = { en: 'openapi.json', fr: 'openapi.fr.json' };
const MESSAGES = '**/api/partner/v1/messages';

const specification = (l) => JSON.parse(readFileSync(`${docs}/${FILES[l]}`, 'utf8'));
const wordsOf = async (l) => (await import(pathToFileURL(`${docs}/${l}/words.js`))).default;

// ---- flows: v is the visitor, l the language

async function sends(v, l) {
    const form = await v.tryIt('sendMessage');

    await v.field(form, v.words.key).fill(keys.all);
    const answer = await v.send(form);
    ok(answer.status.startsWith('202 Accepted'), `${l}: a message is accepted`, answer.status);
    ok(/^ratelimit: "default";r=\d+;t=\d+$/m.test(answer.headers), `${l}: … with the headers`, answer.headers);
    ok(/^\{\n {2}"id": "msg_/.test(answer.body), `${l}: … and a body to read`, answer.body);
    is(answer.remedy, null, `${l}: … and nothing to mend`);

    const call = await v.tryIt('startCall');
    is(await form.getAttribute('open'), null, `${l}: one try-it is open at a time`);
    is(await v.field(call, v.words.key).inputValue(), keys.all, `${l}: the key is typed once`);
    await v.field(call, v.words.example).selectOption({ index: 1 });
    is(JSON.parse(await v.field(call, v.words.body).inputValue()).type, 'video', `${l}: an example is chosen`);
    ok((await v.send(call)).status.startsWith('202'), `${l}: a call rings`);
}

async function refused(v, l) {
    const form = await v.tryIt('sendMessage');
    const key = v.field(form, v.words.key), body = v.field(form, v.words.body);
    const told = async (status, code, name) => {
        const answer = await v.send(form);
        const remedy = specification(l)['x-errors'][code].remedy.replaceAll('`', '');

        ok(answer.status.startsWith(String(status)), `${l}: ${name}: ${status}`, answer.status);
        ok(answer.remedy?.startsWith(code) && answer.remedy.includes(remedy), `${l}: … with its remedy`,
            `${answer.remedy}, expected ${remedy}`);
        is(await form.locator('.answer .remedy a').getAttribute('href'), `#error-${code}`, `${l}: … and a link`);
        return answer;
    };

    await told(401, 'missing_key', 'no key');
    await key.fill('wst_nobodys');
    await told(401, 'invalid_key', 'an unknown key');
    await key.fill(keys.none);
    await told(403, 'insufficient_scope', 'a key without the scope');
    await key.fill(keys.all);
    await body.fill('{"to": "12"}');
    const { body: text } = await told(400, 'invalid_payload', 'a body with faults');
    is(JSON.parse(text).errors.map((e) => e.pointer).sort(), ['#/text', '#/to'], `${l}: … each of which is shown`);
    await body.fill('{"to": "+212600000000", "text": "<img src=x onerror=alert(1)>"}');
    ok((await v.send(form)).status.startsWith('202'), `${l}: what is mended goes through`);
    await v.field(form, v.words.example).selectOption({ index: 4 });
    await told(502, 'bad_gateway', "the sandbox's number of a backend that is down");
    await key.fill('cl\u00e9\u2026');
    is((await v.send(form)).status, v.words.badHeader, `${l}: a key that can't be sent`);

    await key.fill(keys.few);
    await v.send(form);
    const { headers } = await told(429, 'rate_limited', 'too many');
    ok(/^retry-after: \d+$/m.test(headers), `${l}: … and how long to wait`, headers);
}

async function signs(v, l) {
    const form = await v.tryIt('triggerAutomation');
    const field = v.field(form, v.words.secret);

    await v.field(form, v.words.key).fill(keys.all);
    ok((await v.send(form)).remedy?.startsWith('missing_signature'), `${l}: without a secret`);
    await field.fill(Buffer.from('another').toString('base64'));
    ok((await v.send(form)).remedy?.startsWith('invalid_signature'), `${l}: with the wrong one`);
    await field.fill('no base64!');
    is((await v.send(form)).status, v.words.badSecret, `${l}: with one that is none`);
    await field.fill(secret);
    is(await v.field(form, 'test').inputValue(), '1', `${l}: whoever tries sends nothing by mistake`);
    const answer = await v.send(form);
    ok(answer.status.startsWith('200'), `${l}: signed as it has to be`, answer.status);
    ok(answer.body.includes('message_queued_successfully'), `${l}: … it is queued`);
    is(await form.locator('.answer .call').textContent(), 'POST /automation/?test=1', `${l}: … as a test`);

    const follow = await v.tryIt('getAutomation');
    ok((await v.send(follow)).status.startsWith('200'), `${l}: a GET is signed, too`);
    await v.tryIt('listWebhooks');
    ok(!await v.page.getByLabel(v.words.secret, { exact: true }).isVisible(),
        `${l}: no secret is asked for where none is needed`);
}

async function noCrypto(v, l) {
    await v.page.addInitScript(() =>
        Object.defineProperty(crypto, 'subtle', { value: undefined, configurable: true }));
    await v.open();
    const form = await v.tryIt('triggerAutomation');

    await v.field(form, v.words.key).fill(keys.all);
    await v.field(form, v.words.secret).fill(secret);
    is((await v.send(form)).status, v.words.noCrypto, `${l}: a browser that can't sign here is told`);
}

async function uploads(v, l) {
    for (const [id, type] of [['sendAudio', 'audio'], ['sendDocument', 'document']]) {
        const form = await v.tryIt(id);

        await v.field(form, v.words.key).fill(keys.all);
        const sample = await v.send(form);
        ok(sample.status.startsWith('202') && JSON.parse(sample.body).type === type, `${l}: ${id}: a sample is sent`, sample.body);
        await v.field(form, v.words.file).setInputFiles({
            name: 'note.ogg', mimeType: 'audio/ogg', buffer: Buffer.alloc(20000) });
        ok((await v.send(form)).status.startsWith('202'), `${l}: ${id}: a file is sent`);
        await v.field(form, v.words.file).setInputFiles({
            name: 'none.ogg', mimeType: 'audio/ogg', buffer: Buffer.alloc(0) });
        is(JSON.parse((await v.send(form)).body).errors?.map((e) => e.pointer), ['#/file'],
            `${l}: ${id}: not an empty one`);
    }
}

async function follows(v, l) {
    const form = await v.tryIt('getMessage');

    await v.field(form, v.words.key).fill(keys.all);
    await v.field(form, v.words.example).selectOption({ index: 1 });
    const chosen = await v.field(form, v.words.example).locator('option:checked').textContent();
    ok(chosen.includes(`${v.words.colon} `), `${l}: what is the sandbox's is told from the rest`, chosen);
    is(await v.field(form, 'messageId').inputValue(), 'msg_delivered', `${l}: the sandbox's ids are there to choose`);
    is(JSON.parse((await v.send(form)).body).id, 'msg_delivered', `${l}: … and are asked for`);
    await v.field(form, 'messageId').fill('a/b?c');
    await v.send(form);
    is(await form.locator('.answer .call').textContent(), 'GET /api/partner/v1/messages/a%2Fb%3Fc',
        `${l}: an id stays within its part of the path`);

    const gone = await v.tryIt('deleteWebhook');
    const { status, body } = await v.send(gone);
    ok(status.startsWith('204'), `${l}: a webhook is removed`, status);
    is(body, v.words.empty, `${l}: … which has no body`);

    const put = await v.tryIt('replaceWebhook');
    is([await v.field(put, 'webhookId').inputValue(),
        JSON.parse(await v.field(put, v.words.body).inputValue()).events], ['hook_1', ['message.status']],
        `${l}: an id and a body`);
    ok((await v.send(put)).status.startsWith('200'), `${l}: … are sent`);
}

async function waits(v, l) {
    const { page } = v;
    const form = await v.tryIt('sendMessage');
    const cancel = form.getByRole('button', { name: v.words.cancel, exact: true });
    const send = form.getByRole('button', { name: v.words.send, exact: true });
    let asked = 0;

    ok(!await cancel.isVisible(), `${l}: nothing to cancel yet`);
    await page.route(MESSAGES, () => { asked++; });
    await send.click();
    await v.shows(v.words.waiting, 'that it waits is told');
    await v.accessible('while it waits');
    await send.click();
    await cancel.click();
    is((await v.answer(form)).status, v.words.cancelled, `${l}: it can be cancelled`);
    is(asked, 1, `${l}: while it waits nothing is sent twice`);
    ok(await send.evaluate((e) => e === document.activeElement), `${l}: the focus isn't lost`);

    await page.unroute(MESSAGES);
    await page.route(MESSAGES, (route) => route.abort());
    is((await v.send(form)).status, v.words.broken, `${l}: a connection that breaks is told`);
    await page.unroute(MESSAGES);
}

// From the first Tab to an answer, without a mouse.

async function keyboard(v, l) {
    const { page } = v;
    const at = (selector) => page.evaluate((s) => document.activeElement.matches(s), selector);

    await page.keyboard.press('Tab');
    ok(await at('.skip'), `${l}: the first Tab leads to the skip link`);
    await page.keyboard.press('Enter');
    await v.until(() => at('main'), 'which skips the contents');

    let steps = 0;
    while (!await at('[aria-labelledby=sendMessage] .to-try a') && steps < 300) {
        await page.keyboard.press('Tab');
        steps++;
    }
    ok(steps < 300, `${l}: Tab leads to an operation's link to its try-it`);
    note(`${l}: in ${steps} steps`);
    const name = `${v.words.title}${v.words.colon} ${await page.locator('#sendMessage').textContent()}`;
    is(await v.operation('sendMessage').getByLabel(name, { exact: true }).count(), 2,
        `${l}: both have the operation in their names`);
    await page.keyboard.press('Enter');
    ok(await at('[aria-labelledby=sendMessage] .try[open] > summary'), `${l}: … which opens it`);
    ok(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== 'none'),
        `${l}: the focus is seen`);
    const form = v.operation('sendMessage').locator('details.try');
    await v.field(form, v.words.key).waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.type(keys.all);
    await page.keyboard.press('Enter');
    ok((await v.answer(form)).status.startsWith('202'), `${l}: Enter sends`);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    is(await v.field(form, v.words.key).getAttribute('type'), 'text', `${l}: the key can be shown`);
}

async function pastes(v, l) {
    const { page } = v;
    const shown = (id) => v.operation(id).locator('.tabs > figure:visible code').getAttribute('data-language');

    is(await shown('sendMessage'), 'curl', `${l}: curl comes first`);
    await v.operation('sendMessage').locator('.tabs label', { hasText: 'Python' }).click();
    is([await shown('sendMessage'), await shown('deleteWebhook')], ['python', 'python'],
        `${l}: a language is chosen once`);
    await page.keyboard.press('ArrowRight');
    is(await shown('startCall'), 'node', `${l}: … by the arrow keys, too`);

    is(await page.locator('[data-snippet=sign]:visible').getAttribute('data-language'), 'js',
        `${l}: … in the guide, too`);

    const figure = v.operation('sendMessage').locator('.tabs > figure:visible');
    await figure.getByRole('button', { name: v.words.copy, exact: true }).click();
    await v.shows(v.words.copied);
    is(await page.evaluate(() => navigator.clipboard.readText()), await figure.locator('code').textContent(),
        `${l}: code is copied as it is`);
}

// After all that, what was typed is nowhere but in its fields.

async function keeps(v, l) {
    const form = await v.tryIt('triggerAutomation');

    await v.field(form, v.words.key).fill(keys.all);
    await v.field(form, v.words.secret).fill(secret);
    await v.send(form);
    const kept = await v.page.evaluate(async () => JSON.stringify([location.href, document.cookie,
        { ...localStorage }, { ...sessionStorage }, history.state, await indexedDB.databases(),
        await caches.keys()]));
    const all = kept + v.addresses.join(' ');
    const found = [...Object.values(keys), secret, encodeURIComponent(secret)].filter((k) => all.includes(k));

    is(found, [], `${l}: key and secret are in no address and no storage`);
    is(await v.page.locator('[autocomplete=off][type=password]').count(), 2, `${l}: the browser isn't asked to keep them`);
    await v.page.reload();
    await v.page.locator('details.try').last().waitFor();
    const again = await v.tryIt('triggerAutomation');
    is(await v.field(again, v.words.key).inputValue(), '', `${l}: a reload forgets them`);
}

const FLOWS = [sends, refused, signs, noCrypto, uploads, follows, waits, keyboard, pastes, keeps];

// ---- how it looks: without a script, narrow and wide

async function without(browser, l) {
    for (const width of [1280, 360]) {
        const v = await browser.visit(l, { javaScriptEnabled: false, viewport: { width, height: 800 } },
            await wordsOf(l), front);
        const name = `without a script, ${width} pixels`;

        await v.page.goto(`${front}/docs/`);
        is(await v.page.locator('html').getAttribute('lang'), l, `${l}: ${name}: the browser's language`);
        if (width === 1280) await complete(v, l, specification(l), scopes);
        is(await v.page.locator('details.try, button').count(), 0, `${l}: ${name}: nothing that does nothing`);
        await v.operation('sendMessage').locator('.tabs label', { hasText: 'PHP' }).click();
        is(await v.operation('sendMessage').locator('.tabs > figure:visible code').getAttribute('data-language'),
            'php', `${l}: ${name}: another language of an example`);
        await v.operation('sendMessage').locator('.bodies summary').first().click();
        ok(await v.operation('sendMessage').locator('.bodies pre').first().isVisible(),
            `${l}: ${name}: an example opens`);
        await v.narrow(name);
        const other = l === 'fr' ? 'en' : 'fr';
        await v.page.locator(`.languages [hreflang=${other}]`).click();
        is(await v.page.locator('html').getAttribute('lang'), other, `${l}: ${name}: the other language`);
        await v.end();

        // axe is a script itself, so here only the page's own don't come
        const w = await browser.visit(l, { viewport: { width, height: 800 } }, await wordsOf(l), front);

        await w.page.route('**/*.js', (route) => route.abort());
        await w.open();
        is(await w.page.locator('details.try').count(), 0, `${l}: ${name}: none came`);
        await w.accessible(name);
        await w.end();
    }
}

const SEEN = { start: 'body', errors: '.errors', operations: '.overview', post: '#sendMessage',
    put: '#replaceWebhook', automation: '#triggerAutomation', webhooks: '#webhooks' };

async function pictures(browser, l) {
    for (const [width, height] of [[1440, 1000], [800, 1000], [360, 800]]) {
        const v = await browser.visit(l, { viewport: { width, height } }, await wordsOf(l), front);
        const shot = (name) => v.page.screenshot({ path: `${shots}/${name}-${l}-${width}-${v.scheme}.png` });

        await v.open();
        if (width !== 800) await v.accessible(`${width} pixels`);
        await v.narrow(`${width} pixels`);
        is(await v.page.locator('td code').evaluateAll((all) => all
            .filter((e) => e.offsetHeight > 1.9 * parseFloat(getComputedStyle(e).fontSize))
            .map((e) => e.textContent)), [], `${l}: ${width} pixels: no identifier of a table is broken`);

        for (v.scheme of ['light', 'dark']) {
            await v.page.emulateMedia({ colorScheme: v.scheme, reducedMotion: 'reduce' });
            for (const [name, selector] of Object.entries(SEEN)) {
                await v.page.locator(selector).first().evaluate((e) => e.scrollIntoView());
                await shot(name);
            }
        }

        for (const [id, body] of [['sendMessage', '{"to": "12"}'], ['triggerAutomation', null]]) {
            const form = await v.tryIt(id);

            await v.field(form, v.words.key).fill(keys.all);
            if (body) await v.field(form, v.words.body).fill(body);
            else await v.field(form, v.words.secret).fill(secret);
            await v.send(form);
            await v.operation(id).locator('.bodies summary').first().click();
            await v.operation(id).locator('.answers details summary').first().click();
            if (width !== 800) await v.accessible(`${id} with an answer, ${width} pixels`);
            await v.narrow(`${id} with an answer, ${width} pixels`);
            for (v.scheme of ['light', 'dark']) {
                await v.page.emulateMedia({ colorScheme: v.scheme, reducedMotion: 'reduce' });
                await form.evaluate((e) => e.scrollIntoView());
                await shot(`try-${id}`);
            }
        }

        await v.end();
    }
}

// ---- all of it

const browser = await start(given.browser, Reader);
const only = process.env.TEST_FLOWS?.split(' ');

async function attempt(name, v, what) {
    if (only && !only.includes(name)) return;

    try {
        await what();
    } catch (error) {
        ok(false, name, `${error.stack}\n${v ? await v.page.url() : ''}`);
    }
}

try {
    for (const l of ['en', 'fr']) {
        for (const flow of FLOWS) {
            const v = await browser.visit(l, {}, await wordsOf(l), front);

            await attempt(flow.name, v, async () => {
                await v.open();
                await flow(v, l);
            });
            await v.end();
        }

        await attempt('without', null, () => without(browser, l));
        await attempt('pictures', null, () => pictures(browser, l));
    }
} finally {
    await browser.end();
}

process.exit();
