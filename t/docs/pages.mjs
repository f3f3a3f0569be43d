// What has to stand in a page: all of the specification, and no link that leads
// nowhere.

import { is, ok } from '../browser/tap.mjs';

const METHODS = ['get', 'post', 'put', 'patch', 'delete'];
const LANGUAGES = ['curl', 'php', 'python', 'node'];

export async function complete(v, l, specification, scopes) {
    const { page } = v;
    const operations = Object.entries(specification.paths).flatMap(([path, item]) =>
        METHODS.filter((m) => item[m]).map((m) => ({ path, method: m, ...item[m] })));

    is(operations.length, 15, `${l}: the specification has its operations`);

    for (const o of operations) {
        const article = v.operation(o.operationId);
        const text = await article.locator('.about').textContent();
        const code = (await article.locator('code[data-operation]').all());
        const snippets = await Promise.all(code.map(async (c) =>
            [await c.getAttribute('data-language'), await c.textContent()]));
        const missing = [o.summary, o.path, o.method.toUpperCase(), ...o['x-required-scopes'] ?? [],
            ...Object.keys(o.responses).filter((status) => status !== 'default')]
            .filter((part) => !text.includes(part));

        is(missing, [], `${l}: ${o.operationId}: all of it is told`);
        is(await article.locator(`#${o.operationId}`).count(), 1, `${l}: ${o.operationId} has an anchor`);
        is(snippets.map(([language]) => language), LANGUAGES, `${l}: ${o.operationId}: in four languages`);
        is(snippets.filter(([, c]) => !c.includes('https://api.wassiit.ma/')
            || !c.includes('wst_your_api_key_here')).map(([language]) => language), [],
            `${l}: ${o.operationId}: with the placeholders`);
    }

    is(await page.locator('code').evaluateAll((all) => all.filter((e) => !e.textContent.trim()).length), 0,
        `${l}: no code is left empty`);

    const codes = Object.keys(specification['x-errors']);
    const rows = await page.locator('tr[id^=error-]').evaluateAll((all) => all.map((e) => e.id));
    is(rows, codes.map((code) => `error-${code}`), `${l}: each code has its row`);
    is(await page.locator('.remedy').evaluateAll((all) => all.filter((e) => !e.textContent.trim()).length), 0,
        `${l}: … with a remedy`);

    const text = await page.locator('main').textContent();
    is(scopes.filter((scope) => !text.includes(scope)), [], `${l}: each scope is named`);
    is(Object.values(specification.webhooks).map(({ post }) => post.summary)
        .filter((summary) => !text.includes(summary)), [], `${l}: each event is told`);
    ok(text.includes(specification.info.version), `${l}: the changelog has the version`);

    const { twice, dead, out, empty } = await page.evaluate(() => {
        const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
        const links = [...document.querySelectorAll('a[href]')];

        return {
            twice: ids.filter((id, i) => ids.indexOf(id) !== i),
            dead: links.map((a) => a.getAttribute('href'))
                .filter((h) => h.startsWith('#') && !document.getElementById(h.slice(1))),
            out: [...new Set(links.map((a) => a.getAttribute('href')).filter((h) => h.startsWith('/')))],
            empty: links.filter((a) => !a.textContent.trim()).length,
        };
    });
    is(twice, [], `${l}: no id stands twice`);
    is(dead, [], `${l}: each link within the page leads somewhere`);
    is(empty, 0, `${l}: no link is without words`);

    for (const file of ['/openapi.yaml', '/openapi.json', '/openapi.fr.json']) {
        ok(out.includes(file), `${l}: a link to ${file}`);
    }
    for (const address of out) {
        is((await fetch(v.front + address)).status, 200, `${l}: ${address} answers`);
    }

    const entries = await page.locator('nav > ul > li > a').evaluateAll((all) => all.map((a) => a.hash));
    is(entries, await page.locator('main h2').evaluateAll((all) => all.map((h) => `#${h.id}`)),
        `${l}: the contents name each section`);
}
