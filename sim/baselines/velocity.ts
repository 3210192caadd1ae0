import { decodeSeconds, prefillSeconds } from "../../core/latency-model.ts";
import type { Controller, Prior } from "../../scaler/decide/controller.types.ts";
import type { PolicySpec } from "../../scaler/policy/schema.ts";
import { targetBatch } from "../backtest/setup.ts";
import { paid, poolBounds, toDecision, within } from "./decision.ts";
import { meanAnswer, meanPrompt, nothingSeen, seeLengths, type SeenLengths } from "./lengths.ts";

/**
 * `velocity`: TokenScale (arXiv 2512.03416), after its published formulas:
 *   N_P = ceil(λ_in ÷ min(V_P, V_N)),  N_D = ceil(Σ_b λ_b ÷ V_D,b), no hysteresis
 * V_P: peak prompt tokens/s of a prefiller, measured offline; V_N = link bandwidth ÷ KV bytes per token; V_D,b: peak
 * (prompt + answer) tokens/s a decoder releases for requests of bucket b within the TPOT objective; λ_b the arriving
 * tokens/s of that bucket, answers predicted. It knows no prefix cache: cached prompt tokens count in full.
 *
 * Here: velocities come from the prior; one bucket at the running mean lengths, because an observation carries no joint
 * length histogram (its ablation: a mean per bucket costs about 2 points). Rates over 10 s; the paper's window is not
 * in what we read. Its convertible decoders, k chosen offline, need prefill on decode replicas, which the plant has not.
 */
const RATE_SECONDS = 10;
const LENGTH_SECONDS = 300;
const LADDER = 8192;

export interface VelocityState {
  readonly prior: Prior;
  readonly prefillVelocity: number;
  readonly networkVelocity: number;
  readonly lengths: SeenLengths;
  readonly window: readonly { readonly at: number; readonly seconds: number; readonly arrivals: number; readonly tokens: number }[];
}

export const velocity: Controller<VelocityState> = {
  name: "velocity",
  start: (_policy, prior) => ({
    prior,
    prefillVelocity: peakPrefill(prior),
    networkVelocity: prior.transfer.bytesPerSecond / prior.kvBytesPerToken,
    lengths: nothingSeen,
    window: [],
  }),
  tick(before, o, policy) {
    const i = o.pools.prefill?.interval;
    const recent = before.window.filter(({ at }) => o.at - at < RATE_SECONDS);
    const window =
      i === undefined ? recent : [...recent, { at: o.at, seconds: i.seconds, arrivals: i.arrivals ?? 0, tokens: i.inputTokens ?? 0 }];
    const state = { ...before, lengths: seeLengths(before.lengths, o, LENGTH_SECONDS), window };
    const seconds = window.reduce((sum, entry) => sum + entry.seconds, 0);
    const current = { prefill: paid(o.pools.prefill?.replicas), decode: paid(o.pools.decode?.replicas) };
    if (seconds <= 0) return { state, decision: toDecision(o, current, "no arrival rate is known", true) };
    const arrivals = window.reduce((sum, entry) => sum + entry.arrivals, 0) / seconds;
    const tokens = window.reduce((sum, entry) => sum + entry.tokens, 0) / seconds;
    const answer = meanAnswer(state.lengths);
    const prompt = meanPrompt(state.lengths);
    const released = decodeVelocity(state.prior, prompt, answer, policy.spec);
    const wanted = {
      prefill: within(Math.ceil(tokens / Math.min(state.prefillVelocity, state.networkVelocity)), poolBounds(policy, "prefill")),
      decode: answer > 0 ? within(Math.ceil((tokens + arrivals * answer) / released), poolBounds(policy, "decode")) : current.decode,
    };
    const text = `${tokens.toFixed(0)} prompt tokens/s at ${state.prefillVelocity.toFixed(0)}, ${released.toFixed(0)} released per decoder`;
    return { state, decision: toDecision(o, wanted, text) };
  },
};

/** The top of the closed-loop ladder 1, 2, 4, …: prompts of each length, one token out. */
export function peakPrefill(prior: Prior): number {
  let best = 0;
  for (let tokens = 1; tokens <= LADDER; tokens *= 2)
    best = Math.max(best, tokens / prefillSeconds(prior.prefill, tokens, tokens * tokens));
  return best;
}

/** Tokens of completed requests per second at the largest batch within the objective: B·(prompt + answer)/(answer·t(B)). */
export function decodeVelocity(prior: Prior, prompt: number, answer: number, spec: PolicySpec): number {
  const output = Math.max(1, answer);
  const context = Math.max(1, prompt + output / 2);
  const batch = targetBatch(prior, context, spec);
  return (batch * (prompt + output)) / (output * decodeSeconds(prior.decode, batch, batch * context));
}
