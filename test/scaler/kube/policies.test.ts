import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { PageState } from "../../../wire/page.ts";
import type { Structural } from "../../../scripts/crd/structural.ts";
import { status as refusal } from "../../support/kube-api/respond.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import type { Fields, KubeObject } from "../../support/kube-api/store.ts";
import { startWorkload, type Workload } from "../../support/kube-api/workload.ts";
import { violations } from "../../support/openapi.ts";
import { connectAgent, hello } from "../support/agent-client.ts";
import { POLICY_TEXT } from "../support/policy.ts";
import { pool, replica, report } from "../support/reports.ts";
import { runTestScaler, type RunningScaler, type RunOptions } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

/** A scaler whose policies are objects of the cluster: its controller wants as many prefill replicas as requests wait. */
const definition = parse(readFileSync(new URL("../../../deploy/base/crd/scalingpolicies.yaml", import.meta.url), "utf8")) as {
  spec: { versions: [{ schema: { openAPIV3Schema: Structural } }] };
};
const SCHEMA = definition.spec.versions[0].schema.openAPIV3Schema;
const POLICIES = "scalingpolicies.fulcrum.dev";
const TEXT = POLICY_TEXT.replaceAll("apiVersion: fulcrum.dev/v1alpha1, kind: FleetPool", "apiVersion: apps/v1, kind: Deployment").replace(
  "interval: 100ms",
  "interval: 100ms, scaleUp: { cooldown: 0s }",
);

let server: KubeApiServer;
let scalers: RunningScaler[] = [];
let workloads: Workload[] = [];

beforeEach(async () => {
  server = await startKubeApi();
  workloads = ["prefill", "decode"].map((name) => startWorkload(server, "Deployment", name, { replicas: 1 }));
});
afterEach(async () => {
  await Promise.all(scalers.map((s) => s.stop()));
  await Promise.all(scalers.map((s) => s.remove()));
  scalers = [];
  await server.close();
});

async function run(options: RunOptions = {}): Promise<RunningScaler> {
  const cluster = { actuator: "kubernetes", kubeconfig: server.kubeconfig, policyObjects: "all" } as const;
  const scaler = await runTestScaler({ policy: TEXT, ...options, settings: { ...cluster, policies: undefined, ...options.settings } });
  scalers.push(scaler);
  return scaler;
}

const { spec: SPEC } = parse(TEXT) as { spec: Fields };
const put = (name: string, spec: Fields = SPEC, namespace = "demo"): KubeObject =>
  server.store.create(POLICIES, { apiVersion: "fulcrum.dev/v1alpha1", kind: "ScalingPolicy", metadata: { name, namespace }, spec });
const edit = (name: string, spec: Fields): KubeObject =>
  server.store.update(POLICIES, "demo", name, (o) => ({
    ...o,
    spec,
    metadata: { ...o.metadata, generation: Number(o.metadata["generation"]) + 1 },
  }));
/** The same policy for other workloads. */
const elsewhere = (suffix: string): Fields =>
  JSON.parse(JSON.stringify(SPEC).replaceAll(/"name":"(prefill|decode)"/g, `"name":"$1${suffix}"`)) as Fields;

interface Told {
  readonly observedGeneration: number;
  readonly mode?: string;
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly message: string;
    readonly lastTransitionTime: string;
  }[];
  readonly prefill?: { readonly desired?: number; readonly ready?: number };
  readonly lastDecision?: { readonly reason: string; readonly hold: boolean };
}
const told = (name: string): Told | undefined => server.store.get(POLICIES, "demo", name)?.status as Told | undefined;
const condition = (name: string, type: string) => told(name)?.conditions.find((c) => c.type === type);
const states = (name: string) => Object.fromEntries((told(name)?.conditions ?? []).map((c) => [c.type, `${c.status} ${c.reason}`]));
const running = async (scaler: RunningScaler): Promise<string[]> =>
  (await scaler.json<PageState>("/api/state")).policies.map((p) => p.name).toSorted();
