import { readDynamoSpan, readLlmdSpan } from "./front-spans.ts";
import { createSglangStages } from "./sglang-stages.ts";
import type { Role } from "../pool.ts";
import type { ResourceSpans, Span, TraceBatch } from "./trace.ts";
import { readVllmSpan } from "./vllm-span.ts";

/** One side of a request, from its spans. Add the pod, pool and namespace of the sender to make the wire's RequestHalf. Times in seconds. */
export interface SpanHalf {
  /** Joins the halves of one request: the trace id, or the bootstrap room where no trace context came in. */
  readonly trace: string;
  /** As the span says; vLLM's do not. */
  readonly role?: Role;
  readonly service?: string;
  readonly instance?: string;
  /** Unix seconds. */
  readonly start: number;
  readonly end: number;
  /** After `start`. */
  readonly firstToken?: number;
  readonly queue?: number;
  readonly prefill?: number;
  readonly kvTransfer?: number;
  readonly decode?: number;
  readonly promptTokens?: number;
  readonly cachedTokens?: number;
  readonly outputTokens?: number;
  readonly error?: boolean;
}

/** What the span itself tells; the resource is added by the assembler. */
export type SpanFacts = Omit<SpanHalf, "service" | "instance">;

export interface HalfAssembler {
  /** Halves completed by this batch. */
  add(batch: TraceBatch): SpanHalf[];
  /** Stages waiting for their request span. */
  pending(): number;
  /** Stages given up because too many waited. */
  dropped(): number;
}

/**
 * Turns spans into request halves. Most engines send one span per finished request; SGLang sends a tree whose stages come before their root, in
 * earlier batches too, so stages wait in a bounded store.
 */
export function createHalfAssembler(maxPending = 20_000): HalfAssembler {
  const stages = createSglangStages(maxPending);
  const read = (span: Span): SpanFacts | undefined => readVllmSpan(span) ?? stages.root(span) ?? readDynamoSpan(span) ?? readLlmdSpan(span);
  return {
    add(batch) {
      // Stages first: within a batch the order of a tree is not promised.
      for (const resource of batch.resources) for (const span of resource.spans) stages.hold(span);
      const halves: SpanHalf[] = [];
      for (const resource of batch.resources) {
        for (const span of resource.spans) {
          const facts = read(span);
          if (facts !== undefined) halves.push(attach(facts, resource));
        }
      }
      return halves;
    },
    pending: stages.pending,
    dropped: stages.dropped,
  };
}

/** In place: the facts were made for this half alone. */
function attach(facts: { -readonly [K in keyof SpanHalf]: SpanHalf[K] }, { service, instance }: ResourceSpans): SpanHalf {
  if (service !== undefined) facts.service = service;
  if (instance !== undefined) facts.instance = instance;
  return facts;
}
