import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { err } from "../../core/result.ts";
import { DEFAULT_PRIOR } from "../../scaler/config-prior.ts";
import { emptyFleet } from "../../scaler/intake/fleet-view.ts";
import { openJournal } from "../../scaler/journal/append.ts";
import { readJournal } from "../../scaler/journal/read.ts";
import type { TickRecord } from "../../scaler/journal/records.ts";
import type { KubeApi } from "../../scaler/kube/api.ts";
import { startLease, type Leadership } from "../../scaler/kube/lease.ts";
import { noCheckpointer } from "../../scaler/loop/checkpointer.ts";
import type { ControllerKit } from "../../scaler/loop/kit.ts";
import { startRunner, type Runner } from "../../scaler/loop/runner.ts";
import type { Telemetry } from "../../scaler/telemetry.ts";
import { listLog } from "../scaler/support/log.ts";
import { until } from "../scaler/support/wait.ts";
import { actOn, apiOf, type Acting, type ActingOptions } from "../support/cluster/acting.ts";
import { openCluster } from "../support/cluster/cluster.ts";
import { startPair, type Counts, type Pair } from "../support/cluster/operator.ts";
import { SHAPES } from "../support/cluster/shapes.ts";
import { decide } from "../support/kube-api/scene.ts";
import { status } from "../support/kube-api/respond.ts";

const cluster = await openCluster();
const { faults, forget } = cluster;
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  Object.assign(faults, { fault: () => undefined, token: "secret" });
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
afterAll(() => cluster.close());

const quietTelemetry: Telemetry = {
  stage: (_stage, _attributes, run) => run(() => undefined),
  compute: (_stage, run) => run(),
  page: async () => "",
  close: async () => undefined,
};

/** A kind whose operator is the test's wherever it runs: what it does can be chosen. */
const shape = SHAPES.find(({ kind }) => kind === "RoleBasedGroup") ?? fail();
const missing =
  cluster.missing(shape) ?? (cluster.standsIn(shape) ? undefined : `the cluster has an operator of its own for ${shape.kind}`);
const needs = missing === undefined ? "" : ` [${missing}]`;
const onOwn = forget === undefined ? " [only on a control plane of our own: it has to forget]" : "";

function fail(): never {
  throw new Error("no such kind");
}

async function open(counts: Counts, options: ActingOptions = {}): Promise<{ readonly pair: Pair; readonly acting: Acting }> {
  const pair = await startPair(cluster, shape, counts);
  const acting = actOn(cluster, shape, pair, options);
  cleanups.push(pair.stop, acting.stop);
  return { pair, acting };
}

/** A network that can be cut, on our side. */
function wire(api: KubeApi): KubeApi & { cut: boolean } {
  const away = { message: "ECONNREFUSED: the network is cut" };
  const line = {
    cut: false,
    call: async (...args: Parameters<KubeApi["call"]>) => (line.cut ? err(away) : api.call(...args)),
    watch: async (...args: Parameters<KubeApi["watch"]>) => (line.cut ? away : api.watch(...args)),
  };
  return line;
}

/** Runs a script of wanted counts through the loop, one entry a tick, into a journal. */
async function loop(acting: Acting, wanted: () => Counts): Promise<{ readonly runner: Runner; records(): Promise<readonly TickRecord[]> }> {
  const directory = await mkdtemp(join(tmpdir(), "fulcrum-cluster-"));
  const kit: ControllerKit<number> = {
    controller: {
      name: "script",
      start: () => 0,
      tick: (ticks, observation) => {
        const known = observation.pools.prefill?.replicas !== undefined;
        const { prefill, decode } = wanted();
        return { state: ticks + 1, decision: { ...decide(prefill, decode), at: observation.at, hold: !known } };
      },
    },
    resume: (state) => state,
    insight: () => null,
  };
  const journal = await openJournal({
    directory,
    maxBytes: 1e7,
    maxFiles: 5,
    starts: () => [runner.startRecord()],
    now: () => 0,
    log: listLog(),
  });
  const runner = startRunner(
    "test",
    { ...acting.policy, spec: { ...acting.policy.spec, behavior: { ...acting.policy.spec.behavior, interval: 600 } } },
    {
      ...{ kit, prior: DEFAULT_PRIOR, actuator: acting.actuator, journal, checkpointer: noCheckpointer, telemetry: quietTelemetry },
      overrides: { current: () => ({}), renew: async () => undefined },
      ...{ clock: () => Date.now() / 1000, fleet: () => emptyFleet, onTick: () => undefined, log: listLog() },
    },
  );
  cleanups.push(
    () => rm(directory, { recursive: true, force: true }),
    () => journal.close(),
    () => runner.stop(),
  );
  return {
    runner,
    records: async () => (await readJournal(directory)).records.filter((record) => record.kind === "tick"),
  };
}

