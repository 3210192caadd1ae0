import { tokensPerSecond } from "../../core/units.ts";
import { worst, type Demand, type Level } from "./demand.ts";

/** One moment of the stabilization window: what was planned for then, and what the rates were. */
export interface Moment {
  readonly at: number;
  readonly demand: Demand;
  readonly level: Level;
}

/** A rise may come late, and a replica given back within two minutes of its start is a reversal: seconds that a forecast speaks at least. */
const LEAST = 120;
const LATE = 30;

/**
 * The heaviest demand of the window (oldest first, not empty). A forecast speaks until its time has come; from then on it counts for no
 * more than the highest rates seen since it was made: what was feared and did not come keeps no replicas for the rest of the window.
 */
export function heaviest(window: readonly [...Moment[], Moment], at: number, horizon: number): Demand {
  const [newest] = window.slice(-1);
  let most: Level = { arrivals: 0, prefillTokens: 0, decodeTokens: 0 };
  const due = at - Math.max(horizon, LEAST) - LATE;
  let found = (newest ?? window[0]).demand;
  for (let i = window.length - 1; i >= 0; i--) {
    const moment = window[i];
    if (moment === undefined) continue;
    most = {
      arrivals: Math.max(most.arrivals, moment.level.arrivals),
      prefillTokens: Math.max(most.prefillTokens, moment.level.prefillTokens),
      decodeTokens: Math.max(most.decodeTokens, moment.level.decodeTokens),
    };
    found = worst(found, moment.at < due ? atMost(moment.demand, most) : moment.demand);
  }
  return found;
}

const atMost = (demand: Demand, level: Level): Demand => ({
  ...demand,
  arrivals: Math.min(demand.arrivals, level.arrivals),
  prefillTokens: tokensPerSecond(Math.min(demand.prefillTokens, level.prefillTokens)),
  decodeTokens: tokensPerSecond(Math.min(demand.decodeTokens, level.decodeTokens)),
});
