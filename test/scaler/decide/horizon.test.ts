import { expect, it } from "vitest";
import { horizonOf } from "../../../scaler/decide/horizon.ts";
import { startLearning } from "../../../scaler/learn/learn.ts";
import { testPolicy } from "../../support/observations.ts";

it("looks as far ahead as a replica takes, and under a full budget as far as another takes to leave its GPUs first", () => {
  const { spec } = testPolicy({ budget: { gpus: 8 } });
  const { lead, drain } = startLearning(spec);
  const learned = {
    lead: { prefill: { ...lead.prefill, value: 60 }, decode: { ...lead.decode, value: 90 } },
    drain: { prefill: { ...drain.prefill, value: 12 }, decode: { ...drain.decode, value: 40 } },
  };
  const { interval } = spec.behavior;
  expect(horizonOf(learned, { prefill: 3, decode: 4 }, spec)).toBe(90 + interval);
  expect(horizonOf(learned, { prefill: 4, decode: 4 }, spec)).toBe(90 + 40 + interval);
  expect(horizonOf(learned, { prefill: 400, decode: 400 }, { ...spec, budget: {} })).toBe(90 + interval);
});
