import type { ActResult, Actuator, ClusterFacts } from "../../../scaler/act/actuator.ts";
import { createKubeActuator, type KubeScaleDeps } from "../../../scaler/act/kube-scale.ts";
import type { KubeApi } from "../../../scaler/kube/api.ts";
import { connect } from "../../../scaler/kube/connect.ts";
import { createKubeApi } from "../../../scaler/kube/transport.ts";
import type { Policy } from "../../../scaler/policy/schema.ts";
import { listLog, type ListLog } from "../../scaler/support/log.ts";
import { policyOf } from "../../scaler/support/policy.ts";
import { until } from "../../scaler/support/wait.ts";
import { decide } from "../kube-api/scene.ts";
import type { Cluster } from "./cluster.ts";
import type { Pair } from "./operator.ts";
import { ROLES, type Role, type Shape } from "./shapes.ts";

export function apiOf(cluster: Cluster): KubeApi {
  const door = connect(cluster.kubeconfig);
  if (!door.ok) throw new Error(door.error);
  return createKubeApi(door.value.door);
}

export function policyOn(cluster: Cluster, shape: Shape, name: string, budget: number): Policy {
  const target = (role: Role): string => {
    const of = shape.components === undefined ? `name: ${name}-${role}` : `name: ${name}, component: ${shape.components[role]}`;
    return `{ apiVersion: ${shape.apiVersion}, kind: ${shape.kind}, ${of} }`;
  };
  return policyOf(`apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: ${name}, namespace: ${cluster.namespace} }
spec:
  mode: enforce
  objectives: { ttft: { target: 500ms }, itl: { target: 30ms } }
  budget: { gpus: ${budget} }
  pools:
    prefill: { target: ${target("prefill")}, replicas: { max: 6 } }
    decode: { target: ${target("decode")}, replicas: { max: 6 } }
  behavior: { interval: 100ms }
`);
}

/** An actuator on a pair of pools, leading unless told otherwise. */
export interface Acting {
  readonly actuator: Actuator;
  readonly policy: Policy;
  readonly log: ListLog;
  /** Most replicas that were ever seen to hold GPUs, or were asked for. */
  most(): number;
  facts(): Promise<ClusterFacts>;
  apply(prefill: number, decode: number): Promise<ActResult>;
  /** Until that many replicas are ready, and no others are there. */
  settled(prefill: number, decode: number): Promise<ClusterFacts>;
  stop(): void;
}

export interface ActingOptions {
  readonly budget?: number;
  readonly api?: KubeApi;
  readonly leadership?: KubeScaleDeps["leadership"];
  /** Seconds since 1970. */
  readonly clock?: () => number;
}

export const alwaysLeading: KubeScaleDeps["leadership"] = {
  standing: () => "leading",
  holder: () => "me",
  fence: async () => ({ ok: true, value: undefined }),
};

export function actOn(cluster: Cluster, shape: Shape, pair: Pair, options: ActingOptions = {}): Acting {
  const { budget = 4, api = apiOf(cluster), leadership = alwaysLeading, clock = () => Date.now() / 1000 } = options;
  const log = listLog();
  const policy = policyOn(cluster, shape, pair.name, budget);
  const actuator = createKubeActuator({ api, leadership, clock, log });
  const { signal } = new AbortController();
  let most = 0;
  const facts = async (): Promise<ClusterFacts> => {
    // A definition or an object that was made just now may not be served yet.
    const found = await until("facts", async () => {
      const now = await actuator.facts(policy, signal);
      return now.ok ? now.value : /no selector|not serve|no kind/.test(now.error) ? undefined : Promise.reject(new Error(now.error));
    });
    most = Math.max(most, ...[held(found), found.prefill.desired + found.decode.desired]);
    return found;
  };
  return {
    ...{ actuator, policy, log, facts },
    most: () => most,
    apply: async (prefill, decode) => actuator.apply(policy, decide(prefill, decode), await facts(), signal),
    settled: (prefill, decode) =>
      until(
        `${shape.title}: ${prefill} prefill and ${decode} decode replicas, ready`,
        async () => {
          const now = await facts();
          const [p, d] = ROLES.map((role) => now[role].replicas);
          const ready = [...(p ?? []), ...(d ?? [])].every((r) => r.phase === "ready");
          return ready && p?.length === prefill && d?.length === decode ? now : undefined;
        },
        cluster.fake === undefined ? 120_000 : 20_000,
      ),
    stop: () => actuator.stop(),
  };
}

const held = (facts: ClusterFacts): number => facts.prefill.replicas.length + facts.decode.replicas.length;
