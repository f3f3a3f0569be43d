// The reference: each operation, by tag, and what each answer carries.

import { figure, tabs } from "./code.mjs";
import { anchor } from "./errors.mjs";
import { html } from "./html.mjs";
import { block, inline } from "./markdown.mjs";

const METHODS = ["get", "post", "put", "patch", "delete"];
const FATES = ["delivered", "read", "failed", "down", "slow"];

// All operations in the specification's order, with what their path has too.
export function allOperations({ paths }) {
    return Object.entries(paths).flatMap(([path, item]) =>
        METHODS.filter((method) => item[method]).map((method) => ({
            ...item[method], method: method.toUpperCase(), path,
            parameters: [...item.parameters ?? [], ...item[method].parameters ?? []],
        })));
}

const pretty = (value) => typeof value === "string" ? value : JSON.stringify(value, null, 2);

// By status, 2XX before 401, and the rest.
const inOrder = (responses) => Object.entries(responses).sort(([a], [b]) => a < b ? -1 : 1);

// An example's summary, with a mark where it is one of the sandbox's fates.
export function summary(name, text, words) {
    const [, rest] = FATES.includes(name) && text.match(/^[^:]{1,20}:\s*(.*)$/s) || [];

    return rest ? html`<span class="badge">${words.sandbox}</span> ${inline(rest)}` : inline(text);
}

export function method(name) {
    return html`<span class="method ${name.toLowerCase()}">${name}</span>`;
}

