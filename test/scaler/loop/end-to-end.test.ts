import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CATALOG } from "../../../core/catalog.ts";
import { readJournal } from "../../../scaler/journal/read.ts";
import { replay } from "../../../scaler/journal/replay.ts";
import type { PageDecision, PageFrame, PageMessage, PageState } from "../../../wire/page.ts";
import { WebSocket } from "ws";
import { connectAgent, hello, type AgentClient } from "../support/agent-client.ts";
import { countController, type CountState } from "../support/count-controller.ts";
import { startFleetServer, type FleetServer } from "../support/fleet-server.ts";
import { buckets, half, pool, replica, report } from "../support/reports.ts";
import { runTestScaler, type RunningScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

let fleet: FleetServer;
let scaler: RunningScaler;
let agent: AgentClient;

beforeEach(async () => {
  fleet = await startFleetServer();
  scaler = await runTestScaler({ settings: { fleetUrl: fleet.url } });
  agent = await connectAgent(`${scaler.ws}/agents`);
  agent.send(hello());
  await agent.next("welcome");
});

afterEach(async () => {
  agent.close();
  await scaler.stop();
  await fleet.close();
  await scaler.remove();
});

/** A report in which both pools' two replicas speak, and this many prefill requests wait. */
const fullReport = (seq: number, waiting: number) =>
  report({
    seq,
    pools: [
      pool({
        replicas: [replica("prefill-0", { waiting, running: 1 }), replica("prefill-1", { waiting: 0, running: 1 })],
        counters: { promptTokens: 1000, cachedTokens: 100, requestsFinished: 2 },
        distributions: { ttft: buckets([0.1, 0.5, 1], [1, 1, 0, 0]) },
      }),
      pool({
        pool: "decode",
        role: "decode",
        replicas: [replica("decode-0", { running: 3, kvUsage: 0.25 }), replica("decode-1", { running: 5, kvUsage: 0.75 })],
        counters: { generatedTokens: 400, requestsFinished: 2, kvTransferBytes: 1e6, kvTransfers: 2 },
        distributions: { ttft: buckets([0.1, 0.5], [2, 0, 0]), itl: buckets([0.01, 0.03, 0.1], [300, 90, 10, 0]) },
      }),
    ],
    gpus: [{ gpu: "0", uuid: "GPU-0", pool: "prefill", role: "prefill", age: 0, smActive: 0.5, powerWatts: 300 }],
    requests: [
      half({ trace: `t${seq}`, role: "prefill", start: 999, queue: 0.05, prefill: 0.1 }),
      half({ trace: `t${seq}`, role: "decode", pool: "decode", start: 999.2, firstToken: 0.05, kvTransfer: 0.02 }),
    ],
  });

const decisions = (): Promise<PageDecision[]> => scaler.json<PageDecision[]>("/api/decisions?limit=500");

/** Reports again and again, as an agent does, until the look finds something. */
async function reportUntil<T>(what: string, waiting: number, look: () => Promise<T | undefined>, from = 1): Promise<T> {
  let seq = from;
  return until(what, async () => {
    agent.send(fullReport(seq++, waiting));
    await agent.next("ack");
    return look();
  });
}

describe("the scaler with a real agent link and a real fleet API", () => {
  test("decides from reports, acts on the fleet, and shows and journals what it did", async () => {
    await reportUntil("a scale-up", 4, async () => (fleet.pools.get("prefill")?.desired === 4 ? true : undefined));
    const applied = await until("the decision", async () => (await decisions()).find((d) => d.outcome === "applied"));
    expect(applied.decision.reasons[0]).toEqual({ code: "prefill-short", text: "4 wait" });
    // Decode limits are only recommended; prefill limits are applied live.
    expect(fleet.writes).toContainEqual({ path: "/v1/pools/prefill/limits", body: { maxBatchedTokens: 4096 } });
    expect(fleet.writes.filter((w) => w.path.includes("/decode/"))).toEqual([]);

    const state = await scaler.json<PageState>("/api/state");
    expect(state.policies[0]).toMatchObject({ name: "demo/test", namespace: "demo", mode: "enforce", budgetGpus: 8, gpusAllocated: 4 });
    expect(state.agents).toHaveLength(1);
    expect(state.agents[0]).toMatchObject({ node: "node-a", connected: true });

    const frames = await scaler.json<PageFrame[]>("/api/history?limit=1000");
    const frame = frames.find((f) => f.pools[0]?.waiting === 4);
    expect(frame?.pools[0]).toMatchObject({
      role: "prefill",
      name: "prefill",
      ready: 2,
      running: 2,
      gpu: { sm: 0.5, tensor: null, powerWatts: 300 },
    });
    expect(frame?.pools[1]).toMatchObject({ role: "decode", kvUsage: 0.5, running: 8 });

    await scaler.stop();
    const { records, torn, problems } = await readJournal(`${scaler.directory}/journal`);
    expect({ torn, problems }).toEqual({ torn: false, problems: [] });
    const replayed = replay<CountState>(records, countController);
    expect(replayed.differences).toEqual([]);
    expect(replayed.entries).toBe(records.filter((r) => r.kind === "tick").length);
    expect(replayed.entries).toBeGreaterThan(0);
  });

  test("exports every catalog name of the scaler, from the first tick with evidence on", async () => {
    await reportUntil("an action", 4, async () => ((await decisions()).some((d) => d.outcome === "applied") ? true : undefined));
    agent.send("not json");
    await agent.next("refused");
    const page = await (await scaler.get("/metrics")).text();
    const names = CATALOG.filter((m) => (m.by as readonly string[]).includes("scaler")).map((m) => m.name);
    // The test controller learns nothing, so what is only known from learning has no series, but has its TYPE line.
    const missing = names.filter((name) => !new RegExp(`^# TYPE ${name} `, "m").test(page));
    expect(missing).toEqual([]);
    const series = (line: string): boolean => page.split("\n").some((l) => l.startsWith(line));
    const pool = 'namespace="demo",policy="test",pool="prefill",role="prefill"';
    expect(page).toContain(`fulcrum_ready_replicas{${pool}} 2`);
    expect(page).toContain(`fulcrum_pool_coverage_ratio{${pool}} 1`);
    expect(page).toContain(`fulcrum_scale_actions_total{${pool},direction="up"} 2`);
    expect(page).toContain('fulcrum_objective_seconds{namespace="demo",policy="test",objective="ttft",q="0.95"} 0.5');
    expect(page).toContain('fulcrum_reports_rejected_total{reason="not-json"} 1');
    expect(page).toContain("fulcrum_agents_connected 1");
    expect(page).toContain('fulcrum_decisions_total{namespace="demo",policy="test",reason="prefill-short"}');
    expect(page).toContain(`fulcrum_policy_valid{file="${scaler.policyFile}"} 1`);
    expect(series('fulcrum_tick_duration_seconds_bucket{stage="intake",le="0.0005"}')).toBe(true);
    expect(series("fulcrum_process_resident_memory_bytes ")).toBe(true);
    expect(series("fulcrum_process_cpu_seconds_total ")).toBe(true);
    expect(page).not.toContain("target_info");
    expect(page).not.toContain("otel_scope");
    expect(series("fulcrum_velocity_tokens_per_second{")).toBe(false);
  });

  test("feeds the page: a snapshot on connect, then frames and decisions", async () => {
    const socket = new WebSocket(`${scaler.ws}/live`);
    const messages: PageMessage[] = [];
    socket.on("message", (data) => messages.push(JSON.parse(String(data)) as PageMessage));
    const decision = await reportUntil("a decision", 2, async () => messages.find((m) => m.type === "decision"));
    expect(messages[0]?.type).toBe("snapshot");
    expect(messages.some((m) => m.type === "frame")).toBe(true);
    expect(decision.type === "decision" && decision.decision.policy).toBe("demo/test");
    socket.close();
  });

  test("counts totals exactly and explains the stitched TTFT", async () => {
    for (let seq = 1; seq <= 5; seq++) {
      agent.send(fullReport(seq, 0));
      await agent.next("ack");
    }
    // Sent again, as after a lost acknowledgement: acknowledged, not counted.
    agent.send(fullReport(5, 0));
    expect((await agent.next("ack")).seq).toBe(5);
    const totals = await scaler.json<{
      pools: { pool: string; counters: Record<string, number> }[];
      policies: { stitched: Record<string, { count: number; mean: number } | null> }[];
    }>("/api/totals");
    expect(totals.pools.find((p) => p.pool === "prefill")?.counters).toEqual({
      promptTokens: 5000,
      cachedTokens: 500,
      requestsFinished: 10,
    });
    expect(totals.pools.find((p) => p.pool === "decode")?.counters["generatedTokens"]).toBe(2000);
    const stitched = totals.policies[0]?.stitched;
    expect(stitched?.["ttft"]?.count).toBe(5);
    expect(stitched?.["ttft"]?.mean).toBeCloseTo(0.25, 9);
    expect(stitched?.["transfer"]?.mean).toBeCloseTo(0.02, 9);
    expect(stitched?.["firstDecode"]?.mean).toBeCloseTo(0.25 - 0.05 - 0.1 - 0.02, 9);
  });
});

describe("holding", () => {
  test("without reports nothing is written, whatever the controller wants", async () => {
    const held = await until("a held decision", async () => (await decisions()).find((d) => d.outcome === "held"));
    expect(held.decision.reasons[0]?.code).toBe("insufficient-evidence");
    expect(fleet.writes).toEqual([]);
  });

  test("when the fleet cannot be asked, replica counts are absent and nothing is written", async () => {
    fleet.failWith = 500;
    const blind = await until("a blind decision", async () => (await decisions()).find((d) => d.error !== undefined));
    expect(blind.outcome).toBe("held");
    expect(blind.error).toContain("/v1/pools: answered 500");
    const frames = await scaler.json<PageFrame[]>("/api/history?limit=1");
    expect(frames[0]?.pools.map((p) => p.ready)).toEqual([null, null]);
    expect(fleet.writes).toEqual([]);
    expect(scaler.log.lines.filter((l) => l.message === "act: nothing could be done").length).toBe(1);
    // And it recovers by itself.
    fleet.failWith = undefined;
    await reportUntil("an action", 3, async () => (fleet.pools.get("prefill")?.desired === 3 ? true : undefined));
    expect(fleet.writes.length).toBeGreaterThan(0);
  });
});
