// Reads bodies by busboy: frames on the standard input (the length of a
// Content-Type, of a body, 4 bytes each, both), a line of JSON for each.
'use strict';

const busboy = require('busboy');

let input = Buffer.alloc(0);
let busy = false;

function read(type, body, done) {
    const parts = [];
    let failed = null;
    let parser;

    try {
        parser = busboy({ headers: { 'content-type': type },
                          defParamCharset: 'utf8' });
    } catch (e) {
        return done({ error: String(e) });
    }

    parser.on('field', (name, value, info) =>
        parts.push({ name, value: value === null || value === undefined
            ? null : Buffer.from(value).toString('base64') }));
    parser.on('file', (name, stream, info) => {
        const part = { name, file: info.filename === undefined
            ? null : Buffer.from(info.filename).toString('base64') };
        const data = [];

        parts.push(part);
        stream.on('data', (chunk) => data.push(chunk));
        stream.on('error', (e) => { failed = failed || String(e); });
        stream.on('close', () => {
            part.value = Buffer.concat(data).toString('base64');
        });
    });
    parser.on('error', (e) => { failed = failed || String(e); });
    parser.on('close', () => done(failed ? { error: failed } : { parts }));
    parser.end(body);
}

function next() {
    if (busy || input.length < 8) {
        return;
    }

    const typeLength = input.readUInt32BE(0);
    const length = input.readUInt32BE(4);

    if (input.length < 8 + typeLength + length) {
        return;
    }

    const type = input.subarray(8, 8 + typeLength).toString('latin1');
    const body = input.subarray(8 + typeLength, 8 + typeLength + length);

    input = input.subarray(8 + typeLength + length);
    busy = true;

    read(type, body, (result) => {
        process.stdout.write(JSON.stringify(result) + '\n');
        busy = false;
        setImmediate(next);
    });
}

process.stdin.on('data', (chunk) => {
    input = Buffer.concat([input, chunk]);
    next();
});
