import type { Role } from "../pool.ts";
import type { SpanFacts } from "./request-half.ts";
import { known, numberAttribute } from "./span-numbers.ts";
import type { Span } from "./trace.ts";

/**
 * SGLang: a root `<role> Req <id>` over thread spans (tokenizer, one scheduler per rank) over stage slices. Slices and threads end, and are
 * exported, before their root; they wait here by parent.
 */
export interface SglangStages {
  /** Keeps the span when it is a stage or a thread that a root will ask for. */
  hold(span: Span): void;
  /** The request, when the span is a root; its stages are taken out of the store. */
  root(span: Span): SpanFacts | undefined;
  pending(): number;
  dropped(): number;
}

const SCOPE = "sglang server";
const ROOT = /^(prefill|decode|) ?Req \S/;

type Stage = "queue" | "prefill" | "kvTransfer" | "decode";

/** decode_transferred is not among them: it runs from the router's double post, so it holds the prefill side's queue and compute as well. */
const STAGES: ReadonlyMap<string, Stage> = new Map([
  ["prefill_waiting", "queue"],
  ["decode_waiting", "queue"],
  ["prefill_forward", "prefill"],
  ["chunked_prefill", "prefill"],
  ["prefill_transfer_kv_cache", "kvTransfer"],
  ["decode_forward", "decode"],
]);

type Durations = Partial<Record<Stage, number>>;

export function createSglangStages(maxPending: number): SglangStages {
  /** By span id of the thread, and of the root. Insertion order is age: the oldest goes first. */
  const slices = new Map<string, Durations>();
  const threads = new Map<string, string[]>();
  let dropped = 0;
  const makeRoom = (map: Map<string, unknown>): void => {
    if (map.size < maxPending) return;
    for (const key of map.keys()) {
      map.delete(key);
      dropped++;
      return;
    }
  };
  const hold = (span: Span): void => {
    if (span.scope !== SCOPE || span.parentSpanId === undefined || ROOT.test(span.name)) return;
    const key = `${span.traceId}${span.parentSpanId}`;
    const stage = STAGES.get(span.name);
    if (stage !== undefined) {
      const durations = slices.get(key) ?? {};
      durations[stage] = (durations[stage] ?? 0) + (span.end - span.start);
      if (!slices.has(key)) makeRoom(slices);
      slices.set(key, durations);
    } else if (span.attributes.has("thread_label")) {
      const known = threads.get(key);
      if (known === undefined) makeRoom(threads);
      // One tokenizer and at most one scheduler per rank; a forged tree does not get to grow the list.
      if ((known?.length ?? 0) < 256) threads.set(key, [...(known ?? []), span.spanId]);
    }
  };
  const take = (span: Span): Durations => {
    const key = `${span.traceId}${span.spanId}`;
    const total: Durations = {};
    for (const thread of threads.get(key) ?? []) {
      const own = slices.get(`${span.traceId}${thread}`) ?? {};
      slices.delete(`${span.traceId}${thread}`);
      // Ranks work in step: the slowest is the request's time, their sum would count it once per GPU.
      for (const stage of ["queue", "prefill", "kvTransfer", "decode"] as const) {
        const value = own[stage];
        if (value !== undefined) total[stage] = Math.max(total[stage] ?? 0, value);
      }
    }
    threads.delete(key);
    return total;
  };
  return {
    hold,
    root(span) {
      const match = span.scope === SCOPE || span.attributes.get("module") === "sglang::request" ? ROOT.exec(span.name) : null;
      return match === null ? undefined : toFacts(span, roleOf(match[1]), take(span));
    },
    pending: () => slices.size + threads.size,
    dropped: () => dropped,
  };
}

const roleOf = (word: string | undefined): Role => (word === "prefill" || word === "decode" ? word : "aggregated");

function toFacts(span: Span, role: Role, stages: Durations): SpanFacts {
  const at = (...keys: string[]): number | undefined => numberAttribute(span, ...keys);
  const onPrefill = role === "prefill";
  return {
    trace: joinKey(span),
    role,
    start: span.start,
    end: span.end,
    ...known<Omit<SpanFacts, "trace" | "start" | "end" | "role">>({
      // The prefill root's first token is prefill plus KV transfer, and its one output token is made again on decode: neither is the user's.
      firstToken: onPrefill ? undefined : at("gen_ai.latency.time_to_first_token"),
      queue: stages.queue,
      // The attribute on a prefill root holds handshake and transfer too; only the unified engine's is compute.
      prefill: stages.prefill ?? (role === "aggregated" ? at("gen_ai.latency.time_in_model_prefill") : undefined),
      kvTransfer: stages.kvTransfer,
      decode: onPrefill ? undefined : (at("gen_ai.latency.time_in_model_decode") ?? stages.decode),
      promptTokens: at("gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens"),
      cachedTokens: at("gen_ai.usage.cached_tokens"),
      outputTokens: onPrefill ? undefined : at("gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens"),
      error: span.error ? true : undefined,
    }),
  };
}

/** A parent means the trace context came from the router, which gives it to both sides; otherwise both share only the bootstrap room. */
function joinKey(span: Span): string {
  const room = span.attributes.get("bootstrap_room");
  const usable = typeof room === "string" && room !== "" && room.length <= 40;
  return span.parentSpanId === undefined && usable ? `room:${room}` : span.traceId;
}
