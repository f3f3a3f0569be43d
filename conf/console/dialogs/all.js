// The dialog that is open, by its name in state.dialog.

import { html } from '../vendor/preact.js';
import { Create } from './create.js';
import { ChangeLimit, ChangeScopes, Delete, Enable } from './fields.js';
import { AddKey, NewSecret, RevokeKey, RotateKey } from './keys.js';
import { Shown } from './shown.js';

const DIALOGS = {
    create: Create, shown: Shown,
    rotate: RotateKey, addKey: AddKey, revoke: RevokeKey, secret: NewSecret,
    limit: ChangeLimit, scopes: ChangeScopes, enable: Enable, delete: Delete,
};

export function OpenDialog({ dialog }) {
    return dialog && html`<${DIALOGS[dialog.name]} key=${dialog.name} ...${dialog} />`;
}
