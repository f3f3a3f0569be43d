// A new partner.

import * as api from '../api.js';
import { t } from '../i18n.js';
import { go, partnerAddress } from '../route.js';
import { Choice } from '../ui.js';
import { html, useState } from '../vendor/preact.js';
import { ChangeDialog } from './change.js';
import { Limit, Scopes } from './fields.js';
import { show } from './shown.js';

export function Create() {
    const [id, setId] = useState('');
    const [name, setName] = useState('');
    const [scopes, setScopes] = useState([]);
    const [own, setOwn] = useState('zone');
    const [rate, setRate] = useState('100r/m');

    const fields = { id, scopes };

    if (name) fields.name = name;
    if (own === 'own') fields.rate = rate;

    const done = (made) => {
        go(partnerAddress(made.id));
        show(made.id, 'key', made.key);
    };

    return html`<${ChangeDialog} title=${t('new.title')} button=${t('new.create')}
        make=${() => api.create(fields)} done=${done}>
        <label class="field"><span>${t('new.id')}</span>
            <input required pattern="[a-z0-9._\\-]{1,64}" autocomplete="off"
                   autocapitalize="none" spellcheck=${false} aria-describedby="new-id-help"
                   value=${id} onInput=${(event) => setId(event.target.value)} />
            <small id="new-id-help">${t('new.idHelp')}</small></label>
        <label class="field"><span>${t('new.name')}</span>
            <input autocomplete="off" aria-describedby="new-name-help" value=${name}
                   onInput=${(event) => setName(event.target.value)} />
            <small id="new-name-help">${t('new.nameHelp')}</small></label>
        <${Scopes} value=${scopes} onInput=${setScopes} />
        <${Choice} name="own" legend=${t('partner.window')} value=${own} onChoose=${setOwn}
            options=${[['zone', t('limit.zone')], ['own', t('limit.own')]]} />
        ${own === 'own' && html`<${Limit} value=${rate} onInput=${setRate} />`}
    <//>`;
}
