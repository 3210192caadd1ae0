import type { KubeObject } from "./manifests.ts";

const ROLES = ["prefill", "decode"] as const;
type Role = (typeof ROLES)[number];

/** A pool as the cluster has it. */
export interface PoolNow {
  /** Pods that its Deployment is to have. */
  readonly wanted: number | undefined;
  readonly ready: number | undefined;
}

/** What the objects of the demo's namespace say. What was not seen is undefined. */
export interface Progress {
  readonly pools: Readonly<Record<Role, PoolNow>>;
  readonly ttft: string | undefined;
  readonly itl: string | undefined;
  readonly targets: { readonly ttft: string | undefined; readonly itl: string | undefined };
  readonly decision: string | undefined;
  /** Why the policy is not acted on. */
  readonly problem: string | undefined;
  /** Why containers do not run: ImagePullBackOff, CrashLoopBackOff, …, and how many. */
  readonly waiting: readonly string[];
}

interface PolicySpec {
  readonly objectives?: Readonly<Record<string, { readonly target?: string } | undefined>>;
}
interface PolicyStatus {
  readonly ttft?: string;
  readonly itl?: string;
  readonly lastDecision?: { readonly reason: string; readonly message: string };
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
}

/** Waiting reasons that pass by themselves. */
const USUAL = new Set(["ContainerCreating", "PodInitializing"]);

export function progressOf(objects: readonly KubeObject[]): Progress {
  const policy = objects.find(({ kind }) => kind === "ScalingPolicy");
  // As our custom resource has them; what a version to come leaves out is shown as unknown.
  const [spec, status] = [(policy?.["spec"] ?? {}) as PolicySpec, (policy?.["status"] ?? {}) as PolicyStatus];
  const { objectives } = spec;
  return {
    pools: { prefill: poolNow(objects, "prefill"), decode: poolNow(objects, "decode") },
    ttft: status.ttft,
    itl: status.itl,
    targets: { ttft: objectives?.["ttft"]?.target, itl: objectives?.["itl"]?.target },
    decision: status.lastDecision === undefined ? undefined : `${status.lastDecision.reason}: ${status.lastDecision.message}`,
    problem: status.conditions?.find(({ status: is }) => is === "False")?.message,
    waiting: waitingOf(objects),
  };
}

function poolNow(objects: readonly KubeObject[], role: Role): PoolNow {
  const deployment = objects.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === role);
  // A Deployment, as the API server keeps it.
  const { spec, status } = (deployment ?? {}) as { spec?: { replicas?: number }; status?: { readyReplicas?: number } };
  return { wanted: spec?.replicas, ready: deployment === undefined ? undefined : (status?.readyReplicas ?? 0) };
}

function waitingOf(objects: readonly KubeObject[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const pod of objects.filter(({ kind }) => kind === "Pod")) {
    // A Pod, as the API server keeps it.
    const { containerStatuses = [] } = (pod["status"] ?? {}) as {
      containerStatuses?: readonly { readonly state?: { readonly waiting?: { readonly reason?: string } } }[];
    };
    for (const { state } of containerStatuses) {
      const reason = state?.waiting?.reason;
      if (reason !== undefined && !USUAL.has(reason)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
  }
  return [...counts].map(([reason, count]) => `${reason} (${count})`);
}

/** One change of a pool's count, with what Fulcrum said when it was seen. */
export interface Change {
  readonly role: Role;
  readonly from: number;
  readonly to: number;
  readonly reason: string | undefined;
}

export function changesBetween(before: Progress, now: Progress): readonly Change[] {
  return ROLES.flatMap((role) => {
    const [from, to] = [before.pools[role].wanted, now.pools[role].wanted];
    return from === undefined || to === undefined || from === to ? [] : [{ role, from, to, reason: now.decision }];
  });
}

const MAX_DECISION = 160;
const shown = (value: string | number | undefined): string => (value === undefined ? "—" : String(value));
const clock = (seconds: number): string => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/** The block that is drawn anew every other second; "—" is unknown, never zero. */
export function progressLines(now: Progress, at: number, until: number, changes: readonly Change[]): string[] {
  const latency = (name: string, is: string | undefined, target: string | undefined): string =>
    `${name} p95 ${shown(is)} (target ${shown(target)})`;
  return [
    `${clock(at)} of ${clock(until)}`,
    `${latency("TTFT", now.ttft, now.targets.ttft)}   ${latency("ITL", now.itl, now.targets.itl)}`,
    ...ROLES.map((role) => `${role.padEnd(8)} ready ${shown(now.pools[role].ready)} of ${shown(now.pools[role].wanted)}`),
    `decision ${(now.decision ?? "—").slice(0, MAX_DECISION)}`,
    ...(now.problem === undefined ? [] : [`not acting: ${now.problem.slice(0, MAX_DECISION)}`]),
    ...(now.waiting.length === 0 ? [] : [`pods wait: ${now.waiting.join(", ")}${imageHint(now.waiting)}`]),
    ...changes.slice(-5).map((change) => `  ${changeText(change)}`),
  ];
}

const imageHint = (waiting: readonly string[]): string =>
  waiting.some((reason) => /Image/.test(reason)) ? "; name an image that your nodes can pull with --image" : "";

export const changeText = ({ role, from, to, reason }: Change): string =>
  `${role} ${from} → ${to}${reason === undefined ? "" : `  ${reason.slice(0, MAX_DECISION)}`}`;
