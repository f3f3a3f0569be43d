// Both languages say the same things, and all that the console asks for.
//   node words.mjs CONSOLE

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { is, ok } from '../browser/tap.mjs';

const top = process.argv[2];
const load = async (file) => (await import(pathToFileURL(join(top, file)))).default;
const en = await load('i18n/en.js'), fr = await load('i18n/fr.js');

is(Object.keys(fr), Object.keys(en), 'French and English have the same keys');

const blanks = (text) => [...new Set(Object.values([text].flat())
    .flatMap((t) => typeof t === 'string' ? t : Object.values(t))
    .flatMap((t) => t.match(/\{\w+\}/g) ?? []))].sort();
const differ = Object.keys(en).filter((key) =>
    JSON.stringify(blanks(en[key])) !== JSON.stringify(blanks(fr[key])));
is(differ, [], 'the same is filled in');

is(Object.keys(fr).filter((key) => JSON.stringify(fr[key]).match(/'| [:;?!][^\s"]| {2}/)), [],
    'French has its own apostrophes and blanks');

// ---- what the code asks for

const files = readdirSync(top, { recursive: true })
    .filter((f) => f.endsWith('.js') && !f.startsWith('vendor') && !f.startsWith('i18n/'));
const code = files.map((f) => readFileSync(join(top, f), 'utf8')).join('\n');

const PREFIXES = [...new Set([...code.matchAll(/`([a-zA-Z.]+\.)\$\{/g)].map((m) => m[1]))];
const literal = new Set([...code.matchAll(/'([a-z]+[a-zA-Z]*(?:\.\w+)+)'/g)].map((m) => m[1]));
const asked = [...literal].filter((key) => Object.keys(en).some((k) =>
    k.split('.')[0] === key.split('.')[0]) && !/\.js$/.test(key));

is(asked.filter((key) => !(key in en) && !/^(wassiit|messages|audio|files|calls|webhooks)\./.test(key)), [],
    'each key that the code names is there');
is(Object.keys(en).filter((key) => !literal.has(key)
    && !PREFIXES.some((p) => key.startsWith(p)) && !/\.(title|do|done|text)$/.test(key)), [],
    'each key is asked for');

// ---- what no page may do

ok(!/innerHTML|outerHTML|insertAdjacent|dangerouslySet|document\.write|\beval\b|new Function/.test(code),
    'no text is made HTML');
ok(!/document\.cookie/.test(code), 'no cookie is set');
