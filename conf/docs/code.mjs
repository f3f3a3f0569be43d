// Code to read and to paste: a figure, and several of one thing as tabs. The
// tabs are radio buttons that docs.css looks at, so they work without a script.

import { html } from "./html.mjs";

const NAMES = {
    sh: "Shell", curl: "curl", php: "PHP", python: "Python", node: "Node.js",
    js: "Node.js", ts: "TypeScript", json: "JSON", http: "HTTP",
};

// Whoever chooses one of these chooses the other.
const SAME = { curl: "sh", node: "js" };

export const nameOf = (language) => NAMES[language] ?? language;

// What a test, and the try-it, find the code by goes into data.
export function figure(language, code, data = {}) {
    const attributes = Object.entries({ ...data, language }).map(
        ([name, value]) => html` data-${name}="${value}"`);

    return html`<figure class="code"><figcaption>${nameOf(language)}</figcaption>
<pre tabindex="0"><code${attributes}>${code.trimEnd()}
</code></pre></figure>
`;
}

// What each is of: { language, figure }, at most four. An id is unique if its
// group's name is.
export function tabs(group, legend, each) {
    if (each.length === 1) return each[0].figure;

    const radios = each.map(({ language }, i) => html`
<input type="radio" name="${group}" id="${group}-${language}" value="${SAME[language] ?? language}"${
    i === 0 && html` checked`}><label for="${group}-${language}">${
    nameOf(language)}</label>`);

    return html`<fieldset class="tabs"><legend>${legend}</legend>${radios}
${each.map((one) => one.figure)}</fieldset>
`;
}
