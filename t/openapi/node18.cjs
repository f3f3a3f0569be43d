// What redocly takes as given, which Debian's node 18 doesn't have.

const { File } = require('node:buffer');

const LONE = /\p{Surrogate}/gu;

globalThis.File ??= File;

String.prototype.isWellFormed ??= function isWellFormed() {
    return this.search(LONE) < 0;
};

String.prototype.toWellFormed ??= function toWellFormed() {
    return this.replace(LONE, '\uFFFD');
};
