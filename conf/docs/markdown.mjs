// The guide, and the specification's descriptions, as HTML. Beyond Markdown
// the guide has
//   ## Title {#anchor}
//   {{operations}}                          a block that was made elsewhere
//   {{file receivers/x.php php receiver}}   a file of this folder as code
//   ```php sign                             code with a name; what has the
//                                           same name in a row becomes tabs

import { readFileSync } from "node:fs";
import { figure, tabs } from "./code.mjs";
import { raw } from "./html.mjs";
import { vendor } from "./specification.mjs";

const MarkdownIt = vendor("markdown-it");
const BLOCK = /^\{\{([^{}]+)\}\}$/;

const plain = new MarkdownIt({ html: false });

export const inline = (text) => raw(plain.renderInline(text.trim()));
export const block = (text) => raw(plain.render(text));

// The HTML of a guide, and its headings: { level, id, title }.
export function guide(text, { blocks, words }) {
    const md = new MarkdownIt({ html: false });
    const headings = [];

    md.core.ruler.after("block", "guide", ({ tokens, Token }) => {
        tokens.splice(0, tokens.length,
                      ...grouped(replaced(tokens, blocks, Token), words, Token));
        tokens.forEach((token, i) => {
            if (token.type === "heading_open") {
                headings.push(anchored(token, tokens[i + 1]));
            }
        });
    });

    md.renderer.rules.table_open = () => '<div class="wide" tabindex="0"><table>\n';
    md.renderer.rules.table_close = () => "</table></div>\n";

    return { body: raw(md.render(text)), headings };
}

function anchored(heading, content) {
    const [, title, id] = content.content.match(/^(.*?)\s*\{#([\w-]+)\}$/)
        ?? fail(`a heading without an anchor: ${content.content}`);

    content.content = title;
    heading.attrSet("id", id);
    return { level: Number(heading.tag.slice(1)), id, title };
}

// Paragraphs that are {{...}} alone, as what they stand for.
function replaced(tokens, blocks, Token) {
    const out = [];

    for (let i = 0; i < tokens.length; i++) {
        const found = tokens[i].type === "paragraph_open"
            && tokens[i + 1].content.split("\n").map((line) => line.match(BLOCK));

        if (!found || !found[0]) {
            out.push(tokens[i]);
            continue;
        }

        for (const line of found) {
            out.push(one(line?.[1] ?? fail(`not a block: ${tokens[i + 1].content}`),
                         blocks, Token));
        }

        i += 2;
    }

    return out;
}

function one(name, blocks, Token) {
    const [word, file, language, label] = name.split(" ");

    if (word !== "file") {
        return made(blocks[name] ?? fail(`no such block: ${name}`), Token);
    }

    return Object.assign(new Token("fence", "code", 0), {
        info: `${language} ${label}`,
        content: readFileSync(new URL(file, import.meta.url), "utf8"),
    });
}

function made(content, Token) {
    return Object.assign(new Token("html_block", "", 0), { content: String(content) });
}

// Each fence as a figure, those of one name in a row as tabs.
function grouped(tokens, words, Token) {
    const out = [];

    for (let i = 0; i < tokens.length;) {
        if (tokens[i].type !== "fence") {
            out.push(tokens[i++]);
            continue;
        }

        const row = [];
        const [, name] = tokens[i].info.split(" ");

        do {
            const [language, snippet] = tokens[i].info.split(" ");
            const data = snippet ? { snippet } : {};

            row.push({ language, figure: figure(language, tokens[i++].content, data) });
        } while (name && tokens[i]?.type === "fence"
                 && tokens[i].info.split(" ")[1] === name);

        out.push(made(tabs(`tabs-${name}`, words.language, row), Token));
    }

    return out;
}

function fail(message) {
    throw new Error(message);
}
