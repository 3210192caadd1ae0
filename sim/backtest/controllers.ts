import { err, ok, type Result } from "../../core/result.ts";
import { fulcrum } from "../../scaler/decide/controller.ts";
import { hpaQueue } from "../baselines/hpa-queue.ts";
import { bestStatic } from "../baselines/static.ts";
import { runBacktestOnce, type RunHooks, type RunResult } from "./run.ts";
import { warmStart, type BacktestSetup } from "./setup.ts";

/** A controller by its name on the command line. */
export interface Runner {
  readonly name: string;
  run(setup: BacktestSetup, hooks: RunHooks): RunResult;
}

const RUNNERS: readonly Runner[] = [
  { name: "fulcrum", run: (setup, hooks) => runBacktestOnce(setup, warmStart(setup), "fulcrum", fulcrum, hooks) },
  { name: "static", run: (setup, hooks) => bestStatic(setup, hooks).result },
  { name: "hpa-queue", run: (setup, hooks) => runBacktestOnce(setup, warmStart(setup), "hpa-queue", hpaQueue, hooks) },
];

/** Named by the format, built later: asking for one is a mistake that deserves its own sentence. */
const PLANNED = ["token-backlog", "slo-aware", "sla-planner", "velocity", "oracle"];

export const DEFAULT_CONTROLLERS = ["fulcrum", "static", "hpa-queue"] as const;

export function findRunners(names: readonly string[]): Result<Runner[], string> {
  const found: Runner[] = [];
  const available = RUNNERS.map(({ name }) => name).join(", ");
  for (const name of new Set(names)) {
    const runner = RUNNERS.find((candidate) => candidate.name === name);
    if (runner !== undefined) found.push(runner);
    else if (PLANNED.includes(name)) return err(`--controllers: "${name}" is not available yet; available: ${available}`);
    else return err(`--controllers: there is no controller "${name}"; available: ${available}`);
  }
  return found.length > 0 ? ok(found) : err(`--controllers: name at least one of ${available}`);
}
