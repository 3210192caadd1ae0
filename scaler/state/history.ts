import type { PageDecision, PageFrame } from "../../wire/page.ts";

/** What the page shows of the past, in memory and bounded; Prometheus is the long store. */
export interface History {
  addFrame(frame: PageFrame): void;
  addDecision(decision: PageDecision): void;
  /** Oldest first. */
  frames(limit: number, policy?: string): readonly PageFrame[];
  /** Newest first. */
  decisions(limit: number, policy?: string): readonly PageDecision[];
  /** A policy that is gone leaves no pictures behind. */
  drop(policy: string): void;
}

export const MAX_DECISIONS = 500;
/** Per policy, whatever its interval: an hour of seconds. */
const MAX_FRAMES = 3600;

export function createHistory(seconds: number): History {
  const frames = new Map<string, PageFrame[]>();
  const decisions = new Map<string, PageDecision[]>();
  const pick = <T>(all: ReadonlyMap<string, readonly T[]>, policy: string | undefined): readonly T[] =>
    policy === undefined ? [...all.values()].flat() : (all.get(policy) ?? []);
  return {
    addFrame(frame) {
      const kept = frames.get(frame.policy) ?? [];
      kept.push(frame);
      let old = 0;
      while (kept.length - old > MAX_FRAMES || (kept[old]?.at ?? frame.at) < frame.at - seconds) old++;
      if (old > 0) kept.splice(0, old);
      frames.set(frame.policy, kept);
    },
    addDecision(decision) {
      const kept = decisions.get(decision.policy) ?? [];
      kept.push(decision);
      if (kept.length > MAX_DECISIONS) kept.shift();
      decisions.set(decision.policy, kept);
    },
    frames: (limit, policy) =>
      newest(
        pick(frames, policy).toSorted((a, b) => a.at - b.at),
        limit,
      ),
    decisions: (limit, policy) =>
      newest(
        pick(decisions, policy).toSorted((a, b) => a.decision.at - b.decision.at),
        limit,
      ).toReversed(),
    drop(policy) {
      frames.delete(policy);
      decisions.delete(policy);
    },
  };
}

/** slice(-0) would be everything. */
const newest = <T>(all: readonly T[], limit: number): readonly T[] => (limit <= 0 ? [] : all.slice(-limit));
