// HTML as text: html`<p>${text}</p>` escapes what is put in. What is HTML
// already goes in as it is, a list one after the other; null and false are
// nothing.

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

class Html {
    constructor(text) { this.text = text; }
    toString() { return this.text; }
}

export const raw = (text) => new Html(text);

function put(value) {
    if (value == null || value === false) return "";
    if (Array.isArray(value)) return value.map(put).join("");
    if (value instanceof Html) return value.text;

    return String(value).replace(/[&<>"]/g, (c) => ESCAPES[c]);
}

export function html(strings, ...values) {
    return raw(strings.reduce((all, s, i) => all + put(values[i - 1]) + s));
}
