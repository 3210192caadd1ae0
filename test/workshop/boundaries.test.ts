import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { boundaries, judge } from "../../scripts/gates/boundaries.ts";
import { HOME } from "../../scripts/gates/command.ts";
import { tempTree } from "../support/temp-tree.ts";

const MANIFEST = JSON.stringify({ dependencies: { ws: "8", zod: "4", "prom-client": "15" }, devDependencies: { "fast-check": "4" } });

const CLEAN = {
  "package.json": MANIFEST,
  "core/a.ts": "export const a = 1;\n",
  "wire/b.ts": 'import { z } from "zod";\nimport { a } from "../core/a.ts";\nexport const b = z.literal(a);\n',
  "agent/c.ts": 'import { b } from "../wire/b.ts";\nexport const c = b;\n',
  "scaler/s.ts": "export const s = 1;\n",
  "scaler/main.ts": "export const m = 1;\n",
  "scaler/intake/i.ts": "export const i = 1;\n",
  "agent/type.ts": "export type C = number;\n",
  "test/t.ts": "export const t = 1;\n",
};

/** Rule, file that breaks it, text. Each file breaks one rule. */
const BAD = [
  ["agent-imports", "agent/to-scaler.ts", 'import { s } from "../scaler/s.ts";\nexport const x = s;\n'],
  ["core-imports", "core/to-wire.ts", 'import { b } from "../wire/b.ts";\nexport const x = b;\n'],
  ["core-packages", "core/to-zod.ts", 'import { z } from "zod";\nexport const x = z;\n'],
  ["scaler-imports", "scaler/to-agent-type.ts", 'import type { C } from "../agent/type.ts";\nexport const x: C = 1;\n'],
  ["sim-imports", "sim/to-intake.ts", 'import { i } from "../scaler/intake/i.ts";\nexport const x = i;\n'],
  ["wire-imports", "wire/to-agent.ts", 'import { c } from "../agent/type.ts";\nexport const x = c;\n'],
  ["cli-imports", "cli/to-intake.ts", 'import { i } from "../scaler/intake/i.ts";\nexport const x = i;\n'],
  ["pure-without-node", "scaler/decide/files.ts", 'import { readFileSync } from "node:fs";\nexport const x = readFileSync;\n'],
  ["browser-without-node", "web/path.ts", 'import { join } from "node:path";\nexport const x = join;\n'],
  ["no-cycle", "core/one.ts", 'import { y } from "./two.ts";\nexport const x = y;\n'],
  ["nobody-imports-a-main", "scaler/to-main.ts", 'import { m } from "./main.ts";\nexport const x = m;\n'],
  ["not-from-tests-or-scripts", "scaler/to-test.ts", 'import { t } from "../test/t.ts";\nexport const x = t;\n'],
  ["resolvable", "core/nowhere.ts", 'import { n } from "./gone.ts";\nexport const x = n;\n'],
  ["one-importer-ws", "agent/socket.ts", 'import { WebSocket } from "ws";\nexport const x = WebSocket;\n'],
  ["one-importer-prom-client", "scaler/decide/count.ts", 'import { Counter } from "prom-client";\nexport const x = Counter;\n'],
  ["no-dev-dependencies-in-the-product", "agent/check.ts", 'import { fc } from "fast-check";\nexport const x = fc;\n'],
] as const;

function tree(files: Readonly<Record<string, string>>): string {
  const root = tempTree(files);
  symlinkSync(join(HOME, "node_modules"), join(root, "node_modules"));
  return root;
}

describe("boundaries gate", () => {
  test("passes a tree that keeps to the table and says how much it saw", async () => {
    const result = await boundaries.run(tree(CLEAN));
    expect(result).toEqual({ ok: true, looked: "8 modules", problems: "" });
  });

  test("names every broken rule with the file that breaks it, and nothing else", async () => {
    const otherHalf = { "core/two.ts": 'import { x } from "./one.ts";\nexport const y = () => x;\n' };
    const root = tree({ ...CLEAN, ...otherHalf, ...Object.fromEntries(BAD.map(([, path, text]) => [path, text])) });
    const result = await boundaries.run(root);
    expect(result.ok).toBe(false);
    const found = result.problems.split("\n").map((line) => line.split(" → ")[0]);
    for (const [rule, path] of BAD) expect(found).toContain(`${rule}: ${path}`);
    expect(new Set(found.map((line) => line?.split(": ")[1]))).toEqual(new Set(BAD.map(([, path]) => path)));
  });

  test("fails when the tool saw fewer modules than exist", () => {
    const result = judge(["core/a.ts", "core/b.ts"], { modules: [{ source: "core/a.ts" }], summary: { violations: [] } });
    expect(result.ok).toBe(false);
    expect(result.problems).toBe("core/b.ts: not seen by dependency-cruiser");
  });

  test("fails when there is nothing to see", async () => {
    expect((await boundaries.run(tempTree({ "README.md": "" }))).ok).toBe(false);
  });
});