export function operations(context) {
    const { specification, words, language, resolve, field, fields, snippets } = context;
    const all = allOperations(specification);

    return html`${overview()}${specification.tags.map(byTag)}${headersOfAll()}`;

    function overview() {
        return html`<ul class="overview">${all.map((o) => html`
<li><a href="#${o.operationId}">${o.summary}</a> <span class="call">${
    method(o.method)} <code>${o.path}</code></span></li>`)}
</ul>
`;
    }

    function byTag(tag) {
        return html`<h3 id="tag-${tag.name.toLowerCase()}">${tag["x-displayName"] ?? tag.name}</h3>
${block(tag.description)}${all.filter((o) => o.tags.includes(tag.name)).map(operation)}`;
    }

    function operation(o) {
        const body = resolve(o.requestBody);
        const [type, content] = Object.entries(body?.content ?? {})[0] ?? [];
        const signed = (o.security ?? []).some((s) => s.ApiSignature);
        const file = content?.encoding?.file?.contentType;

        return html`<article class="operation" aria-labelledby="${o.operationId}"
 data-method="${o.method}" data-path="${o.path}"${signed && html` data-signed`}${
    type && html` data-body="${type}"`}${file && html` data-file="${file}"`}>
<div class="about">
<h4 id="${o.operationId}">${o.summary}</h4>
<p class="call">${method(o.method)} <code>${o.path}</code></p>
${block(o.description)}${needs(o, signed)}
${o.parameters.length > 0 && html`<h5>${words.parameters}</h5>
<ul class="fields">${o.parameters.map(parameter)}</ul>`}
${content && html`<h5>${words.body} <code>${type}</code></h5>
${fields(content.schema)}${bodies(content.examples)}`}
<h5>${words.answers}</h5>
${answers(o.responses)}
</div>
<div class="paste">${tabs(`tabs-${o.operationId}`, words.language,
    snippets.languages.map((l) => ({ language: l, figure: figure(l,
        snippets.snippet(l, specification, o.operationId), { operation: o.operationId }) })))}
</div>
</article>
`;
    }

    // What the description hasn't said already.
    function needs(o, signed) {
        const scopes = (o["x-required-scopes"] ?? []).filter((s) => !o.description.includes(s));

        return (scopes.length > 0 || signed) && html`<p class="needs">${scopes.length > 0
            ? html`${words.scope} ${scopes.map((s) => html`<code>${s}</code> `)}`
            : words.noScope}${signed && ` · ${words.signed}`}</p>`;
    }

    function parameter(thing) {
        const p = resolve(thing);
        const schema = { ...resolve(p.schema), description: p.description };
        const examples = Object.entries(p.examples ?? (p.example ? { example: { value: p.example } } : {}));

        return field(p.name, schema, {
            required: p.required ?? false,
            attributes: html` data-parameter="${p.name}" data-in="${p.in}"`,
            more: examples.length > 0 && html`<ul class="values">${examples.map(([name, e]) => html`
<li>${!e.summary && words.eg} <code data-example="${name}">${e.value}</code> ${
    e.summary && html`<span>${summary(name, e.summary, words)}</span>`}</li>`)}
</ul>`,
        });
    }

    function bodies(examples) {
        return html`<ul class="bodies">${Object.entries(examples ?? {}).map(([name, e]) => html`
<li><details><summary>${summary(name, e.summary, words)}</summary>
${figure("json", pretty(e.value), { example: name })}</details></li>`)}
</ul>`;
    }

    function answers(responses) {
        return html`<dl class="answers">${inOrder(responses).map(([status, r]) =>
            answer(status, resolve(r)))}</dl>
${headers(responses)}`;
    }

    function answer(status, r) {
        const codes = r["x-codes"] ?? [];
        const contents = Object.entries(r.content ?? {});
        const form = contents.map(([, c]) => c.schema.$ref?.split("/").pop())
            .find((name) => ["Problem", "Envelope"].includes(name));

        return html`<div class="${/^2/.test(status) ? "good" : "bad"}"><dt>${
            status === "default" ? words.other : status}</dt>
<dd>${block(r.description)}${codes.length > 0 && html`<p class="codes">${codes.map((code) =>
    html`<a href="#${anchor(code)}"><code>${code}</code></a> `)}${
    form && html`<a class="form" href="#schema-${form}">${form}</a>`}</p>`}${
    codes.length === 0 && contents.map(([type, c]) => html`<details><summary>${
        words.body} <code>${type}</code></summary>${fields(c.schema)}${
        Object.values(c.examples ?? {}).map((e) => figure("json", pretty(e.value)))}</details>`)}</dd></div>
`;
    }

    // Each header, and the answers that have it.
    function headers(responses) {
        const on = {};

        for (const [status, r] of Object.entries(responses)) {
            for (const name of Object.keys(resolve(r).headers ?? {})) {
                (on[name] ??= []).push(status === "default" ? words.other : status);
            }
        }

        return html`<details><summary>${words.headers}</summary><ul class="headers">${
            Object.entries(on).map(([name, statuses]) => html`
<li><a href="#header-${name.toLowerCase()}"><code>${name}</code></a> ${statuses.join(", ")}</li>`)}
</ul></details>`;
    }

    function headersOfAll() {
        return html`<h3 id="headers">${words.headersOfAll}</h3>
<ul class="fields">${Object.entries(specification.components.headers).map(([name, h]) =>
    field(name, { ...resolve(h.schema), description: h.description, examples: [h.example] },
          { attributes: html` id="header-${name.toLowerCase()}"` }))}</ul>
`;
    }
}

// The events that webhooks deliver.
export function events({ specification, words, resolve, fields }) {
    return html`${Object.entries(specification.webhooks).map(([name, { post }]) => {
        const { schema, examples } = resolve(post.requestBody).content["application/json"];

        return html`<article class="operation" aria-labelledby="${post.operationId}">
<div class="about">
<h3 id="${post.operationId}">${post.summary}</h3>
<p class="call">${method("POST")} <code>${name}</code></p>
${block(post.description)}<h4>${words.body} <code>application/json</code></h4>
${fields(schema)}
<h4>${words.yourAnswers}</h4>
<dl class="answers">${inOrder(post.responses).map(([status, r]) => html`<div><dt>${
    status}</dt><dd>${block(r.description)}</dd></div>
`)}</dl>
</div>
<div class="paste">${Object.values(examples).map((e) => html`<p class="title">${inline(e.summary)}</p>
${figure("json", JSON.stringify(e.value), { event: name })}`)}</div>
</article>
`;
    })}`;
}
