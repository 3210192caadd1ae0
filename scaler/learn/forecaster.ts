import { withoutNoise } from "./noise.ts";
import { believesRamps, noRamps, rampAhead, scoreRamp, type RampRecord } from "./ramp.ts";
import { FAST_TAU, SLOW_TAU } from "./workload.ts";

/**
 * Simple forecasters of one rate, chosen online: each tick every one says what the rate will be a lead time from now; when that
 * time has come they are scored by pinball loss at the quantile we plan for, and the one with the least rolling loss speaks.
 * Which is best depends on traffic and lead time (a burst shorter than the lead is noise, a ramp is not), so nobody sets it.
 */
export interface Levels {
  /** Means with time constants of about 4, 10 and 60 s. */
  readonly now: number;
  readonly fast: number;
  readonly slow: number;
}

export const FORECASTERS = ["slow", "fast", "surge", "trend", "peak"] as const;
/** Who spoke: the best of the five lately, or a ramp that they do not see yet. */
export type ForecasterName = (typeof FORECASTERS)[number] | "ramp";

export interface ForecastState {
  /** Fast and momentary means of the recent past, oldest first. */
  readonly recent: readonly { readonly at: number; readonly value: number; readonly now: number }[];
  /** Forecasts whose time has not come: due time and a value per forecaster; on a ramp, what it foretold and what the best of them said. */
  readonly pending: readonly {
    readonly due: number;
    readonly values: readonly number[];
    readonly ramp?: { readonly followed: number; readonly ignored: number };
  }[];
  readonly ramps: RampRecord;
  /** Rolling pinball loss per forecaster, and how much evidence it rests on (0..1). */
  readonly loss: readonly number[];
  readonly weight: number;
}

export const noForecasts: ForecastState = { recent: [], pending: [], loss: FORECASTERS.map(() => 0), weight: 0, ramps: noRamps };

/** Planned-for quantile of the rate at full caution: higher buys capacity that is idle nine times in ten. */
export const QUANTILE = 0.9;
/** At full ease (scaler/learn/error-budget.ts). */
const EASED = 0.5;
const RECENT = 300;
/** At a forecast per second and a lead time of minutes this many are open; beyond it the oldest are dropped unscored. */
const MAX_PENDING = 600;
const RECORD = 1.7;
/** A record is compared with what lies at least this many seconds back, over at least that many. */
const RECORD_GAP = 20;
const RECORD_SPAN = 60;
const LOSS_TAU = 600;
/** Until the scores rest on about a minute of evidence the surge-following forecaster speaks: too much is the safer error. */
const ENOUGH = 0.1;

