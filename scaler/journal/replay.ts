import type { Decision } from "../../core/decision.ts";
import type { Controller, Prior } from "../decide/controller.types.ts";
import { digest } from "../decide/digest.ts";
import { tickOverridden } from "../decide/overridden.ts";
import type { Policy } from "../policy/schema.ts";
import type { JournalRecord, TickRecord } from "./records.ts";

export interface Difference {
  /** Index of the record, from 0. */
  readonly index: number;
  readonly at: number;
  readonly name: string;
  readonly what: "decision" | "state" | "no-start" | "failed";
  readonly message: string;
  readonly journalled?: Decision;
  readonly replayed?: Decision;
}

export interface Replayed {
  /** Decisions that were made again. */
  readonly entries: number;
  readonly differences: readonly Difference[];
}

interface Running<State> {
  readonly state: State;
  readonly policy: Policy;
  readonly prior: Prior;
}

/**
 * Decides every tick again from what the journal says was seen, and names every difference. After one the policy goes on from
 * the replayed state, so one cause shows as it spread. Pure.
 */
export function replay<State>(records: readonly JournalRecord[], controller: Controller<State>): Replayed {
  const running = new Map<string, Running<State>>();
  const differences: Difference[] = [];
  let entries = 0;
  for (const [index, record] of records.entries()) {
    if (record.kind === "start") {
      running.set(record.name, { state: record.state as State, policy: record.policy, prior: record.prior });
      continue;
    }
    // The ticks carry the override that was in force.
    if (record.kind === "override") continue;
    const before = running.get(record.name);
    if (before === undefined) {
      differences.push({
        index,
        at: record.at,
        name: record.name,
        what: "no-start",
        message: "no start record of this policy stands before it",
      });
      continue;
    }
    entries++;
    const again = decideAgain(controller, before, record);
    if (!again.ok) {
      differences.push({ index, at: record.at, name: record.name, what: "failed", message: again.message });
      continue;
    }
    const found = compare(record, again.decision, again.state);
    if (found !== undefined) differences.push({ index, at: record.at, name: record.name, ...found });
    running.set(record.name, { ...before, state: again.state });
  }
  return { entries, differences };
}

type Again<State> =
  | { readonly ok: true; readonly state: State; readonly decision: Decision }
  | { readonly ok: false; readonly message: string };

function decideAgain<State>(controller: Controller<State>, before: Running<State>, record: TickRecord): Again<State> {
  try {
    const { observation, override } = record;
    return { ok: true, ...tickOverridden(controller, { state: before.state, observation, policy: before.policy, override }) };
  } catch (error) {
    // A controller that throws is a bug, or a journal edited by hand; the other policies still replay.
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

type Found = Pick<Difference, "what" | "message" | "journalled" | "replayed">;

function compare(record: TickRecord, decision: Decision, state: unknown): Found | undefined {
  const path = firstDifference(record.decision, JSON.parse(JSON.stringify(decision)) as unknown, "decision");
  if (path !== undefined) return { what: "decision", message: path, journalled: record.decision, replayed: decision };
  if (digest(state) === record.stateDigest) return undefined;
  return { what: "state", message: "the decision is the same, but what was learned differs" };
}

/** Where two JSON values first part, in words. */
export function firstDifference(a: unknown, b: unknown, path: string): string | undefined {
  if (Object.is(a, b)) return undefined;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) {
    return `${path}: journal ${show(a)}, replay ${show(b)}`;
  }
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const found = firstDifference(left[key], right[key], `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

const show = (value: unknown): string => (JSON.stringify(value) ?? "absent").slice(0, 80);
