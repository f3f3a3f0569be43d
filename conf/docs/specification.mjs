// The Partner API's specification as an object: specification("en") as it is
// written, specification("fr") with the texts of its overlay. Packages are
// those of conf/setup/vendor, in build/vendor.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const top = new URL("../../", import.meta.url);
export const vendor = createRequire(new URL("build/vendor/", top));
const { applyOverlay } = await import(pathToFileURL(
    vendor.resolve("openapi-overlays-js/src/overlay.js")));

// A file of conf/openapi.
export const read = (name) =>
    vendor("yaml").parse(readFileSync(new URL(`conf/openapi/${name}`, top),
                                      "utf8"));

export function specification(language) {
    const english = read("openapi.yaml");

    return language === "fr"
        ? applyOverlay(english, read("fr.overlay.yaml"))
        : english;
}
