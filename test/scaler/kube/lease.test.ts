import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startLease, type Leadership, type LeaseOptions, type Standing } from "../../../scaler/kube/lease.ts";
import { status } from "../../support/kube-api/respond.ts";
import { apiOf, openScene, policyFor } from "../../support/kube-api/scene.ts";
import { startKubeApi, type Fault, type KubeApiServer } from "../../support/kube-api/server.ts";
import { startWorkload } from "../../support/kube-api/workload.ts";
import { listLog } from "../support/log.ts";
import { until } from "../support/wait.ts";

let server: KubeApiServer;
let running: Leadership[] = [];
/** One clock for all, moved by hand: no test waits for a lease to run out. */
let now = 1000;
const { signal } = new AbortController();

beforeEach(async () => {
  now = 1000;
  server = await startKubeApi();
});
afterEach(async () => {
  server.fault = () => undefined;
  await Promise.all(running.map((l) => l.stop()));
  running = [];
  await server.close();
});

function candidate(identity: string, options: Partial<LeaseOptions> = {}): Leadership & { readonly changes: Standing[] } {
  const changes: Standing[] = [];
  const leadership = startLease({
    api: apiOf(server, 1),
    namespace: "fulcrum",
    name: "fulcrum-scaler",
    identity,
    every: 0.02,
    clock: () => now,
    wall: Date.now,
    onChange: (standing) => void changes.push(standing),
    log: listLog(),
    ...options,
  });
  running.push(leadership);
  return Object.assign(leadership, { changes });
}

const lease = () => server.store.get("leases.coordination.k8s.io", "fulcrum", "fulcrum-scaler")?.spec;
const leads = (l: Leadership): boolean => l.standing() === "leading";
const leading = (l: Leadership) => until("the lead", () => (leads(l) ? true : undefined));
const named =
  (identity: string, fault: Fault): Fault =>
  (call) => {
    const holder = (call.body as { spec?: { holderIdentity?: string } }).spec?.holderIdentity;
    return holder === identity ? fault(call) : undefined;
  };

test("the first takes the lease, the second waits; given back, it changes hands at once", async () => {
  const a = candidate("a");
  await leading(a);
  expect(lease()).toMatchObject({
    holderIdentity: "a",
    leaseDurationSeconds: 15,
    leaseTransitions: 0,
    renewTime: expect.stringMatching(/\.\d{6}Z$/) as string,
  });
  const b = candidate("b");
  await until("the holder", () => b.holder());
  expect([leads(b), b.holder()]).toEqual([false, "a"]);
  await a.stop();
  expect(leads(a)).toBe(false);
  await leading(b);
  expect(lease()).toMatchObject({ holderIdentity: "b", leaseTransitions: 1 });
  expect(a.changes).toEqual(["leading", "cut-off"]);
  expect([b.changes[0], b.changes.at(-1)]).toEqual(["standby", "leading"]);
});

test("one that is cut off stops leading before another can begin", async () => {
  const a = candidate("a");
  await leading(a);
  const b = candidate("b");
  await until("the holder", () => b.holder());
  server.fault = named("a", () => "cut");
  // b has seen this version for as long as it has been there.
  const renewed = lease()?.["renewTime"];
  await until("two looks", () => (server.calls.filter((c) => c.verb === "get").length > 4 ? true : undefined));
  now += 10.5;
  expect([leads(a), leads(b)]).toEqual([false, false]);
  expect((await a.fence(signal)).ok).toBe(false);
  now += 7;
  await leading(b);
  expect(lease()?.["renewTime"]).not.toBe(renewed);
  server.fault = () => undefined;
  await until("a's knowledge", () => (a.holder() === "b" ? true : undefined));
  expect([leads(a), a.changes]).toEqual([false, ["leading", "cut-off", "standby"]]);
});

