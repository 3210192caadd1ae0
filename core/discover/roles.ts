import type { Role } from "../pool.ts";
import { type Result, err, ok } from "../result.ts";
import type { CommandLine } from "./command-line.ts";
import { ANNOTATIONS, type Pod } from "./pod.ts";

/** Why a role is not known. */
export interface NoRole {
  readonly reason: "no-role" | "ambiguous-role" | "unsupported-role" | "bad-annotation";
  readonly detail: string;
}

export interface FoundRole {
  readonly role: Role;
  /** The annotation, label or argument that said so. */
  readonly from: string;
}

/** What one source says: a role, something that is no role of ours, or nothing. */
type Saying = Role | "other" | undefined;

type Sayings = ReadonlyMap<string, Saying>;

const WORDS: Sayings = new Map([
  ["prefill", "prefill"],
  ["decode", "decode"],
]);
const LLM_D: Sayings = new Map<string, Saying>([
  ...WORDS,
  ["both", "aggregated"],
  ["prefill-decode", "aggregated"],
  ["encode", "other"],
  ["encode-prefill", "other"],
  ["encode-prefill-decode", "other"],
]);
/** `worker` is said of prefill, decode and aggregated workers alike: it says nothing. */
const DYNAMO: Sayings = new Map<string, Saying>([...WORDS, ["frontend", "frontend"], ["epp", "frontend"], ["planner", "other"]]);

interface LabelRow {
  /** Who sets it. */
  readonly source: string;
  readonly label: string;
  /** A closed set of values, or names that users choose, in which the words prefill and decode are looked for. */
  readonly read: Sayings | "named";
}

/** Labels that tell a pod's role, most specific first: the first that says anything decides. */
export const ROLE_LABELS: readonly LabelRow[] = [
  { source: "llm-d, KServe LLMInferenceService", label: "llm-d.ai/role", read: LLM_D },
  // Dynamo's type says "worker" of prefill and decode alike before v1beta1, and the sub-type which of them.
  { source: "Dynamo operator", label: "nvidia.com/dynamo-sub-component-type", read: DYNAMO },
  { source: "Dynamo operator", label: "nvidia.com/dynamo-component-type", read: DYNAMO },
  { source: "Dynamo operator", label: "nvidia.com/dynamo-component", read: "named" },
  { source: "RoleBasedGroup", label: "rbg.workloads.x-k8s.io/role-name", read: "named" },
  { source: "RoleBasedGroup before v1alpha2", label: "rolebasedgroup.workloads.x-k8s.io/role", read: "named" },
  { source: "AIBrix StormService", label: "role-name", read: "named" },
  { source: "Kthena ModelServing", label: "modelserving.volcano.sh/role", read: "named" },
  { source: "DisaggregatedSet", label: "disaggregatedset.x-k8s.io/role", read: "named" },
  { source: "Arks", label: "arks.ai/disaggregation-role", read: WORDS },
  { source: "Grove", label: "grove.io/podclique", read: "named" },
  { source: "Grove", label: "grove.io/podcliquescalinggroup", read: "named" },
];

const ANNOTATED: readonly string[] = ["prefill", "decode", "aggregated", "frontend"] satisfies Role[];
const isRole = (value: string): value is Role => ANNOTATED.includes(value);

/** What each label says, in the table's order, and last the engine's arguments. */
function sayings({ labels }: Pick<Pod, "labels">, command: CommandLine): { readonly from: string; readonly says: Saying }[] {
  const told = ROLE_LABELS.map(({ label, read }) => {
    const value = labels[label];
    const says = value === undefined ? undefined : read === "named" ? inName(value) : read.get(value.toLowerCase());
    return { from: `label ${label}=${value ?? ""}`, says };
  });
  return [...told, fromArguments(command)].filter(({ says }) => says !== undefined);
}

