// What an operator does with the console, each thing in each language.
//   node flows.mjs CONSOLE '{"admin":"http://…", …}'

import { createInterface } from 'node:readline';
import { is, note, ok } from '../browser/tap.mjs';
import { start } from './visitor.mjs';

const given = { console: process.argv[2], ...JSON.parse(process.argv[3]) };
const { admin, front, operator, reader, keys, languages, many, shots } = given;

const NAME = '<img src=x onerror=alert(1)>';
const SEARCH = 300;                 // milliseconds

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function reload() {
    console.log('do reload');
    await lines.next();
}

// ---- beside the console: what partners and another operator do

async function send(key, times = 1) {
    let status;

    for (let i = 0; i < times; i++) {
        const answer = await fetch(`${front}/api/partner/v1/messages/msg_1`,
            { headers: { 'X-API-Key': key } });
        await answer.arrayBuffer();
        status = answer.status;
    }

    return status;
}

async function partner(id, method = 'GET', body = undefined) {
    const answer = await fetch(`${admin}/admin/partners/${id}`, {
        method, body: body && JSON.stringify(body),
        headers: { 'X-API-Key': operator, ...body && { 'Content-Type': 'application/json' } },
    });

    return answer.status === 200 ? answer.json() : answer.status;
}

// What stands in the way of a request: the page may have given that up, or the test
// have gone on, before this comes to its end.

function inPlace(handler) {
    return (route) => handler(route).catch((error) => note(error.message));
}

// ---- flows: v is the visitor, l the language

async function signIn(v, l) {
    const { page } = v;

    await v.open(`#/partners/atlas-${l}`);
    await v.shows(v.t('login.title'), 'without a key, the login is shown');
    is(await page.evaluate(() => document.documentElement.lang), l, `${l}: the browser's language`);

    await v.signIn('nobodys-key');
    await v.shows(v.t('login.401'), 'a wrong key is told');

    await v.signIn(operator);
    await page.getByRole('heading', { name: `Partner atlas-${l}` }).waitFor();
    is(new URL(page.url()).hash, `#/partners/atlas-${l}`, `${l}: the login leads to the page that was asked for`);

    const kept = await page.evaluate(() => JSON.stringify(
        [location.href, document.cookie, { ...localStorage }, { ...sessionStorage }]));
    ok(!kept.includes(operator), `${l}: the key is in memory alone`, kept);

    await page.reload();
    await v.shows(v.t('login.title'), 'a reload forgets the key');
    await v.signIn(operator, { keep: true });
    await page.getByRole('heading', { name: `Partner atlas-${l}` }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: `Partner atlas-${l}` }).waitFor();
    ok(!(await page.evaluate(() => JSON.stringify([location.href, document.cookie,
        { ...localStorage }]))).includes(operator), `${l}: kept for the tab, it is nowhere else`);
}

async function bar(v, l) {
    const { page } = v;
    const meter = page.getByRole('meter');
    const used = async () => Number(await meter.getAttribute('aria-valuenow'));
    const width = () => page.locator('.fill').evaluate((e) => e.getBoundingClientRect().width);

    await v.open(`#/partners/atlas-${l}`);
    await meter.waitFor();
    is(await used(), 0, `${l}: nothing is used of the limit`);

    await send(keys[`atlas-${l}`], 40);
    await v.until(async () => await used() === 40, 'the bar moves under load');
    await v.until(async () => await width() > 100, '… and is seen to');

    const field = page.getByLabel(v.t('partner.instance'));
    await field.fill('5b1f');
    await v.polls(2);
    ok(await field.evaluate((e) => e === document.activeElement), `${l}: a poll leaves the focus where it is`);
    is(await field.inputValue(), '5b1f', `${l}: … and what was typed`);
}

