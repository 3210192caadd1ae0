import type { CATALOG } from "../../core/catalog.ts";

/**
 * Expressions built from the metric catalog. A name that is not in it, a label its metric does not carry, or a rate of
 * a gauge does not compile, so a renamed metric cannot leave a dead panel behind.
 */
type Entry = (typeof CATALOG)[number];
type NameOf<K extends Entry["kind"]> = Extract<Entry, { readonly kind: K }>["name"];
export type GaugeMetric = NameOf<"gauge">;
export type CounterMetric = NameOf<"counter">;
export type HistogramMetric = NameOf<"histogram">;
type AnyMetric = Entry["name"];
export type LabelOf<N extends AnyMetric> = Extract<Entry, { readonly name: N }>["labels"][number];

/** Label → matcher with its operator, for example `=~"$pool"`. */
export type Match<N extends AnyMetric> = { readonly [L in LabelOf<N>]?: string };

/** Grafana replaces it by a window of at least four scrapes: shorter ones give gaps. */
const RATE_WINDOW = "$__rate_interval";

function braces(match: Readonly<Record<string, string | undefined>>): string {
  const parts = Object.entries(match).flatMap(([label, matcher]) => (matcher === undefined ? [] : [`${label}${matcher}`]));
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

/** The instant value of a gauge. */
export const gauge = <N extends GaugeMetric>(name: N, match: Match<N> = {}): string => `${name}${braces(match)}`;

/** The running total itself: for whether a series exists, not for how fast it grows. */
export const counter = <N extends CounterMetric>(name: N, match: Match<N> = {}): string => `${name}${braces(match)}`;

export const rate = <N extends CounterMetric>(name: N, match: Match<N> = {}, window = RATE_WINDOW): string =>
  `rate(${name}${braces(match)}[${window}])`;

export const increase = <N extends CounterMetric>(name: N, match: Match<N> = {}, window = RATE_WINDOW): string =>
  `increase(${name}${braces(match)}[${window}])`;

/** Quantile over the sum of all series that share the given labels: bucket counts add up, quantiles do not. */
export function quantile<N extends HistogramMetric>(q: number, name: N, by: readonly LabelOf<N>[], match: Match<N> = {}): string {
  return `histogram_quantile(${q}, sum by (${["le", ...by].join(", ")}) (rate(${name}_bucket${braces(match)}[${RATE_WINDOW}])))`;
}

/** How many observations a histogram took per second. */
export const observations = <N extends HistogramMetric>(name: N, match: Match<N> = {}): string =>
  `rate(${name}_count${braces(match)}[${RATE_WINDOW}])`;

type Aggregation = "sum" | "max" | "min" | "avg" | "count";

/** `by` is checked against the metric that the aggregation is about: name it as the type argument. */
export const aggregate = <N extends AnyMetric>(op: Aggregation, by: readonly LabelOf<N>[], expression: string): string =>
  by.length === 0 ? `${op}(${expression})` : `${op} by (${by.join(", ")}) (${expression})`;

export const labelValues = <N extends AnyMetric>(name: N, label: LabelOf<N>, match: Match<N> = {}): string =>
  `label_values(${name}${braces(match)}, ${label})`;
