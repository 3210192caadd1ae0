import { z } from "zod";
import { ENGINE_KINDS } from "../core/pool.ts";
import { type Result, err, ok } from "../core/result.ts";
import type { TargetsFile } from "../core/targets.ts";
import { LIMITS } from "../wire/messages.ts";

const name = z.string().min(1).max(253);
const httpUrl = z.url({ protocol: /^https?$/, error: "not an http or https address" });

const engine = z.object({
  url: httpUrl,
  namespace: name,
  pod: name,
  pool: name,
  role: z.enum(["prefill", "decode", "aggregated", "frontend"]),
  model: name,
  engine: z.enum(ENGINE_KINDS),
  phase: z.enum(["starting", "ready", "draining"]),
  startedAt: z.number().nonnegative(),
  instance: z.string().min(1).max(253).optional(),
  uid: z.string().min(1).max(64).optional(),
});

const schema = z.object({
  node: name,
  engines: z.array(engine).max(512),
  gpus: z.array(z.object({ url: httpUrl })).max(16),
});

/** A targets file's text → targets, or one line that says what is wrong with it. */
export function parseTargets(text: string, node: string): Result<TargetsFile, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return err(`not JSON: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const more = parsed.error.issues.length > 1 ? ` (and ${parsed.error.issues.length - 1} more)` : "";
    return err(`${issue?.path.map(String).join(".") || "file"}: ${issue?.message ?? "invalid"}${more}`);
  }
  const problem = inconsistency(parsed.data, node);
  // The cast only drops zod's `instance?: string | undefined`; JSON has no undefined.
  return problem === undefined ? ok(parsed.data as TargetsFile) : err(problem);
}

/** What single fields cannot show: another node's file, one pod twice, one pool described in two ways, too much for one report. */
function inconsistency(file: z.output<typeof schema>, node: string): string | undefined {
  if (file.node !== node) return `node: the file is for "${file.node}", this agent runs as "${node}"`;
  const pods = new Set<string>();
  const pools = new Map<string, { identity: string; replicas: number }>();
  for (const [index, e] of file.engines.entries()) {
    const pod = `${e.namespace}/${e.pod}`;
    if (pods.has(pod)) return `engines.${index}.pod: "${pod}" is listed twice`;
    pods.add(pod);
    const key = `${e.namespace}/${e.pool}`;
    const identity = `${e.role}, ${e.model}, ${e.engine}`;
    const known = pools.get(key);
    if (known !== undefined && known.identity !== identity)
      return `engines.${index}: pool "${key}" is (${known.identity}) above and (${identity}) here; a pool has one role, model and engine`;
    pools.set(key, { identity, replicas: (known?.replicas ?? 0) + 1 });
  }
  if (pools.size > LIMITS.poolsPerReport) return `engines: ${pools.size} pools, at most ${LIMITS.poolsPerReport} fit one report`;
  for (const [key, { replicas }] of pools)
    if (replicas > LIMITS.replicasPerPool)
      return `engines: pool "${key}" has ${replicas} replicas here, at most ${LIMITS.replicasPerPool} fit one report`;
  return undefined;
}
