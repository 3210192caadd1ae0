import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { type AgentSettings, agentSettingsSchema } from "../../../../agent/config.ts";
import { line } from "../../../../cli/doctor/finding.ts";
import { gpuReader } from "../../../../cli/doctor/gpu-reader.ts";
import { startAgent } from "../../support/agent.ts";
import { gpuPage, servePage } from "../../support/pages.ts";
import { reportWhere, startScaler } from "../../support/scaler.ts";
import { hasCompiler } from "../compile.ts";
import { type FakeDriver, type Script, buildFakeDriver, gpuScript } from "../fake-driver.ts";
import { type FakeDcgm, HOST, buildFakeDcgm, dcgmGpu, engineScript, uuidOf } from "./fake-dcgm.ts";

const ONE = engineScript("0", ...dcgmGpu(0));
const node = (...more: Script): Script => ["-1 driver 580.159.04", "-1 devices 1", ...gpuScript(0, ...more)];

describe.skipIf(!hasCompiler)("an agent beside a host engine [needs a C compiler]", () => {
  let dcgm: FakeDcgm;
  let driver: FakeDriver;
  beforeAll(async () => {
    [dcgm, driver] = await Promise.all([buildFakeDcgm(), buildFakeDriver()]);
  });
  const open: { stop(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const thing of open.splice(0).reverse()) await thing.stop();
  });
  const keep = <T extends { stop(): Promise<void> }>(thing: T): T => {
    open.push(thing);
    return thing;
  };
  const page = async (): Promise<string> => {
    const server = await servePage(gpuPage("decode-0", 0.9));
    open.push({ stop: () => server.close() });
    return server.url;
  };
  const settings = (more: Partial<AgentSettings>): Partial<AgentSettings> => ({
    ...{ gpuReader: "auto", gpuInterval: 0.15, nvmlLibrary: driver.library, nvmlProgram: driver.program },
    ...{ dcgmLibrary: dcgm.library, dcgmProgram: dcgm.program, ...more },
  });

  it("reports what the host engine has, as its own source, without touching the driver", async () => {
    driver.play(node("-1 crash nvmlInit_v2"));
    dcgm.play(ONE);
    const s = keep(await startScaler());
    const a = keep(await startAgent({ ...settings({ gpuReader: "dcgm" }), scalerUrl: s.url }));
    const { gpus, sources } = await reportWhere(s, "the GPU", (r) => r.gpus.length === 1);
    expect(gpus[0]).toMatchObject({ gpu: "0", uuid: uuidOf(0), smActive: 0.75, powerWatts: 431.25, remappedRows: { pending: true } });
    expect(sources.filter((x) => x.source === "gpu")).toMatchObject([{ target: "dcgm", up: true }]);
    const text = await a.metrics();
    expect(text).toContain(`fulcrum_gpu_tensor_active_ratio{gpu="0",uuid="${uuidOf(0)}",pod="",pool="",role=""} 0.25`);
    expect(text).toContain('fulcrum_gpu_reader_restarts_total{reason="crash"} 0');
  });

  it("keeps to NVML where that has the counters, and never starts the client", async () => {
    driver.play(node());
    dcgm.play([...ONE, "- crash dcgmInit"]);
    const s = keep(await startScaler());
    const a = keep(await startAgent({ ...settings({ dcgmHost: HOST }), scalerUrl: s.url }));
    const up = await reportWhere(s, "NVML", (r) => r.sources.some((x) => x.target === "nvml" && x.up));
    // Several beats later the client has still not been started: its first call would have crashed it.
    const later = await reportWhere(s, "later", (r) => r.seq > up.seq + 8);
    expect(later.sources.filter((x) => x.source === "gpu")).toMatchObject([{ target: "nvml", up: true }]);
    expect(await a.metrics()).toContain('fulcrum_gpu_reader_restarts_total{reason="crash"} 0');
  });

  it("uses the host engine where NVML has no counters, and leaves pages alone", async () => {
    driver.play(node("0 no-gpm 1"));
    dcgm.play(ONE);
    const s = keep(await startScaler());
    keep(await startAgent({ ...settings({ dcgmHost: HOST }), scalerUrl: s.url }, { gpus: [{ url: await page() }] }));
    const report = await reportWhere(s, "the host engine's GPU", (r) => r.gpus.some((g) => g.powerWatts === 431.25));
    expect(report.gpus).toHaveLength(1);
    const later = await reportWhere(s, "later", (r) => r.seq > report.seq + 5);
    expect(later.sources.filter((x) => x.source === "gpu").map((x) => x.target)).toEqual(["dcgm"]);
  });

  it("reads the page when neither has counters", async () => {
    driver.play(node("0 no-gpm 1"));
    dcgm.play([...ONE, ...Array.from({ length: 11 }, (_, i) => `- refuse.${1002 + i} -33`)]);
    const s = keep(await startScaler());
    keep(await startAgent({ ...settings({ dcgmHost: HOST }), scalerUrl: s.url }, { gpus: [{ url: await page() }] }));
    await reportWhere(s, "the page's GPU", (r) => r.gpus.some((g) => g.uuid === "GPU-1") && r.seq > 12);
    expect(s.folded.flatMap((r) => r.gpus).every((g) => g.uuid === "GPU-1")).toBe(true);
  });

  describe("and the doctor", () => {
    const says = async (more: Partial<AgentSettings>, pages = 0): Promise<string> =>
      line(await gpuReader({ ...agentSettingsSchema.parse({ node: "n", targets: "t" }), ...settings(more) }, pages));

    it("names the reader, and why it is not another", async () => {
      dcgm.play(ONE);
      expect(await says({ gpuReader: "dcgm" })).toBe("ok   GPU reader: dcgm (set): driver 580.159.04, 1 × NVIDIA H200, profiling counters");
      driver.play(["-1 rc.nvmlInit_v2 9"]);
      expect(await says({ dcgmHost: HOST }, 1)).toBe(
        "ok   GPU reader: dcgm (automatic): driver 580.159.04, 1 × NVIDIA H200, profiling counters; nvml: nvmlInit: driver not loaded (NVML 9)",
      );
      driver.play(node());
      expect(await says({ dcgmHost: HOST })).toBe("ok   GPU reader: nvml (automatic): driver 580.159.04, 1 × NVIDIA H200, GPM counters");
    });

    it("tells the mend of what is wrong", async () => {
      dcgm.play(["- listens elsewhere 0"]);
      expect(await says({ gpuReader: "dcgm" })).toBe(
        `FAIL GPU reader: dcgm (set): no nv-hostengine answers at ${HOST}: connection to the host engine is not valid (DCGM -21); ` +
          "start nv-hostengine on the node, or name where it listens with --dcgm-host",
      );
      driver.play(node("0 no-gpm 1"));
      expect(await says({ dcgmHost: HOST }, 1)).toMatch(
        /^warn GPU reader: dcgm-exporter \(automatic\), 1 pages; .*no nv-hostengine answers/,
      );
      expect(await says({ gpuReader: "dcgm", dcgmLibrary: "/none.so" })).toMatch(
        /^FAIL .*\/none\.so cannot be loaded.*; bring libdcgm\.so\.4/,
      );
      dcgm.play(["- rc.dcgmConnect_v2 -12"]);
      expect(await says({ gpuReader: "dcgm" })).toMatch(/^FAIL .*\(DCGM -12\); use the libdcgm of the host engine's own release/);
      dcgm.play([...ONE, ...Array.from({ length: 11 }, (_, i) => `- refuse.${1002 + i} -33`)]);
      expect(await says({ gpuReader: "dcgm" })).toMatch(/^warn .*profiling: module not loaded \(DCGM -33\); install the profiling module/);
    });
  });
});

describe("the address of a host engine", () => {
  it.each(["127.0.0.1", "node-7:5555", "/tmp/nv-hostengine", "unix:///run/he.sock"])("may be %s", (dcgmHost) => {
    expect(agentSettingsSchema.parse({ node: "n", targets: "t", dcgmHost }).dcgmHost).toBe(dcgmHost);
  });
  it.each(["http://node:5555", "node:port", "", "unix://relative"])("may not be %j", (dcgmHost) => {
    expect(agentSettingsSchema.safeParse({ node: "n", targets: "t", dcgmHost }).error?.issues[0]?.message).toContain(
      "not a host engine's address",
    );
  });
});