async function leaked(v, l) {
    const { page } = v;
    const old = keys[`leak-${l}`];

    await v.open(`#/partners/leak-${l}`);
    is(await send(old), 200, `${l}: the old key works`);
    await v.press('partner.rotate');
    ok(await v.button('rotate.do').isDisabled(), `${l}: one has to say what has happened`);
    await page.getByText(v.t('rotate.leaked')).click();
    await v.accessible('rotating a key');
    await v.confirm('rotate.do');

    const field = page.getByLabel(v.t('shown.label'));
    const key = await field.inputValue();
    is(await send(old), 401, `${l}: the leaked key is dead at once`);
    is(await send(key), 200, `${l}: the new one works`);

    await v.press('shown.copy');
    await v.shows(v.t('shown.copied'));
    is(await page.evaluate(() => navigator.clipboard.readText()), key, `${l}: the key is copied`);
    await v.accessible('a key that is shown once');

    await page.keyboard.press('Escape');
    await v.shows(v.t('shown.stored'), 'closing asks whether it is stored');
    await v.press('shown.no');
    is(await field.inputValue(), key, `${l}: it can be seen again`);
    await v.press('shown.close');
    await v.press('shown.yes');
    await v.until(async () => !await v.dialog().isVisible(), 'the dialog goes');
    ok(!(await page.content()).includes(key), `${l}: and the key with it`);
    ok(await v.button('partner.rotate').evaluate((e) => e === document.activeElement),
        `${l}: the focus is where it was`);
}

async function planned(v, l) {
    const { page } = v;
    const old = keys[`plan-${l}`];

    await v.open(`#/partners/plan-${l}`);
    await v.press('partner.rotate');
    await page.getByText(v.t('rotate.planned')).click();
    await v.confirm('rotate.do');
    const key = await page.getByLabel(v.t('shown.label')).inputValue();
    await v.press('shown.close');
    await v.press('shown.yes');

    is([await send(old), await send(key)], [200, 200], `${l}: a planned rotation keeps both`);
    const before = (await partner(`plan-${l}`)).keys[0];
    ok(before.expires && before.id === 'k1', `${l}: the old key has an end`);
    await v.shows(v.t('partner.goes', { key: 'k1', time: '' }).slice(0, 15), 'that is told');
    await v.until(async () => await page.locator('.rows.keys li').first().locator('time').count() === 3,
        'when the old key was used last is seen');

    await v.revoke('k1');
    await v.confirm('revoke.do');
    await v.shows(v.t('revoke.done', { key: 'k1' }));
    is([await send(old), await send(key)], [401, 200], `${l}: the old one is revoked`);

    const { keys: [only] } = await partner(`plan-${l}`);
    await v.revoke(only.id);
    ok(await v.button('revoke.do').isDisabled(), `${l}: the only key is not revoked by one click`);
    await page.getByLabel(v.t('change.typeId', { id: `plan-${l}` })).fill(`plan-${l}`);
    await v.confirm('revoke.do');
    await v.shows(v.t('partner.noKeys'));
    is(await send(key), 401, `${l}: but by typing the id`);

    await v.press('partner.addKey');
    await v.confirm('addKey.do');
    is(await send(await page.getByLabel(v.t('shown.label')).inputValue()), 200, `${l}: one more key`);
    await v.press('shown.close');
    await v.press('shown.yes');
}

