/** The value of one series as of the latest read. `generation` tells whether the latest read had it: what is not on the page is absent. */
export interface Leaf {
  generation: number;
  /** Rank of the series that gave the value. */
  rank: number;
  value: number;
}

export const createLeaf = (): Leaf => ({ generation: 0, rank: 0, value: 0 });

/** Within one read the lowest rank wins; of equal ranks the last. */
export function setLeaf(leaf: Leaf, generation: number, rank: number, value: number): void {
  if (leaf.generation === generation && leaf.rank < rank) return;
  leaf.generation = generation;
  leaf.rank = rank;
  leaf.value = value;
}

/**
 * True when the previous read had the series and this one has not (a line that could not be read, a page cut short). The total of the others
 * would look like a counter that went back, that is, like a restart; so for one read the whole name is absent. After that it is really gone.
 */
export const justLost = (leaf: Leaf, generation: number): boolean => leaf.generation > 0 && leaf.generation === generation - 1;

/** Values of this read; undefined when one of them was lost. */
export function present(leaves: Iterable<Leaf>, generation: number): number[] | undefined {
  const values: number[] = [];
  for (const leaf of leaves) {
    if (justLost(leaf, generation)) return undefined;
    if (leaf.generation === generation) values.push(leaf.value);
  }
  return values;
}

/** Rank labels make the rank; all other labels make the identity of a leaf. */
export function rankOf(labels: ReadonlyMap<string, string>, rankLabels: readonly string[]): number {
  let rank = 0;
  for (const label of rankLabels) rank = rank * 4096 + Math.min(Number(labels.get(label) ?? 0) || 0, 4095);
  return rank;
}

export function identityOf(labels: ReadonlyMap<string, string>, without: readonly string[]): string {
  const parts: string[] = [];
  for (const [name, value] of labels) if (!without.includes(name)) parts.push(`${name}\u0000${value}`);
  return parts.sort().join("\u0001");
}
