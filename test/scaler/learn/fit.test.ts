import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Vector3 } from "../../../scaler/learn/covariance.ts";
import { factors, learnFit, noFit, type Fit } from "../../../scaler/learn/fit.ts";

/** A decode step of an 8B model: seconds fixed, per sequence, per resident token. */
const PRIOR: Vector3 = [0.0058, 2.37e-5, 2.84e-8];
const MEMORY = 60;

/** One interval of `steps` steps at batch `b`, on a machine whose coefficients are `truth` times the prior's. */
function see(fit: Fit, b: number, truth: Vector3, wrong = 1, context = 1500, steps = 300): Fit {
  const units: Vector3 = [steps, steps * b, steps * b * context];
  const f = factors(fit);
  const cost = (by: Vector3): Vector3 => [PRIOR[0] * by[0] * units[0], PRIOR[1] * by[1] * units[1], PRIOR[2] * by[2] * units[2]];
  const observed = sum(cost(truth)) * wrong;
  return learnFit(fit, { parts: cost(f), observed, weight: observed, memory: MEMORY });
}

const sum = (v: Vector3): number => v[0] + v[1] + v[2];
const step = (by: Vector3, b: number, context = 1500): number => PRIOR[0] * by[0] + PRIOR[1] * by[1] * b + PRIOR[2] * by[2] * b * context;
const off = (fit: Fit, truth: Vector3, b: number): number => Math.abs(step(factors(fit), b) / step(truth, b) - 1);
/** Batches as traffic makes them: up and down, with some chance. */
const moving = (i: number): number => 50 + 35 * Math.sin(i / 9) + ((i * 37) % 11);

const multiplier = fc.double({ min: 0.34, max: 3, noNaN: true });

