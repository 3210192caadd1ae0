import { describe, expect, test } from "vitest";
import { CATALOG, type MetricSpec } from "../../core/catalog.ts";
import { badEntries, unknownNames } from "../../scripts/gates/catalog.ts";
import { breaches } from "../../scripts/gates/house-style.ts";
import { unportable } from "../../scripts/gates/lockfile.ts";
import { size, tooLong } from "../../scripts/gates/size.ts";
import { tempTree } from "../support/temp-tree.ts";

describe("size gate", () => {
  test("400 lines pass, 401 do not", () => {
    const file = (count: number): { path: string; text: string } => ({ path: `core/${count}.ts`, text: "x;\n".repeat(count) });
    expect(tooLong([file(400), file(401)])).toEqual(["core/401.ts: 401 lines, at most 400: split it by idea"]);
  });

  test("fails on a tree that has such a file", async () => {
    expect((await size.run(tempTree({ "core/long.ts": "x;\n".repeat(500) }))).ok).toBe(false);
  });
});

describe("style gate", () => {
  const say = (text: string, path = "core/x.ts"): string[] => breaches({ path, text });

  test.each([
    ["barrel", 'export * from "./y.ts";\n'],
    ["without a reason", "// oxlint-disable-next-line no-console\n"],
    ["silenced type error", "// @ts-ignore\n"],
    ["without a reason", "// @ts-expect-error\n"],
    ["without its extension", 'import { y } from "./y";\n'],
  ])("names a %s", (words, text) => {
    expect(say(`\n${text}`)).toEqual([expect.stringMatching(new RegExp(`^core/x\\.ts:2: .*${words}`))]);
  });

  test.each([
    "// oxlint-disable-next-line no-console -- the log is not open yet\n",
    "// @ts-expect-error the library's type lacks this option\n",
    'import { y } from "./y.ts";\n',
    'import data from "./y.json" with { type: "json" };\n',
  ])("lets %j be", (text) => {
    expect(say(text)).toEqual([]);
  });

  test("tests neither skip silently nor mock modules", () => {
    expect(say('it.only("x", () => 1);\nvi.mock("./a.ts");\n', "test/core/x.test.ts")).toHaveLength(2);
    expect(say('it.skipIf(true)("x", () => 1);\n', "test/core/x.test.ts")).toEqual([]);
  });

  test("files are named after an idea", () => {
    expect(say("", "core/utils.ts")).toHaveLength(1);
    expect(say("", "agent/index.ts")).toHaveLength(1);
    expect(say("", "core/units.ts")).toEqual([]);
  });
});

describe("catalog gate", () => {
  const spec = (fields: Partial<MetricSpec>): MetricSpec => ({
    name: "fulcrum_x",
    kind: "gauge",
    help: "A thing.",
    labels: [],
    by: ["agent"],
    ...fields,
  });

  test("the catalog itself is in order", () => {
    expect(badEntries(CATALOG)).toEqual([]);
  });

  test.each([
    ["twice", [spec({}), spec({})]],
    ["_total", [spec({ kind: "counter" })]],
    ["_total", [spec({ name: "fulcrum_x_total" })]],
    ["lower case", [spec({ name: "fulcrum_X" })]],
    ["buckets", [spec({ kind: "histogram" })]],
    ["sentence", [spec({ help: "a thing" })]],
    ["label twice", [spec({ labels: ["a", "a"] })]],
  ])("an entry with %s is named", (words, specs) => {
    expect(badEntries(specs)).toEqual([expect.stringContaining(words)]);
  });

  test("a name that is not in the catalog is found with its line", () => {
    const text = 'expr: "rate(fulcrum_reports_sent_total[1m])"\nexpr: fulcrum_no_such_thing\n';
    expect(unknownNames({ path: "alerts/x.yaml", text }, CATALOG)).toEqual([
      "alerts/x.yaml:2: fulcrum_no_such_thing is not in core/catalog.ts",
    ]);
  });

  test("histogram series, wildcards and recorded names are known", () => {
    const text = "fulcrum_ttft_seconds_bucket fulcrum_gpu_* fulcrum:ttft:burn5m job:fulcrum_x:rate FULCRUM_PORT";
    expect(unknownNames({ path: "docs/x.md", text }, CATALOG)).toEqual([]);
    expect(unknownNames({ path: "docs/x.md", text: "fulcrum_gpu_budget_bucket fulcrum_zzz_*" }, CATALOG)).toHaveLength(2);
  });
});

describe("lockfile gate", () => {
  test("download addresses, missing hashes and loose versions are named", () => {
    const lock = { packages: { "": {}, "node_modules/a": { resolved: "somewhere", integrity: "sha512-x" }, "node_modules/b": {} } };
    expect(unportable(lock, { dependencies: { a: "1.0.0", b: "^2.0.0" } })).toEqual([
      expect.stringContaining("node_modules/a: carries a download address"),
      "node_modules/b: no integrity hash",
      "b@^2.0.0: pin the exact version",
    ]);
  });
});
