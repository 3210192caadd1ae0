import { decodeSeconds, prefillSeconds, type DecodeModel, type PrefillModel } from "../../core/latency-model.ts";
import type { Observation } from "../../core/observation.ts";
import type { Prior } from "../decide/controller.types.ts";
import type { PolicySpec } from "../policy/schema.ts";
import { addEwma, emptyEwma, ewmaMean, type Ewma } from "./ewma.ts";
import { learnLeadTime, startLeadTime, type LeadTime } from "./lead-time.ts";
import { factor, learnScale, unitScale, type Scale } from "./scale.ts";
import { emptyWorkload, learnWorkload, lengths, type Workload } from "./workload.ts";

/** Goes up with every change of the fields below: a checkpoint of another shape is not read. */
export const LEARNED_SHAPE = 2;

/** Everything learned online, from exactly what agents report. Plain JSON. */
export interface Learned {
  readonly workload: Workload;
  readonly prefill: Scale;
  readonly decode: Scale;
  readonly lead: { readonly prefill: LeadTime; readonly decode: LeadTime };
  /** Seconds per KV transfer as delivered, and transfers' bytes per busy second. */
  readonly transfer: Ewma;
  readonly kvCapacity: number | null;
}

export const startLearning = (spec: PolicySpec): Learned => ({
  workload: emptyWorkload,
  prefill: unitScale,
  decode: unitScale,
  lead: { prefill: startLeadTime(spec.pools.prefill.leadTime), decode: startLeadTime(spec.pools.decode.leadTime) },
  transfer: emptyEwma,
  kvCapacity: null,
});

/** One interval's lesson. Missing parts teach nothing. */
export function learn(l: Learned, o: Observation, spec: PolicySpec, prior: Prior): Learned {
  const workload = learnWorkload(l.workload, o);
  return {
    workload,
    prefill: learnPrefill(l.prefill, o, workload, prior.prefill),
    decode: learnDecode(l.decode, o, prior.decode),
    lead: {
      prefill: learnLeadTime(l.lead.prefill, o.pools.prefill?.replicas, o.at, spec.pools.prefill.leadTime),
      decode: learnLeadTime(l.lead.decode, o.pools.decode?.replicas, o.at, spec.pools.decode.leadTime),
    },
    transfer: learnTransfer(l.transfer, o),
    kvCapacity: o.pools.decode?.kvCapacityTokens ?? l.kvCapacity,
  };
}

function learnPrefill(s: Scale, o: Observation, workload: Workload, prior: PrefillModel): Scale {
  const batches = o.pools.prefill?.interval?.batches;
  if (batches === undefined || !(batches.count > 0) || !(batches.tokens > 0)) return s;
  const perPass = batches.tokens / batches.count;
  const known = lengths(workload);
  // Attention: each computed token sees its prompt; token-weighted mean length = E[L²]/E[L].
  const weighted = known === undefined ? perPass : known.isl * known.spread;
  return learnScale(s, batches.seconds, batches.count * prefillSeconds(prior, perPass, perPass * weighted));
}

function learnDecode(s: Scale, o: Observation, prior: DecodeModel): Scale {
  const steps = o.pools.decode?.interval?.steps;
  if (steps === undefined || !(steps.count > 0)) return s;
  // The model is linear, so the mean step is the step of the means.
  const predicted = steps.count * decodeSeconds(prior, steps.sequences / steps.count, steps.kvTokens / steps.count);
  return learnScale(s, steps.seconds, predicted);
}

function learnTransfer(e: Ewma, o: Observation): Ewma {
  const t = o.transfer;
  if (t?.transfers === undefined || t.busySeconds === undefined || !(t.transfers > 0)) return e;
  return addEwma(e, t.busySeconds / t.transfers, t.seconds, 30);
}

/** The models in force: the prior's shape at the learned size. */
export interface Models {
  readonly prefill: PrefillModel;
  readonly decode: DecodeModel;
  /** Seconds one KV transfer takes. */
  readonly transfer: number;
  readonly kvCapacity: number;
}

export function models(l: Learned, prior: Prior): Models {
  const p = factor(l.prefill);
  const d = factor(l.decode);
  const isl = lengths(l.workload)?.isl ?? 0;
  const expected = prior.transfer.latency + (isl * prior.kvBytesPerToken) / prior.transfer.bytesPerSecond;
  return {
    prefill: { floor: prior.prefill.floor * p, c0: prior.prefill.c0 * p, c1: prior.prefill.c1 * p, c2: prior.prefill.c2 * p },
    decode: { d0: prior.decode.d0 * d, d1: prior.decode.d1 * d, d2: prior.decode.d2 * d },
    transfer: ewmaMean(l.transfer) ?? expected,
    kvCapacity: l.kvCapacity ?? prior.kvCapacityTokens,
  };
}
