// The try-it of each operation: a form that sends a request to where this page
// comes from, and shows the answer. What it takes it finds in the page.

import { show } from './answer.js';
import { credentials, headersFor, showSecret } from './credentials.js';
import { labelled, make, plain, words } from './element.js';
import { address, sample } from './request.js';

function parameter(item) {
    const { parameter: name, in: place } = item.dataset;
    const values = [...item.querySelectorAll('.choice')].map((e) => e.textContent);
    const control = values.length > 0
        ? make('select', {}, new Option(words.none, ''), ...values.map((v) => new Option(v, v)))
        : make('input', { type: 'text', ...plain });

    // whoever tries sends no message by mistake: with ?test=1 nothing is sent
    if (values.length > 0) control.value = values[0];
    const choice = examples(item, (value) => { control.value = value; });

    return { name, in: place, control, lines: [...choice, labelled(name, control)] };
}

// A choice of the examples within an element, of which the first is chosen.
function examples(within, choose) {
    const all = [...within?.querySelectorAll('[data-example]') ?? []];
    const select = make('select');
    const chosen = () => choose(all[select.selectedIndex].textContent.trim());

    for (const code of all) {
        select.append(new Option(titleOf(code)));
    }

    if (all.length > 0) chosen();
    select.addEventListener('change', chosen);
    return all.length > 1 ? [labelled(words.example, select)] : [];
}

function titleOf(code) {
    const title = code.closest('li').querySelector('summary, span:not(.badge)') ?? code;

    return [...title.childNodes].map((node) =>
        node.textContent + (node.className === 'badge' ? words.colon : '')).join('');
}

function bodyOf({ body: type, file }) {
    if (!type) return { lines: [], fill: null };

    if (type === 'application/json') {
        const area = make('textarea', { rows: 8, ...plain });

        return {
            lines: [labelled(words.body, area)], fill: (value) => { area.value = value; },
            init: () => ({ body: area.value, type }),
        };
    }

    const to = make('input', { type: 'text', inputmode: 'tel', ...plain });
    const chosen = make('input', { type: 'file', ...file.startsWith('audio/') && { accept: file } });

    return {
        lines: [labelled(words.to, to), labelled(words.file, chosen,
            make('span', { class: 'hint' }, words.sample))],
        fill: (value) => { to.value = JSON.parse(value).to; },
        init: () => {
            const form = new FormData();

            form.set('to', to.value);
            form.set('file', chosen.files[0] ?? sample(file));
            return { body: form };
        },
    };
}

function build(article) {
    const { method, path, signed } = article.dataset;
    const operation = article.querySelector('h4');
    const name = `${words.title}${words.colon} ${operation.textContent}`;
    const parameters = [...article.querySelectorAll('[data-parameter]')].map(parameter);
    const body = bodyOf(article.dataset);
    const choice = examples(article.querySelector('.bodies'), body.fill);
    const status = make('p', { role: 'status' }), answer = make('div', { class: 'answer' });
    const cancel = make('button', { type: 'button', hidden: '' }, words.cancel);
    const form = make('form', {}, ...parameters.flatMap((p) => p.lines), ...choice, ...body.lines,
        make('p', { class: 'buttons' }, make('button', { type: 'submit' }, words.send), cancel),
        status, answer);
    const details = make('details', { class: 'try', id: `try-${operation.id}` },
        make('summary', { 'aria-label': name }, words.title), form);
    const link = make('a', { href: `#${details.id}`, 'aria-label': name }, words.title);
    let under = null;

    article.querySelector('.call').after(make('p', { class: 'to-try' }, link));
    link.addEventListener('click', (event) => {
        event.preventDefault();
        reach(details);
    });
    cancel.addEventListener('click', () => under?.abort());
    details.addEventListener('toggle', () => details.open && opened(details, signed !== undefined));
    form.addEventListener('submit', async (event) => {
        event.preventDefault();
        if (under) return;

        under = new AbortController();
        answer.replaceChildren();
        status.textContent = words.waiting;
        cancel.hidden = false;
        status.textContent = await send(answer, under.signal);
        if (document.activeElement === cancel) form.querySelector('[type=submit]').focus();
        cancel.hidden = true;
        under = null;
    });

    // Sends, shows the answer, and returns what came of it in a line.
    async function send(to, signal) {
        const began = performance.now();

        try {
            const headers = await headersFor(signed !== undefined);
            const { body: content, type } = body.init?.() ?? {};
            const url = address(path, parameters.map((p) => ({ ...p, value: p.control.value.trim() })));

            if (type) headers.set('Content-Type', type);
            const got = await fetch(url, { method, headers, body: content, signal, cache: 'no-store' })
                .catch((e) => { throw signal.aborted ? e : new Error(words.broken); });
            const text = await got.text();

            show(to, `${method} ${url}`, got, text);
            return words.took.replace('{status}', got.status).replace('{text}', got.statusText)
                .replace('{time}', Math.round(performance.now() - began));
        } catch (error) {
            return signal.aborted ? words.cancelled : error.message;
        }
    }

    return details;
}

function opened(details, signed) {
    for (const other of document.querySelectorAll('details.try[open]')) {
        if (other !== details) other.open = false;
    }

    showSecret(signed);
    details.querySelector('form').prepend(credentials);
}

function reach(details) {
    details.open = true;
    details.querySelector('summary').focus();
}

for (const article of document.querySelectorAll('article[data-method]')) {
    article.querySelector('.paste').append(build(article));
}

// A link from elsewhere leads to what wasn't there yet.
const named = document.getElementById(location.hash.slice(1));

if (named?.matches('details.try')) reach(named);
