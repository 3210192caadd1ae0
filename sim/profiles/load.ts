import { err, ok, type Result } from "../../core/result.ts";
import type { Profile } from "../../core/profile.ts";
import { profileSchema } from "../../scaler/policy/profile.ts";
import { fromDynamo, looksLikeDynamo } from "./dynamo.ts";
import { fromMeasured, looksMeasured } from "./measured.ts";
import h200 from "./h200-llama-3.1-8b.json" with { type: "json" };

/** The default of demo and back-test: Llama-3.1-8B, bf16, measured on an H200. */
export const defaultProfile: Profile = profileSchema.parse(h200);

/** Text of a profile file → profile, or one line per problem: `file: CODE field: message`. */
export function parseProfile(text: string, file: string): Result<Profile, string[]> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return err([`${file}: PROFILE_JSON not JSON: ${error instanceof Error ? error.message : String(error)}`]);
  }
  if (looksLikeDynamo(json)) {
    const converted = fromDynamo(json);
    if (!converted.ok) return err(converted.error.map((problem) => `${file}: PROFILE_DYNAMO ${problem}`));
    json = converted.value;
  }
  if (looksMeasured(json)) {
    const converted = fromMeasured(json);
    if (!converted.ok) return err(converted.error.map((problem) => `${file}: PROFILE_MEASURED ${problem}`));
    json = converted.value;
  }
  const parsed = profileSchema.safeParse(json);
  if (parsed.success) return ok(parsed.data);
  return err(parsed.error.issues.map((issue) => `${file}: PROFILE_FIELD ${issue.path.join(".") || "(whole file)"}: ${issue.message}`));
}

/** The same hardware, `factor` times slower in every latency (and the link with it). */
export function slowProfile(profile: Profile, factor: number): Profile {
  return {
    ...profile,
    prefill: profile.prefill.map((row) => ({ ...row, ms: row.ms * factor })),
    decode: profile.decode.map((row) => ({ ...row, ms: row.ms * factor })),
    transfer: { latency: profile.transfer.latency * factor, bytesPerSecond: profile.transfer.bytesPerSecond / factor },
  };
}
