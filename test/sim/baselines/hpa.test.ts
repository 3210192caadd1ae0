import { describe, expect, it } from "vitest";
import { byAverage, DEFAULT_BEHAVIOR, hpaStep, newHpa, type Behavior } from "../../../sim/baselines/hpa.ts";

const bounds = { min: 1, max: 20 };

/** Follows recommendations, 15 s apart. */
function follow(recommendations: readonly (number | undefined)[], rules: Behavior, start = 2): number[] {
  let memory = { ...newHpa, desired: start };
  return recommendations.map((recommended, index) => {
    memory = hpaStep(memory, (index + 1) * 15, memory.desired, recommended, rules, bounds);
    return memory.desired;
  });
}

describe("HorizontalPodAutoscaler", () => {
  it("AverageValue: ceil(total ÷ target), nothing within a tenth", () => {
    expect([byAverage(15, 5, 2), byAverage(10.9, 5, 2), byAverage(9.1, 5, 2), byAverage(11.1, 5, 2), byAverage(0, 5, 2)]).toEqual([
      3, 2, 2, 3, 0,
    ]);
  });

  it("by default doubles or adds four at once, whichever is more, and waits 300 s to shrink", () => {
    expect(follow([20, 20, 20], DEFAULT_BEHAVIOR)).toEqual([6, 12, 20]);
    const shrinking = follow([8, ...Array.from({ length: 22 }, () => 1)], DEFAULT_BEHAVIOR, 8);
    expect(shrinking.indexOf(1)).toBe(20);
  });

  it("bounds pods per period: one per 180 s", () => {
    const slow: Behavior = { up: { window: 0, policies: [{ kind: "pods", value: 1, period: 180 }] }, down: DEFAULT_BEHAVIOR.down };
    const replicas = follow(
      Array.from({ length: 26 }, () => 9),
      slow,
    );
    expect([replicas[0], replicas[11], replicas[12], replicas[23], replicas[24]]).toEqual([3, 3, 4, 4, 5]);
  });

  it("an up window takes the lowest recommendation of its time", () => {
    const windowed: Behavior = { up: { ...DEFAULT_BEHAVIOR.up, window: 30 }, down: DEFAULT_BEHAVIOR.down };
    expect(follow([2, 6, 6, 6], windowed)).toEqual([2, 2, 6, 6]);
  });

  it("without its metric leaves the pool alone", () => {
    expect(follow([undefined, undefined], DEFAULT_BEHAVIOR)).toEqual([2, 2]);
  });
});
