import { z } from "zod";
import { err, ok, type Result } from "../core/result.ts";
import { bytes, bytesPerSecond, seconds, tokens } from "../core/units.ts";
import type { Prior } from "./decide/controller.types.ts";
import { profileSchema, toPrior } from "./policy/profile.ts";

const positive = z.number().positive();
const coefficient = z.number().nonnegative();

const priorSchema = z.object({
  name: z.string().min(1),
  prefill: z.object({ floor: coefficient, c0: coefficient, c1: positive, c2: coefficient }),
  decode: z.object({ d0: coefficient, d1: coefficient, d2: coefficient }),
  transfer: z.object({ latency: coefficient.transform(seconds), bytesPerSecond: positive.transform(bytesPerSecond) }),
  kvBytesPerToken: positive.transform(bytes),
  kvCapacityTokens: positive.transform(tokens),
});

/**
 * Used when no prior is given: the fit of one measured H200 serving an 8B FP8 model. Learning scales it to what is delivered, so
 * for another model or GPU it only makes the first minutes cautious or bold. `fulcrum scaler --prior` takes a better one.
 */
export const DEFAULT_PRIOR: Prior = {
  name: "h200-llama-3.1-8b",
  prefill: { floor: 0.006179, c0: 0.00215548, c1: 2.557583e-5, c2: 4.91007e-10 },
  decode: { d0: 0.00618108, d1: 1.429383e-5, d2: 2.90749e-8 },
  transfer: { latency: seconds(0.002), bytesPerSecond: bytesPerSecond(45e9) },
  kvBytesPerToken: bytes(131_072),
  kvCapacityTokens: tokens(890_000),
};

/**
 * A prior file's text → Prior, or what is wrong with it and where: a profile (tables, as `fulcrum profile import` prints them) or the
 * coefficients themselves. Additional fields are ignored.
 */
export function parsePrior(text: string, file: string): Result<Prior, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return err(`${file}: not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const tables = typeof value === "object" && value !== null && "prefill" in value && Array.isArray(value.prefill);
  const parsed = tables ? profileSchema.transform(toPrior).safeParse(value) : priorSchema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  return err(parsed.error.issues.map((issue) => `${file}: ${issue.path.map(String).join(".") || "document"}: ${issue.message}`).join("\n"));
}
