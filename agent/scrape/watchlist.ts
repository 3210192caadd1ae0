import type { EngineTarget, TargetsFile } from "../../core/targets.ts";
import type { ReplicaState } from "../summarize/replica.ts";
import { type EngineScraper, type ScrapeContext, createEngineScraper } from "./engine-scraper.ts";
import type { GpuReader } from "../gpu/reader.ts";
import { createGpuScraper } from "./gpu-scraper.ts";
import { everyBeat, phaseOf } from "./schedule.ts";

/** Pods that left are remembered this many deep, so that one that returns in the same life is not counted from zero again. */
const REMEMBERED = 512;

export interface Watchlist {
  /** Starts and stops scrape loops to match; what stays keeps its history. */
  follow(targets: TargetsFile): void;
  targets(): readonly EngineTarget[];
  engines(): readonly EngineScraper[];
  /** Readers of the dcgm-exporter pages; none while pages are not wanted. */
  gpus(): readonly GpuReader[];
  /** Starts and stops reading the dcgm-exporter pages that the targets name. */
  readGpuPages(wanted: boolean): void;
  /** Replicas that left since the last call, with their last deltas. */
  takeDeparted(): readonly ReplicaState[];
}

export interface WatchlistOptions extends ScrapeContext {
  readonly period: number;
  readonly origin: number;
  readonly signal: AbortSignal;
  onBug(cause: unknown): void;
}

interface Entry<S> {
  readonly scraper: S;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** What the agent reads right now: one loop per target. */
export function createWatchlist(options: WatchlistOptions): Watchlist {
  const engines = new Map<string, Entry<EngineScraper>>();
  const gpus = new Map<string, Entry<GpuReader>>();
  const leaving = new Set<string>();
  const remembered = new Map<string, ReplicaState>();
  let departed: ReplicaState[] = [];
  let wanted: TargetsFile | undefined;
  let pagesWanted = true;

  const start = <S extends { scrape(): Promise<void> }>(scraper: S, name: string): Entry<S> => {
    const stop = new AbortController();
    const signal = AbortSignal.any([options.signal, stop.signal]);
    const schedule = { period: options.period, origin: options.origin, phase: phaseOf(name, options.period) };
    return { scraper, stop, ended: everyBeat(schedule, signal, () => scrapeSafely(scraper)) };
  };

  /** Scrapers turn bad input into health; whatever still throws is our bug and must not end the other loops. */
  const scrapeSafely = async (scraper: { scrape(): Promise<void> }): Promise<void> => {
    try {
      await scraper.scrape();
    } catch (cause) {
      options.onBug(cause);
    }
  };

  /** The last look: what a draining replica did since its previous scrape would otherwise be lost with it. */
  const retire = async (key: string, entry: Entry<EngineScraper>): Promise<void> => {
    engines.delete(key);
    leaving.add(key);
    entry.stop.abort();
    await entry.ended;
    if (!options.signal.aborted) await scrapeSafely(entry.scraper);
    const state = entry.scraper.take();
    departed.push(state);
    remember(key, entry.scraper.state());
    leaving.delete(key);
    reconcile();
  };

  const remember = (key: string, state: ReplicaState): void => {
    remembered.delete(key);
    remembered.set(key, state);
    const [oldest] = remembered.keys();
    if (remembered.size > REMEMBERED && oldest !== undefined) remembered.delete(oldest);
  };

  const reconcile = (): void => {
    if (wanted === undefined || options.signal.aborted) return;
    const targets = new Map(wanted.engines.map((t) => [podKey(t), t]));
    for (const [key, entry] of engines) {
      const target = targets.get(key);
      if (target !== undefined && sameSource(target, entry.scraper.state().target)) entry.scraper.retarget(target);
      else void retire(key, entry);
    }
    for (const [key, target] of targets) {
      // One that is just leaving under this name is waited for; retire() comes back here.
      if (engines.has(key) || leaving.has(key)) continue;
      const before = remembered.get(key);
      remembered.delete(key);
      const known = before !== undefined && sameSource(target, before.target) ? before : undefined;
      engines.set(key, start(createEngineScraper(target, known, options), key));
    }
    reconcileGpus(pagesWanted ? wanted.gpus.map((g) => g.url) : []);
  };

  const reconcileGpus = (urls: readonly string[]): void => {
    for (const [url, entry] of gpus) {
      if (urls.includes(url)) continue;
      gpus.delete(url);
      entry.stop.abort();
    }
    for (const url of urls) if (!gpus.has(url)) gpus.set(url, start(createGpuScraper(url, options), url));
  };

  return {
    follow(targets) {
      wanted = targets;
      reconcile();
    },
    targets: () => wanted?.engines ?? [],
    engines: () => [...engines.values()].map((e) => e.scraper),
    gpus: () => [...gpus.values()].map((e) => e.scraper),
    readGpuPages(pages) {
      if (pagesWanted === pages) return;
      pagesWanted = pages;
      reconcile();
    },
    takeDeparted() {
      const taken = departed;
      departed = [];
      return taken;
    },
  };
}

const podKey = (target: EngineTarget): string => `${target.namespace}/${target.pod}`;

/** Whether the same page is read and means the same; phase, age and span instance may change under it. */
const sameSource = (a: EngineTarget, b: EngineTarget): boolean =>
  a.url === b.url && a.engine === b.engine && a.role === b.role && a.pool === b.pool && a.model === b.model;
