import { expect, it } from "vitest";
import { measureAgent } from "../bench/agent-process.ts";

/** The short form of `npm run bench:agent -- --minutes 30`: what it sees and what it holds on to, not what it costs, which depends on the machine. */
it("an agent on a busy node sees everything, and after each second it holds no more than before", async () => {
  const { counts, seconds, cpuShare, rss, memory, handles, threads, series } = await measureAgent(12);
  expect(counts).toMatchObject({ enginesUp: 8, gpus: 8 });
  expect(counts.reports).toBeGreaterThan(5);
  expect(counts.pages).toBeGreaterThan(8 * 5);
  expect(counts.spansSent).toBeGreaterThan(400);
  expect([counts.spansReported, ...counts.refusals]).toEqual([counts.spansSent]);
  expect(seconds).toBe(12);
  expect(cpuShare).toBeGreaterThan(0);
  expect(rss.max).toBeGreaterThan(20);
  expect(rss.late).toBeCloseTo(memory.agent.late + memory.nvml.late, -1);
  expect(memory.heapUsed.late).toBeGreaterThan(1);
  expect(memory.heapTotal.late).toBeLessThan(memory.agent.late);
  // Files being read and connections being made at the moment of looking are some more; one kept of each scrape would be tens.
  expect(handles.early).toBeGreaterThan(20);
  expect(handles.late - handles.early).toBeLessThan(10);
  expect(threads.late).toBeLessThanOrEqual(threads.early);
  expect(series.first).toBeGreaterThan(200);
  expect(series.last).toBe(series.first);
});
