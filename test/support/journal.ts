import type { Decision } from "../../core/decision.ts";
import type { Observation } from "../../core/observation.ts";
import { fulcrum } from "../../scaler/decide/controller.ts";
import { digest } from "../../scaler/decide/digest.ts";
import type { StartRecord, TickRecord } from "../../scaler/journal/records.ts";
import { policyFromJson } from "../../scaler/policy/load.ts";
import type { Policy } from "../../scaler/policy/schema.ts";
import { defaultProfile } from "../../sim/profiles/load.ts";
import { toPrior } from "../../scaler/policy/profile.ts";

/** 2026-11-25T14:00:00Z. */
export const JOURNAL_START = Date.UTC(2026, 10, 25, 14) / 1000;

export function journalPolicy(name: string): Policy {
  const policy = policyFromJson({
    apiVersion: "fulcrum.dev/v1alpha1",
    kind: "ScalingPolicy",
    metadata: { name, namespace: "serving" },
    spec: { mode: "enforce", objectives: { ttft: { target: "2s" }, itl: { target: "30ms" } }, budget: { gpus: 8 } },
  });
  if (!policy.ok) throw new Error(policy.error.map((issue) => issue.message).join("; "));
  return policy.value;
}

/** The lines a scaler would journal for these arrival rates, a tick every five seconds, decided by the real controller. */
export function journalLines(name: string, rates: readonly number[]): string[] {
  const policy = journalPolicy(name);
  const prior = toPrior(defaultProfile);
  let state = fulcrum.start(policy, prior, JOURNAL_START);
  const key = `serving/${name}`;
  const start: StartRecord = {
    kind: "start",
    at: JOURNAL_START,
    version: "test",
    controller: fulcrum.name,
    name: key,
    policy,
    prior,
    state,
  };
  const lines = [JSON.stringify(start)];
  let replicas = { prefill: 1, decode: 1 };
  for (const [index, rate] of rates.entries()) {
    const observed = observation(JOURNAL_START + index * 5, rate, replicas);
    const ticked = fulcrum.tick(state, observed, policy);
    state = ticked.state;
    lines.push(JSON.stringify(tick(key, observed, ticked.decision, digest(state))));
    replicas = { prefill: ticked.decision.pools.prefill.replicas, decode: ticked.decision.pools.decode.replicas };
  }
  return lines;
}

function tick(name: string, observed: Observation, decision: Decision, stateDigest: string): TickRecord {
  return { kind: "tick", at: observed.at, name, observation: observed, decision, stateDigest, outcome: "applied", actions: [] };
}

function observation(at: number, rate: number, replicas: { readonly prefill: number; readonly decode: number }): Observation {
  const arrivals = rate * 5;
  const summary = (count: number, mean: number) => ({ count, mean, p50: mean, p90: mean * 1.5, p95: mean * 1.7, p99: mean * 2 });
  return {
    type: "observation",
    at,
    pools: {
      prefill: {
        replicas: { ready: replicas.prefill, starting: [], draining: 0 },
        queue: { requests: 0, tokens: 0 },
        limits: { maxBatchedTokens: 8192 },
        interval: {
          seconds: 5,
          arrivals,
          inputTokens: arrivals * 1000,
          cachedTokens: 0,
          ttft: summary(arrivals, 0.3),
          isl: summary(arrivals, 1000),
        },
      },
      decode: {
        replicas: { ready: replicas.decode, starting: [], draining: 0 },
        queue: { requests: 0 },
        limits: { maxNumSeqs: 256 },
        interval: {
          seconds: 5,
          finished: arrivals,
          outputTokens: arrivals * 200,
          itl: summary(arrivals * 200, 0.015),
          osl: summary(arrivals, 200),
        },
      },
    },
  };
}
