import { expect, it } from "vitest";
import { createEnginePage } from "../../../core/engines/page.ts";
import { fixture } from "../fixture.ts";

it("a Dynamo frontend gives the user's own latencies, lengths and requests", () => {
  const sample = createEnginePage("dynamo-frontend", "frontend").read(fixture("engines/dynamo-frontend-main-2026-08.txt"));
  expect(sample.problemCount).toBe(0);
  expect(sample.counters).toEqual({ promptTokens: 846282, cachedTokens: 183059, generatedTokens: 70379, requestsFinished: 400 });
  expect(sample.gauges).toEqual({ running: 12, waiting: 0, maxBatchedTokens: 8192, maxNumSeqs: 256 });
  expect(sample.distributions.ttft).toMatchObject({ count: 400, sum: 49.601846005672215 });
  expect(sample.distributions.itl?.count).toBe(69066);
  expect(sample.distributions.ttft?.le[0]).toBe(0);
  expect(Object.keys(sample.distributions).sort()).toEqual(["e2e", "isl", "itl", "osl", "ttft"]);
});