const runs = (scaler: RunningScaler, ...names: string[]): Promise<true> =>
  until(`policies ${names.join(", ")}`, async () => ((await running(scaler)).join() === names.join() ? true : undefined));

/** Reports of this many waiting requests until something holds. */
async function busyUntil<T>(scaler: RunningScaler, waiting: number, what: string, look: () => T | undefined): Promise<T> {
  await until("the lead", async () => (/^fulcrum_leader 1$/m.test(await (await scaler.get("/metrics")).text()) ? true : undefined));
  const agent = await connectAgent(`${scaler.ws}/agents`);
  const boot = `boot-${Math.random()}`;
  agent.send(hello("node-a", boot));
  await agent.next("welcome");
  let seq = 0;
  const found = await until(what, async () => {
    const pods = (w: Workload | undefined, load: object) => (w?.pods() ?? []).map((p, i) => replica(p.metadata.name, i === 0 ? load : {}));
    const pools = [
      pool({ replicas: pods(workloads[0], { waiting, running: 0 }) }),
      pool({ pool: "decode", role: "decode", replicas: pods(workloads[1], {}) }),
    ];
    agent.send(report({ boot, seq: seq++, interval: 0.1, pools }));
    await agent.next("ack");
    return look();
  });
  agent.close();
  return found;
}

