import { ScalerError } from "../config.ts";
import { policyName } from "../journal/records.ts";
import type { Log } from "../log.ts";
import { formatProblem } from "../policy/problem.ts";
import type { Policy } from "../policy/schema.ts";
import { watchPolicies, type PolicyFile, type PolicyWatch } from "../policy/watch.ts";

export interface FollowOptions {
  /** A policy file or a directory of them. */
  readonly path: string;
  readonly setPolicies: (policies: readonly Policy[]) => Promise<void>;
  /** Undefined: the file is gone. */
  readonly onValidity: (file: string, valid: boolean | undefined) => void;
  readonly log: Log;
}

/** At the start every policy must be good; later an invalid edit keeps the last good one. */
export async function followPolicies({ path, setPolicies, onValidity, log }: FollowOptions): Promise<PolicyWatch> {
  let started = false;
  const watch = await watchPolicies({
    path,
    onChange(files, changed) {
      for (const { file, problems } of changed) {
        const gone = !files.some((f) => f.file === file);
        onValidity(file, gone ? undefined : problems.length === 0);
        if (started) for (const problem of problems) log.error({ problem: formatProblem(problem) }, "policy: an invalid edit is ignored");
      }
      if (started) void setPolicies(policiesOf(files, log));
    },
    onError: (error) => log.warn({ err: error, path }, "policy: cannot be read now"),
  }).catch((error: unknown) => {
    throw new ScalerError("bad-policy", `${path}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  const problems = watch.files().flatMap((file) => file.problems);
  if (problems.length > 0) {
    watch.close();
    throw new ScalerError("bad-policy", problems.map(formatProblem).join("\n"));
  }
  started = true;
  await setPolicies(policiesOf(watch.files(), log));
  return watch;
}

/** Files in name order; where two hold a policy of one name, the first one's is in use. */
function policiesOf(files: readonly PolicyFile[], log: Log): readonly Policy[] {
  const inUse = new Map<string, Policy>();
  for (const { file, policies } of files.toSorted((a, b) => (a.file < b.file ? -1 : 1))) {
    for (const policy of policies) {
      const name = policyName(policy);
      if (inUse.has(name)) log.warn({ policy: name, file }, "policy: left out; another file holds one of this name");
      else inUse.set(name, policy);
    }
  }
  return [...inUse.values()];
}
