import { poolKey } from "../../core/pool.ts";
import type { NodeReport } from "../../wire/messages.ts";
import { addInto, addAmounts, amountsOf, type Amounts } from "./amounts.ts";
import type { FleetView, NodeView } from "./fleet-view.ts";

/** Boots remembered per node: two agents under one name, or a crash loop, must not make a report count twice. */
const MAX_BOOTS = 8;
/** Pools one node may ever have named; beyond that their totals are not kept (their latest figures are). */
const MAX_POOLS_PER_NODE = 256;
/** A node that said nothing for this long is gone: its totals stay, its name does not. */
export const FORGET_AFTER = 600;

/** Folds one report in. A report already folded (same boot, sequence not above the last) changes nothing. */
export function fold(fleet: FleetView, report: NodeReport, receivedAt: number): { readonly fleet: FleetView; readonly fresh: boolean } {
  const before = fleet.nodes.get(report.node) ?? unknownNode(report.node, receivedAt);
  const last = lastSeq(before, report.boot);
  if (report.seq <= last) return { fleet, fresh: false };
  let totals = before.totals;
  for (const pool of report.pools) {
    const key = poolKey(pool);
    if (totals.has(key) || totals.size < MAX_POOLS_PER_NODE) totals = addInto(totals, key, amountsOf(pool));
  }
  const node: NodeView = {
    ...before,
    boots: remember(before.boots, report.boot, report.seq),
    latest: report,
    receivedAt,
    reports: before.reports + 1,
    totals,
  };
  return { fleet: withNode(fleet, node), fresh: true };
}

/** Sequence number up to which everything of this boot is folded; -1 when nothing is. */
export function foldedSeq(fleet: FleetView, node: string, boot: string): number {
  const known = fleet.nodes.get(node);
  return known === undefined ? -1 : lastSeq(known, boot);
}

/** An agent's link came up or went down. A node that never reported anything leaves with its link. */
export function setConnected(fleet: FleetView, node: string, connected: boolean, at: number): FleetView {
  const before = fleet.nodes.get(node);
  if (before === undefined && !connected) return fleet;
  const known = before ?? unknownNode(node, at);
  if (!connected && known.latest === undefined) {
    const nodes = new Map(fleet.nodes);
    nodes.delete(node);
    return { ...fleet, nodes };
  }
  return withNode(fleet, { ...known, connected });
}

/** Drops nodes that are gone for good; their totals move to `retired`. */
export function forget(fleet: FleetView, now: number): FleetView {
  const gone = [...fleet.nodes.values()].filter((node) => !node.connected && now - node.receivedAt > FORGET_AFTER);
  if (gone.length === 0) return fleet;
  const nodes = new Map(fleet.nodes);
  const retired = new Map<string, Amounts>(fleet.retired);
  for (const node of gone) {
    nodes.delete(node.node);
    for (const [key, amounts] of node.totals) {
      const sum = retired.get(key);
      retired.set(key, sum === undefined ? amounts : addAmounts(sum, amounts));
    }
  }
  return { nodes, retired };
}

const unknownNode = (node: string, at: number): NodeView => ({
  node,
  connected: false,
  boots: [],
  latest: undefined,
  receivedAt: at,
  reports: 0,
  totals: new Map(),
});

const lastSeq = (node: NodeView, boot: string): number => node.boots.find((b) => b.boot === boot)?.seq ?? -1;

const remember = (boots: NodeView["boots"], boot: string, seq: number): NodeView["boots"] =>
  [...boots.filter((b) => b.boot !== boot), { boot, seq }].slice(-MAX_BOOTS);

const withNode = (fleet: FleetView, node: NodeView): FleetView => ({ ...fleet, nodes: new Map(fleet.nodes).set(node.node, node) });
