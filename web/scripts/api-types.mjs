// Writes src/api/schema.ts: the types of the API, from its description. The description is read from the snapshot that
// `crates/api` holds equal to what `clew openapi` prints, so that the page builds before the program does; a file given as
// argument is read instead.
import { readFileSync, writeFileSync } from "node:fs";

const here = new URL(".", import.meta.url);
const snapshot = new URL("../../crates/api/tests/api/snapshots/api__openapi__openapi.snap", here);
const source = readFileSync(process.argv[2] ?? snapshot, "utf8");
// A snapshot begins with a head of its own.
const description = JSON.parse(source.slice(source.indexOf("\n{") + 1 || 0));

const quoted = (name) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

function written(schema) {
  if (schema === undefined || schema === true) return "unknown";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.oneOf ?? schema.anyOf) return (schema.oneOf ?? schema.anyOf).map(written).join(" | ");
  if (schema.allOf) return schema.allOf.map((part) => `(${written(part)})`).join(" & ");
  if (Array.isArray(schema.type)) return schema.type.map((type) => written({ ...schema, type })).join(" | ");
  switch (schema.type) {
    case "string":
      return "string";
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "null":
      return "null";
    case "array":
      return `Array<${written(schema.items)}>`;
    case "object":
      return object(schema);
    default:
      return schema.properties ? object(schema) : "unknown";
  }
}

function object(schema) {
  const required = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(
    ([name, value]) => `  ${quoted(name)}${required.has(name) ? "" : "?"}: ${written(value).replaceAll("\n", "\n  ")};`,
  );
  if (fields.length > 0) return `{\n${fields.join("\n")}\n}`;
  const values = schema.additionalProperties;
  return `Record<string, ${values ? written(values) : "unknown"}>`;
}

const types = Object.entries(description.components.schemas).map(
  ([name, schema]) => `${schema.description ? `/** ${schema.description.replaceAll("*/", "* /")} */\n` : ""}export type ${name} = ${written(schema)};\n`,
);
const paths = Object.keys(description.paths).map((path) => `  | ${JSON.stringify(path)}`);
writeFileSync(
  new URL("../src/api/schema.ts", here),
  `// Made by scripts/api-types.mjs. Not to be edited, nor to be checked in.\n\n${types.join("\n")}\n/** Every path of the API. */\nexport type ApiPath =\n${paths.join("\n")};\n`,
);
