import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { performance } from "node:perf_hooks";
import { ok, type Result } from "../../core/result.ts";
import type { PageLeader } from "../../wire/page.ts";
import type { Actuator } from "../act/actuator.ts";
import { createKubeActuator } from "../act/kube-scale.ts";
import type { Log } from "../log.ts";
import type { OverridePlace } from "../overrides/place.ts";
import type { PolicyObject } from "../policy/objects.ts";
import { connect } from "./connect.ts";
import { startLease, type Standing } from "./lease.ts";
import { createOverrideMap } from "./override-map.ts";
import { watchPolicyObjects } from "./policy-watch.ts";
import type { EventOutcome } from "./report/events.ts";
import { createStateMap, type SharedState } from "./state-map.ts";
import { createReporter, type Reporter, type StatusOutcome } from "./report/reporter.ts";
import { createKubeApi } from "./transport.ts";

/** A cluster to act on, and whether it is for us to act. */
export interface Acting {
  readonly actuator: Actuator;
  standing(): Standing;
  /** Who leads, for people; null where nobody has to agree. */
  leader(): PageLeader | null;
  /** Where the scaler that leads serves its API, while that is another one and it says so. */
  leaderAddress(): string | undefined;
  /** Undefined where there is no cluster that holds policies. */
  readonly policies: ClusterPolicies | undefined;
  /** Where scalers leave each other what they learned; undefined where there is only one. */
  readonly shared: SharedState | undefined;
  /** Where scalers share what operators have said about modes; undefined where there is only one. */
  readonly overrides: OverridePlace | undefined;
  stop(): Promise<void>;
}

export interface ClusterPolicies {
  watch(onChange: (objects: readonly PolicyObject[]) => void): { stop(): void };
  report(counts: { onStatus: (outcome: StatusOutcome) => void; onEvent: (outcome: EventOutcome) => void }): Reporter;
}

export interface KubeSettings {
  readonly kubeconfig: string | undefined;
  readonly lease: string;
  readonly leaseNamespace: string | undefined;
  readonly policyObjects: "none" | "own" | "all";
  readonly engineKeyFile?: string | undefined;
  /** Where this scaler serves its API, once it does. */
  readonly address?: () => string | undefined;
}

/** Where the lease is when neither settings nor context name a namespace: where deploy/ puts the scaler. */
const NAMESPACE = "fulcrum";

export function startKubernetes(settings: KubeSettings, onStanding: (standing: Standing) => void, log: Log): Result<Acting, string> {
  const cluster = connect(settings.kubeconfig);
  if (!cluster.ok) return cluster;
  const api = createKubeApi(cluster.value.door);
  const namespace = settings.leaseNamespace ?? cluster.value.namespace ?? NAMESPACE;
  // A name of its own for every start: a process must not take its predecessor's lead for its own.
  const identity = `${hostname()}_${randomUUID()}`;
  const clock = (): number => Date.now() / 1000;
  const leadership = startLease({
    ...{ api, namespace, name: settings.lease, identity },
    ...(settings.address === undefined ? {} : { address: settings.address }),
    clock: () => performance.now() / 1000,
    wall: Date.now,
    onChange: onStanding,
    log,
  });
  const actuator = createKubeActuator({ api, leadership, clock, log, engineKeyFile: settings.engineKeyFile });
  const policies: ClusterPolicies = {
    watch: (onChange) =>
      watchPolicyObjects({ api, namespace: settings.policyObjects === "own" ? namespace : undefined, clock, log }, onChange),
    report: (counts) => createReporter({ api, leadership, identity, clock, log, ...counts }),
  };
  return ok({
    actuator,
    standing: leadership.standing,
    leader: () => ({ standing: leadership.standing(), identity, holder: leadership.holder() ?? null }),
    leaderAddress: () => (leadership.standing() === "standby" ? leadership.address() : undefined),
    policies: settings.policyObjects === "none" ? undefined : policies,
    shared: createStateMap({ api, leadership, namespace, lease: settings.lease, identity }),
    overrides: createOverrideMap({ api, namespace, lease: settings.lease }),
    async stop() {
      await leadership.stop();
      actuator.stop();
    },
  });
}
