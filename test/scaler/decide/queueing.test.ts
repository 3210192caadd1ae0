import { describe, expect, it } from "vitest";
import { normalQuantile, waiting } from "../../../scaler/decide/queueing.ts";

const one = { servers: 1, service: 1, arrivalScv: 1, serviceScv: 0, quantile: 0.95 };

describe("waiting time", () => {
  it("is the M/D/1 value for one server: ρS/(2(1 − ρ))", () => {
    for (const rho of [0.1, 0.5, 0.8, 0.95]) expect(waiting({ ...one, rho }).mean).toBeCloseTo(rho / (2 * (1 - rho)), 12);
  });

  it("is the M/M/1 tail for exponential service: −ln((1 − q)/ρ)/(1 − ρ)", () => {
    const w = waiting({ ...one, rho: 0.8, serviceScv: 1 });
    expect(w.tail).toBeCloseTo(Math.log(0.8 / 0.05) / 0.2, 12);
  });

  it("is unbounded at and past saturation, and nothing when idle", () => {
    expect(waiting({ ...one, rho: 1 }).mean).toBe(Infinity);
    expect(waiting({ ...one, rho: 1.7 }).tail).toBe(Infinity);
    expect(waiting({ ...one, rho: 0 })).toEqual({ mean: 0, tail: 0 });
  });

  it("has no tail when fewer requests wait than the quantile leaves out", () => {
    expect(waiting({ ...one, servers: 8, rho: 0.2 }).tail).toBe(0);
  });
});

describe("normal quantile", () => {
  it("matches tables", () => {
    expect(normalQuantile(0.95)).toBeCloseTo(1.645, 3);
    expect(normalQuantile(0.99)).toBeCloseTo(2.326, 2);
    expect(normalQuantile(0.5)).toBeCloseTo(0, 3);
  });
});
