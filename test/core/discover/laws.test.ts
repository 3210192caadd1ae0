import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Attribution, UNATTRIBUTED_REASONS, attribute } from "../../../core/discover/attribute.ts";
import { ANNOTATIONS, type Pod } from "../../../core/discover/pod.ts";
import { ROLE_LABELS } from "../../../core/discover/roles.ts";
import { container, pod } from "./pods.ts";

const reason = (p: Pod): string => {
  const found = attribute(p);
  return found.kind === "unattributed" ? found.problem.reason : found.kind;
};

const VALUES = [
  "prefill",
  "decode",
  "both",
  "worker",
  "frontend",
  "epp",
  "encode",
  "planner",
  "llama-prefill",
  "a-decode-b",
  "PrefillWorker",
  "constructor",
  "__proto__",
  "",
  "x",
];
const labels = fc.uniqueArray(
  fc.tuple(fc.constantFrom(...ROLE_LABELS.map((r) => r.label), "app", "toString"), fc.constantFrom(...VALUES)),
  { selector: ([key]) => key, maxLength: 6 },
);
const word = fc.oneof(
  fc.constantFrom(
    "--disaggregation-mode",
    "prefill",
    "decode",
    "null",
    "--kv-transfer-config",
    '{"kv_role":"kv_producer"}',
    '{"kv_role":"kv_consumer"}',
    "--is-prefill-worker",
    "-c",
    "vllm",
    "serve",
    "dynamo.frontend",
    "$(X)",
    "--port",
    "--server_role=CONTEXT",
  ),
  fc.string({ maxLength: 20 }),
);
const anyPod = fc
  .record({
    pairs: labels,
    words: fc.array(word, { maxLength: 8 }),
    annotated: fc.dictionary(
      fc.constantFrom(...Object.values(ANNOTATIONS), "prometheus.io/port", "prometheus.io/path"),
      fc.oneof(fc.constantFrom(...VALUES, "8000", "vllm"), fc.string({ maxLength: 10 })),
    ),
    image: fc.constantFrom("vllm/vllm-openai", "lmsysorg/sglang:1", "a/b@sha256:0", "", "nginx"),
    gpus: fc.nat(2),
    state: fc.record({ deleting: fc.boolean(), ended: fc.boolean(), ready: fc.boolean() }),
  })
  .map(({ pairs, words, annotated, image, gpus, state }) => ({
    pairs,
    made: (order: typeof pairs) =>
      pod({ labels: Object.fromEntries(order), annotations: annotated, containers: [container({ words, image, gpus })], ...state }),
  }));

describe("the rules are laws", () => {
  it("total: every pod is exactly one thing, with a reason of the list where it is in no pool", () => {
    fc.assert(
      fc.property(anyPod, ({ pairs, made }) => {
        const found: Attribution = attribute(made(pairs));
        if (found.kind === "engine") {
          expect(["prefill", "decode", "aggregated", "frontend"]).toContain(found.target.role);
          expect(() => new URL(found.target.url)).not.toThrow();
          expect(found.target.pool.length * found.target.model.length).toBeGreaterThan(0);
        } else if (found.kind === "unattributed") {
          expect(UNATTRIBUTED_REASONS).toContain(found.problem.reason);
          expect(found.problem.detail).not.toBe("");
        } else expect(["waiting", "gpu-page", "ignored"]).toContain(found.kind);
      }),
      { numRuns: 2000 },
    );
  });

  it("deterministic: the same pod, its labels in any order, is the same thing", () => {
    fc.assert(
      fc.property(anyPod, ({ pairs, made }) => {
        expect(attribute(made(pairs.toReversed()))).toEqual(attribute(made(pairs)));
      }),
    );
  });

  it("an engine that nothing tells the role of is unattributed, whatever else is on the pod", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ maxLength: 12 }), fc.constantFrom(...VALUES)), (others) => {
        const strange = Object.fromEntries(Object.entries(others).filter(([key]) => !ROLE_LABELS.some((r) => r.label === key)));
        expect(reason(pod({ labels: strange }))).toBe("no-role");
      }),
    );
  });

  it("precedence: of labels that do not contradict each other, the first of the table decides", () => {
    fc.assert(
      fc.property(labels, (pairs) => {
        const found = attribute(pod({ labels: Object.fromEntries(pairs) }));
        if (found.kind !== "engine") return;
        const said = new Set<string>();
        for (const { label } of ROLE_LABELS) {
          const value = pairs.find(([key]) => key === label)?.[1];
          if (value === undefined) continue;
          const alone = attribute(pod({ labels: { [label]: value } }));
          if (alone.kind === "engine") said.add(alone.target.role);
          if (said.size > 0) break;
        }
        expect([...said]).toEqual([found.target.role]);
      }),
      { numRuns: 500 },
    );
  });
});
