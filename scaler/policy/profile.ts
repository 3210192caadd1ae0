import { z } from "zod";
import type { Profile } from "../../core/profile.ts";
import { fitProfile } from "../../core/profile-fit.ts";
import { bytes, tokens } from "../../core/units.ts";
import type { Prior } from "../decide/controller.types.ts";

const positive = z.number().positive();
const count = z.number().int().min(1);

/** A profile file: what one replica of each role can do, as tables. */
export const profileSchema = z.object({
  name: z.string().min(1),
  gpu: z.string().min(1).default("unknown"),
  model: z.string().min(1).default("unknown"),
  gpusPerReplica: z.object({ prefill: count.default(1), decode: count.default(1) }).prefault({}),
  kvBytesPerToken: positive,
  kvCapacityTokens: positive,
  prefill: z
    .array(z.object({ tokens: count, batch: count.default(1), ms: positive }))
    .min(3)
    .max(100_000),
  decode: z
    .array(z.object({ batch: count, ctx: positive, ms: positive }))
    .min(3)
    .max(100_000),
  transfer: z.object({ latency: z.number().nonnegative(), bytesPerSecond: positive }),
});

/** What a controller may believe of one replica before it observed anything. */
export function toPrior(profile: Profile): Prior {
  const { prefill, decode, transfer } = fitProfile(profile);
  const { name, kvBytesPerToken, kvCapacityTokens } = profile;
  return { name, prefill, decode, transfer, kvBytesPerToken: bytes(kvBytesPerToken), kvCapacityTokens: tokens(kvCapacityTokens) };
}
