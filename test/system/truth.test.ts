import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { setTimeout as sleep } from "node:timers/promises";
import type { Distribution } from "../../core/distribution.ts";
import { quantileOf } from "../../core/distributions/quantile.ts";
import { startDemo, until, type RunningDemo } from "../support/demo.ts";
import { writeWorkload } from "../support/workload.ts";

interface Quantiles {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p95: number;
}

interface Truth {
  readonly ttft: Quantiles;
  readonly itl: Quantiles;
  readonly totals: Record<
    "requests" | "completed" | "promptTokens" | "cachedTokens" | "generatedTokens" | "kvTransferBytes" | "kvTransfers",
    number
  >;
  readonly raw: { readonly ttft: readonly number[] };
}

interface Totals {
  readonly pools: readonly {
    readonly role: string;
    readonly counters: Record<string, number>;
    readonly distributions: Record<string, Quantiles | null>;
  }[];
  readonly policies: readonly { readonly stitched: Record<string, Quantiles | null> }[];
}

/** Relative error of an exponential histogram of scale 5, 2^(2^-5) − 1, with the rounding of one sample. */
const SKETCH = 0.0225;

/** The truth as an engine's own buckets show it: what a histogram page can say at best. */
function bucketsOf(values: readonly number[], le: readonly number[]): Distribution {
  const counts = Array.from({ length: le.length + 1 }, () => 0);
  for (const v of values) {
    const i = le.findIndex((bound) => v <= bound);
    const at = i < 0 ? le.length : i;
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return { kind: "buckets", le, counts, sum: values.reduce((a, b) => a + b, 0), count: values.length };
}

describe.each([
  { engine: "vllm", spans: true },
  { engine: "vllm", spans: false },
  { engine: "sglang", spans: true },
  { engine: "sglang", spans: false },
] as const)("what agents report through the scaler, $engine engines, spans $spans", ({ engine, spans }) => {
  let demo: RunningDemo;
  let truth: Truth;
  let seen: Totals;
  const pool = (role: string): Totals["pools"][number] => {
    const found = seen.pools.find((p) => p.role === role);
    if (found === undefined) throw new Error(`no ${role} pool was reported`);
    return found;
  };

  beforeAll(async () => {
    const trace = await writeWorkload({ seconds: 20, rate: 12, isl: 1500, osl: 120, seed: 7 });
    demo = await startDemo(["--trace", trace, "--engine", engine, ...(spans ? [] : ["--no-spans"])]);
    const done = await until("all requests to complete", 100, async () => {
      const status = await demo.get<{ done: boolean }>(`${demo.fleet}/v1/status`);
      return status.done ? true : undefined;
    });
    expect(done).toBe(true);
    truth = await demo.get<Truth>(`${demo.fleet}/v1/truth?raw=1`);
    // One more scrape and report of each node: wait until all of it has come through, or fail below with what did.
    for (let i = 0; i < 20; i++) {
      seen = await demo.get<Totals>(`${demo.page}/api/totals`);
      const stitched = seen.policies[0]?.stitched["ttft"]?.count ?? 0;
      const arrived =
        pool("decode").counters["generatedTokens"] === truth.totals.generatedTokens &&
        pool("prefill").counters["promptTokens"] === truth.totals.promptTokens &&
        pool("frontend").distributions["ttft"]?.count === truth.ttft.count;
      if (arrived && (!spans || stitched === truth.ttft.count)) break;
      await sleep(100);
    }
  });
  afterAll(async () => {
    demo.interrupt();
    await demo.ended;
  });

  it("counts tokens, requests and KV bytes exactly", () => {
    expect(truth.totals.completed).toBeGreaterThan(150);
    expect(pool("prefill").counters).toMatchObject({ promptTokens: truth.totals.promptTokens, cachedTokens: truth.totals.cachedTokens });
    expect(pool("decode").counters).toMatchObject({
      generatedTokens: truth.totals.generatedTokens,
      requestsFinished: truth.totals.completed,
    });
    // vLLM counts KV where it is read (decode), SGLang where it is sent, in MiB: exact to the rounding of that unit.
    const kv = pool(engine === "vllm" ? "decode" : "prefill").counters;
    expect(kv["kvTransfers"]).toBe(truth.totals.kvTransfers);
    expect(Math.abs((kv["kvTransferBytes"] ?? 0) - truth.totals.kvTransferBytes)).toBeLessThan(1024 * truth.totals.kvTransfers);
  });

  it("gives TTFT quantiles of stitched requests within the sketch's error, or stitches nothing when no span comes", () => {
    const ttft = seen.policies[0]?.stitched["ttft"];
    if (!spans) {
      expect(ttft).toBeNull();
      return;
    }
    expect(ttft?.count).toBe(truth.ttft.count);
    for (const [q, value] of [
      [0.5, ttft?.p50],
      [0.95, ttft?.p95],
    ] as const) {
      // Definitions of a quantile differ by one rank, which in a short tail is more than the sketch's error.
      const rank = Math.ceil(q * truth.raw.ttft.length) - 1;
      expect(value).toBeGreaterThanOrEqual((truth.raw.ttft[rank - 1] ?? 0) * (1 - SKETCH));
      expect(value).toBeLessThanOrEqual((truth.raw.ttft[rank + 1] ?? Infinity) * (1 + SKETCH));
    }
  });

  it("gives TTFT of the frontend's histogram exactly as its buckets can", () => {
    const ttft = pool("frontend").distributions["ttft"];
    expect(ttft?.count).toBe(truth.ttft.count);
    expect(ttft?.mean).toBeCloseTo(truth.ttft.mean, 6);
    const buckets = bucketsOf(truth.raw.ttft, FRONTEND_TTFT);
    for (const [q, value] of [
      [0.5, ttft?.p50],
      [0.95, ttft?.p95],
    ] as const)
      expect(value).toBeCloseTo(quantileOf(buckets, q) ?? Number.NaN, 6);
  });

  it("gives ITL: every token, its mean, and quantiles within the frontend's buckets", () => {
    const itl = pool("decode").distributions["itl"];
    expect(itl?.count).toBe(truth.itl.count);
    expect(Math.abs((itl?.mean ?? 0) / truth.itl.mean - 1)).toBeLessThan(1e-3);
    const fine = pool("frontend").distributions["itl"];
    for (const q of ["p50", "p95"] as const) {
      const bound = FRONTEND_ITL.findIndex((le) => truth.itl[q] <= le);
      expect(fine?.[q]).toBeGreaterThanOrEqual((FRONTEND_ITL[bound - 1] ?? 0) * 0.999);
      expect(fine?.[q]).toBeLessThanOrEqual((FRONTEND_ITL[bound] ?? Infinity) * 1.001);
    }
  });
});

/** Buckets of the frontend's histograms, as its own page shows them (dynamo_frontend_time_to_first_token_seconds, …inter_token_latency_seconds). */
const FRONTEND_TTFT: readonly number[] = [0, 0.0022, 0.0047, 0.01, 0.022, 0.047, 0.1, 0.22, 0.47, 1, 2.2, 4.7, 10, 22, 48, 100, 220, 480];
const FRONTEND_ITL: readonly number[] = [0, 0.0019, 0.0035, 0.0067, 0.013, 0.024, 0.045, 0.084, 0.16, 0.3, 0.56, 1.1, 2];
