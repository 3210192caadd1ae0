import { z } from "zod";

/**
 * An observation as other people's simulators and replays write it (`fulcrum plan`): every field but `type`, `at` and
 * `pools` may be missing or null. Unknown fields are ignored, so that drivers may carry their own.
 */
const amount = z.number().nonnegative().optional();
const count = z.number().int().nonnegative().optional();
const notAShare = "write a share from 0 to 1, not a percentage";
const share = z.number().min(0, notAShare).max(1, notAShare).optional();
/** Sums over blocks and floating point go a little over what is there. */
const OVERFULL = 1.05;
const usage = z
  .number()
  .min(0, notAShare)
  .max(OVERFULL, notAShare)
  .transform((x) => Math.min(1, x))
  .optional();
/** More replicas than any pool has; keeps a line from growing without bound. */
const MAX_STARTING = 10_000;

const replicas = z
  .object({
    ready: count,
    starting: z
      .array(z.object({ age: amount }))
      .max(MAX_STARTING)
      .optional(),
    draining: count,
  })
  .optional();

const summary = z.object({ count: amount, mean: amount, p50: amount, p90: amount, p95: amount, p99: amount, within: amount }).optional();

const pool = {
  replicas,
  queue: z.object({ requests: amount, tokens: amount }).optional(),
  evidence: z.object({ age: amount, coverage: share }).optional(),
};

const prefill = z
  .object({
    ...pool,
    running: z.object({ requests: amount, tokens: amount }).optional(),
    limits: z.object({ maxBatchedTokens: z.number().int().positive().optional(), fixed: z.literal(true).optional() }).optional(),
    interval: z
      .object({
        seconds: z.number().positive().optional(),
        arrivals: amount,
        inputTokens: amount,
        cachedTokens: amount,
        batches: z.object({ count: amount, tokens: amount, seconds: amount }).optional(),
        ttft: summary,
        isl: summary,
      })
      .optional(),
  })
  .optional();

const decode = z
  .object({
    ...pool,
    running: z.object({ requests: amount, kvTokens: amount }).optional(),
    kvUsage: usage,
    kvCapacityTokens: amount,
    limits: z.object({ maxNumSeqs: z.number().int().positive().optional(), fixed: z.literal(true).optional() }).optional(),
    interval: z
      .object({
        seconds: z.number().positive().optional(),
        finished: amount,
        outputTokens: amount,
        promptTokens: amount,
        steps: z.object({ count: amount, seconds: amount, sequences: amount, kvTokens: amount }).optional(),
        itl: summary,
        osl: summary,
      })
      .optional(),
  })
  .optional();

export const observationSchema = z.object({
  type: z.literal("observation"),
  at: z.number(),
  pools: z.object({ prefill, decode }),
  transfer: z
    .object({
      seconds: z.number().positive().optional(),
      transfers: amount,
      bytes: amount,
      busySeconds: amount,
      failures: amount,
      backlog: amount,
    })
    .optional(),
  unschedulable: count,
});

export type WrittenObservation = z.output<typeof observationSchema>;
export type WrittenSummary = NonNullable<z.output<typeof summary>>;
