import type { Role } from "../../core/pool.ts";
import { err, ok, type Result } from "../../core/result.ts";

/** What a pod tells of its role. */
export interface RoleHints {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Of all containers, command and args in order. */
  readonly args: readonly string[];
}

export interface FoundRole {
  readonly role: Role;
  /** The label, annotation or argument that said so. */
  readonly from: string;
}

/** Says what a pod's own labels do not, or what they say wrongly. */
export const ROLE_ANNOTATION = "fulcrum.dev/role";

const EXACT: Readonly<Record<string, Role>> = {
  prefill: "prefill",
  decode: "decode",
  both: "aggregated",
  "prefill-decode": "aggregated",
  aggregated: "aggregated",
  worker: "aggregated",
  frontend: "frontend",
};

/**
 * Labels that say what a pod is for, the most specific first. `exact` ones have a closed set of values; in the others users name the
 * role, and only a name that has prefill or decode in it, and not both, says anything.
 */
const LABELS: readonly { readonly label: string; readonly exact: boolean }[] = [
  { label: "llm-d.ai/role", exact: true },
  // Its component type says "worker" of prefill and decode alike, and the sub-type which of them.
  { label: "nvidia.com/dynamo-sub-component-type", exact: true },
  { label: "nvidia.com/dynamo-component-type", exact: true },
  { label: "rbg.workloads.x-k8s.io/role-name", exact: false },
  { label: "role-name", exact: false },
  { label: "modelserving.volcano.sh/role", exact: false },
  { label: "disaggregatedset.x-k8s.io/role", exact: false },
  { label: "arks.ai/disaggregation-role", exact: true },
  { label: "grove.io/podclique", exact: false },
];

/** The role of a pod: annotation, then labels in their order, then the engine's arguments. Never a guess: what nothing tells is an error. */
export function roleOf({ labels, annotations, args }: RoleHints): Result<FoundRole, string> {
  const given = annotations[ROLE_ANNOTATION];
  if (given !== undefined) {
    const role = EXACT[given];
    return role === undefined
      ? err(`annotation ${ROLE_ANNOTATION} is "${given}"; write prefill, decode, aggregated or frontend`)
      : ok({ role, from: `annotation ${ROLE_ANNOTATION}` });
  }
  for (const { label, exact } of LABELS) {
    const value = labels[label];
    const role = value === undefined ? undefined : exact ? EXACT[value] : named(value);
    if (role !== undefined) return ok({ role, from: `label ${label}` });
  }
  return fromArgs(args) ?? err(`no label, annotation or argument tells prefill from decode; annotate it with ${ROLE_ANNOTATION}`);
}

function named(name: string): Role | undefined {
  const words = name.toLowerCase().split(/[^a-z]+/);
  const [prefill, decode] = [words.includes("prefill"), words.includes("decode")];
  return prefill === decode ? undefined : prefill ? "prefill" : "decode";
}

/** SGLang says it in one word. In vLLM a KV producer prefills and a consumer decodes; `kv_both` (NIXL) says nothing. */
function fromArgs(args: readonly string[]): Result<FoundRole, string> | undefined {
  const mode = valueOf(args, "--disaggregation-mode");
  if (mode === "prefill" || mode === "decode") return ok({ role: mode, from: "--disaggregation-mode" });
  const transfer = /"kv_role"\s*:\s*"(kv_producer|kv_consumer)"/.exec(valueOf(args, "--kv-transfer-config") ?? "");
  if (transfer === null) return undefined;
  return ok({ role: transfer[1] === "kv_producer" ? "prefill" : "decode", from: "--kv-transfer-config" });
}

/** `--flag value`, `--flag=value`, or either inside one shell line. */
function valueOf(args: readonly string[], flag: string): string | undefined {
  const at = args.findIndex((arg) => arg === flag);
  if (at >= 0) return args[at + 1];
  const line = args.find((arg) => arg.includes(`${flag}=`) || arg.includes(`${flag} `));
  return line?.slice(line.indexOf(flag) + flag.length + 1).replace(/^(['"])(.*?)\1[^]*$|^(\S+)[^]*$/, "$2$3");
}
