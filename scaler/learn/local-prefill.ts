import { prefillSeconds, type PrefillModel } from "../../core/latency-model.ts";
import type { Observation } from "../../core/observation.ts";
import type { PolicySpec } from "../policy/schema.ts";
import { lengths, type Workload } from "./workload.ts";

/** Where the policy does not say that engines do it, nor in which chunks. */
const USUAL_CHUNK = 256;

/**
 * Seconds of the interval's decode steps that went to prompts computed in them (convertible decode): they would pass for slow decode.
 */
export function localSeconds(o: Observation, model: PrefillModel, workload: Workload, spec: PolicySpec): number {
  const tokens = o.pools.decode?.interval?.promptTokens ?? 0;
  if (!(tokens > 0)) return 0;
  const known = lengths(workload);
  if (known === undefined) return Infinity;
  const chunk = Math.min(spec.pools.decode.localPrefill?.chunkTokens ?? USUAL_CHUNK, Math.max(1, known.isl));
  return (tokens / chunk) * prefillSeconds(model, chunk, chunk * known.isl * known.spread);
}
