/** A state that is told to people: it turns only after the evidence held for a while, and is unknown again when evidence stays away. */
export interface Hysteresis {
  readonly state: "unknown" | "clear" | "raised";
  /** When the state was entered. */
  readonly since: number;
  /** Since when verdicts have been for the other state without a break; null when the last one was not. */
  readonly againstSince: number | null;
  /** Time of the last verdict. */
  readonly seenAt: number;
}

/** Seconds. */
export interface HysteresisTimes {
  readonly raise: number;
  readonly clear: number;
  /** Without any verdict for this long the state is unknown. */
  readonly forget: number;
}

export const unknownSince = (at: number): Hysteresis => ({ state: "unknown", since: at, againstSince: null, seenAt: at });

/** One more verdict; undefined when the evidence says nothing, which turns no state and clears none. */
export function afterVerdict(h: Hysteresis, verdict: "bad" | "good" | undefined, at: number, times: HysteresisTimes): Hysteresis {
  if (verdict === undefined) return h.state !== "unknown" && at - h.seenAt > times.forget ? unknownSince(at) : h;
  const wanted = verdict === "bad" ? "raised" : "clear";
  if (h.state === wanted) return { ...h, againstSince: null, seenAt: at };
  // A gap in the evidence longer than it takes to turn is no evidence for the time between.
  const after = wanted === "raised" ? times.raise : times.clear;
  const unbroken = h.againstSince !== null && at - h.seenAt <= Math.max(after, 1) ? h.againstSince : at;
  const enough = h.state === "unknown" && wanted === "clear" ? true : at - unbroken >= after;
  return enough ? { state: wanted, since: at, againstSince: null, seenAt: at } : { ...h, againstSince: unbroken, seenAt: at };
}
