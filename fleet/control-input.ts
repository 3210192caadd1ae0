import { err, ok, type Result } from "../core/result.ts";
import type { PlantRole } from "../sim/plant/plant.types.ts";
import type { Limits } from "./fleet-views.ts";
import type { TruthQuery } from "./truth-report.ts";

/** Why a command was refused. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** No laptop runs more engine processes than this. */
const MAX_REPLICAS = 512;
const LIMITS = { maxBatchedTokens: { role: "prefill", max: 1_000_000 }, maxNumSeqs: { role: "decode", max: 100_000 } } as const;

const bad = (message: string): Result<never, Refusal> => err({ code: "bad-request", message });

/** `{"replicas":N}` */
export function readScale(text: string): Result<number, Refusal> {
  const input = readObject(text);
  if (!input.ok) return input;
  const replicas = input.value["replicas"];
  if (typeof replicas === "number" && Number.isInteger(replicas) && replicas >= 0 && replicas <= MAX_REPLICAS) return ok(replicas);
  return bad(`replicas: a whole number from 0 to ${MAX_REPLICAS} is wanted, as in {"replicas":2}`);
}

/** `{"maxBatchedTokens":N}` for prefill, `{"maxNumSeqs":N}` for decode. */
export function readLimits(text: string, role: PlantRole): Result<Partial<Limits>, Refusal> {
  const input = readObject(text);
  if (!input.ok) return input;
  const name = role === "prefill" ? "maxBatchedTokens" : "maxNumSeqs";
  const { max } = LIMITS[name];
  const other = Object.keys(input.value).find((key) => key !== name);
  if (other !== undefined) return bad(`${other}: pool ${role} takes {"${name}":N}`);
  const value = input.value[name];
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= max) return ok({ [name]: value });
  return bad(`${name}: a whole number from 1 to ${max} is wanted`);
}

/** `?ttft=0.5&itl=0.03&raw=1`, targets in seconds. */
export function readTruthQuery(query: URLSearchParams): Result<TruthQuery, Refusal> {
  const ttft = readSeconds(query, "ttft");
  const itl = readSeconds(query, "itl");
  if (!ttft.ok) return ttft;
  if (!itl.ok) return itl;
  return ok({
    ...(ttft.value === undefined ? {} : { ttft: ttft.value }),
    ...(itl.value === undefined ? {} : { itl: itl.value }),
    raw: query.get("raw") === "1",
  });
}

function readSeconds(query: URLSearchParams, name: string): Result<number | undefined, Refusal> {
  const text = query.get(name);
  if (text === null) return ok(undefined);
  const value = Number(text);
  return text.trim() !== "" && Number.isFinite(value) && value > 0 ? ok(value) : bad(`${name}: seconds above 0 are wanted, not "${text}"`);
}

/** A JSON object of any fields. */
export function readObject(text: string): Result<Readonly<Record<string, unknown>>, Refusal> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return ok(Object.fromEntries(Object.entries(value)));
    return bad("the body must be a JSON object");
  } catch {
    return bad("the body is not JSON");
  }
}
