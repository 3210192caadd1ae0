import type { Profile } from "../../core/profile.ts";
import { err, ok, type Result } from "../../core/result.ts";
import { readConfigurations, type Configuration, type Worker } from "./aiconfigurator-csv.ts";
import { ASSUMED_LINK } from "./assumed-link.ts";
import { LINK_NOTE, type Given, type Imported } from "./given.ts";
import { MEMORY_UTILIZATION, gpuMemory } from "./gpu-memory.ts";
import { knownKvBytes, kvBytesUnknown } from "./kv-bytes.ts";

const GIB = 1024 ** 3;
/** Terms of each latency model. */
const LEAST_POINTS = 3;

/**
 * AIConfigurator's result tables (`disagg/pareto.csv`, `disagg/best_config_topn.csv`) → profile of one layout of prefill and one of
 * decode. A run searches one prompt length, and a curve needs several: tables of several runs are read together.
 */
export function fromAiconfigurator(texts: readonly string[], given: Given): Result<Imported, string[]> {
  const read = texts.map(readConfigurations);
  const problems = read.flatMap((one) => (one.ok ? [] : one.error));
  const all = read.flatMap((one) => (one.ok ? one.value : []));
  const usable = all.filter(({ prefix }) => prefix === 0);
  const prefillRows = rowsOfBest(usable, "prefill", given);
  const decodeRows = rowsOfBest(usable, "decode", given);
  const [first, other] = [prefillRows[0], decodeRows[0]];
  if (problems.length > 0) return err(problems);
  if (first === undefined || other === undefined) return err([noLayout(usable, given)]);
  const chosen = { model: first.model, prefill: first.prefill, decode: other.decode };
  const prefill = distinct(prefillRows.map(prefillPoint));
  const decode = distinct(decodeRows.map(decodePoint));
  if (new Set(prefill.map(({ tokens, batch }) => tokens * batch)).size < LEAST_POINTS) {
    problems.push(
      `prefill ${chosen.prefill.layout}: ${prefill.length === 1 ? "one prompt length" : `${prefill.length} prompt lengths`}; three are needed. ` +
        "Run aiconfigurator with other --isl (512, 2048, 8192) and give all of its tables",
    );
  }
  if (decode.length < LEAST_POINTS) problems.push(`decode ${chosen.decode.layout}: ${decode.length} batches; three are needed`);
  const memory = kvMemory(decodeRows);
  const model = given.model ?? chosen.model;
  const kvBytesPerToken = given.kvBytesPerToken ?? memory?.bytesPerToken ?? knownKvBytes(model);
  if (kvBytesPerToken === undefined) problems.push(kvBytesUnknown(model));
  const gpu = given.gpu ?? chosen.decode.system;
  const kvCapacityTokens = given.kvCapacityTokens ?? capacity(gpu, chosen.decode, memory, kvBytesPerToken);
  if (kvCapacityTokens === undefined)
    problems.push(`KV tokens that fit into a replica of ${gpu} are not known; give them with --kv-capacity-tokens`);
  if (problems.length > 0 || kvBytesPerToken === undefined || kvCapacityTokens === undefined) return err(problems);
  const unused = usable.filter((one) => one.prefill.layout !== chosen.prefill.layout && one.decode.layout !== chosen.decode.layout).length;
  return ok({
    profile: {
      name: `${gpu} ${model} ${chosen.prefill.layout}/${chosen.decode.layout} (AIConfigurator)`,
      gpu,
      model,
      gpusPerReplica: { prefill: chosen.prefill.gpus, decode: chosen.decode.gpus },
      kvBytesPerToken,
      kvCapacityTokens,
      prefill,
      decode,
      transfer: ASSUMED_LINK,
    },
    notes: [
      `prefill ${chosen.prefill.layout} on ${chosen.prefill.gpus} GPU(s), decode ${chosen.decode.layout} on ${chosen.decode.gpus} GPU(s)` +
        (given.gpus === undefined ? ": the layouts of the best tokens/s/gpu; --gpus chooses others" : ""),
      ...(unused > 0 ? [`${unused} rows of other layouts left out`] : []),
      ...(usable.length < all.length ? [`${all.length - usable.length} rows with cached prefixes left out`] : []),
      "AIConfigurator's numbers are estimates, not measurements: watch fulcrum_model_error_ratio",
      LINK_NOTE,
    ],
  });
}