async function fields(v, l) {
    const { page } = v;
    const id = `last-${l}`, key = keys[id];

    const slowly = inPlace(async (route) => {
        if (route.request().method() === 'GET') await new Promise((go) => setTimeout(go, 500));
        await route.continue();
    });

    await v.open(`#/partners/${id}`);
    await v.press('partner.limit');
    await page.getByLabel(v.t('limit.number'), { exact: true }).fill('7');
    await page.route(`**/admin/partners/${id}`, slowly);
    await v.choose('limit.unit', 'h');
    await v.confirm('limit.save');
    await v.until(async () => (await partner(id)).rate === '7r/h', 'the limit is changed');

    // at once, while the partner is still being read anew
    await v.press('partner.limit');
    await page.getByText(v.t('limit.zone')).click();
    await v.confirm('limit.save');
    await v.until(async () => (await partner(id)).rate === '100r/m', 'its own limit is taken away');
    await page.unroute(`**/admin/partners/${id}`, slowly);

    await v.press('partner.scopes');
    await page.getByLabel('files.send').check();
    await page.getByLabel('messages.send').uncheck();
    await v.confirm('scopes.save');
    await v.shows(v.t('scopes.done'));
    is((await partner(id)).scopes, ['files.send'], `${l}: the scopes are changed`);

    is(await send(key), 403, `${l}: it lacks a scope now`);
    await v.shows(v.t('code.insufficient_scope'), 'why it is refused');
    await v.shows(v.t('why.insufficient_scope', { scopes: 'files.send', about: 'messages.send' }), '… in a sentence');
    await v.shows(v.t('remedy.insufficient_scope'), '… with the remedy');
    const { last_refusal: last } = await partner(id);
    const field = page.getByLabel(v.t('partner.instance'));
    await field.fill(last.instance);
    await v.shows(v.t('partner.instanceSame'));
    await field.fill('0'.repeat(32));
    await v.shows(v.t('partner.instanceOther', { id: '0'.repeat(32) }));
    await v.accessible('a partner that was refused');

    await page.locator('.card button', { hasText: v.t('partner.scopes') }).click();
    await page.getByLabel('messages.send').check();
    await v.confirm('scopes.save');
    await v.shows(v.t('scopes.done'));
    is(await send(key), 200, `${l}: the remedy is one click away`);

    await v.press('partner.disable');
    await v.confirm('disable.do');
    await v.shows(v.t('disable.done'));
    is(await send(key), 403, `${l}: disabled`);
    await v.button('partner.enable').first().click();
    await v.confirm('enable.do');
    await v.shows(v.t('enable.done'));
    is(await send(key), 200, `${l}: enabled`);
}

// A secret is shown as a key is: once. Returns it.

async function shownSecret(v) {
    const value = await v.page.getByLabel(v.t('shown.label')).inputValue();

    await v.press('shown.close');
    await v.press('shown.yes');
    return value;
}

const SECRETS = [['newHmac', 'hmac_secret'], ['newWebhook', 'webhook_secret']];

async function secrets(v, l) {
    await v.open(`#/partners/last-${l}`);

    for (const [button, secret] of SECRETS) {
        await v.press(`partner.${button}`);
        await v.shows(v.t('secret.first'));
        await v.confirm('secret.do');
        ok(await shownSecret(v) !== '', `${l}: a first ${secret} is shown`);
        await v.until(async () => (await partner(`last-${l}`))[`has_${secret}`], '… and set');
    }
}

async function changeOver(v, l) {
    await v.open(`#/partners/last-${l}`);

    for (const [button, secret] of SECRETS) {
        await v.press(`partner.${button}`);
        ok(await v.inDialog('secret.do').isDisabled(), `${l}: one has to say what has happened`);
        await v.page.getByText(v.t('secret.planned')).click();
        await v.confirm('secret.do');
        ok(await shownSecret(v) !== '', `${l}: another ${secret}`);
        ok((await partner(`last-${l}`))[`former_${secret}_expires`], `${l}: … while the former works`);
    }

    const told = v.page.getByText(v.t('partner.formerUntil'));
    await v.until(async () => await told.count() === 2, 'till when is told');
}

async function stale(v, l) {
    const id = `last-${l}`;

    await v.open(`#/partners/${id}`);
    await v.press('partner.limit');
    await v.page.getByLabel(v.t('limit.number'), { exact: true }).fill('11');
    await partner(id, 'PATCH', { rate: '12r/m' });
    await v.confirm('limit.save');
    await v.shows(v.t('change.stale'), 'someone else has changed the partner');
    is((await partner(id)).rate, '12r/m', `${l}: nothing is lost`);
    await v.press('change.look');
    await v.until(async () => (await v.text()).includes('12'), 'the page shows it');
}

