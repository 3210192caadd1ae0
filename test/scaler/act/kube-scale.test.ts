import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openScene, policyFor, type Scene } from "../../support/kube-api/scene.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import { status } from "../../support/kube-api/respond.ts";
import { startWorkload, type Workload } from "../../support/kube-api/workload.ts";
import { decide } from "../../support/kube-api/scene.ts";
import { until } from "../support/wait.ts";

let server: KubeApiServer;
let scenes: Scene[] = [];
const { signal } = new AbortController();

beforeEach(async () => {
  server = await startKubeApi();
});
afterEach(async () => {
  for (const scene of scenes) scene.stop();
  scenes = [];
  await server.close();
});

function open(prefill: Workload, decode: Workload, budget?: number): Scene {
  const scene = openScene(server, policyFor(prefill, decode, budget));
  scenes.push(scene);
  return scene;
}
const deployments = (p: number, d: number, drains = false): [Workload, Workload] => [
  startWorkload(server, "Deployment", "p", { replicas: p, drains }),
  startWorkload(server, "Deployment", "d", { replicas: d, drains }),
];
const patches = (): string[] =>
  server.calls
    .filter((c) => c.verb === "patch" && c.resource !== "pods")
    .map((c) => `${c.name} ${(c.body as { spec: { replicas: number } }).spec.replicas} ${c.status}`);

describe("every kind with a scale subresource", () => {
  test.each([
    "Deployment",
    "StatefulSet",
    "LeaderWorkerSet",
    "DisaggregatedSetRoleScaler",
    "RoleBasedGroupScalingAdapter",
    "DynamoGraphDeploymentScalingAdapter",
    "PodCliqueScalingGroup",
  ])("%s is seen, scaled up, down and converted", async (kind) => {
    const [p, d] = ["p", "d"].map((name) => startWorkload(server, kind, name, { replicas: 1 })) as [Workload, Workload];
    const scene = open(p, d);
    expect(await scene.seen(1, 1)).toMatchObject({
      prefill: { name: "p", desired: 1, unschedulable: 0, replicas: [{ pod: "p-0", phase: "ready" }] },
    });
    expect(await scene.apply(2, 2)).toMatchObject({
      outcome: "applied",
      actions: [
        { role: "prefill", from: 1, to: 2 },
        { role: "decode", from: 1, to: 2 },
      ],
    });
    await scene.seen(2, 2);
    expect((await scene.apply(1, 2)).outcome).toBe("applied");
    await scene.seen(1, 2);
    expect((await scene.apply(2, 1)).outcome).toBe("applied");
    expect([p.replicas(), d.replicas()]).toEqual([2, 1]);
    const last = server.calls.filter((c) => c.verb === "patch").at(-1);
    expect(last?.query.get("fieldManager")).toBe("fulcrum");
    expect(last?.body).toMatchObject({ metadata: { resourceVersion: expect.stringMatching(/^\d+$/) as string } });
  });

  test("a replica of several pods is one replica, ready when all of them are, named by its leader", async () => {
    const [p, d] = [
      startWorkload(server, "LeaderWorkerSet", "p", { replicas: 2, size: 4 }),
      startWorkload(server, "Deployment", "d", { replicas: 1 }),
    ];
    const scene = open(p, d);
    const facts = await scene.seen(2, 1);
    expect(facts.prefill.replicas.map(({ pod, phase }) => `${pod} ${phase}`)).toEqual(["p-0-0 ready", "p-1-0 ready"]);
    server.store.update("pods.", "demo", "p-1-3", (pod) => ({
      ...pod,
      status: { phase: "Running", conditions: [{ type: "Ready", status: "False" }] },
    }));
    await until("the worker", async () => ((await scene.facts()).prefill.replicas[1]?.phase === "starting" ? true : undefined));
  });

  test.each([
    ["StormService", "orchestration.aibrix.ai/v1alpha1", /StormService cannot be a pool: its scale counts role sets/],
    ["PodCliqueSet", "grove.io/v1alpha1", /counts whole gangs; name one of its PodCliqueScalingGroups/],
    [
      "DynamoGraphDeployment",
      "nvidia.com/v1beta1",
      /no scale subresource; of its group these have: dynamographdeploymentscalingadapters; or name one of its roles with component$/,
    ],
    ["Deployment", "apps/v1beta9", /does not serve apps\/v1beta9; it serves apps\/v1/],
    ["Deployment", "nowhere.dev/v1", /does not serve nowhere\.dev\/v1; it serves nothing of that group/],
    ["Replicator", "apps/v1", /no kind Replicator in it; it has Deployment, StatefulSet/],
  ])("a %s of %s is refused with what to name instead", async (kind, apiVersion, message) => {
    const [p, d] = deployments(1, 1);
    const scene = open({ ...p, kind, apiVersion }, d);
    const facts = await scene.actuator.facts(scene.policy, signal);
    expect(!facts.ok && facts.error).toMatch(message);
  });
});

