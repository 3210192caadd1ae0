import {
  bandwidth,
  bytes,
  count,
  gpus,
  GAP,
  compact,
  digits,
  latency,
  percent,
  replicas,
  requests,
  tokenRate,
  type Format,
} from "./format.ts";

/**
 * Figures behind a reason come as `{ name: number }` with the unit at the end of the name
 * (`demandTokensPerSecond`, `ttftSeconds`). Longest ending first, so `TokensPerSecond` is not read as seconds.
 */
const ENDINGS: readonly (readonly [ending: string, format: Format])[] = [
  ["tokens per second", tokenRate],
  ["bytes per second", bandwidth],
  ["requests per second", (v) => `${digits(v)}${GAP}req/s`],
  ["per second", (v) => `${digits(v)}${GAP}/s`],
  ["seconds", latency],
  ["ms", (v) => latency(v / 1000)],
  ["bytes", bytes],
  ["tokens", (v) => `${compact(v)}${GAP}tok`],
  ["requests", requests],
  ["sequences", count("seq")],
  ["replicas", replicas],
  ["gpus", gpus],
  ["percent", (v) => `${digits(v)}${GAP}%`],
  ["ratio", percent],
  ["share", percent],
  // A pool without capacity is asked for more than any share; the exact number says nothing.
  ["utilization", (v) => (v >= 10 ? `over ${percent(10)}` : percent(v))],
  ["coverage", percent],
];

export interface Figure {
  readonly label: string;
  readonly value: string;
}

export function figure(name: string, value: number): Figure {
  const words = name
    .replace(/_/g, " ")
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase();
  for (const [ending, format] of ENDINGS) {
    if (words === ending) return { label: words, value: format(value) };
    if (words.endsWith(` ${ending}`)) return { label: words.slice(0, -ending.length - 1), value: format(value) };
  }
  return { label: words, value: Number.isInteger(value) ? String(value) : digits(value) };
}
