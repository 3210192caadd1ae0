import type { Labels } from "../exposition/series.ts";
import type { Role } from "../pool.ts";
import type { CounterName, GaugeName } from "./canonical.ts";
import { satisfies, toBase, type Dialect, type LabelGaugeRule, type ScalarRule, type Term, type Where } from "./dialect.ts";
import { createLeaf, identityOf, present, rankOf, setLeaf, type Leaf } from "./leaf.ts";
import type { Slots, Store } from "./slots.ts";

export interface Scalars {
  readonly counters: Partial<Record<CounterName, number>>;
  readonly gauges: Partial<Record<GaugeName, number>>;
  readonly processStartTime?: number;
}

export interface ScalarSlots {
  readonly all: readonly Slots[];
  collect(generation: number): Scalars;
}

/** Label sets one canonical name can hold: far above any rank count, so that a page with a label of unbounded values cannot grow us. */
const MAX_LEAVES = 4096;

export function createScalarSlots(dialect: Dialect, role: Role): ScalarSlots {
  const forRole = <N>(rule: ScalarRule<N>): boolean => rule.roles?.includes(role) ?? true;
  const counters = dialect.counters.filter(forRole).map((rule) => createScalar(rule, dialect));
  const gauges = dialect.gauges.filter(forRole).map((rule) => createScalar(rule, dialect));
  const labelGauges = dialect.labelGauges.map((rule) => createLabelGauge(rule));
  const start = createScalar({ name: "start", from: [[{ series: "process_start_time_seconds" }]] }, dialect);
  const all = [...counters, ...gauges, ...labelGauges, start];
  return {
    all,
    collect(generation) {
      const values: { counters: Partial<Record<CounterName, number>>; gauges: Partial<Record<GaugeName, number>> } = {
        counters: {},
        gauges: {},
      };
      for (const { name, value } of counters) assign(values.counters, name, value(generation));
      for (const { name, value } of [...gauges, ...labelGauges]) assign(values.gauges, name, value(generation));
      deriveKvTokens(values.gauges);
      const processStartTime = start.value(generation);
      return processStartTime === undefined ? values : { ...values, processStartTime };
    },
  };
}

function assign<K extends string>(into: Partial<Record<K, number>>, name: K, value: number | undefined): void {
  if (value !== undefined) into[name] = value;
}

/** Engines that give the share and the capacity but not the tokens in use. */
function deriveKvTokens(gauges: Partial<Record<GaugeName, number>>): void {
  const { kvTokens, kvUsage, kvCapacityTokens } = gauges;
  if (kvTokens === undefined && kvUsage !== undefined && kvCapacityTokens !== undefined) gauges.kvTokens = kvUsage * kvCapacityTokens;
}

interface Scalar<Name> extends Slots {
  readonly name: Name;
  value(generation: number): number | undefined;
}

function createScalar<Name>(rule: ScalarRule<Name>, dialect: Dialect): Scalar<Name> {
  const alternatives = rule.from.map((terms) => ({ terms, leaves: new Map<string, Leaf>() }));
  const store = (leaves: Map<string, Leaf>, term: Term, labels: Labels): Store[] => {
    const leaf = leafFor(leaves, `${term.series}\u0002${identityOf(labels, dialect.rankLabels)}`);
    if (leaf === undefined) return [];
    const rank = rankOf(labels, dialect.rankLabels);
    return [(generation, value) => setLeaf(leaf, generation, rank, toBase(value, term.unit))];
  };
  return {
    name: rule.name,
    series: rule.from.flatMap((terms) => terms.map((term) => term.series)),
    resolve: (name, labels) =>
      alternatives.flatMap(({ terms, leaves }) =>
        terms.filter((term) => wants(term, name, labels, dialect.everywhere)).flatMap((term) => store(leaves, term, labels)),
      ),
    value(generation) {
      for (const { leaves } of alternatives) {
        const values = present(leaves.values(), generation);
        if (values === undefined) return undefined;
        if (values.length === 0) continue;
        const sum = values.reduce((total, v) => total + v, 0);
        return rule.over === "mean" ? sum / values.length : sum;
      }
      return undefined;
    },
  };
}

function createLabelGauge(rule: LabelGaugeRule): Scalar<GaugeName> {
  const leaves = new Map<string, Leaf>();
  return {
    name: rule.name,
    series: [rule.series],
    resolve(_, labels) {
      const value = firstProduct(rule, labels);
      const leaf = value === undefined ? undefined : leafFor(leaves, labels.get("engine") ?? "");
      return value === undefined || leaf === undefined ? [] : [(generation) => setLeaf(leaf, generation, 0, value)];
    },
    value(generation) {
      const values = present(leaves.values(), generation);
      return values === undefined || values.length === 0 ? undefined : values.reduce((total, v) => total + v, 0);
    },
  };
}

/** Labels of info series are text and may be "None". */
function firstProduct(rule: LabelGaugeRule, labels: Labels): number | undefined {
  for (const product of rule.products) {
    const factors = product.map((label) => Number.parseFloat(labels.get(label) ?? ""));
    if (factors.every((f) => Number.isFinite(f) && f > 0)) return factors.reduce((a, b) => a * b, 1);
  }
  return undefined;
}

const wants = (term: Term, name: string, labels: Labels, everywhere: Where | undefined): boolean =>
  term.series === name && satisfies(labels, term.where) && satisfies(labels, everywhere);

function leafFor(leaves: Map<string, Leaf>, key: string): Leaf | undefined {
  const known = leaves.get(key);
  if (known !== undefined || leaves.size >= MAX_LEAVES) return known;
  const leaf = createLeaf();
  leaves.set(key, leaf);
  return leaf;
}
