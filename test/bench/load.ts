import { policySchema } from "../../scaler/policy/schema.ts";
import type { BacktestSetup } from "../../sim/backtest/setup.ts";
import { defaultProfile } from "../../sim/profiles/load.ts";
import { toPrior } from "../../scaler/policy/profile.ts";
import { readTrace } from "../../sim/traces/read.ts";
import type { Trace } from "../../sim/traces/trace.types.ts";
import { sharedPath } from "../support/shared.ts";

/** The public Azure conversation trace of 2023 (one hour, 19,366 requests), undefined where it is not beside the checkout. */
export async function azureConversation(): Promise<Trace | undefined> {
  const file = sharedPath("traces/azure_llm_2023_conv.csv");
  if (file === undefined) return undefined;
  const read = await readTrace(file);
  if (!read.ok) throw new Error(read.error.join("\n"));
  return read.value;
}

/** A budget of eight GPUs (four prefill and four decode replicas when all are used) and the defaults for everything else. */
export function eightGpus(trace: Trace): BacktestSetup {
  const policy = policySchema.parse({
    apiVersion: "fulcrum.dev/v1alpha1",
    kind: "ScalingPolicy",
    metadata: { name: "bench" },
    spec: {
      mode: "enforce",
      objectives: { ttft: { target: "500ms" }, itl: { target: "30ms" } },
      budget: { gpus: 8 },
      pools: { prefill: { leadTime: "60s" }, decode: { leadTime: "60s" } },
    },
  });
  return { policy, prior: toPrior(defaultProfile), trace, seed: 1, faults: [] };
}
