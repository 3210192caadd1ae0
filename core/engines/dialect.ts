import type { EngineKind, Role } from "../pool.ts";
import type { CounterName, DistributionName, GaugeName } from "./canonical.ts";

/**
 * An engine's dialect is a table: which of its series make up which canonical name. No code per engine, so that adding one is adding rows.
 * Each canonical name lists alternatives, newest name first; the first that is whole on the page is taken, the others are ignored.
 */
export interface Dialect extends Tables {
  readonly engine: EngineKind;
  /** Series repeated per rank: of those that differ in these labels only, the lowest rank speaks for all. Every other label set is summed. */
  readonly rankLabels: readonly string[];
  /** Conditions on every series of this engine. */
  readonly everywhere?: Where;
  /** Other spellings of the prefix of every series, tried after the one the tables are written in. */
  readonly spellings?: { readonly prefix: string; readonly others: readonly string[]; readonly old?: string };
  /** Whether the series stand on the page from the start or only once the engine has served a request. */
  readonly shows: "start" | "served";
  /** What to do when series are missing and their rule knows nothing better. */
  readonly mend: string;
}

/** The rows of a dialect. */
export interface Tables {
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
  /** Created by its first event, so that the others are the sum without it. A term that is not optional and not there voids its alternative. */
  readonly optional?: true;
  /** When the engine stopped using this name; what an engine still uses has none. */
  readonly old?: string;
}

/** What a page of this engine should have. */
export interface Expectation {
  /** Roles for which the series means what the canonical name says; all when absent. */
  readonly roles?: readonly Role[];
  /** The roles in which a page without it has something wrong: all of `roles` when absent, none when empty. */
  readonly expected?: readonly Role[];
  /** What makes the engine show it. */
  readonly mend?: string;
}

export interface ScalarRule<Name> extends Expectation {
  readonly name: Name;
  /** Over label sets (data-parallel ranks); "sum" when absent. */
  readonly over?: "mean";
  /** Each value counts this much: for engines that give blocks where tokens are wanted. */
  readonly times?: readonly Term[];
  /** Alternatives in order of preference; the terms of one alternative are added. */
  readonly from: readonly (readonly Term[])[];
}

/** A gauge whose value stands in labels of an info series: the first product of labels that are all numbers. */
export interface LabelGaugeRule extends Expectation {
  readonly name: GaugeName;
  readonly from: readonly Term[];
  readonly products: readonly (readonly string[])[];
}

export interface DistributionRule extends Expectation {
  readonly name: DistributionName;
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