/** Whether the pod is marked as a part of a serving system, whatever the part. */
export const hasRoleLabel = ({ labels }: Pick<Pod, "labels">): boolean =>
  // `role-name` is so plain a name that anybody may use it for something else.
  ROLE_LABELS.some(({ label }) => labels[label] !== undefined && (label !== "role-name" || inName(labels[label] ?? "") !== undefined));

/**
 * The role of a pod: its annotation, else the first label of the table that says anything, else the engine's arguments. Sources that say
 * prefill and decode of one pod contradict each other, and then nothing is believed: a wrong role is worse than none.
 */
export function roleOf(pod: Pick<Pod, "labels" | "annotations">, command: CommandLine): Result<FoundRole, NoRole> {
  const given = pod.annotations[ANNOTATIONS.role];
  if (given !== undefined) {
    if (isRole(given)) return ok({ role: given, from: `annotation ${ANNOTATIONS.role}` });
    return err({ reason: "bad-annotation", detail: `${ANNOTATIONS.role} is "${given}"; write prefill, decode, aggregated or frontend` });
  }
  const told = sayings(pod, command);
  const [first] = told;
  const prefill = told.find(({ says }) => says === "prefill");
  const decode = told.find(({ says }) => says === "decode");
  if (prefill !== undefined && decode !== undefined) {
    return err({
      reason: "ambiguous-role",
      detail: `${prefill.from} says prefill, ${decode.from} says decode; annotate ${ANNOTATIONS.role}`,
    });
  }
  if (first?.says === undefined) {
    return err({ reason: "no-role", detail: `no label or argument tells prefill from decode; annotate ${ANNOTATIONS.role}` });
  }
  if (first.says === "other") return err({ reason: "unsupported-role", detail: `${first.from} is no prefill, decode or frontend` });
  return ok({ role: first.says, from: first.from });
}

/** The word prefill or decode in a name that users choose (`llama-prefill`, `TRTLLMDecodeWorker`); both or neither say nothing. */
function inName(name: string): Saying {
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replaceAll(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z]+/);
  const [prefill, decode] = [words.includes("prefill"), words.includes("decode")];
  if (prefill === decode) return words.includes("frontend") ? "frontend" : undefined;
  return prefill ? "prefill" : "decode";
}

const MODES: Sayings = new Map<string, Saying>([
  ...WORDS,
  // SGLang's word for not disaggregated; Dynamo's workers say agg, the one of TensorRT-LLM prefill_and_decode.
  ["null", "aggregated"],
  ["agg", "aggregated"],
  ["prefill_and_decode", "aggregated"],
  ["encode", "other"],
]);
const KV_ROLES: Sayings = new Map([
  ["kv_producer", "prefill"],
  ["kv_consumer", "decode"],
]);
/** trtllm-serve. */
const SERVER_ROLES: Sayings = new Map([
  ["context", "prefill"],
  ["generation", "decode"],
  ["mm_encoder", "other"],
]);

/** vLLM's kv_both (NIXL) says nothing, nor does SGLang's mode where roles are switched while it runs. */
function fromArguments(command: CommandLine): { readonly from: string; readonly says: Saying } {
  const mode = command.has("--enable-pd-role-switch") ? undefined : command.value("--disaggregation-mode");
  if (mode !== undefined) return { from: `--disaggregation-mode ${mode}`, says: MODES.get(mode.toLowerCase()) };
  const config = command.value("--kv-transfer-config");
  const kv = command.value("--kv-transfer-config.kv-role") ?? /"kv_role"\s*:\s*"(\w+)"/.exec(config ?? "")?.[1];
  if (kv !== undefined) return { from: `kv_role ${kv}`, says: KV_ROLES.get(kv) };
  const server = command.value("--server-role")?.toLowerCase();
  if (server !== undefined) return { from: `--server_role ${server}`, says: SERVER_ROLES.get(server) };
  // Dynamo's older vLLM worker.
  if (command.has("--is-prefill-worker")) return { from: "--is-prefill-worker", says: "prefill" };
  if (command.has("--is-decode-worker")) return { from: "--is-decode-worker", says: "decode" };
  return { from: "", says: undefined };
}
