// The operator's key: in memory, and in the tab's storage if the operator asks
// for it. Never in an address, a cookie or what outlives the tab.

import { change, state } from './state.js';
import * as rates from './rates.js';

const NAME = 'wassiit.key';

export function restore() {
    state.key = sessionStorage.getItem(NAME) ?? '';
}

export function begin(key, keep) {
    if (keep) {
        sessionStorage.setItem(NAME, key);
    } else {
        sessionStorage.removeItem(NAME);
    }

    change({ key, why: null, lost: null });
}

export function end() {
    sessionStorage.removeItem(NAME);
    change({
        key: '', status: null, history: rates.empty(), lost: null,
        partner: null, dialog: null, notice: null,
    });
}
