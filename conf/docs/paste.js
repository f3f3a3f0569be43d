// Code to paste: a button that copies it, and one choice of language for all.

import { words } from './element.js';

function copier(figure) {
    const button = document.createElement('button');

    button.type = 'button';
    button.className = 'copy';
    button.textContent = words.copy;
    button.addEventListener('click', async () => {
        await navigator.clipboard.writeText(figure.querySelector('code').textContent);
        button.textContent = words.copied;
        setTimeout(() => { button.textContent = words.copy; }, 2000);
    });

    return button;
}

// Only where the browser lets a page write there: https:// and localhost.
if (navigator.clipboard) {
    for (const figure of document.querySelectorAll('figure.code:not(.answers *)')) {
        figure.append(copier(figure));
    }
}

document.addEventListener('change', ({ target }) => {
    if (!target.matches('.tabs > [type=radio]')) return;

    const before = target.parentElement.getBoundingClientRect().top;

    for (const radio of document.querySelectorAll('.tabs > [type=radio]')) {
        if (radio.value === target.value) radio.checked = true;
    }

    // what lies above may be longer or shorter now
    scrollBy(0, target.parentElement.getBoundingClientRect().top - before);
});