async function broken(v, l) {
    const { page } = v;
    const changes = (route) => route.request().method() === 'PATCH' ? route.abort() : route.continue();

    await v.open(`#/partners/last-${l}`);
    await page.route('**/admin/partners/*', changes);
    await v.press('partner.limit');
    await v.confirm('limit.save');
    await v.shows(v.t('change.broken'), 'a connection that breaks: look before you repeat');
    ok(!await v.inDialog('limit.save').isVisible(), `${l}: nothing invites to press again`);
    await v.press('change.look');
    await page.unroute('**/admin/partners/*');

    await v.press('partner.scopes');
    await page.getByLabel(v.t('scopes.more')).fill('messages.sent');
    await v.confirm('scopes.save');
    await v.shows('"messages.send"', 'what the admin endpoint says is shown');
    await v.press('word.cancel');
}

async function create(v, l) {
    const { page } = v;
    const id = `made-${l}`;

    await v.open('#/partners');
    await v.press('partners.new');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel(v.t('new.id')).fill(id);
    await dialog.getByLabel(v.t('new.name')).fill(NAME);
    await page.getByLabel('messages.send').check();
    await v.accessible('a new partner');
    await v.confirm('new.create');

    const key = await page.getByLabel(v.t('shown.label')).inputValue();
    is(await send(key), 200, `${l}: the new partner's key works`);
    await v.press('shown.close');
    await v.press('shown.yes');
    is((await partner(id)).name, NAME, `${l}: its name is as it was typed`);
    await page.getByRole('heading', { name: NAME }).waitFor();
    ok(true, `${l}: a name with HTML in it stays text, on its page`);

    await v.open('#/');
    await v.shows(NAME, '… among the most active');
    await v.open('#/partners');
    await page.getByRole('searchbox').fill('onerror');
    await v.until(async () => await page.locator('#found > li').count() === 1,
        '… among those that are found');
    ok((await page.locator('#found').innerText()).includes(NAME), `${l}: … as text`);
    is(await page.locator('img:not([src="icon.svg"])').count(), 0, `${l}: no picture came of it`);

    await page.getByRole('link', { name: NAME }).click();
    await v.press('partner.delete');
    const typed = page.getByLabel(v.t('change.typeId', { id }));
    await typed.fill(`made-${l}x`);
    ok(await v.inDialog('delete.do').isDisabled(), `${l}: another id deletes nothing`);
    await typed.fill(id);
    await v.confirm('delete.do');
    await v.shows(v.t('delete.done', { id }));
    is(await partner(id), 404, `${l}: deleted`);
    await v.open(`#/partners/${id}`);
    await v.shows(v.t('partner.missing', { id }));
}

async function search(v, l) {
    const { page } = v;
    const found = page.locator('#found > li');
    const times = [];

    await v.open('#/partners');
    await v.until(async () => await found.count() === 100, 'the first hundred');
    ok((await page.locator('#found').innerText()).includes(v.t('partners.lastUsed')),
        `${l}: when a partner asked last`);
    await v.press('partners.more');
    await v.until(async () => await found.count() === 200, 'a hundred more');
    await v.choose('partners.which', 'disabled');
    await v.until(async () => await found.count() === 100
        && await page.locator('#found .on').count() === 0, 'the disabled ones');
    await v.choose('partners.which', '');
    await page.keyboard.press('Escape');
    await page.locator('h1').click();
    await page.keyboard.press('/');
    await page.keyboard.type('boutique');
    is(await page.getByRole('searchbox').inputValue(), 'boutique', `${l}: "/" leads to the field`);

    // the last of all, found by its name: every partner has to be looked at
    for (let i = 0; i < 5; i++) {
        const n = many - i;
        await page.evaluate(() => performance.clearResourceTimings());
        await page.getByRole('searchbox').fill(`Boutique ${n}`);
        await v.until(async () => await found.count() === 1
            && (await found.innerText()).includes(`shop-${String(n).padStart(6, '0')}`), `one of ${many} is found`);
        times.push(await page.evaluate(() => {
            const all = performance.getEntriesByType('resource')
                .filter((e) => e.name.includes('q=Boutique'));
            return Math.round(Math.max(...all.map((e) => e.responseEnd))
                - Math.min(...all.map((e) => e.startTime)));
        }));
    }

    note(`a search among ${many} partners: ${times.join(', ')} ms`);
    ok(Math.min(...times) <= SEARCH, `${l}: a search answers in ${SEARCH} ms`, times.join(', '));

    await page.getByRole('searchbox').fill('nobody of this name');
    await v.shows('nobody of this name', 'nobody is found');
    await v.accessible('the list of partners');
}

