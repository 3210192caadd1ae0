import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { burstiness } from "../../../scaler/learn/burstiness.ts";
import { addEwma, emptyEwma, ewmaMean } from "../../../scaler/learn/ewma.ts";
import { learnLeadTime, startLeadTime } from "../../../scaler/learn/lead-time.ts";
import { fullTrim, learnTrim } from "../../../scaler/learn/trim.ts";
import { emptyWorkload, learnWorkload, lengths } from "../../../scaler/learn/workload.ts";
import { observationOf } from "../../support/observations.ts";

describe("weighted means", () => {
  it("are unbiased from the first sample and never leave the samples' range", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ v: fc.double({ min: -1e6, max: 1e6, noNaN: true }), s: fc.double({ min: 0.01, max: 100, noNaN: true }) }), {
          minLength: 1,
        }),
        (samples) => {
          const mean = ewmaMean(samples.reduce((e, x) => addEwma(e, x.v, x.s, 10), emptyEwma)) ?? Number.NaN;
          const values = samples.map((x) => x.v);
          expect(mean).toBeGreaterThanOrEqual(Math.min(...values) - 1e-3);
          expect(mean).toBeLessThanOrEqual(Math.max(...values) + 1e-3);
        },
      ),
    );
  });
});

describe("lead time", () => {
  it("is learned from how long a replica really took", () => {
    let l = startLeadTime(90);
    l = learnLeadTime(l, { ready: 1, starting: [{ age: 38 }], draining: 0 }, 100, 90);
    l = learnLeadTime(l, { ready: 2, starting: [], draining: 0 }, 104, 90);
    expect(l.samples).toBe(1);
    expect(l.value).toBeLessThan(60);
    expect(l.value).toBeGreaterThan(39);
  });

  it("takes no sample from a start that was cancelled", () => {
    let l = startLeadTime(90);
    l = learnLeadTime(l, { ready: 1, starting: [{ age: 38 }], draining: 0 }, 100, 90);
    l = learnLeadTime(l, { ready: 1, starting: [], draining: 0 }, 104, 90);
    expect(l).toMatchObject({ value: 90, samples: 0 });
  });
});

describe("trim", () => {
  const miss = { attained: 0.5, samples: 100, quantile: 0.95, settled: true, promised: true };
  it("lowers believed capacity on repeated misses, not on one, and recovers", () => {
    const once = learnTrim(fullTrim, miss);
    expect(once.factor).toBe(1);
    const twice = learnTrim(once, miss);
    expect(twice.factor).toBeLessThan(1);
    let t = twice;
    for (let i = 0; i < 100; i++) t = learnTrim(t, { ...miss, attained: 1 });
    expect(t.factor).toBeCloseTo(1, 6);
  });

  it("learns nothing while the pool is changing, or is short by the model too", () => {
    expect(learnTrim({ factor: 1, misses: 5 }, { ...miss, settled: false }).factor).toBe(1);
    expect(learnTrim({ factor: 1, misses: 5 }, { ...miss, samples: 3 }).factor).toBe(1);
    expect(learnTrim({ factor: 1, misses: 5 }, { ...miss, promised: false }).factor).toBe(1);
  });
});

describe("burstiness", () => {
  it("is 1 for a steady ramp and high for alternating bursts", () => {
    expect(
      burstiness(
        Array.from({ length: 40 }, (_, i) => 10 + i * 0.1),
        5,
      ),
    ).toBe(1);
    expect(
      burstiness(
        Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 0 : 20)),
        5,
      ),
    ).toBe(10);
  });

  it("takes no jump of the level for clumps, and still finds the clumps beside it", () => {
    // A minute of 60/s between minutes of 12/s, with the same scatter around both.
    const scatter = [7, -9, 4, 11, -8, -3, 9, -12, 5, -4, 10, -10];
    const level = (i: number): number => (i % 60 < 12 ? 60 : 12);
    const rates = (share: number): number[] =>
      Array.from({ length: 60 }, (_, i) => level(i + 30) + share * (scatter[i % scatter.length] ?? 0));
    expect(burstiness(rates(0), 5)).toBe(1);
    expect(burstiness(rates(1), 5)).toBeGreaterThan(8);
    expect(burstiness(rates(0.3), 5)).toBeLessThan(burstiness(rates(0.6), 5));
  });
});

describe("workload", () => {
  it("finds rates, lengths and the cache share from what agents report", () => {
    let w = emptyWorkload;
    for (let i = 1; i <= 60; i++) {
      const o = observationOf({ at: i * 5, rate: 8, isl: 1000, osl: 200, prefill: 2, decode: 2 });
      const p = o.pools.prefill;
      if (p?.interval === undefined) throw new Error("observed");
      w = learnWorkload(w, { ...o, pools: { ...o.pools, prefill: { ...p, interval: { ...p.interval, cachedTokens: 10_000 } } } });
    }
    const l = lengths(w);
    expect(l?.isl).toBeCloseTo(1000, 6);
    expect(l?.osl).toBeCloseTo(200, 6);
    expect(l?.cacheShare).toBeCloseTo(0.25, 6);
    expect(l?.context).toBeCloseTo(1100, 6);
  });

  it("does not follow the longest prompt of every interval", () => {
    let w = emptyWorkload;
    const p95: number[] = [];
    for (let i = 1; i <= 120; i++) {
      const o = observationOf({ at: i * 5, rate: 12, isl: 1000, osl: 200, prefill: 2, decode: 2 });
      const p = o.pools.prefill;
      if (p?.interval === undefined) throw new Error("observed");
      const isl = { mean: 1000, p50: 800, p90: 2000, p95: 3000, p99: i % 2 === 0 ? 9000 : 4000 };
      w = learnWorkload(w, { ...o, pools: { ...o.pools, prefill: { ...p, interval: { ...p.interval, isl } } } });
      if (i > 60) p95.push(lengths(w)?.uncachedP95 ?? 0);
    }
    expect(Math.max(...p95) / Math.min(...p95)).toBeLessThan(1.01);
  });

  it("keeps what it knew when nothing is reported", () => {
    const w = learnWorkload(emptyWorkload, observationOf({ at: 5, rate: 8, isl: 1000, osl: 200, prefill: 2, decode: 2 }));
    expect(learnWorkload(w, { type: "observation", at: 10, pools: {} })).toEqual(w);
  });
});
