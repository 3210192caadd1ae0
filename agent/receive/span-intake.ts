import { createHalfAssembler } from "../../core/otlp/request-half.ts";
import type { ResourceSpans, TraceBatch } from "../../core/otlp/trace.ts";
import type { EngineTarget } from "../../core/targets.ts";
import { LIMITS, type RequestHalf } from "../../wire/messages.ts";
import { type PoolSpans, createSpanSummary } from "../summarize/spans.ts";
import { toRequestHalf } from "../summarize/requests.ts";
import { type Attribution, attribute } from "./attribute.ts";

export type Transport = "grpc" | "http";
/** Why spans did not become part of a report. */
export const SPAN_DROP_REASONS = ["malformed", "too-large", "limit", "unattributed", "request-limit"] as const;
export type SpanDropReason = (typeof SPAN_DROP_REASONS)[number];

export interface SpanIntake {
  accept(batch: TraceBatch, transport: Transport): void;
  /** A body that was refused as a whole; how many spans it held is not known, so it counts as one. */
  refuse(reason: SpanDropReason): void;
  /** Unix seconds of the last accepted batch; undefined = none yet. */
  lastBatch(): number | undefined;
  take(): TakenSpans;
}

export interface TakenSpans {
  readonly requests: readonly RequestHalf[];
  readonly requestsDropped: number;
  readonly pools: ReadonlyMap<string, PoolSpans>;
  readonly received: number;
  readonly dropped: number;
}

export interface SpanIntakeOptions {
  readonly targets: () => readonly EngineTarget[];
  readonly now: () => number;
  received(transport: Transport, spans: number): void;
  dropped(reason: SpanDropReason, spans: number): void;
}

/**
 * Where both receivers put what they decoded: attributes each resource's spans to a replica, joins spans to request
 * halves and holds them until the next report. Bounded: what does not fit the report is counted, and still measured.
 */
export function createSpanIntake(options: SpanIntakeOptions): SpanIntake {
  const assembler = createHalfAssembler();
  const summary = createSpanSummary();
  let requests: RequestHalf[] = [];
  let requestsDropped = 0;
  let received = 0;
  let dropped = 0;
  let lastBatch: number | undefined;
  let assemblerDropped = 0;

  const drop = (reason: SpanDropReason, spans: number): void => {
    if (spans === 0) return;
    dropped += spans;
    options.dropped(reason, spans);
  };

  const acceptResource = (resource: ResourceSpans, { target, pod }: Attribution): void => {
    // The assembler keeps slices of unfinished requests by instance; the pod is the one name all of a replica's resources share.
    const halves = assembler.add({ resources: [{ ...resource, instance: pod }], spans: resource.spans.length, dropped: 0 });
    for (const spanHalf of halves) {
      const half = toRequestHalf(spanHalf, target, pod);
      if (half.role === target.role) summary.add(half);
      if (requests.length < LIMITS.requestsPerReport) requests.push(half);
      else requestsDropped++;
    }
  };

  return {
    accept(batch, transport) {
      lastBatch = options.now();
      received += batch.spans;
      options.received(transport, batch.spans);
      drop("limit", batch.dropped);
      for (const resource of batch.resources) {
        const owner = attribute(resource, options.targets());
        if (owner === undefined) drop("unattributed", resource.spans.length);
        else acceptResource(resource, owner);
      }
      const forgotten = assembler.dropped();
      drop("request-limit", forgotten - assemblerDropped);
      assemblerDropped = forgotten;
    },
    refuse: (reason) => drop(reason, 1),
    lastBatch: () => lastBatch,
    take() {
      const taken = { requests, requestsDropped, pools: summary.drain(), received, dropped };
      requests = [];
      requestsDropped = received = dropped = 0;
      return taken;
    },
  };
}
