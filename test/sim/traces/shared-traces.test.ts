import { describe, expect, it } from "vitest";
import { multiplyRate } from "../../../sim/traces/rate.ts";
import { readTrace } from "../../../sim/traces/read.ts";
import { sharedPath } from "../../support/shared.ts";

/** Published statistics of the public traces (their README): requests, seconds, mean and longest prompt, mean answer. */
const TRACES = [
  ["azure_llm_2023_conv.csv", 19_366, 3501.7, 1154.7, 14_050, 211.1],
  ["mooncake_fast25_conversation.jsonl.gz", 12_031, 3537, 12_035.1, 126_195, 342.6],
  ["aibrix_8min_up_and_down.csv", 2024, 455.9, 293.5, 2415, 73.4],
  ["servegen_m-large_day3_24h_scale0.05.csv.gz", 551_260, 86_400, 726.7, 30_432, 199.4],
] as const;

describe.each(TRACES)("public trace %s (needs shared data)", (name, count, seconds, meanInput, longest, meanOutput) => {
  const path = sharedPath(`traces/${name}`);

  it.skipIf(path === undefined)("has the published counts and lengths", { timeout: 60_000 }, async () => {
    const read = await readTrace(path ?? "");
    if (!read.ok) throw new Error(read.error.join());
    const trace = read.value;
    expect(trace.requests).toHaveLength(count);
    expect(trace.seconds).toBeCloseTo(seconds, 0);
    expect(trace.inputTokens / count).toBeCloseTo(meanInput, 0);
    expect(trace.outputTokens / count).toBeCloseTo(meanOutput, 0);
    expect(trace.requests.reduce((most, { inputTokens }) => Math.max(most, inputTokens), 0)).toBe(longest);
  });
});

describe("Mooncake timestamps (needs shared data)", () => {
  const path = sharedPath("traces/mooncake_fast25_conversation.jsonl.gz");

  it.skipIf(path === undefined)("sit on a grid of about three seconds and are spread over it", async () => {
    const read = await readTrace(path ?? "");
    if (!read.ok) throw new Error(read.error.join());
    expect(read.value.grid).toBeCloseTo(3, 2);
    const spread = multiplyRate(read.value, 1, 1);
    const distinct = (requests: readonly { arrival: number }[]): number => new Set(requests.map(({ arrival }) => arrival)).size;
    expect(distinct(read.value.requests)).toBe(1180);
    expect(distinct(spread.requests)).toBeGreaterThan(11_000);
    const hashes = (trace: typeof spread): number => trace.requests.reduce((sum, { hashIds }) => sum + (hashIds?.length ?? 0), 0);
    expect(hashes(spread)).toBe(hashes(read.value));
  });
});
