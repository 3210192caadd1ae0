import type { BucketDistribution } from "../distributions/bucket-distribution.ts";
import type { PageFormat, PageLimits } from "../exposition/limits.ts";
import type { Problem } from "../exposition/problems.ts";
import { createSeriesReader } from "../exposition/series-reader.ts";
import type { EngineKind, Role } from "../pool.ts";
import type { CounterName, DistributionName, GaugeName } from "./canonical.ts";
import { dialectOf } from "./dialects.ts";
import type { Dialect } from "./dialect.ts";
import { createDistributionSlots } from "./distribution-slots.ts";
import { driftOf, type PageDrift } from "./drift.ts";
import { createScalarSlots } from "./scalar-slots.ts";
import { indexBySeries, type Store } from "./slots.ts";

/** One engine's page, read again and again. What is not on the page is not in the sample: missing is never zero. */
export interface EnginePage {
  read(text: string, format?: PageFormat): EngineSample;
  /** What the page of the last read lacks, and which old names it used. */
  drift(): PageDrift;
}

export interface EngineSample {
  /** Cumulative since the engine started. */
  readonly counters: Partial<Record<CounterName, number>>;
  /** Cumulative since the engine started. */
  readonly distributions: Partial<Record<DistributionName, BucketDistribution>>;
  readonly gauges: Partial<Record<GaugeName, number>>;
  /** Unix seconds; changes when the engine restarts. Multi-process pages do not have it. */
  readonly processStartTime?: number;
  readonly problems: readonly Problem[];
  readonly problemCount: number;
  /** Sample lines on the page, wanted or not. */
  readonly samples: number;
}

/**
 * What a page says does not depend on the pages before it, but for one thing: a name of which a series was there a read ago and is not now is
 * absent for this read (leaf.ts). So when label sets that are long gone leave no room for new ones, reading starts afresh.
 */
export function createEnginePage(engine: EngineKind, role: Role, limits?: PageLimits): EnginePage {
  const start = (): Reading => startReading(dialectOf(engine, role), role, limits);
  let reading = start();
  let fresh = true;
  return {
    read(text, format) {
      let sample = reading.read(text, format);
      // Of a page that alone has too many, a fresh reader turns the same away.
      if (reading.turnedAway() && !fresh) {
        reading = start();
        sample = reading.read(text, format);
        reading.turnedAway();
      }
      fresh = false;
      return sample;
    },
    drift: () => reading.drift(),
  };
}

interface Reading extends EnginePage {
  turnedAway(): boolean;
}

function startReading(dialect: Dialect, role: Role, limits: PageLimits | undefined): Reading {
  const scalars = createScalarSlots(dialect);
  const distributions = createDistributionSlots(dialect);
  const index = indexBySeries([...scalars.all, ...distributions.all]);
  /** By series name, the last read that took a value from it, and whether it was there when the drift was last judged. */
  const seen = new Map<string, Mark>();
  let judged: { readonly drift: PageDrift; readonly served: boolean; readonly series: number } | undefined;
  let served = false;
  let generation = 0;
  const reader = createSeriesReader<readonly Store[]>({
    resolve(name, labels) {
      const stores = index.get(name)?.flatMap((slots) => slots.resolve(name, labels)) ?? [];
      if (stores.length === 0) return undefined;
      const mark = seen.get(name) ?? { generation: 0, judged: false };
      seen.set(name, mark);
      return [...stores, (now) => void (mark.generation = now)];
    },
    store(slots, value) {
      for (const slot of slots) slot(generation, value);
    },
    ...(limits === undefined ? {} : { limits }),
  });
  return {
    read(text, format) {
      generation++;
      const page = reader.read(text, format);
      const histograms = distributions.collect(generation);
      const { counters, ...rest } = scalars.collect(generation);
      served = (counters.requestsFinished ?? counters.generatedTokens ?? counters.promptTokens ?? 0) > 0;
      return {
        counters,
        ...rest,
        distributions: histograms.distributions,
        problems: [...page.problems, ...histograms.problems],
        problemCount: page.problemCount + histograms.problems.length,
        samples: page.samples,
      };
    },
    turnedAway() {
      const [some, others] = [scalars.turnedAway(), distributions.turnedAway()];
      return some || others;
    },
    drift() {
      // Which series a page shows hardly ever changes, and judging them all is a third of what reading a page costs.
      let same = judged !== undefined && judged.served === served && judged.series === seen.size;
      for (const mark of seen.values()) {
        const there = mark.generation === generation;
        same &&= mark.judged === there;
        mark.judged = there;
      }
      if (judged === undefined || !same) {
        const drift = driftOf(dialect, role, (series) => seen.get(series)?.generation === generation, served);
        judged = { drift, served, series: seen.size };
      }
      return judged.drift;
    },
  };
}

interface Mark {
  generation: number;
  judged: boolean;
}
