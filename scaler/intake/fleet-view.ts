import type { NodeReport, PoolReport } from "../../wire/messages.ts";
import { addAmounts, type Amounts } from "./amounts.ts";

/** What the scaler knows of every node: its newest report, and the running totals of its pools. Never mutated. */
export interface FleetView {
  readonly nodes: ReadonlyMap<string, NodeView>;
  /** Totals of nodes that were forgotten, so that fleet totals never go back. */
  readonly retired: ReadonlyMap<string, Amounts>;
}

export interface NodeView {
  readonly node: string;
  readonly connected: boolean;
  /** Newest folded sequence number of each boot of the agent, newest boot last (bounded). */
  readonly boots: readonly { readonly boot: string; readonly seq: number }[];
  /** The newest report, by its order of arrival. */
  readonly latest: NodeReport | undefined;
  /** Our clock when it came. Ages are reckoned from here, so a node's clock may be wrong. */
  readonly receivedAt: number;
  readonly reports: number;
  /** By pool key, since this scaler started. */
  readonly totals: ReadonlyMap<string, Amounts>;
}

export const emptyFleet: FleetView = { nodes: new Map(), retired: new Map() };

/** Fleet-wide totals by pool since the scaler started; nodes in name order, so the same reports give the same sums. */
export function fleetTotals(fleet: FleetView): ReadonlyMap<string, Amounts> {
  const totals = new Map(fleet.retired);
  for (const node of sortedNodes(fleet)) {
    for (const [key, amounts] of node.totals) {
      const before = totals.get(key);
      totals.set(key, before === undefined ? amounts : addAmounts(before, amounts));
    }
  }
  return totals;
}

export const sortedNodes = (fleet: FleetView): readonly NodeView[] => [...fleet.nodes.values()].sort((a, b) => (a.node < b.node ? -1 : 1));

/** Newest reports about the pools that `select` takes, with the age of what they say. */
export function latestPools(
  fleet: FleetView,
  now: number,
  select: (pool: PoolReport) => boolean,
): readonly { readonly node: string; readonly age: number; readonly pool: PoolReport }[] {
  return sortedNodes(fleet).flatMap((node) =>
    (node.latest?.pools ?? []).filter(select).map((pool) => ({ node: node.node, age: Math.max(0, now - node.receivedAt), pool })),
  );
}
