import type { MissingSignal, OldName } from "./drift.ts";

/** Names told before "and n more": a line, not a page. */
const TOLD = 4;

export const missingWords = (missing: readonly MissingSignal[]): string =>
  list(missing.map(({ signal, series }) => `${signal} (${series.join(" + ")})`));

export const oldWords = (old: readonly OldName[]): string =>
  list([...new Map(old.map((name) => [name.series, `${name.series} (${name.old}; now ${name.now})`])).values()]);

const list = (words: readonly string[]): string =>
  words.length <= TOLD ? words.join(", ") : `${words.slice(0, TOLD).join(", ")} and ${words.length - TOLD} more`;
