import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { learnDrainTime, startDrainTime, type DrainTime } from "../../../scaler/learn/drain-time.ts";

const INTERVAL = 5;
const time = (at: number): { at: number; interval: number; leadTime: number } => ({ at, interval: INTERVAL, leadTime: 60 });
const counts = (draining: number, ready = 2): { ready: number; starting: []; draining: number } => ({ ready, starting: [], draining });

/** A tick per count, every interval from `from`; undefined = nothing was seen. */
const watch = (draining: readonly (number | undefined)[], d: DrainTime = startDrainTime(60), from = 0): DrainTime =>
  draining.reduce<DrainTime>(
    (learned, n, i) => learnDrainTime(learned, n === undefined ? undefined : counts(n), time(from + i * INTERVAL)),
    d,
  );

describe("drain time", () => {
  it("is believed to be the default grace period until something drained", () => {
    expect(startDrainTime(90)).toMatchObject({ value: 30, samples: 0 });
    expect(startDrainTime(2).value).toBe(16);
    expect(watch([0, 0, 0])).toMatchObject({ value: 30, samples: 0 });
  });

  it("is learned from how long a replica really took: 20 s, 70 % of it at once", () => {
    expect(watch([0, 1, 1, 1, 1, 0])).toMatchObject({ value: 30 + 0.7 * (20 - 30), samples: 1, since: [] });
  });

  it("takes the oldest for the first to be gone", () => {
    const one = watch([0, 1, 2, 2, 1]);
    expect(one).toMatchObject({ samples: 1, value: 30 + 0.7 * (15 - 30) });
    expect(watch([1, 1, 0], one, 25)).toMatchObject({ samples: 2 });
  });

  it("sees one begin and another gone between two looks, by the ready ones that are fewer", () => {
    let d = startDrainTime(60);
    for (const [at, draining, ready] of [
      [0, 0, 5],
      [5, 1, 4],
      [10, 1, 4],
      [15, 1, 3],
      [20, 1, 3],
      [25, 0, 3],
    ] as const) {
      d = learnDrainTime(d, counts(draining, ready), time(at));
    }
    expect(d).toMatchObject({ samples: 2, since: [] });
    expect(d.value).toBeLessThan(18);
  });

  it("takes no sample from what began before anybody watched, or began or ended in a gap", () => {
    expect(watch([2, 2, 0])).toMatchObject({ samples: 0, value: 30 });
    expect(watch([0, 1, undefined, undefined, undefined, 0])).toMatchObject({ samples: 0 });
    expect(watch([0, undefined, undefined, undefined, 1, 1, 0])).toMatchObject({ samples: 0 });
    expect(watch([0, 1, undefined, 0]).samples).toBe(1);
  });

  it("is within an interval of the truth after ten drains, whenever they begin, and always within the policy's bounds", () => {
    const drains = fc.record({
      seconds: fc.double({ min: 2 * INTERVAL, max: 200, noNaN: true }),
      gaps: fc.array(fc.double({ min: 10, max: 100, noNaN: true }), { minLength: 10, maxLength: 20 }),
    });
    fc.assert(
      fc.property(drains, ({ seconds, gaps }) => {
        let began = 0;
        const times = gaps.map((gap) => (began += gap));
        const end = began + seconds + 2 * INTERVAL;
        let d = startDrainTime(60);
        for (let at = 0; at <= end; at += INTERVAL) {
          const begun = times.filter((t) => t <= at);
          d = learnDrainTime(d, counts(begun.filter((t) => at < t + seconds).length, 30 - begun.length), time(at));
          expect(d.value).toBeGreaterThan(0);
          expect(d.value).toBeLessThanOrEqual(8 * 60);
        }
        expect(d.samples).toBe(gaps.length);
        expect(Math.abs(d.value - seconds)).toBeLessThan(INTERVAL + 0.3 * 0.7 ** 9 * Math.abs(30 - seconds) + 1e-9);
      }),
    );
  });

  it("of thousands that drain at once follows no more than it can hold", () => {
    expect(watch([0, 100_000, 100_000]).since).toHaveLength(256);
  });
});
