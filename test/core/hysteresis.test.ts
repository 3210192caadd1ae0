import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterVerdict, type Hysteresis, unknownSince } from "../../core/hysteresis.ts";

const TIMES = { raise: 15, clear: 30, forget: 300 };
const steps = (verdicts: readonly ("bad" | "good" | undefined)[], every = 5): Hysteresis =>
  verdicts.reduce((h, verdict, i) => afterVerdict(h, verdict, i * every, TIMES), unknownSince(0));

describe("a state with hysteresis", () => {
  it("is raised after bad looks for the whole time, not before", () => {
    expect(steps(["bad", "bad", "bad"]).state).toBe("unknown");
    expect(steps(["bad", "bad", "bad", "bad"])).toMatchObject({ state: "raised", since: 15 });
  });
  it("begins anew when a good look comes between", () => {
    expect(steps(["bad", "bad", "good", "bad", "bad", "bad"]).state).toBe("clear");
    expect(steps(["good", "bad", "bad", "bad", "bad"]).state).toBe("raised");
  });
  it("stays raised through short quiet and silence, and is unknown after a long one", () => {
    const raised = steps(["bad", "bad", "bad", "bad"]);
    expect(afterVerdict(raised, "good", 20, TIMES).state).toBe("raised");
    expect(afterVerdict(raised, undefined, 315, TIMES).state).toBe("raised");
    expect(afterVerdict(raised, undefined, 316, TIMES)).toMatchObject({ state: "unknown", since: 316 });
  });
  it("does not count a gap in the evidence as evidence", () => {
    const once = afterVerdict(unknownSince(0), "bad", 0, TIMES);
    expect(afterVerdict(once, "bad", 100, TIMES).state).toBe("unknown");
  });
  it("never turns twice within its times, whatever comes", () => {
    const verdict = fc.constantFrom("bad" as const, "good" as const, undefined);
    fc.assert(
      fc.property(fc.array(fc.tuple(verdict, fc.integer({ min: 1, max: 60 })), { maxLength: 200 }), (looks) => {
        let [h, at] = [unknownSince(0), 0];
        for (const [look, gap] of looks) {
          at += gap;
          const next = afterVerdict(h, look, at, TIMES);
          if (next.state !== h.state && h.state === "raised" && next.state === "clear") expect(at - h.since).toBeGreaterThanOrEqual(30);
          if (next.state !== h.state && next.state === "raised" && h.state === "clear") expect(at - h.since).toBeGreaterThanOrEqual(15);
          h = next;
        }
      }),
    );
  });
});
