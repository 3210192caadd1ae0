import type { Decision } from "../../../core/decision.ts";
import { createKubeActuator, type KubeScaleDeps } from "../../../scaler/act/kube-scale.ts";
import type { Actuator, ActResult, ClusterFacts } from "../../../scaler/act/actuator.ts";
import { connect } from "../../../scaler/kube/connect.ts";
import { createKubeApi } from "../../../scaler/kube/transport.ts";
import type { KubeApi } from "../../../scaler/kube/api.ts";
import type { Policy } from "../../../scaler/policy/schema.ts";
import { listLog, type ListLog } from "../../scaler/support/log.ts";
import { policyOf } from "../../scaler/support/policy.ts";
import { until } from "../../scaler/support/wait.ts";
import type { KubeApiServer } from "./server.ts";
import type { Workload } from "./workload.ts";

export function apiOf(server: KubeApiServer, timeout?: number): KubeApi {
  const cluster = connect(server.kubeconfig);
  if (!cluster.ok) throw new Error(cluster.error);
  return createKubeApi(cluster.value.door, timeout);
}

/** What a policy says of a pool's target. */
type Aim = Pick<Workload, "apiVersion" | "kind" | "name"> & { readonly component?: string | undefined };
const targetText = ({ apiVersion, kind, name, component }: Aim): string =>
  `{ apiVersion: ${apiVersion}, kind: ${kind}, name: ${name}${component === undefined ? "" : `, component: ${component}`} }`;

export const policyFor = (prefill: Aim, decode: Aim, budget = 4): Policy =>
  policyOf(`apiVersion: fulcrum.dev/v1alpha1
kind: ScalingPolicy
metadata: { name: test, namespace: demo }
spec:
  mode: enforce
  objectives: { ttft: { target: 500ms }, itl: { target: 30ms } }
  budget: { gpus: ${budget} }
  pools:
    prefill: { target: ${targetText(prefill)} }
    decode: { target: ${targetText(decode)} }
`);

export const decide = (prefill: number, decode: number): Decision => ({
  type: "decision",
  at: 1000,
  pools: { prefill: { replicas: prefill }, decode: { replicas: decode } },
  moves: [],
  predicted: {},
  reasons: [{ code: "prefill-short", text: "" }],
  hold: false,
});

/** An actuator on a server, that leads unless told otherwise. */
export interface Scene {
  readonly actuator: Actuator;
  readonly log: ListLog;
  readonly policy: Policy;
  facts(): Promise<ClusterFacts>;
  /** Looks, and applies what it is given. */
  apply(prefill: number, decode: number): Promise<ActResult>;
  /** Until the watch has told that many replicas of each. */
  seen(prefill: number, decode: number): Promise<ClusterFacts>;
  stop(): void;
}

const leading: KubeScaleDeps["leadership"] = {
  standing: () => "leading",
  holder: () => "me",
  fence: async () => ({ ok: true, value: undefined }),
};

export function openScene(server: KubeApiServer, policy: Policy, leadership = leading, engineKeyFile?: string): Scene {
  const log = listLog();
  const { signal } = new AbortController();
  const actuator = createKubeActuator({ api: apiOf(server), leadership, clock: () => Date.now() / 1000, log, engineKeyFile });
  const facts = async (): Promise<ClusterFacts> => {
    const found = await actuator.facts(policy, signal);
    if (!found.ok) throw new Error(found.error);
    return found.value;
  };
  return {
    actuator,
    log,
    policy,
    facts,
    apply: async (prefill, decode) => actuator.apply(policy, decide(prefill, decode), await facts(), signal),
    seen: (prefill, decode) =>
      until(`${prefill} prefill and ${decode} decode replicas`, async () => {
        const now = await facts();
        return now.prefill.replicas.length === prefill && now.decode.replicas.length === decode ? now : undefined;
      }),
    stop: () => actuator.stop(),
  };
}
