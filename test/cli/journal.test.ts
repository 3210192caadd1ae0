import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { JOURNAL_START, journalLines } from "../support/journal.ts";
import { runCli } from "../support/run-cli.ts";
import { tempTree } from "../support/temp-tree.ts";

const RATES = [5, 10, 15, 20, 25, 30, 30, 20, 10, 5];
const LINES = journalLines("chat", RATES);

function journal(lines: readonly string[], name = "journal-000001.jsonl"): string {
  return join(tempTree({ [`journal/${name}`]: `${lines.join("\n")}\n` }), "journal");
}

describe("replay", () => {
  test("decides every entry again and finds no difference", async () => {
    const { code, stdout, stderr } = await runCli(["replay", journal(LINES)]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toBe(`${RATES.length} decisions decided again, 0 differ\n`);
  });

  test("an edited decision is named with its time and what differs, exit 1", async () => {
    const edited = LINES.map((line, index) => (index === 4 ? line.replace('"decision":{"type"', '"decision":{"by":"hand","type"') : line));
    const { code, stdout, stderr } = await runCli(["replay", journal(edited)]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^2026-11-25T14:00:15\.000Z serving\/chat: decision: .+\n$/);
    expect(stderr).toContain("1 differs");
    const json = await runCli(["replay", "--json", journal(edited)]);
    expect(JSON.parse(json.stdout)).toMatchObject({ entries: RATES.length, differences: [{ what: "decision", name: "serving/chat" }] });
  });

  test("a torn last line is told and the rest replays", async () => {
    const root = tempTree({ "j.jsonl": `${LINES.join("\n")}\n{"kind":"tick","at":1` });
    const { code, stderr } = await runCli(["replay", join(root, "j.jsonl")]);
    expect(code).toBe(0);
    expect(stderr).toContain("the last line is cut off");
  });

  test.each([
    ["no such file", "gone.jsonl"],
    ["holds no decision", "empty.jsonl"],
    ["holds no decision", "text.jsonl"],
  ])("%s: exit 2", async (message, name) => {
    const root = tempTree({ "empty.jsonl": "", "text.jsonl": "this is\nno journal\n" });
    const { code, stdout, stderr } = await runCli(["replay", join(root, name)]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
  });
});

describe("explain", () => {
  test("the decision in force at a time, why, and why not its neighbours", async () => {
    const { code, stdout } = await runCli(["explain", journal(LINES), "--at", "14:00:22"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^2026-11-25T14:00:20\.000Z {2}serving\/chat: prefill \d+ → \d+, decode \d+ → \d+/);
    expect(stdout).toMatch(/prefill: \d+ ready, 0 starting, 0 draining, 0 waiting, TTFT p50 300 ms, p95 510 ms \(target 2000 ms\)/);
    expect(stdout).toMatch(/predicted for this plan: .*ITL .+ at p95 \(target 30 ms\)/);
    expect(stdout).toMatch(/\nReasons\n {2}[a-z-]+: /);
    expect(stdout).toMatch(/\nPlans weighed, cheapest first, with \d+ % of each pool's capacity kept free\n/);
    expect(stdout).toMatch(/^ {2}\* .+ chosen$/m);
    expect(stdout).toMatch(/not chosen: (meets the targets too, but costs \d+ GPUs? more|TTFT .+ misses 2000 ms|ITL .+ misses 30 ms)/);
  });

  test("what was believed then, brought back by deciding again: demand, capacity, error, lead and drain time", async () => {
    const { stdout } = await runCli(["explain", journal(LINES), "--at", "14:00:22"]);
    expect(stdout).toMatch(/\nBelieved then\n {2}demand: +[\d.]+ requests\/s, [\d,]+ prompt tokens\/s to compute, [\d,]+ output tokens\/s/);
    const pool =
      "one replica sustains [\\d,]+ tokens/s, demand is \\d+ % of what ready and starting ones may carry, the model errs by \\d+ %";
    for (const role of ["prefill", "decode"]) expect(stdout).toMatch(new RegExp(`\n  ${role}: +${pool}, .*90 s to start, 30 s to drain\n`));
    // A journal that this build does not decide alike says nothing of what it believed.
    const edited = LINES.map((line, index) => (index === 2 ? line.replace('"arrivals":50', '"arrivals":51') : line));
    expect(edited).not.toEqual(LINES);
    const other = await runCli(["explain", journal(edited), "--at", "14:00:22"]);
    expect(other.code).toBe(0);
    expect(other.stdout).toContain("Reasons");
    expect(other.stdout).not.toContain("Believed then");
  });

  test("a cheaper plan that meets the targets is refused with what keeps the pool large", async () => {
    const lines = journalLines("chat", [40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 2, 2, 2]);
    const { stdout } = await runCli(["explain", journal(lines)]);
    expect(stdout).toMatch(/not chosen: meets the targets now and is cheaper, but (prefill|decode) is kept by [a-z-]+/);
  });

  test.each([
    ["last", "14:00:45"],
    [String(JOURNAL_START + 11), "14:00:10"],
    ["2026-11-25T14:00:05Z", "14:00:05"],
    ["2026-11-25 14:00:05", "14:00:05"],
    ["2026-11-25T15:00:05+01:00", "14:00:05"],
    ["31s", "14:00:30"],
    ["1h", "14:00:45"],
    ["14:00:00", "14:00:00"],
  ])("--at %s", async (at, shown) => {
    const { stdout } = await runCli(["explain", journal(LINES), "--at", at]);
    expect(stdout.split(" ")[0]).toBe(`2026-11-25T${shown}.000Z`);
  });

  test("a time past the end, or in a gap, is told on stderr; the decision then in force is shown", async () => {
    const past = await runCli(["explain", journal(LINES), "--at", "1h"]);
    expect(past.code).toBe(0);
    expect(past.stdout).toContain("2026-11-25T14:00:45.000Z");
    expect(past.stderr).toContain("no decision at 2026-11-25T15:00:00.000Z: the journal ends at 2026-11-25T14:00:45.000Z");
    expect(past.stderr).toContain("3555 s older");
    const gap = LINES.filter((_, index) => index < 4 || index > 8);
    const between = await runCli(["explain", journal(gap), "--at", "14:00:30", "--json"]);
    expect(JSON.parse(between.stdout)).toMatchObject({ at: JOURNAL_START + 10 });
    expect(between.stderr).toContain("nothing was decided between");
    expect((await runCli(["explain", journal(LINES), "--at", "14:00:48"])).stderr).toBe("");
    expect((await runCli(["explain", journal(LINES)])).stderr).toBe("");
  });

  test("with several policies, each one's decision, or the one that is named", async () => {
    const folder = join(
      tempTree({
        "journal/journal-000001.jsonl": `${LINES.join("\n")}\n`,
        "journal/journal-000002.jsonl": `${journalLines("code", [3, 3]).join("\n")}\n`,
      }),
      "journal",
    );
    const both = await runCli(["explain", folder]);
    expect(both.stdout.match(/serving\/\w+(?=: prefill)/g)).toEqual(["serving/chat", "serving/code"]);
    const one = await runCli(["explain", folder, "--policy", "code", "--json"]);
    expect(JSON.parse(one.stdout)).toMatchObject({ kind: "tick", name: "serving/code", at: JOURNAL_START + 5 });
    const none = await runCli(["explain", folder, "--policy", "batch"]);
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining("the journal has serving/chat, serving/code") });
  });

  test.each([
    ["yesterday", "no time"],
    ["25:00", "no time"],
    ["2020-01-01T00:00:00Z", "the journal begins at 2026-11-25T14:00:00.000Z"],
  ])("--at %s: exit 2", async (at, message) => {
    const { code, stderr } = await runCli(["explain", journal(LINES), "--at", at]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
