// Partners, found while one types.

import * as api from '../api.js';
import { limit, t } from '../i18n.js';
import { poll } from '../poll.js';
import { change, state } from '../state.js';
import { Ago, PartnerLink, Problem } from '../ui.js';
import { html, useEffect, useRef, useState } from '../vendor/preact.js';

const PAUSE = 250;          // after the last letter, in milliseconds

export function Partners() {
    const [q, setQ] = useState('');
    const [which, setWhich] = useState('');
    const [list, setList] = useState(null);     // { found, next, q, which }
    const [error, setError] = useState(null);
    const flight = useRef();

    const look = async (before) => {
        flight.current?.abort();
        const mine = flight.current = new AbortController();

        try {
            const page = await api.search(
                { q, state: which, after: before?.next }, mine.signal);
            setList({ ...page, q, which, found: [...before?.found ?? [], ...page.found] });
            setError(null);
        } catch (failure) {
            if (failure.name !== 'AbortError') {
                setError(failure);
                if (failure.status === 401 || failure.status === 403) poll();
            }
        }
    };

    useEffect(() => {
        const timer = setTimeout(look, list ? PAUSE : 0);
        return () => clearTimeout(timer);
    }, [q, which, state.turn]);

    useEffect(() => () => flight.current?.abort(), []);

    // what goes on behind a list has to be of the same question
    const isCurrent = list?.q === q && list.which === which;

    return html`<div class="title">
            <h1 tabindex="-1">${t('partners.title')}</h1>
            <button class="primary" onClick=${() => change({ dialog: { name: 'create' } })}>${
                t('partners.new')}</button>
        </div>
        <div class="search" role="search">
            <label class="field"><span>${t('partners.search')} <kbd aria-hidden="true">/</kbd></span>
                <input id="search" type="search" autocomplete="off" autocapitalize="none"
                       spellcheck=${false} value=${q} aria-controls="found"
                       onInput=${(event) => setQ(event.target.value)} /></label>
            <label class="field"><span>${t('partners.which')}</span>
                <select value=${which} onChange=${(event) => setWhich(event.target.value)}>
                    <option value="">${t('partners.all')}</option>
                    <option value="enabled">${t('partners.enabled')}</option>
                    <option value="disabled">${t('partners.disabled')}</option>
                </select></label>
        </div>
        ${error && html`<${Problem} error=${error} />`}
        <p role="status" class="count">${list ? told(list) : t('word.loading')}</p>
        <ul id="found" class="rows partners">${list?.found.map((p) => html`<${Row} key=${p.id} partner=${p} />`)}</ul>
        ${isCurrent && list.next && html`<button onClick=${() => look(list)}>${t('partners.more')}</button>`}`;
}

function told({ found, next, q }) {
    return next ? t('partners.countMore', { n: found.length })
        : found.length ? t('partners.count', { n: found.length })
            : q ? t('partners.nobody', { q }) : t('partners.empty');
}

function Row({ partner }) {
    return html`<li>
        <span><${PartnerLink} id=${partner.id} name=${partner.name} /></span>
        <span class=${partner.enabled ? 'on' : 'off'}>${
            t(partner.enabled ? 'word.enabled' : 'word.disabled')}</span>
        <span class="limit">${limit(partner.rate)}</span>
        <small>${partner.last_used
            ? html`${t('partners.lastUsed')} <${Ago} at=${partner.last_used} />`
            : t('partners.unused')}</small>
    </li>`;
}
