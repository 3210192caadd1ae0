import { SpanKind, type Context, type Link, type Span } from "@opentelemetry/api";
import type { Leg } from "./messages.ts";
import { remoteParent, under, writeSpan, type SpanWriter } from "./spans-writer.ts";

interface Slice {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const MAX_TOKENS = 2048;
const HOST = "3d1219c7c4c5404aaa1f6d2a48adfda4";

/**
 * SGLang writes a tree per request: root `<role> Req <rid>`, a span per thread, slices inside that link to
 * the slice before. Trace level 2: without one `decode_loop` per step.
 */
export function sglangSpans(writer: SpanWriter, leg: Leg): void {
  const { start } = writer;
  const root = writeSpan(
    writer.tracer,
    {
      name: `${start.role} Req ${leg.requestId.slice(0, 8)}`,
      kind: SpanKind.INTERNAL,
      start: leg.arrival,
      end: leg.end,
      attributes: rootAttributes(writer, leg),
    },
    remoteParent(leg),
  );
  const inRoot = under(root, remoteParent(leg));
  const dispatched = Math.min(leg.arrival + DISPATCH_SECONDS, leg.scheduled);
  const tokenized = leg.arrival + (dispatched - leg.arrival) * 0.85;
  const last = thread(writer, "Tokenizer", inRoot, undefined, [
    { name: "tokenize", start: leg.arrival, end: tokenized },
    { name: "api_server_dispatch", start: tokenized, end: dispatched },
  ]);
  thread(writer, "Scheduler", inRoot, last, start.role === "prefill" ? prefillSlices(leg, dispatched) : decodeSlices(leg, dispatched));
}

/** Tokenising and dispatching a prompt of usual length, as in the sample traces; never past the start of the work. */
const DISPATCH_SECONDS = 0.002;

function prefillSlices(leg: Leg, from: number): readonly Slice[] {
  return [
    { name: "prefill_prepare", start: from, end: from },
    { name: "prefill_bootstrap", start: from, end: from },
    { name: "prefill_waiting", start: from, end: leg.scheduled },
    { name: "prefill_forward", start: leg.scheduled, end: leg.firstToken },
    { name: "prefill_transfer_kv_cache", start: leg.firstToken, end: leg.transferEnd },
  ];
}

function decodeSlices(leg: Leg, from: number): readonly Slice[] {
  return [
    { name: "decode_prepare", start: from, end: from },
    { name: "decode_bootstrap", start: from, end: from },
    { name: "decode_transferred", start: from, end: leg.transferEnd },
    { name: "decode_waiting", start: leg.transferEnd, end: leg.scheduled },
    { name: "fake_output", start: leg.scheduled, end: leg.scheduled },
    { name: "decode_forward", start: leg.scheduled, end: leg.end },
  ];
}

function thread(writer: SpanWriter, label: string, parent: Context, before: Span | undefined, slices: readonly Slice[]): Span | undefined {
  const first = slices[0];
  const final = slices.at(-1);
  if (first === undefined || final === undefined) return before;
  const ranks = label === "Scheduler" ? " [TP 0]  [PP 0]  [DP 0] " : "";
  const span = writeSpan(
    writer.tracer,
    {
      name: `${label}${ranks}(host:${HOST.slice(0, 8)} | pid:${writer.pid})`,
      kind: SpanKind.INTERNAL,
      start: first.start,
      end: final.end,
      attributes: {
        ...(label === "Scheduler" ? { tp_rank: 0, pp_rank: 0, dp_rank: 0 } : {}),
        host_id: HOST,
        pid: writer.pid,
        thread_label: label,
      },
    },
    parent,
  );
  let previous = before;
  for (const slice of slices) {
    const links: Link[] = previous === undefined ? [] : [{ context: previous.spanContext() }];
    previous = writeSpan(writer.tracer, { ...slice, kind: SpanKind.INTERNAL, links }, under(span, parent));
  }
  return previous;
}

function rootAttributes({ start }: SpanWriter, leg: Leg) {
  const prefill = start.role === "prefill";
  return {
    rid: leg.requestId,
    module: "sglang::request",
    bootstrap_room: leg.room,
    "gen_ai.usage.completion_tokens": prefill ? 1 : leg.outputTokens,
    "gen_ai.usage.prompt_tokens": leg.inputTokens,
    "gen_ai.usage.cached_tokens": leg.cachedTokens,
    "gen_ai.request.id": leg.requestId,
    "gen_ai.request.max_tokens": MAX_TOKENS,
    "gen_ai.request.temperature": 0.7,
    "gen_ai.response.model": start.model,
    "gen_ai.response.finish_reasons": '["stop"]',
    // A prefill root's first token is out when its KV has been sent.
    "gen_ai.latency.time_to_first_token": (prefill ? leg.end : leg.firstToken) - leg.arrival,
    "gen_ai.latency.e2e": leg.end - leg.arrival,
    "gen_ai.latency.time_in_model_decode": prefill ? 0 : leg.end - leg.firstToken,
    "gen_ai.latency.time_in_model_inference": leg.end - leg.scheduled,
    "gen_ai.latency.time_in_model_prefill": (prefill ? leg.end : leg.firstToken) - leg.scheduled,
  };
}
