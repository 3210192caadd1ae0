import type { PolicySpec } from "../../scaler/policy/schema.ts";
import { totalGpus, type Split } from "../backtest/setup.ts";
import type { Window } from "./oracle-windows.ts";

type Role = "prefill" | "decode";

interface PoolPlan {
  readonly min: number;
  readonly gpus: number;
  readonly leadTime: number;
}

/**
 * The cheapest sizes over the windows whose misses stay within `allowed`: Lagrangian relaxation. For a price λ of a
 * miss (in GPU-seconds) the best path is found by dynamic programming over
 *   Σ size·gpus·seconds + λ·misses + gpus·leadTime per replica started,
 * and λ is bisected to the cheapest path that keeps to `allowed`.
 */
export function cheapestSizes(windows: readonly Window[], role: Role, pool: PoolPlan, allowed: number): number[] {
  const missesOf = (path: readonly number[]): number =>
    windows.reduce((sum, window, index) => sum + (window.misses[role][path[index] ?? 0] ?? 0), 0);
  let [low, high] = [0, 1e6];
  let best = cheapestPath(windows, role, pool, high);
  for (let round = 0; round < 40; round += 1) {
    const price = low + (high - low) / (round < 20 ? 8 : 2);
    const path = cheapestPath(windows, role, pool, price);
    if (missesOf(path) <= allowed) [best, high] = [path, price];
    else low = price;
  }
  return best;
}

function cheapestPath(windows: readonly Window[], role: Role, pool: PoolPlan, price: number): number[] {
  const sizes = (windows[0]?.misses[role].length ?? 1) - 1;
  const candidates = Array.from({ length: Math.max(1, sizes - pool.min + 1) }, (_, index) => pool.min + index);
  let costs: number[] = candidates.map(() => 0);
  const from: number[][] = [];
  windows.forEach((window, index) => {
    const choices = candidates.map((size) => {
      // The start is free: the fleet stands as the first window wants it.
      const reach = candidates.map(
        (before, k) => (costs[k] ?? 0) + (index === 0 ? 0 : Math.max(0, size - before) * pool.gpus * pool.leadTime),
      );
      const k = reach.indexOf(Math.min(...reach));
      return { k, cost: (reach[k] ?? 0) + size * pool.gpus * window.seconds + price * (window.misses[role][size] ?? 0) };
    });
    costs = choices.map(({ cost }) => cost);
    from.push(choices.map(({ k }) => k));
  });
  const path: number[] = [];
  let at = costs.indexOf(Math.min(...costs));
  for (let index = windows.length - 1; index >= 0; index -= 1) {
    path.unshift(candidates[at] ?? pool.min);
    at = from[index]?.[at] ?? 0;
  }
  return path;
}

/** Both pools' cheapest sizes; where they exceed the GPUs, the split of them that misses least in that window. */
export function cheapestSchedule(
  windows: readonly Window[],
  spec: PolicySpec,
  allowed: Readonly<Record<Role, number>>,
  leadTime?: number,
): Split[] {
  const plan = (role: Role): number[] => {
    const { replicas, gpusPerReplica, leadTime: own } = spec.pools[role];
    return cheapestSizes(windows, role, { min: replicas.min, gpus: gpusPerReplica, leadTime: leadTime ?? own }, allowed[role]);
  };
  const [prefill, decode] = [plan("prefill"), plan("decode")];
  return windows.map((window, index) => {
    const wanted = { prefill: prefill[index] ?? 1, decode: decode[index] ?? 1 };
    return gpusOf(wanted, spec) <= totalGpus(spec) ? wanted : leastMisses(window, spec);
  });
}

const gpusOf = ({ prefill, decode }: Split, { pools }: PolicySpec): number =>
  prefill * pools.prefill.gpusPerReplica + decode * pools.decode.gpusPerReplica;

function leastMisses({ misses }: Window, spec: PolicySpec): Split {
  const { prefill, decode } = spec.pools;
  let best: Split = { prefill: prefill.replicas.min, decode: decode.replicas.min };
  let fewest = Infinity;
  for (let p = prefill.replicas.min; p < misses.prefill.length; p += 1) {
    const d = Math.min(misses.decode.length - 1, Math.floor((totalGpus(spec) - p * prefill.gpusPerReplica) / decode.gpusPerReplica));
    if (d < decode.replicas.min) break;
    const missed = (misses.prefill[p] ?? 0) + (misses.decode[d] ?? 0);
    if (missed < fewest) [best, fewest] = [{ prefill: p, decode: d }, missed];
  }
  return best;
}
