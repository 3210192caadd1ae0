import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type FakeDriver, type Script, buildFakeDriver, gpuScript, hasCompiler } from "./fake-driver.ts";
import { type Supervised, type SupervisedOptions, supervise } from "./supervised.ts";

const NODE: Script = ["-1 driver 580.159.04", "-1 devices 1"];

describe.skipIf(!hasCompiler)("NVML through koffi [needs a C compiler]", () => {
  let driver: FakeDriver;
  beforeAll(async () => {
    driver = await buildFakeDriver();
  });
  const open = (options: SupervisedOptions = {}): Supervised => {
    const opened = supervise(driver, options);
    onTestFinished(() => opened.supervisor.close());
    return opened;
  };

  it("reads every value as the driver has it", async () => {
    const fields = ["3 3 7", "4 3 2", "74 3 1500000000", "76 3 0", "82 1 52", "142 1 3", "143 1 1", "144 1 1", "145 1 0", "185 1 431250"];
    const script = [...NODE, ...gpuScript(0, ...fields.map((f) => `0 field.${f}`)), "0 field.269 3 250000000", "0 field.270 3 125000000"];
    driver.play(script.map((l) => l.replace(/^0 field\.(\d+) /, "0 field.$1 ")));
    const reading = await open().read();
    expect(reading).toMatchObject({ driver: "580.159.04", lost: [] });
    expect(reading.gpus).toEqual([
      {
        ...{ index: 0, uuid: "GPU-00000000-1111-2222-3333-444444444444", name: "NVIDIA H200", gpm: true, mig: false },
        figures: {
          ...{ memoryTotalBytes: 150754820096, memoryUsedBytes: 2088960, temperatureCelsius: 31, memoryTemperatureCelsius: 52 },
          ...{ smClockHertz: 1.98e9, memoryClockHertz: 3.201e9, powerWatts: 431.25 },
        },
        throttleSecondsByReason: { sw_power_cap: 1.5, sync_boost: 0, sw_thermal: 0.25, hw_thermal: 0.125 },
        eccErrors: { sbe_volatile: 7, dbe_volatile: 2 },
        remappedRows: { correctable: 3, uncorrectable: 1, pending: true, failed: false },
        xid: [],
        processes: [],
        problems: [],
      },
    ]);
  });

  it("leaves out what the driver does not give, whatever it was", async () => {
    driver.play(["-1 driver 535.104.05", "-1 devices 1", "0 uuid GPU-old", "0 name NVIDIA L4", "0 power 33000"]);
    const { gpus } = await open({ library: driver.oldLibrary }).read();
    expect(gpus).toEqual([
      {
        ...{ index: 0, uuid: "GPU-old", name: "NVIDIA L4", gpm: false, figures: { powerWatts: 33 }, throttleSecondsByReason: {} },
        ...{ eccErrors: {}, xid: [], processes: [], problems: [] },
      },
    ]);
  });

  it("takes a temperature from the old call where the new one is missing", async () => {
    driver.play(["-1 driver 535.104.05", "-1 devices 1", ...gpuScript(0)]);
    expect((await open({ library: driver.oldLibrary }).read()).gpus[0]?.figures.temperatureCelsius).toBe(31);
  });

  it("asks for throttle times by the ids of the driver's own release", async () => {
    const fields = [
      "0 field.251 3 1000000000",
      "0 field.252 3 2000000000",
      "0 field.253 3 3000000000",
      "0 field.269 3 9",
      "0 field.270 3 9",
    ];
    const by = async (release: string): Promise<unknown> => {
      driver.play([`-1 driver ${release}`, "-1 devices 1", ...gpuScript(0), ...fields]);
      return (await open().read()).gpus[0]?.throttleSecondsByReason;
    };
    expect(await by("575.57.08")).toEqual({ sw_thermal: 1, hw_thermal: 2, hw_power_brake: 3 });
    expect(await by("580.65.06")).toEqual({ sw_thermal: 9e-9, hw_thermal: 9e-9 });
    expect(await by("550.54.15")).toEqual({});
  });

  it("averages GPM counters over the window between two reads, in base units", async () => {
    const at = (clock: number, gpm: Readonly<Record<number, number>>): Script => [
      ...NODE,
      ...gpuScript(0),
      `-1 gpm-clock ${clock}`,
      ...Object.entries(gpm).map(([id, value]) => `0 gpm.${id} ${value}`),
    ];
    driver.play(at(10, { 2: 100, 3: 50, 5: 1000, 10: 2000, 11: 0, 12: 40, 20: 4096, 21: 8192, 60: 0, 61: 512 }));
    const s = open();
    const figures = async (): Promise<unknown> => (await s.readLater()).gpus[0]?.figures;
    expect(await figures()).not.toHaveProperty("smActive");
    driver.play(at(12, { 2: 250, 3: 150, 5: 1100, 10: 2050, 11: 0, 12: 40, 20: 8192, 21: 24576, 60: 4, 61: 514 }));
    expect(await figures()).toMatchObject({
      ...{ smActive: 0.75, smOccupancy: 0.5, tensorActive: 0.5, dramActive: 0.25, fp64Active: 0, fp32Active: 0 },
      ...{ pcieTransmitBytesPerSecond: 2048 * 1048576, pcieReceiveBytesPerSecond: 8192 * 1048576 },
      ...{ nvlinkReceiveBytesPerSecond: 2 * 1048576, nvlinkTransmitBytesPerSecond: 1048576 },
    });
    driver.play(at(16, { 2: 250, 5: 1500 }));
    const last = await figures();
    // The pair has rolled: the window is 12 to 16, and what became NaN is absent.
    expect(last).toMatchObject({ smActive: 0, tensorActive: 1 });
    expect(last).not.toHaveProperty("dramActive");
    expect(last).not.toHaveProperty("fp16Active");
  });

  it("repeats GPM figures that are asked for within the driver's 100 ms, instead of dividing noise", async () => {
    driver.play([...NODE, ...gpuScript(0), "-1 gpm-clock 1", "0 gpm.2 0"]);
    const s = open();
    await s.read();
    driver.play([...NODE, ...gpuScript(0), "-1 gpm-clock 2", "0 gpm.2 40"]);
    expect((await s.readLater()).gpus[0]?.figures.smActive).toBe(0.4);
    driver.play([...NODE, ...gpuScript(0), "-1 gpm-clock 2", "0 gpm.2 90"]);
    expect((await s.read()).gpus[0]?.figures.smActive).toBe(0.4);
  });

  it("says why GPM is missing, and starts a new window when it is back", async () => {
    driver.play([...NODE, ...gpuScript(0), "-1 gpm-clock 1", "0 gpm.2 0"]);
    const s = open();
    await s.read();
    driver.play([...NODE, ...gpuScript(0), "0 rc.nvmlGpmSampleGet 4"]);
    const refused = (await s.readLater()).gpus[0];
    expect(refused?.problems).toEqual(["GPU 0: GPM sample: no permission (NVML 4)"]);
    expect(refused?.figures).toMatchObject({ temperatureCelsius: 31 });
    expect(refused?.figures).not.toHaveProperty("smActive");
    driver.play([...NODE, ...gpuScript(0), "-1 gpm-clock 50", "0 gpm.2 100"]);
    expect((await s.readLater()).gpus[0]?.figures).not.toHaveProperty("smActive");
    driver.play([...NODE, ...gpuScript(0), "-1 gpm-clock 51", "0 gpm.2 150"]);
    expect((await s.readLater()).gpus[0]?.figures.smActive).toBe(0.5);
  });

  it("counts every XID once, by GPU, and none from before it looked", async () => {
    const base = [...NODE.slice(0, 1), "-1 devices 2", ...gpuScript(0), ...gpuScript(1)];
    const old = ["-1 event 1 0 79"];
    driver.play([...base, ...old]);
    const s = open();
    const xids = async (): Promise<unknown> => (await s.read()).gpus.map((g) => g.xid);
    expect(await xids()).toEqual([[], []]);
    const burst = ["-1 event 2 1 48", "-1 event 3 1 48", "-1 event 4 0 31", "-1 event 5 1 94"];
    driver.play([...base, ...old, ...burst]);
    expect(await xids()).toEqual([
      [{ xid: 31, count: 1 }],
      [
        { xid: 48, count: 2 },
        { xid: 94, count: 1 },
      ],
    ]);
    expect(await xids()).toEqual([[], []]);
    driver.play([...base, ...old, ...burst, "-1 event 6 1 48"]);
    expect(await xids()).toEqual([[], [{ xid: 48, count: 1 }]]);
  });

  it("finds the pod of each process through its cgroup, as many as there are", async () => {
    const uid = "0f4de9d1-3a3b-4c5d-8e6f-7a8b9c0d1e2f";
    const proc = join(driver.directory, "proc");
    const process = (pid: number, start: number, cgroup: string): void => {
      mkdirSync(join(proc, String(pid)), { recursive: true });
      writeFileSync(join(proc, String(pid), "stat"), `${pid} (a (b) c) S${" 1".repeat(18)} ${start} 0 0\n`);
      writeFileSync(join(proc, String(pid), "cgroup"), cgroup);
    };
    process(
      7,
      100,
      `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid.replaceAll("-", "_")}.slice/cri-containerd-ab.scope\n`,
    );
    process(8, 100, "0::/user.slice/user-0.slice/session-1.scope\n");
    const many = Array.from({ length: 40 }, (_, i) => `0 process ${1000 + i} 1048576`);
    driver.play([...NODE, ...gpuScript(0), "0 process 7 5368709120", "0 process 8 unknown", "0 process 9 4096", ...many]);
    const s = open({ proc });
    const first = (await s.read()).gpus[0]?.processes;
    expect(first).toHaveLength(43);
    expect(first?.slice(0, 3)).toEqual([{ pid: 7, memoryBytes: 5368709120, podUid: uid }, { pid: 8 }, { pid: 9, memoryBytes: 4096 }]);
    // The PID is another process now.
    process(7, 200, "0::/\n");
    expect((await s.read()).gpus[0]?.processes?.[0]).toEqual({ pid: 7, memoryBytes: 5368709120 });
  });

  it("reads the others when one GPU is lost or cannot be opened, and names it", async () => {
    driver.play([
      "-1 driver 580.1",
      "-1 devices 3",
      ...[0, 1, 2].flatMap((gpu) => gpuScript(gpu)),
      "1 rc.nvmlDeviceGetHandleByIndex_v2 15",
    ]);
    const s = open();
    const first = await s.read();
    expect(first.gpus.map((g) => g.index)).toEqual([0, 2]);
    expect(first.lost).toEqual(["GPU 1: GPU is lost (NVML 15)"]);
    driver.play(["-1 driver 580.1", "-1 devices 3", ...[0, 1, 2].flatMap((gpu) => gpuScript(gpu)), "2 rc.nvmlDeviceGetMemoryInfo_v2 15"]);
    expect((await s.read()).lost).toEqual([
      "GPU 1: GPU is lost (NVML 15)",
      "GPU 2 (GPU-00000002-1111-2222-3333-444444444444): GPU is lost (NVML 15)",
    ]);
  });

  it("keeps the XID that a GPU is lost with", async () => {
    const two = ["-1 driver 580.1", "-1 devices 2", ...gpuScript(0), ...gpuScript(1)];
    driver.play(two);
    const s = open();
    await s.read();
    driver.play([...two, "1 rc.nvmlDeviceGetMemoryInfo_v2 15", "-1 event 1 1 79"]);
    const reading = await s.read();
    expect(reading.gpus.map((g) => [g.index, g.xid])).toEqual([
      [0, []],
      [1, [{ xid: 79, count: 1 }]],
    ]);
    expect(reading.gpus[1]).toMatchObject({ figures: {}, eccErrors: {}, throttleSecondsByReason: {} });
    expect(reading.lost).toHaveLength(1);
    expect((await s.read()).gpus.map((g) => g.index)).toEqual([0]);
  });

  it.each([
    ["nvmlDeviceGetTemperatureV", []],
    ["nvmlDeviceGetClockInfo", ["smClockHertz", "memoryClockHertz"]],
    ["nvmlDeviceGetFieldValues", ["memoryTemperatureCelsius"]],
    ["nvmlDeviceGetComputeRunningProcesses_v3", []],
    ["nvmlDeviceGetMigMode", []],
    ["nvmlDeviceGetCurrentClocksThrottleReasons", []],
    ["nvmlDeviceGetMemoryInfo_v2", ["memoryUsedBytes", "memoryTotalBytes"]],
  ])("lacks only what %s would have told when it fails", async (call, absent) => {
    const whole = [...NODE, ...gpuScript(0, "0 field.82 1 50", "0 field.185 1 100000", "0 power 100000")];
    driver.play(whole);
    const s = open();
    const before = (await s.read()).gpus[0];
    driver.play([...whole, `0 rc.${call} 3`]);
    const after = (await s.read()).gpus[0];
    const kept = Object.entries(before?.figures ?? {}).filter(([name]) => !(absent as readonly string[]).includes(name));
    expect(after?.figures).toEqual(Object.fromEntries(kept));
    expect(after?.mig).toBe(call === "nvmlDeviceGetMigMode" ? undefined : false);
    expect(after?.processes).toEqual(call === "nvmlDeviceGetComputeRunningProcesses_v3" ? undefined : []);
  });

  it("reads the slow throttle times at once when the clocks are held down", async () => {
    driver.play([...NODE, ...gpuScript(0), "0 field.270 3 1000000000", "0 field.271 3 0"]);
    const s = open();
    const hot = async (): Promise<number | undefined> => (await s.read()).gpus[0]?.throttleSecondsByReason["hw_thermal"];
    expect(await hot()).toBe(1);
    const quiet = [...NODE, ...gpuScript(0), "0 field.270 3 2000000000", "0 field.271 3 0"];
    driver.play(quiet);
    expect(await hot()).toBe(1);
    driver.play(quiet.map((l) => (l === "0 reasons 0" ? "0 reasons 0x40" : l)));
    expect(await hot()).toBe(2);
    driver.play([...NODE, ...gpuScript(0), "0 field.270 3 2500000000"]);
    expect(await hot()).toBe(2.5);
  });
});
