import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readJournal } from "../../../scaler/journal/read.ts";
import { replay } from "../../../scaler/journal/replay.ts";
import type { PagePolicy, PageState } from "../../../wire/page.ts";
import { connectAgent, hello } from "../support/agent-client.ts";
import { countController, type CountState } from "../support/count-controller.ts";
import { startFleetServer } from "../support/fleet-server.ts";
import { POLICY_TEXT } from "../support/policy.ts";
import { pool, replica, report } from "../support/reports.ts";
import { runTestScaler, type RunningScaler } from "../support/run-scaler.ts";
import { until } from "../support/wait.ts";

const ALICE = "alice-token-0123456789";
const BOB = "bob-token-0123456789ab";

let directory: string;
const cleanups: (() => Promise<void> | void)[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "fulcrum-writes-"));
  writeFileSync(join(directory, "tokens"), `# who may pause\nalice ${ALICE}\nbob\t${BOB}\n`);
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  await rm(directory, { recursive: true, force: true });
});

async function start(options: Parameters<typeof runTestScaler>[0] = {}): Promise<RunningScaler> {
  const settings = { writeTokens: join(directory, "tokens"), ...options.settings };
  const scaler = await runTestScaler({ ...options, settings });
  cleanups.push(async () => {
    await scaler.stop();
    await scaler.remove();
  });
  return scaler;
}

interface Asked {
  readonly token?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}
