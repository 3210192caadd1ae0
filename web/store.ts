import type { PageDecision, PageFrame, PageMessage, PagePolicy, PageState } from "../wire/page.ts";
import { boundDecisions, decisionKey } from "./changes.ts";

/** All the page knows. Replaced as a whole by a snapshot, so a reconnect can never mix two histories. */
export interface Model {
  readonly state: PageState | null;
  /** Per policy, oldest first, at most an hour. */
  readonly frames: ReadonlyMap<string, readonly PageFrame[]>;
  /** Newest first. */
  readonly decisions: readonly PageDecision[];
}

export const LIMITS = {
  historySeconds: 3600,
  /** Two a second for the whole hour: the cap on a feed that is faster than it should be. */
  framesPerPolicy: 7200,
  decisions: 500,
  policies: 64,
} as const;

export const EMPTY: Model = { state: null, frames: new Map(), decisions: [] };
const NO_FRAMES: readonly PageFrame[] = [];

export function reduce(model: Model, message: PageMessage): Model {
  switch (message.type) {
    case "snapshot":
      return fromSnapshot(message.state, message.history, message.decisions);
    case "frame":
      return { ...model, state: message.state, frames: withFrame(model.frames, message.frame, message.state) };
    case "decision":
      return { ...model, decisions: withDecision(model.decisions, message.decision) };
    case "state":
      return { ...model, state: message.state };
    default:
      // A newer scaler may say more than this page understands.
      return model;
  }
}

function fromSnapshot(state: PageState, history: readonly PageFrame[], decisions: readonly PageDecision[]): Model {
  const byPolicy = new Map<string, PageFrame[]>();
  for (const frame of history) {
    if (!Number.isFinite(frame.at)) continue;
    const list = byPolicy.get(frame.policy);
    if (list !== undefined) list.push(frame);
    else if (byPolicy.size < LIMITS.policies) byPolicy.set(frame.policy, [frame]);
  }
  const frames = new Map<string, readonly PageFrame[]>();
  for (const [policy, list] of byPolicy) {
    // Map keeps the last of equal times, as a later frame would replace an earlier one.
    const unique = new Map(list.map((f) => [f.at, f]));
    frames.set(policy, trim([...unique.values()].sort((a, b) => a.at - b.at)));
  }
  const unique = new Map(decisions.filter((d) => Number.isFinite(d.decision.at)).map((d) => [decisionKey(d), d]));
  const ordered = [...unique.values()].sort((a, b) => b.decision.at - a.decision.at);
  return { state, frames, decisions: boundDecisions(ordered, LIMITS.decisions) };
}

function withFrame(
  frames: ReadonlyMap<string, readonly PageFrame[]>,
  frame: PageFrame,
  state: PageState,
): ReadonlyMap<string, readonly PageFrame[]> {
  if (!Number.isFinite(frame.at)) return frames;
  if (!frames.has(frame.policy) && frames.size >= LIMITS.policies) return frames;
  const next = new Map(frames).set(frame.policy, trim(insert(frames.get(frame.policy) ?? NO_FRAMES, frame)));
  // A policy that is gone takes its history with it.
  const known = new Set(state.policies.flatMap(policyKeys));
  for (const name of next.keys()) if (!known.has(name) && name !== frame.policy) next.delete(name);
  return next;
}

function insert(frames: readonly PageFrame[], frame: PageFrame): readonly PageFrame[] {
  const last = frames.at(-1);
  if (last === undefined || last.at < frame.at) return [...frames, frame];
  const index = firstAtOrAfter(frames, frame.at);
  const replaced = frames[index]?.at === frame.at ? 1 : 0;
  return frames.toSpliced(index, replaced, frame);
}

function trim(frames: readonly PageFrame[]): readonly PageFrame[] {
  const last = frames.at(-1);
  if (last === undefined) return frames;
  const start = Math.max(firstAtOrAfter(frames, last.at - LIMITS.historySeconds), frames.length - LIMITS.framesPerPolicy);
  return start === 0 ? frames : frames.slice(start);
}

/** Index of the first frame not older than `at`; the length when there is none. */
export function firstAtOrAfter(frames: readonly { readonly at: number }[], at: number): number {
  let [low, high] = [0, frames.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((frames[middle]?.at ?? Infinity) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function withDecision(decisions: readonly PageDecision[], added: PageDecision): readonly PageDecision[] {
  if (!Number.isFinite(added.decision.at)) return decisions;
  const key = decisionKey(added);
  const others = decisions.filter((d) => decisionKey(d) !== key);
  const index = others.findIndex((d) => d.decision.at <= added.decision.at);
  return boundDecisions(others.toSpliced(index < 0 ? others.length : index, 0, added), LIMITS.decisions);
}

/** How frames and decisions may name a policy: alone where that is enough, with the namespace where it is not. */
export const policyKeys = (policy: Pick<PagePolicy, "namespace" | "name">): readonly [string, string] => [
  `${policy.namespace}/${policy.name}`,
  policy.name,
];

export function framesOf(model: Model, policy: PagePolicy | null): readonly PageFrame[] {
  if (policy === null) return NO_FRAMES;
  const [full, short] = policyKeys(policy);
  return model.frames.get(full) ?? model.frames.get(short) ?? NO_FRAMES;
}

/** The policy asked for (as namespace/name), or the first: a selection that no longer exists must not blank the page. */
export function policyOf(model: Model, key: string | null): PagePolicy | null {
  const policies = model.state?.policies ?? [];
  return policies.find((p) => policyKeys(p)[0] === key) ?? policies[0] ?? null;
}
