import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { drainedGpu, type GpuState, gpuReports, observeGpu } from "../../../agent/summarize/gpus.ts";
import { type GpuSample, readGpuPage } from "../../../core/engines/gpu-page.ts";
import { FAULT_XIDS } from "../../../core/engines/xid.ts";
import { LIMITS } from "../../../wire/messages.ts";
import { sharedPath } from "../../support/shared.ts";
import { engineTarget } from "../support/agent.ts";

const gpu = (more: Partial<GpuSample> = {}): GpuSample => ({ gpu: "0", uuid: "GPU-1", ...more });
const watch = (...samples: GpuSample[]): GpuState => {
  let state: GpuState | undefined;
  samples.forEach((s, at) => (state = observeGpu(state, s, at)));
  if (state === undefined) throw new Error("no sample");
  return state;
};

describe("GPUs", () => {
  const counted = (events: ReadonlyMap<string | number, number>) => [...events].filter(([, n]) => n > 0);

  it("count an XID when it changes, never the one that was there before", () => {
    expect(counted(watch(gpu({ lastXid: 79 }), gpu({ lastXid: 79 })).events.xid)).toEqual([]);
    const state = watch(gpu({ lastXid: 0 }), gpu({ lastXid: 79 }), gpu({ lastXid: 79 }), gpu({ lastXid: 48 }), gpu({ lastXid: 79 }));
    expect(counted(state.events.xid)).toEqual([
      [48, 1],
      [79, 2],
    ]);
    expect(gpuReports([state], [], 0)[0]?.xid).toHaveLength(2);
    expect(counted(drainedGpu(state).events.xid)).toEqual([]);
    expect(gpuReports([drainedGpu(state)], [], 0)[0]).not.toHaveProperty("xid");
  });

  it("list fault XIDs at zero where the page tells XIDs, and none where it does not", () => {
    expect([...watch(gpu({ lastXid: 0 })).events.xid]).toEqual(FAULT_XIDS.map((code) => [code, 0]));
    expect([...watch(gpu({ powerWatts: 70 })).events.xid]).toEqual([]);
    // Some exporters show the field from the first XID on; then it is news.
    expect(counted(watch(gpu(), gpu({ lastXid: 79 })).events.xid)).toEqual([[79, 1]]);
  });

  it("keep a code outside that list at zero once it was seen", () => {
    const state = drainedGpu(watch(gpu({ lastXid: 0 }), gpu({ lastXid: 140 })));
    expect(state.events.xid.get(140)).toBe(0);
  });

  it("turn throttled time into what happened since, from zero after a driver restart", () => {
    const [a, b, c] = [100, 100.5, 0.25].map((sw_power_cap) => gpu({ throttleSecondsByReason: { sw_power_cap, hw_thermal: 7 } }));
    if (a === undefined || b === undefined || c === undefined) throw new Error("three samples");
    const state = watch(a, b, c);
    expect([...state.events.throttleSeconds]).toEqual([
      ["sw_power_cap", 0.75],
      ["hw_thermal", 0],
    ]);
    expect(gpuReports([state], [], 2)[0]?.throttleSeconds).toBe(0.75);
    expect(gpuReports([drainedGpu(state)], [], 2)[0]?.throttleSeconds).toBe(0);
    expect(gpuReports([watch(gpu())], [], 0)[0]).toEqual({ gpu: "0", uuid: "GPU-1", age: 0 });
  });

  it("count a reason seen in force for the time since the last page, however long that page was away", () => {
    const hot = gpu({ throttling: { hw_thermal: true, sync_boost: false } });
    const first = observeGpu(undefined, hot, 100);
    expect([...first.events.throttleSeconds.values()]).toEqual([0, 0]);
    const second = observeGpu(observeGpu(first, hot, 101.5), gpu({ throttling: { hw_thermal: false, sync_boost: false } }), 102.5);
    expect([...second.events.throttleSeconds]).toEqual([
      ["hw_thermal", 1.5],
      ["sync_boost", 0],
    ]);
    expect(observeGpu(first, hot, 5000).events.throttleSeconds.get("hw_thermal")).toBe(30);
    expect(observeGpu(first, hot, 50).events.throttleSeconds.get("hw_thermal")).toBe(0);
  });

  it("trust the driver's time over the bit that says the same", () => {
    const both = (hw_thermal: number) =>
      gpu({ throttleSecondsByReason: { hw_thermal }, throttling: { hw_thermal: true, hw_slowdown: true } });
    expect([...watch(both(5), both(5.25)).events.throttleSeconds]).toEqual([
      ["hw_thermal", 0.25],
      ["hw_slowdown", 1],
    ]);
  });

  it("count ECC errors from the first page on, from zero after a reset", () => {
    const page = (sbe_volatile: number) => gpu({ eccErrors: { sbe_volatile, dbe_aggregate: 3 } });
    expect([...watch(page(40), page(42), page(1)).events.ecc]).toEqual([
      ["sbe_volatile", 3],
      ["dbe_aggregate", 0],
    ]);
    expect([...watch(gpu(), gpu()).events.ecc]).toEqual([]);
  });

  it("belong to the pool of their pod, by namespace where the page has one", () => {
    const targets = [
      engineTarget("http://x/", { pod: "a", namespace: "one", pool: "p1" }),
      engineTarget("http://x/", { pod: "a", namespace: "two", pool: "p2" }),
    ];
    const pools = [gpu({ pod: "a", namespace: "two" }), gpu({ pod: "a" }), gpu({ pod: "b" }), gpu()].map(
      (g) => gpuReports([watch(g)], targets, 0)[0],
    );
    expect(pools.map((r) => [r?.pod, r?.pool])).toEqual([
      ["a", "p2"],
      ["a", "p1"],
      ["b", undefined],
      [undefined, undefined],
    ]);
  });

  it("never exceed what one report holds", () => {
    const many = Array.from({ length: LIMITS.gpusPerReport + 5 }, (_, i) => watch(gpu({ uuid: `GPU-${i}` })));
    expect(gpuReports(many, [], 0)).toHaveLength(LIMITS.gpusPerReport);
  });
});

const capture = sharedPath("samples/dcgm-exporter-linode-rtx4000ada-pod.txt");
describe.skipIf(capture === undefined)("a captured dcgm-exporter page [needs shared data]", () => {
  it("becomes a report of that GPU, with absent what the page does not have", () => {
    const { gpus } = readGpuPage(readFileSync(capture ?? "", "utf8"));
    const target = engineTarget("http://x/", { pod: "cuda-75454ffb9f-8ljq7", namespace: "default", pool: "cuda" });
    const [report] = gpuReports(
      gpus.map((g) => observeGpu(undefined, g, 5)),
      [target],
      6,
    );
    expect(report).toMatchObject({ gpu: "0", pool: "cuda", age: 1, powerWatts: 40.979, temperatureCelsius: 48, dramActive: 0.003074 });
    expect(report).toMatchObject({ memoryUsedBytes: 1048576, pcieTransmitBytesPerSecond: 78398480 });
    expect(report).not.toHaveProperty("smActive");
    expect(report).not.toHaveProperty("nvlinkReceiveBytesPerSecond");
  });
});
