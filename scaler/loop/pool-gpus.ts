import { sortedNodes, type FleetView } from "../intake/fleet-view.ts";
import type { PoolGpus, PoolRole } from "./tick-view.ts";

/** GPU activity of one pool from the nodes' newest reports, as far as those are fresh. */
export function poolGpus(fleet: FleetView, now: number, pool: string, role: PoolRole, maxAge: number): PoolGpus {
  const gpus = sortedNodes(fleet).flatMap((node) =>
    (node.latest?.gpus ?? []).filter(
      (gpu) => gpu.pool === pool && (gpu.role ?? role) === role && now - node.receivedAt + gpu.age <= maxAge,
    ),
  );
  const values = (pick: (gpu: (typeof gpus)[number]) => number | undefined): readonly number[] =>
    gpus.map(pick).filter((x) => x !== undefined);
  return {
    sm: mean(values((g) => g.smActive)),
    tensor: mean(values((g) => g.tensorActive)),
    dram: mean(values((g) => g.dramActive)),
    powerWatts: sum(values((g) => g.powerWatts)),
  };
}

const sum = (xs: readonly number[]): number | null => (xs.length === 0 ? null : xs.reduce((a, b) => a + b, 0));
const mean = (xs: readonly number[]): number | null => {
  const total = sum(xs);
  return total === null ? null : total / xs.length;
};