/** Scores what has come due, makes this tick's forecasts; returns the new state, the rate to plan for and the rate it is at now, noise aside. */
export function forecastRate(
  s: ForecastState,
  raw: Levels,
  time: { readonly at: number; readonly horizon: number; readonly span: number; readonly ease: number },
): { readonly state: ForecastState; readonly rate: number; readonly level: number; readonly by: ForecasterName } {
  const { at, horizon, span } = time;
  const quantile = QUANTILE - time.ease * (QUANTILE - EASED);
  if (newLow(s.recent, raw.fast, at)) s = { ...s, recent: [], weight: 0 };
  const recent = s.recent.filter((r) => r.at > at - RECENT);
  recent.push({ at, value: raw.fast, now: raw.now });
  const l = withoutNoise(raw, recent, span);
  const seen = new Float64Array(recent.length);
  recent.forEach((r, i) => (seen[i] = r.value));
  seen.sort();
  const values = FORECASTERS.map((name) => say(name, l, seen, horizon, quantile));
  let { loss, weight, ramps } = s;
  const keep = Math.exp(-span / LOSS_TAU);
  for (const p of s.pending) {
    if (p.due > at) continue;
    loss = loss.map((x, i) => x * keep + (1 - keep) * pinball(l.fast, p.values[i] ?? 0, quantile));
    weight = weight * keep + (1 - keep);
    if (p.ramp !== undefined)
      ramps = scoreRamp(ramps, pinball(raw.fast, p.ramp.followed, quantile), pinball(raw.fast, p.ramp.ignored, quantile));
  }
  const best = weight < ENOUGH ? FORECASTERS.indexOf("surge") : loss.indexOf(Math.min(...loss));
  const ignored = values[best] ?? l.fast;
  const goesOn = rampAhead(recent, raw.fast, { at, ahead: horizon + FAST_TAU });
  const ramp = goesOn !== undefined && goesOn > ignored ? { followed: goesOn, ignored } : undefined;
  const pending = s.pending.filter((p) => p.due > at);
  pending.push({ due: at + horizon, values, ...(ramp === undefined ? {} : { ramp }) });
  if (pending.length > MAX_PENDING) pending.splice(0, pending.length - MAX_PENDING);
  const state = { recent, pending, loss, weight, ramps };
  let said: { rate: number; by: ForecasterName } = { rate: ignored, by: FORECASTERS[best] ?? "fast" };
  if (ramp !== undefined && believesRamps(ramps)) said = { rate: ramp.followed, by: "ramp" };
  // Nothing seen lately resembles a record: the scores are of another regime, and what is happening speaks.
  for (const by of newRecord(s.recent, raw.fast, at) ? (["surge", "trend"] as const) : []) {
    const rate = values[FORECASTERS.indexOf(by)] ?? 0;
    if (rate > said.rate) said = { rate, by };
  }
  return { state, level: l.fast, ...said };
}

/** A change point upwards: far above everything of the last minutes, the last moments aside. (At 1.2 bursts of a bursty day pass for one.) */
function newRecord(recent: ForecastState["recent"], value: number, at: number): boolean {
  const { span, most } = past(recent, at);
  return span >= RECORD_SPAN && value > RECORD * most;
}

/** The same downwards: far below everything of the last minutes. What was then is another regime, and no peak of it comes back. */
function newLow(recent: ForecastState["recent"], value: number, at: number): boolean {
  const { span, least } = past(recent, at);
  return span >= RECORD_SPAN && value * RECORD < least;
}

/** What lies at least RECORD_GAP seconds back: since how many seconds, and between which rates. */
function past(recent: ForecastState["recent"], at: number): { span: number; least: number; most: number } {
  let [span, least, most] = [-Infinity, Infinity, -Infinity];
  for (const r of recent) {
    if (r.at > at - RECORD_GAP) continue;
    if (span === -Infinity) span = at - r.at;
    least = Math.min(least, r.value);
    most = Math.max(most, r.value);
  }
  return { span, least, most };
}

/** q·(y − f) when the forecast was too low, (1 − q)·(f − y) when it was too high. */
export const pinball = (actual: number, forecast: number, quantile = QUANTILE): number =>
  actual > forecast ? quantile * (actual - forecast) : (1 - quantile) * (forecast - actual);

/** `sorted`: the fast means of the recent past in order of size. */
function say(name: (typeof FORECASTERS)[number], l: Levels, sorted: Float64Array, horizon: number, quantile: number): number {
  switch (name) {
    case "slow":
      return l.slow;
    case "fast":
      return l.fast;
    case "surge":
      // A slow mean far above the quick ones is of a regime that has ended.
      return l.slow > RECORD * Math.max(l.fast, l.now) ? Math.max(l.fast, l.now) : Math.max(l.slow, l.fast, l.now);
    case "trend":
      // On a ramp of slope s the two means lie s·(τs − τf) apart; damped and bounded, because ramps end.
      return Math.max(0, Math.min(1.6 * l.fast, l.fast + ((l.fast - l.slow) / (SLOW_TAU - FAST_TAU)) * (horizon + FAST_TAU) * 0.7));
    case "peak":
      return Math.max(l.fast, sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))] ?? 0);
  }
}
