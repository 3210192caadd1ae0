import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTruth } from "../../fleet/truth.ts";
import { reportTruth } from "../../fleet/truth-report.ts";

const moment = { at: 0, elapsed: 0, inFlight: 0, gpuSeconds: 0 };
const nearestRank = (sorted: readonly number[], q: number): number | null => sorted[Math.ceil(q * sorted.length) - 1] ?? null;

describe("ground truth", () => {
  it("gives exact nearest-rank quantiles of weighted samples", () => {
    const runs = fc.array(
      fc.record({ stepSeconds: fc.double({ min: 0.001, max: 1, noNaN: true }), gaps: fc.integer({ min: 0, max: 9 }) }),
      {
        maxLength: 50,
      },
    );
    fc.assert(
      fc.property(runs, (all) => {
        const truth = createTruth();
        for (const { stepSeconds, gaps } of all) truth.steps({ steps: 1, stepSeconds, sequences: gaps + 1, gaps });
        const flat = all.flatMap(({ stepSeconds, gaps }) => Array.from({ length: gaps }, () => stepSeconds)).sort((a, b) => a - b);
        const { itl, totals } = reportTruth(truth, moment, { raw: false });
        expect(itl.count).toBe(flat.length);
        expect([itl.p50, itl.p95, itl.p99]).toEqual([0.5, 0.95, 0.99].map((q) => nearestRank(flat, q)));
        expect(totals.generatedTokens).toBe(all.reduce((sum, { gaps }) => sum + gaps + 1, 0));
      }),
    );
  });

  it("judges requests by TTFT and their own mean gap; failed and unfinished ones are missed", () => {
    const truth = createTruth();
    const record = (ttft: number, gap: number, failed = false) => ({
      request: { id: 1, arrival: 10, inputTokens: 5, outputTokens: 11 },
      prefillReplica: 1,
      decodeReplica: 2,
      cachedTokens: 0,
      prefillStart: 10,
      prefillEnd: 10,
      transferStart: 10,
      transferEnd: 10,
      transferBytes: 0,
      decodeStart: 10,
      firstToken: 10 + ttft,
      end: 10 + ttft + 10 * gap,
      failed,
    });
    for (let i = 0; i < 5; i++) truth.submitted();
    truth.finished(record(0.1, 0.01));
    truth.finished(record(0.1, 0.05));
    truth.finished(record(0.9, 0.01));
    truth.finished(record(0.1, 0.01, true));
    for (const ttft of [0.1, 0.1, 0.9]) truth.firstToken(ttft);
    const report = reportTruth(truth, moment, { ttft: 0.5, itl: 0.03, raw: true });
    expect(report.attainment).toEqual({ ttft: 0.4, itl: 0.4, both: 0.2 });
    expect(report.raw?.ttft).toEqual([0.1, 0.1, 0.9]);
    expect(report.totals).toMatchObject({ completed: 3, failed: 1 });
  });

  it("has no quantiles of nothing: null, not zero", () => {
    expect(reportTruth(createTruth(), moment, { raw: false }).ttft).toEqual({
      count: 0,
      mean: null,
      p50: null,
      p90: null,
      p95: null,
      p99: null,
    });
  });
});
