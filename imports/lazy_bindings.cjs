// Preloaded into the jsii kernel's Node process: see __init__.py beside this file.
//
// The index of @cdktf/provider-aws requires every module of the package. Each line
//     exports.s3Bucket = require("./s3-bucket");
// becomes a getter that requires the module on first access.
"use strict";

const Module = require("node:module");

const INDEX = /[\\/]@cdktf[\\/]provider-aws[\\/]lib[\\/]index\.js$/;
const REQUIRE_LINE = /^exports\.(\w+) = require\((".+?")\);$/gm;

const compile = Module.prototype._compile;

Module.prototype._compile = function (content, filename, ...rest) {
  return compile.call(this, INDEX.test(filename) ? withLazyGetters(content, filename) : content, filename, ...rest);
};

function withLazyGetters(content, filename) {
  const required = content.match(/\brequire\(/g)?.length ?? 0;
  const lines = content.match(REQUIRE_LINE)?.length ?? 0;
  if (lines === 0 || lines !== required) {
    process.emitWarning(`${filename} has an unexpected layout: loading all of it, which is slow`);
    return content;
  }
  return content.replace(
    REQUIRE_LINE,
    (_, name, path) => `Object.defineProperty(exports, "${name}", { enumerable: true, get: () => require(${path}) });`,
  );
}
