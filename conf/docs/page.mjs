// A page of the docs: the guide in a language, with what is made from the
// specification in its places.

import { readFileSync } from "node:fs";
import { errors } from "./errors.mjs";
import { html } from "./html.mjs";
import { guide, inline } from "./markdown.mjs";
import { allOperations, events, operations } from "./operations.mjs";
import { schemas } from "./schemas.mjs";
import { specification } from "./specification.mjs";
import * as snippets from "./snippets.mjs";
import { words as allWords } from "./words.mjs";

const LANGUAGES = { en: "English", fr: "Français" };

export function page(language) {
    const words = allWords[language];
    const spec = specification(language);
    const context = { specification: spec, words, language, snippets, ...schemas(spec, words) };
    const text = readFileSync(new URL(`guide.${language}.md`, import.meta.url), "utf8")
        .replaceAll("{{version}}", spec.info.version);
    const blocks = {
        errors: errors(context), operations: operations(context), events: events(context),
    };
    const { body, headings } = guide(text, { blocks, words });

    return String(html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${spec.info.title}</title>
<meta name="description" content="${spec.info.summary}">
<link rel="stylesheet" href="/docs/docs.css">
<link rel="icon" href="/docs/icon.svg">
${Object.keys(LANGUAGES).map((l) => html`<link rel="alternate" hreflang="${l}" href="/docs/${l}/">
`)}<script type="module" src="/docs/paste.js"></script>
<script type="module" src="/docs/try.js"></script>
</head>
<body>
<a class="skip" href="#main">${words.skip}</a>
<header>
<p class="brand">${spec.info.title} <small>${spec.info.version}</small></p>
<p class="files"><a href="/openapi.yaml">openapi.yaml</a> <a href="/openapi.json">openapi.json</a> <a
 href="/openapi.fr.json" hreflang="fr">openapi.fr.json</a></p>
<p class="languages">${Object.entries(LANGUAGES).map(([l, name]) => html` <a href="/docs/${l}/" lang="${
    l}" hreflang="${l}"${l === language && html` aria-current="page"`}>${name}</a>`)}</p>
</header>
<div class="columns">
<nav aria-label="${words.contents}">
<ul>${headings.filter((h) => h.level === 2).map(entry)}
</ul>
</nav>
<main id="main" tabindex="-1">
<h1>${spec.info.title}</h1>
<p class="lead">${spec.info.summary}</p>
${body}</main>
</div>
</body>
</html>
`);

    // A section of the page; the one that has the operations lists them too.
    function entry({ id, title }) {
        return html`
<li><a href="#${id}">${inline(title)}</a>${sectionOf("operations") === id && html`
<ul class="of">${allOperations(spec).map((o) => html`
<li><a href="#${o.operationId}">${o.summary}</a></li>`)}
</ul>`}</li>`;
    }

    // The section in which a block stands.
    function sectionOf(block) {
        const before = text.split(`{{${block}}}`)[0];

        return [...before.matchAll(/^## .*\{#([\w-]+)\}$/mg)].pop()?.[1];
    }
}
