import type { Labels } from "../exposition/series.ts";

/** Where the value of a resolved series goes. */
export type Store = (generation: number, value: number) => void;

/** A canonical name that decides which series it wants. */
export interface Slots {
  /** The sample names it can want, so that all others are refused without looking at labels. */
  readonly series: readonly string[];
  resolve(name: string, labels: Labels): readonly Store[];
}

/** Sample name to those who may want it. */
export function indexBySeries(all: readonly Slots[]): ReadonlyMap<string, readonly Slots[]> {
  const index = new Map<string, Slots[]>();
  for (const slots of all) {
    for (const name of new Set(slots.series)) index.set(name, [...(index.get(name) ?? []), slots]);
  }
  return index;
}