describe.skipIf(missing !== undefined)(`on any cluster${needs}`, () => {
  test("a conflict: somebody who scales between the look and the write wins, and the next decision is about what is there", async () => {
    const { pair, acting } = await open({ prefill: 1, decode: 1 });
    const seen = await acting.settled(1, 1);
    await pair.set({ prefill: 2, decode: 1 });
    const late = await acting.actuator.apply(acting.policy, decide(3, 1), seen, new AbortController().signal);
    expect(late).toMatchObject({ outcome: "failed", actions: [] });
    expect(late.error).toContain("desired replicas went from 1 to 2 since it was observed");
    await acting.settled(2, 1);
    expect((await acting.apply(3, 1)).outcome).toBe("applied");
    expect(await pair.wanted()).toEqual({ prefill: 3, decode: 1 });
  });

  test("a target that disappears is told by name, and is no zero", async () => {
    const { pair, acting } = await open({ prefill: 1, decode: 1 });
    await acting.settled(1, 1);
    await pair.remove("decode");
    const { signal } = new AbortController();
    const gone = await acting.actuator.facts(acting.policy, signal);
    expect(!gone.ok && gone.error).toContain(`there is no ${shape.kind} ${cluster.namespace}/${pair.name}`);
  });

  test("pods that find no node: told, journalled, planned without; given back their place they come up", async () => {
    const { pair, acting } = await open({ prefill: 1, decode: 1 });
    await acting.settled(1, 1);
    let wanted: Counts = { prefill: 1, decode: 1 };
    const { runner, records } = await loop(acting, () => wanted);
    pair.schedulable(false);
    wanted = { prefill: 2, decode: 1 };
    await until("the news", async () => {
      await runner.tick();
      return (await records()).some((r) => r.progress?.some((p) => p.outcome === "unschedulable") === true) ? true : undefined;
    });
    const [, ...after] = (await records()).filter((r) => r.progress !== undefined || r.observation.unschedulable !== undefined);
    expect(after.every((r) => (r.observation.pools.prefill?.replicas?.ready ?? 0) === 1)).toBe(true);
    wanted = { prefill: 1, decode: 1 };
    await runner.tick();
    await acting.settled(1, 1);
    const actions = (await records()).flatMap((r) => r.actions.map((a) => `${a.role} ${a.from ?? ""}→${a.to}`));
    expect(actions).toEqual(["prefill 1→2", "prefill 2→1"]);
  });

  test("two scalers and a network cut between them: one acts at a time, no count is written twice, none outside its limits", async () => {
    const pair = await startPair(cluster, shape, { prefill: 1, decode: 1 });
    cleanups.push(pair.stop);
    // Lease times of seconds, so that the test does not take a minute: the machine is the same.
    const scalers = ["a", "b"].map((identity) => {
      const line = wire(apiOf(cluster));
      const leadership: Leadership = startLease({
        ...{ api: line, namespace: cluster.namespace, name: "two", identity, duration: 3, every: 0.3, needs: 1 },
        ...{ clock: () => performance.now() / 1000, wall: Date.now, onChange: () => undefined, log: listLog() },
      });
      const acting = actOn(cluster, shape, pair, { budget: 5, api: line, leadership });
      cleanups.push(() => leadership.stop(), acting.stop);
      return { identity, line, leadership, acting };
    });
    const leading = () => scalers.filter((s) => s.leadership.standing() === "leading");
    const first = await until("one to lead", () => leading()[0]);
    const second = scalers.find((s) => s !== first) ?? fail();
    await first.acting.settled(1, 1);
    await second.acting.settled(1, 1);
    const journals = [
      await loop(first.acting, () => ({ prefill: 2, decode: 1 })),
      await loop(second.acting, () => ({ prefill: 3, decode: 2 })),
    ] as const;
    await journals[0].runner.tick();
    await journals[1].runner.tick();
    await first.acting.settled(2, 1);
    first.line.cut = true;
    let both = 0;
    await until("the other to lead", async () => {
      both = Math.max(both, leading().length);
      await journals[0].runner.tick();
      return leading().includes(second) ? true : undefined;
    });
    await until("its write", async () => {
      both = Math.max(both, leading().length);
      await Promise.all([journals[0].runner.tick(), journals[1].runner.tick()]);
      return (await pair.wanted()).prefill === 3 ? true : undefined;
    });
    await second.acting.settled(3, 2);
    first.line.cut = false;
    await until("the first to see that it does not lead", () => (first.leadership.standing() === "standby" ? true : undefined));
    await journals[0].runner.tick();
    expect(both).toBe(1);
    expect(await pair.wanted()).toEqual({ prefill: 3, decode: 2 });
    const done = [...(await journals[0].records()), ...(await journals[1].records())].flatMap((r) =>
      r.actions.map((a) => `${a.role} ${a.from ?? ""}→${a.to}`),
    );
    expect(done.toSorted()).toEqual(["decode 1→2", "prefill 1→2", "prefill 2→3"]);
    expect(Math.max(first.acting.most(), second.acting.most())).toBeLessThanOrEqual(5);
    // Held back, and the journal says why.
    expect((await journals[0].records()).at(-1)).toMatchObject({
      outcome: "held",
      error: expect.stringMatching(/standing by|may act/) as string,
    });
  }, 120_000);

  test("an autoscaler of somebody else's is not fought", async () => {
    const deployment = SHAPES.find(({ kind }) => kind === "Deployment") ?? fail();
    const pair = await startPair(cluster, deployment, { prefill: 1, decode: 1 });
    const acting = actOn(cluster, deployment, pair);
    cleanups.push(pair.stop, acting.stop);
    await acting.settled(1, 1);
    const where = { group: "autoscaling", version: "v2", namespace: cluster.namespace, plural: "horizontalpodautoscalers" };
    const spec = {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: `${pair.name}-prefill` },
      minReplicas: 1,
      maxReplicas: 1,
    };
    const metadata = { name: "theirs", namespace: cluster.namespace };
    await cluster.custom.createNamespacedCustomObject({
      ...where,
      body: { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", metadata, spec },
    });
    cleanups.push(async () => void (await cluster.custom.deleteNamespacedCustomObject({ ...where, name: "theirs" })));
    const { runner, records } = await loop(acting, () => ({ prefill: 2, decode: 1 }));
    await runner.tick();
    expect(await pair.wanted()).toEqual({ prefill: 1, decode: 1 });
    expect((await records()).at(-1)).toMatchObject({
      outcome: "failed",
      actions: [],
      error: expect.stringContaining("two would fight over it") as string,
    });
  });
});

