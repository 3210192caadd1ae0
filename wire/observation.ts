import type {
  DecodeObservation,
  Evidence,
  Observation,
  PrefillObservation,
  ReplicaCounts,
  TransferObservation,
} from "../core/observation.ts";
import { type Result, err, ok } from "../core/result.ts";
import type { Summary } from "../core/summary.ts";
import { type WrittenObservation, type WrittenSummary, observationSchema } from "./observation-schema.ts";

/** What is wrong with a written observation: the field and the sentence. */
export interface ObservationProblem {
  readonly field: string;
  readonly message: string;
}

/** The replicas of a pool that should be starting at `at` when `ready` are ready, oldest first. */
export type ExpectedStarting = (role: "prefill" | "decode", ready: number, at: number) => ReplicaCounts["starting"];

/**
 * Written JSON → the observation a controller ticks on. A figure that comes in parts (a batch count without its seconds)
 * is absent as a whole; an interval that does not say its length took as long as passed since `previousAt`. Where the starting
 * replicas are not named, or not since when they start, they are the `expected` ones.
 */
export function observationFromJson(
  value: unknown,
  previousAt?: number,
  expected: ExpectedStarting = () => [],
): Result<Observation, readonly ObservationProblem[]> {
  const parsed = observationSchema.safeParse(withoutNulls(value));
  if (!parsed.success) {
    return err(parsed.error.issues.map((issue) => ({ field: issue.path.map(String).join(".") || "observation", message: issue.message })));
  }
  const written = parsed.data;
  const passed = previousAt === undefined || written.at <= previousAt ? undefined : written.at - previousAt;
  const { prefill, decode } = written.pools;
  return ok({
    type: "observation",
    at: written.at,
    pools: given({
      prefill: prefill === undefined ? undefined : prefillOf(prefill, passed, (ready) => expected("prefill", ready, written.at)),
      decode: decode === undefined ? undefined : decodeOf(decode, passed, (ready) => expected("decode", ready, written.at)),
    }),
    ...given<Pick<Observation, "transfer" | "unschedulable">>({
      transfer: transferOf(written.transfer, passed),
      unschedulable: written.unschedulable,
    }),
  });
}

type Starting = (ready: number) => ReplicaCounts["starting"];
type WrittenPrefill = NonNullable<WrittenObservation["pools"]["prefill"]>;
type WrittenDecode = NonNullable<WrittenObservation["pools"]["decode"]>;

function prefillOf(written: WrittenPrefill, passed: number | undefined, starting: Starting): PrefillObservation {
  const { interval } = written;
  const seconds = interval?.seconds ?? passed;
  return given({
    replicas: replicasOf(written.replicas, starting),
    queue: some(written.queue),
    evidence: evidenceOf(written.evidence),
    running: some(written.running),
    limits: some(written.limits),
    interval:
      interval === undefined || seconds === undefined
        ? undefined
        : given({
            seconds,
            arrivals: interval.arrivals,
            inputTokens: interval.inputTokens ?? (interval.arrivals === 0 ? 0 : product(interval.arrivals, interval.isl?.mean)),
            cachedTokens: interval.cachedTokens,
            batches: whole(interval.batches, ["count", "tokens", "seconds"]),
            ttft: latencyOf(interval.ttft),
            isl: lengthsOf(interval.isl),
          }),
  });
}

function decodeOf(written: WrittenDecode, passed: number | undefined, starting: Starting): DecodeObservation {
  const { interval } = written;
  const seconds = interval?.seconds ?? passed;
  return given({
    replicas: replicasOf(written.replicas, starting),
    queue: some(written.queue),
    evidence: evidenceOf(written.evidence),
    running: some(written.running),
    kvUsage: written.kvUsage,
    kvCapacityTokens: written.kvCapacityTokens ?? capacityOf(written),
    limits: some(written.limits),
    interval:
      interval === undefined || seconds === undefined
        ? undefined
        : given({
            seconds,
            finished: interval.finished,
            // A step gives each of its sequences a token.
            outputTokens: interval.outputTokens ?? interval.steps?.sequences,
            steps: whole(interval.steps, ["count", "seconds", "sequences", "kvTokens"]),
            itl: latencyOf(interval.itl),
            osl: lengthsOf(interval.osl),
          }),
  });
}

