import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { parsePage } from "../../core/exposition/parse.ts";
import { bundleEngine } from "./engine-bundle.ts";
import { startFleet, steady, until, type RunningFleet } from "./running.ts";

let fleet: RunningFleet | undefined;

afterEach(async () => {
  await fleet?.stop();
  fleet = undefined;
});

describe("a machine that stalls", () => {
  it("loses nothing: what was due in the stall happens at its own time", async () => {
    const workload = { kind: "requests" as const, requests: steady(60, 20) };
    fleet = await startFleet({ workload });
    await until(fleet.status, ({ submitted }) => submitted > 5);
    // The fleet runs in this process: nothing moves for 1.2 s.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1200);
    const done = await until(fleet.status, (status) => status.done);
    expect(done.completed).toBe(60);
    const { ttft, totals } = await fleet.truth();
    // About 60 ms of prefill: a stall that reached the plant would show as 1.2 s.
    expect(ttft.p99 ?? Infinity).toBeLessThan(0.6);
    const [decode] = (await fleet.pools()).pools.filter(({ name }) => name === "decode").flatMap(({ replicas }) => replicas);
    const page = await until(
      async () => parsePage(await (await fetch(`${decode?.url}/metrics`)).text()).samples,
      (samples) => samples.some(({ name, value }) => name === "vllm:request_time_per_output_token_seconds_count" && value === 60),
    );
    expect(page.find(({ name }) => name === "vllm:generation_tokens_total")?.value).toBe(totals.generatedTokens);
  });
});

/** A parent that starts one engine, says where it serves, and waits for its own end. */
const PARENT = `
  const engine = require("node:child_process").fork(process.argv[1], [], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  engine.on("message", ({ port }) => console.log(port));
  engine.send({ type: "start", engine: "sglang", role: "decode", host: "127.0.0.1", pod: "p", model: "m", kvCapacityTokens: 1000, kvBytesPerToken: 1 });
  setInterval(() => undefined, 1000);
`;

describe("an engine process", () => {
  it("ends when the process that started it is killed", async () => {
    const parent = spawn(process.execPath, ["-e", PARENT, await bundleEngine()], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const health = `http://127.0.0.1:${Number(line.toString())}/health`;
    expect((await fetch(health)).status).toBe(503);
    parent.kill("SIGKILL");
    const refused = await until(
      () =>
        fetch(health).then(
          () => false,
          () => true,
        ),
      (gone) => gone,
    );
    expect(refused).toBe(true);
  });

  it("goes on serving when nobody takes its spans", async () => {
    const nowhere = { grpc: "http://127.0.0.1:9", http: "http://127.0.0.1:9" };
    fleet = await startFleet({
      nodes: [{ name: "node-a", gpus: 2, otlp: nowhere }],
      workload: { kind: "requests", requests: steady(60, 30) },
    });
    const before = await fleet.replicas();
    await until(fleet.status, (status) => status.done);
    expect((await fleet.replicas()).map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid));
    for (const { url } of before) expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});
