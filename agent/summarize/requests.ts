import type { SpanHalf } from "../../core/otlp/request-half.ts";
import type { EngineTarget } from "../../core/targets.ts";
import type { RequestHalf } from "../../wire/messages.ts";

const OPTIONAL = ["firstToken", "queue", "prefill", "kvTransfer", "decode", "promptTokens", "outputTokens"] as const;

/**
 * A request half with its place in the fleet. The role is the pool's (what an engine says of itself may be its default),
 * unless the span is a front end's that runs in the engine's pod, such as llm-d's sidecar: that is another view of the request.
 */
export function toRequestHalf(half: SpanHalf, target: EngineTarget, pod: string): RequestHalf {
  const { pool, namespace } = target;
  const role = half.role === "frontend" ? half.role : target.role;
  const out: RequestHalf = { trace: half.trace.slice(0, 64), role, pod, pool, namespace, start: half.start, end: half.end };
  for (const name of OPTIONAL) {
    const value = half[name];
    // Differences of two clocks come out a hair below zero at times.
    if (value !== undefined && Number.isFinite(value)) out[name] = Math.max(0, value);
  }
  return out;
}
