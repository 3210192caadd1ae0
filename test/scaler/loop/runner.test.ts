import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Overrides } from "../../../core/override.ts";
import { createFleetActuator } from "../../../scaler/act/fleet.ts";
import { DEFAULT_PRIOR } from "../../../scaler/config-prior.ts";
import type { Controller } from "../../../scaler/decide/controller.types.ts";
import { emptyFleet, type FleetView } from "../../../scaler/intake/fleet-view.ts";
import { fold } from "../../../scaler/intake/fold.ts";
import { openJournal, type Journal } from "../../../scaler/journal/append.ts";
import { parseJournal } from "../../../scaler/journal/parse.ts";
import { readJournal } from "../../../scaler/journal/read.ts";
import { replay } from "../../../scaler/journal/replay.ts";
import { noCheckpointer, openCheckpointer, type Checkpointer } from "../../../scaler/loop/checkpointer.ts";
import type { ControllerKit } from "../../../scaler/loop/kit.ts";
import { startRunner, type Runner } from "../../../scaler/loop/runner.ts";
import type { TickView } from "../../../scaler/loop/tick-view.ts";
import type { Telemetry } from "../../../scaler/telemetry.ts";
import { countController, countKit, type CountState } from "../support/count-controller.ts";
import { startFleetServer, type FleetServer } from "../support/fleet-server.ts";
import { listLog } from "../support/log.ts";
import { policyOf, POLICY_TEXT } from "../support/policy.ts";
import { buckets, pool, replica, report } from "../support/reports.ts";

/** The loop itself waits ten minutes: these tests tick by hand. */
const policy = policyOf(POLICY_TEXT.replace("interval: 100ms", "interval: 10m"));
const telemetry: Telemetry = {
  stage: (_stage, _attributes, run) => run(() => undefined),
  compute: (_stage, run) => run(),
  page: async () => "",
  close: async () => undefined,
};

let directory: string;
let fleetServer: FleetServer;
let now = 1000;
let view: FleetView = emptyFleet;
/** What operators have said. */
let overrides: Overrides = {};
const views: TickView[] = [];
const runners: Runner[] = [];
const journals: Journal[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "fulcrum-runner-"));
  fleetServer = await startFleetServer();
  now = 1000;
  view = emptyFleet;
  overrides = {};
  views.length = 0;
});
afterEach(async () => {
  for (const runner of runners.splice(0)) await runner.stop();
  for (const journal of journals.splice(0)) await journal.close();
  await fleetServer.close();
  await rm(directory, { recursive: true, force: true });
});

async function journalIn(name: string, maxBytes = 1e6): Promise<Journal> {
  const starts = () => runners.map((r) => r.startRecord());
  const journal = await openJournal({ directory: join(directory, name), maxBytes, maxFiles: 100, starts, now: () => 0, log: listLog() });
  journals.push(journal);
  return journal;
}

interface Given {
  readonly name?: string;
  readonly kit?: ControllerKit<CountState>;
  readonly journal?: Journal;
  readonly checkpointer?: Checkpointer;
  readonly log?: ReturnType<typeof listLog>;
}

function run(given: Given = {}): Runner {
  const runner = startRunner(given.name ?? "demo/test", policy, {
    kit: given.kit ?? countKit,
    prior: DEFAULT_PRIOR,
    actuator: createFleetActuator(fleetServer.url),
    journal: given.journal,
    checkpointer: given.checkpointer ?? noCheckpointer,
    overrides: { current: () => overrides, renew: async () => undefined },
    telemetry,
    clock: () => now,
    fleet: () => view,
    onTick: (v) => views.push(v),
    log: given.log ?? listLog(),
  });
  runners.push(runner);
  return runner;
}

let seq = 0;
/** One report of both pools, in which this many prefill requests wait, to every runner. */
function tell(waiting: number): void {
  const both = report({
    seq: seq++,
    pools: [
      pool({
        replicas: [replica("prefill-0", { waiting, running: 0 }), replica("prefill-1", { waiting: 0, running: 0 })],
        counters: { promptTokens: 10, requestsFinished: 3 },
        distributions: { ttft: buckets([0.5], [3, 0]) },
      }),
      pool({ pool: "decode", role: "decode", replicas: [replica("decode-0", {}), replica("decode-1", {})] }),
    ],
  });
  view = fold(view, both, now).fleet;
  for (const runner of runners) runner.report(both);
}

