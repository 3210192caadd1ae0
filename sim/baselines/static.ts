import { runBacktestOnce, type RunHooks, type RunResult } from "../backtest/run.ts";
import type { Scores } from "../backtest/scores.ts";
import { mostReplicas, totalGpus, type BacktestSetup, type Split } from "../backtest/setup.ts";

/**
 * `static`: the best fixed split in hindsight, a strong baseline because it has seen the whole trace.
 *
 * Criterion: the split of fewest GPUs that attains every objective of the policy at its quantile over the
 * trace; among equally cheap ones the highest share that met both. If no split within budget and maxima
 * attains them, the split (using as many GPUs as it may) with the highest share that met both.
 *
 * Search: more decode never hurts ITL and more prefill never hurts TTFT, so both are found by bisection, each
 * trial being a full run that gives up as soon as its misses are too many to attain the objectives.
 */
export function bestStatic(setup: BacktestSetup, hooks: RunHooks = {}): { readonly result: RunResult; readonly trials: number } {
  const search = createSearch(setup, hooks);
  const attaining = search.cheapestAttaining();
  return { result: attaining ?? search.highestBoth(), trials: search.trials() };
}

interface Search {
  cheapestAttaining(): RunResult | undefined;
  highestBoth(): RunResult;
  trials(): number;
}

function createSearch(setup: BacktestSetup, hooks: RunHooks): Search {
  const { spec } = setup.policy;
  const { pools } = spec;
  const most = mostReplicas(spec);
  const least: Split = { prefill: pools.prefill.replicas.min, decode: pools.decode.replicas.min };
  const gpus = totalGpus(spec);
  const known = new Map<string, RunResult>();
  const cost = ({ prefill, decode }: Split): number => prefill * pools.prefill.gpusPerReplica + decode * pools.decode.gpusPerReplica;

  const attempt = (split: Split, full: boolean): RunResult => {
    const key = `${split.prefill}/${split.decode}`;
    const before = known.get(key);
    if (before !== undefined && !(full && before.aborted)) return before;
    const result = runBacktestOnce(setup, split, "static", undefined, full ? hooks : { ...hooks, giveUp: tooManyMisses(setup) });
    known.set(key, result);
    return result;
  };
  const attains = (split: Split, objectives: readonly ("ttft" | "itl")[]): boolean => {
    const result = attempt(split, false);
    return !result.aborted && objectives.every((name) => result.attainment[name] >= (spec.objectives[name]?.quantile ?? 0));
  };
  /** Smallest count in [low, high] for which `good` holds, given that it keeps holding upwards. */
  const smallest = (low: number, high: number, good: (count: number) => boolean): number | undefined => {
    if (low > high || !good(high)) return undefined;
    let [from, to] = [low, high];
    while (from < to) {
      const middle = Math.floor((from + to) / 2);
      if (good(middle)) to = middle;
      else from = middle + 1;
    }
    return to;
  };
  const prefillBeside = (decode: number, under: number): number =>
    Math.min(most.prefill, Math.floor((under - decode * pools.decode.gpusPerReplica) / pools.prefill.gpusPerReplica));
  const both = ["ttft", "itl"] as const;

  /** Decode for which some prefill works; the objectives are checked together, so the run may give up on either. */
  const cheapestAttaining = (): RunResult | undefined => {
    let best: Split | undefined;
    let failures = 0;
    for (let decode = least.decode; decode <= most.decode && failures < 3; decode += 1) {
      const cap = prefillBeside(decode, best === undefined ? gpus : cost(best) - 1);
      if (cap < least.prefill) break;
      const prefill = smallest(least.prefill, cap, (count) => attains({ prefill: count, decode }, both));
      if (prefill !== undefined) best = { prefill, decode };
      else if (best !== undefined) failures += 1;
    }
    return best === undefined ? undefined : attempt(best, true);
  };

  /** The share that met both rises and falls once along the splits that use the whole budget. */
  const highestBoth = (): RunResult => {
    const splits: Split[] = [];
    for (let decode = least.decode; decode <= most.decode; decode += 1) {
      const prefill = prefillBeside(decode, gpus);
      if (prefill >= least.prefill) splits.push({ prefill, decode });
    }
    const score = (index: number): number => {
      const split = splits[index];
      return split === undefined ? -1 : attempt(split, true).attainment.both;
    };
    let [low, high] = [0, splits.length - 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (score(middle) < score(middle + 1)) low = middle + 1;
      else high = middle;
    }
    return attempt(splits[low] ?? least, true);
  };

  return { cheapestAttaining, highestBoth, trials: () => known.size };
}

/** True once so many requests missed an objective that its quantile is out of reach. */
function tooManyMisses(setup: BacktestSetup): (scores: Scores) => boolean {
  const { objectives } = setup.policy.spec;
  const allowed = (quantile: number | undefined): number => (1 - (quantile ?? 0)) * setup.trace.requests.length;
  const ttft = allowed(objectives.ttft?.quantile);
  const itl = allowed(objectives.itl?.quantile);
  return ({ misses }) => misses.ttft > ttft || misses.itl > itl;
}
