import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import type { Decision, ReasonCode } from "../../../../core/decision.ts";
import type { Judged } from "../../../../scaler/loop/follow-policies.ts";
import type { TickView } from "../../../../scaler/loop/tick-view.ts";
import { statusOf, type PolicyStatus } from "../../../../scaler/kube/report/status.ts";
import type { Structural } from "../../../../scripts/crd/structural.ts";
import { violations } from "../../../support/openapi.ts";
import { decide } from "../../../support/kube-api/scene.ts";
import { policyOf, POLICY_TEXT } from "../../support/policy.ts";

const definition = parse(readFileSync(new URL("../../../../deploy/base/crd/scalingpolicies.yaml", import.meta.url), "utf8")) as {
  spec: { versions: [{ schema: { openAPIV3Schema: Structural } }] };
};
const SCHEMA = definition.spec.versions[0].schema.openAPIV3Schema;
const { spec: SPEC } = parse(POLICY_TEXT) as { spec: object };
const NO_GPU = { sm: null, tensor: null, dram: null, powerWatts: null };

const policy = policyOf();
const judged = (verdict: Judged["verdict"] = { kind: "in use" }, generation = 4): Judged => ({
  object: {
    namespace: "demo",
    name: "test",
    uid: "u",
    generation,
    policy: { ok: true, value: policy },
    status: undefined,
    deleting: false,
  },
  verdict,
});
const latency = (p95: number, p99: number) => ({ count: 9, mean: 0.1, p50: 0.1, p90: 0.2, p95, p99 });
const facts = (desired: number) => ({
  name: "x",
  model: undefined,
  engine: undefined,
  desired,
  unschedulable: 0,
  limits: {},
  replicas: [],
});

function view(
  given: {
    readonly override?: TickView["override"];
    readonly decision?: Partial<Decision>;
    readonly result?: TickView["result"];
    readonly seen?: boolean;
  } = {},
): TickView {
  const seen = given.seen !== false;
  return {
    name: "demo/test",
    at: 2000.7,
    policy,
    override: given.override,
    observation: {
      type: "observation",
      at: 2000,
      pools: {
        prefill: {
          ...(seen ? { replicas: { ready: 2, starting: [], draining: 0 } } : {}),
          interval: { seconds: 5, ttft: latency(0.41234, 1.2345) },
        },
        decode: { interval: { seconds: 5, itl: latency(0.0201, 0.03) } },
      },
    },
    decision: { ...decide(3, 4), ...given.decision },
    result: given.result ?? { outcome: "applied", actions: [] },
    facts: seen ? { prefill: facts(2), decode: facts(4), gpus: undefined } : undefined,
    insight: null,
    ttftSource: undefined,
    gpus: { prefill: NO_GPU, decode: NO_GPU },
    reversals: [],
  };
}

const reason = (code: ReasonCode, text: string = code) => ({ reasons: [{ code, text }] });
const states = (status: PolicyStatus): string[] => status.conditions.map((c) => `${c.type} ${c.status} ${c.reason}`);

test("what was seen and decided, in the form of the custom resource", () => {
  const status = statusOf(judged(), view(), undefined, 3000);
  expect(status).toEqual({
    observedGeneration: 4,
    mode: "enforce",
    conditions: [
      {
        type: "Ready",
        status: "True",
        reason: "Valid",
        message: expect.any(String) as string,
        observedGeneration: 4,
        lastTransitionTime: "1970-01-01T00:50:00Z",
      },
      {
        type: "EvidenceFresh",
        status: "True",
        reason: "Fresh",
        message: expect.any(String) as string,
        observedGeneration: 4,
        lastTransitionTime: "1970-01-01T00:50:00Z",
      },
      {
        type: "Acting",
        status: "True",
        reason: "Enforcing",
        message: expect.any(String) as string,
        observedGeneration: 4,
        lastTransitionTime: "1970-01-01T00:50:00Z",
      },
    ],
    ttft: "412ms",
    itl: "20.1ms",
    prefill: { desired: 3, ready: 2 },
    decode: { desired: 4 },
    lastDecision: { at: "1970-01-01T00:33:20Z", reason: "prefill-short", message: "", hold: false },
  });
  const object = { apiVersion: "fulcrum.dev/v1alpha1", kind: "ScalingPolicy", metadata: { name: "test" }, spec: SPEC, status };
  expect(violations(SCHEMA, object)).toEqual([]);
});

test("each condition says why it is not true, and a pool that is not seen has no count, not a zero", () => {
  expect(states(statusOf(judged(), undefined, undefined, 0))).toEqual([
    "Ready Unknown Starting",
    "EvidenceFresh Unknown Starting",
    "Acting Unknown Starting",
  ]);
  const conflict = statusOf(judged({ kind: "conflict", message: "also in b" }), view(), undefined, 0);
  expect(states(conflict)).toEqual(["Ready False Conflict", "EvidenceFresh Unknown Conflict", "Acting False Conflict"]);
  expect(conflict.lastDecision).toBeUndefined();
  const failed = { outcome: "failed", actions: [], error: "there is no Deployment demo/prefill" } as const;
  const away = statusOf(
    judged(),
    view({ seen: false, result: failed, decision: { ...reason("insufficient-evidence", "nothing seen"), hold: true } }),
    undefined,
    0,
  );
  expect(states(away)).toEqual(["Ready False TargetsNotSeen", "EvidenceFresh False InsufficientEvidence", "Acting False Failed"]);
  expect(away.conditions[0]?.message).toBe("there is no Deployment demo/prefill");
  expect([away.prefill, away.decode]).toEqual([undefined, undefined]);
  expect(states(statusOf(judged(), view({ decision: reason("partial-evidence") }), undefined, 0))[1]).toBe(
    "EvidenceFresh True PartialEvidence",
  );
});

test("an operator's override is the mode that is told, and who said it", () => {
  const override = { mode: "paused", by: "alice", at: 0, reason: "drill" } as const;
  const paused = statusOf(judged(), view({ override }), undefined, 0);
  expect([paused.mode, states(paused)[2]]).toEqual(["paused", "Acting False Paused"]);
  expect(paused.conditions[2]?.message).toBe("paused by alice since 1970-01-01T00:00:00Z: drill");
  const observed = statusOf(judged(), view({ override: { ...override, mode: "observe" } }), undefined, 0);
  expect([observed.mode, states(observed)[2]]).toEqual(["observe", "Acting False Observe"]);
});

test("a condition's time is when its status last changed, whoever wrote it before", () => {
  const first = statusOf(judged(), view(), undefined, 1000);
  const same = statusOf(judged(), view({ decision: reason("decode-short") }), JSON.parse(JSON.stringify(first)), 2000);
  expect(same.conditions.map((c) => c.lastTransitionTime)).toEqual(first.conditions.map((c) => c.lastTransitionTime));
  const failed = statusOf(judged(), view({ result: { outcome: "failed", actions: [], error: "no" } }), same, 3000);
  expect(failed.conditions.map((c) => c.lastTransitionTime.slice(14, 19))).toEqual(["16:40", "16:40", "50:00"]);
  for (const nonsense of [null, 7, {}, { conditions: "x" }, { conditions: [{ type: "Ready", status: "True" }] }]) {
    expect(statusOf(judged(), view(), nonsense, 5000).conditions[0]?.lastTransitionTime).toBe("1970-01-01T01:23:20Z");
  }
});
