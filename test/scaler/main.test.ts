import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { DEFAULT_PRIOR, parsePrior } from "../../scaler/config-prior.ts";
import { toPrior } from "../../scaler/policy/profile.ts";
import { defaultProfile } from "../../sim/profiles/load.ts";
import { scalerSettingsSchema } from "../../scaler/config.ts";
import { fulcrum } from "../../scaler/decide/controller.ts";
import type { FulcrumState } from "../../scaler/decide/state.ts";
import { readJournal } from "../../scaler/journal/read.ts";
import { replay } from "../../scaler/journal/replay.ts";
import { fulcrumKit, type ControllerKit } from "../../scaler/loop/kit.ts";
import type { PageDecision, PageState } from "../../wire/page.ts";
import { connectAgent, hello } from "./support/agent-client.ts";
import { startFleetServer } from "./support/fleet-server.ts";
import { POLICY_TEXT } from "./support/policy.ts";
import { buckets, pool, replica, report } from "./support/reports.ts";
import { runTestScaler, type RunningScaler } from "./support/run-scaler.ts";
import { until } from "./support/wait.ts";

const open: RunningScaler[] = [];
async function run(options: Parameters<typeof runTestScaler>[0] = {}): Promise<RunningScaler> {
  const scaler = await runTestScaler(options);
  open.push(scaler);
  return scaler;
}
afterEach(async () => {
  for (const scaler of open.splice(0)) {
    await scaler.stop();
    await scaler.remove();
  }
});

const policies = async (scaler: RunningScaler) => (await scaler.json<PageState>("/api/state")).policies;

describe("starting", () => {
  test("a bad policy is refused with every problem and its place", async () => {
    const started = runTestScaler({ policy: POLICY_TEXT.replace("500ms", "soon").replace("gpus: 8", "gpus: 0") });
    await expect(started).rejects.toMatchObject({
      name: "ScalerError",
      code: "bad-policy",
      message: expect.stringMatching(/policy\.yaml:7:21: POLICY_UNIT .*\n.*policy\.yaml:9:19: POLICY_RANGE /) as string,
    });
  });

  test("a port in use, a prior that is none and a policy that is not there are told by name", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    await expect(runTestScaler({ settings: { port } })).rejects.toMatchObject({
      code: "port-in-use",
      message: expect.stringContaining(String(port)) as string,
    });
    taken.close();
    await expect(runTestScaler({ settings: { prior: "/nowhere/prior.json" } })).rejects.toMatchObject({ code: "bad-prior" });
    await expect(runTestScaler({ settings: { policies: "/nowhere" } })).rejects.toMatchObject({ code: "bad-policy" });
  });

  test("something must say what to scale, and objects need a cluster", async () => {
    const nothing = runTestScaler({ settings: { policies: undefined } });
    await expect(nothing).rejects.toMatchObject({ code: "bad-settings", message: expect.stringContaining("FULCRUM_POLICIES") as string });
    const nowhere = runTestScaler({ settings: { policyObjects: "all" } });
    await expect(nowhere).rejects.toMatchObject({
      code: "bad-settings",
      message: expect.stringContaining("actuator kubernetes") as string,
    });
  });

  test("settings: all have defaults or may be absent; mistakes name themselves", () => {
    expect(scalerSettingsSchema.parse({ policies: "p.yaml" })).toMatchObject({ host: "127.0.0.1", port: 8900, history: 3600 });
    expect(scalerSettingsSchema.safeParse({ policies: "p", fleetUrl: "ftp://x" }).success).toBe(false);
    expect(scalerSettingsSchema.parse({ policies: "p", port: "8901" }).port).toBe(8901);
  });

  test("a prior file is checked field by field", () => {
    expect(parsePrior(JSON.stringify(DEFAULT_PRIOR), "p.json")).toEqual({ ok: true, value: DEFAULT_PRIOR });
    const bad = parsePrior(JSON.stringify({ ...DEFAULT_PRIOR, prefill: { floor: -1 }, kvCapacityTokens: "many" }), "p.json");
    expect(!bad.ok && bad.error).toContain("p.json: prefill.floor: ");
    expect(!bad.ok && bad.error).toContain("p.json: kvCapacityTokens: ");
    expect(parsePrior("{", "p.json").ok).toBe(false);
  });

  test("a profile, as `fulcrum profile import` prints it, is a prior too: the models fitted to it", () => {
    expect(parsePrior(JSON.stringify(defaultProfile), "p.json")).toEqual({ ok: true, value: toPrior(defaultProfile) });
    const bad = parsePrior(JSON.stringify({ ...defaultProfile, decode: [] }), "p.json");
    expect(!bad.ok && bad.error).toContain("p.json: decode: ");
  });
});

