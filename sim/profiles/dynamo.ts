import { z } from "zod";
import { err, ok, type Result } from "../../core/result.ts";
import type { Profile } from "../../core/profile.ts";
import { ASSUMED_LINK } from "./assumed-link.ts";
import { knownKvBytes, kvBytesUnknown } from "./kv-bytes.ts";

/**
 * Dynamo's pre-swept planner measurements as one JSON: prefill TTFT by prompt length, decode ITL by KV use and
 * context length. Neither KV bytes per token nor a link is in the file.
 */
const column = z.array(z.number()).min(3).max(100_000);
const schema = z.object({
  meta: z.object({ gpu: z.string(), model: z.string(), backend: z.string().optional(), tp: z.number().int().min(1).default(1) }),
  prefill: z.object({ isl_tokens: column, ttft_ms: column }),
  decode: z.object({
    kv_usage_fraction: column,
    context_length_tokens: column,
    itl_ms: column,
    throughput_tokens_per_s_per_gpu: column.optional(),
    max_kv_tokens: z.number().positive(),
  }),
});

/** One measured point of decode: `usage` is the share of the KV cache that was held, `throughput` tokens/s per GPU. */
export interface DynamoDecodePoint {
  readonly usage: number;
  readonly context: number;
  readonly ms: number;
  readonly throughput: number | undefined;
}

/**
 * A batch that throughput × ITL contradicts by more than this was mislabelled by the sweep (three such at 350
 * tokens). Sweeps over several GPUs publish a throughput that agrees with no batch, so only TP 1 is checked.
 */
const BATCH_TOLERANCE = 0.15;

export function looksLikeDynamo(json: unknown): boolean {
  const decode: unknown = typeof json === "object" && json !== null && "decode" in json ? json.decode : undefined;
  return typeof decode === "object" && decode !== null && "kv_usage_fraction" in decode;
}

export function fromDynamo(json: unknown): Result<Profile, string[]> {
  const parsed = schema.safeParse(json);
  if (!parsed.success) return err(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`));
  const { meta, prefill, decode } = parsed.data;
  const kvBytesPerToken = knownKvBytes(meta.model);
  if (kvBytesPerToken === undefined) return err([`meta.model: ${kvBytesUnknown(meta.model)}`]);
  const points = decode.itl_ms.flatMap((ms, index) => {
    const [usage, context] = [decode.kv_usage_fraction[index], decode.context_length_tokens[index]];
    const throughput = decode.throughput_tokens_per_s_per_gpu?.[index];
    return usage === undefined || context === undefined ? [] : [{ usage, context, ms, throughput }];
  });
  return ok({
    name: `${meta.gpu} ${meta.model} TP${meta.tp}`,
    gpu: meta.gpu,
    model: meta.model,
    gpusPerReplica: { prefill: meta.tp, decode: meta.tp },
    kvBytesPerToken,
    kvCapacityTokens: decode.max_kv_tokens,
    prefill: prefill.isl_tokens.flatMap((tokens, index) => {
      const ms = prefill.ttft_ms[index];
      return ms === undefined ? [] : [{ tokens, batch: 1, ms }];
    }),
    decode: dynamoDecodeRows(points, decode.max_kv_tokens, meta.tp),
    transfer: ASSUMED_LINK,
  });
}

/** Rows of a profile's decode table, without the points whose batch the sweep itself contradicts. */
export function dynamoDecodeRows(points: readonly DynamoDecodePoint[], maxKvTokens: number, gpus: number): Profile["decode"] {
  return points.flatMap(({ usage, context, ms, throughput }) => {
    const batch = Math.max(1, Math.round((usage * maxKvTokens) / context));
    const seen = gpus > 1 || throughput === undefined ? batch : (throughput * ms) / 1000;
    return Math.abs(seen - batch) > BATCH_TOLERANCE * batch ? [] : [{ batch, ctx: context, ms }];
  });
}
