import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { RunResult } from "../../../sim/backtest/run.ts";
import { judge, type Outcome } from "../../../sim/scenarios/board.ts";
import { parseScenarios } from "../../../sim/scenarios/config.ts";
import { scoreboard } from "../../../sim/scenarios/markdown.ts";
import { prepareScenario } from "../../../sim/scenarios/prepare.ts";
import { provisionedBoard } from "../../../sim/scenarios/provisioned.ts";

const text = readFileSync(new URL("../../../sim/scenarios/scoreboard.json", import.meta.url), "utf8");
const parsed = parseScenarios(text, "scoreboard.json");
const scenarios = parsed.ok ? parsed.value.scenarios : [];
const named = (name: string) => {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`no scenario ${name}`);
  return found;
};

function result(controller: string, both: number, gpuHours: number, reversals = 0): RunResult {
  return {
    controller,
    initial: { prefill: 1, decode: 1 },
    attainment: { ttft: both, itl: both, both },
    ttft: undefined,
    itl: undefined,
    completed: 1,
    unfinished: 0,
    gpuHours,
    actions: { up: 0, down: 0, conversions: 0, reversals },
    timeline: [],
    decisions: 0,
    holds: 0,
    aborted: false,
  };
}

describe("the committed scenarios", () => {
  it("are those the scoreboard promises", () => {
    const names =
      "steady-chat diurnal-day long-prompts inversion burst cold-start lost-metrics link-slow replica-crash prior-slow prior-fast";
    expect(scenarios.map(({ name }) => name)).toEqual(names.split(" "));
  });

  it("become back-tests: same seed, same traffic; what controllers believe differs from the plant only where it says so", () => {
    for (const scenario of scenarios) {
      const [a, b] = [prepareScenario(scenario, undefined, 1, true), prepareScenario(scenario, undefined, 1, true)];
      expect(a).toEqual(b);
      if (!a.ok) continue;
      expect(a.value.trace.requests.length).toBeGreaterThan(1000);
      expect(a.value.policy.spec.mode).toBe("enforce");
      const wrong = scenario.name.startsWith("prior-");
      expect(a.value.believed !== undefined).toBe(wrong);
    }
    const slow = prepareScenario(named("prior-slow"), undefined, 1, true);
    const { believed, prior } = slow.ok ? slow.value : {};
    expect((believed?.decode.d0 ?? 0) / (prior?.decode.d0 ?? 1)).toBeCloseTo(3, 6);
  });

  it("long prompts really share prefixes", () => {
    const setup = prepareScenario(named("long-prompts"), undefined, 1, true);
    const seen = new Set<number>();
    let reused = 0;
    let blocks = 0;
    for (const { hashIds = [] } of setup.ok ? setup.value.trace.requests : []) {
      for (const id of hashIds) {
        if (seen.has(id)) reused += 1;
        seen.add(id);
        blocks += 1;
      }
    }
    expect(reused / blocks).toBeGreaterThan(0.3);
  });

  it("a fault the plant does not know leaves the scenario out, with the reason", () => {
    const unknown = prepareScenario({ ...named("burst"), faults: ["earthquake=1m"] }, undefined, 1, true);
    expect(unknown.ok ? "" : unknown.error).toContain('there is no fault "earthquake"');
  });

  it("a bad file is told by field", () => {
    const bad = parseScenarios(text.replace('"prior-slow"', '"Prior slow"'), "bad.json");
    expect(bad.ok ? [] : bad.error.map((line) => line.split(":").slice(0, 2).join(":"))).toEqual(["bad.json: scenarios.9.name"]);
    expect(parseScenarios("{", "x.json").ok).toBe(false);
  });
});

describe("the judge", () => {
  it("counts what beats Fulcrum and what Fulcrum beats, hindsight apart", () => {
    const runs = [
      result("fulcrum", 0.99, 10, 2),
      result("static", 0.995, 9),
      result("a", 0.98, 9),
      result("b", 0.97, 11),
      result("c", 0.992, 8),
      result("oracle", 1, 5),
    ];
    expect(judge("x", runs, 1800)).toEqual({
      name: "x",
      dominatedBy: ["static", "c"],
      notBeaten: ["a", "c"],
      matchedBy: ["c"],
      asGoodAsStatic: false,
      reversalsPerHour: 4,
      overOracle: 2,
    });
  });

  it("does not measure Fulcrum by a static that misses itself", () => {
    expect(judge("x", [result("fulcrum", 0.9, 10), result("static", 0.98, 9)], 3600)?.asGoodAsStatic).toBeUndefined();
    expect(judge("x", [result("static", 0.98, 9)], 3600)).toBeUndefined();
  });
});

describe("the page", () => {
  it("says where Fulcrum loses, and what was not run", () => {
    const setup = prepareScenario(named("burst"), undefined, 1, true);
    if (!setup.ok) throw new Error(setup.error);
    const outcomes: Outcome[] = [
      { name: "burst", title: "A burst.", setup: setup.value, runs: [result("fulcrum", 0.9, 10), result("velocity", 0.95, 9)] },
      { name: "odd", title: "Odd.", skipped: "no such fault" },
    ];
    const page = scoreboard(outcomes, { command: "npm run scoreboard", seed: 1, data: "All traffic is generated." });
    expect(page).toContain("| burst | velocity | velocity | velocity |");
    expect(page).toContain("dominates Fulcrum (better `both` and fewer GPU-hours): 0 of 1 scenarios");
    expect(page).toContain("| **fulcrum** | 90.00 | 90.00 | 90.00 |");
    expect(page).toContain("Not run: no such fault.");
  });
});

describe("the page of provisioned baselines", () => {
  it("says which serves as well for how much, and marks the one that does for less", () => {
    const own = result("fulcrum", 0.95, 10);
    const peers = [
      { factor: 1, run: result("a", 0.9, 5) },
      { factor: 2, run: result("a", 0.96, 12) },
      { factor: 1, run: result("b", 0.94, 9) },
      { factor: 2, run: result("b", 0.95, 11) },
    ];
    const facts = { command: "npm run scoreboard -- --provisioned", data: "All traffic is generated." };
    const page = provisionedBoard(
      [
        { name: "x", own, peers },
        { name: "odd", skipped: "no such fault" },
      ],
      facts,
    );
    expect(page).toContain("serves as well as Fulcrum for as little: 1 of 1 scenarios.");
    expect(page).toContain("| x | 95.00 @ 10.00 | b × 2: 95.00 @ 11.00 | 1.10 |");
    expect(page).toContain("| a | 90.00 @ 5.00 | 96.00 @ 12.00 |");
    expect(page).toContain("Not run: no such fault.");
    const lost = provisionedBoard([{ name: "x", own, peers: [{ factor: 1, run: result("c", 0.97, 9.5) }] }], facts);
    expect(lost).toContain("for as little: 0 of 1 scenarios.");
    expect(lost).toContain("| c | **97.00 @ 9.50** |");
    expect(provisionedBoard([{ name: "x", own, peers: [] }], facts)).toContain("| none at any factor | — |");
  });
});
