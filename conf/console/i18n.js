// Words, numbers and times in the operator's language: French, unless the browser
// prefers English or the operator has chosen.

import en from './i18n/en.js';
import fr from './i18n/fr.js';
import { change } from './state.js';

const LANGUAGES = { fr, en };
const NAME = 'wassiit.language';

let language, plural;

export function languages() {
    return Object.keys(LANGUAGES);
}

export function current() {
    return language;
}

export function start() {
    const preferred = navigator.languages.map((tag) => tag.slice(0, 2));

    use([localStorage.getItem(NAME), ...preferred, 'fr']
        .find((tag) => Object.hasOwn(LANGUAGES, tag)));
}

export function choose(tag) {
    localStorage.setItem(NAME, tag);
    use(tag);
    change({});
}

function use(tag) {
    language = tag;
    plural = new Intl.PluralRules(tag);
    document.documentElement.lang = tag;
}

export function has(key) {
    return Object.hasOwn(LANGUAGES[language], key);
}

// The sentence of that key. {n} is a number and chooses the plural.

export function t(key, values = {}) {
    let text = LANGUAGES[language][key];

    if (typeof text === 'object') {
        text = text[plural.select(values.n)] ?? text.other;
    }

    return spaced(text).replace(/\{(\w+)\}/g, (_, name) =>
        typeof values[name] === 'number' ? number(values[name]) : values[name]);
}

// French keeps the punctuation of two parts with its word.

function spaced(text) {
    return language === 'fr'
        ? text.replace(/ (?=[:;?!%»])|(?<=«) /g, '\u00a0') : text;
}

// ---- numbers and times

export function number(n, digits = 0) {
    return new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(n);
}

// Three digits are enough of a rate, and no more than tell something.

export function rate(n) {
    return number(n, n < 10 ? 2 : n < 100 ? 1 : 0);
}

export function percent(part) {
    return new Intl.NumberFormat(language, {
        style: 'percent', maximumFractionDigits: part < 0.1 ? 1 : 0,
    }).format(part);
}

export function milliseconds(seconds) {
    return seconds < 1 ? t('word.ms', { n: number(seconds * 1000) })
        : t('word.seconds', { n: number(seconds, 1) });
}

// A rate as the partners' file has it, "100r/m".

export function limit(text) {
    const [, n, unit] = text.match(/^(\d+)r\/([smhd])$/) ?? [];

    return n ? t('word.limit', { n: Number(n), unit: t(`unit.${unit}`) }) : text;
}

const DAY = { year: 'numeric', month: 'short', day: 'numeric' };
const TIME = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' };

export function clock(time) {
    return new Intl.DateTimeFormat(language, TIME).format(time);
}

// A day and a time, as the operator's clock has it.

export function moment(time) {
    return new Intl.DateTimeFormat(language, { ...DAY, ...TIME }).format(time);
}

// The same in UTC: without the day where that is no other.

export function utc(time) {
    const isSameDay = new Date(time).getDate() === new Date(time).getUTCDate();
    const fields = isSameDay ? TIME : { ...DAY, ...TIME };

    return new Intl.DateTimeFormat(language, { ...fields, timeZone: 'UTC' }).format(time);
}

export function isUtc(time) {
    return new Date(time).getTimezoneOffset() === 0;
}

// "2 minutes ago", "in 3 hours"; by the front door's clock.

const UNITS = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];

export function relative(time, now) {
    const seconds = Math.round((time - now) / 1000);
    const [unit, length] = UNITS.find(([, n]) => Math.abs(seconds) >= n)
        ?? UNITS.at(-1);

    return new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' })
        .format(Math.trunc(seconds / length), unit);
}
