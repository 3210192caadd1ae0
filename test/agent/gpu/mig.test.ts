import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { gpuReader } from "../../../cli/doctor/gpu-reader.ts";
import { line } from "../../../cli/doctor/finding.ts";
import { agentSettingsSchema } from "../../../agent/config.ts";
import { openNvml } from "../../../agent/gpu/nvml.ts";
import { toSample } from "../../../agent/gpu/reading-sample.ts";
import { holderOf } from "../../../agent/summarize/gpu-holder.ts";
import { readGpuPage } from "../../../core/engines/gpu-page.ts";
import { gpuHolders } from "../../../core/kubelet/gpu-holders.ts";
import type { Allocation } from "../../../core/kubelet/pod-resources.ts";
import { engineTarget, startAgent } from "../support/agent.ts";
import { servePage, vllmPage } from "../support/pages.ts";
import { reportWhere, startScaler } from "../support/scaler.ts";
import { type FakeDriver, type Script, buildFakeDriver, gpuScript, hasCompiler, migScript } from "./fake-driver.ts";
import { type Supervised, supervise } from "./supervised.ts";

const PARENT = "GPU-00000000-1111-2222-3333-444444444444";
const MIG0 = "MIG-00000000-aaaa-bbbb-cccc-dddddddddddd";
const MIG1 = "MIG-00000001-aaaa-bbbb-cccc-dddddddddddd";
const UID = "0f4de9d1-3a3b-4c5d-8e6f-7a8b9c0d1e2f";

/** A split H200: field values, processes and whatever else the test adds. */
const split = (...more: Script): Script => [
  ...["-1 driver 580.159.04", "-1 devices 1", "0 mig-max 7"],
  ...gpuScript(0).map((l) => (l === "0 mig 0" ? "0 mig 1" : l)),
  ...["0 field.185 1 300000", "0 rc.nvmlGpmSampleGet 3", ...more],
];
const small = { instance: 7, profile: "1g.18gb", slices: 1, memory: "18790481920 0 18790481920 12345" };
const large = { instance: 1, profile: "3g.71gb", slices: 3, memory: "75161927680 0 75161927680 67890" };

