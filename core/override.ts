/** What a policy's mode leaves the scaler to do, most first. */
export const MODES = ["enforce", "observe", "paused"] as const;
export type Mode = (typeof MODES)[number];

/** An operator's word that a policy does less than its own mode says. It never does more: the policy is the authority. */
export interface ModeOverride {
  readonly mode: "observe" | "paused";
  /** The name of the token that was presented. */
  readonly by: string;
  /** Unix seconds. */
  readonly at: number;
  readonly reason?: string;
  /** Unix seconds from which it no longer holds; undefined = until it is lifted. */
  readonly until?: number;
}

/** By policy (`namespace/name`), or for all of them. */
export type Overrides = Readonly<Record<string, ModeOverride>>;
export const ALL_POLICIES = "*";

/** How little a mode leaves to do: a higher one does less. */
export const restraint = (mode: Mode): number => MODES.indexOf(mode);

export const expired = ({ until }: ModeOverride, at: number): boolean => until !== undefined && until <= at;

/** The override that makes this policy do less than its own mode `own` at that time, if there is one: the strictest, then the longest. */
export function inForce(overrides: Overrides, policy: string, own: Mode, at: number): ModeOverride | undefined {
  const holding = [overrides[policy], overrides[ALL_POLICIES]].filter(
    (o) => o !== undefined && !expired(o, at) && restraint(o.mode) > restraint(own),
  );
  const [first] = holding.toSorted((a, b) =>
    a === undefined || b === undefined ? 0 : restraint(b.mode) - restraint(a.mode) || end(b) - end(a),
  );
  return first;
}

/** A number even for "never": the difference of two infinities is none. */
const end = ({ until }: ModeOverride): number => until ?? Number.MAX_VALUE;

const clock = (at: number): string => new Date(at * 1000).toISOString().replace(/\.\d+Z$/, "Z");

/** "paused by alice since 2026-11-25T14:02:00Z until 2026-11-25T14:32:00Z: the node pool is being replaced" */
export function overrideText({ mode, by, at, until, reason }: ModeOverride): string {
  const verb = mode === "paused" ? "paused" : "set to observe";
  return `${verb} by ${by} since ${clock(at)}${until === undefined ? "" : ` until ${clock(until)}`}${reason === undefined ? "" : `: ${reason}`}`;
}
