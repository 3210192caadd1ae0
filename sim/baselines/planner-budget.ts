import type { PolicySpec } from "../../scaler/policy/schema.ts";
import { totalGpus, type Split } from "../backtest/setup.ts";

/**
 * The planner's clamp over `max_gpu_budget`: both pools by the same share, SLA-blind.
 *   P' = max(minP, min(floor((max − minD·g_d)/g_p), floor(P·scale))),  D' = max(minD, floor((max − P'·g_p)/g_d))
 * D' as published may exceed D when rounding P down left GPUs; nobody asked for those, so it is capped at D.
 */
export function clampBudget(wanted: Split, spec: PolicySpec): Split {
  const { prefill, decode } = spec.pools;
  const most = totalGpus(spec);
  const total = wanted.prefill * prefill.gpusPerReplica + wanted.decode * decode.gpusPerReplica;
  if (total <= most) return wanted;
  const [minP, minD] = [prefill.replicas.min, decode.replicas.min];
  const besideDecode = Math.floor((most - minD * decode.gpusPerReplica) / prefill.gpusPerReplica);
  const p = Math.max(minP, Math.min(besideDecode, Math.floor((wanted.prefill * most) / total)));
  const d = Math.max(minD, Math.floor((most - p * prefill.gpusPerReplica) / decode.gpusPerReplica));
  return { prefill: p, decode: Math.min(d, Math.max(minD, wanted.decode)) };
}
