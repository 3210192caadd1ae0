import { describe, expect, test } from "vitest";
import type { TtftSource } from "../../../scaler/intake/ttft-source.ts";
import type { TickView } from "../../../scaler/loop/tick-view.ts";
import { createScalerMetrics } from "../../../scaler/serve/metrics.ts";
import { policyOf } from "../support/policy.ts";

const policy = policyOf();
const none = { sm: null, tensor: null, dram: null, powerWatts: null };

const tick = (ttftSource: TtftSource | undefined): TickView => ({
  name: "demo/test",
  at: 1,
  policy,
  override: undefined,
  observation: { type: "observation", at: 1, pools: {} },
  decision: {
    type: "decision",
    at: 1,
    pools: { prefill: { replicas: 1 }, decode: { replicas: 1 } },
    moves: [],
    predicted: {},
    reasons: [],
    hold: false,
  },
  result: { outcome: "unchanged", actions: [] },
  facts: undefined,
  insight: null,
  ttftSource,
  gpus: { prefill: none, decode: none },
  reversals: [],
});

describe("the side the TTFT was taken from", () => {
  const lines = async (metrics: ReturnType<typeof createScalerMetrics>): Promise<readonly string[]> =>
    (await metrics.page()).split("\n").filter((line) => line.startsWith("fulcrum_ttft_source{"));
  const { namespace, name } = policy.metadata;
  const line = (source: TtftSource): string => `fulcrum_ttft_source{namespace="${namespace}",policy="${name}",source="${source}"} 1`;

  test("is one series, follows the choice, and is absent when nothing was observed", async () => {
    const metrics = createScalerMetrics();
    metrics.tick(tick("prefill+decode"));
    expect(await lines(metrics)).toEqual([line("prefill+decode")]);
    metrics.tick(tick("frontend"));
    expect(await lines(metrics)).toEqual([line("frontend")]);
    metrics.tick(tick(undefined));
    expect(await lines(metrics)).toEqual([]);
  });

  test("goes with its policy", async () => {
    const metrics = createScalerMetrics();
    metrics.tick(tick("decode"));
    metrics.dropPolicy(policy);
    expect(await lines(metrics)).toEqual([]);
  });
});
