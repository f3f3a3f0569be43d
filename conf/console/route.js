// The address, from its "#" on, names the page:
//   #/  #/partners  #/partners/ID  #/login and the page to go to after it

import { state } from './state.js';

export function parse(hash) {
    const path = hash.replace(/^#\/?/, '/');
    const login = path.match(/^\/login(\/.*)?$/);
    const partner = path.match(/^\/partners\/([^/]+)$/);

    if (login) {
        return { name: 'login', next: login[1] ?? '/' };
    }

    if (partner) {
        return { name: 'partner', id: unescape(partner[1]) };
    }

    return { name: path === '/partners' ? 'partners' : 'now' };
}

function unescape(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

export function partnerAddress(id) {
    return `#/partners/${encodeURIComponent(id)}`;
}

export function go(address) {
    location.hash = address;
}

// Without a step of the history: "back" doesn't lead into the login again.

export function replace(address) {
    location.replace(address);
}

export function toLogin(why) {
    state.why = why;

    if (state.page.name !== 'login') {
        replace(`#/login${location.hash.replace(/^#/, '') || '/'}`);
    }
}
