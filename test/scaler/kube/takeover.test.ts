import { get } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { FulcrumState } from "../../../scaler/decide/state.ts";
import { readJournal } from "../../../scaler/journal/read.ts";
import { fulcrumKit, type ControllerKit } from "../../../scaler/loop/kit.ts";
import type { PageDecision } from "../../../wire/page.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import { startWorkload } from "../../support/kube-api/workload.ts";
import { connectAgent, hello } from "../support/agent-client.ts";
import { POLICY_TEXT } from "../support/policy.ts";
import { buckets, pool, replica, report } from "../support/reports.ts";
import { runTestScaler, type RunningScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

const POLICY = POLICY_TEXT.replaceAll("apiVersion: fulcrum.dev/v1alpha1, kind: FleetPool", "apiVersion: apps/v1, kind: Deployment").replace(
  "interval: 100ms",
  "interval: 100ms, scaleUp: { cooldown: 0s }",
);

let server: KubeApiServer;
let scalers: RunningScaler[] = [];

beforeEach(async () => {
  server = await startKubeApi();
});
afterEach(async () => {
  await Promise.all(scalers.map((s) => s.stop()));
  await Promise.all(scalers.map((s) => s.remove()));
  scalers = [];
  await server.close();
});

async function run(): Promise<RunningScaler> {
  const scaler = await runTestScaler({ policy: POLICY, settings: { actuator: "kubernetes", kubeconfig: server.kubeconfig } });
  scalers.push(scaler);
  return scaler;
}
const leads = async (scaler: RunningScaler): Promise<boolean> => /^fulcrum_leader 1$/m.test(await (await scaler.get("/metrics")).text());

/** The status with which an upgrade is answered. */
const upgrade = (url: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    };
    get(url, { headers }, (response) => resolve(response.resume().statusCode)).on("error", reject);
  });

/** Three requests wait: the test's controller wants as many prefill replicas. */
const busy = (seq: number) =>
  report({
    seq,
    interval: 0.1,
    pools: [
      pool({ replicas: [replica("prefill-0", { waiting: 3, running: 0 })] }),
      pool({ pool: "decode", role: "decode", replicas: [replica("decode-0", {})] }),
    ],
  });

test("two scalers: the leader acts on the cluster, the other stands by, takes no agents, and goes on when the first ends", async () => {
  const workloads = ["prefill", "decode"].map((name) => startWorkload(server, "Deployment", name, { replicas: 1 }));
  const first = await run();
  await until("the first to lead", async () => ((await leads(first)) ? true : undefined));
  const second = await run();
  expect([await leads(first), await leads(second)]).toEqual([true, false]);
  expect(await upgrade(`${second.url}/agents`)).toBe(503);

  const agent = await connectAgent(`${first.ws}/agents`);
  agent.send(hello());
  await agent.next("welcome");
  let seq = 0;
  await until("three prefill replicas", async () => {
    agent.send(busy(seq++));
    await agent.next("ack");
    return workloads[0]?.replicas() === 3 ? true : undefined;
  });
  const patches = server.calls.filter((c) => c.verb === "patch" && c.name === "prefill");
  expect(patches.map((c) => [(c.body as { spec: { replicas: number } }).spec.replicas, c.status])).toEqual([[3, 200]]);

  await first.stop();
  scalers = scalers.filter((s) => s !== first);
  expect(await agent.closed()).toBe(1001);
  await until("the second to lead", async () => ((await leads(second)) ? true : undefined));
  const again = await connectAgent(`${second.ws}/agents`);
  again.close();
  const journal = join(second.directory, "journal");
  // When it took over, not before: what it saw as a bystander is not acted on.
  await until("the second's start", async () =>
    (await readJournal(journal)).records.filter((r) => r.kind === "start").length === 1 ? true : undefined,
  );
  await first.remove();
}, 60_000);

