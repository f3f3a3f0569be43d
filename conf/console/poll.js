// What is shown is asked for again: every 2 s while the tab is seen; after an
// error in 10 s, then in 20, 40 and 60. One request is under way at a time.

import * as api from './api.js';
import { add } from './rates.js';
import { toLogin } from './route.js';
import { end } from './session.js';
import { change, state } from './state.js';

const EVERY = 2000, AFTER_ERROR = 10000, AT_MOST = 60000;

let timer, flight, pause = 0;

export async function poll() {
    clearTimeout(timer);
    flight?.abort();
    flight = null;

    if (document.hidden || !state.key || state.page.name === 'login') {
        return;
    }

    const mine = flight = new AbortController();

    try {
        await look(mine.signal);
        pause = 0;
    } catch (error) {
        if (mine !== flight) {
            return;
        }
        failed(error);
    }

    if (mine === flight) {
        timer = setTimeout(poll, pause || EVERY);
    }
}

async function look(signal) {
    const { data } = await api.status(signal);

    add(state.history, data);
    change({ status: data, lost: null });

    if (state.page.name === 'partner') {
        await lookAtPartner(state.page.id, signal);
    }
}

async function lookAtPartner(id, signal) {
    try {
        const { data, etag } = await api.partner(id, signal);
        change({ partner: { id, data, etag } });
    } catch (error) {
        if (error.status !== 404) {
            throw error;
        }
        change({ partner: { id, missing: true } });
    }
}

// A key that is shown once stays, even if the operator's own has died meanwhile.

function failed(error) {
    if ((error.status === 401 || error.status === 403)
        && state.dialog?.name !== 'shown')
    {
        end();
        toLogin(error);
        return;
    }

    pause = Math.min(pause ? pause * 2 : AFTER_ERROR, AT_MOST);
    change({ lost: { error, until: Date.now() + pause } });
}

document.addEventListener('visibilitychange', poll);
