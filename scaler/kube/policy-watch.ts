import type { Log } from "../log.ts";
import { readPolicyObject, type PolicyObject } from "../policy/objects.ts";
import type { KubeApi, KubeError } from "./api.ts";
import { startReflector, type Keyed } from "./reflector.ts";

export interface PolicyWatchDeps {
  readonly api: KubeApi;
  /** Undefined: of all namespaces. */
  readonly namespace: string | undefined;
  readonly clock: () => number;
  readonly log: Log;
}

/** Policies are written by people; more are a mistake of some generator. */
const MAX_POLICIES = 1000;

/** ScalingPolicy objects, told whole after each change; told as none where they cannot be read at all. */
export function watchPolicyObjects(
  { api, namespace, clock, log }: PolicyWatchDeps,
  onChange: (objects: readonly PolicyObject[]) => void,
): { stop(): void } {
  const scope = namespace === undefined ? "" : `/namespaces/${namespace}`;
  let listed = false;
  const reflector = startReflector<PolicyObject>({
    api,
    path: `/apis/fulcrum.dev/v1alpha1${scope}/scalingpolicies`,
    what: namespace === undefined ? "ScalingPolicies" : `ScalingPolicies of ${namespace}`,
    parse: keyed,
    limit: MAX_POLICIES,
    onChange(items) {
      listed = true;
      onChange(items.filter((item) => !item.deleting));
    },
    onProblem(problem) {
      // What was listed once stays in force until something else is known: nothing can be written to a server that is away.
      if (listed || (problem.status !== 403 && problem.status !== 404)) return;
      listed = true;
      log.error({ error: why(problem) }, "policy: ScalingPolicy objects cannot be read; files go on without them");
      onChange([]);
    },
    clock,
    log,
  });
  return { stop: () => reflector.stop() };
}

function why({ status, message }: KubeError): string {
  const mend = status === 404 ? "install deploy/base/crd" : "grant deploy/base/scaler-policies-rbac.yaml";
  return `${message}; ${mend}, or set policyObjects: none (FULCRUM_POLICY_OBJECTS)`;
}

function keyed(raw: unknown): Keyed<PolicyObject> | undefined {
  const item = readPolicyObject(raw);
  return item === undefined ? undefined : { key: `${item.namespace}/${item.name}`, item };
}
