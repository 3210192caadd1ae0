import { z } from "zod";

const UNITS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 };

/** A setting's duration: "500ms", "90s", "1m30s", or a bare number of seconds in the file. Output: seconds, never zero. */
export const durationSetting = z.union([z.string(), z.number()]).transform((value, context) => {
  const seconds = typeof value === "number" ? value : parse(value.trim());
  if (seconds !== undefined && seconds > 0 && Number.isFinite(seconds)) return seconds;
  context.issues.push({
    code: "custom",
    input: value,
    message: "not a duration; write a positive number with a unit, for example 500ms, 1s or 5m",
  });
  return z.NEVER;
});

function parse(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) total += Number(amount) * (UNITS[unit ?? ""] ?? Number.NaN);
  return total;
}
