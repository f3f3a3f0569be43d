// Makes what operators' programs read, in the folder that is named: the
// description of the admin endpoint and status, as it is written and as JSON.

import { copyFileSync, writeFileSync } from "node:fs";
import { read } from "./specification.mjs";

const to = process.argv[2];

copyFileSync(new URL("../openapi/admin.yaml", import.meta.url),
             `${to}/openapi.yaml`);
writeFileSync(`${to}/openapi.json`,
              JSON.stringify(read("admin.yaml"), null, 1) + "\n");
