import { err, ok, type Result } from "../../core/result.ts";
import { fulcrum } from "../../scaler/decide/controller.ts";
import type { Controller } from "../../scaler/decide/controller.types.ts";
import { hpaQueue } from "../baselines/hpa-queue.ts";
import { oracle } from "../baselines/oracle.ts";
import { provisioned } from "../baselines/provisioned.ts";
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

/** A published controller as it is, or given `factor` times the replicas it asks for. */
const peer =
  <State>(controller: Controller<State>) =>
  (factor: number): Runner =>
    adaptive(factor === 1 ? controller : provisioned(controller, factor));

export const PEERS: readonly ((factor: number) => Runner)[] = [
  peer(hpaQueue),
  peer(tokenBacklog),
  peer(sloAware),
  peer(slaPlanner),
  peer(plannerDefault),
  peer(velocity),
];

export const FULCRUM: Runner = adaptive(fulcrum);

export const RUNNERS: readonly Runner[] = [
  FULCRUM,
  { name: "static", run: (setup, hooks) => bestStatic(setup, hooks).result },
  ...PEERS.map((of) => of(1)),
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
