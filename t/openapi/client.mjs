// HTTP as the tests need it: whatever bytes, each header as often as it is
// named, and an answer taken before the request's body was sent.

import { connect } from 'node:net';

const TIME = 30_000;

// Head and body, once both are here; null until then.
function parsed(bytes, ended) {
    const end = bytes.indexOf('\r\n\r\n');

    if (end < 0) {
        return null;
    }

    const [line, ...fields] = bytes.toString('latin1', 0, end).split('\r\n');
    const status = Number(line.split(' ')[1]);

    if (status === 100) {
        return parsed(bytes.subarray(end + 4), ended);
    }

    const headers = {};

    for (const field of fields) {
        const [, name, value] = field.match(/^([^:]*):\s*(.*)$/);
        (headers[name.toLowerCase()] ??= []).push(value);
    }

    const body = content(bytes.subarray(end + 4), status, headers, ended);

    return body && { status, headers, body: body.toString() };
}

function content(bytes, status, headers, ended) {
    if (status === 204 || status === 304) {
        return Buffer.alloc(0);
    }

    if (headers['content-length']) {
        const length = Number(headers['content-length'][0]);

        return bytes.length < length ? null : bytes.subarray(0, length);
    }

    return headers['transfer-encoding'] ? dechunked(bytes) : ended && bytes;
}

function dechunked(bytes) {
    const chunks = [];

    for (let at = 0; ;) {
        const end = bytes.indexOf('\r\n', at);
        const size = end < 0 ? NaN : parseInt(bytes.toString('latin1', at, end), 16);

        if (!(size < bytes.length - end - 3)) {
            return null;
        }

        if (size === 0) {
            return Buffer.concat(chunks);
        }

        chunks.push(bytes.subarray(end + 2, end + 2 + size));
        at = end + 4 + size;
    }
}

// body is a string; withheld: it is announced, and never comes; chunks: bytes as
// they are.
export function send(port,
    { method, uri, headers = [], body, chunks, version = '1.1', withheld }) {
    const bytes = Buffer.from(body ?? chunks ?? '');
    const length = withheld ?? (body === undefined ? undefined : bytes.length);
    const head = [`${method} ${uri} HTTP/${version}`, `Host: 127.0.0.1:${port}`,
        'Connection: close', ...headers.map(([name, value]) => `${name}: ${value}`),
        ...length === undefined ? [] : [`Content-Length: ${length}`]];

    return new Promise((done, fail) => {
        const socket = connect(port, '127.0.0.1');
        let got = Buffer.alloc(0);

        const look = (ended) => {
            const answer = parsed(got, ended);

            if (answer) {
                done(answer);
                socket.destroy();
            } else if (ended) {
                fail(new Error(`${method} ${uri.slice(0, 60)}: closed after "${got}"`));
            }
        };

        socket.setTimeout(TIME, () => socket.destroy(new Error(`${method} ${uri}: no answer`)));
        socket.on('data', (data) => { got = Buffer.concat([got, data]); look(false); });
        socket.on('end', () => look(true));
        socket.on('error', fail);
        socket.write(`${head.join('\r\n')}\r\n\r\n`);

        if (withheld === undefined) {
            socket.write(bytes);
        }
    });
}