describe("facts", () => {
  test("unschedulable, draining and starting pods are told apart; ended ones are not counted", async () => {
    let capacity = 2;
    const p = startWorkload(server, "Deployment", "p", { replicas: 2, capacity: () => capacity, drains: true });
    const d = startWorkload(server, "Deployment", "d", { replicas: 1 });
    const scene = open(p, d, 8);
    await scene.seen(2, 1);
    await scene.apply(4, 1);
    const facts = await until("the unschedulable", async () => {
      const now = await scene.facts();
      return now.prefill.unschedulable === 2 ? now : undefined;
    });
    expect(facts.prefill).toMatchObject({ desired: 4, replicas: [{ phase: "ready" }, { phase: "ready" }] });
    expect(scene.log.lines.find((l) => l.message === "act: new replicas do not come up")?.fields).toMatchObject({
      outcome: "unschedulable",
      to: 4,
    });
    capacity = 9;
    p.setReplicas(1);
    await until("draining", async () =>
      (await scene.facts()).prefill.replicas.filter((r) => r.phase === "draining").length > 0 ? true : undefined,
    );
    p.finishDraining();
    await scene.seen(1, 1);
    server.store.update("pods.", "demo", "d-0", (pod) => ({ ...pod, status: { phase: "Failed" } }));
    await scene.seen(1, 0);
  });

  test("a target that is not there, and one whose controller has told no selector, are errors", async () => {
    const [p, d] = deployments(1, 1);
    const scene = open({ ...p, name: "ghost" }, d);
    const facts = await scene.actuator.facts(scene.policy, signal);
    expect(!facts.ok && facts.error).toBe("prefill target: there is no Deployment demo/ghost");
    const adapter = startWorkload(server, "RoleBasedGroupScalingAdapter", "a", { replicas: 1 });
    server.store.update("rolebasedgroupscalingadapters.workloads.x-k8s.io", "demo", "a", (o) => ({ ...o, status: {} }));
    const other = open(adapter, d);
    const blind = await other.actuator.facts(other.policy, signal);
    expect(!blind.ok && blind.error).toContain("has no selector (yet)");
  });
});

describe("never a fight", () => {
  const autoscaler = (resource: string, kind: string, ref: Record<string, string>): void =>
    void server.store.create(resource, {
      apiVersion: "x",
      kind,
      metadata: { name: "theirs", namespace: "demo" },
      spec: { scaleTargetRef: ref },
    });

  test.each([
    ["horizontalpodautoscalers.autoscaling", "HorizontalPodAutoscaler", { apiVersion: "apps/v1", kind: "Deployment", name: "p" }],
    ["scaledobjects.keda.sh", "ScaledObject", { name: "p" }],
    ["podautoscalers.autoscaling.aibrix.ai", "PodAutoscaler", { apiVersion: "apps/v1", kind: "Deployment", name: "p" }],
  ])("%s: what another one scales is left alone", async (resource, kind, ref) => {
    const [p, d] = deployments(1, 1);
    const scene = open(p, d);
    autoscaler(resource, kind, ref);
    const done = await scene.apply(2, 1);
    expect(done).toMatchObject({ outcome: "failed", actions: [], failedRole: "prefill" });
    expect(done.error).toMatch(new RegExp(`^${kind} demo/theirs scales Deployment p: two would fight over it`));
    expect(patches()).toEqual([]);
    // The other pool is nobody else's.
    expect((await scene.apply(1, 2)).outcome).toBe("applied");
  });

  test("autoscalers that cannot be listed cannot be ruled out", async () => {
    const [p, d] = deployments(1, 1);
    const scene = open(p, d);
    server.fault = (call) => (call.resource === "horizontalpodautoscalers" ? status(403, "Forbidden", "not allowed") : undefined);
    expect((await scene.apply(2, 1)).error).toContain("cannot tell whether a HorizontalPodAutoscaler scales Deployment p too");
    expect(patches()).toEqual([]);
  });

  test("a Deployment that a controller manages is left to it", async () => {
    const ownedBy = { apiVersion: "nvidia.com/v1beta1", kind: "DynamoGraphDeployment", name: "graph" };
    const p = startWorkload(server, "Deployment", "p", { replicas: 1, ownedBy });
    const d = startWorkload(server, "Deployment", "d", { replicas: 1 });
    expect((await open(p, d).apply(2, 1)).error).toContain("is managed by DynamoGraphDeployment graph, which would undo the change");
    expect(patches()).toEqual([]);
  });

  test("somebody who scales between the look and the write wins, at whichever moment", async () => {
    const [p, d] = deployments(1, 1);
    const scene = open(p, d, 8);
    const seen = await scene.seen(1, 1);
    p.setReplicas(3);
    const early = await scene.actuator.apply(scene.policy, decide(2, 1), seen, signal);
    expect(early.error).toContain("desired replicas went from 1 to 3 since it was observed");
    await scene.seen(3, 1);
    server.fault = (call) => {
      if (call.verb === "patch") p.setReplicas(5);
      return undefined;
    };
    const late = await scene.apply(4, 1);
    expect(late).toMatchObject({ outcome: "failed", actions: [] });
    expect(late.error).toContain("replicas went from 3 to 5 while it was to be set to 4");
    expect(p.replicas()).toBe(5);
  });
});

