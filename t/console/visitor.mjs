// An operator at a browser.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as browser from '../browser/visitor.mjs';

export async function start({ console: folder, browser: packages, admin }) {
    const { visit, end } = await browser.start(packages, Operator);

    return {
        end,
        async visit(language, options) {
            const file = pathToFileURL(join(folder, `i18n/${language}.js`));
            const words = (await import(file)).default;

            return visit(language, options, words, admin);
        },
    };
}

class Operator extends browser.Visitor {
    constructor(language, context, axe, words, admin) {
        super(language, context, axe);
        Object.assign(this, { words, admin });
        this.answers = 0;           // of /status
    }

    async begin() {
        await super.begin();
        this.page.on('response', (response) => {
            this.answers += response.url().endsWith('/status') && response.ok();
        });
    }

    mayAsk({ origin, pathname }) {
        return origin === this.admin && /^\/(console|admin|status)\b/.test(pathname);
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

    // Until status was asked for so many times more.

    async polls(times) {
        const wanted = this.answers + times;

        await this.until(() => this.answers >= wanted, 'status is asked for again');
    }
}
