import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Decision } from "../../../core/decision.ts";
import type { Actuator, ClusterFacts } from "../../../scaler/act/actuator.ts";
import { createFleetActuator } from "../../../scaler/act/fleet.ts";
import type { Policy } from "../../../scaler/policy/schema.ts";
import { fleetPool, startFleetServer, type FleetServer } from "../support/fleet-server.ts";
import { policyOf, POLICY_TEXT } from "../support/policy.ts";

let fleet: FleetServer;
let actuator: Actuator;
const policy = policyOf();
const { signal } = new AbortController();

beforeEach(async () => {
  fleet = await startFleetServer();
  actuator = createFleetActuator(fleet.url);
});
afterEach(() => fleet.close());

const decision = (prefill: number, decode: number, fields: Partial<Decision> = {}): Decision => ({
  type: "decision",
  at: 1000,
  pools: { prefill: { replicas: prefill, limits: { maxBatchedTokens: 8192 } }, decode: { replicas: decode, limits: { maxNumSeqs: 64 } } },
  moves: [],
  predicted: {},
  reasons: [{ code: "prefill-short", text: "" }],
  hold: false,
  ...fields,
});

async function facts(of: Policy = policy): Promise<ClusterFacts> {
  const found = await actuator.facts(of, signal);
  if (!found.ok) throw new Error(found.error);
  return found.value;
}
const apply = async (d: Decision, of: Policy = policy) => actuator.apply(of, d, await facts(of), signal);
const scales = (): string[] => fleet.writes.map((w) => `${w.path} ${JSON.stringify(w.body)}`);

describe("facts", () => {
  test("are the fleet's pools at the policy's targets, ages by the fleet's own clock", async () => {
    expect(await facts()).toMatchObject({
      prefill: {
        name: "prefill",
        model: "llama",
        engine: "vllm",
        desired: 2,
        limits: { maxBatchedTokens: 8192 },
        replicas: [{ pod: "prefill-0", phase: "ready", age: 100 }, {}],
      },
      decode: { name: "decode", desired: 2 },
      gpus: { total: 8, used: 4 },
    });
  });

  test.each<[string, (text: string) => string, RegExp]>([
    [
      "another kind",
      (t) => t.replace("kind: FleetPool, name: prefill", "kind: Deployment, name: prefill"),
      /prefill target is a Deployment; this scaler drives kind FleetPool/,
    ],
    ["another name", (t) => t.replace("name: decode", "name: decoder"), /no pool demo\/decoder; it has demo\/prefill, demo\/decode/],
    ["another namespace", (t) => t.replace("namespace: demo", "namespace: prod"), /no pool prod\/prefill/],
    [
      "the other role",
      (t) => t.replace("name: prefill", "name: decode"),
      /pool decode has the role decode, but the policy's prefill pool points at it/,
    ],
  ])("a target of %s is told", async (_, change, message) => {
    const found = await actuator.facts(policyOf(change(POLICY_TEXT)), signal);
    expect(!found.ok && found.error).toMatch(message);
  });

  test.each([500, 404])("an answer of %i is an error, not an exception", async (status) => {
    fleet.failWith = status;
    const found = await actuator.facts(policy, signal);
    expect(!found.ok && found.error).toContain(`answered ${status}`);
  });

  test("nobody there, nothing said in time, or not what was asked for: each has its sentence", async () => {
    const nobody = await createFleetActuator("http://127.0.0.1:1").facts(policy, signal);
    expect(!nobody.ok && nobody.error).toMatch(/GET http:\/\/127\.0\.0\.1:1\/v1\/pools: .*/);
    const servers = [
      createServer(() => undefined),
      createServer((_, r) => r.end('{"at":1,"gpus":{"total":1,"used":0},"pools":[{"name":7}]}')),
      createServer((_, r) => r.end("<html>")),
    ];
    const answers: string[] = [];
    for (const [index, server] of servers.entries()) {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const found = await createFleetActuator(url, index === 0 ? 0.1 : 30).facts(policy, signal);
      answers.push(found.ok ? "ok" : found.error);
      server.closeAllConnections();
      server.close();
    }
    expect(answers[0]).toContain("no answer within 0.1 s");
    expect(answers[1]).toContain("unexpected answer at pools.0.name");
    expect(answers[2]).toContain("JSON");
  });
});

describe("applying a decision", () => {
  test("writes what differs, and nothing else", async () => {
    const done = await apply(decision(3, 2));
    expect(done).toEqual({ outcome: "applied", actions: [{ role: "prefill", pool: "prefill", kind: "replicas", from: 2, to: 3 }] });
    expect(scales()).toEqual(['/v1/pools/prefill/scale {"replicas":3}']);
    expect(await apply(decision(3, 2))).toEqual({ outcome: "unchanged", actions: [] });
  });

  test("a conversion grows first while GPUs are free, and shrinks first when they are not", async () => {
    await apply(decision(3, 1));
    expect(scales()).toEqual(['/v1/pools/prefill/scale {"replicas":3}', '/v1/pools/decode/scale {"replicas":1}']);
    fleet.writes.length = 0;
    fleet.gpus = { total: 4, used: 4 };
    await apply(decision(1, 3));
    expect(scales()).toEqual(['/v1/pools/prefill/scale {"replicas":1}', '/v1/pools/decode/scale {"replicas":3}']);
  });

  test("batch limits are written where the policy applies them live, and only recommended elsewhere", async () => {
    const limits = { prefill: { replicas: 2, limits: { maxBatchedTokens: 2048 } }, decode: { replicas: 2, limits: { maxNumSeqs: 64 } } };
    const done = await apply(decision(2, 2, { pools: limits }));
    expect(done.actions).toEqual([{ role: "prefill", pool: "prefill", kind: "limit", from: 8192, to: 2048 }]);
    expect(scales()).toEqual(['/v1/pools/prefill/limits {"maxBatchedTokens":2048}']);
  });

  test.each<[string, Policy, Partial<Decision>, string]>([
    ["observe mode", policyOf(POLICY_TEXT.replace("mode: enforce", "mode: observe")), {}, "observe"],
    ["a paused policy", policyOf(POLICY_TEXT.replace("mode: enforce", "mode: paused")), {}, "held"],
    ["a held decision", policy, { hold: true }, "held"],
  ])("%s writes nothing", async (_, of, fields, outcome) => {
    expect((await apply(decision(5, 1, fields), of)).outcome).toBe(outcome);
    expect(fleet.writes).toEqual([]);
  });

  test("when somebody else scaled since the look, nothing is written", async () => {
    const seen = await facts();
    fleet.pools.set("decode", fleetPool({ name: "decode", role: "decode", desired: 5 }));
    const done = await actuator.apply(policy, decision(3, 2), seen, signal);
    expect(done).toMatchObject({ outcome: "failed", actions: [] });
    expect(done.error).toContain("desired replicas went from 2 to 5");
    expect(fleet.writes).toEqual([]);
  });

  test("a write that fails stops the rest, and says which pool and what was done before", async () => {
    const seen = await facts();
    fleet.before = (method, path) => {
      if (method === "PUT") fleet.failWith = path.includes("decode") ? 503 : undefined;
    };
    const done = await actuator.apply(policy, decision(3, 1), seen, signal);
    expect(done).toMatchObject({ outcome: "failed", failedRole: "decode", actions: [{ role: "prefill", to: 3 }] });
    expect(done.error).toContain("PUT");
  });
});
