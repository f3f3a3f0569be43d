// The console: what is around every page, and where a page begins.

import { findings } from './health.js';
import * as i18n from './i18n.js';
import { OpenDialog } from './dialogs/all.js';
import { Login } from './pages/login.js';
import { Now } from './pages/now.js';
import { Partner } from './pages/partner.js';
import { Partners } from './pages/partners.js';
import { poll } from './poll.js';
import { go, parse, replace, toLogin } from './route.js';
import * as session from './session.js';
import { change, onChange, state } from './state.js';
import { sentence, Sign } from './ui.js';
import { html, render, useEffect, useState } from './vendor/preact.js';

const { t } = i18n;

const PAGES = { now: Now, partners: Partners, partner: Partner, login: Login };

function App() {
    const { page } = state;
    const isIn = state.key && page.name !== 'login';

    return html`<a class="skip" href="#main" onClick=${toContent}>${t('app.skip')}</a>
        <header>
            <${Brand} />
            ${isIn && html`<${Links} page=${page.name} />`}
            <${Languages} />
            ${isIn && html`<button class="plain" onClick=${signOut}>${t('app.signOut')}</button>`}
        </header>
        ${isIn && html`<${State} />`}
        <main id="main" tabindex="-1">
            <${Notice} notice=${state.notice} />
            <${PAGES[page.name]} key=${page.name + (page.id ?? '')} ...${page} />
        </main>
        <${OpenDialog} dialog=${state.dialog} />`;
}

function Brand() {
    return html`<span class="brand"><img src="icon.svg" alt="" width="22" height="22" /> ${
        t('app.name')}</span>`;
}

function Links({ page }) {
    const link = (name, address, here) => html`<a href=${address}
        aria-current=${here ? 'page' : undefined}>${t(`nav.${name}`)}</a>`;

    return html`<nav aria-label=${t('nav.label')}>
        ${link('now', '#/', page === 'now')}
        ${link('partners', '#/partners', page === 'partners' || page === 'partner')}
    </nav>`;
}

function Languages() {
    return html`<div class="languages" role="group" aria-label=${t('app.language')}>
        ${i18n.languages().map((tag) => html`<button key=${tag} class="plain" lang=${tag}
            aria-label=${languageName(tag)} aria-pressed=${tag === i18n.current()}
            onClick=${() => i18n.choose(tag)}>${tag.toUpperCase()}</button>`)}
    </div>`;
}

function languageName(tag) {
    const names = new Intl.DisplayNames(tag, { type: 'language' });

    return `${tag.toUpperCase()}, ${names.of(tag)}`;
}

// ---- the state in words, on every page: the one thing that is read aloud when it
// changes

function State() {
    const { level, text } = verdict();

    return html`<div class="strip ${level}">
        <p role="status" aria-live="polite" aria-label=${t('state.label')}>
            <${Sign} level=${level} /> <strong>${text}</strong></p>
        ${state.lost && html`<${Retry} until=${state.lost.until} />`}
    </div>`;
}

function verdict() {
    if (state.lost) {
        const { error } = state.lost;

        return { level: 'bad', text: error.status
            ? t('state.lostRefused', { detail: error.detail || error.status })
            : t('state.lost') };
    }

    if (!state.status) {
        return { level: 'note', text: t('state.loading') };
    }

    const found = findings(state.status, state.history);

    return found.length ? { level: found[0].level, text: found.map(sentence).join(' · ') }
        : { level: 'ok', text: t('state.ok') };
}

function Retry({ until }) {
    const [now, setNow] = useState(Date.now());

    useEffect(() => {
        const timer = setInterval(() => setNow(Date.now()), 1000);
        return () => clearInterval(timer);
    }, []);

    return state.status && html`<p>${t('state.retry', {
        n: Math.max(Math.ceil((until - now) / 1000), 0),
        time: i18n.clock(Date.parse(state.status.now)),
    })}</p>`;
}

function Notice({ notice }) {
    return html`<div role="status">${notice?.address === location.hash
        && html`<p class="notice">${notice.sentence}</p>`}</div>`;
}

// ---- ways between pages

function signOut() {
    session.end();
    state.why = null;
    replace('#/login/');
}

// The address is the page's: the link to the content must not change it.

function toContent(event) {
    event.preventDefault();
    document.getElementById('main').focus();
}

function arrive() {
    const page = parse(location.hash);

    // a key that is shown once stays until the operator has stored it
    const dialog = state.dialog?.name === 'shown' ? state.dialog : null;

    change({ page, dialog });

    if (!state.key && page.name !== 'login') {
        toLogin(null);
        return;
    }

    poll();
    requestAnimationFrame(() => requestAnimationFrame(focusPage));
}

function focusPage() {
    const { page } = state;
    const target = page.name === 'partners' ? '#search'
        : page.name === 'login' ? '#operator-key' : 'h1';

    document.title = `${document.querySelector('h1')?.textContent ?? ''} · ${t('app.name')}`;

    if (!state.dialog) {
        document.querySelector(target)?.focus({ preventScroll: page.name === 'now' });
    }
}

function onKey(event) {
    const isTyping = event.target.closest?.('input, select, textarea, dialog');

    if (event.key === '/' && !isTyping && state.key && state.page.name !== 'login') {
        event.preventDefault();
        go('#/partners');
        document.querySelector('#search')?.focus();
    }
}

function onLeave(event) {
    if (state.dialog?.name === 'shown') {
        event.preventDefault();
    }
}

i18n.start();
session.restore();
onChange(() => render(html`<${App} />`, document.body));
addEventListener('hashchange', arrive);
addEventListener('keydown', onKey);
addEventListener('beforeunload', onLeave);
arrive();