describe("fit of a latency model, coefficient by coefficient", () => {
  it("finds a machine three times slower or faster than its prior within two samples, all coefficients alike", () => {
    for (const k of [3, 1 / 3]) {
      let fit = noFit;
      for (let i = 0; i < 2; i++) fit = see(fit, 60, [k, k, k]);
      for (const f of factors(fit)) expect(f / k).toBeCloseTo(1, 6);
    }
  });

  it("tells fixed cost from slope once batches differ: right where nothing was seen", () => {
    fc.assert(
      fc.property(multiplier, multiplier, (fixed, slope) => {
        const truth: Vector3 = [fixed, slope, slope];
        let fit = noFit;
        for (let i = 0; i < 150; i++) fit = see(fit, moving(i), truth);
        for (const b of [1, 20, 200]) expect(off(fit, truth, b)).toBeLessThan(0.06);
      }),
      { numRuns: 60 },
    );
  });

  it("with batches all alike moves along the prior's direction only: one factor, and the shape stays", () => {
    let fit = noFit;
    for (let i = 0; i < 200; i++) fit = see(fit, 40, [1, 3, 3]);
    const [a, b, c] = factors(fit);
    expect(b / a).toBeCloseTo(1, 9);
    expect(c / a).toBeCloseTo(1, 9);
    expect(off(fit, [1, 3, 3], 40)).toBeLessThan(1e-6);
  });

  it("does not take chance for shape: batches that barely differ leave it frozen", () => {
    let fit = noFit;
    for (let i = 0; i < 400; i++) fit = see(fit, 40 + ((i * 7) % 3) * 0.05, [1, 3, 3], 1 + (((i * 13) % 7) - 3) * 0.02);
    const [a, b] = factors(fit);
    expect(b / a).toBeCloseTo(1, 6);
  });

  describe("beside one factor per model, over the first 120 samples", () => {
    interface Swing {
      readonly mean: number;
      readonly share: number;
      readonly period: number;
    }

    /** Sums of what each is off before it sees the next sample. */
    function offBy({ mean, share, period }: Swing, fixed: number, slope: number): { readonly fitted: number; readonly scaled: number } {
      const truth: Vector3 = [fixed, slope, slope];
      let fit = noFit;
      let one = { log: 0, weight: 0 };
      let [fitted, scaled] = [0, 0];
      for (let i = 0; i < 120; i++) {
        const b = mean * (1 + share * Math.sin((2 * Math.PI * i) / period) + (((i * 37) % 11) - 5) / 100);
        fitted += Math.abs(Math.log(step(truth, b) / step(factors(fit), b)));
        const away = Math.log(step(truth, b) / step([1, 1, 1], b)) - one.log;
        scaled += Math.abs(away);
        const busy = step(truth, b) * 300;
        one = { log: one.log + (busy / (one.weight + busy)) * away, weight: Math.min(MEMORY, one.weight + busy) };
        fit = see(fit, b, truth);
      }
      return { fitted, scaled };
    }

    it("predicts better on the whole", () => {
      let [fitted, scaled] = [0, 0];
      for (const mean of [5, 20, 60, 150])
        for (const share of [0, 0.3, 0.6, 0.9])
          for (const period of [12, 40, 130, 400])
            for (const fixed of [0.34, 0.7, 1, 1.5, 3])
              for (const slope of [0.34, 0.7, 1, 1.5, 3]) {
                const off = offBy({ mean, share, period }, fixed, slope);
                fitted += off.fitted;
                scaled += off.scaled;
              }
      expect(fitted).toBeLessThan(0.7 * scaled);
    });

    it("is never much worse, whatever the machine and the swing of the load", () => {
      const swing = fc.record({
        mean: fc.integer({ min: 5, max: 150 }),
        share: fc.double({ min: 0, max: 0.9, noNaN: true }),
        period: fc.integer({ min: 12, max: 400 }),
      });
      fc.assert(
        fc.property(swing, multiplier, multiplier, (load, fixed, slope) => {
          const { fitted, scaled } = offBy(load, fixed, slope);
          // Small batches under short swings are the worst; of 300,000 none was beyond this.
          expect(fitted).toBeLessThanOrEqual(scaled * 1.7 + 0.15);
        }),
        { numRuns: 200, examples: [[{ mean: 8, share: 0.7889044655186901, period: 12 }, 0.9003542193036858, 2.21499999999999]] },
      );
    });
  });

  it("ignores one wild sample and follows three", () => {
    let fit = noFit;
    for (let i = 0; i < 20; i++) fit = see(fit, moving(i), [1, 1, 1]);
    fit = see(fit, 50, [1, 1, 1], 10);
    for (const f of factors(fit)) expect(f).toBeCloseTo(1, 6);
    fit = see(see(fit, 50, [1, 1, 1], 10), 50, [1, 1, 1], 10);
    expect(step(factors(fit), 50) / step([1, 1, 1], 50)).toBeGreaterThan(5);
  });

  it("keeps the shape through a machine that slows down as a whole", () => {
    const truth: Vector3 = [1, 2, 2];
    let fit = noFit;
    for (let i = 0; i < 150; i++) fit = see(fit, moving(i), truth);
    for (let i = 0; i < 40; i++) fit = see(fit, moving(i), [1.8, 3.6, 3.6]);
    expect(off(fit, [1.8, 3.6, 3.6], 150)).toBeLessThan(0.07);
  });

  it("keeps what it knows while it sees one operating point for a day", () => {
    const truth: Vector3 = [1, 2.5, 2.5];
    let fit = noFit;
    for (let i = 0; i < 150; i++) fit = see(fit, moving(i), truth);
    for (let i = 0; i < 17_280; i++) fit = see(fit, 60, truth, 1 + (((i * 13) % 7) - 3) * 0.01);
    expect(off(fit, truth, 150)).toBeLessThan(0.05);
  });

  it("withstands scatter and a wild tenth of the samples", () => {
    const truth: Vector3 = [1, 3, 3];
    let fit = noFit;
    for (let i = 0; i < 400; i++) fit = see(fit, moving(i), truth, i % 10 === 3 ? 1.8 : 1 + (((i * 13) % 7) - 3) * 0.01);
    // The wild tenth lifts any mean of logarithms by 6 %.
    expect(off(fit, truth, 20)).toBeLessThan(0.15);
    expect(off(fit, truth, 150)).toBeLessThan(0.15);
  });

  it("stays positive, finite and bounded whatever it is fed", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double(), fc.double(), fc.double(), fc.double(), fc.double({ min: 0 })), { maxLength: 60 }),
        (samples) => {
          const fit = samples.reduce<Fit>(
            (f, [a, b, c, observed, weight]) =>
              learnFit(f, { parts: [Math.abs(a) || 0, Math.abs(b) || 0, Math.abs(c) || 0], observed, weight, memory: MEMORY }),
            noFit,
          );
          for (const f of factors(fit)) {
            expect(f).toBeGreaterThanOrEqual(1 / (64 * 6.001));
            expect(f).toBeLessThanOrEqual(64 * 6.001);
          }
          expect(Number.isFinite(fit.scatter + fit.error + fit.spread + fit.weight)).toBe(true);
          for (const v of fit.cov ?? []) expect(Number.isFinite(v)).toBe(true);
        },
      ),
    );
  });

  it("does not depend on the unit of time, and its state survives JSON", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 200 }), multiplier), { minLength: 1, maxLength: 40 }), (samples) => {
        // Powers of two scale without rounding.
        let [a, b]: [Fit, Fit] = [noFit, noFit];
        for (const [batch, k] of samples) {
          const parts: Vector3 = [0.5, batch * 0.01, batch * 0.02];
          a = learnFit(a, { parts, observed: sum(parts) * k, weight: 3, memory: MEMORY });
          const slow: Vector3 = [parts[0] * 1024, parts[1] * 1024, parts[2] * 1024];
          b = learnFit(JSON.parse(JSON.stringify(b)) as Fit, { parts: slow, observed: sum(slow) * k, weight: 3, memory: MEMORY });
        }
        expect(b).toEqual(a);
      }),
    );
  });
});
