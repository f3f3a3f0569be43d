// A partner's keys: a new one in place of the old, one more, the end of one.

import * as api from '../api.js';
import { t } from '../i18n.js';
import { Choice, useTypedId } from '../ui.js';
import { html, useState } from '../vendor/preact.js';
import { ChangeDialog, tell } from './change.js';
import { show } from './shown.js';

const LEAKED = '0', PLANNED = '24h';

export function RotateKey({ id, etag }) {
    const [grace, setGrace] = useState();

    return html`<${ChangeDialog} title=${t('rotate.title', { id })} button=${t('rotate.do')}
        dangerous=${grace === LEAKED} ready=${grace !== undefined}
        make=${() => api.rotateKey(id, grace, etag)}
        done=${(made) => show(id, 'key', made.key)}>
        <${Choice} name="grace" legend=${t('rotate.legend')} value=${grace}
            onChoose=${setGrace} options=${[
                [LEAKED, t('rotate.leaked'), t('rotate.leakedHelp')],
                [PLANNED, t('rotate.planned'), t('rotate.plannedHelp')],
            ]} />
    <//>`;
}

export function AddKey({ id, etag }) {
    return html`<${ChangeDialog} title=${t('addKey.title', { id })} button=${t('addKey.do')}
        make=${() => api.addKey(id, etag)} done=${(made) => show(id, 'key', made.key)}>
        <p>${t('addKey.text')}</p>
    <//>`;
}

// only: no other key of the partner works

export function RevokeKey({ id, etag, key_id: key, only }) {
    const [typed, field] = useTypedId(id);

    return html`<${ChangeDialog} title=${t('revoke.title', { key })} button=${t('revoke.do')}
        dangerous ready=${!only || typed} make=${() => api.revokeKey(id, key, etag)}
        done=${() => tell(t('revoke.done', { key }))}>
        <p>${t('revoke.text')}</p>
        ${only && html`<p>${t('revoke.only', { id })}</p>${field}`}
    <//>`;
}

// secret: "hmac_secret" or "webhook_secret"; isFirst: there is none to replace

export function NewSecret({ id, etag, secret, isFirst }) {
    const [grace, setGrace] = useState();

    return html`<${ChangeDialog} title=${t(`secret.title.${secret}`, { id })}
        button=${t('secret.do')} dangerous=${grace === LEAKED}
        ready=${isFirst || grace !== undefined} make=${() => api.newSecret(id, secret, grace, etag)}
        done=${(made) => show(id, secret, made[secret])}>
        ${isFirst ? html`<p>${t('secret.first')}</p>`
            : html`<${Choice} name="grace" legend=${t('rotate.legend')} value=${grace}
                onChoose=${setGrace} options=${[
                    [LEAKED, t('secret.leaked'), t(`secret.leakedHelp.${secret}`)],
                    [PLANNED, t('secret.planned'), t(`secret.plannedHelp.${secret}`)],
                ]} />`}
    <//>`;
}
