import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TARGETS } from "./targets.ts";

/** A few hundred inputs of each target with every run of the tests; `npm run fuzz -- --minutes N` looks for longer. */
describe("what reads bytes from outside", () => {
  it.each(TARGETS)("$name", async ({ property }) => {
    const result = await fc.check(property(), { numRuns: 300 });
    expect(result.failed ? fc.defaultReportMessage(result) : "").toBe("");
    expect(result.numRuns).toBe(300);
  });
});
