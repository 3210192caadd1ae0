import { describe, expect, it } from "vitest";
import { parsePage } from "../../core/exposition/parse.ts";
import { readGpuPage } from "../../core/engines/gpu-page.ts";
import { renderDcgmPage } from "../../fleet/dcgm-page.ts";
import { decodeActivity, prefillActivity, watts } from "../../fleet/gpu-activity.ts";
import { createGpuDevices, tickGpus } from "../../fleet/gpu-devices.ts";
import { createGpuMeter } from "../../fleet/gpu-meter.ts";

describe("GPU activity under known work", () => {
  it("is the measured row at a measured point and between its neighbours elsewhere", () => {
    expect(prefillActivity(1024)).toEqual({ sm: 0.906, tensor: 0.636, dram: 0.227 });
    const between = prefillActivity(1500).tensor;
    expect(between).toBeGreaterThan(0.636);
    expect(between).toBeLessThan(0.676);
    expect(decodeActivity(64, 2048)).toEqual({ sm: 0.752, tensor: 0.317, dram: 0.658 });
    expect(decodeActivity(64, 1000).dram).toBeGreaterThan(0.528);
    expect(decodeActivity(64, 1000).dram).toBeLessThan(0.658);
  });

  it("stays inside the table outside of it", () => {
    expect(prefillActivity(1)).toEqual(prefillActivity(64));
    expect(prefillActivity(1e6)).toEqual(prefillActivity(32_768));
    expect(decodeActivity(1, 10)).toEqual(decodeActivity(1, 512));
    expect(decodeActivity(4096, 1e6)).toEqual(decodeActivity(64, 8192));
    expect(watts({ sm: 1, tensor: 1, dram: 1 })).toBe(700);
  });

  it("is averaged over the last second: half a second of passes is half their activity", () => {
    const meter = createGpuMeter(() => false);
    for (let end = 9.1; end <= 9.55; end += 0.1) meter.prefill(1, { end, seconds: 0.1, tokens: 1024 });
    const reading = meter.read(1, 10.5);
    expect(reading.busy).toBeCloseTo(0.5, 9);
    expect(reading.tensor).toBeCloseTo(0.318, 9);
    expect(meter.read(1, 100).busy).toBe(0);
  });

  it("puts a hand-off on NVLink within a node and on PCIe between nodes", () => {
    const meter = createGpuMeter((from, to) => from + to === 3);
    meter.transfer({ from: 1, to: 2, start: 9.2, end: 9.4, bytes: 1e9 });
    meter.transfer({ from: 1, to: 5, start: 9.5, end: 9.6, bytes: 3e9 });
    expect(meter.read(1, 10.5)).toMatchObject({ nvlinkTransmit: 1e9, pcieTransmit: expect.closeTo(3e9, 0) as number });
    expect(meter.read(2, 10.5)).toMatchObject({ nvlinkReceive: 1e9, pcieReceive: 0 });
    expect(meter.read(5, 10.5).pcieReceive).toBeCloseTo(3e9, 0);
  });
});

describe("the exporter page", () => {
  const devices = createGpuDevices([{ name: "node-a", gpus: 2 }], 1);

  it("lists all GPUs, pods only where one runs, and says 99 % whenever anything runs", () => {
    const meter = createGpuMeter(() => false);
    meter.decode(7, { end: 9.8, seconds: 0.01, sequences: 1, context: 500 });
    for (const device of devices) device.tenant = device.index === 0 ? { replica: 7, pod: "llama-decode-0" } : undefined;
    tickGpus(devices, 1, (replica) => meter.read(replica, 10.5));
    const text = renderDcgmPage(devices, "serving");
    const { samples, problems } = parsePage(text);
    expect(problems).toEqual([]);
    expect(samples.filter(({ name }) => name === "DCGM_FI_DEV_GPU_UTIL").map(({ value }) => value)).toEqual([99, 0]);
    const { gpus } = readGpuPage(text);
    expect(gpus.map(({ gpu, pod }) => [gpu, pod])).toEqual([
      ["0", "llama-decode-0"],
      ["1", undefined],
    ]);
  });

  it("has XIDs, ECC totals and clock event reasons, the power limit among them", () => {
    const [gpu, idle] = createGpuDevices([{ name: "node-a", gpus: 2 }], 1);
    if (gpu === undefined || idle === undefined) throw new Error("two GPUs");
    gpu.tenant = { replica: 1, pod: "llama-prefill-0" };
    tickGpus([gpu], 1, () => ({ ...gpu.reading, busy: 1, watts: 700 }));
    const page = renderDcgmPage([gpu, idle], "serving");
    expect(
      parsePage(page)
        .samples.filter(({ name }) => name === "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS")
        .map(({ value }) => value),
    ).toEqual([4, 1]);
    const [capped, free] = readGpuPage(page).gpus;
    expect([capped?.throttling?.["sw_power_cap"], free?.throttling?.["sw_power_cap"]]).toEqual([true, false]);
    expect(free?.lastXid).toBe(0);
    expect(free?.eccErrors).toEqual({ sbe_volatile: 0, dbe_volatile: 0, sbe_aggregate: 0, dbe_aggregate: 0 });
  });

  it("integrates energy from power", () => {
    const [idle] = createGpuDevices([{ name: "node-a", gpus: 1 }], 1);
    expect(idle).toBeDefined();
    if (idle === undefined) return;
    tickGpus([idle], 10, () => idle.reading);
    expect(idle.energyMillijoules).toBeCloseTo(780_000, 6);
  });
});
