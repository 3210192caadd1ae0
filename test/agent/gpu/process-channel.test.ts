import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type ProcessChannel, openProcess } from "../../../agent/gpu/process-channel.ts";
import { type FakeDriver, buildFakeDriver, gpuScript, hasCompiler } from "./fake-driver.ts";

describe.skipIf(!hasCompiler)("the channel to the NVML process [needs a C compiler]", () => {
  let driver: FakeDriver;
  beforeAll(async () => {
    driver = await buildFakeDriver();
    driver.play(["-1 driver 580.159.04", "-1 devices 1", ...gpuScript(0)]);
  });
  const start = async (): Promise<ProcessChannel> => {
    const channel = openProcess(driver.program);
    onTestFinished(() => channel.kill());
    expect(await channel.ask({ type: "start", library: driver.library, proc: driver.directory }, 30)).toMatchObject({ type: "ready" });
    return channel;
  };
  const read = async (channel: ProcessChannel, id: number): Promise<WeakRef<object>> => {
    const answer = await channel.ask({ type: "read", id }, 30);
    expect(answer?.type).toBe("reading");
    return new WeakRef(answer ?? {});
  };

  it("keeps no answer that was taken, however long the process lives", async () => {
    const channel = await start();
    const answers: WeakRef<object>[] = [];
    for (let id = 0; id < 20; id++) answers.push(await read(channel, id));
    await collectGarbage();
    // The last may still be in somebody's hand.
    expect(answers.filter((answer) => answer.deref() !== undefined).length).toBeLessThanOrEqual(1);
  });

  it("tells whoever asks that the process has ended, also when it had ended before", async () => {
    const channel = await start();
    channel.kill();
    const ended = { type: "ended", how: "ended by SIGKILL" };
    expect(await channel.ask({ type: "read", id: 0 }, 30)).toEqual(ended);
    expect(await channel.ask({ type: "read", id: 1 }, 30)).toEqual(ended);
    expect(await channel.endsWithin(30)).toBe(true);
  });
});

async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  // V8's own function, which the flag has just put into new contexts.
  const gc = runInNewContext("gc") as () => void;
  // What a WeakRef was asked for lives until the end of the turn.
  await new Promise((resolve) => setImmediate(resolve));
  gc();
}
