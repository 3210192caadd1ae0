import { expect, test } from "vitest";
import type { PoolFacts } from "../../../scaler/act/actuator.ts";
import { createFollower } from "../../../scaler/act/follow.ts";
import { listLog } from "../support/log.ts";
import { policyOf } from "../support/policy.ts";

const policy = policyOf();
const pool = (name: string, ready: number, more: Partial<PoolFacts> & { readonly starting?: number } = {}): PoolFacts => ({
  ...{ name, model: undefined, engine: undefined, desired: 3, unschedulable: 0, limits: {} },
  replicas: [
    ...Array.from({ length: ready }, (_, i) => ({ pod: `${name}-${i}`, phase: "ready" as const, age: 900 })),
    ...Array.from({ length: more.starting ?? 0 }, (_, i) => ({ pod: `${name}-new-${i}`, phase: "starting" as const, age: 10 })),
  ],
  ...more,
});

function follow() {
  const log = listLog();
  const follower = createFollower(log);
  follower.grown("demo/test", { role: "prefill", pool: "p", kind: "replicas", from: 1, to: 3 }, 1000);
  const look = (at: number, prefill: PoolFacts, troubles: readonly string[] = []) =>
    follower.look(
      policy,
      "demo/test",
      { prefill: { facts: prefill, troubles }, decode: { facts: pool("d", 1, { desired: 1 }), troubles: [] } },
      at,
    );
  return { log, follower, look };
}

test("ready: told once, with how long it took", () => {
  const { look } = follow();
  expect(look(1030, pool("p", 1, { starting: 2 })).progress).toBeUndefined();
  expect(look(1090, pool("p", 3)).progress).toEqual([{ role: "prefill", pool: "p", to: 3, outcome: "ready", seconds: 90, troubles: [] }]);
  expect(look(1095, pool("p", 3)).progress).toBeUndefined();
});

test("unschedulable is told, and again when it comes up after all", () => {
  const { look, log } = follow();
  expect(look(1010, pool("p", 1, { unschedulable: 2 })).progress).toMatchObject([{ outcome: "unschedulable" }]);
  expect(look(1020, pool("p", 1, { unschedulable: 2 })).progress).toBeUndefined();
  expect(look(1030, pool("p", 2, { starting: 1 })).progress).toMatchObject([{ outcome: "starting" }]);
  expect(look(1090, pool("p", 3)).progress).toMatchObject([{ outcome: "ready" }]);
  expect(log.lines.map((l) => l.level)).toEqual(["warn", "info", "info"]);
});

test("containers that do not start for longer than a start takes have failed: the plan keeps to what runs", () => {
  const { look } = follow();
  const crashing = pool("p", 1, { starting: 2 });
  expect(look(1080, crashing, ["CrashLoopBackOff (2)"]).progress).toBeUndefined();
  const seen = look(1091, crashing, ["CrashLoopBackOff (2)"]);
  expect(seen.progress).toMatchObject([{ outcome: "failed", troubles: ["CrashLoopBackOff (2)"] }]);
  expect(seen.prefill).toMatchObject({ desired: 3, unschedulable: 2, replicas: [{ phase: "ready" }] });
  // And they go on not to count, until fewer are asked for.
  expect(look(1096, crashing, ["CrashLoopBackOff (2)"]).prefill.unschedulable).toBe(2);
  expect(look(1100, pool("p", 1, { desired: 1 }), []).progress).toMatchObject([{ outcome: "superseded" }]);
  expect(look(1105, pool("p", 1, { desired: 1, starting: 1 })).prefill.unschedulable).toBe(0);
});

test("replicas that start for ever are given up after five lead times, ten minutes at least", () => {
  const { look } = follow();
  const slow = pool("p", 1, { starting: 2 });
  expect(look(1600, slow).prefill.unschedulable).toBe(0);
  expect(look(1601, slow)).toMatchObject({ prefill: { unschedulable: 2 }, progress: [{ outcome: "timed-out", seconds: 601 }] });
});

test("whoever has stopped leading follows nothing", () => {
  const { look, follower } = follow();
  follower.forget();
  expect(look(2000, pool("p", 1, { starting: 2 })).progress).toBeUndefined();
});
