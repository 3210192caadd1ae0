import type { PlantRequest } from "../plant/plant.types.ts";
import { createRandom } from "../random.ts";
import { assembleTrace, type Trace } from "./trace.types.ts";

/** Copies of a request spread over this much: they must not arrive as one burst, yet keep the minute's shape. */
const COPY_SPREAD_SECONDS = 2;

/**
 * Multiplies arrivals: each request `rate` times (a fraction by chance), thinned below 1; time is never
 * compressed, because forecasts and start-up delays live in real seconds. Copies are other users: their
 * prefix blocks are their own, so the cache-hit ratio stays the trace's. Arrivals on a coarse grid are spread
 * over one grid step, at rate 1 too.
 */
export function multiplyRate(trace: Trace, rate: number, seed: number): Trace {
  if (rate === 1 && trace.grid === 0) return trace;
  const random = createRandom(seed);
  const blocks = 1 + trace.requests.reduce((most, { hashIds }) => (hashIds ?? []).reduce((a, b) => Math.max(a, b), most), 0);
  const requests: PlantRequest[] = [];
  for (const request of trace.requests) {
    const copies = Math.floor(rate) + (random() < rate - Math.floor(rate) ? 1 : 0);
    for (let copy = 0; copy < copies; copy += 1) {
      const jitter = trace.grid * random() + (copy === 0 ? 0 : (random() - 0.5) * COPY_SPREAD_SECONDS);
      const arrival = reflect(request.arrival + jitter, trace.seconds);
      const own = copy === 0 ? request.hashIds : request.hashIds?.map((id) => id + copy * blocks);
      requests.push(own === undefined ? { ...request, arrival } : { ...request, arrival, hashIds: own });
    }
  }
  return assembleTrace(rate === 1 ? trace.name : `${trace.name} ×${rate}`, requests, trace);
}

/** Keeps a jittered time inside the trace without piling arrivals up at its ends. */
function reflect(time: number, end: number): number {
  const inside = time < 0 ? -time : time > end ? 2 * end - time : time;
  return Math.min(end, Math.max(0, inside));
}

/** The part of a trace from `from` up to `to` seconds, shifted so that `from` becomes 0. */
export function windowTrace(trace: Trace, from = 0, to = Infinity): Trace {
  if (from <= 0 && to >= trace.seconds) return trace;
  const requests = trace.requests
    .filter(({ arrival }) => arrival >= from && arrival < to)
    .map((request) => ({ ...request, arrival: request.arrival - from }));
  return assembleTrace(trace.name, requests, { ...trace, seconds: Math.max(0, Math.min(to, trace.seconds) - from) });
}
