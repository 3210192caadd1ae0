import type { FleetNode } from "./config.ts";

export interface Placement {
  readonly node: string;
  readonly gpus: readonly number[];
}

export interface Placer {
  /** Takes GPUs for a replica; fewer than asked only when no node has that many left. */
  place(gpus: number): Placement;
  release(placement: Placement): void;
}

/** Spreads replicas: each goes to the node with the most free GPUs, the first of equals. */
export function createPlacer(nodes: readonly FleetNode[]): Placer {
  const free = nodes.map((node) => ({ name: node.name, gpus: Array.from({ length: node.gpus }, (_, gpu) => gpu) }));
  return {
    place(gpus) {
      const roomiest = free.reduce((best, node) => (node.gpus.length > best.gpus.length ? node : best));
      return { node: roomiest.name, gpus: roomiest.gpus.splice(0, gpus) };
    },
    release({ node, gpus }) {
      const home = free.find((one) => one.name === node);
      if (home === undefined) return;
      home.gpus.push(...gpus);
      home.gpus.sort((a, b) => a - b);
    },
  };
}
