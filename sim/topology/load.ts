import { createRandom, exponential } from "../random.ts";
import { multiplyRate } from "../traces/rate.ts";
import { assembleTrace, type Trace } from "../traces/trace.types.ts";

/** Traffic of one kind at any rate. */
export interface Load {
  readonly name: string;
  at(requestsPerSecond: number): Trace;
  /** Mean prompt and answer tokens, for a first guess of what can be served. */
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** A recorded trace, replicated or thinned; time stays as it is, so that its bursts do. */
export function traceLoad(trace: Trace, seed: number): Load {
  const rate = trace.requests.length / Math.max(1e-9, trace.seconds);
  return {
    name: trace.name,
    at: (wanted) => multiplyRate(trace, wanted / rate, seed),
    inputTokens: trace.inputTokens / trace.requests.length,
    outputTokens: trace.outputTokens / trace.requests.length,
  };
}

/** Long enough that an overload of a few per cent shows in TTFT, and at least so many requests that a share means something. */
const SHAPE_SECONDS = 300;
const SHAPE_REQUESTS = 1000;

/** Poisson arrivals of equal requests: how published comparisons are measured. */
export function shapeLoad(inputTokens: number, outputTokens: number, seed: number): Load {
  return {
    name: `Poisson arrivals of ${inputTokens} prompt and ${outputTokens} answer tokens`,
    inputTokens,
    outputTokens,
    at(rate) {
      const random = createRandom(seed);
      const seconds = Math.max(SHAPE_SECONDS, SHAPE_REQUESTS / rate);
      const requests = [];
      for (let arrival = exponential(random, 1 / rate); arrival < seconds; arrival += exponential(random, 1 / rate)) {
        requests.push({ id: requests.length, arrival, inputTokens, outputTokens });
      }
      return assembleTrace("shape", requests, { seconds });
    },
  };
}
