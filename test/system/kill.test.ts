import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { PageState } from "../../wire/page.ts";
import { startDemo, until, type RunningDemo } from "../support/demo.ts";
import { writeWorkload } from "../support/workload.ts";

const run = promisify(execFile);
const bundle = fileURLToPath(new URL("../../dist/fulcrum.mjs", import.meta.url));

/** Steady load that needs two replicas of each role, a short window: a blind scaler would shrink within seconds. */
const POLICY = `
apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: kill }
spec:
  mode: enforce
  objectives: { ttft: { target: 1s }, itl: { target: 12ms } }
  budget: { gpus: 8 }
  pools:
    prefill: { replicas: { min: 1, max: 4 }, leadTime: 4s }
    decode: { replicas: { min: 1, max: 4 }, leadTime: 4s }
  behavior:
    interval: 1s
    scaleUp: { cooldown: 3s }
    scaleDown: { stabilization: 10s, step: 100%, cooldown: 3s }
    evidence: { maxAge: 4s, minCoverage: 0.7 }
`;

describe("kill -9 during the demo", () => {
  let demo: RunningDemo;
  const desired = async (): Promise<Record<string, number>> => {
    const { pools } = await demo.pools();
    return Object.fromEntries(pools.map((p) => [p.name, p.desired]));
  };
  /** Lowest desired counts seen over some seconds. */
  const lowest = async (seconds: number): Promise<Record<string, number>> => {
    let low = await desired();
    for (let i = 0; i < seconds * 2; i++) {
      await sleep(500);
      const now = await desired();
      low = Object.fromEntries(Object.entries(low).map(([name, n]) => [name, Math.min(n, now[name] ?? n)]));
    }
    return low;
  };
  const state = (): Promise<PageState> => demo.get<PageState>(`${demo.page}/api/state`);

  beforeAll(async () => {
    const trace = await writeWorkload({ seconds: 75, rate: 24, isl: 3000, osl: 500, seed: 11 });
    const policy = join(await mkdtemp(join(tmpdir(), "fulcrum-policy-")), "kill.yaml");
    await writeFile(policy, POLICY);
    demo = await startDemo(["--trace", trace, "--policy", policy]);
    await until("both pools to have grown", 60, async () => {
      const d = await desired();
      return (d["prefill"] ?? 0) >= 2 && (d["decode"] ?? 0) >= 2 ? true : undefined;
    });
  });
  afterAll(async () => {
    demo.interrupt();
    await demo.ended;
  });

  it("of an agent: nothing shrinks, it comes back and reports again", async () => {
    const before = await desired();
    const victim = await demo.pid("agent-node-a");
    process.kill(victim, "SIGKILL");
    const low = await lowest(6);
    for (const [name, n] of Object.entries(before)) expect(low[name]).toBeGreaterThanOrEqual(n);
    await until("the agent to report again", 20, async () => {
      const agent = (await state()).agents.find((a) => a.node === "node-a");
      return agent?.connected === true && agent.age < 3 ? true : undefined;
    });
    expect(await demo.pid("agent-node-a")).not.toBe(victim);
  });

  it("of the scaler: nothing shrinks, agents reconnect, it decides again", async () => {
    const before = await desired();
    const victim = await demo.pid("scaler");
    process.kill(victim, "SIGKILL");
    const low = await lowest(8);
    for (const [name, n] of Object.entries(before)) expect(low[name]).toBeGreaterThanOrEqual(n);
    const s = await until("agents to reconnect", 20, async () => {
      const now = await state();
      return now.agents.length === 2 && now.agents.every((a) => a.connected) && now.policies[0]?.lastDecision ? now : undefined;
    });
    expect(s.policies[0]?.name).toBe("demo/kill");
    expect(await demo.pid("scaler")).not.toBe(victim);
  });

  it("of an engine: it is replaced and its requests are served elsewhere", async () => {
    const before = await desired();
    const pool = (await demo.pools()).pools.find((p) => p.role === "decode");
    const victim = pool?.replicas.find((r) => r.phase === "ready");
    if (victim?.pid === null || victim === undefined) throw new Error("no ready decode engine");
    process.kill(victim.pid, "SIGKILL");
    const low = await lowest(4);
    for (const [name, n] of Object.entries(before)) expect(low[name]).toBeGreaterThanOrEqual(n);
    await until("a replacement", 20, async () => {
      const now = (await demo.pools()).pools.find((p) => p.role === "decode");
      const gone = now?.replicas.every((r) => r.pid !== victim.pid);
      return gone === true && (now?.replicas.filter((r) => r.phase === "ready").length ?? 0) >= (before["decode"] ?? 0) ? true : undefined;
    });
  });

  it("loses no request, lets no counter jump, and every decision replays", async () => {
    await until("all requests to complete", 120, async () => {
      const status = await demo.get<{ done: boolean }>(`${demo.fleet}/v1/status`);
      return status.done ? true : undefined;
    });
    const truth = await demo.get<{ totals: Record<string, number> }>(`${demo.fleet}/v1/truth`);
    expect(truth.totals["completed"]).toBe(truth.totals["requests"]);
    const seen = await demo.get<{ pools: { role: string; counters: Record<string, number> }[] }>(`${demo.page}/api/totals`);
    // Scaler and agent were away for a while, so they may have seen less than there was, but never more.
    const reported = seen.pools.find((p) => p.role === "decode")?.counters["generatedTokens"] ?? Infinity;
    expect(reported).toBeGreaterThan(0);
    expect(reported).toBeLessThanOrEqual(truth.totals["generatedTokens"] ?? 0);
    const { code, summary } = await demo.ended;
    expect(code).toBe(0);
    expect(summary?.restarts).toMatchObject({ scaler: 1, "agent-node-a": 1 });
    const replay = await run(process.execPath, [bundle, "replay", join(demo.runDir, "journal")]);
    expect(replay.stderr).toMatch(/ 0 differ/);
  }, 240_000);
});
