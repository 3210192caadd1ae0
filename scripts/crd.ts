/** Writes deploy/base/crd/scalingpolicies.yaml from the policy's schema; with --check says whether it is current. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { policyDefinition } from "./crd/definition.ts";

const file = fileURLToPath(new URL("../deploy/base/crd/scalingpolicies.yaml", import.meta.url));
const head =
  "# Generated from scaler/policy/schema.ts by scripts/crd.ts (`npm run docs`). Needs Kubernetes 1.29 (CEL with optional types).\n";
const text = head + stringify(policyDefinition(), { lineWidth: 0, aliasDuplicateObjects: false });

if (process.argv.includes("--check")) {
  if (readFileSync(file, "utf8") !== text) {
    console.error("deploy/base/crd/scalingpolicies.yaml is not what scaler/policy/schema.ts says: run `npm run docs`");
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, text);
}
