import { spawn, type ChildProcess } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createRequests } from "../../fleet/requests.ts";
import { readHello } from "../../fleet/pod-engines.ts";
import { podHello } from "../../fleet/engine/pod-hello.ts";
import type { FleetPool } from "../../core/fleet-control.ts";
import { assembleTrace } from "../../sim/traces/trace.types.ts";
import { bundleEngine } from "./engine-bundle.ts";
import { startFleet, steady, until, type RunningFleet } from "./running.ts";

interface Pod {
  readonly page: string;
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
}

let fleet: RunningFleet | undefined;
const started: Pod[] = [];
let bundle: Promise<string> | undefined;

afterEach(async () => {
  for (const { child } of started) child.kill("SIGKILL");
  await Promise.all(started.splice(0).map(({ exit }) => exit));
  await fleet?.stop();
  fleet = undefined;
});

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** The engine program as its pod's manifest starts it. */
async function startPod(pod: string, role: string, url: string): Promise<Pod> {
  bundle ??= bundleEngine();
  const port = await freePort();
  const named = { FLEET: url, ROLE: role, POD: pod, NODE: "node-a", HOST: "127.0.0.1", PORT: String(port) };
  const env = Object.fromEntries(Object.entries(named).map(([name, value]) => [`FULCRUM_ENGINE_${name}`, value]));
  const child = spawn(process.execPath, [await bundle], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exit = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
  const made = { page: `http://127.0.0.1:${port}`, child, exit };
  started.push(made);
  return made;
}

const pool = async (name: string): Promise<FleetPool> => {
  const found = (await fleet?.pools())?.pools.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no pool ${name}`);
  return found;
};
const phases = async (name: string): Promise<string> => (await pool(name)).replicas.map((r) => `${r.pod} ${r.phase}`).join(", ");
const health = async ({ page }: Pod): Promise<number> => (await fetch(`${page}/health`).catch(() => undefined))?.status ?? 0;
const counted = async ({ page }: Pod, name: string): Promise<number> => {
  const text = await (await fetch(`${page}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, "m").exec(text)?.[1]);
};

