// One partner: why it is refused, what it has used, its keys; and all that can be
// changed of it.

import { shown } from '../dialogs/change.js';
import { has, limit, moment, number, t } from '../i18n.js';
import { change, state } from '../state.js';
import { Ago, Bar, codeText, Moment, serverTime, Sign } from '../ui.js';
import { html, useState } from '../vendor/preact.js';

export function Partner({ id }) {
    const partner = state.partner?.id === id ? state.partner : null;

    if (!partner || partner.missing) {
        return html`<h1 tabindex="-1">${id}</h1>
            ${partner ? html`<p>${t('partner.missing', { id })} ${t('partner.missingHelp')}</p>`
                : !state.lost && html`<p>${t('word.loading')}</p>`}`;
    }

    const { data } = partner;

    const open = async (name, more) => {
        await shown;
        change({ notice: null, dialog: { name, id, etag: state.partner?.etag, ...more } });
    };

    return html`<${Head} data=${data} open=${open} />
        <div class="columns">
            <${Why} key=${id} data=${data} open=${open} />
            <div>
                <${Window} data=${data} />
                <${Counts} counts=${data.counts} />
            </div>
        </div>
        <${Keys} data=${data} open=${open} />
        <div class="columns">
            <${HeldScopes} scopes=${data.scopes} />
            <${Secrets} data=${data} open=${open} />
        </div>`;
}

function Head({ data, open }) {
    return html`<div class="title">
        <h1 tabindex="-1">${data.name || data.id}${data.name
            && html` <small class="id">${data.id}</small>`}</h1>
        <span class="state ${data.enabled ? 'on' : 'off'}">
            <${Sign} level=${data.enabled ? 'ok' : 'bad'} /> ${
                t(data.enabled ? 'word.enabled' : 'word.disabled')}</span>
    </div>
    <p class="buttons" role="group" aria-label=${t('partner.actions')}>
        <button class="primary" onClick=${() => open('rotate')}>${t('partner.rotate')}</button>
        <button onClick=${() => open('limit', { rate: data.rate })}>${t('partner.limit')}</button>
        <button onClick=${() => open('scopes', { scopes: data.scopes })}>${t('partner.scopes')}</button>
        <button onClick=${() => open('enable', { enabled: data.enabled })}>${
            t(data.enabled ? 'partner.disable' : 'partner.enable')}</button>
        <button class="danger" onClick=${() => open('delete')}>${t('partner.delete')}</button>
    </p>`;
}

// ---- why

function Why({ data, open }) {
    const last = data.last_refusal;

    return html`<section class="card" aria-labelledby="why-title">
        <h2 id="why-title">${t('partner.why')}</h2>
        ${last ? html`<${LastRefusal} last=${last} data=${data} open=${open} />`
            : html`<p class="none">${t('partner.never')}</p>`}
        <${Instance} last=${last} />
    </section>`;
}

function LastRefusal({ last, data, open }) {
    const code = has(`why.${last.code}`) ? last.code : 'other';
    const values = {
        scopes: data.scopes.join(', ') || t('word.none'), n: data.window.reset,
        about: last.about?.replaceAll(' ', ', ') ?? '?',
    };

    return html`<p class="last"><strong>${codeText(last.code)}</strong> <code>${last.code}</code>,${' '}
            <${Ago} at=${last.time} /> (<${Moment} at=${last.time} />).${' '}
            ${t('partner.inARow', { n: last.count })}</p>
        <p>${t(`why.${code}`, values)} ${t(`remedy.${code}`, values)}</p>
        <${Remedy} code=${last.code} data=${data} open=${open} />
        ${last.instance && html`<p><small>${t('word.requestId', { id: last.instance })}</small></p>`}`;
}

// What can be done here about a refusal.

function Remedy({ code, data, open }) {
    const remedies = {
        rate_limited: ['partner.limit', () => open('limit', { rate: data.rate })],
        insufficient_scope: ['partner.scopes', () => open('scopes', { scopes: data.scopes })],
        partner_disabled: !data.enabled && ['partner.enable', () => open('enable', { enabled: false })],
        expired_key: ['partner.addKey', () => open('addKey')],
        invalid_key: ['partner.addKey', () => open('addKey')],
        invalid_signature: ['partner.newHmac',
            () => open('secret', { secret: 'hmac_secret', isFirst: !data.has_hmac_secret })],
    };
    const [words, press] = remedies[code] || [];

    return words && html`<p><button onClick=${press}>${t(words)}</button></p>`;
}

function Instance({ last }) {
    const [text, setText] = useState('');
    const id = text.trim().toLowerCase();
    const answer = id === '' ? ''
        : !/^[0-9a-f]{32}$/.test(id) ? t('partner.instanceBad')
            : id === last?.instance ? t('partner.instanceSame')
                : t('partner.instanceOther', { id });

    return html`<label class="field"><span>${t('partner.instance')}</span>
            <input autocomplete="off" autocapitalize="none" spellcheck=${false} value=${text}
                   aria-describedby="instance-help"
                   onInput=${(event) => setText(event.target.value)} />
            <small id="instance-help">${t('partner.instanceHelp')}</small></label>
        <p role="status" class="answer">${answer}</p>`;
}

