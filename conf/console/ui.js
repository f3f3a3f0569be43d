// Pieces that pages share.

import * as i18n from './i18n.js';
import { partnerAddress } from './route.js';
import { state } from './state.js';
import { html, useEffect, useRef, useState } from './vendor/preact.js';

const { t } = i18n;

// The front door's clock, as of its last answer.

export function serverTime() {
    return state.status ? Date.parse(state.status.now) : Date.now();
}

// A moment, local time first; UTC where it differs.

export function Moment({ at }) {
    const time = Date.parse(at);

    return html`<time datetime=${at}>${i18n.moment(time)}${!i18n.isUtc(time) && html`
        <small>${' '}· ${t('word.utc', { time: i18n.utc(time) })}</small>`}</time>`;
}

export function Ago({ at }) {
    return html`<time datetime=${at} title=${i18n.moment(Date.parse(at))}>${
        i18n.relative(Date.parse(at), serverTime())}</time>`;
}

// How much is used of a limit.

export function Bar({ id, used, limit }) {
    const part = limit ? Math.min(used / limit, 1) : 0;
    const text = t('word.used', { used, limit });

    return html`<span class="use">
        <span class="bar ${part >= 1 ? 'full' : part >= 0.8 ? 'high' : ''}" role="meter"
              aria-label=${t('word.usedOf', { id })} aria-valuemin="0"
              aria-valuemax=${limit} aria-valuenow=${Math.min(used, limit)}
              aria-valuetext=${text}>
            <span class="fill" style=${{ inlineSize: `${part * 100}%` }}></span>
        </span>
        <span class="number" aria-hidden="true">${text}</span>
    </span>`;
}

// A word for a state, with a sign of its own: not by colour alone.

const SIGNS = { ok: '●', note: '◆', warn: '▲', bad: '■' };

export function Sign({ level }) {
    return html`<span class="sign ${level}" aria-hidden="true">${SIGNS[level]}</span>`;
}

export function PartnerLink({ id, name }) {
    return html`<a href=${partnerAddress(id)}>${name || id}</a>${
        name && html` <small class="id">${id}</small>`}`;
}

// What health.js has found, in words.

export function sentence({ key, values, part, perSecond, at }) {
    return t(key, {
        ...values,
        percent: part !== undefined && i18n.percent(part),
        time: at !== undefined && at !== null && i18n.clock(Date.parse(at)),
        rate: perSecond !== undefined && t('word.perSecond', { n: i18n.rate(perSecond) }),
    });
}

export function codeText(code) {
    return i18n.has(`code.${code}`) ? t(`code.${code}`) : t('code.other', { code });
}

// A refusal of the admin endpoint, in full; or that there was no answer.

export function Problem({ error }) {
    return html`<div class="problem" role="alert">
        <p>${!error.status ? t('state.lost') : error.detail || `${error.status} ${error.code}`}</p>
        ${error.errors?.length > 0 && html`<ul>${error.errors.map((e) =>
            html`<li><code>${e.pointer}</code> ${e.detail}</li>`)}</ul>`}
        ${error.instance && html`<p><small>${
            t('word.requestId', { id: error.instance })}</small></p>`}
    </div>`;
}

// An open dialog. The browser keeps the focus in it and gives it back. "leave" is
// asked when the operator wants to close it.

export function Dialog({ title, leave, children }) {
    const ref = useRef();

    useEffect(() => {
        const dialog = ref.current;
        const before = document.activeElement;

        dialog.showModal();
        return () => {
            dialog.close();
            if (before?.isConnected) before.focus();
        };
    }, []);

    const cancel = (event) => {
        event.preventDefault();
        leave();
    };

    return html`<dialog ref=${ref} aria-labelledby="dialog-title" onCancel=${cancel}>
        <h2 id="dialog-title">${title}</h2>
        ${children}
    </dialog>`;
}

// A field in which an id has to be typed before something is destroyed.

export function useTypedId(id) {
    const [typed, setTyped] = useState('');

    return [typed === id, html`<label class="field">
        <span>${t('change.typeId', { id })}</span>
        <input autocomplete="off" autocapitalize="none" spellcheck=${false}
               value=${typed} onInput=${(event) => setTyped(event.target.value)} />
    </label>`];
}

// A choice in words: options is a list of [value, words, help].

export function Choice({ name, legend, options, value, onChoose }) {
    return html`<fieldset class="choice"><legend>${legend}</legend>
        ${options.map(([option, words, help]) => html`<label key=${option}>
            <input type="radio" name=${name} checked=${value === option}
                   onChange=${() => onChoose(option)} />
            <span><strong>${words}</strong>${help && html`<small>${help}</small>`}</span>
        </label>`)}
    </fieldset>`;
}
