// An operator at a browser, who notes what no page may do: break the content
// security policy, ask elsewhere, fail, or shut someone out (axe).

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ok } from './tap.mjs';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21aa'];
const LOCALES = { fr: 'fr-CM', en: 'en-GB' };
const ZONE = 'Africa/Douala';               // not UTC, so that both are shown
const DEADLINE = 10000;

export async function start({ console: folder, browser: packages, admin }) {
    const require = createRequire(`${packages}/`);
    const { chromium } = require('playwright-core');
    const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium', args: ['--no-sandbox'],
    });

    return {
        async visit(language, options = {}) {
            const file = pathToFileURL(join(folder, `i18n/${language}.js`));
            const words = (await import(file)).default;
            const context = await browser.newContext({
                locale: LOCALES[language], timezoneId: ZONE,
                permissions: ['clipboard-read', 'clipboard-write'],
                viewport: { width: 1280, height: 900 }, ...options,
            });
            const visitor = new Visitor(language, words, admin, axe, context);

            await visitor.begin();
            return visitor;
        },
        end: () => browser.close(),
    };
}

class Visitor {
    constructor(language, words, admin, axe, context) {
        Object.assign(this, { language, words, admin, axe, context });
        this.faults = [];
        this.answers = 0;           // of /status
    }

    async begin() {
        await this.context.exposeBinding('fault', (_, text) => this.faults.push(text));
        await this.context.addInitScript(() => {
            addEventListener('securitypolicyviolation', (event) =>
                window.fault(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
            window.alert = () => window.fault('an alert');
        });

        this.page = await this.context.newPage();
        this.page.setDefaultTimeout(DEADLINE);
        this.page.on('pageerror', (error) => this.faults.push(error.stack));
        this.page.on('console', (message) => this.onConsole(message));
        this.page.on('request', (request) => this.onRequest(request));
        this.page.on('response', (response) => {
            this.answers += response.url().endsWith('/status') && response.ok();
        });
    }

    // The browser itself tells of each answer that isn't 2xx.

    onConsole(message) {
        if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) {
            this.faults.push(message.text());
        }
    }

    onRequest(request) {
        const url = new URL(request.url());

        if (url.origin !== this.admin || !/^\/(console|admin|status)\b/.test(url.pathname)) {
            this.faults.push(`a request to ${url}`);
        }
    }

    // The words of a key, as the console shows them.

    t(key, values = {}) {
        const text = this.words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

        return this.language === 'fr'
            ? text.replace(/ (?=[:;?!%»])|(?<=« )/g, (blank) => blank && '\u00a0') : text;
    }

    open(address) {
        return this.page.goto(`${this.admin}/console/${address}`);
    }

    async signIn(key, { keep = false } = {}) {
        await this.page.getByLabel(this.t('login.key')).fill(key);
        if (keep) await this.page.getByLabel(this.t('login.keep')).check();
        await this.press('login.do');
    }

    button(key, values) {
        return this.page.getByRole('button', { name: this.t(key, values), exact: true });
    }

    press(key, values) {
        return this.button(key, values).click();
    }

    inDialog(key, values) {
        return this.dialog().getByRole('button', { name: this.t(key, values), exact: true });
    }

    confirm(key, values) {
        return this.inDialog(key, values).click();
    }

    revoke(key) {
        return this.page.getByRole('button',
            { name: `${this.t('partner.revoke')} ${key}`, exact: true }).click();
    }

    choose(key, option) {
        return this.page.getByRole('combobox', { name: this.t(key) }).selectOption(option);
    }

    dialog() {
        return this.page.getByRole('dialog');
    }

    async text() {
        return this.page.locator('body').innerText();
    }

    // Waits until there is such a text on the page.

    async shows(text, name = `shows "${text}"`) {
        return this.until(async () => (await this.text()).includes(text), name);
    }

    async until(condition, name) {
        const end = Date.now() + DEADLINE;
        let done = await condition();

        while (!done && Date.now() < end) {
            await new Promise((resolve) => setTimeout(resolve, 50));
            done = await condition();
        }

        return ok(done, `${this.language}: ${name}`, done ? '' : await this.text());
    }

    // Until status was asked for so many times more.

    async polls(times) {
        const wanted = this.answers + times;

        await this.until(() => this.answers >= wanted, 'status is asked for again');
    }

    // No fault of axe's on what is shown, in both colours.

    async accessible(name) {
        for (const colorScheme of ['dark', 'light']) {
            await this.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
            await this.page.evaluate(this.axe);
            const { violations } = await this.page.evaluate(
                (values) => window.axe.run(document, { runOnly: { type: 'tag', values } }), RULES);

            ok(violations.length === 0, `${this.language}: axe: ${name}, ${colorScheme}`,
                violations.map((v) => `${v.id}: ${v.nodes.map((n) =>
                    `${n.html} ${n.failureSummary}`).join('\n')}`).join('\n'));
        }
    }

    async narrow(name) {
        const width = await this.page.evaluate(() => document.documentElement.scrollWidth);

        ok(width <= this.page.viewportSize().width, `${this.language}: ${name} is no wider than the screen`,
            `${width} pixels`);
    }

    async end() {
        ok(this.faults.length === 0,
            `${this.language}: no violation of the CSP, no request elsewhere, no error`,
            this.faults.join('\n'));
        await this.context.close();
    }
}
