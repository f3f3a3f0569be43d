// Makes what partners read, in the folder that is named: the specification, as
// it is written and as JSON, and the docs, a page a language.

import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { page } from "./page.mjs";
import { specification } from "./specification.mjs";
import { words } from "./words.mjs";

const to = process.argv[2];
const copy = (from, name) => copyFileSync(new URL(from, import.meta.url), `${to}/${name}`);
const json = (name, language) =>
    writeFileSync(`${to}/${name}`,
                  JSON.stringify(specification(language), null, 1) + "\n");

copy("../openapi/openapi.yaml", "openapi.yaml");
json("openapi.json", "en");
json("openapi.fr.json", "fr");

copy("../console/icon.svg", "icon.svg");
for (const name of readdirSync(new URL(".", import.meta.url))) {
    if (/\.(?:css|js)$/.test(name)) copy(name, name);
}

for (const language of ["en", "fr"]) {
    mkdirSync(`${to}/${language}`);
    writeFileSync(`${to}/${language}/index.html`, page(language));
    writeFileSync(`${to}/${language}/words.js`,
                  `export default ${JSON.stringify(words[language].try, null, 1)};\n`);
}
