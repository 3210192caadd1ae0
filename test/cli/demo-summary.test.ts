import { expect, it } from "vitest";
import { summarize, summaryText } from "../../cli/demo/summary.ts";
import { parsePolicies } from "../../scaler/policy/load.ts";

/** What the fleet's `/v1/truth` says of ten requests, six of which met everything and `inFlight` of which are still served. */
function summaryOf(inFlight: number): ReturnType<typeof summarize> {
  const policy = parsePolicies(
    "apiVersion: fulcrum.dev/v1alpha1\nkind: ScalingPolicy\nmetadata: { name: demo }\nspec: { budget: { gpus: 4 }, objectives: { ttft: { target: 1s } } }\n",
    "p.yaml",
  );
  const [only] = policy.ok ? policy.value : [];
  if (only === undefined) throw new Error(JSON.stringify(policy));
  const totals = { requests: 10, completed: 10 - inFlight, promptTokens: 1000, generatedTokens: 900, kvTransferBytes: 0 };
  const attainment = { ttft: 0.7, itl: 0.6, both: 0.6 };
  const truth = { ttft: null, itl: null, totals, inFlight, gpuSeconds: 60, attainment, timeline: [] };
  return summarize({
    collected: { truth, state: undefined, spans: 0 },
    policy: only,
    engine: "vllm",
    trace: "t",
    seconds: 10,
    interrupted: inFlight > 0,
    decisions: { total: 2, holds: 0 },
    restarts: {},
    journal: "j",
  });
}

it("a demo that is stopped judges the requests that have ended, and says how many have not", () => {
  const stopped = summaryOf(3);
  expect(stopped.attainment.both).toBeCloseTo(6 / 7, 12);
  expect(stopped.attainment.ttft).toBe(1);
  expect(summaryText(stopped)).toContain("7 of 10 requests completed, 3 still in flight");
  expect(summaryText(stopped)).toContain("met by 85.71 % of requests that ended");
});

it("a demo that ran to its end judges all of them", () => {
  expect(summaryOf(0).attainment).toEqual({ ttft: 0.7, itl: 0.6, both: 0.6 });
  expect(summaryText(summaryOf(0))).toContain("10 of 10 requests completed (");
  expect(summaryOf(10).attainment).toEqual({ ttft: null, itl: null, both: null });
});
