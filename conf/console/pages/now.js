// Is it us, a backend or a partner; who is limited, who is refused, and why.

import { Chart, KINDS } from '../chart.js';
import { failing, findings, recent, zonePart } from '../health.js';
import { clock, milliseconds, number, percent, rate, t } from '../i18n.js';
import * as rates from '../rates.js';
import { state } from '../state.js';
import { Ago, Bar, codeText, PartnerLink, sentence, Sign } from '../ui.js';
import { html } from '../vendor/preact.js';

export function Now() {
    const { status, history } = state;

    if (!status) {
        return html`<h1 tabindex="-1">${t('now.title')}</h1>
            ${!state.lost && html`<p>${t('word.loading')}</p>`}`;
    }

    const now = rates.now(history);

    return html`<h1 tabindex="-1" class="quiet">${t('now.title')}</h1>
        <${Verdict} status=${status} history=${history} now=${now} />
        <${Figures} now=${now} />
        <${Picture} history=${history} />
        <div class="columns">
            <${Limited} status=${status} history=${history} />
            <${RefusedNow} status=${status} history=${history} />
        </div>
        <${MostTraffic} status=${status} />
        ${status.truncated && html`<p><small>${t('now.truncated')}</small></p>`}`;
}

// Three answers, one for each who may be to blame; below, that of the cluster, if
// this front door is in one.

