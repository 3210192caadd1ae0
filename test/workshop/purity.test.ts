import { describe, expect, test } from "vitest";
import { impurities, purity } from "../../scripts/gates/purity.ts";
import { tempTree } from "../support/temp-tree.ts";

const found = (text: string): string[] => impurities({ path: "core/x.ts", text });

describe("purity gate", () => {
  test.each([
    ["Date.now", "export const t = Date.now();"],
    ["new Date()", "export const t = new Date();"],
    ["Date()", "export const t = Date();"],
    ["Math.random", "export const t = Math.random;"],
    ["setTimeout", "export const t = () => setTimeout(() => undefined, 1);"],
    ["performance", "export const t = performance.now();"],
    ["process", "export const t = process.env;"],
    ["globalThis", "export const t = globalThis;"],
    ["fetch", 'export const t = fetch("x");'],
    ["node:fs", 'import { readFileSync } from "node:fs";\nexport const t = readFileSync;'],
    ["import()", 'export const t = import("./y.ts");'],
  ])("names %s and its line", (what, text) => {
    const problems = found(`// first line\n${text}\n`);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems[0]).toBe(`core/x.ts:2: ${what} in a pure module; take it as an argument`);
  });

  test.each([
    "// Date.now() in a comment",
    'export const t = "Math.random()";',
    "export const t = new Date(1000).getUTCHours();",
    "export const f = (process: number) => process + 1;",
    "export interface T { process: number }",
    "export const t = { process: 1 }.process;",
  ])("lets %j be", (text) => {
    expect(found(text)).toEqual([]);
  });

  test("looks at pure folders only, the file readers excepted", async () => {
    const clock = "export const t = Date.now();\n";
    const root = tempTree({
      "core/fine.ts": "export const a = 1;\n",
      "agent/main.ts": clock,
      "sim/traces/read.ts": 'import { readFileSync } from "node:fs";\nexport const t = readFileSync;\n',
      "scaler/intake/fold.ts": clock,
      "agent/summarize/pool.ts": clock,
    });
    const result = await purity.run(root);
    expect(result.looked).toBe("3 pure modules");
    expect(result.problems.split("\n").map((line) => line.split(":")[0])).toEqual(["agent/summarize/pool.ts", "scaler/intake/fold.ts"]);
  });
});