describe.skipIf(missing !== undefined)(`faults of the server${needs}`, () => {
  test("half a conversion: what shrank for growth that is refused is set back", async () => {
    const { pair, acting } = await open({ prefill: 1, decode: 2 }, { budget: 3 });
    await acting.settled(1, 2);
    await acting.apply(2, 1);
    await acting.settled(1, 1);
    let refuse = true;
    faults.fault = (call) => {
      if (!refuse || call.verb !== "patch" || call.resource !== shape.plural) return undefined;
      refuse = false;
      return status(403, "Forbidden", "exceeded quota");
    };
    const done = await acting.apply(2, 1);
    expect(done).toMatchObject({ outcome: "failed", failedRole: "prefill", actions: [{ role: "decode", from: 1, to: 2 }] });
    expect(done.error).toMatch(/exceeded quota; decode pool .* was set back to 2$/);
    expect(await pair.wanted()).toEqual({ prefill: 1, decode: 2 });
    await acting.settled(1, 2);
    expect(acting.most()).toBe(3);
  });

  test("409 and 429 with Retry-After: written once, when the server lets it", async () => {
    const { pair, acting } = await open({ prefill: 1, decode: 1 });
    await acting.settled(1, 1);
    const answers = [
      status(429, "TooManyRequests", "slow down", { "retry-after": "0" }),
      status(409, "Conflict", "the object has been modified"),
    ];
    faults.fault = (call) => (call.verb === "patch" && call.resource === shape.plural ? answers.shift() : undefined);
    expect((await acting.apply(2, 1)).outcome).toBe("applied");
    expect(await pair.wanted()).toEqual({ prefill: 2, decode: 1 });
    expect(answers).toEqual([]);
  });

  test.skipIf(forget === undefined)(
    `a watch that is lost and then too old (410): everything is listed anew, and nothing missed${onOwn}`,
    async () => {
      const { pair, acting } = await open({ prefill: 2, decode: 1 });
      await acting.settled(2, 1);
      faults.fault = (call) => (call.verb === "watch" ? "cut" : undefined);
      for (const watch of faults.watches) watch.cut();
      await pair.set({ prefill: 1, decode: 2 });
      await until("the operator", async () => ((await pair.pods("decode")).length === 2 ? true : undefined));
      await forget?.();
      faults.fault = () => undefined;
      // A server that restarts may be away for longer than what was seen is believed: then there are no facts for a while.
      const { signal } = new AbortController();
      await until(
        "its sight",
        async () => {
          const now = await acting.actuator.facts(acting.policy, signal);
          return now.ok && now.value.decode.replicas.length === 2 ? true : undefined;
        },
        60_000,
      );
      await acting.settled(1, 2);
    },
  );

  test("a token that has run out: nothing is written, it is told; with a new one everything goes on", async () => {
    const { pair, acting } = await open({ prefill: 1, decode: 1 });
    await acting.settled(1, 1);
    const { runner, records } = await loop(acting, () => ({ prefill: 2, decode: 1 }));
    faults.token = "another";
    await runner.tick();
    expect((await records()).at(-1)).toMatchObject({ outcome: "held", actions: [], error: expect.stringContaining("401") as string });
    faults.token = "secret";
    await runner.tick();
    expect(await pair.wanted()).toEqual({ prefill: 2, decode: 1 });
  });

  test("on its way up (403, 429 and 503 to everything, as 1.36 answers then): nothing is done, and nothing is given up", async () => {
    const { pair, acting } = await open({ prefill: 1, decode: 1 });
    await acting.settled(1, 1);
    const { runner, records } = await loop(acting, () => ({ prefill: 2, decode: 1 }));
    const answers = [
      status(403, "Forbidden", "rolebasedgroups.workloads.x-k8s.io is forbidden"),
      status(429, "TooManyRequests", "storage is (re)initializing", { "retry-after": "0" }),
      status(503, "ServiceUnavailable", "the request has been made before all known HTTP paths have been installed, please retry"),
    ];
    for (const answer of answers) {
      faults.fault = () => answer;
      for (const watch of faults.watches) watch.cut();
      await runner.tick();
    }
    faults.fault = () => undefined;
    expect(await pair.wanted()).toEqual({ prefill: 1, decode: 1 });
    expect((await records()).map(({ outcome, actions }) => [outcome, actions.length])).toEqual(answers.map(() => ["held", 0]));
    await until("the write", async () => {
      await runner.tick();
      return (await pair.wanted()).prefill === 2 ? true : undefined;
    });
    await acting.settled(2, 1);
  });

  test("away for five minutes: every connection is refused, our clocks go on by 300 s, and nothing is done until it is back", async () => {
    let skipped = 0;
    const clock = (): number => Date.now() / 1000 + skipped;
    const leadership = startLease({
      ...{ api: apiOf(cluster), namespace: cluster.namespace, name: "outage", identity: "me", every: 0.05, needs: 1 },
      ...{ clock, wall: Date.now, onChange: () => undefined, log: listLog() },
    });
    const { pair, acting } = await open({ prefill: 1, decode: 1 }, { leadership, clock });
    cleanups.push(() => leadership.stop());
    await until("the lead", () => (leadership.standing() === "leading" ? true : undefined));
    await acting.settled(1, 1);
    const { runner, records } = await loop(acting, () => ({ prefill: 3, decode: 1 }));
    const before = await pair.wanted();
    faults.fault = () => "cut";
    for (const watch of faults.watches) watch.cut();
    for (let minute = 0; minute < 5; minute++) {
      skipped += 60;
      await runner.tick();
    }
    expect(leadership.standing()).toBe("cut-off");
    const during = await records();
    expect(during.map((r) => [r.outcome, r.actions.length, r.error !== undefined])).toEqual(
      Array.from({ length: 5 }, () => ["held", 0, true]),
    );
    faults.fault = () => undefined;
    expect(await pair.wanted()).toEqual(before);
    await until("the write", async () => {
      await runner.tick();
      return (await pair.wanted()).prefill === 3 ? true : undefined;
    });
    await acting.settled(3, 1);
    const done = (await records()).flatMap((r) => r.actions.map((a) => `${a.role} ${a.from ?? ""}→${a.to}`));
    expect(done).toEqual(["prefill 1→3"]);
  });
});
