import { parseCron } from "./cron.ts";
import { durationPaths, readAt } from "./durations.ts";
import { formatPath, type Path, type PolicyCode, type PolicyIssue } from "./problem.ts";
import { isTimezone, MAX_SCHEDULE_SECONDS } from "./schedule.ts";
import type { Policy, PolicySpec } from "./schema.ts";

/** Rules that look at more than one field. They run on a policy whose every field is already well formed. */
export function crossFieldIssues(policy: Policy): readonly PolicyIssue[] {
  const { spec } = policy;
  return [
    ...objectiveRules(spec),
    ...boundRules(spec),
    ...budgetRules(spec),
    ...orderRules(spec),
    ...scheduleRules(spec),
    ...durationRules(policy),
  ];
}

/** A scaler needs to know what to scale; a back-test or a plan does not. */
export function missingTargets(policy: Policy): readonly PolicyIssue[] {
  return (["prefill", "decode"] as const)
    .filter((role) => policy.spec.pools[role].target === undefined)
    .map((role) =>
      issue(
        ["spec", "pools", role],
        "POLICY_NO_TARGET",
        "has no target; write target: { apiVersion, kind, name } of the workload to scale",
      ),
    );
}

function issue(path: Path, code: PolicyCode, message: string): PolicyIssue {
  return { path, code, message: `${formatPath(path)} ${message}` };
}

function objectiveRules({ objectives }: PolicySpec): PolicyIssue[] {
  if (objectives.ttft !== undefined || objectives.itl !== undefined) return [];
  return [issue(["spec", "objectives"], "POLICY_NO_OBJECTIVE", "names no target; write ttft: { target: 500ms } or itl: { target: 30ms }")];
}

function boundRules({ budget, pools }: PolicySpec): PolicyIssue[] {
  if (budget.gpus !== undefined) return [];
  return (["prefill", "decode"] as const)
    .filter((role) => pools[role].replicas.max === undefined)
    .map((role) =>
      issue(
        ["spec", "pools", role, "replicas"],
        "POLICY_NO_BOUND",
        "has no upper bound; write max here, or spec.budget.gpus for both pools",
      ),
    );
}

function budgetRules({ budget, pools, schedule }: PolicySpec): PolicyIssue[] {
  if (budget.gpus === undefined) return [];
  const { prefill, decode } = pools;
  const gpus = (p: number, d: number): number => p * prefill.gpusPerReplica + d * decode.gpusPerReplica;
  const found: PolicyIssue[] = [];
  const least = gpus(prefill.replicas.min, decode.replicas.min);
  if (least > budget.gpus) {
    found.push(issue(["spec", "budget", "gpus"], "POLICY_BUDGET", `is ${budget.gpus}, but the pools' minimums alone need ${least}`));
  }
  for (const [index, entry] of schedule.entries()) {
    const need = gpus(Math.max(entry.prefill?.min ?? 0, prefill.replicas.min), Math.max(entry.decode?.min ?? 0, decode.replicas.min));
    if (need > budget.gpus && least <= budget.gpus) {
      found.push(issue(["spec", "schedule", index], "POLICY_BUDGET", `needs ${need} GPUs, but spec.budget.gpus is ${budget.gpus}`));
    }
  }
  return found;
}

function orderRules({ pools, ratio }: PolicySpec): PolicyIssue[] {
  const ranges: readonly (readonly [Path, { readonly min: number; readonly max?: number | undefined } | undefined])[] = [
    [["spec", "pools", "prefill", "replicas"], pools.prefill.replicas],
    [["spec", "pools", "decode", "replicas"], pools.decode.replicas],
    [["spec", "pools", "prefill", "batch", "maxBatchedTokens"], pools.prefill.batch.maxBatchedTokens],
    [["spec", "pools", "decode", "batch", "maxNumSeqs"], pools.decode.batch.maxNumSeqs],
    [["spec", "ratio", "prefillPerDecode"], ratio?.prefillPerDecode],
  ];
  return ranges.flatMap(([path, range]) =>
    range?.max !== undefined && range.min > range.max
      ? [issue([...path, "max"], "POLICY_RANGE", `is ${range.max}, below its min of ${range.min}`)]
      : [],
  );
}

function scheduleRules({ schedule, pools }: PolicySpec): PolicyIssue[] {
  return schedule.flatMap((entry, index) => {
    const path: Path = ["spec", "schedule", index];
    const found: PolicyIssue[] = [];
    const cron = parseCron(entry.cron);
    if (!cron.ok) found.push(issue([...path, "cron"], "POLICY_CRON", `is not a cron expression: ${cron.error}`));
    if (!isTimezone(entry.timezone)) {
      found.push(
        issue([...path, "timezone"], "POLICY_TIMEZONE", `"${entry.timezone}" is not a time zone; write for example Europe/Berlin`),
      );
    }
    if (entry.for <= 0 || entry.for > MAX_SCHEDULE_SECONDS) {
      found.push(issue([...path, "for"], "POLICY_RANGE", "must be more than 0s and at most 7d"));
    }
    for (const role of ["prefill", "decode"] as const) {
      const floor = entry[role]?.min;
      const max = pools[role].replicas.max;
      if (floor !== undefined && max !== undefined && floor > max) {
        found.push(issue([...path, role, "min"], "POLICY_RANGE", `is ${floor}, above spec.pools.${role}.replicas.max of ${max}`));
      }
    }
    if (entry.prefill === undefined && entry.decode === undefined) {
      found.push(issue(path, "POLICY_REQUIRED", "sets no floor; write prefill: { min: N } or decode: { min: N }"));
    }
    return found;
  });
}

/** A year: far above any sensible setting, low enough that no timer or window overflows. */
const MAX_DURATION = 365 * 86400;

function durationRules(policy: Policy): PolicyIssue[] {
  const found: PolicyIssue[] = [];
  for (const path of durationPaths(policy)) {
    const value = readAt(policy, path);
    if (typeof value === "number" && value > MAX_DURATION) found.push(issue(path, "POLICY_RANGE", "must be at most 365d"));
  }
  const { objectives, behavior } = policy.spec;
  for (const name of ["ttft", "itl"] as const) {
    if (objectives[name]?.target === 0) found.push(issue(["spec", "objectives", name, "target"], "POLICY_RANGE", "must be more than 0s"));
  }
  // Below 100 ms a tick would be a busy loop over reports that come once a second; above 10 min nothing would be held.
  if (behavior.interval < 0.1 || behavior.interval > 600) {
    found.push(issue(["spec", "behavior", "interval"], "POLICY_RANGE", "must lie between 100ms and 10m"));
  }
  for (const name of ["scaleUp", "scaleDown"] as const) {
    if (behavior[name].step === 0) found.push(issue(["spec", "behavior", name, "step"], "POLICY_RANGE", "must be more than 0%"));
  }
  return found;
}
