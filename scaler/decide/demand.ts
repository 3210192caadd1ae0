import { tokensPerSecond, type TokensPerSecond } from "../../core/units.ts";
import { burstiness } from "../learn/burstiness.ts";
import type { Ease } from "../learn/error-budget.ts";
import { ewmaMean } from "../learn/ewma.ts";
import { forecastRate, noForecasts, type ForecastState, type Levels } from "../learn/forecaster.ts";
import { anticipate, noSeason, reviveSeason, type Season } from "../learn/season.ts";
import { lengths, type Lengths, type Workload } from "../learn/workload.ts";

/** Offered work that a plan must carry. Rates per second. */
export interface Demand {
  readonly arrivals: number;
  /** Prompt tokens to compute per second (cache hits excluded). */
  readonly prefillTokens: TokensPerSecond;
  /** The same as it is now, noise aside, not as it may become: what a queue grows by. */
  readonly prefillTokensNow: TokensPerSecond;
  /** Output tokens per second. */
  readonly decodeTokens: TokensPerSecond;
  readonly lengths: Lengths;
  /** Index of dispersion of arrivals. */
  readonly burstiness: number;
}

/** The rates as they are, momentary ones included: what a forecast is held against when its time has come. */
export interface Level {
  readonly arrivals: number;
  readonly prefillTokens: number;
  readonly decodeTokens: number;
}

/** Forecasts of the three rates that size the pools. */
export interface Forecasts {
  readonly arrivals: ForecastState;
  readonly uncached: ForecastState;
  readonly output: ForecastState;
  /** The day's course of each; it outlives a restart. */
  readonly seasons: Seasons;
}

export interface Seasons {
  readonly arrivals: Season;
  readonly uncached: Season;
  readonly output: Season;
}

export const noSeasons: Seasons = { arrivals: noSeason, uncached: noSeason, output: noSeason };
export const startForecasts: Forecasts = { arrivals: noForecasts, uncached: noForecasts, output: noForecasts, seasons: noSeasons };

/** Demand to plan for `horizon` seconds ahead, each rate by the forecaster that has done best on it lately. */
export function forecast(
  w: Workload,
  before: Forecasts,
  at: number,
  horizon: number,
  eased: Ease,
): { readonly forecasts: Forecasts; readonly demand: Demand; readonly level: Level } | undefined {
  const known = lengths(w);
  const time = { at, horizon, span: w.span };
  const arrivalsSeen = levels(w, "arrivals");
  const tokensSeen = levels(w, "uncached");
  if (known === undefined || arrivalsSeen === undefined || tokensSeen === undefined) return undefined;
  const arrivals = forecastRate(before.arrivals, arrivalsSeen, { ...time, ease: eased.decode });
  const uncached = forecastRate(before.uncached, tokensSeen, { ...time, ease: eased.prefill });
  const outputSeen = levels(w, "output") ?? { now: 0, fast: 0, slow: 0 };
  const output = forecastRate(before.output, outputSeen, { ...time, ease: eased.decode });
  const day = {
    arrivals: anticipate(before.seasons.arrivals, time, arrivals.level, arrivals.rate),
    uncached: anticipate(before.seasons.uncached, time, uncached.level, uncached.rate),
    output: anticipate(before.seasons.output, time, output.level, output.rate),
  };
  // Produced tokens lag arrivals by a request's life and collapse when decode starves; arrivals × length do not.
  const offered = known.osl === undefined ? 0 : day.arrivals.rate * known.osl;
  return {
    forecasts: {
      arrivals: arrivals.state,
      uncached: uncached.state,
      output: output.state,
      seasons: { arrivals: day.arrivals.season, uncached: day.uncached.season, output: day.output.season },
    },
    demand: {
      arrivals: day.arrivals.rate,
      prefillTokens: tokensPerSecond(day.uncached.rate),
      prefillTokensNow: tokensPerSecond(uncached.level),
      decodeTokens: tokensPerSecond(Math.max(offered, day.output.rate)),
      lengths: known,
      burstiness: burstiness(w.arrivals, w.span),
    },
    level: {
      arrivals: highest(arrivalsSeen),
      prefillTokens: highest(tokensSeen),
      decodeTokens: Math.max(highest(arrivalsSeen) * (known.osl ?? 0), highest(outputSeen)),
    },
  };
}

/** After a restart the recent past is unknown, the course of the days is not. */
export function resumeForecasts(kept: Partial<Forecasts> | undefined): Forecasts {
  const { arrivals, uncached, output } = kept?.seasons ?? noSeasons;
  const seasons = { arrivals: reviveSeason(arrivals), uncached: reviveSeason(uncached), output: reviveSeason(output) };
  return { ...startForecasts, seasons };
}

const highest = ({ fast, slow }: Levels): number => Math.max(fast, slow);

function levels(w: Workload, of: "arrivals" | "uncached" | "output"): Levels | undefined {
  const now = ewmaMean(w.now[of]);
  const fast = ewmaMean(w.fast[of]);
  const slow = ewmaMean(w.slow[of]);
  return now === undefined || fast === undefined || slow === undefined ? undefined : { now, fast, slow };
}

/** The heaviest of each kind of work: what the worst moment of a window asked for. */
export function worst(a: Demand, b: Demand): Demand {
  const longer = a.lengths.uncachedP95 >= b.lengths.uncachedP95 ? a.lengths : b.lengths;
  const context = Math.max(a.lengths.context, b.lengths.context);
  return {
    arrivals: Math.max(a.arrivals, b.arrivals),
    prefillTokens: tokensPerSecond(Math.max(a.prefillTokens, b.prefillTokens)),
    prefillTokensNow: tokensPerSecond(Math.max(a.prefillTokensNow, b.prefillTokensNow)),
    decodeTokens: tokensPerSecond(Math.max(a.decodeTokens, b.decodeTokens)),
    lengths: longer.context === context ? longer : { ...longer, context },
    burstiness: Math.max(a.burstiness, b.burstiness),
  };
}
