import { expect, it } from "vitest";
import { measureAgent } from "../bench/agent-process.ts";

/** The short form of `npm run bench:agent -- --minutes 30`: what it sees, not what it costs, which depends on the machine. */
it("an agent on a busy node sees everything: 8 engines, 8 GPUs, and each of the spans", async () => {
  const { counts, seconds, cpuShare, rssMaxMiB } = await measureAgent(8);
  expect(counts).toMatchObject({ enginesUp: 8, gpus: 8 });
  expect(counts.reports).toBeGreaterThan(3);
  expect(counts.pages).toBeGreaterThan(9 * 3);
  expect(counts.spansSent).toBeGreaterThan(200);
  expect(counts.spansReported).toBe(counts.spansSent);
  expect(seconds).toBe(8);
  expect(cpuShare).toBeGreaterThan(0);
  expect(rssMaxMiB).toBeGreaterThan(20);
});
