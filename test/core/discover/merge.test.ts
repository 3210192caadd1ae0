import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { attribute } from "../../../core/discover/attribute.ts";
import { mergeTargets } from "../../../core/discover/merge.ts";
import type { EngineTarget, TargetsFile } from "../../../core/targets.ts";
import { container, pod } from "./pods.ts";

const LIMITS = { engines: 512, pools: 64, replicasPerPool: 256, gpuPages: 16 };
const prefill = (name: string, more: Parameters<typeof pod>[0] = {}) =>
  attribute(pod({ name, labels: { "llm-d.ai/role": "prefill" }, ...more }));
const written = (...engines: EngineTarget[]): TargetsFile => ({ node: "n", engines, gpus: [{ url: "http://x:9400/metrics" }] });
const targetOf = (name: string): EngineTarget => {
  const found = prefill(name);
  if (found.kind !== "engine") throw new Error(found.kind);
  return found.target;
};

describe("discovered pods beside a targets file", () => {
  it("are added to it; a pod that both describe alike is read once and no conflict", () => {
    const m = mergeTargets("n", written(targetOf("a")), [prefill("a", { ready: false }), prefill("b")], LIMITS);
    expect(m.targets.engines.map((e) => [e.pod, e.phase])).toEqual([
      ["a", "ready"],
      ["b", "ready"],
    ]);
    expect([m.conflicts, m.unattributed]).toEqual([[], []]);
    expect(m.targets.gpus).toEqual([{ url: "http://x:9400/metrics" }]);
  });

  it("the file wins where they disagree, and it is told", () => {
    const m = mergeTargets("n", written({ ...targetOf("a"), role: "decode", pool: "other" }), [prefill("a")], LIMITS);
    expect(m.targets.engines).toMatchObject([{ pod: "a", role: "decode", pool: "other" }]);
    expect(m.conflicts).toEqual([expect.stringContaining("serving/a: the targets file says (other, decode")]);
  });

  it("a pool keeps the role, model and engine of its oldest pod; one that differs is told", () => {
    const other = prefill("new", { createdAt: 1_795_000_100, containers: [container({ words: ["vllm", "serve", "other-model"] })] });
    const m = mergeTargets("n", undefined, [other, prefill("old")], LIMITS);
    expect(m.targets.engines.map((e) => e.pod)).toEqual(["old"]);
    expect(m.unattributed).toMatchObject([{ pod: "new", reason: "pool-conflict" }]);
  });

  it("what a report cannot hold is told and not read", () => {
    const many = ["a", "b", "c"].map((name) => prefill(name));
    const pods = (limits: Partial<typeof LIMITS>) => mergeTargets("n", undefined, many, { ...LIMITS, ...limits });
    for (const m of [pods({ engines: 2 }), pods({ replicasPerPool: 2 })]) {
      expect(m.targets.engines.map((e) => e.pod)).toEqual(["a", "b"]);
      expect(m.unattributed).toMatchObject([{ pod: "c", reason: "over-limit" }]);
    }
    expect(pods({ pools: 0 }).unattributed.map((u) => u.reason)).toEqual(["over-limit", "over-limit", "over-limit"]);
  });

  it("law: every pod is in the targets or told, within the limits, in whatever order they are listed", () => {
    const arbitrary = fc.uniqueArray(
      fc.record({
        name: fc.stringMatching(/^[a-z]{1,3}$/),
        role: fc.constantFrom("prefill", "decode", "none"),
        pool: fc.constantFrom("p", "q", "r"),
        at: fc.nat(3),
      }),
      { selector: ({ name }) => name, maxLength: 20 },
    );
    fc.assert(
      fc.property(arbitrary, fc.nat(6), (pods, engines) => {
        const found = pods.map(({ name, role, pool, at }) =>
          attribute(pod({ name, createdAt: at, labels: { "llm-d.ai/role": role }, owner: { kind: "StatefulSet", name: pool } })),
        );
        const limits = { engines, pools: 2, replicasPerPool: 4, gpuPages: 1 };
        const m = mergeTargets("n", undefined, found, limits);
        expect(mergeTargets("n", undefined, found.toReversed(), limits)).toEqual(m);
        expect([...m.targets.engines.map((e) => e.pod), ...m.unattributed.map((u) => u.pod)].toSorted()).toEqual(
          pods.map((p) => p.name).toSorted(),
        );
        expect(m.targets.engines.length).toBeLessThanOrEqual(engines);
        expect(new Set(m.targets.engines.map((e) => e.pool)).size).toBeLessThanOrEqual(2);
      }),
    );
  });
});
