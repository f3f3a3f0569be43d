// A partner at a browser, who reads the docs and tries things.

import { Visitor } from '../browser/visitor.mjs';

export class Reader extends Visitor {
    constructor(language, context, axe, words, front) {
        super(language, context, axe);
        Object.assign(this, { words, front, addresses: [] });
    }

    mayAsk({ origin, pathname, href }) {
        this.addresses.push(href);
        return origin === this.front && /^\/(docs|api|automation)\//.test(pathname);
    }

    // What is told of a failure: the page is long.
    async seen() {
        return (await this.page.locator('details.try[open]').allInnerTexts()).join();
    }

    open(anchor = '') {
        return this.page.goto(`${this.front}/docs/${this.language}/${anchor}`);
    }

    operation(id) {
        return this.page.locator(`article[aria-labelledby=${id}]`);
    }

    // The try-it of an operation, opened; the page closes the one before a moment later.
    async tryIt(id) {
        const form = this.operation(id).locator('details.try');

        if (await form.getAttribute('open') === null) await form.locator('summary').click();
        await this.until(async () => await this.page.locator('details.try[open]').count() === 1,
            'one try-it is open');
        return form;
    }

    // Sends what is filled in, and returns what is shown when the answer is there.
    async send(form) {
        const pressed = form.getByRole('button', { name: this.words.send, exact: true });

        await pressed.click();
        return this.answer(form);
    }

    async answer(form) {
        const status = form.getByRole('status');

        await this.until(async () => ![this.words.waiting, ''].includes(await status.textContent()),
            'an answer comes');
        const [body, headers] = await form.locator('.answer pre').allTextContents();
        const remedy = form.locator('.answer .remedy');

        return {
            status: await status.textContent(), headers, body: body?.trim(),
            remedy: await remedy.count() > 0 ? await remedy.textContent() : null,
        };
    }

    field(form, label) {
        return form.getByLabel(label, { exact: true });
    }
}
