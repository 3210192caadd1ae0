import { ENGINE_KINDS, type EngineKind } from "../pool.ts";
import { type Result, err, ok } from "../result.ts";
import { type CommandLine, commandLine } from "./command-line.ts";
import { ANNOTATIONS, type Container, type Pod } from "./pod.ts";

/** The container that serves, what it speaks, and where its page is unless the pod says so. */
export interface FoundEngine {
  readonly kind: EngineKind;
  readonly container: Container;
  readonly command: CommandLine;
  readonly path: string;
  /** By its own flag or variable; undefined = it has none set. */
  readonly ownPort: number | undefined;
  readonly defaultPort: number;
}

interface EngineRow {
  readonly kind: EngineKind | "other";
  /** In one word of the command, at its end or followed by a path's or module's rest. */
  readonly word?: RegExp;
  /** In the image's last part, without registry and tag; looked at when no container's command tells. */
  readonly image?: RegExp;
  readonly path?: string;
  readonly flag?: string;
  readonly variable?: string;
  readonly port: number;
}

/** Dynamo's operator serves a worker's own page and its engine's series on its system port. */
const SYSTEM = { variable: "DYN_SYSTEM_PORT", port: 9090 } as const;

/**
 * Who serves, by command and image. The first row that fits decides: routers and proxies name the engine they stand before, so they come
 * first. Ports and paths are the programs' own defaults.
 */
const ENGINES: readonly EngineRow[] = [
  { kind: "dynamo-frontend", word: /^dynamo\.frontend\b/, flag: "--http-port", variable: "DYN_HTTP_PORT", port: 8000 },
  { kind: "dynamo-router", word: /^dynamo\.(router|global_router)\b/, ...SYSTEM },
  { kind: "other", word: /^dynamo\.(planner|global_planner)\b/, port: 0 },
  { kind: "vllm", word: /^dynamo\.vllm\b/, ...SYSTEM },
  { kind: "sglang", word: /^dynamo\.sglang\b/, ...SYSTEM },
  { kind: "trtllm", word: /^dynamo\.trtllm\b/, ...SYSTEM },
  { kind: "dynamo-component", word: /^dynamo\.\w+/, ...SYSTEM },
  { kind: "other", word: /(^|\/)(sglang[_-]router|sgl-model-gateway|smg|pd-sidecar|llm-d-routing-sidecar)$|^sglang_router\b/, port: 0 },
  { kind: "other", image: /^(sgl-model-gateway|llm-d-routing-sidecar)/, port: 0 },
  { kind: "llm-d-epp", word: /(^|\/)epp$/, image: /^(epp|llm-d-inference-scheduler|llm-d-router)$/, flag: "--metrics-port", port: 9090 },
  { kind: "vllm", word: /(^|\/)vllm(-rs)?$|^vllm\.entrypoints\b|(^|\/)llm-d-inference-sim$/, flag: "--port", port: 8000 },
  { kind: "sglang", word: /^sglang(\.launch_server)?$|(^|\/)sglang$/, flag: "--port", port: 30_000 },
  { kind: "trtllm", word: /(^|\/)trtllm-serve$/, path: "/prometheus/metrics", flag: "--port", port: 8000 },
  { kind: "vllm", image: /vllm|llm-d-inference-sim/, flag: "--port", port: 8000 },
  { kind: "sglang", image: /sglang/, flag: "--port", port: 30_000 },
  { kind: "trtllm", image: /tensorrt[-_]?llm|trtllm/, path: "/prometheus/metrics", flag: "--port", port: 8000 },
];

export type EngineProblem = { readonly reason: "no-engine" | "bad-annotation"; readonly detail: string };

const isKind = (value: string): value is EngineKind => (ENGINE_KINDS as readonly string[]).includes(value);

/** The engine of a pod; undefined = there is none to be seen; "other" = a part of a serving system that is none. */
export function engineOf(pod: Pick<Pod, "annotations" | "containers">): Result<FoundEngine | "other" | undefined, EngineProblem> {
  const given = pod.annotations[ANNOTATIONS.engine];
  if (given !== undefined && !isKind(given)) {
    return err({ reason: "bad-annotation", detail: `${ANNOTATIONS.engine} is "${given}"; write one of ${ENGINE_KINDS.join(", ")}` });
  }
  const found = given === undefined ? recognized(pod.containers) : named(given, pod.containers);
  if (found === undefined) return ok(undefined);
  const { row, container, command } = found;
  if (row.kind === "other") return ok("other");
  const own =
    (row.flag && command.value(row.flag)) ??
    (row.variable && Object.hasOwn(container.env, row.variable) ? container.env[row.variable] : undefined);
  return ok({
    ...{ kind: row.kind, container, command, path: row.path ?? "/metrics", defaultPort: row.port },
    ownPort: own !== undefined && /^\d{1,5}$/.test(own) ? Number(own) : undefined,
  });
}

interface Recognized {
  readonly row: EngineRow;
  readonly container: Container;
  readonly command: CommandLine;
}

/** A command says more than an image: images hold several programs, and sidecars bring their own. */
function recognized(containers: readonly Container[]): Recognized | undefined {
  const all = containers.map((container) => ({ container, command: commandLine(container) }));
  const byWord = ({ command }: (typeof all)[number], { word }: EngineRow): boolean =>
    word !== undefined && command.words.some((w) => word.test(w));
  const byImage = ({ container }: (typeof all)[number], { image }: EngineRow): boolean => image?.test(imageName(container.image)) === true;
  let other: Recognized | undefined;
  for (const fits of [byWord, byImage]) {
    for (const row of ENGINES) {
      const match = all.find((candidate) => fits(candidate, row));
      if (match === undefined) continue;
      // A sidecar that is no engine must not hide the engine beside it.
      if (row.kind !== "other") return { row, ...match };
      other ??= { row, ...match };
      all.splice(all.indexOf(match), 1);
    }
  }
  return other;
}

/** Said by annotation: the container that looks like it, else the one with GPUs, else the first. */
function named(kind: EngineKind, containers: readonly Container[]): Recognized | undefined {
  const seen = recognized(containers);
  if (seen?.row.kind === kind) return seen;
  const row =
    ENGINES.find((candidate) => candidate.kind === kind && candidate.flag !== undefined) ??
    ENGINES.find((candidate) => candidate.kind === kind);
  const container = containers.find(({ gpus }) => gpus > 0) ?? containers[0];
  return row === undefined || container === undefined ? undefined : { row, container, command: commandLine(container) };
}

/** `registry:5000/team/vllm-openai:v0.9@sha256:…` → `vllm-openai` */
const imageName = (image: string): string => image.split("@", 1)[0]?.split("/").at(-1)?.split(":", 1)[0] ?? "";
