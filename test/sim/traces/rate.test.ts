import { describe, expect, it } from "vitest";
import { summarize } from "../../../sim/backtest/quantiles.ts";
import { builtinTrace, PHASES } from "../../../sim/traces/builtin.ts";
import { multiplyRate, windowTrace } from "../../../sim/traces/rate.ts";
import { assembleTrace, type Trace } from "../../../sim/traces/trace.types.ts";

const base = builtinTrace(3);

/** Largest distance between two distribution functions (Kolmogorov–Smirnov). */
function distance(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [a.toSorted((p, q) => p - q), b.toSorted((p, q) => p - q)];
  const below = (sorted: readonly number[], value: number): number => sorted.findLastIndex((item) => item <= value) + 1;
  return Math.max(
    ...x.filter((_, index) => index % 50 === 0).map((value) => Math.abs(below(x, value) / x.length - below(y, value) / y.length)),
  );
}

const perMinute = (trace: Trace): number[] =>
  Array.from({ length: 5 }, (_, minute) => trace.requests.filter(({ arrival }) => Math.floor(arrival / 60) === minute).length);

describe("rate multiplication", () => {
  it.each([0.3, 1, 2.5, 8])("×%d keeps lengths, duration and the shape over time", (rate) => {
    const trace = multiplyRate(base, rate, 11);
    expect(Math.abs(trace.requests.length / base.requests.length / rate - 1)).toBeLessThan(0.03);
    expect(trace.seconds).toBe(base.seconds);
    const inputs = (from: Trace): number[] => from.requests.map(({ inputTokens }) => inputTokens);
    expect(distance(inputs(base), inputs(trace))).toBeLessThan(0.02);
    perMinute(trace).forEach((count, minute) => expect(Math.abs(count / rate / (perMinute(base)[minute] ?? 1) - 1)).toBeLessThan(0.12));
    expect(
      trace.requests.every(({ arrival }, index) => arrival >= (trace.requests[index - 1]?.arrival ?? 0) && arrival <= trace.seconds),
    ).toBe(true);
  });

  it("is reproducible from its seed and differs between seeds", () => {
    const arrivals = (seed: number): number[] => multiplyRate(base, 2, seed).requests.map(({ arrival }) => arrival);
    expect(arrivals(5)).toEqual(arrivals(5));
    expect(arrivals(5)).not.toEqual(arrivals(6));
  });

  it("gives copies prefix blocks of their own, so that the hit ratio stays the trace's", () => {
    const requests = [0, 1].map((id) => ({ id, arrival: id * 10, inputTokens: 600, outputTokens: 1, hashIds: [0, id + 1] }));
    const blocks = multiplyRate(assembleTrace("two", requests), 3, 1).requests.map(({ hashIds }) => hashIds ?? []);
    expect(new Set(blocks.map(([first]) => first))).toEqual(new Set([0, 3, 6]));
    expect(new Set(blocks.flat()).size).toBe(9);
  });

  it("cuts a window and starts it at zero", () => {
    const cut = windowTrace(base, 60, 120);
    expect(cut.seconds).toBe(60);
    expect(cut.requests.length).toBe(base.requests.filter(({ arrival }) => arrival >= 60 && arrival < 120).length);
    expect([cut.requests[0]?.id, (cut.requests[0]?.arrival ?? -1) < 1]).toEqual([0, true]);
    expect(windowTrace(base)).toBe(base);
  });
});

describe("built-in workload", () => {
  it("lasts five minutes, is seeded, and each phase has its own rate and lengths", () => {
    expect(base.seconds).toBe(300);
    expect(builtinTrace(3)).toEqual(base);
    let start = 0;
    for (const phase of PHASES) {
      // The ramp into a phase belongs to neither.
      const inside = base.requests.filter(({ arrival }) => arrival >= start + phase.ramp && arrival < start + phase.seconds);
      expect(Math.abs(inside.length / (phase.seconds - phase.ramp) / phase.rate - 1)).toBeLessThan(0.2);
      const median = summarize(inside.map(({ inputTokens }) => inputTokens))?.p50 ?? 0;
      expect(Math.abs(median / phase.prompt.median - 1)).toBeLessThan(0.2);
      start += phase.seconds;
    }
  });
});
