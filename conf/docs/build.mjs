// Makes what partners read, in the folder that is named: the specification, as
// it is written and as JSON.

import { copyFileSync, writeFileSync } from "node:fs";
import { specification } from "./specification.mjs";

const to = process.argv[2];

const json = (name, language) =>
    writeFileSync(`${to}/${name}`,
                  JSON.stringify(specification(language), null, 1) + "\n");

copyFileSync(new URL("../openapi/openapi.yaml", import.meta.url),
             `${to}/openapi.yaml`);
json("openapi.json", "en");
json("openapi.fr.json", "fr");
