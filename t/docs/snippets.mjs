// The programs that the docs show, as JSON: { page: { operations: { id: {
// language: code } }, snippets: { name: { language: code } } } }. Read from the
// pages; until there are any, from what they are made of.

import { existsSync, readFileSync } from "node:fs";
import { specification } from "../../conf/docs/specification.mjs";
import { languages, snippet } from "../../conf/docs/snippets.mjs";

const top = new URL("../../", import.meta.url);
const text = (name) => readFileSync(new URL(name, top), "utf8");

const entities = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", "#x27": "'" };
const plain = (html) => html.replace(/<[^>]*>/g, "")
    .replace(/&([^;]+);/g, (all, name) => entities[name] ?? all);

function fromPage(html) {
    const found = { operations: {}, snippets: {} };

    for (const [, attributes, code] of html.matchAll(/<code([^>]*)>(.*?)<\/code>/gs)) {
        const { operation, snippet: name, language } = Object.fromEntries(
            [...attributes.matchAll(/data-([\w-]+)="([^"]*)"/g)].map((m) => m.slice(1)));

        if (operation) {
            (found.operations[operation] ??= {})[language] = plain(code);
        } else if (name) {
            (found.snippets[name] ??= {})[language] = plain(code);
        }
    }

    return found;
}

function fromSources(page) {
    const spec = specification(page);
    const found = { operations: {}, snippets: {} };
    const guide = text(`conf/docs/guide.${page}.md`).replace(
        /^\{\{file (\S+) (\w+) ([\w-]+)\}\}$/mg, (_, file, language, name) =>
            `\`\`\`${language} ${name}\n${text(`conf/docs/${file}`)}\`\`\``);

    for (const item of Object.values(spec.paths)) {
        for (const { operationId } of Object.values(item)) {
            if (operationId) {
                found.operations[operationId] = Object.fromEntries(languages.map(
                    (language) => [language, snippet(language, spec, operationId)]));
            }
        }
    }

    for (const [, language, name, code] of
         guide.matchAll(/^```(\w+) ([\w-]+)\n(.*?)^```$/msg))
    {
        (found.snippets[name] ??= {})[language] = code;
    }

    return found;
}

console.log(JSON.stringify(Object.fromEntries(["en", "fr"].map((page) =>
    [page, existsSync(new URL(`build/docs/${page}/index.html`, top))
        ? fromPage(text(`build/docs/${page}/index.html`))
        : fromSources(page)]))));
