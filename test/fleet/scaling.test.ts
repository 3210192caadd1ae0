import { createServer } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import type { FleetPool } from "../../core/fleet-control.ts";
import { startFleet, steady, until, type RunningFleet } from "./running.ts";

let fleet: RunningFleet | undefined;

afterEach(async () => {
  await fleet?.stop();
  fleet = undefined;
});

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const pool = async (name: string): Promise<FleetPool> => {
  const found = (await fleet?.pools())?.pools.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no pool ${name}`);
  return found;
};

describe("scaling", () => {
  it("up: a new pod starts, is unhealthy until ready, then serves; down: it drains and its process ends", async () => {
    fleet = await startFleet({ leadTime: 2, workload: { kind: "requests", requests: steady(60, 10) } });
    expect(await fleet.send("PUT", "/v1/pools/decode/scale", { replicas: 2 })).toMatchObject({ status: 200, body: { desired: 2 } });
    const starting = await until(
      () => pool("decode"),
      ({ replicas }) => replicas[1] !== undefined && replicas[1].url !== "",
    );
    const fresh = starting.replicas[1];
    expect(fresh).toMatchObject({ pod: "llama-decode-1", phase: "starting" });
    if (fresh === undefined) return;
    expect((await fetch(`${fresh.url}/health`)).status).toBe(503);
    await until(
      () => fetch(`${fresh.url}/health`),
      ({ status }) => status === 200,
    );
    expect((await pool("decode")).replicas.map(({ phase }) => phase)).toEqual(["ready", "ready"]);

    await fleet.send("PUT", "/v1/pools/decode/scale", { replicas: 1 });
    const left = await until(
      () => pool("decode"),
      ({ replicas }) => replicas.length === 1,
    );
    const gone = [fresh, starting.replicas[0]].find((one) => one?.id !== left.replicas[0]?.id);
    await until(
      () => Promise.resolve(alive(gone?.pid ?? 0)),
      (up) => !up,
    );
    const done = await until(fleet.status, ({ done: over }) => over);
    expect(done.completed).toBe(60);
    expect((await fleet.truth()).timeline.map(([, prefill, decode]) => [prefill, decode])).toEqual([
      [1, 1],
      [1, 2],
      [1, 1],
    ]);
  });

  it("more than the GPUs hold stays unschedulable; bad commands change nothing and say why", async () => {
    fleet = await startFleet({ leadTime: 0.2, workload: { kind: "requests", requests: [] } });
    await fleet.send("PUT", "/v1/pools/prefill/scale", { replicas: 9 });
    expect(await pool("prefill")).toMatchObject({ desired: 9, unschedulable: 2 });
    expect((await fleet.pools()).gpus).toEqual({ total: 8, used: 8 });
    expect(await fleet.send("PUT", "/v1/pools/prefill/scale", { replicas: -1 })).toMatchObject({
      status: 400,
      body: { error: { code: "bad-request" } },
    });
    expect(await fleet.send("PUT", "/v1/pools/encode/scale", { replicas: 1 })).toMatchObject({ status: 404 });
    expect(await fleet.send("POST", "/v1/replicas/999/crash")).toMatchObject({ status: 404 });
    expect(await fleet.send("DELETE", "/v1/pools")).toMatchObject({ status: 405 });
    expect(await fleet.send("PUT", "/v1/pools/decode/limits", { maxNumSeqs: 32 })).toMatchObject({
      status: 200,
      body: { limits: { maxNumSeqs: 32 } },
    });
    expect((await pool("prefill")).desired).toBe(9);
  });
});

describe("kill -9 of an engine", () => {
  it.each(["prefill", "decode"])("%s: its requests start over elsewhere, a new pod with counters from zero replaces it", async (role) => {
    fleet = await startFleet({
      leadTime: 0.5,
      initial: { prefill: 2, decode: 2 },
      workload: { kind: "requests", requests: steady(90, 30) },
    });
    await until(fleet.status, ({ submitted, inFlight }) => submitted > 30 && inFlight > 0);
    const victim = (await pool(role)).replicas[0];
    process.kill(victim?.pid ?? 0, "SIGKILL");
    const healed = await until(
      () => pool(role),
      ({ replicas }) =>
        replicas.every(({ id, phase, url }) => id !== victim?.id && phase === "ready" && url !== "") && replicas.length === 2,
    );
    expect(healed.replicas.map(({ pod }) => pod)).toContain(`llama-${role}-2`);
    const done = await until(fleet.status, (status) => status.done);
    expect(done).toMatchObject({ submitted: 90, completed: 90, inFlight: 0 });
    expect((await fleet.truth()).totals).toMatchObject({ completed: 90, failed: 0 });
  });

  it("the control API's crash does the same", async () => {
    fleet = await startFleet({ leadTime: 0.2, workload: { kind: "requests", requests: [] } });
    const [victim] = (await pool("decode")).replicas;
    expect(await fleet.send("POST", `/v1/replicas/${victim?.id}/crash`)).toMatchObject({ status: 202, body: { pod: "llama-decode-0" } });
    const healed = await until(
      () => pool("decode"),
      ({ replicas }) => replicas[0]?.pod === "llama-decode-1",
    );
    expect(healed.replicas).toHaveLength(1);
  });
});

describe("ends and errors", () => {
  it("stopping ends every engine process", async () => {
    fleet = await startFleet({ initial: { prefill: 1, decode: 2 }, workload: { kind: "requests", requests: [] } });
    const pids = (await fleet.replicas()).map(({ pid }) => pid ?? 0);
    expect(pids.every(alive)).toBe(true);
    await fleet.stop();
    expect(pids.some(alive)).toBe(false);
  });

  it("a port in use and a missing engine program are told as such", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    const port = address !== null && typeof address === "object" ? address.port : 0;
    await expect(startFleet({ port })).rejects.toMatchObject({
      code: "port-in-use",
      message: expect.stringContaining(String(port)) as string,
    });
    await expect(startFleet({ engineScript: "nowhere/engine.mjs" })).rejects.toMatchObject({ code: "engine-script-missing" });
    other.close();
  });
});
