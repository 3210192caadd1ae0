import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type FakeDriver, buildFakeDriver, gpuScript, hasCompiler } from "./fake-driver.ts";
import { type Supervised, type SupervisedOptions, supervise } from "./supervised.ts";

const GOOD = ["-1 driver 580.159.04", "-1 devices 1", ...gpuScript(0)];

describe.skipIf(!hasCompiler)("the NVML process [needs a C compiler]", () => {
  let driver: FakeDriver;
  beforeAll(async () => {
    driver = await buildFakeDriver();
  });
  const open = (options: SupervisedOptions = {}): Supervised => {
    const opened = supervise(driver, options);
    onTestFinished(() => opened.supervisor.close());
    return opened;
  };
  const failure = async (s: Supervised): Promise<string> => {
    const outcome = await s.supervisor.read();
    return outcome.ok ? "read" : outcome.error;
  };

  it("is replaced after a crash in the driver, with growing waits, and reads on", async () => {
    driver.play(GOOD);
    const s = open();
    await s.read();
    driver.play([...GOOD, "-1 crash nvmlDeviceGetTemperatureV"]);
    expect(await failure(s)).toBe("the NVML process ended by SIGSEGV; it is started again after 1 s");
    // Not before its time.
    expect(await failure(s)).toContain("ended by SIGSEGV");
    expect(s.restarts).toEqual(["crash"]);
    s.advance(1);
    expect(await failure(s)).toBe("the NVML process ended by SIGSEGV; it is started again after 2 s");
    s.advance(1);
    expect(await failure(s)).toContain("after 2 s");
    expect(s.restarts).toEqual(["crash", "crash"]);
    driver.play(GOOD);
    s.advance(1);
    expect((await s.read()).gpus).toHaveLength(1);
    // Long after, a crash is a first one again.
    s.advance(100);
    driver.play([...GOOD, "-1 crash nvmlDeviceGetTemperatureV"]);
    expect(await failure(s)).toContain("after 1 s");
  });

  it("is killed when a driver call hangs, and replaced", async () => {
    driver.play(GOOD);
    const s = open({ readLimit: 0.5 });
    await s.read();
    driver.play([...GOOD, "-1 hang nvmlDeviceGetClockInfo"]);
    expect(await failure(s)).toBe("the NVML process did not answer within 0.5 s; it is started again after 1 s");
    expect(s.restarts).toEqual(["hang"]);
    driver.play(GOOD);
    s.advance(1);
    expect((await s.read()).gpus).toHaveLength(1);
  });

  it("is killed when the driver hangs at its start", async () => {
    driver.play([...GOOD, "-1 hang nvmlInit_v2"]);
    const s = open({ startLimit: 1 });
    expect(await failure(s)).toBe("the NVML process did not start within 1 s; it is started again after 1 s");
    expect(s.restarts).toEqual(["hang"]);
  });

  it("is replaced when no GPU can be read any more", async () => {
    driver.play(GOOD);
    const s = open();
    await s.read();
    driver.play([...GOOD, "0 rc.nvmlDeviceGetMemoryInfo_v2 999"]);
    for (let i = 0; i < 4; i++) expect((await s.read()).lost).toHaveLength(1);
    expect(await failure(s)).toMatch(
      /^the NVML process reads no GPU any more \(GPU 0 \(GPU-0.*\): unknown error \(NVML 999\)\); it is started again after 1 s$/,
    );
    expect(s.restarts).toEqual(["lost"]);
    driver.play(GOOD);
    s.advance(1);
    expect((await s.read()).gpus).toHaveLength(1);
  });

  it.each([
    ["no-driver", ["-1 rc.nvmlInit_v2 9"], "nvmlInit: driver not loaded (NVML 9)"],
    [
      "no-driver",
      ["-1 rc.nvmlInit_v2 18"],
      "nvmlInit: driver and library versions differ; restart after the driver update is complete (NVML 18)",
    ],
    ["no-gpu", ["-1 driver 580.1", "-1 devices 0"], "driver 580.1 shows no GPU to this process"],
  ])("says once in a while that NVML cannot be used: %s", async (code, script, error) => {
    driver.play(script);
    const s = open();
    expect(await s.supervisor.read()).toEqual({ ok: false, error, unusable: code });
    driver.play(GOOD);
    expect(await s.supervisor.read()).toEqual({ ok: false, error, unusable: code });
    s.advance(300);
    expect((await s.read()).gpus).toHaveLength(1);
    expect(s.restarts).toEqual([]);
  });

  it("says what is missing without a library, or without its own program", async () => {
    const missing = await open({ library: join(driver.directory, "none.so") }).supervisor.read();
    expect(missing).toMatchObject({ ok: false, unusable: "no-library" });
    expect(missing.ok || missing.error).toContain("none.so cannot be loaded");
    const program = await open({ program: join(driver.directory, "none.mjs") }).supervisor.read();
    expect(program.ok || program.error).toMatch(/ended with code 1/);
  });

  it("gives up a read that is under way when it is closed", async () => {
    driver.play([...GOOD, "-1 hang nvmlDeviceGetClockInfo"]);
    const s = open();
    const reading = s.supervisor.read();
    await new Promise((resolve) => setTimeout(resolve, 300));
    s.supervisor.close();
    expect(await reading).toEqual({ ok: false, error: "closed" });
    expect(s.restarts).toEqual([]);
  });
});
