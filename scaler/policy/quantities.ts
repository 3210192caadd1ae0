import { z } from "zod";
import { parseDuration } from "../../core/duration.ts";

/** A duration string with a unit (files people write), or a number of seconds (JSON). Output: seconds. */
export const duration = z
  .union([z.string(), z.number().nonnegative()])
  .transform((value, context) => {
    if (typeof value === "number") return value;
    const parsed = parseDuration(value.trim());
    if (parsed !== undefined) return parsed;
    context.issues.push({
      code: "custom",
      input: value,
      message: `not a duration: "${value}"; write a number with a unit, for example 500ms, 90s or 5m`,
    });
    return z.NEVER;
  })
  .meta({ examples: ["500ms", "90s", "5m"] });

/** "25%" or 0.25 → 0.25. */
export const percent = z
  .union([z.string(), z.number().nonnegative()])
  .transform((value, context) => {
    if (typeof value === "number") return value;
    const match = /^(\d+(?:\.\d+)?)%$/.exec(value.trim());
    if (match?.[1] !== undefined) return Number(match[1]) / 100;
    context.issues.push({
      code: "custom",
      input: value,
      message: `not a share: "${value}"; write a percentage, for example 25%, or a number such as 0.25`,
    });
    return z.NEVER;
  })
  .meta({ examples: ["25%"] });
