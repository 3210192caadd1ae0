import type { BucketDistribution } from "../distributions/bucket-distribution.ts";
import type { PageFormat, PageLimits } from "../exposition/limits.ts";
import type { Problem } from "../exposition/problems.ts";
import { createSeriesReader } from "../exposition/series-reader.ts";
import type { EngineKind, Role } from "../pool.ts";
import type { CounterName, DistributionName, GaugeName } from "./canonical.ts";
import { dialectOf } from "./dialects.ts";
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

export function createEnginePage(engine: EngineKind, role: Role, limits?: PageLimits): EnginePage {
  const dialect = dialectOf(engine, role);
  const scalars = createScalarSlots(dialect);
  const distributions = createDistributionSlots(dialect);
  const index = indexBySeries([...scalars.all, ...distributions.all]);
  /** By series name, the last read that took a value from it. */
  const seen = new Map<string, { generation: number }>();
  let served = false;
  let generation = 0;
  const reader = createSeriesReader<readonly Store[]>({
    resolve(name, labels) {
      const stores = index.get(name)?.flatMap((slots) => slots.resolve(name, labels)) ?? [];
      if (stores.length === 0) return undefined;
      const mark = seen.get(name) ?? { generation: 0 };
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
    drift: () => driftOf(dialect, role, (series) => seen.get(series)?.generation === generation, served),
  };
}