describe("while running", () => {
  test("an edited policy is taken over, an invalid edit is ignored and shown, a removed one stops", async () => {
    const scaler = await run();
    expect(await policies(scaler)).toMatchObject([{ name: "demo/test", mode: "enforce" }]);
    await writeFile(scaler.policyFile, POLICY_TEXT.replace("mode: enforce", "mode: observe"));
    await until("the edit", async () => ((await policies(scaler))[0]?.mode === "observe" ? true : undefined));

    await writeFile(scaler.policyFile, "kind: nonsense");
    const valid = `fulcrum_policy_valid{file="${scaler.policyFile}"}`;
    await until("the refusal", async () => ((await (await scaler.get("/metrics")).text()).includes(`${valid} 0`) ? true : undefined));
    expect(await policies(scaler)).toMatchObject([{ name: "demo/test", mode: "observe" }]);
    expect(scaler.log.lines.filter((l) => l.message === "policy: not in use as it stands").length).toBeGreaterThan(0);

    const second = POLICY_TEXT.replace("name: test", "name: second").replaceAll(/name: (prefill|decode)/g, "name: other-$1");
    await writeFile(scaler.policyFile, `${POLICY_TEXT}---\n${second}`);
    await until("both", async () => ((await policies(scaler)).length === 2 ? true : undefined));
    await writeFile(scaler.policyFile, second);
    await until("the first one's end", async () => ((await policies(scaler)).length === 1 ? true : undefined));
    expect((await policies(scaler))[0]?.name).toBe("demo/second");
    expect(await (await scaler.get("/metrics")).text()).not.toMatch(/fulcrum_gpu_budget\{.*policy="test"/);
  });
});

describe("the real controller", () => {
  test("decides on what a real link brings, keeps what it learned over a restart, scales nothing down because of it, and replays", async () => {
    const fleet = await startFleetServer();
    const kit = fulcrumKit as unknown as ControllerKit<never>;
    const settings = { fleetUrl: fleet.url };
    const tell = async (scaler: RunningScaler, boot: string, enough: () => Promise<boolean>): Promise<void> => {
      const agent = await connectAgent(`${scaler.ws}/agents`);
      agent.send(hello("node-a", boot));
      await agent.next("welcome");
      let seq = 0;
      await until("enough decisions", async () => {
        agent.send(quietReport(boot, seq++));
        await agent.next("ack");
        return (await enough()) ? true : undefined;
      });
      agent.close();
    };
    const decided = async (scaler: RunningScaler): Promise<PageDecision[]> =>
      (await scaler.json<PageDecision[]>("/api/decisions?limit=500")).filter(
        (d) => d.decision.reasons[0]?.code !== "insufficient-evidence",
      );

    const first = await runTestScaler({ settings, kit });
    await tell(first, "boot-1", async () => (await decided(first)).length >= 3);
    expect(await (await first.get("/metrics")).text()).toMatch(/fulcrum_velocity_tokens_per_second\{[^}]*role="prefill"\} \d/);
    await first.stop();

    const second = await run({ settings, kit, directory: first.directory });
    await tell(second, "boot-2", async () => (await decided(second)).length >= 3);
    await second.stop();
    const { records, problems } = await readJournal(join(first.directory, "journal"));
    const starts = records.filter((r) => r.kind === "start");
    expect([starts.length, problems]).toEqual([2, []]);
    const [cold, resumed] = starts.map((record) => (record.state as FulcrumState).learned);
    expect(resumed).not.toEqual(cold);
    const replayed = replay(records, fulcrum);
    expect(replayed.differences).toEqual([]);
    expect(replayed.entries).toBeGreaterThanOrEqual(6);
    for (const { path, body } of fleet.writes.filter((w) => w.path.endsWith("/scale"))) {
      expect(`${path} ${(body as { replicas: number }).replicas >= 2}`).toBe(`${path} true`);
    }
    await fleet.close();
  });
});

/** Next to no load on two prefill and two decode replicas: a plan from these figures alone would scale down. */
const quietReport = (boot: string, seq: number) =>
  report({
    boot,
    seq,
    interval: 0.1,
    pools: [
      pool({
        replicas: ["prefill-0", "prefill-1"].map((pod) => replica(pod, { waiting: 0, running: 0 })),
        counters: { promptTokens: 100, cachedTokens: 0, requestsFinished: 1, steps: 1, stepTokens: 100 },
        distributions: { ttft: buckets([0.1], [1, 0]), prefill: buckets([0.02], [1, 0]), isl: buckets([100], [1, 0]) },
      }),
      pool({
        pool: "decode",
        role: "decode",
        replicas: ["decode-0", "decode-1"].map((pod) => replica(pod, { waiting: 0, running: 1, kvUsage: 0.01, kvCapacityTokens: 800_000 })),
        counters: { generatedTokens: 10, requestsFinished: 1, steps: 10, stepTokens: 10 },
        distributions: { ttft: buckets([0.05], [1, 0]), itl: buckets([0.01], [10, 0]), osl: buckets([10], [1, 0]) },
      }),
    ],
  });
