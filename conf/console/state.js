// All that the console knows, in one object. Whoever changes it calls change(),
// and the page is drawn anew in the next frame.

import * as rates from './rates.js';

export const state = {
    key: '',                    // the operator's
    why: null,                  // why the login page is shown
    page: { name: 'now' },      // what the address names

    status: null,               // the last answer of /status
    history: rates.empty(),     // what its totals were, for 15 minutes
    lost: null,                 // { text, until }: no answer, until the next try

    partner: null,              // { id, data, etag, missing } of the partner's page
    turn: 0,                    // grows when a list has to be asked for anew
    dialog: null,               // { name, … } that is open
    notice: null,               // { sentence, address }: what a change has done
};

let draw = () => {};
let asked = false;

export function onChange(callback) {
    draw = callback;
}

export function change(fields) {
    Object.assign(state, fields);

    if (!asked) {
        asked = true;
        requestAnimationFrame(() => { asked = false; draw(); });
    }
}
