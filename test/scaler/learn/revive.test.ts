import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fulcrum, resume } from "../../../scaler/decide/controller.ts";
import { factors } from "../../../scaler/learn/fit.ts";
import { startLearning } from "../../../scaler/learn/learn.ts";
import { revive } from "../../../scaler/learn/revive.ts";
import { h200Prior, observationOf, testPolicy } from "../../support/observations.ts";

const policy = testPolicy();
/** What version 0.1.0 kept of thirty intervals of a decode pool half as fast again, when it learned one factor per model. */
const oneFactor: unknown = JSON.parse(readFileSync(new URL("../../fixtures/learned/one-factor.json", import.meta.url), "utf8"));

describe("learned figures of an earlier version", () => {
  it("are taken over: every coefficient starts from the model's one factor, workload and lead times as they were", () => {
    const learned = revive(oneFactor, policy.spec);
    for (const f of factors(learned.decode)) expect(f).toBeCloseTo(1.5, 1);
    expect(learned.workload).toEqual((oneFactor as { workload: unknown }).workload);
    expect(learned.lead).toEqual((oneFactor as { lead: unknown }).lead);
    expect(learned.warming).toEqual(startLearning(policy.spec).warming);
  });

  it("go on deciding", () => {
    const start = fulcrum.start(policy, h200Prior, 0);
    let state = resume({ ...start, learned: oneFactor as typeof start.learned }, policy, 1000);
    for (let at = 1005; at < 1100; at += 5)
      state = fulcrum.tick(state, observationOf({ at, rate: 20, isl: 2000, osl: 200, prefill: 3, decode: 3 }), policy).state;
    expect(state.insight?.velocity.decode).toBeGreaterThan(0);
    expect(Number.isFinite(state.insight?.velocity.prefill)).toBe(true);
  });

  it("come back as they are when they are of today's form, and start anew where they are not figures at all", () => {
    const start = fulcrum.start(policy, h200Prior, 0);
    const { learned } = fulcrum.tick(start, observationOf({ at: 5, rate: 20, isl: 2000, osl: 200, prefill: 3, decode: 3 }), policy).state;
    expect(revive(JSON.parse(JSON.stringify(learned)), policy.spec)).toEqual(learned);
    for (const nothing of [undefined, null, 7, [], { prefill: "fast", workload: [] }])
      expect(revive(nothing, policy.spec)).toEqual(startLearning(policy.spec));
  });
});
