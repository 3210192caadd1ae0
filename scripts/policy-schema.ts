/** Writes scaler/policy/schema.json, the JSON Schema that editors use; with --check says whether it is current. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { policyJsonSchema } from "../scaler/policy/json-schema.ts";

const file = fileURLToPath(new URL("../scaler/policy/schema.json", import.meta.url));
const text = `${JSON.stringify(policyJsonSchema(), null, 2)}\n`;

if (process.argv.includes("--check")) {
  if (readFileSync(file, "utf8") !== text) {
    console.error("scaler/policy/schema.json is not what scaler/policy/schema.ts says: run `npm run docs`");
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, text);
}
