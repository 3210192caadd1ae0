import { readFile } from "node:fs/promises";
import { fitProfile, type ProfileFit } from "../core/profile-fit.ts";
import type { Profile } from "../core/profile.ts";
import { defaultProfile, parseProfile } from "../sim/profiles/load.ts";
import { builtinTrace } from "../sim/traces/builtin.ts";
import { multiplyRate, windowTrace } from "../sim/traces/rate.ts";
import { readTrace } from "../sim/traces/read.ts";
import { assembleTrace, type Trace } from "../sim/traces/trace.types.ts";
import { FleetError, toPlantRequest, type FleetSettings } from "./config.ts";

export interface Workload {
  readonly profile: Profile;
  readonly models: ProfileFit;
  readonly trace: Trace;
}

/** Reads trace and profile; what is wrong with either becomes one FleetError that names file and line. */
export async function loadWorkload(settings: FleetSettings): Promise<Workload> {
  const profile = await loadProfile(settings.profile);
  const whole = await loadTrace(settings);
  const to = settings.duration === undefined ? Infinity : settings.from + settings.duration;
  const trace = multiplyRate(windowTrace(whole, settings.from, to), settings.rate, settings.seed);
  if (trace.requests.length === 0 && settings.workload.kind !== "requests") {
    const asked = `from ${settings.from} s${settings.duration === undefined ? "" : ` for ${settings.duration} s`}`;
    throw new FleetError("bad-trace", `${trace.name} has no request ${asked}; it is ${Math.round(whole.seconds)} s long`);
  }
  return { profile, models: fitProfile(profile), trace };
}

async function loadTrace({ workload, seed, duration }: FleetSettings): Promise<Trace> {
  if (workload.kind === "builtin") return builtinTrace(seed);
  if (workload.kind === "requests") {
    return assembleTrace("requests", workload.requests.map(toPlantRequest), duration === undefined ? {} : { seconds: duration });
  }
  const trace = await readTrace(workload.path, { skipBad: workload.skipBad });
  if (!trace.ok) throw new FleetError("bad-trace", trace.error.join("\n"));
  return trace.value;
}

async function loadProfile(path: string | undefined): Promise<Profile> {
  if (path === undefined) return defaultProfile;
  const text = await readFile(path, "utf8").catch((error: Error) => {
    throw new FleetError("bad-profile", `${path}: ${error.message}`);
  });
  const profile = parseProfile(text, path);
  if (!profile.ok) throw new FleetError("bad-profile", profile.error.join("\n"));
  return profile.value;
}
