import { z } from "zod";
import { duration, percent } from "./quantities.ts";

/**
 * The ScalingPolicy document (YAML file, and the `spec` of the custom resource). Only one pool bound
 * (`pools.*.replicas.max` or `budget.gpus`) and one objective are required; everything else has a default
 * that `fulcrum policy show` prints. Durations become seconds, percentages shares.
 */
const objective = (target: string) =>
  z.strictObject({ quantile: z.number().gt(0).lt(1).default(0.95), target: duration.describe(`for example ${target}`) });

const targetRef = z.strictObject({
  apiVersion: z.string().min(1),
  kind: z.string().min(1),
  name: z.string().min(1),
  component: z.string().min(1).optional(),
});

const replicas = z.strictObject({ min: z.number().int().min(1).default(1), max: z.number().int().min(1).optional() });
const range = (min: number, max: number) =>
  z.strictObject({ min: z.number().int().min(1).default(min), max: z.number().int().min(1).default(max) });
const apply = z.enum(["recommend", "live", "rollout"]).default("recommend");

const poolBase = {
  target: targetRef.optional(),
  replicas: replicas.prefault({}),
  gpusPerReplica: z.number().int().min(1).default(1),
  leadTime: duration.default(90),
};

const direction = (stabilization: number, step: number, cooldown: number) =>
  z
    .strictObject({
      stabilization: duration.default(stabilization),
      step: percent.default(step),
      cooldown: duration.default(cooldown),
    })
    .prefault({});

const floor = z.strictObject({ min: z.number().int().min(1) });

export const policySpecSchema = z.strictObject({
  mode: z.enum(["observe", "enforce", "paused"]).default("observe"),
  model: z.string().min(1).optional(),
  objectives: z.strictObject({
    ttft: objective("500ms").optional(),
    itl: objective("30ms").optional(),
    headroom: z.number().min(0).max(0.9).default(0.15),
  }),
  budget: z.strictObject({ gpus: z.number().int().min(1).optional() }).prefault({}),
  pools: z
    .strictObject({
      prefill: z
        .strictObject({
          ...poolBase,
          batch: z.strictObject({ maxBatchedTokens: range(512, 16384).prefault({}), apply }).prefault({}),
        })
        .prefault({}),
      decode: z
        .strictObject({
          ...poolBase,
          batch: z.strictObject({ maxNumSeqs: range(8, 512).prefault({}), apply }).prefault({}),
          // Of engines that compute a prompt where it is decoded when much waits for prefill; absent = they do not.
          localPrefill: z
            .strictObject({ chunkTokens: z.number().int().min(1).default(256), queueTokens: z.number().int().min(0).default(8192) })
            .optional(),
        })
        .prefault({}),
    })
    .prefault({}),
  ratio: z
    .strictObject({
      prefillPerDecode: z.strictObject({ min: z.number().gt(0), max: z.number().gt(0) }),
    })
    .optional(),
  rebalance: z.strictObject({ convert: z.boolean().default(true), roleSwitch: z.boolean().default(false) }).prefault({}),
  behavior: z
    .strictObject({
      interval: duration.default(5),
      scaleUp: direction(0, 1, 15),
      scaleDown: direction(300, 0.25, 60),
      evidence: z.strictObject({ maxAge: duration.default(10), minCoverage: z.number().gt(0).max(1).default(0.7) }).prefault({}),
    })
    .prefault({}),
  schedule: z
    .array(
      z.strictObject({
        cron: z.string().min(1),
        timezone: z.string().default("UTC"),
        for: duration,
        prefill: floor.optional(),
        decode: floor.optional(),
      }),
    )
    .max(100)
    .default([]),
});

export const policySchema = z.strictObject({
  apiVersion: z.literal("fulcrum.dev/v1alpha1"),
  kind: z.literal("ScalingPolicy"),
  metadata: z.looseObject({ name: z.string().min(1).max(253), namespace: z.string().min(1).max(253).default("default") }),
  spec: policySpecSchema,
});

/** A policy with every default filled in: durations in seconds, percentages as shares. */
export type Policy = z.output<typeof policySchema>;
export type PolicySpec = Policy["spec"];
