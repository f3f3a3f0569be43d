// The operator's key. What it opens is asked at once, so that a wrong one is told
// here.

import * as api from '../api.js';
import { t } from '../i18n.js';
import { poll } from '../poll.js';
import { replace } from '../route.js';
import * as session from '../session.js';
import { change, state } from '../state.js';
import { Problem } from '../ui.js';
import { html, useState } from '../vendor/preact.js';

export function Login({ next }) {
    const [key, setKey] = useState('');
    const [keep, setKeep] = useState(false);
    const [busy, setBusy] = useState(false);

    const submit = async (event) => {
        event.preventDefault();

        if (busy) {
            return;
        }

        setBusy(true);
        session.begin(key, keep);

        try {
            await api.status();
            replace(`#${next}`);
            poll();
        } catch (error) {
            session.end();
            change({ why: error });
            setBusy(false);
        }
    };

    return html`<form class="card login" onSubmit=${submit}>
        <h1 tabindex="-1">${t('login.title')}</h1>
        ${state.why && html`<${Why} error=${state.why} />`}
        <label class="field"><span>${t('login.key')}</span>
            <input id="operator-key" type="password" required autocomplete="off" value=${key}
                   aria-describedby="key-help"
                   onInput=${(event) => setKey(event.target.value)} />
            <small id="key-help">${t('login.help')}</small></label>
        <label class="check"><input type="checkbox" checked=${keep}
            onChange=${(event) => setKeep(event.target.checked)} /> ${t('login.keep')}</label>
        <p class="buttons"><button class="primary" aria-busy=${busy}>${t('login.do')}</button></p>
    </form>`;
}

function Why({ error }) {
    const words = error.status === 401 ? 'login.401'
        : error.status === 403 ? 'login.403' : !error.status ? 'login.broken' : null;

    return html`${words && html`<p><strong>${t(words)}</strong></p>`}
        ${error.status && html`<${Problem} error=${error} />`}`;
}
