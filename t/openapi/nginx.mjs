// A configuration of nginx, read as far as the tests ask it: a tree of
// directives, the values of a map, the location of a path.

// Words, braces and semicolons; quotes taken off, comments left out.
function* tokens(text) {
    const token = new RegExp([/\s+|#[^\n]*/, /"((?:\\.|[^"\\])*)"/, /'((?:\\.|[^'\\])*)'/,
        /([{};])/, /((?:\\.|\$\{\w+\}|[^\s;{}\\])+)/].map(({ source }) => source).join('|'), 'gys');

    while (token.lastIndex < text.length) {
        const at = token.lastIndex;
        const found = token.exec(text);

        if (!found) {
            throw new Error(`not read: ${text.slice(at, at + 60)}`);
        }

        const [, double, single, mark, word] = found;

        if (mark) {
            yield { mark };
        } else if (double !== undefined || single !== undefined || word !== undefined) {
            yield { word: word ?? (double ?? single).replace(/\\(["'\\])/g, '$1') };
        }
    }
}

export function read(text) {
    const root = { words: ['main'], inside: [] };
    const open = [root];
    let words = [];

    for (const { mark, word } of tokens(text)) {
        if (word !== undefined) {
            words.push(word);
        } else if (mark === '}') {
            open.pop();
        } else {
            const directive = { words, inside: [], parent: open.at(-1) };

            open.at(-1).inside.push(directive);
            words = [];

            if (mark === '{') {
                open.push(directive);
            }
        }
    }

    return root;
}

export const all = (block, name) => block.inside.filter(({ words }) => words[0] === name);

// A directive's arguments in this block, or the nearest around it that has it.
export function inForce(block, name) {
    for (let at = block; at; at = at.parent) {
        const [found] = all(at, name);

        if (found) {
            return found.words.slice(1);
        }
    }

    return undefined;
}

// The rows of "map $from $to": [pattern, value].
export function rows(http, to) {
    return all(http, 'map').find(({ words }) => words[2] === to).inside
        .map(({ words }) => [words[0], words[1]]);
}

const matches = (pattern, value) => (pattern.startsWith('~')
    ? new RegExp(pattern.slice(1)).test(value) : pattern === value);

// As nginx chooses: the very text, the first regular expression, the default.
export function mapped(table, value) {
    const row = table.find(([pattern]) => !pattern.startsWith('~') && pattern === value)
        ?? table.find(([pattern]) => pattern.startsWith('~') && matches(pattern, value))
        ?? table.find(([pattern]) => pattern === 'default');

    return row;
}

// As nginx chooses: "=", else the longest prefix, unless a regular expression
// fits; then within that location.
export function location(block, path) {
    const inner = all(block, 'location').map((found) => ({ found, how: found.words.slice(1) }));
    const exact = inner.find(({ how }) => how[0] === '=' && how[1] === path);

    if (exact) {
        return exact.found;
    }

    const [prefix] = inner.filter(({ how }) => how.length === 1 && path.startsWith(how[0])
        && !how[0].startsWith('@')).sort((a, b) => b.how[0].length - a.how[0].length);
    const fits = inner.find(({ how }) => how[0] === '~' && new RegExp(how[1]).test(path));

    return fits?.found ?? (prefix ? location(prefix.found, path) : block);
}

export function bytes(size) {
    const [, number, unit] = size.match(/^(\d+)([kmg]?)$/i);

    return number * { '': 1, k: 1 << 10, m: 1 << 20, g: 1 << 30 }[unit.toLowerCase()];
}
