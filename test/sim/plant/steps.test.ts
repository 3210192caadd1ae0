import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeSeconds } from "../../../core/latency-model.ts";
import { runSeconds, stepsWithin } from "../../../sim/plant/steps.ts";
import { MODELS } from "./scenario.ts";

const batch = fc.record({
  sequences: fc.integer({ min: 1, max: 512 }),
  kv: fc.integer({ min: 1, max: 900_000 }),
  steps: fc.integer({ min: 1, max: 500 }),
});

describe("closed form of a decode run", () => {
  it("equals the sum of its steps", () => {
    fc.assert(
      fc.property(batch, ({ sequences, kv, steps }) => {
        let sum = 0;
        for (let step = 0; step < steps; step += 1) sum += decodeSeconds(MODELS.decode, sequences, kv + step * sequences);
        expect(Math.abs(runSeconds(MODELS.decode, sequences, kv, steps) - sum)).toBeLessThan(1e-9);
      }),
    );
  });

  it("is inverted to whole steps", () => {
    fc.assert(
      fc.property(batch, fc.double({ min: 0.001, max: 0.999, noNaN: true }), ({ sequences, kv, steps }, part) => {
        const before = runSeconds(MODELS.decode, sequences, kv, steps);
        const next = runSeconds(MODELS.decode, sequences, kv, steps + 1) - before;
        expect(stepsWithin(MODELS.decode, sequences, kv, before + part * next)).toBe(steps);
      }),
    );
  });

  it("has done nothing at the start, and anything when steps are free", () => {
    expect(stepsWithin(MODELS.decode, 3, 100, 0)).toBe(0);
    expect(stepsWithin({ d0: 0, d1: 0, d2: 0 }, 3, 100, 1)).toBe(Infinity);
  });
});