async function post(scaler: RunningScaler, path: string, { token = ALICE, body = {}, headers = {} }: Asked = {}) {
  const response = await fetch(`${scaler.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(token === "" ? {} : { authorization: `Bearer ${token}` }), ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as { error?: string; policies?: unknown[] } };
}
const shown = async (scaler: RunningScaler): Promise<PagePolicy | undefined> => (await scaler.json<PageState>("/api/state")).policies[0];
const metrics = async (scaler: RunningScaler): Promise<string> => (await scaler.get("/metrics")).text();

const ALL = [
  "/api/pause",
  "/api/resume",
  "/api/mode",
  "/api/policies/demo/test/pause",
  "/api/policies/test/resume",
  "/api/policies/demo/test/mode",
];

describe("who may write", () => {
  test("nobody, as long as writeTokens is not set: each refusal names the setting", async () => {
    const scaler = await start({ settings: { writeTokens: undefined, token: ALICE } });
    for (const path of ALL) {
      const { status, body } = await post(scaler, path);
      expect([status, body.error], path).toEqual([403, expect.stringContaining("writeTokens (FULCRUM_WRITE_TOKENS)") as string]);
    }
    expect(await metrics(scaler)).toContain('fulcrum_writes_total{action="pause",outcome="disabled"} 2');
    expect((await shown(scaler))?.override).toBeNull();
  });

  test("only who presents one of the tokens as bearer, in JSON, and from no other origin", async () => {
    const scaler = await start();
    const basic = `Basic ${Buffer.from(`alice:${ALICE}`).toString("base64")}`;
    for (const path of ALL) {
      for (const asked of [
        { token: "" },
        { token: "wrong" },
        { token: "alice" },
        { token: "", headers: { authorization: basic } },
        { token: "", headers: { cookie: `fulcrum=${ALICE}` } },
      ]) {
        const { status, headers } = await post(scaler, path, asked);
        expect([status, headers.get("www-authenticate")], `${path} ${JSON.stringify(asked)}`).toEqual([401, 'Bearer realm="fulcrum"']);
      }
      for (const origin of ["http://evil.example", "null", scaler.url.replace("127.0.0.1", "localhost")])
        expect((await post(scaler, path, { headers: { origin } })).status, `${path} from ${origin}`).toBe(403);
      for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp"])
        expect((await post(scaler, path, { headers: { "content-type": type } })).status, `${path} as ${type}`).toBe(415);
      expect((await fetch(`${scaler.url}${path}`)).status).toBe(404);
      for (const method of ["PUT", "PATCH", "DELETE"]) expect((await fetch(`${scaler.url}${path}`, { method })).status).toBe(405);
    }
    expect((await shown(scaler))?.override).toBeNull();
    expect((await post(scaler, "/api/pause", { headers: { origin: scaler.url } })).status).toBe(200);
  });

  test("what is not understood changes nothing, and says what to write instead", async () => {
    const scaler = await start({ policy: POLICY_TEXT.replace("mode: enforce", "mode: observe") });
    const one = "/api/policies/demo/test";
    for (const [path, body, status, text] of [
      ["/api/pause", "{", 400, "not JSON"],
      ["/api/pause", [], 400, "object"],
      ["/api/pause", { until: 1 }, 400, "until: no such field; pause takes for, reason"],
      ["/api/pause", { for: "soon" }, 400, "for: a duration"],
      ["/api/pause", { for: "9999d" }, 400, "for: a duration"],
      ["/api/pause", { reason: "x".repeat(501) }, 400, "reason: text of at most 500"],
      ["/api/pause", { reason: "x".repeat(5000) }, 413, "over 4096 bytes"],
      ["/api/mode", { mode: "off" }, 400, "mode: one of enforce, observe, paused"],
      ["/api/policies/nobody/pause", {}, 404, "there is no policy nobody here; name one of demo/test"],
      ["/api/policies/other/test/pause", {}, 404, "there is no policy other/test here"],
      [`${one}/mode`, { mode: "enforce" }, 409, "the policy's own mode is observe: a write can only lower"],
    ] as const) {
      const answer = await post(scaler, path, { body });
      expect([answer.status, answer.body.error], `${path} ${JSON.stringify(body).slice(0, 60)}`).toEqual([
        status,
        expect.stringContaining(text) as string,
      ]);
    }
    expect(await scaler.json("/api/overrides")).toEqual({ overrides: {}, changes: [] });
    expect(await metrics(scaler)).toContain('fulcrum_writes_total{action="mode",outcome="refused"} 2');
  });

  test("a token file that cannot be used stops the start", async () => {
    for (const [text, why] of [
      ["", "holds no token"],
      [`${ALICE}\n`, "line 1: write a name and a token"],
      ["alice short\n", "line 1: a token has at least 16 characters"],
      [`ali/ce ${ALICE}\n`, "line 1: a name has"],
    ] as const) {
      writeFileSync(join(directory, "bad"), text);
      const started = runTestScaler({ settings: { writeTokens: join(directory, "bad") } });
      await expect(started).rejects.toMatchObject({ code: "bad-settings", message: expect.stringContaining(why) as string });
    }
  });
});

/** A scaler on a fleet, and an agent that reports this many waiting requests: the test's controller wants as many prefill replicas. */
async function acting(waiting: { now: number }, options: Parameters<typeof start>[0] = {}) {
  const fleet = await startFleetServer();
  cleanups.push(() => fleet.close());
  const scaler = await start({ ...options, settings: { fleetUrl: fleet.url, ...options.settings } });
  return { fleet, scaler, tell: await agentOf(scaler, waiting) };
}

async function agentOf(scaler: RunningScaler, waiting: { now: number }) {
  const agent = await connectAgent(`${scaler.ws}/agents`);
  cleanups.push(() => agent.close());
  const boot = `boot-${Math.random()}`;
  agent.send(hello("node-a", boot));
  await agent.next("welcome");
  let seq = 0;
  return async <T>(what: string, enough: () => Promise<T | undefined>): Promise<T> =>
    until(what, async () => {
      const replicas = (role: string, requests: number) =>
        [0, 1].map((i) => replica(`${role}-${i}`, { waiting: i === 0 ? requests : 0, running: 0 }));
      const pools = [
        pool({ replicas: replicas("prefill", waiting.now) }),
        pool({ pool: "decode", role: "decode", replicas: replicas("decode", 0) }),
      ];
      agent.send(report({ seq: seq++, boot, interval: 0.1, pools }));
      await agent.next("ack");
      return enough();
    });
}

describe("a pause", () => {
  test("stops what is changed and nothing else, says whose it is everywhere, and survives a restart; a resume ends it", async () => {
    const waiting = { now: 3 };
    const { fleet, scaler, tell } = await acting(waiting);
    const desired = (): number | undefined => fleet.pools.get("prefill")?.desired;
    const outcomes = async (s: RunningScaler): Promise<string[]> =>
      (await s.json<{ outcome: string }[]>("/api/decisions?limit=500")).map(({ outcome }) => outcome);
    await tell("three replicas", async () => (desired() === 3 ? true : undefined));

    const paused = await post(scaler, "/api/pause", { body: { reason: "drill\nof the team" } });
    expect(paused).toMatchObject({
      status: 200,
      body: {
        policies: [{ name: "demo/test", policyMode: "enforce", mode: "paused", override: { by: "alice", reason: "drill of the team" } }],
      },
    });
    waiting.now = 5;
    const before = (await outcomes(scaler)).filter((o) => o === "held").length;
    await tell("decisions that are held", async () =>
      (await outcomes(scaler)).filter((o) => o === "held").length > before + 3 ? true : undefined,
    );
    const writes = fleet.writes.length;
    expect(desired()).toBe(3);
    expect(await shown(scaler)).toMatchObject({
      mode: "paused",
      override: { mode: "paused", by: "alice" },
      lastDecision: {
        pools: { prefill: { replicas: 5 } },
        reasons: [
          { code: "prefill-short" },
          { code: "paused", text: expect.stringMatching(/^paused by alice since .*Z: drill of the team$/) as string },
        ],
      },
    });
    expect(await metrics(scaler)).toMatch(/fulcrum_override_since_seconds\{namespace="demo",policy="test",mode="paused"\} 1\.?\d+/);
    await scaler.stop();

    const again = await start({ directory: scaler.directory, settings: { fleetUrl: fleet.url } });
    const tellAgain = await agentOf(again, waiting);
    await tellAgain("held after the restart", async () =>
      (await outcomes(again)).filter((o) => o === "held").length > 3 ? true : undefined,
    );
    expect([fleet.writes.length, desired()]).toEqual([writes, 3]);
    expect(await shown(again)).toMatchObject({ override: { by: "alice", reason: "drill of the team" } });

    // What was said of all policies is not taken back by naming one.
    expect(await post(again, "/api/policies/demo/test/resume", { token: BOB })).toMatchObject({
      status: 200,
      body: { policies: [{ mode: "paused" }] },
    });
    expect(await post(again, "/api/resume", { token: BOB })).toMatchObject({
      status: 200,
      body: { policies: [{ mode: "enforce", override: null }] },
    });
    await tellAgain("five replicas", async () => (desired() === 5 ? true : undefined));
    await until("the end of its series", async () => (/^fulcrum_override_since_seconds\{/m.test(await metrics(again)) ? undefined : true));
    await again.stop();

    const { records, problems } = await readJournal(join(scaler.directory, "journal"));
    expect(problems).toEqual([]);
    const said = records.flatMap((r) =>
      r.kind === "override" ? [`${r.name} ${r.mode ?? "lifted"} ${r.by ?? ""} ${r.reason ?? ""}`.trim()] : [],
    );
    expect(said).toEqual(["* paused alice drill of the team", "demo/test lifted bob", "* lifted bob"]);
    const replayed = replay<CountState>(records, countController);
    expect(replayed.differences).toEqual([]);
    expect(replayed.entries).toBeGreaterThan(8);
  });

  test("with a time ends by itself; one policy is paused without the others", async () => {
    const second = POLICY_TEXT.replace("name: test", "name: second").replaceAll(/name: (prefill|decode)/g, "name: other-$1");
    const waiting = { now: 3 };
    const { fleet, scaler, tell } = await acting(waiting, { policy: `${POLICY_TEXT}---\n${second}` });
    expect((await post(scaler, "/api/policies/second/pause")).status).toBe(200);
    const minutes = await post(scaler, "/api/policies/test/pause", { body: { for: "10m" } });
    expect(minutes).toMatchObject({
      body: { policies: [{ override: { until: expect.any(Number) as number } }] },
    });
    const modes = async () => (await scaler.json<PageState>("/api/state")).policies.map(({ name, mode }) => `${name} ${mode}`).toSorted();
    expect(await modes()).toEqual(["demo/second paused", "demo/test paused"]);
    expect((await post(scaler, "/api/policies/test/pause", { body: { for: "300ms" } })).status).toBe(200);
    await tell("three replicas when the time is over", async () => (fleet.pools.get("prefill")?.desired === 3 ? true : undefined));
    expect(await modes()).toEqual(["demo/second paused", "demo/test enforce"]);
    const kept = await until("the journal's word", async () => {
      const { records } = await readJournal(join(scaler.directory, "journal"));
      return records.find((r) => r.kind === "override" && r.expired === true);
    });
    expect(kept).toMatchObject({ name: "demo/test", mode: null });
  });

  test("observe shows decisions and applies none; the policy's own mode lifts it", async () => {
    const waiting = { now: 3 };
    const { fleet, scaler, tell } = await acting(waiting);
    const one = "/api/policies/demo/test";
    expect(await post(scaler, `${one}/mode`, { body: { mode: "observe" } })).toMatchObject({
      status: 200,
      body: { policies: [{ mode: "observe" }] },
    });
    await tell("a decision that is only shown", async () =>
      (await scaler.json<{ outcome: string; decision: { pools: { prefill: { replicas: number } } } }[]>("/api/decisions")).some(
        (d) => d.outcome === "observe" && d.decision.pools.prefill.replicas === 3,
      )
        ? true
        : undefined,
    );
    expect(fleet.pools.get("prefill")?.desired).toBe(2);
    expect(await post(scaler, `${one}/mode`, { body: { mode: "enforce" } })).toMatchObject({
      status: 200,
      body: { policies: [{ mode: "enforce", override: null }] },
    });
    await tell("three replicas", async () => (fleet.pools.get("prefill")?.desired === 3 ? true : undefined));
  });
});
