import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readPolicyObject } from "../../../scaler/policy/objects.ts";
import { settle, type Candidate } from "../../../scaler/policy/settle.ts";
import { policyOf, POLICY_TEXT } from "../support/policy.ts";

const candidate = (origin: string, name: string, prefill: string, decode: string): Candidate => ({
  origin,
  policy: policyOf(
    POLICY_TEXT.replace("name: test", `name: ${name}`)
      .replace("name: prefill", `name: ${prefill}`)
      .replace("name: decode", `name: ${decode}`),
  ),
});
const called = (all: readonly Candidate[]): string[] => settle(all).inUse.map(({ metadata }) => metadata.name);

test("policies about different things run together", () => {
  const all = [candidate("a.yaml", "a", "p1", "d1"), candidate("ScalingPolicy demo/b", "b", "p2", "d2")];
  expect(called(all)).toEqual(["a", "b"]);
  expect(settle(all).conflicts.size).toBe(0);
});

test("of one name, from a file and an object: neither is in use, and each is told of the other", () => {
  const [file, object, other] = [
    candidate("a.yaml", "a", "p1", "d1"),
    candidate("ScalingPolicy demo/a", "a", "p2", "d2"),
    candidate("b.yaml", "b", "p3", "d3"),
  ];
  const { inUse, conflicts } = settle([file, object, other]);
  expect(inUse.map((p) => p.metadata.name)).toEqual(["b"]);
  expect(conflicts.get(file)).toBe("policy demo/a is also in ScalingPolicy demo/a; none of them is acted on: remove all but one");
  expect(conflicts.get(object)).toBe("policy demo/a is also in a.yaml (demo/a); none of them is acted on: remove all but one");
});

test("for one pool, whichever role it has and whichever version its kind is named by", () => {
  const [one, two] = [candidate("a.yaml", "a", "shared", "d1"), candidate("b.yaml", "b", "p2", "shared")];
  const older = {
    ...two,
    policy: policyOf(JSON.stringify(two.policy).replaceAll('fulcrum.dev/v1alpha1","kind":"FleetPool', 'fulcrum.dev/v1","kind":"FleetPool')),
  };
  const { inUse, conflicts } = settle([one, older]);
  expect(inUse).toEqual([]);
  expect([...conflicts.values()].every((text) => text.startsWith("FleetPool.fulcrum.dev demo/shared is also in"))).toBe(true);
});

test("whatever the order: those in use claim nothing twice, and a conflict is never one's own", () => {
  const name = fc.constantFrom("a", "b", "c", "d");
  const some = fc.array(fc.tuple(name, name, name), { maxLength: 6 });
  fc.assert(
    fc.property(some, fc.integer(), (given, seed) => {
      const all = given.map(([n, p, d], i) => candidate(`${i}.yaml`, n, `p-${p}`, `d-${d}`));
      const shuffled = all.toSorted((x, y) => ((x.origin.charCodeAt(0) * 31 + seed) % 7) - ((y.origin.charCodeAt(0) * 31 + seed) % 7));
      const { inUse, conflicts } = settle(all);
      expect(new Set(settle(shuffled).inUse)).toEqual(new Set(inUse));
      expect(inUse.length + conflicts.size).toBe(all.length);
      for (const of of [(c: Candidate["policy"]) => c.metadata.name, (c: Candidate["policy"]) => c.spec.pools.prefill.target?.name]) {
        expect(new Set(inUse.map(of)).size).toBe(inUse.length);
      }
      expect(conflicts.size).not.toBe(1);
    }),
    { numRuns: 100 },
  );
});

test("an object: the file's checks with the file's words; of its metadata only the name counts", () => {
  const { spec } = policyOf();
  const metadata = { name: "test", namespace: "demo", uid: "u", generation: 3, resourceVersion: "9", managedFields: [{}] };
  const good = readPolicyObject({ metadata, spec, status: { ttft: "1s" } });
  expect(good).toMatchObject({ generation: 3, uid: "u", deleting: false, status: { ttft: "1s" } });
  expect(good?.policy.ok === true && JSON.stringify(good.policy.value.metadata)).toBe('{"name":"test","namespace":"demo"}');

  const cron = readPolicyObject({ metadata, spec: { ...spec, schedule: [{ cron: "0 8 * *", for: "10h", prefill: { min: 2 } }] } });
  expect(cron?.policy.ok === false && cron.policy.error).toMatchObject([
    { code: "POLICY_CRON", message: expect.stringMatching(/^spec\.schedule\[0\]\.cron is not a cron expression: /) as string },
  ]);
  const { pools: _, ...rest } = spec;
  const untargeted = readPolicyObject({ metadata, spec: rest });
  expect(untargeted?.policy.ok === false && untargeted.policy.error.map((e) => e.code)).toEqual(["POLICY_NO_TARGET", "POLICY_NO_TARGET"]);
  expect(readPolicyObject({ metadata })?.policy.ok).toBe(false);
  expect(readPolicyObject({ metadata: { name: "x" } })).toBeUndefined();
  expect(readPolicyObject({ metadata: { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z" }, spec })?.deleting).toBe(true);
});
