import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { performance } from "node:perf_hooks";
import { ok, type Result } from "../../core/result.ts";
import type { Actuator } from "../act/actuator.ts";
import { createKubeActuator } from "../act/kube-scale.ts";
import type { Log } from "../log.ts";
import { connect } from "./connect.ts";
import { startLease, type Standing } from "./lease.ts";
import { createKubeApi } from "./transport.ts";

/** A cluster to act on, and whether it is for us to act. */
export interface Acting {
  readonly actuator: Actuator;
  standing(): Standing;
  stop(): Promise<void>;
}

export interface KubeSettings {
  readonly kubeconfig: string | undefined;
  readonly lease: string;
  readonly leaseNamespace: string | undefined;
}

/** Where the lease is when neither settings nor context name a namespace: where deploy/ puts the scaler. */
const NAMESPACE = "fulcrum";

export function startKubernetes(settings: KubeSettings, onStanding: (standing: Standing) => void, log: Log): Result<Acting, string> {
  const cluster = connect(settings.kubeconfig);
  if (!cluster.ok) return cluster;
  const api = createKubeApi(cluster.value.door);
  const leadership = startLease({
    api,
    namespace: settings.leaseNamespace ?? cluster.value.namespace ?? NAMESPACE,
    name: settings.lease,
    // A name of its own for every start: a process must not take its predecessor's lead for its own.
    identity: `${hostname()}_${randomUUID()}`,
    clock: () => performance.now() / 1000,
    wall: Date.now,
    onChange: onStanding,
    log,
  });
  const actuator = createKubeActuator({ api, leadership, clock: () => Date.now() / 1000, log });
  return ok({
    actuator,
    standing: leadership.standing,
    async stop() {
      await leadership.stop();
      actuator.stop();
    },
  });
}
