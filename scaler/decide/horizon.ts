import { seconds, type Seconds } from "../../core/units.ts";
import type { Learned } from "../learn/learn.ts";
import type { PolicySpec } from "../policy/schema.ts";
import type { Plan } from "./predict.ts";

/**
 * Seconds until what is decided now can serve: the longer lead time and one interval; under a full budget also the longer drain time, for
 * the GPUs must be left first.
 */
export function horizonOf(learned: Pick<Learned, "lead" | "drain">, current: Plan, spec: PolicySpec): Seconds {
  const { lead, drain } = learned;
  const { prefill, decode } = spec.pools;
  const used = current.prefill * prefill.gpusPerReplica + current.decode * decode.gpusPerReplica;
  const full = used + Math.min(prefill.gpusPerReplica, decode.gpusPerReplica) > (spec.budget.gpus ?? Infinity);
  const leave = full ? Math.max(drain.prefill.value, drain.decode.value) : 0;
  return seconds(Math.max(lead.prefill.value, lead.decode.value) + leave + spec.behavior.interval);
}