test("a renewal that the server carried out and nobody heard of does not end the lead, nor begin another", async () => {
  const a = candidate("a");
  await leading(a);
  server.fault = named("a", () => "cut after");
  await until("lost answers", () => (server.calls.filter((c) => c.verb === "update").length > 3 ? true : undefined));
  server.fault = () => undefined;
  now += 9;
  await leading(a);
  now += 9;
  await leading(a);
  expect(lease()).toMatchObject({ holderIdentity: "a", leaseTransitions: 0 });
});

test("a deposed leader's write is refused, at whichever moment it was deposed", async () => {
  const [p, d] = ["p", "d"].map((name) => startWorkload(server, "Deployment", name, { replicas: 1 })) as [
    ReturnType<typeof startWorkload>,
    ReturnType<typeof startWorkload>,
  ];
  const a = candidate("a");
  await leading(a);
  const scene = openScene(server, policyFor(p, d), a);
  expect((await scene.apply(2, 1)).outcome).toBe("applied");
  await scene.seen(2, 1);
  // Somebody takes the lease by hand after a has begun to act: only the fence can tell.
  let gets = 0;
  server.fault = (call) => {
    if (call.resource === "scaledobjects" && gets++ === 0) {
      server.store.update("leases.coordination.k8s.io", "fulcrum", "fulcrum-scaler", (l) => ({
        ...l,
        spec: { ...l.spec, holderIdentity: "hand" },
      }));
    }
    return undefined;
  };
  const done = await scene.apply(3, 1);
  expect(done).toMatchObject({ outcome: "failed", actions: [] });
  expect(done.error).toMatch(/^not leading( any more)?: hand holds lease fulcrum\/fulcrum-scaler/);
  expect(p.replicas()).toBe(2);
  expect(await scene.apply(3, 1)).toMatchObject({ outcome: "held", error: "standing by: hand leads" });
  scene.stop();
});

test("two scalers over a bad network: each replica is asked for once, and only by who leads", async () => {
  const [p, d] = ["p", "d"].map((name) => startWorkload(server, "Deployment", name, { replicas: 1 })) as [
    ReturnType<typeof startWorkload>,
    ReturnType<typeof startWorkload>,
  ];
  // A fixed sequence of a small generator: the network's moods are the same in every run.
  let seed = 7;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const pair = ["a", "b"].map((identity) => {
    const leadership = candidate(identity);
    return { leadership, scene: openScene(server, policyFor(p, d, 40), leadership) };
  });
  server.fault = () => {
    expect(pair.filter(({ leadership }) => leads(leadership)).length).toBeLessThanOrEqual(1);
    const mood = random();
    return mood < 0.1 ? "cut" : mood < 0.2 ? "cut after" : mood < 0.25 ? status(503, "ServiceUnavailable", "busy") : undefined;
  };
  const told: string[] = [];
  let replicas = 1;
  // Until enough was done; how many rounds that takes depends on when the lease is renewed.
  for (let i = 0; i < 3000 && told.length < 10; i++) {
    now += random() < 0.05 ? 17 : 0.2;
    await sleep(5);
    const results = await Promise.all(
      pair.map(async ({ scene }) => {
        const seen = await scene.actuator.facts(scene.policy, signal);
        const want = seen.ok ? seen.value.prefill.desired + 1 : 0;
        const decision = {
          type: "decision" as const,
          at: 0,
          pools: { prefill: { replicas: want }, decode: { replicas: 1 } },
          moves: [],
          predicted: {},
          reasons: [],
          hold: false,
        };
        return seen.ok ? scene.actuator.apply(scene.policy, decision, seen.value, signal) : undefined;
      }),
    );
    expect(results.filter((r) => r?.outcome === "applied").length).toBeLessThanOrEqual(1);
    for (const action of results.flatMap((r) => r?.actions ?? [])) told.push(`${action.from} → ${action.to}`);
    expect(p.replicas() - replicas).toBeLessThanOrEqual(1);
    replicas = p.replicas();
  }
  // No change was told twice.
  expect(new Set(told).size).toBe(told.length);
  expect(told).toHaveLength(10);
  for (const { scene } of pair) scene.stop();
}, 60_000);
