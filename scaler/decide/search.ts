import type { Candidate } from "../../core/decision.ts";
import { predict, type Plan, type Prediction, type Situation } from "./predict.ts";

export interface Bounds {
  readonly prefill: { readonly min: number; readonly max: number; readonly gpus: number };
  readonly decode: { readonly min: number; readonly max: number; readonly gpus: number };
  /** GPUs that may be used; Infinity without a budget. */
  readonly gpus: number;
  readonly ratio: { readonly min: number; readonly max: number };
}

export interface Targets {
  readonly ttft: number;
  readonly itl: number;
}

export interface Found {
  readonly plan: Plan;
  readonly prediction: Prediction;
  readonly gpus: number;
  readonly meets: boolean;
}

/**
 * The plan of `search` for what the pools do on their own, with as many prefill replicas less as its decode replicas make up for by computing
 * prompts. Decode never grows for it: that would trade replicas to and fro between two ways of doing the same work.
 */
export function searchBeside(bounds: Bounds, targets: Targets, situation: Situation): Found | undefined {
  if (situation.local === undefined) return search(bounds, targets, situation);
  const { local: _, ...alone } = situation;
  const own = search(bounds, targets, alone);
  if (own === undefined) return own;
  for (let prefill = bounds.prefill.min; prefill < own.plan.prefill; prefill++) {
    const found = weigh({ prefill, decode: own.plan.decode }, bounds, targets, situation);
    if (found.meets && prefill / found.plan.decode >= bounds.ratio.min) return found;
  }
  return own;
}

/**
 * The cheapest (prefill, decode) within the bounds that meets both targets; on equal GPUs the one with more slack.
 * When none does because of a backlog, the best of those that at least carry the steady demand: a queue that already
 * exists must not starve the other pool for good. When none does that either, the one with the least violation.
 * Full enumeration: two whole numbers, fully explainable.
 */
export function search(bounds: Bounds, targets: Targets, situation: Situation): Found | undefined {
  const all = [...plans(bounds)];
  const best = pick(all, bounds, targets, situation);
  if (best === undefined || best.meets || situation.backlog.tokens + situation.backlog.decodeTokens === 0) return best;
  const steady: Situation = { ...situation, backlog: { ...situation.backlog, tokens: 0, decodeTokens: 0 } };
  const carrying = all.filter((plan) => weigh(plan, bounds, targets, steady).meets);
  if (carrying.length === 0) return pick(all, bounds, targets, steady);
  return pick(carrying, bounds, targets, situation);
}

function pick(from: readonly Plan[], bounds: Bounds, targets: Targets, situation: Situation): Found | undefined {
  let best: Found | undefined;
  for (const plan of from) {
    const found = weigh(plan, bounds, targets, situation);
    if (best === undefined || better(found, best, targets)) best = found;
  }
  return best;
}

export function weigh(plan: Plan, bounds: Bounds, targets: Targets, situation: Situation): Found {
  const prediction = predict(plan, situation);
  return {
    plan,
    prediction,
    gpus: plan.prefill * bounds.prefill.gpus + plan.decode * bounds.decode.gpus,
    meets: violation(prediction, targets) === 0,
  };
}

function* plans(b: Bounds): Generator<Plan> {
  for (let prefill = b.prefill.min; prefill <= b.prefill.max; prefill++) {
    for (let decode = b.decode.min; decode <= b.decode.max; decode++) {
      if (prefill * b.prefill.gpus + decode * b.decode.gpus > b.gpus) break;
      const share = prefill / decode;
      if (share >= b.ratio.min && share <= b.ratio.max) yield { prefill, decode };
    }
  }
}

/** Sum of how far each latency lies above its target, in log units, so that 2× too slow weighs the same for both. */
export function violation(p: Prediction, t: Targets): number {
  return over(p.ttft, t.ttft, p.rho.prefill) + over(p.itl, t.itl, p.rho.decode);
}

function over(value: number, target: number, rho: number): number {
  if (value <= target) return 0;
  // An unstable queue has no latency; order such plans by how overloaded they are.
  if (!Number.isFinite(value)) return 100 + Math.log(Math.max(rho, 1));
  return Math.min(99, Math.log(value / target));
}

function better(a: Found, b: Found, t: Targets): boolean {
  if (a.meets !== b.meets) return a.meets;
  if (a.meets) {
    if (a.gpus !== b.gpus) return a.gpus < b.gpus;
    return worstShare(a.prediction, t) < worstShare(b.prediction, t);
  }
  const gap = violation(a.prediction, t) - violation(b.prediction, t);
  if (Math.abs(gap) > 0.02) return gap < 0;
  return a.gpus < b.gpus;
}

const worstShare = (p: Prediction, t: Targets): number => Math.max(p.ttft / t.ttft, p.itl / t.itl);

/** The chosen plan and its neighbours, for `explain`. */
export function neighbours(around: Plan, bounds: Bounds, targets: Targets, situation: Situation): Candidate[] {
  const out: Candidate[] = [];
  for (const dp of [-1, 0, 1]) {
    for (const dd of [-1, 0, 1]) {
      const plan = { prefill: around.prefill + dp, decode: around.decode + dd };
      if (plan.prefill < 1 || plan.decode < 1) continue;
      const f = weigh(plan, bounds, targets, situation);
      const fits = f.gpus <= bounds.gpus;
      out.push({
        prefill: plan.prefill,
        decode: plan.decode,
        gpus: f.gpus,
        ttft: finite(f.prediction.ttft),
        itl: finite(f.prediction.itl),
        meets: f.meets && fits,
      });
    }
  }
  return out.sort((a, b) => a.gpus - b.gpus || a.prefill - b.prefill);
}

/** JSON has no Infinity: an unstable plan's latency is given as the largest figure we use, 1e9 s. */
export const finite = (x: number): number => (Number.isFinite(x) ? x : 1e9);
