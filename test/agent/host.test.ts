import { describe, expect, it } from "vitest";
import { createHostReader } from "../../agent/host.ts";
import { until } from "./support/until.ts";

describe("the host reader", () => {
  it("reads this machine", async () => {
    const stop = new AbortController();
    const reader = createHostReader(() => 5);
    expect(reader.health()).toEqual({ state: "unknown" });
    const ended = reader.run(stop.signal);
    await until("a reading", () => reader.health().state !== "unknown");
    stop.abort();
    await ended;
    const { memoryUsedBytes = 0, memoryTotalBytes = 0, load1, cores } = reader.latest();
    expect(memoryUsedBytes).toBeGreaterThan(0);
    expect(memoryTotalBytes).toBeGreaterThan(memoryUsedBytes);
    expect(load1).toBeGreaterThanOrEqual(0);
    expect(cores).toBeGreaterThan(0);
  });
});
