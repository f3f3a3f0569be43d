// What a try-it sends, as fetch() takes it.

const text = new TextEncoder();

// Base64 of the HMAC of key and time under the secret, which is base64 too.
export async function signature(secret, key, time) {
    const bytes = Uint8Array.from(atob(secret), (c) => c.charCodeAt(0));
    const under = await crypto.subtle.importKey(
        'raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    const made = await crypto.subtle.sign('HMAC', under, text.encode(key + time));

    return btoa(String.fromCharCode(...new Uint8Array(made)));
}

// Path and query, with the parameters that have a value; { name, in, value }.
export function address(path, parameters) {
    const query = new URLSearchParams(parameters
        .filter((p) => p.in === 'query' && p.value !== '').map((p) => [p.name, p.value]));
    const named = parameters.filter((p) => p.in === 'path')
        .reduce((all, p) => all.replace(`{${p.name}}`, encodeURIComponent(p.value)), path);

    return String(query) ? `${named}?${query}` : named;
}

// A tenth of a second of silence, or a line of text.
export function sample(type) {
    if (!type.startsWith('audio/')) {
        return new File(['A sample.\n'], 'sample.txt', { type: 'text/plain' });
    }

    const length = 800, wav = new DataView(new ArrayBuffer(44 + length));
    const put = (at, word) => [...word].forEach((c, i) => wav.setUint8(at + i, c.charCodeAt(0)));

    put(0, 'RIFF');
    put(8, 'WAVEfmt ');
    put(36, 'data');
    for (const [at, value] of [[4, 36 + length], [16, 16], [24, 8000], [28, 8000], [40, length]]) {
        wav.setUint32(at, value, true);
    }
    for (const [at, value] of [[20, 1], [22, 1], [32, 1], [34, 8]]) wav.setUint16(at, value, true);
    for (let i = 0; i < length; i++) wav.setUint8(44 + i, 128);

    return new File([wav], 'sample.wav', { type: 'audio/wav' });
}
