// Key and secret: two fields for all forms. What is typed in is nowhere else but
// in a request's headers.

import { labelled, make, plain, words } from './element.js';
import { signature } from './request.js';

function concealed(label) {
    const input = make('input', { type: 'password', ...plain });
    const button = make('button', { type: 'button', 'aria-pressed': 'false' }, words.show);

    button.addEventListener('click', () => {
        const shown = input.type === 'password';

        input.type = shown ? 'text' : 'password';
        button.setAttribute('aria-pressed', shown);
    });

    const line = labelled(label, input, button);
    button.setAttribute('aria-label', `${words.show}${words.colon} ${label}`);
    line.classList.add('concealed');
    return { line, get value() { return input.value.trim(); } };
}

const key = concealed(words.key), secret = concealed(words.secret);
export const credentials = make('div', { class: 'credentials' }, key.line, secret.line,
    make('p', { class: 'hint' }, `${words.kept} ${words.real.replace('{origin}', location.origin)}`));

export function showSecret(shown) {
    secret.line.hidden = !shown;
}

// The headers that they make. What is left out is left out there, too, so that
// the answer tells what is missing.
export async function headersFor(signed) {
    const headers = {};

    if (key.value) headers['X-API-Key'] = key.value;

    if (signed && secret.value) {
        if (!globalThis.crypto?.subtle) throw new Error(words.noCrypto);
        const time = String(Math.floor(Date.now() / 1000));

        headers['X-API-Timestamp'] = time;
        headers['X-API-Signature'] = await signature(secret.value, key.value, time)
            .catch(() => { throw new Error(words.badSecret); });
    }

    try {
        return new Headers(headers);
    } catch {
        throw new Error(words.badHeader);
    }
}
