// Code to paste: snippet(language, specification, operationId) makes the request
// of an operation's first examples. Each program prints the answer's status and
// body, a refusal's too, and needs nothing but the language itself. The only
// placeholders are those of `placeholders`; an upload needs its file beside it.

export const languages = ["curl", "php", "python", "node"];

export const placeholders = {
    url: "https://api.wassiit.ma",
    key: "wst_your_api_key_here",
    secret: "your_api_secret_base64",
};

const types = { ogg: "audio/ogg", pdf: "application/pdf" };

const width = 78;

// ---- the request, in no language yet

export function snippet(language, specification, operationId) {
    return writers[language](request(specification, operationId));
}

function request(specification, operationId) {
    const { method, path, item, operation } = find(specification, operationId);
    const parameters = [...item.parameters ?? [], ...operation.parameters ?? []];
    let url = placeholders.url + path;

    for (const { name, in: place, ...parameter } of parameters) {
        if (place === "path") {
            url = url.replace(`{${name}}`,
                              encodeURIComponent(example(parameter)));
        }
    }

    const content = operation.requestBody?.content ?? {};
    const [type] = Object.keys(content);
    const value = type && example(content[type]);
    const form = type === "multipart/form-data"
        && fields(specification, content[type].schema, value);

    return {
        method: method.toUpperCase(),
        url,
        signed: (operation.security ?? specification.security)
            .some((scheme) => "ApiSignature" in scheme),
        json: form ? undefined : value,
        form: form || undefined,
    };
}

function find(specification, operationId) {
    for (const [path, item] of Object.entries(specification.paths)) {
        for (const [method, operation] of Object.entries(item)) {
            if (operation.operationId === operationId) {
                return { method, path, item, operation };
            }
        }
    }

    throw new Error(`there is no operation ${operationId}`);
}

function example({ example, examples }) {
    return example ?? Object.values(examples)[0].value;
}

function fields(specification, schema, value) {
    const { properties } = resolve(specification, schema);

    return Object.entries(value).map(([name, text]) => ({
        name,
        text,
        type: resolve(specification, properties[name]).format === "binary"
            ? types[text.split(".").pop()] ?? "application/octet-stream"
            : undefined,
    }));
}

function resolve(specification, { $ref, ...schema }) {
    return $ref
        ? $ref.slice(2).split("/").reduce((at, name) => at[name], specification)
        : schema;
}

// ---- values, as a language writes them

// An expression of the language itself.
class Code {
    constructor(text) {
        this.text = text;
    }
}

const code = (text) => new Code(text);

// On one line where it fits behind what stands at `column`, else an entry a line.
function literal(value, syntax, indent = "", column = indent.length) {
    if (value instanceof Code) {
        return value.text;
    }

    if (typeof value === "string") {
        return syntax.string(value);
    }

    if (value === null || typeof value !== "object") {
        return syntax.words?.[value] ?? String(value);
    }

    const list = Array.isArray(value);
    const [open, close] = list ? ["[", "]"] : syntax.object;
    const inner = `${indent}    `;
    const entries = (within) => Object.entries(value).map(([key, entry]) => {
        const before = list ? "" : syntax.key(key);
        return before + literal(entry, syntax, within,
                                within.length + before.length);
    });
    const line = list || Object.keys(value).length > 0
        ? open + entries(indent).join(", ") + close
        : syntax.empty ?? open + close;

    if (!line.includes("\n") && column + line.length <= width) {
        return syntax.spaced && line.startsWith("{") && line.length > 2
            ? `{ ${line.slice(1, -1)} }`
            : line;
    }

    const end = syntax.trailing ? "," : "";
    return `${open}\n${inner}${entries(inner).join(`,\n${inner}`)}${end}\n`
        + indent + close;
}

