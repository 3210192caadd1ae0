import type { RunResult } from "../backtest/run.ts";
import type { BacktestSetup } from "../backtest/setup.ts";

/** One scenario's outcome: every controller's run, or the reason it was left out. */
export type Outcome =
  | { readonly name: string; readonly title: string; readonly setup: BacktestSetup; readonly runs: readonly RunResult[] }
  | { readonly name: string; readonly title: string; readonly skipped: string };

export interface Verdict {
  readonly name: string;
  /** Baselines (not `oracle`) with better attainment and fewer GPU-hours than Fulcrum. */
  readonly dominatedBy: readonly string[];
  /** Adaptive baselines that Fulcrum does not beat on both counts: at least their attainment at fewer GPU-hours. A starving pool is cheap. */
  readonly notBeaten: readonly string[];
  /** Adaptive baselines with at least Fulcrum's attainment at no more GPU-hours: those that serve as well for less. */
  readonly matchedBy: readonly string[];
  /** Where `static` reaches 0.99: whether Fulcrum does at no more GPU-hours; undefined where static does not. */
  readonly asGoodAsStatic: boolean | undefined;
  readonly reversalsPerHour: number;
  readonly overOracle: number;
}

const HINDSIGHT = new Set(["static", "oracle"]);
const GOOD = 0.99;

/** Fulcrum against the others by the lines of the scoreboard's promise; undefined when it did not run. */
export function judge(name: string, runs: readonly RunResult[], seconds: number): Verdict | undefined {
  const own = runs.find(({ controller }) => controller === "fulcrum");
  if (own === undefined) return undefined;
  const others = runs.filter((run) => run !== own);
  const dominates = (a: RunResult, b: RunResult): boolean => a.attainment.both > b.attainment.both && a.gpuHours < b.gpuHours;
  const beats = (a: RunResult, b: RunResult): boolean => a.attainment.both >= b.attainment.both && a.gpuHours < b.gpuHours;
  const adaptive = others.filter((run) => !HINDSIGHT.has(run.controller));
  const fixed = others.find(({ controller }) => controller === "static");
  const oracle = others.find(({ controller }) => controller === "oracle");
  const names = (list: readonly RunResult[]): string[] => list.map(({ controller }) => controller);
  return {
    name,
    dominatedBy: names(others.filter((run) => run.controller !== "oracle" && dominates(run, own))),
    notBeaten: names(adaptive.filter((run) => !beats(own, run))),
    matchedBy: names(adaptive.filter((run) => run.attainment.both >= own.attainment.both && run.gpuHours <= own.gpuHours)),
    asGoodAsStatic:
      fixed === undefined || fixed.attainment.both < GOOD ? undefined : own.attainment.both >= GOOD && own.gpuHours <= fixed.gpuHours,
    reversalsPerHour: own.actions.reversals / Math.max(seconds / 3600, 1e-9),
    overOracle: oracle === undefined ? NaN : own.gpuHours / oracle.gpuHours,
  };
}