test("a leader that is deposed sends its agents away", async () => {
  for (const name of ["prefill", "decode"]) startWorkload(server, "Deployment", name, { replicas: 1 });
  const scaler = await run();
  await until("the lead", async () => ((await leads(scaler)) ? true : undefined));
  const agent = await connectAgent(`${scaler.ws}/agents`);
  agent.send(hello());
  await agent.next("welcome");
  agent.send(busy(0));
  await agent.next("ack");
  const tellsAge = async (): Promise<boolean> => /^fulcrum_agent_report_age_seconds\{/m.test(await (await scaler.get("/metrics")).text());
  expect(await tellsAge()).toBe(true);
  server.store.update("leases.coordination.k8s.io", "fulcrum", "fulcrum-scaler", (l) => ({
    ...l,
    spec: { ...l.spec, holderIdentity: "hand" },
  }));
  expect(await agent.closed()).toBe(1012);
  expect([await leads(scaler), await upgrade(`${scaler.url}/agents`)]).toEqual([false, 503]);
  // It would grow for ever, and be taken for an agent that is gone.
  expect(await tellsAge()).toBe(false);
}, 60_000);

test("a kubeconfig that is none is told at the start", async () => {
  const started = runTestScaler({ settings: { actuator: "kubernetes", kubeconfig: "/nowhere/config" } });
  await expect(started).rejects.toMatchObject({
    name: "ScalerError",
    code: "bad-settings",
    message: expect.stringContaining("/nowhere/config: cannot be read") as string,
  });
  const outside = runTestScaler({ settings: { actuator: "kubernetes" } });
  await expect(outside).rejects.toMatchObject({ code: "bad-settings", message: expect.stringContaining("FULCRUM_KUBECONFIG") as string });
});

/** A second of heavy prompts: more than one replica of the built-in prior computes. */
const heavy = (boot: string, seq: number, names: (role: string) => readonly string[]) =>
  report({
    boot,
    seq,
    at: Date.now() / 1000,
    interval: 0.25,
    pools: [
      pool({
        replicas: names("prefill").map((name) => replica(name, { waiting: 0, running: 4 })),
        counters: { promptTokens: 25_000, cachedTokens: 0, requestsFinished: 10 },
        distributions: { ttft: buckets([0.5, 1, 2], [0, 2, 8, 0]) },
      }),
      pool({
        pool: "decode",
        role: "decode",
        replicas: names("decode").map((name) => replica(name, {})),
        counters: { generatedTokens: 1000, requestsFinished: 10 },
        distributions: { itl: buckets([0.01, 0.03, 0.1], [900, 100, 0, 0]) },
      }),
    ],
  });

const starts = async (scaler: RunningScaler) =>
  (await readJournal(join(scaler.directory, "journal"))).records.flatMap((r) => (r.kind === "start" ? [r] : []));

test("a successor goes on from what the leader had learned: it wants what that one wanted, and shrinks nothing at first", async () => {
  const workloads = ["prefill", "decode"].map((name) => startWorkload(server, "Deployment", name, { replicas: 2 }));
  const names = (role: string) =>
    workloads
      .find((w) => w.name === role)
      ?.pods()
      .map((p) => p.metadata.name) ?? [];
  const kit = fulcrumKit as unknown as ControllerKit<never>;
  // Nothing is written to the pools: what either wants is in its decisions.
  const policy = POLICY.replace("mode: enforce", "mode: observe");
  const open = async (): Promise<RunningScaler> => {
    const scaler = await runTestScaler({ policy, kit, settings: { actuator: "kubernetes", kubeconfig: server.kubeconfig } });
    scalers.push(scaler);
    return scaler;
  };
  const feed = async (scaler: RunningScaler, boot: string, decisions: number): Promise<PageDecision[]> => {
    const agent = await connectAgent(`${scaler.ws}/agents`);
    agent.send(hello("node-a", boot));
    await agent.next("welcome");
    let seq = 0;
    const wanted = await until("decisions on evidence", async () => {
      agent.send(heavy(boot, seq++, names));
      await agent.next("ack");
      await new Promise((resolve) => setTimeout(resolve, 200));
      const all = await scaler.json<PageDecision[]>("/api/decisions?limit=1000");
      const judged = all.filter((d) => d.decision.reasons[0]?.code !== "insufficient-evidence");
      return judged.length >= decisions ? judged : undefined;
    });
    agent.close();
    return wanted;
  };

  const first = await open();
  await until("the first to lead", async () => ((await leads(first)) ? true : undefined));
  const before = await feed(first, "boot-1", 30);
  const second = await open();
  const write = (): number => server.calls.filter((c) => c.resource === "configmaps" && ["create", "update"].includes(c.verb)).length;
  await first.stop();
  scalers = scalers.filter((s) => s !== first);
  expect(write()).toBe(1);
  await until("the second to lead", async () => ((await leads(second)) ? true : undefined));
  const after = await feed(second, "boot-2", 5);

  const [last] = before;
  const learned = async (scaler: RunningScaler, index: number) =>
    ((await starts(scaler)).at(index)?.state as FulcrumState | undefined)?.learned;
  // The state it began with when it took over is the one that was left, not the prior's.
  const [prior, taken] = [await learned(first, 0), await learned(second, -1)];
  expect(taken).not.toEqual(prior);
  expect(after.every((d) => d.decision.pools.prefill.replicas >= 2 && d.decision.pools.decode.replicas >= 2)).toBe(true);
  expect(after[0]?.decision.pools.prefill.replicas).toBe(last?.decision.pools.prefill.replicas);
  await first.remove();
}, 90_000);
