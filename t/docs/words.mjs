// Are the French texts whole, and the two guides of one make? Prints JSON: what
// is held to, and whatever breaks it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { specification, vendor } from "../../conf/docs/specification.mjs";

const top = new URL("../../", import.meta.url);
const text = (name) => readFileSync(new URL(name, top), "utf8");
const jsonpath = createRequire(
    vendor.resolve("openapi-overlays-js/src/overlay.js"))("jsonpath");

const english = specification("en");
const french = specification("fr");
const overlay = vendor("yaml").parse(text("conf/openapi/fr.overlay.yaml"));
const guides = { en: text("conf/docs/guide.en.md"), fr: text("conf/docs/guide.fr.md") };

// What programs of the two guides say differently.
const said = { "Bonjour de WASSIIT !": "Hello from WASSIIT!",
               "votre secret de webhook": "your webhook secret" };

// What is the same word in both languages.
const same = new Set(["Production"]);
const fates = ["delivered", "read", "failed", "down", "slow"];
const values = ["value", "example", "default", "enum", "const"];
const words = ["summary", "description", "when", "remedy"];

// Each string of two objects of one shape: [path, a, b, is it a text?].
function* strings(a, b, path = [], named = true) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
        const at = [...path, key];
        const [x, y] = [a[key], b[key]];

        if (key === "x-displayName") {
            continue;
        }

        if (typeof x === "object" && x !== null
            && typeof y === "object" && y !== null)
        {
            yield* strings(x, y, at, named && !values.includes(key)
                                     || path.at(-1) === "properties");
        } else {
            const place = at.join(" ");
            const is = named && path.at(-1) !== "properties"
                && words.includes(key)
                || ["info title", "info contact name", "info license name"]
                    .includes(place);
            yield [place, x, y, is];
        }
    }
}

const found = {};
const hold = (name, findings) => { found[name] = [...findings]; };

const all = [...strings(english, french)];

hold("each text is in French", all.filter(([, x, y, is]) =>
    is && x === y && !same.has(x)).map(([place]) => place));

hold("the French texts change nothing else", all.filter(([, x, y, is]) =>
    !is && x !== y).map(([place]) => place));

hold("each target of the overlay hits something", overlay.actions
    .map(({ target }) => target)
    .filter((target) => jsonpath.query(english, target).length === 0));

hold("tags have French names", french.tags
    .filter((tag) => !tag["x-displayName"]).map(({ name }) => name));

// An example of the sandbox's holds one fate, in name and summary together.
function* examples(at, path = []) {
    for (const [key, value] of Object.entries(at)) {
        if (typeof value === "object" && value !== null) {
            if (path.at(-1) === "examples" && typeof value.summary === "string") {
                yield [[...path, key].join(" "), `${key} ${value.summary}`];
            }
            yield* examples(value, [...path, key]);
        }
    }
}

for (const [language, of] of Object.entries({ en: english, fr: french })) {
    const sandbox = [...examples(of)].filter(([, said]) =>
        /sandbox|bac à sable/i.test(said));
    const count = (said) => fates.filter((fate) => said.includes(fate)).length;

    hold(`${language}: there are examples of the sandbox`,
         sandbox.length < 20 ? [`${sandbox.length}`] : []);
    hold(`${language}: each names one fate`, sandbox
        .filter(([, said]) => count(said) !== 1).map(([place]) => place));
}

// What a test runs by its name, and where links lead.
const all_of = (pattern, where) => [...where.matchAll(pattern)].map((m) => m[1]);
const differ = (pattern, same = {}) => {
    const translated = Object.entries(same).reduce(
        (guide, [french, english]) => guide.replaceAll(french, english), guides.fr);
    const [a, b] = [guides.en, translated].map((guide) => all_of(pattern, guide));
    return a.length > 0 && a.join("\n") === b.join("\n") ? [] : [[a, b]];
};

hold("the guides have the same anchors", differ(/^#+ .*\{#([\w-]+)\}$/mg));
hold("... and code", differ(/^(```\w*.*?^```)$/msg, said));
hold("... and blocks", differ(/^(\{\{.*\}\})$/mg));

const links = (guide) => all_of(/\]\(([^)]*)\)/g, guide).sort().join("\n");
hold("... and links", links(guides.en) === links(guides.fr) ? [] : [links(guides.fr)]);

const anchors = new Set([
    ...all_of(/^#+ .*\{#([\w-]+)\}$/mg, guides.en),
    ...Object.keys(english["x-errors"]).map((code) => `error-${code}`),
    ...[english.paths, english.webhooks].flatMap((paths) =>
        Object.values(paths).flatMap((item) =>
            Object.values(item).flatMap(({ operationId }) => operationId ?? []))),
]);
hold("links lead to what is there", all_of(/\]\(#([^)]*)\)/g, guides.en)
    .filter((anchor) => !anchors.has(anchor)));

// Typography, in what isn't code.
const prose = guides.fr.replace(/^```.*?^```$/msg, "").replace(/`[^`]*`/g, "x")
    .split("\n")
    .concat(all.filter(([, , , is]) => is)
        .flatMap(([, , y]) => y.replace(/`[^`]*`/g, "x").split("\n")));

hold("French has its apostrophe", prose.filter((line) => line.includes("'")));
hold("French has its blank before : ; ! ? and within guillemets", prose.filter(
    (line) => /(?:[^\u00a0\s:]|[^\S\u00a0])[;!?»]|[^\S\u00a0]:(?:\s|$)|\w:(?:\s|$)|«(?!\u00a0)/
        .test(line)));

console.log(JSON.stringify(found));