// ---- what it has used

function Window({ data }) {
    const { limit: most, seconds, used, remaining, reset } = data.window;

    return html`<section class="card" aria-labelledby="window-title">
        <h2 id="window-title">${t('partner.windowIs', { rate: limit(data.rate) })}</h2>
        <${Bar} id=${data.id} used=${used} limit=${most} />
        <p>${t('partner.windowLine', { remaining, limit: most, span: t(`span.${seconds}`) })}${
            remaining === 0 && `; ${t('partner.windowFree', { n: reset })}`}</p>
    </section>`;
}

function Counts({ counts }) {
    const rows = Object.entries(counts).filter(([code, n]) => n > 0 || code === 'allowed');

    return html`<section class="card" aria-labelledby="counts-title">
        <h2 id="counts-title">${t('partner.counts')}</h2>
        <table class="numbers">
            <thead><tr><th scope="col">${t('partner.decision')}</th>
                <th scope="col">${t('partner.number')}</th></tr></thead>
            <tbody>${rows.map(([code, n]) => html`<tr key=${code}>
                <th scope="row">${codeText(code)} <code>${code}</code></th>
                <td>${number(n)}</td></tr>`)}</tbody>
        </table>
        <p><small>${t('partner.countsHelp')}</small></p>
    </section>`;
}

// ---- keys

function works(key) {
    return !key.expires || Date.parse(key.expires) > serverTime();
}

function Keys({ data, open }) {
    const working = data.keys.filter(works);
    const going = working.length > 1 ? working.filter((key) => key.expires) : [];

    return html`<section class="card" aria-labelledby="keys-title">
        <div class="title"><h2 id="keys-title">${t('partner.keys')}</h2>
            <button onClick=${() => open('addKey')}>${t('partner.addKey')}</button></div>
        ${data.keys.length === 0 && html`<p class="none">${t('partner.noKeys')}</p>`}
        ${going.map((key) => html`<p class="notice" key=${key.id}>${t('partner.goes', {
            key: key.id, time: moment(Date.parse(key.expires)) })}</p>`)}
        <ul class="rows keys">${data.keys.map((key) => html`<li key=${key.id}>
            <code class="key">${key.id}</code>
            <${Fact} name=${t('partner.created')} at=${key.created} none="–" />
            <${Fact} name=${t('partner.expires')} at=${key.expires} none=${t('word.never')}
                past=${!works(key) && t('partner.expired')} />
            <${Fact} name=${t('partner.lastUsed')} at=${key.last_used} none=${t('word.never')} ago />
            <button class="danger" aria-label=${`${t('partner.revoke')} ${key.id}`}
                onClick=${() => open('revoke', { key_id: key.id,
                    only: working.length === 1 && working[0] === key })}>${
                t('partner.revoke')}</button>
        </li>`)}</ul>
    </section>`;
}

function Fact({ name, at, none, past, ago }) {
    return html`<span class="fact"><span class="name">${name}</span>${' '}
        ${at ? html`<${Moment} at=${at} />` : none}
        ${at && ago && html` <small>(<${Ago} at=${at} />)</small>`}
        ${past && html` <strong>${past}</strong>`}</span>`;
}

// ---- scopes and secrets

function HeldScopes({ scopes }) {
    return html`<section class="card" aria-labelledby="scopes-title">
        <h2 id="scopes-title">${t('partner.scopesNow')}</h2>
        ${scopes.length === 0 && html`<p class="none">${t('partner.noScopes')}</p>`}
        <ul class="tags">${scopes.map((scope) => html`<li key=${scope}><code>${scope}</code></li>`)}</ul>
    </section>`;
}

function Secrets({ data, open }) {
    return html`<section class="card" aria-labelledby="secrets-title">
        <h2 id="secrets-title">${t('partner.secrets')}</h2>
        <ul class="rows secrets">${['hmac_secret', 'webhook_secret'].map((secret) => {
            const isThere = data[`has_${secret}`];
            const former = data[`former_${secret}_expires`];

            return html`<li key=${secret}><span>${t(`partner.${secret}`)}</span>
                <span>${t(isThere ? 'partner.has' : 'partner.hasNot')}</span>
                <button aria-label=${t(secret === 'hmac_secret' ? 'partner.newHmac' : 'partner.newWebhook')}
                    onClick=${() => open('secret', { secret, isFirst: !isThere })}>${
                    t('partner.newSecret')}</button>
                ${former && html`<small>${t('partner.formerUntil')} <${Moment} at=${former} /></small>`}
            </li>`;
        })}</ul>
    </section>`;
}
