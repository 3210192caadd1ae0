import type { Candidate, Decision, Reason, ReasonCode } from "../../core/decision.ts";
import type { ReplicaCounts } from "../../core/observation.ts";
import type { Summary } from "../../core/summary.ts";
import type { TickRecord } from "../../scaler/journal/records.ts";
import type { Policy } from "../../scaler/policy/schema.ts";
import type { Insight } from "../../scaler/decide/state.ts";
import { believedText } from "./believed.ts";
import { timeText } from "./time.ts";

/** Why a decision was taken: what was seen, believed, predicted, weighed and held back, for a person to read. */
export function explanation(tick: TickRecord, policy: Policy, believed: Insight | undefined): string {
  const { decision } = tick;
  return [
    headline(tick),
    ...seen(tick, policy),
    ...predicted(decision, policy),
    ...(believed === undefined ? [] : believedText(believed)),
    "",
    "Reasons",
    ...decision.reasons.flatMap((reason) => [`  ${reason.code}: ${reason.text}`, ...numbers(reason.numbers)]),
    ...plans(decision, policy),
  ].join("\n");
}

function headline(tick: TickRecord): string {
  const { prefill, decode } = tick.observation.pools;
  const { pools, hold } = tick.decision;
  const change = (name: string, before: ReplicaCounts | undefined, after: number): string =>
    `${name} ${before === undefined ? "?" : paid(before)} → ${after}`;
  const outcome = tick.error === undefined ? tick.outcome : `${tick.outcome}: ${tick.error}`;
  const plan = `${change("prefill", prefill?.replicas, pools.prefill.replicas)}, ${change("decode", decode?.replicas, pools.decode.replicas)}`;
  return `${timeText(tick.at)}  ${tick.name}: ${plan}${hold ? " (hold)" : ""} [${outcome}]`;
}

const paid = (counts: ReplicaCounts): number => counts.ready + counts.starting.length;

function seen(tick: TickRecord, policy: Policy): string[] {
  const { prefill, decode } = tick.observation.pools;
  const parts = (fields: readonly (string | undefined)[]): string => fields.filter((field) => field !== undefined).join(", ") || "nothing";
  const { ttft, itl } = policy.spec.objectives;
  return [
    `  prefill: ${parts([replicas(prefill?.replicas), waiting(prefill?.queue?.requests), latency("TTFT", prefill?.interval?.ttft, ttft?.target)])}`,
    `  decode:  ${parts([replicas(decode?.replicas), waiting(decode?.queue?.requests), latency("ITL", decode?.interval?.itl, itl?.target)])}`,
  ];
}

const replicas = (counts: ReplicaCounts | undefined): string | undefined =>
  counts && `${counts.ready} ready, ${counts.starting.length} starting, ${counts.draining} draining`;
const waiting = (requests: number | undefined): string | undefined => (requests === undefined ? undefined : `${requests} waiting`);

function latency(name: string, summary: Summary | undefined, target: number | undefined): string | undefined {
  if (summary === undefined || summary.count === 0) return undefined;
  const against = target === undefined ? "" : ` (target ${seconds(target)})`;
  return `${name} p50 ${seconds(summary.p50)}, p95 ${seconds(summary.p95)}${against}`;
}

function predicted(decision: Decision, policy: Policy): string[] {
  const { ttft, itl } = policy.spec.objectives;
  const one = (name: string, value: number | undefined, objective: typeof ttft): string | undefined =>
    value === undefined || objective === undefined
      ? undefined
      : `${name} ${seconds(value)} at p${Number((objective.quantile * 100).toFixed(3))} (target ${seconds(objective.target)})`;
  const told = [one("TTFT", decision.predicted.ttft, ttft), one("ITL", decision.predicted.itl, itl)].filter((part) => part !== undefined);
  return told.length === 0 ? [] : [`  predicted for this plan: ${told.join(", ")}`];
}

