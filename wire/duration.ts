import { z } from "zod";
import { parseDuration } from "../core/duration.ts";

/** A setting's duration: "500ms", "90s", "1m30s", or a bare number of seconds in the file. Output: seconds, never zero. */
export const durationSetting = z.union([z.string(), z.number()]).transform((value, context) => {
  const seconds = typeof value === "number" ? value : parseDuration(value.trim());
  if (seconds !== undefined && seconds > 0 && Number.isFinite(seconds)) return seconds;
  context.issues.push({
    code: "custom",
    input: value,
    message: "not a duration; write a positive number with a unit, for example 500ms, 1s or 5m",
  });
  return z.NEVER;
});
