import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { policyFromJson } from "../../scaler/policy/load.ts";
import { policyDefinition } from "../../scripts/crd/definition.ts";
import { RULED_PATHS } from "../../scripts/crd/rules.ts";
import { toStructural, type Structural } from "../../scripts/crd/structural.ts";
import { evaluate } from "../support/cel.ts";
import { modelProblems } from "../support/kube-models.ts";
import { BAD_SPECS, GOOD_SPEC, specs } from "../support/policy-specs.ts";
import { structuralProblems, unboundedLoops, violations } from "../support/openapi.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const committed = parse(readFileSync(`${root}/deploy/base/crd/scalingpolicies.yaml`, "utf8")) as ReturnType<typeof policyDefinition>;
const [version] = committed.spec.versions;
const schema: Structural = version.schema.openAPIV3Schema;

/** Both verdicts on one object. */
function verdicts(value: unknown): { readonly scaler: readonly string[]; readonly cluster: readonly string[] } {
  const parsed = policyFromJson(value);
  return {
    scaler: parsed.ok ? [] : parsed.error.map(({ code, message }) => `${code} ${message}`),
    cluster: violations(schema, value),
  };
}

const policy = (spec: unknown): unknown => ({
  apiVersion: "fulcrum.dev/v1alpha1",
  kind: "ScalingPolicy",
  metadata: { name: "p", namespace: "serving" },
  spec,
});

describe("the custom resource", () => {
  it("is what the policy's schema says (drift)", () => {
    expect(committed).toEqual(JSON.parse(JSON.stringify(policyDefinition())));
  });

  it("is structural, and has no field that CustomResourceDefinition lacks", () => {
    expect(structuralProblems(schema)).toEqual([]);
    expect(modelProblems(committed as never)).toEqual([]);
  });

  it("has no rule whose cost an API server cannot bound: it would refuse the whole definition", () => {
    expect(unboundedLoops(schema)).toEqual([]);
    const list: Structural = { type: "array", items: { type: "object" } };
    const rules = (rule: string): Structural => ({ type: "object", "x-kubernetes-validations": [{ rule, message: "" }] });
    expect(unboundedLoops({ ...rules("self.?a.orValue([]).all(e, e > 1)"), properties: { a: { ...list, maxItems: 3 } } })).toHaveLength(1);
    expect(unboundedLoops({ ...rules("self.a.all(e, e > 1)"), properties: { a: list } })).toHaveLength(1);
    expect(unboundedLoops({ ...rules("!has(self.a) || self.a.all(e, e > 1)"), properties: { a: { ...list, maxItems: 3 } } })).toEqual([]);
  });

  it("shows mode, TTFT against its target, replicas of both pools, whether it acts and the reason, each from a field that exists", () => {
    const columns = version.additionalPrinterColumns;
    expect(columns.filter((column) => column.priority === undefined).map((column) => column.name)).toEqual([
      "Mode",
      "TTFT",
      "Target",
      "P",
      "P-want",
      "D",
      "D-want",
      "Ready",
      "Acting",
      "Reason",
      "Age",
    ]);
    for (const { jsonPath } of columns) {
      if (jsonPath.startsWith(".metadata.")) continue;
      let node: Structural | undefined = schema;
      for (const key of jsonPath
        .slice(1)
        .replace(/\[\?\([^)]*\)\]/, "[]")
        .split(".")) {
        node = key.endsWith("[]") ? node?.properties?.[key.slice(0, -2)]?.items : node?.properties?.[key];
      }
      expect(node, jsonPath).toBeDefined();
    }
  });

  it("has a status of its own with conditions that merge by type", () => {
    expect(version.subresources).toEqual({ status: {} });
    const status = {
      conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z", reason: "Valid", message: "" }],
      ttft: "420ms",
      prefill: { desired: 3, ready: 2 },
      lastDecision: { at: "2026-01-01T00:00:00Z", reason: "prefill-short", message: "…", hold: false },
    };
    expect(violations(schema, { ...(policy(GOOD_SPEC) as object), metadata: {}, status })).toEqual([]);
    expect(violations(schema, { spec: GOOD_SPEC, status: { conditions: [{ type: "Ready", status: "Yes" }] } })).not.toEqual([]);
  });

  it("sets no default but the mode: later versions may know better ones", () => {
    const defaults: string[] = [];
    const walk = (node: Structural, path: string): void => {
      if (node.default !== undefined) defaults.push(path);
      for (const [key, value] of Object.entries(node.properties ?? {})) walk(value, `${path}.${key}`);
      if (node.items !== undefined) walk(node.items, `${path}[]`);
    };
    walk(schema, "");
    expect(defaults).toEqual([".spec.mode"]);
  });

  it("has its rules where they were meant to be", () => {
    for (const path of RULED_PATHS) {
      let node: Structural | undefined = schema.properties?.["spec"];
      for (const key of path.split(".").filter((part) => part !== "")) {
        node = node?.properties?.[key.replace("[]", "")];
        if (key.endsWith("[]")) node = node?.items;
      }
      expect(node?.["x-kubernetes-validations"]?.length, path).toBeGreaterThan(0);
    }
  });
});

