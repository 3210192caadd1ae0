import type { Labels } from "../exposition/series.ts";
import type { CounterName, GaugeName } from "./canonical.ts";
import { satisfies, toBase, type Dialect, type LabelGaugeRule, type ScalarRule, type Term, type Where } from "./dialect.ts";
import { type ByKey, createByKey, createRoom, type Room } from "./by-key.ts";
import { createLeaf, identityOf, present, rankOf, setLeaf, type Leaf } from "./leaf.ts";
import type { Slots, Store } from "./slots.ts";

export interface Scalars {
  readonly counters: Partial<Record<CounterName, number>>;
  readonly gauges: Partial<Record<GaugeName, number>>;
  readonly processStartTime?: number;
}

export interface ScalarSlots {
  readonly all: readonly Slots[];
  /** Whether a label set was turned away since this was last asked, because so many are held already. */
  turnedAway(): boolean;
  collect(generation: number): Scalars;
}

/** Label sets one canonical name can hold: far above any rank count, so that a page with a label of unbounded values cannot grow us. */
const MAX_LEAVES = 4096;

export function createScalarSlots(dialect: Dialect): ScalarSlots {
  const room = createRoom();
  const counters = dialect.counters.map((rule) => createScalar(rule, dialect, room));
  const gauges = dialect.gauges.map((rule) => createScalar(rule, dialect, room));
  const labelGauges = dialect.labelGauges.map((rule) => createLabelGauge(rule, room));
  const start = createScalar({ name: "start", from: [[{ series: "process_start_time_seconds" }]] }, dialect, room);
  const all = [...counters, ...gauges, ...labelGauges, start];
  return {
    all,
    turnedAway: room.turnedAway,
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

/** One series of an alternative, its label sets apart. */
interface TermLeaves {
  readonly term: Term;
  readonly leaves: ByKey<Leaf>;
}

function createScalar<Name>(rule: ScalarRule<Name>, dialect: Dialect, room: Room): Scalar<Name> {
  const leaves = (): ByKey<Leaf> => createByKey(MAX_LEAVES, createLeaf, room);
  const alternatives = rule.from.map((terms): TermLeaves[] => terms.map((term) => ({ term, leaves: leaves() })));
  const from = rule.times?.map((term) => [term]);
  const factor = from === undefined ? undefined : createScalar({ name: "times", over: "mean", from }, dialect, room);
  return {
    name: rule.name,
    series: [...rule.from.flatMap((terms) => terms.map((term) => term.series)), ...(factor?.series ?? [])],
    resolve: (name, labels) => [
      ...alternatives
        .flat()
        .filter(({ term }) => wants(term, name, labels, dialect.everywhere))
        .flatMap(({ term, leaves }) => storeFor(leaves, term, labels, dialect.rankLabels)),
      ...(factor?.resolve(name, labels) ?? []),
    ],
    value(generation) {
      for (const alternative of alternatives) {
        const values = whole(alternative, generation);
        if (values === "lost") return undefined;
        if (values !== undefined) return scaled(combine(values, rule.over), factor, generation);
      }
      return undefined;
    },
  };
}

function storeFor(leaves: ByKey<Leaf>, term: Term, labels: Labels, rankLabels: readonly string[]): Store[] {
  const leaf = leaves.at(identityOf(labels, rankLabels));
  if (leaf === undefined) return [];
  const rank = rankOf(labels, rankLabels);
  return [(generation, value) => setLeaf(leaf, generation, rank, toBase(value, term.unit))];
}

/**
 * The values of an alternative; undefined when a term it needs is not on the page: a sum without it would be too small, and often 0.
 * "lost" when a series of it was there a read ago.
 */
function whole(alternative: readonly TermLeaves[], generation: number): number[] | "lost" | undefined {
  const all: number[] = [];
  let complete = true;
  for (const { term, leaves } of alternative) {
    const values = present(leaves.inOrder, generation);
    if (values === undefined) return "lost";
    complete &&= values.length > 0 || term.optional === true;
    all.push(...values);
  }
  return complete && all.length > 0 ? all : undefined;
}

/** NaN is "not known". A sum with an unknown part is unknown; a mean is the mean of those known. */
function combine(values: readonly number[], over: "mean" | undefined): number | undefined {
  const known = values.filter(Number.isFinite);
  if (known.length === 0 || (over === undefined && known.length < values.length)) return undefined;
  const sum = known.reduce((total, v) => total + v, 0);
  return over === "mean" ? sum / known.length : sum;
}

function scaled(value: number | undefined, factor: Scalar<string> | undefined, generation: number): number | undefined {
  if (value === undefined || factor === undefined) return value;
  const times = factor.value(generation);
  return times === undefined ? undefined : value * times;
}

function createLabelGauge(rule: LabelGaugeRule, room: Room): Scalar<GaugeName> {
  const leaves = createByKey(MAX_LEAVES, createLeaf, room);
  const series = rule.from.map((term) => term.series);
  return {
    name: rule.name,
    series,
    resolve(_, labels) {
      const value = firstProduct(rule, labels);
      const leaf = value === undefined ? undefined : leaves.at(labels.get("engine") ?? "");
      return value === undefined || leaf === undefined ? [] : [(generation) => setLeaf(leaf, generation, 0, value)];
    },
    value(generation) {
      const values = present(leaves.inOrder, generation);
      return values === undefined || values.length === 0 ? undefined : combine(values, undefined);
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
