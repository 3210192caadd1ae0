import * as fc from "fast-check";

export const GOOD_SPEC = { objectives: { ttft: { target: "500ms" } }, budget: { gpus: 8 } };

/** What is wrong with it, a policy's spec, and the code by which the scaler says so. */
export const BAD_SPECS: readonly (readonly [string, unknown, string])[] = [
  ["no objective", { ...GOOD_SPEC, objectives: {} }, "POLICY_NO_OBJECTIVE"],
  ["a target of zero", { ...GOOD_SPEC, objectives: { ttft: { target: "0ms" } } }, "POLICY_RANGE"],
  ["a target of 0", { ...GOOD_SPEC, objectives: { itl: { target: 0 } } }, "POLICY_RANGE"],
  ["a target without unit", { ...GOOD_SPEC, objectives: { ttft: { target: "500" } } }, "POLICY_UNIT"],
  ["a quantile of 1", { ...GOOD_SPEC, objectives: { ttft: { target: "1s", quantile: 1 } } }, "POLICY_RANGE"],
  ["no bound", { objectives: GOOD_SPEC.objectives }, "POLICY_NO_BOUND"],
  ["one bound of two", { objectives: GOOD_SPEC.objectives, pools: { prefill: { replicas: { max: 4 } } } }, "POLICY_NO_BOUND"],
  [
    "minimums above the budget",
    { ...GOOD_SPEC, pools: { prefill: { replicas: { min: 5 } }, decode: { gpusPerReplica: 4 } } },
    "POLICY_BUDGET",
  ],
  ["a floor above the budget", { ...GOOD_SPEC, schedule: [{ cron: "0 8 * * *", for: "1h", decode: { min: 8 } }] }, "POLICY_BUDGET"],
  [
    "a floor above max",
    { ...GOOD_SPEC, pools: { decode: { replicas: { max: 2 } } }, schedule: [{ cron: "0 8 * * *", for: "1h", decode: { min: 3 } }] },
    "POLICY_RANGE",
  ],
  ["an entry without floor", { ...GOOD_SPEC, schedule: [{ cron: "0 8 * * *", for: "1h" }] }, "POLICY_REQUIRED"],
  ["replicas upside down", { ...GOOD_SPEC, pools: { prefill: { replicas: { min: 3, max: 2 } } } }, "POLICY_RANGE"],
  [
    "batch min above the default max",
    { ...GOOD_SPEC, pools: { prefill: { batch: { maxBatchedTokens: { min: 20000 } } } } },
    "POLICY_RANGE",
  ],
  ["batch max below the default min", { ...GOOD_SPEC, pools: { decode: { batch: { maxNumSeqs: { max: 4 } } } } }, "POLICY_RANGE"],
  ["a ratio upside down", { ...GOOD_SPEC, ratio: { prefillPerDecode: { min: 2, max: 1 } } }, "POLICY_RANGE"],
  ["a step of nothing", { ...GOOD_SPEC, behavior: { scaleUp: { step: "0%" } } }, "POLICY_RANGE"],
  ["a step without unit", { ...GOOD_SPEC, behavior: { scaleDown: { step: "25" } } }, "POLICY_UNIT"],
  ["a mode that is none", { ...GOOD_SPEC, mode: "enforced" }, "POLICY_VALUE"],
  ["a typo", { ...GOOD_SPEC, bugdet: {} }, "POLICY_UNKNOWN_FIELD"],
  ["a typo deep down", { ...GOOD_SPEC, pools: { prefill: { replica: {} } } }, "POLICY_UNKNOWN_FIELD"],
  ["half a replica", { ...GOOD_SPEC, pools: { prefill: { replicas: { min: 1.5 } } } }, "POLICY_TYPE"],
  [
    "a target without name",
    { ...GOOD_SPEC, pools: { prefill: { target: { apiVersion: "apps/v1", kind: "Deployment" } } } },
    "POLICY_REQUIRED",
  ],
  ["an empty model", { ...GOOD_SPEC, model: "" }, "POLICY_RANGE"],
  ["no spec", undefined, "POLICY_REQUIRED"],
];

const replicas = fc.record({ min: fc.integer({ min: 0, max: 6 }), max: fc.integer({ min: 0, max: 8 }) }, { requiredKeys: [] });
const pool = fc.record({ replicas, gpusPerReplica: fc.integer({ min: 0, max: 3 }) }, { requiredKeys: [] });
const objective = fc.record(
  { target: fc.constantFrom("500ms", "0s", "1h30m", " 2s ", "5", "soon", 0, 3, -1, "0.0ms"), quantile: fc.constantFrom(0, 0.5, 0.99, 1) },
  { requiredKeys: ["target"] },
);
const direction = fc.record(
  { step: fc.constantFrom("25%", "0%", "100%", 1, 0, "x"), cooldown: fc.constantFrom("1m", 5, "x") },
  { requiredKeys: [] },
);
const floor = fc.record({ min: fc.integer({ min: 0, max: 6 }) });
const entry = fc.record(
  { cron: fc.constant("0 8 * * *"), for: fc.constantFrom("1h", 60), prefill: floor, decode: floor },
  { requiredKeys: ["cron", "for"] },
);
/** Bounds, budgets, floors, targets and steps in any combination; few of them hold together. */
export const specs = fc.record(
  {
    mode: fc.constantFrom("observe", "enforce", "paused", "off"),
    objectives: fc.record({ ttft: objective, itl: objective, headroom: fc.constantFrom(0, 0.5, 0.95) }, { requiredKeys: [] }),
    budget: fc.record({ gpus: fc.integer({ min: 0, max: 20 }) }, { requiredKeys: [] }),
    pools: fc.record({ prefill: pool, decode: pool }, { requiredKeys: [] }),
    ratio: fc.record({ prefillPerDecode: fc.record({ min: fc.constantFrom(0, 0.5, 2), max: fc.constantFrom(0.25, 2, 3) }) }),
    behavior: fc.record({ scaleUp: direction, scaleDown: direction }, { requiredKeys: [] }),
    schedule: fc.array(entry, { maxLength: 3 }),
  },
  { requiredKeys: ["objectives"] },
);
