/**
 * `npx tsx test/bench/local-prefill.ts`: Fulcrum on the scoreboard's scenarios with engines that have no convertible decode, that have it
 * without Fulcrum being told, and with it; the table of docs/backtest.md#convertible-decode.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fulcrum } from "../../scaler/decide/controller.ts";
import type { LocalPrefill } from "../../sim/plant/plant.types.ts";
import { runBacktestOnce } from "../../sim/backtest/run.ts";
import { warmStart, type BacktestSetup } from "../../sim/backtest/setup.ts";
import { parseScenarios, type Scenario } from "../../sim/scenarios/config.ts";
import { prepareScenario } from "../../sim/scenarios/prepare.ts";
import { readTrace } from "../../sim/traces/read.ts";

const root = join(import.meta.dirname, "../..");
const file = parseScenarios(readFileSync(join(root, "sim/scenarios/scoreboard.json"), "utf8"), "scoreboard.json");
if (!file.ok) throw new Error(file.error.join("\n"));
const { scenarios, seed } = file.value;
const LEFT_OUT = new Set(["diurnal-day", "link-slow", "prior-fast"]);

async function prepared(scenario: Scenario): Promise<BacktestSetup> {
  const shared = join(process.env["FULCRUM_SHARED"] ?? join(root, "..", "shared"), "traces", scenario.shared?.file ?? "none");
  const trace = await readTrace(shared);
  const setup = prepareScenario(scenario, trace.ok ? trace.value : undefined, seed, false);
  if (!setup.ok) throw new Error(setup.error);
  return setup.value;
}

function cell(setup: BacktestSetup): string {
  const { attainment, gpuHours } = runBacktestOnce(setup, warmStart(setup), "fulcrum", fulcrum);
  return `${(attainment.both * 100).toFixed(2)} at ${gpuHours.toFixed(2)}`;
}

/** Without, with, and with it told; `itl` in seconds instead of the scenario's target. */
function cells(setup: BacktestSetup, localPrefill: LocalPrefill, itl?: number): string[] {
  const { policy } = setup;
  const { objectives, pools } = policy.spec;
  const spec = {
    ...policy.spec,
    objectives: itl === undefined ? objectives : { ...objectives, itl: { quantile: 0.99, ...objectives.itl, target: itl } },
  };
  const plain = { ...setup, policy: { ...policy, spec } };
  const told = { ...plain, policy: { ...policy, spec: { ...spec, pools: { ...pools, decode: { ...pools.decode, localPrefill } } } } };
  return [plain, { ...plain, localPrefill }, told].map(cell);
}

for (const scenario of scenarios.filter(({ name }) => !LEFT_OUT.has(name))) {
  const setup = await prepared(scenario);
  const tight = cells(setup, { chunkTokens: 128, queueTokens: 4096 });
  const loose = cells(setup, { chunkTokens: 512, queueTokens: 4096 }, 0.05);
  console.log(`| ${[scenario.name, ...tight, ...loose].join(" | ")} |`);
}
