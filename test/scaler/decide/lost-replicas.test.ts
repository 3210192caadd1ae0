import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Decision } from "../../../core/decision.ts";
import type { Observation } from "../../../core/observation.ts";
import { fulcrum } from "../../../scaler/decide/controller.ts";
import { h200Prior, observationOf, testPolicy } from "../../support/observations.ts";

const policy = testPolicy();
/** Needs several replicas of each pool. */
const busy = { rate: 40, isl: 2000, osl: 200 };

/** `gone` are lost at once after a long steady time in which the pools were sized; the decisions before and after. */
function lose(gone: readonly ("prefill" | "decode")[], keepFigures = true): { before: Decision; after: Decision } {
  let state = fulcrum.start(policy, h200Prior, 0);
  let pools = { prefill: 2, decode: 2 };
  let decision: Decision | undefined;
  const step = (o: Observation): Decision => {
    const next = fulcrum.tick(state, o, policy);
    state = next.state;
    return next.decision;
  };
  for (let at = 5; at <= 600; at += 5) {
    decision = step(observationOf({ at, ...busy, ...pools }));
    pools = { prefill: decision.pools.prefill.replicas, decode: decision.pools.decode.replicas };
  }
  if (decision === undefined) throw new Error("nothing was decided");
  const o = observationOf({ at: 605, ...busy, ...pools });
  const { prefill, decode } = o.pools;
  if (prefill === undefined || decode === undefined) throw new Error("both pools are observed");
  const none = { ready: 0, starting: [], draining: 0 };
  const lost = { prefill: { ...prefill, replicas: none }, decode: { ...decode, replicas: none } };
  const seen = { prefill, decode, ...Object.fromEntries(gone.map((role) => [role, keepFigures ? lost[role] : { replicas: none }])) };
  return { before: decision, after: step({ ...o, pools: seen }) };
}

const counts = (d: Decision): { prefill: number; decode: number } => ({
  prefill: d.pools.prefill.replicas,
  decode: d.pools.decode.replicas,
});

describe("a pool that lost all its replicas at once", () => {
  it.each([[["prefill"]], [["decode"]], [["prefill", "decode"]]] as const)(
    "%j: those that were there are asked for again, at once",
    (gone) => {
      const { before, after } = lose(gone);
      expect(Math.min(counts(before).prefill, counts(before).decode)).toBeGreaterThan(1);
      for (const role of gone) expect(counts(after)[role]).toBeGreaterThanOrEqual(counts(before)[role]);
    },
  );

  it("is not left at nothing when nobody is left to report", () => {
    const { before, after } = lose(["prefill", "decode"], false);
    expect(after.reasons.map(({ code }) => code)).toContain("insufficient-evidence");
    expect(counts(after)).toEqual(counts(before));
  });
});

describe("a pool without replicas before the first request", () => {
  it("is advised its minimum", () => {
    const o = observationOf({ at: 5, rate: 0, isl: 2000, osl: 200, prefill: 1, decode: 1 });
    const none = { replicas: { ready: 0, starting: [], draining: 0 } };
    const empty = { ...o, pools: { prefill: { ...o.pools.prefill, ...none }, decode: { ...o.pools.decode, ...none } } };
    const { decision } = fulcrum.tick(fulcrum.start(policy, h200Prior, 0), empty, policy);
    expect(counts(decision)).toEqual({ prefill: 1, decode: 1 });
  });
});

describe("whatever is left", () => {
  it("pools that were empty from the start, before any request, are asked for at their minimum", () => {
    const o = observationOf({ at: 5, rate: 0, isl: 2000, osl: 200, prefill: 1, decode: 1 });
    const replicas = { ready: 0, starting: [], draining: 0 };
    const pools = { prefill: { ...o.pools.prefill, replicas }, decode: { ...o.pools.decode, replicas } };
    const { decision } = fulcrum.tick(fulcrum.start(policy, h200Prior, 0), { ...o, pools }, policy);
    expect(counts(decision)).toEqual({ prefill: 1, decode: 1 });
  });

  it("the advice is never below the minimum while the budget holds it", () => {
    const ready = fc.integer({ min: 0, max: 6 });
    fc.assert(
      fc.property(fc.array(fc.tuple(ready, ready, fc.integer({ min: 0, max: 60 })), { minLength: 1, maxLength: 30 }), (ticks) => {
        let state = fulcrum.start(policy, h200Prior, 0);
        for (const [index, [prefill, decode, rate]] of ticks.entries()) {
          const o = observationOf({
            at: 5 * (index + 1),
            rate,
            isl: 2000,
            osl: 200,
            prefill: Math.max(1, prefill),
            decode: Math.max(1, decode),
          });
          const none = { ready: 0, starting: [], draining: 0 };
          const pools = {
            prefill: prefill === 0 ? { ...o.pools.prefill, replicas: none } : { ...o.pools.prefill },
            decode: decode === 0 ? { ...o.pools.decode, replicas: none } : { ...o.pools.decode },
          };
          const next = fulcrum.tick(state, { ...o, pools }, policy);
          state = next.state;
          expect(Math.min(counts(next.decision).prefill, counts(next.decision).decode)).toBeGreaterThanOrEqual(1);
        }
      }),
      { numRuns: 60 },
    );
  });
});