describe("an API server that has its days", () => {
  test("a version that moved on without the count is no reason to give up", async () => {
    const [p, d] = deployments(1, 1);
    const scene = open(p, d);
    let touched = 0;
    server.fault = (call) => {
      if (call.verb === "patch" && touched++ < 2) p.touch();
      return undefined;
    };
    expect((await scene.apply(2, 1)).outcome).toBe("applied");
    expect(patches()).toEqual(["p 2 409", "p 2 409", "p 2 200"]);
  });

  test("a busy one is asked again when it says", async () => {
    const [p, d] = deployments(1, 1);
    const scene = open(p, d);
    const busy = new Map([
      ["patch", 1],
      ["get", 1],
      ["list", 1],
    ]);
    server.fault = (call) => {
      const left = busy.get(call.verb) ?? 0;
      busy.set(call.verb, left - 1);
      return left > 0 ? status(429, "TooManyRequests", "slow down", { "retry-after": "0" }) : undefined;
    };
    expect((await scene.apply(2, 1)).outcome).toBe("applied");
    expect(p.replicas()).toBe(2);
  });

  test("an answer that never came is looked up: done once, and told as done", async () => {
    const [p, d] = deployments(1, 1);
    const scene = open(p, d);
    server.fault = (call) => (call.verb === "patch" ? "cut after" : undefined);
    expect(await scene.apply(2, 1)).toMatchObject({ outcome: "applied", actions: [{ from: 1, to: 2 }] });
    expect(patches()).toEqual(["p 2 200"]);
  });

  test("one that is away is an error, and no exception; back again, everything goes on", async () => {
    const [p, d] = deployments(1, 1);
    const scene = open(p, d);
    await scene.seen(1, 1);
    server.fault = () => "cut";
    const away = await scene.actuator.facts(scene.policy, signal);
    expect(!away.ok && away.error).toMatch(/prefill target: GET .*\/deployments\/p\/scale: /);
    server.fault = () => undefined;
    expect((await scene.apply(2, 1)).outcome).toBe("applied");
    await scene.seen(2, 1);
  });

  test("a token that is not accepted is an error with its status", async () => {
    const [p, d] = deployments(1, 1);
    const scene = open(p, d);
    server.fault = () => status(401, "Unauthorized", "Unauthorized");
    const facts = await scene.actuator.facts(scene.policy, signal);
    expect(!facts.ok && facts.error).toContain("401 Unauthorized");
  });
});

