import type { Reason } from "../../core/decision.ts";
import type { Demand } from "./demand.ts";
import { localCapacity } from "./local-prefill.ts";
import type { Plan, Situation } from "./predict.ts";
import { search, searchBeside, violation, weigh, type Bounds, type Found, type Targets } from "./search.ts";

/** What the model wants before any guardrail. */
export interface Proposal {
  readonly plan: Plan;
  readonly conversion: boolean;
  readonly reasons: readonly Reason[];
  /** The cheapest plan for the demand expected now. */
  readonly wanted: Found;
  readonly targets: Targets;
}

/**
 * At full caution a smaller pool must have this share of its capacity to spare, beyond the headroom, under the worst demand of the window. A share of
 * the latency target is no such margin: near saturation a tenth of it is nothing, and where one decode step alone takes half the
 * target it is half the pool (docs/adr/0009-spare-is-capacity.md). Eased with the error budget (scaler/decide/caution.ts).
 */
export const SPARE = 0.08;
/** A trade of replicas must lower the violation by this much (log units), or it is noise. */
const TRADE_GAIN = 0.05;

export interface ProposeInput {
  readonly current: Plan;
  readonly bounds: Bounds;
  readonly targets: Targets;
  readonly situation: Situation;
  /** The same situation under the heaviest demand of the stabilization window. */
  readonly worst: Demand;
  /** Share of capacity that a smaller pool must have to spare, beyond the headroom. */
  readonly spare: number;
  readonly convert: boolean;
  /** The KV path is full: more prefill does not help. */
  readonly transferBound: boolean;
}

/**
 * Per pool: up when the cheapest plan that meets the targets wants more; down to what meets them with capacity to
 * spare under the worst demand of the window; else as it is. When the growth does not fit the budget, the growing pool takes the GPUs of
 * the other one (a conversion) if the whole gets better by it.
 */
export function propose(i: ProposeInput): Proposal | undefined {
  const { current, bounds, situation } = i;
  const { targets, reasons: limits } = reachable(i);
  const up = searchBeside(bounds, targets, situation);
  // No spare for a backlog here: worst demand already holds the burst that made it.
  const careful = { ...situation, demand: i.worst, headroom: 1 - (1 - situation.headroom) * (1 - i.spare) };
  const low = searchBeside(bounds, targets, careful);
  if (up === undefined || low === undefined) return undefined;
  const reasons: Reason[] = [...limits, ...besideDecode(i, targets, up)];
  if (!up.meets) reasons.push(saturated(up, targets));
  const plan = {
    prefill: i.transferBound ? heldUp(i, up, low, reasons) : move("prefill", i, up, low, reasons),
    decode: move("decode", i, up, low, reasons),
  };
  const gpus = (p: Plan): number => p.prefill * bounds.prefill.gpus + p.decode * bounds.decode.gpus;
  const grows = plan.prefill > current.prefill || plan.decode > current.decode;
  if (!grows || gpus(plan) <= bounds.gpus) {
    const trade = grows && (plan.prefill < current.prefill || plan.decode < current.decode);
    return { plan, conversion: trade && gpus(plan) > bounds.gpus, reasons, wanted: up, targets };
  }
  const now = weigh(current, bounds, targets, situation);
  const gain = violation(now.prediction, targets) - violation(up.prediction, targets);
  if (i.convert && gain > TRADE_GAIN && !i.transferBound) {
    const text = `the growth does not fit ${bounds.gpus} GPUs: prefill ${current.prefill} → ${up.plan.prefill}, decode ${current.decode} → ${up.plan.decode}`;
    reasons.push({ code: "convert", text, numbers: { budgetGpus: bounds.gpus, gain } });
    return { plan: up.plan, conversion: true, reasons, wanted: up, targets };
  }
  return { plan, conversion: false, reasons, wanted: up, targets };
}

/** Said where prefill is smaller than it would be if decode computed no prompts. */
function besideDecode({ bounds, situation }: ProposeInput, targets: Targets, up: Found): Reason[] {
  if (situation.local === undefined || !up.meets) return [];
  const { local, ...alone } = situation;
  const without = search(bounds, targets, alone)?.plan.prefill ?? 0;
  if (without <= up.plan.prefill) return [];
  const { tokens, step } = localCapacity(up.plan.decode, situation, 0);
  const text = `decode computes what would queue for prefill, up to ${tokens.toFixed(0)} tokens/s in chunks of ${local.chunkTokens}, steps of ${ms(step)} within ITL: prefill needs ${up.plan.prefill} replicas, ${without} without it`;
  return [
    {
      code: "local-prefill",
      text,
      numbers: {
        chunkTokens: local.chunkTokens,
        localTokensPerSecond: tokens,
        stepSeconds: step,
        withReplicas: up.plan.prefill,
        withoutReplicas: without,
      },
    },
  ];
}