describe("files and objects get the same verdict", () => {
  const files = ["policies", "deploy/overlays/observe/policies"].flatMap((folder) =>
    readdirSync(`${root}/${folder}`)
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => `${folder}/${name}`),
  );
  test.each(files)("%s is valid in both", (file) => {
    const documents = parseAllDocuments(readFileSync(`${root}/${file}`, "utf8")).map((document) => document.toJS() as unknown);
    expect(documents.length).toBeGreaterThan(0);
    for (const value of documents) expect(verdicts({ ...(value as object), metadata: { name: "x" } })).toEqual({ scaler: [], cluster: [] });
  });

  test.each(BAD_SPECS)("%s is refused by both", (_, spec, code) => {
    const { scaler, cluster } = verdicts(policy(spec));
    expect(scaler.join("\n")).toContain(code);
    expect(cluster).not.toEqual([]);
  });

  it("whatever the combination of bounds, budgets, floors, targets and steps", () => {
    let accepted = 0;
    fc.assert(
      fc.property(specs, (value) => {
        const { scaler, cluster } = verdicts(policy(value));
        if (scaler.length === 0) accepted++;
        expect(cluster.length === 0, `scaler: ${scaler.join("; ")}\ncluster: ${cluster.join("; ")}`).toBe(scaler.length === 0);
      }),
      // Among drawn ones that are accepted are rare.
      { numRuns: 2000, examples: [[GOOD_SPEC]] },
    );
    // A law about refusals alone would prove little.
    expect(accepted).toBeGreaterThan(0);
  });

  test.each([
    ["a cron expression that is none", { ...GOOD_SPEC, schedule: [{ cron: "whenever", for: "1h", decode: { min: 2 } }] }],
    ["a time zone that is none", { ...GOOD_SPEC, schedule: [{ cron: "0 8 * * *", timezone: "Mars", for: "1h", decode: { min: 2 } }] }],
    ["a window over a week", { ...GOOD_SPEC, schedule: [{ cron: "0 8 * * *", for: "8d", decode: { min: 2 } }] }],
    ["an interval out of range", { ...GOOD_SPEC, behavior: { interval: "1ms" } }],
    ["a duration over a year", { ...GOOD_SPEC, pools: { prefill: { leadTime: "366d" } } }],
  ])("left to the scaler: %s", (_, value) => {
    const { scaler, cluster } = verdicts(policy(value));
    expect(scaler).not.toEqual([]);
    expect(cluster).toEqual([]);
  });

  test.each([
    ["a share as a fraction", { ...GOOD_SPEC, behavior: { scaleUp: { step: 0.5 } } }],
    ["a duration as a fraction", { ...GOOD_SPEC, objectives: { ttft: { target: 0.5 } } }],
    ["a name over 253 characters", { ...GOOD_SPEC, model: "m".repeat(254) }],
  ])("narrower in the cluster: %s", (_, value) => {
    const { scaler, cluster } = verdicts(policy(value));
    expect(scaler).toEqual([]);
    expect(cluster).not.toEqual([]);
  });
});

describe("the generator and the checks themselves", () => {
  it("stops at a kind of field that is not structural", () => {
    expect(() => toStructural({ type: "object", properties: {}, additionalProperties: false }, "x")).toThrow("only closed objects");
    expect(() => toStructural({ type: "object", properties: { a: { type: "null" } }, additionalProperties: false }, "x")).toThrow("x.a");
  });

  it("would notice a schema that is not structural", () => {
    const wrong: Structural = {
      type: "object",
      properties: { a: {}, b: { type: "array" }, c: { type: "string", "x-kubernetes-int-or-string": true } },
      required: ["d"],
    };
    expect(structuralProblems({ ...wrong, ...({ anyOf: [] } as object) })).toHaveLength(5);
  });

  it("reads CEL as the API server does", () => {
    const cases: readonly (readonly [string, unknown, boolean])[] = [
      ["self.a + 2 * 3 <= 7", { a: 1 }, true],
      ["!has(self.a) || self.a > 1", {}, true],
      ["has(self.a) && self.a > 1", { a: 1 }, false],
      ["self.?a.?b.orValue(3) < 4", { a: {} }, true],
      ["self.?a.?b.hasValue()", {}, false],
      ["self.?list.orValue([]).all(e, e.x > self.y)", { list: [{ x: 2 }, { x: 3 }], y: 2 }, false],
      ["(self.a > 1 ? 10 : 20) >= 20", { a: 1 }, true],
      ["string(self.a).matches('^[1-9]$')", { a: 5 }, true],
    ];
    for (const [rule, self, expected] of cases) expect(evaluate(rule, self), rule).toBe(expected);
    const unread = [
      ["self.a +", "not expected"],
      ["size(self.a)", "no function size"],
      ["self.a.upper()", "no method upper"],
      ["other > 1", "no variable other"],
      ["self.a # 1", "not CEL"],
    ] as const;
    for (const [rule, why] of unread) expect(() => evaluate(rule, { a: 1 }), rule).toThrow(why);
  });
});
