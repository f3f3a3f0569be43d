// A new key or secret: shown once, and not closed before it is stored.

import { t } from '../i18n.js';
import { change } from '../state.js';
import { Dialog } from '../ui.js';
import { html, useRef, useState } from '../vendor/preact.js';
import { close } from './change.js';

// what: "key", "hmac_secret" or "webhook_secret"

export function show(id, what, value) {
    change({ dialog: { name: 'shown', id, what, value } });
}

export function Shown({ id, what, value }) {
    const [asking, setAsking] = useState(false);
    const [copied, setCopied] = useState('');
    const field = useRef();

    const copy = async () => {
        try {
            await navigator.clipboard.writeText(value);
            setCopied('shown.copied');
        } catch {
            // not allowed, or not by https
            field.current.focus();
            field.current.select();
            setCopied('shown.copyBy');
        }
    };

    return html`<${Dialog} title=${t(`shown.${what}`, { id })} leave=${() => setAsking(true)}>
        <div hidden=${asking}>
            <p>${t('shown.once')}</p>
            <label class="field"><span>${t('shown.label')}</span>
                <input class="secret" ref=${field} readonly value=${value}
                       onFocus=${(event) => event.target.select()} /></label>
            <p role="status">${copied && t(copied)}</p>
            <p class="buttons">
                <button type="button" class="primary" onClick=${copy}>${t('shown.copy')}</button>
                <button type="button" onClick=${() => setAsking(true)}>${t('shown.close')}</button>
            </p>
        </div>
        ${asking && html`<div>
            <p><strong>${t('shown.stored')}</strong> ${t('shown.storedText')}</p>
            <p class="buttons">
                <button type="button" class="primary" onClick=${close}>${t('shown.yes')}</button>
                <button type="button" onClick=${() => setAsking(false)}>${t('shown.no')}</button>
            </p>
        </div>`}
    <//>`;
}
