// An answer as it is shown, with the remedy for its code.

import { make, words } from './element.js';

export function show(to, request, got, text) {
    const json = parsed(text);
    const code = json?.code ?? json?.message;
    const remedy = got.status >= 400 && document.getElementById(`error-${code}`);
    const block = (title, content) => [make('p', { class: 'title' }, title),
        make('pre', { tabindex: 0 }, make('code', {}, content))];

    to.replaceChildren(make('p', { class: 'call' }, make('code', {}, request)),
        ...remedy ? [make('p', { class: 'remedy' }, make('a', { href: `#error-${code}` }, code),
            ` — ${words.remedy} ${remedy.querySelector('.remedy').textContent}`)] : [],
        ...block(words.answer, json === null ? text || words.empty : JSON.stringify(json, null, 2)),
        ...block(words.headers, [...got.headers].map(([n, v]) => `${n}: ${v}`).join('\n')));
}

function parsed(text) {
    try {
        return JSON.parse(text);
    } catch {
        return null;
    }
}
