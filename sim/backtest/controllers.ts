import { err, ok, type Result } from "../../core/result.ts";
import { fulcrum } from "../../scaler/decide/controller.ts";
import type { Controller } from "../../scaler/decide/controller.types.ts";
import { hpaQueue } from "../baselines/hpa-queue.ts";
import { oracle } from "../baselines/oracle.ts";
import { plannerDefault, slaPlanner } from "../baselines/sla-planner.ts";
import { sloAware } from "../baselines/slo-aware.ts";
import { bestStatic } from "../baselines/static.ts";
import { tokenBacklog } from "../baselines/token-backlog.ts";
import { velocity } from "../baselines/velocity.ts";
import { runBacktestOnce, type RunHooks, type RunResult } from "./run.ts";
import { warmStart, type BacktestSetup } from "./setup.ts";

/** A controller by its name on the command line. */
export interface Runner {
  readonly name: string;
  run(setup: BacktestSetup, hooks: RunHooks): RunResult;
}

/** From the fleet that suits the opening traffic, then on its own. */
function adaptive<State>(controller: Controller<State>): Runner {
  const { name } = controller;
  return { name, run: (setup, hooks) => runBacktestOnce(setup, warmStart(setup), name, controller, hooks) };
}

export const RUNNERS: readonly Runner[] = [
  adaptive(fulcrum),
  { name: "static", run: (setup, hooks) => bestStatic(setup, hooks).result },
  adaptive(hpaQueue),
  adaptive(tokenBacklog),
  adaptive(sloAware),
  adaptive(slaPlanner),
  adaptive(plannerDefault),
  adaptive(velocity),
  { name: "oracle", run: oracle },
];

export const DEFAULT_CONTROLLERS = ["fulcrum", "static", "hpa-queue"] as const;

export function findRunners(names: readonly string[]): Result<Runner[], string> {
  const found: Runner[] = [];
  const available = RUNNERS.map(({ name }) => name).join(", ");
  for (const name of new Set(names)) {
    const runner = RUNNERS.find((candidate) => candidate.name === name);
    if (runner !== undefined) found.push(runner);
    else return err(`--controllers: there is no controller "${name}"; available: ${available}`);
  }
  return found.length > 0 ? ok(found) : err(`--controllers: name at least one of ${available}`);
}
