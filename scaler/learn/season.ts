import { pinball } from "./forecaster.ts";

/**
 * How a rate depends on the time of day: a mean per ten minutes (UTC), over days. It foresees what no forecaster of the recent past
 * can: the rise at nine. Seasonal-naive times level: what is there now × (mean of then ÷ mean of now). It only ever adds to the other
 * forecasters' figure, from the third day on, and only while that has paid (pinball loss).
 */
export interface Season {
  /** Per bin: mean rate, and on how many days it was seen. */
  readonly means: readonly number[];
  readonly days: readonly number[];
  /** The bin being filled (null before the first), its rate × seconds and its seconds. */
  readonly bin: number | null;
  readonly sum: number;
  readonly span: number;
  /** Rises it foresaw and the others did not, until their time comes. */
  readonly pending: readonly { readonly due: number; readonly rate: number; readonly raised: number }[];
  /** Pinball loss saved by such rises so far, relative to the rate, fading; negative when they did not come. */
  readonly gain: number;
}

const PERIOD = 86_400;
const BIN = 600;
const BINS = PERIOD / BIN;
/** Days a bin must have been seen on before it speaks. */
const PERIODS = 2;
/** Weight of the newest day in a bin's mean. */
const NEWEST = 0.5;
/** A rise below this share is within the noise of the means. */
const NOTABLE = 1.1;
/** The day's course is believed up to this ratio of two bins. */
const MOST = 8;
const MAX_PENDING = 600;
/** Share of the gain that one scored rise forgets. */
const FADE = 0.01;

const zeros: readonly number[] = Array.from({ length: BINS }, () => 0);
export const noSeason: Season = { means: zeros, days: zeros, bin: null, sum: 0, span: 0, pending: [], gain: 0 };

/** Learns the `level` of this tick and raises `rate`, the forecast for `horizon` seconds ahead, by what the time of day lets expect. */
export function anticipate(
  s: Season,
  time: { readonly at: number; readonly horizon: number; readonly span: number },
  level: number,
  rate: number,
): { readonly season: Season; readonly rate: number } {
  const scored = score(s, time.at, level);
  const next = collect(scored, time.at, time.span, level);
  const expected = expect(next, time.at, time.horizon, level);
  if (expected === undefined || expected.rate <= NOTABLE * rate) return { season: next, rate };
  const pending = [...next.pending, { due: time.at + time.horizon, rate, raised: expected.rate }].slice(-MAX_PENDING);
  const speaks = expected.days >= PERIODS && next.gain > 0;
  return { season: { ...next, pending }, rate: speaks ? expected.rate : rate };
}

function score(s: Season, at: number, level: number): Season {
  if (!s.pending.some(({ due }) => due <= at)) return s;
  let { gain } = s;
  for (const p of s.pending) {
    if (p.due > at) continue;
    const saved = (pinball(level, p.rate) - pinball(level, p.raised)) / Math.max(p.raised, 1e-9);
    gain += saved - FADE * gain;
  }
  return { ...s, gain, pending: s.pending.filter(({ due }) => due > at) };
}

/** A bin counts when most of it was seen; a day that was only half observed must not look quiet. */
function collect(s: Season, at: number, span: number, level: number): Season {
  const bin = binOf(at);
  if (bin === s.bin) return { ...s, sum: s.sum + level * span, span: s.span + span };
  const begun = { bin, sum: level * span, span };
  if (s.bin === null || s.span < BIN / 2) return { ...s, ...begun };
  const { bin: closed, sum, span: seen } = s;
  const known = s.days[closed] ?? 0;
  const before = s.means[closed] ?? 0;
  const mean = known === 0 ? sum / seen : before + NEWEST * (sum / seen - before);
  // Four digits are more than a mean of two days knows, and the state is written every tick.
  const means = s.means.with(closed, Number(mean.toPrecision(4)));
  return { ...s, ...begun, means, days: s.days.with(closed, Math.min(known + 1, 100)) };
}

function expect(s: Season, at: number, horizon: number, level: number): { readonly rate: number; readonly days: number } | undefined {
  const [now, then] = [binOf(at), binOf(at + horizon)];
  const days = Math.min(s.days[now] ?? 0, s.days[then] ?? 0);
  const [meanNow = 0, meanThen = 0] = [s.means[now], s.means[then]];
  if (days === 0 || now === then) return undefined;
  // Out of silence there is no ratio: then the mean itself is expected.
  const rate = meanNow > 0 ? level * Math.min(MOST, meanThen / meanNow) : meanThen;
  return { rate, days };
}

const binOf = (at: number): number => Math.floor((((at % PERIOD) + PERIOD) % PERIOD) / BIN);

/** What a checkpoint kept of it: the means; anything else, or another number of bins, starts anew. */
export function reviveSeason(kept: unknown): Season {
  if (typeof kept !== "object" || kept === null) return noSeason;
  const { means, days, gain } = kept as Readonly<Record<string, unknown>>;
  const figures = (x: unknown): x is readonly number[] =>
    Array.isArray(x) && x.length === BINS && x.every((v) => typeof v === "number" && Number.isFinite(v));
  if (!figures(means) || !figures(days) || typeof gain !== "number") return noSeason;
  return { ...noSeason, means, days, gain };
}
