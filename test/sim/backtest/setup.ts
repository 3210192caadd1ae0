import { policySchema, type Policy } from "../../../scaler/policy/schema.ts";
import type { BacktestSetup } from "../../../sim/backtest/setup.ts";
import { defaultProfile } from "../../../sim/profiles/load.ts";
import { toPrior } from "../../../scaler/policy/profile.ts";
import { builtinTrace } from "../../../sim/traces/builtin.ts";

export function policy(spec: Record<string, unknown> = {}): Policy {
  return policySchema.parse({
    apiVersion: "fulcrum.dev/v1alpha1",
    kind: "ScalingPolicy",
    metadata: { name: "test" },
    spec: {
      mode: "enforce",
      objectives: { ttft: { target: "500ms" }, itl: { target: "30ms" } },
      budget: { gpus: 8 },
      pools: { prefill: { leadTime: "15s" }, decode: { leadTime: "15s" } },
      behavior: { interval: "2s", scaleDown: { stabilization: "30s", cooldown: "15s" } },
      ...spec,
    },
  });
}

type Overrides = Partial<
  Pick<BacktestSetup, "trace" | "policy" | "faults" | "seed" | "reportDelay" | "reportLoss" | "ttftFrom" | "leadTime" | "localPrefill">
>;

export function setup(overrides: Overrides = {}): BacktestSetup {
  return { policy: policy(), prior: toPrior(defaultProfile), trace: builtinTrace(1), seed: 1, faults: [], ...overrides };
}
