// What tests in a browser say to their suite: a line a test.

export function ok(condition, name, more = '') {
    console.log(`${condition ? 'ok' : 'not ok'} - ${name}`);

    if (!condition && more !== '') {
        note(more);
    }

    return condition;
}

export function is(got, expected, name) {
    const [a, b] = [got, expected].map((value) => JSON.stringify(value));

    return ok(a === b, name, `got ${a}, expected ${b}`);
}

export function note(text) {
    for (const line of String(text).split('\n')) {
        console.log(`# ${line}`);
    }
}
