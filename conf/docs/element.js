// Elements of a page, and its words.

export const { default: words } = await import(`./${document.documentElement.lang}/words.js`);

// Of a field whose text is no prose.
export const plain = { autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' };

export function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);

    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
}

let fields = 0;

export function labelled(label, control, ...more) {
    control.id = `field-${++fields}`;
    return make('p', {}, make('label', { for: control.id }, label), control, ...more);
}