const syntaxes = {
    json: {
        object: ["{", "}"],
        string: JSON.stringify,
        key: (key) => `${JSON.stringify(key)}: `,
    },
    php: {
        object: ["[", "]"],
        string: (text) => `'${text.replace(/[\\']/g, "\\$&")}'`,
        key: (key) => `'${key.replace(/[\\']/g, "\\$&")}' => `,
        empty: "new stdClass()",
        trailing: true,
    },
    python: {
        object: ["{", "}"],
        string: JSON.stringify,
        key: (key) => `${JSON.stringify(key)}: `,
        words: { true: "True", false: "False", null: "None" },
        trailing: true,
    },
    node: {
        object: ["{", "}"],
        string: JSON.stringify,
        key: (key) => (/^[A-Za-z_]\w*$/.test(key) ? key : JSON.stringify(key))
            + ": ",
        trailing: true,
        spaced: true,
    },
};

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const word = (text) => /^[\w:/.%-]+$/.test(text) ? text : quoted(text);

// ---- the four languages

const writers = { curl, php, python, node };

function curl({ method, url, signed, json, form }) {
    const implied = json === undefined && !form ? "GET" : "POST";
    const words = method === implied ? "" : `-X ${method} `;
    const parts = [`curl -i ${words}${word(url)}`];

    parts.push(signed ? '-H "X-API-Key: $key"'
                      : `-H "X-API-Key: ${placeholders.key}"`);

    if (signed) {
        parts.push('-H "X-API-Timestamp: $time"',
                   '-H "X-API-Signature: $signature"');
    }

    if (json !== undefined) {
        parts.push('-H "Content-Type: application/json"',
                   `-d ${quoted(literal(json, syntaxes.json, "    ", 8))}`);
    }

    for (const { name, text, type } of form ?? []) {
        parts.push(`-F ${quoted(type ? `${name}=@${text};type=${type}`
                                     : `${name}=${text}`)}`);
    }

    return `${signed ? sign.curl : ""}${parts.join(" \\\n    ")}\n`;
}

function php({ method, url, signed, json, form }) {
    const { string } = syntaxes.php;
    const headers = signed
        ? [code('"X-API-Key: $key"'), code('"X-API-Timestamp: $time"'),
           code('"X-API-Signature: $signature"')]
        : [`X-API-Key: ${placeholders.key}`];
    const options = [["RETURNTRANSFER", true]];
    const at = (name) => `    CURLOPT_${name} => `;

    if (method !== "GET" && method !== "POST") {
        options.push(["CUSTOMREQUEST", method]);
    }

    if (json !== undefined) {
        headers.push("Content-Type: application/json");
    }

    options.push(["HTTPHEADER", headers]);

    if (json !== undefined) {
        options.push(["POSTFIELDS", code(`json_encode(${
            literal(json, syntaxes.php, "    ", 41)})`)]);
    } else if (form) {
        options.push(["POSTFIELDS", Object.fromEntries(form.map(
            ({ name, text, type }) => [name, type
                ? code(`new CURLFile(${string(text)}, ${string(type)})`)
                : text]))]);
    }

    const lines = options.map(([name, value]) => at(name)
        + literal(value, syntaxes.php, "    ", at(name).length) + ",\n");

    return `<?php
${signed ? sign.php : ""}$curl = curl_init(${string(url)});
curl_setopt_array($curl, [
${lines.join("")}]);
$body = curl_exec($curl);
if ($body === false) {
    exit(curl_error($curl) . "\\n");
}
echo curl_getinfo($curl, CURLINFO_RESPONSE_CODE), "\\n", $body, "\\n";
`;
}

function python({ method, url, signed, json, form }) {
    const string = JSON.stringify;
    const modules = ["urllib.error", "urllib.request"];
    const headers = { "X-API-Key": signed ? code("key") : placeholders.key };
    const options = [string(url)];
    let before = "";

    if (signed) {
        modules.push("base64", "hmac", "time");
        headers["X-API-Timestamp"] = code("now");
        headers["X-API-Signature"] = code("signature");
        before = sign.python;
    }

    if (json !== undefined) {
        modules.push("json");
        headers["Content-Type"] = "application/json";
    } else if (form) {
        modules.push("uuid");
        headers["Content-Type"] = code(
            'f"multipart/form-data; boundary={boundary}"');
        before = pythonForm(form);
    }

    if (method !== "GET") {
        options.push(`method=${string(method)}`);
    }

    options.push(`headers=${literal(headers, syntaxes.python, "    ", 12)}`);

    if (json !== undefined) {
        options.push(`data=json.dumps(${
            literal(json, syntaxes.python, "    ", 30)}).encode()`);
    } else if (form) {
        options.push("data=body");
    }

    return `import ${modules.sort().join(", ")}

${before}request = urllib.request.Request(
    ${options.join(",\n    ")},
)
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.read().decode())
`;
}

