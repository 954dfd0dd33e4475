// Checks dashboards against the types of @grafana/schema.
//
//   node check.mjs DASHBOARD.json...
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const generator = createGenerator({
  path: fileURLToPath(new URL("types.ts", import.meta.url)),
  tsconfig: fileURLToPath(new URL("tsconfig.json", import.meta.url)),
  skipTypeCheck: true,
});
const ajv = new Ajv({ strict: false, allErrors: true });
const validators = new Map();

function faults(type, value, where) {
  if (!validators.has(type)) validators.set(type, ajv.compile(generator.createSchema(type)));
  const validate = validators.get(type);
  if (validate(value)) return [];
  return validate.errors.map((error) => {
    const what = error.params.additionalProperty ?? error.params.allowedValues ?? "";
    return `${where}${error.instancePath}: ${error.message} ${what}`;
  });
}

const kinds = {
  row: {},
  stat: { options: "StatOptions" },
  table: { options: "TableOptions", custom: "TableCustom" },
  timeseries: { options: "TimeseriesOptions", custom: "TimeseriesCustom" },
  traces: {}, // has no options
};

let panels = 0;
const found = process.argv.slice(2).flatMap((path) => {
  const board = JSON.parse(readFileSync(path, "utf8"));
  const ids = board.panels.map((panel) => panel.id);
  const twice = ids.filter((id, n) => ids.indexOf(id) !== n).map((id) => `two panels have the id ${id}`);
  panels += ids.length;
  const inside = board.panels.flatMap((panel) => {
    const where = `/panels/${panel.title}`;
    const kind = kinds[panel.type];
    if (!kind) return [`${where}: the kind ${panel.type} is not known to check.mjs`];
    const custom = panel.fieldConfig?.defaults?.custom;
    return [
      ...(kind.options ? faults(kind.options, panel.options, `${where}/options`) : []),
      ...(kind.custom && custom ? faults(kind.custom, custom, `${where}/fieldConfig/defaults/custom`) : []),
    ];
  });
  return [...twice, ...faults("Frame", board, ""), ...inside].map((fault) => `${path}: ${fault}`);
});

found.forEach((fault) => console.error(fault));
if (panels === 0 || found.length > 0) process.exit(1);
console.log(`${panels} panels are as Grafana's schema has them`);
