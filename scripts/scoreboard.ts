/**
 * Runs sim/scenarios/scoreboard.json over every controller and writes docs/scoreboard.md.
 *   --quick       a quarter of an hour of generated traffic per scenario, printed instead of written, the same on every machine
 *   --only NAME   one scenario, printed instead of written
 *   --provisioned the adaptive baselines again with more replicas than they ask for: docs/scoreboard-provisioned.md
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { FULCRUM, PEERS, RUNNERS, type Runner } from "../sim/backtest/controllers.ts";
import type { RunResult } from "../sim/backtest/run.ts";
import type { BacktestSetup } from "../sim/backtest/setup.ts";
import { parseScenarios, type Scenario } from "../sim/scenarios/config.ts";
import type { Outcome } from "../sim/scenarios/board.ts";
import { scoreboard } from "../sim/scenarios/markdown.ts";
import { prepareScenario } from "../sim/scenarios/prepare.ts";
import { FACTORS, provisionedBoard, type ProvisionedOutcome } from "../sim/scenarios/provisioned.ts";
import { readTrace } from "../sim/traces/read.ts";
import type { Trace } from "../sim/traces/trace.types.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const docs = join(root, "docs");
const source = "sim/scenarios/scoreboard.json";
const shared = join(process.env["FULCRUM_SHARED"] ?? join(root, "..", "shared"), "traces");

const flag = { type: "boolean", default: false } as const;
const { values: flags } = parseArgs({ options: { quick: flag, only: { type: "string" }, provisioned: flag } });
const file = parseScenarios(readFileSync(join(root, source), "utf8"), source);
if (!file.ok) fail(file.error);
else await run(file.value.scenarios, file.value.seed);

async function run(all: readonly Scenario[], seed: number): Promise<void> {
  const scenarios = flags.only === undefined ? all : all.filter(({ name }) => name === flags.only);
  if (scenarios.length === 0) return fail([`--only ${flags.only}: no such scenario; there are ${all.map(({ name }) => name).join(", ")}`]);
  const began = process.hrtime.bigint();
  const prepared: Prepared[] = [];
  for (const scenario of scenarios) {
    const recorded = flags.quick ? undefined : await recording(scenario);
    prepared.push({ scenario, recorded, setup: prepareScenario(scenario, recorded, seed, flags.quick) });
  }
  const command = `npm run scoreboard${flagsInWords()}`;
  const data = dataInWords(prepared.filter(({ recorded }) => recorded !== undefined).length, prepared.length);
  if (flags.provisioned) {
    print("scoreboard-provisioned.md", provisionedBoard(prepared.map(playProvisioned), { command, data: `Seed ${seed}. ${data}` }));
  } else {
    const outcomes = prepared.map(play);
    const took = flags.quick ? {} : { took: `It took ${(secondsSince(began) / 60).toFixed(1)} minutes.` };
    print("scoreboard.md", scoreboard(outcomes, { command, seed, data, ...took }));
  }
  note(`${prepared.length} scenarios in ${secondsSince(began).toFixed(0)} s`);
}

interface Prepared {
  readonly scenario: Scenario;
  readonly recorded: Trace | undefined;
  readonly setup: ReturnType<typeof prepareScenario>;
}

function secondsSince(began: bigint): number {
  return Number(process.hrtime.bigint() - began) / 1e9;
}

function flagsInWords(): string {
  const given = [...(flags.quick ? ["--quick"] : []), ...(flags.provisioned ? ["--provisioned"] : [])];
  return given.length === 0 ? "" : ` -- ${given.join(" ")}`;
}

/** Part of a page is for the eye only. */
function print(name: string, text: string): void {
  if (flags.quick || flags.only !== undefined) process.stdout.write(text);
  else writeFileSync(join(docs, name), text);
}

/** The public trace beside the checkout, where there is one. */
async function recording({ name, shared: wanted }: Scenario): Promise<Trace | undefined> {
  if (wanted === undefined) return undefined;
  const path = join(shared, wanted.file);
  if (!existsSync(path)) return undefined;
  const trace = await readTrace(path);
  if (trace.ok) return trace.value;
  note(`${name}: ${trace.error.join("; ")}; generated traffic instead`);
  return undefined;
}

function play({ scenario: { name, title }, setup }: Prepared): Outcome {
  if (setup.ok) return { name, title, setup: setup.value, runs: RUNNERS.map((runner) => timed(name, runner, runner.name, setup.value)) };
  note(`${name}: not run: ${setup.error}`);
  return { name, title, skipped: setup.error };
}

function playProvisioned({ scenario: { name }, setup }: Prepared): ProvisionedOutcome {
  if (!setup.ok) return { name, skipped: setup.error };
  const own = timed(name, FULCRUM, FULCRUM.name, setup.value);
  const peers = PEERS.flatMap((of) =>
    FACTORS.map((factor) => {
      const runner = of(factor);
      return { factor, run: timed(name, runner, `${runner.name} × ${factor}`, setup.value) };
    }),
  );
  return { name, own, peers };
}

function timed(scenario: string, runner: Runner, label: string, setup: BacktestSetup): RunResult {
  const began = process.hrtime.bigint();
  const result = runner.run(setup, { progress: progressOf(`${scenario} ${label}`) });
  if (process.stderr.isTTY) process.stderr.write("\r\u001B[K");
  const { attainment, gpuHours } = result;
  note(
    `${scenario} ${label}: ${(attainment.both * 100).toFixed(2)} % at ${gpuHours.toFixed(2)} GPU-hours (${secondsSince(began).toFixed(1)} s)`,
  );
  return result;
}

function progressOf(label: string): (share: number) => void {
  let shown = -1;
  return (share) => {
    const percent = Math.floor(share * 100);
    if (percent === shown || !process.stderr.isTTY) return;
    shown = percent;
    process.stderr.write(`\r${label}: ${percent} %`);
  };
}

function dataInWords(recordings: number, total: number): string {
  if (recordings === 0) return "All traffic is generated.";
  const sections = flags.provisioned ? "as in the scoreboard" : "each section says which";
  return `Traffic: recorded public traces for ${recordings} scenarios, generated for ${total - recordings}; ${sections}.`;
}

function fail(problems: readonly string[]): void {
  for (const problem of problems) note(problem);
  process.exitCode = 2;
}

function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
