import { missingWords, oldWords } from "../../core/engines/drift-words.ts";
import type { PageDrift } from "../../core/engines/drift.ts";
import { type EngineSample, createEnginePage } from "../../core/engines/page.ts";
import type { EngineTarget } from "../../core/targets.ts";
import { type ReplicaState, drained, newReplica, observeFailure, observeSample, retarget } from "../summarize/replica.ts";
import type { PageFetcher } from "./fetch.ts";
import { type Health, down, unknown, up } from "./health.ts";
import { monotonicSeconds } from "./schedule.ts";

export interface EngineScraper {
  scrape(): Promise<void>;
  retarget(target: EngineTarget): void;
  state(): ReplicaState;
  health(): Health;
  /** The state with its pending deltas, which are thereby reported. */
  take(): ReplicaState;
}

export interface ScrapeContext {
  readonly fetcher: PageFetcher;
  /** Unix seconds. */
  readonly now: () => number;
  readonly agentStartedAt: number;
  scraped(source: "engine" | "gpu", seconds: number, bytes: number): void;
  /** A scrape that gave nothing. */
  failed(source: "engine" | "gpu"): void;
  /** Parts of a page that were left out: unreadable, twice on the page, over a limit. */
  unreadable(source: "engine" | "gpu", parts: number): void;
}

/** One replica: its page reader (which caches the page's series), what is known of it, and whether it answers. */
export function createEngineScraper(target: EngineTarget, before: ReplicaState | undefined, context: ScrapeContext): EngineScraper {
  const page = createEnginePage(target.engine, target.role);
  let state = before === undefined ? newReplica(target, context.agentStartedAt) : retarget(before, target);
  let health: Health = unknown;

  return {
    async scrape() {
      const start = monotonicSeconds();
      const result = await context.fetcher.fetch(state.target.url);
      const duration = monotonicSeconds() - start;
      const at = context.now();
      context.scraped("engine", duration, result.ok ? result.value.bytes : 0);
      if (!result.ok) {
        context.failed("engine");
        state = observeFailure(state);
        health = down(health, at, duration, result.error);
        return;
      }
      const sample = page.read(result.value.text, result.value.format);
      context.unreadable("engine", sample.problemCount);
      const [problem] = sample.problems;
      if (problem !== undefined && sample.problemCount >= sample.samples) {
        context.failed("engine");
        state = observeFailure(state);
        health = down(health, at, duration, `not a metrics page; line ${problem.line}: ${problem.message}`);
        return;
      }
      state = observeSample(state, sample, at);
      const drift = page.drift();
      const unreadable = problem && `${sample.problemCount} unreadable parts; line ${problem.line}: ${problem.message}`;
      health = up(at, duration, unreadable ?? strange(target, sample) ?? drifted(drift), drift.missing.length);
    },
    retarget(next) {
      state = retarget(state, next);
    },
    state: () => state,
    health: () => health,
    take() {
      const taken = state;
      state = drained(state);
      return taken;
    },
  };
}

/** Engines that have served nothing yet may show little, so a page without a known metric is worth a note, not a failure. */
const strange = ({ engine }: EngineTarget, { samples, counters, gauges }: EngineSample): string | undefined =>
  Object.keys(counters).length + Object.keys(gauges).length > 0
    ? undefined
    : `none of the page's ${samples} samples is a ${engine} metric; is "engine" right in the targets file?`;

function drifted({ missing, old }: PageDrift): string | undefined {
  const parts = [
    ...(missing.length > 0 ? [`the page lacks ${missingWords(missing)}`] : []),
    ...(old.length > 0 ? [`read by old names: ${oldWords(old)}`] : []),
  ];
  return parts.length > 0 ? parts.join("; ") : undefined;
}
