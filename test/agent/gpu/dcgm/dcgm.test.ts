import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { openDcgm } from "../../../../agent/gpu/dcgm/dcgm.ts";
import type { OpenReader } from "../../../../agent/gpu/reader-process.ts";
import { hasCompiler } from "../compile.ts";
import { type Supervised, type SupervisedOptions, supervise } from "../supervised.ts";
import { type DcgmScript, type FakeDcgm, HOST, buildFakeDcgm, dcgmGpu, engineScript, uuidOf } from "./fake-dcgm.ts";

const UID = "0f4de9d1-3a3b-4c5d-8e6f-7a8b9c0d1e2f";
const ONE = engineScript("0", ...dcgmGpu(0));

describe.skipIf(!hasCompiler)("a host engine through libdcgm [needs a C compiler]", () => {
  let dcgm: FakeDcgm;
  beforeAll(async () => {
    dcgm = await buildFakeDcgm();
  });
  const start = (more: Partial<{ host: string; library: string; proc: string }> = {}) =>
    ({ type: "start", library: dcgm.library, proc: dcgm.directory, host: HOST, interval: 0.2, ...more }) as const;
  const open = (options: SupervisedOptions = {}): Supervised => {
    const opened = supervise(dcgm, { name: "DCGM", start: start(), ...options });
    onTestFinished(() => opened.supervisor.close());
    return opened;
  };
  /** In this process, where the test sets the clock. */
  const here = (): Promise<OpenReader> => openDcgm(start());
  const failure = async (s: Supervised): Promise<unknown> => {
    const outcome = await s.supervisor.read();
    return outcome.ok ? outcome.reading : outcome;
  };

  it("gives every figure in base units, under the names that every reader has", async () => {
    dcgm.play(ONE);
    expect(await open().read()).toEqual({
      ...{ driver: "580.159.04", lost: [] },
      gpus: [
        {
          ...{ index: 0, uuid: uuidOf(0), name: "NVIDIA H200", gpm: true, mig: false, xid: [], processes: [], problems: [] },
          figures: {
            ...{
              smActive: 0.75,
              smOccupancy: 0.5,
              tensorActive: 0.25,
              dramActive: 0.5,
              fp64Active: 0,
              fp32Active: 0.125,
              fp16Active: 0.0625,
            },
            ...{ pcieTransmitBytesPerSecond: 1000, pcieReceiveBytesPerSecond: 2000 },
            ...{ nvlinkTransmitBytesPerSecond: 3000, nvlinkReceiveBytesPerSecond: 4000 },
            ...{ memoryUsedBytes: 2048 * 1048576, memoryTotalBytes: 143771 * 1048576, powerWatts: 431.25 },
            ...{ temperatureCelsius: 41, memoryTemperatureCelsius: 52, smClockHertz: 1.98e9, memoryClockHertz: 3.201e9 },
          },
          throttleSecondsByReason: { sw_power_cap: 1.5, sync_boost: 0 },
          eccErrors: { sbe_volatile: 7, dbe_volatile: 2 },
          remappedRows: { correctable: 3, uncorrectable: 1, pending: true, failed: false },
        },
      ],
    });
  });

  it("leaves blanks out, whatever kind they are, and never takes one for a value", async () => {
    const blanks = [
      ...["field.1002 d 140737488355328", "field.1004 d 140737488355330", "field.1005 d nan", "field.150 i 0x7ffffffffffffff0"],
      ...["field.252 i 0x7ffffffffffffff2", "field.155 d 140737488355331", "field.54 s <<<NULL>>>", "status.101 -6", "field.140 i 0"],
    ];
    dcgm.play(engineScript("0", ...dcgmGpu(0, ...blanks)));
    const [gpu] = (await open().read()).gpus;
    const absent = ["smActive", "tensorActive", "dramActive", "temperatureCelsius", "memoryUsedBytes", "powerWatts", "memoryClockHertz"];
    for (const name of [...absent, "memoryTemperatureCelsius"]) expect(gpu?.figures).not.toHaveProperty(name);
    expect(gpu?.figures).toMatchObject({ smOccupancy: 0.5, smClockHertz: 1.98e9 });
    expect(gpu?.uuid).toBe("index-0");
  });

  it("takes the reasons in force where the release has no times for them", async () => {
    const old = ["refuse.1420 -13", "refuse.1421 -13", "refuse.1422 -13", "refuse.1423 -13", "refuse.1424 -13"].map((l) => `- ${l}`);
    dcgm.play([...ONE, ...old]);
    const [gpu] = (await open().read()).gpus;
    expect(gpu?.throttleSecondsByReason).toEqual({});
    expect(gpu?.throttling).toMatchObject({ sw_power_cap: true, hw_thermal: false });
    expect(gpu?.figures).toMatchObject({ powerWatts: 431.25, smActive: 0.75 });
    expect(gpu?.problems).toEqual(["fields 1420, 1421, 1422, 1423, 1424 are absent: unknown field (DCGM -13)"]);
  });

  it.each([
    [
      "the module is not there",
      "-33",
      "profiling: module not loaded (DCGM -33); install the profiling module of the host engine's release",
    ],
    ["the host engine is not root", "-29", "profiling: host engine does not run as root (DCGM -29); run nv-hostengine as root"],
  ])("says why there are no counters when %s", async (_, status, said) => {
    const ids = Array.from({ length: 11 }, (__, i) => `- refuse.${1002 + i} ${status}`);
    dcgm.play([...ONE, ...ids]);
    const [gpu] = (await open().read()).gpus;
    expect(gpu?.gpm).toBe(false);
    expect(gpu?.problems[0]).toContain(`GPU 0: ${said}`);
    expect(gpu?.figures).toMatchObject({ powerWatts: 431.25, memoryUsedBytes: 2048 * 1048576 });
    expect(gpu?.figures).not.toHaveProperty("smActive");
  });

  it("says that profiling is paused when all its counters are blank", async () => {
    const blank = Array.from({ length: 11 }, (_, i) => `field.${1002 + i} d 140737488355328`);
    dcgm.play(engineScript("0", ...dcgmGpu(0, ...blank)));
    const [gpu] = (await open().read()).gpus;
    expect(gpu?.problems).toEqual([
      "GPU 0: profiling: all counters are blank; it is paused (dcgmi profile --resume) or another program profiles this GPU",
    ]);
  });

  it("keeps the counters that a GPU has when it has not all of them", async () => {
    dcgm.play([...ONE, "- refuse.1006 -36"]);
    const [gpu] = (await open().read()).gpus;
    expect(gpu?.figures).toMatchObject({ smActive: 0.75, fp32Active: 0.125 });
    expect(gpu?.figures).not.toHaveProperty("fp64Active");
    expect(gpu?.problems).toEqual([]);
  });

  it("counts every XID once, two within a read as two, and none from before it looked", async () => {
    const base = engineScript("0 1", ...dcgmGpu(0), ...dcgmGpu(1));
    dcgm.play([...base, "g0 xid 900 79"]);
    const s = open();
    const xids = async (): Promise<unknown> => (await s.read()).gpus.map((g) => g.xid);
    expect(await xids()).toEqual([[], []]);
    dcgm.play([...base, "g0 xid 900 79", "g1 xid 1000 48", "g1 xid 1001 48", "g0 xid 1002 31"]);
    expect(await xids()).toEqual([[{ xid: 31, count: 1 }], [{ xid: 48, count: 2 }]]);
    expect(await xids()).toEqual([[], []]);
  });

  it("finds pods through the processes of the last look, and forgets those that ended", async () => {
    const proc = join(dcgm.directory, "proc");
    mkdirSync(join(proc, "77"), { recursive: true });
    writeFileSync(join(proc, "77", "stat"), `77 (python3) S${" 1".repeat(18)} 5 0\n`);
    writeFileSync(join(proc, "77", "cgroup"), `0::/kubepods/burstable/pod${UID}/abc\n`);
    const at = (clock: number, ...more: DcgmScript): DcgmScript => [...ONE, `- clock ${clock}`, ...more];
    const first = ["g0 process 1000000 76 5", "g0 process 1200000 77 1024", "g0 process 1200003 78 9223372036854775792"];
    dcgm.play(at(1_200_010, ...first));
    const s = open({ start: start({ proc }) });
    const processes = async (): Promise<unknown> => (await s.read()).gpus[0]?.processes;
    expect(await processes()).toEqual([{ pid: 77, memoryBytes: 1024, podUid: UID }, { pid: 78 }]);
    dcgm.play(at(1_400_000, ...first, "g0 process 1400000 77 2048"));
    expect(await processes()).toEqual([{ pid: 77, memoryBytes: 2048, podUid: UID }]);
    dcgm.play(at(1_600_000, ...first, "g0 process 1400000 77 2048"));
    expect(await processes()).toHaveLength(1);
    dcgm.play(at(2_000_000, ...first, "g0 process 1400000 77 2048"));
    expect(await processes()).toEqual([]);
  });

  it("drops values of a part that stands still, and everything when the whole engine does", async () => {
    dcgm.play([...ONE, "- clock 1000000"]);
    const reader = await here();
    expect(reader.read(0).gpus[0]?.figures).toHaveProperty("smActive");
    const stale = Array.from({ length: 11 }, (_, i) => `ts.${1002 + i} 1000000`);
    dcgm.play([...engineScript("0", ...dcgmGpu(0, ...stale)), "- clock 9000000"]);
    const [gpu] = reader.read(8).gpus;
    expect(gpu?.figures).not.toHaveProperty("smActive");
    expect(gpu?.figures).toHaveProperty("powerWatts");
    expect(reader.read(12).gpus).toHaveLength(1);
    expect(reader.read(14)).toMatchObject({ gpus: [], lost: [`nv-hostengine at ${HOST}: its values are no longer refreshed`] });
  });

  it("names a GPU that cannot be read and reads the others", async () => {
    const lost = [100, 101, 140, 150, 155, 250, 252, 1420, 1421, 112, ...Array.from({ length: 11 }, (_, i) => 1002 + i)];
    dcgm.play(engineScript("0 1", ...dcgmGpu(0, ...lost.map((id) => `status.${id} -18`)), ...dcgmGpu(1)));
    const reading = await open().read();
    expect(reading.gpus.map((g) => g.index)).toEqual([1]);
    expect(reading.lost).toEqual([`GPU 0 (${uuidOf(0)}): GPU is lost (DCGM -18)`]);
  });

  describe("with MIG", () => {
    const split = (...more: DcgmScript): DcgmScript => [
      ...engineScript("0", ...dcgmGpu(0, "field.67 i 1", "process 1000000000 5 1")),
      ...more,
    ];
    const instance = (id: number, part: string, name: string, ...more: DcgmScript): DcgmScript => [
      `i${id} part ${part}`,
      ...[`field.50 s ${name}`, "field.250 i 10000", "field.252 i 17", "field.155 d 431.25", "field.150 i 41", ...more].map(
        (l) => `i${id} ${l}`,
      ),
    ];

    it("reads each instance as an entity, without what is only measured for the whole GPU", async () => {
      dcgm.play(split(...instance(3, "0 7 1", "1g.18gb", "field.1002 d 0.5"), ...instance(4, "0 1 3", "3g.71gb")));
      const { gpus } = await open().read();
      expect(gpus).toHaveLength(3);
      const [whole, first, second] = gpus;
      expect(whole).toMatchObject({ index: 0, mig: true, figures: { powerWatts: 431.25 } });
      expect(whole).not.toHaveProperty("processes");
      expect(first).toEqual({
        ...{ index: 0, uuid: uuidOf(0), name: "NVIDIA H200", gpm: true },
        instance: { id: 7, parent: uuidOf(0), profile: "1g.18gb", share: 1 / 7 },
        figures: { memoryTotalBytes: 10000 * 1048576, memoryUsedBytes: 17 * 1048576, smActive: 0.5 },
        ...{ throttleSecondsByReason: {}, eccErrors: {}, xid: [], problems: [] },
      });
      expect(second).toMatchObject({ instance: { id: 1, profile: "3g.71gb", share: 3 / 7 }, gpm: false });
    });

    it("says when the instances cannot be listed", async () => {
      dcgm.play([...split(...instance(3, "0 7 1", "1g.18gb")), "- rc.dcgmGetGpuInstanceHierarchy -12"]);
      const { gpus } = await open().read();
      expect(gpus.map((g) => g.problems)).toEqual([["MIG instances: versions of library and host engine differ (DCGM -12)"]]);
    });

    it("follows instances that come and go", async () => {
      dcgm.play([...split(), "- clock 1000000"]);
      const reader = await here();
      const ids = (now: number): readonly unknown[] => reader.read(now).gpus.map((g) => g.instance?.id);
      const both = [...instance(3, "0 7 1", "1g.18gb"), ...instance(4, "0 1 3", "3g.71gb")];
      expect(ids(0)).toEqual([undefined]);
      dcgm.play([...split(...both), "- clock 2000000"]);
      expect(ids(1)).toEqual([undefined]);
      dcgm.play([...split(...both), "- clock 3000000"]);
      expect(ids(10)).toEqual([undefined, 7, 1]);
      dcgm.play([...split(...instance(4, "0 1 3", "3g.71gb")), "- clock 4000000"]);
      expect(ids(20)).toEqual([undefined, 1]);
      dcgm.play([...engineScript("0", ...dcgmGpu(0)), "- clock 5000000"]);
      expect(ids(21)).toEqual([undefined]);
    });
  });

  it("connects over TCP and to a socket, with and without its scheme", async () => {
    for (const [host, listens] of [
      ["10.0.0.1", "10.0.0.1 0"],
      ["/run/he.sock", "/run/he.sock 1"],
      ["unix:///run/he.sock", "/run/he.sock 1"],
    ] as const) {
      dcgm.play([`- listens ${listens}`, "- gpus 0", ...dcgmGpu(0)]);
      expect((await open({ start: start({ host }) }).read()).gpus).toHaveLength(1);
    }
  });

  it.each([
    [
      "no-host-engine",
      ["- listens elsewhere:1 0"],
      `no nv-hostengine answers at ${HOST}: connection to the host engine is not valid (DCGM -21)`,
    ],
    ["no-host-engine", ["- rc.dcgmConnect_v2 -11"], `no nv-hostengine answers at ${HOST}: timeout (DCGM -11)`],
    ["version", ["- rc.dcgmConnect_v2 -12"], `nv-hostengine at ${HOST}: versions of library and host engine differ (DCGM -12)`],
    ["version", [...ONE, "- value-version 3001020"], "libdcgm fills values of version 3001020, not 2001020"],
    ["no-gpu", [`- listens ${HOST} 0`], `nv-hostengine at ${HOST} shows no GPU`],
  ])("says what is wrong at the start: %s", async (code, script, error) => {
    dcgm.play(script);
    const s = open();
    expect(await failure(s)).toEqual({ ok: false, error, unusable: code });
    dcgm.play(ONE);
    // A host engine is looked for again soon, the rest after five minutes.
    s.advance(30);
    expect(await failure(s)).toMatchObject(code === "no-host-engine" ? { lost: [] } : { unusable: code });
    s.advance(270);
    expect((await s.read()).gpus).toHaveLength(1);
    expect(s.restarts).toEqual([]);
  });

  it("says that the library is missing", async () => {
    const s = open({ start: start({ library: join(dcgm.directory, "none.so") }) });
    expect(await failure(s)).toMatchObject({ ok: false, unusable: "no-library" });
  });

  it("has no figures while the connection is lost, and is replaced and reads on when the host engine is back", async () => {
    dcgm.play(ONE);
    const s = open();
    expect((await s.read()).gpus).toHaveLength(1);
    dcgm.play([...ONE, "- rc.dcgmEntitiesGetLatestValues -21"]);
    for (let i = 0; i < 4; i++)
      expect(await s.read()).toMatchObject({
        gpus: [],
        lost: [`nv-hostengine at ${HOST}: connection to the host engine is not valid (DCGM -21)`],
      });
    expect(await failure(s)).toMatchObject({
      ok: false,
      error: expect.stringContaining("the DCGM process reads no GPU any more") as string,
    });
    expect(s.restarts).toEqual(["lost"]);
    dcgm.play(["- listens nowhere 0"]);
    s.advance(1);
    expect(await failure(s)).toMatchObject({ ok: false, unusable: "no-host-engine" });
    dcgm.play(ONE);
    s.advance(30);
    expect((await s.read()).gpus).toHaveLength(1);
  });

  it("is replaced when the library crashes or hangs, and reads on", async () => {
    dcgm.play(ONE);
    const s = open({ readLimit: 0.5 });
    await s.read();
    dcgm.play([...ONE, "- crash dcgmGetValuesSince_v2"]);
    expect(await failure(s)).toMatchObject({ ok: false, error: "the DCGM process ended by SIGSEGV; it is started again after 1 s" });
    dcgm.play(ONE);
    s.advance(1);
    await s.read();
    dcgm.play([...ONE, "- hang dcgmEntitiesGetLatestValues"]);
    expect(await failure(s)).toMatchObject({ ok: false, error: expect.stringContaining("did not answer within 0.5 s") as string });
    expect(s.restarts).toEqual(["crash", "hang"]);
    dcgm.play(ONE);
    s.advance(2);
    expect((await s.read()).gpus).toHaveLength(1);
  });
});