async function now(v, l) {
    const { page } = v;
    const busy = keys[`busy-${l}`];

    await v.open('#/');
    await v.polls(1);
    await send(busy, 130);
    await send('wst_nobodys', 3);
    const limited = page.locator('section', { hasText: v.t('now.limited') }).last();
    await v.until(async () => (await limited.innerText()).includes(`busy-${l}`), 'who is limited is seen');
    is(await limited.getByRole('meter', { name: v.t('word.usedOf', { id: `busy-${l}` }) })
        .getAttribute('aria-valuenow'), '100', `${l}: with what is used`);
    await v.until(async () => /[3-9]\d\/min/.test(await limited.innerText()), 'how often in a minute');
    await v.shows(v.t('code.invalid_key'), 'unknown keys');

    await page.getByText(v.t('now.table')).click();
    await v.until(async () => await page.locator('table tbody tr').count() > 0,
        'the numbers of the chart as a table');
    await v.accessible('now');

    await reload();
    await v.polls(2);
    ok(!(await v.text()).includes(v.t('state.lost')), `${l}: a reload of nginx is not noticed`);

    await page.route('**/status', (route) => route.abort());
    await v.shows(v.t('state.lost'), 'no answer is told');
    await page.unroute('**/status');
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await v.until(async () => !(await v.text()).includes(v.t('state.lost')), 'and that it is over');
}

// What a node of a cluster tells: the same status, and this with it.

const NODE = { node: 'edge-3', place: 3, nodes: 8, state: 'active', session: 28.4, agrees: true,
    redis: { connected: true }, caps: 12, behind: 0,
    counters: { claims: 9, granted: 9, lent: 0, early: 0, parked: 0, admitted: 0, crowded: 0, losses: 0, errors: 0 } };

async function cluster(v, l) {
    const { page } = v;
    const answered = '2026-11-28T02:58:01.000Z';
    const time = await page.evaluate((at) => new Date(at).toTimeString().slice(0, 8), answered);
    const words = (key, values) => v.t(key, { time, ...values });
    let more = {};

    await v.open('#/');
    await v.polls(1);
    ok(!(await v.text()).includes(v.t('now.cluster')), `${l}: a front door by itself has no line of it`);

    await page.route('**/status', inPlace(async (route) => {
        const response = await route.fetch();
        const status = await response.json();
        const redis = { ...NODE.redis, answered: status.now, ...more.redis };

        await route.fulfill({ response, json: { ...status, cluster: { ...NODE, ...more, redis } } });
    }));

    const line = page.locator('.verdict li').nth(3);
    const strip = page.getByRole('status', { name: v.t('state.label') });
    const tells = async (change, text, level, name) => {
        more = change;
        await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
        await v.until(async () => (await line.innerText()).includes(text), name);
        await v.until(async () => await line.getAttribute('class') === level, `… as ${level}`);
        is((await strip.innerText()).includes(text), level !== 'ok', `${l}: … read aloud unless all is well`);
    };

    await tells({}, v.t('now.clusterOk', { ...NODE }), 'ok', 'a node that shares');
    await v.accessible('a node that shares');
    await tells({ redis: { connected: false, answered } }, words('cluster.silent'), 'warn', 'Redis is away');
    await tells({ state: 'alone', session: 0, redis: { connected: false, answered } },
        words('cluster.alone'), 'bad', 'for long');
    await v.accessible('a node that is alone');
    await tells({ state: 'alone', place: 0, redis: { connected: false, answered: null } },
        words('cluster.never'), 'bad', 'from the start');
    await tells({ state: 'restating' }, words('cluster.joining'), 'note', 'back again');
    await tells({ agrees: false, state: 'alone', place: 0 }, words('cluster.disagrees'), 'bad', 'other values');
    await tells({ place: 9 }, words('cluster.tooMany', { nodes: 8 }), 'warn', 'one too many');
    await tells({ behind: 2 }, words('cluster.behind'), 'bad', 'changes that aren’t in force');
    await tells({}, v.t('now.clusterOk', { ...NODE }), 'ok', 'all is well again');
    await page.unroute('**/status');
}

