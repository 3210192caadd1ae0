import { describe, expect, it } from "vitest";
import { guard, regretted, type GuardContext } from "../../../scaler/decide/guards.ts";
import { testPolicy } from "../../support/observations.ts";

const { spec } = testPolicy({ behavior: { scaleDown: { cooldown: "60s", stabilization: "60s" } } });
const none = { count: 0, at: null };

/** Wants one prefill replica less, `since` seconds after the last change. */
function shrink(since: number, count: number): ReturnType<typeof guard> {
  const at = 10_000;
  const context: GuardContext = {
    at,
    spec,
    current: { prefill: 3, decode: 2 },
    had: { prefill: 3, decode: 2 },
    evidence: "full",
    seen: 5000,
    changes: {
      up: { prefill: null, decode: null },
      down: { prefill: at - since, decode: null },
      regrets: { prefill: { count, at: at - since }, decode: none },
    },
    gpus: 16,
    conversion: false,
    floors: { prefill: 1, decode: 1 },
    modelError: { prefill: 0, decode: 0 },
    idle: false,
    missing: { prefill: false, decode: false },
    nearEnough: false,
  };
  return guard({ prefill: 2, decode: 2 }, context);
}

describe("cool-down of a pool whose shrinks were taken back", () => {
  it("doubles with each regret, at most to sixteen times, and says how long it is", () => {
    expect(shrink(61, 0).plan.prefill).toBe(2);
    expect(shrink(61, 1)).toMatchObject({ plan: { prefill: 3 }, reasons: [{ code: "cooldown" }] });
    expect(shrink(61, 1).reasons[0]?.text).toContain("cool-down is 120 s");
    expect(shrink(121, 1).plan.prefill).toBe(2);
    expect(shrink(959, 9).plan.prefill).toBe(3);
    expect(shrink(961, 9).plan.prefill).toBe(2);
  });

  it("forgets one regret per half hour", () => {
    expect(regretted({ count: 4, at: 0 }, 1799)).toBe(4);
    expect(regretted({ count: 4, at: 0 }, 3600)).toBe(2);
    expect(regretted({ count: 4, at: 0 }, 1e6)).toBe(0);
    expect(regretted(none, 1e6)).toBe(0);
  });
});
