import type { EngineTarget } from "../targets.ts";
import { commandLine } from "./command-line.ts";
import { endpointOf, urlOf } from "./endpoint.ts";
import { type FoundEngine, engineOf } from "./engines.ts";
import { ANNOTATIONS, type Pod } from "./pod.ts";
import { follows, modelOf, poolOf } from "./pools.ts";
import { hasRoleLabel, roleOf } from "./roles.ts";

/** Why a pod that looks like serving is in no pool; labels fulcrum_agent_pods_unattributed. */
export const UNATTRIBUTED_REASONS = [
  "no-role",
  "ambiguous-role",
  "unsupported-role",
  "no-engine",
  "no-pool",
  "bad-annotation",
  "pool-conflict",
  "over-limit",
  "unreadable",
] as const;
export type UnattributedReason = (typeof UNATTRIBUTED_REASONS)[number];

export interface Unattributed {
  readonly namespace: string;
  readonly pod: string;
  readonly reason: UnattributedReason;
  /** What is wrong and what to write instead. */
  readonly detail: string;
}

export type Attribution =
  | { readonly kind: "engine"; readonly target: EngineTarget }
  /** Its role is known and it has no address yet: there is nothing to read. */
  | { readonly kind: "waiting" }
  | { readonly kind: "gpu-page"; readonly url: string }
  | { readonly kind: "unattributed"; readonly problem: Unattributed }
  /** Nothing of ours: no serving, a follower of a replica of several pods, or one that an annotation takes out. */
  | { readonly kind: "ignored" };

const ignored: Attribution = { kind: "ignored" };
const MAX_NAME = 253;

/** What a pod is to the agent. Total: every pod is one of the five, and a pod that looks like serving is never ignored in silence. */
export function attribute(pod: Pod): Attribution {
  const { annotations, namespace, name } = pod;
  if (pod.ended || annotations[ANNOTATIONS.scrape] === "false") return ignored;
  const exporter = gpuPageOf(pod);
  if (exporter !== undefined) return exporter;
  if (follows(pod)) return ignored;
  const unattributed = (reason: UnattributedReason, detail: string): Attribution => ({
    kind: "unattributed",
    problem: { namespace, pod: name, reason, detail },
  });

  const engine = engineOf(pod);
  if (!engine.ok) return unattributed(engine.error.reason, engine.error.detail);
  if (engine.value === "other") return ignored;
  if (engine.value === undefined) {
    const asks = pod.containers.some(({ gpus }) => gpus > 0);
    if (!asks && !hasRoleLabel(pod) && !annotated(pod)) return ignored;
    const role = roleOf(pod, commandLine({ words: [], env: {} }));
    if (!role.ok && role.error.reason === "unsupported-role") return ignored;
    const why = asks ? "it asks for GPUs" : "it is labelled as serving";
    return unattributed("no-engine", `${why}, and neither command nor image tells which engine it runs; annotate ${ANNOTATIONS.engine}`);
  }
  const role = standsBefore(engine.value) ? undefined : roleOf(pod, engine.value.command);
  if (role?.ok === false) return unattributed(role.error.reason, role.error.detail);
  const pool = poolOf(pod);
  if (pool === undefined) return unattributed("no-pool", `no controller made it; annotate ${ANNOTATIONS.pool} with the pool's name`);
  const endpoint = endpointOf(pod, engine.value);
  if (!endpoint.ok) return unattributed("bad-annotation", endpoint.error);
  const model = modelOf(pod, engine.value) ?? pool;
  const long = [pool, model].find((text) => text.length > MAX_NAME);
  if (long !== undefined) return unattributed("bad-annotation", `"${long.slice(0, 40)}…" is longer than ${MAX_NAME} characters`);
  if (pod.ip === undefined || pod.ip === "") return { kind: "waiting" };
  return {
    kind: "engine",
    target: {
      ...{ url: urlOf(pod.ip, endpoint.value), namespace, pod: name, pool, role: role?.value.role ?? "frontend", model },
      ...{ engine: engine.value.kind, phase: pod.deleting ? "draining" : pod.ready ? "ready" : "starting", startedAt: pod.createdAt },
      ...(pod.uid !== "" && { uid: pod.uid }),
    },
  };
}

/** Programs that can be nothing but a frontend, whatever labels their pods share with the workers. */
const standsBefore = ({ kind }: FoundEngine): boolean => kind === "dynamo-frontend" || kind === "dynamo-router" || kind === "llm-d-epp";

const annotated = ({ annotations }: Pod): boolean => Object.values(ANNOTATIONS).some((key) => annotations[key] !== undefined);

/** dcgm-exporter as the GPU operator and its own chart label it. */
function gpuPageOf({ labels, ip, ready, deleting, containers }: Pod): Attribution | undefined {
  if (labels["app"] !== "nvidia-dcgm-exporter" && labels["app.kubernetes.io/name"] !== "dcgm-exporter") return undefined;
  if (ip === undefined || !ready || deleting) return ignored;
  const port = containers.flatMap((c) => c.ports).find((p) => p.name === "metrics")?.port ?? 9400;
  return { kind: "gpu-page", url: urlOf(ip, { scheme: "http", port, path: "/metrics" }) };
}
