import type { PolicySpec } from "../policy/schema.ts";
import { noFit } from "./fit.ts";
import { startLearning, type Learned } from "./learn.ts";

/**
 * What a checkpoint kept, in today's form: every field that is there in today's type is taken, every other starts anew. Earlier
 * checkpoints hold one factor per model ({ log, weight, error }): all of its coefficients start from that.
 */
export function revive(kept: unknown, spec: PolicySpec): Learned {
  const from = isObject(kept) ? kept : {};
  const fits = { prefill: oneFactor(from["prefill"]), decode: oneFactor(from["decode"]), transfer: oneFactor(from["transfer"]) };
  // `filled` gives back the template's type, field by field.
  return filled(startLearning(spec), { ...from, ...fits }) as Learned;
}

/** Deep: the value where it is of the template's type (a template's null or empty list stands for what will be learned), else the template. */
function filled(template: unknown, value: unknown): unknown {
  if (template === null) return value ?? null;
  if (Array.isArray(template))
    return Array.isArray(value) && (template.length === 0 || template.length === value.length) ? value : template;
  if (isObject(template)) {
    if (!isObject(value)) return template;
    return Object.fromEntries(Object.entries(template).map(([key, part]) => [key, filled(part, value[key])]));
  }
  return typeof value === typeof template ? value : template;
}

function oneFactor(kept: unknown): unknown {
  if (!isObject(kept) || typeof kept["log"] !== "number") return kept;
  return { ...noFit, ...kept, logs: [kept["log"], kept["log"], kept["log"]] };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
