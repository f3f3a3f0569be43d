// What a JSON value has to be: its fields as nested lists.

import { html } from "./html.mjs";
import { inline } from "./markdown.mjs";

const list = (values, kind) => values.map((value, i) =>
    html`${i > 0 && ", "}<code${kind && html` class="${kind}"`}>${String(value)}</code>`);

// schemas(specification, words) is how the parts below look in a language.
export function schemas(specification, words) {
    // What a $ref stands for. Texts beside the $ref win.
    function resolve(thing) {
        if (!thing?.$ref) return thing;

        const { $ref, ...more } = thing;
        const found = $ref.slice(2).split("/").reduce((o, part) => o[part], specification);

        return { ...resolve(found), ...more };
    }

    function type(schema) {
        const any = schema.oneOf ?? schema.anyOf;

        if (any) return any.map((s) => type(resolve(s))).join(words.or);

        const types = [schema.type].flat();

        return types.map((t) => t === "array" && schema.items
            ? `${type(resolve(schema.items))}[]` : t).join(words.or);
    }

    // What it has to keep to beyond its type, a rule each.
    function rules(schema) {
        const { minLength: least, maxLength: most, minimum, maximum } = schema;

        return [
            schema.enum && html`${schema.enum.length > 1 ? words.oneOf : words.only} ${
                list(schema.enum, "choice")}`,
            schema.const !== undefined && html`${words.only} ${list([schema.const])}`,
            most && words.characters(least ?? 0, most),
            schema.minItems && words.items(schema.minItems),
            minimum !== undefined && maximum !== undefined && `${minimum}–${maximum}`,
            minimum !== undefined && maximum === undefined && `≥ ${minimum}`,
            schema.format && html`${words.format} <code>${schema.format}</code>`,
            schema.pattern && html`${words.pattern} <code>${schema.pattern}</code>`,
            schema.default !== undefined && html`${words.standard} ${list([schema.default])}`,
            schema.examples && html`${words.eg} ${list(schema.examples)}`,
        ].filter(Boolean);
    }

    // A field, parameter or header.
    function field(name, thing, { required, more, attributes } = {}) {
        const schema = resolve(thing);

        return html`<li${attributes}><p><code class="name">${name}</code> <span class="type">${
            type(schema)}</span>${required !== undefined && html` <span class="${
            required ? "required" : "optional"}">${
            required ? words.required : words.optional}</span>`}</p>
${schema.description && html`<p>${inline(schema.description)}</p>`}${
    rules(schema).map((rule) => html`<p class="rule">${rule}</p>`)}${
    more}${fields(schema)}</li>
`;
    }

    function fields(thing) {
        const schema = resolve(thing);
        const inner = schema.type === "array" ? resolve(schema.items) : schema;

        if (inner?.oneOf ?? inner?.anyOf) return null;

        const named = Object.entries(inner?.properties ?? {}).map(([name, value]) =>
            field(name, value, { required: (inner.required ?? []).includes(name) }));

        return named.length > 0 && html`<ul class="fields">${named}</ul>`;
    }

    return { resolve, field, fields };
}
