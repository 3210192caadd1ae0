import { describe, expect, it } from "vitest";
import { pinball } from "../../../scaler/learn/forecaster.ts";
import { anticipate, noSeason, reviveSeason, type Season } from "../../../scaler/learn/season.ts";

const DAY = 86_400;
const SPAN = 30;
const HORIZON = 300;

/** Chance of a few per cent, the same in every run. */
const noisy = (at: number): number => 1 + ((((at / SPAN) * 7919) % 101) - 50) / 1500;

interface Outcome {
  readonly season: Season;
  /** Pinball loss on each day: of the level carried forward, and of what the season made of it. */
  readonly naive: readonly number[];
  readonly raised: readonly number[];
  /** How often the season raised the forecast, per day. */
  readonly spoke: readonly number[];
}

/** Runs days of traffic whose rate depends on time as `rate` says. */
function run(days: number, rate: (at: number) => number, from: Season = noSeason, start = 0): Outcome {
  let season = from;
  const [naive, raised, spoke] = [0, 1, 2].map(() => Array.from({ length: days }, () => 0));
  if (naive === undefined || raised === undefined || spoke === undefined) throw new Error("three lists");
  for (let at = start; at < start + days * DAY; at += SPAN) {
    const level = rate(at) * noisy(at);
    const found = anticipate(season, { at, horizon: HORIZON, span: SPAN }, level, level);
    season = found.season;
    const day = Math.floor((at - start) / DAY);
    const then = rate(at + HORIZON);
    naive[day] = (naive[day] ?? 0) + pinball(then, level);
    raised[day] = (raised[day] ?? 0) + pinball(then, found.rate);
    if (found.rate !== level) spoke[day] = (spoke[day] ?? 0) + 1;
  }
  return { season, naive, raised, spoke };
}

/** Office hours: four times as much from nine to seventeen. */
const office = (at: number): number => (at % DAY >= 9 * 3600 && at % DAY < 17 * 3600 ? 40 : 10);

describe("season of the day", () => {
  it("is silent for two days and wins on the third", () => {
    const { naive, raised, spoke } = run(3, office);
    expect(spoke.slice(0, 2)).toEqual([0, 0]);
    expect(raised.slice(0, 2)).toEqual(naive.slice(0, 2));
    expect(spoke[2]).toBeGreaterThanOrEqual(HORIZON / SPAN - 1);
    expect(raised[2]).toBeLessThan((naive[2] ?? 0) * 0.75);
  });

  it("follows the level: a day of twice the traffic is foreseen twice as high", () => {
    const { season } = run(2, office);
    const learned = run(1, (at) => 2 * office(at), season, 2 * DAY);
    expect(learned.raised[0]).toBeLessThan((learned.naive[0] ?? 0) * 0.75);
    const before = 2 * DAY + 9 * 3600 - HORIZON + SPAN;
    const { rate } = anticipate(season, { at: before, horizon: HORIZON, span: SPAN }, 20, 20);
    expect(rate / 80).toBeCloseTo(1, 1);
  });

  it("stays silent where days differ: a rise that does not come costs its credit", () => {
    // Every other day is a day off.
    const alternating = (at: number): number => (Math.floor(at / DAY) % 2 === 0 ? office(at) : 10);
    const { naive, raised } = run(8, alternating);
    const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
    expect(sum(raised)).toBeLessThan(sum(naive) * 1.05);
  });

  it("says nothing about steady traffic, and never lowers a forecast", () => {
    expect(run(4, () => 20).spoke).toEqual([0, 0, 0, 0]);
    const { season } = run(3, office);
    const evening = 3 * DAY + 17 * 3600 - 60;
    expect(anticipate(season, { at: evening, horizon: HORIZON, span: SPAN }, 40, 40).rate).toBe(40);
  });

  it("does not learn from bins that were mostly unseen", () => {
    const { season } = run(2, office);
    let blind = season;
    for (let at = 2 * DAY; at < 3 * DAY; at += 600) blind = anticipate(blind, { at, horizon: HORIZON, span: SPAN }, 0, 0).season;
    expect(blind.means.filter((m, i) => m !== season.means[i]).length).toBeLessThanOrEqual(1);
  });

  it("is bounded, and its means survive a checkpoint", () => {
    const { season } = run(3, office);
    expect(season.means).toHaveLength(144);
    expect(season.pending.length).toBeLessThanOrEqual(600);
    expect(JSON.stringify(season).length).toBeLessThan(6000);
    const revived = reviveSeason(JSON.parse(JSON.stringify(season)));
    expect([revived.means, revived.days, revived.gain]).toEqual([season.means, season.days, season.gain]);
    for (const nothing of [undefined, null, 3, {}, { means: [1], days: [1], gain: 0 }]) expect(reviveSeason(nothing)).toEqual(noSeason);
  });
});
