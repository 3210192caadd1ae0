import type { DecodeModel, PrefillModel, TransferModel } from "../../core/latency-model.ts";
import type { Observation, TransferObservation } from "../../core/observation.ts";
import { bytesPerSecond, seconds } from "../../core/units.ts";
import type { Prior } from "../decide/controller.types.ts";
import { factors, learnFit, type Fit, type Sample } from "./fit.ts";
import { lengths, type Workload } from "./workload.ts";

/** Which coefficients of which model the three terms of a fit stand for, and how an interval's figures become a sample of it. */

/** Busy seconds that count as full confidence in the level of a pool's model, and seconds of the clock in case many replicas fill them. */
const BUSY_MEMORY = 60;
const CLOCK_MEMORY = 30;
/** Links are not busy for long: seconds of the clock for the transfers. */
const TRANSFER_MEMORY = 30;

/** Of steps that do prompts for more than this share of their time too little is seen of decode itself. */
const MOST_LOCAL = 0.5;

/** Fixed (floor and c0), per token, attention. */
export function prefillModel(fit: Fit, { prefill }: Prior): PrefillModel {
  const [fixed, token, attention] = factors(fit);
  return { floor: prefill.floor * fixed, c0: prefill.c0 * fixed, c1: prefill.c1 * token, c2: prefill.c2 * attention };
}

export function decodeModel(fit: Fit, { decode }: Prior): DecodeModel {
  const [fixed, sequence, context] = factors(fit);
  return { d0: decode.d0 * fixed, d1: decode.d1 * sequence, d2: decode.d2 * context };
}

export function transferModel(fit: Fit, { transfer }: Prior): TransferModel {
  const [setup, byte] = factors(fit);
  return { latency: seconds(transfer.latency * setup), bytesPerSecond: bytesPerSecond(transfer.bytesPerSecond / byte) };
}

export function learnPrefill(fit: Fit, o: Observation, workload: Workload, prior: Prior): Fit {
  const batches = o.pools.prefill?.interval?.batches;
  if (batches === undefined || !(batches.count > 0) || !(batches.tokens > 0)) return fit;
  const m = prefillModel(fit, prior);
  const { count, tokens, seconds: observed } = batches;
  const linear = m.c0 * count + m.c1 * tokens;
  const floored = m.floor * count > linear;
  const known = lengths(workload);
  // Attention: each computed token sees its prompt; token-weighted mean length = E[L²]/E[L].
  const seen = known === undefined ? tokens / count : known.isl * known.spread;
  const parts: Sample["parts"] = [floored ? m.floor * count : m.c0 * count, floored ? 0 : m.c1 * tokens, m.c2 * tokens * seen];
  return learnFit(fit, { parts, observed, ...weigh(observed, o.pools.prefill?.interval?.seconds) });
}

/** The model is linear, so the sum over steps is the model of the sums. `local`: seconds in them that went to prompts. */
export function learnDecode(fit: Fit, o: Observation, local: number, prior: Prior): Fit {
  const all = o.pools.decode?.interval?.steps ?? stepsFromGaps(o);
  if (all === undefined || !(all.count > 0) || local > MOST_LOCAL * all.seconds) return fit;
  const steps = { ...all, seconds: all.seconds - local };
  const m = decodeModel(fit, prior);
  const parts: Sample["parts"] = [m.d0 * steps.count, m.d1 * steps.sequences, m.d2 * steps.kvTokens];
  return learnFit(fit, { parts, observed: steps.seconds, ...weigh(steps.seconds, o.pools.decode?.interval?.seconds) });
}

const weigh = (busy: number, span: number | undefined): Pick<Sample, "weight" | "memory"> => ({
  weight: busy,
  memory: Math.max(BUSY_MEMORY, span === undefined || !(span > 0) ? 0 : (busy / span) * CLOCK_MEMORY),
});

type Steps = NonNullable<NonNullable<NonNullable<Observation["pools"]["decode"]>["interval"]>["steps"]>;

/**
 * Where the engine counts no steps: the mean gap between tokens is the mean step (weighted by sequences), and the gauges say how many
 * sequences and KV tokens a replica holds.
 */
function stepsFromGaps(o: Observation): Steps | undefined {
  const { interval, running, replicas, kvUsage, kvCapacityTokens } = o.pools.decode ?? {};
  const gap = interval?.itl?.mean;
  const ready = replicas?.ready ?? 0;
  if (
    interval === undefined ||
    gap === undefined ||
    !(gap > 0) ||
    running?.requests === undefined ||
    !(running.requests > 0) ||
    ready === 0
  )
    return undefined;
  const resident =
    running.kvTokens ?? (kvUsage === undefined || kvCapacityTokens === undefined ? undefined : kvUsage * kvCapacityTokens * ready);
  if (resident === undefined) return undefined;
  const count = interval.seconds / gap;
  return { count: count * ready, seconds: interval.seconds * ready, sequences: count * running.requests, kvTokens: count * resident };
}

/** Where transfers are timed but not measured, their size is that of the prompts. */
export function learnTransfer(fit: Fit, t: TransferObservation | undefined, workload: Workload, prior: Prior): Fit {
  if (t?.transfers === undefined || t.busySeconds === undefined || !(t.transfers > 0)) return fit;
  const moved = t.bytes ?? t.transfers * (lengths(workload)?.isl ?? 0) * prior.kvBytesPerToken;
  const m = transferModel(fit, prior);
  const parts: Sample["parts"] = [m.latency * t.transfers, moved / m.bytesPerSecond, 0];
  return learnFit(fit, { parts, observed: t.busySeconds, weight: t.seconds, memory: TRANSFER_MEMORY });
}
