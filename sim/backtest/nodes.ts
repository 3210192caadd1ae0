import type { PlantReplica, PlantRole } from "../plant/plant.types.ts";

/** A host of the usual kind: eight GPUs, one agent. */
const GPUS_PER_NODE = 8;
/** The router runs on a node of its own, with an agent like any other. */
export const ROUTER = 0;

/** Which node each replica runs on: the first with room, as a scheduler that packs would place it. */
export interface Nodes {
  /** Nodes that ever held something, the router's included. */
  readonly count: number;
  of(replica: number): number;
  place(replica: PlantReplica): void;
  release(replica: number): void;
}

export function createNodes(gpusPerReplica: (role: PlantRole) => number): Nodes {
  /** GPUs taken per node; the router's node has none to give. */
  const taken: number[] = [GPUS_PER_NODE];
  const node: number[] = [];
  const gpus: number[] = [];
  return {
    get count() {
      return taken.length;
    },
    // A replica that is gone still has its last figures in its node's counts.
    of: (replica) => node[replica] ?? ROUTER,
    place({ id, role }) {
      if (node[id] !== undefined) return;
      const wanted = Math.min(GPUS_PER_NODE, gpusPerReplica(role));
      const found = taken.findIndex((used) => used + wanted <= GPUS_PER_NODE);
      const at = found >= 0 ? found : taken.push(0) - 1;
      taken[at] = (taken[at] ?? 0) + wanted;
      node[id] = at;
      gpus[id] = wanted;
    },
    release(replica) {
      const at = node[replica];
      if (at !== undefined) taken[at] = (taken[at] ?? 0) - (gpus[replica] ?? 0);
    },
  };
}