/** Prefill before a full KV path: never more; less where its own work, which it keeps up with, allows. */
function heldUp(i: ProposeInput, up: Found, low: Found, reasons: Reason[]): number {
  const now = i.current.prefill;
  const wanted = up.plan.prefill;
  const text = `the KV path is full: requests wait for their KV, and more prefill than ${now} would not help`;
  reasons.push({ code: "transfer-bound", text, numbers: { nowReplicas: now, wantedReplicas: wanted } });
  return wanted < now ? move("prefill", i, up, low, reasons) : now;
}

function move(role: "prefill" | "decode", i: ProposeInput, up: Found, low: Found, reasons: Reason[]): number {
  const now = i.current[role];
  const rho = up.prediction.rho[role];
  const wanted = up.plan[role];
  const kept = low.plan[role];
  const numbers = { nowReplicas: now, wantedReplicas: wanted, utilization: Number.isFinite(rho) ? rho : 1e9 };
  if (wanted > now) {
    reasons.push({ code: `${role}-short`, text: `${role} needs ${wanted} replicas for the expected demand, ${now} are there`, numbers });
    return wanted;
  }
  if (wanted === now) return now;
  // What prefill cannot work off now comes to decode as soon as it can: the demand seen lately says nothing about it.
  if (role === "decode" && (up.plan.prefill > i.current.prefill || i.situation.backlog.tokens > 0)) {
    const text = `decode could do with ${Math.max(kept, wanted)}, but what queues for prefill comes to decode next`;
    reasons.push({ code: "stabilization", text, numbers: { ...numbers, keptReplicas: kept } });
    return now;
  }
  if (low.meets && kept < now) {
    const text = `${kept} ${role} replicas still meet the targets with ${(i.spare * 100).toFixed(0)} % to spare under the worst demand of the window`;
    reasons.push({ code: `${role}-spare`, text, numbers: { ...numbers, keptReplicas: kept } });
    return Math.max(kept, wanted);
  }
  const text = `${role} could do with ${wanted} now, the worst demand of the window needs ${now}`;
  reasons.push({ code: "stabilization", text, numbers: { ...numbers, keptReplicas: kept } });
  return now;
}

/** Targets that replicas can meet: what one long prompt takes on an idle fleet is not mended by more of them. */
function reachable(i: ProposeInput): { targets: Targets; reasons: Reason[] } {
  const reasons: Reason[] = [];
  let { ttft, itl } = i.targets;
  const plenty = { prefill: 1e4, decode: 1e4 };
  const best = weigh(plenty, i.bounds, i.targets, i.situation).prediction;
  if (best.ttftFloor > ttft * 0.9) {
    const transfer = i.situation.models.transfer;
    const share = transfer / best.ttftFloor;
    reasons.push({
      code: share > 0.5 ? "transfer-bound" : "saturated",
      text:
        share > 0.5
          ? `the KV transfer takes ${ms(transfer)} of ${ms(best.ttftFloor)} TTFT on an idle fleet: more prefill does not help`
          : `a long prompt alone takes ${ms(best.ttftFloor)}, target ${ms(ttft)}: more replicas do not help`,
      numbers: { floorSeconds: best.ttftFloor, transferSeconds: transfer, targetSeconds: ttft },
    });
    ttft = best.ttftFloor * 1.25;
  }
  if (best.itl > itl * 0.95) {
    reasons.push({
      code: "saturated",
      text: `one decode step alone takes ${ms(best.itl)}, target ${ms(itl)}: more replicas do not help`,
      numbers: { floorSeconds: best.itl, targetSeconds: itl },
    });
    itl = best.itl * 1.25;
  }
  return { targets: { ttft, itl }, reasons };
}

function saturated(up: Found, t: Targets): Reason {
  const { ttft, itl } = up.prediction;
  const text = `no plan within the bounds meets the targets; prefill ${up.plan.prefill}, decode ${up.plan.decode} misses them least (TTFT ${ms(ttft)}, ITL ${ms(itl)})`;
  return { code: "saturated", text, numbers: { targetTtftSeconds: cap(t.ttft), targetItlSeconds: cap(t.itl) } };
}

const cap = (x: number): number => (Number.isFinite(x) ? x : 1e9);
export const ms = (s: number): string => (Number.isFinite(s) ? `${(s * 1000).toFixed(s < 0.1 ? 1 : 0)} ms` : "without bound");
