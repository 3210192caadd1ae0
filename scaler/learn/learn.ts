import { transferSeconds, type DecodeModel, type PrefillModel } from "../../core/latency-model.ts";
import type { Observation } from "../../core/observation.ts";
import { bytes } from "../../core/units.ts";
import type { Prior } from "../decide/controller.types.ts";
import type { PolicySpec } from "../policy/schema.ts";
import { learnDrainTime, startDrainTime, type DrainTime } from "./drain-time.ts";
import { addEwma, emptyEwma, ewmaMean, type Ewma } from "./ewma.ts";
import { noFit, type Fit } from "./fit.ts";
import { learnLeadTime, startLeadTime, type LeadTime } from "./lead-time.ts";
import { localSeconds } from "./local-prefill.ts";
import { decodeModel, learnDecode, learnPrefill, learnTransfer, prefillModel, transferModel } from "./model-fits.ts";
import { noneWarming, noteReady, warmingUp, type Warming } from "./warming.ts";
import { emptyWorkload, learnWorkload, lengths, type Workload } from "./workload.ts";

/** As long as prompts are remembered twice over: it follows their lengths. */
const BYTES_TAU = 30;

/** Goes up with every change of the fields below: an earlier shape is revived (revive.ts), a later one not read. */
export const LEARNED_SHAPE = 4;

/** Everything learned online, from exactly what agents report. Plain JSON. */
export interface Learned {
  readonly workload: Workload;
  /** Latency models, one factor per coefficient. */
  readonly prefill: Fit;
  readonly decode: Fit;
  readonly transfer: Fit;
  readonly lead: { readonly prefill: LeadTime; readonly decode: LeadTime };
  readonly drain: { readonly prefill: DrainTime; readonly decode: DrainTime };
  /** Bytes of one KV transfer. */
  readonly transferBytes: Ewma;
  readonly kvCapacity: number | null;
  readonly warming: { readonly prefill: Warming; readonly decode: Warming };
}

export const startLearning = (spec: PolicySpec): Learned => ({
  workload: emptyWorkload,
  prefill: noFit,
  decode: noFit,
  transfer: noFit,
  lead: { prefill: startLeadTime(spec.pools.prefill.leadTime), decode: startLeadTime(spec.pools.decode.leadTime) },
  drain: { prefill: startDrainTime(spec.pools.prefill.leadTime), decode: startDrainTime(spec.pools.decode.leadTime) },
  transferBytes: emptyEwma,
  kvCapacity: null,
  warming: { prefill: noneWarming, decode: noneWarming },
});

/** One interval's lesson. Missing parts teach nothing. */
export function learn(l: Learned, o: Observation, spec: PolicySpec, prior: Prior): Learned {
  const workload = learnWorkload(l.workload, o);
  const warming = {
    prefill: noteReady(l.warming.prefill, o.pools.prefill?.replicas, o.at),
    decode: noteReady(l.warming.decode, o.pools.decode?.replicas, o.at),
  };
  // Before anything is known a cold sample is better than the prior.
  const cold = (role: "prefill" | "decode"): boolean => l[role].cov !== null && warmingUp(warming[role], o.at);
  return {
    workload,
    prefill: cold("prefill") ? l.prefill : learnPrefill(l.prefill, o, workload, prior),
    decode: cold("decode") ? l.decode : learnDecode(l.decode, o, localSeconds(o, prefillModel(l.prefill, prior), workload, spec), prior),
    transfer: learnTransfer(l.transfer, o.transfer, workload, prior),
    lead: {
      prefill: learnLeadTime(l.lead.prefill, o.pools.prefill?.replicas, o.at, spec.pools.prefill.leadTime),
      decode: learnLeadTime(l.lead.decode, o.pools.decode?.replicas, o.at, spec.pools.decode.leadTime),
    },
    drain: { prefill: drained(l, o, spec, "prefill"), decode: drained(l, o, spec, "decode") },
    transferBytes: meanBytes(l.transferBytes, o),
    kvCapacity: o.pools.decode?.kvCapacityTokens ?? l.kvCapacity,
    warming,
  };
}

function drained(l: Learned, o: Observation, spec: PolicySpec, role: "prefill" | "decode"): DrainTime {
  const time = { at: o.at, interval: spec.behavior.interval, leadTime: spec.pools[role].leadTime };
  return learnDrainTime(l.drain[role], o.pools[role]?.replicas, time);
}

function meanBytes(e: Ewma, { transfer: t }: Observation): Ewma {
  if (t?.transfers === undefined || t.bytes === undefined || !(t.transfers > 0)) return e;
  return addEwma(e, t.bytes / t.transfers, t.seconds, BYTES_TAU);
}

/** The models in force: the prior's with what was learned of each coefficient. */
export interface Models {
  readonly prefill: PrefillModel;
  readonly decode: DecodeModel;
  /** Seconds one KV transfer takes. */
  readonly transfer: number;
  readonly kvCapacity: number;
}

export function models(l: Learned, prior: Prior): Models {
  const perTransfer = ewmaMean(l.transferBytes) ?? (lengths(l.workload)?.isl ?? 0) * prior.kvBytesPerToken;
  return {
    prefill: prefillModel(l.prefill, prior),
    decode: decodeModel(l.decode, prior),
    transfer: transferSeconds(transferModel(l.transfer, prior), bytes(perTransfer)),
    kvCapacity: l.kvCapacity ?? prior.kvCapacityTokens,
  };
}