function pythonForm(form) {
    const braced = (text) => text.replace(/[{}]/g, "$&$&");
    const inner = (text) => braced(JSON.stringify(text).slice(1, -1));
    const start = 'f"--{boundary}\\r\\n"';
    const lines = [];
    let opened = "";

    for (const { name, text, type } of form) {
        const disposition = `Content-Disposition: form-data; name="${name}"`;

        lines.push(start);

        if (type) {
            lines.push(`f'${braced(disposition)}; filename="${inner(text)}"\\r\\n'`,
                       `"Content-Type: ${type}\\r\\n\\r\\n"`);
            opened = text;
        } else {
            lines.push(`f'${braced(disposition)}\\r\\n\\r\\n'`,
                       `f"${inner(text)}\\r\\n"`);
        }
    }

    // what has no placeholder needs no f
    const plain = lines.map((line) =>
        /^f.*\{/.test(line) ? line : line.replace(/^f/, ""));

    return `boundary = uuid.uuid4().hex
with open(${JSON.stringify(opened)}, "rb") as file:
    content = file.read()
body = (
    ${plain.join("\n    ")}
).encode() + content + f"\\r\\n--{boundary}--\\r\\n".encode()

`;
}

function node({ method, url, signed, json, form }) {
    const string = JSON.stringify;
    const headers = { "X-API-Key": signed ? code("key") : placeholders.key };
    const options = [];
    let before = "";

    if (signed) {
        headers["X-API-Timestamp"] = code("time");
        headers["X-API-Signature"] = code("signature");
        before = sign.node;
    }

    if (json !== undefined) {
        headers["Content-Type"] = "application/json";
    } else if (form) {
        before = nodeForm(form);
    }

    if (method !== "GET") {
        options.push(`method: ${string(method)}`);
    }

    options.push(`headers: ${literal(headers, syntaxes.node, "    ", 13)}`);

    if (json !== undefined) {
        options.push(`body: JSON.stringify(${
            literal(json, syntaxes.node, "    ", 27)})`);
    } else if (form) {
        options.push("body: form");
    }

    return `${before}const response = await fetch(${string(url)}, {
    ${options.join(",\n    ")},
});
console.log(response.status, await response.text());
`;
}

function nodeForm(form) {
    const string = JSON.stringify;
    const lines = form.map(({ name, text, type }) => type
        ? `const file = await readFile(${string(text)});\n`
            + `form.append(${string(name)}, new Blob([file], { type: ${
                string(type)} }), ${string(text)});`
        : `form.append(${string(name)}, ${string(text)});`);

    return `import { readFile } from "node:fs/promises";

const form = new FormData();
${lines.join("\n")}

`;
}

// What a signed request begins with. The guide shows the same lines.

const sign = {
    curl: `key='${placeholders.key}'
secret='${placeholders.secret}'
time=$(date +%s)
hex=$(printf %s "$secret" | openssl base64 -d -A | od -A n -v -t x1 | tr -d ' \\n')
signature=$(printf %s "$key$time" |
    openssl dgst -sha256 -mac HMAC -macopt "hexkey:$hex" -binary | openssl base64 -A)

`,
    php: `$key = '${placeholders.key}';
$secret = base64_decode('${placeholders.secret}');
$time = (string) time();
$signature = base64_encode(hash_hmac('sha256', $key . $time, $secret, true));

`,
    python: `key = "${placeholders.key}"
secret = base64.b64decode("${placeholders.secret}")
now = str(int(time.time()))
signature = base64.b64encode(hmac.digest(secret, (key + now).encode(), "sha256")).decode()

`,
    node: `import { createHmac } from "node:crypto";

const key = "${placeholders.key}";
const secret = Buffer.from("${placeholders.secret}", "base64");
const time = Math.floor(Date.now() / 1000).toString();
const signature = createHmac("sha256", secret).update(key + time).digest("base64");

`,
};
