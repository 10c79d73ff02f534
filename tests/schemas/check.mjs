// Does what is deployed keep to its vendor's schema? Called as `node check.mjs KIND`, with the file on standard input;
// prints what was read, as JSON, and every fault that the vendor's schema finds.
//
//   teams   a manifest, by the schema of the version that it names: @microsoft/app-manifest brings them all
//   slack   a manifest in YAML or JSON, by Slack's own TypeScript type of it: no package brings Slack's JSON Schema
//   png     a picture: its size and its colours
import { readFileSync } from "node:fs";
import Ajv from "ajv-draft-04";
import addFormats from "ajv-formats";
import { PNG } from "pngjs";
import ts from "typescript";
import { parse } from "yaml";

const here = new URL(".", import.meta.url);

/** By Microsoft's JSON Schema. It says draft-04 but uses `const`, which draft-04 overlooks; this validator does not. */
function teams(bytes) {
  const manifest = JSON.parse(bytes);
  const version = manifest.manifestVersion;
  const address = `https://developer.microsoft.com/json-schemas/teams/v${version}/MicrosoftTeams.schema.json`;
  if (manifest.$schema !== address) return { manifest, faults: [`/$schema is not ${address}`] };
  const file = `node_modules/@microsoft/app-manifest/build/json-schemas/teams/v${version}/MicrosoftTeams.schema.json`;
  const ajv = new Ajv.default({ allErrors: true, strictTypes: false });
  addFormats.default(ajv);
  const validate = ajv.compile(JSON.parse(readFileSync(new URL(file, here))));
  validate(manifest);
  return { manifest, faults: (validate.errors ?? []).map((fault) => `${fault.instancePath} ${fault.message}`) };
}

/** By the type in @slack/web-api: keys, the kinds of their values, and the names of scopes and events. */
function slack(bytes) {
  const manifest = parse(bytes.toString());
  const type = new URL("node_modules/@slack/web-api/dist/types/request/manifest.js", here).pathname;
  // The type lets any key stand at the top; the others it knows.
  const source = `import type { Manifest } from "${type}";
    type Known = { [Key in keyof Manifest as string extends Key ? never : Key]: Manifest[Key] };
    (${JSON.stringify(manifest)}) satisfies Known;`;
  const name = new URL("manifest.check.ts", here).pathname;
  const options = {
    strict: true,
    noEmit: true,
    types: [],
    lib: ["lib.es5.d.ts"],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (file) => file === name || fileExists(file);
  host.getSourceFile = (file, ...more) =>
    file === name ? ts.createSourceFile(file, source, ...more) : getSourceFile(file, ...more);
  const found = ts.getPreEmitDiagnostics(ts.createProgram([name], options, host));
  return { manifest, faults: found.map((fault) => ts.flattenDiagnosticMessageText(fault.messageText, " ")) };
}

/** Colours as `rrggbbaa`, each once. */
function png(bytes) {
  const { width, height, data } = PNG.sync.read(bytes);
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4) colours.add(data.toString("hex", at, at + 4));
  return { width, height, colours: [...colours].sort() };
}

const kinds = { teams, slack, png };
console.log(JSON.stringify(kinds[process.argv[2]](readFileSync(0))));
