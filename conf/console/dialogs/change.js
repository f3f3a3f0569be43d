// What all changes of a partner have in common: one at a time, what became of it,
// and what to do when nobody knows.

import { Broken } from '../api.js';
import { t } from '../i18n.js';
import { poll } from '../poll.js';
import { toLogin } from '../route.js';
import { end } from '../session.js';
import { change, state } from '../state.js';
import { Dialog, Problem } from '../ui.js';
import { html, useState } from '../vendor/preact.js';

export const close = () => change({ dialog: null });

// Settles when the page shows what the last change has made: a dialog that opens
// before that would send the ETag of what was there before.

export let shown = Promise.resolve();

// A dialog with one change. "make" makes it and returns the answer, "done" gets
// that; "ready" is false as long as something has to be filled in.

export function ChangeDialog({ title, button, dangerous, ready = true, make, done, children }) {
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState(null);

    const submit = async (event) => {
        event.preventDefault();

        if (busy || !ready) {
            return;
        }

        setBusy(true);
        setError(null);

        try {
            const answer = await make();
            shown = poll();
            done(answer.data);
        } catch (failure) {
            setBusy(false);
            setError(failure);
            if (failure.status === 401) {
                end();
                toLogin(failure);
            }
        }
    };

    const again = error instanceof Broken || error?.status === 412;

    return html`<${Dialog} title=${title} leave=${close}>
        <form onSubmit=${submit}>
            ${children}
            ${error && html`<${Failure} error=${error} />`}
            <p class="buttons">
                ${!again && html`<button class=${dangerous ? 'danger' : 'primary'}
                    disabled=${!ready} aria-busy=${busy}>
                    ${busy ? t('change.busy') : button}</button>`}
                <button type="button" onClick=${close}>${t('word.cancel')}</button>
            </p>
        </form>
    <//>`;
}

function lookAgain() {
    change({ dialog: null, turn: state.turn + 1 });
    poll();
}

function otherKey(error) {
    end();
    toLogin(error);
}

function Failure({ error }) {
    if (error instanceof Broken || error.status === 412) {
        return html`<div class="problem" role="alert">
            <p>${t(error.status ? 'change.stale' : 'change.broken')}</p>
            <p><button type="button" class="primary" onClick=${lookAgain}>${
                t('change.look')}</button></p>
        </div>`;
    }

    return html`<${Problem} error=${error} />
        ${error.status === 403 && html`<p>${t('change.forbidden')} <button type="button"
            onClick=${() => otherKey(error)}>${t('change.otherKey')}</button></p>`}`;
}

// The change is made: the dialog goes, and a sentence tells it on that page.

export function tell(sentence, address = location.hash) {
    change({ dialog: null, notice: { sentence, address } });
}