describe("a conversion under a full budget", () => {
  /** GPUs held or asked for, after every event: never over the budget. */
  function guardBudget(p: Workload, d: Workload, budget: number): () => number {
    let most = 0;
    server.store.listen(() => {
      most = Math.max(most, p.holding() + d.holding(), p.replicas() + d.replicas());
    });
    return () => {
      expect(most).toBeLessThanOrEqual(budget);
      return most;
    };
  }

  test("shrinks first, grows when the GPUs are let go, and never exceeds the budget in between", async () => {
    const [p, d] = deployments(2, 2, true);
    const most = guardBudget(p, d, 4);
    const scene = open(p, d);
    await scene.seen(2, 2);
    const first = await scene.apply(3, 1);
    expect(first).toMatchObject({ outcome: "applied", actions: [{ role: "decode", from: 2, to: 1 }] });
    expect(first.error).toContain("1 more wait until 1 GPUs of the budget of 4 are let go");
    await until("draining", async () => ((await scene.facts()).decode.replicas.some((r) => r.phase === "draining") ? true : undefined));
    expect((await scene.apply(3, 1)).outcome).toBe("held");
    d.finishDraining();
    await scene.seen(2, 1);
    expect(await scene.apply(3, 1)).toMatchObject({ outcome: "applied", actions: [{ role: "prefill", from: 2, to: 3 }] });
    await scene.seen(3, 1);
    expect(most()).toBe(4);
  });

  test("with GPUs to spare grows first", async () => {
    const [p, d] = deployments(2, 2);
    const scene = open(p, d, 5);
    await scene.seen(2, 2);
    await scene.apply(3, 1);
    expect(patches()).toEqual(["p 3 200", "d 1 200"]);
  });

  test("is rolled back when its second half is refused", async () => {
    const [p, d] = deployments(2, 2, true);
    const most = guardBudget(p, d, 4);
    const scene = open(p, d);
    await scene.seen(2, 2);
    await scene.apply(3, 1);
    await until("draining", () => (d.pods().some((pod) => pod.metadata["deletionTimestamp"] !== undefined) ? true : undefined));
    d.finishDraining();
    await scene.seen(2, 1);
    server.fault = (call) => (call.verb === "patch" && call.name === "p" ? status(403, "Forbidden", "quota exceeded") : undefined);
    const done = await scene.apply(3, 1);
    expect(done).toMatchObject({ outcome: "failed", failedRole: "prefill", actions: [{ role: "decode", from: 1, to: 2 }] });
    expect(done.error).toMatch(/quota exceeded; decode pool d was set back to 2$/);
    expect([p.replicas(), d.replicas(), most()]).toEqual([2, 2, 4]);
  });

  test("what somebody else scaled meanwhile is not rolled back", async () => {
    const [p, d] = deployments(2, 2);
    const scene = open(p, d);
    await scene.seen(2, 2);
    await scene.apply(3, 1);
    await scene.seen(2, 1);
    server.fault = (call) => {
      if (call.verb !== "patch" || call.name !== "p") return undefined;
      d.setReplicas(0);
      return status(403, "Forbidden", "quota exceeded");
    };
    expect((await scene.apply(3, 1)).error).toContain("decode pool d could not be set back to 2: somebody scaled it since");
    expect(d.replicas()).toBe(0);
  });
});

describe("the watch of pods", () => {
  const listed = (): number => server.calls.filter((c) => c.verb === "list" && c.resource === "pods").length;

  test("cut, ended and bookmarked goes on from where it was, without listing again", async () => {
    const [p, d] = deployments(1, 1);
    const scene = open(p, d, 8);
    await scene.seen(1, 1);
    await until("both watches", () => (server.watches.size === 2 ? true : undefined));
    const before = listed();
    server.store.compact();
    const ofPrefill = () => [...server.watches].filter((w) => w.selector === "app=p");
    for (const watch of ofPrefill()) watch.bookmark();
    for (const [i, how] of (["cut", "end", "cut"] as const).entries()) {
      // What comes after the bookmark was seen, so the bookmark was.
      p.setReplicas(2 + i);
      await scene.seen(2 + i, 1);
      const [watch] = ofPrefill();
      watch?.[how]();
      await until("its end", () => (watch !== undefined && !server.watches.has(watch) ? true : undefined));
    }
    p.setReplicas(1);
    await scene.seen(1, 1);
    expect(listed()).toBe(before);
  });

  test("too long away to be told what happened (410): lists again, and misses nothing", async () => {
    const [p, d] = deployments(2, 1);
    const scene = open(p, d, 8);
    await scene.seen(2, 1);
    await until("both watches", () => (server.watches.size === 2 ? true : undefined));
    const before = listed();
    server.fault = (call) => (call.verb === "watch" ? "cut" : undefined);
    for (const watch of server.watches) watch.cut();
    p.setReplicas(1);
    p.setReplicas(3);
    server.store.delete("pods.", "demo", "p-0");
    server.store.compact();
    server.fault = () => undefined;
    await until("the new list", async () => ((await scene.facts()).prefill.replicas.every((r) => r.pod !== "p-0") ? true : undefined));
    expect(listed()).toBeGreaterThan(before);
    expect((await scene.facts()).prefill.desired).toBe(3);
  });
});
