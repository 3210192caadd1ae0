import { expect, test } from "vitest";
import { startLease, type Leadership } from "../../../scaler/kube/lease.ts";
import { watchPolicyObjects } from "../../../scaler/kube/policy-watch.ts";
import { createEventRecorder } from "../../../scaler/kube/report/events.ts";
import { createReporter } from "../../../scaler/kube/report/reporter.ts";
import { createStateMap } from "../../../scaler/kube/state-map.ts";
import { createTokenReviewer } from "../../../scaler/kube/token-review.ts";
import { GRANTS } from "../../../scaler/kube/verbs.ts";
import type { PolicyObject } from "../../../scaler/policy/objects.ts";
import { apiOf, decide, openScene, policyFor } from "../../support/kube-api/scene.ts";
import { startKubeApi, type KubeApiServer } from "../../support/kube-api/server.ts";
import type { Fields } from "../../support/kube-api/store.ts";
import { startWorkload } from "../../support/kube-api/workload.ts";
import { SHAPES } from "../../support/cluster/shapes.ts";
import { listLog } from "../support/log.ts";
import { policyOf } from "../support/policy.ts";
import { until } from "../support/wait.ts";

const KINDS = [
  "Deployment",
  "StatefulSet",
  "LeaderWorkerSet",
  "DisaggregatedSetRoleScaler",
  "RoleBasedGroupScalingAdapter",
  "DynamoGraphDeploymentScalingAdapter",
  "PodCliqueScalingGroup",
];

/** Follows a policy's object, writes its status, and an event of it twice. */
async function tellOf(server: KubeApiServer, leadership: Leadership): Promise<void> {
  const { spec } = policyOf();
  const made = { apiVersion: "fulcrum.dev/v1alpha1", kind: "ScalingPolicy", metadata: { name: "test", namespace: "demo" } };
  server.store.create("scalingpolicies.fulcrum.dev", { ...made, spec: JSON.parse(JSON.stringify(spec)) as Fields });
  const times = { now: 1000 };
  const api = apiOf(server);
  const told = { clock: () => times.now, log: listLog() };
  const counts = { onStatus: () => undefined, onEvent: () => undefined };
  const reporter = createReporter({ api, leadership, identity: "a", ...told, ...counts, every: 0.02 });
  const seen: PolicyObject[] = [];
  const watch = watchPolicyObjects({ api, namespace: undefined, ...told }, (objects) => {
    seen.splice(0, seen.length, ...objects);
    reporter.judged(objects.map((object) => ({ object, verdict: { kind: "in use" } })));
  });
  await until("the status", () => ((seen[0]?.status ?? undefined) === undefined ? undefined : true));
  watch.stop();
  await reporter.stop();
  const events = createEventRecorder({ api, instance: "a", ...told, onOutcome: () => undefined });
  const regarding = { apiVersion: "fulcrum.dev/v1alpha1", kind: "ScalingPolicy", namespace: "demo", name: "test" };
  const occurrence = { regarding, type: "Normal", reason: "ScaledUp", action: "Scale", note: "1 → 2", key: "k" } as const;
  const { signal } = new AbortController();
  events.record(occurrence);
  await events.flush(signal);
  times.now += 61;
  events.record(occurrence);
  await events.flush(signal);
}

