import type { BucketDistribution } from "../distributions/bucket-distribution.ts";
import type { PageFormat, PageLimits } from "../exposition/limits.ts";
import type { Problem } from "../exposition/problems.ts";
import { createSeriesReader } from "../exposition/series-reader.ts";
import type { EngineKind, Role } from "../pool.ts";
import type { CounterName, DistributionName, GaugeName } from "./canonical.ts";
import type { Dialect } from "./dialect.ts";
import { createDistributionSlots } from "./distribution-slots.ts";
import { dynamoFrontend } from "./dynamo-frontend.ts";
import { createScalarSlots } from "./scalar-slots.ts";
import { sglang } from "./sglang.ts";
import { indexBySeries, type Store } from "./slots.ts";
import { vllm } from "./vllm.ts";

const DIALECTS: Record<EngineKind, Dialect> = { vllm, sglang, "dynamo-frontend": dynamoFrontend };

/** One engine's page, read again and again. What is not on the page is not in the sample: missing is never zero. */
export interface EnginePage {
  read(text: string, format?: PageFormat): EngineSample;
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
  const dialect = DIALECTS[engine];
  const scalars = createScalarSlots(dialect, role);
  const distributions = createDistributionSlots(dialect, role);
  const index = indexBySeries([...scalars.all, ...distributions.all]);
  let generation = 0;
  const reader = createSeriesReader<readonly Store[]>({
    resolve(name, labels) {
      const stores = index.get(name)?.flatMap((slots) => slots.resolve(name, labels)) ?? [];
      return stores.length > 0 ? stores : undefined;
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
      return {
        ...scalars.collect(generation),
        distributions: histograms.distributions,
        problems: [...page.problems, ...histograms.problems],
        problemCount: page.problemCount + histograms.problems.length,
        samples: page.samples,
      };
    },
  };
}
