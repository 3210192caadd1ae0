import { createHalfAssembler } from "../../core/otlp/request-half.ts";
import type { KeepTrace, ResourceSpans, TraceBatch } from "../../core/otlp/trace.ts";
import type { EngineTarget } from "../../core/targets.ts";
import { LIMITS, type RequestHalf } from "../../wire/messages.ts";
import { type PoolSpans, createSpanSummary } from "../summarize/spans.ts";
import { toRequestHalf } from "../summarize/requests.ts";
import { type Attribution, attribute } from "./attribute.ts";
import { createHeadSampler } from "./head-sampling.ts";

export type Transport = "grpc" | "http";
/** Why spans did not become part of a report. */
export const SPAN_DROP_REASONS = ["malformed", "too-large", "broken-off", "overload", "limit", "unattributed", "request-limit"] as const;
export type SpanDropReason = (typeof SPAN_DROP_REASONS)[number];

export interface SpanIntake {
  /** Which traces to decode now; undefined = all. */
  keep(): KeepTrace | undefined;
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
  /** Share of the received spans that was looked into; 1 unless the rate was over the limit. */
  readonly sampled: number;
}

export interface SpanIntakeOptions {
  readonly targets: () => readonly EngineTarget[];
  readonly now: () => number;
  /** Spans looked into per second; beyond it whole traces are counted only. */
  readonly maxSpansPerSecond: number;
  received(transport: Transport, spans: number): void;
  sampledOut(spans: number): void;
  dropped(reason: SpanDropReason, spans: number): void;
}

/**
 * Where both receivers put what they decoded: attributes each resource's spans to a replica, joins spans to request
 * halves and holds them until the next report. Bounded: what does not fit the report is counted, and still measured.
 */
export function createSpanIntake(options: SpanIntakeOptions): SpanIntake {
  const assembler = createHalfAssembler();
  const summary = createSpanSummary();
  const sampler = createHeadSampler(options.maxSpansPerSecond);
  let turned = options.now();
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
    const halves = assembler.add({ resources: [{ ...resource, instance: pod }], spans: resource.spans.length, dropped: 0, sampledOut: 0 });
    for (const spanHalf of halves) {
      const half = toRequestHalf(spanHalf, target, pod);
      // Each request of a sample stands for those left out, so that a pool's sketch stays in proportion to the others.
      if (half.role === target.role) summary.add(half, 1 / sampler.share());
      if (requests.length < LIMITS.requestsPerReport) requests.push(half);
      else requestsDropped++;
    }
  };

  return {
    keep: sampler.keep,
    accept(batch, transport) {
      lastBatch = options.now();
      const all = batch.spans + batch.sampledOut;
      received += all;
      options.received(transport, all);
      if (batch.sampledOut > 0) options.sampledOut(batch.sampledOut);
      drop("limit", batch.dropped);
      for (const resource of batch.resources) {
        const owner = attribute(resource, options.targets());
        if (owner === undefined) drop("unattributed", resource.spans.length);
        else acceptResource(resource, owner);
      }
      const forgotten = assembler.dropped();
      drop("request-limit", forgotten - assemblerDropped);
      assemblerDropped = forgotten;
      // Last: what this batch holds was chosen by the share before it.
      sampler.count(batch.spans, batch.sampledOut);
    },
    refuse: (reason) => drop(reason, 1),
    lastBatch: () => lastBatch,
    take() {
      const now = options.now();
      const sampled = sampler.turn(now - turned);
      turned = now;
      const taken = { requests, requestsDropped, pools: summary.drain(), received, dropped, sampled };
      requests = [];
      requestsDropped = received = dropped = 0;
      return taken;
    },
  };
}
