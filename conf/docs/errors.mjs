// The errors by code, and the two forms that they have.

import { figure } from "./code.mjs";
import { html } from "./html.mjs";
import { inline } from "./markdown.mjs";

export const anchor = (code) => `error-${code}`;

export function errors({ specification, words, resolve, fields }) {
    const rows = Object.entries(specification["x-errors"]).map(([code, error]) => html`
<tr role="row" id="${anchor(code)}"><th role="rowheader" scope="row"><code>${code}</code></th>
<td role="cell">${error.status}</td><td role="cell">${inline(error.when)}</td>
<td role="cell" class="remedy">${inline(error.remedy)}</td></tr>`);
    const heads = [words.code, words.status, words.when, words.remedy];

    // The roles say what it is where docs.css shows a row as a card.
    return html`<table class="errors" role="table"><thead role="rowgroup"><tr role="row">${
        heads.map((head) => html`<th role="columnheader" scope="col">${head}</th>`)}</tr></thead>
<tbody role="rowgroup">${rows}
</tbody></table>
${form("Problem", "application/problem+json", "InvalidPayload")}
${form("Envelope", "application/json", "EnvelopeInvalidPayload")}`;

    function form(schema, type, response) {
        const { examples } = resolve(specification.components.responses[response]).content[type];

        return html`<h3 id="schema-${schema}"><code>${schema}</code></h3>
<p>${inline(resolve(specification.components.schemas[schema]).description)} <code>${type}</code></p>
${fields({ $ref: `#/components/schemas/${schema}` })}
${figure("json", JSON.stringify(Object.values(examples)[0].value, null, 2))}`;
    }
}
