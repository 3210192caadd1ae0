/**
 * Runs sim/scenarios/scoreboard.json over every controller and writes docs/scoreboard.md.
 *   --quick       a quarter of an hour of generated traffic per scenario, printed instead of written, the same on every machine
 *   --only NAME   one scenario, printed instead of written
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { RUNNERS } from "../sim/backtest/controllers.ts";
import { parseScenarios, type Scenario } from "../sim/scenarios/config.ts";
import type { Outcome } from "../sim/scenarios/board.ts";
import { scoreboard } from "../sim/scenarios/markdown.ts";
import { prepareScenario } from "../sim/scenarios/prepare.ts";
import { readTrace } from "../sim/traces/read.ts";
import type { Trace } from "../sim/traces/trace.types.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = join(root, "docs", "scoreboard.md");
const source = "sim/scenarios/scoreboard.json";
const shared = join(process.env["FULCRUM_SHARED"] ?? join(root, "..", "shared"), "traces");

const { values: flags } = parseArgs({ options: { quick: { type: "boolean", default: false }, only: { type: "string" } } });
const file = parseScenarios(readFileSync(join(root, source), "utf8"), source);
if (!file.ok) fail(file.error);
else await run(file.value.scenarios, file.value.seed);

async function run(all: readonly Scenario[], seed: number): Promise<void> {
  const scenarios = flags.only === undefined ? all : all.filter(({ name }) => name === flags.only);
  if (scenarios.length === 0) return fail([`--only ${flags.only}: no such scenario; there are ${all.map(({ name }) => name).join(", ")}`]);
  const began = process.hrtime.bigint();
  const outcomes: Outcome[] = [];
  let recordings = 0;
  for (const scenario of scenarios) {
    const recorded = flags.quick ? undefined : await recording(scenario);
    if (recorded !== undefined) recordings += 1;
    outcomes.push(play(scenario, recorded, seed));
  }
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const text = scoreboard(outcomes, {
    command: `npm run scoreboard${flags.quick ? " -- --quick" : ""}`,
    seed,
    data: dataInWords(recordings, outcomes.length),
    ...(flags.quick ? {} : { took: `It took ${(seconds / 60).toFixed(1)} minutes.` }),
  });
  if (flags.quick || flags.only !== undefined) process.stdout.write(text);
  else writeFileSync(page, text);
  note(`${outcomes.length} scenarios in ${seconds.toFixed(0)} s`);
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

function play(scenario: Scenario, recorded: Trace | undefined, seed: number): Outcome {
  const { name, title } = scenario;
  const setup = prepareScenario(scenario, recorded, seed, flags.quick);
  if (!setup.ok) {
    note(`${name}: not run: ${setup.error}`);
    return { name, title, skipped: setup.error };
  }
  const runs = RUNNERS.map((runner) => {
    const began = process.hrtime.bigint();
    const result = runner.run(setup.value, { progress: progressOf(`${name} ${runner.name}`) });
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    if (process.stderr.isTTY) process.stderr.write("\r\u001B[K");
    note(
      `${name} ${runner.name}: ${(result.attainment.both * 100).toFixed(2)} % at ${result.gpuHours.toFixed(2)} GPU-hours (${seconds.toFixed(1)} s)`,
    );
    return result;
  });
  return { name, title, setup: setup.value, runs };
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
  return `Traffic: recorded public traces for ${recordings} scenarios, generated for ${total - recordings}; each section says which.`;
}

function fail(problems: readonly string[]): void {
  for (const problem of problems) note(problem);
  process.exitCode = 2;
}

function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
