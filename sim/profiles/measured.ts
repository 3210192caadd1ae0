import { z } from "zod";
import type { Profile } from "../../core/profile.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { ASSUMED_LINK } from "./assumed-link.ts";
import { MEMORY_UTILIZATION, gpuMemory } from "./gpu-memory.ts";

/**
 * Our own latency measurements (kernel timings of one GPU with a model's shape): tables like a profile's, the model
 * as its dimensions, no KV capacity and no network.
 */
const schema = z.object({
  gpu: z.string().min(1),
  model: z.object({
    layers: z.number().int().positive(),
    hidden: z.number().int().positive(),
    ffn: z.number().int().positive(),
    heads: z.number().int().positive(),
    kv_heads: z.number().int().positive(),
    head_dim: z.number().int().positive(),
    vocab: z.number().int().positive(),
  }),
  kv_bytes_per_token: z.number().positive(),
  prefill: z.array(z.object({ tokens: z.number(), batch: z.number(), ms: z.number() })),
  decode: z.array(z.object({ batch: z.number(), ctx: z.number(), ms: z.number() })),
});

export function looksMeasured(json: unknown): boolean {
  return typeof json === "object" && json !== null && "kv_bytes_per_token" in json && "prefill" in json;
}

export function fromMeasured(json: unknown): Result<Profile, string[]> {
  const parsed = schema.safeParse(json);
  if (!parsed.success) return err(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
  const { gpu, model, kv_bytes_per_token: kvBytesPerToken, prefill, decode } = parsed.data;
  const memory = gpuMemory(gpu);
  if (memory === undefined) {
    return err([`gpu: the memory of "${gpu}" is not known; write a profile file with kvCapacityTokens instead`]);
  }
  const weights = 2 * parameters(model);
  return ok({
    name: `${gpu}, ${model.layers} layers × ${model.hidden}`,
    gpu,
    model: `decoder of ${model.layers} layers, hidden ${model.hidden}`,
    gpusPerReplica: { prefill: 1, decode: 1 },
    kvBytesPerToken,
    kvCapacityTokens: Math.floor((memory * MEMORY_UTILIZATION - weights) / kvBytesPerToken),
    prefill: prefill.map(({ tokens, batch, ms }) => ({ tokens, batch, ms })),
    decode: decode.map(({ batch, ctx, ms }) => ({ batch, ctx, ms })),
    transfer: ASSUMED_LINK,
  });
}

/** Weights of a gated-MLP decoder with grouped-query attention, embeddings in and out. */
function parameters(m: z.output<typeof schema>["model"]): number {
  const attention = m.hidden * m.head_dim * (2 * m.heads + 2 * m.kv_heads);
  return m.layers * (attention + 3 * m.hidden * m.ffn) + 2 * m.vocab * m.hidden;
}
