import type { Labels } from "../exposition/series.ts";

/** Where the value of a resolved series goes. */
export type Store = (generation: number, value: number) => void;

/** A group of canonical names that decides which series it wants. */
export interface Slots {
  resolve(name: string, labels: Labels): readonly Store[];
}
