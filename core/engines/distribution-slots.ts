import type { BucketDistribution } from "../distributions/bucket-distribution.ts";
import { mergeBuckets } from "../distributions/merge.ts";
import { assembleHistogram } from "../exposition/classic-histogram.ts";
import type { Problem } from "../exposition/problems.ts";
import type { Labels } from "../exposition/series.ts";
import type { DistributionName } from "./canonical.ts";
import { satisfies, toBase, type Dialect, type DistributionRule, type Term } from "./dialect.ts";
import { type ByKey, createByKey, createRoom, type Room } from "./by-key.ts";
import { createLeaf, identityOf, justLost, rankOf, setLeaf, type Leaf } from "./leaf.ts";
import type { Slots, Store } from "./slots.ts";

export interface Histograms {
  readonly distributions: Partial<Record<DistributionName, BucketDistribution>>;
  readonly problems: readonly Problem[];
}

export interface DistributionSlots {
  readonly all: readonly Slots[];
  /** Whether a label set or a bound was turned away since this was last asked, because so many are held already. */
  turnedAway(): boolean;
  collect(generation: number): Histograms;
}

/** Label sets per histogram and bounds per label set, so that a hostile page cannot grow us without end. */
const MAX_GROUPS = 1024;
const MAX_BOUNDS = 512;

const PARTS = ["_bucket", "_sum", "_count"];

/** One label set of one histogram. */
interface Group {
  readonly buckets: { readonly le: number; readonly leaf: Leaf }[];
  readonly sum: Leaf;
  readonly count: Leaf;
}

export function createDistributionSlots(dialect: Dialect): DistributionSlots {
  const room = createRoom();
  const rules = dialect.distributions.map((rule) => createHistogram(rule, dialect, room));
  return {
    all: rules,
    turnedAway: room.turnedAway,
    collect(generation) {
      const distributions: Partial<Record<DistributionName, BucketDistribution>> = {};
      const problems: Problem[] = [];
      for (const rule of rules) {
        const value = rule.value(generation, problems);
        if (value !== undefined) distributions[rule.name] = value;
      }
      return { distributions, problems };
    },
  };
}

interface Histogram extends Slots {
  readonly name: DistributionName;
  value(generation: number, problems: Problem[]): BucketDistribution | undefined;
}

function createHistogram(rule: DistributionRule, dialect: Dialect, room: Room): Histogram {
  const alternatives = rule.from.map((term) => ({ term, groups: createByKey(MAX_GROUPS, newGroup, room) }));
  return {
    name: rule.name,
    series: rule.from.flatMap((term) => PARTS.map((part) => `${term.series}${part}`)),
    resolve: (name, labels) => alternatives.flatMap(({ term, groups }) => resolvePart(term, groups, name, labels, dialect, room)),
    value(generation, problems) {
      // Which alternatives are looked at, and what is wrong with them, follows from this page alone; what the page before had decides only
      // whether the value can be believed.
      let believed = true;
      for (const { term, groups } of alternatives) {
        const { lost, problem, merged } = mergeGroups(groups.inOrder, generation);
        believed &&= !lost;
        if (problem !== undefined) {
          problems.push({ line: 0, column: 0, code: "histogram", message: `${term.series}: ${problem}` });
          return undefined;
        }
        if (merged !== undefined) return believed ? merged : undefined;
      }
      return undefined;
    },
  };
}

function resolvePart(term: Term, groups: ByKey<Group>, name: string, labels: Labels, dialect: Dialect, room: Room): Store[] {
  if (!name.startsWith(term.series) || !satisfies(labels, term.where) || !satisfies(labels, dialect.everywhere)) return [];
  const part = name.slice(term.series.length);
  if (!PARTS.includes(part)) return [];
  const group = groups.at(identityOf(labels, [...dialect.rankLabels, "le"]));
  if (group === undefined) return [];
  const rank = rankOf(labels, dialect.rankLabels);
  const leaf = part === "_bucket" ? bucketLeaf(group, labels.get("le"), term, room) : part === "_sum" ? group.sum : group.count;
  if (leaf === undefined) return [];
  const unit = part === "_sum" ? term.unit : undefined;
  return [(generation, value) => setLeaf(leaf, generation, rank, toBase(value, unit))];
}

function bucketLeaf(group: Group, text: string | undefined, term: Term, room: Room): Leaf | undefined {
  const bound = text === "+Inf" ? Number.POSITIVE_INFINITY : Number.parseFloat(text ?? "");
  if (Number.isNaN(bound)) return undefined;
  const le = toBase(bound, term.unit);
  // Sorted on insertion; a page lists its bounds in order, so this is the end nearly always.
  let at = group.buckets.length;
  while (at > 0 && (group.buckets[at - 1]?.le ?? 0) > le) at--;
  const known = group.buckets[at - 1];
  if (known?.le === le) return known.leaf;
  if (group.buckets.length > MAX_BOUNDS) {
    room.turnAway();
    return undefined;
  }
  const leaf = createLeaf();
  group.buckets.splice(at, 0, { le, leaf });
  return leaf;
}

interface Merged {
  /** A series that was there a read ago is not now: the total of the others would look like a restart. */
  readonly lost: boolean;
  /** What is wrong with a group that is on the page: half a histogram is a wrong one. Of several, the first in alphabetical order. */
  readonly problem: string | undefined;
  /** Undefined when no group is on the page. */
  readonly merged: BucketDistribution | undefined;
}

function mergeGroups(groups: Iterable<Group>, generation: number): Merged {
  let merged: BucketDistribution | undefined;
  let problem: string | undefined;
  let lost = false;
  for (const group of groups) {
    lost ||= justLost(group.sum, generation) || justLost(group.count, generation);
    const buckets: { le: number; cumulative: number }[] = [];
    for (const { le, leaf } of group.buckets) {
      lost ||= justLost(leaf, generation);
      if (leaf.generation === generation) buckets.push({ le, cumulative: leaf.value });
    }
    if (buckets.length === 0) continue;
    const valueOf = (leaf: Leaf): number | undefined => (leaf.generation === generation ? leaf.value : undefined);
    const built = assembleHistogram({ buckets, sum: valueOf(group.sum), count: valueOf(group.count) });
    if (!built.ok) problem = problem === undefined || built.error < problem ? built.error : problem;
    else merged = merged === undefined ? built.value : mergeBuckets(merged, built.value);
  }
  return { lost, problem, merged };
}

const newGroup = (): Group => ({ buckets: [], sum: createLeaf(), count: createLeaf() });
