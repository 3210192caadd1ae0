import { countOf, sumOf } from "../../core/distributions/empty.ts";
import { summarize } from "../../core/distributions/summary.ts";
import type { PrefillObservation } from "../../core/observation.ts";
import type { Summary } from "../../core/summary.ts";
import type { PoolFacts } from "../act/actuator.ts";
import { countReplicas, type Gauges } from "./gauges.ts";
import type { PoolInterval } from "./interval.ts";
import { present, presentOrNone } from "./present.ts";

type PrefillInterval = NonNullable<PrefillObservation["interval"]>;

/** What must be remembered from tick to tick to tell arrivals from departures. */
export interface PrefillMemory {
  /** Requests waiting or running at the end of the last interval; undefined when not all replicas said. */
  readonly inside: number | undefined;
  /** Mean prompt tokens of a request, last seen. */
  readonly promptTokens: number | undefined;
}

export interface PrefillInput {
  readonly gauges: Gauges;
  readonly facts: PoolFacts | undefined;
  readonly interval: PoolInterval | undefined;
  readonly ttft: Summary | undefined;
  readonly memory: PrefillMemory;
}

export function observePrefill(input: PrefillInput): { readonly observation: PrefillObservation; readonly memory: PrefillMemory } {
  const { gauges, facts, interval } = input;
  const waiting = gauges.sum("waiting");
  const running = gauges.sum("running");
  const inside = gauges.complete && waiting !== undefined && running !== undefined ? waiting + running : undefined;
  const flow = interval === undefined ? undefined : arrivals(interval, inside, input.memory);
  const observation = present<PrefillObservation>({
    replicas: facts === undefined ? undefined : countReplicas(facts),
    queue: presentOrNone({ requests: waiting }),
    running: presentOrNone({ requests: running }),
    evidence: gauges.evidence,
    limits: presentOrNone({
      maxBatchedTokens: facts?.limits.maxBatchedTokens ?? gauges.mean("maxBatchedTokens"),
      fixed: facts?.limits.fixed,
    }),
    interval: interval === undefined ? undefined : figures(interval, flow, input.ttft),
  });
  // Without an interval nothing departed that we know of, so the old balance stands.
  const memory = interval === undefined ? input.memory : { inside, promptTokens: flow?.promptTokens ?? input.memory.promptTokens };
  return { observation, memory };
}

interface Flow {
  readonly arrivals: number | undefined;
  readonly inputTokens: number | undefined;
  readonly cachedTokens: number | undefined;
  readonly promptTokens: number | undefined;
}

/**
 * Offered work, not served work: arrivals = requests that left prefill + growth of what is inside. Engines count prompt tokens
 * as they serve them, so tokens are scaled by arrivals ÷ served.
 */
function arrivals(interval: PoolInterval, inside: number | undefined, memory: PrefillMemory): Flow {
  const { counters, distributions } = interval;
  const served = distributions.ttft !== undefined ? countOf(distributions.ttft) : (counters.requestsFinished ?? count(distributions.isl));
  const { promptTokens, cachedTokens } = counters;
  const mean = served !== undefined && served > 0 && promptTokens !== undefined ? promptTokens / served : undefined;
  if (served === undefined) return { arrivals: undefined, inputTokens: promptTokens, cachedTokens, promptTokens: mean };
  const growth = inside !== undefined && memory.inside !== undefined ? inside - memory.inside : 0;
  const arrived = Math.max(0, served + growth);
  if (served > 0) {
    const scale = arrived / served;
    return { arrivals: arrived, inputTokens: times(promptTokens, scale), cachedTokens: times(cachedTokens, scale), promptTokens: mean };
  }
  const guess = memory.promptTokens === undefined ? promptTokens : arrived * memory.promptTokens;
  return { arrivals: arrived, inputTokens: guess, cachedTokens, promptTokens: undefined };
}

function figures(interval: PoolInterval, flow: Flow | undefined, ttft: Summary | undefined): PrefillInterval {
  const { isl } = interval.distributions;
  const lengths = isl === undefined ? undefined : summarize(isl);
  return present<PrefillInterval>({
    seconds: interval.seconds,
    arrivals: flow?.arrivals,
    inputTokens: flow?.inputTokens,
    cachedTokens: flow?.cachedTokens,
    batches: batches(interval),
    ttft,
    isl: lengths === undefined ? undefined : { mean: lengths.mean, p50: lengths.p50, p90: lengths.p90, p99: lengths.p99 },
  });
}

/** Forward passes. Tokens are those computed: what the engine says passed through, else prompts less cached ones. */
function batches(interval: PoolInterval): PrefillInterval["batches"] {
  const { steps, stepTokens, promptTokens, cachedTokens } = interval.counters;
  const tokens = stepTokens ?? (promptTokens === undefined ? undefined : Math.max(0, promptTokens - (cachedTokens ?? 0)));
  if (steps === undefined || tokens === undefined) return undefined;
  const seconds = busySeconds(interval, steps);
  return seconds === undefined ? undefined : { count: steps, tokens, seconds };
}

/**
 * SGLang publishes busy seconds. vLLM publishes, per request, the time from being scheduled to its first token: prompts that
 * share a pass each show the whole pass. So busy seconds ≈ Σ prefill time ÷ max(1, prompts per pass). Off when prompts of
 * chunked prefill interleave; the learner's robust scale absorbs that.
 */
function busySeconds(interval: PoolInterval, steps: number): number | undefined {
  if (interval.counters.prefillBusySeconds !== undefined) return interval.counters.prefillBusySeconds;
  const { prefill } = interval.distributions;
  if (prefill === undefined) return undefined;
  return sumOf(prefill) / Math.max(1, steps > 0 ? countOf(prefill) / steps : 1);
}

const times = (x: number | undefined, scale: number): number | undefined => (x === undefined ? undefined : x * scale);
const count = (d: PoolInterval["distributions"]["isl"]): number | undefined => (d === undefined ? undefined : countOf(d));
