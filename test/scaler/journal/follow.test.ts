import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ok } from "../../../core/result.ts";
import { copyJournal, type Compared, type LeaderJournal } from "../../../scaler/journal/follow.ts";
import { listJournal, readPart } from "../../../scaler/journal/part.ts";

let root: string;
beforeEach(async () => void (root = await mkdtemp(join(tmpdir(), "fulcrum-follow-"))));
afterEach(() => rm(root, { recursive: true, force: true }));

const signal = new AbortController().signal;

/** A leader's directory, read as its API reads it. */
const leaderAt = (directory: string): LeaderJournal => ({
  list: async () => ok(await listJournal(directory)),
  part: async (name, from, digest) => ok(await readPart(directory, name, from, digest)),
});

async function pair(): Promise<{ readonly theirs: string; readonly ours: string }> {
  const [theirs, ours] = await Promise.all(["theirs", "ours"].map((name) => mkdtemp(join(root, `${name}-`))));
  if (theirs === undefined || ours === undefined) throw new Error("two folders");
  return { theirs, ours };
}

const copy = (ours: string, theirs: string, compared: Compared = new Map(), maxFiles = 10, may = () => true) =>
  copyJournal({ directory: ours, maxFiles, may }, leaderAt(theirs), compared, signal);

const file = (number: number): string => `journal-${String(number).padStart(6, "0")}.jsonl`;
const text = (directory: string, number: number): Promise<string> => readFile(join(directory, file(number)), "utf8");

describe("copying the leader's journal", () => {
  it("brings whole lines only, and goes on where it stood", async () => {
    const { theirs, ours } = await pair();
    await writeFile(join(theirs, file(7)), '{"a":1}\n{"b":');
    const compared: Compared = new Map();
    expect(await copy(ours, theirs, compared)).toEqual(ok(8));
    expect(await text(ours, 7)).toBe('{"a":1}\n');
    await appendFile(join(theirs, file(7)), "2}\n");
    await writeFile(join(theirs, file(8)), '{"c":3}\n');
    expect(await copy(ours, theirs, compared)).toEqual(ok(16));
    expect([await text(ours, 7), await text(ours, 8)]).toEqual(['{"a":1}\n{"b":2}\n', '{"c":3}\n']);
    expect(await copy(ours, theirs, compared)).toEqual(ok(0));
  });

  it("completes a copy that ended in the middle of a line", async () => {
    const { theirs, ours } = await pair();
    await writeFile(join(theirs, file(7)), '{"a":1}\n{"b":2}\n');
    await writeFile(join(ours, file(7)), '{"a":1}\n{"b"');
    expect((await copy(ours, theirs)).ok).toBe(true);
    expect(await text(ours, 7)).toBe(await text(theirs, 7));
  });

  it("leaves a file alone of which it has more than the leader, and one that is another", async () => {
    const { theirs, ours } = await pair();
    await writeFile(join(theirs, file(7)), '{"a":1}\n');
    await writeFile(join(ours, file(7)), '{"a":1}\n{"late":1}\n');
    await writeFile(join(theirs, file(8)), '{"c":3}\n{"d":4}\n');
    await writeFile(join(ours, file(8)), '{"x":3}\n');
    const compared: Compared = new Map();
    const done = await copy(ours, theirs, compared);
    expect(done).toMatchObject({ ok: false, error: expect.stringContaining(`${file(8)} is another file here`) as string });
    expect([await text(ours, 7), await text(ours, 8)]).toEqual(['{"a":1}\n{"late":1}\n', '{"x":3}\n']);
    // Told once; what comes after it is copied.
    await writeFile(join(theirs, file(9)), '{"e":5}\n');
    expect(await copy(ours, theirs, compared)).toEqual(ok(8));
  });

  it("keeps as many files as it may, and does not fetch again what it has let go", async () => {
    const { theirs, ours } = await pair();
    for (const number of [1, 2, 3, 4, 5]) await writeFile(join(theirs, file(number)), `{"n":${number}}\n`);
    for (let round = 0; round < 2; round++) await copy(ours, theirs, new Map(), 2);
    expect((await readdir(ours)).sort()).toEqual([file(4), file(5)]);
    expect(await copy(ours, theirs, new Map(), 2)).toEqual(ok(0));
  });

  it("writes nothing once it may not", async () => {
    const { theirs, ours } = await pair();
    await writeFile(join(theirs, file(7)), '{"a":1}\n');
    expect(await copy(ours, theirs, new Map(), 10, () => false)).toEqual(ok(0));
    expect(await readdir(ours)).toEqual([]);
  });

  it("takes no file of another name, and none outside the directory", async () => {
    const { theirs, ours } = await pair();
    await writeFile(join(root, "secret"), "secret\n");
    await writeFile(join(theirs, "checkpoint.json"), "{}\n");
    expect(await readPart(theirs, "../secret", 0, undefined)).toEqual({ kind: "none" });
    expect(await readPart(theirs, "checkpoint.json", 0, undefined)).toEqual({ kind: "none" });
    const liar: LeaderJournal = { ...leaderAt(theirs), list: async () => ok([{ name: "../../journal-000001.jsonl", bytes: 9 }]) };
    expect(await copyJournal({ directory: ours, maxFiles: 9, may: () => true }, liar, new Map(), signal)).toEqual(ok(0));
  });

  it("is a prefix of the leader's at any moment, and all of its whole lines after a round, however the leader writes", async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("write" as const), bytes: fc.integer({ min: 1, max: 400 }) }),
      fc.record({ kind: fc.constant("turn" as const), bytes: fc.constant(0) }),
      fc.record({ kind: fc.constant("copy" as const), bytes: fc.constant(0) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, forgets) => {
        const { theirs, ours } = await pair();
        await mkdir(theirs, { recursive: true });
        let number = 1;
        let compared: Compared = new Map();
        for (const { kind, bytes } of steps) {
          // A line of 37 bytes and its end, written in pieces of any size.
          const line = `${"x".repeat(37)}\n`;
          if (kind === "turn") number += 1;
          else if (kind === "write") {
            const had = await text(theirs, number).catch(() => "");
            await appendFile(join(theirs, file(number)), line.repeat(20).slice(had.length % 38, (had.length % 38) + bytes));
          } else {
            if (forgets) compared = new Map();
            expect((await copy(ours, theirs, compared, 100)).ok).toBe(true);
            for (const { name } of await listJournal(theirs)) {
              const whole = (await readFile(join(theirs, name), "utf8")).replace(/[^\n]+$/, "");
              expect(await readFile(join(ours, name), "utf8").catch(() => "")).toBe(whole);
            }
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
