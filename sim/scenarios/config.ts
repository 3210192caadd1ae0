import { z } from "zod";
import { err, ok, type Result } from "../../core/result.ts";
import { policySpecSchema } from "../../scaler/policy/schema.ts";
import { duration } from "../../scaler/policy/quantities.ts";

/** A scenario file: what traffic meets which policy on which plant, and what goes wrong. Durations have units, as in policies. */
const lengths = z.strictObject({ median: z.number().positive(), sigma: z.number().nonnegative() });
const phase = z.strictObject({
  seconds: duration,
  rate: z.number().positive(),
  ramp: duration.default(0),
  prompt: lengths,
  answer: lengths,
  prefix: z.strictObject({ kinds: z.number().int().min(1), blocks: z.number().int().min(1) }).optional(),
});

const scenario = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  title: z.string().min(1),
  /** A recorded trace that stands in for the generated traffic where the shared data is present. */
  shared: z
    .strictObject({
      file: z.string().regex(/^[\w.-]+$/),
      rate: z.number().positive().default(1),
      from: duration.optional(),
      to: duration.optional(),
    })
    .optional(),
  /** The first phase ramps up from itself: its ramp has no effect. */
  generated: z.array(phase).min(1).max(100),
  /** Multiplies the default profile's latencies. */
  slow: z.number().positive().default(1),
  /** Multiplies the latencies that controllers believe in beforehand, relative to the truth. */
  believed: z.number().positive().optional(),
  policy: policySpecSchema,
  faults: z.array(z.string()).default([]),
});

const scenarioFile = z.strictObject({
  name: z.string().min(1),
  seed: z.number().int().min(0),
  scenarios: z.array(scenario).min(1).max(100),
});

export type Scenario = z.output<typeof scenario>;
export type ScenarioFile = z.output<typeof scenarioFile>;

/** Text of a scenario file → scenarios with defaults filled in, or one line per problem. */
export function parseScenarios(text: string, file: string): Result<ScenarioFile, string[]> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return err([`${file}: not JSON: ${error instanceof Error ? error.message : String(error)}`]);
  }
  const parsed = scenarioFile.safeParse(json);
  if (parsed.success) return ok(parsed.data);
  return err(parsed.error.issues.map((issue) => `${file}: ${issue.path.join(".") || "(whole file)"}: ${issue.message}`));
}
