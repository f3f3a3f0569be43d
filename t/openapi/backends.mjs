// Backends that take connections, and say nothing.

import { chmodSync } from 'node:fs';
import { createServer } from 'node:net';

export function silent(sockets) {
    return Promise.all(sockets.map((socket) => new Promise((done) => {
        const server = createServer((connection) => {
            connection.resume();
            connection.on('error', () => {});
        });

        server.listen(socket, () => { chmodSync(socket, 0o666); done(server); });
    })));
}