describe("policies that are objects", () => {
  test("one is acted on, says so in its status as its schema has it, and each action is an event about it", async () => {
    put("llama");
    const scaler = await run();
    expect((await scaler.get("/readyz")).status).toBe(200);
    await busyUntil(scaler, 3, "three replicas and their telling", () =>
      workloads[0]?.replicas() === 3 &&
      told("llama")?.prefill?.desired === 3 &&
      server.store.list("events.events.k8s.io", "demo").length > 0
        ? true
        : undefined,
    );
    expect(states("llama")).toMatchObject({ Ready: "True Valid", Acting: "True Enforcing" });
    expect(told("llama")).toMatchObject({ observedGeneration: 1, mode: "enforce", prefill: { desired: 3 } });
    const object = server.store.get(POLICIES, "demo", "llama");
    const stored = Object.fromEntries(Object.entries(object ?? {}).filter(([key]) => key !== "x-owners"));
    expect(violations(SCHEMA, stored)).toEqual([]);
    const events = server.store.list("events.events.k8s.io", "demo");
    expect(events[0]).toMatchObject({
      apiVersion: "events.k8s.io/v1",
      type: "Normal",
      reason: "ScaledUp",
      action: "Scale",
      reportingController: "fulcrum.dev/scaler",
      note: expect.stringMatching(/^prefill pool prefill: replicas 1 → 3\. /) as string,
      regarding: { kind: "ScalingPolicy", namespace: "demo", name: "llama", uid: object?.metadata["uid"] },
      related: { apiVersion: "apps/v1", kind: "Deployment", name: "prefill" },
    });
  }, 60_000);

  test("a status is only news: no condition's time moves while it stays, and the spec and its generation are left alone", async () => {
    put("llama");
    const scaler = await run();
    const first = await busyUntil(scaler, 1, "a decided status", () =>
      condition("llama", "Acting")?.status === "True" ? condition("llama", "Acting") : undefined,
    );
    await busyUntil(scaler, 2, "another decision", () => (told("llama")?.prefill?.desired === 2 ? true : undefined));
    expect(condition("llama", "Acting")?.lastTransitionTime).toBe(first.lastTransitionTime);
    expect(server.store.get(POLICIES, "demo", "llama")).toMatchObject({ spec: SPEC, metadata: { generation: 1 } });
    const writes = server.calls.filter((c) => c.resource === "scalingpolicies/status");
    expect(writes.every((c) => c.verb === "patch" && c.query.get("fieldManager") === "fulcrum-status")).toBe(true);
    // Ticks come ten times a second; a status at most once.
    const ticks = (await scaler.json<unknown[]>("/api/decisions?limit=5000")).length;
    expect(writes.length).toBeLessThan(ticks / 2);
  }, 60_000);

  test("a bad one is told field by field and stops no other; mended it runs, edited it follows, deleted it ends", async () => {
    put("good");
    put("bad", { ...elsewhere("-b"), schedule: [{ cron: "never", for: "1h", prefill: { min: 2 } }] });
    const scaler = await run();
    await runs(scaler, "demo/good");
    await until("the verdict", () => (states("bad")["Ready"] === "False Invalid" ? true : undefined));
    expect(condition("bad", "Ready")?.message).toMatch(/^POLICY_CRON spec\.schedule\[0\]\.cron is not a cron expression: /);
    expect((await scaler.json<PageState>("/api/state")).problems).toMatchObject([{ where: "ScalingPolicy demo/bad" }]);
    expect(await (await scaler.get("/metrics")).text()).toContain('fulcrum_policy_valid{file="ScalingPolicy demo/bad"} 0');
    await until("its event", () =>
      server.store.list("events.events.k8s.io", "demo").some((e) => e["reason"] === "InvalidPolicy") ? true : undefined,
    );

    edit("bad", elsewhere("-b"));
    await runs(scaler, "demo/bad", "demo/good");
    await until("the new generation's status", () =>
      told("bad")?.observedGeneration === 2 && condition("bad", "Acting")?.status !== "Unknown" ? true : undefined,
    );
    // Its targets do not exist: it says that, and acts on nothing.
    expect(condition("bad", "Ready")).toMatchObject({
      status: "False",
      reason: "TargetsNotSeen",
      message: expect.stringContaining("prefill-b") as string,
    });

    edit("good", { ...SPEC, mode: "observe" });
    await until("the mode", () => (states("good")["Acting"] === "False Observe" ? true : undefined));
    expect(told("good")).toMatchObject({ mode: "observe", observedGeneration: 2 });

    server.store.delete(POLICIES, "demo", "bad");
    server.store.delete(POLICIES, "demo", "good");
    await runs(scaler);
    expect((await scaler.json<PageState>("/api/state")).problems).toEqual([]);
    const metrics = await (await scaler.get("/metrics")).text();
    expect(metrics).not.toContain("fulcrum_policy_valid{");
  }, 60_000);

  test("two for one pool: none of them acts, each is told of the other, and all is well when one goes", async () => {
    put("one");
    const scaler = await run({ settings: { policies: undefined } });
    await runs(scaler, "demo/one");
    put("two");
    await runs(scaler);
    await until("both verdicts", () =>
      states("one")["Ready"] === "False Conflict" && states("two")["Ready"] === "False Conflict" ? true : undefined,
    );
    expect(condition("one", "Ready")?.message).toContain("ScalingPolicy demo/two");
    expect(condition("two", "Ready")?.message).toContain("ScalingPolicy demo/one");
    const patched = server.calls.filter((c) => c.resource === "deployments/scale" && c.verb === "patch").length;
    await busyUntil(scaler, 4, "a few reports", () => (server.calls.length > 0 ? true : undefined));
    expect(server.calls.filter((c) => c.resource === "deployments/scale" && c.verb === "patch").length).toBe(patched);
    server.store.delete(POLICIES, "demo", "two");
    await runs(scaler, "demo/one");
    await until("its verdict", () => (states("one")["Ready"] === "True Valid" ? true : undefined));
  }, 60_000);

  test("a file beside objects: both run, a conflict is the file's problem too, and the file's edit mends it", async () => {
    put("test", elsewhere("-b"));
    put("other", elsewhere("-c"));
    // The file holds demo/test as well.
    const scaler = await run({ settings: {} });
    await scaler.stop();
    const both = await runTestScaler({
      directory: scaler.directory,
      settings: { actuator: "kubernetes", kubeconfig: server.kubeconfig, policyObjects: "all" },
    });
    scalers = [both];
    await runs(both, "demo/other");
    const { problems } = await both.json<PageState>("/api/state");
    expect(problems.map((p) => p.where)).toEqual([both.policyFile, "ScalingPolicy demo/test"]);
    expect(problems[0]?.message).toMatch(/policy\.yaml:1:1: POLICY_CONFLICT policy demo\/test is also in ScalingPolicy demo\/test; none/);
    await writeFile(both.policyFile, TEXT.replace("name: test", "name: file"));
    await runs(both, "demo/file", "demo/other", "demo/test");
  }, 60_000);

  test("only of its own namespace, when it is told so", async () => {
    put("here", SPEC, "fulcrum");
    put("there", SPEC);
    const scaler = await run({ settings: { policyObjects: "own" } });
    await runs(scaler, "fulcrum/here");
    expect((await scaler.json<PageState>("/api/state")).problems).toEqual([]);
  }, 60_000);
});

