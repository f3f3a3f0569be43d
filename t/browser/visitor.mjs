// Someone at a browser, who notes what no page may do: break the content
// security policy, ask elsewhere, fail, or shut someone out (axe).

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ok } from './tap.mjs';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];
const LOCALES = { fr: 'fr-CM', en: 'en-GB' };
const ZONE = 'Africa/Douala';               // not UTC, so that both are shown
const DEADLINE = 10000;

// The browser of the packages in a folder. visit() is for a language, with the
// options of a context; each visitor is one of the class.

export async function start(packages, Class = Visitor) {
    const require = createRequire(`${packages}/`);
    const { chromium } = require('playwright-core');
    const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium', args: ['--no-sandbox'],
    });

    return {
        async visit(language, options = {}, ...more) {
            const context = await browser.newContext({
                locale: LOCALES[language], timezoneId: ZONE,
                permissions: ['clipboard-read', 'clipboard-write'],
                viewport: { width: 1280, height: 900 }, ...options,
            });
            const visitor = new Class(language, context, axe, ...more);

            await visitor.begin();
            return visitor;
        },
        end: () => browser.close(),
    };
}

export class Visitor {
    constructor(language, context, axe) {
        Object.assign(this, { language, context, axe });
        this.faults = [];
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
    }

    // The browser itself tells of each answer that isn't 2xx.

    onConsole(message) {
        if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) {
            this.faults.push(message.text());
        }
    }

    onRequest(request) {
        if (!this.mayAsk(new URL(request.url()))) {
            this.faults.push(`a request to ${request.url()}`);
        }
    }

    async text() {
        return this.page.locator('body').innerText();
    }

    // What is told where something isn't.

    seen() {
        return this.text();
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

        return ok(done, `${this.language}: ${name}`, done ? '' : await this.seen());
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
