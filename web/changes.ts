import type { Role } from "../core/pool.ts";
import type { PageDecision } from "../wire/page.ts";

/** One pool's part of a decision. `from` is null when nothing earlier is known. */
export interface Step {
  readonly from: number | null;
  readonly to: number;
}

export interface DecisionRow {
  readonly key: string;
  readonly entry: PageDecision;
  readonly prefill: Step;
  readonly decode: Step;
  /** Replicas differ from the decision before, GPUs changed role, or something was tried. */
  readonly changed: boolean;
}

type ScaledRole = Extract<Role, "prefill" | "decode">;
interface Counts {
  readonly prefill: number | null;
  readonly decode: number | null;
}

export const decisionKey = (d: PageDecision): string => `${d.policy} ${d.decision.at}`;

/**
 * Decisions carry what is wanted, not what was there: the count before comes from the decision before it.
 * A failed one moved nothing, so the next still starts from the older count.
 */
export function decisionRows(newestFirst: readonly PageDecision[]): readonly DecisionRow[] {
  const before = new Map<string, Counts>();
  const rows: DecisionRow[] = [];
  for (const entry of newestFirst.toReversed()) {
    const known = before.get(entry.policy) ?? { prefill: null, decode: null };
    const row = toRow(entry, known);
    rows.push(row);
    if (entry.outcome !== "failed") before.set(entry.policy, { prefill: row.prefill.to, decode: row.decode.to });
  }
  return rows.toReversed();
}

function toRow(entry: PageDecision, known: Counts): DecisionRow {
  const step = (role: ScaledRole): Step => ({ from: known[role], to: entry.decision.pools[role].replicas });
  const [prefill, decode] = [step("prefill"), step("decode")];
  const tried = entry.outcome === "applied" || entry.outcome === "failed";
  return { key: decisionKey(entry), entry, prefill, decode, changed: tried || differs(prefill) || differs(decode) };
}

const differs = (step: Step): boolean => step.from !== null && step.from !== step.to;

/** Keeps `limit` decisions. The oldest that changed nothing go first: a change explains the curves long after. */
export function boundDecisions(newestFirst: readonly PageDecision[], limit: number): readonly PageDecision[] {
  let excess = newestFirst.length - limit;
  if (excess <= 0) return newestFirst;
  const rows = decisionRows(newestFirst);
  const kept: PageDecision[] = [];
  for (const row of rows.toReversed()) {
    if (excess > 0 && !row.changed) excess--;
    else kept.push(row.entry);
  }
  return kept.toReversed().slice(0, limit);
}
