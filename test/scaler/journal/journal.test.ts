import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Observation } from "../../../core/observation.ts";
import { DEFAULT_PRIOR } from "../../../scaler/config-prior.ts";
import { digest } from "../../../scaler/decide/digest.ts";
import { openJournal } from "../../../scaler/journal/append.ts";
import { readable, readCheckpoint, writeCheckpoint } from "../../../scaler/journal/checkpoint.ts";
import { parseJournal } from "../../../scaler/journal/parse.ts";
import { readJournal } from "../../../scaler/journal/read.ts";
import type { JournalRecord, StartRecord } from "../../../scaler/journal/records.ts";
import { replay } from "../../../scaler/journal/replay.ts";
import { countController, type CountState } from "../support/count-controller.ts";
import { listLog } from "../support/log.ts";
import { policyOf } from "../support/policy.ts";

const policy = policyOf();
let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "fulcrum-journal-"))));
afterEach(() => rm(directory, { recursive: true, force: true }));

const start = (state: CountState, at = 0, name = "demo/test"): StartRecord => ({
  kind: "start",
  at,
  version: "0",
  controller: "count",
  name,
  policy,
  prior: DEFAULT_PRIOR,
  state,
});

const observation = (at: number, waiting: number, arrivals: number): Observation => ({
  type: "observation",
  at,
  pools: {
    prefill: {
      replicas: { ready: 2, starting: [], draining: 0 },
      evidence: { age: 0, coverage: 1 },
      queue: { requests: waiting },
      interval: { seconds: 5, arrivals },
    },
  },
});

/** What a run writes: a start, then one tick per (waiting, arrivals). */
function journalOf(steps: readonly (readonly [number, number])[], name = "demo/test"): JournalRecord[] {
  let state = countController.start(policy, DEFAULT_PRIOR, 0);
  const records: JournalRecord[] = [start(state, 0, name)];
  for (const [i, [waiting, arrivals]] of steps.entries()) {
    const seen = observation(i + 1, waiting, arrivals);
    const next = countController.tick(state, seen, policy);
    state = next.state;
    records.push({
      kind: "tick",
      at: i + 1,
      name,
      observation: seen,
      decision: next.decision,
      stateDigest: digest(state),
      outcome: "unchanged",
      actions: [],
    });
  }
  return records;
}
const asText = (records: readonly JournalRecord[]): string => records.map((r) => `${JSON.stringify(r)}\n`).join("");

describe("replay", () => {
  const steps = fc.array(fc.tuple(fc.nat(9), fc.double({ min: 0, max: 1000, noNaN: true })), { maxLength: 30 });

  test("of what was written and read again decides the same, for any run", () => {
    fc.assert(
      fc.property(steps, (list) => {
        const { records, torn, problems } = parseJournal(asText(journalOf(list)));
        expect([torn, problems]).toEqual([false, []]);
        expect(replay(records, countController)).toEqual({ entries: list.length, differences: [] });
      }),
    );
  });

  test("names a decision that differs, and where", () => {
    const records = parseJournal(
      asText(
        journalOf([
          [1, 1],
          [4, 1],
          [2, 1],
        ]),
      ).replace('"replicas":4', '"replicas":5'),
    ).records;
    const { entries, differences } = replay(records, countController);
    expect(entries).toBe(3);
    expect(differences).toMatchObject([
      { index: 2, at: 2, name: "demo/test", what: "decision", message: "decision.pools.prefill.replicas: journal 5, replay 4" },
    ]);
  });

  test("names learning that differs although the decision is the same", () => {
    const records = parseJournal(
      asText(
        journalOf([
          [1, 7],
          [1, 7],
        ]),
      ).replace('"arrivals":7', '"arrivals":8'),
    ).records;
    expect(replay(records, countController).differences.map((d) => d.what)).toEqual(["state", "state"]);
  });

  test("keeps policies apart, begins anew at every start, and misses one that is not there", () => {
    const mixed = [...journalOf([[1, 1]], "a/a"), ...journalOf([[2, 1]], "b/b"), ...journalOf([[3, 1]], "a/a")];
    expect(replay(mixed, countController)).toEqual({ entries: 3, differences: [] });
    expect(replay(mixed.slice(1), countController).differences).toMatchObject([{ index: 0, what: "no-start", name: "a/a" }]);
  });

  test("a controller that throws is a difference, not the end", () => {
    const broken = { ...countController, tick: () => expect.unreachable("thrown on purpose") };
    const { entries, differences } = replay(
      journalOf([
        [1, 1],
        [1, 1],
      ]),
      broken,
    );
    expect(entries).toBe(2);
    expect(differences.map((d) => d.what)).toEqual(["failed", "failed"]);
  });
});