// A screen on the wall: it sees all and changes nothing.

async function read(v, l) {
    await v.open('#/');
    await v.press('app.signOut');
    await v.signIn(reader);
    await v.page.locator('.figures').waitFor();
    await v.open(`#/partners/atlas-${l}`);
    await v.press('partner.disable');
    await v.confirm('disable.do');
    await v.shows(v.t('change.forbidden'));
    is((await partner(`atlas-${l}`)).enabled, true, `${l}: nothing has changed`);

    await v.press('change.otherKey');
    await v.shows(v.t('login.title'));
    await v.signIn(operator, { keep: true });
    await v.page.getByRole('heading', { name: `Partner atlas-${l}` }).waitFor();
    ok(true, `${l}: another key, the same page`);
}

async function leave(v, l) {
    const { page } = v;
    const other = l === 'fr' ? 'en' : 'fr';

    await v.open('#/');
    await page.getByRole('button', { name: other.toUpperCase() }).click();
    await page.reload();
    is(await page.evaluate(() => document.documentElement.lang), other, `${l}: the language that was chosen stays`);
    await page.getByRole('button', { name: l.toUpperCase() }).click();

    await v.press('app.signOut');
    await v.shows(v.t('login.title'));
    is(await page.evaluate(() => sessionStorage.length), 0, `${l}: signed out, the key is forgotten`);
    await v.accessible('login');
}

const FLOWS = [signIn, bar, leaked, planned, fields, secrets, changeOver, stale, broken, create,
    search, now, cluster, read, leave];

// ---- pictures, which someone has to look at

async function pictures(browser) {
    const looks = [
        ['light', 'fr', {}], ['dark', 'en', { colorScheme: 'dark' }],
        ['360', 'fr', { viewport: { width: 360, height: 780 } }],
    ];

    for (const [look, language, options] of looks) {
        const v = await browser.visit(language, options);
        const shoot = async (name) => {
            await v.narrow(`${look} ${name}`);
            await v.page.screenshot({
                path: `${shots}/${look}-${name}.png`,
                fullPage: name === 'now' || name === 'partner',
            });
        };

        await v.open('#/');
        await v.page.getByLabel(v.t('login.key')).waitFor();
        await shoot('login');
        await v.signIn(operator);
        await v.page.locator('.figures').waitFor();
        for (const times of [30, 50, 20, 40]) {
            await send(keys[`busy-${language}`], times);
            await v.polls(1);
        }
        await shoot('now');
        await v.open('#/partners');
        await v.page.locator('#found > li').first().waitFor();
        await shoot('partners');
        await v.open(`#/partners/last-${language}`);
        await v.page.getByRole('meter').waitFor();
        await shoot('partner');
        await v.press('partner.rotate');
        await v.page.getByText(v.t('rotate.leaked')).click();
        await shoot('rotate');
        await v.end();
    }
}

const browser = await start(given);
const only = process.env.TEST_FLOWS?.split(' ');

try {
    for (const language of languages) {
        const v = await browser.visit(language);

        for (const flow of FLOWS.filter((f) => !only || f === signIn || only.includes(f.name))) {
            try {
                const begun = Date.now();
                await v.page.goto('about:blank');
                await flow(v, language);
                note(`${language}: ${flow.name}: ${Date.now() - begun} ms`);
            } catch (error) {
                ok(false, `${language}: ${flow.name}`, `${error.stack}\n${await v.text()}`);
                if (flow === signIn) break;
            }
        }

        await v.end();
    }

    await pictures(browser);
} finally {
    await browser.end();
}

process.exit();