describe.skipIf(!hasCompiler)("MIG instances through NVML [needs a C compiler]", () => {
  let driver: FakeDriver;
  beforeAll(async () => {
    driver = await buildFakeDriver();
  });
  const open: { stop(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const thing of open.splice(0).reverse()) await thing.stop();
  });
  const supervised = (proc = driver.directory): Supervised => {
    const opened = supervise(driver, { proc });
    onTestFinished(() => opened.supervisor.close());
    return opened;
  };
  const withProcess = (pid: number): string => {
    const proc = join(driver.directory, "proc");
    mkdirSync(join(proc, String(pid)), { recursive: true });
    writeFileSync(join(proc, String(pid), "stat"), `${pid} (python3) S${" 1".repeat(18)} 5 0\n`);
    writeFileSync(join(proc, String(pid), "cgroup"), `0::/kubepods/burstable/pod${UID}/abc\n`);
    return proc;
  };

  it("are devices of their own, with memory, counters and processes, and without what is only measured for the whole GPU", async () => {
    const proc = withProcess(77);
    const at = (clock: number): Script =>
      split(
        ...migScript(0, 0, small, "process 77 1024"),
        ...migScript(0, 1, large),
        ...[`-1 gpm-clock ${clock}`, `0 gpm-7.2 ${clock * 50}`, `0 gpm-7.10 ${clock * 25}`, `0 gpm-1.2 ${clock * 10}`],
        "0 process 77 1024",
      );
    driver.play(at(1));
    const s = supervised(proc);
    await s.read();
    driver.play(at(2));
    const { gpus, lost } = await s.readLater();
    expect(lost).toEqual([]);
    const [whole, first, second] = gpus;
    expect(gpus).toHaveLength(3);
    expect(whole).toMatchObject({ index: 0, uuid: PARENT, mig: true, problems: [], figures: { powerWatts: 300, smClockHertz: 1.98e9 } });
    expect(whole).not.toHaveProperty("processes");
    expect(whole).not.toHaveProperty("instance");
    expect(whole?.figures).not.toHaveProperty("smActive");
    expect(first).toEqual({
      ...{ index: 0, uuid: MIG0, name: "NVIDIA H200 MIG 1g.18gb", gpm: true },
      instance: { id: 7, parent: PARENT, profile: "1g.18gb", share: 1 / 7 },
      figures: { memoryUsedBytes: 12345, memoryTotalBytes: 18790481920, smActive: 0.5, dramActive: 0.25 },
      processes: [{ pid: 77, memoryBytes: 1024, podUid: UID }],
      ...{ throttleSecondsByReason: {}, eccErrors: {}, xid: [], problems: [] },
    });
    expect(second).toMatchObject({ uuid: MIG1, instance: { id: 1, share: 3 / 7 }, figures: { smActive: 0.1 }, processes: [] });
    expect(second?.figures).not.toHaveProperty("dramActive");
  });

  it("get the XIDs that happened in them; the whole GPU keeps the others", async () => {
    const base = split(...migScript(0, 0, small), ...migScript(0, 1, large));
    driver.play(base);
    const s = supervised();
    await s.read();
    driver.play([...base, "-1 event 1 0 43 7", "-1 event 2 0 43 1", "-1 event 3 0 79", "-1 event 4 0 43 7", "-1 event 5 0 43 5"]);
    expect((await s.read()).gpus.map((g) => g.xid)).toEqual([
      [
        { xid: 79, count: 1 },
        { xid: 43, count: 1 },
      ],
      [{ xid: 43, count: 2 }],
      [{ xid: 43, count: 1 }],
    ]);
  });

  it("count once when compute instances share them", async () => {
    const half = { ...large, profile: "1c.3g.71gb" };
    driver.play(split(...migScript(0, 0, half, "process 5 1"), ...migScript(0, 3, half, "process 6 2")));
    const { gpus } = await supervised().read();
    expect(gpus).toHaveLength(2);
    expect(gpus[1]).toMatchObject({ uuid: MIG0, instance: { id: 1, profile: "1c.3g.71gb" }, processes: [{ pid: 5 }, { pid: 6 }] });
  });

  it("are found when they are made, forgotten when they are removed, and gone with MIG itself", async () => {
    driver.play(split());
    // In this process, because the test sets the clock.
    const nvml = await openNvml(driver.library, driver.directory);
    const ids = (now: number): readonly unknown[] => nvml.read(now).gpus.map((g) => g.instance?.id);
    expect(ids(0)).toEqual([undefined]);
    const both = split(...migScript(0, 0, small), ...migScript(0, 1, large));
    driver.play(both);
    expect(ids(9)).toEqual([undefined]);
    expect(ids(10)).toEqual([undefined, 7, 1]);
    // A handle whose instance is gone fails; the next read looks anew.
    driver.play([...both, "10 rc.nvmlDeviceGetMemoryInfo_v2 2"]);
    expect(ids(11)).toEqual([undefined, 1]);
    driver.play(split(...migScript(0, 1, large)));
    expect(ids(12)).toEqual([undefined, 1]);
    driver.play(["-1 driver 580.159.04", "-1 devices 1", "0 mig-max 7", ...gpuScript(0), ...migScript(0, 1, large)]);
    expect(ids(13)).toEqual([undefined]);
  });

  it("say nothing of GPM where the driver has no such call for instances", async () => {
    driver.play(split(...migScript(0, 0, small)));
    const { gpus } = await (() => {
      const opened = supervise(driver, { library: driver.oldLibrary });
      onTestFinished(() => opened.supervisor.close());
      return opened.read();
    })();
    expect(gpus.map((g) => g.gpm)).toEqual([false, false]);
    expect(gpus[1]?.figures).toEqual({ memoryUsedBytes: 12345, memoryTotalBytes: 18790481920 });
  });

  it("belong to the pool whose pod runs in them, in report and metrics; the whole GPU belongs to none", async () => {
    const proc = withProcess(78);
    driver.play(split(...migScript(0, 0, small, "process 78 1024"), ...migScript(0, 1, large)));
    const scaler = await startScaler();
    open.push(scaler);
    const server = await servePage(vllmPage({ tokens: 1 }));
    open.push({ stop: () => server.close() });
    const settings = { gpuReader: "nvml", gpuInterval: 0.15, nvmlLibrary: driver.library, nvmlProgram: driver.program } as const;
    const engines = [engineTarget(server.url, { uid: UID })];
    const agent = await startAgent({ ...settings, procPath: proc, scalerUrl: scaler.url }, { engines });
    open.push(agent);
    const report = await reportWhere(scaler, "three devices", (r) => r.gpus.length === 3);
    const [whole, first, second] = report.gpus;
    expect(whole).toMatchObject({ gpu: "0", uuid: PARENT, mig: true, powerWatts: 300 });
    expect(whole).not.toHaveProperty("pool");
    expect(first).toMatchObject({ gpu: "0/7", uuid: MIG0, pod: "decode-0", pool: "decode", memoryUsedBytes: 12345 });
    expect(first).toMatchObject({ instance: { parent: PARENT, profile: "1g.18gb", share: 1 / 7 } });
    for (const absent of ["powerWatts", "smClockHertz", "temperatureCelsius", "throttleSeconds"]) expect(first).not.toHaveProperty(absent);
    expect(second).toMatchObject({ gpu: "0/1" });
    expect(second).not.toHaveProperty("pool");
    const text = await agent.metrics();
    const labels = `gpu="0/7",uuid="${MIG0}",pod="decode-0",pool="decode",role="decode"`;
    expect(text).toContain(`fulcrum_gpu_instance_info{${labels},parent="${PARENT}",profile="1g.18gb"} 1`);
    expect(text).toContain(`fulcrum_gpu_instance_share_ratio{${labels}} 0.14285714285714285`);
    expect(text).not.toContain(`fulcrum_gpu_power_watts{${labels}}`);
  });

  it("that do nothing yet belong to the pod that GKE's kubelet gave them, by their GPU instance id", async () => {
    driver.play(split(...migScript(0, 0, small), ...migScript(0, 1, large)));
    const { gpus } = await supervised().read();
    const given = (pod: string, id: string): Allocation => ({
      namespace: "ns",
      pod,
      container: "engine",
      device: { by: "plugin", resource: "nvidia.com/gpu", id },
    });
    const holders = gpuHolders([given("decode-0", "nvidia0/gi7"), given("decode-1", "nvidia0/gi3")], new Map());
    const [whole, first, second] = gpus.map((g) => holderOf(toSample(g), [engineTarget("http://127.0.0.1:1")], holders));
    expect(first).toEqual({ pod: "decode-0", pool: "decode", role: "decode" });
    // No reader shows instance 3: the whole GPU and the instances that are shown are not taken for it.
    expect([whole, second]).toEqual([{}, {}]);
  });

  it("are counted by the doctor", async () => {
    driver.play(split(...migScript(0, 0, small), ...migScript(0, 1, large)));
    const parsed = agentSettingsSchema.parse({ node: "n", targets: "t" });
    const settings = { ...parsed, gpuReader: "nvml", nvmlLibrary: driver.library, nvmlProgram: driver.program } as const;
    expect(line(await gpuReader(settings, 0))).toBe(
      "ok   GPU reader: nvml (set): driver 580.159.04, 1 × NVIDIA H200, 1 split by MIG into 2 instances, GPM counters",
    );
  });
});

describe("MIG instances on a dcgm-exporter page", () => {
  it("are told apart by their labels and name the GPU they are a part of", () => {
    const whole = `gpu="0",UUID="${PARENT}",device="nvidia0"`;
    const part = `${whole},GPU_I_PROFILE="1g.10gb",GPU_I_ID="7",pod="decode-0",namespace="llm"`;
    const page = [`DCGM_FI_DEV_POWER_USAGE{${whole}} 300`, `DCGM_FI_PROF_SM_ACTIVE{${part}} 0.5`, `DCGM_FI_DEV_FB_USED{${part}} 10`];
    expect(readGpuPage(`${page.join("\n")}\n`).gpus).toEqual([
      { gpu: "0", uuid: PARENT, powerWatts: 300 },
      {
        ...{ gpu: "0/7", uuid: PARENT, pod: "decode-0", namespace: "llm", smActive: 0.5, memoryUsedBytes: 10485760 },
        instance: { parent: PARENT, profile: "1g.10gb" },
      },
    ]);
  });
});
