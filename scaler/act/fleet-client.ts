import { z } from "zod";
import type { FleetPools } from "../../core/fleet-control.ts";
import { ENGINE_KINDS } from "../../core/pool.ts";
import { err, ok, type Result } from "../../core/result.ts";

/** HTTP client of the fleet control API, with a timeout on every call. Failures are sentences, never exceptions. */
export interface FleetClient {
  pools(signal: AbortSignal): Promise<Result<FleetPools, string>>;
  scale(pool: string, replicas: number, signal: AbortSignal): Promise<Result<undefined, string>>;
  limit(
    pool: string,
    limits: { readonly maxBatchedTokens: number } | { readonly maxNumSeqs: number },
    signal: AbortSignal,
  ): Promise<Result<undefined, string>>;
}

const count = z.number().int().nonnegative();
const replicaSchema = z.object({
  id: z.number(),
  pod: z.string(),
  node: z.string(),
  phase: z.enum(["starting", "ready", "draining"]),
  startedAt: z.number(),
  pid: z.number().nullable(),
  url: z.string(),
  gpus: z.array(z.number()),
});
const poolSchema = z.object({
  name: z.string(),
  namespace: z.string(),
  role: z.enum(["prefill", "decode", "aggregated", "frontend"]),
  model: z.string(),
  engine: z.enum(ENGINE_KINDS),
  desired: count,
  unschedulable: count,
  limits: z.object({ maxBatchedTokens: z.number().exactOptional(), maxNumSeqs: z.number().exactOptional() }),
  replicas: z.array(replicaSchema),
});
const poolsSchema = z.object({ at: z.number(), gpus: z.object({ total: count, used: count }), pools: z.array(poolSchema) });

/** A fleet's answer is a page; a runaway body is not read to its end. */
const MAX_BODY = 4 * 1024 * 1024;

export function createFleetClient(url: string, timeout: number): FleetClient {
  const base = url.replace(/\/+$/, "");

  async function call(method: string, path: string, body: unknown, signal: AbortSignal): Promise<Result<unknown, string>> {
    const where = `${method} ${base}${path}`;
    try {
      const response = await fetch(`${base}${path}`, {
        method,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout * 1000)]),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
      const text = await response.text();
      if (text.length > MAX_BODY) return err(`${where}: the answer is over ${MAX_BODY} bytes`);
      if (!response.ok) return err(`${where}: answered ${response.status} ${text.slice(0, 200)}`);
      return ok(JSON.parse(text) as unknown);
    } catch (error) {
      return err(`${where}: ${reason(error, timeout)}`);
    }
  }

  const put = async (pool: string, what: string, body: unknown, signal: AbortSignal): Promise<Result<undefined, string>> => {
    const answer = await call("PUT", `/v1/pools/${encodeURIComponent(pool)}/${what}`, body, signal);
    return answer.ok ? ok(undefined) : answer;
  };

  return {
    async pools(signal) {
      const answer = await call("GET", "/v1/pools", undefined, signal);
      if (!answer.ok) return answer;
      const parsed = poolsSchema.safeParse(answer.value);
      if (parsed.success) return ok(parsed.data);
      const [issue] = parsed.error.issues;
      return err(`GET ${base}/v1/pools: unexpected answer at ${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? ""}`);
    },
    scale: (pool, replicas, signal) => put(pool, "scale", { replicas }, signal),
    limit: (pool, limits, signal) => put(pool, "limits", limits, signal),
  };
}

function reason(error: unknown, timeout: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${timeout} s`;
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return `${error.message}${cause}`;
}
