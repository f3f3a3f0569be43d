// A partner's fields: its limit, its scopes, whether it may ask; and its end.

import * as api from '../api.js';
import { limit as limitText, t } from '../i18n.js';
import { go } from '../route.js';
import { Choice, useTypedId } from '../ui.js';
import { html, useState } from '../vendor/preact.js';
import { ChangeDialog, tell } from './change.js';

const UNITS = ['s', 'm', 'h', 'd'];

// "100r/m" as a number and a unit.

export function Limit({ value, onInput }) {
    const [, number, unit] = value.match(/^(.*)r\/([smhd])$/);

    return html`<div class="pair">
        <label class="field"><span>${t('limit.number')}</span>
            <input type="number" min="1" max="1000000" required value=${number}
                   onInput=${(event) => onInput(`${event.target.value}r/${unit}`)} /></label>
        <label class="field"><span>${t('limit.unit')}</span>
            <select value=${unit} onChange=${(event) => onInput(`${number}r/${event.target.value}`)}>
                ${UNITS.map((u) => html`<option value=${u}>${t(`unit.${u}`)}</option>`)}
            </select></label>
    </div>`;
}

export function ChangeLimit({ id, etag, rate: before }) {
    const [own, setOwn] = useState('own');
    const [rate, setRate] = useState(before);

    return html`<${ChangeDialog} title=${t('limit.title', { id })} button=${t('limit.save')}
        make=${() => api.edit(id, { rate: own === 'own' ? rate : null }, etag)}
        done=${(made) => tell(t('limit.done', { rate: limitText(made.rate) }))}>
        <${Choice} name="own" legend=${t('partner.window')} value=${own} onChoose=${setOwn}
            options=${[['own', t('limit.own')], ['zone', t('limit.zone')]]} />
        ${own === 'own' && html`<${Limit} value=${rate} onInput=${setRate} />`}
    <//>`;
}

// Those that are always there; others may have been declared.

const SCOPES = ['messages.send', 'audio.send', 'files.send', 'calls.initiate',
    'conversations.read', 'webhooks.manage'];

export function Scopes({ value, onInput }) {
    const others = value.filter((scope) => !SCOPES.includes(scope));
    const [text, setText] = useState(others.join(' '));

    const check = (scope, held) =>
        onInput(held ? [...value, scope] : value.filter((s) => s !== scope));

    const write = (more) => {
        setText(more);
        onInput([...value.filter((scope) => SCOPES.includes(scope)),
            ...more.split(/\s+/).filter(Boolean)]);
    };

    return html`<fieldset class="scopes"><legend>${t('scopes.legend')}</legend>
        ${SCOPES.map((scope) => html`<label key=${scope}>
            <input type="checkbox" checked=${value.includes(scope)}
                   onChange=${(event) => check(scope, event.target.checked)} />
            <code>${scope}</code></label>`)}
        <label class="field"><span>${t('scopes.more')}</span>
            <input autocomplete="off" autocapitalize="none" spellcheck=${false} value=${text}
                   onInput=${(event) => write(event.target.value)} /></label>
    </fieldset>`;
}

export function ChangeScopes({ id, etag, scopes: before }) {
    const [scopes, setScopes] = useState(before);

    return html`<${ChangeDialog} title=${t('scopes.title', { id })} button=${t('scopes.save')}
        make=${() => api.edit(id, { scopes }, etag)} done=${() => tell(t('scopes.done'))}>
        <${Scopes} value=${scopes} onInput=${setScopes} />
    <//>`;
}

// Disables an enabled partner, and enables a disabled one.

export function Enable({ id, etag, enabled }) {
    const word = enabled ? 'disable' : 'enable';

    return html`<${ChangeDialog} title=${t(`${word}.title`, { id })} button=${t(`${word}.do`)}
        dangerous=${enabled} make=${() => api.edit(id, { enabled: !enabled }, etag)}
        done=${() => tell(t(`${word}.done`))}>
        <p>${t(`${word}.text`)}</p>
    <//>`;
}

export function Delete({ id, etag }) {
    const [typed, field] = useTypedId(id);

    const done = () => {
        tell(t('delete.done', { id }), '#/partners');
        go('#/partners');
    };

    return html`<${ChangeDialog} title=${t('delete.title', { id })} button=${t('delete.do')}
        dangerous ready=${typed} make=${() => api.remove(id, etag)} done=${done}>
        <p>${t('delete.text')}</p>
        ${field}
    <//>`;
}
