import type { Role } from "../pool.ts";
import type { CounterName, DistributionName, GaugeName } from "./canonical.ts";
import type { Dialect, Expectation, Term } from "./dialect.ts";

type SignalName = CounterName | GaugeName | DistributionName;

/** A signal that a page of this engine and role should give and does not. */
export interface MissingSignal {
  readonly signal: SignalName;
  /** What the newest release calls it. */
  readonly series: readonly string[];
  readonly mend: string;
}

/** A signal read under a name that the engine has given up. */
export interface OldName {
  readonly signal: SignalName;
  readonly series: string;
  /** When, in words. */
  readonly old: string;
  /** What the newest release calls it. */
  readonly now: string;
}

/** How far a page is from what its engine's tables know. */
export interface PageDrift {
  readonly missing: readonly MissingSignal[];
  readonly old: readonly OldName[];
}

/**
 * What a page lacks and which old names stand in, from the series that gave it a value. An engine that shows series only once it has served lacks
 * nothing before that. `dialect` is that of the role already.
 */
export function driftOf(dialect: Dialect, role: Role, on: (series: string) => boolean, served: boolean): PageDrift {
  const missing: MissingSignal[] = [];
  const old: OldName[] = [];
  const judge = served || dialect.shows === "start";
  for (const { name, from, rule, present } of signals(dialect, on)) {
    const found = from.find((terms) => terms.every((term) => term.optional === true || present(term)) && terms.some(present));
    const [newest = []] = from;
    const series = newest.filter((term) => term.optional !== true).map((term) => term.series);
    if (found === undefined && judge && expects(rule, role)) missing.push({ signal: name, series, mend: rule.mend ?? dialect.mend });
    for (const term of (found ?? []).filter((t) => t.old !== undefined && present(t)))
      old.push({ signal: name, series: term.series, old: term.old ?? "", now: series.join(" + ") });
  }
  return { missing, old };
}

const expects = (rule: Expectation, role: Role): boolean => rule.expected?.includes(role) ?? true;

interface Signal {
  readonly name: SignalName;
  readonly from: readonly (readonly Term[])[];
  readonly rule: Expectation;
  readonly present: (term: Term) => boolean;
}

function signals(dialect: Dialect, on: (series: string) => boolean): readonly Signal[] {
  const one = ({ series }: Term): boolean => on(series);
  // Half a histogram is none.
  const histogram = ({ series }: Term): boolean => on(`${series}_bucket`) && on(`${series}_sum`);
  return [
    ...[...dialect.counters, ...dialect.gauges].map((rule) => ({ name: rule.name, from: rule.from, rule, present: one })),
    ...dialect.labelGauges.map((rule) => ({ name: rule.name, from: rule.from.map((t) => [t]), rule, present: one })),
    ...dialect.distributions.map((rule) => ({ name: rule.name, from: rule.from.map((t) => [t]), rule, present: histogram })),
  ];
}
