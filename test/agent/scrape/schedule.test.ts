import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { everyBeat, monotonicSeconds, nextBeat, phaseOf } from "../../../agent/scrape/schedule.ts";

describe("the schedule", () => {
  it("puts every beat on the grid, after now, and skips none that is due", () => {
    const time = fc.double({ min: 0, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(
        time,
        time,
        fc.double({ min: 0.05, max: 60, noNaN: true }),
        fc.double({ min: 0, max: 0.5, noNaN: true }),
        (origin, later, period, share) => {
          const schedule = { origin, period, phase: share * period };
          const now = origin + later;
          const beat = nextBeat(schedule, now);
          const k = (beat - origin - schedule.phase) / period;
          expect(Math.abs(k - Math.round(k))).toBeLessThan(1e-4);
          expect(beat).toBeGreaterThan(now - 1e-6 * Math.max(1, now));
          expect(beat - now).toBeLessThanOrEqual(Math.max(period, schedule.phase) * (1 + 1e-6) + 1e-6);
        },
      ),
    );
  });

  it("never overlaps itself and does not catch up in a burst", async () => {
    const stop = new AbortController();
    let [running, most, beats] = [0, 0, 0];
    await everyBeat({ period: 0.02, phase: 0, origin: monotonicSeconds() }, stop.signal, async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 50));
      running--;
      if (++beats === 4) stop.abort();
    });
    expect(most).toBe(1);
    expect(beats).toBe(4);
  });

  it("runs no beat twice, although timers come early", async () => {
    const stop = new AbortController();
    const schedule = { period: 0.004, phase: 0, origin: monotonicSeconds() };
    let beats = 0;
    await everyBeat(schedule, stop.signal, () => {
      // Short, so that the grid point of a timer that came early is still ahead when it ends.
      const end = performance.now() + 0.2;
      while (performance.now() < end);
      if (++beats === 200) stop.abort();
    });
    // The timer of the last one may have come early as well.
    const gridPoints = (monotonicSeconds() - schedule.origin) / schedule.period + 1;
    expect(beats).toBeLessThanOrEqual(Math.ceil(gridPoints));
  });

  it("spreads targets over the first half of the period", () => {
    const phases = Array.from({ length: 500 }, (_, i) => phaseOf(`ns/pod-${i}`, 1));
    expect(Math.min(...phases)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...phases)).toBeLessThan(0.5);
    const tenths = [0, 1, 2, 3, 4].map((t) => phases.filter((p) => Math.floor(p * 10) === t).length);
    expect(Math.min(...tenths)).toBeGreaterThan(50);
  });
});