type Role = "prefill" | "decode";

/**
 * Rows of the layout that AIConfigurator would recommend for a role, the best first: of those on as many GPUs as were asked for and with
 * points enough for a curve, the one with the best throughput (runs for other lengths may each recommend another).
 */
function rowsOfBest(rows: readonly Configuration[], role: Role, { gpus }: Given): readonly Configuration[] {
  const fitting = gpus === undefined ? rows : rows.filter((one) => one[role].gpus === gpus[role]);
  const best = fitting.toSorted((a, b) => b.tokensPerSecondPerGpu - a.tokensPerSecondPerGpu);
  const names = [...new Set(best.map((one) => one[role].layout))];
  const layouts = names.map((name) => best.filter((one) => one[role].layout === name));
  const point: (row: Configuration) => object = role === "prefill" ? prefillPoint : decodePoint;
  const enough = layouts.map((own) => Math.min(LEAST_POINTS, distinct(own.map(point)).length));
  return layouts[enough.indexOf(Math.max(...enough))] ?? [];
}

function noLayout(rows: readonly Configuration[], { gpus }: Given): string {
  if (gpus === undefined || rows.length === 0) return "no row without a cached prefix (prefix 0)";
  const known = (role: Role): string => [...new Set(rows.map((one) => one[role].gpus))].toSorted((a, b) => a - b).join(", ");
  return `no rows with prefill on ${gpus.prefill} and decode on ${gpus.decode} GPUs; these have prefill on ${known("prefill")} and decode on ${known("decode")}`;
}

/** One pass: `(p)seq/s/worker` has its time; `ttft` has it multiplied by what AIConfigurator allows for queueing. */
const prefillPoint = ({ isl, prefill }: Configuration): Profile["prefill"][number] => ({
  tokens: isl,
  batch: prefill.globalBatch,
  ms: Number(((prefill.globalBatch * 1000) / prefill.sequencesPerSecond).toFixed(4)),
});

/** `tpot` is the mean over an answer, so that half of it lies in the context. */
const decodePoint = ({ isl, osl, tpot, decode }: Configuration): Profile["decode"][number] => ({
  batch: decode.globalBatch,
  ctx: isl + osl / 2,
  ms: tpot,
});

const distinct = <T>(rows: readonly T[]): T[] => [...new Map(rows.map((row) => [JSON.stringify(row), row])).values()];

interface KvMemory {
  readonly bytesPerToken: number;
  /** Bytes of one GPU that are not KV. */
  readonly other: number;
}

/** `(d)memory` (GiB of one GPU) grows by the KV of one whole sequence per sequence in its batch. */
function kvMemory(rows: readonly Configuration[]): KvMemory | undefined {
  const pairs = rows
    .map(({ isl, osl, decode }) => [decode.batch * (isl + osl), decode.memory * GIB] as const)
    .toSorted(([a], [b]) => a - b);
  const [least, most] = [pairs[0], pairs.at(-1)];
  const worker = rows[0]?.decode;
  if (least === undefined || most === undefined || worker === undefined || !(most[0] > least[0]) || !(most[1] > least[1])) return undefined;
  const slope = (most[1] - least[1]) / (most[0] - least[0]);
  return { bytesPerToken: Math.round(slope * worker.shards), other: most[1] - slope * most[0] };
}

function capacity(gpu: string, worker: Worker, memory: KvMemory | undefined, bytesPerToken: number | undefined): number | undefined {
  const installed = gpuMemory(gpu);
  if (installed === undefined || memory === undefined || bytesPerToken === undefined) return undefined;
  const tokens = Math.floor(((installed * MEMORY_UTILIZATION - memory.other) * worker.gpus) / bytesPerToken);
  return tokens > 0 ? tokens : undefined;
}