const stateOf = (runner: Runner): CountState => runner.startRecord().state as CountState;

describe("a policy's loop", () => {
  test("journals of several policies, rotated in the middle of everything, replay file by file", async () => {
    const journal = await journalIn("j", 6000);
    run({ name: "a/a", journal });
    run({ name: "b/b", journal });
    for (let i = 0; i < 20; i++) {
      tell(i % 6);
      now += 5;
      await Promise.all(runners.map((r) => r.tick()));
    }
    for (const runner of runners) await runner.stop();
    const files = await readdir(join(directory, "j"));
    expect(files.length).toBeGreaterThan(5);
    let entries = 0;
    for (const file of files) {
      const { records } = parseJournal(await readFile(join(directory, "j", file), "utf8"));
      const replayed = replay<CountState>(records, countController);
      expect(replayed.differences).toEqual([]);
      entries += replayed.entries;
    }
    expect(entries).toBe(40);
  });

  test("under an override it decides and changes nothing, says whose it is, and the journal replays", async () => {
    const journal = await journalIn("j", 4000);
    const runner = run({ journal });
    const said = { by: "alice", at: 1000, reason: "node pool" } as const;
    const ticks: (readonly [Overrides, string, number])[] = [
      [{}, "applied", 3],
      [{ "*": { ...said, mode: "paused", until: 1020 } }, "held", 3],
      [{ "demo/test": { ...said, mode: "observe" } }, "observe", 3],
      [{ "*": { ...said, mode: "paused", until: 1020 }, "demo/test": { ...said, mode: "observe" } }, "held", 3],
      // By now the pause is over.
      [{ "*": { ...said, mode: "paused", until: 1020 } }, "applied", 5],
      [{ "demo/other": { ...said, mode: "paused" } }, "applied", 5],
    ];
    for (const [index, [given, outcome, desired]] of ticks.entries()) {
      overrides = given;
      tell(index < 1 ? 3 : 5);
      now += index === 4 ? 5 : 4;
      await runner.tick();
      expect(
        [
          views.at(-1)?.result.outcome === "unchanged" ? "applied" : views.at(-1)?.result.outcome,
          fleetServer.pools.get("prefill")?.desired,
        ],
        `tick ${index}`,
      ).toEqual([outcome, desired]);
      const reason = views.at(-1)?.decision.reasons.find(({ code }) => code === "paused" || code === "observe");
      expect(reason?.text, `tick ${index}`).toEqual(
        outcome === "applied" ? undefined : expect.stringContaining("by alice since 1970-01-01T00:16:40Z"),
      );
    }
    await runner.stop();
    for (const file of await readdir(join(directory, "j"))) {
      const { records } = parseJournal(await readFile(join(directory, "j", file), "utf8"));
      expect(replay<CountState>(records, countController).differences).toEqual([]);
    }
    const { records } = await readJournal(join(directory, "j"));
    const kept = records.filter((r) => r.kind === "tick").map((r) => r.override?.mode);
    expect(kept).toEqual([undefined, "paused", "observe", "paused", undefined, undefined]);
    // Without what the ticks say of the override the decisions would be others.
    const forgotten = records.map((r) => {
      if (r.kind !== "tick") return r;
      const { override: _, ...rest } = r;
      return rest;
    });
    expect(replay<CountState>(forgotten, countController).differences.length).toBe(3);
  });

  test("a pause that is said while a decision is made holds that decision back", async () => {
    const slow: ControllerKit<CountState> = {
      ...countKit,
      controller: {
        ...countController,
        tick(...args) {
          overrides = { "*": { mode: "paused", by: "alice", at: 1004 } };
          return countController.tick(...args);
        },
      },
    };
    const interrupted = run({ name: "demo/slow", kit: slow });
    tell(4);
    now += 5;
    await interrupted.tick();
    expect(views.at(-1)).toMatchObject({ name: "demo/slow", result: { outcome: "held" }, override: undefined });
    expect(fleetServer.writes).toEqual([]);
  });

  test("goes on from its checkpoint after a restart, through the controller's own resume", async () => {
    const path = join(directory, "checkpoint.json");
    const first = await openCheckpointer(path, "1", listLog());
    const before = run({ checkpointer: first });
    for (let i = 0; i < 3; i++) {
      tell(2);
      now += 5;
      await before.tick();
    }
    await before.stop();
    await first.flush();

    now = 2000;
    const journal = await journalIn("j");
    const second = await openCheckpointer(path, "1", listLog());
    const after = run({ checkpointer: second, journal });
    expect(stateOf(after)).toEqual({ ticks: 3, arrivals: 9, startedAt: 2000 });
    await after.tick();
    await after.stop();
    // A write that is under way would put its file into the directory while that is removed.
    await second.flush();
    const { records } = await readJournal(join(directory, "j"));
    expect(records[0]).toMatchObject({ kind: "start", state: { ticks: 3, arrivals: 9, startedAt: 2000 } });
    expect(replay<CountState>(records, countController)).toEqual({ entries: 1, differences: [] });
  });

  test.each<[string, string, Partial<ControllerKit<CountState>>]>([
    ["another version of Fulcrum", "2", {}],
    ["another controller", "1", { controller: { ...countController, name: "other" } }],
    [
      "a controller that cannot resume it",
      "1",
      {
        resume: () => {
          throw new Error("unknown shape");
        },
      },
    ],
  ])("starts anew from a checkpoint of %s", async (_, version, kit) => {
    const path = join(directory, "checkpoint.json");
    const first = await openCheckpointer(path, "1", listLog());
    const before = run({ checkpointer: first });
    await before.tick();
    await before.stop();
    await first.flush();
    const after = run({ kit: { ...countKit, ...kit }, checkpointer: await openCheckpointer(path, version, listLog()) });
    expect(stateOf(after).ticks).toBe(0);
  });

  test("a tick that throws is told, the policy starts anew, and the next tick runs", async () => {
    const log = listLog();
    let throws = true;
    const fragile: Controller<CountState> = {
      ...countController,
      tick(state, o, p) {
        if (throws) throw new Error("a bug");
        return countController.tick(state, o, p);
      },
    };
    const journal = await journalIn("j");
    const runner = run({ kit: { ...countKit, controller: fragile }, journal, log });
    const healthy = run({ name: "demo/healthy", journal });
    await Promise.all([runner.tick(), healthy.tick()]);
    expect(log.lines.filter((l) => l.level === "error").map((l) => l.message)).toEqual(["loop: a tick failed; this policy starts anew"]);
    throws = false;
    await runner.tick();
    expect(views.map((v) => v.name)).toEqual(["demo/healthy", "demo/test"]);
    await Promise.all(runners.map((r) => r.stop()));
    const { records } = await readJournal(join(directory, "j"));
    expect(records.filter((r) => r.kind === "start" && r.name === "demo/test").length).toBe(2);
    expect(replay<CountState>(records, countController).differences).toEqual([]);
  });

  test("the first tick after a start without reports changes nothing on the fleet", async () => {
    const runner = run();
    await runner.tick();
    expect(views[0]?.decision.hold).toBe(true);
    expect(views[0]?.result.outcome).toBe("held");
    expect(fleetServer.writes).toEqual([]);
  });

  test("a change of direction within two minutes is a reversal", async () => {
    const runner = run();
    for (const waiting of [4, 2, 2]) {
      tell(waiting);
      now += 5;
      await runner.tick();
    }
    expect(views.map((v) => v.result.actions.filter((a) => a.kind === "replicas").map((a) => a.to))).toEqual([[4], [2], []]);
    expect(views.map((v) => v.reversals)).toEqual([[], ["prefill"], []]);
    now += 121;
    tell(5);
    await runner.tick();
    expect(views.at(-1)?.reversals).toEqual([]);
  });
});
