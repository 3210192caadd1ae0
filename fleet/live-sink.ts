import type { PlantSink, RequestRecord } from "../sim/plant/plant.types.ts";
import type { FleetClock } from "./clock.ts";
import type { DecodeRun, EngineFeed } from "./engine-feed.ts";
import type { ServingEngine } from "./engine/messages.ts";
import { decodeArrival, decodeLeg, prefillLeg, type Flight } from "./flight.ts";
import type { Frontend } from "./frontend-page.ts";
import type { GpuMeter } from "./gpu-meter.ts";
import type { Truth } from "./truth.ts";

export interface LiveSinkParts {
  readonly engine: ServingEngine;
  readonly clock: FleetClock;
  readonly flights: Map<number, Flight>;
  /** The feed of a replica's process; undefined when the replica is no longer there. */
  readonly feedOf: (replica: number) => EngineFeed | undefined;
  readonly roleOf: (replica: number) => "prefill" | "decode" | undefined;
  readonly truth: Truth;
  readonly frontend: Frontend;
  readonly meter: GpuMeter;
  readonly changed: () => void;
}

type Sink = Required<PlantSink>;

/** Turns plant events into what each engine process, the frontend, the GPUs and the ground truth see of them. */
export function createLiveSink(parts: LiveSinkParts): PlantSink {
  const lastRun = new Map<number, DecodeRun>();
  return {
    enqueued: (replica, request) => enqueued(parts, replica, request.id),
    prefillPass: (replica, pass) => prefillPass(parts, replica, pass),
    transfer: (transfer) => transferred(parts, transfer),
    decodeSteps(replica, { at, steps, stepSeconds, sequences, kvTokens }) {
      const run: DecodeRun = { steps, stepSeconds, sequences, gaps: steps * sequences };
      lastRun.set(replica, run);
      parts.feedOf(replica)?.steps(run);
      parts.truth.steps(run);
      parts.frontend.steps(run);
      parts.meter.decode(replica, { end: at, seconds: steps * stepSeconds, sequences, context: kvTokens / Math.max(1, sequences) });
    },
    firstToken(replica, request, at, ttft) {
      const run = lastRun.get(replica);
      if (run !== undefined && run.gaps > 0) run.gaps -= 1;
      const flight = parts.flights.get(request.id);
      parts.truth.firstToken(ttft);
      parts.frontend.firstToken(request, ttft);
      if (flight === undefined) return;
      flight.decodeReplica = replica;
      const cached = flight.prefill?.cachedTokens ?? 0;
      parts.feedOf(replica)?.firstToken([at - decodeArrival(flight, parts.engine), request.inputTokens, cached]);
    },
    finished: (record) => finished(parts, record),
    phase: () => parts.changed(),
    gone(replica) {
      lastRun.delete(replica);
      parts.changed();
    },
  };
}

/** A request with a first token that enters a prefill queue again lost its place in a full decode batch. */
function enqueued({ flights, feedOf, roleOf }: LiveSinkParts, replica: number, request: number): void {
  const flight = flights.get(request);
  if (flight === undefined || roleOf(replica) === "decode") return;
  flight.prefill = undefined;
  flight.sending = false;
  if (flight.decodeReplica === undefined) return;
  feedOf(flight.decodeReplica)?.preempted();
  flight.decodeReplica = undefined;
}

function prefillPass(parts: LiveSinkParts, replica: number, pass: Parameters<Sink["prefillPass"]>[1]): void {
  const feed = parts.feedOf(replica);
  feed?.pass([pass.tokens, pass.seconds, pass.finished.length]);
  parts.meter.prefill(replica, { end: pass.at, seconds: pass.seconds, tokens: pass.tokens });
  for (const done of pass.finished) {
    const flight = parts.flights.get(done.request.id);
    if (flight === undefined) continue;
    const scheduled = pass.at - done.prefillSeconds;
    flight.sending = true;
    flight.prefill = { replica, arrival: scheduled - done.queueSeconds, scheduled, end: pass.at, cachedTokens: done.cachedTokens };
    const leg = prefillLeg(flight, parts.clock, undefined);
    parts.truth.prefilled(leg.inputTokens, leg.cachedTokens);
    if (parts.engine === "vllm") feed?.finished(leg);
  }
}

function transferred(parts: LiveSinkParts, transfer: Parameters<Sink["transfer"]>[0]): void {
  // vLLM's decode side pulls and counts; SGLang's prefill side pushes and counts.
  const feed = parts.feedOf(parts.engine === "vllm" ? transfer.to : transfer.from);
  if (transfer.failed) {
    feed?.transferFailed();
    parts.truth.transferFailed();
    return;
  }
  feed?.transfer([transfer.bytes, transfer.end - transfer.start]);
  parts.truth.transferred(transfer.bytes);
  parts.meter.transfer(transfer);
  const flight = parts.flights.get(transfer.request.id);
  if (flight !== undefined) flight.sending = false;
  if (parts.engine === "sglang" && flight?.prefill !== undefined) feed?.finished(prefillLeg(flight, parts.clock, transfer));
}

function finished(parts: LiveSinkParts, record: RequestRecord): void {
  const flight = parts.flights.get(record.request.id);
  parts.flights.delete(record.request.id);
  parts.truth.finished(record);
  parts.frontend.finished(record);
  if (flight === undefined || record.failed) return;
  parts.feedOf(record.decodeReplica)?.finished(decodeLeg(flight, record, parts.clock, parts.engine));
}
