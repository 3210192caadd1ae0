import type { EngineKind, Role } from "../pool.ts";
import type { CounterName, DistributionName, GaugeName } from "./canonical.ts";

/**
 * An engine's dialect is a table: which of its series make up which canonical name. No code per engine, so that adding one is adding rows.
 * Each canonical name lists alternatives, newest name first; the first of which anything is on the page is taken, the others are ignored.
 */
export interface Dialect {
  readonly engine: EngineKind;
  /** Series repeated per rank: of those that differ in these labels only, the lowest rank speaks for all. Every other label set is summed. */
  readonly rankLabels: readonly string[];
  /** Conditions on every series of this engine. */
  readonly everywhere?: Where;
  readonly counters: readonly ScalarRule<CounterName>[];
  readonly gauges: readonly ScalarRule<GaugeName>[];
  readonly labelGauges: readonly LabelGaugeRule[];
  readonly distributions: readonly DistributionRule[];
}

/** Label conditions; an absent label equals "", as in Prometheus. */
export type Where = Readonly<Record<string, readonly string[] | { readonly not: readonly string[] }>>;

/** Units that are not ours (seconds, bytes, tokens, 0..1), named so that the tables say what the engine exports. */
export type ForeignUnit = "ms" | "us" | "ns" | "MiB" | "mJ" | "percent";

export interface Term {
  readonly series: string;
  readonly where?: Where;
  readonly unit?: ForeignUnit;
}

export interface ScalarRule<Name> {
  readonly name: Name;
  /** Roles for which the series means what the canonical name says; all when absent. */
  readonly roles?: readonly Role[];
  /** Over label sets (data-parallel ranks); "sum" when absent. */
  readonly over?: "mean";
  /** Alternatives in order of preference; the terms of one alternative are added. */
  readonly from: readonly (readonly Term[])[];
}

/** A gauge whose value stands in labels of an info series: the first product of labels that are all numbers. */
export interface LabelGaugeRule {
  readonly name: GaugeName;
  readonly series: string;
  readonly products: readonly (readonly string[])[];
}

export interface DistributionRule {
  readonly name: DistributionName;
  readonly roles?: readonly Role[];
  /** Base names of classic histograms, alternatives in order of preference. */
  readonly from: readonly Term[];
}

export function toBase(value: number, unit: ForeignUnit | undefined): number {
  switch (unit) {
    case undefined:
      return value;
    case "ms":
    case "mJ":
      return value / 1e3;
    case "us":
      return value / 1e6;
    case "ns":
      return value / 1e9;
    case "MiB":
      return value * 1048576;
    case "percent":
      return value / 100;
  }
}

export function satisfies(labels: ReadonlyMap<string, string>, where: Where | undefined): boolean {
  if (where === undefined) return true;
  return Object.entries(where).every(([label, wanted]) => {
    const value = labels.get(label) ?? "";
    return "not" in wanted ? !wanted.not.includes(value) : wanted.includes(value);
  });
}