/** A batch limit among a Deployment's arguments. */
async function rollOut(server: KubeApiServer, leadership: Leadership): Promise<void> {
  const args = ["vllm", "serve", "m", "--max-num-seqs", "256"];
  const [p, d] = ["rolled-p", "rolled-d"].map((name) => {
    const workload = startWorkload(server, "Deployment", name, { replicas: 1 });
    const template = { spec: { containers: [{ args }] } };
    const more: Fields = { strategy: { rollingUpdate: { maxSurge: 0 } }, template };
    server.store.update("deployments.apps", "demo", name, (o) => ({ ...o, spec: { ...o.spec, ...more } }));
    return workload;
  });
  if (p === undefined || d === undefined) throw new Error("no workload");
  const policy = policyFor(p, d, 8);
  const { prefill, decode } = policy.spec.pools;
  const pools = { prefill, decode: { ...decode, batch: { ...decode.batch, apply: "rollout" as const } } };
  const scene = openScene(server, { ...policy, spec: { ...policy.spec, pools } }, leadership);
  const wanted = decide(1, 1);
  const limits = { prefill: wanted.pools.prefill, decode: { ...wanted.pools.decode, limits: { maxNumSeqs: 64 } } };
  const facts = await scene.seen(1, 1);
  const done = await scene.actuator.apply(scene.policy, { ...wanted, pools: limits }, facts, new AbortController().signal);
  expect(done).toMatchObject({ outcome: "applied", actions: [{ kind: "limit", to: 64 }] });
  scene.stop();
}

test("what is granted is what is used: no verb more, none less", async () => {
  const server = await startKubeApi();
  const leadership = startLease({
    api: apiOf(server),
    namespace: "fulcrum",
    name: "fulcrum-scaler",
    identity: "a",
    every: 0.02,
    clock: () => performance.now() / 1000,
    wall: Date.now,
    onChange: () => undefined,
    log: listLog(),
  });
  await until("the lead", () => (leadership.standing() === "leading" ? true : undefined));
  for (const kind of KINDS) {
    const [p, d] = ["p", "d"].map((role) => startWorkload(server, kind, `${role}-${kind.toLowerCase()}`, { replicas: 1 }));
    if (p === undefined || d === undefined) throw new Error("no workload");
    const scene = openScene(server, policyFor(p, d, 8), leadership);
    await scene.seen(1, 1);
    expect((await scene.apply(2, 2)).outcome).toBe("applied");
    await scene.seen(2, 2);
    expect((await scene.apply(1, 2)).outcome).toBe("applied");
    scene.stop();
  }
  await rollOut(server, leadership);
  for (const shape of SHAPES.filter(({ components }) => components !== undefined)) {
    const name = shape.title.replaceAll(/[^A-Za-z0-9]/g, "").toLowerCase();
    server.store.create(`${shape.plural}.${shape.apiVersion.split("/")[0] ?? ""}`, {
      apiVersion: shape.apiVersion,
      kind: shape.kind,
      metadata: { name, namespace: "demo" },
      spec: shape.spec({ prefill: 1, decode: 1 }, "decode"),
    });
    const [prefill, decode] = (["prefill", "decode"] as const).map((role) => ({ ...shape, name, component: shape.components?.[role] }));
    if (prefill === undefined || decode === undefined) throw new Error("no pools");
    const scene = openScene(server, policyFor(prefill, decode, 8), leadership);
    expect(await scene.apply(2, 2)).toMatchObject({ outcome: "applied", actions: [{ to: 2 }, { to: 2 }] });
    scene.stop();
  }
  await tellOf(server, leadership);
  const map = createStateMap({ api: apiOf(server), leadership, namespace: "fulcrum", lease: "fulcrum-scaler", identity: "a" });
  for (let i = 0; i < 2; i++) expect((await map.write({ version: "1", policies: {} }, new AbortController().signal)).ok).toBe(true);
  const { signal } = new AbortController();
  const accounts = new Set(["fulcrum/fulcrum-agent"]);
  await createTokenReviewer({ api: apiOf(server), audience: "fulcrum", accounts, clock: () => 0, signal }).review("a.b.c");
  await leadership.stop();
  await server.close();
  const used = new Set(server.calls.map((c) => `${c.verb} ${c.resource} ${c.group}`));
  const granted = new Set(GRANTS.flatMap(({ group, resource, verbs }) => verbs.map((verb) => `${verb} ${resource} ${group}`)));
  expect([...used].toSorted()).toEqual([...granted].toSorted());
});