function numbers(figures: Readonly<Record<string, number>> | undefined): string[] {
  const entries = Object.entries(figures ?? {});
  return entries.length === 0 ? [] : [`    ${entries.map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`).join(", ")}`];
}

function plans(decision: Decision, policy: Policy): string[] {
  const candidates = decision.candidates ?? [];
  if (candidates.length === 0) return [];
  const chosen = candidates.find((one) => isChosen(one, decision));
  const rows = candidates.map((one) => [
    isChosen(one, decision) ? "*" : " ",
    String(one.prefill),
    String(one.decode),
    String(one.gpus),
    seconds(one.ttft),
    seconds(one.itl),
    isChosen(one, decision) ? "chosen" : `not chosen: ${whyNot(one, chosen, policy, decision.reasons)}`,
  ]);
  const headroom = Math.round(policy.spec.objectives.headroom * 100);
  const kept = headroom > 0 ? `, with ${headroom} % of each pool's capacity kept free` : "";
  return ["", `Plans weighed, cheapest first${kept}`, ...table([["", "prefill", "decode", "GPUs", "TTFT", "ITL", ""], ...rows])];
}

const isChosen = (one: Candidate, decision: Decision): boolean =>
  one.prefill === decision.pools.prefill.replicas && one.decode === decision.pools.decode.replicas;

/** Why this neighbour was passed over, from its own figures. */
export function whyNot(one: Candidate, chosen: Candidate | undefined, policy: Policy, reasons: readonly Reason[]): string {
  const { objectives, budget } = policy.spec;
  if (budget.gpus !== undefined && one.gpus > budget.gpus) return `needs ${one.gpus} GPUs, the budget is ${budget.gpus}`;
  if (!one.meets) {
    const misses = (["ttft", "itl"] as const).filter((name) => !(one[name] <= (objectives[name]?.target ?? Infinity)));
    if (misses.length === 0) return `meets the targets only without the ${Math.round(objectives.headroom * 100)} % headroom`;
    return misses
      .map((name) => `${name.toUpperCase()} ${seconds(one[name])} misses ${seconds(objectives[name]?.target ?? Infinity)}`)
      .join(", ");
  }
  if (chosen === undefined) return "meets the targets, but a guardrail (above) allowed only what was chosen";
  if (one.gpus > chosen.gpus)
    return `meets the targets too, but costs ${one.gpus - chosen.gpus} GPU${one.gpus - chosen.gpus === 1 ? "" : "s"} more`;
  if (one.gpus < chosen.gpus) return `meets the targets now and is cheaper, but ${heldBack(one, chosen, reasons)}`;
  return "meets the targets at the same cost";
}

/** What keeps a pool from being smaller, for the pools that this plan would make smaller. */
const KEEPS_LARGE: ReadonlySet<ReasonCode> = new Set([
  ...(["partial-evidence", "model-mismatch", "panic-start", "scheduled-floor", "min-replicas", "step-limit", "cooldown"] as const),
  ...(["stabilization", "dead-band", "ratio-bounds", "paused", "observe"] as const),
]);

function heldBack(one: Candidate, chosen: Candidate, reasons: readonly Reason[]): string {
  const smaller = (["prefill", "decode"] as const).filter((role) => one[role] < chosen[role]);
  const keeping = smaller.flatMap((role) => {
    const codes = reasons.filter(({ code, text }) => KEEPS_LARGE.has(code) && (text.startsWith(role) || !/^(prefill|decode)\b/.test(text)));
    return codes.length === 0 ? [] : [`${role} is kept by ${[...new Set(codes.map(({ code }) => code))].join(", ")}`];
  });
  if (keeping.length > 0) return keeping.join("; ");
  return "not under the worst demand of the stabilization window with capacity to spare";
}

/** JSON has no infinity: the controller writes a prediction without bound as a number no latency reaches (30 years). */
const UNBOUNDED = 1e9;

function seconds(value: number): string {
  if (!(value < UNBOUNDED)) return "unbounded";
  return value < 10 ? `${Number((value * 1000).toPrecision(3))} ms` : `${Number(value.toPrecision(3))} s`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
}
