// What snippets send, byte by byte, and how the guide's programs wait: against a
// server here. $1 is a folder for the programs, $2 the guide's that retry, as
// JSON. Prints JSON: a list of [name, got, expected].

import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { languages, placeholders, snippet } from "../../conf/docs/snippets.mjs";

const [folder, programs] = process.argv.slice(2);
const results = [];
const is = (name, got, expected) => results.push([name, got, expected]);

let seen = [];
let answers = [];

const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    const [status, headers] = answers.shift() ?? [204, {}];

    seen.push({ method: request.method, url: request.url, type:
        request.headers["content-type"], body });
    response.writeHead(status, headers).end(`${status} it is`);
}).listen(0, "127.0.0.1");

await once(server, "listening");

const here = `http://127.0.0.1:${server.address().port}`;
const run = {
    curl: ["sh", "bash"], php: ["php", "php"], python: ["py", "python3"],
    node: ["mjs", "node"], js: ["mjs", "node"],
};

async function outcome(language, code) {
    const [ending, program] = run[language];
    const file = `${folder}/pasted.${ending}`;

    seen = [];
    writeFileSync(file, code.replaceAll(placeholders.url, here));

    return new Promise((resolve) => {
        execFile(program, [file], { cwd: folder, timeout: 60000 },
                 (error, stdout) => resolve(error ? `${error}` : stdout));
    });
}

// ---- escaping

const hard = "C'est l'été : \"$HOME\" `date` \\n \\ $x %s {y} ${z} +😀\n\t<&>";
const value = {
    text: hard, [hard]: [hard, 1.5, true, null, {}, []], long: "x".repeat(90),
};
const schema = { properties: { to: {}, file: { format: "binary" } } };
const operation = (operationId, type, example) => ({
    operationId, parameters: [{ name: "id", in: "path", example: "a b/é'" }],
    requestBody: { content: { [type]: { schema, example } } },
});
const specification = {
    security: [{ ApiKey: [] }],
    paths: {
        "/x/{id}": {
            put: operation("json", "application/json", value),
            post: operation("form", "multipart/form-data",
                            { to: "+1 é'{x}%s\\", file: "note.ogg" }),
        },
    },
};

for (const language of languages) {
    await outcome(language, snippet(language, specification, "json"));
    is(`${language}: what is hard to write arrives`,
       seen.map(({ method, url, body }) => [method, url, JSON.parse(body)]),
       [["PUT", "/x/a%20b%2F%C3%A9'", value]]);

    await outcome(language, snippet(language, specification, "form"));

    const [{ body, type }] = seen;
    const form = await new Response(body, { headers: { "content-type": type } })
        .formData();
    const file = form.get("file");

    is(`${language}: so it does in a form`,
       [form.get("to"), file.name, file.type,
        Buffer.from(await file.arrayBuffer()).equals(readFileSync(`${folder}/note.ogg`))],
       ["+1 é'{x}%s\\", "note.ogg", "audio/ogg", true]);
}

// ---- waiting

for (const [language, code] of Object.entries(JSON.parse(programs))) {
    answers = [[429, { "Retry-After": 1 }], [502, {}], [200, {}]];
    is(`${language}: waits until it gets through`,
       (await outcome(language, code)).trim(), "200 200 it is");
    is(`${language}: by the third try`, seen.length, 3);

    const post = code.replace(/headers=\{/, 'method="POST", $&')
        .replace(/headers: \{/, 'method: "POST", $&');

    for (const status of [502, 504]) {
        answers = [[status, {}], [200, {}]];
        is(`${language}: ${status}, repeats nothing that may have been done`,
           [(await outcome(language, post)).trim(), seen.length],
           [`${status} ${status} it is`, 1]);
    }
}

server.close();
console.log(JSON.stringify(results));
