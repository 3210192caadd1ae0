import { afterVerdict, type Hysteresis, type HysteresisTimes, unknownSince } from "../../core/hysteresis.ts";
import { linkOf, type LinkTallies, type LinkTally, OTHER_LINKS } from "./link-tally.ts";

/** Tokens moved per second of transfer: what links of one model are compared by. */
export const speedOf = ({ tokens, seconds }: LinkTally): number | undefined => (tokens > 0 && seconds > 0 ? tokens / seconds : undefined);

/** Fewer transfers say nothing of a link, and fewer links have no usual speed. */
const LEAST_TRANSFERS = 20;
const LEAST_LINKS = 3;
/** A link this many times slower than the median is slow; below the other it is as the others are. */
const SLOW = 2;
const USUAL = 1.5;
/** Links that come and go: twice what is judged at a time. */
const MAX_STANDINGS = 512;
const TIMES: HysteresisTimes = { raise: 30, clear: 60, forget: 600 };

export interface LinkVerdict {
  /** Median speed of the links ÷ this one's. */
  readonly slowness: number;
  readonly verdict: "bad" | "good" | undefined;
}

/**
 * Each link's speed against the median of all: robust against the slow ones themselves while they are fewer than half. Only between nodes, because
 * within a node KV takes another way. The same whatever unit or model size the speeds are in.
 */
export function judgeLinks(tallies: LinkTallies): ReadonlyMap<string, LinkVerdict> {
  const speeds: (readonly [string, number])[] = [];
  for (const [key, tally] of tallies) {
    const { source, target } = linkOf(key);
    const speed = speedOf(tally);
    const named = source !== "" && target !== "" && source !== OTHER_LINKS && source !== target;
    if (named && speed !== undefined && tally.transfers >= LEAST_TRANSFERS) speeds.push([key, speed]);
  }
  if (speeds.length < LEAST_LINKS) return new Map();
  const usual = median(speeds.map(([, speed]) => speed));
  return new Map(
    speeds.map(([key, speed]) => {
      const slowness = usual / speed;
      return [key, { slowness, verdict: slowness > SLOW ? "bad" : slowness < USUAL ? "good" : undefined }];
    }),
  );
}

/** The standing of every link that has one; links nothing is known of for long are forgotten. */
export type LinkStandings = ReadonlyMap<string, Hysteresis>;

export function standLinks(before: LinkStandings, verdicts: ReadonlyMap<string, LinkVerdict>, at: number): LinkStandings {
  const after = new Map<string, Hysteresis>();
  for (const key of new Set([...before.keys(), ...verdicts.keys()])) {
    const standing = before.get(key) ?? unknownSince(at);
    const verdict = verdicts.get(key)?.verdict;
    if (verdict === undefined && at - standing.seenAt > TIMES.forget) continue;
    // Those that stand already come first.
    if (after.size < MAX_STANDINGS) after.set(key, afterVerdict(standing, verdict, at, TIMES));
  }
  return after;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}