function Verdict({ status, history, now }) {
    const found = findings(status, history);
    const level = (who) => found.find((f) => f.who === who)?.level ?? 'ok';

    return html`<ul class="verdict">
        <${Blame} who=${t('now.us')} level=${level('us')}>${us(status, found)}<//>
        <${Blame} who=${t('now.backends')} level=${level('backends')}>${backends(now)}<//>
        <${Blame} who=${t('now.ours')} level=${level('partners')}>${partners(status)}<//>
        ${status.cluster && html`<${Blame} who=${t('now.cluster')} level=${level('cluster')}>${
            cluster(status.cluster, found)}<//>`}
    </ul>`;
}

function Blame({ who, level, children }) {
    return html`<li class=${level}><${Sign} level=${level} /> <strong>${who}</strong>
        <span>${children}</span></li>`;
}

function us(status, found) {
    const ours = found.filter((f) => f.who === 'us');

    return ours.length ? ours.map(sentence).join(' · ') : t('now.usOk', {
        percent: percent(zonePart(status)), partners: status.zone.partners,
    });
}

function cluster({ node, place, nodes, redis, caps }, found) {
    const ours = found.filter((f) => f.who === 'cluster');

    return ours.length ? ours.map(sentence).join(' · ') : html`${
        t('now.clusterOk', { node, place, nodes, caps })} <${Ago} at=${redis.answered} />`;
}

function backends(now) {
    const part = failing(now);

    return part === null ? t('now.backendsQuiet')
        : part === 0 ? t('now.backendsOk')
            : t('now.backendsSome', {
                rate: t('word.perSecond', { n: rate(now.failed) }), percent: percent(part),
            });
}

function partners(status) {
    const { limited, refused } = recent(status);

    return limited.length + refused.length
        ? t('now.partnersSome', { limited: limited.length, refused: refused.length })
        : t('now.partnersOk');
}

function Figures({ now }) {
    const perSecond = (n) => now ? t('word.perSecond', { n: rate(n) }) : '–';

    return html`<section aria-label=${t('now.figures')}>
        <dl class="figures">
            <${Figure} name=${t('now.requests')} value=${perSecond(now?.requests)} />
            ${KINDS.slice(1).map((kind) => html`<${Figure} key=${kind} kind=${kind}
                name=${t(`word.${kind}`)} value=${perSecond(now?.[kind])} />`)}
            <${Figure} name=${t('now.p95')}
                value=${now?.p95 == null ? '–' : milliseconds(now.p95)} />
        </dl>
        ${!now && html`<p><small>${t('now.gathering')}</small></p>`}
    </section>`;
}

function Figure({ name, value, kind }) {
    return html`<div><dt>${kind && html`<span class="swatch ${kind}" aria-hidden="true"></span> `}${
        name}</dt><dd>${value}</dd></div>`;
}

function Picture({ history }) {
    return html`<section class="card" aria-labelledby="chart-title">
        <h2 id="chart-title">${t('now.chart')}</h2>
        <ul class="legend" aria-hidden="true">${KINDS.map((kind) =>
            html`<li key=${kind}><span class="swatch ${kind}"></span> ${t(`word.${kind}`)}</li>`)}</ul>
        <${Chart} history=${history} />
        <details><summary>${t('now.table')}</summary>
            <table class="numbers">
                <thead><tr><th scope="col">${t('now.time')}</th>${KINDS.map((kind) =>
                    html`<th scope="col" key=${kind}>${t(`word.${kind}`)}</th>`)}</tr></thead>
                <tbody>${rates.minutes(history).map((row) => html`<tr key=${row.time}>
                    <th scope="row">${clock(row.time * 1000)}</th>${KINDS.map((kind) =>
                        html`<td key=${kind}>${t('word.perSecond', { n: rate(row[kind]) })}</td>`)}
                </tr>`)}</tbody>
            </table>
        </details>
    </section>`;
}

const perMinute = (n) => t('word.perMinute', { n: number(n ?? 0) });

function Limited({ status, history }) {
    return html`<section class="card" aria-labelledby="limited-title">
        <h2 id="limited-title">${t('now.limited')}</h2>
        ${status.limited.length === 0 && html`<p class="none">${t('now.limitedNone')}</p>`}
        <ul class="rows">${status.limited.map((p) => html`<li key=${p.id}>
            <span><${PartnerLink} id=${p.id} name=${p.name} /></span>
            <${Bar} id=${p.id} used=${p.used} limit=${p.limit} />
            <small>${perMinute(rates.limitedOf(history, p.id))} · <${Ago} at=${p.last} /> · ${
                p.used < p.limit ? t('now.isFree') : t('now.freeIn', { n: p.reset })}</small>
        </li>`)}</ul>
    </section>`;
}

// Who has no key that is known is no partner: of these, each decision has a row.

function RefusedNow({ status, history }) {
    const often = (p) => p.id === null
        ? rates.decided(history, p.decision) : rates.refusedOf(history, p.id);

    return html`<section class="card" aria-labelledby="refused-title">
        <h2 id="refused-title">${t('now.refusedNow')}</h2>
        ${status.refused.length === 0 && html`<p class="none">${t('now.refusedNone')}</p>`}
        <ul class="rows">${status.refused.map((p) => html`<li key=${p.id ?? `-${p.decision}`}>
            <span>${p.id === null ? t('now.nobody')
                : html`<${PartnerLink} id=${p.id} name=${p.name} />`}</span>
            <span>${codeText(p.decision)} <code>${p.decision}</code>${p.about && `: ${p.about}`}</span>
            <small>${perMinute(often(p))} · <${Ago} at=${p.last} />${
                p.request_id && ` · ${t('word.requestId', { id: p.request_id })}`}</small>
        </li>`)}</ul>
    </section>`;
}

function MostTraffic({ status }) {
    return html`<section class="card" aria-labelledby="most-title">
        <h2 id="most-title">${t('now.most')}</h2>
        ${status.active.length === 0 && html`<p class="none">${t('now.mostNone')}</p>`}
        <ul class="rows most">${status.active.slice(0, 20).map((p) => html`<li key=${p.id}>
            <span><${PartnerLink} id=${p.id} name=${p.name} /></span>
            <${Bar} id=${p.id} used=${p.used} limit=${p.limit} />
            <small>${['allowed', 'limited', 'refused'].map((kind) =>
                `${number(p[kind])} ${t(`word.${kind}`)}`).join(' · ')}</small>
        </li>`)}</ul>
    </section>`;
}
