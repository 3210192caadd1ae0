import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { drainedGpu, type GpuState, gpuReports, observeGpu } from "../../../agent/summarize/gpus.ts";
import { type GpuSample, readGpuPage } from "../../../core/engines/gpu-page.ts";
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
  it("count an XID when it changes, never the one that was there before", () => {
    expect([...watch(gpu({ lastXid: 79 }), gpu({ lastXid: 79 })).events.xid]).toEqual([]);
    const state = watch(gpu({ lastXid: 0 }), gpu({ lastXid: 79 }), gpu({ lastXid: 79 }), gpu({ lastXid: 48 }), gpu({ lastXid: 79 }));
    expect([...state.events.xid]).toEqual([
      [79, 2],
      [48, 1],
    ]);
    expect([...drainedGpu(state).events.xid]).toEqual([]);
  });

  it("turn throttled time into what happened since, from zero after a driver restart", () => {
    const state = watch(gpu({ throttleSecondsTotal: 100 }), gpu({ throttleSecondsTotal: 100.5 }), gpu({ throttleSecondsTotal: 0.25 }));
    expect(gpuReports([state], [], 2)[0]?.throttleSeconds).toBe(0.75);
    expect(gpuReports([drainedGpu(state)], [], 2)[0]?.throttleSeconds).toBe(0);
    expect(gpuReports([watch(gpu())], [], 0)[0]).toEqual({ gpu: "0", uuid: "GPU-1", age: 0 });
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