describe("reading", () => {
  test("a torn last line is reported and the rest stands, wherever it was cut", () => {
    const text = asText(
      journalOf([
        [1, 1],
        [2, 2],
      ]),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: text.length - 1 }), (cut) => {
        const parsed = parseJournal(text.slice(0, cut));
        expect(parsed.problems).toEqual([]);
        const whole = text.slice(0, cut).split("\n").length - 1;
        expect(parsed.records.length === whole || (parsed.records.length === whole + 1 && !parsed.torn)).toBe(true);
      }),
    );
    expect(parseJournal(text.slice(0, -20))).toMatchObject({ torn: true, problems: [] });
  });

  test("a line that is no record is named", () => {
    const parsed = parseJournal(`${asText(journalOf([]))}{"kind":"tick"}\nnonsense\n${asText(journalOf([]))}`);
    expect(parsed.problems.map((p) => p.line)).toEqual([2, 3]);
    expect(parsed.records.length).toBe(2);
  });
});

describe("writing", () => {
  const open = (maxBytes: number, maxFiles: number, starts: () => StartRecord[] = () => [start({ ticks: 0, arrivals: 0, startedAt: 0 })]) =>
    openJournal({ directory, maxBytes, maxFiles, starts, now: () => 0, log: listLog() });

  test("what was appended is read back, in order, over several processes", async () => {
    const records = journalOf([
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
    const first = await open(1e6, 10);
    await Promise.all(records.slice(0, 3).map((r) => first.append(r)));
    await first.close();
    await appendFile(join(directory, "journal-000001.jsonl"), '{"kind":"tick","at":');
    const second = await open(1e6, 10);
    for (const r of records) await second.append(r);
    await second.close();
    const read = await readJournal(directory);
    expect(read.records).toEqual([...records.slice(0, 3), ...records]);
    expect(read.torn).toBe(true);
    expect(await readdir(directory)).toEqual(["journal-000001.jsonl", "journal-000002.jsonl"]);
  });

  test("files are bounded in size and number, and each replays alone", async () => {
    // A running scaler's state at any moment, as the start records of a new file must have it.
    let state = countController.start(policy, DEFAULT_PRIOR, 0);
    const journal = await open(4000, 3, () => [start(state)]);
    await journal.append(start(state));
    for (let at = 1; at <= 60; at++) {
      const seen = observation(at, at % 5, at);
      const next = countController.tick(state, seen, policy);
      const before = state;
      state = next.state;
      const record: JournalRecord = {
        kind: "tick",
        at,
        name: "demo/test",
        observation: seen,
        decision: next.decision,
        stateDigest: digest(next.state),
        outcome: "unchanged",
        actions: [],
      };
      // The runner holds the state before the tick until its record is written.
      state = before;
      await journal.append(record);
      state = next.state;
    }
    await journal.close();
    const files = (await readdir(directory)).filter((name) => name.endsWith(".jsonl"));
    expect(files.length).toBe(3);
    for (const file of files) {
      const parsed = parseJournal(await readFile(join(directory, file), "utf8"));
      expect(parsed.records[0]?.kind).toBe("start");
      expect(replay<CountState>(parsed.records, countController).differences).toEqual([]);
    }
  });

  test("a turn begins a new file after those of another scaler, and none where nobody else wrote", async () => {
    const journal = await open(1e6, 10);
    const record = start({ ticks: 0, arrivals: 0, startedAt: 0 });
    await journal.append(record);
    journal.turn();
    await journal.append(record);
    expect(await readdir(directory)).toEqual(["journal-000001.jsonl"]);
    await writeFile(join(directory, "journal-000007.jsonl"), asText([record]));
    journal.turn();
    await journal.append(record);
    await journal.close();
    expect((await readdir(directory)).sort()).toEqual([1, 7, 8].map((n) => `journal-00000${n}.jsonl`));
    // It begins with what it takes to replay alone, whatever its first record is.
    expect(parseJournal(await readFile(join(directory, "journal-000008.jsonl"), "utf8")).records.length).toBe(2);
  });

  test.skipIf(process.platform !== "linux")("a directory that cannot be made is told at the start [needs Linux: /proc]", async () => {
    const there = (path: string) =>
      openJournal({ directory: path, maxBytes: 1e6, maxFiles: 2, starts: () => [], now: () => 0, log: listLog() });
    await expect(there("/proc/fulcrum/journal")).rejects.toThrow("/proc/fulcrum");
    await writeFile(join(directory, "file"), "");
    await expect(there(join(directory, "file", "journal"))).rejects.toThrow(/EEXIST|ENOTDIR/);
    await (await there(join(directory, "deep", "er"))).close();
    expect(await readdir(join(directory, "deep"))).toEqual(["er"]);
  });

  test("a disk that refuses is logged and counted, and the loop goes on", async () => {
    const log = listLog();
    const journal = await openJournal({ directory, maxBytes: 10, maxFiles: 2, starts: () => [], now: () => 0, log });
    await journal.append(start({ ticks: 0, arrivals: 0, startedAt: 0 }));
    await rm(directory, { recursive: true });
    await journal.append(start({ ticks: 0, arrivals: 0, startedAt: 0 }));
    expect(journal.failures()).toBe(1);
    expect(log.lines.map((l) => l.level)).toEqual(["error"]);
    await journal.close();
  });
});

describe("checkpoint", () => {
  const checkpoint = {
    version: "1",
    policies: { "demo/test": { controller: "count", subjectDigest: "a", priorDigest: "b", at: 5, state: { ticks: 3 } } },
  };

  test("is read back as written; none is no problem", async () => {
    const path = join(directory, "deep", "checkpoint.json");
    expect(await readCheckpoint(path)).toEqual({});
    await writeCheckpoint(path, checkpoint);
    expect(await readCheckpoint(path)).toEqual({ checkpoint });
    await writeCheckpoint(path, { version: "2", policies: {} });
    expect(await readCheckpoint(path)).toEqual({ checkpoint: { version: "2", policies: {} } });
    expect(await readdir(join(directory, "deep"))).toEqual(["checkpoint.json"]);
  });

  test("is read by the same version with the same shape of what was learned or a later one", () => {
    for (const theirs of ["0.1.0", "0.1.0 shape 2", "0.1.0 shape 3"]) expect(readable(theirs, "0.1.0 shape 3")).toBe(true);
    for (const theirs of ["0.2.0 shape 3", "0.1.0 shape 4", "0.1.0 shape", "0.1.0 shape x", ""])
      expect(readable(theirs, "0.1.0 shape 3")).toBe(false);
  });

  test.each(["", "{", "null", "[]", '{"version":"1"}', '{"version":"1","policies":{"a":{}}}', '{"version":"1","policies":{"a":null}}'])(
    "%j is refused with a reason",
    async (text) => {
      const path = join(directory, "checkpoint.json");
      await writeFile(path, text);
      const read = await readCheckpoint(path);
      expect(read.checkpoint).toBeUndefined();
      expect(read.problem).toContain(path);
    },
  );
});
