import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parsePolicies } from "../../../scaler/policy/load.ts";
import { POLICY_CODES } from "../../../scaler/policy/problem.ts";

const docs = readFileSync(fileURLToPath(new URL("../../../docs/policy.md", import.meta.url)), "utf8");

test("docs/policy.md lists every code, and no other", () => {
  const listed = [...docs.matchAll(/^\| `(POLICY_[A-Z_]+)` +\|/gm)].map((m) => m[1]);
  expect(listed.sort()).toEqual([...POLICY_CODES].sort());
});

test("the policy it shows is valid", () => {
  const [, yaml = ""] = /```yaml\n([\s\S]*?)```/.exec(docs) ?? [];
  expect(parsePolicies(yaml, "docs/policy.md").ok).toBe(true);
});