describe("a fleet whose engines are pods", () => {
  it("has the replicas that come, drains the one that is asked to end, and loses the one that dies", async () => {
    fleet = await startFleet({ engines: "pods", leadTime: 1, workload: { kind: "requests", requests: steady(400, 10) } });
    expect(await phases("prefill")).toBe("");
    const prefill = await startPod("p-0", "prefill", fleet.url);
    const decode = [await startPod("d-0", "decode", fleet.url), await startPod("d-1", "decode", fleet.url)] as const;
    await until(
      () => health(decode[0]),
      (status) => status === 503,
    );
    await until(
      () => Promise.all([prefill, ...decode].map(health)),
      (all) => all.every((status) => status === 200),
    );
    expect((await pool("decode")).replicas.map(({ pod, node }) => [pod, node]).toSorted()).toEqual([
      ["d-0", "node-a"],
      ["d-1", "node-a"],
    ]);
    await until(
      () => counted(prefill, "vllm:prompt_tokens_total"),
      (tokens) => tokens > 0,
    );
    await until(
      () => counted(decode[1], "vllm:generation_tokens_total"),
      (tokens) => tokens > 0,
    );

    // What the kubelet does with a pod that was deleted.
    decode[0].child.kill("SIGTERM");
    expect(await decode[0].exit).toBe(0);
    await until(
      () => phases("decode"),
      (now) => now === "d-1 ready",
    );
    expect((await fleet.truth()).totals.failed).toBe(0);

    decode[1].child.kill("SIGKILL");
    await until(
      () => phases("decode"),
      (now) => now === "",
    );
    // Nothing takes its place but another pod.
    await startPod("d-2", "decode", fleet.url);
    await until(
      () => phases("decode"),
      (now) => now === "d-2 ready",
    );
    await until(fleet.status, ({ completed }) => completed > 100);
  }, 60_000);

  it("ends its engines when it stops; one whose stream breaks ends with exit 1, and one that comes too early waits", async () => {
    fleet = await startFleet({ engines: "pods", leadTime: 0, workload: { kind: "requests", requests: [] } });
    const url = fleet.url;
    const pod = await startPod("p-0", "prefill", url);
    await until(
      () => health(pod),
      (status) => status === 200,
    );
    expect(await fleet.send("PUT", "/v1/pools/prefill/scale", { replicas: 2 })).toMatchObject({ status: 409 });
    expect(await fleet.send("POST", "/v1/engines", { role: "prefill" })).toMatchObject({ status: 400 });
    expect(await fleet.send("DELETE", "/v1/engines/p-9")).toMatchObject({ status: 404 });
    const twice = { role: "prefill", pod: "p-0", node: "node-a", host: "127.0.0.1", port: 8000 };
    expect(await fleet.send("POST", "/v1/engines", twice)).toMatchObject({ status: 409, body: { error: { code: "known-pod" } } });
    expect(await fleet.text("/v1/engines")).toContain("takes POST, not GET");
    const broken = await startPod("d-0", "decode", url);
    await until(
      () => health(broken),
      (status) => status === 200,
    );
    const id = (await pool("decode")).replicas[0]?.id ?? 0;
    expect(await fleet.send("POST", `/v1/replicas/${id}/crash`)).toMatchObject({ status: 202 });
    expect(await broken.exit).toBe(1);
    await fleet.stop();
    fleet = undefined;
    expect(await pod.exit).toBe(0);
    const waiting = await startPod("p-1", "prefill", url);
    fleet = await startFleet({
      engines: "pods",
      port: Number(new URL(url).port),
      leadTime: 0,
      workload: { kind: "requests", requests: [] },
    });
    await until(
      () => health(waiting),
      (status) => status === 200,
    );
  }, 60_000);

  it("takes no pods where it runs its own processes", async () => {
    fleet = await startFleet({ workload: { kind: "requests", requests: [] } });
    expect(await fleet.send("POST", "/v1/engines", {})).toMatchObject({ status: 409, body: { error: { code: "not-pods" } } });
    expect(await fleet.send("DELETE", "/v1/engines/p-0")).toMatchObject({ status: 409 });
  });

  it("says what is wrong with what a pod says of itself", () => {
    const good = { role: "decode", pod: "demo-decode-7f-x2", node: "ip-10-0-0-1.ec2.internal", host: "10.0.0.7", port: 8000 };
    expect(readHello(good)).toEqual(good);
    expect(readHello({ ...good, otlp: "http://fulcrum-agent:4318" })).toMatchObject({ otlp: "http://fulcrum-agent:4318" });
    const bad = [{ role: "frontend" }, { pod: "" }, { pod: "a/b" }, { node: "" }, { host: 1 }, { port: 0 }, { otlp: "agent" }];
    for (const part of bad) expect(readHello({ ...good, ...part }), JSON.stringify(part)).toContain(`${Object.keys(part)[0]}:`);
    const env = { FULCRUM_ENGINE_ROLE: "decode", FULCRUM_ENGINE_POD: "d", FULCRUM_ENGINE_NODE: "n", FULCRUM_ENGINE_HOST: "127.0.0.1" };
    expect(podHello(env)).toEqual({ ok: true, value: { role: "decode", pod: "d", node: "n", host: "127.0.0.1", port: 8000 } });
    expect(podHello({ ...env, FULCRUM_ENGINE_ROLE: "" })).toMatchObject({ ok: false });
    expect(podHello({ ...env, FULCRUM_ENGINE_PORT: "http" })).toMatchObject({ ok: false });
    expect(podHello({})).toMatchObject({ ok: false });
  });
});

describe("a trace that repeats", () => {
  it("goes on where it ends, with ids that never come again", () => {
    const trace = assembleTrace("t", steady(3, 1), { seconds: 10 });
    const once = createRequests(trace, false);
    const again = createRequests(trace, true);
    expect([once.at(2)?.id, once.at(3)]).toEqual([2, undefined]);
    const all = Array.from({ length: 9 }, (_, index) => again.at(index));
    expect(all.map((r) => r?.arrival)).toEqual([0, 1, 2, 10, 11, 12, 20, 21, 22]);
    expect(new Set(all.map((r) => r?.id)).size).toBe(9);
    expect(createRequests({ ...trace, requests: [] }, true).at(0)).toBeUndefined();
  });
});
