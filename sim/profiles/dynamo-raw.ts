import { err, ok, type Result } from "../../core/result.ts";
import { ASSUMED_LINK } from "./assumed-link.ts";
import { dynamoDecodeRows, type DynamoDecodePoint } from "./dynamo.ts";
import { LINK_NOTE, type Given, type Imported } from "./given.ts";
import { knownKvBytes, kvBytesUnknown } from "./kv-bytes.ts";

/**
 * What Dynamo's profiler writes, as NPZ (`selected_prefill_interpolation/raw_data.npz`, `selected_decode_interpolation/raw_data.npz`)
 * or as JSON (`prefill_raw_data.json`, `decode_raw_data.json`); same keys. Tokens, milliseconds, tokens/s per GPU.
 */
export type Columns = ReadonlyMap<string, readonly number[]>;

const PREFILL = ["prefill_isl", "prefill_ttft"] as const;
const DECODE = ["x_kv_usage", "y_context_length", "z_itl", "max_kv_tokens"] as const;
const POINTS = { least: 3, most: 100_000 };
/** No replica computes as many prompt tokens a second: then the times are seconds, which other tools write under the same keys. */
const TOO_FAST = 5e6;

export const looksLikeRaw = (columns: Columns): boolean => columns.has(PREFILL[0]) || columns.has(DECODE[0]);

export function fromDynamoRaw(columns: Columns, given: Given): Result<Imported, string[]> {
  const missing = [...PREFILL, ...DECODE].filter((key) => !columns.has(key));
  if (missing.length > 0) return err([`${missing.join(", ")}: not in these files; prefill and decode are two files, give both`]);
  const numbers = (key: string): readonly number[] => columns.get(key) ?? [];
  const problems = [...sameLength(columns, PREFILL), ...sameLength(columns, DECODE.slice(0, 3))];
  if (!numbers("x_kv_usage").every((share) => share <= 1.5)) problems.push("x_kv_usage: must be a share of the KV cache, 0 to 1");
  const [maxKvTokens = 0] = numbers("max_kv_tokens");
  const isl = numbers("prefill_isl");
  const ttft = numbers("prefill_ttft");
  const tokensPerSecond = median(isl.map((tokens, index) => (tokens * 1000) / (ttft[index] ?? 0)));
  if (tokensPerSecond > TOO_FAST) {
    problems.push(
      `prefill_ttft: ${Math.round(tokensPerSecond)} prompt tokens a second are no GPU's; milliseconds are expected, these look like seconds`,
    );
  }
  const kvBytesPerToken = given.kvBytesPerToken ?? (given.model === undefined ? undefined : knownKvBytes(given.model));
  if (kvBytesPerToken === undefined) problems.push(kvBytesUnknown(given.model));
  if (problems.length > 0 || kvBytesPerToken === undefined) return err(problems);
  const throughput = numbers("prefill_thpt_per_gpu");
  const seen = Math.round(median(isl.map((tokens, index) => (tokens * 1000) / (ttft[index] ?? 0) / (throughput[index] ?? Infinity))));
  const gpus = given.gpus ?? { prefill: Math.max(1, seen), decode: Math.max(1, seen) };
  const points = decodePoints(columns);
  const decode = dynamoDecodeRows(points, maxKvTokens, gpus.decode);
  const model = given.model ?? "unknown";
  const gpu = given.gpu ?? "unknown";
  return ok({
    profile: {
      name: `${gpu} ${model} TP${gpus.prefill}${gpus.decode === gpus.prefill ? "" : `/TP${gpus.decode}`}`,
      gpu,
      model,
      gpusPerReplica: gpus,
      kvBytesPerToken,
      kvCapacityTokens: given.kvCapacityTokens ?? maxKvTokens,
      prefill: isl.map((tokens, index) => ({ tokens, batch: 1, ms: ttft[index] ?? 0 })),
      decode,
      transfer: ASSUMED_LINK,
    },
    notes: [
      ...(given.gpus === undefined ? [`GPUs per replica: ${gpus.prefill}, from prefill's throughput per GPU; --gpus says otherwise`] : []),
      ...(decode.length < points.length
        ? [
            `${points.length - decode.length} of ${points.length} decode points left out: their throughput says that the batch was never reached`,
          ]
        : []),
      LINK_NOTE,
    ],
  });
}

function decodePoints(columns: Columns): DynamoDecodePoint[] {
  const at = (key: string, index: number): number | undefined => columns.get(key)?.[index];
  return (columns.get("z_itl") ?? []).map((ms, index) => ({
    usage: at("x_kv_usage", index) ?? 0,
    context: at("y_context_length", index) ?? 1,
    ms,
    throughput: at("z_thpt_per_gpu", index),
  }));
}

/** Columns that belong together: as long as each other, and nothing but numbers above zero. */
function sameLength(columns: Columns, keys: readonly string[]): string[] {
  const [first = "", ...others] = keys;
  const length = columns.get(first)?.length ?? 0;
  if (length < POINTS.least || length > POINTS.most) return [`${first}: ${length} points; ${POINTS.least} to ${POINTS.most} are needed`];
  const uneven = others.flatMap((key) => {
    const own = columns.get(key)?.length ?? 0;
    return own === length ? [] : [`${key}: ${own} points, ${first} has ${length}`];
  });
  const wrong = keys.filter((key) => !(columns.get(key) ?? []).every((value) => value > 0 && Number.isFinite(value)));
  return [...uneven, ...wrong.map((key) => `${key}: every number must be above zero`)];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
