import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { type AgentSettings, agentSettingsSchema } from "../../../agent/config.ts";
import { gpuReader } from "../../../cli/doctor/gpu-reader.ts";
import { line } from "../../../cli/doctor/finding.ts";
import { engineTarget, startAgent } from "../support/agent.ts";
import { gpuPage, servePage, vllmPage } from "../support/pages.ts";
import { reportWhere, startScaler } from "../support/scaler.ts";
import { until } from "../support/until.ts";
import { type FakeDriver, type Script, buildFakeDriver, gpuScript, hasCompiler } from "./fake-driver.ts";

const UID = "0f4de9d1-3a3b-4c5d-8e6f-7a8b9c0d1e2f";
const node = (...more: Script): Script => ["-1 driver 580.159.04", "-1 devices 1", ...gpuScript(0, ...more)];
const gpm = (clock: number): Script =>
  node(`-1 gpm-clock ${clock}`, `0 gpm.2 ${clock * 50}`, `0 gpm.5 ${clock * 25}`, `0 gpm.21 ${clock * 1000}`);

describe.skipIf(!hasCompiler)("an agent whose node has a driver [needs a C compiler]", () => {
  let driver: FakeDriver;
  beforeAll(async () => {
    driver = await buildFakeDriver();
  });
  const open: { stop(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const thing of open.splice(0).reverse()) await thing.stop();
  });
  const keep = <T extends { stop(): Promise<void> }>(thing: T): T => {
    open.push(thing);
    return thing;
  };
  const page = async (text: string): Promise<string> => {
    const server = await servePage(text);
    open.push({ stop: () => server.close() });
    return server.url;
  };
  const settings = (more: Partial<AgentSettings> = {}): Partial<AgentSettings> => ({
    ...{ gpuReader: "auto", gpuInterval: 0.15, nvmlLibrary: driver.library, nvmlProgram: driver.program, ...more },
  });
  /** Lets GPM's clock run until it is stopped. */
  const run = (from = 1): void => {
    let clock = from;
    driver.play(gpm(clock));
    const timer = setInterval(() => driver.play(gpm((clock += 1))), 100);
    open.push({ stop: () => Promise.resolve(clearInterval(timer)) });
  };

  it("reports NVML's figures under the pool whose pod runs there, and leaves the pages alone", async () => {
    const proc = join(driver.directory, "proc");
    mkdirSync(join(proc, "77"), { recursive: true });
    writeFileSync(join(proc, "77", "stat"), `77 (python3) S${" 1".repeat(18)} 5 0\n`);
    writeFileSync(join(proc, "77", "cgroup"), `0::/kubepods/burstable/pod${UID}/abc\n`);
    const script = (clock: number): Script => [...gpm(clock), "0 process 77 1024", "0 field.142 1 2", "0 field.144 1 0"];
    driver.play(script(1));
    let clock = 1;
    const timer = setInterval(() => driver.play(script((clock += 1))), 100);
    open.push({ stop: () => Promise.resolve(clearInterval(timer)) });
    const s = keep(await startScaler());
    const engines = [engineTarget(await page(vllmPage({ tokens: 1 })), { uid: UID })];
    const gpus = [{ url: await page(gpuPage("decode-0", 0.9)) }];
    const a = keep(await startAgent({ ...settings({ procPath: proc }), scalerUrl: s.url }, { engines, gpus }));

    const { gpus: reported, sources } = await reportWhere(s, "GPM", (r) => r.gpus.some((g) => g.tensorActive === 0.25));
    expect(reported).toHaveLength(1);
    expect(reported[0]).toMatchObject({
      ...{ gpu: "0", uuid: "GPU-00000000-1111-2222-3333-444444444444", pod: "decode-0", pool: "decode", role: "decode" },
      ...{ smActive: 0.5, pcieReceiveBytesPerSecond: 1000 * 1048576, memoryUsedBytes: 2088960, smClockHertz: 1.98e9 },
      ...{ remappedRows: { correctable: 2, pending: false }, mig: false },
    });
    expect(reported[0]).not.toHaveProperty("dramActive");
    expect(sources.filter((x) => x.source === "gpu")).toEqual([
      { source: "gpu", target: "nvml", up: true, age: expect.any(Number) as number },
    ]);

    const text = await a.metrics();
    const labels = `gpu="0",uuid="GPU-00000000-1111-2222-3333-444444444444",pod="decode-0",pool="decode",role="decode"`;
    expect(text).toContain(`fulcrum_gpu_sm_active_ratio{${labels}} 0.5`);
    expect(text).toContain(`fulcrum_gpu_remapped_rows{${labels},kind="correctable"} 2`);
    expect(text).toContain(`fulcrum_gpu_mig_enabled{${labels}} 0`);
    expect(text).toContain('fulcrum_gpu_reader_restarts_total{reason="crash"} 0');
    expect(text).not.toContain("fulcrum_gpu_row_remap_failed{");
  });

  it("outlives a driver that crashes, without old figures, and takes the GPU back", async () => {
    driver.play(gpm(1));
    const s = keep(await startScaler());
    const a = keep(await startAgent({ ...settings({ gpuReader: "nvml" }), scalerUrl: s.url }));
    await reportWhere(s, "the GPU", (r) => r.gpus.length === 1);
    driver.play([...gpm(2), "-1 crash nvmlDeviceGetFieldValues"]);
    const lost = await reportWhere(s, "no GPU", (r) =>
      r.sources.some((x) => x.source === "gpu" && !x.up && x.error?.includes("SIGSEGV") === true),
    );
    expect(lost.gpus).toEqual([]);
    expect(await a.metrics()).toContain('fulcrum_gpu_reader_restarts_total{reason="crash"} 1');
    expect((await a.get("/healthz")).status).toBe(200);
    driver.play(gpm(3));
    await reportWhere(s, "the GPU again", (r) => r.seq > lost.seq && r.gpus.length === 1);
  });

  it("counts XID events one by one into its metric", async () => {
    driver.play(node());
    const s = keep(await startScaler());
    const a = keep(await startAgent({ ...settings({ gpuReader: "nvml" }), scalerUrl: s.url }));
    await reportWhere(s, "the GPU", (r) => r.gpus.length === 1);
    driver.play(node("-1 event 1 0 79", "-1 event 2 0 79", "-1 event 3 0 79"));
    await until("three events", async () => /fulcrum_gpu_xid_errors_total\{.*xid="79"\} 3/.test(await a.metrics()));
    expect(s.folded.flatMap((r) => r.gpus).flatMap((g) => g.xid ?? [])).toEqual([{ xid: 79, count: 3 }]);
    // The last one comes with the end of the node's only GPU.
    driver.play(node(...[1, 2, 3].map((i) => `-1 event ${i} 0 79`), "-1 event 4 0 119", "0 rc.nvmlDeviceGetMemoryInfo_v2 15"));
    await until("the last word", async () => /fulcrum_gpu_xid_errors_total\{.*xid="119"\} 1/.test(await a.metrics()));
    await reportWhere(s, "the loss", (r) => r.gpus.length === 0 && r.sources.some((x) => x.error?.includes("GPU is lost") === true));
  });

  it("reads the pages when NVML has no more to say than they", async () => {
    driver.play(node("0 no-gpm 1"));
    const s = keep(await startScaler());
    const gpus = [{ url: await page(gpuPage("decode-0", 0.9)) }];
    keep(await startAgent({ ...settings(), scalerUrl: s.url }, { gpus }));
    await reportWhere(s, "the page's GPU", (r) => r.gpus.some((g) => g.uuid === "GPU-1") && r.seq > 10);
    expect(s.folded.flatMap((r) => r.gpus).every((g) => g.uuid === "GPU-1")).toBe(true);
  });

  it("reads what NVML has where no page is named, and says what is missing", async () => {
    driver.play(node("0 no-gpm 1"));
    const s = keep(await startScaler());
    keep(await startAgent({ ...settings(), scalerUrl: s.url }));
    const { sources } = await reportWhere(s, "NVML", (r) => r.gpus.some((g) => g.memoryUsedBytes === 2088960));
    expect(sources.find((x) => x.source === "gpu")?.error).toBe(
      "1 of 1 GPUs (NVIDIA H200) have no GPM counters: SM, tensor, DRAM, PCIe and NVLink stay absent",
    );
  });

  it.each(["dcgm-exporter", "off"] as const)("does not touch the driver when set to %s", async (setting) => {
    driver.play(node("-1 crash nvmlInit_v2"));
    const s = keep(await startScaler());
    const gpus = [{ url: await page(gpuPage("decode-0", 0.9)) }];
    const a = keep(await startAgent({ ...settings({ gpuReader: setting }), scalerUrl: s.url }, { gpus }));
    const report = await reportWhere(s, "reports", (r) => r.seq > 8);
    expect(report.gpus.map((g) => g.uuid)).toEqual(setting === "off" ? [] : ["GPU-1"]);
    expect(await a.metrics()).toContain('fulcrum_gpu_reader_restarts_total{reason="crash"} 0');
  });

  describe("and the doctor", () => {
    const says = async (more: Partial<AgentSettings>, pages = 0): Promise<string> => {
      const parsed = agentSettingsSchema.parse({ node: "n", targets: "t" });
      return line(await gpuReader({ ...parsed, ...settings(more) }, pages));
    };

    it("names the reader and what it sees", async () => {
      run();
      expect(await says({})).toBe("ok   GPU reader: nvml (automatic): driver 580.159.04, 1 × NVIDIA H200, GPM counters");
      expect(await says({ gpuReader: "nvml" }, 1)).toContain("ok   GPU reader: nvml (set): driver");
      expect(await says({ gpuReader: "off" })).toBe("ok   GPU reader: off");
      expect(await says({ gpuReader: "dcgm-exporter" }, 2)).toBe("ok   GPU reader: dcgm-exporter (set), 2 pages");
      expect(await says({ gpuReader: "dcgm-exporter" })).toMatch(/^FAIL GPU reader: dcgm-exporter \(set\), 0 pages; name the page/);
    });

    it("tells the mend of what is wrong", async () => {
      driver.play(node("0 rc.nvmlGpmSampleGet 4"));
      expect(await says({})).toMatch(/^warn .*GPU 0: GPM sample: no permission \(NVML 4\); run as root or with CAP_SYS_ADMIN/);
      driver.play(node("0 no-gpm 1"));
      expect(await says({})).toMatch(/^warn .*no GPM counters \(Hopper and later have them\); name a dcgm-exporter page/);
      expect(await says({}, 1)).toBe(
        "ok   GPU reader: dcgm-exporter (automatic), 1 pages; driver 580.159.04, 1 × NVIDIA H200 without GPM counters",
      );
      driver.play(["-1 rc.nvmlInit_v2 9"]);
      expect(await says({ gpuReader: "nvml" })).toBe(
        "FAIL GPU reader: nvml (set): nvmlInit: driver not loaded (NVML 9); see what nvidia-smi says on the node",
      );
      expect(await says({}, 1)).toMatch(/^warn GPU reader: dcgm-exporter \(automatic\), 1 pages; nvml: nvmlInit: driver not loaded/);
      expect(await says({ gpuReader: "nvml", nvmlLibrary: "/none.so" })).toMatch(
        /^FAIL .*\/none\.so cannot be loaded: .*; bring the driver's library/,
      );
      driver.play(node("-1 crash nvmlDeviceGetUUID"));
      expect(await says({})).toMatch(/^warn GPU reader: none; nvml: the NVML process ended by SIGSEGV/);
    });
  });
});