/** Below this share in use, a rounded `kvUsage` says too little of the whole. */
const TELLING_USAGE = 0.05;

/** KV tokens one replica can hold, from what the pool holds and the share that is of its memory; draining replicas would blur it. */
function capacityOf({ kvUsage, running, replicas }: WrittenDecode): number | undefined {
  const ready = replicas?.ready ?? 0;
  if (kvUsage === undefined || kvUsage < TELLING_USAGE || ready === 0 || (replicas?.draining ?? 0) > 0) return undefined;
  return running?.kvTokens === undefined || running.kvTokens === 0 ? undefined : running.kvTokens / kvUsage / ready;
}

const product = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a * b;

function replicasOf(written: WrittenPrefill["replicas"], expected: Starting): ReplicaCounts | undefined {
  if (written?.ready === undefined) return undefined;
  const { ready, draining = 0 } = written;
  const asked = expected(ready);
  const starting = written.starting?.map(({ age }, i) => ({ age: age ?? asked[i]?.age ?? 0 }));
  return { ready, starting: starting ?? asked, draining };
}

const evidenceOf = (written: WrittenPrefill["evidence"]): Evidence | undefined => whole(written, ["age", "coverage"]);

function transferOf(written: WrittenObservation["transfer"], passed: number | undefined): TransferObservation | undefined {
  const seconds = written?.seconds ?? passed;
  if (written === undefined || seconds === undefined) return undefined;
  return { ...some(written), seconds };
}

function latencyOf(written: WrittenSummary | undefined): Summary | undefined {
  const lengths = lengthsOf(written);
  if (written?.count === undefined || lengths === undefined) return undefined;
  const p95 = quantile(written, ["p95", "p99", "p90", "p50"]) ?? lengths.p90;
  return given({ count: written.count, ...lengths, p95, within: written.within });
}

/** A missing quantile takes the next higher one that is there (the cautious reading), else the highest. */
function lengthsOf(written: WrittenSummary | undefined): Pick<Summary, "mean" | "p50" | "p90" | "p99"> | undefined {
  if (written?.mean === undefined) return undefined;
  const p50 = quantile(written, ["p50", "p90", "p95", "p99"]);
  const p90 = quantile(written, ["p90", "p95", "p99", "p50"]);
  const p99 = quantile(written, ["p99", "p95", "p90", "p50"]);
  return p50 === undefined || p90 === undefined || p99 === undefined ? undefined : { mean: written.mean, p50, p90, p99 };
}

const quantile = (written: WrittenSummary, order: readonly ("p50" | "p90" | "p95" | "p99")[]): number | undefined =>
  order.map((name) => written[name]).find((value) => value !== undefined);

/** Every field of the target, each possibly missing. */
type Loose<T> = { readonly [K in keyof T]-?: T[K] | undefined };

/** The fields that are there: exact optional types know no undefined. */
function given<T extends object>(fields: Loose<T>): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

const some = <T extends object>(fields: T | undefined): Compact<T> | undefined =>
  fields === undefined ? undefined : (Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Compact<T>);

type Compact<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** All of these fields, or nothing. */
function whole<K extends string>(fields: { [P in K]?: number | undefined } | undefined, keys: readonly K[]): Record<K, number> | undefined {
  if (fields === undefined || keys.some((key) => fields[key] === undefined)) return undefined;
  return fields as Record<K, number>;
}

/** `null` is how many languages write "missing". */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([key, inner]) => [key, withoutNulls(inner)]),
  );
}
