/**
 * Requests per CPU second of a back-test on the Azure conversation trace, without and with Fulcrum's controller in the loop (1 Hz
 * reports, a tick every 5 s), eight GPUs:
 *   npx tsx test/bench/loop.ts [RATE] [ROUNDS]
 */
import { fulcrum } from "../../scaler/decide/controller.ts";
import { runBacktestOnce, type RunResult } from "../../sim/backtest/run.ts";
import { warmStart } from "../../sim/backtest/setup.ts";
import { builtinTrace } from "../../sim/traces/builtin.ts";
import { multiplyRate } from "../../sim/traces/rate.ts";
import { azureConversation, eightGpus } from "./load.ts";

/** Rounds in which V8 compiles, as in cpu.ts: told by the first alone. */
const WARM = 3;
const rate = Number(process.argv[2] ?? 1);
const rounds = Number(process.argv[3] ?? 9);
const setup = eightGpus(multiplyRate((await azureConversation()) ?? builtinTrace(1), rate, 1));

function measure(name: string, run: () => RunResult): void {
  const perSecond: number[] = [];
  let last: RunResult | undefined;
  for (let round = 0; round < WARM + rounds; round += 1) {
    const began = process.cpuUsage();
    last = run();
    const { user, system } = process.cpuUsage(began);
    perSecond.push(last.completed / ((user + system) / 1e6));
  }
  const first = perSecond[0] ?? Number.NaN;
  perSecond.splice(0, WARM);
  perSecond.sort((a, b) => a - b);
  const median = perSecond[perSecond.length >> 1] ?? Number.NaN;
  const spread = `first ${first.toFixed(0)}, slowest ${perSecond[0]?.toFixed(0)}, fastest ${perSecond.at(-1)?.toFixed(0)}`;
  console.log(
    `${name}: median of ${rounds} after ${WARM} to warm up ${median.toFixed(0)} requests per CPU second (${spread}); ${last?.decisions} decisions`,
  );
}

console.log(`${setup.trace.name} at ×${rate}: ${setup.trace.requests.length} requests in ${setup.trace.seconds.toFixed(0)} s`);
measure("fixed plan, 4 prefill and 4 decode", () => runBacktestOnce(setup, { prefill: 4, decode: 4 }, "fixed", undefined));
measure("Fulcrum in the loop", () => runBacktestOnce(setup, warmStart(setup), "fulcrum", fulcrum));
