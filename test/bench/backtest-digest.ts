/**
 * Fingerprints of back-tests with Fulcrum in the loop: every decision and the result of each scoreboard scenario (a quarter of
 * an hour each) and of the Azure conversation trace where it is there. Two checkouts that decide alike print the same lines, so
 * a change that only makes things faster is run before and after:
 *   npx tsx test/bench/backtest-digest.ts > before; …; npx tsx test/bench/backtest-digest.ts | diff before -
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fulcrum } from "../../scaler/decide/controller.ts";
import { runBacktestOnce } from "../../sim/backtest/run.ts";
import { warmStart, type BacktestSetup } from "../../sim/backtest/setup.ts";
import { parseScenarios } from "../../sim/scenarios/config.ts";
import { prepareScenario } from "../../sim/scenarios/prepare.ts";
import { azureConversation, eightGpus } from "./load.ts";

function fingerprint(setup: BacktestSetup): { decisions: string; result: string; ticks: number } {
  const decisions = createHash("sha256");
  const watched: typeof fulcrum = {
    ...fulcrum,
    tick(...given) {
      const done = fulcrum.tick(...given);
      decisions.update(JSON.stringify(done));
      return done;
    },
  };
  const result = runBacktestOnce(setup, warmStart(setup), "fulcrum", watched);
  const short = (hash: ReturnType<typeof createHash>): string => hash.digest("hex").slice(0, 16);
  return { decisions: short(decisions), result: short(createHash("sha256").update(JSON.stringify(result))), ticks: result.decisions };
}

const file = new URL("../../sim/scenarios/scoreboard.json", import.meta.url);
const parsed = parseScenarios(await readFile(file, "utf8"), "scoreboard.json");
if (!parsed.ok) throw new Error(parsed.error.join("\n"));
const setups: [string, BacktestSetup][] = parsed.value.scenarios.map((scenario) => {
  const prepared = prepareScenario(scenario, undefined, parsed.value.seed, true);
  if (!prepared.ok) throw new Error(`${scenario.name}: ${prepared.error}`);
  return [scenario.name, prepared.value];
});
const azure = await azureConversation();
if (azure === undefined) process.stderr.write("no Azure trace in ../shared/traces: left out\n");
else {
  setups.push(["azure", eightGpus(azure)]);
  setups.push(["azure-spans-loss", { ...eightGpus(azure), ttftFrom: "spans", reportLoss: 0.1, seed: 2 }]);
}
for (const [name, setup] of setups) {
  const { decisions, result, ticks } = fingerprint(setup);
  console.log(`${name}: ${ticks} ticks, decisions ${decisions}, result ${result}`);
}