describe("when the API server says no", () => {
  test("without the custom resource or the right to it files go on, and the log says what to do", async () => {
    server.fault = ({ resource }) =>
      resource === "scalingpolicies" ? refusal(403, "Forbidden", "scalingpolicies is forbidden") : undefined;
    const scaler = await runTestScaler({
      policy: TEXT,
      settings: { actuator: "kubernetes", kubeconfig: server.kubeconfig, policyObjects: "all" },
    });
    scalers.push(scaler);
    await runs(scaler, "demo/test");
    const said = scaler.log.lines.find((l) => l.message.startsWith("policy: ScalingPolicy objects cannot be read"));
    expect(JSON.stringify(said?.fields)).toContain("scaler-policies-rbac.yaml");
  }, 60_000);

  test("a status that is refused is tried again later, and nothing else waits for it", async () => {
    put("llama");
    let refused = 0;
    server.fault = ({ resource }) =>
      resource === "scalingpolicies/status" && refused++ < 1 ? refusal(409, "Conflict", "modified") : undefined;
    const scaler = await run();
    await busyUntil(scaler, 3, "the scaling", () => (workloads[0]?.replicas() === 3 ? true : undefined));
    await until("the status", () => (condition("llama", "Ready")?.status === "True" ? true : undefined));
    expect(refused).toBeGreaterThan(1);
  }, 60_000);

  test("a leader that is deposed tells nothing more: no status, no event, nothing for a successor", async () => {
    put("llama");
    const scaler = await run();
    await until("its status", () => (condition("llama", "Ready") === undefined ? undefined : true));
    server.store.update("leases.coordination.k8s.io", "fulcrum", "fulcrum-scaler", (l) => ({
      ...l,
      spec: { ...l.spec, holderIdentity: "hand" },
    }));
    const from = server.calls.length;
    edit("llama", { ...SPEC, mode: "observe", budget: { gpus: 0 } });
    await until("the edit's verdict", async () => ((await scaler.json<PageState>("/api/state")).problems.length === 1 ? true : undefined));
    await until("standing by", async () =>
      (await scaler.json<PageState>("/api/state")).leader?.standing === "standby" ? true : undefined,
    );
    await scaler.stop();
    scalers = [];
    const written = server.calls.slice(from).filter((c) => !["get", "list", "watch"].includes(c.verb));
    expect(written.map((c) => `${c.verb} ${c.resource}`)).toEqual([]);
    expect(told("llama")?.observedGeneration).toBe(1);
    await scaler.remove();
  }, 60_000);

  test("one that stands by follows objects and writes nothing", async () => {
    put("llama");
    const leader = await run();
    await until("its status", () => (condition("llama", "Ready") === undefined ? undefined : true));
    const other = await run();
    await runs(other, "demo/llama");
    const { leader: seen } = await other.json<PageState>("/api/state");
    expect(seen).toMatchObject({ standing: "standby", holder: (await leader.json<PageState>("/api/state")).leader?.identity });
    expect(await (await other.get("/metrics")).text()).not.toMatch(/^fulcrum_policy_status_writes_total\{/m);
  }, 60_000);
});
